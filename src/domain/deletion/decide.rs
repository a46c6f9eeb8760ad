//! The decision: a pure function, which sees what was asked and the locked rows, and nothing else.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::{Atomicity, Failure, Key, Mode, OnMultiple, Options, Outcome, Reason, RowId};
use crate::domain::campaign::Attachments;

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
    use crate::domain::phone::PhoneKey;
    use crate::domain::version::IfMatch;

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
