//! Records and their phone numbers. A record is visible when it and its list are live.

use serde::Deserialize;
use serde_json::{Map, Value};
use sqlx::types::Json;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Connection, LockedRow, Result, Stamp, Wait, Written};
use crate::domain::identity::Caller;
use crate::domain::ids::AccountId;
use crate::domain::page::{LastChange, Page};
use crate::domain::phone::PhoneKey;
use crate::domain::record::{ExternalReference, Person, Record, RecordPhone};
use crate::domain::record_list::UniqueIdentifierType;

/// Inserts records, leaving out those whose unique identifier a live record of
/// the list has. Answers the ids of those that were inserted.
pub async fn insert(
    conn: &mut Connection,
    caller: &Caller,
    list: Uuid,
    unique_by: UniqueIdentifierType,
    records: &[(Uuid, Person)],
    now: OffsetDateTime,
) -> Result<Vec<Uuid>> {
    let ids: Vec<Uuid> = records.iter().map(|(id, _)| *id).collect();
    let text = |value: fn(&Person) -> Option<&str>| records.iter().map(|(_, person)| value(person)).collect::<Vec<_>>();
    let first_names = text(|person| Some(&person.first_name));
    let last_names = text(|person| Some(&person.last_name));
    let timezones = text(|person| person.timezone.as_deref());
    let providers = text(|person| person.external.as_ref().map(|external| external.provider.as_str()));
    let external_ids = text(|person| person.external.as_ref().map(|external| external.id.as_str()));
    let urls = text(|person| person.external_url.as_deref());
    let priorities: Vec<Option<i16>> = records.iter().map(|(_, person)| person.priority).collect();
    let sync: Vec<bool> = records.iter().map(|(_, person)| person.sync_external_id).collect();
    let extra: Vec<String> =
        records.iter().map(|(_, person)| Value::Object(person.extra_data.clone()).to_string()).collect();
    let keys: Vec<Option<String>> = records.iter().map(|(_, person)| person.unique_key(unique_by)).collect();
    sqlx::query_scalar!(
        r#"
        INSERT INTO records (
            account_id, record_list_id, id, first_name, last_name, timezone, priority, external_provider, external_id,
            external_url, sync_external_id, extra_data, unique_key, created_by, created_at, updated_at
        )
        SELECT $1, $2, new.id, new.first_name, new.last_name, new.timezone, new.priority, new.external_provider,
               new.external_id, new.external_url, new.sync_external_id, new.extra_data::json, new.unique_key, $3, $4, $4
        FROM unnest($5::uuid[], $6::text[], $7::text[], $8::text[], $9::smallint[], $10::text[], $11::text[],
                    $12::text[], $13::boolean[], $14::text[], $15::text[])
             WITH ORDINALITY
             AS new (id, first_name, last_name, timezone, priority, external_provider, external_id, external_url,
                     sync_external_id, extra_data, unique_key, position)
        -- In the order of the key, so that two calls with the same keys wait and do not deadlock.
        ORDER BY new.unique_key, new.position
        ON CONFLICT (account_id, record_list_id, unique_key) WHERE deleted_at IS NULL DO NOTHING
        RETURNING id
        "#,
        caller.account_id.as_str(),
        list,
        caller.user_id.as_str(),
        now,
        &ids,
        &first_names as _,
        &last_names as _,
        &timezones as _,
        &priorities as _,
        &providers as _,
        &external_ids as _,
        &urls as _,
        &sync,
        &extra,
        &keys as _,
    )
    .fetch_all(conn)
    .await
}

/// Inserts the numbers of records that were just inserted.
pub async fn insert_phones(
    conn: &mut Connection,
    account: &AccountId,
    list: Uuid,
    records: &[&(Uuid, Person)],
) -> Result<()> {
    let mut ids = Vec::new();
    let mut positions = Vec::new();
    let mut numbers = Vec::new();
    let mut types = Vec::new();
    let mut keys = Vec::new();
    for (id, person) in records {
        for (position, phone) in (0_i16..).zip(&person.phone_numbers) {
            ids.push(*id);
            positions.push(position);
            numbers.push(phone.phone_number.as_str());
            types.push(phone.phone_type.as_deref());
            keys.push(phone.key.as_str());
        }
    }
    sqlx::query!(
        r#"
        INSERT INTO record_phones (account_id, record_list_id, record_id, position, phone_number, phone_type, phone_key)
        SELECT $1, $2, new.record_id, new.position, new.phone_number, new.phone_type, new.phone_key
        FROM unnest($3::uuid[], $4::smallint[], $5::text[], $6::text[], $7::text[])
             AS new (record_id, position, phone_number, phone_type, phone_key)
        "#,
        account.as_str(),
        list,
        &ids,
        &positions,
        &numbers as _,
        &types as _,
        &keys as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The live records that have one of the unique identifiers, by identifier.
pub async fn holders(
    conn: &mut Connection,
    account: &AccountId,
    list: Uuid,
    keys: &[String],
) -> Result<Vec<(String, Uuid)>> {
    let rows = sqlx::query!(
        r#"
        SELECT unique_key AS "unique_key!", id
        FROM records
        WHERE account_id = $1 AND record_list_id = $2 AND unique_key = ANY($3) AND deleted_at IS NULL
        "#,
        account.as_str(),
        list,
        keys,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.unique_key, row.id)).collect())
}

/// How many live records a list has, counted up to `limit`.
pub async fn count_up_to(conn: &mut Connection, account: &AccountId, list: Uuid, limit: i64) -> Result<i64> {
    sqlx::query_scalar!(
        r#"
        SELECT count(*) AS "count!"
        FROM (
            SELECT FROM records WHERE account_id = $1 AND record_list_id = $2 AND deleted_at IS NULL LIMIT $3
        ) AS counted
        "#,
        account.as_str(),
        list,
        limit,
    )
    .fetch_one(conn)
    .await
}

/// A live record of a live list.
pub async fn find(conn: &mut Connection, account: &AccountId, list: Uuid, id: Uuid) -> Result<Option<Record>> {
    sqlx::query_as!(
        RecordRow,
        r#"
        SELECT r.id, r.record_list_id, r.first_name, r.last_name, r.timezone, r.priority, r.external_provider,
               r.external_id, r.external_url, r.sync_external_id, r.extra_data, r.created_at, r.updated_at,
               r.version,
               (
                   SELECT coalesce(jsonb_agg(
                       jsonb_build_object('phone_number', p.phone_number, 'phone_type', p.phone_type, 'key', p.phone_key)
                       ORDER BY p.position
                   ), '[]')
                   FROM record_phones p
                   WHERE p.account_id = r.account_id AND p.record_list_id = r.record_list_id AND p.record_id = r.id
               ) AS "phones!: Json<Vec<PhoneRow>>"
        FROM records r
        JOIN record_lists l ON l.account_id = r.account_id AND l.id = r.record_list_id
        WHERE r.account_id = $1 AND r.record_list_id = $2 AND r.id = $3 AND r.deleted_at IS NULL AND l.deleted_at IS NULL
        "#,
        account.as_str(),
        list,
        id,
    )
    .fetch_optional(conn)
    .await
    .map(|row| row.map(Into::into))
}

/// A page of a list's live records, the last changed first, and one more. The list must be live.
pub async fn list(
    conn: &mut Connection,
    account: &AccountId,
    list: Uuid,
    page: &Page<LastChange>,
) -> Result<Vec<Record>> {
    let after = page.after_change();
    sqlx::query_as!(
        RecordRow,
        r#"
        SELECT r.id, r.record_list_id, r.first_name, r.last_name, r.timezone, r.priority, r.external_provider,
               r.external_id, r.external_url, r.sync_external_id, r.extra_data, r.created_at, r.updated_at,
               r.version,
               (
                   SELECT coalesce(jsonb_agg(
                       jsonb_build_object('phone_number', p.phone_number, 'phone_type', p.phone_type, 'key', p.phone_key)
                       ORDER BY p.position
                   ), '[]')
                   FROM record_phones p
                   WHERE p.account_id = r.account_id AND p.record_list_id = r.record_list_id AND p.record_id = r.id
               ) AS "phones!: Json<Vec<PhoneRow>>"
        FROM records r
        WHERE r.account_id = $1 AND r.record_list_id = $2 AND r.deleted_at IS NULL
          AND (r.updated_at, r.id) < ($3, $4)
        ORDER BY r.updated_at DESC, r.id DESC
        LIMIT $5 OFFSET $6
        "#,
        account.as_str(),
        list,
        after.at,
        after.id,
        page.limit + 1,
        page.skip(),
    )
    .fetch_all(conn)
    .await
    .map(|rows| rows.into_iter().map(Into::into).collect())
}

/// The records, live or trashed, that have one of the numbers, by number.
pub async fn with_numbers(
    conn: &mut Connection,
    account: &AccountId,
    list: Uuid,
    numbers: &[&PhoneKey],
) -> Result<Vec<(String, Uuid)>> {
    let numbers: Vec<&str> = numbers.iter().map(|number| number.as_str()).collect();
    let rows = sqlx::query!(
        r#"
        SELECT DISTINCT phone_key, record_id
        FROM record_phones
        WHERE account_id = $1 AND record_list_id = $2 AND phone_key = ANY($3)
        ORDER BY phone_key, record_id
        "#,
        account.as_str(),
        list,
        &numbers as _,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.phone_key, row.record_id)).collect())
}

/// The records, live or trashed, that have one of the external references, by reference.
pub async fn with_references(
    conn: &mut Connection,
    account: &AccountId,
    list: Uuid,
    references: &[&ExternalReference],
) -> Result<Vec<(ExternalReference, Uuid)>> {
    let providers: Vec<&str> = references.iter().map(|reference| reference.provider.as_str()).collect();
    let ids: Vec<&str> = references.iter().map(|reference| reference.id.as_str()).collect();
    let rows = sqlx::query!(
        r#"
        SELECT r.external_provider AS "provider!", r.external_id AS "external_id!", r.id
        FROM unnest($3::text[], $4::text[]) AS asked (provider, id)
        JOIN records r ON r.external_id = asked.id AND r.external_provider = asked.provider
        WHERE r.account_id = $1 AND r.record_list_id = $2
        ORDER BY r.id
        "#,
        account.as_str(),
        list,
        &providers as _,
        &ids as _,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (ExternalReference { provider: row.provider, id: row.external_id }, row.id))
        .collect())
}

/// Locks records for deletion, in the order of their ids.
pub async fn lock(
    conn: &mut Connection,
    account: &AccountId,
    list: Uuid,
    ids: &[Uuid],
    wait: Wait,
) -> Result<Vec<LockedRow>> {
    match wait {
        Wait::Block => {
            sqlx::query_as!(
                LockedRow,
                r#"
                SELECT id::text AS "id!", deleted_at IS NOT NULL AS "trashed!", version, held
                FROM records
                WHERE account_id = $1 AND record_list_id = $2 AND id = ANY($3)
                ORDER BY records.id
                FOR UPDATE
                "#,
                account.as_str(),
                list,
                ids,
            )
            .fetch_all(conn)
            .await
        }
        Wait::Skip => {
            sqlx::query_as!(
                LockedRow,
                r#"
                SELECT id::text AS "id!", deleted_at IS NOT NULL AS "trashed!", version, held
                FROM records
                WHERE account_id = $1 AND record_list_id = $2 AND id = ANY($3)
                ORDER BY records.id
                FOR UPDATE SKIP LOCKED
                "#,
                account.as_str(),
                list,
                ids,
            )
            .fetch_all(conn)
            .await
        }
    }
}

/// Those of the ids that exist, whoever has them locked.
pub async fn existing(conn: &mut Connection, account: &AccountId, list: Uuid, ids: &[Uuid]) -> Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"SELECT id::text AS "id!" FROM records WHERE account_id = $1 AND record_list_id = $2 AND id = ANY($3)"#,
        account.as_str(),
        list,
        ids,
    )
    .fetch_all(conn)
    .await
}

/// Moves live records into the trash. They must be locked.
pub async fn trash(
    conn: &mut Connection,
    account: &AccountId,
    list: Uuid,
    ids: &[Uuid],
    stamp: &Stamp,
) -> Result<Vec<Written>> {
    sqlx::query_as!(
        Written,
        r#"
        UPDATE records
        SET deleted_at = $4, deleted_by = $5, deletion_id = $6, updated_at = $4, version = version + 1
        WHERE account_id = $1 AND record_list_id = $2 AND id = ANY($3) AND deleted_at IS NULL
        RETURNING id::text AS "id!", version
        "#,
        account.as_str(),
        list,
        ids,
        stamp.at,
        stamp.by.as_str(),
        stamp.deletion_id,
    )
    .fetch_all(conn)
    .await
}

/// Removes the numbers of trashed records, which must go before the records do.
pub async fn remove_phones(conn: &mut Connection, account: &AccountId, list: Uuid, ids: &[Uuid]) -> Result<()> {
    sqlx::query!(
        "DELETE FROM record_phones WHERE account_id = $1 AND record_list_id = $2 AND record_id = ANY($3)",
        account.as_str(),
        list,
        ids,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes trashed records for good. Answers how many went.
pub async fn remove(conn: &mut Connection, account: &AccountId, list: Uuid, ids: &[Uuid]) -> Result<u64> {
    let done = sqlx::query!(
        "DELETE FROM records WHERE account_id = $1 AND record_list_id = $2 AND id = ANY($3)",
        account.as_str(),
        list,
        ids,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Those of the lists that have a record on hold.
pub async fn lists_with_held(conn: &mut Connection, account: &AccountId, lists: &[Uuid]) -> Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"
        SELECT DISTINCT record_list_id::text AS "id!" FROM records
        WHERE account_id = $1 AND record_list_id = ANY($2) AND held
        "#,
        account.as_str(),
        lists,
    )
    .fetch_all(conn)
    .await
}

/// Moves all live records of a list into the trash, locking them in order.
pub async fn trash_of(conn: &mut Connection, account: &AccountId, list: Uuid, stamp: &Stamp) -> Result<()> {
    sqlx::query!(
        r#"
        WITH locked AS MATERIALIZED (
            SELECT id
            FROM records
            WHERE account_id = $1 AND record_list_id = $2 AND deleted_at IS NULL
            ORDER BY id
            FOR UPDATE
        )
        UPDATE records r
        SET deleted_at = $3, deleted_by = $4, deletion_id = $5, updated_at = $3, version = version + 1
        FROM locked
        WHERE r.account_id = $1 AND r.record_list_id = $2 AND r.id = locked.id
        "#,
        account.as_str(),
        list,
        stamp.at,
        stamp.by.as_str(),
        stamp.deletion_id,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes the numbers of all trashed records of a list, which must go before the records do.
pub async fn remove_phones_of(conn: &mut Connection, account: &AccountId, list: Uuid) -> Result<()> {
    sqlx::query!("DELETE FROM record_phones WHERE account_id = $1 AND record_list_id = $2", account.as_str(), list,)
        .execute(conn)
        .await?;
    Ok(())
}

/// Removes all trashed records of a list for good. Answers which went.
pub async fn remove_of(conn: &mut Connection, account: &AccountId, list: Uuid) -> Result<Vec<Written>> {
    sqlx::query_as!(
        Written,
        r#"
        DELETE FROM records
        WHERE account_id = $1 AND record_list_id = $2
        RETURNING id::text AS "id!", version
        "#,
        account.as_str(),
        list,
    )
    .fetch_all(conn)
    .await
}

#[derive(Deserialize)]
struct PhoneRow {
    phone_number: String,
    phone_type: Option<String>,
    key: String,
}

struct RecordRow {
    id: Uuid,
    record_list_id: Uuid,
    first_name: String,
    last_name: String,
    timezone: Option<String>,
    priority: Option<i16>,
    external_provider: Option<String>,
    external_id: Option<String>,
    external_url: Option<String>,
    sync_external_id: bool,
    extra_data: Value,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
    version: i64,
    phones: Json<Vec<PhoneRow>>,
}

impl From<RecordRow> for Record {
    fn from(row: RecordRow) -> Self {
        let phone_numbers = row
            .phones
            .0
            .into_iter()
            .map(|phone| RecordPhone {
                phone_number: phone.phone_number,
                phone_type: phone.phone_type,
                key: PhoneKey::stored(phone.key),
            })
            .collect();
        Record {
            id: row.id,
            record_list_id: row.record_list_id,
            person: Person {
                first_name: row.first_name,
                last_name: row.last_name,
                phone_numbers,
                timezone: row.timezone,
                priority: row.priority,
                external: row
                    .external_provider
                    .zip(row.external_id)
                    .map(|(provider, id)| ExternalReference { provider, id }),
                external_url: row.external_url,
                sync_external_id: row.sync_external_id,
                extra_data: match row.extra_data {
                    Value::Object(extra) => extra,
                    _ => Map::new(),
                },
            },
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
        }
    }
}
