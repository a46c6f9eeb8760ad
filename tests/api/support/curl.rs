//! Samples that documentation prints as `curl` commands, sent byte for byte as
//! curl sends them: a client library would spell headers in its own way.

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::http::Answer;

/// A request as a command spells it.
#[derive(Clone, Debug, PartialEq)]
pub struct Curl {
    pub method: String,
    /// The URL without scheme and host.
    pub path: String,
    /// Headers in the order and spelling of the command.
    pub headers: Vec<(String, String)>,
    pub data: Option<String>,
}

impl Curl {
    /// Reads a command. Panics on what the samples do not use.
    pub fn read(command: &str) -> Self {
        let mut words = words(command).into_iter();
        assert_eq!(words.next().as_deref(), Some("curl"));
        let mut read = Self { method: "GET".to_owned(), path: String::new(), headers: Vec::new(), data: None };
        while let Some(word) = words.next() {
            let mut value = || words.next().unwrap_or_else(|| panic!("{word} has no value"));
            match word.as_str() {
                "--location" => {}
                "--request" => read.method = value(),
                "--header" => {
                    let header = value();
                    let (name, value) = header.split_once(": ").unwrap_or_else(|| panic!("no header: {header}"));
                    read.headers.push((name.to_owned(), value.to_owned()));
                }
                "--data" => read.data = Some(value()),
                url => {
                    let rest = url.strip_prefix("https://{{host}}").unwrap_or_else(|| panic!("no URL: {url}"));
                    read.path = rest.to_owned();
                }
            }
        }
        read
    }

    /// The request without a header.
    pub fn without(mut self, header: &str) -> Self {
        let all = self.headers.len();
        self.headers.retain(|(name, _)| name != header);
        assert_eq!(self.headers.len() + 1, all, "the sample has {header} once");
        self
    }

    /// The request with one more header.
    pub fn with(mut self, header: &str, value: &str) -> Self {
        self.headers.push((header.to_owned(), value.to_owned()));
        self
    }

    /// The bytes that curl sends to `host`.
    fn bytes(&self, host: &str) -> String {
        let mut text = format!(
            "{} {} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\nConnection: close\r\n",
            self.method, self.path
        );
        for (name, value) in &self.headers {
            text += &format!("{name}: {value}\r\n");
        }
        if let Some(data) = &self.data {
            text += &format!("Content-Length: {}\r\n", data.len());
            if !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("Content-Type")) {
                text += "Content-Type: application/x-www-form-urlencoded\r\n";
            }
        }
        text + "\r\n" + self.data.as_deref().unwrap_or_default()
    }

    /// Sends it to where `base_url` leads. Panics when no whole answer comes back.
    pub async fn send(&self, base_url: &str) -> Answer {
        let host = base_url.strip_prefix("http://").expect("tests speak plain HTTP");
        let mut stream = TcpStream::connect(host).await.expect("the service listens");
        stream.write_all(self.bytes(host).as_bytes()).await.expect("the service reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("the service answers text");
        read(&answer).unwrap_or_else(|| panic!("not an answer: {answer}"))
    }
}

fn read(answer: &str) -> Option<Answer> {
    let (head, text) = answer.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let status = lines.next()?.strip_prefix("HTTP/1.1 ")?.split(' ').next()?;
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(": ")?;
        headers.append(name.parse::<HeaderName>().ok()?, HeaderValue::from_str(value).ok()?);
    }
    Some(Answer { status: StatusCode::from_bytes(status.as_bytes()).ok()?, headers, text: text.to_owned() })
}

/// The words of a command: between white space, or between single quotes.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in command.split('\'').enumerate() {
        if index % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().filter(|word| *word != "\\").map(str::to_owned));
        }
    }
    words
}

#[test]
fn a_command_is_read_and_sent_as_curl_has_it() {
    let command = "curl --location --request DELETE 'https://{{host}}/a/b' \\\n--header 'iid: st-1' \\\n--data ''\n";
    let read = Curl::read(command);
    let headers = vec![("iid".to_owned(), "st-1".to_owned())];
    assert_eq!(read, Curl { method: "DELETE".into(), path: "/a/b".into(), headers, data: Some(String::new()) });
    assert!(
        read.bytes("h")
            .ends_with("\r\niid: st-1\r\nContent-Length: 0\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n")
    );
    assert!(!read.with("Content-Type", "application/json").bytes("h").contains("urlencoded"));
    assert_eq!(Curl::read("curl 'https://{{host}}/a' --data '{\n \"a\": 1 }'").data.as_deref(), Some("{\n \"a\": 1 }"));
}
