//! Record lists: what a dialer works through.

use time::OffsetDateTime;
use uuid::Uuid;

/// The most records that a list can hold.
pub const MAX_RECORDS: i64 = 250_000;

/// What tells the records of a list apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UniqueIdentifierType {
    /// A record's first phone number.
    PhoneNumber,
    /// A record's external provider and id.
    External,
    /// Nothing: two records may be alike.
    Nothing,
}

impl UniqueIdentifierType {
    const ALL: [UniqueIdentifierType; 3] =
        [UniqueIdentifierType::PhoneNumber, UniqueIdentifierType::External, UniqueIdentifierType::Nothing];

    /// The type as it is stored and answered.
    pub fn name(self) -> &'static str {
        match self {
            UniqueIdentifierType::PhoneNumber => "PHONE_NUMBER",
            UniqueIdentifierType::External => "EXTERNAL",
            UniqueIdentifierType::Nothing => "NOTHING",
        }
    }

    /// The type of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A record list as it is stored.
#[derive(Clone, Debug)]
pub struct RecordList {
    /// Its id.
    pub id: Uuid,
    /// Its name, at most 120 characters.
    pub name: String,
    /// What tells its records apart.
    pub unique_identifier_type: UniqueIdentifierType,
    /// The vendor's state of the list.
    pub status: String,
    /// How many live records it has.
    pub records_count: i64,
    /// When it was created.
    pub created_at: OffsetDateTime,
    /// When it last changed.
    pub updated_at: OffsetDateTime,
    /// How often it has changed; its records do not count.
    pub version: i64,
}

/// A record list that is to be created.
#[derive(Clone, Debug)]
pub struct NewRecordList {
    /// Its name.
    pub name: String,
    /// What is to tell its records apart.
    pub unique_identifier_type: UniqueIdentifierType,
}
