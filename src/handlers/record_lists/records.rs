//! Records are listed and looked up.

use actix_web::{HttpRequest, HttpResponse, get, web};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::lists::period;
use super::paging::{PageLinks, PageParams, filtered};
use super::{
    Answer, Links, RecordListNotFound, RecordListsAccess, RecordListsErrors, RecordNotFound, RecordsLinks, hal,
    record_list_id,
};
use crate::domain::ids;
use crate::domain::page::LastChange;
use crate::domain::phone::PhoneKey;
use crate::domain::record::{Record, RecordFilter};
use crate::domain::timezone;
use crate::error::{Error, Thing};
use crate::handlers::auth::Authorized;
use crate::handlers::etag::etag;
use crate::handlers::params::several;
use crate::handlers::{Settings, pages, timestamp};
use crate::services::Services;

/// Marks places in a list of records.
const PLACE: &str = "record";

/// The parameters that choose which records are listed.
const FILTERS: [&str; 5] = ["phone_number", "priorities", "timezones", "updated_at_from", "updated_at_to"];

/// List records
///
/// A list's live records, the last changed first. `next` leads through all of them: it carries an opaque `after`, which
/// neither repeats nor leaves out records while others are deleted, and costs the same for every page. Numbered pages
/// are there beside it and reach the first 10,000 records, though `total` counts all; `last` is the last of those. On a
/// page that was asked for by `after`, `page` is 1 and there is no `prev`. Links keep the filters. Of the vendor's filters
/// `search`, `search_fields`, `extra_data_filter` and `upload_request_id` are not there, and of its orders only this one.
#[utoipa::path(
    tag = "record lists",
    operation_id = "list_records",
    params(
        ("id" = String, Path, description = "The list.", example = "8858c834-481d-4a02-8176-cffc02c50350"),
        RecordFilterParams,
        ("priorities" = Option<Vec<i16>>, Query, style = Form, description = "Only records of one of these priorities, with commas between them or the parameter given several times."),
        ("timezones" = Option<Vec<String>>, Query, style = Form, description = "Only records of one of these zones of the tz database, likewise."),
        PageParams,
    ),
    responses(
        (status = 200, description = "A page of records.", body = RecordPage, content_type = "application/hal+json", example = json!({
            "total": 1, "count": 1, "page": 1, "per_page": 50, "total_pages": 1,
            "_links": {
                "self": {"href": "https://expunge.example/record-lists/8858c834-481d-4a02-8176-cffc02c50350/records?page=1&per_page=50"},
                "first": {"href": "https://expunge.example/record-lists/8858c834-481d-4a02-8176-cffc02c50350/records?page=1&per_page=50"},
                "last": {"href": "https://expunge.example/record-lists/8858c834-481d-4a02-8176-cffc02c50350/records?page=1&per_page=50"}
            },
            "_embedded": {"records": [example_record()]}
        })),
        RecordListsErrors, RecordListNotFound,
    ),
)]
#[get("/{id}/records")]
pub async fn list_records(
    authorized: Authorized<RecordListsAccess>,
    path: web::Path<String>,
    request: HttpRequest,
    services: web::Data<Services>,
    settings: web::Data<Settings>,
) -> Answer {
    let list = record_list_id(&path)?;
    let params: PageParams = authorized.params()?;
    let asked = params.read(PLACE)?;
    let filter: RecordFilterParams = authorized.params()?;
    let filter = filter.read(request.query_string())?;
    let listed = services.record_lists.records(&authorized.caller, list, &filter, &asked.page).await?;
    let links = Links(&settings.public_url);
    let place = |record: &Record| LastChange { at: record.updated_at, id: record.id };
    let next = listed.items.last().filter(|_| listed.has_more).map(place);
    let (total, count) = (listed.total, listed.items.len());
    let body = RecordPage {
        total,
        count,
        page: asked.number,
        per_page: asked.page.limit,
        total_pages: pages(total, asked.page.limit),
        links: asked.links(&filtered(links.records(list).href, request.query_string(), &FILTERS), PLACE, total, next),
        embedded: Embedded { records: listed.items.into_iter().map(|record| RecordBody::of(record, &links)).collect() },
    };
    Ok(hal(&request, HttpResponse::Ok(), &body))
}

/// Get a record
#[utoipa::path(
    tag = "record lists",
    operation_id = "get_record",
    params(
        ("id" = String, Path, description = "The list.", example = "8858c834-481d-4a02-8176-cffc02c50350"),
        ("record_id" = String, Path, description = "The record.", example = "f03004be-2853-4660-b6e8-060cc383ddbe"),
    ),
    responses(
        (status = 200, description = "The record.", body = RecordBody, content_type = "application/hal+json", example = json!(example_record())),
        RecordListsErrors, RecordNotFound,
    ),
)]
#[get("/{id}/records/{record_id}")]
pub async fn get_record(
    authorized: Authorized<RecordListsAccess>,
    path: web::Path<(String, String)>,
    request: HttpRequest,
    services: web::Data<Services>,
    settings: web::Data<Settings>,
) -> Answer {
    let list = record_list_id(&path.0)?;
    let id = ids::parse_uuid(&path.1).ok_or(Error::NotFound(Thing::Record))?;
    let record = services.record_lists.find_record(&authorized.caller, list, id).await?;
    let mut response = HttpResponse::Ok();
    response.insert_header(etag(record.version));
    Ok(hal(&request, response, &RecordBody::of(record, &Links(&settings.public_url))))
}

/// Which records.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct RecordFilterParams {
    /// Only records that have this number; compared as in a deletion.
    #[param(min_length = 1, max_length = 40, example = "+14155550100")]
    phone_number: Option<String>,
    /// Only records last changed at or after this time, in ISO 8601.
    #[param(format = DateTime)]
    updated_at_from: Option<String>,
    /// Only records last changed at or before this time.
    #[param(format = DateTime)]
    updated_at_to: Option<String>,
}

impl RecordFilterParams {
    fn read(self, query: &str) -> Result<RecordFilter, Error> {
        let number = |number: String| {
            PhoneKey::parse(&number).ok_or_else(|| Error::invalid("phone_number", "is not a phone number"))
        };
        let priority = |text: String| {
            let priority = text.parse().ok().filter(|priority| (1..=10).contains(priority));
            priority.ok_or_else(|| Error::invalid("priorities", "must be 1 to 10 each"))
        };
        let zone = |name: String| {
            let zone = timezone::named(&name).map(str::to_owned);
            zone.ok_or_else(|| Error::invalid("timezones", "must be zones of the tz database"))
        };
        Ok(RecordFilter {
            phone_key: self.phone_number.map(number).transpose()?,
            priorities: several(query, "priorities").into_iter().map(priority).collect::<Result<_, _>>()?,
            timezones: several(query, "timezones").into_iter().map(zone).collect::<Result<_, _>>()?,
            updated: period("updated_at", self.updated_at_from, self.updated_at_to)?,
        })
    }
}

/// Records inside an answer.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct Embedded<T> {
    /// The records.
    pub(super) records: Vec<T>,
}

/// A page of records.
#[derive(Serialize, utoipa::ToSchema)]
struct RecordPage {
    /// How many records there are on all pages.
    total: i64,
    /// How many are on this page.
    count: usize,
    /// The page's number.
    page: i64,
    /// How many records a page has.
    per_page: i64,
    /// How many pages there are.
    total_pages: i64,
    /// Where this page and the others are.
    #[serde(rename = "_links")]
    links: PageLinks,
    /// The records.
    #[serde(rename = "_embedded")]
    embedded: Embedded<RecordBody>,
}

/// A record.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct RecordBody {
    /// Its id.
    id: String,
    /// Its list.
    record_list_id: String,
    /// The first of its numbers; deprecated for `phone_numbers`.
    phone_number: Option<String>,
    /// Its numbers.
    phone_numbers: Vec<PhoneBody>,
    /// First name.
    first_name: String,
    /// Last name.
    last_name: String,
    /// A zone of the tz database.
    timezone: Option<String>,
    /// 1 to 10.
    priority: Option<i16>,
    /// The other system that knows the person.
    external_provider: Option<String>,
    /// The person's id there.
    external_id: Option<String>,
    /// Where the other system shows the person.
    external_url: Option<String>,
    /// Whether the other system is told of results.
    sync_external_id: bool,
    /// Anything else.
    #[schema(value_type = Object)]
    extra_data: Map<String, Value>,
    /// When it was created.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it last changed.
    #[schema(format = DateTime)]
    updated_at: String,
    /// Where it and its list are.
    #[serde(rename = "_links")]
    links: RecordsLinks,
}

impl RecordBody {
    pub(super) fn of(record: Record, links: &Links<'_>) -> Self {
        let id = record.id.to_string();
        let person = record.person;
        let (external_provider, external_id) = person.external.map(|external| (external.provider, external.id)).unzip();
        Self {
            links: RecordsLinks {
                this: links.record(record.record_list_id, &id),
                record_list: links.list(record.record_list_id),
            },
            id,
            record_list_id: record.record_list_id.to_string(),
            phone_number: person.phone_numbers.first().map(|phone| phone.phone_number.clone()),
            phone_numbers: person
                .phone_numbers
                .into_iter()
                .map(|phone| PhoneBody { phone_number: phone.phone_number, phone_type: phone.phone_type })
                .collect(),
            first_name: person.first_name,
            last_name: person.last_name,
            timezone: person.timezone,
            priority: person.priority,
            external_provider,
            external_id,
            external_url: person.external_url,
            sync_external_id: person.sync_external_id,
            extra_data: person.extra_data,
            created_at: timestamp(record.created_at),
            updated_at: timestamp(record.updated_at),
        }
    }
}

/// One of a record's numbers.
#[derive(Serialize, utoipa::ToSchema)]
struct PhoneBody {
    /// The number as it was given.
    phone_number: String,
    /// HOME, OFFICE, MOBILE, EXTRA_1, EXTRA_2 or EXTRA_3.
    phone_type: Option<String>,
}

pub(super) fn example_record() -> Value {
    json!({
        "id": "f03004be-2853-4660-b6e8-060cc383ddbe", "record_list_id": "8858c834-481d-4a02-8176-cffc02c50350",
        "phone_number": "+14155550100", "phone_numbers": [{"phone_number": "+14155550100", "phone_type": "MOBILE"}],
        "first_name": "Ada", "last_name": "Byron", "timezone": "America/Los_Angeles", "priority": 5,
        "external_provider": null, "external_id": null, "external_url": null, "sync_external_id": false, "extra_data": {},
        "created_at": "2026-01-09T05:20:39.374Z", "updated_at": "2026-01-09T05:20:39.374Z",
        "_links": {
            "self": {"href": "https://expunge.example/record-lists/8858c834-481d-4a02-8176-cffc02c50350/records/f03004be-2853-4660-b6e8-060cc383ddbe"},
            "record_list": {"href": "https://expunge.example/record-lists/8858c834-481d-4a02-8176-cffc02c50350"}
        }
    })
}
