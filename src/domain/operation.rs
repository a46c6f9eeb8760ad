//! A deletion, an undo or a restore as it is kept and looked up: what was asked,
//! how far it is, and what became of each thing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use super::campaign::{Attachments, Blocker};
use super::deletion::{Atomicity, Deletion, Failure, Mode, OnMultiple, Options, Outcome, Reason, Target};
use super::identity::Scope;
use super::ids::{self, StreamId};

/// The most things in one batch: one transaction, one chunk of outcomes.
pub const BATCH: usize = 1000;

/// What kinds of things are deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Resource {
    /// Contacts.
    Contact,
    /// Contact lists.
    ContactList,
    /// Campaigns.
    Campaign,
    /// Record lists.
    RecordList,
    /// Records.
    Record,
}

impl Resource {
    /// Every kind.
    pub const ALL: [Resource; 5] =
        [Resource::Contact, Resource::ContactList, Resource::Campaign, Resource::RecordList, Resource::Record];

    /// Its name, in answers and in the ledger.
    pub fn name(self) -> &'static str {
        match self {
            Resource::Contact => "contact",
            Resource::ContactList => "contact_list",
            Resource::Campaign => "campaign",
            Resource::RecordList => "record_list",
            Resource::Record => "record",
        }
    }

    /// The kind of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|resource| resource.name() == name)
    }

    /// The kind of a target's things.
    pub fn from_target(target: &Target) -> Self {
        match target {
            Target::Contacts(_) => Resource::Contact,
            Target::ContactLists(_) => Resource::ContactList,
            Target::Campaigns(_) => Resource::Campaign,
            Target::RecordLists => Resource::RecordList,
            Target::Records(_) => Resource::Record,
        }
    }

    /// The scope that its deletion takes.
    pub fn scope(self) -> Scope {
        match self {
            Resource::Contact => Scope::Configuration,
            Resource::ContactList | Resource::Campaign => Scope::CampaignManagement,
            Resource::RecordList | Resource::Record => Scope::RecordListsManage,
        }
    }

    /// Things of this kind, within a stream or a record list as [`Target::within`] spells it.
    pub fn within(self, within: &str) -> Option<Target> {
        match self {
            Resource::Contact => StreamId::parse(within).map(Target::Contacts),
            Resource::ContactList => StreamId::parse(within).map(Target::ContactLists),
            Resource::Campaign => StreamId::parse(within).map(Target::Campaigns),
            Resource::RecordList => within.is_empty().then_some(Target::RecordLists),
            Resource::Record => ids::parse_uuid(within).map(Target::Records),
        }
    }
}

/// What was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// To delete.
    Delete,
    /// To restore what a deletion took.
    Undo,
    /// To restore what was named.
    Restore,
    /// To remove what had its time in the trash; nobody asked but the account's retention.
    Purge,
}

impl Action {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Action::Delete => "delete",
            Action::Undo => "undo",
            Action::Restore => "restore",
            Action::Purge => "purge",
        }
    }

    /// The action of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Action::Delete, Action::Undo, Action::Restore, Action::Purge].into_iter().find(|action| action.name() == name)
    }

    /// What a thing says with which it was done.
    pub fn done(self) -> &'static str {
        match self {
            Action::Delete => DELETED,
            Action::Undo | Action::Restore => RESTORED,
            Action::Purge => PURGED,
        }
    }
}

/// What a thing says that was deleted.
pub const DELETED: &str = "DELETED";
/// What a thing says that was restored.
pub const RESTORED: &str = "RESTORED";
/// What a thing says that had its time in the trash and is gone for good.
pub const PURGED: &str = "PURGED";

/// How far an operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Its items are still being sent.
    Receiving,
    /// Nothing has been done yet.
    Queued,
    /// Some of it has been done.
    Running,
    /// Everything was done.
    Succeeded,
    /// It is over; some of it was done and some not.
    Partial,
    /// It is over, and nothing was done.
    Failed,
    /// It was stopped; what had been done until then stays done.
    Cancelled,
}

impl State {
    /// Every state.
    pub const ALL: [State; 7] = [
        State::Receiving,
        State::Queued,
        State::Running,
        State::Succeeded,
        State::Partial,
        State::Failed,
        State::Cancelled,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            State::Receiving => "receiving",
            State::Queued => "queued",
            State::Running => "running",
            State::Succeeded => "succeeded",
            State::Partial => "partial",
            State::Failed => "failed",
            State::Cancelled => "cancelled",
        }
    }

    /// The state of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether nothing more will happen.
    pub fn is_over(self) -> bool {
        !matches!(self, State::Receiving | State::Queued | State::Running)
    }
}

/// What an operation has come to so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// How many things were done.
    pub succeeded: i64,
    /// How many failed.
    pub failed: i64,
    /// How many rows changed: more than things where a number matched several records.
    pub rows: i64,
    /// How often each word was said.
    pub reasons: BTreeMap<String, i64>,
}

impl Totals {
    /// With what a batch came to.
    pub fn add(&mut self, told: &[Told]) {
        for one in told {
            match one.is_done {
                true => self.succeeded += 1,
                false => self.failed += 1,
            }
            self.rows += i64::try_from(one.rows.len()).unwrap_or(i64::MAX);
            self.count(&one.word, 1);
        }
    }

    /// With things that were done, each with one row.
    pub fn add_done(&mut self, word: &str, things: i64) {
        self.succeeded += things;
        self.rows += things;
        self.count(word, things);
    }

    fn count(&mut self, word: &str, things: i64) {
        match self.reasons.get_mut(word) {
            Some(count) => *count += things,
            None if things > 0 => {
                self.reasons.insert(word.to_owned(), things);
            }
            None => {}
        }
    }

    /// The state of an operation that ends with these, before its end.
    pub fn end_early(&self) -> State {
        if self.succeeded > 0 { State::Partial } else { State::Failed }
    }

    /// The state of an operation that ends with these.
    pub fn end(&self) -> State {
        match (self.succeeded, self.failed) {
            (_, 0) => State::Succeeded,
            (0, _) => State::Failed,
            _ => State::Partial,
        }
    }
}

/// A deletion, an undo or a restore.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Its id: that of its entries in the ledger.
    pub id: Uuid,
    /// What was asked.
    pub action: Action,
    /// Of what, and within what.
    pub target: Target,
    /// How it is to be done.
    pub options: Options,
    /// What the caller said of it.
    pub note: Option<String>,
    /// The deletion that it undoes.
    pub undoes: Option<Uuid>,
    /// How far it is.
    pub state: State,
    /// Whether it is to stop at the next batch.
    pub cancel_asked: bool,
    /// How many things were asked for. None while nobody knows.
    pub requested: Option<i64>,
    /// What it has come to so far.
    pub totals: Totals,
    /// Why it ended before its end.
    pub failure: Option<String>,
    /// Who asked: a user.
    pub created_by: String,
    /// When it was asked for.
    pub created_at: OffsetDateTime,
    /// When the first of it was done.
    pub started_at: Option<OffsetDateTime>,
    /// When the last of it was done.
    pub finished_at: Option<OffsetDateTime>,
    /// Until when what it took is surely in the trash. None where nothing is ever purged.
    pub undo_until: Option<OffsetDateTime>,
}

impl Operation {
    /// An operation that was asked for at `at`, by a user, and of which nothing has been done.
    pub fn new(id: Uuid, action: Action, target: Target, by: &str, at: OffsetDateTime) -> Self {
        Self {
            id,
            action,
            target,
            options: Options::default(),
            note: None,
            undoes: None,
            state: State::Queued,
            cancel_asked: false,
            requested: None,
            totals: Totals::default(),
            failure: None,
            created_by: by.to_owned(),
            created_at: at,
            started_at: None,
            finished_at: None,
            undo_until: None,
        }
    }

    /// A deletion that has just been done as a whole.
    pub fn done(target: &Target, options: &Options, note: Option<String>, by: &str, deletion: &Deletion) -> Self {
        let told: Vec<Told> = deletion.outcomes.iter().map(Told::of).collect();
        let mut operation = Self {
            options: options.clone(),
            note,
            undo_until: deletion.undo_until,
            ..Self::new(deletion.id, Action::Delete, target.clone(), by, deletion.at)
        };
        operation.end_at_once(&told);
        operation.requested = Some(operation.totals.succeeded + operation.totals.failed);
        operation
    }

    /// Ends an operation that was done as a whole when it was asked for.
    pub fn end_at_once(&mut self, told: &[Told]) {
        self.totals.add(told);
        self.state = self.totals.end();
        self.started_at = Some(self.created_at);
        self.finished_at = Some(self.created_at);
    }

    /// The options as they are read from what was kept of them.
    pub fn options(mode: &str, atomic: bool, on_multiple: &str, allow_missing: bool, max: Option<i64>) -> Options {
        Options {
            mode: if mode == "hard" { Mode::Hard } else { Mode::Soft },
            atomicity: if atomic { Atomicity::Atomic } else { Atomicity::EachAlone },
            on_multiple: if on_multiple == "fail" { OnMultiple::Fail } else { OnMultiple::All },
            allow_missing,
            max_affected: max.and_then(|max| u64::try_from(max).ok()),
            ..Options::default()
        }
    }
}

/// What became of one thing, as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// A word: [`DELETED`], [`RESTORED`], or why not.
    pub word: String,
    /// Whether it counts as done.
    pub is_done: bool,
    /// The rows that changed.
    pub rows: Vec<String>,
    /// What else there is to say.
    pub details: Option<Details>,
}

/// What else there is to say of one thing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Details {
    /// The campaigns that hold on to it, at most 50 of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blockers: Vec<Value>,
    /// The live row that is in its way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conflicting_id: Option<String>,
    /// Lists that a restored campaign was attached to and that are not there any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing_lists: Vec<String>,
}

impl Told {
    /// It was done with these rows.
    pub fn done(word: &str, rows: Vec<String>) -> Self {
        Self { word: word.to_owned(), is_done: true, rows, details: None }
    }

    /// It failed.
    pub fn failed(failure: &Failure) -> Self {
        let details = Details {
            blockers: blockers(&failure.blockers),
            conflicting_id: failure.conflicting.as_ref().map(|id| id.as_str().to_owned()),
            ..Details::default()
        };
        Self {
            word: failure.reason.code().to_owned(),
            is_done: false,
            rows: Vec::new(),
            details: Some(details).filter(|details| *details != Details::default()),
        }
    }

    /// What became of a thing that was to be deleted.
    pub fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Deleted(rows) => Self::done(DELETED, rows.iter().map(|id| id.as_str().to_owned()).collect()),
            Outcome::Absent(reason) => Self::done(reason.code(), Vec::new()),
            Outcome::Failed(failure) => Self::failed(failure),
        }
    }

    /// The reason, where it is not done.
    pub fn reason(&self) -> Option<Reason> {
        Reason::parse(&self.word)
    }
}

fn blockers(attachments: &Attachments) -> Vec<Value> {
    let one =
        |blocker: &Blocker| json!({"id": blocker.id.as_str(), "name": blocker.name, "status": blocker.status.name()});
    attachments.campaigns.iter().map(one).collect()
}
