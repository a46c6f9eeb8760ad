//! Errors on the wire. What each error's status is stands in one table; how it
//! is said differs by family.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use serde::Serialize;
use serde_json::json;

use super::campaigns::CampaignsFamily;
use super::contacts::ContactsFamily;
use super::json_text;
use super::oauth::OauthFamily;
use super::openapi::Document;
use super::record_lists::RecordListsFamily;
use crate::domain::contact_import::RowProblem;
use crate::domain::deletion::Reason;
use crate::error::{Error, FieldError};

/// A family of paths, in what it says when something is wrong.
pub trait Family: 'static {
    /// The content type of its errors.
    const CONTENT_TYPE: &'static str;
    /// How it asks who calls.
    const CHALLENGE: &'static str = "Bearer";

    /// The error in the family's envelope.
    fn envelope(error: &Error) -> serde_json::Value;
}

/// An error on its way out through a family's envelope.
pub struct Failure<F> {
    error: Error,
    family: PhantomData<fn() -> F>,
}

impl<F> From<Error> for Failure<F> {
    fn from(error: Error) -> Self {
        Self { error, family: PhantomData }
    }
}

impl<F> fmt::Debug for Failure<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<F> fmt::Display for Failure<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<F: Family> ResponseError for Failure<F> {
    fn status_code(&self) -> StatusCode {
        status(&self.error)
    }

    fn error_response(&self) -> HttpResponse {
        respond::<F>(&self.error)
    }
}

/// The status of an error, the same in every family.
pub fn status(error: &Error) -> StatusCode {
    match error {
        Error::InvalidToken | Error::InvalidCredentials => StatusCode::UNAUTHORIZED,
        Error::MissingScope(_) => StatusCode::FORBIDDEN,
        Error::Invalid(_) | Error::InvalidRecord(_) | Error::ListFull { .. } | Error::TooManyRecords { .. } => {
            StatusCode::BAD_REQUEST
        }
        Error::Unprocessable(_) | Error::IdempotencyKeyReused => StatusCode::UNPROCESSABLE_ENTITY,
        Error::NotFound(_) | Error::Missing { .. } | Error::NoSuchPath => StatusCode::NOT_FOUND,
        Error::Refused { failure, .. } => match failure.reason {
            Reason::NotFound | Reason::AlreadyDeleted | Reason::InvalidIdentifier => StatusCode::NOT_FOUND,
            Reason::VersionMismatch => StatusCode::PRECONDITION_FAILED,
            Reason::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Reason::DuplicateInRequest
            | Reason::InUse
            | Reason::OnHold
            | Reason::Ambiguous
            | Reason::Active
            | Reason::RolledBack
            | Reason::MaxAffected
            | Reason::Unprocessed
            | Reason::KeyRetaken
            | Reason::ParentDeleted
            | Reason::AlreadyRestored
            | Reason::AlreadyPurged => StatusCode::CONFLICT,
        },
        Error::MaxAffected { .. } | Error::WrongState(_) => StatusCode::CONFLICT,
        Error::Taken { .. } | Error::HasDuplicates { .. } | Error::NotAsExpected(_) | Error::IdempotencyKeyInUse => {
            StatusCode::CONFLICT
        }
        Error::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        Error::UnsupportedMediaType { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Error::ImportBrokeOff { cause, .. } => status(cause),
        Error::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
        Error::Busy | Error::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
        Error::OutcomeUnknown(_) | Error::Replayed | Error::Database(_) | Error::Internal(_) => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
    }
}

/// The native family, and paths of no family: problem details after RFC 9457.
pub struct Native;

impl Family for Native {
    const CONTENT_TYPE: &'static str = "application/problem+json";

    fn envelope(error: &Error) -> serde_json::Value {
        let status = status(error);
        let mut problem = json!({
            "type": "about:blank",
            "title": status.canonical_reason(),
            "status": status.as_u16(),
            "detail": error.message(),
            "reason": error.reason(),
        });
        let fields = error.fields();
        if !fields.is_empty() {
            let field = |wrong: &FieldError| json!({ "field": wrong.field, "message": wrong.message });
            problem["errors"] = fields.iter().map(field).collect();
        }
        problem
    }
}

/// Answers a path that has no operation, or not with this method, in the
/// envelope of the family that the path belongs to.
pub async fn no_such_operation(request: HttpRequest, document: web::Data<Document>) -> HttpResponse {
    let allow = document.methods_at(request.path());
    let error = if allow.is_empty() { Error::NoSuchPath } else { Error::MethodNotAllowed { allow } };
    respond_at(request.path(), &error)
}

/// An error in the envelope of the family that the path belongs to, for where no
/// handler's type says it.
pub fn respond_at(path: &str, error: &Error) -> HttpResponse {
    match path.split('/').nth(1) {
        Some("agentassist") if path.split('/').any(|segment| segment == "campaign") => {
            respond::<CampaignsFamily>(error)
        }
        Some("agentassist") => respond::<ContactsFamily>(error),
        Some("campaign" | "api") => respond::<CampaignsFamily>(error),
        Some("record-lists" | "campaigns") => respond::<RecordListsFamily>(error),
        Some("oauth") => respond::<OauthFamily>(error),
        _ => respond::<Native>(error),
    }
}

fn respond<F: Family>(error: &Error) -> HttpResponse {
    error.log();
    let mut response = HttpResponse::build(status(error));
    let cause = match error {
        Error::ImportBrokeOff { cause, .. } => cause.as_ref(),
        error => error,
    };
    match cause {
        Error::MethodNotAllowed { allow } => {
            response.insert_header((ALLOW, allow.join(", ")));
        }
        Error::IdempotencyKeyInUse | Error::Busy | Error::Overloaded => {
            response.insert_header((RETRY_AFTER, "1"));
        }
        Error::InvalidToken | Error::InvalidCredentials => {
            response.insert_header((WWW_AUTHENTICATE, F::CHALLENGE));
        }
        _ => {}
    }
    response.insert_header((CONTENT_TYPE, F::CONTENT_TYPE)).body(json_text(&F::envelope(error)))
}

/// Why a row of a file can be at odds with a contact that is there.
const NUMBER_TAKEN: &str = "PHONE_NUMBER_TAKEN";

/// One error of the agentassist families.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ErrorItem {
    /// What is wrong, for people; it starts with the name of the field that is wrong.
    pub msg: String,
    /// 4002 where the caller's identity or scope is at fault, else the status.
    pub code: u16,
    /// The same in one word, for programs.
    pub reason: Cow<'static, str>,
}

impl ErrorItem {
    /// The item for a row of a file that has not become a contact.
    pub fn of_row(problem: RowProblem) -> Self {
        let code = if problem.reason == NUMBER_TAKEN { StatusCode::CONFLICT } else { StatusCode::BAD_REQUEST };
        Self { msg: problem.message, code: code.as_u16(), reason: problem.reason.into() }
    }

    /// The items for an error: one for each field that is wrong, else one in all.
    pub fn of(error: &Error) -> Vec<Self> {
        let code = match error {
            Error::InvalidToken | Error::InvalidCredentials | Error::MissingScope(_) => 4002,
            _ => status(error).as_u16(),
        };
        let item = |msg: String| Self { msg, code, reason: error.reason().into() };
        match error {
            Error::Invalid(fields) => {
                fields.iter().map(|field| item(format!("{}: {}", field.field, field.message))).collect()
            }
            _ => vec![item(error.message())],
        }
    }
}
