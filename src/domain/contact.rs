//! Contacts: the people an agent can call.

use serde_json::Value;
use time::OffsetDateTime;

use super::ids::{ContactId, StreamId};
use super::phone::{self, PhoneKey};

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

/// What an update changes; what it does not name stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContactChange {
    /// First name.
    pub first_name: Option<String>,
    /// Last name.
    pub last_name: Option<String>,
    /// How the person is addressed.
    pub salutation: Option<String>,
    /// The dialing prefix.
    pub extension: Option<String>,
    /// The number, and the country code that it comes with where that changes too.
    pub number: Option<(String, Option<String>)>,
    /// Postal addresses.
    pub address: Option<Value>,
    /// Twitter profiles.
    pub twitter_details: Option<Value>,
}

impl ContactChange {
    /// The contact as the change leaves it, and its number as it is compared.
    /// None when the number is none with that country code.
    pub fn apply(self, contact: Contact) -> Option<(Contact, PhoneKey)> {
        let (number, country_code) = match self.number {
            Some((number, code)) => (number, code.unwrap_or(contact.cell_phone.country_code)),
            None => (contact.cell_phone.phone_number, contact.cell_phone.country_code),
        };
        let phone_key = PhoneKey::parse_national(&country_code, &number)?;
        let cell_phone = CellPhone {
            extension: self.extension.unwrap_or(contact.cell_phone.extension),
            phone_number: phone::with_country_code(&country_code, &number)?,
            country_code,
        };
        let changed = Contact {
            first_name: self.first_name.unwrap_or(contact.first_name),
            last_name: self.last_name.unwrap_or(contact.last_name),
            salutation: self.salutation.unwrap_or(contact.salutation),
            address: self.address.unwrap_or(contact.address),
            twitter_details: self.twitter_details.unwrap_or(contact.twitter_details),
            cell_phone,
            ..contact
        };
        Some((changed, phone_key))
    }
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
