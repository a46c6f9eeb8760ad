//! The parts of an operation: what was asked for, and what became of each thing.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;
use uuid::Uuid;

use crate::domain::ids::AccountId;
use crate::domain::operation::{Details, Told};
use crate::repositories::{Connection, Result, unknown_value};

/// A chunk as it is written.
#[derive(Clone, Debug)]
pub struct NewChunk<'a> {
    /// The place of its first thing, counted from 1.
    pub first_position: i64,
    /// How many things it has.
    pub items: usize,
    /// The identifiers as they were sent.
    pub sealed_items: Option<&'a [u8]>,
    /// What became of them, if that is known.
    pub told: Option<&'a [Told]>,
}

/// A chunk as it is kept.
#[derive(Clone, Debug)]
pub struct Chunk {
    /// The place of its first thing, counted from 1.
    pub first_position: i64,
    /// How many things it has.
    pub items: usize,
    /// The identifiers as they were sent. None where the service found the things, and each is the row that changed.
    pub sealed_items: Option<Vec<u8>>,
    /// What became of them; `is_done` is not kept and is false. None while it is not known.
    pub told: Option<Vec<Told>>,
}

/// What became of a chunk's things, as columns have it.
pub(super) struct Packed {
    pub(super) reasons: Vec<String>,
    pub(super) row_counts: Vec<i32>,
    pub(super) row_ids: Vec<String>,
    pub(super) details: Option<String>,
}

impl Packed {
    pub(super) fn of(told: &[Told]) -> Self {
        let details: BTreeMap<usize, &Details> =
            told.iter().enumerate().filter_map(|(index, one)| Some((index, one.details.as_ref()?))).collect();
        Self {
            reasons: told.iter().map(|one| one.word.clone()).collect(),
            row_counts: told.iter().map(|one| i32::try_from(one.rows.len()).unwrap_or(i32::MAX)).collect(),
            row_ids: told.iter().flat_map(|one| one.rows.iter().cloned()).collect(),
            details: (!details.is_empty())
                .then(|| serde_json::to_string(&details).expect("numbers are keys and details are plain")),
        }
    }
}

/// Writes a further chunk.
pub async fn insert_chunk(conn: &mut Connection, account: &AccountId, id: Uuid, chunk: &NewChunk<'_>) -> Result<()> {
    let packed = chunk.told.map(Packed::of);
    sqlx::query!(
        r#"
        INSERT INTO deletion_chunks
            (account_id, deletion_id, first_position, items, sealed_items, reasons, row_counts, row_ids, details)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::text::json)
        "#,
        account.as_str(),
        id,
        chunk.first_position,
        i32::try_from(chunk.items).unwrap_or(i32::MAX),
        chunk.sealed_items,
        packed.as_ref().map(|packed| packed.reasons.as_slice()) as _,
        packed.as_ref().map(|packed| packed.row_counts.as_slice()) as _,
        packed.as_ref().map(|packed| packed.row_ids.as_slice()) as _,
        packed.as_ref().and_then(|packed| packed.details.as_deref()),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes what became of a chunk's things.
pub async fn tell(
    conn: &mut Connection,
    account: &AccountId,
    id: Uuid,
    first_position: i64,
    told: &[Told],
) -> Result<()> {
    let packed = Packed::of(told);
    sqlx::query!(
        r#"
        UPDATE deletion_chunks
        SET reasons = $4, row_counts = $5, row_ids = $6, details = $7::text::json
        WHERE account_id = $1 AND deletion_id = $2 AND first_position = $3 AND reasons IS NULL
        "#,
        account.as_str(),
        id,
        first_position,
        &packed.reasons,
        &packed.row_counts,
        &packed.row_ids,
        packed.details,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Says of every chunk that is still to be done that its things were not come to. Answers how many things.
pub async fn give_up(conn: &mut Connection, account: &AccountId, id: Uuid, word: &str) -> Result<i64> {
    let items = sqlx::query_scalar!(
        r#"
        WITH rest AS (
            UPDATE deletion_chunks
            SET reasons = array_fill($3::text, ARRAY[items]), row_counts = array_fill(0, ARRAY[items]),
                row_ids = ARRAY[]::text[]
            WHERE account_id = $1 AND deletion_id = $2 AND reasons IS NULL
            RETURNING items
        )
        SELECT coalesce(sum(items), 0)::bigint AS "items!" FROM rest
        "#,
        account.as_str(),
        id,
        word,
    )
    .fetch_one(conn)
    .await?;
    Ok(items)
}

/// Chunks of an operation in their order, from the one that has the thing at `position` on: those with `word`, if it says one.
pub async fn chunks(
    conn: &mut Connection,
    account: &AccountId,
    id: Uuid,
    position: i64,
    word: Option<&str>,
    limit: i64,
) -> Result<Vec<Chunk>> {
    let rows = sqlx::query!(
        r#"
        SELECT first_position, items, sealed_items, reasons, row_counts, row_ids, details AS "details: Value"
        FROM deletion_chunks
        WHERE account_id = $1 AND deletion_id = $2 AND first_position + items > $3
          AND first_position > $3 - 1000
          AND reasons IS NOT NULL AND ($4::text IS NULL OR $4 = ANY (reasons))
        ORDER BY first_position
        LIMIT $5
        "#,
        account.as_str(),
        id,
        position,
        word,
        limit,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let told = match (row.reasons, row.row_counts, row.row_ids) {
                (Some(reasons), Some(counts), Some(ids)) => Some(unpack(reasons, &counts, ids, row.details)?),
                _ => None,
            };
            Ok(Chunk {
                first_position: row.first_position,
                items: usize::try_from(row.items).unwrap_or_default(),
                sealed_items: row.sealed_items,
                told,
            })
        })
        .collect()
}

/// The first chunk that is still to be done.
pub async fn next_chunk(conn: &mut Connection, account: &AccountId, id: Uuid) -> Result<Option<Chunk>> {
    let row = sqlx::query!(
        r#"
        SELECT first_position, items, sealed_items
        FROM deletion_chunks
        WHERE account_id = $1 AND deletion_id = $2 AND reasons IS NULL
        ORDER BY first_position
        LIMIT 1
        "#,
        account.as_str(),
        id,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Chunk {
        first_position: row.first_position,
        items: usize::try_from(row.items).unwrap_or_default(),
        sealed_items: row.sealed_items,
        told: None,
    }))
}

fn unpack(reasons: Vec<String>, counts: &[i32], ids: Vec<String>, details: Option<Value>) -> Result<Vec<Told>> {
    let mut details: HashMap<String, Details> = match details {
        Some(details) => serde_json::from_value(details).map_err(|_| unknown_value("details", ""))?,
        None => HashMap::new(),
    };
    let mut ids = ids.into_iter();
    Ok(reasons
        .into_iter()
        .zip(counts)
        .enumerate()
        .map(|(index, (word, count))| Told {
            word,
            is_done: false,
            rows: ids.by_ref().take(usize::try_from(*count).unwrap_or_default()).collect(),
            details: details.remove(&index.to_string()),
        })
        .collect())
}
