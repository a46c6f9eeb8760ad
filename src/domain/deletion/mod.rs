//! What a deletion asks, what it decides and what it answers.

use std::sync::Arc;

use time::OffsetDateTime;
use uuid::Uuid;

use super::identifier::Identifier;
use super::ids::{CampaignId, ContactId, ContactListId, StreamId};
use super::phone::PhoneKey;
use super::record::ExternalReference;
use super::version::IfMatch;

mod decide;
mod outcome;

pub use decide::{Found, Plan, decide};
pub use outcome::{Failure, Outcome, Reason};

/// What kinds of things can be deleted, each within what it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Contacts of a stream.
    Contacts(StreamId),
    /// Contact lists of a stream.
    ContactLists(StreamId),
    /// Campaigns of a stream.
    Campaigns(StreamId),
    /// Record lists of the account.
    RecordLists,
    /// Records of a record list.
    Records(Uuid),
}

impl Target {
    /// The kind's name, in the ledger and in messages.
    pub fn resource(&self) -> &'static str {
        match self {
            Target::Contacts(_) => "contact",
            Target::ContactLists(_) => "contact_list",
            Target::Campaigns(_) => "campaign",
            Target::RecordLists => "record_list",
            Target::Records(_) => "record",
        }
    }

    /// The id of the stream or record list; empty for what belongs to the account alone.
    pub fn within(&self) -> String {
        match self {
            Target::Contacts(stream) | Target::ContactLists(stream) | Target::Campaigns(stream) => stream.to_string(),
            Target::RecordLists => String::new(),
            Target::Records(list) => list.to_string(),
        }
    }
}

/// How one thing is named in a request. Two spellings of the same thing are equal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// By its own id.
    Id(RowId),
    /// By a phone number: every record that has it.
    PhoneNumber(PhoneKey),
    /// By its id in another system.
    External(ExternalReference),
}

/// The id of a row of any kind, as it is answered and written in the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RowId(Arc<str>);

impl RowId {
    /// The id of a row that was read from the database.
    pub fn stored(id: String) -> Self {
        Self(id.into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<ContactId> for RowId {
    fn from(id: ContactId) -> Self {
        Self(id.to_string().into())
    }
}

impl From<ContactListId> for RowId {
    fn from(id: ContactListId) -> Self {
        Self(id.to_string().into())
    }
}

impl From<CampaignId> for RowId {
    fn from(id: CampaignId) -> Self {
        Self(id.to_string().into())
    }
}

impl From<Uuid> for RowId {
    fn from(id: Uuid) -> Self {
        Self(id.to_string().into())
    }
}

/// Whether what is deleted can come back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Into the trash.
    #[default]
    Soft,
    /// Gone for good; takes live and trashed rows alike.
    Hard,
}

/// Whether one failure undoes the others' success.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Atomicity {
    /// What can be deleted is deleted.
    #[default]
    EachAlone,
    /// All or nothing.
    Atomic,
}

/// What to do with a number or reference that several records match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnMultiple {
    /// Delete them all.
    #[default]
    All,
    /// Delete none of them and say `AMBIGUOUS`.
    Fail,
}

/// How a deletion is to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Soft or hard.
    pub mode: Mode,
    /// Each alone, or all or nothing.
    pub atomicity: Atomicity,
    /// What several matches mean.
    pub on_multiple: OnMultiple,
    /// Whether what is not there, or is in the trash, counts as done.
    pub allow_missing: bool,
    /// The most rows that may go. With more, nothing is done.
    pub max_affected: Option<u64>,
    /// Whether it is only to be said what would be done.
    pub validate_only: bool,
    /// The version that each row must have.
    pub if_match: IfMatch,
}

/// A deletion as it is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// What is deleted, and within what.
    pub target: Target,
    /// One for each thing asked, as sent, in the order asked.
    pub items: Vec<Identifier>,
    /// How it is to be done.
    pub options: Options,
    /// What the caller says of it, kept with it.
    pub note: Option<String>,
    /// Whether what became of each thing is kept, to be looked up. The ledger has what went in any case.
    pub is_kept: bool,
}

impl Request {
    /// One for each thing asked. None where what was sent has not the form of an identifier.
    pub fn keys(&self) -> Vec<Option<Key>> {
        self.items.iter().map(|item| item.key(&self.target)).collect()
    }
}

/// What was done.
#[derive(Clone, Debug)]
pub struct Deletion {
    /// Its id, in the ledger and in the header `Deletion-Id`.
    pub id: Uuid,
    /// Whether it was only looked at what would be done.
    pub is_validated_only: bool,
    /// Whether what became of each thing can be looked up.
    pub is_kept: bool,
    /// Until when what it took is surely in the trash, where that is kept and ends.
    pub undo_until: Option<OffsetDateTime>,
    /// Whether it goes on in the background: what it takes is hidden already, and gone when it is over.
    pub is_queued: bool,
    /// When it was done.
    pub at: OffsetDateTime,
    /// One outcome for each item, in the order asked.
    pub outcomes: Vec<Outcome>,
}

impl Deletion {
    /// The soft deletion of one row, of which nothing more is kept than the ledger has.
    pub fn of_one(id: Uuid, at: OffsetDateTime, row: RowId) -> Self {
        Self {
            id,
            is_validated_only: false,
            is_kept: false,
            undo_until: None,
            is_queued: false,
            at,
            outcomes: vec![Outcome::Deleted(vec![row])],
        }
    }

    /// How many of the items were deleted, or were not there and need not have been.
    pub fn successful(&self) -> usize {
        self.outcomes.iter().filter(|outcome| !matches!(outcome, Outcome::Failed(_))).count()
    }

    /// How many rows went: more than items where a number matched several records.
    pub fn rows(&self) -> usize {
        self.outcomes
            .iter()
            .map(|outcome| match outcome {
                Outcome::Deleted(rows) => rows.len(),
                Outcome::Absent(_) | Outcome::Failed(_) => 0,
            })
            .sum()
    }
}
