//! Requests that are done once, however often they are sent: the same key and the
//! same request answer what the first one answered.

use std::sync::Arc;

use crate::clock::Clock;
use crate::domain::idempotency::{IdempotencyKey, KeptAnswer};
use crate::domain::identity::Caller;
use crate::error::Error;
use crate::postgres::Database;
use crate::postgres::idempotency::{Keyed, State};
use crate::repositories::Connection;
use crate::repositories::idempotency::{self, Key};
use crate::sealing::{HalfKey, WholeKey};

/// Does requests once.
#[derive(Clone)]
pub struct Idempotency {
    database: Database,
    clock: Clock,
    key: Arc<HalfKey>,
}

/// A request under a key.
pub struct Once {
    idempotency: Idempotency,
    key: WholeKey,
    keyed: Arc<Keyed>,
}

/// Says who sent the request that is being handled, so that it is done under its
/// key, where it has one.
pub fn sent_by(caller: &Caller) {
    if let Some(keyed) = Keyed::current() {
        keyed.is_from(&caller.account_id, &caller.client_id);
    }
}

impl Idempotency {
    pub(super) fn new(database: Database, clock: Clock, key: Arc<HalfKey>) -> Self {
        Self { database, clock, key }
    }

    /// A request that has come with `key`. `parts` are all of it that another
    /// request under the key would not have the same.
    ///
    /// # Errors
    ///
    /// [`Error::Internal`] when no key can be derived.
    pub fn once(&self, key: &IdempotencyKey, parts: &[Vec<u8>]) -> Result<Once, Error> {
        let key = self.key.with(key.as_str()).map_err(|_| Error::Internal("no key could be derived"))?;
        let keyed = Arc::new(Keyed::new(key.hash(), key.fingerprint(parts), self.clock.now()));
        Ok(Once { idempotency: self.clone(), key, keyed })
    }
}

impl Once {
    /// Runs what handles the request. What it does is not committed before [`Once::finish`].
    pub async fn during<T>(&self, handled: impl Future<Output = T>) -> T {
        self.keyed.during(handled).await
    }

    /// Commits what the handler did together with its answer; what it did and does
    /// not say it has done is rolled back. `status` is that of its answer, and
    /// `answer` all of it, where it is one that is kept.
    ///
    /// Answers what is to be sent in place of the handler's answer, if anything is.
    ///
    /// # Errors
    ///
    /// What is to be said in place of the handler's answer:
    /// [`Error::OutcomeUnknown`] when the connection broke in the commit;
    /// [`Error::IdempotencyKeyReused`] and [`Error::IdempotencyKeyInUse`] where the
    /// handler answered without having looked whose the key is; and
    /// what the database fails with, in which case nothing was done.
    pub async fn finish(&self, status: u16, answer: Option<&KeptAnswer>) -> Result<Option<KeptAnswer>, Error> {
        // Who was not signed in has been told so, and has done nothing.
        let Some(key) = self.keyed.key() else { return Ok(None) };
        let sealed = answer.map(|answer| self.seal(key, answer)).transpose()?;
        match (self.keyed.take(), sealed) {
            (State::Answered(status, sealed), _) => self.open(key, status, &sealed).map(Some),
            (State::Refused, _) => Ok(None),
            (State::Open(parked), Some(sealed)) if KeptAnswer::is_done(status) => {
                parked.finish(async |conn| self.answer(conn, key, status, &sealed).await).await?;
                Ok(None)
            }
            (State::Lost, _) if KeptAnswer::is_done(status) => {
                Err(Error::Internal("a handler says that it has done what was rolled back"))
            }
            (State::Apart, sealed) => {
                self.finish_apart(key, status, sealed.as_deref()).await;
                Ok(None)
            }
            (state, sealed) => {
                if let State::Open(parked) = state {
                    parked.roll_back().await;
                }
                match sealed {
                    Some(sealed) => self.settle(key, status, &sealed).await,
                    None => Ok(None),
                }
            }
        }
    }

    /// Keeps the answer to a request that has left nothing, unless the key has another by now.
    async fn settle(&self, key: Key<'_>, status: u16, sealed: &[u8]) -> Result<Option<KeptAnswer>, Error> {
        let work = async |conn: &mut Connection| self.answer(conn, key, status, sealed).await;
        match self.idempotency.database.settle(&self.keyed, key.account, work).await? {
            Some((status, sealed)) => self.open(key, status, &sealed).map(Some),
            None => Ok(None),
        }
    }

    /// Keeps the answer to what is committed already, or lets go of the key. What fails here changes nothing of it:
    /// the key then stays in use until it expires.
    async fn finish_apart(&self, key: Key<'_>, status: u16, sealed: Option<&[u8]>) {
        let finished = self.idempotency.database.transaction(key.account, async |conn, _| match sealed {
            Some(sealed) => self.answer(conn, key, status, sealed).await,
            None => Ok(idempotency::release(conn, key, self.keyed.at()).await?),
        });
        if let Err(error) = finished.await {
            error.log();
        }
    }

    async fn answer(&self, conn: &mut Connection, key: Key<'_>, status: u16, sealed: &[u8]) -> Result<(), Error> {
        if idempotency::answer(conn, key, self.keyed.at(), status, sealed).await? {
            Ok(())
        } else {
            Err(Error::Internal("the key of an answer is another request's"))
        }
    }

    fn seal(&self, key: Key<'_>, answer: &KeptAnswer) -> Result<Vec<u8>, Error> {
        let sealed = self.key.seal(&name(key, answer.status), answer.to_bytes());
        sealed.map_err(|_| Error::Internal("an answer could not be sealed"))
    }

    fn open(&self, key: Key<'_>, status: u16, sealed: &[u8]) -> Result<KeptAnswer, Error> {
        let opened = self.key.open(&name(key, status), sealed).ok();
        opened
            .and_then(|opened| KeptAnswer::from_bytes(status, &opened))
            .ok_or(Error::Internal("a kept answer does not open"))
    }
}

/// What an answer is sealed for: it opens nowhere else.
fn name(key: Key<'_>, status: u16) -> String {
    format!("{} {} {status}", key.account, key.client)
}
