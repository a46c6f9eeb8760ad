//! Contacts are created.

use actix_web::{HttpResponse, post, web};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Answer, ContactBody, ContactsAccess, ContactsBodyErrors, ContactsErrors, example_contact, within_limits};
use crate::domain::contact::{CellPhone, Contact, NewContact};
use crate::domain::contact_import::RowProblem;
use crate::domain::identity::Caller;
use crate::domain::phone::{self, PhoneKey};
use crate::error::Error;
use crate::handlers::auth::Authorized;
use crate::handlers::body::{self, Body};
use crate::handlers::error::ErrorItem;
use crate::services::Services;

/// Create contacts
///
/// Creates up to 1,000 contacts and answers one result for each, in the order given. A contact that cannot be created
/// has `errors` in its place and does not keep the others from being created; `conflictingId` names the live contact
/// that has the number already. A stream has one live contact for each phone number; the number of a deleted contact
/// can be used again at once.
#[utoipa::path(
    tag = "contacts",
    operation_id = "create_contacts",
    params(
        ("streamId" = String, Path, description = "The stream (bot, app) that the contacts belong to.", example = "st-7dc994f0-4436-5134-9fa8-a94262500000"),
        ("accountId" = String, Header, description = "The account that the token belongs to.", example = "65f7d49a5dd06e2cefa00000"),
    ),
    request_body(content = inline(NewContactsBody), description = "One to 1,000 contacts.", example = json!([{
        "firstName": "john", "lastName": "doe", "salutation": "mr",
        "cellPhone": {"extension": "+", "phoneNumber": "9876543210", "countryCode": "+91"}
    }])),
    responses(
        (status = 200, description = "One result for each contact, in the order given: the contact, or why it was not created.",
         body = Vec<CreatedBody>, example = json!([example_contact("ACTIVE"), {
            "errors": [{"msg": "cellPhone.phoneNumber: Contact 69609027c1746a6142900000 has this number already", "code": 409, "reason": "PHONE_NUMBER_TAKEN"}],
            "conflictingId": "69609027c1746a6142900000"
        }])),
        ContactsErrors, ContactsBodyErrors,
    ),
)]
#[post("/contacts")]
pub async fn create_contacts(
    authorized: Authorized<ContactsAccess>,
    body: Body,
    services: web::Data<Services>,
) -> Answer {
    let Value::Array(items) = body.value().await? else {
        return Err(Error::invalid("body", "an array of contacts is required").into());
    };
    within_limits("body", items.len())?;
    let read: Vec<Result<NewContact, Error>> = items.into_iter().map(new_contact).collect();
    let good: Vec<NewContact> = read.iter().flatten().cloned().collect();
    let mut created = services.contacts.create(&authorized.caller, authorized.stream(), &good).await?.into_iter();
    let results = read.into_iter().map(|read| match read {
        Ok(_) => created.next().unwrap_or(Err(Error::Internal("a contact has no result"))),
        Err(error) => Err(error),
    });
    Ok(HttpResponse::Ok().json(results.map(|result| CreatedBody::of(result, &authorized.caller)).collect::<Vec<_>>()))
}

/// Contacts that are to be created.
#[derive(utoipa::ToSchema)]
#[schema(min_items = 1, max_items = 1000)]
#[expect(dead_code, reason = "the schema of what is read item by item")]
struct NewContactsBody(Vec<NewContactBody>);

/// A contact that is to be created.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub(super) struct NewContactBody {
    /// First name, at most 255 characters.
    #[schema(min_length = 1, max_length = 255)]
    pub(super) first_name: String,
    /// Last name, at most 255 characters.
    #[schema(min_length = 1, max_length = 255)]
    pub(super) last_name: String,
    /// How the person is addressed, at most 255 characters.
    #[serde(default, deserialize_with = "body::null_is_absent")]
    #[schema(required = false, nullable, max_length = 255)]
    pub(super) salutation: String,
    /// The number.
    pub(super) cell_phone: NewCellPhoneBody,
    /// Postal addresses, kept as given.
    #[serde(default, deserialize_with = "body::null_is_absent")]
    #[schema(required = false, nullable)]
    pub(super) address: Vec<Value>,
    /// Twitter profiles, kept as given.
    #[serde(default, deserialize_with = "body::null_is_absent")]
    #[schema(required = false, nullable)]
    pub(super) twitter_details: Vec<Value>,
}

/// The number of a contact that is to be created.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub(super) struct NewCellPhoneBody {
    /// The dialing prefix, kept as given, at most 20 characters.
    #[schema(default = "+", max_length = 20)]
    pub(super) extension: Option<String>,
    /// The number, with or without its country code: together 1 to 20 digits. Spaces, `-`, `(` and `)` do not count as
    /// digits; with them it has at most 40 characters.
    #[schema(min_length = 1, max_length = 40)]
    pub(super) phone_number: String,
    /// The country calling code, such as `+91`, at most 10 characters.
    #[schema(min_length = 1, max_length = 10)]
    pub(super) country_code: String,
}

fn new_contact(item: Value) -> Result<NewContact, Error> {
    body::not_an_array("cellPhone", item.get("cellPhone").unwrap_or_default())?;
    body::typed::<NewContactBody>(item, "")?.check()
}

impl NewContactBody {
    /// The contact, when all its parts are as they must be.
    pub(super) fn check(self) -> Result<NewContact, Error> {
        check_name("firstName", &self.first_name)?;
        check_name("lastName", &self.last_name)?;
        check_salutation(&self.salutation)?;
        let extension = self.cell_phone.extension.unwrap_or_else(|| "+".to_owned());
        check_extension(&extension)?;
        check_country_code(&self.cell_phone.country_code)?;
        let (address, twitter_details) = (Value::Array(self.address), Value::Array(self.twitter_details));
        body::storable("address", &address)?;
        body::storable("twitterDetails", &twitter_details)?;
        let (code, number) = (&self.cell_phone.country_code, &self.cell_phone.phone_number);
        let (Some(phone_number), Some(phone_key)) =
            (phone::with_country_code(code, number), PhoneKey::parse_national(code, number))
        else {
            return Err(Error::invalid("cellPhone.phoneNumber", "not a phone number with that country code"));
        };
        Ok(NewContact {
            first_name: self.first_name,
            last_name: self.last_name,
            salutation: self.salutation,
            cell_phone: CellPhone { extension, phone_number, country_code: self.cell_phone.country_code },
            phone_key,
            address,
            twitter_details,
        })
    }
}

pub(super) fn check_name(field: &str, name: &str) -> Result<(), Error> {
    body::required_text(field, name, 255)
}

pub(super) fn check_salutation(salutation: &str) -> Result<(), Error> {
    body::text("salutation", salutation, 255)
}

pub(super) fn check_extension(extension: &str) -> Result<(), Error> {
    body::text("cellPhone.extension", extension, 20)
}

pub(super) fn check_country_code(code: &str) -> Result<(), Error> {
    let field = "cellPhone.countryCode";
    body::required_text(field, code, 10)?;
    if phone::is_country_code(code) { Ok(()) } else { Err(Error::invalid(field, "not a country code such as +91")) }
}

/// One result of a create call.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub(super) enum CreatedBody {
    /// The contact.
    Contact(Box<ContactBody>),
    /// Why it was not created.
    Failed(NotCreatedBody),
}

impl CreatedBody {
    fn of(created: Result<Contact, Error>, caller: &Caller) -> Self {
        match created {
            Ok(contact) => CreatedBody::Contact(Box::new(ContactBody::of(contact, caller))),
            Err(error) => CreatedBody::Failed(NotCreatedBody {
                conflicting_id: error.conflicting_id().map(str::to_owned),
                errors: ErrorItem::of(&error),
            }),
        }
    }

    /// What became of a row of a file.
    pub(super) fn of_row(created: Result<Contact, RowProblem>, caller: &Caller) -> Self {
        match created {
            Ok(contact) => CreatedBody::Contact(Box::new(ContactBody::of(contact, caller))),
            Err(problem) => CreatedBody::Failed(NotCreatedBody {
                conflicting_id: problem.conflicting_id.clone(),
                errors: vec![ErrorItem::of_row(problem)],
            }),
        }
    }
}

/// Why a contact was not created.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct NotCreatedBody {
    /// What is wrong.
    errors: Vec<ErrorItem>,
    /// The live contact that has the number.
    #[serde(skip_serializing_if = "Option::is_none")]
    conflicting_id: Option<String>,
}
