//! Records that a deletion names are found, locked, trashed and removed.

use uuid::Uuid;

use crate::domain::identity::Caller;
use crate::domain::ids::AccountId;
use crate::domain::phone::PhoneKey;
use crate::domain::record::ExternalReference;
use crate::repositories::ledger::{Entry, changed};
use crate::repositories::{Connection, LockedRow, Result, Wait, locked};

/// The records, live or trashed, that have one of the numbers, by number.
pub async fn with_numbers(
    conn: &mut Connection,
    account: &AccountId,
    list: Uuid,
    numbers: &[&PhoneKey],
) -> Result<Vec<(String, Uuid)>> {
    let numbers: Vec<&str> = numbers.iter().map(|number| number.as_str()).collect();
    let rows = sqlx::query!(
        r#"
        SELECT DISTINCT phone_key, record_id
        FROM record_phones
        WHERE account_id = $1 AND record_list_id = $2 AND phone_key = ANY($3)
        ORDER BY phone_key, record_id
        "#,
        account.as_str(),
        list,
        &numbers as _,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.phone_key, row.record_id)).collect())
}

/// The records, live or trashed, that have one of the external references, by reference.
pub async fn with_references(
    conn: &mut Connection,
    account: &AccountId,
    list: Uuid,
    references: &[&ExternalReference],
) -> Result<Vec<(ExternalReference, Uuid)>> {
    let providers: Vec<&str> = references.iter().map(|reference| reference.provider.as_str()).collect();
    let ids: Vec<&str> = references.iter().map(|reference| reference.id.as_str()).collect();
    let rows = sqlx::query!(
        r#"
        SELECT r.external_provider AS "provider!", r.external_id AS "external_id!", r.id
        FROM unnest($3::text[], $4::text[]) AS asked (provider, id)
        JOIN records r ON r.external_id = asked.id AND r.external_provider = asked.provider
        WHERE r.account_id = $1 AND r.record_list_id = $2
        ORDER BY r.id
        "#,
        account.as_str(),
        list,
        &providers as _,
        &ids as _,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (ExternalReference { provider: row.provider, id: row.external_id }, row.id))
        .collect())
}

/// Locks records for deletion, in the order of their ids.
pub async fn lock(
    conn: &mut Connection,
    account: &AccountId,
    list: Uuid,
    ids: &[Uuid],
    wait: Wait,
) -> Result<Vec<LockedRow>> {
    locked!(
        conn,
        wait,
        "t.id::text",
        "records t WHERE t.account_id = $1 AND t.record_list_id = $2 AND t.id = ANY($3)",
        account.as_str(),
        list,
        ids,
    )
}

/// Those of the ids that exist, whoever has them locked.
pub async fn existing(conn: &mut Connection, account: &AccountId, list: Uuid, ids: &[Uuid]) -> Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"SELECT id::text AS "id!" FROM records WHERE account_id = $1 AND record_list_id = $2 AND id = ANY($3)"#,
        account.as_str(),
        list,
        ids,
    )
    .fetch_all(conn)
    .await
}

/// Moves live records, which must be locked, into the trash, from the spots where they lie. Answers how many went.
pub async fn trash(
    conn: &mut Connection,
    caller: &Caller,
    entry: &Entry<'_>,
    is_written: bool,
    list: Uuid,
    spots: &[&str],
) -> Result<u64> {
    changed!(
        conn,
        caller,
        entry,
        is_written,
        r#"
        UPDATE records
        SET deleted_at = $9, deleted_by = $6, deletion_id = $2, updated_at = $9, version = version + 1,
            purge_at = $9::timestamptz + (
                SELECT r.days * interval '1 day' FROM retention r WHERE r.account_id = $1 AND r.resource = 'record'
            )
        WHERE account_id = $1 AND record_list_id = $12 AND ctid = ANY($11::text[]::tid[]) AND deleted_at IS NULL
        "#,
        spots as _,
        list,
    )
}

/// Removes the numbers of trashed records, which must go before the records do.
pub async fn remove_phones(conn: &mut Connection, account: &AccountId, list: Uuid, ids: &[Uuid]) -> Result<()> {
    sqlx::query!(
        "DELETE FROM record_phones WHERE account_id = $1 AND record_list_id = $2 AND record_id = ANY($3)",
        account.as_str(),
        list,
        ids,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes trashed records for good. Answers how many went.
pub async fn remove(
    conn: &mut Connection,
    caller: &Caller,
    entry: &Entry<'_>,
    list: Uuid,
    ids: &[Uuid],
) -> Result<u64> {
    changed!(
        conn,
        caller,
        entry,
        true,
        "DELETE FROM records WHERE account_id = $1 AND record_list_id = $12 AND id = ANY($11)",
        ids,
        list
    )
}
