//! Contacts are changed, one or many.

use actix_web::{HttpResponse, put, web};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::create::{check_country_code, check_extension, check_name, check_salutation};
use super::report::{BulkReport, FailedRecord};
use super::{
    Answer, ContactBody, ContactNotFound, ContactsAccess, ContactsBodyErrors, ContactsError, ContactsErrors, Status,
    contact_id, example_contact, within_limits,
};
use crate::domain::contact::{Contact, ContactChange};
use crate::domain::identity::Caller;
use crate::domain::ids::ContactId;
use crate::error::Error;
use crate::handlers::auth::Authorized;
use crate::handlers::body::{self, Body};
use crate::handlers::etag::etag;
use crate::services::Services;

/// Update a contact
///
/// Changes the fields that the body names and leaves the others as they are; `null` leaves a field too. A number comes
/// with its country code, or else keeps the one that is stored. What the service says of a contact (`id`, `createdAt`,
/// …) is ignored, so that a contact can be sent back as it was answered; `status` cannot be changed here. A contact that
/// is in the trash is not found.
#[utoipa::path(
    tag = "contacts",
    operation_id = "update_contact",
    params(
        ("streamId" = String, Path, description = "The stream that the contact belongs to."),
        ("id" = String, Path, description = "The contact.", example = "69609027c1746a6142900000"),
        ("accountId" = String, Header, description = "The account that the token belongs to."),
        ("If-Match" = Option<String>, Header, description = "The ETag that the contact must have.", example = "\"1\""),
    ),
    request_body(content = ContactChangeBody, example = json!({
        "firstName": "john", "lastName": "doe", "salutation": "mr",
        "cellPhone": {"extension": "+", "phoneNumber": "9876543210", "countryCode": "+91"}
    })),
    responses(
        (status = 200, description = "The contact as it is now.", body = ContactBody,
         headers(("ETag" = String, description = "The contact's version.")), example = json!(example_updated())),
        ContactsErrors, ContactsBodyErrors, ContactNotFound, NumberTaken, ContactChanged,
    ),
)]
#[put("/contacts/{id}")]
pub async fn update_contact(
    authorized: Authorized<ContactsAccess>,
    path: web::Path<(String, String)>,
    body: Body,
    services: web::Data<Services>,
) -> Answer {
    let if_match = authorized.if_match()?;
    let change = change(body.value().await?, "")?;
    let id = contact_id(&path.1)?;
    let caller = &authorized.caller;
    let contact = services.contacts.update(caller, authorized.stream(), &id, &change, &if_match).await?;
    Ok(HttpResponse::Ok().insert_header(etag(contact.version)).json(ContactBody::of(contact, caller)))
}

/// Update contacts in bulk
///
/// Changes 1 to 1,000 contacts, each as `PUT /contacts/{id}` does, and answers one outcome for each, in the order sent.
/// What can be changed is changed; a failed one says NOT_FOUND, ALREADY_DELETED, INVALID_IDENTIFIER,
/// DUPLICATE_IN_REQUEST, INVALID_REQUEST (its `message` names the field) or PHONE_NUMBER_TAKEN (`conflictingId` names the
/// contact that has the number). A number is taken when another contact had it before the request, also when that one
/// gives it up in the same request. The contact inside an outcome has its id as `_id` too, as the vendor answers it.
#[utoipa::path(
    tag = "contacts",
    operation_id = "bulk_update_contacts",
    params(
        ("streamId" = String, Path, description = "The stream that the contacts belong to."),
        ("accountId" = String, Header, description = "The account that the token belongs to."),
    ),
    request_body(content = inline(BulkChangesBody), description = "One to 1,000 contacts, each by its id.", example = json!([
        {"id": "69609027c1746a6142900000", "firstName": "john", "lastName": "doe"},
        {"id": "6960cc07b155d194e2f00000", "salutation": "dr"},
        {"id": "6960cbe9b155d194e2f00000", "cellPhone": {"phoneNumber": "9876543211", "countryCode": "+91"}}
    ])),
    responses(
        (status = 200, description = "One outcome for each contact. One that failed because its number is taken has the live contact that has it as `conflictingId`.", body = BulkReport<UpdatedRecord>, example = json!(example_report())),
        ContactsErrors, ContactsBodyErrors,
    ),
)]
#[put("/contacts/bulk-update")]
pub async fn bulk_update_contacts(
    authorized: Authorized<ContactsAccess>,
    body: Body,
    services: web::Data<Services>,
) -> Answer {
    authorized.expects_no_version()?;
    let Value::Array(items) = body.value().await? else {
        return Err(Error::invalid("body", "an array of contacts is required").into());
    };
    within_limits("body", items.len())?;
    let read: Vec<(String, Result<ContactChange, Error>)> =
        items.into_iter().enumerate().map(|(index, item)| identified(index, item)).collect::<Result<_, _>>()?;
    let good: Vec<(Option<ContactId>, ContactChange)> = read
        .iter()
        .filter_map(|(id, change)| change.as_ref().ok().map(|change| (ContactId::parse(id), change.clone())))
        .collect();
    let caller = &authorized.caller;
    let mut changed = services.contacts.update_many(caller, authorized.stream(), &good).await?.into_iter();
    let outcomes = read.into_iter().map(|(id, change)| {
        let result = change.and_then(|_| changed.next().unwrap_or(Err(Error::Internal("a contact has no result"))));
        result.map(|contact| UpdatedRecord::of(contact, caller)).map_err(|error| FailedRecord::of_error(id, &error))
    });
    Ok(HttpResponse::Ok().json(BulkReport::of(outcomes)))
}

/// What an update changes.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", expecting = "an object")]
struct ContactChangeBody {
    /// First name.
    #[schema(min_length = 1, max_length = 255)]
    first_name: Option<String>,
    /// Last name.
    #[schema(min_length = 1, max_length = 255)]
    last_name: Option<String>,
    /// How the person is addressed.
    #[schema(max_length = 255)]
    salutation: Option<String>,
    /// The number.
    cell_phone: Option<CellPhoneChangeBody>,
    /// Postal addresses, kept as given.
    address: Option<Vec<Value>>,
    /// Twitter profiles, kept as given.
    twitter_details: Option<Vec<Value>>,
    /// Must be ACTIVE when it is given: to delete a contact is another operation.
    #[schema(inline)]
    status: Option<Status>,
}

/// What an update changes of a number.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", expecting = "an object")]
struct CellPhoneChangeBody {
    /// The dialing prefix, kept as given.
    #[schema(max_length = 20)]
    extension: Option<String>,
    /// The number, with or without its country code: together 1 to 20 digits. Required when the country code changes.
    #[schema(min_length = 1, max_length = 40)]
    phone_number: Option<String>,
    /// The country calling code, such as `+91`.
    #[schema(min_length = 1, max_length = 10)]
    country_code: Option<String>,
}

/// What a bulk update changes.
#[derive(utoipa::ToSchema)]
#[schema(min_items = 1, max_items = 1000)]
#[expect(dead_code, reason = "the schema of what is read item by item")]
struct BulkChangesBody(Vec<BulkChangeBody>);

/// What a bulk update changes of one contact.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "the schema of what is read in two parts")]
struct BulkChangeBody {
    /// The contact.
    id: String,
    /// What to change.
    #[schema(inline)]
    #[serde(flatten)]
    change: ContactChangeBody,
}

/// One item of a bulk update: its id as sent, and what it changes or what is wrong with that.
fn identified(index: usize, item: Value) -> Result<(String, Result<ContactChange, Error>), Error> {
    let at = format!("[{index}]");
    body::not_an_array(&at, &item)?;
    let Value::Object(fields) = &item else { return Err(Error::invalid(at, "an object is required")) };
    let id = match fields.get("id") {
        Some(Value::String(id)) => id.clone(),
        Some(_) => return Err(Error::invalid(format!("{at}.id"), "must be a string")),
        None => return Err(Error::invalid(format!("{at}.id"), "is required")),
    };
    Ok((id, change(item, "")))
}

fn change(body: Value, at: &str) -> Result<ContactChange, Error> {
    body::not_an_array("cellPhone", body.get("cellPhone").unwrap_or_default())?;
    let body: ContactChangeBody = body::typed(body, at)?;
    if let Some(Status::Inactive) = body.status {
        return Err(Error::invalid("status", "cannot be changed by an update; delete the contact"));
    }
    let cell_phone =
        body.cell_phone.unwrap_or(CellPhoneChangeBody { extension: None, phone_number: None, country_code: None });
    cell_phone.country_code.as_deref().map_or(Ok(()), check_country_code)?;
    let change = ContactChange {
        first_name: body.first_name,
        last_name: body.last_name,
        salutation: body.salutation,
        extension: cell_phone.extension,
        number: match (cell_phone.phone_number, cell_phone.country_code) {
            (Some(number), code) => Some((number, code)),
            (None, None) => None,
            (None, Some(_)) => {
                return Err(Error::invalid("cellPhone.phoneNumber", "is required together with countryCode"));
            }
        },
        address: body.address.map(Value::Array),
        twitter_details: body.twitter_details.map(Value::Array),
    };
    check(&change)?;
    Ok(change)
}

fn check(change: &ContactChange) -> Result<(), Error> {
    if *change == ContactChange::default() {
        return Err(Error::invalid("body", "names nothing that can be changed"));
    }
    change.first_name.as_deref().map_or(Ok(()), |name| check_name("firstName", name))?;
    change.last_name.as_deref().map_or(Ok(()), |name| check_name("lastName", name))?;
    change.salutation.as_deref().map_or(Ok(()), check_salutation)?;
    change.extension.as_deref().map_or(Ok(()), check_extension)?;
    change.address.as_ref().map_or(Ok(()), |address| body::storable("address", address))?;
    change.twitter_details.as_ref().map_or(Ok(()), |details| body::storable("twitterDetails", details))
}

/// A contact that was changed.
#[derive(Serialize, utoipa::ToSchema)]
struct UpdatedRecord {
    /// Its id.
    id: String,
    /// The contact as it is now.
    contact: UpdatedContactBody,
}

/// A contact inside the report of an update.
#[derive(Serialize, utoipa::ToSchema)]
struct UpdatedContactBody {
    /// Its id once more.
    #[serde(rename = "_id")]
    underscore_id: String,
    /// The contact.
    #[serde(flatten)]
    contact: ContactBody,
}

impl UpdatedRecord {
    fn of(contact: Contact, caller: &Caller) -> Self {
        let id = contact.id.to_string();
        let contact = UpdatedContactBody { underscore_id: id.clone(), contact: ContactBody::of(contact, caller) };
        Self { id, contact }
    }
}

#[derive(utoipa::IntoResponses)]
/// Another live contact has the number; `conflictingId` names it.
#[response(status = 409, example = json!({"errors": [{"msg": "cellPhone.phoneNumber: Contact 6960cc07b155d194e2f00000 has this number already", "code": 409, "reason": "PHONE_NUMBER_TAKEN"}], "conflictingId": "6960cc07b155d194e2f00000"}))]
#[expect(dead_code, reason = "read by the document's generator alone")]
struct NumberTaken(ContactsError);

#[derive(utoipa::IntoResponses)]
/// The contact has changed since: its ETag is not the one that If-Match asks for.
#[response(status = 412, example = json!({"errors": [{"msg": "If-Match: Contact 69609027c1746a6142900000 has changed since: its ETag is another", "code": 412, "reason": "VERSION_MISMATCH"}]}))]
#[expect(dead_code, reason = "read by the document's generator alone")]
pub(super) struct ContactChanged(ContactsError);

fn example_updated() -> Value {
    let mut contact = example_contact("ACTIVE");
    contact["updatedBy"] = json!("u-cc6ebd6c-656c-5364-abfc-ad5f80e00000");
    contact["updatedByAId"] = json!("a-6c63a33-c2a7-49e8-a5ab-82449c800000");
    contact
}

fn example_report() -> Value {
    let mut contact = example_updated();
    contact["_id"] = contact["id"].clone();
    json!({
        "totalRequested": 3, "successful": 1, "failed": 2,
        "successfulRecords": [{"id": "69609027c1746a6142900000", "contact": contact}],
        "failedRecords": [{
            "id": "6960cc07b155d194e2f00000", "reason": "NOT_FOUND", "message": "Contact not found", "retryable": false
        }, {
            "id": "6960cbe9b155d194e2f00000", "reason": "PHONE_NUMBER_TAKEN", "retryable": false,
            "message": "cellPhone.phoneNumber: Contact 696090a1c1746a6142900000 has this number already",
            "conflictingId": "696090a1c1746a6142900000"
        }]
    })
}
