//! Contact lists go into the trash and out of the database.

use uuid::Uuid;

use super::super::ledger::{Entry, changed};
use super::super::singles::{self, Columns, Single};
use super::super::{Connection, LockedRow, Result, Wait, Written, locked};
use super::ContactListRow;
use crate::domain::contact_list::ContactList;
use crate::domain::identity::Caller;
use crate::domain::ids::{AccountId, StreamId};

/// Locks lists for deletion, in the order of their ids. The strongest lock: an
/// attachment that is being made holds the list's key, and is waited for.
pub async fn lock(
    conn: &mut Connection,
    account: &AccountId,
    stream: &StreamId,
    ids: &[&str],
    wait: Wait,
) -> Result<Vec<LockedRow>> {
    locked!(
        conn,
        wait,
        "t.id",
        "contact_lists t WHERE t.account_id = $1 AND t.stream_id = $2 AND t.id = ANY($3)",
        account.as_str(),
        stream.as_str(),
        ids as _,
    )
}

/// Those of the ids that exist, whoever has them locked.
pub async fn existing(
    conn: &mut Connection,
    account: &AccountId,
    stream: &StreamId,
    ids: &[&str],
) -> Result<Vec<String>> {
    sqlx::query_scalar!(
        "SELECT id FROM contact_lists WHERE account_id = $1 AND stream_id = $2 AND id = ANY($3)",
        account.as_str(),
        stream.as_str(),
        ids as _,
    )
    .fetch_all(conn)
    .await
}

/// Moves live lists into the trash; their members follow by rule. They must be locked. Answers how many went.
pub async fn trash(
    conn: &mut Connection,
    caller: &Caller,
    entry: &Entry<'_>,
    is_written: bool,
    ids: &[&str],
) -> Result<u64> {
    changed!(
        conn,
        caller,
        entry,
        is_written,
        r#"
        UPDATE contact_lists
        SET deleted_at = $9, deleted_by = $6, deletion_id = $2, updated_at = $9, version = version + 1,
            purge_at = $9::timestamptz + (
                SELECT r.days * interval '1 day' FROM retention r WHERE r.account_id = $1 AND r.resource = 'contact_list'
            )
        WHERE account_id = $1 AND id = ANY($11) AND deleted_at IS NULL
        "#,
        ids as _,
    )
}

/// Moves lists of any accounts, those of an account next to each other, into the trash with their entries in the ledger,
/// in a transaction that is this statement. Answers those that went as they were before, with their places among the
/// `singles`; what is not live, is locked or has a campaign attached is left alone. It waits for no row, and for a table's
/// lock no longer than `patience`, which is a time as Postgres spells it.
pub async fn trash_together(
    conn: &mut Connection,
    patience: &str,
    singles: &[&Single],
) -> Result<Vec<(usize, ContactList)>> {
    let columns = Columns::of(singles);
    let rows = sqlx::query!(
        r#"
        SELECT t.place AS "place!", t.members AS "members!", (t.list).id AS "id!", (t.list).stream_id AS "stream_id!",
               (t.list).name AS "name!", (t.list).description AS "description!", (t.list).source AS "source!",
               (t.list).allow_duplicates AS "allow_duplicates!", (t.list).list_type AS "list_type!",
               (t.list).status AS "status!", (t.list).mapping AS "mapping!", (t.list).files AS "files!",
               (t.list).created_by AS "created_by!", (t.list).updated_by AS "updated_by!",
               (t.list).created_at AS "created_at!", (t.list).updated_at AS "updated_at!",
               (t.list).version AS "version!", (t.list).live AS "live!"
        FROM trash_contact_lists($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) AS t
        "#,
        patience,
        &columns.accounts as _,
        &columns.firsts,
        &columns.lasts,
        &columns.streams as _,
        &columns.ids as _,
        &columns.deletions,
        &columns.times,
        &columns.users as _,
        &columns.clients as _,
        &columns.requests as _,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let list = ContactListRow {
                id: row.id,
                stream_id: row.stream_id,
                name: row.name,
                description: row.description,
                source: row.source,
                allow_duplicates: row.allow_duplicates,
                list_type: row.list_type,
                status: row.status,
                mapping: row.mapping,
                files: row.files,
                created_by: row.created_by,
                updated_by: row.updated_by,
                created_at: row.created_at,
                updated_at: row.updated_at,
                version: row.version,
                live: row.live,
                total_record_count: row.members,
            };
            Ok((singles::place(row.place)?, list.try_into()?))
        })
        .collect()
}

/// Removes trashed lists for good. Answers how many went.
pub async fn remove(conn: &mut Connection, caller: &Caller, entry: &Entry<'_>, ids: &[&str]) -> Result<u64> {
    changed!(conn, caller, entry, true, "DELETE FROM contact_lists WHERE account_id = $1 AND id = ANY($11)", ids as _)
}

/// Marks trashed lists as being on their way out for good, by that deletion or purge. They must be locked.
pub async fn mark_removing(conn: &mut Connection, account: &AccountId, ids: &[&str], by: Uuid) -> Result<()> {
    sqlx::query!(
        "UPDATE contact_lists SET removing = $3 WHERE account_id = $1 AND id = ANY($2) AND deleted_at IS NOT NULL",
        account.as_str(),
        ids as _,
        by,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Those of the lists that are on their way out for good.
pub async fn removing(conn: &mut Connection, account: &AccountId, ids: &[&str]) -> Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"SELECT id FROM contact_lists WHERE account_id = $1 AND id = ANY($2) AND removing IS NOT NULL"#,
        account.as_str(),
        ids as _,
    )
    .fetch_all(conn)
    .await
}

/// Locks the first of the lists that a deletion or purge is taking.
pub async fn lock_removed_by(conn: &mut Connection, account: &AccountId, by: Uuid) -> Result<Option<Written>> {
    sqlx::query_as!(
        Written,
        r#"
        SELECT id, version FROM contact_lists
        WHERE account_id = $1 AND removing = $2
        ORDER BY contact_lists.id
        LIMIT 1
        FOR UPDATE
        "#,
        account.as_str(),
        by,
    )
    .fetch_optional(conn)
    .await
}
