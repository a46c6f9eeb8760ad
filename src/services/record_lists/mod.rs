//! Record lists and records: lists are created, changed and listed, records are
//! looked up and listed.

use uuid::Uuid;

use crate::clock::Clock;
use crate::domain::identity::Caller;
use crate::domain::ids;
use crate::domain::page::{LastChange, Listed, Page};
use crate::domain::record::{Record, RecordFilter};
use crate::domain::record_list::{ListFilter, ListStatus, NewRecordList, RecordList, UniqueIdentifierType};
use crate::domain::version::IfMatch;
use crate::error::{Error, Thing};
use crate::postgres::Database;
use crate::repositories::{self, record_lists, records};

mod add;
mod attachments;
mod change;

pub use add::MAX_ADDED;

/// Creates and finds record lists and records.
#[derive(Clone)]
pub struct RecordLists {
    database: Database,
    clock: Clock,
}

impl RecordLists {
    pub(super) fn new(database: Database, clock: Clock) -> Self {
        Self { database, clock }
    }

    /// Creates a list.
    ///
    /// # Errors
    ///
    /// When the database cannot be used.
    pub async fn create(&self, caller: &Caller, new: &NewRecordList) -> Result<RecordList, Error> {
        let now = self.clock.now();
        let id = ids::generate_uuid(now);
        self.database
            .transaction(&caller.account_id, async |conn, _| {
                record_lists::insert(conn, caller, id, new, now).await?;
                let list = record_lists::find(conn, &caller.account_id, id).await?;
                list.ok_or(Error::Internal("a list that was created could not be read"))
            })
            .await
    }

    /// A live list.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub async fn find(&self, caller: &Caller, id: Uuid) -> Result<RecordList, Error> {
        self.database
            .transaction(&caller.account_id, async |conn, _| {
                let list = record_lists::find(conn, &caller.account_id, id).await?;
                list.ok_or(Error::NotFound(Thing::RecordList))
            })
            .await
    }

    /// A page of the live lists that the filter leaves, the last changed first,
    /// and how many there are on all pages.
    ///
    /// # Errors
    ///
    /// When the database cannot be used.
    pub async fn list(
        &self,
        caller: &Caller,
        filter: &ListFilter,
        page: &Page<LastChange>,
    ) -> Result<Listed<RecordList>, Error> {
        self.database
            .transaction(&caller.account_id, async |conn, _| {
                let total = record_lists::count(conn, &caller.account_id, filter).await?;
                let lists = record_lists::list(conn, &caller.account_id, filter, page).await?;
                Ok(Listed::new(lists, page.limit, total))
            })
            .await
    }

    /// Sets a list's status.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Refused`] when it has not the version that is expected.
    pub async fn set_status(
        &self,
        caller: &Caller,
        id: Uuid,
        status: ListStatus,
        if_match: &IfMatch,
    ) -> Result<RecordList, Error> {
        let account = &caller.account_id;
        let now = self.clock.now();
        self.database
            .transaction(account, async |conn, _| {
                let version = record_lists::lock_to_change(conn, account, id).await?;
                let version = version.ok_or(Error::NotFound(Thing::RecordList))?;
                if !if_match.allows(version) {
                    return Err(Error::version_mismatch(Thing::RecordList, id.to_string()));
                }
                record_lists::set_status(conn, account, id, status, now).await?;
                let list = record_lists::find(conn, account, id).await?;
                list.ok_or(Error::Internal("a list that was changed could not be read"))
            })
            .await
    }

    /// What tells the records of a live list apart.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub async fn unique_identifier_type(&self, caller: &Caller, id: Uuid) -> Result<UniqueIdentifierType, Error> {
        self.database
            .transaction(&caller.account_id, async |conn, _| {
                let kind = record_lists::unique_identifier_type(conn, &caller.account_id, id).await?;
                kind.ok_or(Error::NotFound(Thing::RecordList))
            })
            .await
    }

    /// A live record of a live list.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] of the list or of the record.
    pub async fn find_record(&self, caller: &Caller, list: Uuid, id: Uuid) -> Result<Record, Error> {
        self.database
            .transaction(&caller.account_id, async |conn, _| {
                if let Some(record) = records::find(conn, &caller.account_id, list, id).await? {
                    return Ok(record);
                }
                let is_live = record_lists::is_live(conn, &caller.account_id, list).await?;
                Err(Error::NotFound(if is_live { Thing::Record } else { Thing::RecordList }))
            })
            .await
    }

    /// A page of those of a list's records that the filter leaves, the last
    /// changed first, and how many there are on all pages.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when the list is not there.
    pub async fn records(
        &self,
        caller: &Caller,
        list: Uuid,
        filter: &RecordFilter,
        page: &Page<LastChange>,
    ) -> Result<Listed<Record>, Error> {
        let account = &caller.account_id;
        self.database
            .transaction(account, async |conn, _| {
                if filter.is_open() {
                    let found = record_lists::find(conn, account, list).await?;
                    let total = found.ok_or(Error::NotFound(Thing::RecordList))?.records_count;
                    return Ok(Listed::new(records::list(conn, account, list, page).await?, page.limit, total));
                }
                if !record_lists::is_live(conn, account, list).await? {
                    return Err(Error::NotFound(Thing::RecordList));
                }
                let with_number: Option<Vec<Uuid>> = match &filter.phone_key {
                    Some(number) => {
                        let found = records::with_numbers(conn, account, list, &[number]).await?;
                        Some(found.into_iter().map(|(_, id)| id).collect())
                    }
                    None => None,
                };
                let with_number = with_number.as_deref();
                repositories::plan_for_values(conn).await?;
                let total = records::count_filtered(conn, account, list, filter, with_number).await?;
                let found = records::list_filtered(conn, account, list, filter, with_number, page).await?;
                Ok(Listed::new(found, page.limit, total))
            })
            .await
    }

    /// The zones of a list's records, each once, sorted.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when the list is not there.
    pub async fn timezones(&self, caller: &Caller, list: Uuid) -> Result<Vec<String>, Error> {
        self.database
            .transaction(&caller.account_id, async |conn, _| {
                if record_lists::is_live(conn, &caller.account_id, list).await? {
                    Ok(records::timezones(conn, &caller.account_id, list).await?)
                } else {
                    Err(Error::NotFound(Thing::RecordList))
                }
            })
            .await
    }
}
