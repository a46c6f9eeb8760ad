//! What differs between the kinds: how their rows are found, locked, trashed and
//! removed. A new kind is a repository and an arm of each function here.

use std::collections::{HashMap, HashSet};

use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::deletion::{Found, Key, Mode, RowId, Target};
use crate::domain::filter::{Among, Filter};
use crate::domain::identity::Caller;
use crate::domain::ids::{self, AccountId};
use crate::domain::operation::{BATCH, Resource};
use crate::domain::phone::PhoneKey;
use crate::domain::record::ExternalReference;
use crate::error::{Error, Thing};
use crate::repositories::ledger::{Action, Entry};
use crate::repositories::trash::matching::{self, Part};
use crate::repositories::trash::purge::{self, Over, OverRow, Place, Purged};
use crate::repositories::trash::restore::{self, Known};
use crate::repositories::trash::sweep::{self, Kept, Swept};
use crate::repositories::{
    self, Connection, LockedRow, Stamp, Wait, Written, campaign_record_lists, campaigns, contact_list_members,
    contact_lists, contacts, record_lists, records,
};

/// What the ledger calls the people on a contact list.
const MEMBER: &str = "contact_list_member";

/// Fails when what the rows belong to is not there, or is in the trash.
pub async fn require_visible(conn: &mut Connection, account: &AccountId, target: &Target) -> Result<(), Error> {
    match target {
        // A stream is checked when its caller signs in.
        Target::Contacts(_) | Target::ContactLists(_) | Target::Campaigns(_) | Target::RecordLists => Ok(()),
        Target::Records(list) => {
            if record_lists::is_live(conn, account, *list).await? {
                Ok(())
            } else {
                Err(Error::NotFound(Thing::RecordList))
            }
        }
    }
}

/// The rows that each key stands for, live or trashed. An id stands for itself,
/// whether or not there is such a row.
pub async fn matches(
    conn: &mut Connection,
    account: &AccountId,
    target: &Target,
    keys: &[&Key],
) -> Result<HashMap<Key, Vec<RowId>>, Error> {
    let mut matches: HashMap<Key, Vec<RowId>> = HashMap::new();
    let mut numbers: Vec<&PhoneKey> = Vec::new();
    let mut references: HashSet<&ExternalReference> = HashSet::new();
    for key in keys {
        match key {
            Key::Id(id) => {
                matches.insert((*key).clone(), vec![id.clone()]);
            }
            Key::PhoneNumber(number) => numbers.push(number),
            Key::External(reference) => {
                references.insert(reference);
            }
        }
    }
    if let Target::Contacts(stream) = target
        && !numbers.is_empty()
    {
        for (number, id) in contacts::with_numbers(conn, account, stream, &numbers).await? {
            matches.entry(Key::PhoneNumber(PhoneKey::stored(number))).or_default().push(RowId::stored(id));
        }
    }
    if let Target::Records(list) = target {
        if !numbers.is_empty() {
            for (number, id) in records::with_numbers(conn, account, *list, &numbers).await? {
                matches.entry(Key::PhoneNumber(PhoneKey::stored(number))).or_default().push(id.into());
            }
        }
        if !references.is_empty() {
            let references: Vec<&ExternalReference> = references.into_iter().collect();
            for (reference, id) in records::with_references(conn, account, *list, &references).await? {
                matches.entry(Key::External(reference)).or_default().push(id.into());
            }
        }
    }
    Ok(matches)
}

/// Locks rows in the order of their ids.
pub async fn lock(
    conn: &mut Connection,
    account: &AccountId,
    target: &Target,
    ids: &[&RowId],
    wait: Wait,
) -> Result<Vec<LockedRow>, Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    Ok(match target {
        Target::Contacts(stream) => contacts::lock(conn, account, stream, &texts(ids), wait).await?,
        Target::ContactLists(stream) => contact_lists::lock(conn, account, stream, &texts(ids), wait).await?,
        Target::Campaigns(stream) => campaigns::lock(conn, account, stream, &texts(ids), wait).await?,
        Target::RecordLists => record_lists::lock(conn, account, &uuids(ids), wait).await?,
        Target::Records(list) => records::lock(conn, account, *list, &uuids(ids), wait).await?,
    })
}

/// Those of the ids that exist, whoever has them locked.
pub async fn existing(
    conn: &mut Connection,
    account: &AccountId,
    target: &Target,
    ids: &[&RowId],
) -> Result<Vec<RowId>, Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let existing = match target {
        Target::Contacts(stream) => contacts::existing(conn, account, stream, &texts(ids)).await?,
        Target::ContactLists(stream) => contact_lists::existing(conn, account, stream, &texts(ids)).await?,
        Target::Campaigns(stream) => campaigns::existing(conn, account, stream, &texts(ids)).await?,
        Target::RecordLists => record_lists::existing(conn, account, &uuids(ids)).await?,
        Target::Records(list) => records::existing(conn, account, *list, &uuids(ids)).await?,
    };
    Ok(existing.into_iter().map(RowId::stored).collect())
}

/// Looks up what stands in the way of locked rows and cannot be read off them.
pub async fn find_obstacles(
    conn: &mut Connection,
    account: &AccountId,
    target: &Target,
    mode: Mode,
    found: &mut HashMap<RowId, Found>,
) -> Result<(), Error> {
    let ids: Vec<RowId> = found.keys().cloned().collect();
    let texts: Vec<&str> = ids.iter().map(RowId::as_str).collect();
    if texts.is_empty() {
        return Ok(());
    }
    match target {
        Target::Contacts(_) | Target::Records(_) => {}
        Target::RecordLists => {
            let lists: Vec<Uuid> = texts.iter().filter_map(|id| ids::parse_uuid(id)).collect();
            for (id, attachments) in campaign_record_lists::attached_to(conn, account, &lists).await? {
                if let Some(row) = found.get_mut(&id.into()) {
                    row.attachments = attachments;
                }
            }
            if mode == Mode::Hard {
                hold(found, records::lists_with_held(conn, account, &lists).await?);
            }
        }
        Target::ContactLists(_) => {
            for (id, attachments) in campaigns::attached_to(conn, account, &texts).await? {
                if let Some(row) = found.get_mut(&RowId::stored(id)) {
                    row.attachments = attachments;
                }
            }
            if mode == Mode::Hard {
                hold(found, contact_list_members::lists_with_held(conn, account, &texts).await?);
            }
        }
        Target::Campaigns(_) => {
            for id in campaigns::running(conn, account, &texts).await? {
                if let Some(row) = found.get_mut(&RowId::stored(id)) {
                    row.running = true;
                }
            }
        }
    }
    Ok(())
}

/// Moves locked live rows into the trash, and writes that in the ledger, unless they are gone in a moment and it is
/// written then. `spots` are where they lie. Answers how many went.
pub async fn trash(
    conn: &mut Connection,
    caller: &Caller,
    target: &Target,
    rows: &[RowId],
    spots: &HashMap<RowId, String>,
    entry: &Entry<'_>,
    is_written: bool,
) -> Result<u64, Error> {
    let account = &caller.account_id;
    let spots = || rows.iter().filter_map(|row| spots.get(row)).map(String::as_str).collect::<Vec<&str>>();
    let rows: Vec<&RowId> = rows.iter().collect();
    Ok(match target {
        // Those that come in thousands are not looked for in their index a second time.
        Target::Contacts(_) => contacts::trash(conn, caller, entry, is_written, &spots()).await?,
        Target::Records(list) => records::trash(conn, caller, entry, is_written, *list, &spots()).await?,
        Target::ContactLists(_) => contact_lists::trash(conn, caller, entry, is_written, &texts(&rows)).await?,
        Target::Campaigns(_) => {
            campaigns::let_go(conn, account, &texts(&rows)).await?;
            campaign_record_lists::let_go(conn, account, &texts(&rows)).await?;
            campaigns::trash(conn, caller, entry, is_written, &texts(&rows)).await?
        }
        Target::RecordLists => record_lists::trash(conn, caller, entry, is_written, &uuids(&rows)).await?,
    })
}

/// Removes trashed rows for good, and what is below them, and writes that in the ledger: what is below a parent before
/// it. Answers how many of the rows that were asked for went.
pub async fn remove(
    conn: &mut Connection,
    caller: &Caller,
    target: &Target,
    ids: &[&str],
    entry: &Entry<'_>,
    stamp: &Stamp,
) -> Result<u64, Error> {
    let account = &caller.account_id;
    Ok(match target {
        Target::Contacts(_) => contacts::remove(conn, caller, entry, ids).await?,
        Target::ContactLists(_) => {
            contact_list_members::trash_of(conn, account, ids, stamp).await?;
            for list in ids {
                let entry = Entry { resource: MEMBER, within: list, ..entry.clone() };
                contact_list_members::remove_of(conn, caller, &entry, list).await?;
            }
            contact_lists::remove(conn, caller, entry, ids).await?
        }
        Target::Campaigns(_) => {
            campaigns::forget_attachments(conn, account, ids).await?;
            campaign_record_lists::forget_of_campaigns(conn, account, ids).await?;
            campaigns::remove(conn, caller, entry, ids).await?
        }
        Target::RecordLists => {
            let lists: Vec<Uuid> = ids.iter().filter_map(|id| ids::parse_uuid(id)).collect();
            for list in &lists {
                records::trash_of(conn, account, *list, stamp).await?;
                records::remove_phones_of(conn, account, *list).await?;
                let entry = Entry { resource: Resource::Record.name(), within: &list.to_string(), ..entry.clone() };
                records::remove_of(conn, caller, &entry, *list).await?;
            }
            record_lists::remove(conn, caller, entry, &lists).await?
        }
        Target::Records(list) => {
            let ids: Vec<Uuid> = ids.iter().filter_map(|id| ids::parse_uuid(id)).collect();
            records::remove_phones(conn, account, *list, &ids).await?;
            records::remove(conn, caller, entry, *list, &ids).await?
        }
    })
}

/// The rows that a filter takes, in the order of their ids.
pub async fn matching(
    conn: &mut Connection,
    account: &AccountId,
    target: &Target,
    filter: &Filter,
    among: Among,
    part: Part<'_>,
) -> Result<Vec<Written>, Error> {
    match part {
        Part::After(..) => repositories::plan_for_a_walk(conn).await?,
        Part::Of(..) => repositories::plan_for_values(conn).await?,
    }
    let rows = match target {
        Target::Contacts(stream) => matching::contacts(conn, account, stream.as_str(), filter, among, part).await?,
        Target::ContactLists(stream) => {
            matching::contact_lists(conn, account, stream.as_str(), filter, among, part).await?
        }
        Target::Campaigns(stream) => matching::campaigns(conn, account, stream.as_str(), filter, among, part).await?,
        Target::RecordLists => matching::record_lists(conn, account, "", filter, among, part).await?,
        Target::Records(list) => matching::records(conn, account, *list, filter, among, part).await?,
    };
    repositories::plan_as_it_comes(conn).await?;
    Ok(rows)
}

/// Moves the next live rows that a filter takes into the trash, and writes them and what became of them down, in one
/// statement. None for kinds of which something may stand in the way of a row, or for a filter that must be asked again
/// when rows are locked.
pub async fn sweep(
    conn: &mut Connection,
    caller: &Caller,
    target: &Target,
    filter: &Filter,
    part: Part<'_>,
    entry: &Entry<'_>,
    kept: Kept<'_>,
) -> Result<Option<Swept>, Error> {
    let is_simple = matches!(target, Target::Contacts(_) | Target::Records(_));
    if !is_simple || filter.looks_beyond_rows(Resource::from_target(target)) {
        return Ok(None);
    }
    require_visible(conn, &caller.account_id, target).await?;
    repositories::plan_for_a_walk(conn).await?;
    Ok(match target {
        Target::Contacts(stream) => Some(sweep::contacts(conn, caller, stream, filter, part, entry, kept).await?),
        Target::Records(list) => Some(sweep::records(conn, caller, *list, filter, part, entry, kept).await?),
        Target::ContactLists(_) | Target::Campaigns(_) | Target::RecordLists => None,
    })
}

/// What the longest trashed thing of a kind belongs to whose time is over. Locks the thing.
pub async fn next_over(
    conn: &mut Connection,
    account: &AccountId,
    resource: Resource,
    over: Over,
) -> Result<Option<Target>, Error> {
    let within = match resource {
        Resource::Contact => purge::next_of_contacts(conn, account, over).await?,
        Resource::ContactList => purge::next_of_contact_lists(conn, account, over).await?,
        Resource::Campaign => purge::next_of_campaigns(conn, account, over).await?,
        Resource::RecordList => purge::next_of_record_lists(conn, account, over).await?,
        Resource::Record => purge::next_of_records(conn, account, over).await?,
    };
    let target = within.map(|within| resource.within(&within).ok_or(Error::Internal("a stored id is well formed")));
    target.transpose()
}

/// The next things of a purge; none, where there are none.
pub enum NextOver {
    /// They are gone, and that and what became of each is written down.
    Gone(Option<Purged>),
    /// They are locked, and are to be removed with what is below them.
    Locked(Vec<OverRow>),
}

/// Removes trashed things whose time is over, after a place, or locks them where there is something to decide on each.
pub async fn purge_over(
    conn: &mut Connection,
    caller: &Caller,
    target: &Target,
    over: Over,
    after: &Place,
    entry: &Entry<'_>,
    kept: Kept<'_>,
) -> Result<NextOver, Error> {
    let account = &caller.account_id;
    let most = i64::try_from(BATCH).unwrap_or(i64::MAX);
    repositories::plan_for_a_walk(conn).await?;
    let next = match target {
        Target::Contacts(stream) => {
            let within = stream.as_str();
            NextOver::Gone(purge::contacts(conn, caller, within, over, after, entry, kept).await?)
        }
        Target::Records(list) => NextOver::Gone(purge::records(conn, caller, *list, over, after, entry, kept).await?),
        Target::ContactLists(stream) => {
            NextOver::Locked(purge::lock_contact_lists(conn, account, stream.as_str(), over, after, most).await?)
        }
        Target::Campaigns(stream) => {
            NextOver::Locked(purge::lock_campaigns(conn, account, stream.as_str(), over, after, most).await?)
        }
        Target::RecordLists => NextOver::Locked(purge::lock_record_lists(conn, account, over, after, most).await?),
    };
    repositories::plan_as_it_comes(conn).await?;
    Ok(next)
}

/// How many rows a filter takes; no more are looked for once there are more than `enough`.
pub async fn count_matching(
    conn: &mut Connection,
    account: &AccountId,
    target: &Target,
    filter: &Filter,
    among: Among,
    enough: u64,
) -> Result<u64, Error> {
    let (mut count, mut place) = (0, String::new());
    loop {
        let rows = matching(conn, account, target, filter, among, Part::After(&place, 10_000)).await?;
        count += rows.len() as u64;
        let Some(last) = rows.into_iter().next_back() else { return Ok(count) };
        place = last.id;
        if count > enough {
            return Ok(count);
        }
    }
}

/// Lists that have, with those before them, more people or records than a batch takes.
pub async fn large(
    conn: &mut Connection,
    account: &AccountId,
    target: &Target,
    lists: &[&RowId],
) -> Result<HashSet<RowId>, Error> {
    let most = i64::try_from(BATCH).unwrap_or(i64::MAX);
    let counts = match target {
        _ if lists.is_empty() => return Ok(HashSet::new()),
        Target::ContactLists(_) => contact_list_members::count_each(conn, account, &texts(lists), most + 1).await?,
        Target::RecordLists => records::count_each(conn, account, &uuids(lists), most + 1).await?,
        Target::Contacts(_) | Target::Campaigns(_) | Target::Records(_) => return Ok(HashSet::new()),
    };
    let mut room = most;
    let mut large = HashSet::new();
    for (list, count) in counts {
        if count <= room {
            room -= count;
        } else {
            large.insert(RowId::stored(list));
        }
    }
    Ok(large)
}

/// Marks trashed lists as being on their way out for good.
pub async fn mark_removing(
    conn: &mut Connection,
    account: &AccountId,
    target: &Target,
    lists: &[&RowId],
    by: Uuid,
) -> Result<(), Error> {
    match target {
        Target::ContactLists(_) => contact_lists::mark_removing(conn, account, &texts(lists), by).await?,
        _ => record_lists::mark_removing(conn, account, &uuids(lists), by).await?,
    }
    Ok(())
}

/// Those of the lists that are on their way out for good: they do not come back.
pub async fn removing(
    conn: &mut Connection,
    account: &AccountId,
    target: &Target,
    lists: &[&RowId],
) -> Result<HashSet<RowId>, Error> {
    let found = match target {
        Target::ContactLists(_) => contact_lists::removing(conn, account, &texts(lists)).await?,
        Target::RecordLists => record_lists::removing(conn, account, &uuids(lists)).await?,
        Target::Contacts(_) | Target::Campaigns(_) | Target::Records(_) => Vec::new(),
    };
    Ok(found.into_iter().map(RowId::stored).collect())
}

/// Locks the first of the lists that a deletion or purge is taking.
pub async fn lock_removed_by(
    conn: &mut Connection,
    account: &AccountId,
    target: &Target,
    by: Uuid,
) -> Result<Option<Written>, Error> {
    Ok(match target {
        Target::ContactLists(_) => contact_lists::lock_removed_by(conn, account, by).await?,
        Target::RecordLists => record_lists::lock_removed_by(conn, account, by).await?,
        Target::Contacts(_) | Target::Campaigns(_) | Target::Records(_) => None,
    })
}

/// Removes a batch of the people on a trashed contact list, or of the records in a trashed record list, for good, and
/// writes that in the ledger.
pub async fn remove_children(
    conn: &mut Connection,
    caller: &Caller,
    target: &Target,
    list: &RowId,
    action: Action,
    stamp: &Stamp,
) -> Result<(), Error> {
    let account = &caller.account_id;
    let most = i64::try_from(BATCH).unwrap_or(i64::MAX);
    let Stamp { deletion_id, at, .. } = *stamp;
    let entry = Entry { deletion_id, resource: Resource::Record.name(), within: list.as_str(), action, at };
    if let Target::ContactLists(_) = target {
        let ids = contact_list_members::lock_some_of(conn, account, list.as_str(), most).await?;
        contact_list_members::trash(conn, account, list.as_str(), &ids, stamp).await?;
        contact_list_members::remove(conn, caller, &Entry { resource: MEMBER, ..entry }, list.as_str(), &ids).await?;
        return Ok(());
    }
    let list = ids::parse_uuid(list.as_str()).ok_or(Error::Internal("a record list's id is a UUID"))?;
    let (ids, spots) = records::lock_some_of(conn, account, list, most).await?;
    let spots: Vec<&str> = spots.iter().map(String::as_str).collect();
    records::trash(conn, caller, &entry, false, list, &spots).await?;
    records::remove_phones(conn, account, list, &ids).await?;
    records::remove(conn, caller, &entry, list, &ids).await?;
    Ok(())
}

/// What trashed rows were known by, and who is known by it now. Campaigns and record lists may share their names.
pub async fn known(
    conn: &mut Connection,
    account: &AccountId,
    target: &Target,
    ids: &[&RowId],
) -> Result<Vec<Known>, Error> {
    Ok(match target {
        Target::Contacts(_) => restore::contact_keys(conn, account, &texts(ids)).await?,
        Target::ContactLists(_) => restore::contact_list_keys(conn, account, &texts(ids)).await?,
        Target::Records(list) => restore::record_keys(conn, account, *list, &uuids(ids)).await?,
        Target::Campaigns(_) | Target::RecordLists => Vec::new(),
    })
}

/// Restores trashed rows, which must be locked.
pub async fn restore(
    conn: &mut Connection,
    account: &AccountId,
    target: &Target,
    ids: &[&RowId],
    at: OffsetDateTime,
) -> Result<Vec<Written>, Error> {
    Ok(match target {
        Target::Contacts(_) => restore::contacts(conn, account, &texts(ids), at).await?,
        Target::ContactLists(_) => restore::contact_lists(conn, account, &texts(ids), at).await?,
        Target::Campaigns(_) => {
            let written = restore::campaigns(conn, account, &texts(ids), at).await?;
            restore::take_up_lists(conn, account, &texts(ids)).await?;
            written
        }
        Target::RecordLists => restore::record_lists(conn, account, &uuids(ids), at).await?,
        Target::Records(list) => restore::records(conn, account, *list, &uuids(ids), at).await?,
    })
}

/// The lists that restored campaigns were attached to and that are not there any more, by campaign.
pub async fn missing_lists(
    conn: &mut Connection,
    account: &AccountId,
    target: &Target,
    ids: &[&RowId],
) -> Result<HashMap<String, Vec<String>>, Error> {
    let mut missing: HashMap<String, Vec<String>> = HashMap::new();
    if matches!(target, Target::Campaigns(_)) {
        for (campaign, list) in restore::missing_lists(conn, account, &texts(ids)).await? {
            missing.entry(campaign).or_default().push(list);
        }
    }
    Ok(missing)
}

/// A parent is on hold when a row below it is.
fn hold(found: &mut HashMap<RowId, Found>, held: Vec<String>) {
    for id in held {
        if let Some(row) = found.get_mut(&RowId::stored(id)) {
            row.held = true;
        }
    }
}

fn texts<'a>(ids: &[&'a RowId]) -> Vec<&'a str> {
    ids.iter().map(|id| id.as_str()).collect()
}

fn uuids(ids: &[&RowId]) -> Vec<Uuid> {
    ids.iter().filter_map(|id| ids::parse_uuid(id.as_str())).collect()
}
