//! What differs between the kinds: how their rows are found, locked, trashed and
//! removed. A new kind is a repository and an arm of each function here.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use crate::domain::deletion::{Found, Key, Mode, RowId, Target};
use crate::domain::ids::{self, AccountId};
use crate::domain::phone::PhoneKey;
use crate::domain::record::ExternalReference;
use crate::error::{Error, Thing};
use crate::repositories::{
    Connection, LockedRow, Stamp, Wait, Written, campaign_record_lists, campaigns, contact_list_members, contact_lists,
    contacts, record_lists, records,
};

/// What a removal took.
pub struct Removed {
    /// How many of the rows that were asked for.
    pub rows: u64,
    /// The rows below them, by parent.
    pub children: Vec<Children>,
}

/// Rows that went because their parent did.
pub struct Children {
    /// Their kind.
    pub resource: &'static str,
    /// Their parent.
    pub within: String,
    /// Which.
    pub rows: Vec<Written>,
}

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

/// Moves locked live rows into the trash.
pub async fn trash(
    conn: &mut Connection,
    account: &AccountId,
    target: &Target,
    rows: &[RowId],
    stamp: &Stamp,
) -> Result<Vec<Written>, Error> {
    let rows: Vec<&RowId> = rows.iter().collect();
    Ok(match target {
        Target::Contacts(_) => contacts::trash(conn, account, &texts(&rows), stamp).await?,
        Target::ContactLists(_) => contact_lists::trash(conn, account, &texts(&rows), stamp).await?,
        Target::Campaigns(_) => {
            campaigns::let_go(conn, account, &texts(&rows)).await?;
            campaign_record_lists::let_go(conn, account, &texts(&rows)).await?;
            campaigns::trash(conn, account, &texts(&rows), stamp).await?
        }
        Target::RecordLists => record_lists::trash(conn, account, &uuids(&rows), stamp).await?,
        Target::Records(list) => records::trash(conn, account, *list, &uuids(&rows), stamp).await?,
    })
}

/// Removes trashed rows for good, and what is below them.
pub async fn remove(
    conn: &mut Connection,
    account: &AccountId,
    target: &Target,
    ids: &[&str],
    stamp: &Stamp,
) -> Result<Removed, Error> {
    Ok(match target {
        Target::Contacts(_) => Removed { rows: contacts::remove(conn, account, ids).await?, children: Vec::new() },
        Target::ContactLists(_) => {
            contact_list_members::trash_of(conn, account, ids, stamp).await?;
            let mut children = Vec::new();
            for list in ids {
                let rows = contact_list_members::remove_of(conn, account, list).await?;
                children.push(Children { resource: "contact_list_member", within: (*list).to_owned(), rows });
            }
            Removed { rows: contact_lists::remove(conn, account, ids).await?, children }
        }
        Target::Campaigns(_) => {
            campaigns::forget_attachments(conn, account, ids).await?;
            campaign_record_lists::forget_of_campaigns(conn, account, ids).await?;
            Removed { rows: campaigns::remove(conn, account, ids).await?, children: Vec::new() }
        }
        Target::RecordLists => {
            let lists: Vec<Uuid> = ids.iter().filter_map(|id| ids::parse_uuid(id)).collect();
            let mut children = Vec::new();
            for list in &lists {
                records::trash_of(conn, account, *list, stamp).await?;
                records::remove_phones_of(conn, account, *list).await?;
                let rows = records::remove_of(conn, account, *list).await?;
                children.push(Children { resource: "record", within: list.to_string(), rows });
            }
            Removed { rows: record_lists::remove(conn, account, &lists).await?, children }
        }
        Target::Records(list) => {
            let ids: Vec<Uuid> = ids.iter().filter_map(|id| ids::parse_uuid(id)).collect();
            records::remove_phones(conn, account, *list, &ids).await?;
            Removed { rows: records::remove(conn, account, *list, &ids).await?, children: Vec::new() }
        }
    })
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
