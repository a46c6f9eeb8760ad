//! Contact lists: whom a campaign calls.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::campaign::Attachments;
use super::ids::{ContactListId, MemberId, StreamId};
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

impl ContactList {
    /// The list as it was before it was deleted, but for when it last changed before that.
    pub fn before_deletion(self) -> Self {
        Self { live: true, version: self.version - 1, ..self }
    }
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

/// What an update changes; what it does not name stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContactListChange {
    /// Its name.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Where its members come from.
    pub source: Option<String>,
    /// Whether a number may be in it more than once.
    pub allow_duplicates: Option<bool>,
    /// How some of a member's fields are called.
    pub mapping: BTreeMap<String, String>,
}

/// The most fields that a list's mapping has.
pub const MAX_MAPPING: usize = 100;

impl ContactListChange {
    /// The list as the change leaves it.
    pub fn apply(&self, list: ContactList) -> ContactList {
        let mut mapping = list.mapping;
        for (field, called) in &self.mapping {
            mapping[field] = Value::String(called.clone());
        }
        ContactList {
            name: self.name.clone().unwrap_or(list.name),
            description: self.description.clone().unwrap_or(list.description),
            source: self.source.clone().unwrap_or(list.source),
            allow_duplicates: self.allow_duplicates.unwrap_or(list.allow_duplicates),
            mapping,
            ..list
        }
    }
}

/// A person on a list, as stored.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its id.
    pub id: MemberId,
    /// The number as given.
    pub phone_number: String,
    /// What else was said of the person, as given.
    pub details: Map<String, Value>,
    /// When it was added.
    pub created_at: OffsetDateTime,
    /// When it last changed.
    pub updated_at: OffsetDateTime,
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
