//! Contact lists of campaigns.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, delete, get, post, web};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{
    Answer, CampaignInUse, CampaignsBodyErrors, CampaignsErrors, ContactListNotFound, ContactListsAccess,
    DeletionParams, Envelope,
};
use crate::domain::contact_list::{ContactList, NewContactList, NewMember, identity_mapping, list_name_key};
use crate::domain::identity::Caller;
use crate::domain::ids::ContactListId;
use crate::domain::phone::PhoneKey;
use crate::error::{Error, Thing};
use crate::handlers::auth::Authorized;
use crate::handlers::body::{self, Body};
use crate::handlers::error::ErrorItem;
use crate::handlers::etag::etag;
use crate::handlers::{params, timestamp, with_deletion_id};
use crate::services::Services;

/// The most people that one request adds.
const MAX_ADDED: usize = 1000;

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
        (status = 200, description = "The list.", body = Envelope<ContactListBody>,
         example = json!({"status": "success", "message": "Contact list Renewal Due - August 2025 created successfully", "data": example_list()})),
        (status = 409, description = "A live list has the name.", body = super::CampaignsError,
         example = json!({"status": "error", "message": "name: Contact list cl-c2ce382-2516-457e-8eb4-9847deec0000 has this name already", "errors": [{"msg": "name: Contact list cl-c2ce382-2516-457e-8eb4-9847deec0000 has this name already", "code": 409, "reason": "NAME_TAKEN"}]})),
        CampaignsErrors, CampaignsBodyErrors,
    ),
)]
#[post("/campaign/contactList/createContactList")]
pub async fn create_contact_list(
    authorized: Authorized<ContactListsAccess>,
    body: Body,
    services: web::Data<Services>,
) -> Answer {
    let new = new_list(body.json().await?)?;
    let list = services.contact_lists.create(&authorized.caller, authorized.stream(), &new).await?;
    let message = format!("Contact list {} created successfully", list.name);
    let etag = etag(list.version);
    Ok(HttpResponse::Ok()
        .insert_header(etag)
        .json(Envelope::success(message, ContactListBody::of(list, &authorized.caller))))
}

/// Add people to a contact list
///
/// Adds 1 to 1,000 people to the live list of that name. A list made with `allowDuplicates: false` leaves out numbers
/// that it has already. People on a list are not contacts: deleting the one does not touch the other. They are there
/// when the answer is sent; the message is the vendor's.
#[utoipa::path(
    tag = "campaigns",
    operation_id = "add_contacts_to_contact_list",
    params(
        ("streamId" = String, Path, description = "The stream (application) that the list belongs to."),
        ("iid" = String, Header, description = "The stream once more."),
        ("accountId" = String, Header, description = "The account that the token belongs to."),
    ),
    request_body(content = AddContactsBody, example = json!({
        "contact_list_name": "Renewal Due - August 2025",
        "data": [{"phoneNumber": "+14155550100", "firstName": "Ada", "lastName": "Byron", "timeZone": "America/Los_Angeles", "uniqueId": "A-1"}]
    })),
    responses(
        (status = 200, description = "They were added.", body = AddedBody, example = json!({"message": "Adding contacts to public list is in progress"})),
        CampaignsErrors, CampaignsBodyErrors, ContactListNotFound,
    ),
)]
#[post("/campaign/contactList/addContacts")]
pub async fn add_contacts(
    authorized: Authorized<ContactListsAccess>,
    body: Body,
    services: web::Data<Services>,
) -> Answer {
    let AddContactsBody { contact_list_name, data } = body.json().await?;
    match data.len() {
        0 => return Err(Error::invalid("data", "must name at least one").into()),
        1..=MAX_ADDED => {}
        _ => return Err(Error::TooLarge { what: "data", limit: MAX_ADDED }.into()),
    }
    let contact_list_name = contact_list_name.trim();
    body::required_text("contact_list_name", contact_list_name, 48)?;
    let members =
        data.into_iter().enumerate().map(|(index, person)| new_member(index, person)).collect::<Result<Vec<_>, _>>()?;
    services.contact_lists.add_members(&authorized.caller, authorized.stream(), contact_list_name, &members).await?;
    Ok(HttpResponse::Ok().json(AddedBody { message: "Adding contacts to public list is in progress" }))
}

/// Get a contact list
///
/// `campaignInUse` names the live campaigns that are attached, at most 50; `isListInUse` says whether one of them is
/// Active, Scheduled, Rescheduled, Preparing or Paused. `totalRecordCount` is counted when it is read.
#[utoipa::path(
    tag = "campaigns",
    operation_id = "get_contact_list",
    params(
        ("streamId" = String, Path, description = "The stream (application) that the list belongs to."),
        ("contactListId" = String, Path, description = "The list.", example = "cl-c2ce382-2516-457e-8eb4-9847deec0000"),
        ("iid" = String, Header, description = "The stream once more."),
        ("accountId" = String, Header, description = "The account that the token belongs to."),
    ),
    responses(
        (status = 200, description = "The list.", body = Envelope<ContactListBody>,
         example = json!({"status": "success", "message": "", "data": example_list()})),
        CampaignsErrors, ContactListNotFound,
    ),
)]
#[get("/campaign/contactList/{contactListId}")]
pub async fn get_contact_list(
    authorized: Authorized<ContactListsAccess>,
    path: web::Path<(String, String)>,
    services: web::Data<Services>,
) -> Answer {
    let id = list_id(&path.1)?;
    let list = services.contact_lists.find(&authorized.caller, authorized.stream(), &id).await?;
    let etag = etag(list.version);
    Ok(HttpResponse::Ok()
        .insert_header(etag)
        .json(Envelope::success("", ContactListBody::of(list, &authorized.caller))))
}

/// Delete a contact list
///
/// Moves the list to the trash, and the people on it with it, and answers the list as it was before. With `mode=hard`
/// the list, live or in the trash, and the people on it are gone for good when the answer is sent; that takes the scope
/// `deletions:hard`. A list is refused deletion while any live campaign is attached to it, whatever the campaign's
/// status: the answer names the campaigns. A list that is being attached at the same moment is either attached or
/// deleted, never both. The operation takes no body; an empty one passes with any Content-Type.
#[utoipa::path(
    tag = "campaigns",
    operation_id = "delete_contact_list",
    params(
        ("streamId" = String, Path, description = "The stream (application) that the list belongs to."),
        ("contactListId" = String, Path, description = "The list.", example = "cl-c2ce382-2516-457e-8eb4-9847deec0000"),
        ("iid" = String, Header, description = "The stream once more."),
        ("accountId" = String, Header, description = "The account that the token belongs to."),
        DeletionParams,
    ),
    responses(
        (status = 200, description = "The list as it was before.", body = Envelope<ContactListBody>,
         headers(("Deletion-Id" = String, description = "The deletion's id, under which the ledger has it.")),
         example = json!({"status": "success", "message": "Contact list Renewal Due - August 2025 deleted successfully", "data": example_list()})),
        (status = 409, description = "The list is attached to campaigns (IN_USE), or is on hold (ON_HOLD, without `data`).", body = InUseBody,
         example = json!({
            "status": "error", "message": "Contact list Renewal Due - August 2025 is attached to 1 campaigns",
            "errors": [{"msg": "Contact list Renewal Due - August 2025 is attached to 1 campaigns", "code": 409, "reason": "IN_USE"}],
            "data": {"_id": "cl-c2ce382-2516-457e-8eb4-9847deec0000", "name": "Renewal Due - August 2025", "isListInUse": true,
                     "campaignInUse": [{"id": "cd-5f0e1c7-2516-457e-8eb4-9847deec0000", "name": "August renewals", "status": "Active"}],
                     "campaignInUseCount": 1}
         })),
        CampaignsErrors, CampaignsBodyErrors, ContactListNotFound,
    ),
)]
#[delete("/campaign/contactList/{contactListId}")]
pub async fn delete_contact_list(
    authorized: Authorized<ContactListsAccess>,
    path: web::Path<(String, String)>,
    body: Body,
    services: web::Data<Services>,
) -> Answer {
    let params: DeletionParams = authorized.params()?;
    body.none().await?;
    let id = list_id(&path.1)?;
    let options = params::single(params.mode, authorized.if_match()?);
    let caller = &authorized.caller;
    let (deletion, list) = services.deletions.delete_contact_list(caller, authorized.stream(), &id, options).await?;
    let message = format!("Contact list {} deleted successfully", list.name);
    let body = Envelope::success(message, ContactListBody::of(list, caller));
    Ok(with_deletion_id(&mut HttpResponse::Ok(), &deletion).json(body))
}

/// A contact list that is to be created.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub struct NewContactListBody {
    /// Its name, at most 48 characters.
    #[schema(min_length = 1, max_length = 48)]
    name: String,
    /// What it is for, at most 256 characters.
    #[schema(max_length = 256)]
    description: String,
    /// Where the people on it come from.
    source: Source,
    /// Whether a number may be on it more than once.
    #[serde(default, deserialize_with = "body::null_is_absent")]
    #[schema(required = false)]
    allow_duplicates: bool,
    /// How a person's fields are called; each of the five that is not given is called as it is.
    #[schema(required = false)]
    mapping: Option<BTreeMap<String, String>>,
}

/// Where the people on a list come from.
#[derive(Clone, Copy, Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ContactListSource)]
enum Source {
    /// The public API.
    PassiveApi,
    /// The public API, by an integration.
    PassiveApiIntegration,
}

fn new_list(new: NewContactListBody) -> Result<NewContactList, Error> {
    let name = new.name.trim();
    body::required_text("name", name, 48)?;
    // The lower-cased name is longer than the name for a few letters.
    body::text("name", &list_name_key(name), 144)?;
    body::required_text("description", &new.description, 256)?;
    let mut mapping = identity_mapping();
    for (field, called) in new.mapping.unwrap_or_default() {
        body::required_text(&format!("mapping.{field}"), &called, 80)?;
        body::text("mapping", &field, 80)?;
        mapping[field] = Value::String(called);
    }
    Ok(NewContactList {
        name: name.to_owned(),
        description: new.description,
        source: match new.source {
            Source::PassiveApi => "passiveApi",
            Source::PassiveApiIntegration => "passiveApiIntegration",
        }
        .to_owned(),
        allow_duplicates: new.allow_duplicates,
        mapping,
    })
}

/// People that are to be added to a list.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(expecting = "an object")]
pub struct AddContactsBody {
    /// The list's name, in whatever case.
    contact_list_name: String,
    /// 1 to 1,000 people, each with a `phoneNumber`; what else is said of them is kept as given.
    #[schema(value_type = Vec<PersonBody>, min_items = 1, max_items = 1000)]
    data: Vec<Map<String, Value>>,
}

/// A person on a list.
#[derive(utoipa::ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "the schema of what is read as a map")]
struct PersonBody {
    /// The number.
    phone_number: String,
    /// First name.
    first_name: Option<String>,
    /// Last name.
    last_name: Option<String>,
    /// A zone of the tz database.
    time_zone: Option<String>,
    /// The person in the caller's system.
    unique_id: Option<String>,
}

fn new_member(index: usize, mut person: Map<String, Value>) -> Result<NewMember, Error> {
    let field = format!("data[{index}].phoneNumber");
    let phone_number = match person.shift_remove("phoneNumber") {
        Some(Value::String(number)) => number,
        Some(_) => return Err(Error::invalid(field, "must be a string")),
        None => return Err(Error::invalid(field, "is required")),
    };
    let phone_key = PhoneKey::parse(&phone_number).ok_or_else(|| Error::invalid(field, "not a phone number"))?;
    let details = Value::Object(person);
    body::storable(&format!("data[{index}]"), &details)?;
    let Value::Object(details) = details else { return Err(Error::Internal("an object is an object")) };
    Ok(NewMember { phone_number, phone_key, details })
}

/// What the vendor answers.
#[derive(Serialize, utoipa::ToSchema)]
struct AddedBody {
    /// The vendor's sentence.
    message: &'static str,
}

/// A contact list.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContactListBody {
    /// Its id.
    #[serde(rename = "_id")]
    id: String,
    /// Whether it is live, rather than in the trash.
    is_active: bool,
    /// The account's organisation.
    org_id: String,
    /// Its name.
    name: String,
    /// Its name in lower case.
    lname: String,
    /// What it is for.
    description: String,
    /// How many people are on it.
    total_record_count: i64,
    /// `Ready`.
    status: String,
    /// The user who created it.
    created_by: String,
    /// The user who last changed it.
    updated_by: String,
    /// How a person's fields are called.
    mapping: Value,
    /// Whether an attached campaign is Active, Scheduled, Rescheduled, Preparing or Paused.
    is_list_in_use: bool,
    /// The stream.
    i_id: String,
    /// `call` or `sms`.
    list_type: String,
    /// The live campaigns that are attached, at most 50. Objects, as in the vendor's samples.
    campaign_in_use: Vec<CampaignInUse>,
    /// The account.
    account_id: String,
    /// Where the people on it come from.
    source: String,
    /// How numbers that come twice are treated.
    api_configurations: ApiConfigurations,
    /// Files it was filled from.
    files: Value,
    /// When it was created.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it last changed.
    #[schema(format = DateTime)]
    updated_at: String,
}

/// How a list treats numbers that come twice.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct ApiConfigurations {
    /// `allowDuplicates` or `removeDuplicates`.
    data_sync_mode: &'static str,
}

impl ContactListBody {
    fn of(list: ContactList, caller: &Caller) -> Self {
        Self {
            id: list.id.to_string(),
            is_active: list.live,
            org_id: caller.org_id.clone(),
            lname: list_name_key(&list.name),
            name: list.name,
            description: list.description,
            total_record_count: list.total_record_count,
            status: list.status,
            created_by: list.created_by,
            updated_by: list.updated_by,
            mapping: list.mapping,
            is_list_in_use: list.attachments.in_use,
            i_id: list.stream_id.to_string(),
            list_type: list.list_type,
            campaign_in_use: CampaignInUse::all(&list.attachments),
            account_id: caller.account_id.to_string(),
            source: list.source,
            api_configurations: ApiConfigurations {
                data_sync_mode: if list.allow_duplicates { "allowDuplicates" } else { "removeDuplicates" },
            },
            files: list.files,
            created_at: timestamp(list.created_at),
            updated_at: timestamp(list.updated_at),
        }
    }
}

/// The refusal of a list that is in use.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "the schema of what Family::envelope makes")]
struct InUseBody {
    /// `error`.
    status: &'static str,
    /// Which list, and how many campaigns.
    message: String,
    /// The same, as the family's errors are.
    errors: Vec<ErrorItem>,
    /// What is in the way.
    data: InUseData,
}

/// What is in the way of a list's deletion.
#[derive(utoipa::ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "the schema of what Family::envelope makes")]
struct InUseData {
    /// The list.
    #[schema(rename = "_id")]
    id: String,
    /// Its name.
    name: String,
    /// Whether one of the campaigns is Active, Scheduled, Rescheduled, Preparing or Paused. May be false here: a list
    /// that only stopped campaigns are attached to is refused too.
    is_list_in_use: bool,
    /// The campaigns, at most 50.
    campaign_in_use: Vec<CampaignInUse>,
    /// How many there are.
    campaign_in_use_count: i64,
}

fn list_id(text: &str) -> Result<ContactListId, Error> {
    ContactListId::parse(text).ok_or(Error::NotFound(Thing::ContactList))
}

fn example_list() -> Value {
    json!({
        "_id": "cl-c2ce382-2516-457e-8eb4-9847deec0000", "isActive": true,
        "orgId": "o-f8b351e7-f83a-51bd-bd42-d5d408600000",
        "name": "Renewal Due - August 2025", "lname": "renewal due - august 2025",
        "description": "Services that expire in August 2025.",
        "totalRecordCount": 0, "status": "Ready",
        "createdBy": "u-eb5bbee1-6af9-5b9a-b471-03a3fe480000", "updatedBy": "u-eb5bbee1-6af9-5b9a-b471-03a3fe480000",
        "mapping": identity_mapping(),
        "isListInUse": false, "iId": "st-0603182c-7ffb-53c3-b307-47ca14b90000", "listType": "call", "campaignInUse": [],
        "accountId": "67777ce93e25326494e90000", "source": "passiveApiIntegration",
        "apiConfigurations": {"dataSyncMode": "allowDuplicates"}, "files": [],
        "createdAt": "2025-06-26T12:32:02.735Z", "updatedAt": "2025-06-26T12:38:25.793Z"
    })
}
