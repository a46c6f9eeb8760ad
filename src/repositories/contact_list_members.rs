//! Members of contact lists. A member is visible when it and its list are live.

use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::ledger::{Entry, changed};
use super::{Connection, Result, Stamp, unknown_value};
use crate::domain::contact_list::{Member, NewMember};
use crate::domain::identity::Caller;
use crate::domain::ids::{AccountId, ContactListId, MemberId};
use crate::domain::page::Page;

/// Inserts members, leaving out those whose number the list has already when it
/// removes duplicates. Answers how many were inserted.
pub async fn insert(
    conn: &mut Connection,
    account: &AccountId,
    list: &str,
    allow_duplicates: bool,
    members: &[(MemberId, NewMember)],
    now: OffsetDateTime,
) -> Result<u64> {
    let ids: Vec<&str> = members.iter().map(|(id, _)| id.as_str()).collect();
    let numbers: Vec<&str> = members.iter().map(|(_, new)| new.phone_number.as_str()).collect();
    let keys: Vec<&str> = members.iter().map(|(_, new)| new.phone_key.as_str()).collect();
    let details: Vec<String> = members.iter().map(|(_, new)| Value::Object(new.details.clone()).to_string()).collect();
    let done = sqlx::query!(
        r#"
        INSERT INTO contact_list_members (account_id, list_id, id, phone_number, phone_key, unique_key, details,
                                          created_at, updated_at)
        SELECT $1, $2, new.id, new.phone_number, new.phone_key, CASE WHEN $3 THEN NULL ELSE new.phone_key END,
               new.details::json, $4, $4
        FROM unnest($5::text[], $6::text[], $7::text[], $8::text[]) WITH ORDINALITY
             AS new (id, phone_number, phone_key, details, position)
        ORDER BY new.phone_key, new.position
        ON CONFLICT (account_id, list_id, unique_key) WHERE deleted_at IS NULL DO NOTHING
        "#,
        account.as_str(),
        list,
        allow_duplicates,
        now,
        &ids as _,
        &numbers as _,
        &keys as _,
        &details,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// A page of a list's live members, in the order in which they were added, and one more.
pub async fn list(
    conn: &mut Connection,
    account: &AccountId,
    list: &ContactListId,
    page: &Page<MemberId>,
) -> Result<Vec<Member>> {
    let rows = sqlx::query!(
        r#"
        SELECT id, phone_number, details, created_at, updated_at
        FROM contact_list_members
        WHERE account_id = $1 AND list_id = $2 AND deleted_at IS NULL AND id > $3
        ORDER BY id
        LIMIT $4 OFFSET $5
        "#,
        account.as_str(),
        list.as_str(),
        page.after().map_or("", MemberId::as_str),
        page.limit + 1,
        page.skip(),
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Member {
                id: MemberId::parse(&row.id).ok_or_else(|| unknown_value("id", &row.id))?,
                phone_number: row.phone_number,
                details: match row.details {
                    Value::Object(details) => details,
                    _ => Map::new(),
                },
                created_at: row.created_at,
                updated_at: row.updated_at,
            })
        })
        .collect()
}

/// How many numbers a list's live members have more than once.
pub async fn count_duplicated(conn: &mut Connection, account: &AccountId, list: &ContactListId) -> Result<i64> {
    sqlx::query_scalar!(
        r#"
        SELECT count(*) AS "count!"
        FROM (
            SELECT FROM contact_list_members
            WHERE account_id = $1 AND list_id = $2 AND deleted_at IS NULL
            GROUP BY phone_key
            HAVING count(*) > 1
        ) AS duplicated
        "#,
        account.as_str(),
        list.as_str(),
    )
    .fetch_one(conn)
    .await
}

/// Lets a list's members share their numbers from now on, or not.
pub async fn allow_duplicates(
    conn: &mut Connection,
    account: &AccountId,
    list: &ContactListId,
    allowed: bool,
) -> Result<()> {
    sqlx::query!(
        r#"
        UPDATE contact_list_members SET unique_key = CASE WHEN $3 THEN NULL ELSE phone_key END
        WHERE account_id = $1 AND list_id = $2
        "#,
        account.as_str(),
        list.as_str(),
        allowed,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Those of the lists that have a member on hold.
pub async fn lists_with_held(conn: &mut Connection, account: &AccountId, lists: &[&str]) -> Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"
        SELECT DISTINCT list_id FROM contact_list_members
        WHERE account_id = $1 AND list_id = ANY($2) AND held
        "#,
        account.as_str(),
        lists as _,
    )
    .fetch_all(conn)
    .await
}

/// Moves all live members of the lists into the trash, locking them in order.
pub async fn trash_of(conn: &mut Connection, account: &AccountId, lists: &[&str], stamp: &Stamp) -> Result<()> {
    sqlx::query!(
        r#"
        WITH locked AS MATERIALIZED (
            SELECT list_id, id
            FROM contact_list_members
            WHERE account_id = $1 AND list_id = ANY($2) AND deleted_at IS NULL
            ORDER BY list_id, id
            FOR UPDATE
        )
        UPDATE contact_list_members m
        SET deleted_at = $3, deleted_by = $4, deletion_id = $5, updated_at = $3, version = version + 1
        FROM locked
        WHERE m.account_id = $1 AND m.list_id = locked.list_id AND m.id = locked.id
        "#,
        account.as_str(),
        lists as _,
        stamp.at,
        stamp.by.as_str(),
        stamp.deletion_id,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes all trashed members of a list for good. Answers how many went.
pub async fn remove_of(conn: &mut Connection, caller: &Caller, entry: &Entry<'_>, list: &str) -> Result<u64> {
    changed!(
        conn,
        caller,
        entry,
        true,
        "DELETE FROM contact_list_members WHERE account_id = $1 AND list_id = $11",
        list,
    )
}

/// How many members, live or trashed, each of the lists has, counted up to `most`.
pub async fn count_each(
    conn: &mut Connection,
    account: &AccountId,
    lists: &[&str],
    most: i64,
) -> Result<Vec<(String, i64)>> {
    let rows = sqlx::query!(
        r#"
        SELECT list AS "list!", (
            SELECT count(*) FROM (
                SELECT FROM contact_list_members m WHERE m.account_id = $1 AND m.list_id = list LIMIT $3
            ) AS counted
        ) AS "count!"
        FROM unnest($2::text[]) AS list
        "#,
        account.as_str(),
        lists as _,
        most,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.list, row.count)).collect())
}

/// Locks some members of a list, in the order of their ids. Answers which.
pub async fn lock_some_of(conn: &mut Connection, account: &AccountId, list: &str, limit: i64) -> Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"
        SELECT id FROM contact_list_members
        WHERE account_id = $1 AND list_id = $2
        ORDER BY id
        LIMIT $3
        FOR UPDATE
        "#,
        account.as_str(),
        list,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// Moves live members of a list into the trash. They must be locked.
pub async fn trash(
    conn: &mut Connection,
    account: &AccountId,
    list: &str,
    ids: &[String],
    stamp: &Stamp,
) -> Result<()> {
    sqlx::query!(
        r#"
        UPDATE contact_list_members
        SET deleted_at = $4, deleted_by = $5, deletion_id = $6, updated_at = $4, version = version + 1
        WHERE account_id = $1 AND list_id = $2 AND id = ANY($3) AND deleted_at IS NULL
        "#,
        account.as_str(),
        list,
        ids,
        stamp.at,
        stamp.by.as_str(),
        stamp.deletion_id,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes trashed members of a list for good. Answers how many went.
pub async fn remove(
    conn: &mut Connection,
    caller: &Caller,
    entry: &Entry<'_>,
    list: &str,
    ids: &[String],
) -> Result<u64> {
    changed!(
        conn,
        caller,
        entry,
        true,
        "DELETE FROM contact_list_members WHERE account_id = $1 AND list_id = $11 AND id = ANY($12)",
        list,
        ids,
    )
}
