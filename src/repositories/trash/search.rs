//! What is in the trash, across kinds.

use crate::domain::ids::AccountId;
use crate::domain::operation::Resource;
use crate::domain::page::LastChange;
use crate::domain::trash::{Search, Trashed};
use crate::repositories::{Connection, Result, unknown_value};

/// What is in the trash, the last deleted first, after a place.
pub async fn search(
    conn: &mut Connection,
    account: &AccountId,
    search: &Search,
    after: LastChange<&str>,
    limit: i64,
) -> Result<Vec<Trashed>> {
    let resources: Vec<&str> = search.resources.iter().map(|resource| resource.name()).collect();
    let name = search.name.as_ref().map(|name| name.to_lowercase());
    // Each kind gives as many as the page could have of it: by number or reference where that is asked for, else by the
    // index of its trash, in the order of time. Records with a number are asked for apart, so that they are found from the
    // number. Names have no index: row security lets `lower` use none, and a column for it would cost each deletion.
    let rows = sqlx::query!(
        r#"
        SELECT resource AS "resource!", within AS "within!", id AS "id!", name AS "name!", phone_number,
               external_provider, external_id, deleted_at AS "deleted_at!", deleted_by AS "deleted_by!",
               deletion_id AS "deletion_id!", purge_at, held AS "held!"
        FROM (
            (SELECT 'contact' AS resource, stream_id AS within, id, first_name || ' ' || last_name AS name, phone_number,
                    NULL AS external_provider, NULL AS external_id, deleted_at, deleted_by, deletion_id, purge_at, held
             FROM contacts
             WHERE account_id = $1 AND deleted_at IS NOT NULL AND 'contact' = ANY($2)
               AND (deleted_at, id) < ($3, $4 COLLATE "C")
               AND ($5::text IS NULL OR phone_key = $5) AND $6::text IS NULL AND $7::text IS NULL
               AND ($8::text IS NULL OR lower(first_name || ' ' || last_name) = $8)
               AND ($9::uuid IS NULL OR deletion_id = $9)
               AND ($10::timestamptz IS NULL OR deleted_at >= $10) AND ($11::timestamptz IS NULL OR deleted_at <= $11)
             ORDER BY deleted_at DESC, id DESC LIMIT $12)
            UNION ALL
            (SELECT 'contact_list', stream_id, id, name, NULL, NULL, NULL, deleted_at, deleted_by, deletion_id, purge_at, held
             FROM contact_lists
             WHERE account_id = $1 AND deleted_at IS NOT NULL AND 'contact_list' = ANY($2)
               AND (deleted_at, id) < ($3, $4 COLLATE "C")
               AND $5::text IS NULL AND $6::text IS NULL AND $7::text IS NULL
               AND ($8::text IS NULL OR lname = $8) AND ($9::uuid IS NULL OR deletion_id = $9)
               AND ($10::timestamptz IS NULL OR deleted_at >= $10) AND ($11::timestamptz IS NULL OR deleted_at <= $11)
             ORDER BY deleted_at DESC, id DESC LIMIT $12)
            UNION ALL
            (SELECT 'campaign', stream_id, id, name, NULL, NULL, NULL, deleted_at, deleted_by, deletion_id, purge_at, held
             FROM campaigns
             WHERE account_id = $1 AND deleted_at IS NOT NULL AND 'campaign' = ANY($2)
               AND (deleted_at, id) < ($3, $4 COLLATE "C")
               AND $5::text IS NULL AND $6::text IS NULL AND $7::text IS NULL
               AND ($8::text IS NULL OR lower(name) = $8) AND ($9::uuid IS NULL OR deletion_id = $9)
               AND ($10::timestamptz IS NULL OR deleted_at >= $10) AND ($11::timestamptz IS NULL OR deleted_at <= $11)
             ORDER BY deleted_at DESC, id DESC LIMIT $12)
            UNION ALL
            (SELECT 'record_list', '', id::text COLLATE "C", name, NULL, NULL, NULL, deleted_at, deleted_by, deletion_id,
                    purge_at, held
             FROM record_lists
             WHERE account_id = $1 AND deleted_at IS NOT NULL AND 'record_list' = ANY($2)
               AND (deleted_at, id::text COLLATE "C") < ($3, $4 COLLATE "C")
               AND $5::text IS NULL AND $6::text IS NULL AND $7::text IS NULL
               AND ($8::text IS NULL OR lower(name) = $8) AND ($9::uuid IS NULL OR deletion_id = $9)
               AND ($10::timestamptz IS NULL OR deleted_at >= $10) AND ($11::timestamptz IS NULL OR deleted_at <= $11)
             ORDER BY deleted_at DESC, id::text COLLATE "C" DESC LIMIT $12)
            UNION ALL
            (SELECT 'record', record_list_id::text, id::text COLLATE "C", first_name || ' ' || last_name,
                    (SELECT p.phone_number FROM record_phones p
                     WHERE p.account_id = $1 AND p.record_list_id = r.record_list_id AND p.record_id = r.id
                       AND NOT p.replaced
                     ORDER BY p.position LIMIT 1),
                    external_provider, external_id, deleted_at, deleted_by, deletion_id, purge_at, held
             FROM records r
             WHERE account_id = $1 AND deleted_at IS NOT NULL AND 'record' = ANY($2)
               AND (deleted_at, id::text COLLATE "C") < ($3, $4 COLLATE "C")
               AND $5::text IS NULL
               AND ($6::text IS NULL OR external_provider = $6) AND ($7::text IS NULL OR external_id = $7)
               AND ($8::text IS NULL OR lower(first_name || ' ' || last_name) = $8)
               AND ($9::uuid IS NULL OR deletion_id = $9)
               AND ($10::timestamptz IS NULL OR deleted_at >= $10) AND ($11::timestamptz IS NULL OR deleted_at <= $11)
             ORDER BY deleted_at DESC, id::text COLLATE "C" DESC LIMIT $12)
            UNION ALL
            (SELECT 'record', record_list_id::text, id::text COLLATE "C", first_name || ' ' || last_name,
                    (SELECT p.phone_number FROM record_phones p
                     WHERE p.account_id = $1 AND p.record_list_id = r.record_list_id AND p.record_id = r.id
                       AND NOT p.replaced
                     ORDER BY p.position LIMIT 1),
                    external_provider, external_id, deleted_at, deleted_by, deletion_id, purge_at, held
             FROM records r
             WHERE account_id = $1 AND deleted_at IS NOT NULL AND 'record' = ANY($2)
               AND (deleted_at, id::text COLLATE "C") < ($3, $4 COLLATE "C")
               AND $5::text IS NOT NULL
               AND EXISTS (
                   SELECT FROM record_phones p
                   WHERE p.account_id = $1 AND p.record_list_id = r.record_list_id AND p.record_id = r.id
                     AND p.phone_key = $5 AND NOT p.replaced)
               AND ($6::text IS NULL OR external_provider = $6) AND ($7::text IS NULL OR external_id = $7)
               AND ($8::text IS NULL OR lower(first_name || ' ' || last_name) = $8)
               AND ($9::uuid IS NULL OR deletion_id = $9)
               AND ($10::timestamptz IS NULL OR deleted_at >= $10) AND ($11::timestamptz IS NULL OR deleted_at <= $11)
             ORDER BY deleted_at DESC, id::text COLLATE "C" DESC LIMIT $12)
        ) AS trash
        ORDER BY deleted_at DESC, id COLLATE "C" DESC
        LIMIT $12
        "#,
        account.as_str(),
        &resources as _,
        after.at,
        after.id,
        search.phone_key,
        search.external_provider,
        search.external_id,
        name,
        search.deletion_id,
        search.deleted_after,
        search.deleted_before,
        limit,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Trashed {
                resource: Resource::parse(&row.resource).ok_or_else(|| unknown_value("resource", &row.resource))?,
                within: row.within,
                id: row.id,
                name: row.name,
                phone_number: row.phone_number,
                external_provider: row.external_provider,
                external_id: row.external_id,
                deleted_at: row.deleted_at,
                deleted_by: row.deleted_by,
                deletion_id: row.deletion_id,
                purge_at: row.purge_at,
                held: row.held,
            })
        })
        .collect()
}
