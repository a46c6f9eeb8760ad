//! Deletions, undos and restores: asked for, watched and looked up.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use actix_web::http::header::LOCATION;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Answer, DeletionNotFound, NativeAccess, NativeBodyErrors, NativeErrors, ReadAccess, WithinBody};
use crate::domain::deletion::{Atomicity, Mode, OnMultiple, Reason, Target};
use crate::domain::identifier::Identifier;
use crate::domain::operation::{DELETED, Operation, PURGED, RESTORED, Resource};
use crate::error::Error;
use crate::handlers::timestamp;
use crate::services::deletions::lookup::Outcome;

pub mod cancel;
pub mod create;
pub mod read;

/// What kind of things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Resource)]
pub(super) enum ResourceBody {
    /// Contacts of a stream.
    Contact,
    /// Contact lists of a stream.
    ContactList,
    /// Campaigns of a stream.
    Campaign,
    /// Record lists of the account.
    RecordList,
    /// Records of a record list.
    Record,
}

impl From<ResourceBody> for Resource {
    fn from(resource: ResourceBody) -> Self {
        match resource {
            ResourceBody::Contact => Resource::Contact,
            ResourceBody::ContactList => Resource::ContactList,
            ResourceBody::Campaign => Resource::Campaign,
            ResourceBody::RecordList => Resource::RecordList,
            ResourceBody::Record => Resource::Record,
        }
    }
}

/// The things of a kind, where `within` says what it must and no more.
pub(super) fn target(resource: Resource, within: Option<WithinBody>) -> Result<Target, Error> {
    let within = within.unwrap_or_default();
    let (field, given, other, other_given) = match resource {
        Resource::Contact | Resource::ContactList | Resource::Campaign => {
            ("within.stream_id", within.stream_id, "within.record_list_id", within.record_list_id)
        }
        Resource::Record => ("within.record_list_id", within.record_list_id, "within.stream_id", within.stream_id),
        Resource::RecordList => {
            let (field, given) = match (within.stream_id, within.record_list_id) {
                (Some(_), _) => ("within.stream_id", true),
                (_, Some(_)) => ("within.record_list_id", true),
                _ => ("", false),
            };
            return match given {
                true => Err(Error::invalid(field, "record lists belong to the account alone")),
                false => Ok(Target::RecordLists),
            };
        }
    };
    if other_given.is_some() {
        return Err(Error::invalid(other, format!("is not what a {} belongs to", resource.name())));
    }
    let given = given.ok_or_else(|| Error::invalid(field, "is required"))?;
    resource.within(&given).ok_or_else(|| Error::invalid(field, "is not a well-formed id"))
}

/// A deletion, an undo or a restore.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct DeletionBody {
    /// Its id. Null where it was only said what would be done.
    id: Option<String>,
    /// `delete`, `undo`, `restore`, or `purge`: what had its time in the trash, by the account's retention.
    action: &'static str,
    /// What kind of things: `contact`, `contact_list`, `campaign`, `record_list` or `record`.
    resource: &'static str,
    /// What they belong to. Null for record lists.
    within: Option<WithinBody>,
    /// `soft` or `hard`.
    mode: &'static str,
    /// Whether it is all or nothing.
    atomic: bool,
    /// `all` or `fail`.
    on_multiple: &'static str,
    /// Whether what was not there counts as done.
    allow_missing: bool,
    /// The most rows that could go.
    max_affected: Option<u64>,
    /// What the caller said of it.
    note: Option<String>,
    /// The deletion that it undoes.
    undoes: Option<String>,
    /// `receiving` (its items are still being sent), `queued`, `running`; then `succeeded`, `partial` (some things
    /// failed), `failed` (all did) or `cancelled`.
    state: &'static str,
    /// Whether it is to stop at the next batch.
    cancel_requested: bool,
    /// How many things were asked for. Null while nobody knows: a filter tells it at its end.
    requested: Option<i64>,
    /// How many have an outcome.
    processed: i64,
    /// How many were done.
    succeeded: i64,
    /// How many were not.
    failed: i64,
    /// How many rows changed: more than things where a number matched several.
    rows_affected: i64,
    /// How often each word was said.
    reasons: BTreeMap<String, i64>,
    /// Why it ended before its end, in a word.
    failure: Option<String>,
    /// The user who asked.
    created_by: String,
    /// When it was asked for.
    #[schema(format = DateTime)]
    created_at: String,
    /// When the first of it was done.
    #[schema(format = DateTime)]
    started_at: Option<String>,
    /// When the last of it was done.
    #[schema(format = DateTime)]
    finished_at: Option<String>,
    /// Until when what it took is surely in the trash. Null where the account's trash is never emptied.
    #[schema(format = DateTime)]
    undo_until: Option<String>,
    /// What became of each thing, in the order asked, where the answer has it at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    outcomes: Option<Vec<OutcomeBody>>,
}

impl DeletionBody {
    pub(super) fn of(operation: Operation) -> Self {
        let within = WithinBody::of(Resource::from_target(&operation.target), operation.target.within());
        let options = operation.options;
        Self {
            id: (!options.validate_only).then(|| operation.id.to_string()),
            action: operation.action.name(),
            resource: operation.target.resource(),
            within,
            mode: if options.mode == Mode::Hard { "hard" } else { "soft" },
            atomic: options.atomicity == Atomicity::Atomic,
            on_multiple: if options.on_multiple == OnMultiple::Fail { "fail" } else { "all" },
            allow_missing: options.allow_missing,
            max_affected: options.max_affected,
            note: operation.note,
            undoes: operation.undoes.map(|id| id.to_string()),
            state: operation.state.name(),
            cancel_requested: operation.cancel_asked,
            requested: operation.requested,
            processed: operation.totals.succeeded + operation.totals.failed,
            succeeded: operation.totals.succeeded,
            failed: operation.totals.failed,
            rows_affected: operation.totals.rows,
            reasons: operation.totals.reasons,
            failure: operation.failure,
            created_by: operation.created_by,
            created_at: timestamp(operation.created_at),
            started_at: operation.started_at.map(timestamp),
            finished_at: operation.finished_at.map(timestamp),
            undo_until: operation.undo_until.map(timestamp),
            outcomes: None,
        }
    }

    /// With what became of each thing.
    pub(super) fn with(self, outcomes: Vec<Outcome>) -> Self {
        Self { outcomes: Some(outcomes.into_iter().map(OutcomeBody::of).collect()), ..self }
    }
}

/// What became of one thing.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct OutcomeBody {
    /// Its place among the things asked, from 1.
    position: i64,
    /// The thing as it was named. Null where the service found it: `rows` says which it is.
    item: Option<ItemBody>,
    /// Whether it was done.
    done: bool,
    /// DELETED, RESTORED or PURGED, or why not.
    reason: String,
    /// Why not, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    message: Option<&'static str>,
    /// Whether asking the same again can succeed. Only where it was not done.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    retryable: Option<bool>,
    /// The ids of the rows that changed.
    rows: Vec<String>,
    /// The campaigns that hold on to it, at most 50. Only where the reason is IN_USE.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false, value_type = Vec<BlockerBody>)]
    blockers: Vec<Value>,
    /// The live row that is in its way. Only where the reason is KEY_RETAKEN.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    conflicting_id: Option<String>,
    /// Lists that a restored campaign was attached to and that are not there any more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    missing_lists: Vec<String>,
}

impl OutcomeBody {
    /// The outcome as a line of CSV, without its end. A text that a spreadsheet would take for a formula is left as it is:
    /// what was sent is what is answered.
    fn csv_line(&self) -> String {
        let item = self.item.as_ref();
        let field = |text: Option<&String>| text.map_or(String::new(), |text| csv_field(text));
        [
            self.position.to_string(),
            field(item.and_then(|item| item.id.as_ref())),
            field(item.and_then(|item| item.phone_number.as_ref())),
            field(item.and_then(|item| item.external_provider.as_ref())),
            field(item.and_then(|item| item.external_id.as_ref())),
            self.done.to_string(),
            self.reason.clone(),
            self.rows.join(" "),
            field(self.conflicting_id.as_ref()),
        ]
        .join(",")
    }
}

/// A field of CSV after RFC 4180.
fn csv_field(text: &str) -> String {
    if text.contains([',', '"', '\r', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

/// A campaign that holds on to a list.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "the schema of what is kept as JSON")]
struct BlockerBody {
    /// The campaign.
    id: String,
    /// Its name.
    name: String,
    /// Where it stands.
    status: String,
}

impl OutcomeBody {
    pub(super) fn of(outcome: Outcome) -> Self {
        let told = outcome.told;
        let reason = told.reason().filter(|_| !told.is_done);
        let details = told.details.unwrap_or_default();
        Self {
            position: outcome.position,
            item: outcome.item.map(ItemBody::of),
            done: told.is_done,
            message: reason.map(Reason::message),
            retryable: reason.map(Reason::is_retryable),
            reason: told.word,
            rows: told.rows,
            blockers: details.blockers,
            conflicting_id: details.conflicting_id,
            missing_lists: details.missing_lists,
        }
    }
}

/// One thing, named by its id, by a number that it has, or by its id in another system.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(super) struct ItemBody {
    /// Its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    id: Option<String>,
    /// A number that it has. Contacts and records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    phone_number: Option<String>,
    /// The other system that knows it; together with `external_id`. Records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    external_provider: Option<String>,
    /// Its id there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    external_id: Option<String>,
}

impl ItemBody {
    fn of(item: Identifier) -> Self {
        let nothing = Self { id: None, phone_number: None, external_provider: None, external_id: None };
        match item {
            Identifier::Id(id) => Self { id: Some(id), ..nothing },
            Identifier::PhoneNumber(number) => Self { phone_number: Some(number), ..nothing },
            Identifier::External { provider, id } => {
                Self { external_provider: Some(provider), external_id: Some(id), ..nothing }
            }
        }
    }

    /// The identifier, of a thing of that kind; `at` is where it stands.
    pub(super) fn read(self, resource: Resource, at: &str) -> Result<Identifier, Error> {
        let field = |name: &str| format!("{at}.{name}");
        let item = match (self.id, self.phone_number, self.external_provider, self.external_id) {
            (Some(id), None, None, None) => Identifier::Id(id),
            (None, Some(number), None, None) => Identifier::PhoneNumber(number),
            (None, None, Some(provider), Some(id)) => Identifier::External { provider, id },
            (None, None, Some(_), None) => {
                return Err(Error::invalid(field("external_id"), "is required beside external_provider"));
            }
            (None, None, None, Some(_)) => {
                return Err(Error::invalid(field("external_provider"), "is required beside external_id"));
            }
            _ => {
                let message = "must have exactly one of id, phone_number, and external_provider with external_id";
                return Err(Error::invalid(at, message));
            }
        };
        match (&item, resource) {
            (Identifier::Id(_), _)
            | (Identifier::PhoneNumber(_), Resource::Contact | Resource::Record)
            | (Identifier::External { .. }, Resource::Record) => Ok(item),
            (Identifier::PhoneNumber(_), _) => {
                Err(Error::invalid(field("phone_number"), format!("is nothing that a {} has", resource.name())))
            }
            (Identifier::External { .. }, _) => {
                Err(Error::invalid(field("external_provider"), format!("is nothing that a {} has", resource.name())))
            }
        }
    }
}

fn example_deletion() -> Value {
    json!({
        "id": "01a20694-3b1c-7d35-a9fe-12ab34cd56ef", "action": "delete", "resource": "contact",
        "within": {"stream_id": "st-7dc994f0-4436-5134-9fa8-a94262500000"},
        "mode": "soft", "atomic": false, "on_multiple": "all", "allow_missing": false, "max_affected": null,
        "note": "GDPR request 1234", "undoes": null, "state": "partial", "cancel_requested": false,
        "requested": 2, "processed": 2, "succeeded": 1, "failed": 1, "rows_affected": 1,
        "reasons": {DELETED: 1, Reason::NotFound.code(): 1}, "failure": null,
        "created_by": "u-cc6ebd6c-656c-5364-abfc-ad5f80e00000",
        "created_at": "2026-01-09T09:19:37.307Z", "started_at": "2026-01-09T09:19:37.307Z",
        "finished_at": "2026-01-09T09:19:37.307Z", "undo_until": null
    })
}

/// The answer for what goes on in the background.
fn accepted(operation: Operation) -> HttpResponse {
    HttpResponse::Accepted()
        .insert_header((LOCATION, format!("/v1/deletions/{}", operation.id)))
        .insert_header(("Deletion-Id", operation.id.to_string()))
        .json(DeletionBody::of(operation))
}

pub(super) fn example_undo() -> Value {
    let mut example = example_deletion();
    example["action"] = json!("undo");
    example["undoes"] = json!("01a20694-3b1c-7d35-a9fe-12ab34cd56ef");
    example["reasons"] = json!({RESTORED: 1, Reason::KeyRetaken.code(): 1});
    example["outcomes"] = json!([
        {"position": 1, "item": {"id": "6960cbe9b155d194e2f00000"}, "done": true, "reason": RESTORED,
         "rows": ["6960cbe9b155d194e2f00000"]},
        {"position": 2, "item": {"id": "6960cc07b155d194e2f00000"}, "done": false, "reason": "KEY_RETAKEN",
         "message": Reason::KeyRetaken.message(), "retryable": false, "rows": [], "conflicting_id": "69609027c1746a6142900000"}
    ]);
    example
}

fn example_done() -> Value {
    let mut example = example_deletion();
    example["outcomes"] = example_outcomes();
    example
}

fn example_outcomes() -> Value {
    json!([
        {"position": 1, "item": {"id": "6960cbe9b155d194e2f00000"}, "done": true, "reason": DELETED,
         "rows": ["6960cbe9b155d194e2f00000"]},
        {"position": 2, "item": {"phone_number": "+919876543210"}, "done": false, "reason": "NOT_FOUND",
         "message": "There is no such thing here.", "retryable": false, "rows": []}
    ])
}

/// What outcomes can be filtered by: a word of theirs.
fn is_word(text: &str) -> bool {
    [DELETED, RESTORED, PURGED].contains(&text) || Reason::parse(text).is_some()
}
