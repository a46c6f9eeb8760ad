//! Campaigns are looked up.

use actix_web::{HttpResponse, get, post, web};
use serde::{Deserialize, Serialize};

use super::{
    Answer, CampaignBody, CampaignNotFound, CampaignsAccess, CampaignsBodyErrors, CampaignsErrors, Envelope, OneParams,
    campaign_id, example_campaign,
};
use crate::handlers::auth::Authorized;
use crate::handlers::body::Body;
use crate::handlers::etag::etag;
use crate::services::Services;

/// Get a campaign
#[utoipa::path(
    tag = "campaigns",
    operation_id = "get_campaign",
    params(
        ("streamId" = String, Path, description = "The stream (application) that the campaign belongs to."),
        ("id" = String, Path, description = "The campaign.", example = "cd-5f0e1c7-2516-457e-8eb4-9847deec0000"),
        ("accountId" = Option<String>, Header, description = "The account that the token belongs to."),
        OneParams,
    ),
    responses(
        (status = 200, description = "The campaign.", body = Envelope<CampaignBody>,
         headers(("ETag" = String, description = "The campaign's version.")),
         example = json!({"status": "success", "message": "Campaign August renewals retrieved successfully", "data": example_campaign()})),
        CampaignsErrors, CampaignNotFound,
    ),
)]
#[get("/campaign/{id}")]
pub async fn get_campaign(
    authorized: Authorized<CampaignsAccess>,
    path: web::Path<(String, String)>,
    services: web::Data<Services>,
) -> Answer {
    let params: OneParams = authorized.params()?;
    let id = campaign_id(&path.1)?;
    let campaign =
        services.campaigns.find(&authorized.caller, authorized.stream(), &id, params.campaign_type()).await?;
    let message = format!("Campaign {} retrieved successfully", campaign.name);
    let etag = etag(campaign.version);
    Ok(HttpResponse::Ok()
        .insert_header(etag)
        .json(Envelope::success(message, CampaignBody::of(campaign, &authorized.caller))))
}

/// Get a campaign's status
///
/// Where the campaign stands. `view` names what is asked for; `status` is the only view.
#[utoipa::path(
    tag = "campaigns",
    operation_id = "get_campaign_status",
    params(
        ("streamId" = String, Path, description = "The stream (application) that the campaign belongs to."),
        ("id" = String, Path, description = "The campaign.", example = "cd-5f0e1c7-2516-457e-8eb4-9847deec0000"),
        ("accountId" = Option<String>, Header, description = "The account that the token belongs to."),
        StatusParams,
        OneParams,
    ),
    responses(
        (status = 200, description = "Where the campaign stands.", body = StatusEnvelope, headers(("ETag" = String, description = "The campaign's version.")),
         example = json!({"status": "success", "data": {"id": "cd-5f0e1c7-2516-457e-8eb4-9847deec0000", "status": "Ready", "name": "August renewals"}})),
        CampaignsErrors, CampaignNotFound,
    ),
)]
#[get("/campaign/{id}/status")]
pub async fn get_campaign_status(
    authorized: Authorized<CampaignsAccess>,
    path: web::Path<(String, String)>,
    services: web::Data<Services>,
) -> Answer {
    status(&authorized, &path.1, &services).await
}

/// Get a campaign's status, by POST
///
/// The same as the GET, for the vendor's clients: its pages have both. Takes no body, or an empty object.
#[utoipa::path(
    tag = "campaigns",
    operation_id = "post_get_campaign_status",
    params(
        ("streamId" = String, Path, description = "The stream (application) that the campaign belongs to."),
        ("id" = String, Path, description = "The campaign.", example = "cd-5f0e1c7-2516-457e-8eb4-9847deec0000"),
        ("accountId" = Option<String>, Header, description = "The account that the token belongs to."),
        StatusParams,
        OneParams,
    ),
    responses(
        (status = 200, description = "Where the campaign stands.", body = StatusEnvelope, headers(("ETag" = String, description = "The campaign's version.")),
         example = json!({"status": "success", "data": {"id": "cd-5f0e1c7-2516-457e-8eb4-9847deec0000", "status": "Ready", "name": "August renewals"}})),
        CampaignsErrors, CampaignsBodyErrors, CampaignNotFound,
    ),
)]
#[post("/campaign/{id}/status")]
pub async fn post_get_campaign_status(
    authorized: Authorized<CampaignsAccess>,
    path: web::Path<(String, String)>,
    body: Body,
    services: web::Data<Services>,
) -> Answer {
    body.none().await?;
    status(&authorized, &path.1, &services).await
}

async fn status(authorized: &Authorized<CampaignsAccess>, id: &str, services: &Services) -> Answer {
    let StatusParams { .. } = authorized.params()?;
    let params: OneParams = authorized.params()?;
    let id = campaign_id(id)?;
    let campaign =
        services.campaigns.find(&authorized.caller, authorized.stream(), &id, params.campaign_type()).await?;
    let etag = etag(campaign.version);
    let data = StatusBody { id: campaign.id.to_string(), status: campaign.status.name(), name: campaign.name };
    Ok(HttpResponse::Ok().insert_header(etag).json(StatusEnvelope { status: "success", data }))
}

/// What the status takes in its query.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct StatusParams {
    /// What is asked for.
    #[param(inline)]
    #[expect(dead_code, reason = "there is one view; another is refused when it is read")]
    view: Option<View>,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
enum View {
    /// Where the campaign stands.
    Status,
}

/// Where a campaign stands, in the vendor's envelope for it.
#[derive(Serialize, utoipa::ToSchema)]
struct StatusEnvelope {
    /// `success`.
    status: &'static str,
    /// The campaign.
    data: StatusBody,
}

/// Where a campaign stands.
#[derive(Serialize, utoipa::ToSchema)]
struct StatusBody {
    /// The campaign.
    id: String,
    /// Preparing, Ready, Scheduled, Rescheduled, Active, Paused, Stopped or Completed.
    status: &'static str,
    /// Its name.
    name: String,
}
