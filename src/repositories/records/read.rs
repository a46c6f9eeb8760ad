//! Records are looked up and listed.

use sqlx::types::Json;
use uuid::Uuid;

use super::{PhoneRow, RecordRow};
use crate::domain::ids::AccountId;
use crate::domain::page::{LastChange, Page};
use crate::domain::record::Record;
use crate::repositories::{Connection, Result};

/// A live record of a live list.
pub async fn find(conn: &mut Connection, account: &AccountId, list: Uuid, id: Uuid) -> Result<Option<Record>> {
    sqlx::query_as!(
        RecordRow,
        r#"
        SELECT r.id, r.record_list_id, r.first_name, r.last_name, r.timezone, r.priority, r.external_provider,
               r.external_id, r.external_url, r.sync_external_id, r.extra_data, r.created_at, r.updated_at,
               r.version,
               (
                   SELECT coalesce(jsonb_agg(
                       jsonb_build_object('phone_number', p.phone_number, 'phone_type', p.phone_type, 'key', p.phone_key)
                       ORDER BY p.position
                   ), '[]')
                   FROM record_phones p
                   WHERE p.account_id = r.account_id AND p.record_list_id = r.record_list_id AND p.record_id = r.id
               ) AS "phones!: Json<Vec<PhoneRow>>"
        FROM records r
        JOIN record_lists l ON l.account_id = r.account_id AND l.id = r.record_list_id
        WHERE r.account_id = $1 AND r.record_list_id = $2 AND r.id = $3 AND r.deleted_at IS NULL AND l.deleted_at IS NULL
        "#,
        account.as_str(),
        list,
        id,
    )
    .fetch_optional(conn)
    .await
    .map(|row| row.map(Into::into))
}

/// A page of a list's live records, the last changed first, and one more. The list must be live.
pub async fn list(
    conn: &mut Connection,
    account: &AccountId,
    list: Uuid,
    page: &Page<LastChange>,
) -> Result<Vec<Record>> {
    let after = page.after_change();
    sqlx::query_as!(
        RecordRow,
        r#"
        SELECT r.id, r.record_list_id, r.first_name, r.last_name, r.timezone, r.priority, r.external_provider,
               r.external_id, r.external_url, r.sync_external_id, r.extra_data, r.created_at, r.updated_at,
               r.version,
               (
                   SELECT coalesce(jsonb_agg(
                       jsonb_build_object('phone_number', p.phone_number, 'phone_type', p.phone_type, 'key', p.phone_key)
                       ORDER BY p.position
                   ), '[]')
                   FROM record_phones p
                   WHERE p.account_id = r.account_id AND p.record_list_id = r.record_list_id AND p.record_id = r.id
               ) AS "phones!: Json<Vec<PhoneRow>>"
        FROM records r
        WHERE r.account_id = $1 AND r.record_list_id = $2 AND r.deleted_at IS NULL
          AND (r.updated_at, r.id) < ($3, $4)
        ORDER BY r.updated_at DESC, r.id DESC
        LIMIT $5 OFFSET $6
        "#,
        account.as_str(),
        list,
        after.at,
        after.id,
        page.limit + 1,
        page.skip(),
    )
    .fetch_all(conn)
    .await
    .map(|rows| rows.into_iter().map(Into::into).collect())
}
