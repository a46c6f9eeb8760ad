//! What is queued is done batch by batch. A batch, its entries in the ledger, its outcomes, the progress and the job commit
//! together, so that whatever dies in between loses and repeats nothing.

use std::collections::HashSet;

use secrecy::ExposeSecret;
use time::Duration;
use uuid::Uuid;

use super::queue::{among, filter_of};
use super::restore::{By, DELETED_ROWS, restore};
use super::{Deletions, Locked, acting, entry, kinds, lock, remove_rows, within, write};
use crate::domain::deletion::{self, Key, Mode, Outcome, Reason, Request, RowId};
use crate::domain::filter::Filter;
use crate::domain::identifier::Identifier;
use crate::domain::identity::Caller;
use crate::domain::ids::AccountId;
use crate::domain::operation::{Action, BATCH, DELETED, Operation, Resource, State, Told};
use crate::error::Error;
use crate::postgres::{Claim, Try};
use crate::repositories::deletions::{self, NewChunk};
use crate::repositories::jobs::{self, Job, Kind};
use crate::repositories::trash::matching::Part;
use crate::repositories::trash::sweep::Kept;
use crate::repositories::{Connection, Stamp, Written, ledger};

/// How often a job may fail in a row before its operation is given up.
const MAX_FAILURES: i32 = 10;

/// The longest that a failed job waits.
const MAX_PAUSE: Duration = Duration::minutes(5);

/// The longest that a job waits which has lost a race.
const MAX_RACE_PAUSE: Duration = Duration::seconds(5);

impl Deletions {
    /// Does the next batch of whichever job is next. Answers whether there was one.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn work(&self) -> Result<bool, Error> {
        let now = self.clock.now();
        let claim =
            async |conn: &mut Connection| Ok(jobs::next(conn, now).await?.map(|job| (job.account.clone(), job)));
        match self.database.claim(claim, async |conn, job: &Job| self.batch(conn, job).await).await? {
            Claim::Nothing => Ok(false),
            Claim::Done => Ok(true),
            Claim::Failed(job, error) => {
                self.failed(&job, &error).await?;
                Ok(true)
            }
        }
    }

    /// Puts a job that failed back, to be tried again later, or gives its operation up. A race that was lost is tried
    /// again without end.
    async fn failed(&self, job: &Job, error: &Error) -> Result<(), Error> {
        let lost_a_race = matches!(error, Error::Busy);
        if !lost_a_race || job.failures >= 3 {
            tracing::warn!(job = %job.id, failures = job.failures, reason = error.reason(), "a batch failed and is tried again");
            error.log();
        }
        let failures = job.failures.saturating_add(1);
        let pause = match lost_a_race {
            true => MAX_RACE_PAUSE.min(Duration::milliseconds(20 << failures.min(9))),
            false => MAX_PAUSE.min(Duration::seconds(1 << failures.min(9))),
        };
        let is_hopeless = matches!(error, Error::NotFound(_) | Error::MaxAffected { .. } | Error::TooLarge { .. });
        let gives_up = job.kind == Kind::Deletion && (is_hopeless || !lost_a_race && failures > MAX_FAILURES);
        self.database
            .transaction_apart(&job.account, async |conn, _| {
                // Another worker may have gone on meanwhile.
                if jobs::lock(conn, &job.account, job.id).await? != Some(job.failures) {
                    return Ok(());
                }
                if gives_up && let Some(mut claimed) = deletions::lock(conn, &job.account, job.id).await? {
                    let state = claimed.operation.totals.end_early();
                    let (place, word) = (claimed.place.clone(), error.reason());
                    self.give_up(conn, &job.account, &mut claimed.operation, &place, state, Some(word)).await?;
                    return Ok(jobs::remove(conn, &job.account, job.id).await?);
                }
                let due_at = self.clock.now() + pause;
                Ok(jobs::put_back(conn, &job.account, job.id, due_at, failures, job.batches).await?)
            })
            .await
    }

    async fn batch(&self, conn: &mut Connection, job: &Job) -> Result<(), Error> {
        match job.kind {
            Kind::Upkeep => self.keep_up(conn, job).await,
            Kind::Deletion => self.go_on(conn, job).await,
        }
    }

    async fn go_on(&self, conn: &mut Connection, job: &Job) -> Result<(), Error> {
        let account = &job.account;
        let Some(mut claimed) = deletions::lock(conn, account, job.id).await? else {
            return Ok(jobs::remove(conn, account, job.id).await?);
        };
        if claimed.operation.state.is_over() {
            return Ok(jobs::remove(conn, account, job.id).await?);
        }
        let caller = acting(account, &claimed.client, &claimed.operation.created_by, &claimed.request_id)?;
        if self.remove_some(conn, job, &caller, &claimed.operation).await? {
            return Ok(jobs::put_back(conn, account, job.id, self.clock.now(), 0, job.batches).await?);
        }
        if claimed.operation.cancel_asked {
            let place = claimed.place.clone();
            self.give_up(conn, account, &mut claimed.operation, &place, State::Cancelled, None).await?;
            return Ok(jobs::remove(conn, account, job.id).await?);
        }
        let operation = &mut claimed.operation;
        let at = self.clock.now();
        operation.state = State::Running;
        operation.started_at.get_or_insert(at);
        let stamp = Stamp { deletion_id: operation.id, at, by: caller.user_id.clone() };
        // A batch that lost a race waits for nobody the next time: what is locked is busy.
        let which = if job.failures == 0 { Try::Early } else { Try::Last };
        let next = match operation.action {
            Action::Delete => {
                let filter =
                    claimed.sealed_filter.as_deref().map(|sealed| self.open_filter(job.id, sealed)).transpose()?;
                match &filter {
                    Some(filter) => {
                        self.delete_matching(conn, &caller, operation, filter, &claimed.place, &stamp, which).await?
                    }
                    None => self.delete_chunk(conn, &caller, operation, &stamp, which).await?,
                }
            }
            Action::Undo | Action::Restore | Action::Purge => {
                self.restore_part(conn, &caller, operation, &claimed.place, &stamp, which).await?
            }
        };
        match next {
            Some(place) => {
                deletions::update(conn, account, operation, &place).await?;
                Ok(jobs::put_back(conn, account, job.id, at, 0, job.batches).await?)
            }
            // What is being removed is not gone yet.
            None if kinds::lock_removed_by(conn, account, &operation.target, operation.id).await?.is_some() => {
                deletions::update(conn, account, operation, &claimed.place).await?;
                Ok(jobs::put_back(conn, account, job.id, at, 0, job.batches).await?)
            }
            None => {
                operation.requested = Some(operation.totals.succeeded + operation.totals.failed);
                operation.state = operation.totals.end();
                operation.finished_at = Some(at);
                deletions::update(conn, account, operation, &claimed.place).await?;
                Ok(jobs::remove(conn, account, job.id).await?)
            }
        }
    }

    /// The next chunk of things that were named. Answers where to go on; None when there is no more.
    async fn delete_chunk(
        &self,
        conn: &mut Connection,
        caller: &Caller,
        operation: &mut Operation,
        stamp: &Stamp,
        which: Try,
    ) -> Result<Option<String>, Error> {
        let account = &caller.account_id;
        let Some(chunk) = deletions::next_chunk(conn, account, operation.id).await? else { return Ok(None) };
        let sealed = chunk.sealed_items.ok_or(Error::Internal("things that were named have names"))?;
        let items = self.open_items(operation.id, chunk.first_position, &sealed)?;
        let request = self.request(operation, items);
        let locked = lock(conn, caller, &request, which).await?;
        let told = self.delete_batch(conn, caller, operation, &request, locked, stamp).await?;
        deletions::tell(conn, account, operation.id, chunk.first_position, &told).await?;
        operation.totals.add(&told);
        Ok(Some(String::new()))
    }

    /// The next things that the filter takes, after a place.
    #[expect(clippy::too_many_arguments, reason = "all of a batch")]
    async fn delete_matching(
        &self,
        conn: &mut Connection,
        caller: &Caller,
        operation: &mut Operation,
        filter: &Filter,
        place: &str,
        stamp: &Stamp,
        which: Try,
    ) -> Result<Option<String>, Error> {
        let account = &caller.account_id;
        let among = among(filter, operation.options.mode);
        let limit = i64::try_from(BATCH).unwrap_or(i64::MAX);
        let part = Part::After(place, limit);
        if operation.options.mode == Mode::Soft
            && which == Try::Early
            && let Some(next) = self.sweep(conn, caller, operation, filter, part, stamp).await?
        {
            return Ok(next);
        }
        let target = operation.target.clone();
        let rows = kinds::matching(conn, account, &target, filter, among, part).await?;
        let Some(last) = rows.last().map(|row| row.id.clone()) else { return Ok(None) };
        let request = self.request(operation, rows.iter().map(|row| Identifier::Id(row.id.clone())).collect());
        let mut locked = lock(conn, caller, &request, which).await?;
        // A row of the same version is the same row, and is still taken. What else is so, a statement of its own tells,
        // which sees what is newer than the locks.
        let looks_beyond_rows = filter.looks_beyond_rows(Resource::from_target(&target));
        let is_doubtful = |row: &&Written| {
            let found = locked.found.get(&RowId::stored(row.id.clone()));
            found.is_some_and(|found| !found.busy && (looks_beyond_rows || found.version != row.version))
        };
        let doubtful: Vec<&str> = rows.iter().filter(is_doubtful).map(|row| row.id.as_str()).collect();
        if !doubtful.is_empty() {
            let still = kinds::matching(conn, account, &target, filter, among, Part::Of(place, &doubtful)).await?;
            let still: HashSet<String> = still.into_iter().map(|row| row.id).collect();
            for id in doubtful.into_iter().filter(|id| !still.contains(*id)) {
                locked.found.remove(&RowId::stored(id.to_owned()));
            }
        }
        let told = self.delete_batch(conn, caller, operation, &request, locked, stamp).await?;
        // What the filter did not take any more when it was locked is none of the deletion's business.
        let (items, told): (Vec<Identifier>, Vec<Told>) = request
            .items
            .into_iter()
            .zip(told)
            .filter(|(_, told)| told.word != Reason::NotFound.code() && told.word != Reason::AlreadyDeleted.code())
            .unzip();
        self.add_told(conn, account, operation, &items, &told).await?;
        Ok(Some(last))
    }

    /// The next things that the filter takes, when nothing is to be decided on any of them. Answers where to go on; None
    /// where that is not so.
    async fn sweep(
        &self,
        conn: &mut Connection,
        caller: &Caller,
        operation: &mut Operation,
        filter: &Filter,
        part: Part<'_>,
        stamp: &Stamp,
    ) -> Result<Option<Option<String>>, Error> {
        let target = operation.target.clone();
        let kept = Kept { first_position: operation.totals.succeeded + operation.totals.failed + 1, word: DELETED };
        let parent = target.within();
        let entry = entry(&target, &parent, ledger::Action::Deleted, stamp);
        let Some(swept) = kinds::sweep(conn, caller, &target, filter, part, &entry, kept).await? else {
            return Ok(None);
        };
        if swept.rows != swept.locked {
            // A row changed between the look and the lock: it is looked for anew.
            return Err(Error::Busy);
        }
        operation.totals.add_done(DELETED, swept.rows);
        within(&operation.options, usize::try_from(operation.totals.rows).unwrap_or(usize::MAX))?;
        Ok(Some(swept.last))
    }

    /// The next rows that the undone deletion took, after a place in the ledger.
    async fn restore_part(
        &self,
        conn: &mut Connection,
        caller: &Caller,
        operation: &mut Operation,
        place: &str,
        stamp: &Stamp,
        which: Try,
    ) -> Result<Option<String>, Error> {
        let account = &caller.account_id;
        let undone = operation.undoes.ok_or(Error::Internal("only an undo is done in the background"))?;
        let after = place.parse().unwrap_or(0);
        let resource = operation.target.resource();
        let Some(part) = ledger::next_part(conn, account, undone, resource, DELETED_ROWS, after).await? else {
            return Ok(None);
        };
        let by = By::Deletion(undone);
        let told = restore(conn, caller, &operation.target, &part.row_ids, by, stamp, which).await?;
        let items: Vec<Identifier> = part.row_ids.into_iter().map(Identifier::Id).collect();
        self.add_told(conn, account, operation, &items, &told).await?;
        Ok(Some(part.entry_id.to_string()))
    }

    /// Deletes what a request names, locked, and no more than may go. Answers what became of each thing: large lists that
    /// are to be gone for good are hidden, and go in batches of their own.
    async fn delete_batch(
        &self,
        conn: &mut Connection,
        caller: &Caller,
        operation: &Operation,
        request: &Request,
        locked: Locked,
        stamp: &Stamp,
    ) -> Result<Vec<Told>, Error> {
        let account = &caller.account_id;
        let mut plan = deletion::decide(&locked.keys, &locked.matches, &locked.found, &request.options);
        let rows = usize::try_from(operation.totals.rows).unwrap_or(usize::MAX).saturating_add(plan.rows());
        within(&request.options, rows)?;
        write(conn, caller, &request.target, request.options.mode, &plan, &locked.spots, stamp).await?;
        // What an earlier batch of the same request took was named twice.
        let missing: Vec<&str> = locked
            .keys
            .iter()
            .zip(&plan.outcomes)
            .filter(|(_, outcome)| says(outcome, Reason::NotFound))
            .filter_map(|(key, _)| match key {
                Some(Key::Id(id)) => Some(id.as_str()),
                _ => None,
            })
            .collect();
        let taken = match request.options.mode {
            Mode::Hard if !missing.is_empty() => ledger::took(conn, account, operation.id, &missing).await?,
            _ => Vec::new(),
        };
        let taken: HashSet<&str> = taken.iter().map(String::as_str).collect();
        for (key, outcome) in locked.keys.iter().zip(&mut plan.outcomes) {
            let rows = || key.as_ref().and_then(|key| locked.matches.get(key)).into_iter().flatten();
            let is_gone = says(outcome, Reason::NotFound) && rows().any(|row| taken.contains(row.as_str()));
            let is_trashed = says(outcome, Reason::AlreadyDeleted)
                && rows().filter_map(|row| locked.found.get(row)).any(|row| row.deletion_id == Some(operation.id));
            if is_gone || is_trashed {
                *outcome = Outcome::Failed(Reason::DuplicateInRequest.into());
            }
        }
        Ok(plan.outcomes.iter().map(Told::of).collect())
    }

    /// Takes a batch of people or records out of a list that an operation is removing, or the list itself when it is
    /// small enough. Answers whether there was such a list.
    async fn remove_some(
        &self,
        conn: &mut Connection,
        job: &Job,
        caller: &Caller,
        operation: &Operation,
    ) -> Result<bool, Error> {
        let (account, target) = (&job.account, &operation.target);
        let Some(list) = kinds::lock_removed_by(conn, account, target, operation.id).await? else { return Ok(false) };
        let stamp = Stamp { deletion_id: operation.id, at: self.clock.now(), by: caller.user_id.clone() };
        let action = ledger::Action::HardDeleted;
        let id = RowId::stored(list.id.clone());
        if kinds::large(conn, account, target, &[&id]).await?.is_empty() {
            remove_rows(conn, caller, target, &[id.as_str()], action, &stamp).await?;
        } else {
            kinds::remove_children(conn, caller, target, &id, action, &stamp).await?;
        }
        Ok(true)
    }

    pub(super) async fn add_told(
        &self,
        conn: &mut Connection,
        account: &AccountId,
        operation: &mut Operation,
        items: &[Identifier],
        told: &[Told],
    ) -> Result<(), Error> {
        if items.is_empty() {
            return Ok(());
        }
        let first = operation.totals.succeeded + operation.totals.failed + 1;
        // What the service found needs no name where each thing is the one row that changed.
        let has_names =
            |(item, told): (&Identifier, &Told)| !matches!(item, Identifier::Id(id) if told.rows == [&**id]);
        let sealed = match items.iter().zip(told).any(has_names) {
            true => Some(self.seal_items(operation.id, first, items)?),
            false => None,
        };
        let chunk =
            NewChunk { first_position: first, items: items.len(), sealed_items: sealed.as_deref(), told: Some(told) };
        deletions::insert_chunk(conn, account, operation.id, &chunk).await?;
        operation.totals.add(told);
        Ok(())
    }

    /// Ends an operation before its end: what it has not come to says so.
    pub(super) async fn give_up(
        &self,
        conn: &mut Connection,
        account: &AccountId,
        operation: &mut Operation,
        place: &str,
        state: State,
        failure: Option<&str>,
    ) -> Result<(), Error> {
        let word = Reason::Unprocessed.code();
        let mut after = place.parse().unwrap_or(0);
        while let Some(undone) = operation.undoes {
            let resource = operation.target.resource();
            let part = ledger::next_part(conn, account, undone, resource, DELETED_ROWS, after).await?;
            let Some(part) = part else { break };
            after = part.entry_id;
            let told = vec![Told::failed(&Reason::Unprocessed.into()); part.row_ids.len()];
            let items: Vec<Identifier> = part.row_ids.into_iter().map(Identifier::Id).collect();
            self.add_told(conn, account, operation, &items, &told).await?;
        }
        let rest = deletions::give_up(conn, account, operation.id, word).await?;
        if rest > 0 {
            operation.totals.failed += rest;
            *operation.totals.reasons.entry(word.to_owned()).or_default() += rest;
        }
        operation.requested.get_or_insert(operation.totals.succeeded + operation.totals.failed);
        operation.state = state;
        operation.failure = failure.map(str::to_owned);
        operation.finished_at = Some(self.clock.now());
        Ok(deletions::update(conn, account, operation, place).await?)
    }

    fn request(&self, operation: &Operation, items: Vec<Identifier>) -> Request {
        let target = operation.target.clone();
        Request { target, items, options: operation.options.clone(), note: None, is_kept: false }
    }

    fn open_filter(&self, deletion: Uuid, sealed: &[u8]) -> Result<Filter, Error> {
        let broken = || Error::Internal("a filter that is kept cannot be read");
        let text = self.sealer.open(&filter_of(deletion), sealed).map_err(|_| broken())?;
        serde_json::from_str(text.expose_secret()).map_err(|_| broken())
    }
}

/// Whether that is why nothing was done with a thing.
fn says(outcome: &Outcome, reason: Reason) -> bool {
    match outcome {
        Outcome::Deleted(_) => false,
        Outcome::Absent(why) => *why == reason,
        Outcome::Failed(failure) => failure.reason == reason,
    }
}
