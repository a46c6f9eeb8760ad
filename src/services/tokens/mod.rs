//! Tokens. A client signs its own with its secret ([`client`]); a platform's
//! issuer, or we ourselves, sign those that name a client ([`platform`]). Hardened
//! after RFC 8725: an algorithm belongs to a kind of key, no header that names a
//! key is followed, times are checked with their types.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use time::OffsetDateTime;

use crate::domain::ids::UserId;
use crate::json;

pub mod client;
pub mod keys;
pub mod platform;
pub mod signing;

pub use client::sign;

/// The longest token that is looked at, in bytes.
pub const MAX_LENGTH: usize = 8 * 1024;

/// How far two clocks may differ, in seconds.
const LEEWAY: f64 = 5.0;

/// The token cannot be accepted. Why is nobody's business but the tests'.
#[derive(Debug, PartialEq, Eq)]
pub struct Rejected(pub &'static str);

/// A token that has been taken apart and not been verified.
#[derive(Debug)]
pub enum Unverified<'a> {
    /// Signed with a client's secret.
    Client(client::Unverified<'a>),
    /// Signed with an issuer's key.
    Platform(platform::Unverified<'a>),
}

impl<'a> Unverified<'a> {
    /// Takes a token apart.
    ///
    /// # Errors
    ///
    /// When it is not a well-formed token of an algorithm that is accepted.
    pub fn parse(token: &'a str) -> Result<Self, Rejected> {
        if token.len() > MAX_LENGTH {
            return Err(Rejected("too long"));
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(Rejected("not three parts"))?;
        let (header, claims) = signed.split_once('.').ok_or(Rejected("not three parts"))?;
        let header = object(header)?;
        if header.contains_key("crit") {
            return Err(Rejected("crit"));
        }
        match header.get("alg").and_then(Value::as_str) {
            Some("HS256") => {
                check_type(&header, &["JWT"])?;
                client::Unverified::read(token, &object(claims)?).map(Self::Client)
            }
            Some(name) => {
                let algorithm = keys::Algorithm::parse(name).ok_or(Rejected("another algorithm"))?;
                check_type(&header, &["JWT", "at+jwt", "application/at+jwt"])?;
                let signature = keys::Signature {
                    algorithm,
                    kid: text(&header, "kid")?.map(str::to_owned),
                    signed,
                    bytes: BASE64_URL_SAFE_NO_PAD.decode(signature).map_err(|_| Rejected("not base64url"))?,
                };
                platform::Unverified::read(signature, &object(claims)?).map(Self::Platform)
            }
            None => Err(Rejected("no algorithm")),
        }
    }
}

/// When a token is valid, in seconds since 1970.
#[derive(Debug, PartialEq)]
struct Times {
    expires: Option<f64>,
    not_before: Option<f64>,
    issued: Option<f64>,
}

impl Times {
    fn read(claims: &Map<String, Value>) -> Result<Self, Rejected> {
        Ok(Self {
            expires: seconds(claims, "exp")?,
            not_before: seconds(claims, "nbf")?,
            issued: seconds(claims, "iat")?,
        })
    }

    /// When the token ends, to the second before. None for never.
    fn expires(&self) -> Option<OffsetDateTime> {
        self.expires.and_then(|expires| OffsetDateTime::from_unix_timestamp(expires.floor() as i64).ok())
    }

    /// Checks them against `now`. A token may live no longer than `lifetime`
    /// seconds; without one it needs no end.
    fn check(&self, lifetime: Option<f64>, now: OffsetDateTime) -> Result<(), Rejected> {
        let now = now.unix_timestamp_nanos() as f64 / 1e9;
        if self.not_before.is_some_and(|not_before| not_before > now + LEEWAY) {
            return Err(Rejected("not yet valid"));
        }
        match (self.expires, lifetime) {
            (Some(expires), _) if expires + LEEWAY <= now => Err(Rejected("expired")),
            (None, Some(_)) => Err(Rejected("no expiry")),
            (Some(expires), Some(lifetime)) => {
                let from = self.issued.map_or(now, |issued| issued.min(now));
                if expires - from > lifetime + LEEWAY { Err(Rejected("lives too long")) } else { Ok(()) }
            }
            (_, None) => Ok(()),
        }
    }
}

fn check_type(header: &Map<String, Value>, known: &[&str]) -> Result<(), Rejected> {
    let is_known = |kind: &Value| kind.as_str().is_some_and(|kind| known.iter().any(|k| kind.eq_ignore_ascii_case(k)));
    if header.get("typ").is_none_or(is_known) { Ok(()) } else { Err(Rejected("another type")) }
}

/// The user in whose name the token acts, when `sub` names one.
fn user(claims: &Map<String, Value>) -> Result<Option<UserId>, Rejected> {
    Ok(text(claims, "sub")?.and_then(UserId::parse))
}

fn object(part: &str) -> Result<Map<String, Value>, Rejected> {
    let text = BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|_| Rejected("not base64url"))?;
    match json::parse(&text) {
        Ok(Value::Object(object)) => Ok(object),
        _ => Err(Rejected("not a JSON object")),
    }
}

fn text<'a>(of: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, Rejected> {
    match of.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Rejected("not a string")),
    }
}

fn seconds(claims: &Map<String, Value>, name: &str) -> Result<Option<f64>, Rejected> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::Number(seconds)) => match seconds.as_f64() {
            Some(seconds) if seconds.is_finite() => Ok(Some(seconds)),
            _ => Err(Rejected("a time is out of range")),
        },
        Some(_) => Err(Rejected("a time is not a number")),
    }
}
