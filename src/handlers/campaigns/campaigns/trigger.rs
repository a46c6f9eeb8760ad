//! Campaigns are started and stopped.

use actix_web::{HttpResponse, post, web};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Answer, CampaignChanged, CampaignNotFound, CampaignsAccess, CampaignsBodyErrors, CampaignsErrors, OneParams,
    campaign_id,
};
use crate::domain::campaign::Trigger;
use crate::handlers::auth::Authorized;
use crate::handlers::body::Body;
use crate::handlers::etag::etag;
use crate::handlers::timestamp;
use crate::services::Services;

/// Start or stop a campaign
///
/// A campaign that is running already stays so, and so does one that is stopped. Each start is a run with an id of its own,
/// which stays when it is stopped. The answer has the fields of all the vendor's samples, of both types of campaigns;
/// calls are not counted here.
#[utoipa::path(
    tag = "campaigns",
    operation_id = "trigger_campaign",
    params(
        ("streamId" = String, Path, description = "The stream (application) that the campaign belongs to."),
        ("id" = String, Path, description = "The campaign.", example = "cd-5f0e1c7-2516-457e-8eb4-9847deec0000"),
        ("accountId" = Option<String>, Header, description = "The account that the token belongs to."),
        TriggerParams,
        OneParams,
        ("If-Match" = Option<String>, Header, description = "The ETag that the campaign must have.", example = "\"1\""),
    ),
    responses(
        (status = 200, description = "Where the campaign stands now.", body = TriggeredBody, headers(("ETag" = String, description = "The campaign's version.")),
         example = json!(example_triggered())),
        CampaignsErrors, CampaignsBodyErrors, CampaignNotFound, CampaignChanged,
    ),
)]
#[post("/campaign/{id}")]
pub async fn trigger_campaign(
    authorized: Authorized<CampaignsAccess>,
    path: web::Path<(String, String)>,
    body: Body,
    services: web::Data<Services>,
) -> Answer {
    trigger(&authorized, &path.1, body, &services).await
}

/// Start or stop a campaign, by the longer path
///
/// The same: the vendor's pages print several paths for it.
#[utoipa::path(
    tag = "campaigns",
    operation_id = "trigger_campaign_by_longer_path",
    params(
        ("streamId" = String, Path, description = "The stream (application) that the campaign belongs to."),
        ("id" = String, Path, description = "The campaign.", example = "cd-5f0e1c7-2516-457e-8eb4-9847deec0000"),
        ("accountId" = Option<String>, Header, description = "The account that the token belongs to."),
        TriggerParams,
        OneParams,
        ("If-Match" = Option<String>, Header, description = "The ETag that the campaign must have.", example = "\"1\""),
    ),
    responses(
        (status = 200, description = "Where the campaign stands now.", body = TriggeredBody, headers(("ETag" = String, description = "The campaign's version.")),
         example = json!(example_triggered())),
        CampaignsErrors, CampaignsBodyErrors, CampaignNotFound, CampaignChanged,
    ),
)]
#[post("/campaign/trigger/{id}")]
pub async fn trigger_campaign_by_longer_path(
    authorized: Authorized<CampaignsAccess>,
    path: web::Path<(String, String)>,
    body: Body,
    services: web::Data<Services>,
) -> Answer {
    trigger(&authorized, &path.1, body, &services).await
}

async fn trigger(authorized: &Authorized<CampaignsAccess>, id: &str, body: Body, services: &Services) -> Answer {
    let params: TriggerParams = authorized.params()?;
    let one: OneParams = authorized.params()?;
    let if_match = authorized.if_match()?;
    body.none().await?;
    let id = campaign_id(id)?;
    let (trigger, message) = match params.trigger {
        TriggerParam::Play => (Trigger::Play, "Campaign Started"),
        TriggerParam::Stop => (Trigger::Stop, "Campaign Stopped"),
    };
    let (caller, stream) = (&authorized.caller, authorized.stream());
    let campaign = services.campaigns.trigger(caller, stream, &id, one.campaign_type(), trigger, &if_match).await?;
    let body = TriggeredBody {
        status: campaign.status.name(),
        message,
        total_calls_completed: (trigger == Trigger::Play).then_some(0),
        updated_at: timestamp(campaign.updated_at),
        campaign_instance_id: campaign.run_id,
        campaign_execution_type: "NORMAL",
        id: campaign.id.to_string(),
        name: campaign.name,
    };
    Ok(HttpResponse::Ok().insert_header(etag(campaign.version)).json(body))
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
#[serde(rename_all = "camelCase")]
struct TriggeredBody {
    /// Active or Stopped.
    status: &'static str,
    /// The vendor's sentence.
    message: &'static str,
    /// 0, when it was started.
    #[serde(skip_serializing_if = "Option::is_none")]
    total_calls_completed: Option<i64>,
    /// When it last changed.
    #[schema(format = DateTime)]
    updated_at: String,
    /// The run that was started or stopped. Absent when the campaign was never started.
    #[serde(skip_serializing_if = "Option::is_none")]
    campaign_instance_id: Option<String>,
    /// `NORMAL`.
    campaign_execution_type: &'static str,
    /// The campaign.
    id: String,
    /// Its name.
    name: String,
}

fn example_triggered() -> Value {
    json!({
        "status": "Active", "message": "Campaign Started", "totalCallsCompleted": 0,
        "updatedAt": "2025-06-26T12:38:25.793Z", "campaignInstanceId": "cid-dbb5e25-2516-457e-8eb4-9847deec0000",
        "campaignExecutionType": "NORMAL", "id": "cd-5f0e1c7-2516-457e-8eb4-9847deec0000", "name": "August renewals"
    })
}
