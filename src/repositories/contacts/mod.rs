//! Contacts.

use serde_json::Value;
use time::OffsetDateTime;

use super::{Connection, Result, unknown_value};
use crate::domain::contact::{CellPhone, Contact, ContactStatus, NewContact};
use crate::domain::identity::Caller;
use crate::domain::ids::{AccountId, ContactId, StreamId};
use crate::domain::phone::PhoneKey;

mod life;
mod list;

pub use life::{existing, lock, remove, trash, trash_together, with_numbers};
pub use list::{count_live, count_trash, list_live, list_trash};

/// Inserts contacts, leaving out those whose number belongs to a live contact.
/// Answers the ids of those that were inserted.
pub async fn insert(
    conn: &mut Connection,
    caller: &Caller,
    stream: &StreamId,
    contacts: &[(ContactId, NewContact)],
    now: OffsetDateTime,
) -> Result<Vec<String>> {
    let ids: Vec<&str> = contacts.iter().map(|(id, _)| id.as_str()).collect();
    let column = |value: fn(&NewContact) -> &str| contacts.iter().map(|(_, new)| value(new)).collect::<Vec<&str>>();
    let first_names = column(|new| &new.first_name);
    let last_names = column(|new| &new.last_name);
    let salutations = column(|new| &new.salutation);
    let country_codes = column(|new| &new.cell_phone.country_code);
    let phone_numbers = column(|new| &new.cell_phone.phone_number);
    let extensions = column(|new| &new.cell_phone.extension);
    let phone_keys = column(|new| new.phone_key.as_str());
    let addresses: Vec<String> = contacts.iter().map(|(_, new)| new.address.to_string()).collect();
    let twitter_details: Vec<String> = contacts.iter().map(|(_, new)| new.twitter_details.to_string()).collect();
    sqlx::query_scalar!(
        r#"
        INSERT INTO contacts (
            account_id, stream_id, id, first_name, last_name, salutation, country_code, phone_number, extension,
            phone_key, address, twitter_details, created_by, created_by_aid, created_at, updated_at
        )
        SELECT $1, $2, new.id, new.first_name, new.last_name, new.salutation, new.country_code, new.phone_number,
               new.extension, new.phone_key, new.address::json, new.twitter_details::json, $3, $4, $5, $5
        FROM unnest($6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[],
                    $13::text[], $14::text[], $15::text[])
             WITH ORDINALITY
             AS new (id, first_name, last_name, salutation, country_code, phone_number, extension, phone_key,
                     address, twitter_details, position)
        -- In the order of the key, so that two calls with the same numbers wait and do not deadlock.
        ORDER BY new.phone_key, new.position
        ON CONFLICT (account_id, stream_id, phone_key) WHERE deleted_at IS NULL DO NOTHING
        RETURNING id
        "#,
        caller.account_id.as_str(),
        stream.as_str(),
        caller.user_id.as_str(),
        caller.agent_id,
        now,
        &ids as _,
        &first_names as _,
        &last_names as _,
        &salutations as _,
        &country_codes as _,
        &phone_numbers as _,
        &extensions as _,
        &phone_keys as _,
        &addresses,
        &twitter_details,
    )
    .fetch_all(conn)
    .await
}

/// The live contacts that have one of the numbers, by number.
pub async fn holders(
    conn: &mut Connection,
    account: &AccountId,
    stream: &StreamId,
    numbers: &[&PhoneKey],
) -> Result<Vec<(String, String)>> {
    let numbers: Vec<&str> = numbers.iter().map(|number| number.as_str()).collect();
    let rows = sqlx::query!(
        r#"
        SELECT phone_key, id
        FROM contacts
        WHERE account_id = $1 AND stream_id = $2 AND phone_key = ANY($3) AND deleted_at IS NULL
        "#,
        account.as_str(),
        stream.as_str(),
        &numbers as _,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.phone_key, row.id)).collect())
}

/// A contact, live or in the trash.
pub async fn find(
    conn: &mut Connection,
    account: &AccountId,
    stream: &StreamId,
    id: &ContactId,
) -> Result<Option<Contact>> {
    sqlx::query_as!(
        ContactRow,
        r#"
        SELECT id, stream_id, first_name, last_name, salutation, country_code, phone_number, extension, address,
               twitter_details, created_by, created_by_aid, updated_by, updated_by_aid, created_at, updated_at,
               version, deleted_at IS NOT NULL AS "trashed!"
        FROM contacts
        WHERE account_id = $1 AND stream_id = $2 AND id = $3
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

/// Locks contacts to be changed, in the order of their ids, live or in the trash.
pub async fn lock_to_change(
    conn: &mut Connection,
    account: &AccountId,
    stream: &StreamId,
    ids: &[&str],
) -> Result<Vec<Contact>> {
    sqlx::query_as!(
        ContactRow,
        r#"
        SELECT id, stream_id, first_name, last_name, salutation, country_code, phone_number, extension, address,
               twitter_details, created_by, created_by_aid, updated_by, updated_by_aid, created_at, updated_at,
               version, deleted_at IS NOT NULL AS "trashed!"
        FROM contacts
        WHERE account_id = $1 AND stream_id = $2 AND id = ANY($3)
        ORDER BY id
        FOR NO KEY UPDATE
        "#,
        account.as_str(),
        stream.as_str(),
        ids as _,
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(TryInto::try_into)
    .collect()
}

/// Writes contacts as they have been changed. They must be locked and live. Answers how many were written.
pub async fn update(conn: &mut Connection, account: &AccountId, contacts: &[(&Contact, PhoneKey)]) -> Result<u64> {
    let column =
        |value: fn(&Contact) -> &str| contacts.iter().map(|(contact, _)| value(contact)).collect::<Vec<&str>>();
    let ids = column(|contact| contact.id.as_str());
    let first_names = column(|contact| &contact.first_name);
    let last_names = column(|contact| &contact.last_name);
    let salutations = column(|contact| &contact.salutation);
    let country_codes = column(|contact| &contact.cell_phone.country_code);
    let phone_numbers = column(|contact| &contact.cell_phone.phone_number);
    let extensions = column(|contact| &contact.cell_phone.extension);
    let phone_keys: Vec<&str> = contacts.iter().map(|(_, key)| key.as_str()).collect();
    let addresses: Vec<String> = contacts.iter().map(|(contact, _)| contact.address.to_string()).collect();
    let twitter_details: Vec<String> =
        contacts.iter().map(|(contact, _)| contact.twitter_details.to_string()).collect();
    let updated_by: Vec<Option<&str>> = contacts.iter().map(|(contact, _)| contact.updated_by.as_deref()).collect();
    let updated_by_aid: Vec<Option<&str>> =
        contacts.iter().map(|(contact, _)| contact.updated_by_aid.as_deref()).collect();
    let updated_at: Vec<OffsetDateTime> = contacts.iter().map(|(contact, _)| contact.updated_at).collect();
    let versions: Vec<i64> = contacts.iter().map(|(contact, _)| contact.version).collect();
    let done = sqlx::query!(
        r#"
        UPDATE contacts c
        SET first_name = new.first_name, last_name = new.last_name, salutation = new.salutation,
            country_code = new.country_code, phone_number = new.phone_number, extension = new.extension,
            phone_key = new.phone_key, address = new.address::json, twitter_details = new.twitter_details::json,
            updated_by = new.updated_by, updated_by_aid = new.updated_by_aid, updated_at = new.updated_at,
            version = new.version
        FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
                    $10::text[], $11::text[], $12::text[], $13::text[], $14::timestamptz[], $15::bigint[])
             AS new (id, first_name, last_name, salutation, country_code, phone_number, extension, phone_key, address,
                     twitter_details, updated_by, updated_by_aid, updated_at, version)
        WHERE c.account_id = $1 AND c.id = new.id AND c.deleted_at IS NULL
        "#,
        account.as_str(),
        &ids as _,
        &first_names as _,
        &last_names as _,
        &salutations as _,
        &country_codes as _,
        &phone_numbers as _,
        &extensions as _,
        &phone_keys as _,
        &addresses,
        &twitter_details,
        &updated_by as _,
        &updated_by_aid as _,
        &updated_at,
        &versions,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

struct ContactRow {
    id: String,
    stream_id: String,
    first_name: String,
    last_name: String,
    salutation: String,
    country_code: String,
    phone_number: String,
    extension: String,
    address: Value,
    twitter_details: Value,
    created_by: String,
    created_by_aid: String,
    updated_by: Option<String>,
    updated_by_aid: Option<String>,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
    version: i64,
    trashed: bool,
}

impl TryFrom<ContactRow> for Contact {
    type Error = sqlx::Error;

    fn try_from(row: ContactRow) -> Result<Self> {
        Ok(Contact {
            id: ContactId::parse(&row.id).ok_or_else(|| unknown_value("id", &row.id))?,
            stream_id: StreamId::parse(&row.stream_id).ok_or_else(|| unknown_value("stream_id", &row.stream_id))?,
            first_name: row.first_name,
            last_name: row.last_name,
            salutation: row.salutation,
            cell_phone: CellPhone {
                extension: row.extension,
                phone_number: row.phone_number,
                country_code: row.country_code,
            },
            address: row.address,
            twitter_details: row.twitter_details,
            created_by: row.created_by,
            created_by_aid: row.created_by_aid,
            updated_by: row.updated_by,
            updated_by_aid: row.updated_by_aid,
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
            status: if row.trashed { ContactStatus::Inactive } else { ContactStatus::Active },
        })
    }
}
