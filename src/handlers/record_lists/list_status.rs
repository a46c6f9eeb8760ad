//! A record list's status is changed.

use actix_web::{HttpRequest, HttpResponse, patch, web};
use serde::Serialize;
use serde_json::{Value, json};

use super::json_patch::{self, ShortPatchBody};
use super::lists::{RecordListBody, example_list};
use super::{
    Answer, Links, RecordListNotFound, RecordListsBodyErrors, RecordListsErrors, RecordListsWriteAccess,
    VersionMismatch, hal, record_list_id,
};
use crate::domain::record_list::ListStatus;
use crate::error::Error;
use crate::handlers::Settings;
use crate::handlers::auth::Authorized;
use crate::handlers::body::Body;
use crate::handlers::etag::etag;
use crate::services::Services;

/// Update a record list's status
///
/// A JSON Patch of one operation, as an array of one or alone: the vendor's documents have both. `op` is `replace`, in
/// whatever case; `path` is `/status` or `status`; `value` is one of INCOMPLETE, UPLOADED, VALIDATION_STARTED, ACCEPTED,
/// REJECTED and CORRUPTED, from any of which any other can follow. The status is kept and answered; records can be
/// created and deleted in every status. It takes the scope `record-lists:write`.
#[utoipa::path(
    tag = "record lists",
    operation_id = "update_record_list",
    params(
        ("id" = String, Path, description = "The list.", example = "8858c834-481d-4a02-8176-cffc02c50350"),
        ("If-Match" = Option<String>, Header, description = "The ETag that the list must have.", example = "\"1\""),
    ),
    request_body(content = inline(ShortPatchBody), example = json!([{"op": "replace", "path": "/status", "value": "VALIDATION_STARTED"}])),
    responses(
        (status = 200, description = "The list as it is now.", body = ChangedListBody, content_type = "application/hal+json",
         headers(("ETag" = String, description = "The list's version.")), example = json!(example_changed_list())),
        VersionMismatch, RecordListsErrors, RecordListsBodyErrors, RecordListNotFound,
    ),
)]
#[patch("/{id}")]
pub async fn update_record_list(
    authorized: Authorized<RecordListsWriteAccess>,
    path: web::Path<String>,
    body: Body,
    request: HttpRequest,
    services: web::Data<Services>,
    settings: web::Data<Settings>,
) -> Answer {
    let id = record_list_id(&path)?;
    let if_match = authorized.if_match()?;
    let status = status(body.value().await?)?;
    let caller = &authorized.caller;
    let list = services.record_lists.set_status(caller, id, status, &if_match).await?;
    let mut response = HttpResponse::Ok();
    response.insert_header(etag(list.version));
    let body = ChangedListBody {
        list: RecordListBody::of(list, &Links(&settings.public_url)),
        account_id: caller.account_id.to_string(),
    };
    Ok(hal(&request, response, &body))
}

fn status(body: Value) -> Result<ListStatus, Error> {
    let operations = json_patch::read(body, 1)?;
    let operation = operations.first().ok_or_else(|| Error::invalid("body", "must have one operation"))?;
    if operation.op != "replace" {
        return Err(Error::invalid(operation.field("op"), "must be replace"));
    }
    if operation.path != "/status" {
        return Err(Error::invalid(operation.field("path"), "must be /status"));
    }
    let status = operation.required_value()?.as_str().and_then(ListStatus::parse);
    status.ok_or_else(|| Error::invalid(operation.field("value"), format!("must be one of {}", ListStatus::names())))
}

/// A record list that was changed.
#[derive(Serialize, utoipa::ToSchema)]
struct ChangedListBody {
    #[serde(flatten)]
    list: RecordListBody,
    /// The account that it belongs to.
    account_id: String,
}

fn example_changed_list() -> Value {
    let mut list = example_list();
    list["status"] = json!("VALIDATION_STARTED");
    list["account_id"] = json!("67777ce93e25326494e90000");
    list
}
