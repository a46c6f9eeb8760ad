//! What became of each thing asked, and the words for it.

use super::RowId;
use crate::domain::campaign::Attachments;

/// Why one thing was not deleted. One spelling in every family of paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// No such row for this caller; another tenant's row says exactly the same.
    NotFound,
    /// It is in the trash already. Soft deletions only.
    AlreadyDeleted,
    /// Not the form of an id, number or reference.
    InvalidIdentifier,
    /// Named before in this request; the first one counted.
    DuplicateInRequest,
    /// Attached to live campaigns.
    InUse,
    /// Held back from hard deletion.
    OnHold,
    /// Several rows match, and the caller asked for none then.
    Ambiguous,
    /// A campaign that is running.
    Active,
    /// It has changed since the caller looked.
    VersionMismatch,
    /// Fine in itself; the atomic request failed for another.
    RolledBack,
    /// Locked by another transaction beyond the time allowed.
    Busy,
    /// More rows than allowed would go.
    MaxAffected,
    /// The deletion ended before it came to this one.
    Unprocessed,
    /// Its number, name or reference belongs to another live row by now.
    KeyRetaken,
    /// The list that it is in is in the trash itself, or gone.
    ParentDeleted,
    /// It is live, or is in the trash by another deletion.
    AlreadyRestored,
    /// It is gone for good.
    AlreadyPurged,
}

impl Reason {
    /// The word that answers carry.
    pub fn code(self) -> &'static str {
        match self {
            Reason::NotFound => "NOT_FOUND",
            Reason::AlreadyDeleted => "ALREADY_DELETED",
            Reason::InvalidIdentifier => "INVALID_IDENTIFIER",
            Reason::DuplicateInRequest => "DUPLICATE_IN_REQUEST",
            Reason::InUse => "IN_USE",
            Reason::OnHold => "ON_HOLD",
            Reason::Ambiguous => "AMBIGUOUS",
            Reason::Active => "ACTIVE",
            Reason::VersionMismatch => "VERSION_MISMATCH",
            Reason::RolledBack => "ROLLED_BACK",
            Reason::Busy => "BUSY",
            Reason::MaxAffected => "MAX_AFFECTED",
            Reason::Unprocessed => "UNPROCESSED",
            Reason::KeyRetaken => "KEY_RETAKEN",
            Reason::ParentDeleted => "PARENT_DELETED",
            Reason::AlreadyRestored => "ALREADY_RESTORED",
            Reason::AlreadyPurged => "ALREADY_PURGED",
        }
    }

    /// The sentence that stands beside the word, for people.
    pub fn message(self) -> &'static str {
        match self {
            Reason::NotFound => "There is no such thing here.",
            Reason::AlreadyDeleted => "It was deleted before.",
            Reason::InvalidIdentifier => "This is not a well-formed identifier.",
            Reason::DuplicateInRequest => "It was named before in this request; the first one counted.",
            Reason::InUse => "It is attached to campaigns.",
            Reason::OnHold => "It is on hold and cannot be removed for good.",
            Reason::Ambiguous => "Several match, and the request asked to delete none then.",
            Reason::Active => "The campaign is running; stop it first.",
            Reason::VersionMismatch => "It has changed since: its ETag is another.",
            Reason::RolledBack => "Nothing is wrong with it; the request was atomic and failed for another.",
            Reason::Busy => "Another request is changing it; try again.",
            Reason::MaxAffected => "More would go than the request allows.",
            Reason::Unprocessed => "The deletion ended before it came to this one.",
            Reason::KeyRetaken => "What it was known by belongs to another by now.",
            Reason::ParentDeleted => "The list that it is in was deleted; restore that first.",
            Reason::AlreadyRestored => "It is not in the trash by this deletion any more.",
            Reason::AlreadyPurged => "It is gone for good.",
        }
    }

    /// Whether the same request can succeed later without anything else being done.
    pub fn is_retryable(self) -> bool {
        matches!(self, Reason::RolledBack | Reason::Busy | Reason::Unprocessed)
    }

    /// Every reason.
    pub const ALL: [Reason; 17] = [
        Reason::NotFound,
        Reason::AlreadyDeleted,
        Reason::InvalidIdentifier,
        Reason::DuplicateInRequest,
        Reason::InUse,
        Reason::OnHold,
        Reason::Ambiguous,
        Reason::Active,
        Reason::VersionMismatch,
        Reason::RolledBack,
        Reason::Busy,
        Reason::MaxAffected,
        Reason::Unprocessed,
        Reason::KeyRetaken,
        Reason::ParentDeleted,
        Reason::AlreadyRestored,
        Reason::AlreadyPurged,
    ];

    /// The reason of that word.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == code)
    }
}

/// What became of one thing asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// These rows were deleted: one, but for a number that several records have.
    Deleted(Vec<RowId>),
    /// It was not there, and need not have been.
    Absent(Reason),
    /// Nothing was done with it.
    Failed(Failure),
}

/// Why one thing was not deleted, and what stands in its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Why.
    pub reason: Reason,
    /// The campaigns that hold on to it. Empty unless the reason is `IN_USE`.
    pub blockers: Attachments,
    /// The live row that is in its way. None unless the reason is `KEY_RETAKEN`.
    pub conflicting: Option<RowId>,
}

impl From<Reason> for Failure {
    fn from(reason: Reason) -> Self {
        Self { reason, blockers: Attachments::default(), conflicting: None }
    }
}
