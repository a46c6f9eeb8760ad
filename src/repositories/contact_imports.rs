//! Imports of contacts, and what became of their rows.

use time::OffsetDateTime;
use uuid::Uuid;

use super::{Connection, Result, unknown_value};
use crate::domain::contact_import::{ContactImport, ImportEnd, ImportedRow, RowProblem};
use crate::domain::identity::Caller;
use crate::domain::ids::{AccountId, StreamId};
use crate::domain::page::Page;

/// Inserts an import.
pub async fn insert(
    conn: &mut Connection,
    caller: &Caller,
    stream: &StreamId,
    id: Uuid,
    now: OffsetDateTime,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO contact_imports (account_id, stream_id, id, created_by, created_at) VALUES ($1, $2, $3, $4, $5)",
        caller.account_id.as_str(),
        stream.as_str(),
        id,
        caller.user_id.as_str(),
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Appends a batch of rows that follow one another, or the import's end.
pub async fn append(
    conn: &mut Connection,
    account: &AccountId,
    import: Uuid,
    first_row: i64,
    rows: &[ImportedRow],
    ended: Option<ImportEnd>,
    now: OffsetDateTime,
) -> Result<()> {
    let contacts: Vec<Option<&str>> = rows.iter().map(|row| row.outcome.as_deref().ok()).collect();
    let problem = |row: &ImportedRow| row.outcome.as_ref().err().cloned();
    let reasons: Vec<Option<String>> = rows.iter().map(|row| problem(row).map(|problem| problem.reason)).collect();
    let messages: Vec<Option<String>> = rows.iter().map(|row| problem(row).map(|problem| problem.message)).collect();
    let conflicts: Vec<Option<String>> =
        rows.iter().map(|row| problem(row).and_then(|problem| problem.conflicting_id)).collect();
    let created = rows.iter().filter(|row| row.outcome.is_ok()).count();
    let count = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
    sqlx::query!(
        r#"
        INSERT INTO contact_import_batches (account_id, import_id, first_row, created, failed, contact_ids, reasons,
                                            messages, conflicting_ids, ended, at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        "#,
        account.as_str(),
        import,
        first_row,
        count(created),
        count(rows.len() - created),
        &contacts as _,
        &reasons as _,
        &messages as _,
        &conflicts as _,
        ended.map(ImportEnd::name),
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// An import of a stream.
pub async fn find(
    conn: &mut Connection,
    account: &AccountId,
    stream: &StreamId,
    id: Uuid,
) -> Result<Option<ContactImport>> {
    sqlx::query_as!(
        ImportRow,
        r#"
        SELECT i.id, i.created_at, coalesce(b.created, 0) AS "created!", coalesce(b.failed, 0) AS "failed!", b.ended,
               coalesce(b.at, i.created_at) AS "updated_at!"
        FROM contact_imports i
        LEFT JOIN LATERAL (
            SELECT sum(b.created) AS created, sum(b.failed) AS failed, max(b.ended) AS ended, max(b.at) AS at
            FROM contact_import_batches b
            WHERE b.account_id = i.account_id AND b.import_id = i.id
        ) AS b ON true
        WHERE i.account_id = $1 AND i.stream_id = $2 AND i.id = $3
        "#,
        account.as_str(),
        stream.as_str(),
        id,
    )
    .fetch_optional(conn)
    .await?
    .map(TryInto::try_into)
    .transpose()
}

/// A page of a stream's imports, newest first, and one more.
pub async fn list(
    conn: &mut Connection,
    account: &AccountId,
    stream: &StreamId,
    page: &Page<Uuid>,
) -> Result<Vec<ContactImport>> {
    sqlx::query_as!(
        ImportRow,
        r#"
        SELECT i.id, i.created_at, coalesce(b.created, 0) AS "created!", coalesce(b.failed, 0) AS "failed!", b.ended,
               coalesce(b.at, i.created_at) AS "updated_at!"
        FROM contact_imports i
        LEFT JOIN LATERAL (
            SELECT sum(b.created) AS created, sum(b.failed) AS failed, max(b.ended) AS ended, max(b.at) AS at
            FROM contact_import_batches b
            WHERE b.account_id = i.account_id AND b.import_id = i.id
        ) AS b ON true
        WHERE i.account_id = $1 AND i.stream_id = $2 AND i.id < $3
        ORDER BY i.id DESC
        LIMIT $4 OFFSET $5
        "#,
        account.as_str(),
        stream.as_str(),
        page.after().copied().unwrap_or(Uuid::max()),
        page.limit + 1,
        page.skip(),
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(TryInto::try_into)
    .collect()
}

/// How many imports a stream has.
pub async fn count(conn: &mut Connection, account: &AccountId, stream: &StreamId) -> Result<i64> {
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM contact_imports WHERE account_id = $1 AND stream_id = $2"#,
        account.as_str(),
        stream.as_str(),
    )
    .fetch_one(conn)
    .await
}

/// A page of what became of an import's rows, in their order, and one more; of
/// all of them, or of those that failed. A batch has at most 1,000 rows, so that
/// one which ends before the page's place is not looked into.
pub async fn rows(
    conn: &mut Connection,
    account: &AccountId,
    import: Uuid,
    failed_only: bool,
    page: &Page<i64>,
) -> Result<Vec<ImportedRow>> {
    let rows = sqlx::query!(
        r#"
        SELECT b.first_row + r.position - 1 AS "row!", r.contact_id, r.reason, r.message, r.conflicting_id
        FROM contact_import_batches b
        CROSS JOIN LATERAL unnest(b.contact_ids, b.reasons, b.messages, b.conflicting_ids) WITH ORDINALITY
             AS r (contact_id, reason, message, conflicting_id, position)
        WHERE b.account_id = $1 AND b.import_id = $2 AND b.first_row > $3::bigint - 1000
          AND b.first_row + r.position - 1 > $3 AND (r.reason IS NOT NULL OR NOT $4)
        ORDER BY b.first_row, r.position
        LIMIT $5 OFFSET $6
        "#,
        account.as_str(),
        import,
        page.after().copied().unwrap_or(0),
        failed_only,
        page.limit + 1,
        page.skip(),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| ImportedRow {
            row: row.row,
            outcome: row.contact_id.ok_or(RowProblem {
                reason: row.reason.unwrap_or_default(),
                message: row.message.unwrap_or_default(),
                conflicting_id: row.conflicting_id,
            }),
        })
        .collect())
}

struct ImportRow {
    id: Uuid,
    created_at: OffsetDateTime,
    created: i64,
    failed: i64,
    ended: Option<String>,
    updated_at: OffsetDateTime,
}

impl TryFrom<ImportRow> for ContactImport {
    type Error = sqlx::Error;

    fn try_from(row: ImportRow) -> Result<Self> {
        Ok(ContactImport {
            id: row.id,
            created: row.created,
            failed: row.failed,
            ended: row
                .ended
                .map(|name| ImportEnd::parse(&name).ok_or_else(|| unknown_value("ended", &name)))
                .transpose()?,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}
