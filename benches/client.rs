//! The load: requests over keep-alive connections, in one thread, so that as little as possible of the machine is
//! taken from what is measured.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use http_body_util::{BodyExt, Full};
use hyper::Method;
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper_util::rt::TokioIo;
use rand::Rng;
use rand::rngs::StdRng;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::data::Account;

/// A request that waits to be sent.
pub type Request = hyper::Request<Full<Bytes>>;

/// A connection that stays open.
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
}

/// An answer, read to its end.
pub struct Answer {
    /// Where it says that something is to be found.
    pub location: Option<String>,
    /// Its body.
    pub body: Bytes,
}

/// What a load came to.
pub struct Run {
    /// From the first request to the last answer.
    pub elapsed: Duration,
    /// How long each request took; of an open loop from when it was due.
    pub latencies: Vec<Duration>,
}

impl Run {
    /// How long each request took, in milliseconds.
    pub fn millis(&self) -> Vec<f64> {
        self.latencies.iter().map(|latency| latency.as_secs_f64() * 1e3).collect()
    }
}

/// A request as an account's client sends it.
pub fn request(method: Method, path: &str, account: &Account, body: Option<String>) -> Request {
    let builder = hyper::Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, "bench")
        .header(AUTHORIZATION, format!("Bearer {}", account.token))
        .header("accountId", &account.id)
        .header("iid", &account.stream);
    let request = match body {
        Some(body) => builder.header(CONTENT_TYPE, "application/json").body(Full::from(body)),
        None => builder.body(Full::default()),
    };
    request.expect("what is put together here is a request")
}

impl Connection {
    /// Connects.
    pub async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await.context("the service takes no connection")?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { sender })
    }

    /// Sends a request and reads its answer, which must be one of success.
    pub async fn send(&mut self, request: Request) -> anyhow::Result<Answer> {
        let target = format!("{} {}", request.method(), request.uri());
        let response = self.sender.send_request(request).await?;
        let status = response.status();
        let location = response.headers().get("location").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let body = response.into_body().collect().await?.to_bytes();
        ensure!(status.is_success(), "{target} answered {status}: {}", String::from_utf8_lossy(&body));
        Ok(Answer { location, body })
    }
}

impl Answer {
    /// Its body as JSON.
    pub fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_slice(&self.body).context("an answer is no JSON")
    }
}

/// Sends each lane's requests over a connection of its own, the next as soon as the last is answered.
pub async fn closed_loop(address: SocketAddr, lanes: Vec<Vec<Request>>) -> anyhow::Result<Run> {
    let mut ready = Vec::new();
    for requests in lanes {
        ready.push(Lane::open(address, requests).await?);
    }
    let started = Instant::now();
    let mut lanes = JoinSet::new();
    for Lane { mut stream, written, mut buffer } in ready {
        lanes.spawn(async move {
            let mut latencies = Vec::with_capacity(written.len());
            for request in written {
                let sent = Instant::now();
                stream.write_all(&request).await?;
                read_answer(&mut stream, &mut buffer).await?;
                latencies.push(sent.elapsed());
            }
            anyhow::Ok(latencies)
        });
    }
    let mut latencies = Vec::new();
    while let Some(lane) = lanes.join_next().await {
        latencies.extend(lane??);
    }
    Ok(Run { elapsed: started.elapsed(), latencies })
}

/// A connection and what is sent over it. It is put together beforehand, and of an answer only its status and its length are
/// looked at: pgbench does no more.
struct Lane {
    stream: TcpStream,
    written: Vec<Vec<u8>>,
    buffer: Vec<u8>,
}

impl Lane {
    async fn open(address: SocketAddr, requests: Vec<Request>) -> anyhow::Result<Self> {
        let mut written = Vec::with_capacity(requests.len());
        for request in requests {
            written.push(write(request).await?);
        }
        let stream = TcpStream::connect(address).await.context("the service takes no connection")?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, written, buffer: vec![0; 16 * 1024] })
    }
}

/// A request as it goes over the wire.
async fn write(request: Request) -> anyhow::Result<Vec<u8>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let mut written = format!("{} {} HTTP/1.1\r\n", head.method, head.uri).into_bytes();
    for (name, value) in &head.headers {
        written.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    written.extend(format!("content-length: {}\r\n\r\n", body.len()).into_bytes());
    written.extend(&body);
    Ok(written)
}

/// Reads an answer to its end, which must be one of success with its length in its head.
async fn read_answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> anyhow::Result<()> {
    let (mut filled, mut end) = (0, None);
    while end.is_none_or(|end| filled < end) {
        if filled == buffer.len() {
            buffer.resize(2 * filled, 0);
        }
        let read = stream.read(&mut buffer[filled..]).await?;
        ensure!(read > 0, "the service closed a connection");
        filled += read;
        if end.is_none() {
            let mut headers = [httparse::EMPTY_HEADER; 32];
            let mut answer = httparse::Response::new(&mut headers);
            if let httparse::Status::Complete(head) = answer.parse(&buffer[..filled])? {
                let text = || String::from_utf8_lossy(&buffer[..filled]);
                ensure!(answer.code.is_some_and(|code| (200..300).contains(&code)), "{}", text());
                let length = answer.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
                let length = length.and_then(|header| std::str::from_utf8(header.value).ok()?.parse::<usize>().ok());
                end = Some(head + length.with_context(|| format!("no length in {}", text()))?);
            }
        }
    }
    Ok(())
}

/// Sends requests over one connection when they are due, at random moments, `rate` of them in a second. What waits for
/// an earlier one's answer has waited all the same: a latency begins when its request was due.
pub async fn open_loop(
    address: SocketAddr,
    requests: Vec<Request>,
    rate: f64,
    random: &mut StdRng,
) -> anyhow::Result<Run> {
    let Lane { mut stream, written, mut buffer } = Lane::open(address, requests).await?;
    let started = Instant::now();
    let mut due = started;
    let mut latencies = Vec::with_capacity(written.len());
    for request in written {
        due += Duration::from_secs_f64(-random.random_range(f64::EPSILON..1.0).ln() / rate);
        // The timer is a millisecond coarse, which would be a latency of its own.
        let early = due.checked_sub(Duration::from_millis(2)).unwrap_or(due);
        tokio::time::sleep_until(early.into()).await;
        while Instant::now() < due {
            tokio::task::yield_now().await;
        }
        stream.write_all(&request).await?;
        read_answer(&mut stream, &mut buffer).await?;
        latencies.push(due.elapsed());
    }
    Ok(Run { elapsed: started.elapsed(), latencies })
}

/// Asks again and again until `is_done` says so of the answer.
pub async fn poll(
    connection: &mut Connection,
    account: &Account,
    path: &str,
    within: Duration,
    is_done: impl Fn(&Value) -> bool,
) -> anyhow::Result<Value> {
    let started = Instant::now();
    loop {
        let answer = connection.send(request(Method::GET, path, account, None)).await?.json()?;
        if is_done(&answer) {
            return Ok(answer);
        }
        if started.elapsed() > within {
            bail!("{path} is not done after {within:?}: {answer}");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
