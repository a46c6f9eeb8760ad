//! Record lists.

use time::OffsetDateTime;
use uuid::Uuid;

use super::ledger::{Entry, changed};
use super::{Connection, LockedRow, Result, Wait, Written, locked, unknown_value};
use crate::domain::identity::Caller;
use crate::domain::ids::AccountId;
use crate::domain::page::{LastChange, Page};
use crate::domain::record_list::{ListFilter, ListStatus, NewRecordList, RecordList, UniqueIdentifierType};

/// Inserts a list.
pub async fn insert(
    conn: &mut Connection,
    caller: &Caller,
    id: Uuid,
    new: &NewRecordList,
    now: OffsetDateTime,
) -> Result<()> {
    sqlx::query!(
        r#"
        INSERT INTO record_lists (account_id, id, name, unique_identifier_type, status, created_by, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
        "#,
        caller.account_id.as_str(),
        id,
        new.name,
        new.unique_identifier_type.name(),
        ListStatus::Accepted.name(),
        caller.user_id.as_str(),
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A live list.
pub async fn find(conn: &mut Connection, account: &AccountId, id: Uuid) -> Result<Option<RecordList>> {
    sqlx::query_as!(
        ListRow,
        r#"
        SELECT l.id, l.name, l.unique_identifier_type, l.status, l.created_at, l.updated_at, l.version,
               (
                   SELECT count(*) FROM records r
                   WHERE r.account_id = l.account_id AND r.record_list_id = l.id AND r.deleted_at IS NULL
               ) AS "records_count!"
        FROM record_lists l
        WHERE l.account_id = $1 AND l.id = $2 AND l.deleted_at IS NULL
        "#,
        account.as_str(),
        id,
    )
    .fetch_optional(conn)
    .await?
    .map(TryInto::try_into)
    .transpose()
}

/// A page of the live lists that the filter leaves, the last changed first, and one more.
pub async fn list(
    conn: &mut Connection,
    account: &AccountId,
    filter: &ListFilter,
    page: &Page<LastChange>,
) -> Result<Vec<RecordList>> {
    let after = page.after_change();
    sqlx::query_as!(
        ListRow,
        r#"
        SELECT l.id AS "id!", l.name AS "name!", l.unique_identifier_type AS "unique_identifier_type!",
               l.status AS "status!", l.created_at AS "created_at!", l.updated_at AS "updated_at!", l.version AS "version!",
               (
                   SELECT count(*) FROM records r
                   WHERE r.account_id = $1 AND r.record_list_id = l.id AND r.deleted_at IS NULL
               ) AS "records_count!"
        -- The page first: only the lists on it are counted.
        FROM (
            SELECT id, name, unique_identifier_type, status, created_at, updated_at, version
            FROM record_lists
            WHERE account_id = $1 AND deleted_at IS NULL
              AND ($2::text IS NULL OR name = $2) AND ($3::text IS NULL OR status = $3)
              AND ($4::timestamptz IS NULL OR created_at >= $4) AND ($5::timestamptz IS NULL OR created_at <= $5)
              AND ($6::timestamptz IS NULL OR updated_at >= $6) AND ($7::timestamptz IS NULL OR updated_at <= $7)
              AND (updated_at, id) < ($8, $9)
            ORDER BY updated_at DESC, id DESC
            LIMIT $10 OFFSET $11
        ) AS l
        ORDER BY l.updated_at DESC, l.id DESC
        "#,
        account.as_str(),
        filter.name.as_deref(),
        filter.status.map(ListStatus::name),
        filter.created.from,
        filter.created.to,
        filter.updated.from,
        filter.updated.to,
        after.at,
        after.id,
        page.limit + 1,
        page.skip(),
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(TryInto::try_into)
    .collect()
}

/// How many live lists the filter leaves.
pub async fn count(conn: &mut Connection, account: &AccountId, filter: &ListFilter) -> Result<i64> {
    sqlx::query_scalar!(
        r#"
        SELECT count(*) AS "count!"
        FROM record_lists
        WHERE account_id = $1 AND deleted_at IS NULL
          AND ($2::text IS NULL OR name = $2) AND ($3::text IS NULL OR status = $3)
          AND ($4::timestamptz IS NULL OR created_at >= $4) AND ($5::timestamptz IS NULL OR created_at <= $5)
          AND ($6::timestamptz IS NULL OR updated_at >= $6) AND ($7::timestamptz IS NULL OR updated_at <= $7)
        "#,
        account.as_str(),
        filter.name.as_deref(),
        filter.status.map(ListStatus::name),
        filter.created.from,
        filter.created.to,
        filter.updated.from,
        filter.updated.to,
    )
    .fetch_one(conn)
    .await
}

/// Locks a live list that is to be changed. Answers its version.
pub async fn lock_to_change(conn: &mut Connection, account: &AccountId, id: Uuid) -> Result<Option<i64>> {
    sqlx::query_scalar!(
        r#"
        SELECT version
        FROM record_lists
        WHERE account_id = $1 AND id = $2 AND deleted_at IS NULL
        FOR NO KEY UPDATE
        "#,
        account.as_str(),
        id,
    )
    .fetch_optional(conn)
    .await
}

/// Sets the status of a list, which must be locked.
pub async fn set_status(
    conn: &mut Connection,
    account: &AccountId,
    id: Uuid,
    status: ListStatus,
    now: OffsetDateTime,
) -> Result<()> {
    sqlx::query!(
        r#"
        UPDATE record_lists SET status = $3, updated_at = $4, version = version + 1
        WHERE account_id = $1 AND id = $2 AND deleted_at IS NULL
        "#,
        account.as_str(),
        id,
        status.name(),
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether there is such a live list.
pub async fn is_live(conn: &mut Connection, account: &AccountId, id: Uuid) -> Result<bool> {
    sqlx::query_scalar!(
        r#"
        SELECT EXISTS (
            SELECT FROM record_lists WHERE account_id = $1 AND id = $2 AND deleted_at IS NULL
        ) AS "exists!"
        "#,
        account.as_str(),
        id,
    )
    .fetch_one(conn)
    .await
}

/// What tells the records of a live list apart.
pub async fn unique_identifier_type(
    conn: &mut Connection,
    account: &AccountId,
    id: Uuid,
) -> Result<Option<UniqueIdentifierType>> {
    sqlx::query_scalar!(
        "SELECT unique_identifier_type FROM record_lists WHERE account_id = $1 AND id = $2 AND deleted_at IS NULL",
        account.as_str(),
        id,
    )
    .fetch_optional(conn)
    .await?
    .map(|name| identifier_type(&name))
    .transpose()
}

/// Who else may fill a list meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// Others too.
    BesideOthers,
    /// Nobody.
    Alone,
}

/// A live list while it is being filled.
pub struct Filling {
    /// What tells its records apart.
    pub unique_by: UniqueIdentifierType,
    /// How many transactions the server can have under way at most.
    pub most_transactions: i64,
}

/// Locks a live list while records are added to it: against deletion, and, when
/// it is filled alone, against others who fill it.
pub async fn lock_to_fill(conn: &mut Connection, account: &AccountId, id: Uuid, fill: Fill) -> Result<Option<Filling>> {
    struct Row {
        unique_identifier_type: String,
        connections: i64,
    }
    let row = match fill {
        Fill::BesideOthers => {
            sqlx::query_as!(
                Row,
                r#"
                SELECT unique_identifier_type, current_setting('max_connections')::bigint AS "connections!"
                FROM record_lists
                WHERE account_id = $1 AND id = $2 AND deleted_at IS NULL
                FOR SHARE
                "#,
                account.as_str(),
                id,
            )
            .fetch_optional(conn)
            .await?
        }
        Fill::Alone => {
            sqlx::query_as!(
                Row,
                r#"
                SELECT unique_identifier_type, current_setting('max_connections')::bigint AS "connections!"
                FROM record_lists
                WHERE account_id = $1 AND id = $2 AND deleted_at IS NULL
                FOR NO KEY UPDATE
                "#,
                account.as_str(),
                id,
            )
            .fetch_optional(conn)
            .await?
        }
    };
    row.map(|row| {
        let unique_by = identifier_type(&row.unique_identifier_type)?;
        Ok(Filling { unique_by, most_transactions: row.connections })
    })
    .transpose()
}

/// Keeps a live list from being deleted while its records are changed. Answers
/// what tells them apart.
pub async fn keep_to_change_records(
    conn: &mut Connection,
    account: &AccountId,
    id: Uuid,
) -> Result<Option<UniqueIdentifierType>> {
    sqlx::query_scalar!(
        r#"
        SELECT unique_identifier_type
        FROM record_lists
        WHERE account_id = $1 AND id = $2 AND deleted_at IS NULL
        FOR KEY SHARE
        "#,
        account.as_str(),
        id,
    )
    .fetch_optional(conn)
    .await?
    .map(|name| identifier_type(&name))
    .transpose()
}

/// Keeps lists from being deleted while campaigns are attached to them, in the
/// order of their ids. Answers those of them that are live.
pub async fn keep(conn: &mut Connection, account: &AccountId, ids: &[Uuid]) -> Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        r#"
        SELECT id
        FROM record_lists
        WHERE account_id = $1 AND id = ANY($2) AND deleted_at IS NULL
        ORDER BY id
        FOR KEY SHARE
        "#,
        account.as_str(),
        ids,
    )
    .fetch_all(conn)
    .await
}

/// Locks lists for deletion, in the order of their ids.
pub async fn lock(conn: &mut Connection, account: &AccountId, ids: &[Uuid], wait: Wait) -> Result<Vec<LockedRow>> {
    locked!(
        conn,
        wait,
        "t.id::text",
        "record_lists t WHERE t.account_id = $1 AND t.id = ANY($2)",
        account.as_str(),
        ids,
    )
}

/// Those of the ids that exist, whoever has them locked.
pub async fn existing(conn: &mut Connection, account: &AccountId, ids: &[Uuid]) -> Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"SELECT id::text AS "id!" FROM record_lists WHERE account_id = $1 AND id = ANY($2)"#,
        account.as_str(),
        ids,
    )
    .fetch_all(conn)
    .await
}

/// Moves live lists into the trash; their records follow by rule. They must be locked. Answers how many went.
pub async fn trash(
    conn: &mut Connection,
    caller: &Caller,
    entry: &Entry<'_>,
    is_written: bool,
    ids: &[Uuid],
) -> Result<u64> {
    changed!(
        conn,
        caller,
        entry,
        is_written,
        r#"
        UPDATE record_lists
        SET deleted_at = $9, deleted_by = $6, deletion_id = $2, updated_at = $9, version = version + 1,
            purge_at = $9::timestamptz + (
                SELECT r.days * interval '1 day' FROM retention r WHERE r.account_id = $1 AND r.resource = 'record_list'
            )
        WHERE account_id = $1 AND id = ANY($11) AND deleted_at IS NULL
        "#,
        ids,
    )
}

/// Removes trashed lists for good. Answers how many went.
pub async fn remove(conn: &mut Connection, caller: &Caller, entry: &Entry<'_>, ids: &[Uuid]) -> Result<u64> {
    changed!(conn, caller, entry, true, "DELETE FROM record_lists WHERE account_id = $1 AND id = ANY($11)", ids)
}

struct ListRow {
    id: Uuid,
    name: String,
    unique_identifier_type: String,
    status: String,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
    version: i64,
    records_count: i64,
}

impl TryFrom<ListRow> for RecordList {
    type Error = sqlx::Error;

    fn try_from(row: ListRow) -> Result<Self> {
        Ok(RecordList {
            id: row.id,
            name: row.name,
            unique_identifier_type: identifier_type(&row.unique_identifier_type)?,
            status: ListStatus::parse(&row.status).ok_or_else(|| unknown_value("status", &row.status))?,
            records_count: row.records_count,
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
        })
    }
}

fn identifier_type(name: &str) -> Result<UniqueIdentifierType> {
    UniqueIdentifierType::parse(name).ok_or_else(|| unknown_value("unique_identifier_type", name))
}

/// Marks trashed lists as being on their way out for good, by that deletion or purge. They must be locked.
pub async fn mark_removing(conn: &mut Connection, account: &AccountId, ids: &[Uuid], by: Uuid) -> Result<()> {
    sqlx::query!(
        "UPDATE record_lists SET removing = $3 WHERE account_id = $1 AND id = ANY($2) AND deleted_at IS NOT NULL",
        account.as_str(),
        ids,
        by,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Those of the lists that are on their way out for good.
pub async fn removing(conn: &mut Connection, account: &AccountId, ids: &[Uuid]) -> Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"SELECT id::text AS "id!" FROM record_lists WHERE account_id = $1 AND id = ANY($2) AND removing IS NOT NULL"#,
        account.as_str(),
        ids,
    )
    .fetch_all(conn)
    .await
}

/// Locks the first of the lists that a deletion or purge is taking.
pub async fn lock_removed_by(conn: &mut Connection, account: &AccountId, by: Uuid) -> Result<Option<Written>> {
    sqlx::query_as!(
        Written,
        r#"
        SELECT id::text AS "id!", version FROM record_lists
        WHERE account_id = $1 AND removing = $2
        ORDER BY record_lists.id
        LIMIT 1
        FOR UPDATE
        "#,
        account.as_str(),
        by,
    )
    .fetch_optional(conn)
    .await
}
