//! Campaigns, and their attachments to contact lists.

use std::collections::HashMap;

use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::{Connection, LockedRow, Result, Stamp, Visibility, Wait, Written, unknown_value};
use crate::domain::campaign::{Attachments, Blocker, Campaign, CampaignStatus, CampaignType, NewCampaign};
use crate::domain::identity::Caller;
use crate::domain::ids::{AccountId, CampaignId, StreamId};

/// Inserts a campaign.
pub async fn insert(
    conn: &mut Connection,
    caller: &Caller,
    stream: &StreamId,
    id: &CampaignId,
    new: &NewCampaign,
    status: CampaignStatus,
    now: OffsetDateTime,
) -> Result<()> {
    sqlx::query!(
        r#"
        INSERT INTO campaigns (account_id, stream_id, id, name, campaign_type, status, details, created_by, updated_by,
                               created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7::text::json, $8, $8, $9, $9)
        "#,
        caller.account_id.as_str(),
        stream.as_str(),
        id.as_str(),
        new.name,
        new.campaign_type.name(),
        status.name(),
        Value::Object(new.details.clone()).to_string(),
        caller.user_id.as_str(),
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Attaches a campaign to lists. The foreign keys refuse a list that is not live.
pub async fn attach(conn: &mut Connection, account: &AccountId, campaign: &CampaignId, lists: &[String]) -> Result<()> {
    sqlx::query!(
        r#"
        INSERT INTO campaign_contact_lists (account_id, campaign_id, list_id)
        SELECT $1, $2, list_id FROM unnest($3::text[]) AS attached (list_id)
        "#,
        account.as_str(),
        campaign.as_str(),
        lists,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A campaign, with the names of its lists.
pub async fn find(
    conn: &mut Connection,
    account: &AccountId,
    stream: &StreamId,
    id: &CampaignId,
    visibility: Visibility,
) -> Result<Option<Campaign>> {
    let row = sqlx::query!(
        r#"
        SELECT c.name, c.campaign_type, c.status, c.details, c.created_by, c.updated_by, c.created_at, c.updated_at, c.version,
               ARRAY(
                   SELECT l.name
                   FROM campaign_contact_lists a
                   JOIN contact_lists l ON l.account_id = a.account_id AND l.id = a.list_id
                   WHERE a.account_id = c.account_id AND a.campaign_id = c.id
                   ORDER BY l.id
               ) AS "contact_lists!"
        FROM campaigns c
        WHERE c.account_id = $1 AND c.stream_id = $2 AND c.id = $3 AND (c.deleted_at IS NULL OR $4)
        "#,
        account.as_str(),
        stream.as_str(),
        id.as_str(),
        visibility == Visibility::WithTrash,
    )
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        Ok(Campaign {
            id: id.clone(),
            stream_id: stream.clone(),
            name: row.name,
            campaign_type: CampaignType::parse(&row.campaign_type)
                .ok_or_else(|| unknown_value("campaign_type", &row.campaign_type))?,
            status: status(&row.status)?,
            contact_lists: row.contact_lists,
            details: match row.details {
                Value::Object(details) => details,
                _ => Map::new(),
            },
            created_by: row.created_by,
            updated_by: row.updated_by,
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
        })
    })
    .transpose()
}

/// Sets a live campaign's status. Answers whether there was such a campaign.
pub async fn set_status(
    conn: &mut Connection,
    caller: &Caller,
    stream: &StreamId,
    id: &CampaignId,
    status: CampaignStatus,
    now: OffsetDateTime,
) -> Result<bool> {
    let done = sqlx::query!(
        r#"
        UPDATE campaigns SET status = $4, updated_by = $5, updated_at = $6, version = version + 1
        WHERE account_id = $1 AND stream_id = $2 AND id = $3 AND deleted_at IS NULL
        "#,
        caller.account_id.as_str(),
        stream.as_str(),
        id.as_str(),
        status.name(),
        caller.user_id.as_str(),
        now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The live campaigns that hold on to the lists, by list: at most
/// [`Attachments::NAMED`] of them are named, all are counted.
pub async fn attached_to(
    conn: &mut Connection,
    account: &AccountId,
    lists: &[&str],
) -> Result<HashMap<String, Attachments>> {
    let rows = sqlx::query!(
        r#"
        SELECT list_id, id, name, status, count AS "count!", in_use AS "in_use!"
        FROM (
            SELECT a.list_id, c.id, c.name, c.status,
                   row_number() OVER (PARTITION BY a.list_id ORDER BY c.id) AS position,
                   count(*) OVER (PARTITION BY a.list_id) AS count,
                   bool_or(c.status = ANY($3)) OVER (PARTITION BY a.list_id) AS in_use
            FROM campaign_contact_lists a
            JOIN campaigns c ON c.account_id = a.account_id AND c.id = a.campaign_id
            WHERE a.account_id = $1 AND a.list_id = ANY($2) AND a.list_live AND c.deleted_at IS NULL
        ) AS attached
        WHERE position <= $4
        ORDER BY list_id, position
        "#,
        account.as_str(),
        lists as _,
        &CampaignStatus::that_use_lists() as _,
        Attachments::NAMED,
    )
    .fetch_all(conn)
    .await?;
    let mut by_list: HashMap<String, Attachments> = HashMap::new();
    for row in rows {
        let attachments = by_list.entry(row.list_id).or_default();
        attachments.count = row.count;
        attachments.in_use = row.in_use;
        attachments.campaigns.push(Blocker {
            id: CampaignId::parse(&row.id).ok_or_else(|| unknown_value("id", &row.id))?,
            name: row.name,
            status: status(&row.status)?,
        });
    }
    Ok(by_list)
}

/// Locks campaigns for deletion, in the order of their ids.
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
                FROM campaigns
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
                FROM campaigns
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

/// Lets go of the campaigns' lists and remembers them: a campaign that is not
/// live holds on to nothing.
pub async fn let_go(conn: &mut Connection, account: &AccountId, ids: &[&str]) -> Result<()> {
    sqlx::query!(
        r#"
        UPDATE campaign_contact_lists SET campaign_live = NULL, list_live = NULL
        WHERE account_id = $1 AND campaign_id = ANY($2) AND campaign_live
        "#,
        account.as_str(),
        ids as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Moves live campaigns into the trash. They must be locked and have let go.
pub async fn trash(conn: &mut Connection, account: &AccountId, ids: &[&str], stamp: &Stamp) -> Result<Vec<Written>> {
    sqlx::query_as!(
        Written,
        r#"
        UPDATE campaigns
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

/// Forgets what the campaigns were attached to. They must have let go.
pub async fn forget_attachments(conn: &mut Connection, account: &AccountId, ids: &[&str]) -> Result<()> {
    sqlx::query!(
        "DELETE FROM campaign_contact_lists WHERE account_id = $1 AND campaign_id = ANY($2)",
        account.as_str(),
        ids as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes trashed campaigns for good. Answers how many went.
pub async fn remove(conn: &mut Connection, account: &AccountId, ids: &[&str]) -> Result<u64> {
    let done = sqlx::query!("DELETE FROM campaigns WHERE account_id = $1 AND id = ANY($2)", account.as_str(), ids as _)
        .execute(conn)
        .await?;
    Ok(done.rows_affected())
}

fn status(name: &str) -> Result<CampaignStatus> {
    CampaignStatus::parse(name).ok_or_else(|| unknown_value("status", name))
}
