//! Deletions, undos and restores are looked up: from what is kept of them, and
//! what nothing more is kept of, from the ledger.

use secrecy::ExposeSecret;
use uuid::Uuid;

use super::{Deletions, items_of};
use crate::domain::deletion::Reason;
use crate::domain::identifier::Identifier;
use crate::domain::identity::Caller;
use crate::domain::ids::AccountId;
use crate::domain::operation::{Action, BATCH, DELETED, Operation, PURGED, RESTORED, Resource, State, Told, Totals};
use crate::error::{Error, Thing};
use crate::repositories::deletions::{self, Chunk};
use crate::repositories::{Connection, ledger};

/// What became of one thing.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Its place among the things asked, from 1.
    pub position: i64,
    /// The thing as it was named, or by its id where the service found it.
    pub item: Option<Identifier>,
    /// What became of it.
    pub told: Told,
}

/// A page of outcomes.
#[derive(Clone, Debug, Default)]
pub struct Outcomes {
    /// What is on it, in the order asked.
    pub items: Vec<Outcome>,
    /// The position after which the next page begins. None on the last page.
    pub next: Option<i64>,
}

impl Deletions {
    /// A deletion, an undo or a restore.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when there is none of that id.
    pub async fn find(&self, caller: &Caller, id: Uuid) -> Result<Operation, Error> {
        self.database.transaction(&caller.account_id, async |conn, _| find(conn, &caller.account_id, id).await).await
    }

    /// Those that are kept, the newest first, that come after `before`, if it says one. A single deletion without a note
    /// is not among them.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn list(
        &self,
        caller: &Caller,
        resource: Option<Resource>,
        state: Option<State>,
        before: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<Operation>, Error> {
        self.database
            .transaction(&caller.account_id, async |conn, _| {
                Ok(deletions::list(conn, &caller.account_id, resource, state, before, limit).await?)
            })
            .await
    }

    /// What became of the things of an operation, from after a position on: those that say `word`, if it says one.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when there is none of that id.
    pub async fn outcomes(
        &self,
        caller: &Caller,
        id: Uuid,
        after: i64,
        word: Option<&str>,
        limit: usize,
    ) -> Result<Outcomes, Error> {
        let account = &caller.account_id;
        let (operation, parts) = self
            .database
            .transaction(account, async |conn, _| {
                let operation = find(conn, account, id).await?;
                let chunks = i64::try_from(limit.div_ceil(BATCH) + 1).unwrap_or(i64::MAX);
                let kept = deletions::chunks(conn, account, id, after + 1, word, chunks).await?;
                if !kept.is_empty() || deletions::find(conn, account, id).await?.is_some() {
                    return Ok((operation, Parts::Kept { may_have_more: kept.len() as i64 == chunks, chunks: kept }));
                }
                Ok((operation, Parts::Ledger(from_ledger(conn, account, id, after, limit).await?)))
            })
            .await?;
        let allow_missing = operation.options.allow_missing;
        let (told, may_have_more) = match parts {
            Parts::Ledger(rows) => {
                let done = operation.action.done();
                let outcome = |(position, id): (i64, String)| Outcome {
                    position,
                    item: Some(Identifier::Id(id.clone())),
                    told: Told::done(done, vec![id]),
                };
                let may_have_more = rows.len() > limit;
                (rows.into_iter().map(outcome).collect(), may_have_more)
            }
            Parts::Kept { chunks, may_have_more } => {
                let mut told = Vec::new();
                for chunk in chunks {
                    told.extend(self.unseal(id, chunk, allow_missing)?);
                }
                (told, may_have_more)
            }
        };
        let mut items: Vec<Outcome> = told
            .into_iter()
            .filter(|outcome: &Outcome| outcome.position > after && word.is_none_or(|word| outcome.told.word == word))
            .collect();
        let has_more = items.len() > limit || may_have_more;
        items.truncate(limit);
        let next = items.last().filter(|_| has_more).map(|outcome| outcome.position);
        Ok(Outcomes { items, next })
    }

    fn unseal(&self, deletion: Uuid, chunk: Chunk, allow_missing: bool) -> Result<Vec<Outcome>, Error> {
        let first = chunk.first_position;
        let items = chunk.sealed_items.map(|sealed| self.open_items(deletion, first, &sealed)).transpose()?;
        let mut items = items.map(Vec::into_iter);
        let mut item = |told: &Told| match (items.as_mut(), told.rows.as_slice()) {
            (Some(items), _) => items.next(),
            (None, [row]) => Some(Identifier::Id(row.clone())),
            (None, _) => None,
        };
        let outcome = |(position, told): (i64, Told)| Outcome {
            position,
            item: item(&told),
            told: Told { is_done: is_done(&told.word, allow_missing), ..told },
        };
        Ok((first..).zip(chunk.told.unwrap_or_default()).map(outcome).collect())
    }

    pub(super) fn open_items(
        &self,
        deletion: Uuid,
        first_position: i64,
        sealed: &[u8],
    ) -> Result<Vec<Identifier>, Error> {
        let broken = || Error::Internal("identifiers that are kept cannot be read");
        let text = self.sealer.open(&items_of(deletion, first_position), sealed).map_err(|_| broken())?;
        serde_json::from_str(text.expose_secret()).map_err(|_| broken())
    }
}

enum Parts {
    Kept { chunks: Vec<Chunk>, may_have_more: bool },
    Ledger(Vec<(i64, String)>),
}

fn is_done(word: &str, allow_missing: bool) -> bool {
    let is_missing = [Reason::NotFound.code(), Reason::AlreadyDeleted.code()].contains(&word);
    [DELETED, RESTORED, PURGED].contains(&word) || allow_missing && is_missing
}

pub(super) async fn find(conn: &mut Connection, account: &AccountId, id: Uuid) -> Result<Operation, Error> {
    if let Some(kept) = deletions::find(conn, account, id).await? {
        return Ok(kept);
    }
    let found = ledger::summary(conn, account, id).await?.ok_or(Error::NotFound(Thing::Deletion))?;
    let target = Resource::parse(&found.resource).and_then(|resource| resource.within(&found.within));
    let action = match found.action.as_str() {
        "restored" => Action::Restore,
        "purged" => Action::Purge,
        _ => Action::Delete,
    };
    let mode = if found.action == ledger::Action::HardDeleted.name() { "hard" } else { "soft" };
    let reasons = [(action.done().to_owned(), found.rows)];
    let target = target.ok_or(Error::NotFound(Thing::Deletion))?;
    Ok(Operation {
        options: Operation::options(mode, false, "all", false, None),
        state: State::Succeeded,
        requested: Some(found.rows),
        totals: Totals { succeeded: found.rows, failed: 0, rows: found.rows, reasons: reasons.into() },
        started_at: Some(found.at),
        finished_at: Some(found.at),
        ..Operation::new(id, action, target, &found.actor_user, found.at)
    })
}

/// The rows of a deletion that come after so many, with their positions, one more than `limit`.
async fn from_ledger(
    conn: &mut Connection,
    account: &AccountId,
    id: Uuid,
    after: i64,
    limit: usize,
) -> Result<Vec<(i64, String)>, Error> {
    let Some(found) = ledger::summary(conn, account, id).await? else { return Ok(Vec::new()) };
    let (mut rows, mut entry, mut position) = (Vec::new(), 0, 0);
    while rows.len() <= limit {
        let Some(part) = ledger::next_part(conn, account, id, &found.resource, &found.action, entry).await? else {
            break;
        };
        entry = part.entry_id;
        for row in part.row_ids {
            position += 1;
            if position > after {
                rows.push((position, row));
            }
        }
    }
    Ok(rows)
}
