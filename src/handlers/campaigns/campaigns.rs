//! Campaigns.

use actix_web::{HttpResponse, delete, get, post, web};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{
    Answer, CampaignNotFound, CampaignsAccess, CampaignsBodyErrors, CampaignsErrors, DeletionParams, Envelope,
};
use crate::domain::campaign::{Campaign, CampaignType, NewCampaign, Trigger};
use crate::domain::identity::Caller;
use crate::domain::ids::CampaignId;
use crate::error::{Error, Thing};
use crate::handlers::auth::Authorized;
use crate::handlers::body::{self, Body};
use crate::handlers::etag::etag;
use crate::handlers::{params, timestamp, with_deletion_id};
use crate::services::Services;

/// The most lists that a campaign names.
const MAX_LISTS: usize = 100;

/// Create a campaign
///
/// The campaign is attached to the contact lists that it names, all of which must be there; from then on they cannot be
/// deleted until the campaign is. The vendor's other fields are kept and answered as given.
#[utoipa::path(
    tag = "campaigns",
    operation_id = "create_campaign",
    params(
        ("streamId" = String, Path, description = "The stream (application) that the campaign belongs to.", example = "st-0603182c-7ffb-53c3-b307-47ca14b90000"),
        ("accountId" = Option<String>, Header, description = "The account that the token belongs to."),
        CreateParams,
    ),
    request_body(content = NewCampaignBody, example = json!({
        "name": "August renewals", "description": "Calls about renewals.", "contactLists": ["Renewal Due - August 2025"],
        "priority": "5", "dialingMode": "Preview", "dialingStrategy": {"maxAttemptsPerRecord": 3}
    })),
    responses(
        (status = 200, description = "The campaign.", body = Envelope<CampaignBody>,
         example = json!({"status": "success", "message": "Campaign August renewals creation in progress", "data": example_campaign()})),
        CampaignsErrors, CampaignsBodyErrors,
    ),
)]
#[post("/campaign")]
pub async fn create_campaign(
    authorized: Authorized<CampaignsAccess>,
    body: Body,
    services: web::Data<Services>,
) -> Answer {
    let params: CreateParams = authorized.params()?;
    let new = new_campaign(body.value().await?, params.campaign_type)?;
    let campaign = services.campaigns.create(&authorized.caller, authorized.stream(), &new).await?;
    let message = format!("Campaign {} creation in progress", campaign.name);
    let etag = etag(campaign.version);
    Ok(HttpResponse::Ok()
        .insert_header(etag)
        .json(Envelope::success(message, CampaignBody::of(campaign, &authorized.caller))))
}

/// Get a campaign
#[utoipa::path(
    tag = "campaigns",
    operation_id = "get_campaign",
    params(
        ("streamId" = String, Path, description = "The stream (application) that the campaign belongs to."),
        ("id" = String, Path, description = "The campaign.", example = "cd-5f0e1c7-2516-457e-8eb4-9847deec0000"),
        ("accountId" = Option<String>, Header, description = "The account that the token belongs to."),
    ),
    responses(
        (status = 200, description = "The campaign.", body = Envelope<CampaignBody>,
         example = json!({"status": "success", "message": "", "data": example_campaign()})),
        CampaignsErrors, CampaignNotFound,
    ),
)]
#[get("/campaign/{id}")]
pub async fn get_campaign(
    authorized: Authorized<CampaignsAccess>,
    path: web::Path<(String, String)>,
    services: web::Data<Services>,
) -> Answer {
    let id = campaign_id(&path.1)?;
    let campaign = services.campaigns.find(&authorized.caller, authorized.stream(), &id).await?;
    let etag = etag(campaign.version);
    Ok(HttpResponse::Ok()
        .insert_header(etag)
        .json(Envelope::success("", CampaignBody::of(campaign, &authorized.caller))))
}

/// Start or stop a campaign
///
/// A campaign that is running already stays so, and so does one that is stopped.
#[utoipa::path(
    tag = "campaigns",
    operation_id = "trigger_campaign",
    params(
        ("streamId" = String, Path, description = "The stream (application) that the campaign belongs to."),
        ("id" = String, Path, description = "The campaign.", example = "cd-5f0e1c7-2516-457e-8eb4-9847deec0000"),
        ("accountId" = Option<String>, Header, description = "The account that the token belongs to."),
        TriggerParams,
    ),
    responses(
        (status = 200, description = "Where the campaign stands now.", body = TriggeredBody,
         example = json!({"status": "Active", "message": "Campaign Started", "id": "cd-5f0e1c7-2516-457e-8eb4-9847deec0000", "name": "August renewals"})),
        CampaignsErrors, CampaignNotFound,
    ),
)]
#[post("/campaign/{id}")]
pub async fn trigger_campaign(
    authorized: Authorized<CampaignsAccess>,
    path: web::Path<(String, String)>,
    services: web::Data<Services>,
) -> Answer {
    let params: TriggerParams = authorized.params()?;
    let (trigger, message) = match params.trigger {
        TriggerParam::Play => (Trigger::Play, "Campaign Started"),
        TriggerParam::Stop => (Trigger::Stop, "Campaign Stopped"),
    };
    let id = campaign_id(&path.1)?;
    let campaign = services.campaigns.trigger(&authorized.caller, authorized.stream(), &id, trigger).await?;
    let (id, name, status) = (campaign.id.to_string(), campaign.name, campaign.status.name());
    Ok(HttpResponse::Ok().json(TriggeredBody { status, message, id, name }))
}

/// Delete a campaign
///
/// Moves the campaign to the trash and answers it as it was before; its lists are free. With `mode=hard` it is gone for
/// good when the answer is sent; that takes the scope `deletions:hard`. A campaign that is Active is refused: stop it
/// first. The operation takes no body.
#[utoipa::path(
    tag = "campaigns",
    operation_id = "delete_campaign",
    params(
        ("streamId" = String, Path, description = "The stream (application) that the campaign belongs to."),
        ("id" = String, Path, description = "The campaign.", example = "cd-5f0e1c7-2516-457e-8eb4-9847deec0000"),
        ("accountId" = Option<String>, Header, description = "The account that the token belongs to."),
        DeletionParams,
    ),
    responses(
        (status = 200, description = "The campaign as it was before.", body = Envelope<CampaignBody>,
         headers(("Deletion-Id" = String, description = "The deletion's id, under which the ledger has it.")),
         example = json!({"status": "success", "message": "Campaign August renewals deleted successfully", "data": example_campaign()})),
        (status = 409, description = "The campaign is running (ACTIVE), or is on hold (ON_HOLD).", body = super::CampaignsError,
         example = json!({"status": "error", "message": "Campaign August renewals is running; stop it first", "errors": [{"msg": "Campaign August renewals is running; stop it first", "code": 409, "reason": "ACTIVE"}]})),
        CampaignsErrors, CampaignsBodyErrors, CampaignNotFound,
    ),
)]
#[delete("/campaign/{id}")]
pub async fn delete_campaign(
    authorized: Authorized<CampaignsAccess>,
    path: web::Path<(String, String)>,
    body: Body,
    services: web::Data<Services>,
) -> Answer {
    let params: DeletionParams = authorized.params()?;
    body.none().await?;
    let id = campaign_id(&path.1)?;
    let options = params::single(params.mode, authorized.if_match()?);
    let caller = &authorized.caller;
    let (deletion, campaign) = services.deletions.delete_campaign(caller, authorized.stream(), &id, options).await?;
    let message = format!("Campaign {} deleted successfully", campaign.name);
    let body = Envelope::success(message, CampaignBody::of(campaign, caller));
    Ok(with_deletion_id(&mut HttpResponse::Ok(), &deletion).json(body))
}

/// What creating takes in its query.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
struct CreateParams {
    /// How the campaign reaches people.
    #[param(inline)]
    campaign_type: TypeParam,
}

/// How a campaign reaches people.
#[derive(Clone, Copy, Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
enum TypeParam {
    /// By calling.
    Voice,
    /// By text message.
    Sms,
}

/// What starting and stopping takes in its query.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
struct TriggerParams {
    /// `play` starts, `stop` stops.
    #[param(inline)]
    trigger: TriggerParam,
}

/// What is to happen to a campaign.
#[derive(Clone, Copy, Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
enum TriggerParam {
    /// Start it.
    Play,
    /// Stop it.
    Stop,
}

/// Where a campaign stands now.
#[derive(Serialize, utoipa::ToSchema)]
struct TriggeredBody {
    /// Active or Stopped.
    status: &'static str,
    /// The vendor's sentence.
    message: &'static str,
    /// The campaign.
    id: String,
    /// Its name.
    name: String,
}

/// A campaign that is to be created. The vendor's other fields are kept as given.
#[derive(utoipa::ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "the schema of what is read as a map")]
struct NewCampaignBody {
    /// Its name, at most 48 characters.
    #[schema(min_length = 1, max_length = 48)]
    name: String,
    /// The names of its contact lists, in whatever case.
    #[schema(min_items = 1, max_items = 100)]
    contact_lists: Vec<String>,
    /// Any other field of the vendor's.
    #[schema(additional_properties)]
    others: Option<Value>,
}

/// Fields that say what the campaign is, and are not the caller's to set.
const OURS: [&str; 12] = [
    "id",
    "_id",
    "name",
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

fn new_campaign(body: Value, campaign_type: TypeParam) -> Result<NewCampaign, Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", expecting = "an object")]
    struct Required {
        name: String,
        contact_lists: Vec<String>,
    }
    let required: Required = body::typed(body.clone(), "")?;
    body::required_text("name", &required.name, 48)?;
    if required.contact_lists.is_empty() || required.contact_lists.len() > MAX_LISTS {
        return Err(Error::invalid("contactLists", format!("must name 1 to {MAX_LISTS} lists")));
    }
    for (index, name) in required.contact_lists.iter().enumerate() {
        body::required_text(&format!("contactLists[{index}]"), name, 48)?;
    }
    let Value::Object(mut details) = body else { return Err(Error::invalid("body", "an object is required")) };
    details.retain(|field, _| !OURS.contains(&field.as_str()));
    for (field, value) in &details {
        body::storable(field, value)?;
        body::storable("body", &Value::String(field.clone()))?;
    }
    Ok(NewCampaign {
        name: required.name,
        campaign_type: match campaign_type {
            TypeParam::Voice => CampaignType::Voice,
            TypeParam::Sms => CampaignType::Sms,
        },
        contact_lists: required.contact_lists.iter().map(|name| name.trim().to_owned()).collect(),
        details,
    })
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
    /// `voice` or `sms`.
    campaign_type: &'static str,
    /// Preparing, Ready, Scheduled, Rescheduled, Active, Paused, Stopped or Completed.
    status: &'static str,
    /// The names of its contact lists.
    contact_lists: Vec<String>,
    /// The vendor's other fields.
    #[serde(flatten)]
    #[schema(value_type = Object)]
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
            name: campaign.name,
            campaign_type: campaign.campaign_type.name(),
            status: campaign.status.name(),
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
        "name": "August renewals", "campaignType": "voice", "status": "Ready",
        "contactLists": ["Renewal Due - August 2025"],
        "description": "Calls about renewals.", "priority": "5", "dialingMode": "Preview",
        "dialingStrategy": {"maxAttemptsPerRecord": 3},
        "iId": "st-0603182c-7ffb-53c3-b307-47ca14b90000", "accountId": "67777ce93e25326494e90000",
        "createdBy": "u-eb5bbee1-6af9-5b9a-b471-03a3fe480000", "updatedBy": "u-eb5bbee1-6af9-5b9a-b471-03a3fe480000",
        "createdAt": "2025-06-26T12:32:02.735Z", "updatedAt": "2025-06-26T12:38:25.793Z"
    })
}
