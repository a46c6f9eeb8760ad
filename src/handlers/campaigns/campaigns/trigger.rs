//! Campaigns are started and stopped.

use actix_web::{HttpResponse, post, web};
use serde::{Deserialize, Serialize};

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
/// A campaign that is running already stays so, and so does one that is stopped.
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
         example = json!({"status": "Active", "message": "Campaign Started", "updatedAt": "2025-06-26T12:38:25.793Z", "id": "cd-5f0e1c7-2516-457e-8eb4-9847deec0000", "name": "August renewals"})),
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
    let params: TriggerParams = authorized.params()?;
    let one: OneParams = authorized.params()?;
    let if_match = authorized.if_match()?;
    body.none().await?;
    let (trigger, message) = match params.trigger {
        TriggerParam::Play => (Trigger::Play, "Campaign Started"),
        TriggerParam::Stop => (Trigger::Stop, "Campaign Stopped"),
    };
    let id = campaign_id(&path.1)?;
    let (caller, stream) = (&authorized.caller, authorized.stream());
    let campaign = services.campaigns.trigger(caller, stream, &id, one.campaign_type(), trigger, &if_match).await?;
    let body = TriggeredBody {
        status: campaign.status.name(),
        message,
        updated_at: timestamp(campaign.updated_at),
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
    /// When it last changed.
    #[schema(format = DateTime)]
    updated_at: String,
    /// The campaign.
    id: String,
    /// Its name.
    name: String,
}
