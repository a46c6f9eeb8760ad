//! An account's upkeep: its trash is emptied as its retention says, and what is kept for a time is dropped. One bounded
//! batch in each transaction; it goes on where it was, whatever dies in between.

use std::collections::HashSet;

use time::Duration;

use super::{Deletions, kinds, record};
use crate::domain::deletion::{Options, RowId, Target};
use crate::domain::identifier::Identifier;
use crate::domain::identity::Caller;
use crate::domain::ids::{ClientId, UserId};
use crate::domain::operation::{Action, BATCH, Operation, PURGED, Resource, State, Told, Totals};
use crate::domain::trash::Retention;
use crate::error::Error;
use crate::repositories::jobs::{self, Job};
use crate::repositories::retention;
use crate::repositories::trash::purge::Over;
use crate::repositories::{Connection, Stamp, Written, contact_list_members, deletions, idempotency, ledger, records};

/// How long what was asked, and what became of it, is kept.
pub const KEPT_FOR: Duration = Duration::days(30);

/// How long after a run the next one begins.
const BETWEEN_RUNS: Duration = Duration::hours(1);

/// The most rows that a run purges of one kind; the rest waits for the next run.
const MAX_IN_A_RUN: i64 = 1_000_000;

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
                let id = crate::domain::ids::generate_uuid(now);
                jobs::want_upkeep(conn, &caller.account_id, id, now).await?;
                Ok(retention::all(conn, &caller.account_id).await?)
            })
            .await?;
        self.wake.notify_one();
        Ok(set)
    }

    /// The next batch of an account's upkeep.
    pub(super) async fn keep_up(&self, conn: &mut Connection, job: &Job) -> Result<(), Error> {
        let (account, now) = (&job.account, self.clock.now());
        let most = i64::try_from(BATCH).unwrap_or(i64::MAX);
        let mut has_more = false;
        for setting in retention::all(conn, account).await? {
            if self.purge_some(conn, job, &setting).await? {
                has_more = true;
                break;
            }
        }
        if !has_more {
            deletions::end_purges(conn, account, now).await?;
            let dropped = deletions::drop_old(conn, account, now - KEPT_FOR, 50).await?
                + idempotency::remove_expired(conn, account, now, most).await?;
            has_more = dropped > 0;
        }
        let due_at = if has_more { now } else { now + BETWEEN_RUNS };
        Ok(jobs::put_back(conn, account, job.id, due_at, 0).await?)
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
        let Some(target) = kinds::next_over(conn, account, setting.resource, over).await? else { return Ok(false) };
        let under_way = deletions::lock_purge(conn, account, setting.resource, &target.within()).await?;
        let is_new = under_way.is_none();
        let mut operation = under_way.unwrap_or_else(|| self.purge(&target, setting));
        if operation.totals.rows >= MAX_IN_A_RUN {
            return Ok(false);
        }
        let caller = caller(job, setting, &operation)?;
        let most = i64::try_from(BATCH).unwrap_or(i64::MAX);
        let mut rows = kinds::lock_over(conn, account, &target, over, most).await?;
        let stamp = Stamp { deletion_id: operation.id, at: now, by: caller.user_id.clone() };
        let lists: Vec<RowId> = rows.iter().map(|row| RowId::stored(row.id.clone())).collect();
        let held = held(conn, job, &target, &lists).await?;
        rows.retain(|row| !held.contains(&row.id));
        let lists: Vec<&RowId> = lists.iter().filter(|list| !held.contains(list.as_str())).collect();
        if rows.is_empty() {
            return Ok(false);
        }
        if is_new {
            deletions::insert(conn, &caller, &operation, None, None).await?;
        }
        if let Some(large) = kinds::first_large(conn, account, &target, &lists).await? {
            let children = kinds::remove_children(conn, account, &target, &large, &stamp).await?;
            let action = ledger::Action::Purged;
            record(conn, &caller, children.resource, &children.within, action, &stamp, &children.rows).await?;
            return Ok(true);
        }
        self.purge_rows(conn, &caller, &mut operation, &rows, &stamp).await?;
        Ok(true)
    }

    async fn purge_rows(
        &self,
        conn: &mut Connection,
        caller: &Caller,
        operation: &mut Operation,
        rows: &[Written],
        stamp: &Stamp,
    ) -> Result<(), Error> {
        let (account, target) = (&caller.account_id, operation.target.clone());
        let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
        let removed = kinds::remove(conn, account, &target, &ids, stamp).await?;
        // Row security leaves out in silence what it does not let go.
        if removed.rows != rows.len() as u64 {
            return Err(Error::Internal("fewer rows were purged than were decided"));
        }
        let action = ledger::Action::Purged;
        for children in removed.children {
            record(conn, caller, children.resource, &children.within, action, stamp, &children.rows).await?;
        }
        record(conn, caller, target.resource(), &target.within(), action, stamp, rows).await?;
        let told: Vec<Told> = ids.iter().map(|id| Told::done(PURGED, vec![(*id).to_owned()])).collect();
        let items: Vec<Identifier> = ids.iter().map(|id| Identifier::Id((*id).to_owned())).collect();
        self.add_told(conn, account, operation, &items, &told).await?;
        Ok(deletions::update(conn, account, operation, "").await?)
    }

    fn purge(&self, target: &Target, setting: &Retention) -> Operation {
        let now = self.clock.now();
        Operation {
            id: crate::domain::ids::generate_uuid(now),
            action: Action::Purge,
            target: target.clone(),
            options: Options { mode: crate::domain::deletion::Mode::Hard, ..Options::default() },
            note: None,
            undoes: None,
            state: State::Running,
            cancel_asked: false,
            requested: None,
            totals: Totals::default(),
            failure: None,
            created_by: setting.set_by.clone(),
            created_at: now,
            started_at: Some(now),
            finished_at: None,
            undo_until: None,
        }
    }
}

/// Lists that have somebody or something on hold below them, since they were looked for.
async fn held(conn: &mut Connection, job: &Job, target: &Target, lists: &[RowId]) -> Result<HashSet<String>, Error> {
    let texts: Vec<&str> = lists.iter().map(RowId::as_str).collect();
    Ok(match target {
        Target::ContactLists(_) => contact_list_members::lists_with_held(conn, &job.account, &texts).await?,
        Target::RecordLists => {
            let ids: Vec<uuid::Uuid> = texts.iter().filter_map(|id| crate::domain::ids::parse_uuid(id)).collect();
            records::lists_with_held(conn, &job.account, &ids).await?
        }
        _ => Vec::new(),
    }
    .into_iter()
    .collect())
}

/// Whoever set the retention, as far as the ledger names them.
fn caller(job: &Job, setting: &Retention, operation: &Operation) -> Result<Caller, Error> {
    let unknown = || Error::Internal("who set the retention is not well formed");
    Ok(Caller {
        account_id: job.account.clone(),
        org_id: String::new(),
        client_id: ClientId::parse(&setting.set_by_client).ok_or_else(unknown)?,
        agent_id: String::new(),
        user_id: UserId::parse(&setting.set_by).ok_or_else(unknown)?,
        scopes: Vec::new(),
        request_id: operation.id.to_string(),
    })
}
