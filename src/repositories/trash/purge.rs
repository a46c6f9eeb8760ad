//! Trashed rows whose time is over. Those on hold, and lists that have somebody or something on hold, are left out.

use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::ids::AccountId;
use crate::repositories::{Connection, Result, Written};

/// When a row's time is over: it was deleted at or before `deleted_before`, and promised to stay until `now` at the latest;
/// one without a promise of its own has been promised to stay until `promised_until`.
#[derive(Clone, Copy, Debug)]
pub struct Over {
    /// Now.
    pub now: OffsetDateTime,
    /// The present number of days before now.
    pub deleted_before: OffsetDateTime,
    /// Until when rows without a promise of their own have been promised to stay.
    pub promised_until: OffsetDateTime,
}

/// What the longest trashed of the contacts whose time is over belongs to.
pub async fn next_of_contacts(conn: &mut Connection, account: &AccountId, over: Over) -> Result<Option<String>> {
    sqlx::query_scalar!(
        r#"
        SELECT stream_id
        FROM contacts
        WHERE account_id = $1 AND deleted_at <= $2 AND coalesce(purge_at, $3) <= $4 AND NOT held
        ORDER BY deleted_at
        LIMIT 1
        "#,
        account.as_str(),
        over.deleted_before,
        over.promised_until,
        over.now,
    )
    .fetch_optional(conn)
    .await
}

/// Locks contacts of a stream whose time is over, the longest trashed first. What others have locked is left for the next time.
pub async fn lock_contacts(
    conn: &mut Connection,
    account: &AccountId,
    within: &str,
    over: Over,
    limit: i64,
) -> Result<Vec<Written>> {
    sqlx::query_as!(
        Written,
        r#"
        SELECT id, version
        FROM contacts
        WHERE account_id = $1 AND deleted_at <= $2 AND coalesce(purge_at, $3) <= $4 AND NOT held AND stream_id = $6
        ORDER BY deleted_at, contacts.id
        LIMIT $5
        FOR UPDATE SKIP LOCKED
        "#,
        account.as_str(),
        over.deleted_before,
        over.promised_until,
        over.now,
        limit,
        within,
    )
    .fetch_all(conn)
    .await
}

/// What the longest trashed of the contact lists whose time is over belongs to.
pub async fn next_of_contact_lists(conn: &mut Connection, account: &AccountId, over: Over) -> Result<Option<String>> {
    sqlx::query_scalar!(
        r#"
        SELECT stream_id
        FROM contact_lists
        WHERE account_id = $1 AND deleted_at <= $2 AND coalesce(purge_at, $3) <= $4 AND NOT held
          AND NOT EXISTS (
              SELECT FROM contact_list_members m
              WHERE m.account_id = $1 AND m.list_id = contact_lists.id AND m.held
          )
        ORDER BY deleted_at
        LIMIT 1
        "#,
        account.as_str(),
        over.deleted_before,
        over.promised_until,
        over.now,
    )
    .fetch_optional(conn)
    .await
}

/// Locks contact lists of a stream whose time is over, the longest trashed first. What others have locked is left for the next time.
pub async fn lock_contact_lists(
    conn: &mut Connection,
    account: &AccountId,
    within: &str,
    over: Over,
    limit: i64,
) -> Result<Vec<Written>> {
    sqlx::query_as!(
        Written,
        r#"
        SELECT id, version
        FROM contact_lists
        WHERE account_id = $1 AND deleted_at <= $2 AND coalesce(purge_at, $3) <= $4 AND NOT held
          AND NOT EXISTS (
              SELECT FROM contact_list_members m
              WHERE m.account_id = $1 AND m.list_id = contact_lists.id AND m.held
          )
          AND stream_id = $6
        ORDER BY deleted_at, contact_lists.id
        LIMIT $5
        FOR UPDATE SKIP LOCKED
        "#,
        account.as_str(),
        over.deleted_before,
        over.promised_until,
        over.now,
        limit,
        within,
    )
    .fetch_all(conn)
    .await
}

/// What the longest trashed of the campaigns whose time is over belongs to.
pub async fn next_of_campaigns(conn: &mut Connection, account: &AccountId, over: Over) -> Result<Option<String>> {
    sqlx::query_scalar!(
        r#"
        SELECT stream_id
        FROM campaigns
        WHERE account_id = $1 AND deleted_at <= $2 AND coalesce(purge_at, $3) <= $4 AND NOT held
        ORDER BY deleted_at
        LIMIT 1
        "#,
        account.as_str(),
        over.deleted_before,
        over.promised_until,
        over.now,
    )
    .fetch_optional(conn)
    .await
}

/// Locks campaigns of a stream whose time is over, the longest trashed first. What others have locked is left for the next time.
pub async fn lock_campaigns(
    conn: &mut Connection,
    account: &AccountId,
    within: &str,
    over: Over,
    limit: i64,
) -> Result<Vec<Written>> {
    sqlx::query_as!(
        Written,
        r#"
        SELECT id, version
        FROM campaigns
        WHERE account_id = $1 AND deleted_at <= $2 AND coalesce(purge_at, $3) <= $4 AND NOT held AND stream_id = $6
        ORDER BY deleted_at, campaigns.id
        LIMIT $5
        FOR UPDATE SKIP LOCKED
        "#,
        account.as_str(),
        over.deleted_before,
        over.promised_until,
        over.now,
        limit,
        within,
    )
    .fetch_all(conn)
    .await
}

/// What the longest trashed of the record lists whose time is over belongs to.
pub async fn next_of_record_lists(conn: &mut Connection, account: &AccountId, over: Over) -> Result<Option<String>> {
    sqlx::query_scalar!(
        r#"
        SELECT '' AS "within!"
        FROM record_lists
        WHERE account_id = $1 AND deleted_at <= $2 AND coalesce(purge_at, $3) <= $4 AND NOT held
          AND NOT EXISTS (
              SELECT FROM records r WHERE r.account_id = $1 AND r.record_list_id = record_lists.id AND r.held
          )
        ORDER BY deleted_at
        LIMIT 1
        "#,
        account.as_str(),
        over.deleted_before,
        over.promised_until,
        over.now,
    )
    .fetch_optional(conn)
    .await
}

/// Locks record lists whose time is over, the longest trashed first. What others have locked is left for the next time.
pub async fn lock_record_lists(
    conn: &mut Connection,
    account: &AccountId,
    over: Over,
    limit: i64,
) -> Result<Vec<Written>> {
    sqlx::query_as!(
        Written,
        r#"
        SELECT id::text AS "id!", version
        FROM record_lists
        WHERE account_id = $1 AND deleted_at <= $2 AND coalesce(purge_at, $3) <= $4 AND NOT held
          AND NOT EXISTS (
              SELECT FROM records r WHERE r.account_id = $1 AND r.record_list_id = record_lists.id AND r.held
          )
        ORDER BY deleted_at, record_lists.id
        LIMIT $5
        FOR UPDATE SKIP LOCKED
        "#,
        account.as_str(),
        over.deleted_before,
        over.promised_until,
        over.now,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// What the longest trashed of the records whose time is over belongs to.
pub async fn next_of_records(conn: &mut Connection, account: &AccountId, over: Over) -> Result<Option<String>> {
    sqlx::query_scalar!(
        r#"
        SELECT record_list_id::text AS "within!"
        FROM records
        WHERE account_id = $1 AND deleted_at <= $2 AND coalesce(purge_at, $3) <= $4 AND NOT held
        ORDER BY deleted_at
        LIMIT 1
        "#,
        account.as_str(),
        over.deleted_before,
        over.promised_until,
        over.now,
    )
    .fetch_optional(conn)
    .await
}

/// Locks records of a list whose time is over, the longest trashed first. What others have locked is left for the next time.
pub async fn lock_records(
    conn: &mut Connection,
    account: &AccountId,
    within: Uuid,
    over: Over,
    limit: i64,
) -> Result<Vec<Written>> {
    sqlx::query_as!(
        Written,
        r#"
        SELECT id::text AS "id!", version
        FROM records
        WHERE account_id = $1 AND deleted_at <= $2 AND coalesce(purge_at, $3) <= $4 AND NOT held AND record_list_id = $6
        ORDER BY deleted_at, records.id
        LIMIT $5
        FOR UPDATE SKIP LOCKED
        "#,
        account.as_str(),
        over.deleted_before,
        over.promised_until,
        over.now,
        limit,
        within,
    )
    .fetch_all(conn)
    .await
}
