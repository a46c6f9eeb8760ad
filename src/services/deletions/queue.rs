//! What is too large to be done before the answer is queued: things that are named, things that are still being sent, and
//! what a filter takes. What is queued is done batch by batch in `work.rs`, unless it is cancelled.

use secrecy::SecretString;
use uuid::Uuid;

use super::{Deletions, How, kinds, lookup, within};
use crate::domain::deletion::{Mode, Target};
use crate::domain::filter::{Among, Filter};
use crate::domain::identifier::Identifier;
use crate::domain::identity::Caller;
use crate::domain::ids::AccountId;
use crate::domain::operation::{Action, BATCH, Operation, State};
use crate::error::Error;
use crate::repositories::deletions::{self, Claimed, NewChunk};
use crate::repositories::{Connection, Stamp, jobs};

/// What is said of what cannot be stopped any more.
const OVER: &str = "It is over already";

/// Which things a queued deletion takes.
pub enum Selection {
    /// Those that are named.
    Items(Vec<Identifier>),
    /// Those that a filter takes; an empty one takes all.
    Filter(Box<Filter>),
}

impl Deletions {
    /// Queues a deletion.
    ///
    /// # Errors
    ///
    /// [`Error::MissingScope`] for a hard deletion by a client that may not; [`Error::NotFound`] when the record list is
    /// not there; [`Error::MaxAffected`] when more would go than may: of a filter the rows that it takes now, else the
    /// things that are named.
    pub async fn queue(
        &self,
        caller: &Caller,
        target: &Target,
        how: &How,
        selection: &Selection,
    ) -> Result<Operation, Error> {
        super::require_mode(caller, how.options.mode)?;
        let account = &caller.account_id;
        let operation = self
            .database
            .transaction(account, async |conn, _| {
                kinds::require_visible(conn, account, target).await?;
                let mut operation = self.queued(caller, target, how);
                match selection {
                    Selection::Items(items) => {
                        within(&how.options, items.len())?;
                        operation.requested = i64::try_from(items.len()).ok();
                        operation.undo_until = deletions::insert(conn, caller, &operation, None, None).await?;
                        for (first, items) in (1..).step_by(BATCH).zip(items.chunks(BATCH)) {
                            self.add_items(conn, account, operation.id, first, items).await?;
                        }
                    }
                    Selection::Filter(filter) => {
                        let filter = until(filter, &operation);
                        if let Some(limit) = how.options.max_affected {
                            let among = among(&filter, how.options.mode);
                            let rows = kinds::count_matching(conn, account, target, &filter, among, limit).await?;
                            within(&how.options, usize::try_from(rows).unwrap_or(usize::MAX))?;
                        }
                        let text = serde_json::to_string(&filter).map_err(|_| Error::Internal("a filter is JSON"))?;
                        let sealed = self.sealer.seal(&filter_of(operation.id), &SecretString::from(text));
                        let sealed = sealed.map_err(|_| Error::Internal("a filter cannot be sealed"))?;
                        operation.undo_until = deletions::insert(conn, caller, &operation, Some(&sealed), None).await?;
                    }
                }
                jobs::insert(conn, account, operation.id, operation.created_at).await?;
                Ok(operation)
            })
            .await?;
        self.wake.notify_one();
        Ok(operation)
    }

    /// Says what a filter would take now: how many rows of each kind of outcome, without doing it.
    ///
    /// # Errors
    ///
    /// As [`Deletions::queue`].
    pub async fn count_matching(
        &self,
        caller: &Caller,
        target: &Target,
        how: &How,
        filter: &Filter,
    ) -> Result<Operation, Error> {
        super::require_mode(caller, how.options.mode)?;
        let account = &caller.account_id;
        self.database
            .transaction(account, async |conn, _| {
                kinds::require_visible(conn, account, target).await?;
                let mut operation = self.queued(caller, target, how);
                let filter = until(filter, &operation);
                let among = among(&filter, how.options.mode);
                let enough = how.options.max_affected.unwrap_or(u64::MAX);
                let count = kinds::count_matching(conn, account, target, &filter, among, enough).await?;
                within(&how.options, usize::try_from(count).unwrap_or(usize::MAX))?;
                operation.requested = i64::try_from(count).ok();
                Ok(operation)
            })
            .await
    }

    /// Opens a deletion whose items are still being sent.
    ///
    /// # Errors
    ///
    /// As [`Deletions::queue`].
    pub async fn open(&self, caller: &Caller, target: &Target, how: &How) -> Result<Operation, Error> {
        super::require_mode(caller, how.options.mode)?;
        let account = &caller.account_id;
        self.database
            .transaction_apart(account, async |conn, _| {
                kinds::require_visible(conn, account, target).await?;
                let mut operation = Operation { state: State::Receiving, ..self.queued(caller, target, how) };
                operation.undo_until = deletions::insert(conn, caller, &operation, None, None).await?;
                Ok(operation)
            })
            .await
    }

    /// Takes the next items, at most 1,000, of a deletion whose items are being sent.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn take(&self, caller: &Caller, id: Uuid, first: i64, items: &[Identifier]) -> Result<(), Error> {
        let account = &caller.account_id;
        self.database
            .transaction_apart(account, async |conn, _| self.add_items(conn, account, id, first, items).await)
            .await
    }

    /// Queues a deletion whose `requested` items have been sent. One that was cancelled meanwhile stays so.
    ///
    /// # Errors
    ///
    /// [`Error::MaxAffected`] when they are more than may go; when the database fails.
    pub async fn sent(&self, caller: &Caller, id: Uuid, requested: i64) -> Result<Operation, Error> {
        let account = &caller.account_id;
        let operation = self
            .database
            .transaction_apart(account, async |conn, _| {
                let mut operation = self.receiving(conn, account, id).await?.ok_or(Error::WrongState(OVER))?;
                within(&operation.options, usize::try_from(requested).unwrap_or(usize::MAX))?;
                operation.state = State::Queued;
                operation.requested = Some(requested);
                deletions::update(conn, account, &operation, "").await?;
                jobs::insert(conn, account, operation.id, self.clock.now()).await?;
                Ok(operation)
            })
            .await?;
        self.wake.notify_one();
        Ok(operation)
    }

    /// Ends a deletion whose items broke off, or are not what they must be: nothing of it is done.
    pub async fn broke_off(&self, caller: &Caller, id: Uuid, why: &str) {
        let account = &caller.account_id;
        let ended = self
            .database
            .transaction_apart(account, async |conn, _| {
                let Some(mut operation) = self.receiving(conn, account, id).await? else { return Ok(()) };
                self.give_up(conn, account, &mut operation, "", State::Failed, Some(why)).await
            })
            .await;
        if let Err(error) = ended {
            tracing::warn!(deletion = %id, "what broke off could not be ended yet");
            error.log();
        }
    }

    /// A deletion that is still being sent, locked.
    pub(super) async fn receiving(
        &self,
        conn: &mut Connection,
        account: &AccountId,
        id: Uuid,
    ) -> Result<Option<Operation>, Error> {
        let found = deletions::lock(conn, account, id).await?.map(|claimed| claimed.operation);
        Ok(found.filter(|operation| operation.state == State::Receiving))
    }

    /// Has an operation stop at its next batch; what is still being sent stops at once. The rest says `UNPROCESSED`.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when there is none of that id; [`Error::WrongState`] when it is over, or is a purge.
    pub async fn cancel(&self, caller: &Caller, id: Uuid) -> Result<Operation, Error> {
        let account = &caller.account_id;
        let cancelled = self
            .database
            .transaction(account, async |conn, _| {
                // The job before its operation, as workers do.
                jobs::hurry(conn, account, id, self.clock.now()).await?;
                let Some(Claimed { mut operation, .. }) = deletions::lock(conn, account, id).await? else {
                    lookup::find(conn, account, id).await?;
                    return Err(Error::WrongState(OVER));
                };
                if operation.state.is_over() {
                    return Err(Error::WrongState(OVER));
                }
                if operation.action == Action::Purge {
                    return Err(Error::WrongState("A purge is paused by the retention: set its kind to null"));
                }
                operation.cancel_asked = true;
                deletions::ask_to_cancel(conn, account, id).await?;
                if operation.state == State::Receiving {
                    self.give_up(conn, account, &mut operation, "", State::Cancelled, None).await?;
                }
                Ok(operation)
            })
            .await?;
        self.wake.notify_one();
        Ok(cancelled)
    }

    async fn add_items(
        &self,
        conn: &mut Connection,
        account: &AccountId,
        id: Uuid,
        first: i64,
        items: &[Identifier],
    ) -> Result<(), Error> {
        let sealed = self.seal_items(id, first, items)?;
        let chunk = NewChunk { first_position: first, items: items.len(), sealed_items: Some(&sealed), told: None };
        Ok(deletions::insert_chunk(conn, account, id, &chunk).await?)
    }

    fn queued(&self, caller: &Caller, target: &Target, how: &How) -> Operation {
        let Stamp { deletion_id, at, by } = self.stamp(caller);
        Operation {
            options: how.options.clone(),
            note: how.note.clone(),
            ..Operation::new(deletion_id, Action::Delete, target.clone(), by.as_str(), at)
        }
    }
}

/// The filter, of things that were there when it was asked.
fn until(filter: &Filter, operation: &Operation) -> Filter {
    let mut filter = filter.clone();
    let asked = operation.created_at;
    filter.created.before = Some(filter.created.before.map_or(asked, |before| before.min(asked)));
    filter
}

/// Which rows a filter looks at: a soft deletion takes live ones; a hard one also those in the trash, and only those where
/// the filter says when they were deleted.
pub(super) fn among(filter: &Filter, mode: Mode) -> Among {
    match mode {
        _ if filter.deleted.is_some() => Among::Trashed,
        Mode::Soft => Among::Live,
        Mode::Hard => Among::All,
    }
}

/// What a filter is sealed for.
pub(super) fn filter_of(deletion: Uuid) -> String {
    format!("filter of {deletion}")
}
