//! Contacts are listed and counted. Each half of the table has statements of its
//! own, so that its partial index serves them.

use super::super::{Connection, Result};
use super::ContactRow;
use crate::domain::contact::{Contact, ContactFilter};
use crate::domain::ids::{AccountId, ContactId, StreamId};
use crate::domain::page::Page;
use crate::domain::phone::PhoneKey;

/// Stands after every id, all of which are hexadecimal: a bound that is always there is one that the index serves.
const AFTER_ALL: &str = "g";

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
