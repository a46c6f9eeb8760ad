//! Platform tokens: ES256, RS256 or EdDSA, signed with an issuer's key, in which
//! the issuer says which client of which account calls.

use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::keys::Signature;
use super::{Rejected, Times, text, user};
use crate::domain::identity::Scope;
use crate::domain::ids::{AccountId, ClientId, UserId};

/// The longest that a platform token may live, in seconds.
pub const MAX_LIFETIME: f64 = 24.0 * 3600.0;

/// A token that has been taken apart and not been verified: it only says whom to ask.
#[derive(Debug)]
pub struct Unverified<'a> {
    /// Who says that it signed.
    pub issuer: String,
    /// Its signature.
    pub signature: Signature<'a>,
    /// The account of the client.
    pub account_id: AccountId,
    /// The client that calls.
    pub client_id: ClientId,
    /// The user in whose name it acts.
    pub user: Option<UserId>,
    /// What the token allows, of what the client may do.
    pub scopes: Vec<Scope>,
    audience: Vec<String>,
    times: Times,
}

impl<'a> Unverified<'a> {
    pub(super) fn read(signature: Signature<'a>, claims: &Map<String, Value>) -> Result<Self, Rejected> {
        Ok(Self {
            issuer: text(claims, "iss")?.ok_or(Rejected("no issuer"))?.to_owned(),
            signature,
            account_id: text(claims, "aid")?.and_then(AccountId::parse).ok_or(Rejected("no account"))?,
            client_id: text(claims, "cid")?.and_then(ClientId::parse).ok_or(Rejected("no client"))?,
            user: user(claims)?,
            scopes: scopes(claims.get("scp").or_else(|| claims.get("scope")))?,
            audience: texts(claims.get("aud"))?,
            times: Times::read(claims)?,
        })
    }

    /// When it ends. None for never.
    pub fn expires(&self) -> Option<OffsetDateTime> {
        self.times.expires()
    }

    /// Checks the times: `exp` is required and at most a day away.
    ///
    /// # Errors
    ///
    /// When the token is not valid at `now`.
    pub fn check_times(&self, now: OffsetDateTime) -> Result<(), Rejected> {
        self.times.check(Some(MAX_LIFETIME), now)
    }

    /// Checks that the token is meant for `audience`.
    ///
    /// # Errors
    ///
    /// When it is meant for another, or for nobody in particular.
    pub fn check_audience(&self, audience: &str) -> Result<(), Rejected> {
        if self.audience.iter().any(|meant| meant == audience) { Ok(()) } else { Err(Rejected("audience")) }
    }
}

/// The scopes that a claim names. What is no scope of ours allows nothing here.
fn scopes(claim: Option<&Value>) -> Result<Vec<Scope>, Rejected> {
    Ok(texts(claim)?.iter().flat_map(|names| names.split(' ')).filter_map(Scope::parse).collect())
}

/// A claim that is a string or several.
fn texts(claim: Option<&Value>) -> Result<Vec<String>, Rejected> {
    let text = |value: &Value| value.as_str().map(str::to_owned).ok_or(Rejected("not a string"));
    match claim {
        None => Ok(Vec::new()),
        Some(Value::Array(several)) => several.iter().map(text).collect(),
        Some(one) => Ok(vec![text(one)?]),
    }
}
