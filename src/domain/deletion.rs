//! What a deletion asks, what it decides and what it answers. The decision is a
//! pure function: it sees what was asked and the locked rows, and nothing else.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use time::OffsetDateTime;
use uuid::Uuid;

use super::campaign::Attachments;
use super::identifier::Identifier;
use super::ids::{CampaignId, ContactId, ContactListId, StreamId};
use super::phone::PhoneKey;
use super::record::ExternalReference;
use super::version::IfMatch;

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

/// A row that an item matched, in the state in which it was locked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Which row.
    pub id: RowId,
    /// Whether it is in the trash.
    pub trashed: bool,
    /// How often it has changed.
    pub version: i64,
    /// Whether it, or a row below it, is held back from hard deletion.
    pub held: bool,
    /// Whether it is a campaign that is running.
    pub running: bool,
    /// The live campaigns that hold on to it.
    pub attachments: Attachments,
    /// Whether another transaction has it locked, so that its state is not known.
    pub busy: bool,
    /// The deletion by which it is in the trash.
    pub deletion_id: Option<Uuid>,
}

impl Found {
    /// A row as it was locked, with nothing known yet that stands in its way.
    pub fn locked(id: RowId, trashed: bool, version: i64, held: bool) -> Self {
        Self {
            id,
            trashed,
            version,
            held,
            running: false,
            attachments: Attachments::default(),
            busy: false,
            deletion_id: None,
        }
    }

    /// A row that another transaction has locked.
    pub fn busy(id: RowId) -> Self {
        Self { busy: true, ..Self::locked(id, false, 0, false) }
    }
}

/// What is to be done, before it is done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// One outcome for each item, in the order asked.
    pub outcomes: Vec<Outcome>,
    /// Live rows that go into the trash.
    pub trash: Vec<RowId>,
    /// Rows that are in the trash already and go for good, with their versions.
    /// Empty in a soft deletion.
    pub trashed_before: Vec<(RowId, i64)>,
}

impl Plan {
    /// How many rows go.
    pub fn rows(&self) -> usize {
        self.trash.len() + self.trashed_before.len()
    }

    /// The rows apart that `is_first`, and the others; both without outcomes.
    pub fn split(&self, is_first: impl Fn(&RowId) -> bool) -> (Plan, Plan) {
        let (first, rest) = self.trash.iter().cloned().partition(&is_first);
        let (first_before, rest_before) = self.trashed_before.iter().cloned().partition(|(id, _)| is_first(id));
        (
            Plan { outcomes: Vec::new(), trash: first, trashed_before: first_before },
            Plan { outcomes: Vec::new(), trash: rest, trashed_before: rest_before },
        )
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

/// Decides each item on its own, in the order asked, and then what the whole
/// request comes to. `matches` names the rows that a key stands for; a key that
/// it lacks stands for none. `found` has the rows by id.
pub fn decide(
    items: &[Option<Key>],
    matches: &HashMap<Key, Vec<RowId>>,
    found: &HashMap<RowId, Found>,
    options: &Options,
) -> Plan {
    let mut named = HashSet::new();
    let mut taken = HashSet::new();
    let outcomes: Vec<Outcome> = items
        .iter()
        .map(|item| {
            let Some(key) = item else { return Outcome::Failed(Reason::InvalidIdentifier.into()) };
            if !named.insert(key) {
                return Outcome::Failed(Reason::DuplicateInRequest.into());
            }
            let rows: Vec<&Found> = matches.get(key).into_iter().flatten().filter_map(|id| found.get(id)).collect();
            match decide_item(&rows, &taken, options) {
                Ok(rows) => {
                    taken.extend(rows.iter().cloned());
                    Outcome::Deleted(rows)
                }
                Err(Failure { reason: reason @ (Reason::NotFound | Reason::AlreadyDeleted), .. })
                    if options.allow_missing =>
                {
                    Outcome::Absent(reason)
                }
                Err(failure) => Outcome::Failed(failure),
            }
        })
        .collect();

    if options.atomicity == Atomicity::Atomic && outcomes.iter().any(|outcome| matches!(outcome, Outcome::Failed(_))) {
        let outcomes = outcomes
            .into_iter()
            .map(|outcome| match outcome {
                Outcome::Deleted(_) => Outcome::Failed(Reason::RolledBack.into()),
                other @ (Outcome::Absent(_) | Outcome::Failed(_)) => other,
            })
            .collect();
        return Plan { outcomes, ..Plan::default() };
    }

    let mut rows: Vec<&Found> = taken.iter().filter_map(|id| found.get(id)).collect();
    rows.sort_by(|a, b| a.id.cmp(&b.id));
    let (trashed, live): (Vec<&Found>, Vec<&Found>) = rows.into_iter().partition(|row| row.trashed);
    Plan {
        outcomes,
        trash: live.into_iter().map(|row| row.id.clone()).collect(),
        trashed_before: trashed.into_iter().map(|row| (row.id.clone(), row.version)).collect(),
    }
}

fn decide_item(rows: &[&Found], taken: &HashSet<RowId>, options: &Options) -> Result<Vec<RowId>, Failure> {
    let candidates: Vec<&Found> =
        rows.iter().copied().filter(|row| options.mode == Mode::Hard || row.busy || !row.trashed).collect();
    match (rows, candidates.as_slice()) {
        ([], _) => return Err(Reason::NotFound.into()),
        (_, []) => return Err(Reason::AlreadyDeleted.into()),
        (_, [_, _, ..]) if options.on_multiple == OnMultiple::Fail => return Err(Reason::Ambiguous.into()),
        _ => {}
    }
    let fresh: Vec<&Found> = candidates.into_iter().filter(|row| !taken.contains(&row.id)).collect();
    if fresh.is_empty() {
        return Err(Reason::DuplicateInRequest.into());
    }
    match fresh.iter().find_map(|row| obstacle(row, options)) {
        Some(failure) => Err(failure),
        None => Ok(fresh.into_iter().map(|row| row.id.clone()).collect()),
    }
}

fn obstacle(row: &Found, options: &Options) -> Option<Failure> {
    if row.busy {
        return Some(Reason::Busy.into());
    }
    if !options.if_match.allows(row.version) {
        return Some(Reason::VersionMismatch.into());
    }
    if row.running {
        return Some(Reason::Active.into());
    }
    if row.attachments.count > 0 {
        return Some(Failure { blockers: row.attachments.clone(), ..Reason::InUse.into() });
    }
    if options.mode == Mode::Hard && row.held {
        return Some(Reason::OnHold.into());
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row(id: &str) -> Found {
        Found::locked(RowId::stored(id.to_owned()), false, 1, false)
    }

    fn id_key(id: &str) -> Key {
        Key::Id(RowId::stored(id.to_owned()))
    }

    fn number(digits: &str) -> Key {
        Key::PhoneNumber(PhoneKey::parse(digits).expect("test numbers are well formed"))
    }

    fn plan(items: &[Option<Key>], matches: &[(Key, &[&str])], rows: &[Found], options: Options) -> Plan {
        let matches = matches
            .iter()
            .map(|(key, ids)| (key.clone(), ids.iter().map(|id| RowId::stored((*id).to_owned())).collect()))
            .collect();
        let found = rows.iter().map(|row| (row.id.clone(), row.clone())).collect();
        decide(items, &matches, &found, &options)
    }

    fn words(plan: &Plan) -> Vec<&'static str> {
        plan.outcomes
            .iter()
            .map(|outcome| match outcome {
                Outcome::Deleted(_) => "deleted",
                Outcome::Absent(_) => "absent",
                Outcome::Failed(failure) => failure.reason.code(),
            })
            .collect()
    }

    #[test]
    fn each_item_says_its_own_word_in_the_order_asked() {
        let rows = [row("a"), Found { trashed: true, ..row("b") }, Found { busy: true, ..row("c") }];
        let items =
            [Some(id_key("x")), Some(id_key("a")), None, Some(id_key("b")), Some(id_key("a")), Some(id_key("c"))];
        let matches = [(id_key("a"), &["a"][..]), (id_key("b"), &["b"]), (id_key("c"), &["c"])];
        let plan = plan(&items, &matches, &rows, Options::default());
        assert_eq!(
            words(&plan),
            ["NOT_FOUND", "deleted", "INVALID_IDENTIFIER", "ALREADY_DELETED", "DUPLICATE_IN_REQUEST", "BUSY"]
        );
        assert_eq!(plan.trash, [RowId::stored("a".to_owned())]);
    }

    #[test]
    fn a_hard_deletion_takes_trashed_rows_but_none_on_hold() {
        let rows = [row("a"), Found { trashed: true, version: 7, ..row("b") }, Found { held: true, ..row("c") }];
        let items = [Some(id_key("a")), Some(id_key("b")), Some(id_key("c"))];
        let matches = [(id_key("a"), &["a"][..]), (id_key("b"), &["b"]), (id_key("c"), &["c"])];
        let plan = plan(&items, &matches, &rows, Options { mode: Mode::Hard, ..Options::default() });
        assert_eq!(words(&plan), ["deleted", "deleted", "ON_HOLD"]);
        assert_eq!(plan.trash, [RowId::stored("a".to_owned())]);
        assert_eq!(plan.trashed_before, [(RowId::stored("b".to_owned()), 7)]);
    }

    #[test]
    fn what_is_missing_is_done_where_it_may_be() {
        let items = [Some(id_key("a")), Some(id_key("b")), Some(id_key("x")), None];
        let rows = [row("a"), Found { trashed: true, ..row("b") }];
        let matches = [(id_key("a"), &["a"][..]), (id_key("b"), &["b"]), (id_key("x"), &["x"])];
        let options = Options { allow_missing: true, ..Options::default() };
        let plan = plan(&items, &matches, &rows, options);
        assert_eq!(words(&plan), ["deleted", "absent", "absent", "INVALID_IDENTIFIER"]);
    }

    #[test]
    fn a_word_is_one_reasons_alone() {
        for reason in Reason::ALL {
            assert_eq!(Reason::parse(reason.code()), Some(reason));
        }
        assert_eq!(Reason::parse("DELETED"), None);
    }

    #[test]
    fn a_number_takes_all_its_records_or_none_when_it_must_be_one() {
        let rows = [row("a"), row("b")];
        let items = [Some(number("+4930111"))];
        let matches = [(number("+4930111"), &["a", "b"][..])];
        let all = plan(&items, &matches, &rows, Options::default());
        assert_eq!(all.outcomes, [Outcome::Deleted(vec![RowId::stored("a".into()), RowId::stored("b".into())])]);
        let one = plan(&items, &matches, &rows, Options { on_multiple: OnMultiple::Fail, ..Options::default() });
        assert_eq!(words(&one), ["AMBIGUOUS"]);
        assert!(one.trash.is_empty());
    }

    #[test]
    fn two_numbers_of_one_record_delete_it_once() {
        let items = [Some(number("+4930111")), Some(number("+4930222"))];
        let matches = [(number("+4930111"), &["a"][..]), (number("+4930222"), &["a"])];
        let plan = plan(&items, &matches, &[row("a")], Options::default());
        assert_eq!(words(&plan), ["deleted", "DUPLICATE_IN_REQUEST"]);
        assert_eq!(plan.trash.len(), 1);
    }

    prop_compose! {
        fn any_row(index: usize)(
            trashed: bool, held: bool, running: bool, busy: bool, attached in 0..2i64, version in 1..3i64,
        ) -> Found {
            Found {
                trashed, held, running, busy, version,
                attachments: Attachments { count: attached, ..Attachments::default() },
                ..row(&format!("row{index}"))
            }
        }
    }

    fn any_rows() -> impl Strategy<Value = Vec<Found>> {
        (0..6usize).prop_flat_map(|count| (0..count).map(any_row).collect::<Vec<_>>())
    }

    fn any_options() -> impl Strategy<Value = Options> {
        any::<[bool; 5]>().prop_map(|[hard, atomic, fail, first, allow_missing]| Options {
            mode: if hard { Mode::Hard } else { Mode::Soft },
            atomicity: if atomic { Atomicity::Atomic } else { Atomicity::EachAlone },
            on_multiple: if fail { OnMultiple::Fail } else { OnMultiple::All },
            allow_missing,
            if_match: if first { IfMatch::OneOf(vec![1]) } else { IfMatch::Any },
            ..Options::default()
        })
    }

    /// What must hold of every plan. Takes the plan so that a broken one can be shown to it.
    fn broken_rule(items: usize, rows: &[Found], options: &Options, plan: &Plan) -> Option<&'static str> {
        let deleted: Vec<&RowId> = plan
            .outcomes
            .iter()
            .flat_map(|outcome| match outcome {
                Outcome::Deleted(rows) => rows.as_slice(),
                Outcome::Absent(_) | Outcome::Failed(_) => &[],
            })
            .collect();
        let distinct: HashSet<&RowId> = deleted.iter().copied().collect();
        let planned: HashSet<&RowId> = plan.trash.iter().chain(plan.trashed_before.iter().map(|(id, _)| id)).collect();
        let all_deleted = !plan.outcomes.iter().any(|outcome| matches!(outcome, Outcome::Failed(_)));
        let state = |id: &RowId| rows.iter().find(|row| row.id == *id);
        match () {
            () if plan.outcomes.len() != items => Some("one outcome for each item"),
            () if distinct.len() != deleted.len() => Some("no row counts twice"),
            () if distinct != planned => Some("the rows said to be deleted are those that are"),
            () if options.atomicity == Atomicity::Atomic && !all_deleted && !planned.is_empty() => {
                Some("atomic is all or nothing")
            }
            () if options.mode == Mode::Soft && !plan.trashed_before.is_empty() => Some("soft leaves the trash alone"),
            () if plan.trash.iter().any(|id| {
                state(id).is_none_or(|row| row.trashed || row.busy || row.running || row.attachments.count > 0)
            }) =>
            {
                Some("only free live rows go into the trash")
            }
            () if planned.iter().any(|id| state(id).is_none_or(|row| !options.if_match.allows(row.version))) => {
                Some("only rows of the version asked go")
            }
            () if options.mode == Mode::Hard && planned.iter().any(|id| state(id).is_none_or(|row| row.held)) => {
                Some("held rows stay")
            }
            () => None,
        }
    }

    proptest! {
        #[test]
        fn every_plan_keeps_the_rules(
            rows in any_rows(),
            wanted in prop::collection::vec((any::<bool>(), 0..8usize, prop::collection::vec(0..6usize, 0..3)), 0..10),
            options in any_options(),
        ) {
            let items: Vec<Option<Key>> = wanted.iter().map(|(valid, name, _)| valid.then(|| number(&format!("49{name}")))).collect();
            let matches: HashMap<Key, Vec<RowId>> = wanted
                .iter()
                .map(|(_, name, ids)| {
                    let ids: HashSet<usize> = ids.iter().copied().collect();
                    (number(&format!("49{name}")), ids.into_iter().map(|id| RowId::stored(format!("row{id}"))).collect())
                })
                .collect();
            let found = rows.iter().map(|row| (row.id.clone(), row.clone())).collect();
            let plan = decide(&items, &matches, &found, &options);
            prop_assert_eq!(broken_rule(items.len(), &rows, &options, &plan), None);
        }
    }

    #[test]
    fn the_rules_catch_plans_that_break_them() {
        let rows = [row("a"), Found { held: true, trashed: true, ..row("b") }];
        let deleted = |id: &str| Outcome::Deleted(vec![RowId::stored(id.to_owned())]);
        let atomic = Options { atomicity: Atomicity::Atomic, ..Options::default() };
        let hard = Options { mode: Mode::Hard, ..Options::default() };
        let a = || vec![RowId::stored("a".to_owned())];
        let twice = Plan { outcomes: vec![deleted("a"), deleted("a")], trash: a(), ..Plan::default() };
        let silent = Plan { outcomes: vec![deleted("a")], trash: a(), ..Plan::default() };
        let half = Plan {
            outcomes: vec![deleted("a"), Outcome::Failed(Reason::NotFound.into())],
            trash: a(),
            ..Plan::default()
        };
        let lie = Plan { outcomes: vec![deleted("a"), deleted("b")], trash: a(), ..Plan::default() };
        let held = Plan {
            outcomes: vec![deleted("b")],
            trashed_before: vec![(RowId::stored("b".into()), 1)],
            ..Plan::default()
        };
        assert_eq!(broken_rule(2, &rows, &Options::default(), &twice), Some("no row counts twice"));
        assert_eq!(broken_rule(2, &rows, &Options::default(), &silent), Some("one outcome for each item"));
        assert_eq!(broken_rule(2, &rows, &atomic, &half), Some("atomic is all or nothing"));
        assert_eq!(
            broken_rule(2, &rows, &Options::default(), &lie),
            Some("the rows said to be deleted are those that are")
        );
        assert_eq!(broken_rule(1, &rows, &hard, &held), Some("held rows stay"));
        let second = Options { if_match: IfMatch::OneOf(vec![2]), ..Options::default() };
        let first = Plan { outcomes: vec![deleted("a")], trash: a(), ..Plan::default() };
        assert_eq!(broken_rule(1, &rows, &second, &first), Some("only rows of the version asked go"));
    }
}
