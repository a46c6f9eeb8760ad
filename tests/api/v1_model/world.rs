//! What deletions mean, in memory and without a database: every outcome, every row and every entry of the ledger.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

pub const DAY: i64 = 86_400;

/// How long what was asked is kept beside the ledger.
const KEPT_FOR: i64 = 30 * DAY;

/// Kinds of rows; those that are purged, in the order in which they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Campaign,
    Contact,
    ContactList,
    Record,
    RecordList,
    Member,
}

impl Kind {
    pub const DELETABLE: [Kind; 5] = [Kind::Campaign, Kind::Contact, Kind::ContactList, Kind::Record, Kind::RecordList];

    pub fn name(self) -> &'static str {
        match self {
            Kind::Campaign => "campaign",
            Kind::Contact => "contact",
            Kind::ContactList => "contact_list",
            Kind::Record => "record",
            Kind::RecordList => "record_list",
            Kind::Member => "contact_list_member",
        }
    }

    /// What goes for good with a row of this kind.
    fn children(self) -> Option<Kind> {
        match self {
            Kind::ContactList => Some(Kind::Member),
            Kind::RecordList => Some(Kind::Record),
            Kind::Campaign | Kind::Contact | Kind::Record | Kind::Member => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    Live,
    Trashed { deletion: String, at: i64, purge_at: Option<i64> },
    Gone,
}

#[derive(Clone, Debug)]
pub struct Row {
    pub kind: Kind,
    pub id: String,
    /// The stream or list that it belongs to; empty for record lists.
    pub within: String,
    pub state: State,
    pub version: i64,
    pub created: i64,
    /// Its place among all that were made.
    pub order: usize,
    /// What no other live row within the same has.
    pub key: Option<String>,
    /// Its number, in digits.
    pub number: Option<String>,
    /// Its id in the other system.
    pub external: Option<String>,
    pub priority: Option<i64>,
    pub name: String,
    pub held: bool,
}

impl Row {
    pub fn new(kind: Kind, id: &str, within: &str, created: i64) -> Self {
        Self {
            kind,
            id: id.to_owned(),
            within: within.to_owned(),
            state: State::Live,
            version: 1,
            created,
            order: 0,
            key: None,
            number: None,
            external: None,
            priority: None,
            name: String::new(),
            held: false,
        }
    }
}

/// How a request names a thing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Item {
    Id(String),
    /// By the digits of a number.
    Number(String),
    External(String),
    Malformed,
}

impl Item {
    pub fn json(&self) -> Value {
        match self {
            Item::Id(id) => json!({ "id": id }),
            Item::Number(digits) => json!({"phone_number": format!("+{digits}")}),
            Item::External(id) => json!({"external_provider": "crm", "external_id": id}),
            Item::Malformed => json!({"id": "x"}),
        }
    }
}

/// What a filter says; all of it must be true of a row.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub created_before: Option<i64>,
    pub deleted_before: Option<i64>,
    pub country_code: Option<&'static str>,
    pub number_prefix: Option<String>,
    pub priority: Option<i64>,
}

#[derive(Clone, Debug, Default)]
pub struct Options {
    pub hard: bool,
    pub atomic: bool,
    pub fail_on_multiple: bool,
    pub allow_missing: bool,
    pub max: Option<usize>,
}

/// What became of a thing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    pub word: String,
    pub done: bool,
    pub rows: Vec<String>,
    pub conflicting: Option<String>,
    pub missing_lists: Vec<String>,
}

impl Told {
    fn done(word: &str, rows: Vec<String>) -> Self {
        Self { word: word.to_owned(), done: true, rows, ..Self::default() }
    }

    fn failed(word: &str) -> Self {
        Self { word: word.to_owned(), ..Self::default() }
    }
}

/// Why a request as a whole is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    NotFound,
    MaxAffected,
    WrongState,
}

impl Refused {
    pub fn status(self) -> u16 {
        match self {
            Refused::NotFound => 404,
            Refused::MaxAffected | Refused::WrongState => 409,
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            Refused::NotFound => "NOT_FOUND",
            Refused::MaxAffected => "MAX_AFFECTED",
            Refused::WrongState => "WRONG_STATE",
        }
    }
}

/// Which things a deletion in the background takes.
#[derive(Clone, Debug)]
pub enum Selection {
    Items(Vec<Item>),
    Filter(Filter),
}

/// A deletion, an undo, a restore or a purge.
#[derive(Clone, Debug)]
pub struct Operation {
    pub action: &'static str,
    pub kind: Kind,
    pub within: String,
    pub options: Options,
    pub created: i64,
    /// Whether it is looked up from what is kept of it; else from the ledger.
    pub kept: bool,
    pub state: &'static str,
    pub failure: Option<&'static str>,
    pub told: Vec<Told>,
}

impl Operation {
    pub fn is_over(&self) -> bool {
        self.state != "queued"
    }
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Retention {
    days: Option<i64>,
    promised_until: Option<i64>,
}

/// A ledger's entry: the operation, the kind, what happened, the row and its version then.
pub type Entry = (String, &'static str, &'static str, String, i64);

/// A purge of what is within one thing, that has no id yet.
pub struct Purge {
    pub kind: Kind,
    pub within: String,
    pub rows: usize,
}

impl Purge {
    fn placeholder(kind: Kind, within: &str) -> String {
        format!("purge of {} {within}", kind.name())
    }
}

#[derive(Default)]
pub struct World {
    pub now: i64,
    pub rows: BTreeMap<String, Row>,
    /// Campaigns and the lists that they name; whether they hold on to them.
    pub links: BTreeMap<(String, String), bool>,
    pub ledger: Vec<Entry>,
    pub operations: BTreeMap<String, Operation>,
    /// The one operation that nobody has begun yet, and whether it is to stop.
    pub pending: Option<(String, Selection, bool)>,
    pub retention: BTreeMap<Kind, Retention>,
}

impl World {
    pub fn is_live(&self, id: &str) -> bool {
        self.rows.get(id).is_some_and(|row| row.state == State::Live)
    }

    /// Whether rows of that kind are there within that.
    fn is_visible(&self, kind: Kind, within: &str) -> bool {
        kind != Kind::Record || self.is_live(within)
    }

    /// The live row that has a key.
    pub fn holder(&self, kind: Kind, within: &str, key: &str) -> Option<&Row> {
        let mut rows = self.rows.values();
        rows.find(|row| {
            row.kind == kind && row.within == within && row.state == State::Live && row.key.as_deref() == Some(key)
        })
    }

    /// Those that are not gone.
    fn there(&self, kind: Kind, within: &str) -> impl Iterator<Item = &Row> {
        self.rows.values().filter(move |row| row.kind == kind && row.within == within && row.state != State::Gone)
    }

    /// What becomes of each thing. Changes nothing.
    pub fn decide(&self, kind: Kind, within: &str, items: &[Item], options: &Options) -> Result<Vec<Told>, Refused> {
        if !self.is_visible(kind, within) {
            return Err(Refused::NotFound);
        }
        let (mut named, mut taken) = (BTreeSet::new(), BTreeSet::new());
        let mut told: Vec<Told> = items
            .iter()
            .map(|item| {
                if *item == Item::Malformed {
                    return Told::failed("INVALID_IDENTIFIER");
                }
                if !named.insert(item) {
                    return Told::failed("DUPLICATE_IN_REQUEST");
                }
                let one = self.decide_one(kind, within, item, options, &taken);
                taken.extend(one.rows.iter().cloned());
                let is_missing = ["NOT_FOUND", "ALREADY_DELETED"].contains(&one.word.as_str());
                Told { done: one.done || options.allow_missing && is_missing, ..one }
            })
            .collect();
        if options.atomic && told.iter().any(|one| !one.done) {
            for one in told.iter_mut().filter(|one| one.word == "DELETED") {
                *one = Told::failed("ROLLED_BACK");
            }
            taken.clear();
        }
        if options.max.is_some_and(|max| taken.len() > max) {
            return Err(Refused::MaxAffected);
        }
        Ok(told)
    }

    fn decide_one(&self, kind: Kind, within: &str, item: &Item, options: &Options, taken: &BTreeSet<String>) -> Told {
        let is_named = |row: &&Row| match item {
            Item::Id(id) => row.id == *id,
            Item::Number(digits) => row.number.as_ref() == Some(digits),
            Item::External(id) => row.external.as_ref() == Some(id),
            Item::Malformed => false,
        };
        let rows: Vec<&Row> = self.there(kind, within).filter(is_named).collect();
        let candidates: Vec<&Row> =
            rows.iter().copied().filter(|row| options.hard || row.state == State::Live).collect();
        if rows.is_empty() {
            return Told::failed("NOT_FOUND");
        }
        if candidates.is_empty() {
            return Told::failed("ALREADY_DELETED");
        }
        if candidates.len() > 1 && options.fail_on_multiple {
            return Told::failed("AMBIGUOUS");
        }
        let fresh: Vec<&Row> = candidates.into_iter().filter(|row| !taken.contains(&row.id)).collect();
        if fresh.is_empty() {
            return Told::failed("DUPLICATE_IN_REQUEST");
        }
        if let Some(word) = fresh.iter().find_map(|row| self.obstacle(row, options)) {
            return Told::failed(word);
        }
        Told::done("DELETED", fresh.into_iter().map(|row| row.id.clone()).collect())
    }

    fn obstacle(&self, row: &Row, options: &Options) -> Option<&'static str> {
        if self.links.iter().any(|((_, list), is_held_on_to)| *list == row.id && *is_held_on_to) {
            return Some("IN_USE");
        }
        (options.hard && self.is_on_hold(row)).then_some("ON_HOLD")
    }

    /// A list is on hold when something below it is.
    pub fn is_on_hold(&self, row: &Row) -> bool {
        let below = row.kind.children().map(|kind| self.there(kind, &row.id).any(|child| child.held));
        row.held || below.unwrap_or(false)
    }

    /// The ids of the rows that a filter takes, in their order.
    pub fn matching(&self, kind: Kind, within: &str, filter: &Filter, hard: bool, asked: i64) -> Vec<Item> {
        let is_taken = |row: &&Row| {
            let deleted = match &row.state {
                State::Trashed { at, .. } => Some(*at),
                State::Live | State::Gone => None,
            };
            let number = row.number.as_deref().unwrap_or_default();
            let begins = |digits: &str| number.starts_with(digits);
            let is_among = match filter.deleted_before {
                Some(before) => deleted.is_some_and(|at| at <= before),
                None => hard || deleted.is_none(),
            };
            is_among
                && row.created <= filter.created_before.unwrap_or(asked).min(asked)
                && filter.country_code.is_none_or(begins)
                && filter.number_prefix.as_deref().is_none_or(begins)
                && filter.priority.is_none_or(|priority| row.priority == Some(priority))
        };
        self.there(kind, within).filter(is_taken).map(|row| Item::Id(row.id.clone())).collect()
    }

    /// Does what was decided.
    pub fn delete(&mut self, deletion: &str, told: &[Told], hard: bool) {
        for id in told.iter().flat_map(|one| &one.rows) {
            match hard {
                true => self.remove(id, deletion, "hard_deleted"),
                false => self.trash(id, deletion),
            }
        }
    }

    fn row(&mut self, id: &str) -> &mut Row {
        self.rows.get_mut(id).expect("the model knows its rows")
    }

    fn enter(&mut self, operation: &str, action: &'static str, id: &str) {
        let row = &self.rows[id];
        self.ledger.push((operation.to_owned(), row.kind.name(), action, id.to_owned(), row.version));
    }

    fn trash(&mut self, id: &str, deletion: &str) {
        let (now, kind) = (self.now, self.rows[id].kind);
        let days = self.retention.get(&kind).and_then(|retention| retention.days);
        let row = self.row(id);
        row.version += 1;
        row.state =
            State::Trashed { deletion: deletion.to_owned(), at: now, purge_at: days.map(|days| now + days * DAY) };
        for (_, is_held_on_to) in self.links.iter_mut().filter(|((campaign, _), _)| campaign == id) {
            *is_held_on_to = false;
        }
        self.enter(deletion, "deleted", id);
    }

    fn remove(&mut self, id: &str, operation: &str, action: &'static str) {
        let children: Vec<String> = match self.rows[id].kind.children() {
            Some(kind) => self.there(kind, id).map(|child| child.id.clone()).collect(),
            None => Vec::new(),
        };
        for child in children {
            self.remove(&child, operation, action);
        }
        let row = self.row(id);
        row.version += i64::from(row.state == State::Live);
        row.state = State::Gone;
        self.links.retain(|(campaign, _), _| campaign != id);
        self.enter(operation, action, id);
    }

    /// Whether a trashed row cannot come back as things are.
    pub fn is_stuck(&self, row: &Row) -> bool {
        let holder = row.key.as_deref().and_then(|key| self.holder(row.kind, &row.within, key));
        !self.is_visible(row.kind, &row.within) || holder.is_some()
    }

    /// Restores a row: from whichever deletion's trash, or from that one's.
    fn restore(&mut self, id: &str, by: Option<&str>, operation: &str) -> Told {
        let Some(row) = self.rows.get(id).filter(|row| row.state != State::Gone) else {
            return Told::failed(if by.is_some() { "ALREADY_PURGED" } else { "NOT_FOUND" });
        };
        let is_there = match &row.state {
            State::Trashed { deletion, .. } => by.is_none_or(|by| by == deletion),
            State::Live | State::Gone => false,
        };
        if !is_there {
            return Told::failed("ALREADY_RESTORED");
        }
        if !self.is_visible(row.kind, &row.within) {
            return Told::failed("PARENT_DELETED");
        }
        if let Some(holder) = row.key.as_deref().and_then(|key| self.holder(row.kind, &row.within, key)) {
            return Told { conflicting: Some(holder.id.clone()), ..Told::failed("KEY_RETAKEN") };
        }
        let row = self.row(id);
        row.state = State::Live;
        row.version += 1;
        let mut missing_lists = Vec::new();
        let lists = self.links.keys().filter(|(campaign, _)| campaign == id).map(|(_, list)| list.clone());
        for list in lists.collect::<Vec<_>>() {
            match self.is_live(&list) {
                true => _ = self.links.insert((id.to_owned(), list), true),
                false => missing_lists.push(list),
            }
        }
        self.enter(operation, "restored", id);
        Told { missing_lists, ..Told::done("RESTORED", vec![id.to_owned()]) }
    }

    /// Restores what is named. Answers what becomes of each thing.
    pub fn restore_items(&mut self, kind: Kind, within: &str, items: &[Item], operation: &str) -> Vec<Told> {
        let mut named = BTreeSet::new();
        let mut told = Vec::new();
        for item in items {
            told.push(match item {
                Item::Id(id) if !named.insert(id) => Told::failed("DUPLICATE_IN_REQUEST"),
                Item::Id(id) if self.there(kind, within).any(|row| row.id == *id) => self.restore(id, None, operation),
                Item::Id(_) => Told::failed("NOT_FOUND"),
                Item::Number(_) | Item::External(_) | Item::Malformed => Told::failed("INVALID_IDENTIFIER"),
            });
        }
        self.add(operation, "restore", kind, within, &Options::default(), Some(&told));
        told
    }

    /// What an undo would restore.
    pub fn undoable(&self, deletion: &str) -> Result<(Kind, String, Vec<String>), Refused> {
        let operation = self.operations.get(deletion).ok_or(Refused::NotFound)?;
        let rows = self.rows_of(deletion, operation.kind);
        if !operation.kept && rows.is_empty() {
            return Err(Refused::NotFound);
        }
        if operation.action != "delete" || operation.options.hard || !operation.is_over() {
            return Err(Refused::WrongState);
        }
        Ok((operation.kind, operation.within.clone(), rows))
    }

    /// Restores what a deletion took and is still in the trash by it.
    pub fn undo(&mut self, deletion: &str, operation: &str) -> Vec<Told> {
        let (kind, within, rows) = self.undoable(deletion).expect("it was asked before");
        let told: Vec<Told> = rows.iter().map(|id| self.restore(id, Some(deletion), operation)).collect();
        self.add(operation, "undo", kind, &within, &Options::default(), Some(&told));
        told
    }

    /// The rows of a kind that the ledger has of an operation.
    pub fn rows_of(&self, operation: &str, kind: Kind) -> Vec<String> {
        let entries = self.ledger.iter().filter(|(of, name, ..)| of == operation && *name == kind.name());
        entries.map(|(_, _, _, id, _)| id.clone()).collect()
    }

    /// Keeps an operation that is over, or is queued when it has told nothing yet.
    pub fn add(
        &mut self,
        id: &str,
        action: &'static str,
        kind: Kind,
        within: &str,
        options: &Options,
        told: Option<&[Told]>,
    ) {
        let operation = Operation {
            action,
            kind,
            within: within.to_owned(),
            options: options.clone(),
            created: self.now,
            kept: true,
            state: told.map_or("queued", ending),
            failure: None,
            told: told.unwrap_or_default().to_vec(),
        };
        self.operations.insert(id.to_owned(), operation);
    }

    /// Does what is queued.
    pub fn work(&mut self) {
        let Some((id, selection, is_cancelled)) = self.pending.take() else { return };
        let mut operation = self.operations[&id].clone();
        let (kind, options) = (operation.kind, operation.options.clone());
        let items = match &selection {
            Selection::Items(items) => items.clone(),
            Selection::Filter(filter) => {
                self.matching(kind, &operation.within, filter, options.hard, operation.created)
            }
        };
        let is_empty = matches!(selection, Selection::Filter(_)) && items.is_empty();
        let decided = match is_empty {
            true => Ok(Vec::new()),
            false => self.decide(kind, &operation.within, &items, &options),
        };
        match decided {
            Ok(told) if !is_cancelled => {
                self.delete(&id, &told, options.hard);
                operation.state = ending(&told);
                operation.told = told;
            }
            other => {
                operation.state = if is_cancelled { "cancelled" } else { "failed" };
                operation.failure = other.err().filter(|_| !is_cancelled).map(Refused::word);
                if let Selection::Items(items) = &selection {
                    operation.told = vec![Told::failed("UNPROCESSED"); items.len()];
                }
            }
        }
        self.operations.insert(id, operation);
    }

    /// Sets how long a kind is kept.
    pub fn retain(&mut self, kind: Kind, days: Option<i64>) {
        let promised = days.map(|days| self.now + days * DAY);
        let before = self.retention.get(&kind).copied();
        let promised_until = match before {
            None => promised,
            Some(before) if before.days.is_some() || days.is_none() => before.promised_until,
            Some(before) => before.promised_until.max(promised),
        };
        self.retention.insert(kind, Retention { days, promised_until });
    }

    /// An account's upkeep. Answers what it purged; [`World::name_purge`] must be told the ids.
    pub fn upkeep(&mut self) -> Vec<Purge> {
        let mut purges = Vec::new();
        for kind in Kind::DELETABLE {
            let Some(Retention { days: Some(days), promised_until }) = self.retention.get(&kind).copied() else {
                continue;
            };
            let now = self.now;
            let is_over = |row: &&Row| match &row.state {
                State::Trashed { at, purge_at, .. } => {
                    *at <= now - days * DAY && purge_at.or(promised_until).unwrap_or(now) <= now
                }
                State::Live | State::Gone => false,
            };
            let mut over: BTreeMap<String, Vec<String>> = BTreeMap::new();
            let rows = self.rows.values().filter(|row| row.kind == kind);
            for row in rows.filter(is_over).filter(|row| !self.is_on_hold(row)) {
                over.entry(row.within.clone()).or_default().push(row.id.clone());
            }
            for (within, ids) in over {
                let operation = Purge::placeholder(kind, &within);
                for id in &ids {
                    self.remove(id, &operation, "purged");
                }
                purges.push(Purge { kind, within, rows: ids.len() });
            }
        }
        let before = self.now - KEPT_FOR;
        for operation in self.operations.values_mut().filter(|operation| operation.created < before) {
            operation.kept = false;
        }
        purges
    }

    /// Gives a purge its id.
    pub fn name_purge(&mut self, purge: &Purge, id: &str) {
        let placeholder = Purge::placeholder(purge.kind, &purge.within);
        let entries = self.ledger.iter_mut().filter(|entry| entry.0 == placeholder);
        entries.for_each(|entry| id.clone_into(&mut entry.0));
        let told: Vec<Told> =
            self.rows_of(id, purge.kind).into_iter().map(|row| Told::done("PURGED", vec![row])).collect();
        self.add(id, "purge", purge.kind, &purge.within, &Options { hard: true, ..Options::default() }, Some(&told));
    }

    /// An operation as it is looked up. None when nothing is left of it.
    pub fn looked_up(&self, id: &str) -> Option<Value> {
        let operation = self.operations.get(id)?;
        let mode = if operation.options.hard { "hard" } else { "soft" };
        if !operation.kept {
            let rows = self.rows_of(id, operation.kind).len();
            let (action, word) = match operation.action {
                "delete" => ("delete", "DELETED"),
                "purge" => ("purge", "PURGED"),
                _ => ("restore", "RESTORED"),
            };
            let mode = if action == "delete" { mode } else { "soft" };
            let found = json!([action, mode, "succeeded", rows, rows, 0, rows, {word: rows}, null]);
            return Some(found).filter(|_| rows > 0);
        }
        let told = &operation.told;
        let mut words: BTreeMap<&str, usize> = BTreeMap::new();
        for one in told {
            *words.entry(&one.word).or_default() += 1;
        }
        let done = told.iter().filter(|one| one.done).count();
        let rows: usize = told.iter().map(|one| one.rows.len()).sum();
        let requested = match &self.pending {
            Some((pending, selection, _)) if pending == id => match selection {
                Selection::Items(items) => Some(items.len()),
                Selection::Filter(_) => None,
            },
            _ => Some(told.len()),
        };
        let (state, failed) = (operation.state, told.len() - done);
        Some(json!([operation.action, mode, state, requested, done, failed, rows, words, operation.failure]))
    }

    /// Rows, attachments and ledger, each as the database tells them.
    pub fn told_as_rows(&self) -> Vec<[String; 5]> {
        let rows = self.rows.values().filter(|row| row.state != State::Gone).map(|row| {
            let state = match &row.state {
                State::Trashed { deletion, at, purge_at } => {
                    format!("{deletion} {at} {}", purge_at.map_or("-".to_owned(), |at| at.to_string()))
                }
                State::Live | State::Gone => "live".to_owned(),
            };
            [row.kind.name().to_owned(), row.id.clone(), row.within.clone(), state, row.version.to_string()]
        });
        let links = self.links.iter().map(|((campaign, list), is_held_on_to)| {
            ["link".to_owned(), campaign.clone(), list.clone(), is_held_on_to.to_string(), String::new()]
        });
        let ledger = self.ledger.iter().map(|(operation, kind, action, id, version)| {
            [format!("ledger of {kind}"), operation.clone(), (*action).to_owned(), id.clone(), version.to_string()]
        });
        let mut told: Vec<[String; 5]> = rows.chain(links).chain(ledger).collect();
        told.sort();
        told
    }
}

/// The state of an operation that ends with these.
fn ending(told: &[Told]) -> &'static str {
    let done = told.iter().filter(|one| one.done).count();
    match (done, told.len() - done) {
        (_, 0) => "succeeded",
        (0, _) => "failed",
        _ => "partial",
    }
}
