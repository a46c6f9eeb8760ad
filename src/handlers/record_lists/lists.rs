//! Record lists are listed, created and looked up.

use actix_web::{HttpRequest, HttpResponse, get, post, web};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::paging::{PageLinks, PageParams, filtered};
use super::{
    Answer, Link, Links, RecordListNotFound, RecordListsAccess, RecordListsBodyErrors, RecordListsErrors, hal,
    record_list_id,
};
use crate::domain::page::LastChange;
use crate::domain::record_list::{ListFilter, ListStatus, NewRecordList, Period, RecordList, UniqueIdentifierType};
use crate::error::Error;
use crate::handlers::auth::Authorized;
use crate::handlers::body::{self, Body};
use crate::handlers::etag::etag;
use crate::handlers::params::instant;
use crate::handlers::{Settings, pages, timestamp};
use crate::services::Services;

/// Marks places in the list of record lists.
const PLACE: &str = "record list";

/// The parameters that choose which lists are listed.
const FILTERS: [&str; 6] = ["name", "status", "created_at_from", "created_at_to", "updated_at_from", "updated_at_to"];

/// List record lists
///
/// Live record lists, the last changed first: creating, changing or deleting records does not count as a change of their
/// list. Paged as records are, by number or by `next`; links keep the filters. `records_count` is counted when it is read.
/// A time that is `from` or `to` another is included.
#[utoipa::path(
    tag = "record lists",
    operation_id = "list_record_lists",
    params(FilterParams, PageParams),
    responses(
        (status = 200, description = "A page of record lists.", body = ListPage, content_type = "application/hal+json", example = json!({
            "total": 1, "count": 1, "page": 1, "per_page": 50, "total_pages": 1,
            "_links": {
                "self": {"href": "https://expunge.example/record-lists?page=1&per_page=50"},
                "first": {"href": "https://expunge.example/record-lists?page=1&per_page=50"},
                "last": {"href": "https://expunge.example/record-lists?page=1&per_page=50"}
            },
            "_embedded": {"record_lists": [example_list()]}
        })),
        RecordListsErrors,
    ),
)]
#[get("")]
pub async fn list_record_lists(
    authorized: Authorized<RecordListsAccess>,
    request: HttpRequest,
    services: web::Data<Services>,
    settings: web::Data<Settings>,
) -> Answer {
    let params: PageParams = authorized.params()?;
    let asked = params.read(PLACE)?;
    let filter: FilterParams = authorized.params()?;
    let listed = services.record_lists.list(&authorized.caller, &filter.read()?, &asked.page).await?;
    let links = Links(&settings.public_url);
    let place = |list: &RecordList| LastChange { at: list.updated_at, id: list.id };
    let next = listed.items.last().filter(|_| listed.has_more).map(place);
    let (total, count) = (listed.total, listed.items.len());
    let href = filtered(links.lists().href, request.query_string(), &FILTERS);
    let body = ListPage {
        total,
        count,
        page: asked.number,
        per_page: asked.page.limit,
        total_pages: pages(total, asked.page.limit),
        links: asked.links(&href, PLACE, total, next),
        embedded: EmbeddedLists {
            record_lists: listed.items.into_iter().map(|list| RecordListBody::of(list, &links)).collect(),
        },
    };
    Ok(hal(&request, HttpResponse::Ok(), &body))
}

/// Create a record list
///
/// The list is ACCEPTED at once, and records are created in it. The vendor's `csv_metadata` asks for an upload, of which
/// there is none here: it is refused rather than ignored.
#[utoipa::path(
    tag = "record lists",
    operation_id = "create_record_list",
    request_body(content = NewRecordListBody, example = json!({"name": "August", "unique_identifier_type": "PHONE_NUMBER"})),
    responses(
        (status = 201, description = "The list.", body = RecordListBody, content_type = "application/hal+json", example = json!(example_list())),
        RecordListsErrors, RecordListsBodyErrors,
    ),
)]
#[post("")]
pub async fn create_record_list(
    authorized: Authorized<RecordListsAccess>,
    body: Body,
    request: HttpRequest,
    services: web::Data<Services>,
    settings: web::Data<Settings>,
) -> Answer {
    let new: NewRecordListBody = body.json().await?;
    if new.csv_metadata.is_some() {
        return Err(Error::invalid("csv_metadata", "is not supported: there are no uploads here").into());
    }
    body::required_text("name", &new.name, 120)?;
    let new = NewRecordList { name: new.name, unique_identifier_type: new.unique_identifier_type.into() };
    let list = services.record_lists.create(&authorized.caller, &new).await?;
    let mut response = HttpResponse::Created();
    response.insert_header(etag(list.version));
    Ok(hal(&request, response, &RecordListBody::of(list, &Links(&settings.public_url))))
}

/// Get a record list
///
/// `records_count` is counted when it is read.
#[utoipa::path(
    tag = "record lists",
    operation_id = "get_record_list",
    params(("id" = String, Path, description = "The list.", example = "8858c834-481d-4a02-8176-cffc02c50350")),
    responses(
        (status = 200, description = "The list.", body = RecordListBody, content_type = "application/hal+json", example = json!(example_list())),
        RecordListsErrors, RecordListNotFound,
    ),
)]
#[get("/{id}")]
pub async fn get_record_list(
    authorized: Authorized<RecordListsAccess>,
    path: web::Path<String>,
    request: HttpRequest,
    services: web::Data<Services>,
    settings: web::Data<Settings>,
) -> Answer {
    let list = services.record_lists.find(&authorized.caller, record_list_id(&path)?).await?;
    let mut response = HttpResponse::Ok();
    response.insert_header(etag(list.version));
    Ok(hal(&request, response, &RecordListBody::of(list, &Links(&settings.public_url))))
}

/// A record list that is to be created.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(expecting = "an object")]
pub struct NewRecordListBody {
    /// Its name, at most 120 characters.
    #[schema(min_length = 1, max_length = 120)]
    name: String,
    /// What is to tell its records apart.
    #[serde(default, deserialize_with = "body::null_is_absent")]
    #[schema(required = false, nullable, default = "NOTHING")]
    unique_identifier_type: TypeBody,
    /// Refused.
    #[serde(default)]
    #[schema(ignore)]
    csv_metadata: Option<Value>,
}

/// Which lists.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct FilterParams {
    /// Only lists with exactly this name.
    #[param(min_length = 1, max_length = 120)]
    name: Option<String>,
    /// Only lists in this status.
    #[param(inline)]
    status: Option<StatusParam>,
    /// Only lists created at or after this time, in ISO 8601.
    #[param(format = DateTime)]
    created_at_from: Option<String>,
    /// Only lists created at or before this time.
    #[param(format = DateTime)]
    created_at_to: Option<String>,
    /// Only lists last changed at or after this time.
    #[param(format = DateTime)]
    updated_at_from: Option<String>,
    /// Only lists last changed at or before this time.
    #[param(format = DateTime)]
    updated_at_to: Option<String>,
}

/// Where a list stands.
#[derive(Clone, Copy, Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum StatusParam {
    /// Being made.
    Incomplete,
    /// Its file is there.
    Uploaded,
    /// Its file is being looked at.
    ValidationStarted,
    /// It can be used.
    Accepted,
    /// None of its records is good.
    Rejected,
    /// Its file cannot be read.
    Corrupted,
}

impl FilterParams {
    fn read(self) -> Result<ListFilter, Error> {
        if let Some(name) = &self.name {
            body::required_text("name", name, 120)?;
        }
        Ok(ListFilter {
            name: self.name,
            status: self.status.map(|status| match status {
                StatusParam::Incomplete => ListStatus::Incomplete,
                StatusParam::Uploaded => ListStatus::Uploaded,
                StatusParam::ValidationStarted => ListStatus::ValidationStarted,
                StatusParam::Accepted => ListStatus::Accepted,
                StatusParam::Rejected => ListStatus::Rejected,
                StatusParam::Corrupted => ListStatus::Corrupted,
            }),
            created: period("created_at", self.created_at_from, self.created_at_to)?,
            updated: period("updated_at", self.updated_at_from, self.updated_at_to)?,
        })
    }
}

/// The time between two parameters.
pub(super) fn period(field: &str, from: Option<String>, to: Option<String>) -> Result<Period, Error> {
    Ok(Period { from: instant(&format!("{field}_from"), from)?, to: instant(&format!("{field}_to"), to)? })
}

/// What tells the records of a list apart.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schema(as = UniqueIdentifierType)]
enum TypeBody {
    /// A record's first phone number.
    PhoneNumber,
    /// A record's external provider and id.
    External,
    /// Nothing.
    #[default]
    Nothing,
}

impl From<TypeBody> for UniqueIdentifierType {
    fn from(kind: TypeBody) -> Self {
        match kind {
            TypeBody::PhoneNumber => UniqueIdentifierType::PhoneNumber,
            TypeBody::External => UniqueIdentifierType::External,
            TypeBody::Nothing => UniqueIdentifierType::Nothing,
        }
    }
}

/// A page of record lists.
#[derive(Serialize, utoipa::ToSchema)]
struct ListPage {
    /// How many lists there are on all pages.
    total: i64,
    /// How many are on this page.
    count: usize,
    /// The page's number.
    page: i64,
    /// How many lists a page has.
    per_page: i64,
    /// How many pages there are.
    total_pages: i64,
    /// Where this page and the others are.
    #[serde(rename = "_links")]
    links: PageLinks,
    /// The lists.
    #[serde(rename = "_embedded")]
    embedded: EmbeddedLists,
}

/// Record lists inside an answer.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = EmbeddedRecordLists)]
struct EmbeddedLists {
    /// The lists.
    record_lists: Vec<RecordListBody>,
}

/// A record list.
#[derive(Serialize, utoipa::ToSchema)]
pub struct RecordListBody {
    /// Its id.
    id: String,
    /// Its name.
    name: String,
    /// PHONE_NUMBER, EXTERNAL or NOTHING.
    unique_identifier_type: &'static str,
    /// INCOMPLETE, UPLOADED, VALIDATION_STARTED, ACCEPTED, REJECTED or CORRUPTED.
    status: &'static str,
    /// How many records it has.
    records_count: i64,
    /// When it was created.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it last changed.
    #[schema(format = DateTime)]
    updated_at: String,
    /// Where it is.
    #[serde(rename = "_links")]
    links: SelfLink,
}

/// Where something is.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SelfLink {
    /// Here.
    #[serde(rename = "self")]
    pub(super) this: Link,
}

impl RecordListBody {
    pub(super) fn of(list: RecordList, links: &Links<'_>) -> Self {
        Self {
            id: list.id.to_string(),
            name: list.name,
            unique_identifier_type: list.unique_identifier_type.name(),
            status: list.status.name(),
            records_count: list.records_count,
            created_at: timestamp(list.created_at),
            updated_at: timestamp(list.updated_at),
            links: SelfLink { this: links.list(list.id) },
        }
    }
}

pub(super) fn example_list() -> Value {
    json!({
        "id": "8858c834-481d-4a02-8176-cffc02c50350", "name": "August", "unique_identifier_type": "PHONE_NUMBER",
        "status": "ACCEPTED", "records_count": 0,
        "created_at": "2026-01-09T05:20:39.374Z", "updated_at": "2026-01-09T05:20:39.374Z",
        "_links": {"self": {"href": "https://expunge.example/record-lists/8858c834-481d-4a02-8176-cffc02c50350"}}
    })
}
