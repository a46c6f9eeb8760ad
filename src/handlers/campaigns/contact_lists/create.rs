//! Contact lists are created.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, post, web};
use serde::Deserialize;
use serde_json::Value;
use utoipa::openapi::schema::Object;

use super::{
    Answer, Base, CampaignsBodyErrors, CampaignsErrors, ContactListBody, ContactListsAccess, Envelope, Source,
    check_description, check_mapping, example_list, mapping_schema, name,
};
use crate::domain::contact_list::{MAX_MAPPING, NewContactList, identity_mapping};
use crate::error::Error;
use crate::handlers::auth::Authorized;
use crate::handlers::body::{self, Body};
use crate::handlers::campaigns::CampaignsError;
use crate::handlers::etag::etag;
use crate::services::Services;

/// Create a contact list
///
/// The name is unique among the live lists of the stream, in whatever case; a deleted list's name can be used again at
/// once. `mapping` defaults to each of its five fields under its own name.
#[utoipa::path(
    tag = "campaigns",
    operation_id = "create_contact_list",
    params(
        ("streamId" = String, Path, description = "The stream (application) that the list belongs to.", example = "st-0603182c-7ffb-53c3-b307-47ca14b90000"),
        ("iid" = String, Header, description = "The stream once more."),
        ("accountId" = String, Header, description = "The account that the token belongs to.", example = "67777ce93e25326494e90000"),
    ),
    request_body(content = NewContactListBody, example = json!({
        "name": "Renewal Due - August 2025", "description": "Services that expire in August 2025.",
        "source": "passiveApiIntegration", "allowDuplicates": true
    })),
    responses(
        (status = 200, description = "The list.", body = Envelope<ContactListBody>, headers(("ETag" = String, description = "The list's version; the people on it do not count.")),
         example = json!({"status": "success", "message": "Contact list Renewal Due - August 2025 created successfully", "data": example_list()})),
        (status = 409, description = "A live list has the name: `data.conflictingId` is its id.", body = CampaignsError,
         example = json!({"status": "error", "message": "name: Contact list cl-c2ce382-2516-457e-8eb4-9847deec0000 has this name already", "errors": [{"msg": "name: Contact list cl-c2ce382-2516-457e-8eb4-9847deec0000 has this name already", "code": 409, "reason": "NAME_TAKEN"}], "data": {"conflictingId": "cl-c2ce382-2516-457e-8eb4-9847deec0000"}})),
        CampaignsErrors, CampaignsBodyErrors,
    ),
)]
#[post("/campaign/contactList/createContactList")]
pub async fn create_contact_list(
    authorized: Authorized<ContactListsAccess>,
    base: Base,
    body: Body,
    services: web::Data<Services>,
) -> Answer {
    let new = new_list(body.json().await?)?;
    let list = services.contact_lists.create(&authorized.caller, authorized.stream(), &new).await?;
    let message = format!("Contact list {} created successfully", list.name);
    let etag = etag(list.version);
    Ok(HttpResponse::Ok()
        .insert_header(etag)
        .json(Envelope::success(message, ContactListBody::of(list, &authorized.caller, base))))
}

/// A contact list that is to be created.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub struct NewContactListBody {
    /// Its name, at most 48 characters.
    #[schema(min_length = 1, max_length = 48)]
    name: String,
    /// What it is for, at most 256 characters.
    #[schema(min_length = 1, max_length = 256)]
    description: String,
    /// Where the people on it come from.
    source: Source,
    /// Whether a number may be on it more than once.
    #[serde(default, deserialize_with = "body::null_is_absent")]
    #[schema(required = false, nullable)]
    allow_duplicates: bool,
    /// How a person's fields are called; each of the five that is not given is called as it is.
    #[schema(required = false, schema_with = new_mapping_schema)]
    mapping: Option<BTreeMap<String, String>>,
}

/// The most fields that a creation names: with the five they are no more than a list has.
const MAX_NAMED: usize = MAX_MAPPING - 5;

fn new_mapping_schema() -> Object {
    let description = "How a person's fields are called, at most 95 of at most 80 characters each; each of the five \
                       fields that is not given is called as it is.";
    mapping_schema(description, Some(MAX_NAMED))
}

fn new_list(new: NewContactListBody) -> Result<NewContactList, Error> {
    let name = name(&new.name)?;
    check_description(&new.description)?;
    let given = new.mapping.unwrap_or_default();
    check_mapping(&given)?;
    if given.len() > MAX_NAMED {
        return Err(Error::TooLarge { what: "mapping", limit: MAX_NAMED });
    }
    let mut mapping = identity_mapping();
    for (field, called) in given {
        mapping[field] = Value::String(called);
    }
    Ok(NewContactList {
        name,
        description: new.description,
        source: new.source.name().to_owned(),
        allow_duplicates: new.allow_duplicates,
        mapping,
    })
}
