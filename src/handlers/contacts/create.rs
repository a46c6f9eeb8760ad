//! Contacts are created.

use actix_web::{HttpResponse, post, web};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Answer, ContactBody, ContactsAccess, ContactsBodyErrors, ContactsErrors, example_contact, within_limits};
use crate::domain::contact::{CellPhone, Created, NewContact};
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
    request_body(content = Vec<NewContactBody>, description = "One to 1,000 contacts.", example = json!([{
        "firstName": "john", "lastName": "doe", "salutation": "mr",
        "cellPhone": {"extension": "+", "phoneNumber": "9876543210", "countryCode": "+91"}
    }])),
    responses(
        (status = 200, description = "One result for each contact, in the order given: the contact, or why it was not created.",
         body = Vec<CreatedBody>, example = json!([example_contact("ACTIVE"), {
            "errors": [{"msg": "cellPhone.phoneNumber: another contact has this number", "code": 409, "reason": "PHONE_NUMBER_TAKEN"}],
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
    let parsed: Vec<Result<NewContact, Error>> = items.into_iter().map(new_contact).collect();
    let new: Vec<NewContact> = parsed.iter().filter_map(|item| item.as_ref().ok().cloned()).collect();
    let mut created = services.contacts.create(&authorized.caller, authorized.stream(), &new).await?.into_iter();
    let answer: Vec<CreatedBody> = parsed
        .into_iter()
        .map(|item| match item {
            Ok(_) => created.next().map_or_else(
                || CreatedBody::failed(&Error::Internal("a contact has no result")),
                |created| CreatedBody::of(created, &authorized.caller),
            ),
            Err(error) => CreatedBody::failed(&error),
        })
        .collect();
    Ok(HttpResponse::Ok().json(answer))
}

/// A contact that is to be created.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", expecting = "an object")]
struct NewContactBody {
    /// First name, at most 255 characters.
    first_name: String,
    /// Last name, at most 255 characters.
    last_name: String,
    /// How the person is addressed.
    #[serde(default, deserialize_with = "body::null_is_absent")]
    #[schema(required = false)]
    salutation: String,
    /// The number.
    cell_phone: NewCellPhoneBody,
    /// Postal addresses, kept as given.
    #[serde(default, deserialize_with = "body::null_is_absent")]
    #[schema(required = false)]
    address: Vec<Value>,
    /// Twitter profiles, kept as given.
    #[serde(default, deserialize_with = "body::null_is_absent")]
    #[schema(required = false)]
    twitter_details: Vec<Value>,
}

/// The number of a contact that is to be created.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", expecting = "an object")]
struct NewCellPhoneBody {
    /// The dialing prefix, kept as given.
    #[schema(default = "+")]
    extension: Option<String>,
    /// The number, with or without its country code; spaces, `-`, `(` and `)` do not count.
    phone_number: String,
    /// The country calling code, such as `+91`.
    country_code: String,
}

fn new_contact(item: Value) -> Result<NewContact, Error> {
    body::not_an_array("cellPhone", item.get("cellPhone").unwrap_or_default())?;
    let new: NewContactBody = body::typed(item, "")?;
    body::required_text("firstName", &new.first_name, 255)?;
    body::required_text("lastName", &new.last_name, 255)?;
    body::text("salutation", &new.salutation, 255)?;
    let extension = new.cell_phone.extension.unwrap_or_else(|| "+".to_owned());
    body::text("cellPhone.extension", &extension, 20)?;
    body::required_text("cellPhone.countryCode", &new.cell_phone.country_code, 10)?;
    let address = Value::Array(new.address);
    body::storable("address", &address)?;
    let twitter_details = Value::Array(new.twitter_details);
    body::storable("twitterDetails", &twitter_details)?;
    let (code, number) = (&new.cell_phone.country_code, &new.cell_phone.phone_number);
    let (Some(phone_number), Some(phone_key)) =
        (phone::with_country_code(code, number), PhoneKey::parse_national(code, number))
    else {
        return Err(Error::invalid("cellPhone.phoneNumber", "not a phone number with that country code"));
    };
    Ok(NewContact {
        first_name: new.first_name,
        last_name: new.last_name,
        salutation: new.salutation,
        cell_phone: CellPhone { extension, phone_number, country_code: new.cell_phone.country_code },
        phone_key,
        address,
        twitter_details,
    })
}

/// One result of a create call.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(untagged)]
enum CreatedBody {
    /// The contact.
    Contact(Box<ContactBody>),
    /// Why it was not created.
    Failed(NotCreatedBody),
}

impl CreatedBody {
    fn of(created: Created, caller: &Caller) -> Self {
        match created {
            Created::Contact(contact) => CreatedBody::Contact(Box::new(ContactBody::of(*contact, caller))),
            Created::NumberTaken { by } => CreatedBody::Failed(NotCreatedBody {
                errors: vec![ErrorItem {
                    msg: "cellPhone.phoneNumber: another contact has this number".to_owned(),
                    code: 409,
                    reason: "PHONE_NUMBER_TAKEN",
                }],
                conflicting_id: by.map(|id| id.to_string()),
            }),
        }
    }

    fn failed(error: &Error) -> Self {
        CreatedBody::Failed(NotCreatedBody { errors: ErrorItem::of(error), conflicting_id: None })
    }
}

/// Why a contact was not created.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct NotCreatedBody {
    /// What is wrong.
    errors: Vec<ErrorItem>,
    /// The live contact that has the number.
    #[serde(skip_serializing_if = "Option::is_none")]
    conflicting_id: Option<String>,
}
