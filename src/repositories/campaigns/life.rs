//! Campaigns go into the trash and out of the database.

use super::super::ledger::{Entry, changed};
use super::super::{Connection, LockedRow, Result, Wait, locked};
use crate::domain::campaign::CampaignStatus;
use crate::domain::identity::Caller;
use crate::domain::ids::{AccountId, CampaignId, StreamId};

/// Locks campaigns for deletion, in the order of their ids.
pub async fn lock(
    conn: &mut Connection,
    account: &AccountId,
    stream: &StreamId,
    ids: &[&str],
    wait: Wait,
) -> Result<Vec<LockedRow>> {
    locked!(
        conn,
        wait,
        "t.id",
        "campaigns t WHERE t.account_id = $1 AND t.stream_id = $2 AND t.id = ANY($3)",
        account.as_str(),
        stream.as_str(),
        ids as _,
    )
}

/// Those of the ids that exist, whoever has them locked.
pub async fn existing(
    conn: &mut Connection,
    account: &AccountId,
    stream: &StreamId,
    ids: &[&str],
) -> Result<Vec<String>> {
    sqlx::query_scalar!(
        "SELECT id FROM campaigns WHERE account_id = $1 AND stream_id = $2 AND id = ANY($3)",
        account.as_str(),
        stream.as_str(),
        ids as _,
    )
    .fetch_all(conn)
    .await
}

/// Whether there is such a live campaign in any stream.
pub async fn is_live(conn: &mut Connection, account: &AccountId, id: &CampaignId) -> Result<bool> {
    sqlx::query_scalar!(
        r#"
        SELECT EXISTS (
            SELECT FROM campaigns WHERE account_id = $1 AND id = $2 AND deleted_at IS NULL
        ) AS "exists!"
        "#,
        account.as_str(),
        id.as_str(),
    )
    .fetch_one(conn)
    .await
}

/// Keeps a campaign of any stream from being deleted while it is attached or
/// detached. Answers whether there is such a live campaign.
pub async fn keep(conn: &mut Connection, account: &AccountId, id: &CampaignId) -> Result<bool> {
    let found = sqlx::query_scalar!(
        "SELECT id FROM campaigns WHERE account_id = $1 AND id = $2 AND deleted_at IS NULL FOR KEY SHARE",
        account.as_str(),
        id.as_str(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(found.is_some())
}

/// Those of the ids whose campaign is live and running.
pub async fn running(conn: &mut Connection, account: &AccountId, ids: &[&str]) -> Result<Vec<String>> {
    sqlx::query_scalar!(
        "SELECT id FROM campaigns WHERE account_id = $1 AND id = ANY($2) AND status = $3 AND deleted_at IS NULL",
        account.as_str(),
        ids as _,
        CampaignStatus::Active.name(),
    )
    .fetch_all(conn)
    .await
}

/// Moves live campaigns into the trash. They must be locked and have let go. Answers how many went.
pub async fn trash(
    conn: &mut Connection,
    caller: &Caller,
    entry: &Entry<'_>,
    is_written: bool,
    ids: &[&str],
) -> Result<u64> {
    changed!(
        conn,
        caller,
        entry,
        is_written,
        r#"
        UPDATE campaigns
        SET deleted_at = $9, deleted_by = $6, deletion_id = $2, updated_at = $9, version = version + 1,
            purge_at = $9::timestamptz + (
                SELECT r.days * interval '1 day' FROM retention r WHERE r.account_id = $1 AND r.resource = 'campaign'
            )
        WHERE account_id = $1 AND id = ANY($11) AND deleted_at IS NULL
        "#,
        ids as _,
    )
}

/// Removes trashed campaigns for good. Answers how many went.
pub async fn remove(conn: &mut Connection, caller: &Caller, entry: &Entry<'_>, ids: &[&str]) -> Result<u64> {
    changed!(conn, caller, entry, true, "DELETE FROM campaigns WHERE account_id = $1 AND id = ANY($11)", ids as _)
}
