//! Contacts: the people an agent can call.

use serde_json::Value;
use time::OffsetDateTime;

use super::ids::{ContactId, StreamId};
use super::phone::PhoneKey;

/// A contact as it is stored, live or in the trash.
#[derive(Clone, Debug)]
pub struct Contact {
    /// Its id.
    pub id: ContactId,
    /// The stream it belongs to.
    pub stream_id: StreamId,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// How the person is addressed, such as `mr`; may be empty.
    pub salutation: String,
    /// The number it can be reached at.
    pub cell_phone: CellPhone,
    /// Postal addresses, as given.
    pub address: Value,
    /// Twitter profiles, as given.
    pub twitter_details: Value,
    /// The user who created it.
    pub created_by: String,
    /// The agent that created it.
    pub created_by_aid: String,
    /// The user who last changed it by an update.
    pub updated_by: Option<String>,
    /// The agent that last changed it by an update.
    pub updated_by_aid: Option<String>,
    /// When it was created.
    pub created_at: OffsetDateTime,
    /// When it last changed, its deletion included.
    pub updated_at: OffsetDateTime,
    /// How often it has changed.
    pub version: i64,
    /// Whether it is live or in the trash.
    pub status: ContactStatus,
}

impl Contact {
    /// First and last name.
    pub fn full_name(&self) -> String {
        format!("{} {}", self.first_name, self.last_name).trim().to_owned()
    }

    /// The contact as its deletion at `at` leaves it.
    pub fn deleted(self, at: OffsetDateTime) -> Self {
        Self { status: ContactStatus::Inactive, updated_at: at, ..self }
    }
}

/// A contact's number.
#[derive(Clone, Debug)]
pub struct CellPhone {
    /// The dialing prefix, as given.
    pub extension: String,
    /// `+`, country code and digits.
    pub phone_number: String,
    /// The country code, as given.
    pub country_code: String,
}

/// Whether a contact is live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContactStatus {
    /// Live.
    Active,
    /// In the trash.
    Inactive,
}

/// A contact that is to be created; its parts have been checked.
#[derive(Clone, Debug)]
pub struct NewContact {
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// How the person is addressed.
    pub salutation: String,
    /// The number.
    pub cell_phone: CellPhone,
    /// The number as it is compared.
    pub phone_key: PhoneKey,
    /// Postal addresses.
    pub address: Value,
    /// Twitter profiles.
    pub twitter_details: Value,
}

/// What became of one contact of a create call.
#[derive(Clone, Debug)]
pub enum Created {
    /// It was created.
    Contact(Box<Contact>),
    /// Its number belongs to a live contact, or to an earlier one of the same call.
    NumberTaken {
        /// The contact that has the number. None where it vanished in the meantime.
        by: Option<ContactId>,
    },
}

/// Which contacts a list call asks for.
#[derive(Clone, Debug, Default)]
pub struct ContactFilter {
    /// Only those with this number.
    pub phone_key: Option<PhoneKey>,
    /// Only those created before.
    pub created_before: Option<OffsetDateTime>,
    /// Only those created at or after.
    pub created_after: Option<OffsetDateTime>,
    /// Only those changed before.
    pub updated_before: Option<OffsetDateTime>,
    /// Only those changed at or after.
    pub updated_after: Option<OffsetDateTime>,
    /// Those in the trash in place of the live ones.
    pub trashed: bool,
}
