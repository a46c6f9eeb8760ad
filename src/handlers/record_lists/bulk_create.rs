//! The bulk creation of records.

use actix_web::{HttpRequest, HttpResponse, post, web};
use serde::Deserialize;
use serde_json::Value;

use super::bulk::{RecordResult, RecordsReport, key_taken};
use super::person::{NewRecordBody, person};
use super::records::example_record;
use super::{
    Answer, Links, RecordListNotFound, RecordListsAccess, RecordListsBodyErrors, RecordListsErrors, hal, record_list_id,
};
use crate::domain::record::{CreatedRecord, Person, RecordError, RecordProblem};
use crate::error::Error;
use crate::handlers::Settings;
use crate::handlers::auth::Authorized;
use crate::handlers::body::{self, Body};
use crate::services::Services;
use crate::services::record_lists::MAX_ADDED;

/// Create records in bulk
///
/// Creates 1 to 100 records and answers one for each input, in the order given: the record, or the input with `errors`
/// that say why it was not created. `errors` holds the vendor's bare codes, each once; `error_details` beside it has a
/// code and a message for everything that is wrong. In a PHONE_NUMBER list a record's first number, in an EXTERNAL list
/// its external reference must not be another live record's; the identifier of a deleted record can be used again at
/// once. A `timezone` that is given is kept, whatever the number; where none is given, that of the first number which
/// tells one is stored and answered, and TIMEZONE_UNMATCHED says that none does. `upload_request_id` is accepted and leads nowhere:
/// there are no uploads here.
#[utoipa::path(
    tag = "record lists",
    operation_id = "bulk_create_records",
    params(("id" = String, Path, description = "The list.", example = "8858c834-481d-4a02-8176-cffc02c50350")),
    request_body(content = BulkCreateBody, example = json!({"records": [{
        "first_name": "Ada", "last_name": "Byron", "phone_numbers": [{"phone_number": "+14155550100", "phone_type": "MOBILE"}],
        "timezone": "America/Los_Angeles", "priority": 5
    }]})),
    responses(
        (status = 201, description = "One result for each record, in the order given.", body = RecordsReport,
         content_type = "application/hal+json", example = json!({
            "record_list_id": "8858c834-481d-4a02-8176-cffc02c50350", "has_errors": true, "total_created": 1, "total_errors": 1,
            "_links": {"self": {"href": "https://expunge.example/record-lists/8858c834-481d-4a02-8176-cffc02c50350/records"},
                       "record_list": {"href": "https://expunge.example/record-lists/8858c834-481d-4a02-8176-cffc02c50350"}},
            "_embedded": {"records": [example_record(), {
                "first_name": "Bea", "phone_number": "+14155550102", "errors": ["LAST_NAME_MISSING"],
                "error_details": [{"code": "LAST_NAME_MISSING", "message": "last_name: is required"}]
            }]}
        })),
        RecordListsErrors, RecordListsBodyErrors, RecordListNotFound,
    ),
)]
#[post("/{id}/records/bulks")]
pub async fn bulk_create_records(
    authorized: Authorized<RecordListsAccess>,
    path: web::Path<String>,
    body: Body,
    request: HttpRequest,
    services: web::Data<Services>,
    settings: web::Data<Settings>,
) -> Answer {
    let list = record_list_id(&path)?;
    let BulkCreateBody { records, upload_request_id } = body.json().await?;
    if let Some(upload) = &upload_request_id {
        body::required_text("upload_request_id", upload, 36)?;
    }
    match records.len() {
        0 => return Err(Error::invalid("records", "must have at least one").into()),
        1..=MAX_ADDED => {}
        _ => return Err(Error::TooManyRecords { limit: MAX_ADDED }.into()),
    }
    let caller = &authorized.caller;
    let unique_by = services.record_lists.unique_identifier_type(caller, list).await?;
    let read: Vec<Result<Person, Vec<RecordProblem>>> =
        records.iter().map(|record| person(record, unique_by)).collect();
    let people: Vec<Person> = read.iter().filter_map(|person| person.as_ref().ok().cloned()).collect();
    let mut created = services.record_lists.add_records(caller, list, &people).await?.into_iter();
    let links = Links(&settings.public_url);
    let results: Vec<RecordResult> = records
        .into_iter()
        .zip(read)
        .map(|(input, read)| match read.map(|_| created.next()) {
            Ok(Some(CreatedRecord::Record(record))) => RecordResult::record(*record, &links),
            Ok(Some(CreatedRecord::KeyTaken { by })) => RecordResult::failed(input, &[key_taken(unique_by, by)]),
            Ok(None) => RecordResult::failed(input, &[RecordProblem::new(RecordError::Other, "", "no result")]),
            Err(problems) => RecordResult::failed(input, &problems),
        })
        .collect();
    Ok(hal(&request, HttpResponse::Created(), &RecordsReport::created(list, results, &links)))
}

/// Records that are to be created.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(expecting = "an object")]
pub struct BulkCreateBody {
    /// 1 to 100 records.
    #[schema(value_type = Vec<NewRecordBody>, min_items = 1, max_items = 100)]
    records: Vec<Value>,
    /// Accepted from the vendor's clients.
    #[schema(min_length = 1, max_length = 36)]
    upload_request_id: Option<String>,
}
