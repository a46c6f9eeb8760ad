//! Record lists: what a dialer works through.

use time::OffsetDateTime;
use uuid::Uuid;

/// The most records that a list can hold.
pub const MAX_RECORDS: i64 = 250_000;

/// How far from full a list is, in records, while many may fill it at once: from
/// there on they fill it one after another and count exactly.
pub const FILL_MARGIN: i64 = 25_000;

/// Where a list stands, in the vendor's words. Records may come and go in every status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListStatus {
    /// Being made.
    Incomplete,
    /// Its file is there.
    Uploaded,
    /// Its file is being looked at.
    ValidationStarted,
    /// It can be used.
    Accepted,
    /// None of its records is good.
    Rejected,
    /// Its file cannot be read.
    Corrupted,
}

impl ListStatus {
    const ALL: [ListStatus; 6] = [
        ListStatus::Incomplete,
        ListStatus::Uploaded,
        ListStatus::ValidationStarted,
        ListStatus::Accepted,
        ListStatus::Rejected,
        ListStatus::Corrupted,
    ];

    /// The status as it is stored and answered.
    pub fn name(self) -> &'static str {
        match self {
            ListStatus::Incomplete => "INCOMPLETE",
            ListStatus::Uploaded => "UPLOADED",
            ListStatus::ValidationStarted => "VALIDATION_STARTED",
            ListStatus::Accepted => "ACCEPTED",
            ListStatus::Rejected => "REJECTED",
            ListStatus::Corrupted => "CORRUPTED",
        }
    }

    /// The status of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// The names of all of them, for people.
    pub fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }
}

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
    /// Where it stands.
    pub status: ListStatus,
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

/// Which lists are asked for; None leaves out no list.
#[derive(Clone, Debug, Default)]
pub struct ListFilter {
    /// Those with exactly this name.
    pub name: Option<String>,
    /// Those in this status.
    pub status: Option<ListStatus>,
    /// Those created in this time.
    pub created: Period,
    /// Those last changed in this time.
    pub updated: Period,
}

/// A time from one moment to another, both of them included; None is open.
#[derive(Clone, Copy, Debug, Default)]
pub struct Period {
    /// Its first moment.
    pub from: Option<OffsetDateTime>,
    /// Its last moment.
    pub to: Option<OffsetDateTime>,
}

impl Period {
    /// Whether it leaves out any time.
    pub fn is_open(&self) -> bool {
        self.from.is_none() && self.to.is_none()
    }
}

/// A list that a campaign is attached to.
#[derive(Clone, Debug)]
pub struct AttachedList {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// When it last changed.
    pub updated_at: OffsetDateTime,
}
