//! Campaigns are listed.

use actix_web::{HttpResponse, post, web};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use time::OffsetDateTime;

use super::{
    Answer, CampaignBody, CampaignsAccess, CampaignsBodyErrors, CampaignsErrors, Envelope, TypeParam, example_campaign,
};
use crate::domain::campaign::{CampaignFilter, CampaignOrder, CampaignStatus};
use crate::domain::ids::CampaignId;
use crate::domain::page::Page;
use crate::error::Error;
use crate::handlers::auth::Authorized;
use crate::handlers::body::{self, Body};
use crate::handlers::paging::{Asked, PageBody};
use crate::handlers::params;
use crate::services::Services;

/// List campaigns
///
/// Live campaigns, the last changed first unless `sortBy` says otherwise. Every field may be left out; an empty text
/// stands for one that is. `type` is not required, as it is by the vendor: without it, campaigns of both types are
/// listed. `startDate` and `endDate` bound the time of creation. Of several fields in `sortBy` the first counts. The
/// message has two blanks, as the vendor answers it.
#[utoipa::path(
    tag = "campaigns",
    operation_id = "list_campaigns",
    params(
        ("streamId" = String, Path, description = "The stream (application) that the campaigns belong to."),
        ("accountId" = Option<String>, Header, description = "The account that the token belongs to."),
    ),
    request_body(content = ListBody, example = json!({
        "type": "voice", "skip": 0, "limit": 10, "sortBy": {"updatedAt": "desc"}, "filters": {"status": ["Ready", "Stopped"], "dialingMode": "Preview"}
    })),
    responses(
        (status = 200, description = "A page of campaigns.", body = Envelope<PageBody<CampaignBody>>,
         example = json!({"status": "success", "message": "Campaign  retrieved successfully", "data": {
            "results": [example_campaign()], "skip": 0, "limit": 10, "hasMore": false, "totalPages": 1, "totalResults": 1
         }})),
        CampaignsErrors, CampaignsBodyErrors,
    ),
)]
#[post("/campaign/getAllCampaignDetails")]
pub async fn list_campaigns(
    authorized: Authorized<CampaignsAccess>,
    body: Body,
    services: web::Data<Services>,
) -> Answer {
    let body = body.value().await?;
    for field in ["sortBy", "filters"] {
        body::not_an_array(field, body.get(field).unwrap_or_default())?;
    }
    let body: ListBody = body::typed(body, "")?;
    let (filter, order, page) = body.read()?;
    let caller = &authorized.caller;
    let listed = services.campaigns.list(caller, authorized.stream(), &filter, order, &page).await?;
    let body = PageBody::numbered(&page, listed, |campaign| CampaignBody::of(campaign, caller));
    Ok(HttpResponse::Ok().json(Envelope::success("Campaign  retrieved successfully", body)))
}

/// Which campaigns to list.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", expecting = "an object")]
struct ListBody {
    /// How the campaigns reach people.
    #[serde(default, rename = "type", deserialize_with = "empty_is_absent")]
    #[schema(inline)]
    campaign_type: Option<TypeParam>,
    /// How many to leave out, at most 10,000. Not together with `page`.
    #[serde(default, deserialize_with = "empty_is_absent")]
    #[schema(minimum = 0, maximum = 10000)]
    skip: Option<i64>,
    /// The page's number, from 1.
    #[serde(default, deserialize_with = "empty_is_absent")]
    #[schema(minimum = 1)]
    page: Option<i64>,
    /// How many a page has, 1 to 100; 50 unless given.
    #[serde(default, deserialize_with = "empty_is_absent")]
    #[schema(minimum = 1, maximum = 100)]
    limit: Option<i64>,
    /// Only campaigns created at or after this time, in ISO 8601.
    #[schema(format = DateTime)]
    start_date: Option<String>,
    /// Only campaigns created at or before this time.
    #[schema(format = DateTime)]
    end_date: Option<String>,
    /// The order.
    sort_by: Option<SortBy>,
    /// What else the campaigns must be.
    filters: Option<Filters>,
}

/// The order: of one field, `asc` or `desc`.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "an object")]
struct SortBy {
    /// By name.
    #[schema(inline)]
    #[serde(default, deserialize_with = "empty_is_absent")]
    name: Option<Direction>,
    /// By the time of creation.
    #[schema(inline)]
    #[serde(default, deserialize_with = "empty_is_absent")]
    created_at: Option<Direction>,
    /// By the time of the last change.
    #[schema(inline)]
    #[serde(default, deserialize_with = "empty_is_absent")]
    updated_at: Option<Direction>,
}

/// Which end of an order comes first.
#[derive(Clone, Copy, Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
enum Direction {
    /// The lowest.
    Asc,
    /// The highest.
    Desc,
}

/// What campaigns must be.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "an object")]
struct Filters {
    /// In this status, or in one of these.
    #[serde(default, deserialize_with = "one_or_more")]
    #[schema(value_type = Option<OneOrMore<CampaignStatusName>>)]
    status: Vec<String>,
    /// With this priority, or with one of these; a number or a text.
    #[serde(default, deserialize_with = "one_or_more")]
    #[schema(value_type = Option<OneOrMore<FilterValue>>)]
    priority: Vec<String>,
    /// With this dialing mode, or with one of these.
    #[serde(default, deserialize_with = "one_or_more")]
    #[schema(value_type = Option<OneOrMore<FilterValue>>)]
    dialing_mode: Vec<String>,
}

/// What a filter asks for.
#[derive(utoipa::ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "the schema of what is read as texts")]
enum OneOrMore<T> {
    /// One value.
    One(T),
    /// Several, of which one must fit; none at all ask for nothing.
    More(Vec<T>),
}

/// Where a campaign stands.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "the schema of what is read as a text")]
enum CampaignStatusName {
    /// Being made.
    Preparing,
    /// Made, and not started.
    Ready,
    /// Starts at a set time.
    Scheduled,
    /// Starts at another time than first set.
    Rescheduled,
    /// Calling.
    Active,
    /// Held for a while.
    Paused,
    /// Ended by somebody.
    Stopped,
    /// Ended by itself.
    Completed,
}

/// What a field is compared with.
#[derive(utoipa::ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "the schema of what is read as a text")]
enum FilterValue {
    /// A text.
    Text(FilterText),
    /// A number, which stands for its text.
    Number(f64),
}

/// A text that a field is compared with.
#[derive(utoipa::ToSchema)]
#[schema(max_length = 255)]
#[expect(dead_code, reason = "the schema of what is read as a text")]
struct FilterText(String);

impl ListBody {
    fn read(self) -> Result<(CampaignFilter, CampaignOrder, Page<CampaignId>), Error> {
        let asked = Asked { skip: self.skip, limit: self.limit, page: self.page, after: None };
        let page = asked.read(50, |_| Err(Error::invalid("after", "is not supported")))?;
        let instant = |field: &str, text: Option<String>| -> Result<Option<OffsetDateTime>, Error> {
            params::instant(field, text.filter(|text| !text.is_empty()))
        };
        let filters = self.filters.unwrap_or(Filters { status: vec![], priority: vec![], dialing_mode: vec![] });
        let statuses = filters
            .status
            .iter()
            .enumerate()
            .map(|(index, name)| {
                let unknown = || Error::invalid(format!("filters.status[{index}]"), "is no status of a campaign");
                CampaignStatus::parse(name).ok_or_else(unknown)
            })
            .collect::<Result<Vec<_>, Error>>()?;
        for (field, values) in [("priority", &filters.priority), ("dialingMode", &filters.dialing_mode)] {
            for (index, value) in values.iter().enumerate() {
                body::text(&format!("filters.{field}[{index}]"), value, 255)?;
            }
        }
        let filter = CampaignFilter {
            campaign_type: self.campaign_type.map(Into::into),
            statuses: Some(statuses).filter(|statuses| !statuses.is_empty()),
            priorities: Some(filters.priority).filter(|priorities| !priorities.is_empty()),
            dialing_modes: Some(filters.dialing_mode).filter(|modes| !modes.is_empty()),
            created_from: instant("startDate", self.start_date)?,
            created_to: instant("endDate", self.end_date)?,
        };
        Ok((filter, self.sort_by.map(|sort| sort.read()).unwrap_or_default(), page))
    }
}

impl SortBy {
    fn read(&self) -> CampaignOrder {
        match (self.name, self.created_at, self.updated_at) {
            (Some(Direction::Asc), ..) => CampaignOrder::NameAscending,
            (Some(Direction::Desc), ..) => CampaignOrder::NameDescending,
            (_, Some(Direction::Asc), _) => CampaignOrder::CreatedAscending,
            (_, Some(Direction::Desc), _) => CampaignOrder::CreatedDescending,
            (.., Some(Direction::Asc)) => CampaignOrder::UpdatedAscending,
            (.., Some(Direction::Desc) | None) => CampaignOrder::UpdatedDescending,
        }
    }
}

/// Reads an empty text as though the field were absent, as the vendor's clients send it.
fn empty_is_absent<'de, D: Deserializer<'de>, T: serde::de::DeserializeOwned>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(None),
        Value::String(text) if text.is_empty() => Ok(None),
        value => serde_json::from_value(value).map(Some).map_err(serde::de::Error::custom),
    }
}

/// Reads one text or number, or an array of them, as texts.
fn one_or_more<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let values = match Value::deserialize(deserializer)? {
        Value::Null => Vec::new(),
        Value::Array(values) => values,
        Value::String(text) if text.is_empty() => Vec::new(),
        value => vec![value],
    };
    let text = |value| match value {
        Value::String(text) => Ok(text),
        Value::Number(number) => Ok(number.to_string()),
        _ => Err(serde::de::Error::custom("must be a text or an array of texts")),
    };
    values.into_iter().map(text).collect()
}
