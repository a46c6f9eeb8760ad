//! Campaigns are deleted.

use actix_web::{HttpResponse, delete, web};

use super::{
    Answer, CampaignBody, CampaignChanged, CampaignNotFound, CampaignsAccess, CampaignsBodyErrors, CampaignsErrors,
    DeletionParams, Envelope, OneParams, campaign_id, example_campaign,
};
use crate::handlers::auth::Authorized;
use crate::handlers::body::Body;
use crate::handlers::campaigns::CampaignsError;
use crate::handlers::params::CamelExtras;
use crate::handlers::{params, with_deletion_id};
use crate::services::Services;

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
        CamelExtras,
        ("If-Match" = Option<String>, Header, description = "The ETag that the campaign must have.", example = "\"1\""),
    ),
    responses(
        (status = 200, description = "The campaign as it was before.", body = Envelope<CampaignBody>,
         headers(("Deletion-Id" = String, description = "The deletion's id, under which the ledger has it.")),
         example = json!({"status": "success", "message": "Campaign August renewals deleted successfully", "data": example_campaign()})),
        (status = 409, description = "The campaign is running (ACTIVE), or is on hold (ON_HOLD).", body = CampaignsError,
         example = json!({"status": "error", "message": "Campaign August renewals is running; stop it first", "errors": [{"msg": "Campaign August renewals is running; stop it first", "code": 409, "reason": "ACTIVE"}]})),
        CampaignsErrors, CampaignsBodyErrors, CampaignNotFound, CampaignChanged,
    ),
)]
#[delete("/campaign/{id}")]
pub async fn delete_campaign(
    authorized: Authorized<CampaignsAccess>,
    path: web::Path<(String, String)>,
    body: Body,
    services: web::Data<Services>,
) -> Answer {
    let (params, extras) = authorized.deletion_params::<DeletionParams, CamelExtras>()?;
    let one: OneParams = authorized.params()?;
    body.none().await?;
    let id = campaign_id(&path.1)?;
    let how = params::single(params.mode, authorized.if_match()?, extras)?;
    let caller = &authorized.caller;
    let (deletion, campaign) =
        services.deletions.delete_campaign(caller, authorized.stream(), &id, one.campaign_type(), how).await?;
    let Some(campaign) = campaign else {
        return Ok(with_deletion_id(&mut HttpResponse::NoContent(), &deletion).finish());
    };
    let message = format!("Campaign {} deleted successfully", campaign.name);
    let body = Envelope::success(message, CampaignBody::of(campaign, caller));
    Ok(with_deletion_id(&mut HttpResponse::Ok(), &deletion).json(body))
}
