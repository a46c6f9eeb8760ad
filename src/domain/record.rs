//! Records: the people in a record list.

use serde_json::{Map, Value};
use time::OffsetDateTime;
use uuid::Uuid;

use super::phone::PhoneKey;
use super::record_list::{Period, UniqueIdentifierType};

/// A record as it is stored.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its id.
    pub id: Uuid,
    /// Its list.
    pub record_list_id: Uuid,
    /// What it says of the person.
    pub person: Person,
    /// When it was created.
    pub created_at: OffsetDateTime,
    /// When it last changed.
    pub updated_at: OffsetDateTime,
    /// How often it has changed.
    pub version: i64,
}

/// What a record says of a person.
#[derive(Clone, Debug, PartialEq)]
pub struct Person {
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// At least one number, in order of preference.
    pub phone_numbers: Vec<RecordPhone>,
    /// A zone of the tz database.
    pub timezone: Option<String>,
    /// 1 to 10.
    pub priority: Option<i16>,
    /// The person in another system.
    pub external: Option<ExternalReference>,
    /// Where the other system shows the person.
    pub external_url: Option<String>,
    /// Whether the other system is to be told of results.
    pub sync_external_id: bool,
    /// Anything else, as given.
    pub extra_data: Map<String, Value>,
}

impl Person {
    /// What no other live record of a list of that type may share.
    pub fn unique_key(&self, by: UniqueIdentifierType) -> Option<String> {
        match by {
            UniqueIdentifierType::PhoneNumber => self.phone_numbers.first().map(|phone| phone.key.as_str().to_owned()),
            // A unit separator can be in neither part: control characters are refused.
            UniqueIdentifierType::External => {
                self.external.as_ref().map(|external| format!("{}\u{1f}{}", external.provider, external.id))
            }
            UniqueIdentifierType::Nothing => None,
        }
    }
}

/// One of a record's numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordPhone {
    /// The number as given.
    pub phone_number: String,
    /// What kind of number it is.
    pub phone_type: Option<String>,
    /// The number as it is compared.
    pub key: PhoneKey,
}

/// A person's id in another system.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ExternalReference {
    /// The system.
    pub provider: String,
    /// The id there.
    pub id: String,
}

impl ExternalReference {
    /// The reference, when both parts have 1 to 255 characters, not white space
    /// alone, and none of them is a control character.
    pub fn parse(provider: String, id: String) -> Option<Self> {
        let is_well_formed =
            |part: &str| !part.trim().is_empty() && part.chars().count() <= 255 && !part.chars().any(char::is_control);
        (is_well_formed(&provider) && is_well_formed(&id)).then_some(Self { provider, id })
    }
}

/// What is wrong with a record that is to be created or changed. The vendor's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordError {
    /// The number is not well formed.
    PhoneNumberInvalid,
    /// There is no number.
    PhoneNumberMissing,
    /// Another record of the list has the number.
    PhoneNumberNotUnique,
    /// The first name is too long or has control characters.
    FirstNameInvalid,
    /// There is no first name.
    FirstNameMissing,
    /// The last name is too long or has control characters.
    LastNameInvalid,
    /// There is no last name.
    LastNameMissing,
    /// No such zone in the tz database.
    TimezoneInvalid,
    /// No zone is given, and none can be told from a number.
    TimezoneUnmatched,
    /// Not a whole number from 1 to 10.
    PriorityInvalid,
    /// A list of external references needs one for each record.
    ExternalRefMissing,
    /// A field has the wrong type or an impossible value.
    Other,
}

impl RecordError {
    /// The vendor's code.
    pub fn code(self) -> &'static str {
        match self {
            RecordError::PhoneNumberInvalid => "PHONE_NUMBER_INVALID",
            RecordError::PhoneNumberMissing => "PHONE_NUMBER_MISSING",
            RecordError::PhoneNumberNotUnique => "PHONE_NUMBER_NOT_UNIQUE",
            RecordError::FirstNameInvalid => "FIRST_NAME_INVALID",
            RecordError::FirstNameMissing => "FIRST_NAME_MISSING",
            RecordError::LastNameInvalid => "LAST_NAME_INVALID",
            RecordError::LastNameMissing => "LAST_NAME_MISSING",
            RecordError::TimezoneInvalid => "TIMEZONE_INVALID",
            RecordError::TimezoneUnmatched => "TIMEZONE_UNMATCHED",
            RecordError::PriorityInvalid => "PRIORITY_INVALID",
            RecordError::ExternalRefMissing => "EXTERNAL_REF_MISSING",
            RecordError::Other => "OTHER",
        }
    }
}

/// One thing that is wrong with a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordProblem {
    /// What.
    pub error: RecordError,
    /// The field that is wrong, such as `phone_numbers[1].phone_number`.
    pub field: String,
    /// What is wrong with it, for people.
    pub message: String,
}

impl RecordProblem {
    /// A problem with a field.
    pub fn new(error: RecordError, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { error, field: field.into(), message: message.into() }
    }
}

/// What became of one record of a bulk create.
#[derive(Clone, Debug)]
pub enum CreatedRecord {
    /// It was created.
    Record(Box<Record>),
    /// A live record of the list, or an earlier one of the same call, has its unique identifier.
    KeyTaken {
        /// The record that has it. None where it vanished in the meantime.
        by: Option<Uuid>,
    },
}

/// Which records of a list are asked for; what is None or empty leaves out no record.
#[derive(Clone, Debug, Default)]
pub struct RecordFilter {
    /// Those that have this number.
    pub phone_key: Option<PhoneKey>,
    /// Those of one of these priorities.
    pub priorities: Vec<i16>,
    /// Those of one of these zones.
    pub timezones: Vec<String>,
    /// Those last changed in this time.
    pub updated: Period,
}

impl RecordFilter {
    /// Whether it leaves out no record.
    pub fn is_open(&self) -> bool {
        self.phone_key.is_none() && self.priorities.is_empty() && self.timezones.is_empty() && self.updated.is_open()
    }
}

/// What became of one change of a bulk update.
#[derive(Clone, Debug)]
pub enum ChangedRecord<P> {
    /// The record as the change left it, and the changes before it in the same call.
    Record(Box<Record>),
    /// There is no such live record in the list.
    NotFound,
    /// What is wrong with the change.
    Refused(P),
    /// A live record of the list has the unique identifier that the change would give.
    KeyTaken {
        /// The record that has it. None where it vanished in the meantime.
        by: Option<Uuid>,
    },
}
