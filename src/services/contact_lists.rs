//! Contact lists and their members: created, filled and looked up.

use crate::clock::Clock;
use crate::domain::contact_list::{ContactList, NewContactList, NewMember, list_name_key};
use crate::domain::identity::Caller;
use crate::domain::ids::{self, ContactListId, StreamId};
use crate::error::{Error, Thing, Unique};
use crate::postgres::Database;
use crate::repositories::{Connection, Visibility, campaigns, contact_list_members, contact_lists};

/// Creates, fills and finds contact lists.
#[derive(Clone)]
pub struct ContactLists {
    database: Database,
    clock: Clock,
}

impl ContactLists {
    pub(super) fn new(database: Database, clock: Clock) -> Self {
        Self { database, clock }
    }

    /// Creates a list.
    ///
    /// # Errors
    ///
    /// [`Error::Taken`] when a live list of the stream has the name, in
    /// whatever case.
    pub async fn create(&self, caller: &Caller, stream: &StreamId, new: &NewContactList) -> Result<ContactList, Error> {
        let id = ContactListId::generate();
        let now = self.clock.now();
        self.database
            .transaction(&caller.account_id, async |conn, _| {
                if contact_lists::insert(conn, caller, stream, &id, new, now).await? {
                    return read(conn, caller, stream, &id).await;
                }
                let holder = contact_lists::holder_of_name(conn, &caller.account_id, stream, &new.name).await?;
                Err(Error::Taken { what: Unique::Name, thing: Thing::ContactList, id: holder })
            })
            .await
    }

    /// A live list.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub async fn find(&self, caller: &Caller, stream: &StreamId, id: &ContactListId) -> Result<ContactList, Error> {
        self.database.transaction(&caller.account_id, async |conn, _| read(conn, caller, stream, id).await).await
    }

    /// Adds people to the live list of that name. A list that removes duplicates
    /// leaves out numbers that it has. Answers how many were added.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when no live list has the name.
    pub async fn add_members(
        &self,
        caller: &Caller,
        stream: &StreamId,
        name: &str,
        new: &[NewMember],
    ) -> Result<u64, Error> {
        let now = self.clock.now();
        let members: Vec<(String, NewMember)> =
            new.iter().map(|new| (ids::generate_member_id(), new.clone())).collect();
        let names = [list_name_key(name)];
        self.database
            .transaction(&caller.account_id, async |conn, _| {
                let found = contact_lists::lock_named(conn, &caller.account_id, stream, &names).await?;
                let list = found.into_iter().next().ok_or(Error::NotFound(Thing::ContactList))?;
                let account = &caller.account_id;
                Ok(contact_list_members::insert(conn, account, &list.id, list.allow_duplicates, &members, now).await?)
            })
            .await
    }
}

async fn read(
    conn: &mut Connection,
    caller: &Caller,
    stream: &StreamId,
    id: &ContactListId,
) -> Result<ContactList, Error> {
    let found = contact_lists::find(conn, &caller.account_id, stream, id, Visibility::Live).await?;
    let list = found.ok_or(Error::NotFound(Thing::ContactList))?;
    let attachments = campaigns::attached_to(conn, &caller.account_id, &[id.as_str()]).await?;
    Ok(ContactList { attachments: attachments.into_values().next().unwrap_or_default(), ..list })
}
