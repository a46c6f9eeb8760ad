//! Records are inserted and changed.

use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::identity::Caller;
use crate::domain::ids::AccountId;
use crate::domain::record::Person;
use crate::domain::record_list::UniqueIdentifierType;
use crate::repositories::{Connection, Result};

/// Inserts records, leaving out those whose unique identifier a live record of
/// the list has. Answers the ids of those that were inserted.
pub async fn insert(
    conn: &mut Connection,
    caller: &Caller,
    list: Uuid,
    unique_by: UniqueIdentifierType,
    records: &[(Uuid, Person)],
    now: OffsetDateTime,
) -> Result<Vec<Uuid>> {
    let ids: Vec<Uuid> = records.iter().map(|(id, _)| *id).collect();
    let text = |value: fn(&Person) -> Option<&str>| records.iter().map(|(_, person)| value(person)).collect::<Vec<_>>();
    let first_names = text(|person| Some(&person.first_name));
    let last_names = text(|person| Some(&person.last_name));
    let timezones = text(|person| person.timezone.as_deref());
    let providers = text(|person| person.external.as_ref().map(|external| external.provider.as_str()));
    let external_ids = text(|person| person.external.as_ref().map(|external| external.id.as_str()));
    let urls = text(|person| person.external_url.as_deref());
    let priorities: Vec<Option<i16>> = records.iter().map(|(_, person)| person.priority).collect();
    let sync: Vec<bool> = records.iter().map(|(_, person)| person.sync_external_id).collect();
    let extra: Vec<String> =
        records.iter().map(|(_, person)| Value::Object(person.extra_data.clone()).to_string()).collect();
    let keys: Vec<Option<String>> = records.iter().map(|(_, person)| person.unique_key(unique_by)).collect();
    sqlx::query_scalar!(
        r#"
        INSERT INTO records (
            account_id, record_list_id, id, first_name, last_name, timezone, priority, external_provider, external_id,
            external_url, sync_external_id, extra_data, unique_key, created_by, created_at, updated_at
        )
        SELECT $1, $2, new.id, new.first_name, new.last_name, new.timezone, new.priority, new.external_provider,
               new.external_id, new.external_url, new.sync_external_id, new.extra_data::json, new.unique_key, $3, $4, $4
        FROM unnest($5::uuid[], $6::text[], $7::text[], $8::text[], $9::smallint[], $10::text[], $11::text[],
                    $12::text[], $13::boolean[], $14::text[], $15::text[])
             WITH ORDINALITY
             AS new (id, first_name, last_name, timezone, priority, external_provider, external_id, external_url,
                     sync_external_id, extra_data, unique_key, position)
        -- In the order of the key, so that two calls with the same keys wait and do not deadlock.
        ORDER BY new.unique_key, new.position
        ON CONFLICT (account_id, record_list_id, unique_key) WHERE deleted_at IS NULL DO NOTHING
        RETURNING id
        "#,
        caller.account_id.as_str(),
        list,
        caller.user_id.as_str(),
        now,
        &ids,
        &first_names as _,
        &last_names as _,
        &timezones as _,
        &priorities as _,
        &providers as _,
        &external_ids as _,
        &urls as _,
        &sync,
        &extra,
        &keys as _,
    )
    .fetch_all(conn)
    .await
}

/// Inserts the numbers of records that have none.
pub async fn insert_phones(
    conn: &mut Connection,
    account: &AccountId,
    list: Uuid,
    records: &[&(Uuid, Person)],
) -> Result<()> {
    let mut ids = Vec::new();
    let mut positions = Vec::new();
    let mut numbers = Vec::new();
    let mut types = Vec::new();
    let mut keys = Vec::new();
    for (id, person) in records {
        for (position, phone) in (0_i16..).zip(&person.phone_numbers) {
            ids.push(*id);
            positions.push(position);
            numbers.push(phone.phone_number.as_str());
            types.push(phone.phone_type.as_deref());
            keys.push(phone.key.as_str());
        }
    }
    sqlx::query!(
        r#"
        INSERT INTO record_phones (account_id, record_list_id, record_id, position, phone_number, phone_type, phone_key)
        SELECT $1, $2, new.record_id, new.position, new.phone_number, new.phone_type, new.phone_key
        FROM unnest($3::uuid[], $4::smallint[], $5::text[], $6::text[], $7::text[])
             AS new (record_id, position, phone_number, phone_type, phone_key)
        "#,
        account.as_str(),
        list,
        &ids,
        &positions,
        &numbers as _,
        &types as _,
        &keys as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Changes live records, which must be locked, to what is said of the people now.
pub async fn update(
    conn: &mut Connection,
    account: &AccountId,
    list: Uuid,
    unique_by: UniqueIdentifierType,
    records: &[&(Uuid, Person)],
    now: OffsetDateTime,
) -> Result<u64> {
    let ids: Vec<Uuid> = records.iter().map(|(id, _)| *id).collect();
    let text = |value: fn(&Person) -> Option<&str>| records.iter().map(|(_, person)| value(person)).collect::<Vec<_>>();
    let first_names = text(|person| Some(&person.first_name));
    let last_names = text(|person| Some(&person.last_name));
    let timezones = text(|person| person.timezone.as_deref());
    let providers = text(|person| person.external.as_ref().map(|external| external.provider.as_str()));
    let external_ids = text(|person| person.external.as_ref().map(|external| external.id.as_str()));
    let urls = text(|person| person.external_url.as_deref());
    let priorities: Vec<Option<i16>> = records.iter().map(|(_, person)| person.priority).collect();
    let sync: Vec<bool> = records.iter().map(|(_, person)| person.sync_external_id).collect();
    let extra: Vec<String> =
        records.iter().map(|(_, person)| Value::Object(person.extra_data.clone()).to_string()).collect();
    let keys: Vec<Option<String>> = records.iter().map(|(_, person)| person.unique_key(unique_by)).collect();
    let done = sqlx::query!(
        r#"
        UPDATE records r
        SET first_name = new.first_name, last_name = new.last_name, timezone = new.timezone, priority = new.priority,
            external_provider = new.external_provider, external_id = new.external_id, external_url = new.external_url,
            sync_external_id = new.sync_external_id, extra_data = new.extra_data::json, unique_key = new.unique_key,
            updated_at = $3, version = r.version + 1
        FROM unnest($4::uuid[], $5::text[], $6::text[], $7::text[], $8::smallint[], $9::text[], $10::text[],
                    $11::text[], $12::boolean[], $13::text[], $14::text[])
             AS new (id, first_name, last_name, timezone, priority, external_provider, external_id, external_url,
                     sync_external_id, extra_data, unique_key)
        WHERE r.account_id = $1 AND r.record_list_id = $2 AND r.id = new.id AND r.deleted_at IS NULL
        "#,
        account.as_str(),
        list,
        now,
        &ids,
        &first_names as _,
        &last_names as _,
        &timezones as _,
        &priorities as _,
        &providers as _,
        &external_ids as _,
        &urls as _,
        &sync,
        &extra,
        &keys as _,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Frees the unique identifiers of live records, which must be locked and are to
/// get others: so that two can exchange theirs.
pub async fn free_keys(conn: &mut Connection, account: &AccountId, list: Uuid, ids: &[Uuid]) -> Result<()> {
    sqlx::query!(
        r#"
        UPDATE records SET unique_key = NULL
        WHERE account_id = $1 AND record_list_id = $2 AND id = ANY($3) AND deleted_at IS NULL
        "#,
        account.as_str(),
        list,
        ids,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Marks the numbers of live records, which must be locked, as replaced.
pub async fn mark_phones_replaced(conn: &mut Connection, account: &AccountId, list: Uuid, ids: &[Uuid]) -> Result<()> {
    sqlx::query!(
        "UPDATE record_phones SET replaced = true WHERE account_id = $1 AND record_list_id = $2 AND record_id = ANY($3)",
        account.as_str(),
        list,
        ids,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes the numbers of records that are marked as replaced.
pub async fn remove_replaced_phones(
    conn: &mut Connection,
    account: &AccountId,
    list: Uuid,
    ids: &[Uuid],
) -> Result<()> {
    sqlx::query!(
        r#"
        DELETE FROM record_phones
        WHERE account_id = $1 AND record_list_id = $2 AND record_id = ANY($3) AND replaced
        "#,
        account.as_str(),
        list,
        ids,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The live records that have one of the unique identifiers, by identifier.
pub async fn holders(
    conn: &mut Connection,
    account: &AccountId,
    list: Uuid,
    keys: &[String],
) -> Result<Vec<(String, Uuid)>> {
    let rows = sqlx::query!(
        r#"
        SELECT unique_key AS "unique_key!", id
        FROM records
        WHERE account_id = $1 AND record_list_id = $2 AND unique_key = ANY($3) AND deleted_at IS NULL
        "#,
        account.as_str(),
        list,
        keys,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.unique_key, row.id)).collect())
}
