//! A record is created.

use actix_web::{HttpRequest, HttpResponse, post, web};

use super::person::{NewRecordBody, person};
use super::records::{RecordBody, example_record};
use super::{
    Answer, Links, RecordListNotFound, RecordListsAccess, RecordListsBodyErrors, RecordListsError, RecordListsErrors,
    hal, record_list_id,
};
use crate::error::Error;
use crate::handlers::Settings;
use crate::handlers::auth::Authorized;
use crate::handlers::body::Body;
use crate::handlers::etag::etag;
use crate::services::Services;

/// Create a record
///
/// In a PHONE_NUMBER list a record's first number, in an EXTERNAL list its external reference must not be another live
/// record's: that is 409, and `fields` names the record that has it. What is wrong with the record is 400, and `fields`
/// names everything at once; the code is 0530921 when there is no number, and 0530940 when no time zone is given and
/// none can be told from a number. A `timezone` that is given is kept, whatever the number; else that of the first number
/// which tells one is stored and answered.
#[utoipa::path(
    tag = "record lists",
    operation_id = "create_record",
    params(("id" = String, Path, description = "The list.", example = "8858c834-481d-4a02-8176-cffc02c50350")),
    request_body(content = NewRecordBody, example = json!({
        "phone_numbers": [{"phone_number": "+14155550100", "phone_type": "MOBILE"}], "first_name": "Ada", "last_name": "Byron",
        "timezone": "America/Los_Angeles", "priority": 5
    })),
    responses(
        (status = 201, description = "The record.", body = RecordBody, content_type = "application/hal+json",
         headers(("ETag" = String, description = "The record's version.")), example = json!(example_record())),
        (status = 409, description = "A live record of the list has the unique identifier.", body = RecordListsError, example = json!({
            "code": "0530907", "message": "Record List is in a state where the operation is not possible.",
            "description": "phone_number: Record f03004be-2853-4660-b6e8-060cc383ddbe has this number already",
            "fields": [{"name": "phone_number", "description": "Record f03004be-2853-4660-b6e8-060cc383ddbe has this number already"}]
        })),
        RecordListsErrors, RecordListsBodyErrors, RecordListNotFound,
    ),
)]
#[post("/{id}/records")]
pub async fn create_record(
    authorized: Authorized<RecordListsAccess>,
    path: web::Path<String>,
    body: Body,
    request: HttpRequest,
    services: web::Data<Services>,
    settings: web::Data<Settings>,
) -> Answer {
    let list = record_list_id(&path)?;
    let body = body.value().await?;
    let caller = &authorized.caller;
    let unique_by = services.record_lists.unique_identifier_type(caller, list).await?;
    let person = person(&body, unique_by).map_err(Error::InvalidRecord)?;
    let record = services.record_lists.add_record(caller, list, person).await?;
    let mut response = HttpResponse::Created();
    response.insert_header(etag(record.version));
    Ok(hal(&request, response, &RecordBody::of(record, &Links(&settings.public_url))))
}
