//! Records and their phone numbers. A record is visible when it and its list are live.

use serde::Deserialize;
use serde_json::{Map, Value};
use sqlx::types::Json;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::phone::PhoneKey;
use crate::domain::record::{ExternalReference, Person, Record, RecordPhone};

mod delete;
mod read;
mod whole;
mod write;

pub use delete::{existing, lock, remove, remove_phones, trash, with_numbers, with_references};
pub use read::{count_filtered, find, find_all, list, list_filtered};
pub use whole::{
    count_each, count_up_to, lists_with_held, lock_some_of, remove_of, remove_phones_of, timezones, trash_of,
};
pub use write::{free_keys, holders, insert, insert_phones, mark_phones_replaced, remove_replaced_phones, update};

#[derive(Deserialize)]
struct PhoneRow {
    phone_number: String,
    phone_type: Option<String>,
    key: String,
}

struct RecordRow {
    id: Uuid,
    record_list_id: Uuid,
    first_name: String,
    last_name: String,
    timezone: Option<String>,
    priority: Option<i16>,
    external_provider: Option<String>,
    external_id: Option<String>,
    external_url: Option<String>,
    sync_external_id: bool,
    extra_data: Value,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
    version: i64,
    phones: Json<Vec<PhoneRow>>,
}

impl From<RecordRow> for Record {
    fn from(row: RecordRow) -> Self {
        let phone_numbers = row
            .phones
            .0
            .into_iter()
            .map(|phone| RecordPhone {
                phone_number: phone.phone_number,
                phone_type: phone.phone_type,
                key: PhoneKey::stored(phone.key),
            })
            .collect();
        Record {
            id: row.id,
            record_list_id: row.record_list_id,
            person: Person {
                first_name: row.first_name,
                last_name: row.last_name,
                phone_numbers,
                timezone: row.timezone,
                priority: row.priority,
                external: row
                    .external_provider
                    .zip(row.external_id)
                    .map(|(provider, id)| ExternalReference { provider, id }),
                external_url: row.external_url,
                sync_external_id: row.sync_external_id,
                extra_data: match row.extra_data {
                    Value::Object(extra) => extra,
                    _ => Map::new(),
                },
            },
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
        }
    }
}
