//! Contact lists.

use time::OffsetDateTime;

use super::{Connection, LockedRow, Result, Stamp, Visibility, Wait, Written};
use crate::domain::campaign::Attachments;
use crate::domain::contact_list::{ContactList, NewContactList, list_name_key};
use crate::domain::identity::Caller;
use crate::domain::ids::{AccountId, ContactListId, StreamId};

/// Inserts a list. Answers whether its name was free.
pub async fn insert(
    conn: &mut Connection,
    caller: &Caller,
    stream: &StreamId,
    id: &ContactListId,
    new: &NewContactList,
    now: OffsetDateTime,
) -> Result<bool> {
    let done = sqlx::query!(
        r#"
        INSERT INTO contact_lists (
            account_id, stream_id, id, name, lname, description, source, allow_duplicates, list_type, status, mapping,
            files, created_by, updated_by, created_at, updated_at
        )
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'call', 'Ready', $9::text::json, '[]', $10, $10, $11, $11)
        ON CONFLICT (account_id, stream_id, lname) WHERE deleted_at IS NULL DO NOTHING
        "#,
        caller.account_id.as_str(),
        stream.as_str(),
        id.as_str(),
        new.name,
        list_name_key(&new.name),
        new.description,
        new.source,
        new.allow_duplicates,
        new.mapping.to_string(),
        caller.user_id.as_str(),
        now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// A list. Its attachments are looked up apart.
pub async fn find(
    conn: &mut Connection,
    account: &AccountId,
    stream: &StreamId,
    id: &ContactListId,
    visibility: Visibility,
) -> Result<Option<ContactList>> {
    let row = sqlx::query!(
        r#"
        SELECT l.name, l.description, l.source, l.allow_duplicates, l.list_type, l.status, l.mapping, l.files,
               l.created_by, l.updated_by, l.created_at, l.updated_at, l.version, l.live AS "live!",
               (
                   SELECT count(*) FROM contact_list_members m
                   WHERE m.account_id = l.account_id AND m.list_id = l.id AND m.deleted_at IS NULL
               ) AS "total_record_count!"
        FROM contact_lists l
        WHERE l.account_id = $1 AND l.stream_id = $2 AND l.id = $3 AND (l.deleted_at IS NULL OR $4)
        "#,
        account.as_str(),
        stream.as_str(),
        id.as_str(),
        visibility == Visibility::WithTrash,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| ContactList {
        id: id.clone(),
        stream_id: stream.clone(),
        live: row.live,
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
        total_record_count: row.total_record_count,
        attachments: Attachments::default(),
    }))
}

/// A live list that names a campaign's audience: what an attachment needs to know.
pub struct NamedList {
    /// Its id.
    pub id: String,
    /// Its name in the form that is compared.
    pub lname: String,
    /// Whether it keeps a number that it has already.
    pub allow_duplicates: bool,
}

/// Locks the live lists of these names against deletion, in the order of their
/// ids, and lets other attachments pass.
pub async fn lock_named(
    conn: &mut Connection,
    account: &AccountId,
    stream: &StreamId,
    names: &[String],
) -> Result<Vec<NamedList>> {
    sqlx::query_as!(
        NamedList,
        r#"
        SELECT id, lname, allow_duplicates
        FROM contact_lists
        WHERE account_id = $1 AND stream_id = $2 AND lname = ANY($3) AND deleted_at IS NULL
        ORDER BY id
        FOR KEY SHARE
        "#,
        account.as_str(),
        stream.as_str(),
        names,
    )
    .fetch_all(conn)
    .await
}

/// The live list that has the name.
pub async fn holder_of_name(
    conn: &mut Connection,
    account: &AccountId,
    stream: &StreamId,
    name: &str,
) -> Result<Option<String>> {
    sqlx::query_scalar!(
        r#"
        SELECT id FROM contact_lists
        WHERE account_id = $1 AND stream_id = $2 AND lname = $3 AND deleted_at IS NULL
        "#,
        account.as_str(),
        stream.as_str(),
        list_name_key(name),
    )
    .fetch_optional(conn)
    .await
}

/// Locks lists for deletion, in the order of their ids. The strongest lock: an
/// attachment that is being made holds the list's key, and is waited for.
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
                FROM contact_lists
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
                FROM contact_lists
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
        "SELECT id FROM contact_lists WHERE account_id = $1 AND stream_id = $2 AND id = ANY($3)",
        account.as_str(),
        stream.as_str(),
        ids as _,
    )
    .fetch_all(conn)
    .await
}

/// Moves live lists into the trash; their members follow by rule. They must be locked.
pub async fn trash(conn: &mut Connection, account: &AccountId, ids: &[&str], stamp: &Stamp) -> Result<Vec<Written>> {
    sqlx::query_as!(
        Written,
        r#"
        UPDATE contact_lists
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

/// Removes trashed lists for good. Answers how many went.
pub async fn remove(conn: &mut Connection, account: &AccountId, ids: &[&str]) -> Result<u64> {
    let done =
        sqlx::query!("DELETE FROM contact_lists WHERE account_id = $1 AND id = ANY($2)", account.as_str(), ids as _)
            .execute(conn)
            .await?;
    Ok(done.rows_affected())
}
