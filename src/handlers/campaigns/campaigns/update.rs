//! Campaigns are changed.

use actix_web::{HttpResponse, put, web};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    Answer, CampaignBody, CampaignChanged, CampaignNotFound, CampaignsAccess, CampaignsBodyErrors, CampaignsErrors,
    ListName, TypeParam, campaign_id, contact_lists, details, example_campaign, one_type,
};
use crate::domain::campaign::CampaignChange;
use crate::error::Error;
use crate::handlers::auth::Authorized;
use crate::handlers::body::{self, Body};
use crate::handlers::campaigns::CampaignsError;
use crate::handlers::etag::etag;
use crate::services::Services;

/// Update a campaign
///
/// Changes the fields that the body names and leaves the others as they are, whether it names all of them, as the vendor
/// has it, or a few. `contactLists` takes the place of the lists that the campaign had: it lets go of those that are not
/// named any more. A campaign that is Active keeps its lists, and can be given more. A `campaignType`, in the query or in
/// the body, that is not the campaign's is refused. What the service says of a campaign
/// (`id`, `status`, `createdAt`, …) is ignored, so that a campaign can be sent back as it was answered.
#[utoipa::path(
    tag = "campaigns",
    operation_id = "update_campaign",
    params(
        ("streamId" = String, Path, description = "The stream (application) that the campaign belongs to."),
        ("id" = String, Path, description = "The campaign.", example = "cd-5f0e1c7-2516-457e-8eb4-9847deec0000"),
        ("accountId" = Option<String>, Header, description = "The account that the token belongs to."),
        UpdateParams,
        ("If-Match" = Option<String>, Header, description = "The ETag that the campaign must have.", example = "\"1\""),
    ),
    request_body(content = CampaignChangeBody, example = json!({
        "name": "August renewals", "contactLists": ["Renewal Due - August 2025"], "priority": "4"
    })),
    responses(
        (status = 200, description = "The campaign as it is now.", body = UpdatedCampaign, headers(("ETag" = String, description = "The campaign's version.")),
         example = json!({"status": "success", "message": "Campaign August renewals details updated successfully",
                          "id": "cd-5f0e1c7-2516-457e-8eb4-9847deec0000", "data": example_campaign()})),
        (status = 409, description = "The campaign is running and would let go of a list.", body = CampaignsError,
         example = json!({"status": "error", "message": "Campaign August renewals is running; stop it first", "errors": [{"msg": "Campaign August renewals is running; stop it first", "code": 409, "reason": "ACTIVE"}]})),
        CampaignsErrors, CampaignsBodyErrors, CampaignNotFound, CampaignChanged,
    ),
)]
#[put("/campaign/{id}")]
pub async fn update_campaign(
    authorized: Authorized<CampaignsAccess>,
    path: web::Path<(String, String)>,
    body: Body,
    services: web::Data<Services>,
) -> Answer {
    let params: UpdateParams = authorized.params()?;
    let if_match = authorized.if_match()?;
    let body = body.value().await?;
    let campaign_type = one_type(&body, params.campaign_type)?;
    let change = change(body)?;
    let id = campaign_id(&path.1)?;
    let (caller, stream) = (&authorized.caller, authorized.stream());
    let campaign = services.campaigns.update(caller, stream, &id, campaign_type, &change, &if_match).await?;
    let etag = etag(campaign.version);
    let body = UpdatedCampaign {
        status: "success",
        message: format!("Campaign {} details updated successfully", campaign.name),
        id: campaign.id.to_string(),
        data: CampaignBody::of(campaign, caller),
    };
    Ok(HttpResponse::Ok().insert_header(etag).json(body))
}

/// What an update takes in its query.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
struct UpdateParams {
    /// How the campaign reaches people. Another type than the campaign's is refused.
    #[param(inline)]
    campaign_type: Option<TypeParam>,
}

/// What an update changes. The vendor's other fields are kept as given.
#[derive(utoipa::ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "the schema of what is read as a map")]
struct CampaignChangeBody {
    /// Its name, at most 48 characters.
    #[schema(min_length = 1, max_length = 48)]
    name: Option<String>,
    /// The names of its contact lists, in whatever case.
    #[schema(min_items = 1, max_items = 100)]
    contact_lists: Option<Vec<ListName>>,
    /// How it reaches people: it cannot be another than it is.
    #[schema(inline)]
    campaign_type: Option<TypeParam>,
    /// The vendor's other fields. What the service says of a campaign is ignored.
    #[serde(flatten)]
    details: Map<String, Value>,
}

fn change(body: Value) -> Result<CampaignChange, Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", expecting = "an object")]
    struct Known {
        name: Option<String>,
        contact_lists: Option<Vec<String>>,
    }
    let known: Known = body::typed(body.clone(), "")?;
    known.name.as_deref().map_or(Ok(()), |name| body::required_text("name", name, 48))?;
    let change = CampaignChange {
        name: known.name,
        contact_lists: known.contact_lists.as_deref().map(contact_lists).transpose()?,
        details: details(body)?,
    };
    if change == CampaignChange::default() {
        return Err(Error::invalid("body", "names nothing that can be changed"));
    }
    Ok(change)
}

/// A campaign that was changed.
#[derive(Serialize, utoipa::ToSchema)]
struct UpdatedCampaign {
    /// `success`.
    status: &'static str,
    /// What was done, for people.
    message: String,
    /// The campaign's id.
    id: String,
    /// The campaign.
    data: CampaignBody,
}
