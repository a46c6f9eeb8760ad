//! The time zones of a list's records.

use actix_web::{HttpRequest, HttpResponse, get, web};
use serde::{Deserialize, Serialize};

use super::paging::{PageLinks, filtered, numbered_page};
use super::{Answer, Links, RecordListNotFound, RecordListsAccess, RecordListsErrors, hal, record_list_id};
use crate::handlers::auth::Authorized;
use crate::handlers::{Settings, body, pages};
use crate::services::Services;

/// List the time zones of records
///
/// Each zone that a live record of the list has, once, in the order of the alphabet.
#[utoipa::path(
    tag = "record lists",
    operation_id = "list_record_timezones",
    params(("id" = String, Path, description = "The list.", example = "8858c834-481d-4a02-8176-cffc02c50350"), ZoneParams),
    responses(
        (status = 200, description = "A page of zones.", body = ZonePage, content_type = "application/hal+json", example = json!({
            "total": 2, "count": 2, "page": 1, "per_page": 50, "total_pages": 1,
            "_links": {
                "self": {"href": "https://expunge.example/record-lists/8858c834-481d-4a02-8176-cffc02c50350/records/timezones?page=1&per_page=50"},
                "first": {"href": "https://expunge.example/record-lists/8858c834-481d-4a02-8176-cffc02c50350/records/timezones?page=1&per_page=50"},
                "last": {"href": "https://expunge.example/record-lists/8858c834-481d-4a02-8176-cffc02c50350/records/timezones?page=1&per_page=50"}
            },
            "_embedded": {"timezones": ["America/Los_Angeles", "Europe/Lisbon"]}
        })),
        RecordListsErrors, RecordListNotFound,
    ),
)]
#[get("/{id}/records/timezones")]
pub async fn list_record_timezones(
    authorized: Authorized<RecordListsAccess>,
    path: web::Path<String>,
    request: HttpRequest,
    services: web::Data<Services>,
    settings: web::Data<Settings>,
) -> Answer {
    let list = record_list_id(&path)?;
    let params: ZoneParams = authorized.params()?;
    let (page, per_page) = numbered_page(params.page, params.per_page)?;
    let search = params.search.unwrap_or_default().to_lowercase();
    body::text("search", &search, 35)?;
    let mut zones = services.record_lists.timezones(&authorized.caller, list).await?;
    zones.retain(|zone| zone.to_lowercase().contains(&search));
    let total = i64::try_from(zones.len()).unwrap_or(i64::MAX);
    let skip = usize::try_from((page - 1) * per_page).unwrap_or(usize::MAX);
    let timezones: Vec<String> =
        zones.into_iter().skip(skip).take(usize::try_from(per_page).unwrap_or_default()).collect();
    let href = filtered(Links(&settings.public_url).timezones(list).href, request.query_string(), &["search"]);
    let body = ZonePage {
        total,
        count: timezones.len(),
        page,
        per_page,
        total_pages: pages(total, per_page),
        links: PageLinks::numbered(&href, page, per_page, total),
        embedded: EmbeddedZones { timezones },
    };
    Ok(hal(&request, HttpResponse::Ok(), &body))
}

/// Which zones.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct ZoneParams {
    /// Only zones with this in their name, in whatever case.
    #[param(max_length = 35, example = "europe")]
    search: Option<String>,
    /// The page's number, from 1.
    #[param(minimum = 1, default = 1)]
    page: Option<i64>,
    /// How many a page has, 1 to 500.
    #[param(minimum = 1, maximum = 500, default = 50)]
    per_page: Option<i64>,
}

/// A page of zones.
#[derive(Serialize, utoipa::ToSchema)]
struct ZonePage {
    /// How many zones there are on all pages.
    total: i64,
    /// How many are on this page.
    count: usize,
    /// The page's number.
    page: i64,
    /// How many zones a page has.
    per_page: i64,
    /// How many pages there are.
    total_pages: i64,
    /// Where this page and the others are.
    #[serde(rename = "_links")]
    links: PageLinks,
    /// The zones.
    #[serde(rename = "_embedded")]
    embedded: EmbeddedZones,
}

/// Zones inside an answer.
#[derive(Serialize, utoipa::ToSchema)]
struct EmbeddedZones {
    /// Zones of the tz database.
    timezones: Vec<String>,
}
