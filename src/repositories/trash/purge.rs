//! Trashed rows whose time is over.

use std::fmt;

use time::OffsetDateTime;
use uuid::Uuid;

use super::sweep::Kept;
use crate::domain::identity::Caller;
use crate::domain::ids::{self, AccountId};
use crate::repositories::ledger::Entry;
use crate::repositories::{Connection, Result};

/// How many rows are removed in one statement: so many contacts take some 20 ms, for which who asks for one of them waits.
const AT_ONCE: i64 = 4_000;

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

/// What a batch of a purge came to.
#[derive(Clone, Debug)]
pub struct Purged {
    /// How many rows are gone.
    pub rows: i64,
    /// How far it came.
    pub place: Place,
}

/// Removes rows of a table whose time is over for good, and writes that and what became of each down, in one statement. They
/// are those of what they belong to and after a place, as `$within` says with the values from `$16` on; `$below` removes what
/// is below them. There is an entry in the ledger, and one of the kept outcomes, for each 1,000. None where there is no such
/// row.
macro_rules! purged {
    ($conn:ident, $caller:ident, $over:ident, $entry:ident, $kept:ident, $table:literal, $within:literal, $below:literal,
     $($value:expr),+ $(,)?) => {{
        let last = sqlx::query!(
            "WITH locked AS MATERIALIZED (
                SELECT t.ctid AS spot, t.deleted_at, t.id
                FROM " + $table + " t
                WHERE t.account_id = $1 AND t.deleted_at <= $12 AND coalesce(t.purge_at, $13) <= $14 AND NOT t.held
                  AND " + $within + "
                ORDER BY t.deleted_at, t.id
                LIMIT $15
                FOR UPDATE SKIP LOCKED
            ), gone AS (
                DELETE FROM " + $table + " c
                WHERE c.account_id = $1 AND c.ctid = ANY(ARRAY(SELECT spot FROM locked))
                RETURNING c.id, c.version
            )" + $below + r#", packed AS (
                SELECT part, array_agg(id::text) AS row_ids, array_agg(version) AS versions, count(*)::integer AS rows
                FROM (SELECT id, version, (row_number() OVER () - 1) / 1000 AS part FROM gone) AS numbered
                GROUP BY part
                ORDER BY part
            ), entry AS (
                INSERT INTO ledger (account_id, deletion_id, resource, within, action, actor_user, actor_client,
                                    request_id, at, row_ids, versions)
                SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, row_ids, versions
                FROM packed
            ), chunk AS (
                INSERT INTO deletion_chunks (account_id, deletion_id, first_position, items, reasons, row_counts, row_ids)
                SELECT $1, $2, $10 + 1000 * part, rows, array_fill($11::text, ARRAY[rows]), array_fill(1, ARRAY[rows]),
                       row_ids
                FROM packed
            )
            SELECT deleted_at AS "deleted_at!", id::text AS "id!",
                   (SELECT coalesce(sum(rows), 0) FROM packed)::bigint AS "rows!"
            FROM locked
            ORDER BY locked.deleted_at DESC, locked.id DESC
            LIMIT 1
            "#,
            $caller.account_id.as_str(),
            $entry.deletion_id,
            $entry.resource,
            $entry.within,
            $entry.action.name(),
            $caller.user_id.as_str(),
            $caller.client_id.as_str(),
            $caller.request_id,
            $entry.at,
            $kept.first_position,
            $kept.word,
            $over.deleted_before,
            $over.promised_until,
            $over.now,
            AT_ONCE,
            $($value),+
        )
        .fetch_optional($conn)
        .await?;
        Ok(last.map(|last| Purged { rows: last.rows, place: Place { deleted_at: last.deleted_at, id: last.id } }))
    }};
}

/// What the longest trashed of the contacts whose time is over, and which nobody has locked, belongs to. Locks it.
pub async fn next_of_contacts(conn: &mut Connection, account: &AccountId, over: Over) -> Result<Option<String>> {
    sqlx::query_scalar!(
        r#"
        SELECT stream_id
        FROM contacts
        WHERE account_id = $1 AND deleted_at <= $2 AND coalesce(purge_at, $3) <= $4 AND NOT held
        ORDER BY deleted_at
        LIMIT 1
        FOR UPDATE SKIP LOCKED
        "#,
        account.as_str(),
        over.deleted_before,
        over.promised_until,
        over.now,
    )
    .fetch_optional(conn)
    .await
}

/// Removes contacts of a stream whose time is over, after a place, the longest trashed first. What others have locked is left
/// for the next run.
pub async fn contacts(
    conn: &mut Connection,
    caller: &Caller,
    within: &str,
    over: Over,
    after: &Place,
    entry: &Entry<'_>,
    kept: Kept<'_>,
) -> Result<Option<Purged>> {
    purged!(
        conn,
        caller,
        over,
        entry,
        kept,
        "contacts",
        "t.stream_id = $16 AND (t.deleted_at, t.id) > ($17, $18)",
        "",
        within,
        after.deleted_at,
        after.id,
    )
}

/// What the longest trashed of the contact lists whose time is over, and which nobody has locked, belongs to. Locks it.
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
        FOR UPDATE SKIP LOCKED
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

/// What the longest trashed of the campaigns whose time is over, and which nobody has locked, belongs to. Locks it.
pub async fn next_of_campaigns(conn: &mut Connection, account: &AccountId, over: Over) -> Result<Option<String>> {
    sqlx::query_scalar!(
        r#"
        SELECT stream_id
        FROM campaigns
        WHERE account_id = $1 AND deleted_at <= $2 AND coalesce(purge_at, $3) <= $4 AND NOT held
        ORDER BY deleted_at
        LIMIT 1
        FOR UPDATE SKIP LOCKED
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

/// What the longest trashed of the record lists whose time is over, and which nobody has locked, belongs to. Locks it.
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
        FOR UPDATE SKIP LOCKED
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

/// What the longest trashed of the records whose time is over, and which nobody has locked, belongs to. Locks it.
pub async fn next_of_records(conn: &mut Connection, account: &AccountId, over: Over) -> Result<Option<String>> {
    sqlx::query_scalar!(
        r#"
        SELECT record_list_id::text AS "within!"
        FROM records
        WHERE account_id = $1 AND deleted_at <= $2 AND coalesce(purge_at, $3) <= $4 AND NOT held
        ORDER BY deleted_at
        LIMIT 1
        FOR UPDATE SKIP LOCKED
        "#,
        account.as_str(),
        over.deleted_before,
        over.promised_until,
        over.now,
    )
    .fetch_optional(conn)
    .await
}

/// Removes records of a list whose time is over, with their numbers, after a place, the longest trashed first. What others have
/// locked is left for the next run.
pub async fn records(
    conn: &mut Connection,
    caller: &Caller,
    within: Uuid,
    over: Over,
    after: &Place,
    entry: &Entry<'_>,
    kept: Kept<'_>,
) -> Result<Option<Purged>> {
    purged!(
        conn,
        caller,
        over,
        entry,
        kept,
        "records",
        "t.record_list_id = $16 AND (t.deleted_at, t.record_list_id, t.id) > ($17, $16, $18)",
        ", numbers AS (
            DELETE FROM record_phones p
            WHERE p.account_id = $1 AND p.record_list_id = $16 AND p.record_id = ANY(ARRAY(SELECT id FROM gone))
        )",
        within,
        after.deleted_at,
        after.uuid(),
    )
}
