//! What campaigns hold on to.

use std::collections::HashMap;

use super::super::{Connection, Result, unknown_value};
use crate::domain::campaign::{Attachments, Blocker, CampaignStatus};
use crate::domain::ids::{AccountId, CampaignId};

/// Attaches a campaign to lists, in the order in which they are named; one that it is attached to already gets the
/// place that it has now. The foreign keys refuse a list that is not live.
pub async fn attach(conn: &mut Connection, account: &AccountId, campaign: &CampaignId, lists: &[String]) -> Result<()> {
    sqlx::query!(
        r#"
        INSERT INTO campaign_contact_lists (account_id, campaign_id, list_id, position)
        SELECT $1, $2, list_id, position FROM unnest($3::text[]) WITH ORDINALITY AS attached (list_id, position)
        ON CONFLICT (account_id, campaign_id, list_id) DO UPDATE SET position = excluded.position
        "#,
        account.as_str(),
        campaign.as_str(),
        lists,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Lets go of all lists of a live campaign but these. They are forgotten next.
pub async fn let_go_of_others(
    conn: &mut Connection,
    account: &AccountId,
    campaign: &CampaignId,
    lists: &[String],
) -> Result<()> {
    sqlx::query!(
        r#"
        UPDATE campaign_contact_lists SET campaign_live = NULL, list_live = NULL
        WHERE account_id = $1 AND campaign_id = $2 AND list_id <> ALL ($3)
        "#,
        account.as_str(),
        campaign.as_str(),
        lists,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets the lists that a live campaign has let go of.
pub async fn forget_others(
    conn: &mut Connection,
    account: &AccountId,
    campaign: &CampaignId,
    lists: &[String],
) -> Result<()> {
    sqlx::query!(
        r#"
        DELETE FROM campaign_contact_lists
        WHERE account_id = $1 AND campaign_id = $2 AND list_id <> ALL ($3)
        "#,
        account.as_str(),
        campaign.as_str(),
        lists,
    )
    .execute(conn)
    .await?;
    Ok(())
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
            status: super::status(&row.status)?,
        });
    }
    Ok(by_list)
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
