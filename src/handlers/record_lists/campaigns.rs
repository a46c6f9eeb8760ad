//! The record lists of a campaign.

use actix_web::{HttpRequest, HttpResponse, delete, get, post, web};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::lists::SelfLink;
use super::paging::{PageLinks, PageParams};
use super::{Answer, Links, RecordListsAccess, RecordListsBodyErrors, RecordListsError, RecordListsErrors, hal};
use crate::domain::ids::{self, CampaignId};
use crate::domain::page::LastChange;
use crate::domain::record_list::AttachedList;
use crate::error::{Error, Thing};
use crate::handlers::auth::Authorized;
use crate::handlers::body::{self, Body};
use crate::handlers::{Settings, pages};
use crate::services::Services;

/// The most lists in a request.
const MAX_LISTS: usize = 100;

/// Marks places in a campaign's record lists.
const PLACE: &str = "campaign's record list";

/// List the record lists of a campaign
///
/// The record lists that a campaign is attached to, the last changed first, paged as records are. The campaign is one of
/// the campaigns family, of any stream of the account. The vendor's items have an `id` only.
#[utoipa::path(
    tag = "record lists",
    operation_id = "list_campaign_record_lists",
    params(("id" = String, Path, description = "The campaign.", example = "cd-5f0e1c7-2516-457e-8eb4-9847deec0000"), PageParams),
    responses(
        (status = 200, description = "A page of record lists.", body = AttachedPage, content_type = "application/hal+json", example = json!({
            "total": 1, "count": 1, "page": 1, "per_page": 50, "total_pages": 1,
            "_links": {
                "self": {"href": "https://expunge.example/campaigns/cd-5f0e1c7-2516-457e-8eb4-9847deec0000/record-lists?page=1&per_page=50"},
                "first": {"href": "https://expunge.example/campaigns/cd-5f0e1c7-2516-457e-8eb4-9847deec0000/record-lists?page=1&per_page=50"},
                "last": {"href": "https://expunge.example/campaigns/cd-5f0e1c7-2516-457e-8eb4-9847deec0000/record-lists?page=1&per_page=50"}
            },
            "_embedded": {"record_lists": [{
                "id": "8858c834-481d-4a02-8176-cffc02c50350", "name": "August",
                "_links": {"self": {"href": "https://expunge.example/record-lists/8858c834-481d-4a02-8176-cffc02c50350"}}
            }]}
        })),
        RecordListsErrors, CampaignNotFound,
    ),
)]
#[get("/{id}/record-lists")]
pub async fn list_campaign_record_lists(
    authorized: Authorized<RecordListsAccess>,
    path: web::Path<String>,
    request: HttpRequest,
    services: web::Data<Services>,
    settings: web::Data<Settings>,
) -> Answer {
    let campaign = campaign_id(&path)?;
    let params: PageParams = authorized.params()?;
    let asked = params.read(PLACE)?;
    let listed = services.record_lists.attached(&authorized.caller, &campaign, &asked.page).await?;
    let links = Links(&settings.public_url);
    let place = |list: &AttachedList| LastChange { at: list.updated_at, id: list.id };
    let next = listed.items.last().filter(|_| listed.has_more).map(place);
    let (total, count) = (listed.total, listed.items.len());
    let body = AttachedPage {
        total,
        count,
        page: asked.number,
        per_page: asked.page.limit,
        total_pages: pages(total, asked.page.limit),
        links: asked.links(&links.record_lists_of(&campaign).href, PLACE, total, next),
        embedded: EmbeddedLists {
            record_lists: listed
                .items
                .into_iter()
                .map(|list| AttachedBody {
                    id: list.id.to_string(),
                    name: list.name,
                    links: SelfLink { this: links.list(list.id) },
                })
                .collect(),
        },
    };
    Ok(hal(&request, HttpResponse::Ok(), &body))
}

/// Attach record lists to a campaign
///
/// All of them or none. What is attached already stays so. While a record list is attached to a campaign, whatever the
/// campaign's status, it cannot be deleted; its records can.
#[utoipa::path(
    tag = "record lists",
    operation_id = "attach_record_lists",
    params(("id" = String, Path, description = "The campaign.", example = "cd-5f0e1c7-2516-457e-8eb4-9847deec0000")),
    request_body(content = inline(ListIdsBody), description = "1 to 100 record lists.",
                 example = json!([{"id": "8858c834-481d-4a02-8176-cffc02c50350"}])),
    responses(
        (status = 204, description = "They are attached."),
        RecordListsErrors, RecordListsBodyErrors, CampaignOrListNotFound,
    ),
)]
#[post("/{id}/record-lists")]
pub async fn attach_record_lists(
    authorized: Authorized<RecordListsAccess>,
    path: web::Path<String>,
    body: Body,
    services: web::Data<Services>,
) -> Answer {
    authorized.expects_no_version()?;
    let campaign = campaign_id(&path)?;
    let lists = lists(body.value().await?)?;
    services.record_lists.attach(&authorized.caller, &campaign, &lists).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Detach record lists from a campaign
///
/// All of them or none: a record list that is not attached to the campaign is 404, and nothing is detached.
#[utoipa::path(
    tag = "record lists",
    operation_id = "detach_record_lists",
    params(("id" = String, Path, description = "The campaign.", example = "cd-5f0e1c7-2516-457e-8eb4-9847deec0000")),
    request_body(content = inline(ListIdsBody), description = "1 to 100 record lists.",
                 example = json!([{"id": "8858c834-481d-4a02-8176-cffc02c50350"}])),
    responses(
        (status = 204, description = "They are detached."),
        RecordListsErrors, RecordListsBodyErrors, CampaignOrListNotFound,
    ),
)]
#[delete("/{id}/record-lists")]
pub async fn detach_record_lists(
    authorized: Authorized<RecordListsAccess>,
    path: web::Path<String>,
    body: Body,
    services: web::Data<Services>,
) -> Answer {
    authorized.expects_no_version()?;
    let campaign = campaign_id(&path)?;
    let lists = lists(body.value().await?)?;
    services.record_lists.detach(&authorized.caller, &campaign, &lists).await?;
    Ok(HttpResponse::NoContent().finish())
}

fn campaign_id(text: &str) -> Result<CampaignId, Error> {
    CampaignId::parse(text).ok_or(Error::NotFound(Thing::Campaign))
}

/// The lists that a body names; None where what is named is no id.
fn lists(body: Value) -> Result<Vec<Option<Uuid>>, Error> {
    let Value::Array(items) = body else {
        return Err(Error::invalid("body", "must be an array of objects with an id"));
    };
    match items.len() {
        0 => return Err(Error::invalid("body", "must name at least one record list")),
        1..=MAX_LISTS => {}
        _ => return Err(Error::invalid(format!("[{MAX_LISTS}]"), format!("at most {MAX_LISTS} record lists"))),
    }
    items
        .into_iter()
        .enumerate()
        .map(|(index, item)| {
            let ListIdBody { id } = body::typed(item, &format!("[{index}]"))?;
            Ok(ids::parse_uuid(&id))
        })
        .collect()
}

/// Record lists that are named.
#[derive(utoipa::ToSchema)]
#[schema(min_items = 1, max_items = 100)]
#[expect(dead_code, reason = "the schema of what is read item by item")]
struct ListIdsBody(Vec<ListIdBody>);

/// A record list that is named.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct ListIdBody {
    /// Its id.
    id: String,
}

/// A page of a campaign's record lists.
#[derive(Serialize, utoipa::ToSchema)]
struct AttachedPage {
    /// How many record lists there are on all pages.
    total: i64,
    /// How many are on this page.
    count: usize,
    /// The page's number.
    page: i64,
    /// How many record lists a page has.
    per_page: i64,
    /// How many pages there are.
    total_pages: i64,
    /// Where this page and the others are.
    #[serde(rename = "_links")]
    links: PageLinks,
    /// The record lists.
    #[serde(rename = "_embedded")]
    embedded: EmbeddedLists,
}

/// A campaign's record lists inside an answer.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = EmbeddedAttachedLists)]
struct EmbeddedLists {
    /// The record lists.
    record_lists: Vec<AttachedBody>,
}

/// A record list that a campaign is attached to.
#[derive(Serialize, utoipa::ToSchema)]
struct AttachedBody {
    /// Its id.
    id: String,
    /// Its name.
    name: String,
    /// Where it is.
    #[serde(rename = "_links")]
    links: SelfLink,
}

#[derive(utoipa::IntoResponses)]
/// No such campaign: unknown, of another account, malformed, or deleted before.
#[response(status = 404, example = json!({"code": "0530900", "message": "Campaign not found.", "description": "Campaign not found", "fields": []}))]
#[expect(dead_code, reason = "read by the document's generator alone")]
struct CampaignNotFound(RecordListsError);

#[derive(utoipa::IntoResponses)]
/// No such campaign (0530900), or a record list is not there, or not attached (0530910): `fields` names each.
#[response(status = 404, example = json!({"code": "0530910", "message": "Record List not found.", "description": "[0].id: there is no such record list", "fields": [{"name": "[0].id", "description": "there is no such record list"}]}))]
#[expect(dead_code, reason = "read by the document's generator alone")]
struct CampaignOrListNotFound(RecordListsError);
