//! The native family: snake_case, plain resources, problem details.

use actix_web::HttpResponse;
use serde::{Deserialize, Serialize};

use super::auth::{Access, Named};
use super::error::{Failure, Native};
use super::routes::Routes;
use crate::domain::identity::Scope;
use crate::domain::operation::Resource;

pub mod deletions;
pub mod retention;
pub mod trash;

type Answer = Result<HttpResponse, Failure<Native>>;

/// What an operation asks of its caller that takes the scope of what its body names.
pub struct NativeAccess;

impl Access for NativeAccess {
    type Family = Native;
    const SCOPE: Option<Scope> = None;
    const REQUIRED: &'static [Named] = &[];
}

/// What looking deletions up asks of its caller.
pub struct ReadAccess;

impl Access for ReadAccess {
    type Family = Native;
    const SCOPE: Option<Scope> = Some(Scope::DeletionsRead);
    const REQUIRED: &'static [Named] = &[];
}

/// What restoring asks of its caller.
pub struct RestoreAccess;

impl Access for RestoreAccess {
    type Family = Native;
    const SCOPE: Option<Scope> = Some(Scope::DeletionsRestore);
    const REQUIRED: &'static [Named] = &[];
}

/// What the retention asks of its caller.
pub struct RetentionAccess;

impl Access for RetentionAccess {
    type Family = Native;
    const SCOPE: Option<Scope> = Some(Scope::RetentionManage);
    const REQUIRED: &'static [Named] = &[];
}

/// The native family's operations.
pub fn configure(routes: &mut impl Routes) {
    routes
        .service(deletions::create::create_deletion)
        .service(deletions::read::list_deletions)
        .service(deletions::read::get_deletion)
        .service(deletions::read::list_deletion_outcomes)
        .service(deletions::cancel::cancel_deletion)
        .service(deletions::cancel::undo_deletion)
        .service(trash::list_trash)
        .service(trash::restore_trash)
        .service(retention::get_retention)
        .service(retention::set_retention);
}

/// What things belong to: a stream, or a record list. Absent for record lists, which belong to the account.
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct WithinBody {
    /// The stream that contacts, contact lists and campaigns belong to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 39)]
    stream_id: Option<String>,
    /// The list that records are in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 36)]
    record_list_id: Option<String>,
}

impl WithinBody {
    /// What a thing of that kind belongs to, by what is kept of it.
    fn of(resource: Resource, within: String) -> Option<Self> {
        match resource {
            Resource::RecordList => None,
            Resource::Record => Some(Self { record_list_id: Some(within), ..Self::default() }),
            Resource::Contact | Resource::ContactList | Resource::Campaign => {
                Some(Self { stream_id: Some(within), ..Self::default() })
            }
        }
    }
}

/// The native family's error: problem details after RFC 9457.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Problem {
    /// `about:blank`: the status says the kind.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The status in words.
    title: &'static str,
    /// The status.
    status: u16,
    /// What is wrong, for people.
    detail: String,
    /// The same in one word, for programs.
    reason: &'static str,
    /// The fields that are wrong, where that is why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    errors: Vec<ProblemField>,
}

/// A field that is wrong.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ProblemField {
    /// Where it is: a field of the body such as `items[3]`, a header or a query parameter.
    field: String,
    /// What is wrong with it.
    message: String,
}

/// What operations that take a body can answer besides.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "read by the document's generator alone")]
enum NativeBodyErrors {
    /// The body is over 1 MiB, or has too many items.
    #[response(status = 413, content_type = "application/problem+json", example = json!({"type": "about:blank", "title": "Payload Too Large", "status": 413, "detail": "body, in bytes: at most 1048576 allowed", "reason": "TOO_LARGE"}))]
    TooLarge(Problem),
    /// The body is of no type that the operation takes.
    #[response(status = 415, content_type = "application/problem+json", example = json!({"type": "about:blank", "title": "Unsupported Media Type", "status": 415, "detail": "Content-Type: the body must be application/json in UTF-8", "reason": "UNSUPPORTED_MEDIA_TYPE"}))]
    UnsupportedMediaType(Problem),
}

/// What any operation of the family can answer.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "read by the document's generator alone")]
enum NativeErrors {
    /// Malformed: a field, header or parameter is missing, unknown or wrong. Nothing was changed.
    #[response(status = 400, content_type = "application/problem+json", example = json!({"type": "about:blank", "title": "Bad Request", "status": 400, "detail": "resource: is required", "reason": "INVALID_REQUEST", "errors": [{"field": "resource", "message": "is required"}]}))]
    Invalid(Problem),
    /// No valid token, or an account that is not the client's.
    #[response(status = 401, content_type = "application/problem+json", example = json!({"type": "about:blank", "title": "Unauthorized", "status": 401, "detail": "Invalid JWT token", "reason": "UNAUTHENTICATED"}))]
    Unauthenticated(Problem),
    /// The client lacks the scope.
    #[response(status = 403, content_type = "application/problem+json", example = json!({"type": "about:blank", "title": "Forbidden", "status": 403, "detail": "Permission denied. Scope is incorrect!", "reason": "MISSING_SCOPE"}))]
    Forbidden(Problem),
    /// The path does not take this method; the header Allow names those it takes.
    #[response(status = 405, content_type = "application/problem+json", example = json!({"type": "about:blank", "title": "Method Not Allowed", "status": 405, "detail": "This path takes GET, POST", "reason": "METHOD_NOT_ALLOWED"}))]
    MethodNotAllowed(Problem),
    /// Something went wrong on our side; nothing was changed, unless the reason is OUTCOME_UNKNOWN: then the database
    /// broke off at the last moment, and it has to be looked up whether it was done.
    #[response(status = 500, content_type = "application/problem+json", example = json!({"type": "about:blank", "title": "Internal Server Error", "status": 500, "detail": "Something went wrong on our side; nothing was changed", "reason": "INTERNAL"}))]
    Internal(Problem),
    /// Others hold the same rows for too long; Retry-After says when to try again.
    #[response(status = 503, content_type = "application/problem+json", example = json!({"type": "about:blank", "title": "Service Unavailable", "status": 503, "detail": "Another request is changing the same rows; try again", "reason": "BUSY"}))]
    Busy(Problem),
}

#[derive(utoipa::IntoResponses)]
/// No such deletion: unknown, of another account, malformed, or forgotten.
#[response(status = 404, content_type = "application/problem+json", example = json!({"type": "about:blank", "title": "Not Found", "status": 404, "detail": "Deletion not found", "reason": "NOT_FOUND"}))]
#[expect(dead_code, reason = "read by the document's generator alone")]
struct DeletionNotFound(Problem);
