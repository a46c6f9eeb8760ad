//! Contact lists.

use serde_json::Value;
use time::OffsetDateTime;

use super::{Connection, Result, Visibility, unknown_value};
use crate::domain::campaign::Attachments;
use crate::domain::contact_list::{ContactList, NewContactList, list_name_key};
use crate::domain::identity::Caller;
use crate::domain::ids::{AccountId, ContactListId, StreamId};
use crate::domain::page::{LastChange, Page};

mod life;

pub use life::{existing, lock, lock_removed_by, mark_removing, remove, removing, trash, trash_together};

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
    sqlx::query_as!(
        ContactListRow,
        r#"
        SELECT l.id, l.stream_id, l.name, l.description, l.source, l.allow_duplicates, l.list_type, l.status, l.mapping,
               l.files, l.created_by, l.updated_by, l.created_at, l.updated_at, l.version, l.live AS "live!",
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
    .await?
    .map(TryInto::try_into)
    .transpose()
}

/// A page of live lists, the last changed first, and one more. Their attachments are looked up apart.
pub async fn list(
    conn: &mut Connection,
    account: &AccountId,
    stream: &StreamId,
    list_type: Option<&str>,
    page: &Page<LastChange<String>>,
) -> Result<Vec<ContactList>> {
    let after = page.after_change();
    sqlx::query_as!(
        ContactListRow,
        r#"
        SELECT l.id, l.stream_id, l.name, l.description, l.source, l.allow_duplicates, l.list_type, l.status, l.mapping,
               l.files, l.created_by, l.updated_by, l.created_at, l.updated_at, l.version, l.live AS "live!",
               (
                   SELECT count(*) FROM contact_list_members m
                   WHERE m.account_id = l.account_id AND m.list_id = l.id AND m.deleted_at IS NULL
               ) AS "total_record_count!"
        FROM contact_lists l
        WHERE l.account_id = $1 AND l.stream_id = $2 AND l.deleted_at IS NULL AND (l.updated_at, l.id) < ($3, $4)
          AND ($5::text IS NULL OR l.list_type = $5)
        ORDER BY l.updated_at DESC, l.id DESC
        LIMIT $6 OFFSET $7
        "#,
        account.as_str(),
        stream.as_str(),
        after.at,
        after.id,
        list_type,
        page.limit + 1,
        page.skip(),
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(TryInto::try_into)
    .collect()
}

/// How many lists [`list`] has on all pages.
pub async fn count(
    conn: &mut Connection,
    account: &AccountId,
    stream: &StreamId,
    list_type: Option<&str>,
) -> Result<i64> {
    sqlx::query_scalar!(
        r#"
        SELECT count(*) AS "count!"
        FROM contact_lists
        WHERE account_id = $1 AND stream_id = $2 AND deleted_at IS NULL AND ($3::text IS NULL OR list_type = $3)
        "#,
        account.as_str(),
        stream.as_str(),
        list_type,
    )
    .fetch_one(conn)
    .await
}

/// Locks a live list to be changed, also against those who add members to it,
/// which depends on how it treats numbers that come twice. Answers its version.
pub async fn lock_to_change(
    conn: &mut Connection,
    account: &AccountId,
    stream: &StreamId,
    id: &ContactListId,
) -> Result<Option<i64>> {
    sqlx::query_scalar!(
        r#"
        SELECT version FROM contact_lists
        WHERE account_id = $1 AND stream_id = $2 AND id = $3 AND deleted_at IS NULL
        FOR UPDATE
        "#,
        account.as_str(),
        stream.as_str(),
        id.as_str(),
    )
    .fetch_optional(conn)
    .await
}

/// Writes a list as it has been changed. It must be locked and live.
pub async fn update(conn: &mut Connection, account: &AccountId, list: &ContactList) -> Result<()> {
    sqlx::query!(
        r#"
        UPDATE contact_lists
        SET name = $3, lname = $4, description = $5, source = $6, allow_duplicates = $7, mapping = $8::text::json,
            updated_by = $9, updated_at = $10, version = $11
        WHERE account_id = $1 AND id = $2 AND deleted_at IS NULL
        "#,
        account.as_str(),
        list.id.as_str(),
        list.name,
        list_name_key(&list.name),
        list.description,
        list.source,
        list.allow_duplicates,
        list.mapping.to_string(),
        list.updated_by,
        list.updated_at,
        list.version,
    )
    .execute(conn)
    .await?;
    Ok(())
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

struct ContactListRow {
    id: String,
    stream_id: String,
    name: String,
    description: String,
    source: String,
    allow_duplicates: bool,
    list_type: String,
    status: String,
    mapping: Value,
    files: Value,
    created_by: String,
    updated_by: String,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
    version: i64,
    live: bool,
    total_record_count: i64,
}

impl TryFrom<ContactListRow> for ContactList {
    type Error = sqlx::Error;

    fn try_from(row: ContactListRow) -> Result<Self> {
        Ok(ContactList {
            id: ContactListId::parse(&row.id).ok_or_else(|| unknown_value("id", &row.id))?,
            stream_id: StreamId::parse(&row.stream_id).ok_or_else(|| unknown_value("stream_id", &row.stream_id))?,
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
        })
    }
}
