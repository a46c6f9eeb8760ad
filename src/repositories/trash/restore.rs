//! Trashed rows are restored. They must be locked.

use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::ids::AccountId;
use crate::repositories::{Connection, Result, Written};

/// What a trashed row was known by, and which live row is known by it now.
#[derive(Clone, Debug)]
pub struct Known {
    /// The row.
    pub id: String,
    /// What no two live rows share. None where nothing tells it apart but its id.
    pub key: Option<String>,
    /// The live row that has the key.
    pub holder: Option<String>,
}

/// What trashed contacts were known by: their numbers.
pub async fn contact_keys(conn: &mut Connection, account: &AccountId, ids: &[&str]) -> Result<Vec<Known>> {
    sqlx::query_as!(
        Known,
        r#"
        SELECT t.id, t.phone_key AS "key?", l.id AS "holder?"
        FROM contacts t
        -- Looked up for each, whatever is believed of how many live ones there are.
        LEFT JOIN LATERAL (
            SELECT h.id FROM contacts h
            WHERE h.account_id = $1 AND h.stream_id = t.stream_id AND h.phone_key = t.phone_key AND h.deleted_at IS NULL
            LIMIT 1
        ) l ON true
        WHERE t.account_id = $1 AND t.id = ANY($2) AND t.deleted_at IS NOT NULL
        "#,
        account.as_str(),
        ids as _,
    )
    .fetch_all(conn)
    .await
}

/// What trashed contact lists were known by: their names in lower case.
pub async fn contact_list_keys(conn: &mut Connection, account: &AccountId, ids: &[&str]) -> Result<Vec<Known>> {
    sqlx::query_as!(
        Known,
        r#"
        SELECT t.id, t.lname AS "key?", l.id AS "holder?"
        FROM contact_lists t
        LEFT JOIN LATERAL (
            SELECT h.id FROM contact_lists h
            WHERE h.account_id = $1 AND h.stream_id = t.stream_id AND h.lname = t.lname AND h.deleted_at IS NULL
            LIMIT 1
        ) l ON true
        WHERE t.account_id = $1 AND t.id = ANY($2) AND t.deleted_at IS NOT NULL
        "#,
        account.as_str(),
        ids as _,
    )
    .fetch_all(conn)
    .await
}

/// What trashed records were known by in their list.
pub async fn record_keys(conn: &mut Connection, account: &AccountId, list: Uuid, ids: &[Uuid]) -> Result<Vec<Known>> {
    sqlx::query_as!(
        Known,
        r#"
        SELECT t.id::text AS "id!", t.unique_key AS "key?", l.id::text AS "holder?"
        FROM records t
        LEFT JOIN LATERAL (
            SELECT h.id FROM records h
            WHERE h.account_id = $1 AND h.record_list_id = $2 AND h.unique_key = t.unique_key AND h.deleted_at IS NULL
            LIMIT 1
        ) l ON true
        WHERE t.account_id = $1 AND t.record_list_id = $2 AND t.id = ANY($3) AND t.deleted_at IS NOT NULL
        "#,
        account.as_str(),
        list,
        ids,
    )
    .fetch_all(conn)
    .await
}

/// Restores contacts.
pub async fn contacts(
    conn: &mut Connection,
    account: &AccountId,
    ids: &[&str],
    at: OffsetDateTime,
) -> Result<Vec<Written>> {
    sqlx::query_as!(
        Written,
        r#"
        UPDATE contacts
        SET deleted_at = NULL, deleted_by = NULL, deletion_id = NULL, purge_at = NULL, updated_at = $3,
            version = version + 1
        WHERE account_id = $1 AND id = ANY($2) AND deleted_at IS NOT NULL
        RETURNING id, version
        "#,
        account.as_str(),
        ids as _,
        at,
    )
    .fetch_all(conn)
    .await
}

/// Restores contact lists; their members are there again by rule.
pub async fn contact_lists(
    conn: &mut Connection,
    account: &AccountId,
    ids: &[&str],
    at: OffsetDateTime,
) -> Result<Vec<Written>> {
    sqlx::query_as!(
        Written,
        r#"
        UPDATE contact_lists
        SET deleted_at = NULL, deleted_by = NULL, deletion_id = NULL, purge_at = NULL, updated_at = $3,
            version = version + 1
        WHERE account_id = $1 AND id = ANY($2) AND deleted_at IS NOT NULL
        RETURNING id, version
        "#,
        account.as_str(),
        ids as _,
        at,
    )
    .fetch_all(conn)
    .await
}

/// Restores campaigns.
pub async fn campaigns(
    conn: &mut Connection,
    account: &AccountId,
    ids: &[&str],
    at: OffsetDateTime,
) -> Result<Vec<Written>> {
    sqlx::query_as!(
        Written,
        r#"
        UPDATE campaigns
        SET deleted_at = NULL, deleted_by = NULL, deletion_id = NULL, purge_at = NULL, updated_at = $3,
            version = version + 1
        WHERE account_id = $1 AND id = ANY($2) AND deleted_at IS NOT NULL
        RETURNING id, version
        "#,
        account.as_str(),
        ids as _,
        at,
    )
    .fetch_all(conn)
    .await
}

/// Has restored campaigns take up the lists that they let go of, those that are live.
pub async fn take_up_lists(conn: &mut Connection, account: &AccountId, campaigns: &[&str]) -> Result<()> {
    sqlx::query!(
        r#"
        UPDATE campaign_contact_lists a SET campaign_live = true, list_live = true
        FROM contact_lists l
        WHERE a.account_id = $1 AND a.campaign_id = ANY($2) AND a.list_live IS NULL
          AND l.account_id = $1 AND l.id = a.list_id AND l.deleted_at IS NULL
        "#,
        account.as_str(),
        campaigns as _,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        r#"
        UPDATE campaign_record_lists a SET campaign_live = true, list_live = true
        FROM record_lists l
        WHERE a.account_id = $1 AND a.campaign_id = ANY($2) AND a.list_live IS NULL
          AND l.account_id = $1 AND l.id = a.record_list_id AND l.deleted_at IS NULL
        "#,
        account.as_str(),
        campaigns as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The lists that live campaigns were attached to and that are not live, by campaign.
pub async fn missing_lists(
    conn: &mut Connection,
    account: &AccountId,
    campaigns: &[&str],
) -> Result<Vec<(String, String)>> {
    let rows = sqlx::query!(
        r#"
        SELECT campaign_id AS "campaign_id!", list_id AS "list_id!"
        FROM campaign_contact_lists
        WHERE account_id = $1 AND campaign_id = ANY($2) AND list_live IS NULL
        UNION ALL
        SELECT campaign_id, record_list_id::text
        FROM campaign_record_lists
        WHERE account_id = $1 AND campaign_id = ANY($2) AND list_live IS NULL
        ORDER BY 1, 2
        "#,
        account.as_str(),
        campaigns as _,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.campaign_id, row.list_id)).collect())
}

/// Restores record lists; their records are there again by rule.
pub async fn record_lists(
    conn: &mut Connection,
    account: &AccountId,
    ids: &[Uuid],
    at: OffsetDateTime,
) -> Result<Vec<Written>> {
    sqlx::query_as!(
        Written,
        r#"
        UPDATE record_lists
        SET deleted_at = NULL, deleted_by = NULL, deletion_id = NULL, purge_at = NULL, updated_at = $3,
            version = version + 1
        WHERE account_id = $1 AND id = ANY($2) AND deleted_at IS NOT NULL
        RETURNING id::text AS "id!", version
        "#,
        account.as_str(),
        ids,
        at,
    )
    .fetch_all(conn)
    .await
}

/// Restores records.
pub async fn records(
    conn: &mut Connection,
    account: &AccountId,
    list: Uuid,
    ids: &[Uuid],
    at: OffsetDateTime,
) -> Result<Vec<Written>> {
    sqlx::query_as!(
        Written,
        r#"
        UPDATE records
        SET deleted_at = NULL, deleted_by = NULL, deletion_id = NULL, purge_at = NULL, updated_at = $4,
            version = version + 1
        WHERE account_id = $1 AND record_list_id = $2 AND id = ANY($3) AND deleted_at IS NOT NULL
        RETURNING id::text AS "id!", version
        "#,
        account.as_str(),
        list,
        ids,
        at,
    )
    .fetch_all(conn)
    .await
}
