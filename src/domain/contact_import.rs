//! Imports of contacts from a file.

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// The most rows that are written at once.
pub const BATCH: usize = 1000;

/// An import that has not written a batch for so long has died: a row must come
/// within a minute, and what has come is written within seconds.
const STALE: Duration = Duration::minutes(5);

/// An import, and how far it is.
#[derive(Clone, Debug)]
pub struct ContactImport {
    /// Its id.
    pub id: Uuid,
    /// Rows that have become contacts.
    pub created: i64,
    /// Rows that have not.
    pub failed: i64,
    /// How it ended, if it has.
    pub ended: Option<ImportEnd>,
    /// When it began.
    pub created_at: OffsetDateTime,
    /// When it last wrote a batch.
    pub updated_at: OffsetDateTime,
}

/// How an import ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportEnd {
    /// All rows have been read.
    Completed,
    /// The file broke off; the rows before that are imported.
    Interrupted,
}

impl ImportEnd {
    /// The end as it is stored.
    pub fn name(self) -> &'static str {
        match self {
            ImportEnd::Completed => "COMPLETED",
            ImportEnd::Interrupted => "INTERRUPTED",
        }
    }

    /// The end of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [ImportEnd::Completed, ImportEnd::Interrupted].into_iter().find(|end| end.name() == name)
    }
}

/// Where an import stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportState {
    /// Rows are being read.
    Running,
    /// It has ended.
    Ended(ImportEnd),
}

impl ContactImport {
    /// Where it stands at `now`.
    pub fn state(&self, now: OffsetDateTime) -> ImportState {
        match self.ended {
            Some(end) => ImportState::Ended(end),
            None if now - self.updated_at > STALE => ImportState::Ended(ImportEnd::Interrupted),
            None => ImportState::Running,
        }
    }
}

/// What became of one row of a file.
#[derive(Clone, Debug)]
pub struct ImportedRow {
    /// The row's number, from 1; the line of names does not count.
    pub row: i64,
    /// The contact, or why there is none.
    pub outcome: Result<String, RowProblem>,
}

/// Why a row has not become a contact.
#[derive(Clone, Debug)]
pub struct RowProblem {
    /// The reason's word.
    pub reason: String,
    /// The sentence for people. Names columns and ids, never what stands in the row.
    pub message: String,
    /// The contact that is in the way.
    pub conflicting_id: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_that_writes_nothing_for_long_has_died() {
        let at = OffsetDateTime::UNIX_EPOCH;
        let import =
            ContactImport { id: Uuid::nil(), created: 0, failed: 0, ended: None, created_at: at, updated_at: at };
        assert_eq!(import.state(at + STALE), ImportState::Running);
        let died = ImportState::Ended(ImportEnd::Interrupted);
        assert_eq!(import.state(at + STALE + Duration::seconds(1)), died);
        let done = ContactImport { ended: Some(ImportEnd::Completed), ..import };
        assert_eq!(done.state(at + Duration::days(1)), ImportState::Ended(ImportEnd::Completed));
    }
}
