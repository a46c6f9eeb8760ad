//! Record lists.

use actix_web::{HttpRequest, HttpResponse, get, post, web};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Answer, Link, Links, RecordListNotFound, RecordListsAccess, RecordListsBodyErrors, RecordListsErrors, hal,
    record_list_id,
};
use crate::domain::record_list::{NewRecordList, RecordList, UniqueIdentifierType};
use crate::handlers::auth::Authorized;
use crate::handlers::body::{self, Body};
use crate::handlers::etag::etag;
use crate::handlers::{Settings, timestamp};
use crate::services::Services;

/// Create a record list
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
    #[schema(required = false, default = "NOTHING")]
    unique_identifier_type: TypeBody,
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

/// A record list.
#[derive(Serialize, utoipa::ToSchema)]
pub struct RecordListBody {
    /// Its id.
    id: String,
    /// Its name.
    name: String,
    /// PHONE_NUMBER, EXTERNAL or NOTHING.
    unique_identifier_type: &'static str,
    /// The vendor's state of the list.
    status: String,
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
    this: Link,
}

impl RecordListBody {
    fn of(list: RecordList, links: &Links<'_>) -> Self {
        Self {
            id: list.id.to_string(),
            name: list.name,
            unique_identifier_type: list.unique_identifier_type.name(),
            status: list.status,
            records_count: list.records_count,
            created_at: timestamp(list.created_at),
            updated_at: timestamp(list.updated_at),
            links: SelfLink { this: links.list(list.id) },
        }
    }
}

fn example_list() -> Value {
    json!({
        "id": "8858c834-481d-4a02-8176-cffc02c50350", "name": "August", "unique_identifier_type": "PHONE_NUMBER",
        "status": "ACCEPTED", "records_count": 0,
        "created_at": "2026-01-09T05:20:39.374Z", "updated_at": "2026-01-09T05:20:39.374Z",
        "_links": {"self": {"href": "https://expunge.example/record-lists/8858c834-481d-4a02-8176-cffc02c50350"}}
    })
}
