//! Client tokens: HS256, signed with the client's secret.

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::{Rejected, Times, text, user};
use crate::domain::identity::TokenExpiry;
use crate::domain::ids::{ClientId, UserId};

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
    times: Times,
}

impl<'a> Unverified<'a> {
    pub(super) fn read(token: &'a str, claims: &Map<String, Value>) -> Result<Self, Rejected> {
        let client_id = text(claims, "appId")?.and_then(ClientId::parse).ok_or(Rejected("no client"))?;
        Ok(Self { token, client_id, user: user(claims)?, times: Times::read(claims)? })
    }

    /// When it ends. None for never.
    pub fn expires(&self) -> Option<OffsetDateTime> {
        self.times.expires()
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
        let lifetime = match expiry {
            TokenExpiry::Strict => Some(MAX_LIFETIME),
            TokenExpiry::Optional => None,
        };
        self.times.check(lifetime, now)
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
