//! Request bodies. They are read by the handler, after the caller has been
//! signed in, and never by an extractor that runs beside that.

use std::future::{Ready, ready};
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{FromRequest, HttpRequest};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::{json_text, params};
use crate::error::Error;
use crate::json;

/// The longest JSON body, in bytes.
pub const MAX_LENGTH: usize = 1024 * 1024;

/// How much of a body that is too long is read and thrown away, so that the
/// caller gets to read why it was refused.
const MAX_DRAINED: usize = 64 * 1024 * 1024;

/// A body that has not been read yet.
pub struct Body {
    content_type: Option<String>,
    payload: Payload,
}

impl FromRequest for Body {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let content_type =
            request.headers().get(CONTENT_TYPE).map(|value| value.to_str().unwrap_or_default().to_owned());
        ready(Ok(Self { content_type, payload: payload.take() }))
    }
}

impl Body {
    /// The body as a JSON value.
    ///
    /// # Errors
    ///
    /// [`Error::UnsupportedMediaType`], [`Error::TooLarge`], and [`Error::Invalid`]
    /// for what is missing, not JSON, or names a key twice.
    pub async fn value(mut self) -> Result<Value, Error> {
        let bytes = self.bytes(MAX_LENGTH).await?;
        if bytes.is_empty() {
            return Err(Error::invalid("body", "a JSON body is required"));
        }
        if !self.is(&["application/json", "application/hal+json"]) {
            return Err(Error::UnsupportedMediaType { takes: "application/json in UTF-8" });
        }
        json::parse(&bytes).map_err(|message| Error::invalid("body", message))
    }

    /// The body as a `T`.
    ///
    /// # Errors
    ///
    /// As [`Body::value`], and [`Error::Invalid`] that names the field that is wrong.
    pub async fn json<T: DeserializeOwned>(self) -> Result<T, Error> {
        typed(self.value().await?, "")
    }

    /// The body as a `T`, if there is one.
    ///
    /// # Errors
    ///
    /// As [`Body::json`], but an empty body is none.
    pub async fn json_or_none<T: DeserializeOwned>(mut self) -> Result<Option<T>, Error> {
        let bytes = self.bytes(MAX_LENGTH).await?;
        if bytes.trim_ascii().is_empty() {
            return Ok(None);
        }
        if !self.is(&["application/json"]) {
            return Err(Error::UnsupportedMediaType { takes: "application/json in UTF-8" });
        }
        let value = json::parse(&bytes).map_err(|message| Error::invalid("body", message))?;
        typed(value, "").map(Some)
    }

    /// The body's lines, where it is NDJSON by its Content-Type; else the body again.
    ///
    /// # Errors
    ///
    /// Never; the body that is none is given back.
    pub fn lines(self) -> Result<Lines, Self> {
        if self.is(&["application/x-ndjson"]) {
            Ok(Lines { payload: self.payload, rest: Vec::new(), number: 0, is_over: false })
        } else {
            Err(self)
        }
    }

    /// The body as a form of at most `limit` bytes. An empty one passes with any content type.
    ///
    /// # Errors
    ///
    /// [`Error::UnsupportedMediaType`], [`Error::TooLarge`], and [`Error::Invalid`]
    /// that names the field that is wrong.
    pub async fn form<T: DeserializeOwned>(mut self, limit: usize) -> Result<T, Error> {
        let bytes = self.bytes(limit).await?;
        if !bytes.is_empty() && !self.is(&["application/x-www-form-urlencoded"]) {
            return Err(Error::UnsupportedMediaType { takes: "application/x-www-form-urlencoded" });
        }
        params::parse_pairs("body", &bytes)
    }

    /// Nothing: the operation takes no body. An empty one passes with any
    /// content type, and so does an empty object.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] when there is something in it.
    pub async fn none(mut self) -> Result<(), Error> {
        let bytes = self.bytes(MAX_LENGTH).await?;
        let text = bytes.trim_ascii();
        if text.is_empty() || json::parse(text).is_ok_and(|value| value == Value::Object(serde_json::Map::new())) {
            Ok(())
        } else {
            Err(Error::invalid("body", "this operation takes no body"))
        }
    }

    /// Whether the content type is one of these, in UTF-8.
    fn is(&self, kinds: &[&str]) -> bool {
        let mut parts = self.content_type.as_deref().unwrap_or_default().split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default();
        let is_utf8 = parts.all(|parameter| match parameter.split_once('=') {
            Some((name, charset)) if name.trim().eq_ignore_ascii_case("charset") => {
                charset.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
            }
            _ => true,
        });
        is_utf8 && kinds.iter().any(|known| kind.eq_ignore_ascii_case(known))
    }

    async fn bytes(&mut self, limit: usize) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        let mut length = 0;
        while let Some(chunk) = self.payload.next().await {
            let chunk = chunk.map_err(|_| Error::invalid("body", "the body ended before it was complete"))?;
            length += chunk.len();
            if length > MAX_DRAINED {
                break;
            }
            if length <= limit {
                bytes.extend_from_slice(&chunk);
            } else {
                bytes = Vec::new();
            }
        }
        if length > limit { Err(Error::TooLarge { what: "body, in bytes", limit }) } else { Ok(bytes) }
    }
}

/// The longest line that is read, in bytes.
const MAX_LINE: usize = 4 * 1024;

/// How long the next part of a body may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A body that is read line by line, however long it is.
pub struct Lines {
    payload: Payload,
    rest: Vec<u8>,
    number: usize,
    is_over: bool,
}

impl Lines {
    /// The next line that is not empty, as a JSON value, with its number from 1. None at the end.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] that names the line which is too long or not JSON, or says that the body broke off.
    pub async fn next(&mut self) -> Result<Option<(usize, Value)>, Error> {
        loop {
            let end = self.rest.iter().position(|byte| *byte == b'\n');
            let line: Vec<u8> = match end {
                Some(end) => self.rest.drain(..=end).collect(),
                None if self.is_over && self.rest.is_empty() => return Ok(None),
                None if self.is_over => std::mem::take(&mut self.rest),
                None if self.rest.len() > MAX_LINE => return Err(Self::too_long(self.number + 1)),
                None => {
                    self.read_on().await?;
                    continue;
                }
            };
            self.number += 1;
            if line.len() > MAX_LINE {
                return Err(Self::too_long(self.number));
            }
            let text = line.trim_ascii();
            if !text.is_empty() {
                let value = json::parse(text);
                let value = value.map_err(|message| Error::invalid(format!("line {}", self.number), message))?;
                return Ok(Some((self.number, value)));
            }
        }
    }

    async fn read_on(&mut self) -> Result<(), Error> {
        let broke_off = || Error::invalid("body", "the body ended before it was complete");
        match tokio::time::timeout(PATIENCE, self.payload.next()).await {
            Ok(None) => self.is_over = true,
            Ok(Some(chunk)) => self.rest.extend_from_slice(&chunk.map_err(|_| broke_off())?),
            Err(_) => return Err(broke_off()),
        }
        Ok(())
    }

    fn too_long(line: usize) -> Error {
        Error::invalid(format!("line {line}"), format!("at most {MAX_LINE} bytes"))
    }
}

/// An object as a `T`. `at` is where the object stands in the body, such as `[3]`.
///
/// # Errors
///
/// [`Error::Invalid`] that names the field that is wrong.
pub fn typed<T: DeserializeOwned>(value: Value, at: &str) -> Result<T, Error> {
    not_an_array(if at.is_empty() { "body" } else { at }, &value)?;
    read_at(value, at)
}

/// A value as a `T`, which need not be an object. `at` is where it stands in the body.
///
/// # Errors
///
/// [`Error::Invalid`] that names the field that is wrong.
pub fn read_at<T: DeserializeOwned>(value: Value, at: &str) -> Result<T, Error> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let field = match (at, path.as_str()) {
            ("", "." | "?") => "body".to_owned(),
            ("", path) => path.to_owned(),
            (at, "." | "?") => at.to_owned(),
            (at, path) if path.starts_with('[') => format!("{at}{path}"),
            (at, path) => format!("{at}.{path}"),
        };
        // The library says sequence and map where JSON says array and object.
        let mut message = error.into_inner().to_string();
        for (theirs, ours) in [
            ("invalid type: sequence,", "invalid type: array,"),
            ("invalid type: map,", "invalid type: object,"),
            ("expected a sequence", "expected an array"),
            ("expected a map", "expected an object"),
            ("expected i64", "expected an integer"),
        ] {
            message = message.replace(theirs, ours);
        }
        // What is missing is named as the field that it is.
        match message.strip_prefix("missing field `").and_then(|rest| rest.split('`').next()) {
            Some(missing) if field == "body" => Error::invalid(missing, "is required"),
            Some(missing) => Error::invalid(format!("{field}.{missing}"), "is required"),
            None => Error::invalid(field, message),
        }
    })
}

/// Reads `null` as though the field were absent, for fields with a default.
///
/// # Errors
///
/// What the field's own type refuses.
pub fn null_is_absent<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Anything but an array: the library would take one for an object's fields in
/// their order.
///
/// # Errors
///
/// [`Error::Invalid`] that names the field.
pub fn not_an_array(field: &str, value: &Value) -> Result<(), Error> {
    if value.is_array() { Err(Error::invalid(field, "invalid type: array, expected an object")) } else { Ok(()) }
}

/// Text that can be stored: no longer than `most` characters and without control characters.
///
/// # Errors
///
/// [`Error::Invalid`] that names the field.
pub fn text(field: &str, text: &str, most: usize) -> Result<(), Error> {
    if text.chars().count() > most {
        return Err(Error::invalid(field, format!("at most {most} characters")));
    }
    if text.chars().any(char::is_control) {
        return Err(Error::invalid(field, "control characters are not allowed"));
    }
    Ok(())
}

/// Text that can be stored and says something.
///
/// # Errors
///
/// [`Error::Invalid`] that names the field.
pub fn required_text(field: &str, value: &str, most: usize) -> Result<(), Error> {
    if value.trim().is_empty() {
        return Err(Error::invalid(field, "must not be empty"));
    }
    text(field, value, most)
}

/// A value that is kept as given: at most [`json::MAX_KEPT`] bytes of JSON, in which
/// there is no NUL character, which Postgres cannot store.
///
/// # Errors
///
/// [`Error::Invalid`] that names the field, or the NUL's place in it.
pub fn storable(field: &str, value: &Value) -> Result<(), Error> {
    if json_text(value).len() > json::MAX_KEPT {
        return Err(Error::invalid(field, format!("at most {} bytes of JSON", json::MAX_KEPT)));
    }
    without_nul(field, value)
}

fn without_nul(field: &str, value: &Value) -> Result<(), Error> {
    match value {
        Value::String(text) if text.contains('\0') => Err(Error::invalid(field, "a NUL character cannot be stored")),
        Value::Array(items) => {
            items.iter().enumerate().try_for_each(|(index, item)| without_nul(&format!("{field}[{index}]"), item))
        }
        Value::Object(entries) => entries.iter().try_for_each(|(key, value)| {
            if key.contains('\0') {
                return Err(Error::invalid(field, "a NUL character cannot be stored"));
            }
            without_nul(&format!("{field}.{key}"), value)
        }),
        _ => Ok(()),
    }
}
