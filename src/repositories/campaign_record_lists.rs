//! Attachments of campaigns to record lists.

use std::collections::HashMap;

use uuid::Uuid;

use super::{Connection, Result, unknown_value};
use crate::domain::campaign::{Attachments, Blocker, CampaignStatus};
use crate::domain::ids::{AccountId, CampaignId};
use crate::domain::page::{LastChange, Page};
use crate::domain::record_list::AttachedList;

/// Attaches a campaign to lists; to those that it is attached to already it
/// stays so. The foreign keys refuse a list, or a campaign, that is not live.
pub async fn attach(conn: &mut Connection, account: &AccountId, campaign: &CampaignId, lists: &[Uuid]) -> Result<()> {
    sqlx::query!(
        r#"
        INSERT INTO campaign_record_lists (account_id, campaign_id, record_list_id)
        SELECT $1, $2, list_id FROM unnest($3::uuid[]) AS attached (list_id) ORDER BY list_id
        ON CONFLICT (account_id, campaign_id, record_list_id) DO UPDATE SET campaign_live = true, list_live = true
        "#,
        account.as_str(),
        campaign.as_str(),
        lists,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Lets a live campaign go of lists. Answers which it was attached to.
pub async fn release(
    conn: &mut Connection,
    account: &AccountId,
    campaign: &CampaignId,
    lists: &[Uuid],
) -> Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        r#"
        UPDATE campaign_record_lists SET campaign_live = NULL, list_live = NULL
        WHERE account_id = $1 AND campaign_id = $2 AND record_list_id = ANY($3) AND campaign_live
        RETURNING record_list_id
        "#,
        account.as_str(),
        campaign.as_str(),
        lists,
    )
    .fetch_all(conn)
    .await
}

/// Forgets that a campaign was attached to lists that it has let go of.
pub async fn forget(conn: &mut Connection, account: &AccountId, campaign: &CampaignId, lists: &[Uuid]) -> Result<()> {
    sqlx::query!(
        "DELETE FROM campaign_record_lists WHERE account_id = $1 AND campaign_id = $2 AND record_list_id = ANY($3)",
        account.as_str(),
        campaign.as_str(),
        lists,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A page of the lists that a campaign is attached to, the last changed first, and one more.
pub async fn list(
    conn: &mut Connection,
    account: &AccountId,
    campaign: &CampaignId,
    page: &Page<LastChange>,
) -> Result<Vec<AttachedList>> {
    let after = page.after_change();
    sqlx::query_as!(
        AttachedList,
        r#"
        SELECT l.id, l.name, l.updated_at
        FROM campaign_record_lists a
        JOIN record_lists l ON l.account_id = a.account_id AND l.id = a.record_list_id
        WHERE a.account_id = $1 AND a.campaign_id = $2 AND a.list_live AND (l.updated_at, l.id) < ($3, $4)
        ORDER BY l.updated_at DESC, l.id DESC
        LIMIT $5 OFFSET $6
        "#,
        account.as_str(),
        campaign.as_str(),
        after.at,
        after.id,
        page.limit + 1,
        page.skip(),
    )
    .fetch_all(conn)
    .await
}

/// How many lists a campaign is attached to.
pub async fn count(conn: &mut Connection, account: &AccountId, campaign: &CampaignId) -> Result<i64> {
    sqlx::query_scalar!(
        r#"
        SELECT count(*) AS "count!"
        FROM campaign_record_lists
        WHERE account_id = $1 AND campaign_id = $2 AND list_live
        "#,
        account.as_str(),
        campaign.as_str(),
    )
    .fetch_one(conn)
    .await
}

/// The live campaigns that hold on to the lists, by list: at most
/// [`Attachments::NAMED`] of them are named, all are counted.
pub async fn attached_to(
    conn: &mut Connection,
    account: &AccountId,
    lists: &[Uuid],
) -> Result<HashMap<Uuid, Attachments>> {
    let rows = sqlx::query!(
        r#"
        SELECT record_list_id, id, name, status, count AS "count!", in_use AS "in_use!"
        FROM (
            SELECT a.record_list_id, c.id, c.name, c.status,
                   row_number() OVER (PARTITION BY a.record_list_id ORDER BY c.id) AS position,
                   count(*) OVER (PARTITION BY a.record_list_id) AS count,
                   bool_or(c.status = ANY($3)) OVER (PARTITION BY a.record_list_id) AS in_use
            FROM campaign_record_lists a
            JOIN campaigns c ON c.account_id = a.account_id AND c.id = a.campaign_id
            WHERE a.account_id = $1 AND a.record_list_id = ANY($2) AND a.list_live AND c.deleted_at IS NULL
        ) AS attached
        WHERE position <= $4
        ORDER BY record_list_id, position
        "#,
        account.as_str(),
        lists,
        &CampaignStatus::that_use_lists() as _,
        Attachments::NAMED,
    )
    .fetch_all(conn)
    .await?;
    let mut by_list: HashMap<Uuid, Attachments> = HashMap::new();
    for row in rows {
        let attachments = by_list.entry(row.record_list_id).or_default();
        attachments.count = row.count;
        attachments.in_use = row.in_use;
        attachments.campaigns.push(Blocker {
            id: CampaignId::parse(&row.id).ok_or_else(|| unknown_value("id", &row.id))?,
            name: row.name,
            status: CampaignStatus::parse(&row.status).ok_or_else(|| unknown_value("status", &row.status))?,
        });
    }
    Ok(by_list)
}

/// Lets go of the campaigns' lists and remembers them: a campaign that is not
/// live holds on to nothing.
pub async fn let_go(conn: &mut Connection, account: &AccountId, campaigns: &[&str]) -> Result<()> {
    sqlx::query!(
        r#"
        UPDATE campaign_record_lists SET campaign_live = NULL, list_live = NULL
        WHERE account_id = $1 AND campaign_id = ANY($2) AND campaign_live
        "#,
        account.as_str(),
        campaigns as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets what the campaigns were attached to. They must have let go.
pub async fn forget_of_campaigns(conn: &mut Connection, account: &AccountId, campaigns: &[&str]) -> Result<()> {
    sqlx::query!(
        "DELETE FROM campaign_record_lists WHERE account_id = $1 AND campaign_id = ANY($2)",
        account.as_str(),
        campaigns as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}
