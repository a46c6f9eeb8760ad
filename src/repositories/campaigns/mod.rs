//! Campaigns.

use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::{Connection, Result, Visibility, unknown_value};
use crate::domain::campaign::{Campaign, CampaignFilter, CampaignOrder, CampaignStatus, CampaignType, NewCampaign};
use crate::domain::identity::Caller;
use crate::domain::ids::{AccountId, CampaignId, StreamId};
use crate::domain::page::Page;

mod attachments;
mod life;

pub use attachments::{attach, attached_to, forget_attachments, forget_others, let_go, let_go_of_others};
pub use life::{existing, is_live, keep, lock, remove, running, trash};

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

/// A campaign, with the names of its lists.
pub async fn find(
    conn: &mut Connection,
    account: &AccountId,
    stream: &StreamId,
    id: &CampaignId,
    visibility: Visibility,
) -> Result<Option<Campaign>> {
    sqlx::query_as!(
        CampaignRow,
        r#"
        SELECT c.id, c.stream_id, c.name, c.campaign_type, c.status, c.run_id, c.details, c.created_by, c.updated_by,
               c.created_at, c.updated_at, c.version,
               ARRAY(
                   SELECT l.name
                   FROM campaign_contact_lists a
                   JOIN contact_lists l ON l.account_id = a.account_id AND l.id = a.list_id
                   WHERE a.account_id = c.account_id AND a.campaign_id = c.id
                   ORDER BY a.position, l.id
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
    .await?
    .map(TryInto::try_into)
    .transpose()
}

/// A page of live campaigns, and one more.
pub async fn list(
    conn: &mut Connection,
    account: &AccountId,
    stream: &StreamId,
    filter: &CampaignFilter,
    order: CampaignOrder,
    page: &Page<CampaignId>,
) -> Result<Vec<Campaign>> {
    sqlx::query_as!(
        CampaignRow,
        r#"
        SELECT c.id, c.stream_id, c.name, c.campaign_type, c.status, c.run_id, c.details, c.created_by, c.updated_by,
               c.created_at, c.updated_at, c.version,
               ARRAY(
                   SELECT l.name
                   FROM campaign_contact_lists a
                   JOIN contact_lists l ON l.account_id = a.account_id AND l.id = a.list_id
                   WHERE a.account_id = c.account_id AND a.campaign_id = c.id
                   ORDER BY a.position, l.id
               ) AS "contact_lists!"
        FROM campaigns c
        WHERE c.account_id = $1 AND c.stream_id = $2 AND c.deleted_at IS NULL
          AND ($3::text IS NULL OR c.campaign_type = $3)
          AND ($4::text[] IS NULL OR c.status = ANY($4))
          AND ($5::text[] IS NULL OR c.details ->> 'priority' = ANY($5))
          AND ($6::text[] IS NULL OR c.details ->> 'dialingMode' = ANY($6))
          AND ($7::timestamptz IS NULL OR c.created_at >= $7)
          AND ($8::timestamptz IS NULL OR c.created_at <= $8)
        ORDER BY CASE $9::text WHEN 'name asc' THEN c.name END,
                 CASE $9 WHEN 'name desc' THEN c.name END DESC,
                 CASE $9 WHEN 'created_at asc' THEN c.created_at WHEN 'updated_at asc' THEN c.updated_at END,
                 CASE $9 WHEN 'created_at desc' THEN c.created_at WHEN 'updated_at desc' THEN c.updated_at END DESC,
                 c.id DESC
        LIMIT $10 OFFSET $11
        "#,
        account.as_str(),
        stream.as_str(),
        filter.campaign_type.map(CampaignType::name),
        filter.statuses.as_ref().map(|statuses| statuses.iter().map(|status| status.name()).collect::<Vec<_>>()) as _,
        filter.priorities.as_deref() as _,
        filter.dialing_modes.as_deref() as _,
        filter.created_from,
        filter.created_to,
        order.name(),
        page.limit + 1,
        page.skip(),
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(TryInto::try_into)
    .collect()
}

/// How many campaigns `list` has on all pages.
pub async fn count(
    conn: &mut Connection,
    account: &AccountId,
    stream: &StreamId,
    filter: &CampaignFilter,
) -> Result<i64> {
    sqlx::query_scalar!(
        r#"
        SELECT count(*) AS "count!"
        FROM campaigns c
        WHERE c.account_id = $1 AND c.stream_id = $2 AND c.deleted_at IS NULL
          AND ($3::text IS NULL OR c.campaign_type = $3)
          AND ($4::text[] IS NULL OR c.status = ANY($4))
          AND ($5::text[] IS NULL OR c.details ->> 'priority' = ANY($5))
          AND ($6::text[] IS NULL OR c.details ->> 'dialingMode' = ANY($6))
          AND ($7::timestamptz IS NULL OR c.created_at >= $7)
          AND ($8::timestamptz IS NULL OR c.created_at <= $8)
        "#,
        account.as_str(),
        stream.as_str(),
        filter.campaign_type.map(CampaignType::name),
        filter.statuses.as_ref().map(|statuses| statuses.iter().map(|status| status.name()).collect::<Vec<_>>()) as _,
        filter.priorities.as_deref() as _,
        filter.dialing_modes.as_deref() as _,
        filter.created_from,
        filter.created_to,
    )
    .fetch_one(conn)
    .await
}

/// Locks a live campaign to be changed.
pub async fn lock_to_change(
    conn: &mut Connection,
    account: &AccountId,
    stream: &StreamId,
    id: &CampaignId,
) -> Result<Option<Campaign>> {
    sqlx::query_as!(
        CampaignRow,
        r#"
        SELECT c.id, c.stream_id, c.name, c.campaign_type, c.status, c.run_id, c.details, c.created_by, c.updated_by,
               c.created_at, c.updated_at, c.version,
               ARRAY(
                   SELECT l.name
                   FROM campaign_contact_lists a
                   JOIN contact_lists l ON l.account_id = a.account_id AND l.id = a.list_id
                   WHERE a.account_id = c.account_id AND a.campaign_id = c.id
                   ORDER BY a.position, l.id
               ) AS "contact_lists!"
        FROM campaigns c
        WHERE c.account_id = $1 AND c.stream_id = $2 AND c.id = $3 AND c.deleted_at IS NULL
        FOR NO KEY UPDATE OF c
        "#,
        account.as_str(),
        stream.as_str(),
        id.as_str(),
    )
    .fetch_optional(conn)
    .await?
    .map(TryInto::try_into)
    .transpose()
}

/// Writes a campaign as it has been changed, but for its lists. It must be locked and live.
pub async fn update(conn: &mut Connection, account: &AccountId, campaign: &Campaign) -> Result<()> {
    sqlx::query!(
        r#"
        UPDATE campaigns
        SET name = $3, status = $4, details = $5::text::json, updated_by = $6, updated_at = $7, version = $8,
            run_id = $9
        WHERE account_id = $1 AND id = $2 AND deleted_at IS NULL
        "#,
        account.as_str(),
        campaign.id.as_str(),
        campaign.name,
        campaign.status.name(),
        Value::Object(campaign.details.clone()).to_string(),
        campaign.updated_by,
        campaign.updated_at,
        campaign.version,
        campaign.run_id,
    )
    .execute(conn)
    .await?;
    Ok(())
}

struct CampaignRow {
    id: String,
    stream_id: String,
    name: String,
    campaign_type: String,
    status: String,
    run_id: Option<String>,
    details: Value,
    created_by: String,
    updated_by: String,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
    version: i64,
    contact_lists: Vec<String>,
}

impl TryFrom<CampaignRow> for Campaign {
    type Error = sqlx::Error;

    fn try_from(row: CampaignRow) -> Result<Self> {
        Ok(Campaign {
            id: CampaignId::parse(&row.id).ok_or_else(|| unknown_value("id", &row.id))?,
            stream_id: StreamId::parse(&row.stream_id).ok_or_else(|| unknown_value("stream_id", &row.stream_id))?,
            name: row.name,
            campaign_type: CampaignType::parse(&row.campaign_type)
                .ok_or_else(|| unknown_value("campaign_type", &row.campaign_type))?,
            status: status(&row.status)?,
            run_id: row.run_id,
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
    }
}

fn status(name: &str) -> Result<CampaignStatus> {
    CampaignStatus::parse(name).ok_or_else(|| unknown_value("status", name))
}
