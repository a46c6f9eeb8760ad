//! Requests, and what comes back.

use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use serde_json::Value;

/// A request that is being put together.
pub struct Request(reqwest::RequestBuilder);

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub text: String,
}

impl Request {
    pub fn new(client: &reqwest::Client, method: Method, url: &str) -> Self {
        Self(client.request(method, url))
    }

    pub fn header(self, name: &str, value: &str) -> Self {
        Self(self.0.header(name, value))
    }

    /// A body, with the content type of JSON.
    pub fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    /// A body that may be anything.
    pub fn body(self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self(self.0.header("Content-Type", content_type).body(body.into()))
    }

    /// A body that is sent as it comes.
    pub fn stream(self, content_type: &str, body: reqwest::Body) -> Self {
        Self(self.0.header("Content-Type", content_type).body(body))
    }

    /// A body without a content type.
    pub fn bytes(self, body: impl Into<Vec<u8>>) -> Self {
        Self(self.0.body(body.into()))
    }

    /// Sends it. Panics when nothing comes back.
    pub async fn send(self) -> Answer {
        self.try_send().await.expect("the service answers")
    }

    /// Sends it.
    pub async fn try_send(self) -> Result<Answer, reqwest::Error> {
        let response = self.0.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        Ok(Answer { status, headers, text: response.text().await? })
    }
}

impl Answer {
    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("not JSON ({error}): {self:?}"))
    }

    /// The body as JSON, of an answer with that status.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        if self.text.is_empty() { Value::Null } else { self.json() }
    }

    /// A header, if there is one.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("headers are text"))
    }
}

/// An answer with `<time>` in place of each time, all of which must be as every family answers them.
#[track_caller]
pub fn redacted_times(mut answer: Value) -> Value {
    fn redact(value: &mut Value, field: &str) {
        match value {
            Value::Object(entries) => entries.iter_mut().for_each(|(field, value)| redact(value, field)),
            Value::Array(items) => items.iter_mut().for_each(|item| redact(item, field)),
            Value::String(text) if ["createdAt", "updatedAt", "created_at", "updated_at"].contains(&field) => {
                let form: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
                assert_eq!(form, "0000-00-00T00:00:00.000Z", "{field}: {text}");
                "<time>".clone_into(text);
            }
            _ => {}
        }
    }
    redact(&mut answer, "");
    answer
}
