//! The contacts family: camelCase, bare objects, `{"errors":[…]}`.

use actix_web::HttpResponse;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::auth::{Access, Named};
use super::error::{ErrorItem, Failure, Family};
use super::routes::Routes;
use super::timestamp;
use crate::domain::contact::{Contact, ContactStatus};
use crate::domain::identity::{Caller, Scope};
use crate::domain::ids::ContactId;
use crate::error::{Error, Thing};

pub mod create;
pub mod delete;
pub mod import;
pub mod read;
mod report;
pub mod update;

/// The most contacts that one request creates or deletes.
pub const MAX_ITEMS: usize = 1000;

/// The contacts family.
pub struct ContactsFamily;

impl Family for ContactsFamily {
    const CONTENT_TYPE: &'static str = "application/json";

    fn envelope(error: &Error) -> Value {
        let mut envelope = json!({ "errors": ErrorItem::of(error) });
        if let Some(id) = error.conflicting_id() {
            envelope["conflictingId"] = json!(id);
        }
        envelope
    }
}

/// What every operation of the family asks of its caller.
pub struct ContactsAccess;

impl Access for ContactsAccess {
    type Family = ContactsFamily;
    const SCOPE: Option<Scope> = Some(Scope::Configuration);
    const REQUIRED: &'static [Named] = &[Named::Account];
}

type Answer = Result<HttpResponse, Failure<ContactsFamily>>;

/// The family's operations. They are tried in this order: what comes by the thousand comes first, and a literal path
/// before the one that takes an id.
pub fn configure(routes: &mut impl Routes) {
    routes
        .service(delete::bulk_delete_contacts)
        .service(delete::delete_contact)
        .service(delete::post_bulk_delete_contacts)
        .service(create::create_contacts)
        .service(read::list_contacts)
        .service(import::import_contacts)
        .service(import::list_contact_imports)
        .service(import::list_contact_import_results)
        .service(import::get_contact_import)
        .service(update::bulk_update_contacts)
        .service(read::get_contact)
        .service(update::update_contact);
}

/// A contact.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct ContactBody {
    /// First name.
    first_name: String,
    /// Last name.
    last_name: String,
    /// First and last name.
    full_name: String,
    /// How the person is addressed.
    salutation: String,
    /// The number.
    cell_phone: CellPhoneBody,
    /// ACTIVE, or INACTIVE when it has been deleted.
    status: Status,
    /// The stream that it belongs to.
    instance_bot_id: String,
    /// The account's organisation.
    org_id: String,
    /// The account.
    account_id: String,
    /// The user who created it.
    created_by: String,
    /// The agent that created it.
    created_by_a_id: String,
    /// The user who last updated it.
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_by: Option<String>,
    /// The agent that last updated it.
    #[serde(rename = "updatedByAId", skip_serializing_if = "Option::is_none")]
    updated_by_aid: Option<String>,
    /// Postal addresses.
    address: Value,
    /// Twitter profiles.
    twitter_details: Value,
    /// When it was created.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it last changed, its deletion included.
    #[schema(format = DateTime)]
    updated_at: String,
    /// Its id.
    id: String,
}

impl ContactBody {
    fn of(contact: Contact, caller: &Caller) -> Self {
        Self {
            full_name: contact.full_name(),
            first_name: contact.first_name,
            last_name: contact.last_name,
            salutation: contact.salutation,
            cell_phone: CellPhoneBody {
                extension: contact.cell_phone.extension,
                phone_number: contact.cell_phone.phone_number,
                country_code: contact.cell_phone.country_code,
            },
            status: match contact.status {
                ContactStatus::Active => Status::Active,
                ContactStatus::Inactive => Status::Inactive,
            },
            instance_bot_id: contact.stream_id.to_string(),
            org_id: caller.org_id.clone(),
            account_id: caller.account_id.to_string(),
            created_by: contact.created_by,
            created_by_a_id: contact.created_by_aid,
            updated_by: contact.updated_by,
            updated_by_aid: contact.updated_by_aid,
            address: contact.address,
            twitter_details: contact.twitter_details,
            created_at: timestamp(contact.created_at),
            updated_at: timestamp(contact.updated_at),
            id: contact.id.to_string(),
        }
    }
}

/// A contact's number.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct CellPhoneBody {
    /// The dialing prefix.
    extension: String,
    /// `+`, country code and digits.
    phone_number: String,
    /// The country calling code.
    country_code: String,
}

/// Whether a contact is live.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "UPPERCASE")]
enum Status {
    /// Live.
    Active,
    /// In the trash, or gone.
    Inactive,
}

fn contact_id(text: &str) -> Result<ContactId, Error> {
    ContactId::parse(text).ok_or(Error::NotFound(Thing::Contact))
}

fn within_limits(field: &'static str, count: usize) -> Result<(), Error> {
    match count {
        0 => Err(Error::invalid(field, "must name at least one")),
        1..=MAX_ITEMS => Ok(()),
        _ => Err(Error::TooLarge { what: field, limit: MAX_ITEMS }),
    }
}

/// The family's error envelope.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct ContactsError {
    /// The live contact that has the number, where that is why.
    #[serde(rename = "conflictingId", skip_serializing_if = "Option::is_none")]
    conflicting_id: Option<String>,
    /// What is wrong.
    errors: Vec<ErrorItem>,
}

/// What operations that take a body can answer besides.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "read by the document's generator alone")]
enum ContactsBodyErrors {
    /// The body is over 1 MiB, or has over 1,000 items.
    #[response(status = 413, example = json!({"errors": [{"msg": "ids: at most 1000 allowed", "code": 413, "reason": "TOO_LARGE"}]}))]
    TooLarge(ContactsError),
    /// The body is not JSON by its Content-Type.
    #[response(status = 415, example = json!({"errors": [{"msg": "Content-Type: the body must be application/json in UTF-8", "code": 415, "reason": "UNSUPPORTED_MEDIA_TYPE"}]}))]
    UnsupportedMediaType(ContactsError),
}

/// What any operation of the family can answer.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "read by the document's generator alone")]
enum ContactsErrors {
    /// Malformed: a field, header or parameter is missing, unknown or wrong. Nothing was changed.
    #[response(status = 400, example = json!({"errors": [{"msg": "ids[1]: invalid type: integer `7`, expected a string", "code": 400, "reason": "INVALID_REQUEST"}]}))]
    Invalid(ContactsError),
    /// No valid token, or an account or stream that is not the client's.
    #[response(status = 401, example = json!({"errors": [{"msg": "Invalid JWT token", "code": 4002, "reason": "UNAUTHENTICATED"}]}))]
    Unauthenticated(ContactsError),
    /// The client lacks the scope.
    #[response(status = 403, example = json!({"errors": [{"msg": "Permission denied. Scope is incorrect!", "code": 4002, "reason": "MISSING_SCOPE"}]}))]
    Forbidden(ContactsError),
    /// The path does not take this method; the header Allow names those it takes.
    #[response(status = 405, example = json!({"errors": [{"msg": "This path takes GET, POST", "code": 405, "reason": "METHOD_NOT_ALLOWED"}]}))]
    MethodNotAllowed(ContactsError),
    /// Something went wrong on our side; nothing was changed, unless the reason is OUTCOME_UNKNOWN: then the database
    /// broke off at the last moment, and it has to be looked up whether it was done.
    #[response(status = 500, example = json!({"errors": [{"msg": "Something went wrong on our side; nothing was changed", "code": 500, "reason": "INTERNAL"}]}))]
    Internal(ContactsError),
    /// Others hold the same rows for too long; Retry-After says when to try again.
    #[response(status = 503, example = json!({"errors": [{"msg": "Another request is changing the same rows; try again", "code": 503, "reason": "BUSY"}]}))]
    Busy(ContactsError),
}

#[derive(utoipa::IntoResponses)]
/// No such contact: unknown, of another account or stream, malformed, or deleted before.
#[response(status = 404, example = json!({"errors": [{"msg": "Contact not found", "code": 404, "reason": "NOT_FOUND"}]}))]
#[expect(dead_code, reason = "read by the document's generator alone")]
struct ContactNotFound(ContactsError);

fn example_contact(status: &str) -> Value {
    json!({
        "firstName": "john", "lastName": "doe", "fullName": "john doe", "salutation": "mr",
        "cellPhone": {"extension": "+", "phoneNumber": "+919876543210", "countryCode": "+91"},
        "status": status,
        "instanceBotId": "st-7dc994f0-4436-5134-9fa8-a94262500000",
        "orgId": "o-16ff21d2-5d27-5fb2-b9bd-9fedb5f00000",
        "accountId": "65f7d49a5dd06e2cefa00000",
        "createdBy": "u-cc6ebd6c-656c-5364-abfc-ad5f80e00000",
        "createdByAId": "a-6c63a33-c2a7-49e8-a5ab-82449c800000",
        "address": [], "twitterDetails": [],
        "createdAt": "2026-01-09T05:20:39.374Z", "updatedAt": "2026-01-09T09:19:37.307Z",
        "id": "69609027c1746a6142900000"
    })
}
