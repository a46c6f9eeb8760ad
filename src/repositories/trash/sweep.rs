//! Batches of what a filter takes that are found, locked, moved into the trash and written down in one statement, so that
//! nothing of them leaves the database: of the kinds that come in millions, where there is nothing to decide on a row.

use uuid::Uuid;

use super::matching::{Part, contacts_matching, name, prefix_end, records_matching};
use crate::domain::filter::{Among, Filter};
use crate::domain::identity::Caller;
use crate::domain::ids::StreamId;
use crate::repositories::ledger::Entry;
use crate::repositories::{Connection, Result};

/// What a batch came to.
#[derive(Clone, Debug)]
pub struct Swept {
    /// How many rows were locked.
    pub locked: i64,
    /// How many of them were moved: fewer where one changed while the statement ran, and is not as the statement knows it.
    pub rows: i64,
    /// The last of their ids.
    pub last: Option<String>,
}

/// Where the outcomes of a batch are kept.
#[derive(Clone, Copy, Debug)]
pub struct Kept<'a> {
    /// The place of the first of them among the deletion's, counted from 1.
    pub first_position: i64,
    /// What each of them is called.
    pub word: &'a str,
}

/// Sweeps rows of a table with `id`, `version` and what the trash asks of it. The entry in the ledger and the kept outcomes
/// are one each, so that a batch has no more rows than they take.
macro_rules! swept {
    ({ $conn:ident, $caller:ident, $entry:ident, $kept:ident, $table:literal } $rows:literal, $($value:expr),+ $(,)?) => {
        sqlx::query_as!(
            Swept,
            "WITH locked AS MATERIALIZED (
                SELECT t.ctid AS spot FROM " + $rows + "
                ORDER BY t.id
                LIMIT $12
                FOR UPDATE OF t
            ), changed AS (
                UPDATE " + $table + r#" c
                SET deleted_at = $18, deleted_by = $19, deletion_id = $17, updated_at = $18, version = c.version + 1,
                    purge_at = $18::timestamptz + (
                        SELECT r.days * interval '1 day' FROM retention r WHERE r.account_id = $1 AND r.resource = $20
                    )
                FROM locked
                WHERE c.account_id = $1 AND c.ctid = locked.spot AND c.deleted_at IS NULL
                RETURNING c.id, c.version
            ), packed AS (
                SELECT array_agg(id::text) AS row_ids, array_agg(version) AS versions, count(*)::integer AS rows,
                       max(id::text COLLATE "C") AS last
                FROM changed
            ), entry AS (
                INSERT INTO ledger (account_id, deletion_id, resource, within, action, actor_user, actor_client,
                                    request_id, at, row_ids, versions)
                SELECT $1, $17, $20, $21, $22, $19, $23, $24, $18, row_ids, versions
                FROM packed
                WHERE rows > 0
            ), chunk AS (
                INSERT INTO deletion_chunks (account_id, deletion_id, first_position, items, reasons, row_counts, row_ids)
                SELECT $1, $17, $25, rows, array_fill($26::text, ARRAY[rows]), array_fill(1, ARRAY[rows]), row_ids
                FROM packed
                WHERE rows > 0
            )
            SELECT (SELECT count(*) FROM locked) AS "locked!", rows::bigint AS "rows!", last
            FROM packed
            "#,
            $($value),+,
            $entry.deletion_id,
            $entry.at,
            $caller.user_id.as_str(),
            $entry.resource,
            $entry.within,
            $entry.action.name(),
            $caller.client_id.as_str(),
            $caller.request_id,
            $kept.first_position,
            $kept.word,
        )
        .fetch_one($conn)
        .await
    };
}

/// The next contacts of a stream that a filter takes.
pub async fn contacts(
    conn: &mut Connection,
    caller: &Caller,
    stream: &StreamId,
    filter: &Filter,
    part: Part<'_>,
    entry: &Entry<'_>,
    kept: Kept<'_>,
) -> Result<Swept> {
    let account = &caller.account_id;
    contacts_matching!(
        swept!,
        account,
        stream.as_str(),
        filter,
        Among::Live,
        part,
        conn,
        caller,
        entry,
        kept,
        "contacts"
    )
}

/// The next records of a list that a filter takes.
pub async fn records(
    conn: &mut Connection,
    caller: &Caller,
    list: Uuid,
    filter: &Filter,
    part: Part<'_>,
    entry: &Entry<'_>,
    kept: Kept<'_>,
) -> Result<Swept> {
    let account = &caller.account_id;
    records_matching!(swept!, account, list, filter, Among::Live, part, conn, caller, entry, kept, "records")
}
