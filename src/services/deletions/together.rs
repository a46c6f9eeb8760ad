//! What many callers delete one by one at the same time goes into the trash together: what was asked for while the last of
//! it was written is written next, in one statement, which is one transaction with one commit. Each has a deletion, an
//! entry in the ledger and an answer of its own. Nobody waits for others to come. One statement is under way at a time: with
//! more, the groups are smaller, and each takes nearly as long.
//!
//! It takes what is plainly live, free and locked by nobody. All else, and all when the statement fails, is left to the
//! engine, which decides on each alone.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::domain::contact::Contact;
use crate::domain::contact_list::ContactList;
use crate::postgres::Database;
use crate::repositories::singles::Single;
use crate::repositories::{self, Connection, contact_lists, contacts};

/// The most that are written in one statement.
const MOST: usize = 64;

/// For how long a statement is waited for. A connection of which nothing more is heard must not keep all from being served.
const PATIENCE: Duration = Duration::from_secs(10);

/// A kind of thing that is deleted together.
pub trait Kind: Sized + Send + 'static {
    /// Deletes things, sorted by account, in one statement. Answers those that went, with their places.
    fn trash(
        conn: &mut Connection,
        patience: &str,
        singles: &[&Single],
    ) -> impl Future<Output = repositories::Result<Vec<(usize, Self)>>> + Send;
}

impl Kind for Contact {
    async fn trash(
        conn: &mut Connection,
        patience: &str,
        singles: &[&Single],
    ) -> repositories::Result<Vec<(usize, Self)>> {
        contacts::trash_together(conn, patience, singles).await
    }
}

impl Kind for ContactList {
    async fn trash(
        conn: &mut Connection,
        patience: &str,
        singles: &[&Single],
    ) -> repositories::Result<Vec<(usize, Self)>> {
        contact_lists::trash_together(conn, patience, singles).await
    }
}

/// Deletions of every kind that wait for their turn: of all callers of the process, whichever thread serves them.
#[derive(Clone, Default)]
pub struct Queues {
    pub(super) contacts: Queue<Contact>,
    pub(super) contact_lists: Queue<ContactList>,
}

/// Deletions of one kind that wait for their turn.
pub struct Queue<T>(Arc<Mutex<Line<T>>>);

impl<T> Clone for Queue<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Line { waiting: Vec::new(), is_served: false })))
    }
}

struct Line<T> {
    waiting: Vec<Waiting<T>>,
    /// Whether somebody is at it.
    is_served: bool,
}

struct Waiting<T> {
    single: Single,
    done: oneshot::Sender<T>,
}

/// Serving a line. When that breaks off, or never begins, the next who comes serves it, and who waits is sent away to be tried
/// alone.
struct Turn<T> {
    line: Arc<Mutex<Line<T>>>,
    is_over: bool,
}

impl<T> Drop for Turn<T> {
    fn drop(&mut self) {
        if !self.is_over {
            let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
            line.is_served = false;
            line.waiting.clear();
        }
    }
}

impl<T: Kind> Queue<T> {
    /// Deletes a thing together with those of others. Answers it as its kind's answer shows it. None where it is to be
    /// tried alone: whether anything was done with it is then not known.
    pub async fn delete(&self, database: &Database, single: Single) -> Option<T> {
        let (done, told) = oneshot::channel();
        let is_served = {
            let mut line = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            line.waiting.push(Waiting { single, done });
            std::mem::replace(&mut line.is_served, true)
        };
        if !is_served {
            // On its own, so that nobody's breaking off breaks off the others.
            tokio::spawn(Turn { line: self.0.clone(), is_over: false }.serve(database.clone()));
        }
        told.await.ok()
    }
}

impl<T: Kind> Turn<T> {
    async fn serve(mut self, database: Database) {
        while let Some(waiting) = self.next() {
            write(&database, waiting).await;
        }
    }

    /// Those who are next, sorted by account. None when there is nobody, and the turn is over: whoever comes next begins anew.
    fn next(&mut self) -> Option<Vec<Waiting<T>>> {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        let count = line.waiting.len().min(MOST);
        let mut next: Vec<Waiting<T>> = line.waiting.drain(..count).collect();
        line.is_served = !next.is_empty();
        self.is_over = next.is_empty();
        next.sort_by(|a, b| a.single.caller.account_id.cmp(&b.single.caller.account_id));
        (!next.is_empty()).then_some(next)
    }
}

async fn write<T: Kind>(database: &Database, waiting: Vec<Waiting<T>>) {
    let singles: Vec<&Single> = waiting.iter().map(|one| &one.single).collect();
    let statement = database.statement(async |conn, patience| T::trash(conn, patience, &singles).await);
    // Where it came to nothing, each says what it has to say when it is tried alone.
    let written = match timeout(PATIENCE, statement).await {
        Ok(Ok(written)) => written,
        Ok(Err(error)) => {
            tracing::debug!(%error, deletions = singles.len(), "deletions could not be done together");
            Vec::new()
        }
        Err(_) => {
            tracing::warn!(deletions = singles.len(), "nothing was heard of deletions that were to be done together");
            Vec::new()
        }
    };
    let mut waiting: Vec<Option<Waiting<T>>> = waiting.into_iter().map(Some).collect();
    for (place, thing) in written {
        if let Some(one) = waiting.get_mut(place).and_then(Option::take) {
            // Who has gone away needs no answer; the thing is deleted all the same.
            let _ = one.done.send(thing);
        }
    }
}

#[cfg(test)]
mod tests {
    use sqlx::postgres::PgConnectOptions;
    use time::OffsetDateTime;
    use tokio::sync::oneshot::error::TryRecvError;
    use uuid::Uuid;

    use super::*;
    use crate::domain::deletion::RowId;
    use crate::domain::identity::Caller;
    use crate::domain::ids::{AccountId, ClientId, StreamId, UserId};
    use crate::postgres::PoolSettings;
    use crate::repositories::Stamp;

    fn single() -> Single {
        let (at, by) = (OffsetDateTime::UNIX_EPOCH, UserId::generate());
        let caller = Caller {
            account_id: AccountId::generate(at),
            org_id: String::new(),
            client_id: ClientId::generate(),
            agent_id: String::new(),
            user_id: by.clone(),
            scopes: Vec::new(),
            request_id: String::new(),
        };
        let stamp = Stamp { deletion_id: Uuid::nil(), at, by };
        Single { caller, stream: StreamId::generate(), id: RowId::stored("contact".to_owned()), stamp }
    }

    #[tokio::test]
    async fn a_turn_that_never_begins_is_given_back_and_who_waits_is_sent_away() {
        let wait = Duration::from_secs(1);
        let settings = PoolSettings { max_connections: 1, acquire_timeout: wait, lock_timeout: wait };
        let database = Database::new(PgConnectOptions::new(), settings);
        let (done, mut told) = oneshot::channel::<Contact>();
        let waiting = vec![Waiting { single: single(), done }];
        let line = Arc::new(Mutex::new(Line { waiting, is_served: true }));
        // As where the thread that it was to run on ends first.
        drop(Turn { line: line.clone(), is_over: false }.serve(database));
        assert!(!line.lock().expect("nobody panicked").is_served);
        assert_eq!(told.try_recv().err(), Some(TryRecvError::Closed), "it is to be tried alone");
    }
}
