//! Contact lists: whom a campaign calls.

use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::campaign::Attachments;
use super::ids::{ContactListId, StreamId};
use super::phone::PhoneKey;

/// A contact list as it is stored, with what is counted and looked up for an answer.
#[derive(Clone, Debug)]
pub struct ContactList {
    /// Its id.
    pub id: ContactListId,
    /// The stream it belongs to.
    pub stream_id: StreamId,
    /// Whether it is live, rather than in the trash.
    pub live: bool,
    /// Its name, at most 48 characters.
    pub name: String,
    /// What it is for, at most 256 characters.
    pub description: String,
    /// Where its members come from.
    pub source: String,
    /// Whether a number may be in it more than once.
    pub allow_duplicates: bool,
    /// `call` or `sms`.
    pub list_type: String,
    /// The vendor's state of the list; `Ready` throughout.
    pub status: String,
    /// How a member's fields are called.
    pub mapping: Value,
    /// Files it was filled from, as given.
    pub files: Value,
    /// The user who created it.
    pub created_by: String,
    /// The user who last changed it.
    pub updated_by: String,
    /// When it was created.
    pub created_at: OffsetDateTime,
    /// When it last changed.
    pub updated_at: OffsetDateTime,
    /// How often it has changed; its members and campaigns do not count.
    pub version: i64,
    /// How many members it has.
    pub total_record_count: i64,
    /// The live campaigns that name it.
    pub attachments: Attachments,
}

/// The name that is unique among the live lists of a stream.
pub fn list_name_key(name: &str) -> String {
    name.to_lowercase()
}

/// A contact list that is to be created.
#[derive(Clone, Debug)]
pub struct NewContactList {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Where its members come from.
    pub source: String,
    /// Whether a number may be in it more than once.
    pub allow_duplicates: bool,
    /// How a member's fields are called.
    pub mapping: Value,
}

/// A person who is to become a member of a list.
#[derive(Clone, Debug)]
pub struct NewMember {
    /// The number as given.
    pub phone_number: String,
    /// The number as it is compared.
    pub phone_key: PhoneKey,
    /// What else was said of the person.
    pub details: Map<String, Value>,
}

/// The default mapping: each of the five fields under its own name.
pub fn identity_mapping() -> Value {
    serde_json::json!({
        "firstName": "firstName",
        "lastName": "lastName",
        "phoneNumber": "phoneNumber",
        "timeZone": "timeZone",
        "uniqueId": "uniqueId",
    })
}
