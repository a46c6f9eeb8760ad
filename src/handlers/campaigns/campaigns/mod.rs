//! Campaigns.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{
    Answer, CampaignNotFound, CampaignsAccess, CampaignsBodyErrors, CampaignsErrors, DeletionParams, Envelope,
};
use crate::domain::campaign::{Campaign, CampaignType};
use crate::domain::identity::Caller;
use crate::domain::ids::CampaignId;
use crate::error::{Error, Thing};
use crate::handlers::{body, json_text, timestamp};
use crate::json;

pub mod create;
pub mod delete;
pub mod list;
pub mod read;
pub mod trigger;
pub mod update;

/// The most lists that a campaign names.
const MAX_LISTS: usize = 100;

/// How a campaign reaches people.
#[derive(Clone, Copy, Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
enum TypeParam {
    /// By calling.
    Voice,
    /// By text message.
    Sms,
}

impl From<TypeParam> for CampaignType {
    fn from(kind: TypeParam) -> Self {
        match kind {
            TypeParam::Voice => CampaignType::Voice,
            TypeParam::Sms => CampaignType::Sms,
        }
    }
}

/// What operations on one campaign take in their query.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
struct OneParams {
    /// How the campaign reaches people. One of the other type is then not found.
    #[param(inline)]
    campaign_type: Option<TypeParam>,
}

impl OneParams {
    fn campaign_type(&self) -> Option<CampaignType> {
        self.campaign_type.map(CampaignType::from)
    }
}

/// Fields that say what the campaign is, and are not the caller's to set.
const OURS: [&str; 15] = [
    "id",
    "_id",
    "campId",
    "campaignInstanceId",
    "name",
    "lname",
    "contactLists",
    "campaignType",
    "status",
    "iId",
    "accountId",
    "createdBy",
    "updatedBy",
    "createdAt",
    "updatedAt",
];

/// The vendor's other fields of a body, which are kept as given.
fn details(body: Value) -> Result<Map<String, Value>, Error> {
    let Value::Object(mut details) = body else { return Err(Error::invalid("body", "an object is required")) };
    details.retain(|field, _| !OURS.contains(&field.as_str()));
    for (field, value) in &details {
        body::storable(field, value)?;
        body::storable("body", &Value::String(field.clone()))?;
    }
    if json_text(&details).len() > json::MAX_KEPT {
        return Err(Error::TooLarge { what: "the campaign, in bytes", limit: json::MAX_KEPT });
    }
    Ok(details)
}

/// The name of a contact list that a campaign names.
#[derive(utoipa::ToSchema)]
#[schema(min_length = 1, max_length = 48)]
#[expect(dead_code, reason = "the schema of what is read as a text")]
struct ListName(String);

/// The names of a campaign's lists.
fn contact_lists(names: &[String]) -> Result<Vec<String>, Error> {
    if names.is_empty() || names.len() > MAX_LISTS {
        return Err(Error::invalid("contactLists", format!("must name 1 to {MAX_LISTS} lists")));
    }
    for (index, name) in names.iter().enumerate() {
        body::required_text(&format!("contactLists[{index}]"), name, 48)?;
    }
    Ok(names.iter().map(|name| name.trim().to_owned()).collect())
}

/// The type that the query and the body name, of which either may be silent.
fn one_type(body: &Value, query: Option<TypeParam>) -> Result<Option<CampaignType>, Error> {
    let query = query.map(CampaignType::from);
    let body = match body.get("campaignType") {
        None | Some(Value::Null) => return Ok(query),
        Some(kind) => kind.as_str().and_then(CampaignType::parse),
    };
    match (query, body) {
        (_, None) => Err(Error::invalid("campaignType", "must be voice or sms")),
        (Some(query), Some(body)) if query != body => {
            Err(Error::invalid("campaignType", "the body and the query name two types"))
        }
        (_, body) => Ok(body),
    }
}

/// A campaign. The vendor's other fields stand beside these as they were given.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct CampaignBody {
    /// Its id.
    id: String,
    /// Its id once more.
    #[serde(rename = "_id")]
    underscore_id: String,
    /// Its name.
    name: String,
    /// Its name in lower case.
    lname: String,
    /// `voice` or `sms`.
    campaign_type: &'static str,
    /// Preparing, Ready, Scheduled, Rescheduled, Active, Paused, Stopped or Completed.
    status: &'static str,
    /// Its last run. Absent when it was never started.
    #[serde(skip_serializing_if = "Option::is_none")]
    campaign_instance_id: Option<String>,
    /// The names of its contact lists.
    contact_lists: Vec<String>,
    /// The vendor's other fields.
    #[serde(flatten)]
    details: Map<String, Value>,
    /// The stream.
    i_id: String,
    /// The account.
    account_id: String,
    /// The user who created it.
    created_by: String,
    /// The user who last changed it.
    updated_by: String,
    /// When it was created.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it last changed.
    #[schema(format = DateTime)]
    updated_at: String,
}

impl CampaignBody {
    fn of(campaign: Campaign, caller: &Caller) -> Self {
        Self {
            id: campaign.id.to_string(),
            underscore_id: campaign.id.to_string(),
            lname: campaign.name.to_lowercase(),
            name: campaign.name,
            campaign_type: campaign.campaign_type.name(),
            status: campaign.status.name(),
            campaign_instance_id: campaign.run_id,
            contact_lists: campaign.contact_lists,
            details: campaign.details,
            i_id: campaign.stream_id.to_string(),
            account_id: caller.account_id.to_string(),
            created_by: campaign.created_by,
            updated_by: campaign.updated_by,
            created_at: timestamp(campaign.created_at),
            updated_at: timestamp(campaign.updated_at),
        }
    }
}

fn campaign_id(text: &str) -> Result<CampaignId, Error> {
    CampaignId::parse(text).ok_or(Error::NotFound(Thing::Campaign))
}

fn example_campaign() -> Value {
    json!({
        "id": "cd-5f0e1c7-2516-457e-8eb4-9847deec0000", "_id": "cd-5f0e1c7-2516-457e-8eb4-9847deec0000",
        "name": "August renewals", "lname": "august renewals", "campaignType": "voice", "status": "Ready",
        "contactLists": ["Renewal Due - August 2025"],
        "description": "Calls about renewals.", "priority": "5", "dialingMode": "Preview",
        "dialingStrategy": {"maxAttemptsPerRecord": 3},
        "iId": "st-0603182c-7ffb-53c3-b307-47ca14b90000", "accountId": "67777ce93e25326494e90000",
        "createdBy": "u-eb5bbee1-6af9-5b9a-b471-03a3fe480000", "updatedBy": "u-eb5bbee1-6af9-5b9a-b471-03a3fe480000",
        "createdAt": "2025-06-26T12:32:02.735Z", "updatedAt": "2025-06-26T12:38:25.793Z"
    })
}

#[derive(utoipa::IntoResponses)]
/// The campaign has changed since: its ETag is not the one that If-Match asks for.
#[response(status = 412, example = json!({"status": "error", "message": "If-Match: Campaign cd-5f0e1c7-2516-457e-8eb4-9847deec0000 has changed since: its ETag is another", "errors": [{"msg": "If-Match: Campaign cd-5f0e1c7-2516-457e-8eb4-9847deec0000 has changed since: its ETag is another", "code": 412, "reason": "VERSION_MISMATCH"}]}))]
#[expect(dead_code, reason = "read by the document's generator alone")]
struct CampaignChanged(super::CampaignsError);
