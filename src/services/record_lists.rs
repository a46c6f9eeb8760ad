//! Record lists and records: created, looked up and listed.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use crate::clock::Clock;
use crate::domain::identity::Caller;
use crate::domain::ids;
use crate::domain::page::{LastChange, Listed, Page};
use crate::domain::record::{CreatedRecord, Person, Record};
use crate::domain::record_list::{MAX_RECORDS, NewRecordList, RecordList, UniqueIdentifierType};
use crate::error::{Error, Thing};
use crate::postgres::Database;
use crate::repositories::{record_lists, records};

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

    /// Adds records to a list. Answers one result for each, in the order given.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when the list is not there; [`Error::ListFull`] when it
    /// would hold more than [`MAX_RECORDS`].
    pub async fn add_records(
        &self,
        caller: &Caller,
        list: Uuid,
        people: &[Person],
    ) -> Result<Vec<CreatedRecord>, Error> {
        let now = self.clock.now();
        let rows: Vec<(Uuid, Person)> = people.iter().map(|person| (ids::generate_uuid(now), person.clone())).collect();
        let account = &caller.account_id;
        let (inserted, keys, holders) = self
            .database
            .transaction(account, async |conn, _| {
                let unique_by = record_lists::lock_to_fill(conn, account, list).await?;
                let unique_by = unique_by.ok_or(Error::NotFound(Thing::RecordList))?;
                if rows.is_empty() {
                    return Ok((HashSet::new(), Vec::new(), HashMap::new()));
                }
                let most = MAX_RECORDS - i64::try_from(rows.len()).unwrap_or(MAX_RECORDS);
                if records::count_up_to(conn, account, list, most + 1).await? > most {
                    return Err(Error::ListFull { limit: MAX_RECORDS });
                }
                let inserted: HashSet<Uuid> =
                    records::insert(conn, caller, list, unique_by, &rows, now).await?.into_iter().collect();
                let kept: Vec<&(Uuid, Person)> = rows.iter().filter(|(id, _)| inserted.contains(id)).collect();
                if !kept.is_empty() {
                    records::insert_phones(conn, account, list, &kept).await?;
                }
                let keys: Vec<Option<String>> = rows.iter().map(|(_, person)| person.unique_key(unique_by)).collect();
                let refused: Vec<String> = rows
                    .iter()
                    .zip(&keys)
                    .filter(|((id, _), _)| !inserted.contains(id))
                    .filter_map(|(_, key)| key.clone())
                    .collect();
                let holders: HashMap<String, Uuid> = if refused.is_empty() {
                    HashMap::new()
                } else {
                    records::holders(conn, account, list, &refused).await?.into_iter().collect()
                };
                Ok((inserted, keys, holders))
            })
            .await?;
        Ok(rows
            .into_iter()
            .zip(keys)
            .map(|((id, person), key)| {
                if inserted.contains(&id) {
                    let record =
                        Record { id, record_list_id: list, person, created_at: now, updated_at: now, version: 1 };
                    CreatedRecord::Record(Box::new(record))
                } else {
                    CreatedRecord::KeyTaken { by: key.and_then(|key| holders.get(&key).copied()) }
                }
            })
            .collect())
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

    /// A page of a list's records, the last changed first, and how many there are
    /// on all pages.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when the list is not there.
    pub async fn records(&self, caller: &Caller, list: Uuid, page: &Page<LastChange>) -> Result<Listed<Record>, Error> {
        self.database
            .transaction(&caller.account_id, async |conn, _| {
                let found = record_lists::find(conn, &caller.account_id, list).await?;
                let total = found.ok_or(Error::NotFound(Thing::RecordList))?.records_count;
                Ok(Listed::new(records::list(conn, &caller.account_id, list, page).await?, page.limit, total))
            })
            .await
    }
}
