//! Client tokens: HS256, signed with the client's secret. Hardened after RFC
//! 8725: one algorithm, no header that names a key is followed, times are
//! checked with their types.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use time::OffsetDateTime;

use crate::domain::identity::TokenExpiry;
use crate::domain::ids::{ClientId, UserId};
use crate::json;

/// The longest token that is looked at, in bytes.
pub const MAX_LENGTH: usize = 8 * 1024;

/// How far two clocks may differ, in seconds.
const LEEWAY: f64 = 5.0;

/// The longest that a strict client's token may live, in seconds.
pub const MAX_LIFETIME: f64 = 3600.0;

/// A token that has been taken apart and not been verified: it only says whom to ask for.
#[derive(Debug, PartialEq)]
pub struct Unverified<'a> {
    token: &'a str,
    /// The client that says it signed.
    pub client_id: ClientId,
    /// The user in whose name it acts.
    pub user: Option<UserId>,
    expires: Option<f64>,
    not_before: Option<f64>,
    issued: Option<f64>,
}

/// The token cannot be accepted. Why is nobody's business but the tests'.
#[derive(Debug, PartialEq, Eq)]
pub struct Rejected(pub &'static str);

impl<'a> Unverified<'a> {
    /// Takes a token apart.
    ///
    /// # Errors
    ///
    /// When it is not a well-formed HS256 token that names a client.
    pub fn parse(token: &'a str) -> Result<Self, Rejected> {
        if token.len() > MAX_LENGTH {
            return Err(Rejected("too long"));
        }
        let mut parts = token.split('.');
        let (Some(header), Some(claims), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Rejected("not three parts"));
        };
        let header = object(header)?;
        if header.get("alg").and_then(Value::as_str) != Some("HS256") {
            return Err(Rejected("another algorithm"));
        }
        if header.get("typ").is_some_and(|kind| !kind.as_str().is_some_and(|kind| kind.eq_ignore_ascii_case("JWT"))) {
            return Err(Rejected("another type"));
        }
        if header.contains_key("crit") {
            return Err(Rejected("crit"));
        }
        let claims = object(claims)?;
        let client_id =
            claims.get("appId").and_then(Value::as_str).and_then(ClientId::parse).ok_or(Rejected("no client"))?;
        let user = match claims.get("sub") {
            None => None,
            Some(Value::String(subject)) => UserId::parse(subject),
            Some(_) => return Err(Rejected("sub is not a string")),
        };
        Ok(Self {
            token,
            client_id,
            user,
            expires: seconds(&claims, "exp")?,
            not_before: seconds(&claims, "nbf")?,
            issued: seconds(&claims, "iat")?,
        })
    }

    /// Checks the signature and then the times.
    ///
    /// # Errors
    ///
    /// When the signature is another's, or the token is not valid at `now`.
    pub fn verify(&self, secret: &SecretString, expiry: TokenExpiry, now: OffsetDateTime) -> Result<(), Rejected> {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.required_spec_claims.clear();
        // The library reads the machine's clock; the times are checked below against the one that is given.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.validate_aud = false;
        let key = DecodingKey::from_secret(secret.expose_secret().as_bytes());
        jsonwebtoken::decode::<Value>(self.token, &key, &validation).map_err(|_| Rejected("signature"))?;
        self.check_times(expiry, now)
    }

    fn check_times(&self, expiry: TokenExpiry, now: OffsetDateTime) -> Result<(), Rejected> {
        let now = now.unix_timestamp_nanos() as f64 / 1e9;
        if self.not_before.is_some_and(|not_before| not_before > now + LEEWAY) {
            return Err(Rejected("not yet valid"));
        }
        match (self.expires, expiry) {
            (Some(expires), _) if expires + LEEWAY <= now => Err(Rejected("expired")),
            (None, TokenExpiry::Strict) => Err(Rejected("no expiry")),
            (Some(expires), TokenExpiry::Strict) => {
                let from = self.issued.map_or(now, |issued| issued.min(now));
                if expires - from > MAX_LIFETIME + LEEWAY { Err(Rejected("lives too long")) } else { Ok(()) }
            }
            (_, TokenExpiry::Optional) => Ok(()),
        }
    }
}

/// Signs a client token that is valid for an hour.
///
/// # Errors
///
/// When the library cannot sign, which it can.
pub fn sign(
    client: &ClientId,
    secret: &SecretString,
    now: OffsetDateTime,
) -> Result<String, jsonwebtoken::errors::Error> {
    let issued = now.unix_timestamp();
    let claims = serde_json::json!({ "appId": client.as_str(), "iat": issued, "exp": issued + MAX_LIFETIME as i64 });
    let key = EncodingKey::from_secret(secret.expose_secret().as_bytes());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key)
}

fn object(part: &str) -> Result<serde_json::Map<String, Value>, Rejected> {
    let text = BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|_| Rejected("not base64url"))?;
    match json::parse(&text) {
        Ok(Value::Object(object)) => Ok(object),
        _ => Err(Rejected("not a JSON object")),
    }
}

fn seconds(claims: &serde_json::Map<String, Value>, name: &str) -> Result<Option<f64>, Rejected> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::Number(seconds)) => match seconds.as_f64() {
            Some(seconds) if seconds.is_finite() => Ok(Some(seconds)),
            _ => Err(Rejected("a time is out of range")),
        },
        Some(_) => Err(Rejected("a time is not a number")),
    }
}
