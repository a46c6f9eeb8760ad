//! Contacts: created, looked up and listed.

use std::collections::{HashMap, HashSet};

use time::OffsetDateTime;

use crate::clock::Clock;
use crate::domain::contact::{Contact, ContactFilter, ContactStatus, Created, NewContact};
use crate::domain::identity::Caller;
use crate::domain::ids::{ContactId, StreamId};
use crate::domain::page::{Listed, Page};
use crate::domain::phone::PhoneKey;
use crate::error::{Error, Thing};
use crate::postgres::Database;
use crate::repositories::contacts;

/// Creates and finds contacts.
#[derive(Clone)]
pub struct Contacts {
    database: Database,
    clock: Clock,
}

impl Contacts {
    pub(super) fn new(database: Database, clock: Clock) -> Self {
        Self { database, clock }
    }

    /// Creates contacts. Answers one result for each, in the order given; a
    /// number that is taken fails its own contact only.
    ///
    /// # Errors
    ///
    /// When the database cannot be used.
    pub async fn create(&self, caller: &Caller, stream: &StreamId, new: &[NewContact]) -> Result<Vec<Created>, Error> {
        if new.is_empty() {
            return Ok(Vec::new());
        }
        let now = self.clock.now();
        let rows: Vec<(ContactId, NewContact)> =
            new.iter().map(|new| (ContactId::generate(now), new.clone())).collect();
        let (inserted, holders) = self
            .database
            .transaction(&caller.account_id, async |conn, _| {
                let inserted = contacts::insert(conn, caller, stream, &rows, now).await?;
                let inserted: HashSet<String> = inserted.into_iter().collect();
                let refused: Vec<&PhoneKey> = rows
                    .iter()
                    .filter(|(id, _)| !inserted.contains(id.as_str()))
                    .map(|(_, new)| &new.phone_key)
                    .collect();
                let holders: HashMap<String, String> = if refused.is_empty() {
                    HashMap::new()
                } else {
                    contacts::holders(conn, &caller.account_id, stream, &refused).await?.into_iter().collect()
                };
                Ok((inserted, holders))
            })
            .await?;
        Ok(rows
            .into_iter()
            .map(|(id, new)| {
                if inserted.contains(id.as_str()) {
                    Created::Contact(Box::new(created(caller, stream, id, new, now)))
                } else {
                    Created::NumberTaken { by: holders.get(new.phone_key.as_str()).and_then(|id| ContactId::parse(id)) }
                }
            })
            .collect())
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

    /// A page of contacts, newest first, and how many there are on all pages.
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
                // Each half of the table has a statement of its own, so that its partial index serves it.
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
