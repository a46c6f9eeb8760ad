//! Contacts: created, changed, looked up and listed.

use std::collections::{HashMap, HashSet};

use time::OffsetDateTime;

use crate::clock::Clock;
use crate::domain::contact::{Contact, ContactChange, ContactFilter, ContactStatus, NewContact};
use crate::domain::deletion::Reason;
use crate::domain::identity::Caller;
use crate::domain::ids::{ContactId, StreamId};
use crate::domain::page::{Listed, Page};
use crate::domain::phone::PhoneKey;
use crate::domain::version::IfMatch;
use crate::error::{Error, Thing, Unique};
use crate::postgres::Database;
use crate::repositories::{Connection, contacts};

/// Creates, changes and finds contacts.
#[derive(Clone)]
pub struct Contacts {
    database: Database,
    clock: Clock,
}

impl Contacts {
    pub(super) fn new(database: Database, clock: Clock) -> Self {
        Self { database, clock }
    }

    /// Creates contacts. Answers one result for each, in the order given: what is
    /// wrong with one fails it alone.
    ///
    /// # Errors
    ///
    /// When the database cannot be used. Of a single contact: [`Error::Taken`]
    /// when a live contact, or an earlier one of the same call, has its number.
    pub async fn create(
        &self,
        caller: &Caller,
        stream: &StreamId,
        new: &[NewContact],
    ) -> Result<Vec<Result<Contact, Error>>, Error> {
        let now = self.clock.now();
        self.database
            .transaction(&caller.account_id, async |conn, _| insert(conn, caller, stream, new, now).await)
            .await
    }

    /// Changes one live contact.
    ///
    /// # Errors
    ///
    /// What [`Contacts::update_many`] says of a single contact;
    /// [`Error::Refused`] when it has not the version that `if_match` asks for.
    pub async fn update(
        &self,
        caller: &Caller,
        stream: &StreamId,
        id: &ContactId,
        change: &ContactChange,
        if_match: &IfMatch,
    ) -> Result<Contact, Error> {
        let changes = [(Some(id.clone()), change.clone())];
        let mut changed = self.change(caller, stream, &changes, if_match).await?;
        match changed.pop() {
            // What is in the trash has no life on this path.
            Some(Err(Error::Refused { failure, .. })) if failure.reason == Reason::AlreadyDeleted => {
                Err(Error::NotFound(Thing::Contact))
            }
            Some(changed) => changed,
            None => Err(Error::Internal("a change has no result")),
        }
    }

    /// Changes live contacts. Answers one result for each, in the order given:
    /// what is wrong with one fails it alone. An id is None where it has not the
    /// form of one.
    ///
    /// # Errors
    ///
    /// When the database cannot be used. Of a single contact: [`Error::NotFound`];
    /// [`Error::Refused`] for one in the trash or named before; [`Error::Invalid`]
    /// for a number that is none; [`Error::Taken`] when another live contact had
    /// the number before this call, or an earlier one of the call takes it.
    pub async fn update_many(
        &self,
        caller: &Caller,
        stream: &StreamId,
        changes: &[(Option<ContactId>, ContactChange)],
    ) -> Result<Vec<Result<Contact, Error>>, Error> {
        self.change(caller, stream, changes, &IfMatch::Any).await
    }

    async fn change(
        &self,
        caller: &Caller,
        stream: &StreamId,
        changes: &[(Option<ContactId>, ContactChange)],
        if_match: &IfMatch,
    ) -> Result<Vec<Result<Contact, Error>>, Error> {
        let now = self.clock.now();
        let account = &caller.account_id;
        let ids: Vec<&str> = changes.iter().filter_map(|(id, _)| id.as_ref()).map(ContactId::as_str).collect();
        self.database
            .transaction(account, async |conn, _| {
                let locked = contacts::lock_to_change(conn, account, stream, &ids).await?;
                let mut locked: HashMap<ContactId, Contact> =
                    locked.into_iter().map(|contact| (contact.id.clone(), contact)).collect();
                let mut named = HashSet::new();
                let mut changed: Vec<Result<(Contact, PhoneKey), Error>> = changes
                    .iter()
                    .map(|(id, change)| {
                        let id = id.as_ref().ok_or_else(|| refused("", Reason::InvalidIdentifier))?;
                        let refused = |reason| refused(id.as_str(), reason);
                        if !named.insert(id) {
                            return Err(refused(Reason::DuplicateInRequest));
                        }
                        let contact = locked.remove(id).ok_or(Error::NotFound(Thing::Contact))?;
                        if contact.status == ContactStatus::Inactive {
                            return Err(refused(Reason::AlreadyDeleted));
                        }
                        if !if_match.allows(contact.version) {
                            return Err(refused(Reason::VersionMismatch));
                        }
                        let (contact, key) = change.clone().apply(contact).ok_or_else(|| {
                            Error::invalid("cellPhone.phoneNumber", "not a phone number with that country code")
                        })?;
                        Ok((stamped(contact, caller, now), key))
                    })
                    .collect();
                refuse_taken_numbers(conn, caller, stream, &mut changed).await?;
                let written: Vec<(&Contact, PhoneKey)> =
                    changed.iter().flatten().map(|(contact, key)| (contact, key.clone())).collect();
                if !written.is_empty() && contacts::update(conn, account, &written).await? != written.len() as u64 {
                    return Err(Error::Internal("fewer contacts were changed than were locked"));
                }
                Ok(changed.into_iter().map(|changed| changed.map(|(contact, _)| contact)).collect())
            })
            .await
    }

    /// A contact, live or in the trash.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub async fn find(&self, caller: &Caller, stream: &StreamId, id: &ContactId) -> Result<Contact, Error> {
        self.database
            .transaction(&caller.account_id, async |conn, _| {
                let contact = contacts::find(conn, &caller.account_id, stream, id).await?;
                contact.ok_or(Error::NotFound(Thing::Contact))
            })
            .await
    }

    /// A page of contacts, newest first.
    ///
    /// # Errors
    ///
    /// When the database cannot be used.
    pub async fn list(
        &self,
        caller: &Caller,
        stream: &StreamId,
        filter: &ContactFilter,
        page: &Page<ContactId>,
    ) -> Result<Listed<Contact>, Error> {
        self.database
            .transaction(&caller.account_id, async |conn, _| {
                let account = &caller.account_id;
                Ok(if filter.trashed {
                    let items = contacts::list_trash(conn, account, stream, filter, page).await?;
                    Listed::new(items, page.limit, contacts::count_trash(conn, account, stream, filter).await?)
                } else {
                    let items = contacts::list_live(conn, account, stream, filter, page).await?;
                    Listed::new(items, page.limit, contacts::count_live(conn, account, stream, filter).await?)
                })
            })
            .await
    }
}

/// Inserts contacts within a transaction. Answers one result for each, in the order given.
pub(super) async fn insert(
    conn: &mut Connection,
    caller: &Caller,
    stream: &StreamId,
    new: &[NewContact],
    now: OffsetDateTime,
) -> Result<Vec<Result<Contact, Error>>, Error> {
    if new.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<(ContactId, NewContact)> = new.iter().map(|new| (ContactId::generate(now), new.clone())).collect();
    let inserted: HashSet<String> = contacts::insert(conn, caller, stream, &rows, now).await?.into_iter().collect();
    let refused: Vec<&PhoneKey> =
        rows.iter().filter(|(id, _)| !inserted.contains(id.as_str())).map(|(_, new)| &new.phone_key).collect();
    let holders = holders(conn, caller, stream, &refused).await?;
    Ok(rows
        .into_iter()
        .map(|(id, new)| {
            if inserted.contains(id.as_str()) {
                Ok(created(caller, stream, id, new, now))
            } else {
                Err(number_taken(holders.get(new.phone_key.as_str()).cloned()))
            }
        })
        .collect())
}

async fn holders(
    conn: &mut Connection,
    caller: &Caller,
    stream: &StreamId,
    numbers: &[&PhoneKey],
) -> Result<HashMap<String, String>, Error> {
    if numbers.is_empty() {
        return Ok(HashMap::new());
    }
    Ok(contacts::holders(conn, &caller.account_id, stream, numbers).await?.into_iter().collect())
}

/// Refuses each change whose number is another live contact's, or that of an
/// earlier change.
async fn refuse_taken_numbers(
    conn: &mut Connection,
    caller: &Caller,
    stream: &StreamId,
    changed: &mut [Result<(Contact, PhoneKey), Error>],
) -> Result<(), Error> {
    let numbers: Vec<&PhoneKey> = changed.iter().flatten().map(|(_, key)| key).collect();
    let mut holders = holders(conn, caller, stream, &numbers).await?;
    for change in changed {
        if let Ok((contact, key)) = change {
            let holder = holders.entry(key.as_str().to_owned()).or_insert_with(|| contact.id.to_string());
            if holder != contact.id.as_str() {
                *change = Err(number_taken(Some(holder.clone())));
            }
        }
    }
    Ok(())
}

fn refused(id: &str, reason: Reason) -> Error {
    Error::Refused { thing: Thing::Contact, id: id.to_owned(), name: None, failure: Box::new(reason.into()) }
}

fn number_taken(by: Option<String>) -> Error {
    Error::Taken { what: Unique::PhoneNumber, thing: Thing::Contact, id: by }
}

fn stamped(contact: Contact, caller: &Caller, now: OffsetDateTime) -> Contact {
    Contact {
        updated_by: Some(caller.user_id.to_string()),
        updated_by_aid: Some(caller.agent_id.clone()),
        updated_at: now,
        version: contact.version + 1,
        ..contact
    }
}

fn created(caller: &Caller, stream: &StreamId, id: ContactId, new: NewContact, now: OffsetDateTime) -> Contact {
    Contact {
        id,
        stream_id: stream.clone(),
        first_name: new.first_name,
        last_name: new.last_name,
        salutation: new.salutation,
        cell_phone: new.cell_phone,
        address: new.address,
        twitter_details: new.twitter_details,
        created_by: caller.user_id.to_string(),
        created_by_aid: caller.agent_id.clone(),
        updated_by: None,
        updated_by_aid: None,
        created_at: now,
        updated_at: now,
        version: 1,
        status: ContactStatus::Active,
    }
}
