//! What is to be done in the background.

use time::OffsetDateTime;
use uuid::Uuid;

use super::{Connection, Result, unknown_value};
use crate::domain::ids::AccountId;

/// What a job is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A deletion, an undo or a restore goes on.
    Deletion,
    /// An account's trash is emptied as its retention says, and what was kept for a time is dropped.
    Upkeep,
}

/// A job, locked until the transaction ends.
#[derive(Clone, Debug)]
pub struct Job {
    /// Whose it is.
    pub account: AccountId,
    /// Its id: the deletion's.
    pub id: Uuid,
    /// What it is about.
    pub kind: Kind,
    /// How often it failed in a row.
    pub failures: i32,
    /// How many batches its run has done.
    pub batches: i32,
}

/// The next job that is due and that nobody is at, of the account that has waited longest. The one statement that sees
/// across accounts.
pub async fn next(conn: &mut Connection, now: OffsetDateTime) -> Result<Option<Job>> {
    let row = sqlx::query!(
        r#"SELECT account_id AS "account_id!", id AS "id!", kind AS "kind!", failures AS "failures!", batches AS "batches!" FROM next_job($1)"#,
        now
    )
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        Ok(Job {
            account: AccountId::parse(&row.account_id).ok_or_else(|| unknown_value("account_id", &row.account_id))?,
            id: row.id,
            kind: match row.kind.as_str() {
                "deletion" => Kind::Deletion,
                "upkeep" => Kind::Upkeep,
                other => return Err(unknown_value("kind", other)),
            },
            failures: row.failures,
            batches: row.batches,
        })
    })
    .transpose()
}

/// Adds a deletion's job.
pub async fn insert(conn: &mut Connection, account: &AccountId, id: Uuid, due_at: OffsetDateTime) -> Result<()> {
    sqlx::query!(
        "INSERT INTO jobs (account_id, id, kind, due_at) VALUES ($1, $2, 'deletion', $3)",
        account.as_str(),
        id,
        due_at,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Puts a job behind the others, until `due_at` at the earliest.
pub async fn put_back(
    conn: &mut Connection,
    account: &AccountId,
    id: Uuid,
    due_at: OffsetDateTime,
    failures: i32,
    batches: i32,
) -> Result<()> {
    sqlx::query!(
        r#"
        UPDATE jobs SET served_at = clock_timestamp(), due_at = $3, failures = $4, batches = $5
        WHERE account_id = $1 AND id = $2
        "#,
        account.as_str(),
        id,
        due_at,
        failures,
        batches,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Has a job done at `due_at`, however long it was to wait.
pub async fn hurry(conn: &mut Connection, account: &AccountId, id: Uuid, due_at: OffsetDateTime) -> Result<()> {
    sqlx::query!(
        "UPDATE jobs SET due_at = least(due_at, $3) WHERE account_id = $1 AND id = $2",
        account.as_str(),
        id,
        due_at,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// How often a job has failed in a row, locked. None when it is done.
pub async fn lock(conn: &mut Connection, account: &AccountId, id: Uuid) -> Result<Option<i32>> {
    sqlx::query_scalar!("SELECT failures FROM jobs WHERE account_id = $1 AND id = $2 FOR UPDATE", account.as_str(), id,)
        .fetch_optional(conn)
        .await
}

/// Removes a job that is done. That its account had its turn is remembered by the account's upkeep.
pub async fn remove(conn: &mut Connection, account: &AccountId, id: Uuid) -> Result<()> {
    sqlx::query!(
        r#"
        WITH done AS (DELETE FROM jobs WHERE account_id = $1 AND id = $2)
        UPDATE jobs SET served_at = clock_timestamp()
        WHERE account_id = $1 AND id = (
            SELECT j.id FROM jobs j WHERE j.account_id = $1 AND j.kind = 'upkeep' FOR UPDATE SKIP LOCKED
        )
        "#,
        account.as_str(),
        id,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Has an account's upkeep done at `due_at`, or earlier where it is due earlier.
pub async fn want_upkeep(conn: &mut Connection, account: &AccountId, id: Uuid, due_at: OffsetDateTime) -> Result<()> {
    sqlx::query!(
        r#"
        INSERT INTO jobs (account_id, id, kind, due_at) VALUES ($1, $2, 'upkeep', $3)
        ON CONFLICT (account_id) WHERE kind = 'upkeep' DO UPDATE SET due_at = least(jobs.due_at, excluded.due_at)
        "#,
        account.as_str(),
        id,
        due_at,
    )
    .execute(conn)
    .await?;
    Ok(())
}
