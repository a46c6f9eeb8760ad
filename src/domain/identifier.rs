//! How a request names things, as sent.

use serde::{Deserialize, Serialize};

use super::deletion::{Key, Target};
use super::ids::{self, CampaignId, ContactId, ContactListId};
use super::phone::PhoneKey;
use super::record::ExternalReference;

/// What names one thing, or every thing that has it, as it was sent. Kept sealed: a
/// number is personal data, and what was sent for an id may be anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Identifier {
    /// The thing's own id.
    Id(String),
    /// A phone number.
    PhoneNumber(String),
    /// Its id in another system.
    External {
        /// The system.
        provider: String,
        /// The id there.
        id: String,
    },
}

impl Identifier {
    /// What it stands for among things of that kind. None when it is malformed.
    pub fn key(&self, target: &Target) -> Option<Key> {
        match self {
            Identifier::Id(id) => match target {
                Target::Contacts(_) => ContactId::parse(id).map(|id| Key::Id(id.into())),
                Target::ContactLists(_) => ContactListId::parse(id).map(|id| Key::Id(id.into())),
                Target::Campaigns(_) => CampaignId::parse(id).map(|id| Key::Id(id.into())),
                Target::RecordLists | Target::Records(_) => ids::parse_uuid(id).map(|id| Key::Id(id.into())),
            },
            Identifier::PhoneNumber(number) => PhoneKey::parse(number).map(Key::PhoneNumber),
            Identifier::External { provider, id } => {
                ExternalReference::parse(provider.clone(), id.clone()).map(Key::External)
            }
        }
    }

    /// The fields that name a thing in this way.
    pub fn fields(&self) -> &'static str {
        match self {
            Identifier::Id(_) => "id",
            Identifier::PhoneNumber(_) => "phone_number",
            Identifier::External { .. } => "external_provider and external_id",
        }
    }

    /// It, as it was sent, in one text.
    pub fn echo(&self) -> String {
        match self {
            Identifier::Id(text) | Identifier::PhoneNumber(text) => text.clone(),
            Identifier::External { provider, id } => format!("external_provider={provider}, external_id={id}"),
        }
    }
}
