//! A request that is done once under its idempotency key: all its transactions
//! are one, in which the key is claimed first and the answer is written last.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use sqlx::postgres::PgConnection;
use sqlx::{Postgres, Transaction};
use time::OffsetDateTime;

use super::{Database, TRIES, Try, broke_off, code, commit, lost_a_race, was_canceled};
use crate::domain::idempotency::KEPT_FOR;
use crate::domain::ids::{AccountId, ClientId};
use crate::error::Error;
use crate::repositories::idempotency::{self, Key};

/// What the database says of a lock that did not come free in time.
const LOCK_TIMEOUT: &str = "55P03";

tokio::task_local! {
    /// The request that is being handled, where it came with a key.
    static UNDERWAY: Arc<Keyed>;
}

/// A request under a key.
pub struct Keyed {
    hash: [u8; 32],
    fingerprint: [u8; 32],
    at: OffsetDateTime,
    caller: OnceLock<(AccountId, ClientId)>,
    /// Taken out while it is used, so that whoever breaks off in between leaves it lost.
    state: Mutex<State>,
}

/// How far a request under a key is.
pub enum State {
    /// It has written nothing: nothing that it did was kept, if it did anything.
    Unclaimed,
    /// The key and all that it did are in a transaction that is still open, on a connection of its own.
    Open(Parked),
    /// The key is claimed and committed, and what it does is committed bit by bit.
    Apart,
    /// It was answered before: the status, and the sealed rest.
    Answered(u16, Vec<u8>),
    /// The key is another request's, or in use, and the request has been refused for it.
    Refused,
    /// Its transaction was rolled back after some of it had seemed to be done.
    Lost,
}

/// A transaction that waits for the answer to what was done in it. Rolls back when it is dropped.
pub struct Parked(Transaction<'static, Postgres>);

/// What came of a claim.
enum Claimed {
    /// The key is this request's.
    Ours,
    /// It was answered before: the status, and the sealed rest.
    Answered(u16, Vec<u8>),
}

impl Keyed {
    /// A request that came at `at`, told from others under its key by `fingerprint`.
    pub fn new(hash: [u8; 32], fingerprint: [u8; 32], at: OffsetDateTime) -> Self {
        Self { hash, fingerprint, at, caller: OnceLock::new(), state: Mutex::new(State::Unclaimed) }
    }

    /// Runs what handles the request. Its transactions, and those of nothing else, are done under the key.
    pub async fn during<T>(self: &Arc<Self>, handled: impl Future<Output = T>) -> T {
        UNDERWAY.scope(self.clone(), handled).await
    }

    /// The request that is being handled, where it came with a key.
    pub fn current() -> Option<Arc<Self>> {
        UNDERWAY.try_with(Arc::clone).ok()
    }

    /// Says who sent it. Without that, nothing is done under the key.
    pub fn is_from(&self, account: &AccountId, client: &ClientId) {
        // Who calls does not change, so that the first word is as good as any.
        self.caller.get_or_init(|| (account.clone(), client.clone()));
    }

    /// Who sent it, where that is known.
    pub fn key(&self) -> Option<Key<'_>> {
        self.caller.get().map(|(account, client)| Key { account, client, hash: &self.hash })
    }

    /// When it came.
    pub fn at(&self) -> OffsetDateTime {
        self.at
    }

    /// How far it is. Whoever takes that out puts it back.
    pub fn take(&self) -> State {
        std::mem::replace(&mut *self.state.lock().unwrap_or_else(PoisonError::into_inner), State::Lost)
    }

    fn put(&self, state: State) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }

    /// Claims the key, first thing in a transaction. Waits as long as for a lock while another has it.
    async fn claim(&self, conn: &mut PgConnection) -> Result<Claimed, Error> {
        let key = self.key().ok_or(Error::Internal("a key is claimed and nobody knows for whom"))?;
        let free = idempotency::claim(conn, key, &self.fingerprint, self.at, self.at + KEPT_FOR).await;
        if free.map_err(|error| match code(&error).as_deref() {
            Some(LOCK_TIMEOUT) => Error::IdempotencyKeyInUse,
            _ => Error::Database(error),
        })? {
            return Ok(Claimed::Ours);
        }
        // In a statement of its own: the first one's snapshot is older than what it waited for.
        let kept = idempotency::find(conn, key).await?.ok_or(Error::Busy)?;
        if kept.fingerprint != self.fingerprint {
            return Err(Error::IdempotencyKeyReused);
        }
        kept.answer.map(|(status, sealed)| Claimed::Answered(status, sealed)).ok_or(Error::IdempotencyKeyInUse)
    }
}

impl Parked {
    /// Writes the last of it and commits.
    ///
    /// # Errors
    ///
    /// What `work` fails with, after which nothing is left of it; [`Error::OutcomeUnknown`] when the connection broke
    /// in the commit.
    pub async fn finish(mut self, work: impl AsyncFnOnce(&mut PgConnection) -> Result<(), Error>) -> Result<(), Error> {
        match work(&mut self.0).await {
            Ok(()) => commit(self.0).await.map_err(once),
            Err(error) => {
                self.roll_back().await;
                Err(once(error))
            }
        }
    }

    /// Leaves nothing of it.
    pub async fn roll_back(self) {
        if let Err(error) = self.0.rollback().await {
            // Its connection is gone, and it with it.
            tracing::warn!(%error, "a connection to the database broke off");
        }
    }
}

impl Database {
    /// Runs `work` of a request under a key: in the request's open transaction, or else in a new one that claims the
    /// key, which then stays open.
    pub(super) async fn transaction_under<T>(
        &self,
        keyed: &Keyed,
        account: &AccountId,
        mut work: impl AsyncFnMut(&mut PgConnection, Try) -> Result<T, Error>,
    ) -> Result<T, Error> {
        match keyed.take() {
            State::Unclaimed => {
                let (done, transaction) = self.claim_and_work(keyed, account, work).await?;
                keyed.put(State::Open(Parked(transaction)));
                Ok(done)
            }
            State::Open(mut parked) => match work(&mut parked.0, Try::Early).await {
                Ok(done) => {
                    keyed.put(State::Open(parked));
                    Ok(done)
                }
                Err(error) => {
                    parked.roll_back().await;
                    Err(once(error))
                }
            },
            State::Apart => {
                keyed.put(State::Apart);
                self.transaction_alone(account, work).await
            }
            state => Err(gone(keyed, state)),
        }
    }

    /// Runs `work` of a request under a key in a transaction of its own. The first of a request claims the key.
    pub(super) async fn transaction_apart_under<T>(
        &self,
        keyed: &Keyed,
        account: &AccountId,
        work: impl AsyncFnMut(&mut PgConnection, Try) -> Result<T, Error>,
    ) -> Result<T, Error> {
        match keyed.take() {
            State::Unclaimed => {
                let (done, transaction) = self.claim_and_work(keyed, account, work).await?;
                commit(transaction).await.map_err(once)?;
                keyed.put(State::Apart);
                Ok(done)
            }
            state @ (State::Open(_) | State::Apart) => {
                keyed.put(state);
                self.transaction_alone(account, work).await
            }
            state => Err(gone(keyed, state)),
        }
    }

    async fn claim_and_work<T>(
        &self,
        keyed: &Keyed,
        account: &AccountId,
        mut work: impl AsyncFnMut(&mut PgConnection, Try) -> Result<T, Error>,
    ) -> Result<(T, Transaction<'static, Postgres>), Error> {
        let done = self
            .tried(async |which, trust| {
                let mut transaction = self.open(account, trust).await?;
                let done = match keyed.claim(&mut transaction).await {
                    Ok(Claimed::Ours) => work(&mut transaction, which).await,
                    Ok(Claimed::Answered(status, sealed)) => {
                        keyed.put(State::Answered(status, sealed));
                        Err(Error::Replayed)
                    }
                    Err(error) => Err(error),
                };
                match done {
                    Ok(done) => Ok((done, transaction)),
                    Err(error) => {
                        transaction.rollback().await?;
                        Err(error)
                    }
                }
            })
            .await;
        match &done {
            Ok(_) | Err(Error::Replayed) => {}
            Err(Error::IdempotencyKeyInUse | Error::IdempotencyKeyReused) => keyed.put(State::Refused),
            Err(_) => keyed.put(State::Unclaimed),
        }
        done
    }

    /// Claims the key of a request that has left nothing, and runs `work` where it
    /// is the request's. Answers what was answered before, where it was.
    ///
    /// # Errors
    ///
    /// [`Error::IdempotencyKeyReused`], [`Error::IdempotencyKeyInUse`], and what
    /// [`Database::transaction`] says without a key.
    pub async fn settle(
        &self,
        keyed: &Keyed,
        account: &AccountId,
        work: impl AsyncFn(&mut PgConnection) -> Result<(), Error>,
    ) -> Result<Option<(u16, Vec<u8>)>, Error> {
        self.transaction_alone(account, async |conn, _| match keyed.claim(conn).await? {
            Claimed::Ours => work(conn).await.map(|()| None),
            Claimed::Answered(status, sealed) => Ok(Some((status, sealed))),
        })
        .await
    }
}

/// What follows on a state after which nothing more is done, which is put back.
fn gone(keyed: &Keyed, state: State) -> Error {
    let error = match state {
        State::Answered(..) => Error::Replayed,
        _ => Error::Busy,
    };
    keyed.put(state);
    error
}

/// What an error comes to where there is no other try: all of the request has been rolled back with it.
fn once(error: Error) -> Error {
    match error {
        Error::Database(error) if broke_off(&error) => {
            tracing::warn!(%error, "a connection to the database broke off");
            Error::Overloaded
        }
        Error::Database(error) if was_canceled(&error) => {
            tracing::warn!("a statement was canceled");
            Error::Overloaded
        }
        Error::Database(error) if lost_a_race(&error) => {
            tracing::debug!(TRIES, code = code(&error).as_deref(), "a transaction lost a race and is not tried again");
            Error::Busy
        }
        other => other,
    }
}
