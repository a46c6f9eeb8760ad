//! Contacts.

use serde_json::Value;
use time::OffsetDateTime;

use super::{Connection, LockedRow, Result, Stamp, Wait, Written, unknown_value};
use crate::domain::contact::{CellPhone, Contact, ContactFilter, ContactStatus, NewContact};
use crate::domain::identity::Caller;
use crate::domain::ids::{AccountId, ContactId, StreamId};
use crate::domain::page::Page;
use crate::domain::phone::PhoneKey;

/// Stands after every id, all of which are hexadecimal: a bound that is always there is one that the index serves.
const AFTER_ALL: &str = "g";

/// Inserts contacts, leaving out those whose number belongs to a live contact.
/// Answers the ids of those that were inserted.
pub async fn insert(
    conn: &mut Connection,
    caller: &Caller,
    stream: &StreamId,
    contacts: &[(ContactId, NewContact)],
    now: OffsetDateTime,
) -> Result<Vec<String>> {
    let ids: Vec<&str> = contacts.iter().map(|(id, _)| id.as_str()).collect();
    let column = |value: fn(&NewContact) -> &str| contacts.iter().map(|(_, new)| value(new)).collect::<Vec<&str>>();
    let first_names = column(|new| &new.first_name);
    let last_names = column(|new| &new.last_name);
    let salutations = column(|new| &new.salutation);
    let country_codes = column(|new| &new.cell_phone.country_code);
    let phone_numbers = column(|new| &new.cell_phone.phone_number);
    let extensions = column(|new| &new.cell_phone.extension);
    let phone_keys = column(|new| new.phone_key.as_str());
    let addresses: Vec<String> = contacts.iter().map(|(_, new)| new.address.to_string()).collect();
    let twitter_details: Vec<String> = contacts.iter().map(|(_, new)| new.twitter_details.to_string()).collect();
    sqlx::query_scalar!(
        r#"
        INSERT INTO contacts (
            account_id, stream_id, id, first_name, last_name, salutation, country_code, phone_number, extension,
            phone_key, address, twitter_details, created_by, created_by_aid, created_at, updated_at
        )
        SELECT $1, $2, new.id, new.first_name, new.last_name, new.salutation, new.country_code, new.phone_number,
               new.extension, new.phone_key, new.address::json, new.twitter_details::json, $3, $4, $5, $5
        FROM unnest($6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[],
                    $13::text[], $14::text[], $15::text[])
             WITH ORDINALITY
             AS new (id, first_name, last_name, salutation, country_code, phone_number, extension, phone_key,
                     address, twitter_details, position)
        -- In the order of the key, so that two calls with the same numbers wait and do not deadlock.
        ORDER BY new.phone_key, new.position
        ON CONFLICT (account_id, stream_id, phone_key) WHERE deleted_at IS NULL DO NOTHING
        RETURNING id
        "#,
        caller.account_id.as_str(),
        stream.as_str(),
        caller.user_id.as_str(),
        caller.agent_id,
        now,
        &ids as _,
        &first_names as _,
        &last_names as _,
        &salutations as _,
        &country_codes as _,
        &phone_numbers as _,
        &extensions as _,
        &phone_keys as _,
        &addresses,
        &twitter_details,
    )
    .fetch_all(conn)
    .await
}

/// The live contacts that have one of the numbers, by number.
pub async fn holders(
    conn: &mut Connection,
    account: &AccountId,
    stream: &StreamId,
    numbers: &[&PhoneKey],
) -> Result<Vec<(String, String)>> {
    let numbers: Vec<&str> = numbers.iter().map(|number| number.as_str()).collect();
    let rows = sqlx::query!(
        r#"
        SELECT phone_key, id
        FROM contacts
        WHERE account_id = $1 AND stream_id = $2 AND phone_key = ANY($3) AND deleted_at IS NULL
        "#,
        account.as_str(),
        stream.as_str(),
        &numbers as _,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.phone_key, row.id)).collect())
}

/// A contact, live or in the trash.
pub async fn find(
    conn: &mut Connection,
    account: &AccountId,
    stream: &StreamId,
    id: &ContactId,
) -> Result<Option<Contact>> {
    sqlx::query_as!(
        ContactRow,
        r#"
        SELECT id, stream_id, first_name, last_name, salutation, country_code, phone_number, extension, address,
               twitter_details, created_by, created_by_aid, updated_by, updated_by_aid, created_at, updated_at,
               version, deleted_at IS NOT NULL AS "trashed!"
        FROM contacts
        WHERE account_id = $1 AND stream_id = $2 AND id = $3
        "#,
        account.as_str(),
        stream.as_str(),
        id.as_str(),
    )
    .fetch_optional(conn)
    .await?
    .map(TryInto::try_into)
    .transpose()
}

/// A page of live contacts, newest first, and one more.
pub async fn list_live(
    conn: &mut Connection,
    account: &AccountId,
    stream: &StreamId,
    filter: &ContactFilter,
    page: &Page<ContactId>,
) -> Result<Vec<Contact>> {
    sqlx::query_as!(
        ContactRow,
        r#"
        SELECT id, stream_id, first_name, last_name, salutation, country_code, phone_number, extension, address,
               twitter_details, created_by, created_by_aid, updated_by, updated_by_aid, created_at, updated_at,
               version, deleted_at IS NOT NULL AS "trashed!"
        FROM contacts
        WHERE account_id = $1 AND stream_id = $2 AND deleted_at IS NULL
          AND ($3::text IS NULL OR phone_key = $3)
          AND ($4::timestamptz IS NULL OR created_at < $4)
          AND ($5::timestamptz IS NULL OR created_at >= $5)
          AND ($6::timestamptz IS NULL OR updated_at < $6)
          AND ($7::timestamptz IS NULL OR updated_at >= $7)
          AND id < $8
        ORDER BY id DESC
        LIMIT $9 OFFSET $10
        "#,
        account.as_str(),
        stream.as_str(),
        filter.phone_key.as_ref().map(PhoneKey::as_str),
        filter.created_before,
        filter.created_after,
        filter.updated_before,
        filter.updated_after,
        page.after().map_or(AFTER_ALL, ContactId::as_str),
        page.limit + 1,
        page.skip(),
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(TryInto::try_into)
    .collect()
}

/// How many contacts `list_live` has on all pages.
pub async fn count_live(
    conn: &mut Connection,
    account: &AccountId,
    stream: &StreamId,
    filter: &ContactFilter,
) -> Result<i64> {
    sqlx::query_scalar!(
        r#"
        SELECT count(*) AS "count!"
        FROM contacts
        WHERE account_id = $1 AND stream_id = $2 AND deleted_at IS NULL
          AND ($3::text IS NULL OR phone_key = $3)
          AND ($4::timestamptz IS NULL OR created_at < $4)
          AND ($5::timestamptz IS NULL OR created_at >= $5)
          AND ($6::timestamptz IS NULL OR updated_at < $6)
          AND ($7::timestamptz IS NULL OR updated_at >= $7)
        "#,
        account.as_str(),
        stream.as_str(),
        filter.phone_key.as_ref().map(PhoneKey::as_str),
        filter.created_before,
        filter.created_after,
        filter.updated_before,
        filter.updated_after,
    )
    .fetch_one(conn)
    .await
}

/// A page of contacts in the trash, newest first, and one more.
pub async fn list_trash(
    conn: &mut Connection,
    account: &AccountId,
    stream: &StreamId,
    filter: &ContactFilter,
    page: &Page<ContactId>,
) -> Result<Vec<Contact>> {
    sqlx::query_as!(
        ContactRow,
        r#"
        SELECT id, stream_id, first_name, last_name, salutation, country_code, phone_number, extension, address,
               twitter_details, created_by, created_by_aid, updated_by, updated_by_aid, created_at, updated_at,
               version, deleted_at IS NOT NULL AS "trashed!"
        FROM contacts
        WHERE account_id = $1 AND stream_id = $2 AND deleted_at IS NOT NULL
          AND ($3::text IS NULL OR phone_key = $3)
          AND ($4::timestamptz IS NULL OR created_at < $4)
          AND ($5::timestamptz IS NULL OR created_at >= $5)
          AND ($6::timestamptz IS NULL OR updated_at < $6)
          AND ($7::timestamptz IS NULL OR updated_at >= $7)
          AND id < $8
        ORDER BY id DESC
        LIMIT $9 OFFSET $10
        "#,
        account.as_str(),
        stream.as_str(),
        filter.phone_key.as_ref().map(PhoneKey::as_str),
        filter.created_before,
        filter.created_after,
        filter.updated_before,
        filter.updated_after,
        page.after().map_or(AFTER_ALL, ContactId::as_str),
        page.limit + 1,
        page.skip(),
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(TryInto::try_into)
    .collect()
}

/// How many contacts `list_trash` has on all pages.
pub async fn count_trash(
    conn: &mut Connection,
    account: &AccountId,
    stream: &StreamId,
    filter: &ContactFilter,
) -> Result<i64> {
    sqlx::query_scalar!(
        r#"
        SELECT count(*) AS "count!"
        FROM contacts
        WHERE account_id = $1 AND stream_id = $2 AND deleted_at IS NOT NULL
          AND ($3::text IS NULL OR phone_key = $3)
          AND ($4::timestamptz IS NULL OR created_at < $4)
          AND ($5::timestamptz IS NULL OR created_at >= $5)
          AND ($6::timestamptz IS NULL OR updated_at < $6)
          AND ($7::timestamptz IS NULL OR updated_at >= $7)
        "#,
        account.as_str(),
        stream.as_str(),
        filter.phone_key.as_ref().map(PhoneKey::as_str),
        filter.created_before,
        filter.created_after,
        filter.updated_before,
        filter.updated_after,
    )
    .fetch_one(conn)
    .await
}

/// Locks contacts for deletion, in the order of their ids.
pub async fn lock(
    conn: &mut Connection,
    account: &AccountId,
    stream: &StreamId,
    ids: &[&str],
    wait: Wait,
) -> Result<Vec<LockedRow>> {
    match wait {
        Wait::Block => {
            sqlx::query_as!(
                LockedRow,
                r#"
                SELECT id, deleted_at IS NOT NULL AS "trashed!", version, held
                FROM contacts
                WHERE account_id = $1 AND stream_id = $2 AND id = ANY($3)
                ORDER BY id
                FOR UPDATE
                "#,
                account.as_str(),
                stream.as_str(),
                ids as _,
            )
            .fetch_all(conn)
            .await
        }
        Wait::Skip => {
            sqlx::query_as!(
                LockedRow,
                r#"
                SELECT id, deleted_at IS NOT NULL AS "trashed!", version, held
                FROM contacts
                WHERE account_id = $1 AND stream_id = $2 AND id = ANY($3)
                ORDER BY id
                FOR UPDATE SKIP LOCKED
                "#,
                account.as_str(),
                stream.as_str(),
                ids as _,
            )
            .fetch_all(conn)
            .await
        }
    }
}

/// Those of the ids that exist, whoever has them locked.
pub async fn existing(
    conn: &mut Connection,
    account: &AccountId,
    stream: &StreamId,
    ids: &[&str],
) -> Result<Vec<String>> {
    sqlx::query_scalar!(
        "SELECT id FROM contacts WHERE account_id = $1 AND stream_id = $2 AND id = ANY($3)",
        account.as_str(),
        stream.as_str(),
        ids as _,
    )
    .fetch_all(conn)
    .await
}

/// Moves live contacts into the trash. They must be locked.
pub async fn trash(conn: &mut Connection, account: &AccountId, ids: &[&str], stamp: &Stamp) -> Result<Vec<Written>> {
    sqlx::query_as!(
        Written,
        r#"
        UPDATE contacts
        SET deleted_at = $3, deleted_by = $4, deletion_id = $5, updated_at = $3, version = version + 1
        WHERE account_id = $1 AND id = ANY($2) AND deleted_at IS NULL
        RETURNING id, version
        "#,
        account.as_str(),
        ids as _,
        stamp.at,
        stamp.by.as_str(),
        stamp.deletion_id,
    )
    .fetch_all(conn)
    .await
}

/// Removes trashed contacts for good. Answers how many went.
pub async fn remove(conn: &mut Connection, account: &AccountId, ids: &[&str]) -> Result<u64> {
    let done = sqlx::query!("DELETE FROM contacts WHERE account_id = $1 AND id = ANY($2)", account.as_str(), ids as _)
        .execute(conn)
        .await?;
    Ok(done.rows_affected())
}

struct ContactRow {
    id: String,
    stream_id: String,
    first_name: String,
    last_name: String,
    salutation: String,
    country_code: String,
    phone_number: String,
    extension: String,
    address: Value,
    twitter_details: Value,
    created_by: String,
    created_by_aid: String,
    updated_by: Option<String>,
    updated_by_aid: Option<String>,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
    version: i64,
    trashed: bool,
}

impl TryFrom<ContactRow> for Contact {
    type Error = sqlx::Error;

    fn try_from(row: ContactRow) -> Result<Self> {
        Ok(Contact {
            id: ContactId::parse(&row.id).ok_or_else(|| unknown_value("id", &row.id))?,
            stream_id: StreamId::parse(&row.stream_id).ok_or_else(|| unknown_value("stream_id", &row.stream_id))?,
            first_name: row.first_name,
            last_name: row.last_name,
            salutation: row.salutation,
            cell_phone: CellPhone {
                extension: row.extension,
                phone_number: row.phone_number,
                country_code: row.country_code,
            },
            address: row.address,
            twitter_details: row.twitter_details,
            created_by: row.created_by,
            created_by_aid: row.created_by_aid,
            updated_by: row.updated_by,
            updated_by_aid: row.updated_by_aid,
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
            status: if row.trashed { ContactStatus::Inactive } else { ContactStatus::Active },
        })
    }
}
