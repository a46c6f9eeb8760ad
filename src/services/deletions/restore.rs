//! What is in the trash comes back: what a deletion took, or what is named.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::lookup::{self, Outcome};
use super::{Deletions, entry, kinds};
use crate::domain::deletion::{Failure, Mode, Reason, RowId, Target};
use crate::domain::identifier::Identifier;
use crate::domain::identity::Caller;
use crate::domain::operation::{Action, BATCH, Details, Operation, RESTORED, Told};
use crate::domain::page::{LastChange, Page};
use crate::domain::trash::{Search, Trashed};
use crate::error::{Error, Thing};
use crate::postgres::Try;
use crate::repositories::deletions::NewChunk;
use crate::repositories::trash::search;
use crate::repositories::{self, Connection, LockedRow, Stamp, Wait, deletions, jobs, ledger, retention};

/// What the ledger says of rows that can come back.
pub(super) const DELETED_ROWS: &str = ledger::Action::Deleted.name();

/// By which deletion a row must be in the trash to be restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// Whichever.
    Any,
    /// This one.
    Deletion(Uuid),
}

impl Deletions {
    /// Restores what a deletion took and is still in the trash by it. Up to 1,000 rows are restored before the answer,
    /// more in the background.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when there is no such deletion; [`Error::WrongState`] when it was a hard one or none, or is
    /// not over.
    pub async fn undo(
        &self,
        caller: &Caller,
        id: Uuid,
        note: Option<String>,
    ) -> Result<(Operation, Vec<Outcome>), Error> {
        let account = &caller.account_id;
        self.database
            .transaction(account, async |conn, which| {
                let undone = lookup::find(conn, account, id).await?;
                if undone.action != Action::Delete {
                    return Err(Error::WrongState("Only a deletion can be undone"));
                }
                if undone.options.mode == Mode::Hard {
                    return Err(Error::WrongState("A hard deletion cannot be undone"));
                }
                if !undone.state.is_over() {
                    return Err(Error::WrongState("The deletion is not over yet; cancel it first"));
                }
                let stamp = self.stamp(caller);
                let by = stamp.by.as_str();
                let mut operation = Operation {
                    note: note.clone(),
                    undoes: Some(id),
                    requested: Some(undone.totals.rows),
                    ..Operation::new(stamp.deletion_id, Action::Undo, undone.target.clone(), by, stamp.at)
                };
                if usize::try_from(undone.totals.rows).unwrap_or(usize::MAX) > BATCH {
                    deletions::insert(conn, caller, &operation, None, None).await?;
                    jobs::insert(conn, account, operation.id, stamp.at).await?;
                    return Ok((operation, Vec::new()));
                }
                let mut rows = Vec::new();
                let mut entry = 0;
                while let Some(part) =
                    ledger::next_part(conn, account, id, undone.target.resource(), DELETED_ROWS, entry).await?
                {
                    entry = part.entry_id;
                    rows.extend(part.row_ids);
                }
                let told = restore(conn, caller, &undone.target, &rows, By::Deletion(id), &stamp, which).await?;
                let items: Vec<Identifier> = rows.into_iter().map(Identifier::Id).collect();
                self.keep_restored(conn, caller, &mut operation, &items, &told).await?;
                Ok((operation, outcomes(items, told)))
            })
            .await
    }

    /// Restores what is named, from whichever deletion's trash.
    ///
    /// # Errors
    ///
    /// When the database fails. What happens to a single item is an outcome and not an error.
    pub async fn restore(
        &self,
        caller: &Caller,
        target: &Target,
        items: &[Identifier],
        note: Option<String>,
    ) -> Result<(Operation, Vec<Outcome>), Error> {
        let account = &caller.account_id;
        self.database
            .transaction(account, async |conn, which| {
                let stamp = self.stamp(caller);
                let by = stamp.by.as_str();
                let mut operation = Operation {
                    note: note.clone(),
                    requested: i64::try_from(items.len()).ok(),
                    ..Operation::new(stamp.deletion_id, Action::Restore, target.clone(), by, stamp.at)
                };
                let mut named = HashSet::new();
                let ids: Vec<Result<String, Reason>> = items
                    .iter()
                    .map(|item| {
                        // Two spellings of the same id name the same thing.
                        let Identifier::Id(id) = item else { return Err(Reason::InvalidIdentifier) };
                        if item.key(target).is_none() {
                            return Err(Reason::InvalidIdentifier);
                        }
                        let id = id.to_lowercase();
                        if named.insert(id.clone()) { Ok(id) } else { Err(Reason::DuplicateInRequest) }
                    })
                    .collect();
                let rows: Vec<String> = ids.iter().filter_map(|id| id.as_ref().ok().cloned()).collect();
                let restored = restore(conn, caller, target, &rows, By::Any, &stamp, which).await?;
                let mut restored = restored.into_iter();
                let told: Vec<Told> = ids
                    .into_iter()
                    .map(|id| match id {
                        Ok(_) => restored.next().unwrap_or_else(|| Told::failed(&Reason::NotFound.into())),
                        Err(reason) => Told::failed(&reason.into()),
                    })
                    .collect();
                self.keep_restored(conn, caller, &mut operation, items, &told).await?;
                Ok((operation, outcomes(items.to_vec(), told)))
            })
            .await
    }

    /// A page of what is in the trash, the last deleted first.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn trash(
        &self,
        caller: &Caller,
        wanted: &Search,
        page: &Page<LastChange<String>>,
    ) -> Result<Vec<Trashed>, Error> {
        self.database
            .transaction(&caller.account_id, async |conn, _| {
                let account = &caller.account_id;
                let mut wanted = wanted.clone();
                if let Some(deletion) = wanted.deletion_id {
                    // What a deletion took is found by when it did: by an index that there is anyway.
                    let during = ledger::deleted_during(conn, account, deletion).await?;
                    let Some((first, last)) = during else { return Ok(Vec::new()) };
                    wanted = wanted.between(first, last);
                }
                repositories::plan_for_values(conn).await?;
                let mut found = search::search(conn, account, &wanted, page.after_change(), page.limit).await?;
                let set = retention::all(conn, account).await?;
                for thing in &mut found {
                    let of_its_kind = set.iter().find(|setting| setting.resource == thing.resource);
                    if let Some((setting, days)) = of_its_kind.and_then(|setting| Some((setting, setting.days?))) {
                        let promised = thing.purge_at.or(setting.promised_until);
                        thing.purge_at = promised.max(Some(thing.deleted_at + time::Duration::days(days.into())));
                    }
                }
                Ok(found)
            })
            .await
    }

    /// Ends a restore that was done as a whole, and keeps what became of each thing.
    async fn keep_restored(
        &self,
        conn: &mut Connection,
        caller: &Caller,
        operation: &mut Operation,
        items: &[Identifier],
        told: &[Told],
    ) -> Result<(), Error> {
        operation.end_at_once(told);
        let sealed = self.seal_items(operation.id, 1, items)?;
        let chunk = NewChunk { first_position: 1, items: told.len(), sealed_items: Some(&sealed), told: Some(told) };
        deletions::insert(conn, caller, operation, None, Some(&chunk).filter(|chunk| chunk.items > 0)).await?;
        Ok(())
    }
}

/// Restores rows, each named once. Answers what became of each, in the order asked. A row that cannot be locked by the
/// last try is busy.
pub(super) async fn restore(
    conn: &mut Connection,
    caller: &Caller,
    target: &Target,
    rows: &[String],
    by: By,
    stamp: &Stamp,
    which: Try,
) -> Result<Vec<Told>, Error> {
    let account = &caller.account_id;
    let ids: Vec<RowId> = rows.iter().cloned().map(RowId::stored).collect();
    let mut sorted: Vec<&RowId> = ids.iter().collect();
    sorted.sort();
    let wait = if which == Try::Last { Wait::Skip } else { Wait::Block };
    let locked: HashMap<String, LockedRow> =
        kinds::lock(conn, account, target, &sorted, wait).await?.into_iter().map(|row| (row.id.clone(), row)).collect();
    let mut busy: HashSet<RowId> = HashSet::new();
    if wait == Wait::Skip {
        let skipped: Vec<&RowId> = sorted.iter().copied().filter(|id| !locked.contains_key(id.as_str())).collect();
        busy = kinds::existing(conn, account, target, &skipped).await?.into_iter().collect();
    }
    // What follows is newer than the locks.
    let has_parent = match kinds::require_visible(conn, account, target).await {
        Ok(()) => true,
        Err(Error::NotFound(Thing::RecordList)) => false,
        Err(other) => return Err(other),
    };
    let trashed: Vec<&RowId> =
        ids.iter().filter(|id| locked.get(id.as_str()).is_some_and(|row| row.trashed && is_by(row, by))).collect();
    let known: HashMap<String, _> = kinds::known(conn, account, target, &trashed)
        .await?
        .into_iter()
        .map(|known| (known.id.clone(), known))
        .collect();
    let removing = kinds::removing(conn, account, target, &trashed).await?;
    let mut taken: HashMap<String, RowId> = HashMap::new();
    let mut restored: Vec<&RowId> = Vec::new();
    let decided: Vec<Result<(), Failure>> = ids
        .iter()
        .map(|id| {
            let Some(row) = locked.get(id.as_str()) else {
                let reason = match (busy.contains(id), by) {
                    (true, _) => Reason::Busy,
                    (false, By::Deletion(_)) => Reason::AlreadyPurged,
                    (false, By::Any) => Reason::NotFound,
                };
                return Err(reason.into());
            };
            if !row.trashed || !is_by(row, by) {
                return Err(Reason::AlreadyRestored.into());
            }
            if removing.contains(id) {
                return Err(Reason::AlreadyPurged.into());
            }
            if !has_parent {
                return Err(Reason::ParentDeleted.into());
            }
            let known = known.get(id.as_str());
            let holder = known.and_then(|known| known.holder.clone()).map(RowId::stored);
            let key = known.and_then(|known| known.key.clone());
            let holder = holder.or_else(|| key.as_ref().and_then(|key| taken.get(key).cloned()));
            if let Some(holder) = holder {
                return Err(Failure { conflicting: Some(holder), ..Reason::KeyRetaken.into() });
            }
            taken.extend(key.map(|key| (key, id.clone())));
            restored.push(id);
            Ok(())
        })
        .collect();
    let written = match restored.as_slice() {
        [] => Vec::new(),
        some => kinds::restore(conn, account, target, some, stamp.at).await?,
    };
    if written.len() != restored.len() {
        return Err(Error::Internal("fewer rows were restored than were decided"));
    }
    let within = target.within();
    ledger::append(conn, caller, &entry(target, &within, ledger::Action::Restored, stamp), &written).await?;
    let mut missing = kinds::missing_lists(conn, account, target, &restored).await?;
    Ok(ids
        .iter()
        .zip(decided)
        .map(|(id, decided)| match decided {
            Ok(()) => {
                let missing_lists = missing.remove(id.as_str()).unwrap_or_default();
                let details = Details { missing_lists, ..Details::default() };
                let told = Told::done(RESTORED, vec![id.as_str().to_owned()]);
                Told { details: Some(details).filter(|details| *details != Details::default()), ..told }
            }
            Err(failure) => Told::failed(&failure),
        })
        .collect())
}

fn outcomes(items: Vec<Identifier>, told: Vec<Told>) -> Vec<Outcome> {
    let outcome = |(position, (item, told))| Outcome { position, item: Some(item), told };
    (1..).zip(items.into_iter().zip(told)).map(outcome).collect()
}

fn is_by(row: &LockedRow, by: By) -> bool {
    match by {
        By::Any => true,
        By::Deletion(id) => row.deletion_id == Some(id),
    }
}
