//! What an operator does from the command line, as the owner of the tables:
//! accounts, streams and clients.

use std::sync::Arc;

use sqlx::PgConnection;

use crate::clock::Clock;
use crate::domain::identity::{Client, NewSecret, Scope, TokenExpiry};
use crate::domain::ids::{self, AccountId, ClientId, StreamId, UserId};
use crate::repositories::identity;
use crate::sealing::{self, Sealer, SealingError};

/// Manages identity over a connection of the owner.
pub struct Operator {
    connection: PgConnection,
    clock: Clock,
    sealer: Arc<Sealer>,
}

/// Why an operator's command was not done.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// The database refused.
    #[error("the database: {0}")]
    Database(#[from] sqlx::Error),
    /// A secret could not be made or sealed.
    #[error(transparent)]
    Sealing(#[from] SealingError),
    /// No such account.
    #[error("there is no account {0}")]
    NoAccount(AccountId),
    /// No such client, or it has been revoked.
    #[error("there is no client {0}, or it has been revoked")]
    NoClient(ClientId),
}

impl Operator {
    /// An operator over `connection`, which must be the owner's.
    pub fn new(connection: PgConnection, clock: Clock, sealer: Arc<Sealer>) -> Self {
        Self { connection, clock, sealer }
    }

    /// Creates an account. Answers its id and its organisation's.
    ///
    /// # Errors
    ///
    /// When the database refuses.
    pub async fn create_account(&mut self, name: &str) -> Result<(AccountId, String), OperatorError> {
        let now = self.clock.now();
        let id = AccountId::generate(now);
        let org_id = ids::generate_org_id();
        identity::insert_account(&mut self.connection, &id, &org_id, name, now).await?;
        Ok((id, org_id))
    }

    /// Every account: id, organisation and name.
    ///
    /// # Errors
    ///
    /// When the database refuses.
    pub async fn accounts(&mut self) -> Result<Vec<(String, String, String)>, OperatorError> {
        Ok(identity::accounts(&mut self.connection).await?)
    }

    /// Creates a stream of an account.
    ///
    /// # Errors
    ///
    /// [`OperatorError::NoAccount`], or when the database refuses.
    pub async fn create_stream(&mut self, account: &AccountId, name: &str) -> Result<StreamId, OperatorError> {
        self.require(account).await?;
        let id = StreamId::generate();
        identity::insert_stream(&mut self.connection, account, &id, name, self.clock.now()).await?;
        Ok(id)
    }

    /// An account's streams: id and name.
    ///
    /// # Errors
    ///
    /// [`OperatorError::NoAccount`], or when the database refuses.
    pub async fn streams(&mut self, account: &AccountId) -> Result<Vec<(String, String)>, OperatorError> {
        self.require(account).await?;
        Ok(identity::streams(&mut self.connection, account).await?)
    }

    /// Creates a client. Its secret can be read now and never again.
    ///
    /// # Errors
    ///
    /// [`OperatorError::NoAccount`], or when the database refuses.
    pub async fn create_client(
        &mut self,
        account: &AccountId,
        name: &str,
        scopes: &[Scope],
        expiry: TokenExpiry,
    ) -> Result<NewSecret, OperatorError> {
        self.require(account).await?;
        let client = Client {
            account_id: account.clone(),
            client_id: ClientId::generate(),
            name: name.to_owned(),
            scopes: scopes.to_vec(),
            expiry,
            revoked: false,
        };
        let secret = sealing::generate_secret()?;
        let sealed = self.sealer.seal(client.client_id.as_str(), &secret)?;
        let now = self.clock.now();
        let agent = ids::generate_agent_id();
        identity::insert_client(&mut self.connection, &client, &agent, &UserId::generate(), &sealed, now).await?;
        Ok(NewSecret { client_id: client.client_id, secret })
    }

    /// An account's clients, revoked ones included.
    ///
    /// # Errors
    ///
    /// [`OperatorError::NoAccount`], or when the database refuses.
    pub async fn clients(&mut self, account: &AccountId) -> Result<Vec<Client>, OperatorError> {
        self.require(account).await?;
        Ok(identity::clients(&mut self.connection, account).await?)
    }

    /// Gives a client a new secret; the old one stops working at once.
    ///
    /// # Errors
    ///
    /// [`OperatorError::NoClient`], or when the database refuses.
    pub async fn rotate_client(&mut self, client: &ClientId) -> Result<NewSecret, OperatorError> {
        let account = self.account_of(client).await?;
        let secret = sealing::generate_secret()?;
        let sealed = self.sealer.seal(client.as_str(), &secret)?;
        let now = self.clock.now();
        if identity::replace_secret(&mut self.connection, &account, client, &sealed, now).await? {
            Ok(NewSecret { client_id: client.clone(), secret })
        } else {
            Err(OperatorError::NoClient(client.clone()))
        }
    }

    /// Revokes a client: its tokens stop working at once, for good.
    ///
    /// # Errors
    ///
    /// [`OperatorError::NoClient`], or when the database refuses.
    pub async fn revoke_client(&mut self, client: &ClientId) -> Result<(), OperatorError> {
        let account = self.account_of(client).await?;
        let now = self.clock.now();
        if identity::revoke(&mut self.connection, &account, client, now).await? {
            Ok(())
        } else {
            Err(OperatorError::NoClient(client.clone()))
        }
    }

    async fn require(&mut self, account: &AccountId) -> Result<(), OperatorError> {
        if identity::account_exists(&mut self.connection, account).await? {
            Ok(())
        } else {
            Err(OperatorError::NoAccount(account.clone()))
        }
    }

    async fn account_of(&mut self, client: &ClientId) -> Result<AccountId, OperatorError> {
        identity::client_account(&mut self.connection, client)
            .await?
            .ok_or_else(|| OperatorError::NoClient(client.clone()))
    }
}
