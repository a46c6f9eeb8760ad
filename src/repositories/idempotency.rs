//! What was asked under idempotency keys, and what was answered.

use time::OffsetDateTime;

use super::{Connection, Result};
use crate::domain::ids::{AccountId, ClientId};

/// Who asks, and under which key.
#[derive(Clone, Copy)]
pub struct Key<'a> {
    /// The account.
    pub account: &'a AccountId,
    /// The client.
    pub client: &'a ClientId,
    /// The key's hash.
    pub hash: &'a [u8],
}

/// What is under a key.
pub struct Kept {
    /// What was asked.
    pub fingerprint: Vec<u8>,
    /// The status and the sealed rest of what was answered. None while it is under way.
    pub answer: Option<(u16, Vec<u8>)>,
}

/// Takes a key that is free at `at`, until `expires_at`. Waits for whoever else is taking it. Answers whether it was free.
pub async fn claim(
    conn: &mut Connection,
    key: Key<'_>,
    fingerprint: &[u8],
    at: OffsetDateTime,
    expires_at: OffsetDateTime,
) -> Result<bool> {
    let claimed = sqlx::query!(
        r#"
        INSERT INTO idempotency_keys AS k (account_id, client_id, key_hash, fingerprint, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (account_id, client_id, key_hash) DO UPDATE
        SET fingerprint = excluded.fingerprint, status = NULL, answer = NULL, created_at = excluded.created_at,
            expires_at = excluded.expires_at
        WHERE k.expires_at <= excluded.created_at
        "#,
        key.account.as_str(),
        key.client.as_str(),
        key.hash,
        fingerprint,
        at,
        expires_at,
    )
    .execute(conn)
    .await?;
    Ok(claimed.rows_affected() == 1)
}

/// What is under a key that is taken.
pub async fn find(conn: &mut Connection, key: Key<'_>) -> Result<Option<Kept>> {
    let row = sqlx::query!(
        r#"
        SELECT fingerprint, status, answer
        FROM idempotency_keys
        WHERE account_id = $1 AND client_id = $2 AND key_hash = $3
        "#,
        key.account.as_str(),
        key.client.as_str(),
        key.hash,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Kept {
        fingerprint: row.fingerprint,
        answer: row.status.and_then(|status| u16::try_from(status).ok()).zip(row.answer),
    }))
}

/// Writes what was answered under a key that was taken at `at`. Answers whether the key was still that one's.
pub async fn answer(
    conn: &mut Connection,
    key: Key<'_>,
    at: OffsetDateTime,
    status: u16,
    sealed: &[u8],
) -> Result<bool> {
    let written = sqlx::query!(
        r#"
        UPDATE idempotency_keys
        SET status = $5, answer = $6
        WHERE account_id = $1 AND client_id = $2 AND key_hash = $3 AND created_at = $4 AND status IS NULL
        "#,
        key.account.as_str(),
        key.client.as_str(),
        key.hash,
        at,
        i16::try_from(status).unwrap_or(i16::MAX),
        sealed,
    )
    .execute(conn)
    .await?;
    Ok(written.rows_affected() == 1)
}

/// Lets go of a key that was taken at `at` and has no answer.
pub async fn release(conn: &mut Connection, key: Key<'_>, at: OffsetDateTime) -> Result<()> {
    sqlx::query!(
        r#"
        DELETE FROM idempotency_keys
        WHERE account_id = $1 AND client_id = $2 AND key_hash = $3 AND created_at = $4 AND status IS NULL
        "#,
        key.account.as_str(),
        key.client.as_str(),
        key.hash,
        at,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes at most `most` keys of an account that are free again at `now`, the longest expired first. Answers how many.
pub async fn remove_expired(conn: &mut Connection, account: &AccountId, now: OffsetDateTime, most: i64) -> Result<u64> {
    // One that is taken again meanwhile does not go: the row is looked at once more when its lock is there.
    let removed = sqlx::query!(
        r#"
        DELETE FROM idempotency_keys k
        USING (
            SELECT client_id, key_hash
            FROM idempotency_keys
            WHERE account_id = $1 AND expires_at <= $2
            ORDER BY expires_at
            LIMIT $3
        ) AS old
        WHERE k.account_id = $1 AND k.client_id = old.client_id AND k.key_hash = old.key_hash AND k.expires_at <= $2
        "#,
        account.as_str(),
        now,
        most,
    )
    .execute(conn)
    .await?;
    Ok(removed.rows_affected())
}
