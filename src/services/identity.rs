//! Signing in, from a token to a caller, and tokens for those who have a secret.

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use time::OffsetDateTime;

use crate::clock::Clock;
use crate::domain::identity::{Caller, IssuedToken, Scope, SignIn};
use crate::domain::ids::{ClientId, StreamId, UserId};
use crate::error::{Error, Thing};
use crate::postgres::Database;
use crate::repositories;
use crate::sealing::{HalfKey, Sealer};

use super::issuers::Issuers;
use super::recent::Recent;
use super::tokens::signing::{self, SigningKeys};
use super::tokens::{Rejected, Unverified, platform};

/// The keys: what callers are verified with, and what their answers are sealed
/// with; one for the whole process, whatever its threads.
#[derive(Clone)]
pub struct Keyring {
    /// What opens the clients' secrets.
    pub sealer: Arc<Sealer>,
    /// Our own keys.
    pub signing: Arc<SigningKeys>,
    /// Others whose tokens are taken.
    pub issuers: Arc<Issuers>,
    /// Our half of what seals the answers under a caller's idempotency key.
    pub half_key: Arc<HalfKey>,
    /// Who was signed in a moment ago.
    pub recent: Recent,
}

/// Signs callers in.
#[derive(Clone)]
pub struct Identity {
    database: Database,
    clock: Clock,
    keyring: Keyring,
}

/// What a request shows of who it is from.
#[derive(Clone, Debug, Default)]
pub struct Credentials<'a> {
    /// The token.
    pub token: &'a str,
    /// The account that it names beside the token.
    pub account: Option<&'a str>,
    /// The streams that it names, in its path and headers.
    pub streams: Vec<&'a str>,
    /// The request's id.
    pub request_id: &'a str,
}

impl Identity {
    pub(super) fn new(database: Database, clock: Clock, keyring: Keyring) -> Self {
        Self { database, clock, keyring }
    }

    /// Verifies a token, finds its client, and checks that the account and the
    /// streams that the token and the request name are its own. What has just been
    /// found is believed for [`recent::TRUSTED_FOR`](super::recent::TRUSTED_FOR).
    ///
    /// # Errors
    ///
    /// [`Error::InvalidToken`] for a token that is malformed or not valid now;
    /// [`Error::InvalidCredentials`] for an unknown or revoked client, another's
    /// signature, and an account or stream that is not the client's, alike.
    pub async fn sign_in(&self, credentials: &Credentials<'_>) -> Result<Caller, Error> {
        let now = self.clock.now();
        match self.keyring.recent.find(credentials, now) {
            Some(found) => {
                if found.is_due {
                    self.renew(credentials);
                }
                Ok(found.caller)
            }
            None => Box::pin(self.sign_in_anew(credentials, now)).await,
        }
    }

    async fn sign_in_anew(&self, credentials: &Credentials<'_>, now: OffsetDateTime) -> Result<Caller, Error> {
        let (caller, expires) = self.verify_and_find(credentials, now).await?;
        self.keyring.recent.keep(credentials, &caller, now, expires);
        Ok(caller)
    }

    /// Looks up anew, while nobody waits for it, who was found before. Who may not come in any more is forgotten at once.
    fn renew(&self, credentials: &Credentials<'_>) {
        let (identity, now) = (self.clone(), self.clock.now());
        let (token, request_id) = (credentials.token.to_owned(), credentials.request_id.to_owned());
        let account = credentials.account.map(str::to_owned);
        let streams: Vec<String> = credentials.streams.iter().map(|stream| (*stream).to_owned()).collect();
        tokio::spawn(async move {
            let credentials = Credentials {
                token: &token,
                account: account.as_deref(),
                streams: streams.iter().map(String::as_str).collect(),
                request_id: &request_id,
            };
            let renewed = identity.sign_in_anew(&credentials, now).await;
            // When the database has no answer, the next to come waits for one.
            if let Err(Error::InvalidCredentials | Error::InvalidToken) = renewed {
                identity.keyring.recent.forget(&credentials);
            }
        });
    }

    /// Answers also when the token ends.
    async fn verify_and_find(
        &self,
        credentials: &Credentials<'_>,
        now: OffsetDateTime,
    ) -> Result<(Caller, Option<OffsetDateTime>), Error> {
        match Unverified::parse(credentials.token).map_err(refusal)? {
            Unverified::Client(token) => {
                let found = self.look_up(&token.client_id, &credentials.streams).await?;
                let secret = self.open(&token.client_id, &found)?;
                token.verify(&secret, found.expiry, now).map_err(refusal)?;
                let expires = token.expires();
                Ok((admit(credentials, token.client_id, token.user, found)?, expires))
            }
            Unverified::Platform(token) => {
                self.verify(&token, now).await.map_err(refusal)?;
                let mut found = self.look_up(&token.client_id, &credentials.streams).await?;
                if token.account_id != found.account_id {
                    return Err(Error::InvalidCredentials);
                }
                found.scopes.retain(|scope| token.scopes.contains(scope));
                let expires = token.expires();
                Ok((admit(credentials, token.client_id, token.user, found)?, expires))
            }
        }
    }

    /// That a stream which a body names is one of the caller's account.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when it is not, whether or not another account has it.
    pub async fn require_stream(&self, caller: &Caller, stream: &StreamId) -> Result<(), Error> {
        let client = self.look_up(&caller.client_id, &[stream.as_str()]).await?;
        if client.streams_known { Ok(()) } else { Err(Error::NotFound(Thing::Stream)) }
    }

    /// Issues a token to a client that shows its secret. `scope` asks for some of
    /// the client's scopes, with spaces between; without it the token has all.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidCredentials`] for an unknown or revoked client and another's
    /// secret, alike; [`Error::Invalid`] for a scope that the client does not have.
    pub async fn issue_token(
        &self,
        client_id: &str,
        secret: &SecretString,
        scope: Option<&str>,
    ) -> Result<IssuedToken, Error> {
        let client_id = ClientId::parse(client_id).ok_or(Error::InvalidCredentials)?;
        let client = self.look_up(&client_id, &[]).await?;
        let own = self.open(&client_id, &client)?;
        verify_slices_are_equal(own.expose_secret().as_bytes(), secret.expose_secret().as_bytes())
            .map_err(|_| Error::InvalidCredentials)?;
        let scopes = match scope {
            Some(names) => granted(&client, names)?,
            None => client.scopes.clone(),
        };
        let token = self.keyring.signing.issue(&client_id, &client, &scopes, self.clock.now());
        Ok(IssuedToken { token, lifetime: signing::LIFETIME, scopes })
    }

    /// The keys that our tokens are verified with, as a JWK set.
    pub fn public_keys(&self) -> &Value {
        self.keyring.signing.document()
    }

    /// By our own keys when it says that it is ours, else by its issuer's. What
    /// can be refused without a key costs no fetch.
    async fn verify(&self, token: &platform::Unverified<'_>, now: OffsetDateTime) -> Result<(), Rejected> {
        token.check_times(now)?;
        if token.issuer == self.keyring.signing.issuer() {
            self.keyring.signing.verify(token)
        } else {
            self.keyring.issuers.verify(token, now).await
        }
    }

    fn open(&self, client_id: &ClientId, client: &SignIn) -> Result<SecretString, Error> {
        self.keyring.sealer.open(client_id.as_str(), &client.sealed_secret).map_err(|error| {
            tracing::error!(%client_id, %error, "a client's secret does not open");
            Error::InvalidCredentials
        })
    }

    async fn look_up(&self, client_id: &ClientId, streams: &[&str]) -> Result<SignIn, Error> {
        // What cannot be a stream's id is not sent to the database, which could not even store some of it.
        let streams: Vec<StreamId> = streams.iter().filter_map(|stream| StreamId::parse(stream)).collect();
        let client_id = client_id.clone();
        self.database
            .read(async move |conn| repositories::identity::sign_in(conn, &client_id, &streams).await)
            .await?
            .ok_or(Error::InvalidCredentials)
    }
}

/// The caller, when the account and the streams that the request names are the client's own.
fn admit(
    credentials: &Credentials<'_>,
    client_id: ClientId,
    user: Option<UserId>,
    client: SignIn,
) -> Result<Caller, Error> {
    let is_own_account = credentials.account.is_none_or(|account| account == client.account_id.as_str());
    let streams_are_well_formed = credentials.streams.iter().all(|stream| StreamId::parse(stream).is_some());
    if !is_own_account || !streams_are_well_formed || !client.streams_known {
        return Err(Error::InvalidCredentials);
    }
    Ok(Caller {
        account_id: client.account_id,
        org_id: client.org_id,
        client_id,
        agent_id: client.agent_id,
        user_id: user.unwrap_or(client.user_id),
        scopes: client.scopes,
        request_id: credentials.request_id.to_owned(),
    })
}

fn refusal(rejected: Rejected) -> Error {
    match rejected.0 {
        "signature" => Error::InvalidCredentials,
        _ => Error::InvalidToken,
    }
}

/// The scopes of these names, all of which the client must have.
fn granted(client: &SignIn, names: &str) -> Result<Vec<Scope>, Error> {
    let mut scopes = Vec::new();
    for name in names.split(' ').filter(|name| !name.is_empty()) {
        match Scope::parse(name) {
            Some(scope) if client.scopes.contains(&scope) => scopes.push(scope),
            _ => return Err(Error::invalid("scope", "the client was not given all of these scopes")),
        }
    }
    Ok(scopes)
}
