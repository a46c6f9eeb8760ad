//! The bulk deletion of records: by id, by phone number or by external reference.

use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, delete, web};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{
    Answer, Link, Links, QueuedBody, RecordListNotFound, RecordListsAccess, RecordListsBodyErrors, RecordListsErrors,
    RecordsLinks, example_queued, hal, record_list_id,
};
use crate::domain::deletion::{Deletion, Outcome, Reason, Request, Target};
use crate::domain::identifier::Identifier;
use crate::domain::ids;
use crate::error::{Error, FieldError};
use crate::handlers::auth::Authorized;
use crate::handlers::body::{self, Body};
use crate::handlers::params::{self, ModeParam, OnMultipleParam, SnakeExtras, how};
use crate::handlers::{Settings, with_deletion_id};
use crate::services::Services;
use crate::services::deletions::queue::Selection;

/// Delete records in bulk
///
/// Deletes records of a list in one transaction, by id, by phone number or by external reference: one kind in a request,
/// 1 to 100 items (an operator may allow up to 200). `total_deleted + total_errors` is always the number of items;
/// `records_deleted` counts records, since several can have one number. What can be deleted is deleted, unless
/// `atomic=true`: then one failure leaves everything as it was, and the others say ROLLED_BACK. The answer is 200 also
/// when some or all failed. A phone number is compared by its digits in international form: spaces, `-`, `(`, `)` and a
/// leading `+` make no difference. Identifiers that are malformed or come twice are echoed in `bad_request_param`, those that
/// match nothing or were deleted before in `record_not_found`. The body may also be sent as `application/hal+json`. Records of a list can be deleted while a campaign runs.
#[utoipa::path(
    tag = "record lists",
    operation_id = "bulk_delete_records",
    params(
        ("id" = String, Path, description = "The list.", example = "8858c834-481d-4a02-8176-cffc02c50350"),
        ("Prefer" = Option<String>, Header, description = "`respond-async` has it done in the background.", example = "respond-async"),
        BulkDeletionParams,
        SnakeExtras,
    ),
    request_body(
        content(
            (inline(IdentifiersBody) = "application/json", examples(
                ("ids" = (summary = "By id", value = json!([{"id": "8858c834-481d-4a02-8176-cffc02c50350"}, {"id": "f03004be-2853-4660-b6e8-060cc383ddbe"}]))),
                ("phone numbers" = (summary = "By phone number", value = json!([{"phone_number": "+188888888"}, {"phone_number": "+177777777"}]))),
                ("external references" = (summary = "By external reference", value = json!([{"external_provider": "salesforce", "external_id": "003DL0000212DetYAE"}]))),
            )),
        ),
        description = "A bare array of identifiers, all of one kind.",
    ),
    responses(
        (status = 200, description = "One outcome for each item.", body = BulkDeletionReport, content_type = "application/hal+json",
         headers(("Deletion-Id" = String, description = "The deletion's id, under which the ledger has it. Absent when nothing was deleted.")),
         example = json!({
            "record_list_id": "8858c834-481d-4a02-8176-cffc02c50350", "has_errors": true, "total_deleted": 1, "total_errors": 1, "records_deleted": 1,
            "_links": {"self": {"href": "https://expunge.example/record-lists/8858c834-481d-4a02-8176-cffc02c50350/records"},
                       "record_list": {"href": "https://expunge.example/record-lists/8858c834-481d-4a02-8176-cffc02c50350"}},
            "_embedded": {
                "failed_records": [{
                    "id": "f03004be-2853-4660-b6e8-060cc383ddbe",
                    "_links": {"self": {"href": "https://expunge.example/record-lists/8858c834-481d-4a02-8176-cffc02c50350/records/f03004be-2853-4660-b6e8-060cc383ddbe"}},
                    "reason": "ALREADY_DELETED", "message": "It was deleted before."
                }],
                "reason": {"bad_request_param": [], "record_not_found": ["f03004be-2853-4660-b6e8-060cc383ddbe"]}
            }
         })),
        (status = 202, description = "It will be done in the background; the deletion is at `Location`.", body = QueuedBody, content_type = "application/hal+json",
         headers(("Deletion-Id" = String, description = "The deletion's id."), ("Location" = String, description = "Where it is looked up.")),
         example = json!(example_queued())),
        RecordListsErrors, RecordListsBodyErrors, RecordListNotFound,
    ),
)]
#[delete("/{id}/records/bulks")]
pub async fn bulk_delete_records(
    authorized: Authorized<RecordListsAccess>,
    path: web::Path<String>,
    body: Body,
    request: HttpRequest,
    services: web::Data<Services>,
    settings: web::Data<Settings>,
) -> Answer {
    let (params, extras) = authorized.deletion_params::<BulkDeletionParams, SnakeExtras>()?;
    authorized.expects_no_version()?;
    let list = record_list_id(&path)?;
    let items = identifiers(body.value().await?, settings.record_bulk_limit)?;
    let how = how(params.mode, params.atomic, params.on_multiple, extras)?;
    if authorized.prefers_async() {
        params::require_batches(&how)?;
        let target = Target::Records(list);
        let queued = services.deletions.queue(&authorized.caller, &target, &how, &Selection::Items(items)).await?;
        let mut response = HttpResponse::Accepted();
        response.insert_header((LOCATION, format!("/v1/deletions/{}", queued.id)));
        response.insert_header(("Deletion-Id", queued.id.to_string()));
        return Ok(hal(&request, response, &QueuedBody::of(list, queued.id, &settings.public_url)));
    }
    let asked = Request { target: Target::Records(list), items, options: how.options, note: how.note, is_kept: true };
    let deletion = services.deletions.delete_many(&authorized.caller, &asked).await?;
    let report = BulkDeletionReport::of(list, &asked.items, &deletion, &Links(&settings.public_url));
    let mut response = HttpResponse::Ok();
    with_deletion_id(&mut response, &deletion);
    Ok(hal(&request, response, &report))
}

/// What the deletion takes in its query.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct BulkDeletionParams {
    /// `soft` into the trash, `hard` for good. `hard` takes the scope `deletions:hard`.
    #[serde(default)]
    #[param(inline, required = false)]
    mode: ModeParam,
    /// All or nothing. Still 200, with the report.
    #[serde(default)]
    #[param(required = false)]
    atomic: bool,
    /// What to do with a number or reference that several records have.
    #[serde(default)]
    #[param(inline, required = false)]
    on_multiple: OnMultipleParam,
}

/// Identifiers; an operator chooses the most, 100 to 200.
#[derive(utoipa::ToSchema)]
#[schema(min_items = 1, max_items = 200)]
#[expect(dead_code, reason = "the schema of what is read item by item")]
struct IdentifiersBody(Vec<IdentifierBody>);

/// One identifier: `id`, or `phone_number`, or `external_provider` and `external_id`.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct IdentifierBody {
    /// A record's id.
    id: Option<String>,
    /// A phone number of one or more records. One that is not 1 to 20 digits, with spaces, `-`, `(` and `)` at most 40
    /// characters, is INVALID_IDENTIFIER.
    phone_number: Option<String>,
    /// The other system that knows the person. Of 1 to 255 characters, or else INVALID_IDENTIFIER.
    external_provider: Option<String>,
    /// The person's id there, likewise.
    external_id: Option<String>,
}

fn identifiers(body: Value, limit: usize) -> Result<Vec<Identifier>, Error> {
    let Value::Array(items) = body else { return Err(Error::invalid("body", "an array of identifiers is required")) };
    if items.is_empty() {
        return Err(Error::invalid("body", "must name at least one"));
    }
    if items.len() > limit {
        return Err(Error::invalid(format!("[{limit}]"), format!("at most {limit} items are allowed")));
    }
    let items: Vec<Identifier> =
        items.into_iter().enumerate().map(|(index, item)| identifier(index, item)).collect::<Result<_, _>>()?;
    let kind = items.first().map_or("", Identifier::fields);
    let mixed: Vec<FieldError> = items
        .iter()
        .enumerate()
        .filter(|(_, item)| item.fields() != kind)
        .map(|(index, _)| FieldError {
            field: format!("[{index}]"),
            message: format!("must have {kind}, as the first item does"),
        })
        .collect();
    if mixed.is_empty() { Ok(items) } else { Err(Error::Invalid(mixed)) }
}

fn identifier(index: usize, item: Value) -> Result<Identifier, Error> {
    let at = format!("[{index}]");
    if !item.is_object() {
        return Err(Error::invalid(at, "must be an object"));
    }
    let item: IdentifierBody = body::typed(item, &at)?;
    match (item.id, item.phone_number, item.external_provider, item.external_id) {
        (Some(id), None, None, None) => Ok(Identifier::Id(id)),
        (None, Some(number), None, None) => Ok(Identifier::PhoneNumber(number)),
        (None, None, Some(provider), Some(id)) => Ok(Identifier::External { provider, id }),
        (None, None, Some(_), None) => {
            Err(Error::invalid(format!("{at}.external_id"), "is required beside external_provider"))
        }
        (None, None, None, Some(_)) => {
            Err(Error::invalid(format!("{at}.external_provider"), "is required beside external_id"))
        }
        _ => {
            Err(Error::invalid(at, "must have exactly one of id, phone_number, and external_provider with external_id"))
        }
    }
}

/// What became of each item.
#[derive(Serialize, utoipa::ToSchema)]
struct BulkDeletionReport {
    /// The list.
    record_list_id: String,
    /// Whether one or more items failed.
    has_errors: bool,
    /// How many items were deleted.
    #[schema(minimum = 0)]
    total_deleted: usize,
    /// How many items failed.
    #[schema(minimum = 0)]
    total_errors: usize,
    /// How many records were deleted.
    #[schema(minimum = 0)]
    records_deleted: usize,
    /// Where the records and the list are.
    #[serde(rename = "_links")]
    links: RecordsLinks,
    /// What failed, and why.
    #[serde(rename = "_embedded")]
    embedded: FailedRecords,
}

/// What failed, and why.
#[derive(Serialize, utoipa::ToSchema)]
struct FailedRecords {
    /// The items that failed, in the order sent.
    failed_records: Vec<FailedRecordBody>,
    /// The identifiers that failed for the two commonest reasons, as sent.
    reason: ReasonLists,
}

/// Identifiers by why they failed.
#[derive(Default, Serialize, utoipa::ToSchema)]
struct ReasonLists {
    /// Malformed, or named before in the same request.
    bad_request_param: Vec<String>,
    /// Unknown, or deleted before.
    record_not_found: Vec<String>,
}

/// An item that failed.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = FailedRecordItem)]
struct FailedRecordBody {
    /// The identifier as it was sent.
    id: String,
    /// Where the record is, or was; only for a well-formed record id.
    #[serde(rename = "_links", skip_serializing_if = "Option::is_none")]
    links: Option<FailedRecordLinks>,
    /// Why, in a word: NOT_FOUND, ALREADY_DELETED, INVALID_IDENTIFIER, DUPLICATE_IN_REQUEST, AMBIGUOUS, ON_HOLD,
    /// ROLLED_BACK or BUSY.
    reason: &'static str,
    /// Why, for people.
    message: &'static str,
}

/// Where a record is, or was.
#[derive(Serialize, utoipa::ToSchema)]
struct FailedRecordLinks {
    /// Here.
    #[serde(rename = "self")]
    this: Link,
}

impl BulkDeletionReport {
    fn of(list: Uuid, items: &[Identifier], deletion: &Deletion, links: &Links<'_>) -> Self {
        let mut failed_records = Vec::new();
        let mut reason = ReasonLists::default();
        for (item, outcome) in items.iter().zip(&deletion.outcomes) {
            let Outcome::Failed(failure) = outcome else { continue };
            match failure.reason {
                Reason::InvalidIdentifier | Reason::DuplicateInRequest => reason.bad_request_param.push(item.echo()),
                Reason::NotFound | Reason::AlreadyDeleted => reason.record_not_found.push(item.echo()),
                _ => {}
            }
            let is_record_id = matches!(item, Identifier::Id(id) if ids::parse_uuid(id).is_some());
            failed_records.push(FailedRecordBody {
                links: is_record_id.then(|| FailedRecordLinks { this: links.record(list, &item.echo()) }),
                id: item.echo(),
                reason: failure.reason.code(),
                message: failure.reason.message(),
            });
        }
        Self {
            record_list_id: list.to_string(),
            has_errors: !failed_records.is_empty(),
            total_deleted: deletion.successful(),
            total_errors: failed_records.len(),
            records_deleted: deletion.rows(),
            links: RecordsLinks { this: links.records(list), record_list: links.list(list) },
            embedded: FailedRecords { failed_records, reason },
        }
    }
}
