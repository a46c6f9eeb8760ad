//! Deletions, undos, restores and purges as they are kept.

use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Connection, Result, unknown_value};
use crate::domain::deletion::{Atomicity, Mode, OnMultiple};
use crate::domain::identity::Caller;
use crate::domain::ids::AccountId;
use crate::domain::operation::{Action, Operation, Resource, State, Totals};

mod chunks;

use chunks::Packed;
pub use chunks::{Chunk, NewChunk, chunks, give_up, insert_chunk, next_chunk, tell};

/// A job's deletion, locked, with what a worker needs to go on as the caller who asked.
pub struct Claimed {
    /// It.
    pub operation: Operation,
    /// Where its next batch begins.
    pub place: String,
    /// The filter, sealed.
    pub sealed_filter: Option<Vec<u8>>,
    /// The client who asked.
    pub client: String,
    /// The request by which it was asked for.
    pub request_id: String,
}

/// Writes an operation, and its one chunk if it has one already. Answers until when what it takes stays in the trash.
pub async fn insert(
    conn: &mut Connection,
    caller: &Caller,
    operation: &Operation,
    sealed_filter: Option<&[u8]>,
    chunk: Option<&NewChunk<'_>>,
) -> Result<Option<OffsetDateTime>> {
    let options = &operation.options;
    let packed = chunk.and_then(|chunk| chunk.told).map(Packed::of);
    sqlx::query_scalar!(
        r#"
        WITH deletion AS (
            INSERT INTO deletions (
                account_id, id, action, resource, within, mode, atomic, on_multiple, allow_missing, max_affected, note,
                undoes, sealed_filter, state, requested, succeeded, failed, rows_affected, reasons, actor_user,
                actor_client, request_id, created_at, started_at, finished_at, undo_until
            )
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19::text::json, $20,
                    $21, $22, $23, $24, $25, CASE WHEN $3 = 'delete' AND $6 = 'soft' THEN $23::timestamptz + (
                        SELECT r.days * interval '1 day' FROM retention r WHERE r.account_id = $1 AND r.resource = $4
                    ) END)
            RETURNING undo_until
        ), chunk AS (
            INSERT INTO deletion_chunks
                (account_id, deletion_id, first_position, items, sealed_items, reasons, row_counts, row_ids, details)
            SELECT $1, $2, $26, $27, $28, $29, $30, $31, $32::text::json
            WHERE $27 > 0
        )
        SELECT undo_until FROM deletion
        "#,
        caller.account_id.as_str(),
        operation.id,
        operation.action.name(),
        operation.target.resource(),
        operation.target.within(),
        if options.mode == Mode::Hard { "hard" } else { "soft" },
        options.atomicity == Atomicity::Atomic,
        if options.on_multiple == OnMultiple::Fail { "fail" } else { "all" },
        options.allow_missing,
        options.max_affected.and_then(|max| i64::try_from(max).ok()),
        operation.note,
        operation.undoes,
        sealed_filter,
        operation.state.name(),
        operation.requested,
        operation.totals.succeeded,
        operation.totals.failed,
        operation.totals.rows,
        words(&operation.totals),
        operation.created_by,
        caller.client_id.as_str(),
        caller.request_id,
        operation.created_at,
        operation.started_at,
        operation.finished_at,
        chunk.map(|chunk| chunk.first_position),
        chunk.map_or(0, |chunk| i32::try_from(chunk.items).unwrap_or(i32::MAX)),
        chunk.and_then(|chunk| chunk.sealed_items),
        packed.as_ref().map(|packed| packed.reasons.as_slice()) as _,
        packed.as_ref().map(|packed| packed.row_counts.as_slice()) as _,
        packed.as_ref().map(|packed| packed.row_ids.as_slice()) as _,
        packed.as_ref().and_then(|packed| packed.details.as_deref()),
    )
    .fetch_one(conn)
    .await
}

/// Writes how far an operation is.
pub async fn update(conn: &mut Connection, account: &AccountId, operation: &Operation, place: &str) -> Result<()> {
    sqlx::query!(
        r#"
        UPDATE deletions
        SET state = $3, requested = $4, succeeded = $5, failed = $6, rows_affected = $7, reasons = $8::text::json,
            place = $9, failure = $10, started_at = $11, finished_at = $12
        WHERE account_id = $1 AND id = $2
        "#,
        account.as_str(),
        operation.id,
        operation.state.name(),
        operation.requested,
        operation.totals.succeeded,
        operation.totals.failed,
        operation.totals.rows,
        words(&operation.totals),
        place,
        operation.failure,
        operation.started_at,
        operation.finished_at,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Has an operation stop at its next batch.
pub async fn ask_to_cancel(conn: &mut Connection, account: &AccountId, id: Uuid) -> Result<()> {
    sqlx::query!("UPDATE deletions SET cancel_asked = true WHERE account_id = $1 AND id = $2", account.as_str(), id)
        .execute(conn)
        .await?;
    Ok(())
}

/// Operations whose items have been on their way since before `before`, at most `limit`.
pub async fn still_receiving(
    conn: &mut Connection,
    account: &AccountId,
    before: OffsetDateTime,
    limit: i64,
) -> Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        r#"
        SELECT id FROM deletions
        WHERE account_id = $1 AND finished_at IS NULL AND state = 'receiving' AND created_at < $2
        ORDER BY created_at
        LIMIT $3
        "#,
        account.as_str(),
        before,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// An operation that is kept.
pub async fn find(conn: &mut Connection, account: &AccountId, id: Uuid) -> Result<Option<Operation>> {
    sqlx::query_as!(
        Row,
        r#"
        SELECT id, action, resource, within, mode, atomic, on_multiple, allow_missing, max_affected, note, undoes, state,
               cancel_asked, requested, succeeded, failed, rows_affected, reasons, failure, actor_user, created_at,
               started_at, finished_at, undo_until
        FROM deletions
        WHERE account_id = $1 AND id = $2
        "#,
        account.as_str(),
        id,
    )
    .fetch_optional(conn)
    .await?
    .map(TryInto::try_into)
    .transpose()
}

/// The same, locked until the transaction ends, with what a worker needs.
pub async fn lock(conn: &mut Connection, account: &AccountId, id: Uuid) -> Result<Option<Claimed>> {
    let Some(more) = sqlx::query!(
        r#"
        SELECT place, sealed_filter, actor_client, request_id
        FROM deletions
        WHERE account_id = $1 AND id = $2
        FOR NO KEY UPDATE
        "#,
        account.as_str(),
        id,
    )
    .fetch_optional(&mut *conn)
    .await?
    else {
        return Ok(None);
    };
    let operation = find(conn, account, id).await?;
    Ok(operation.map(|operation| Claimed {
        operation,
        place: more.place,
        sealed_filter: more.sealed_filter,
        client: more.actor_client,
        request_id: more.request_id,
    }))
}

/// The operations of an account, the newest first, that come after `before`, if it says one.
pub async fn list(
    conn: &mut Connection,
    account: &AccountId,
    resource: Option<Resource>,
    state: Option<State>,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Operation>> {
    sqlx::query_as!(
        Row,
        r#"
        SELECT id, action, resource, within, mode, atomic, on_multiple, allow_missing, max_affected, note, undoes, state,
               cancel_asked, requested, succeeded, failed, rows_affected, reasons, failure, actor_user, created_at,
               started_at, finished_at, undo_until
        FROM deletions
        WHERE account_id = $1 AND ($2::text IS NULL OR resource = $2) AND ($3::text IS NULL OR state = $3)
          AND ($4::uuid IS NULL OR id < $4)
        ORDER BY id DESC
        LIMIT $5
        "#,
        account.as_str(),
        resource.map(Resource::name),
        state.map(State::name),
        before,
        limit,
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(TryInto::try_into)
    .collect()
}

/// The purge of a kind of things that is under way, locked, and how far it is.
pub async fn lock_purge(
    conn: &mut Connection,
    account: &AccountId,
    resource: Resource,
) -> Result<Option<(Operation, String)>> {
    let row = sqlx::query!(
        r#"
        SELECT id, place FROM deletions
        WHERE account_id = $1 AND finished_at IS NULL AND action = 'purge' AND resource = $2
        ORDER BY created_at
        LIMIT 1
        FOR NO KEY UPDATE
        "#,
        account.as_str(),
        resource.name(),
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(find(conn, account, row.id).await?.map(|operation| (operation, row.place)))
}

/// Ends the purges of an account that are under way, those of a kind or all. Answers how many.
pub async fn end_purges(
    conn: &mut Connection,
    account: &AccountId,
    resource: Option<Resource>,
    at: OffsetDateTime,
) -> Result<u64> {
    let ended = sqlx::query!(
        r#"
        UPDATE deletions SET state = 'succeeded', finished_at = $2, requested = succeeded
        WHERE account_id = $1 AND finished_at IS NULL AND action = 'purge' AND ($3::text IS NULL OR resource = $3)
        "#,
        account.as_str(),
        at,
        resource.map(Resource::name),
    )
    .execute(conn)
    .await?;
    Ok(ended.rows_affected())
}

/// Drops at most `limit` chunks of operations that were asked for before `before`, then the operations that have none
/// left. Answers how many chunks and operations went.
pub async fn drop_old(conn: &mut Connection, account: &AccountId, before: OffsetDateTime, limit: i64) -> Result<u64> {
    let chunks = sqlx::query!(
        r#"
        DELETE FROM deletion_chunks c
        USING (
            SELECT o.deletion_id, o.first_position
            FROM deletions d
            JOIN deletion_chunks o ON o.account_id = d.account_id AND o.deletion_id = d.id
            WHERE d.account_id = $1 AND d.created_at < $2 AND d.finished_at IS NOT NULL
            LIMIT $3
        ) AS old
        WHERE c.account_id = $1 AND c.deletion_id = old.deletion_id AND c.first_position = old.first_position
        "#,
        account.as_str(),
        before,
        limit,
    )
    .execute(&mut *conn)
    .await?
    .rows_affected();
    let operations = sqlx::query!(
        r#"
        DELETE FROM deletions
        WHERE account_id = $1 AND id = ANY (ARRAY(
            SELECT d.id FROM deletions d
            WHERE d.account_id = $1 AND d.created_at < $2 AND d.finished_at IS NOT NULL
              AND NOT EXISTS (SELECT FROM deletion_chunks c WHERE c.account_id = $1 AND c.deletion_id = d.id)
            LIMIT $3
        ))
        "#,
        account.as_str(),
        before,
        limit,
    )
    .execute(conn)
    .await?
    .rows_affected();
    Ok(chunks + operations)
}

fn words(totals: &Totals) -> String {
    serde_json::to_string(&totals.reasons).expect("words and numbers are JSON")
}

struct Row {
    id: Uuid,
    action: String,
    resource: String,
    within: String,
    mode: String,
    atomic: bool,
    on_multiple: String,
    allow_missing: bool,
    max_affected: Option<i64>,
    note: Option<String>,
    undoes: Option<Uuid>,
    state: String,
    cancel_asked: bool,
    requested: Option<i64>,
    succeeded: i64,
    failed: i64,
    rows_affected: i64,
    reasons: Value,
    failure: Option<String>,
    actor_user: String,
    created_at: OffsetDateTime,
    started_at: Option<OffsetDateTime>,
    finished_at: Option<OffsetDateTime>,
    undo_until: Option<OffsetDateTime>,
}

impl TryFrom<Row> for Operation {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> Result<Self> {
        let target = Resource::parse(&row.resource).and_then(|resource| resource.within(&row.within));
        Ok(Operation {
            id: row.id,
            action: Action::parse(&row.action).ok_or_else(|| unknown_value("action", &row.action))?,
            target: target.ok_or_else(|| unknown_value("resource", &row.resource))?,
            options: Operation::options(&row.mode, row.atomic, &row.on_multiple, row.allow_missing, row.max_affected),
            note: row.note,
            undoes: row.undoes,
            state: State::parse(&row.state).ok_or_else(|| unknown_value("state", &row.state))?,
            cancel_asked: row.cancel_asked,
            requested: row.requested,
            totals: Totals {
                succeeded: row.succeeded,
                failed: row.failed,
                rows: row.rows_affected,
                reasons: serde_json::from_value(row.reasons).map_err(|_| unknown_value("reasons", ""))?,
            },
            failure: row.failure,
            created_by: row.actor_user,
            created_at: row.created_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
            undo_until: row.undo_until,
        })
    }
}
