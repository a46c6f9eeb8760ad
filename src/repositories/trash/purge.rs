//! Trashed rows whose time is over.

use std::fmt;

use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::ids::{self, AccountId};
use crate::repositories::{Connection, Result};

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

/// A trashed row whose time is over, locked.
#[derive(Clone, Debug)]
pub struct OverRow {
    /// Its id.
    pub id: String,
    /// Since when it has been in the trash.
    pub deleted_at: OffsetDateTime,
}

/// How far a purge is: behind this row. What it has removed is not walked over again.
#[derive(Clone, Debug)]
pub struct Place {
    deleted_at: OffsetDateTime,
    id: String,
}

impl Place {
    /// Behind a row.
    pub fn behind(row: &OverRow) -> Self {
        Self { deleted_at: row.deleted_at, id: row.id.clone() }
    }

    /// The place that was written so; the beginning, where nothing was.
    pub fn parse(text: &str) -> Self {
        let (nanoseconds, id) = text.split_once(' ').unwrap_or_default();
        let deleted_at = nanoseconds.parse().ok().and_then(|at| OffsetDateTime::from_unix_timestamp_nanos(at).ok());
        Self { deleted_at: deleted_at.unwrap_or(OffsetDateTime::UNIX_EPOCH), id: id.to_owned() }
    }

    /// Of rows whose ids are UUIDs.
    fn uuid(&self) -> Uuid {
        ids::parse_uuid(&self.id).unwrap_or(Uuid::nil())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.deleted_at.unix_timestamp_nanos(), self.id)
    }
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

/// Locks contacts of a stream whose time is over, after a place, the longest trashed first. What others have locked is
/// left for the next run.
pub async fn lock_contacts(
    conn: &mut Connection,
    account: &AccountId,
    within: &str,
    over: Over,
    after: &Place,
    limit: i64,
) -> Result<Vec<OverRow>> {
    sqlx::query_as!(
        OverRow,
        r#"
        SELECT id, deleted_at AS "deleted_at!"
        FROM contacts
        WHERE account_id = $1 AND deleted_at <= $2 AND coalesce(purge_at, $3) <= $4 AND NOT held AND stream_id = $6
          AND (deleted_at, id) > ($7, $8)
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
        after.deleted_at,
        after.id,
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
              SELECT FROM contact_list_members c WHERE c.account_id = $1 AND c.list_id = contact_lists.id AND c.held
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

/// Locks contact lists of a stream whose time is over, after a place, the longest trashed first. What others have locked is
/// left for the next run.
pub async fn lock_contact_lists(
    conn: &mut Connection,
    account: &AccountId,
    within: &str,
    over: Over,
    after: &Place,
    limit: i64,
) -> Result<Vec<OverRow>> {
    sqlx::query_as!(
        OverRow,
        r#"
        SELECT id, deleted_at AS "deleted_at!"
        FROM contact_lists
        WHERE account_id = $1 AND deleted_at <= $2 AND coalesce(purge_at, $3) <= $4 AND NOT held
          AND NOT EXISTS (
              SELECT FROM contact_list_members c WHERE c.account_id = $1 AND c.list_id = contact_lists.id AND c.held
          ) AND stream_id = $6
          AND (deleted_at, id) > ($7, $8)
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
        after.deleted_at,
        after.id,
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

/// Locks campaigns of a stream whose time is over, after a place, the longest trashed first. What others have locked is
/// left for the next run.
pub async fn lock_campaigns(
    conn: &mut Connection,
    account: &AccountId,
    within: &str,
    over: Over,
    after: &Place,
    limit: i64,
) -> Result<Vec<OverRow>> {
    sqlx::query_as!(
        OverRow,
        r#"
        SELECT id, deleted_at AS "deleted_at!"
        FROM campaigns
        WHERE account_id = $1 AND deleted_at <= $2 AND coalesce(purge_at, $3) <= $4 AND NOT held AND stream_id = $6
          AND (deleted_at, id) > ($7, $8)
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
        after.deleted_at,
        after.id,
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
              SELECT FROM records c WHERE c.account_id = $1 AND c.record_list_id = record_lists.id AND c.held
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

/// Locks record lists whose time is over, after a place, the longest trashed first. What others have locked is
/// left for the next run.
pub async fn lock_record_lists(
    conn: &mut Connection,
    account: &AccountId,
    over: Over,
    after: &Place,
    limit: i64,
) -> Result<Vec<OverRow>> {
    sqlx::query_as!(
        OverRow,
        r#"
        SELECT id::text AS "id!", deleted_at AS "deleted_at!"
        FROM record_lists
        WHERE account_id = $1 AND deleted_at <= $2 AND coalesce(purge_at, $3) <= $4 AND NOT held
          AND NOT EXISTS (
              SELECT FROM records c WHERE c.account_id = $1 AND c.record_list_id = record_lists.id AND c.held
          )
          AND (deleted_at, id) > ($6, $7)
        ORDER BY deleted_at, record_lists.id
        LIMIT $5
        FOR UPDATE SKIP LOCKED
        "#,
        account.as_str(),
        over.deleted_before,
        over.promised_until,
        over.now,
        limit,
        after.deleted_at,
        after.uuid(),
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

/// Locks records of a list whose time is over, after a place, the longest trashed first. What others have locked is
/// left for the next run.
pub async fn lock_records(
    conn: &mut Connection,
    account: &AccountId,
    within: Uuid,
    over: Over,
    after: &Place,
    limit: i64,
) -> Result<Vec<OverRow>> {
    sqlx::query_as!(
        OverRow,
        r#"
        SELECT id::text AS "id!", deleted_at AS "deleted_at!"
        FROM records
        WHERE account_id = $1 AND deleted_at <= $2 AND coalesce(purge_at, $3) <= $4 AND NOT held AND record_list_id = $6
          AND (deleted_at, record_list_id, id) > ($7, $6, $8)
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
        after.deleted_at,
        after.uuid(),
    )
    .fetch_all(conn)
    .await
}
