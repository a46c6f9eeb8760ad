//! Signing in: from a token to a caller.

use std::sync::Arc;

use crate::clock::Clock;
use crate::domain::identity::Caller;
use crate::domain::ids::StreamId;
use crate::error::Error;
use crate::postgres::Database;
use crate::repositories;
use crate::sealing::Sealer;

use super::tokens::Unverified;

/// Signs callers in.
#[derive(Clone)]
pub struct Identity {
    database: Database,
    clock: Clock,
    sealer: Arc<Sealer>,
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
    pub(super) fn new(database: Database, clock: Clock, sealer: Arc<Sealer>) -> Self {
        Self { database, clock, sealer }
    }

    /// Finds the client that signed, and checks that the account and the streams
    /// that the request names are its own.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidToken`] for a token that is malformed or not valid now;
    /// [`Error::InvalidCredentials`] for an unknown or revoked client, another's
    /// signature, and an account or stream that is not the client's, alike.
    pub async fn sign_in(&self, credentials: &Credentials<'_>) -> Result<Caller, Error> {
        let token = Unverified::parse(credentials.token).map_err(|_| Error::InvalidToken)?;
        let found = self.look_up(&token, &credentials.streams).await?.ok_or(Error::InvalidCredentials)?;
        let secret = self.sealer.open(token.client_id.as_str(), &found.sealed_secret).map_err(|error| {
            tracing::error!(client_id = %token.client_id, %error, "a client's secret does not open");
            Error::InvalidCredentials
        })?;
        token.verify(&secret, found.expiry, self.clock.now()).map_err(|rejected| match rejected.0 {
            "signature" => Error::InvalidCredentials,
            _ => Error::InvalidToken,
        })?;
        let is_own_account = credentials.account.is_none_or(|account| account == found.account_id.as_str());
        let streams_are_well_formed = credentials.streams.iter().all(|stream| StreamId::parse(stream).is_some());
        if !is_own_account || !streams_are_well_formed || !found.streams_known {
            return Err(Error::InvalidCredentials);
        }
        Ok(Caller {
            account_id: found.account_id,
            org_id: found.org_id,
            client_id: token.client_id,
            agent_id: found.agent_id,
            user_id: token.user.unwrap_or(found.user_id),
            scopes: found.scopes,
            request_id: credentials.request_id.to_owned(),
        })
    }

    async fn look_up(
        &self,
        token: &Unverified<'_>,
        streams: &[&str],
    ) -> Result<Option<crate::domain::identity::SignIn>, Error> {
        // What cannot be a stream's id is not sent to the database, which could not even store some of it.
        let streams: Vec<&str> = streams.iter().copied().filter(|stream| StreamId::parse(stream).is_some()).collect();
        self.database.read(async |conn| repositories::identity::sign_in(conn, &token.client_id, &streams).await).await
    }
}
