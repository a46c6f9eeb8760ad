//! The ledger: what changed, for ever. Append-only.

use time::OffsetDateTime;
use uuid::Uuid;

use super::{Connection, Result, Written};
use crate::domain::identity::Caller;
use crate::domain::ids::AccountId;

/// What happened to rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// They went into the trash.
    Deleted,
    /// They are gone for good, by a hard deletion.
    HardDeleted,
    /// They came back from the trash.
    Restored,
    /// They are gone for good, because their time in the trash was over.
    Purged,
}

impl Action {
    /// Its name in the ledger.
    pub const fn name(self) -> &'static str {
        match self {
            Action::Deleted => "deleted",
            Action::HardDeleted => "hard_deleted",
            Action::Restored => "restored",
            Action::Purged => "purged",
        }
    }
}

/// What all entries of one deletion share.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// The deletion.
    pub deletion_id: Uuid,
    /// The kind of the rows.
    pub resource: &'a str,
    /// The stream or list that they belong to.
    pub within: &'a str,
    /// What happened to them.
    pub action: Action,
    /// When.
    pub at: OffsetDateTime,
}

/// Writes what happened to `rows`, a ledger row for each 1,000 of them. For none of them it writes nothing.
pub async fn append(conn: &mut Connection, caller: &Caller, entry: &Entry<'_>, rows: &[Written]) -> Result<()> {
    let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    let versions: Vec<i64> = rows.iter().map(|row| row.version).collect();
    sqlx::query!(
        r#"
        INSERT INTO ledger (account_id, deletion_id, resource, within, action, actor_user, actor_client, request_id, at,
                            row_ids, versions)
        SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, array_agg(id ORDER BY position), array_agg(version ORDER BY position)
        FROM unnest($10::text[], $11::bigint[]) WITH ORDINALITY AS changed (id, version, position)
        GROUP BY (position - 1) / 1000
        "#,
        caller.account_id.as_str(),
        entry.deletion_id,
        entry.resource,
        entry.within,
        entry.action.name(),
        caller.user_id.as_str(),
        caller.client_id.as_str(),
        caller.request_id,
        entry.at,
        &ids as _,
        &versions,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Changes rows and writes that in the ledger, a ledger row for each 1,000 of them, in one statement: the rows do not leave
/// the database. Answers how many they are.
///
/// The statement is an UPDATE or DELETE of a table with `id` and `version`, without its RETURNING. Its `$1` is the account,
/// `$2` the deletion, `$6` the user and `$9` the moment; its own values begin at `$11`. What is not to be written yet,
/// because it is gone in a moment and written then, says so.
macro_rules! changed {
    ($conn:expr, $caller:expr, $entry:expr, $is_written:expr, $change:literal, $($value:expr),+ $(,)?) => {
        sqlx::query_scalar!(
            "WITH changed AS (" + $change + r#"
                RETURNING id, version
            ), packed AS (
                SELECT array_agg(id::text) AS row_ids, array_agg(version) AS versions
                FROM (SELECT id, version, row_number() OVER () AS position FROM changed) AS numbered
                GROUP BY (position - 1) / 1000
                ORDER BY (position - 1) / 1000
            ), entry AS (
                INSERT INTO ledger (account_id, deletion_id, resource, within, action, actor_user, actor_client,
                                    request_id, at, row_ids, versions)
                SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, row_ids, versions
                FROM packed
                WHERE $10::boolean
            )
            SELECT count(*) AS "rows!" FROM changed
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
            $is_written,
            $($value),+
        )
        .fetch_one($conn)
        .await
        .map(i64::unsigned_abs)
    };
}
pub(in crate::repositories) use changed;

/// What a deletion came to, as the ledger has it.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The kind of the rows.
    pub resource: String,
    /// What they belong to.
    pub within: String,
    /// What happened to them last.
    pub action: String,
    /// Who did it.
    pub actor_user: String,
    /// When.
    pub at: OffsetDateTime,
    /// How many of them; the rows below them are not counted.
    pub rows: i64,
}

/// What a deletion came to. None where the ledger has no such deletion.
pub async fn summary(conn: &mut Connection, account: &AccountId, deletion: Uuid) -> Result<Option<Summary>> {
    // The rows below a parent are written before it, and what was hidden before it was gone.
    sqlx::query_as!(
        Summary,
        r#"
        SELECT last.resource, last.within, last.action, last.actor_user, last.at,
               (SELECT coalesce(sum(cardinality(l.row_ids)), 0) FROM ledger l
                WHERE l.account_id = $1 AND l.deletion_id = $2 AND l.resource = last.resource
                  AND l.action = last.action)::bigint AS "rows!"
        FROM ledger last
        WHERE last.account_id = $1 AND last.deletion_id = $2
          AND last.resource = ANY (ARRAY['contact', 'contact_list', 'campaign', 'record_list', 'record'])
        ORDER BY last.entry_id DESC
        LIMIT 1
        "#,
        account.as_str(),
        deletion,
    )
    .fetch_optional(conn)
    .await
}

/// From when until when a deletion moved rows into the trash. None where it moved none.
pub async fn deleted_during(
    conn: &mut Connection,
    account: &AccountId,
    deletion: Uuid,
) -> Result<Option<(OffsetDateTime, OffsetDateTime)>> {
    let row = sqlx::query!(
        r#"
        SELECT min(at) AS first, max(at) AS last
        FROM ledger
        WHERE account_id = $1 AND deletion_id = $2 AND action = 'deleted'
        "#,
        account.as_str(),
        deletion,
    )
    .fetch_one(conn)
    .await?;
    Ok(row.first.zip(row.last))
}

/// Rows of one kind that changed together.
#[derive(Clone, Debug)]
pub struct Part {
    /// Its place among the ledger's entries.
    pub entry_id: i64,
    /// The rows.
    pub row_ids: Vec<String>,
}

/// The next rows of a kind with which a deletion did something, after an entry of the ledger.
pub async fn next_part(
    conn: &mut Connection,
    account: &AccountId,
    deletion: Uuid,
    resource: &str,
    action: &str,
    after: i64,
) -> Result<Option<Part>> {
    sqlx::query_as!(
        Part,
        r#"
        SELECT entry_id, row_ids
        FROM ledger
        WHERE account_id = $1 AND deletion_id = $2 AND resource = $3 AND action = $4 AND entry_id > $5
        ORDER BY entry_id
        LIMIT 1
        "#,
        account.as_str(),
        deletion,
        resource,
        action,
        after,
    )
    .fetch_optional(conn)
    .await
}

/// Those of the ids with which a deletion has done something already.
pub async fn took(conn: &mut Connection, account: &AccountId, deletion: Uuid, ids: &[&str]) -> Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"
        SELECT DISTINCT taken AS "id!"
        FROM ledger, unnest(row_ids) AS taken
        WHERE account_id = $1 AND deletion_id = $2 AND taken = ANY($3)
        "#,
        account.as_str(),
        deletion,
        ids as _,
    )
    .fetch_all(conn)
    .await
}
