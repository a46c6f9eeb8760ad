//! The load: requests over keep-alive connections, in one thread, so that as little as possible of the machine is
//! taken from what is measured.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use futures_util::future::try_join_all;
use http_body_util::{BodyExt, Full};
use hyper::Method;
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper_util::rt::TokioIo;
use rand::Rng;
use rand::rngs::StdRng;
use serde_json::Value;
use tokio::net::TcpStream;

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
    let connections = try_join_all(lanes.iter().map(|_| Connection::open(address))).await?;
    let started = Instant::now();
    let lanes = connections.into_iter().zip(lanes).map(async |(mut connection, requests)| {
        let mut latencies = Vec::with_capacity(requests.len());
        for request in requests {
            let sent = Instant::now();
            connection.send(request).await?;
            latencies.push(sent.elapsed());
        }
        anyhow::Ok(latencies)
    });
    let latencies = try_join_all(lanes).await?;
    Ok(Run { elapsed: started.elapsed(), latencies: latencies.concat() })
}

/// Sends requests over one connection when they are due, at random moments, `rate` of them in a second. What waits for
/// an earlier one's answer has waited all the same: a latency begins when its request was due.
pub async fn open_loop(
    address: SocketAddr,
    requests: Vec<Request>,
    rate: f64,
    random: &mut StdRng,
) -> anyhow::Result<Run> {
    let mut connection = Connection::open(address).await?;
    let started = Instant::now();
    let mut due = started;
    let mut latencies = Vec::with_capacity(requests.len());
    for request in requests {
        due += Duration::from_secs_f64(-random.random_range(f64::EPSILON..1.0).ln() / rate);
        // The timer is a millisecond coarse, which would be a latency of its own.
        let early = due.checked_sub(Duration::from_millis(2)).unwrap_or(due);
        tokio::time::sleep_until(early.into()).await;
        while Instant::now() < due {
            tokio::task::yield_now().await;
        }
        connection.send(request).await?;
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
