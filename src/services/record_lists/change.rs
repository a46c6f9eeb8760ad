//! Records of a list are changed: locked, read, changed by a rule of the
//! caller's, and written.

use std::collections::HashMap;

use uuid::Uuid;

use super::RecordLists;
use super::add::taken;
use crate::domain::identity::Caller;
use crate::domain::ids::AccountId;
use crate::domain::record::{ChangedRecord, Person, Record};
use crate::domain::record_list::UniqueIdentifierType;
use crate::domain::version::IfMatch;
use crate::error::{Error, Thing};
use crate::repositories::{Connection, Wait, record_lists, records};

impl RecordLists {
    /// Changes one record to what `change` makes of the person. One that it
    /// leaves as it was is not written.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] of the list or the record; [`Error::Refused`] when the
    /// record has not the version that is expected; [`Error::Taken`] when a live
    /// record of the list has the unique identifier; what `change` fails with.
    pub async fn change_record(
        &self,
        caller: &Caller,
        list: Uuid,
        id: Uuid,
        if_match: &IfMatch,
        change: impl Fn(&Person, UniqueIdentifierType) -> Result<Person, Error>,
    ) -> Result<Record, Error> {
        let account = &caller.account_id;
        let now = self.clock.now();
        self.database
            .transaction(account, async |conn, _| {
                let (unique_by, before) = lock(conn, account, list, &[id]).await?;
                let record = before.get(&id).ok_or(Error::NotFound(Thing::Record))?;
                if !if_match.allows(record.version) {
                    return Err(Error::version_mismatch(Thing::Record, id.to_string()));
                }
                let person = change(&record.person, unique_by)?;
                let key = person.unique_key(unique_by);
                if let Some(key) = key.filter(|key| record.person.unique_key(unique_by).as_ref() != Some(key))
                    && let Some((_, by)) = records::holders(conn, account, list, &[key]).await?.into_iter().next()
                {
                    return Err(taken(unique_by, Some(by)));
                }
                let after = HashMap::from([(id, Record { person, ..record.clone() })]);
                write(conn, account, list, unique_by, &before, &after, now).await?;
                let changed = records::find(conn, account, list, id).await?;
                changed.ok_or(Error::Internal("a record that was changed could not be read"))
            })
            .await
    }

    /// Changes records, each to what `change` makes of the person for that place
    /// in `ids`; several changes of one record follow each other. Answers one
    /// result for each, in the order given. What cannot be changed is left, and
    /// the rest is changed.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when the list is not there.
    pub async fn change_records<P>(
        &self,
        caller: &Caller,
        list: Uuid,
        ids: &[Option<Uuid>],
        change: impl Fn(usize, &Person, UniqueIdentifierType) -> Result<Person, P>,
    ) -> Result<Vec<ChangedRecord<P>>, Error> {
        let account = &caller.account_id;
        let now = self.clock.now();
        let mut named: Vec<Uuid> = ids.iter().flatten().copied().collect();
        named.sort();
        named.dedup();
        self.database
            .transaction(account, async |conn, _| {
                let (unique_by, before) = lock(conn, account, list, &named).await?;
                let mut holders = HashMap::new();
                let (outcomes, after) = loop {
                    let mut trial = Trial::new(unique_by, &before, &holders);
                    let outcomes: Vec<ChangedRecord<P>> = ids
                        .iter()
                        .enumerate()
                        .map(|(index, id)| trial.change(*id, now, |person| change(index, person, unique_by)))
                        .collect();
                    if trial.unknown.is_empty() {
                        break (outcomes, trial.records);
                    }
                    // Once, but for a record that is changed several times and whose first change proves impossible.
                    let found: HashMap<String, Uuid> =
                        records::holders(conn, account, list, &trial.unknown).await?.into_iter().collect();
                    holders.extend(trial.unknown.into_iter().map(|key| {
                        let by = found.get(&key).copied();
                        (key, by)
                    }));
                };
                write(conn, account, list, unique_by, &before, &after, now).await?;
                Ok(outcomes)
            })
            .await
    }
}

/// Changes that are tried out one after another before any is written.
struct Trial {
    unique_by: UniqueIdentifierType,
    /// The records as the changes so far leave them.
    records: HashMap<Uuid, Record>,
    /// Who has a unique identifier after the changes so far.
    holders: HashMap<String, Option<Uuid>>,
    /// The unique identifiers whose holder was not known; they were taken to be free.
    unknown: Vec<String>,
}

impl Trial {
    fn new(
        unique_by: UniqueIdentifierType,
        before: &HashMap<Uuid, Record>,
        holders: &HashMap<String, Option<Uuid>>,
    ) -> Self {
        let mut holders = holders.clone();
        for (id, record) in before {
            holders.extend(record.person.unique_key(unique_by).map(|key| (key, Some(*id))));
        }
        Self { unique_by, records: before.clone(), holders, unknown: Vec::new() }
    }

    fn change<P>(
        &mut self,
        id: Option<Uuid>,
        now: time::OffsetDateTime,
        change: impl FnOnce(&Person) -> Result<Person, P>,
    ) -> ChangedRecord<P> {
        let Some((id, record)) = id.and_then(|id| Some((id, self.records.get_mut(&id)?))) else {
            return ChangedRecord::NotFound;
        };
        let person = match change(&record.person) {
            Ok(person) => person,
            Err(problem) => return ChangedRecord::Refused(problem),
        };
        let (old, new) = (record.person.unique_key(self.unique_by), person.unique_key(self.unique_by));
        if old != new {
            if let Some(key) = new {
                match self.holders.get(&key) {
                    Some(Some(by)) if *by != id => return ChangedRecord::KeyTaken { by: Some(*by) },
                    Some(_) => {}
                    None => self.unknown.push(key.clone()),
                }
                self.holders.insert(key, Some(id));
            }
            self.holders.extend(old.map(|key| (key, None)));
        }
        if record.person != person {
            record.person = person;
            record.updated_at = now;
        }
        ChangedRecord::Record(Box::new(record.clone()))
    }
}

/// Locks records of a live list in the order of their ids, and then reads those
/// that are live: what a statement reads beside a row that it has waited for is
/// older than the row.
async fn lock(
    conn: &mut Connection,
    account: &AccountId,
    list: Uuid,
    ids: &[Uuid],
) -> Result<(UniqueIdentifierType, HashMap<Uuid, Record>), Error> {
    let unique_by = record_lists::keep_to_change_records(conn, account, list).await?;
    let unique_by = unique_by.ok_or(Error::NotFound(Thing::RecordList))?;
    records::lock(conn, account, list, ids, Wait::Block).await?;
    let found = records::find_all(conn, account, list, ids).await?;
    Ok((unique_by, found.into_iter().map(|record| (record.id, record)).collect()))
}

/// Writes what differs. The number of statements does not depend on the number of records.
async fn write(
    conn: &mut Connection,
    account: &AccountId,
    list: Uuid,
    unique_by: UniqueIdentifierType,
    before: &HashMap<Uuid, Record>,
    after: &HashMap<Uuid, Record>,
    now: time::OffsetDateTime,
) -> Result<(), Error> {
    let pairs = || after.iter().filter_map(|(id, after)| Some((*id, &before.get(id)?.person, &after.person)));
    let changed: Vec<(Uuid, Person)> =
        pairs().filter(|(_, before, after)| before != after).map(|(id, _, after)| (id, after.clone())).collect();
    if changed.is_empty() {
        return Ok(());
    }
    let other_keys: Vec<Uuid> = pairs()
        .filter(|(_, before, after)| before.unique_key(unique_by) != after.unique_key(unique_by))
        .map(|(id, _, _)| id)
        .collect();
    if other_keys.len() > 1 {
        records::free_keys(conn, account, list, &other_keys).await?;
    }
    let rows: Vec<&(Uuid, Person)> = changed.iter().collect();
    let written = records::update(conn, account, list, unique_by, &rows, now).await?;
    if written != changed.len() as u64 {
        return Err(Error::Internal("fewer records were changed than were locked"));
    }
    let other_phones: Vec<Uuid> =
        pairs().filter(|(_, before, after)| before.phone_numbers != after.phone_numbers).map(|(id, _, _)| id).collect();
    if !other_phones.is_empty() {
        records::mark_phones_replaced(conn, account, list, &other_phones).await?;
        records::remove_replaced_phones(conn, account, list, &other_phones).await?;
        let rows: Vec<&(Uuid, Person)> = changed.iter().filter(|(id, _)| other_phones.contains(id)).collect();
        records::insert_phones(conn, account, list, &rows).await?;
    }
    Ok(())
}
