//! The one engine under every deletion of every family: select, lock in key
//! order, decide, write, ledger, commit. Kinds differ in `kinds.rs` only.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use secrecy::SecretString;
use time::OffsetDateTime;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::clock::Clock;
use crate::domain::campaign::{Campaign, CampaignType};
use crate::domain::contact::Contact;
use crate::domain::contact_list::ContactList;
use crate::domain::deletion::{
    self, Deletion, Failure, Found, Key, Mode, Options, Outcome, Plan, Request, RowId, Target,
};
use crate::domain::identifier::Identifier;
use crate::domain::identity::{Caller, Scope};
use crate::domain::ids::{self, AccountId, CampaignId, ClientId, ContactId, ContactListId, StreamId, UserId};
use crate::domain::operation::{Operation, State, Told};
use crate::error::{Error, Thing};
use crate::postgres::idempotency::Keyed;
use crate::postgres::{Database, Try};
use crate::repositories::deletions::NewChunk;
use crate::repositories::ledger::{Action, Entry};
use crate::repositories::singles::Single;
use crate::repositories::{self, Connection, Stamp, Visibility, Wait, jobs};
use crate::sealing::Sealer;

use super::campaigns::of_type;
use together::Queues;

mod kinds;
pub mod lookup;
pub mod queue;
pub mod restore;
pub mod together;
pub mod upkeep;
pub mod work;

/// The most rows that the items of one batch stand for: a number can be that of very many records, and what is done in one
/// transaction must end. A filter takes them all, in batches.
const MAX_MATCHES: usize = 10_000;

/// Deletes things of every kind.
#[derive(Clone)]
pub struct Deletions {
    database: Database,
    clock: Clock,
    sealer: Arc<Sealer>,
    /// Rung when there is something to do in the background.
    wake: Arc<Notify>,
    queues: Queues,
}

/// What the items of a request stand for, locked.
struct Locked {
    /// One for each item. None where what was sent has not the form of an identifier.
    keys: Vec<Option<Key>>,
    matches: HashMap<Key, Vec<RowId>>,
    found: HashMap<RowId, Found>,
    /// Where the rows lie, as the database says while they are locked.
    spots: HashMap<RowId, String>,
}

impl Deletions {
    pub(super) fn new(
        database: Database,
        clock: Clock,
        sealer: Arc<Sealer>,
        wake: Arc<Notify>,
        queues: Queues,
    ) -> Self {
        Self { database, clock, sealer, wake, queues }
    }

    /// Deletes many things and answers one outcome for each, in the order asked.
    ///
    /// # Errors
    ///
    /// [`Error::MissingScope`] for a hard deletion by a client that may not;
    /// [`Error::NotFound`] when the record list is not there;
    /// [`Error::MaxAffected`] when more rows would go than may. What happens to a
    /// single item is an outcome and not an error.
    pub async fn delete_many(&self, caller: &Caller, request: &Request) -> Result<Deletion, Error> {
        require_mode(caller, request.options.mode)?;
        self.database
            .transaction(&caller.account_id, async |conn, which| {
                let locked = lock(conn, caller, request, which).await?;
                self.carry_out(conn, caller, request, &locked, &self.stamp(caller)).await
            })
            .await
    }

    /// Deletes one contact. Answers it as the deletion leaves it.
    ///
    /// # Errors
    ///
    /// What [`Deletions::delete_many`] says of an item, as an error.
    pub async fn delete_contact(
        &self,
        caller: &Caller,
        stream: &StreamId,
        id: &ContactId,
        how: How,
    ) -> Result<(Deletion, Option<Contact>), Error> {
        let stamp = self.stamp(caller);
        if let Some(single) = single(caller, stream, id.clone(), &how, &stamp)
            && let Some(contact) = self.queues.contacts.delete(&self.database, single).await
        {
            return Ok((Deletion::of_one(stamp.deletion_id, stamp.at, id.clone().into()), Some(contact)));
        }
        let request = how.single(Target::Contacts(stream.clone()), id.to_string());
        let image =
            async |conn: &mut Connection| Ok(repositories::contacts::find(conn, &caller.account_id, stream, id).await?);
        let (deletion, contact) = self.delete_one(caller, &request, &stamp, Thing::Contact, image, |_| None).await?;
        let contact = contact.map(|contact| match deletion.rows() {
            0 => contact,
            _ => contact.deleted(deletion.at),
        });
        Ok((deletion, contact))
    }

    /// Deletes one contact list. Answers it as it was before.
    ///
    /// # Errors
    ///
    /// What [`Deletions::delete_many`] says of an item, as an error;
    /// [`Error::Refused`] names the campaigns that hold on to the list.
    pub async fn delete_contact_list(
        &self,
        caller: &Caller,
        stream: &StreamId,
        id: &ContactListId,
        how: How,
    ) -> Result<(Deletion, Option<ContactList>), Error> {
        let stamp = self.stamp(caller);
        if let Some(single) = single(caller, stream, id.clone(), &how, &stamp)
            && let Some(list) = self.queues.contact_lists.delete(&self.database, single).await
        {
            return Ok((Deletion::of_one(stamp.deletion_id, stamp.at, id.clone().into()), Some(list)));
        }
        let request = how.single(Target::ContactLists(stream.clone()), id.to_string());
        let image = async |conn: &mut Connection| {
            Ok(repositories::contact_lists::find(conn, &caller.account_id, stream, id, Visibility::WithTrash).await?)
        };
        let name = |list: &ContactList| Some(list.name.clone());
        let (deletion, list) = self.delete_one(caller, &request, &stamp, Thing::ContactList, image, name).await?;
        let list = list.map(|list| match request.options.mode {
            // It was deleted with others, and read after that.
            Mode::Soft if !list.live && deletion.rows() > 0 => list.before_deletion(),
            Mode::Soft | Mode::Hard => list,
        });
        Ok((deletion, list))
    }

    /// Deletes one campaign, of that type where one is named. Answers it as it was before.
    ///
    /// # Errors
    ///
    /// What [`Deletions::delete_many`] says of an item, as an error.
    pub async fn delete_campaign(
        &self,
        caller: &Caller,
        stream: &StreamId,
        id: &CampaignId,
        campaign_type: Option<CampaignType>,
        how: How,
    ) -> Result<(Deletion, Option<Campaign>), Error> {
        let request = how.single(Target::Campaigns(stream.clone()), id.to_string());
        let image = async |conn: &mut Connection| {
            let found =
                repositories::campaigns::find(conn, &caller.account_id, stream, id, Visibility::WithTrash).await?;
            found.map(|campaign| of_type(campaign, campaign_type)).transpose()
        };
        let stamp = self.stamp(caller);
        self.delete_one(caller, &request, &stamp, Thing::Campaign, image, |campaign| Some(campaign.name.clone())).await
    }

    /// Deletes one record list. Its records follow it.
    ///
    /// # Errors
    ///
    /// What [`Deletions::delete_many`] says of an item, as an error.
    pub async fn delete_record_list(&self, caller: &Caller, id: Uuid, how: How) -> Result<Deletion, Error> {
        let request = how.single(Target::RecordLists, id.to_string());
        let deletion = self.delete_many(caller, &request).await?;
        of_one(deletion).map_err(|failure| Error::refused(Thing::RecordList, &id.to_string(), None, failure))
    }

    /// Deletes what one key names in a record list: a record, or every record
    /// that has a number or an external reference.
    ///
    /// # Errors
    ///
    /// What [`Deletions::delete_many`] says of an item, as an error.
    pub async fn delete_records_of(
        &self,
        caller: &Caller,
        list: Uuid,
        item: Identifier,
        how: How,
    ) -> Result<Deletion, Error> {
        let request = how.of(Target::Records(list), item);
        let deletion = self.delete_many(caller, &request).await?;
        of_one(deletion).map_err(|failure| Error::refused(Thing::Record, "", None, failure))
    }

    async fn delete_one<T>(
        &self,
        caller: &Caller,
        request: &Request,
        stamp: &Stamp,
        thing: Thing,
        image: impl AsyncFn(&mut Connection) -> Result<Option<T>, Error>,
        name: impl Fn(&T) -> Option<String>,
    ) -> Result<(Deletion, Option<T>), Error> {
        require_mode(caller, request.options.mode)?;
        self.database
            .transaction(&caller.account_id, async |conn, which| {
                let locked = lock(conn, caller, request, which).await?;
                let image = image(conn).await?;
                let mut found = locked.found.values();
                if let Some(row) = found.find(|row| row.deletion_id == Some(stamp.deletion_id)) {
                    // It was deleted with others, by a statement of which nobody knew whether it was committed.
                    return Ok((Deletion::of_one(stamp.deletion_id, stamp.at, row.id.clone()), image));
                }
                let deletion = self.carry_out(conn, caller, request, &locked, stamp).await?;
                match (of_one(deletion), image) {
                    (Ok(deletion), None) if deletion.rows() > 0 => {
                        Err(Error::Internal("a row that was deleted could not be read before"))
                    }
                    (Ok(deletion), image) => Ok((deletion, image)),
                    (Err(failure), image) => {
                        let id = locked.found.keys().next().map(RowId::as_str).unwrap_or_default();
                        Err(Error::refused(thing, id, image.as_ref().and_then(&name), failure))
                    }
                }
            })
            .await
    }

    /// Decides, does it, and writes down what became of it, unless it is only to be said.
    async fn carry_out(
        &self,
        conn: &mut Connection,
        caller: &Caller,
        request: &Request,
        locked: &Locked,
        stamp: &Stamp,
    ) -> Result<Deletion, Error> {
        let options = &request.options;
        let plan = deletion::decide(&locked.keys, &locked.matches, &locked.found, options);
        within(options, plan.rows())?;
        let mut deletion = Deletion {
            id: stamp.deletion_id,
            at: stamp.at,
            is_validated_only: options.validate_only,
            is_kept: request.is_kept && !options.validate_only,
            undo_until: None,
            is_queued: false,
            outcomes: Vec::new(),
        };
        if !options.validate_only {
            let large = write(conn, caller, &request.target, options.mode, &plan, &locked.spots, stamp).await?;
            deletion.is_queued = !large.is_empty();
        }
        deletion.outcomes = plan.outcomes;
        if deletion.is_queued || deletion.is_kept {
            deletion.undo_until = self.keep(conn, caller, request, &deletion).await?;
        }
        if deletion.is_queued {
            // What is large is hidden, and goes in batches.
            jobs::insert(conn, &caller.account_id, deletion.id, deletion.at).await?;
            self.wake.notify_one();
        }
        Ok(deletion)
    }

    async fn keep(
        &self,
        conn: &mut Connection,
        caller: &Caller,
        request: &Request,
        deletion: &Deletion,
    ) -> Result<Option<OffsetDateTime>, Error> {
        let by = caller.user_id.as_str();
        let mut operation = Operation::done(&request.target, &request.options, request.note.clone(), by, deletion);
        if deletion.is_queued {
            operation.state = State::Running;
            operation.finished_at = None;
        }
        let told: Vec<Told> = deletion.outcomes.iter().map(Told::of).collect();
        let sealed = self.seal_items(deletion.id, 1, &request.items)?;
        let chunk = NewChunk { first_position: 1, items: told.len(), sealed_items: Some(&sealed), told: Some(&told) };
        Ok(repositories::deletions::insert(conn, caller, &operation, None, Some(&chunk)).await?)
    }

    /// Identifiers can be personal data: they are kept so that only we can read them, where they belong.
    fn seal_items(&self, deletion: Uuid, first_position: i64, items: &[Identifier]) -> Result<Vec<u8>, Error> {
        let text = serde_json::to_string(items).map_err(|_| Error::Internal("identifiers are JSON"))?;
        let sealed = self.sealer.seal(&items_of(deletion, first_position), &SecretString::from(text));
        sealed.map_err(|_| Error::Internal("identifiers cannot be sealed"))
    }

    fn stamp(&self, caller: &Caller) -> Stamp {
        let at = self.clock.now();
        Stamp { deletion_id: ids::generate_uuid(at), at, by: caller.user_id.clone() }
    }
}

/// How one thing is to be deleted.
#[derive(Clone, Debug, Default)]
pub struct How {
    /// The options.
    pub options: Options,
    /// What the caller says of it.
    pub note: Option<String>,
}

impl How {
    /// Whether it is a soft deletion that nothing more is asked of.
    fn is_plain(&self) -> bool {
        let plain = Options { allow_missing: self.options.allow_missing, ..Options::default() };
        self.options == plain && self.note.is_none()
    }

    fn single(self, target: Target, id: String) -> Request {
        self.of(target, Identifier::Id(id))
    }

    /// A single deletion is looked up from the ledger; only what its caller says of it must be kept beside.
    fn of(self, target: Target, item: Identifier) -> Request {
        Request { target, items: vec![item], options: self.options, is_kept: self.note.is_some(), note: self.note }
    }
}

/// A deletion that can be done together with others: one that nothing more is asked of.
fn single(caller: &Caller, stream: &StreamId, id: impl Into<RowId>, how: &How, stamp: &Stamp) -> Option<Single> {
    let is_plain = how.is_plain() && Keyed::current().is_none();
    is_plain.then(|| Single { caller: caller.clone(), stream: stream.clone(), id: id.into(), stamp: stamp.clone() })
}

/// Whoever asked for what goes on in the background, as far as the ledger names them.
fn acting(account: &AccountId, client: &str, user: &str, request_id: &str) -> Result<Caller, Error> {
    let unknown = || Error::Internal("who asked is not well formed");
    Ok(Caller {
        account_id: account.clone(),
        org_id: String::new(),
        client_id: ClientId::parse(client).ok_or_else(unknown)?,
        agent_id: String::new(),
        user_id: UserId::parse(user).ok_or_else(unknown)?,
        scopes: Vec::new(),
        request_id: request_id.to_owned(),
    })
}

/// What sealed identifiers are bound to.
fn items_of(deletion: Uuid, first_position: i64) -> String {
    format!("items of {deletion} from {first_position}")
}

/// That no more rows go than may.
fn within(options: &Options, rows: usize) -> Result<(), Error> {
    let rows = u64::try_from(rows).unwrap_or(u64::MAX);
    match options.max_affected {
        Some(limit) if rows > limit => Err(Error::MaxAffected { rows, limit }),
        _ => Ok(()),
    }
}

/// A deletion of one thing, unless that failed.
fn of_one(deletion: Deletion) -> Result<Deletion, Failure> {
    match deletion.outcomes.as_slice() {
        [Outcome::Failed(failure)] => Err(failure.clone()),
        _ => Ok(deletion),
    }
}

fn require_mode(caller: &Caller, mode: Mode) -> Result<(), Error> {
    match mode {
        Mode::Hard if !caller.has(Scope::DeletionsHard) => Err(Error::MissingScope(Scope::DeletionsHard)),
        Mode::Hard | Mode::Soft => Ok(()),
    }
}

/// Finds what the items stand for and locks it. The last try waits for nobody:
/// what is locked elsewhere is said to be busy.
async fn lock(conn: &mut Connection, caller: &Caller, request: &Request, which: Try) -> Result<Locked, Error> {
    let (account, target) = (&caller.account_id, &request.target);
    kinds::require_visible(conn, account, target).await?;
    let asked = request.keys();
    let keys: Vec<&Key> = asked.iter().flatten().collect();
    let mut matches = kinds::matches(conn, account, target, &keys).await?;
    let mut ids: Vec<&RowId> = matches.values().flatten().collect();
    ids.sort();
    ids.dedup();
    if ids.len() > MAX_MATCHES {
        return Err(Error::TooLarge { what: "records that have the numbers or references", limit: MAX_MATCHES });
    }
    let wait = if which == Try::Last { Wait::Skip } else { Wait::Block };
    let (mut found, mut spots) = (HashMap::new(), HashMap::new());
    for row in kinds::lock(conn, account, target, &ids, wait).await? {
        let id = RowId::stored(row.id);
        spots.insert(id.clone(), row.spot);
        let known = Found::locked(id.clone(), row.trashed, row.version, row.held);
        found.insert(id, Found { deletion_id: row.deletion_id, ..known });
    }
    if wait == Wait::Skip {
        let skipped: Vec<&RowId> = ids.iter().copied().filter(|id| !found.contains_key(id)).collect();
        for id in kinds::existing(conn, account, target, &skipped).await? {
            found.insert(id.clone(), Found::busy(id));
        }
    }
    // Only now, in statements of their own: what they see is newer than the lock.
    if keys.iter().any(|key| !matches!(key, Key::Id(_))) {
        // A number or a reference may have been given to another row while its row was waited for. What has it only now
        // is not locked: it got it after this deletion.
        let still = kinds::matches(conn, account, target, &keys).await?;
        for (key, rows) in &mut matches {
            rows.retain(|row| still.get(key).is_some_and(|rows| rows.contains(row)));
        }
    }
    kinds::find_obstacles(conn, account, target, request.options.mode, &mut found).await?;
    Ok(Locked { keys: asked, matches, found, spots })
}

/// Does what has been decided. Answers the lists that are too large to be removed in one transaction: they are hidden,
/// and marked as being removed.
async fn write(
    conn: &mut Connection,
    caller: &Caller,
    target: &Target,
    mode: Mode,
    plan: &Plan,
    spots: &HashMap<RowId, String>,
    stamp: &Stamp,
) -> Result<HashSet<RowId>, Error> {
    if mode == Mode::Soft {
        trash(conn, caller, target, plan, spots, stamp).await?;
        return Ok(HashSet::new());
    }
    let rows: Vec<&RowId> = plan.trash.iter().chain(plan.trashed_before.iter().map(|(id, _)| id)).collect();
    let large = kinds::large(conn, &caller.account_id, target, &rows).await?;
    if large.is_empty() {
        remove(conn, caller, target, plan, spots, stamp).await?;
        return Ok(large);
    }
    let (hidden, gone) = plan.split(|id| large.contains(id));
    trash(conn, caller, target, &hidden, spots, stamp).await?;
    let marked: Vec<&RowId> = large.iter().collect();
    kinds::mark_removing(conn, &caller.account_id, target, &marked, stamp.deletion_id).await?;
    remove(conn, caller, target, &gone, spots, stamp).await?;
    Ok(large)
}

async fn trash(
    conn: &mut Connection,
    caller: &Caller,
    target: &Target,
    plan: &Plan,
    spots: &HashMap<RowId, String>,
    stamp: &Stamp,
) -> Result<(), Error> {
    mark(conn, caller, target, plan, spots, &entry(target, &target.within(), Action::Deleted, stamp), true).await
}

/// Through the trash in the same transaction: the rows are marked and then
/// removed, because the database lets only trashed rows go.
async fn remove(
    conn: &mut Connection,
    caller: &Caller,
    target: &Target,
    plan: &Plan,
    spots: &HashMap<RowId, String>,
    stamp: &Stamp,
) -> Result<(), Error> {
    let action = Action::HardDeleted;
    mark(conn, caller, target, plan, spots, &entry(target, &target.within(), action, stamp), false).await?;
    let rows = plan.trash.iter().chain(plan.trashed_before.iter().map(|(id, _)| id));
    remove_rows(conn, caller, target, &rows.map(RowId::as_str).collect::<Vec<_>>(), action, stamp).await
}

/// Removes trashed rows, which must be locked, and what is below them, and writes that in the ledger.
async fn remove_rows(
    conn: &mut Connection,
    caller: &Caller,
    target: &Target,
    ids: &[&str],
    action: Action,
    stamp: &Stamp,
) -> Result<(), Error> {
    if ids.is_empty() {
        return Ok(());
    }
    let removed =
        kinds::remove(conn, caller, target, ids, &entry(target, &target.within(), action, stamp), stamp).await?;
    // Row security leaves out in silence what it does not let go.
    if removed == ids.len() as u64 { Ok(()) } else { Err(Error::Internal("fewer rows were removed than were decided")) }
}

/// Marks what is planned to be trashed.
async fn mark(
    conn: &mut Connection,
    caller: &Caller,
    target: &Target,
    plan: &Plan,
    spots: &HashMap<RowId, String>,
    entry: &Entry<'_>,
    is_written: bool,
) -> Result<(), Error> {
    if plan.trash.is_empty() {
        return Ok(());
    }
    let trashed = kinds::trash(conn, caller, target, &plan.trash, spots, entry, is_written).await?;
    if trashed == plan.trash.len() as u64 {
        Ok(())
    } else {
        Err(Error::Internal("fewer rows were trashed than were decided"))
    }
}

/// What the ledger says of rows of a target.
fn entry<'a>(target: &'a Target, within: &'a str, action: Action, stamp: &Stamp) -> Entry<'a> {
    Entry { deletion_id: stamp.deletion_id, resource: target.resource(), within, action, at: stamp.at }
}
