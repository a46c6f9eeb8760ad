//! Records are looked up and listed.

use sqlx::types::Json;
use uuid::Uuid;

use super::{PhoneRow, RecordRow};
use crate::domain::ids::AccountId;
use crate::domain::page::{LastChange, Page};
use crate::domain::record::{Record, RecordFilter};
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

/// Live records of a list, by their ids. The list must be live.
pub async fn find_all(conn: &mut Connection, account: &AccountId, list: Uuid, ids: &[Uuid]) -> Result<Vec<Record>> {
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
        WHERE r.account_id = $1 AND r.record_list_id = $2 AND r.id = ANY($3) AND r.deleted_at IS NULL
        "#,
        account.as_str(),
        list,
        ids,
    )
    .fetch_all(conn)
    .await
    .map(|rows| rows.into_iter().map(Into::into).collect())
}

/// A page of those of a list's live records that the filter leaves, the last
/// changed first, and one more. The list must be live. `with_number` has those
/// that have the filter's number, when it has one.
pub async fn list_filtered(
    conn: &mut Connection,
    account: &AccountId,
    list: Uuid,
    filter: &RecordFilter,
    with_number: Option<&[Uuid]>,
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
          AND ($3::uuid[] IS NULL OR r.id = ANY($3))
          AND (cardinality($4::smallint[]) = 0 OR r.priority = ANY($4))
          AND (cardinality($5::text[]) = 0 OR r.timezone = ANY($5))
          AND ($6::timestamptz IS NULL OR r.updated_at >= $6) AND ($7::timestamptz IS NULL OR r.updated_at <= $7)
          AND (r.updated_at, r.id) < ($8, $9)
        ORDER BY r.updated_at DESC, r.id DESC
        LIMIT $10 OFFSET $11
        "#,
        account.as_str(),
        list,
        with_number,
        &filter.priorities,
        &filter.timezones,
        filter.updated.from,
        filter.updated.to,
        after.at,
        after.id,
        page.limit + 1,
        page.skip(),
    )
    .fetch_all(conn)
    .await
    .map(|rows| rows.into_iter().map(Into::into).collect())
}

/// How many of a list's live records the filter leaves. `with_number` has those
/// that have the filter's number, when it has one.
pub async fn count_filtered(
    conn: &mut Connection,
    account: &AccountId,
    list: Uuid,
    filter: &RecordFilter,
    with_number: Option<&[Uuid]>,
) -> Result<i64> {
    sqlx::query_scalar!(
        r#"
        SELECT count(*) AS "count!"
        FROM records r
        WHERE r.account_id = $1 AND r.record_list_id = $2 AND r.deleted_at IS NULL
          AND ($3::uuid[] IS NULL OR r.id = ANY($3))
          AND (cardinality($4::smallint[]) = 0 OR r.priority = ANY($4))
          AND (cardinality($5::text[]) = 0 OR r.timezone = ANY($5))
          AND ($6::timestamptz IS NULL OR r.updated_at >= $6) AND ($7::timestamptz IS NULL OR r.updated_at <= $7)
        "#,
        account.as_str(),
        list,
        with_number,
        &filter.priorities,
        &filter.timezones,
        filter.updated.from,
        filter.updated.to,
    )
    .fetch_one(conn)
    .await
}
