//! What is in the trash, and how long it stays there.

use time::OffsetDateTime;
use uuid::Uuid;

use super::operation::Resource;

/// What is looked for: everything that is said must be true of a thing.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// Things of these kinds.
    pub resources: Vec<Resource>,
    /// A number that they had, as it is compared.
    pub phone_key: Option<String>,
    /// The other system that knew them.
    pub external_provider: Option<String>,
    /// Their id there.
    pub external_id: Option<String>,
    /// Their name, in whatever case: of people, first and last name with a space between.
    pub name: Option<String>,
    /// The deletion that took them.
    pub deletion_id: Option<Uuid>,
    /// Deleted from then on.
    pub deleted_after: Option<OffsetDateTime>,
    /// Deleted until then.
    pub deleted_before: Option<OffsetDateTime>,
}

impl Search {
    /// The same, of what was deleted between these times.
    pub fn between(self, first: OffsetDateTime, last: OffsetDateTime) -> Self {
        let deleted_after = self.deleted_after.map_or(first, |after| after.max(first));
        let deleted_before = self.deleted_before.map_or(last, |before| before.min(last));
        Self { deleted_after: Some(deleted_after), deleted_before: Some(deleted_before), ..self }
    }
}

/// A thing in the trash.
#[derive(Clone, Debug)]
pub struct Trashed {
    /// What it is.
    pub resource: Resource,
    /// What it belongs to: a stream or a record list; empty for record lists.
    pub within: String,
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The first number that it had.
    pub phone_number: Option<String>,
    /// The other system that knew it.
    pub external_provider: Option<String>,
    /// Its id there.
    pub external_id: Option<String>,
    /// When it was deleted.
    pub deleted_at: OffsetDateTime,
    /// By which user.
    pub deleted_by: String,
    /// The deletion that took it.
    pub deletion_id: Uuid,
    /// When it will be gone for good, at the earliest. None where nothing says so.
    pub purge_at: Option<OffsetDateTime>,
    /// Whether it is on hold.
    pub held: bool,
}

/// How long one kind of things is kept in the trash.
#[derive(Clone, Debug)]
pub struct Retention {
    /// What kind.
    pub resource: Resource,
    /// For how many days. None for ever.
    pub days: Option<i32>,
    /// Until when what was in the trash before has been promised to stay.
    pub promised_until: Option<OffsetDateTime>,
    /// The user who set it.
    pub set_by: String,
    /// The client who set it.
    pub set_by_client: String,
}
