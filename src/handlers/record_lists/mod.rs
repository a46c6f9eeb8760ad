//! The record lists family: snake_case, HAL, errors with a code and fields.

use actix_web::http::header::{ACCEPT, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::auth::{Access, Named};
use super::error::{self, Failure, Family};
use super::json_text;
use super::routes::Routes;
use crate::domain::deletion::Reason;
use crate::domain::identity::Scope;
use crate::domain::ids::{self, CampaignId};
use crate::domain::record::RecordError;
use crate::error::{Error, FieldError, Thing};

mod bulk;
pub mod bulk_create;
pub mod bulk_delete;
pub mod bulk_update;
pub mod campaigns;
pub mod create;
pub mod delete;
mod json_patch;
pub mod list_status;
pub mod lists;
mod paging;
pub mod patch;
mod person;
pub mod records;
pub mod timezones;

/// The record lists family.
pub struct RecordListsFamily;

impl Family for RecordListsFamily {
    const CONTENT_TYPE: &'static str = "application/json";

    fn envelope(error: &Error) -> Value {
        let field = |name: &str, description: &str| json!({ "name": name, "description": description });
        let fields: Vec<Value> = match error {
            Error::TooManyRecords { limit } => vec![field(&format!("records[{limit}]"), &error.message())],
            // The campaigns that hold on to a list, each by its id.
            Error::Refused { failure, .. } if failure.reason == Reason::InUse => failure
                .blockers
                .campaigns
                .iter()
                .map(|campaign| {
                    let description = format!("Campaign {} is {}", campaign.name, campaign.status.name());
                    field(campaign.id.as_str(), &description)
                })
                .collect(),
            Error::Taken { .. } => {
                let message = error.message();
                message.split_once(": ").map(|(name, description)| field(name, description)).into_iter().collect()
            }
            _ => error.fields().iter().map(|wrong| field(&wrong.field, &wrong.message)).collect(),
        };
        let (code, message) = code(error);
        json!({ "code": code, "message": message, "description": error.message(), "fields": fields })
    }
}

/// The vendor's code and sentence for an error. Where the vendor has none, the
/// code of a bad request stands for whatever the caller can mend.
fn code(error: &Error) -> (&'static str, &'static str) {
    match error {
        Error::InvalidToken | Error::InvalidCredentials => ("0530901", "Missing or invalid authentication token."),
        Error::MissingScope(_) => ("0530902", "Insufficient scopes for the requested operation."),
        Error::NotFound(Thing::RecordList) | Error::Missing { thing: Thing::RecordList, .. } => {
            ("0530910", "Record List not found.")
        }
        Error::NotFound(Thing::Campaign) => ("0530900", "Campaign not found."),
        Error::NotFound(_) => ("0530920", "Record not found."),
        Error::Refused { failure, thing, .. } if failure.reason == Reason::AlreadyDeleted => {
            code(&Error::NotFound(*thing))
        }
        Error::Refused { .. } | Error::Taken { .. } | Error::NotAsExpected(_) => {
            ("0530907", "Record List is in a state where the operation is not possible.")
        }
        Error::ListFull { .. } => ("0530911", "Record List is full."),
        Error::Unprocessable(_) => ("0530905", "Unprocessable record."),
        Error::InvalidRecord(_) if error.says(RecordError::PhoneNumberMissing) => {
            ("0530921", "Missing required Phone Number.")
        }
        Error::InvalidRecord(_) if error.says(RecordError::TimezoneUnmatched) => {
            ("0530940", "Unable to find suitable timezone.")
        }
        Error::TooManyRecords { .. } => ("0530936", "Exceeded limit of records to insert."),
        Error::Invalid(fields) if fields.iter().any(|field| field.field == "unique_identifier_type") => {
            ("0530941", "Invalid unique identifier type.")
        }
        Error::Invalid(fields) if fields.iter().any(is_missing_number) => ("0530921", "Missing required Phone Number."),
        Error::NoSuchPath => ("0530900", "Not found."),
        Error::Busy | Error::Overloaded => ("0530999", "Try again."),
        Error::OutcomeUnknown(_) => ("0530999", "Outcome unknown."),
        Error::Database(_) | Error::Internal(_) => ("0530999", "Internal error."),
        _ if error::status(error).is_client_error() => ("0530900", "Bad request."),
        _ => ("0530999", "Internal error."),
    }
}

fn is_missing_number(wrong: &FieldError) -> bool {
    wrong.field == "phone_number" && ["is required", "must not be empty"].contains(&wrong.message.as_str())
}

/// What every operation of the family asks of its caller.
pub struct RecordListsAccess;

impl Access for RecordListsAccess {
    type Family = RecordListsFamily;
    const SCOPE: Option<Scope> = Some(Scope::RecordListsManage);
    const REQUIRED: &'static [Named] = &[];
}

/// What changing a list's status asks of its caller.
pub struct RecordListsWriteAccess;

impl Access for RecordListsWriteAccess {
    type Family = RecordListsFamily;
    const SCOPE: Option<Scope> = Some(Scope::RecordListsWrite);
    const REQUIRED: &'static [Named] = &[];
}

type Answer = Result<HttpResponse, Failure<RecordListsFamily>>;

/// The family's operations. A literal path comes before the one that takes an id.
pub fn configure(routes: &mut impl Routes) {
    routes
        .service(lists::list_record_lists)
        .service(lists::create_record_list)
        .service(lists::get_record_list)
        .service(list_status::update_record_list)
        .service(bulk_create::bulk_create_records)
        .service(bulk_update::bulk_update_records)
        .service(bulk_delete::bulk_delete_records)
        .service(timezones::list_record_timezones)
        .service(records::list_records)
        .service(create::create_record)
        .service(records::get_record)
        .service(patch::update_record)
        .service(delete::delete_records_by_phone_number)
        .service(delete::delete_record)
        .service(delete::delete_external_records)
        .service(delete::delete_record_list);
}

/// The family's operations on campaigns.
pub fn configure_campaigns(routes: &mut impl Routes) {
    routes
        .service(campaigns::list_campaign_record_lists)
        .service(campaigns::attach_record_lists)
        .service(campaigns::detach_record_lists);
}

/// A body in the content type that the caller accepts: HAL, or plain JSON when
/// that is named and HAL is not.
fn hal(request: &HttpRequest, mut response: HttpResponseBuilder, body: &impl Serialize) -> HttpResponse {
    let accept = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let plain = accept.contains("application/json") && !accept.contains("application/hal+json");
    let content_type = if plain { "application/json" } else { "application/hal+json" };
    response.insert_header((CONTENT_TYPE, content_type)).body(json_text(body))
}

/// A link.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Link {
    /// Where to.
    href: String,
}

/// Where a list's records and the list are.
#[derive(Serialize, utoipa::ToSchema)]
struct RecordsLinks {
    /// The records.
    #[serde(rename = "self")]
    this: Link,
    /// The list.
    record_list: Link,
}

/// Links, built on the configured public URL.
struct Links<'a>(&'a str);

impl Links<'_> {
    fn lists(&self) -> Link {
        Link { href: format!("{}/record-lists", self.0) }
    }

    fn list(&self, list: Uuid) -> Link {
        Link { href: format!("{}/record-lists/{list}", self.0) }
    }

    fn records(&self, list: Uuid) -> Link {
        Link { href: format!("{}/record-lists/{list}/records", self.0) }
    }

    fn timezones(&self, list: Uuid) -> Link {
        Link { href: format!("{}/record-lists/{list}/records/timezones", self.0) }
    }

    fn record_lists_of(&self, campaign: &CampaignId) -> Link {
        Link { href: format!("{}/campaigns/{campaign}/record-lists", self.0) }
    }

    fn record(&self, list: Uuid, record: &str) -> Link {
        Link { href: format!("{}/record-lists/{list}/records/{record}", self.0) }
    }
}

fn record_list_id(text: &str) -> Result<Uuid, Error> {
    ids::parse_uuid(text).ok_or(Error::NotFound(Thing::RecordList))
}

/// The family's error envelope.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct RecordListsError {
    /// The vendor's code.
    code: &'static str,
    /// The vendor's sentence.
    message: &'static str,
    /// What is wrong, for people.
    description: String,
    /// The fields that are wrong; always there.
    fields: Vec<FieldBody>,
}

/// A field that is wrong.
#[derive(Serialize, utoipa::ToSchema)]
struct FieldBody {
    /// Where it is, such as `[3].id`.
    name: String,
    /// What is wrong with it.
    description: String,
}

/// What goes on in the background.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct QueuedBody {
    /// The list.
    record_list_id: String,
    /// Where it is looked up.
    #[serde(rename = "_links")]
    links: QueuedLinks,
}

/// Where what goes on in the background is looked up.
#[derive(Serialize, utoipa::ToSchema)]
struct QueuedLinks {
    /// The deletion.
    deletion: Link,
}

impl QueuedBody {
    fn of(list: Uuid, deletion: Uuid, public_url: &str) -> Self {
        let href = format!("{public_url}/v1/deletions/{deletion}");
        Self { record_list_id: list.to_string(), links: QueuedLinks { deletion: Link { href } } }
    }
}

fn example_queued() -> Value {
    json!({
        "record_list_id": "8858c834-481d-4a02-8176-cffc02c50350",
        "_links": {"deletion": {"href": "https://expunge.example/v1/deletions/01a20694-3b1c-7d35-a9fe-12ab34cd56ef"}}
    })
}

/// What operations that take a body can answer besides.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "read by the document's generator alone")]
enum RecordListsBodyErrors {
    /// The body is over 1 MiB.
    #[response(status = 413, example = json!({"code": "0530900", "message": "Bad request.", "description": "body, in bytes: at most 1048576 allowed", "fields": []}))]
    TooLarge(RecordListsError),
    /// The body is not JSON by its Content-Type.
    #[response(status = 415, example = json!({"code": "0530900", "message": "Bad request.", "description": "Content-Type: the body must be application/json in UTF-8", "fields": []}))]
    UnsupportedMediaType(RecordListsError),
}

/// What any operation of the family can answer.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "read by the document's generator alone")]
enum RecordListsErrors {
    /// Malformed: a field or parameter is missing, unknown or wrong. Nothing was changed.
    #[response(status = 400, example = json!({"code": "0530900", "message": "Bad request.", "description": "[1].id: invalid type: integer `7`, expected a string", "fields": [{"name": "[1].id", "description": "invalid type: integer `7`, expected a string"}]}))]
    Invalid(RecordListsError),
    /// No valid token.
    #[response(status = 401, example = json!({"code": "0530901", "message": "Missing or invalid authentication token.", "description": "Invalid JWT token", "fields": []}))]
    Unauthenticated(RecordListsError),
    /// The client lacks the scope.
    #[response(status = 403, example = json!({"code": "0530902", "message": "Insufficient scopes for the requested operation.", "description": "Permission denied. Scope is incorrect!", "fields": []}))]
    Forbidden(RecordListsError),
    /// The path does not take this method; the header Allow names those it takes.
    #[response(status = 405, example = json!({"code": "0530900", "message": "Bad request.", "description": "This path takes GET", "fields": []}))]
    MethodNotAllowed(RecordListsError),
    /// Something went wrong on our side; nothing was changed, unless the message is "Outcome unknown.": then the database
    /// broke off at the last moment, and it has to be looked up whether it was done.
    #[response(status = 500, example = json!({"code": "0530999", "message": "Internal error.", "description": "Something went wrong on our side; nothing was changed", "fields": []}))]
    Internal(RecordListsError),
    /// Others hold the same rows for too long; Retry-After says when to try again.
    #[response(status = 503, example = json!({"code": "0530999", "message": "Try again.", "description": "Another request is changing the same rows; try again", "fields": []}))]
    Busy(RecordListsError),
}

#[derive(utoipa::IntoResponses)]
/// No such record list (0530910): unknown, of another account, malformed, or deleted before.
#[response(status = 404, example = json!({"code": "0530910", "message": "Record List not found.", "description": "Record List not found", "fields": []}))]
#[expect(dead_code, reason = "read by the document's generator alone")]
struct RecordListNotFound(RecordListsError);

#[derive(utoipa::IntoResponses)]
/// No such record (0530920), or no such record list (0530910).
#[response(status = 404, example = json!({"code": "0530920", "message": "Record not found.", "description": "Record not found", "fields": []}))]
#[expect(dead_code, reason = "read by the document's generator alone")]
struct RecordNotFound(RecordListsError);

#[derive(utoipa::IntoResponses)]
/// It has not the ETag that If-Match asks for. Nothing was changed.
#[response(status = 412, example = json!({"code": "0530907", "message": "Record List is in a state where the operation is not possible.", "description": "If-Match: Record List 8858c834-481d-4a02-8176-cffc02c50350 has changed since: its ETag is another", "fields": []}))]
#[expect(dead_code, reason = "read by the document's generator alone")]
struct VersionMismatch(RecordListsError);
