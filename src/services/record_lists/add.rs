//! Records are added to a list.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::RecordLists;
use crate::domain::identity::Caller;
use crate::domain::ids;
use crate::domain::record::{CreatedRecord, Person, Record};
use crate::domain::record_list::{FILL_MARGIN, MAX_RECORDS, UniqueIdentifierType};
use crate::error::{Error, Thing, Unique};
use crate::repositories::record_lists::{self, Fill, Filling};
use crate::repositories::{Connection, records};

/// The most records that one transaction adds.
pub const MAX_ADDED: usize = 100;

/// What one transaction added.
struct Added {
    inserted: HashSet<Uuid>,
    keys: Vec<Option<String>>,
    holders: HashMap<String, Uuid>,
}

impl RecordLists {
    /// Adds at most [`MAX_ADDED`] records to a list. Answers one result for each,
    /// in the order given.
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
        let mut added = None;
        for fill in [Fill::BesideOthers, Fill::Alone] {
            added = self
                .database
                .transaction(&caller.account_id, async |conn, _| {
                    let filling = record_lists::lock_to_fill(conn, &caller.account_id, list, fill).await?;
                    let filling = filling.ok_or(Error::NotFound(Thing::RecordList))?;
                    if rows.is_empty() || has_room(conn, caller, list, fill, &filling, rows.len()).await? {
                        return Ok(Some(insert(conn, caller, list, filling.unique_by, &rows, now).await?));
                    }
                    match fill {
                        Fill::BesideOthers => Ok(None),
                        Fill::Alone => Err(Error::ListFull { limit: MAX_RECORDS }),
                    }
                })
                .await?;
            if added.is_some() {
                break;
            }
        }
        let Added { inserted, keys, holders } =
            added.ok_or(Error::Internal("a list that is filled alone has room or is full"))?;
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

    /// Adds one record to a list.
    ///
    /// # Errors
    ///
    /// What [`RecordLists::add_records`] says, and [`Error::Taken`] when a live
    /// record of the list has its unique identifier.
    pub async fn add_record(&self, caller: &Caller, list: Uuid, person: Person) -> Result<Record, Error> {
        match self.add_records(caller, list, &[person]).await?.into_iter().next() {
            Some(CreatedRecord::Record(record)) => Ok(*record),
            Some(CreatedRecord::KeyTaken { by }) => {
                let unique_by = self.unique_identifier_type(caller, list).await?;
                Err(taken(unique_by, by))
            }
            None => Err(Error::Internal("a record was neither created nor refused")),
        }
    }
}

/// What a unique identifier that another record has comes to.
pub(super) fn taken(unique_by: UniqueIdentifierType, by: Option<Uuid>) -> Error {
    let what = match unique_by {
        UniqueIdentifierType::PhoneNumber => Unique::PhoneNumber,
        UniqueIdentifierType::External | UniqueIdentifierType::Nothing => Unique::ExternalReference,
    };
    Error::Taken { what, thing: Thing::Record, id: by.map(|id| id.to_string()) }
}

/// Whether a list has room for `more` records. Beside others only where it is far
/// from full: each of them counts what is committed, does not see what the rest
/// has under way, and adds no more than [`MAX_ADDED`]; so all that the server can
/// have under way at once fits into the margin, and the limit holds. Whoever
/// fills it alone has waited for all of them and counts exactly.
async fn has_room(
    conn: &mut Connection,
    caller: &Caller,
    list: Uuid,
    fill: Fill,
    filling: &Filling,
    more: usize,
) -> Result<bool, Error> {
    let count = |amount: usize| i64::try_from(amount).unwrap_or(MAX_RECORDS);
    let most = match fill {
        Fill::BesideOthers => MAX_RECORDS - FILL_MARGIN.max(filling.most_transactions * count(MAX_ADDED)),
        Fill::Alone => MAX_RECORDS - count(more),
    };
    Ok(most >= 0 && records::count_up_to(conn, &caller.account_id, list, most + 1).await? <= most)
}

async fn insert(
    conn: &mut Connection,
    caller: &Caller,
    list: Uuid,
    unique_by: UniqueIdentifierType,
    rows: &[(Uuid, Person)],
    now: time::OffsetDateTime,
) -> Result<Added, Error> {
    let account = &caller.account_id;
    let keys: Vec<Option<String>> = rows.iter().map(|(_, person)| person.unique_key(unique_by)).collect();
    if rows.is_empty() {
        return Ok(Added { inserted: HashSet::new(), keys, holders: HashMap::new() });
    }
    let inserted: HashSet<Uuid> =
        records::insert(conn, caller, list, unique_by, rows, now).await?.into_iter().collect();
    let kept: Vec<&(Uuid, Person)> = rows.iter().filter(|(id, _)| inserted.contains(id)).collect();
    if !kept.is_empty() {
        records::insert_phones(conn, account, list, &kept).await?;
    }
    let refused: Vec<String> = rows
        .iter()
        .zip(&keys)
        .filter(|((id, _), _)| !inserted.contains(id))
        .filter_map(|(_, key)| key.clone())
        .collect();
    let holders = if refused.is_empty() {
        HashMap::new()
    } else {
        records::holders(conn, account, list, &refused).await?.into_iter().collect()
    };
    Ok(Added { inserted, keys, holders })
}
