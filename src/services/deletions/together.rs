//! Contacts that many callers delete one by one at the same time go into the trash together: what was asked for while
//! the last of them were written is written next, in one statement, which is one transaction with one commit. Each has a
//! deletion, an entry in the ledger and an answer of its own. Nobody waits for others to come.
//!
//! It takes what is plainly live and locked by nobody. All else, and all when the statement fails, is left to the engine,
//! which decides on each alone.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use crate::domain::contact::Contact;
use crate::postgres::Database;
use crate::repositories::contacts::{self, Single};

/// The most that are written in one statement.
const MOST: usize = 64;

/// How many statements are under way at once: while the commit of one waits for the disk, the next is put together.
const AT_ONCE: usize = 2;

/// Deletions that wait for their turn, of all callers of one thread.
#[derive(Clone)]
pub struct Together {
    database: Database,
    queue: Arc<Mutex<Queue>>,
}

#[derive(Default)]
struct Queue {
    waiting: Vec<Waiting>,
    /// How many are at it.
    at_work: usize,
}

/// One of those at work. When it breaks off, it gives back its place, and who waits is sent away to be tried alone.
struct Turn<'a>(&'a Mutex<Queue>);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        queue.at_work -= 1;
        queue.waiting.clear();
    }
}

struct Waiting {
    single: Single,
    done: oneshot::Sender<Contact>,
}

impl Together {
    pub(super) fn new(database: Database) -> Self {
        Self { database, queue: Arc::default() }
    }

    /// Deletes a contact together with those of others. Answers it as it is then. None where it is to be tried alone:
    /// whether anything was done with it is then not known.
    pub async fn delete(&self, single: Single) -> Option<Contact> {
        let (done, told) = oneshot::channel();
        let is_room = {
            let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            queue.waiting.push(Waiting { single, done });
            let is_room = queue.at_work < AT_ONCE;
            queue.at_work += usize::from(is_room);
            is_room
        };
        if is_room {
            // On its own, so that nobody's breaking off breaks off the others.
            tokio::spawn(self.clone().work());
        }
        told.await.ok()
    }

    async fn work(self) {
        let turn = Turn(&self.queue);
        while let Some(waiting) = self.next() {
            self.write(waiting).await;
        }
        // It has been given back.
        std::mem::forget(turn);
    }

    /// Those whose turn it is, sorted by account. None when there is nobody: whoever comes next has to begin anew.
    fn next(&self) -> Option<Vec<Waiting>> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let count = queue.waiting.len().min(MOST);
        let mut next: Vec<Waiting> = queue.waiting.drain(..count).collect();
        queue.at_work -= usize::from(next.is_empty());
        next.sort_by(|a, b| a.single.caller.account_id.cmp(&b.single.caller.account_id));
        (!next.is_empty()).then_some(next)
    }

    async fn write(&self, waiting: Vec<Waiting>) {
        let singles: Vec<&Single> = waiting.iter().map(|one| &one.single).collect();
        let written = self
            .database
            .statement(async |conn, patience| contacts::trash_together(conn, patience, &singles).await)
            .await;
        let written = written.unwrap_or_else(|error| {
            // Each says what it has to say when it is tried alone.
            tracing::debug!(%error, deletions = singles.len(), "deletions could not be done together");
            Vec::new()
        });
        let mut waiting: Vec<Option<Waiting>> = waiting.into_iter().map(Some).collect();
        for (place, contact) in written {
            if let Some(one) = waiting.get_mut(place).and_then(Option::take) {
                // Who has gone away needs no answer; the contact is deleted all the same.
                let _ = one.done.send(contact);
            }
        }
    }
}
