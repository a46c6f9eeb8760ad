//! Record lists.

use time::OffsetDateTime;
use uuid::Uuid;

use super::{Connection, LockedRow, Result, Stamp, Wait, Written, unknown_value};
use crate::domain::identity::Caller;
use crate::domain::ids::AccountId;
use crate::domain::record_list::{NewRecordList, RecordList, UniqueIdentifierType};

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
        VALUES ($1, $2, $3, $4, 'ACCEPTED', $5, $6, $6)
        "#,
        caller.account_id.as_str(),
        id,
        new.name,
        new.unique_identifier_type.name(),
        caller.user_id.as_str(),
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A live list.
pub async fn find(conn: &mut Connection, account: &AccountId, id: Uuid) -> Result<Option<RecordList>> {
    let row = sqlx::query!(
        r#"
        SELECT l.name, l.unique_identifier_type, l.status, l.created_at, l.updated_at, l.version,
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
    .await?;
    row.map(|row| {
        Ok(RecordList {
            id,
            name: row.name,
            unique_identifier_type: identifier_type(&row.unique_identifier_type)?,
            status: row.status,
            records_count: row.records_count,
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
        })
    })
    .transpose()
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

/// Locks a live list while records are added to it: against deletion, and
/// against others who fill it, so that its limit holds. Answers what tells its
/// records apart.
pub async fn lock_to_fill(
    conn: &mut Connection,
    account: &AccountId,
    id: Uuid,
) -> Result<Option<UniqueIdentifierType>> {
    sqlx::query_scalar!(
        r#"
        SELECT unique_identifier_type
        FROM record_lists
        WHERE account_id = $1 AND id = $2 AND deleted_at IS NULL
        FOR NO KEY UPDATE
        "#,
        account.as_str(),
        id,
    )
    .fetch_optional(conn)
    .await?
    .map(|name| identifier_type(&name))
    .transpose()
}

/// Locks lists for deletion, in the order of their ids.
pub async fn lock(conn: &mut Connection, account: &AccountId, ids: &[Uuid], wait: Wait) -> Result<Vec<LockedRow>> {
    match wait {
        Wait::Block => {
            sqlx::query_as!(
                LockedRow,
                r#"
                SELECT id::text AS "id!", deleted_at IS NOT NULL AS "trashed!", version, held
                FROM record_lists
                WHERE account_id = $1 AND id = ANY($2)
                ORDER BY record_lists.id
                FOR UPDATE
                "#,
                account.as_str(),
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
                FROM record_lists
                WHERE account_id = $1 AND id = ANY($2)
                ORDER BY record_lists.id
                FOR UPDATE SKIP LOCKED
                "#,
                account.as_str(),
                ids,
            )
            .fetch_all(conn)
            .await
        }
    }
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

/// Moves live lists into the trash; their records follow by rule. They must be locked.
pub async fn trash(conn: &mut Connection, account: &AccountId, ids: &[Uuid], stamp: &Stamp) -> Result<Vec<Written>> {
    sqlx::query_as!(
        Written,
        r#"
        UPDATE record_lists
        SET deleted_at = $3, deleted_by = $4, deletion_id = $5, updated_at = $3, version = version + 1
        WHERE account_id = $1 AND id = ANY($2) AND deleted_at IS NULL
        RETURNING id::text AS "id!", version
        "#,
        account.as_str(),
        ids,
        stamp.at,
        stamp.by.as_str(),
        stamp.deletion_id,
    )
    .fetch_all(conn)
    .await
}

/// Removes trashed lists for good. Answers how many went.
pub async fn remove(conn: &mut Connection, account: &AccountId, ids: &[Uuid]) -> Result<u64> {
    let done = sqlx::query!("DELETE FROM record_lists WHERE account_id = $1 AND id = ANY($2)", account.as_str(), ids)
        .execute(conn)
        .await?;
    Ok(done.rows_affected())
}

fn identifier_type(name: &str) -> Result<UniqueIdentifierType> {
    UniqueIdentifierType::parse(name).ok_or_else(|| unknown_value("unique_identifier_type", name))
}
