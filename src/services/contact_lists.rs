//! Contact lists and their members: created, filled and looked up.

use crate::clock::Clock;
use crate::domain::contact_list::{
    ContactList, ContactListChange, MAX_MAPPING, Member, NewContactList, NewMember, list_name_key,
};
use crate::domain::identity::Caller;
use crate::domain::ids::{ContactListId, MemberId, StreamId};
use crate::domain::page::{LastChange, Listed, Page};
use crate::domain::version::IfMatch;
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

    /// A page of live lists of a type, or of all types, the last changed first.
    ///
    /// # Errors
    ///
    /// When the database cannot be used.
    pub async fn list(
        &self,
        caller: &Caller,
        stream: &StreamId,
        list_type: Option<&str>,
        page: &Page<LastChange<String>>,
    ) -> Result<Listed<ContactList>, Error> {
        let account = &caller.account_id;
        self.database
            .transaction(account, async |conn, _| {
                let lists = contact_lists::list(conn, account, stream, list_type, page).await?;
                let ids: Vec<&str> = lists.iter().map(|list| list.id.as_str()).collect();
                let mut attachments = campaigns::attached_to(conn, account, &ids).await?;
                let with_attachments = |list: ContactList| {
                    let attachments = attachments.remove(list.id.as_str()).unwrap_or_default();
                    ContactList { attachments, ..list }
                };
                let lists = lists.into_iter().map(with_attachments).collect();
                Ok(Listed::new(lists, page.limit, contact_lists::count(conn, account, stream, list_type).await?))
            })
            .await
    }

    /// Changes a live list.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Refused`] for a version that is not expected;
    /// [`Error::Taken`] when another live list of the stream has the name;
    /// [`Error::HasDuplicates`] when it is to hold each number once and does not.
    pub async fn update(
        &self,
        caller: &Caller,
        stream: &StreamId,
        id: &ContactListId,
        change: &ContactListChange,
        if_match: &IfMatch,
    ) -> Result<ContactList, Error> {
        let now = self.clock.now();
        let account = &caller.account_id;
        self.database
            .transaction(account, async |conn, _| {
                let version = contact_lists::lock_to_change(conn, account, stream, id).await?;
                let version = version.ok_or(Error::NotFound(Thing::ContactList))?;
                if !if_match.allows(version) {
                    return Err(Error::version_mismatch(Thing::ContactList, id.as_str()));
                }
                // Only now, in a statement of its own: what it sees is newer than the lock.
                let list = read(conn, caller, stream, id).await?;
                let (lname, allowed) = (list_name_key(&list.name), list.allow_duplicates);
                let changed = ContactList {
                    updated_by: caller.user_id.to_string(),
                    updated_at: now,
                    version: version + 1,
                    ..change.apply(list)
                };
                if changed.mapping.as_object().is_some_and(|mapping| mapping.len() > MAX_MAPPING) {
                    return Err(Error::TooLarge { what: "mapping", limit: MAX_MAPPING });
                }
                if list_name_key(&changed.name) != lname {
                    let holder = contact_lists::holder_of_name(conn, account, stream, &changed.name).await?;
                    if holder.is_some() {
                        return Err(Error::Taken { what: Unique::Name, thing: Thing::ContactList, id: holder });
                    }
                }
                if changed.allow_duplicates != allowed {
                    let numbers = contact_list_members::count_duplicated(conn, account, id).await?;
                    if !changed.allow_duplicates && numbers > 0 {
                        return Err(Error::HasDuplicates { numbers });
                    }
                    contact_list_members::allow_duplicates(conn, account, id, changed.allow_duplicates).await?;
                }
                contact_lists::update(conn, account, &changed).await?;
                Ok(changed)
            })
            .await
    }

    /// A page of a live list's members, in the order in which they were added.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub async fn members(
        &self,
        caller: &Caller,
        stream: &StreamId,
        id: &ContactListId,
        page: &Page<MemberId>,
    ) -> Result<Listed<Member>, Error> {
        let account = &caller.account_id;
        self.database
            .transaction(account, async |conn, _| {
                let list = contact_lists::find(conn, account, stream, id, Visibility::Live).await?;
                let total = list.ok_or(Error::NotFound(Thing::ContactList))?.total_record_count;
                Ok(Listed::new(contact_list_members::list(conn, account, id, page).await?, page.limit, total))
            })
            .await
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
        let members: Vec<(MemberId, NewMember)> =
            MemberId::generate(new.len(), now).into_iter().zip(new.iter().cloned()).collect();
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
