//! Campaigns are created.

use actix_web::{HttpResponse, post, web};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    Answer, CampaignBody, CampaignsAccess, CampaignsBodyErrors, CampaignsErrors, ListName, TypeParam, contact_lists,
    details, example_campaign, one_type,
};
use crate::domain::campaign::NewCampaign;
use crate::error::Error;
use crate::handlers::auth::Authorized;
use crate::handlers::body::{self, Body};
use crate::handlers::etag::etag;
use crate::services::Services;

/// Create a campaign
///
/// The campaign is attached to the contact lists that it names, all of which must be there; from then on they cannot be
/// deleted until the campaign is. The vendor's other fields are kept and answered as given, and are not required here.
/// The id is answered in each place where the vendor's answers have it.
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
        (status = 200, description = "The campaign.", body = CreatedCampaign,
         headers(("ETag" = String, description = "The campaign's version.")),
         example = json!({"status": "success", "message": "Campaign August renewals creation in progress", "id": "cd-5f0e1c7-2516-457e-8eb4-9847deec0000", "data": example_created()})),
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
    let (etag, id) = (etag(campaign.version), campaign.id.to_string());
    let campaign = CampaignBody::of(campaign, &authorized.caller);
    let data = CreatedCampaignBody { camp_id: id.clone(), campaign };
    Ok(HttpResponse::Ok().insert_header(etag).json(CreatedCampaign { status: "success", message, id, data }))
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
    contact_lists: Vec<ListName>,
    /// How it reaches people: what the query says too.
    #[schema(inline)]
    campaign_type: Option<TypeParam>,
    /// The vendor's other fields. What the service says of a campaign is ignored.
    #[serde(flatten)]
    details: Map<String, Value>,
}

/// A campaign that was created.
#[derive(Serialize, utoipa::ToSchema)]
struct CreatedCampaign {
    /// `success`.
    status: &'static str,
    /// What was done, for people.
    message: String,
    /// The campaign's id.
    id: String,
    /// The campaign.
    data: CreatedCampaignBody,
}

/// A campaign, with its id once more as the vendor's creation names it.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct CreatedCampaignBody {
    /// The campaign's id.
    camp_id: String,
    /// The campaign.
    #[serde(flatten)]
    campaign: CampaignBody,
}

fn new_campaign(body: Value, campaign_type: TypeParam) -> Result<NewCampaign, Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", expecting = "an object")]
    struct Required {
        name: String,
        contact_lists: Vec<String>,
    }
    let required: Required = body::typed(body.clone(), "")?;
    body::required_text("name", &required.name, 48)?;
    let contact_lists = contact_lists(&required.contact_lists)?;
    one_type(&body, Some(campaign_type))?;
    Ok(NewCampaign { name: required.name, campaign_type: campaign_type.into(), contact_lists, details: details(body)? })
}

fn example_created() -> Value {
    let mut campaign = example_campaign();
    campaign["campId"] = campaign["id"].clone();
    campaign
}
