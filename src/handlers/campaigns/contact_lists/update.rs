//! Contact lists are changed.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, put, web};
use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::Object;

use super::{
    Answer, Base, CampaignsBodyErrors, CampaignsErrors, ContactListChanged, ContactListNotFound, ContactListsAccess,
    Envelope, PRIORITY, Source, answered_mapping, check_description, check_mapping, list_id, mapping_schema, name,
};
use crate::domain::contact_list::{ContactList, ContactListChange};
use crate::domain::identity::{Caller, Scope};
use crate::error::Error;
use crate::handlers::auth::Authorized;
use crate::handlers::body::Body;
use crate::handlers::campaigns::CampaignsError;
use crate::handlers::etag::etag;
use crate::services::Services;

/// Update a contact list
///
/// Changes the fields that the body names and leaves the others as they are; `null` leaves a field too. The name stays
/// unique among the live lists of the stream. `allowDuplicates: false` is refused while a number is on the list more than
/// once. What the service says of a list (`_id`, `createdAt`, …) is ignored, so that a list can be sent back as it was
/// answered. `data.body` says again what was changed, as it is now, with what the vendor's answers add to it.
#[utoipa::path(
    tag = "campaigns",
    operation_id = "update_contact_list",
    params(
        ("streamId" = String, Path, description = "The stream (application) that the list belongs to."),
        ("contactListId" = String, Path, description = "The list.", example = "cl-c2ce382-2516-457e-8eb4-9847deec0000"),
        ("iid" = String, Header, description = "The stream once more."),
        ("accountId" = String, Header, description = "The account that the token belongs to."),
        ("If-Match" = Option<String>, Header, description = "The ETag that the list must have.", example = "\"1\""),
    ),
    request_body(content = ContactListChangeBody, example = json!({
        "name": "Renewal Due - September 2025", "description": "Services that expire in September 2025."
    })),
    responses(
        (status = 200, description = "What was changed.", body = Envelope<UpdatedBody>, headers(("ETag" = String, description = "The list's version; the people on it do not count.")),
         example = json!({"status": "success", "message": "Contact list Renewal Due - September 2025 updated successfully", "data": {
            "contactListId": "cl-c2ce382-2516-457e-8eb4-9847deec0000",
            "body": {
                "name": "Renewal Due - September 2025", "description": "Services that expire in September 2025.",
                "scope": ["campaign_management"], "orgId": "o-f8b351e7-f83a-51bd-bd42-d5d408600000",
                "iId": "st-0603182c-7ffb-53c3-b307-47ca14b90000", "listType": "call",
                "accountId": "67777ce93e25326494e90000", "updatedBy": "u-eb5bbee1-6af9-5b9a-b471-03a3fe480000"
            }
         }})),
        (status = 409, description = "A live list has the name (NAME_TAKEN: `data.conflictingId` is its id), or the list holds numbers more than once (HAS_DUPLICATES, without `data`).", body = CampaignsError,
         example = json!({"status": "error", "message": "name: Contact list cl-0a11382-2516-457e-8eb4-9847deec0000 has this name already", "errors": [{"msg": "name: Contact list cl-0a11382-2516-457e-8eb4-9847deec0000 has this name already", "code": 409, "reason": "NAME_TAKEN"}], "data": {"conflictingId": "cl-0a11382-2516-457e-8eb4-9847deec0000"}})),
        CampaignsErrors, CampaignsBodyErrors, ContactListNotFound, ContactListChanged,
    ),
)]
#[put("/campaign/contactList/{contactListId}")]
pub async fn update_contact_list(
    authorized: Authorized<ContactListsAccess>,
    base: Base,
    path: web::Path<(String, String)>,
    body: Body,
    services: web::Data<Services>,
) -> Answer {
    let if_match = authorized.if_match()?;
    let change = change(body.json().await?, base)?;
    let id = list_id(&path.1)?;
    let caller = &authorized.caller;
    let list = services.contact_lists.update(caller, authorized.stream(), &id, &change, &if_match).await?;
    let message = format!("Contact list {} updated successfully", list.name);
    let etag = etag(list.version);
    Ok(HttpResponse::Ok()
        .insert_header(etag)
        .json(Envelope::success(message, UpdatedBody::of(list, &change, caller, base))))
}

/// What an update changes.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub struct ContactListChangeBody {
    /// Its name.
    #[schema(min_length = 1, max_length = 48)]
    name: Option<String>,
    /// What it is for.
    #[schema(min_length = 1, max_length = 256)]
    description: Option<String>,
    /// Where the people on it come from.
    #[schema(inline)]
    source: Option<Source>,
    /// Whether a number may be on it more than once.
    allow_duplicates: Option<bool>,
    /// How some of a person's fields are called.
    #[schema(required = false, schema_with = changed_mapping_schema)]
    mapping: Option<BTreeMap<String, String>>,
}

fn changed_mapping_schema() -> Object {
    let description = "How some of a person's fields are called, at most 80 characters each. With those that it has \
                       already, a list has at most 100.";
    mapping_schema(description, None)
}

fn change(body: ContactListChangeBody, base: Base) -> Result<ContactListChange, Error> {
    body.description.as_deref().map_or(Ok(()), check_description)?;
    body.mapping.as_ref().map_or(Ok(()), check_mapping)?;
    let mut mapping = body.mapping.unwrap_or_default();
    if base == Base::Second && mapping.get(PRIORITY).is_some_and(|called| called == PRIORITY) {
        // It is sent back as it was answered; stored, it would appear under the first base path.
        mapping.remove(PRIORITY);
    }
    let change = ContactListChange {
        name: body.name.as_deref().map(name).transpose()?,
        description: body.description,
        source: body.source.map(|source| source.name().to_owned()),
        allow_duplicates: body.allow_duplicates,
        mapping,
    };
    if change == ContactListChange::default() {
        return Err(Error::invalid("body", "names nothing that can be changed"));
    }
    Ok(change)
}

/// What was changed.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct UpdatedBody {
    /// The list.
    contact_list_id: String,
    /// What the request named, as it is now, and whose it is.
    body: UpdatedFields,
}

/// What the request named, as it is now, and whose it is.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct UpdatedFields {
    /// Its name; there also where it did not change.
    name: String,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// Where the people on it come from.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    /// Whether a number may be on it more than once.
    #[serde(skip_serializing_if = "Option::is_none")]
    allow_duplicates: Option<bool>,
    /// How a person's fields are called.
    #[serde(skip_serializing_if = "Option::is_none")]
    mapping: Option<serde_json::Value>,
    /// The scope that the change took.
    scope: [&'static str; 1],
    /// The account's organisation.
    org_id: String,
    /// The stream.
    i_id: String,
    /// `call`.
    list_type: String,
    /// The account.
    account_id: String,
    /// The user who changed it.
    updated_by: String,
}

impl UpdatedBody {
    fn of(list: ContactList, change: &ContactListChange, caller: &Caller, base: Base) -> Self {
        Self {
            contact_list_id: list.id.to_string(),
            body: UpdatedFields {
                name: list.name,
                description: change.description.clone(),
                source: change.source.clone(),
                allow_duplicates: change.allow_duplicates,
                mapping: (!change.mapping.is_empty()).then(|| answered_mapping(list.mapping, base)),
                scope: [Scope::CampaignManagement.name()],
                org_id: caller.org_id.clone(),
                i_id: list.stream_id.to_string(),
                list_type: list.list_type,
                account_id: caller.account_id.to_string(),
                updated_by: list.updated_by,
            },
        }
    }
}
