//! Contact lists of campaigns.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};

use super::{
    Answer, Base, CampaignInUse, CampaignsBodyErrors, CampaignsErrors, ContactListNotFound, ContactListsAccess,
    DeletionParams, Envelope,
};
use crate::domain::contact_list::{ContactList, identity_mapping, list_name_key};
use crate::domain::identity::Caller;
use crate::domain::ids::ContactListId;
use crate::error::{Error, Thing};
use crate::handlers::body;
use crate::handlers::timestamp;

pub mod create;
pub mod delete;
pub mod members;
pub mod read;
pub mod update;

/// A field of the mapping that the vendor answers under the second base path only.
const PRIORITY: &str = "contactPriority";

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

impl Source {
    fn name(self) -> &'static str {
        match self {
            Source::PassiveApi => "passiveApi",
            Source::PassiveApiIntegration => "passiveApiIntegration",
        }
    }
}

/// A list's name, without white space around it.
fn name(name: &str) -> Result<String, Error> {
    let name = name.trim();
    body::required_text("name", name, 48)?;
    // The lower-cased name is longer than the name for a few letters.
    body::text("name", &list_name_key(name), 144)?;
    Ok(name.to_owned())
}

fn check_description(description: &str) -> Result<(), Error> {
    body::required_text("description", description, 256)
}

fn check_mapping(mapping: &BTreeMap<String, String>) -> Result<(), Error> {
    mapping.iter().try_for_each(|(field, called)| {
        body::text("mapping", field, 80)?;
        body::required_text(&format!("mapping.{field}"), called, 80)
    })
}

/// The schema of a mapping.
fn mapping_schema(description: &str, most: Option<usize>) -> Object {
    let text = |least| ObjectBuilder::new().schema_type(Type::String).min_length(least).max_length(Some(80));
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::Object, Type::Null]))
        .description(Some(description))
        .property_names(Some(text(None).build()))
        .additional_properties(Some(text(Some(1))))
        .max_properties(most)
        .build()
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
    /// Whether a number may be on it more than once. This and the next three are absent where a deletion is answered under
    /// the first base path.
    #[serde(skip_serializing_if = "Option::is_none")]
    allow_duplicates: Option<bool>,
    /// Whether it is the list of those who must not be called; `false`.
    #[serde(rename = "isGlobalDNC", skip_serializing_if = "Option::is_none")]
    is_global_dnc: Option<bool>,
    /// Whether the service made it; `false`.
    #[serde(skip_serializing_if = "Option::is_none")]
    is_default: Option<bool>,
    /// The columns of the files it was filled from; none.
    #[serde(skip_serializing_if = "Option::is_none")]
    columns: Option<Vec<Value>>,
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
    /// The list as the vendor's deletion answers it: under the first base path in exactly the fields that it names.
    fn deleted(list: ContactList, caller: &Caller, base: Base) -> Self {
        let body = Self::of(list, caller, base);
        match base {
            Base::First => {
                Self { allow_duplicates: None, is_global_dnc: None, is_default: None, columns: None, ..body }
            }
            Base::Second => body,
        }
    }

    fn of(list: ContactList, caller: &Caller, base: Base) -> Self {
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
            mapping: answered_mapping(list.mapping, base),
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
            allow_duplicates: Some(list.allow_duplicates),
            is_global_dnc: Some(false),
            is_default: Some(false),
            columns: Some(Vec::new()),
            created_at: timestamp(list.created_at),
            updated_at: timestamp(list.updated_at),
        }
    }
}

/// A list's mapping, with what the base path answers besides.
fn answered_mapping(mut mapping: Value, base: Base) -> Value {
    if base == Base::Second && mapping.get(PRIORITY).is_none() {
        mapping[PRIORITY] = json!(PRIORITY);
    }
    mapping
}

fn list_id(text: &str) -> Result<ContactListId, Error> {
    ContactListId::parse(text).ok_or(Error::NotFound(Thing::ContactList))
}

fn example_list() -> Value {
    let mut list = example_deleted_list();
    list["allowDuplicates"] = json!(true);
    list["isGlobalDNC"] = json!(false);
    list["isDefault"] = json!(false);
    list["columns"] = json!([]);
    list
}

fn example_deleted_list() -> Value {
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

#[derive(utoipa::IntoResponses)]
/// The list has changed since: its ETag is not the one that If-Match asks for.
#[response(status = 412, example = json!({"status": "error", "message": "If-Match: Contact list cl-c2ce382-2516-457e-8eb4-9847deec0000 has changed since: its ETag is another", "errors": [{"msg": "If-Match: Contact list cl-c2ce382-2516-457e-8eb4-9847deec0000 has changed since: its ETag is another", "code": 412, "reason": "VERSION_MISMATCH"}]}))]
#[expect(dead_code, reason = "read by the document's generator alone")]
struct ContactListChanged(super::CampaignsError);
