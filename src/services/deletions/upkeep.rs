//! An account's upkeep: its trash is emptied as its retention says, and what is kept for a time is dropped. One bounded
//! batch in each transaction; it goes on where it was, whatever dies in between.

use time::Duration;

use super::kinds::NextOver;
use super::{Deletions, acting, entry, kinds, remove_rows};
use crate::domain::deletion::{Mode, Options, RowId, Target};
use crate::domain::identifier::Identifier;
use crate::domain::identity::Caller;
use crate::domain::ids::{self, AccountId};
use crate::domain::operation::{Action, BATCH, Operation, PURGED, Resource, State, Told};
use crate::domain::trash::Retention;
use crate::error::Error;
use crate::repositories::jobs::{self, Job};
use crate::repositories::retention;
use crate::repositories::trash::purge::{Over, OverRow, Place};
use crate::repositories::trash::sweep::Kept;
use crate::repositories::{Connection, Stamp, deletions, idempotency, ledger};

/// How long what was asked, and what became of it, is kept.
pub const KEPT_FOR: Duration = Duration::days(30);

/// How long after a run the next one begins.
const BETWEEN_RUNS: Duration = Duration::hours(1);

/// The most batches of a run; the rest waits for the next run.
const MAX_BATCHES: i32 = 2_000;

/// Every so many batches of a run, what has been kept for long enough is looked for before the trash is: neither waits for the
/// other's end.
const BATCHES_BETWEEN_DROPS: i32 = 16;

/// How long the items of a deletion may be on their way.
const MAX_RECEIVING: Duration = Duration::hours(2);

impl Deletions {
    /// How long each kind is kept in the trash, in days. None for ever.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn retention(&self, caller: &Caller) -> Result<Vec<Retention>, Error> {
        self.database
            .transaction(&caller.account_id, async |conn, _| Ok(retention::all(conn, &caller.account_id).await?))
            .await
    }

    /// Sets how long kinds are kept in the trash, in days, 1 to 3,650; None for ever.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn set_retention(
        &self,
        caller: &Caller,
        days: &[(Resource, Option<i32>)],
    ) -> Result<Vec<Retention>, Error> {
        let set = self
            .database
            .transaction(&caller.account_id, async |conn, _| {
                let now = self.clock.now();
                for (resource, days) in days {
                    retention::set(conn, caller, *resource, *days, now).await?;
                }
                let id = ids::generate_uuid(now);
                jobs::want_upkeep(conn, &caller.account_id, id, now).await?;
                Ok(retention::all(conn, &caller.account_id).await?)
            })
            .await?;
        self.wake.notify_one();
        Ok(set)
    }

    /// The next batch of an account's upkeep. A kind whose batches fail does not keep the others from their turn.
    pub(super) async fn keep_up(&self, conn: &mut Connection, job: &Job) -> Result<(), Error> {
        let (account, now) = (&job.account, self.clock.now());
        let mut settings = retention::all(conn, account).await?;
        let turn = usize::try_from(job.failures).unwrap_or(0) % settings.len().max(1);
        settings.rotate_left(turn);
        let drops_first = job.batches % BATCHES_BETWEEN_DROPS == 0;
        let mut did_something = drops_first && self.drop_what_is_old(conn, job).await?;
        for setting in settings {
            did_something = did_something || self.purge_some(conn, job, &setting).await?;
        }
        did_something = did_something || !drops_first && self.drop_what_is_old(conn, job).await?;
        if did_something && job.batches < MAX_BATCHES {
            return Ok(jobs::put_back(conn, account, job.id, now, 0, job.batches + 1).await?);
        }
        deletions::end_purges(conn, account, None, now).await?;
        Ok(jobs::put_back(conn, account, job.id, now + BETWEEN_RUNS, 0, 0).await?)
    }

    /// Drops what has been kept for long enough, and ends what was never sent to its end. Answers whether there was something.
    async fn drop_what_is_old(&self, conn: &mut Connection, job: &Job) -> Result<bool, Error> {
        let (account, now) = (&job.account, self.clock.now());
        let most = i64::try_from(BATCH).unwrap_or(i64::MAX);
        let mut ended = 0;
        for id in deletions::still_receiving(conn, account, now - MAX_RECEIVING, 10).await? {
            if let Some(mut operation) = self.receiving(conn, account, id).await? {
                self.give_up(conn, account, &mut operation, "", State::Failed, Some("BROKE_OFF")).await?;
                ended += 1;
            }
        }
        let dropped = deletions::drop_old(conn, account, now - KEPT_FOR, 50).await?
            + idempotency::remove_expired(conn, account, now, most).await?;
        Ok(ended + dropped > 0)
    }

    /// Purges a batch of one kind. Answers whether there was something to purge.
    async fn purge_some(&self, conn: &mut Connection, job: &Job, setting: &Retention) -> Result<bool, Error> {
        let (account, now) = (&job.account, self.clock.now());
        let Some(days) = setting.days else { return Ok(false) };
        let over = Over {
            now,
            deleted_before: now - Duration::days(days.into()),
            promised_until: setting.promised_until.unwrap_or(now),
        };
        if let Some((mut operation, place)) = deletions::lock_purge(conn, account, setting.resource).await? {
            if self.purge_next(conn, account, setting, over, &mut operation, &place).await? {
                return Ok(true);
            }
            deletions::end_purges(conn, account, Some(setting.resource), now).await?;
        }
        let Some(target) = kinds::next_over(conn, account, setting.resource, over).await? else { return Ok(false) };
        let mut operation = self.purge(&target, setting);
        let caller = acting(account, &setting.set_by_client, &setting.set_by, &operation.id.to_string())?;
        deletions::insert(conn, &caller, &operation, None, None).await?;
        match self.purge_next(conn, account, setting, over, &mut operation, "").await? {
            true => Ok(true),
            // What was over a moment ago is so no more: of a purge of nothing, nothing stays.
            false => Err(Error::Busy),
        }
    }

    /// Purges the next things of an operation, after its place. What others have locked is left for the next run. Answers
    /// whether there were any.
    async fn purge_next(
        &self,
        conn: &mut Connection,
        account: &AccountId,
        setting: &Retention,
        over: Over,
        operation: &mut Operation,
        place: &str,
    ) -> Result<bool, Error> {
        let target = operation.target.clone();
        let caller = acting(account, &setting.set_by_client, &setting.set_by, &operation.id.to_string())?;
        let stamp = Stamp { deletion_id: operation.id, at: over.now, by: caller.user_id.clone() };
        let parent = target.within();
        let entry = entry(&target, &parent, ledger::Action::Purged, &stamp);
        let kept = Kept { first_position: operation.totals.succeeded + 1, word: PURGED };
        let after = Place::parse(place);
        let mut rows = match kinds::purge_over(conn, &caller, &target, over, &after, &entry, kept).await? {
            NextOver::Gone(None) => return Ok(false),
            NextOver::Gone(Some(gone)) => {
                operation.totals.add_done(PURGED, gone.rows);
                deletions::update(conn, account, operation, &gone.place.to_string()).await?;
                return Ok(true);
            }
            NextOver::Locked(rows) if rows.is_empty() => return Ok(false),
            NextOver::Locked(rows) => rows,
        };
        let ids: Vec<RowId> = rows.iter().map(|row| RowId::stored(row.id.clone())).collect();
        let large = kinds::large(conn, account, &target, &ids.iter().collect::<Vec<_>>()).await?;
        rows.retain(|row| !large.contains(&RowId::stored(row.id.clone())));
        match ids.iter().find(|id| large.contains(*id)) {
            // From now on it does not come back.
            Some(list) if rows.is_empty() => {
                kinds::mark_removing(conn, account, &target, &[list], operation.id).await?;
                kinds::remove_children(conn, &caller, &target, list, ledger::Action::Purged, &stamp).await?;
            }
            _ => {
                // What is large is still there, and is next.
                let next = rows.last().filter(|_| large.is_empty()).map_or(after, Place::behind);
                self.purge_rows(conn, &caller, operation, &rows, &next.to_string(), &stamp).await?;
            }
        }
        Ok(true)
    }

    async fn purge_rows(
        &self,
        conn: &mut Connection,
        caller: &Caller,
        operation: &mut Operation,
        rows: &[OverRow],
        next: &str,
        stamp: &Stamp,
    ) -> Result<(), Error> {
        let (account, target) = (&caller.account_id, operation.target.clone());
        let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
        remove_rows(conn, caller, &target, &ids, ledger::Action::Purged, stamp).await?;
        let told: Vec<Told> = ids.iter().map(|id| Told::done(PURGED, vec![(*id).to_owned()])).collect();
        let items: Vec<Identifier> = ids.iter().map(|id| Identifier::Id((*id).to_owned())).collect();
        self.add_told(conn, account, operation, &items, &told).await?;
        Ok(deletions::update(conn, account, operation, next).await?)
    }

    fn purge(&self, target: &Target, setting: &Retention) -> Operation {
        let now = self.clock.now();
        Operation {
            options: Options { mode: Mode::Hard, ..Options::default() },
            state: State::Running,
            started_at: Some(now),
            ..Operation::new(ids::generate_uuid(now), Action::Purge, target.clone(), &setting.set_by, now)
        }
    }
}
