//! Contacts go into the trash and out of the database.

use super::super::ledger::{Entry, changed};
use super::super::singles::{self, Columns, Single};
use super::super::{Connection, LockedRow, Result, Wait, locked};
use super::ContactRow;
use crate::domain::contact::Contact;
use crate::domain::identity::Caller;
use crate::domain::ids::{AccountId, StreamId};
use crate::domain::phone::PhoneKey;

/// The contacts, live or trashed, that have one of the numbers, by number.
pub async fn with_numbers(
    conn: &mut Connection,
    account: &AccountId,
    stream: &StreamId,
    numbers: &[&PhoneKey],
) -> Result<Vec<(String, String)>> {
    let numbers: Vec<&str> = numbers.iter().map(|number| number.as_str()).collect();
    let rows = sqlx::query!(
        r#"
        SELECT phone_key AS "phone_key!", id AS "id!" FROM contacts
        WHERE account_id = $1 AND stream_id = $2 AND phone_key = ANY($3) AND deleted_at IS NULL
        UNION ALL
        SELECT phone_key, id FROM contacts
        WHERE account_id = $1 AND stream_id = $2 AND phone_key = ANY($3) AND deleted_at IS NOT NULL
        ORDER BY 1, 2
        "#,
        account.as_str(),
        stream.as_str(),
        &numbers as _,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.phone_key, row.id)).collect())
}

/// Locks contacts for deletion, in the order of their ids.
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
        "contacts t WHERE t.account_id = $1 AND t.stream_id = $2 AND t.id = ANY($3)",
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
        "SELECT id FROM contacts WHERE account_id = $1 AND stream_id = $2 AND id = ANY($3)",
        account.as_str(),
        stream.as_str(),
        ids as _,
    )
    .fetch_all(conn)
    .await
}

/// Moves live contacts, which must be locked, into the trash, from the spots where they lie. Answers how many went.
pub async fn trash(
    conn: &mut Connection,
    caller: &Caller,
    entry: &Entry<'_>,
    is_written: bool,
    spots: &[&str],
) -> Result<u64> {
    changed!(
        conn,
        caller,
        entry,
        is_written,
        r#"
        UPDATE contacts
        SET deleted_at = $9, deleted_by = $6, deletion_id = $2, updated_at = $9, version = version + 1,
            purge_at = $9::timestamptz + (
                SELECT r.days * interval '1 day' FROM retention r WHERE r.account_id = $1 AND r.resource = 'contact'
            )
        WHERE account_id = $1 AND ctid = ANY($11::text[]::tid[]) AND deleted_at IS NULL
        "#,
        spots as _,
    )
}

/// Moves contacts of any accounts, those of an account next to each other, into the trash with their entries in the
/// ledger, in a transaction that is this statement. Answers those that went as they are now, with their places among the
/// `singles`; what is not live or is locked is left alone. It waits for no row, and for a table's lock no longer than
/// `patience`, which is a time as Postgres spells it.
pub async fn trash_together(
    conn: &mut Connection,
    patience: &str,
    singles: &[&Single],
) -> Result<Vec<(usize, Contact)>> {
    let columns = Columns::of(singles);
    let rows = sqlx::query!(
        r#"
        SELECT t.place AS "place!", (t.contact).id AS "id!", (t.contact).stream_id AS "stream_id!",
               (t.contact).first_name AS "first_name!", (t.contact).last_name AS "last_name!",
               (t.contact).salutation AS "salutation!", (t.contact).country_code AS "country_code!",
               (t.contact).phone_number AS "phone_number!", (t.contact).extension AS "extension!",
               (t.contact).address AS "address!", (t.contact).twitter_details AS "twitter_details!",
               (t.contact).created_by AS "created_by!", (t.contact).created_by_aid AS "created_by_aid!",
               (t.contact).updated_by, (t.contact).updated_by_aid, (t.contact).created_at AS "created_at!",
               (t.contact).updated_at AS "updated_at!", (t.contact).version AS "version!"
        FROM trash_contacts($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) AS t
        "#,
        patience,
        &columns.accounts as _,
        &columns.firsts,
        &columns.lasts,
        &columns.streams as _,
        &columns.ids as _,
        &columns.deletions,
        &columns.times,
        &columns.users as _,
        &columns.clients as _,
        &columns.requests as _,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let contact = ContactRow {
                id: row.id,
                stream_id: row.stream_id,
                first_name: row.first_name,
                last_name: row.last_name,
                salutation: row.salutation,
                country_code: row.country_code,
                phone_number: row.phone_number,
                extension: row.extension,
                address: row.address,
                twitter_details: row.twitter_details,
                created_by: row.created_by,
                created_by_aid: row.created_by_aid,
                updated_by: row.updated_by,
                updated_by_aid: row.updated_by_aid,
                created_at: row.created_at,
                updated_at: row.updated_at,
                version: row.version,
                trashed: true,
            };
            Ok((singles::place(row.place)?, contact.try_into()?))
        })
        .collect()
}

/// Removes trashed contacts for good. Answers how many went.
pub async fn remove(conn: &mut Connection, caller: &Caller, entry: &Entry<'_>, ids: &[&str]) -> Result<u64> {
    changed!(conn, caller, entry, true, "DELETE FROM contacts WHERE account_id = $1 AND id = ANY($11)", ids as _)
}
