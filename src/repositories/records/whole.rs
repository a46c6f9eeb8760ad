//! All records of a list: what is counted, and what goes with the list.

use uuid::Uuid;

use crate::domain::identity::Caller;
use crate::domain::ids::AccountId;
use crate::repositories::ledger::{Entry, changed};
use crate::repositories::{Connection, Result, Stamp};

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

/// The zones of a list's live records, each once, in the order of their bytes.
/// It steps from one zone to the next, however many records have each.
pub async fn timezones(conn: &mut Connection, account: &AccountId, list: Uuid) -> Result<Vec<String>> {
    let mut zones = sqlx::query_scalar!(
        r#"
        WITH RECURSIVE step (timezone) AS (
            SELECT min(timezone)
            FROM records
            WHERE account_id = $1 AND record_list_id = $2 AND deleted_at IS NULL
            UNION ALL
            SELECT (
                SELECT min(r.timezone)
                FROM records r
                WHERE r.account_id = $1 AND r.record_list_id = $2 AND r.deleted_at IS NULL AND r.timezone > step.timezone
            )
            FROM step
            WHERE step.timezone IS NOT NULL
        )
        SELECT timezone AS "timezone!" FROM step WHERE timezone IS NOT NULL
        "#,
        account.as_str(),
        list,
    )
    .fetch_all(conn)
    .await?;
    // The database's order depends on its locale.
    zones.sort();
    Ok(zones)
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

/// Removes all trashed records of a list for good. Answers how many went.
pub async fn remove_of(conn: &mut Connection, caller: &Caller, entry: &Entry<'_>, list: Uuid) -> Result<u64> {
    changed!(conn, caller, entry, true, "DELETE FROM records WHERE account_id = $1 AND record_list_id = $11", list)
}

/// How many records, live or trashed, each of the lists has, counted up to `most`.
pub async fn count_each(
    conn: &mut Connection,
    account: &AccountId,
    lists: &[Uuid],
    most: i64,
) -> Result<Vec<(String, i64)>> {
    let rows = sqlx::query!(
        r#"
        SELECT list::text AS "list!", (
            SELECT count(*) FROM (
                SELECT FROM records r WHERE r.account_id = $1 AND r.record_list_id = list LIMIT $3
            ) AS counted
        ) AS "count!"
        FROM unnest($2::uuid[]) AS list
        "#,
        account.as_str(),
        lists,
        most,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.list, row.count)).collect())
}

/// Locks some records of a list, live or trashed, in the order of their ids. Answers which, and the spots where they lie.
pub async fn lock_some_of(
    conn: &mut Connection,
    account: &AccountId,
    list: Uuid,
    limit: i64,
) -> Result<(Vec<Uuid>, Vec<String>)> {
    let rows = sqlx::query!(
        r#"
        SELECT id, ctid::text AS "spot!" FROM records
        WHERE account_id = $1 AND record_list_id = $2
        ORDER BY id
        LIMIT $3
        FOR UPDATE
        "#,
        account.as_str(),
        list,
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.spot)).unzip())
}
