//! A record list, or a record of one, is deleted.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, delete, web};
use serde::Deserialize;

use super::{
    Answer, QueuedBody, RecordListNotFound, RecordListsAccess, RecordListsBodyErrors, RecordListsError,
    RecordListsErrors, RecordNotFound, VersionMismatch, example_queued, hal, record_list_id,
};
use crate::domain::deletion::Deletion;
use crate::domain::identifier::Identifier;
use crate::error::{Error, FieldError};
use crate::handlers::auth::Authorized;
use crate::handlers::body::{self, Body};
use crate::handlers::params::{ModeParam, OnMultipleParam, SnakeExtras, how, single};
use crate::handlers::{self, Settings};
use crate::services::Services;

/// Delete a record list
///
/// Moves the list to the trash, and its records with it. With `mode=hard` the list, live or in the trash, and its
/// records are gone for good when the answer is sent; that takes the scope `deletions:hard`. A list that is attached to a
/// campaign, whatever the campaign's status, is refused. The vendor has no such operation. The operation takes no body.
#[utoipa::path(
    tag = "record lists",
    operation_id = "delete_record_list",
    params(
        ("id" = String, Path, description = "The list.", example = "8858c834-481d-4a02-8176-cffc02c50350"),
        ("If-Match" = Option<String>, Header, description = "The ETag that it must have.", example = "\"1\""),
        ModeParams,
        SnakeExtras,
    ),
    responses(
        (status = 204, description = "It was deleted.", headers(("Deletion-Id" = String, description = "The deletion's id, under which the ledger has it."))),
        (status = 202, description = "A hard deletion of a list with more than 1,000 records: it is hidden, and gone when the deletion at `Location` says so.",
         body = QueuedBody, content_type = "application/hal+json",
         headers(("Deletion-Id" = String, description = "The deletion's id."), ("Location" = String, description = "Where it is looked up.")),
         example = json!(example_queued())),
        (status = 409, description = "The list is attached to campaigns: `fields` names at most 50 of them, each by its id, with its name and status. Or the list, or a record of it, is on hold.", body = RecordListsError,
         example = json!({"code": "0530907", "message": "Record List is in a state where the operation is not possible.", "description": "Record List 8858c834-481d-4a02-8176-cffc02c50350 is attached to 1 campaigns", "fields": [{"name": "cd-5f0e1c7-2516-457e-8eb4-9847deec0000", "description": "Campaign August renewals is Active"}]})),
        VersionMismatch, RecordListsErrors, RecordListsBodyErrors, RecordListNotFound,
    ),
)]
#[delete("/{id}")]
pub async fn delete_record_list(
    authorized: Authorized<RecordListsAccess>,
    path: web::Path<String>,
    body: Body,
    request: HttpRequest,
    services: web::Data<Services>,
    settings: web::Data<Settings>,
) -> Answer {
    let (params, extras) = authorized.deletion_params::<ModeParams, SnakeExtras>()?;
    body.none().await?;
    let list = record_list_id(&path)?;
    let how = single(params.mode, authorized.if_match()?, extras)?;
    let deletion = services.deletions.delete_record_list(&authorized.caller, list, how).await?;
    if deletion.is_queued {
        let body = QueuedBody::of(list, deletion.id, &settings.public_url);
        return Ok(hal(&request, handlers::deleted(&deletion, StatusCode::NO_CONTENT), &body));
    }
    Ok(deleted(&deletion))
}

/// Delete a record
///
/// Moves the record to the trash, or removes it for good with `mode=hard`, which takes the scope `deletions:hard`. The
/// operation takes no body.
#[utoipa::path(
    tag = "record lists",
    operation_id = "delete_record",
    params(
        ("id" = String, Path, description = "The list.", example = "8858c834-481d-4a02-8176-cffc02c50350"),
        ("record_id" = String, Path, description = "The record.", example = "f03004be-2853-4660-b6e8-060cc383ddbe"),
        ("If-Match" = Option<String>, Header, description = "The ETag that it must have.", example = "\"1\""),
        ModeParams,
        SnakeExtras,
    ),
    responses(
        (status = 204, description = "It was deleted.", headers(("Deletion-Id" = String, description = "The deletion's id, under which the ledger has it."))),
        VersionMismatch, RecordListsErrors, RecordListsBodyErrors, RecordNotFound, RecordRefused,
    ),
)]
#[delete("/{id}/records/{record_id}")]
pub async fn delete_record(
    authorized: Authorized<RecordListsAccess>,
    path: web::Path<(String, String)>,
    body: Body,
    services: web::Data<Services>,
) -> Answer {
    let (params, extras) = authorized.deletion_params::<ModeParams, SnakeExtras>()?;
    body.none().await?;
    let list = record_list_id(&path.0)?;
    let item = Identifier::Id(path.1.clone());
    let how = single(params.mode, authorized.if_match()?, extras)?;
    let deletion = services.deletions.delete_records_of(&authorized.caller, list, item, how).await?;
    Ok(deleted(&deletion))
}

/// Delete the records that have a phone number
///
/// All that match, unless `on_multiple=fail`: then several matches answer 409 and nothing is deleted. The number is
/// compared by its digits in international form: spaces, `-`, `(`, `)` and a leading `+` or `00` make no difference.
#[utoipa::path(
    tag = "record lists",
    operation_id = "delete_records_by_phone_number",
    params(
        ("id" = String, Path, description = "The list.", example = "8858c834-481d-4a02-8176-cffc02c50350"),
        NumberParams,
        SnakeExtras,
    ),
    responses(
        (status = 204, description = "They were deleted.", headers(("Deletion-Id" = String, description = "The deletion's id, under which the ledger has it."))),
        RecordListsErrors, RecordListsBodyErrors, RecordNotFound, RecordRefused,
    ),
)]
#[delete("/{id}/records")]
pub async fn delete_records_by_phone_number(
    authorized: Authorized<RecordListsAccess>,
    path: web::Path<String>,
    body: Body,
    services: web::Data<Services>,
) -> Answer {
    let (params, extras) = authorized.deletion_params::<NumberParams, SnakeExtras>()?;
    authorized.expects_no_version()?;
    body.none().await?;
    let list = record_list_id(&path)?;
    body::required_text("phone_number", &params.phone_number, 40)?;
    let item = Identifier::PhoneNumber(params.phone_number);
    let how = how(params.mode, params.atomic, params.on_multiple, extras)?;
    let deletion = services.deletions.delete_records_of(&authorized.caller, list, item, how).await?;
    Ok(deleted(&deletion))
}

/// Delete the records that have an external reference
///
/// All that match, unless `on_multiple=fail`: then several matches answer 409 and nothing is deleted.
#[utoipa::path(
    tag = "record lists",
    operation_id = "delete_external_records",
    params(
        ("id" = String, Path, description = "The list.", example = "8858c834-481d-4a02-8176-cffc02c50350"),
        ReferenceParams,
        SnakeExtras,
    ),
    responses(
        (status = 204, description = "They were deleted.", headers(("Deletion-Id" = String, description = "The deletion's id, under which the ledger has it."))),
        RecordListsErrors, RecordListsBodyErrors, RecordNotFound, RecordRefused,
    ),
)]
#[delete("/{id}/external-records")]
pub async fn delete_external_records(
    authorized: Authorized<RecordListsAccess>,
    path: web::Path<String>,
    body: Body,
    services: web::Data<Services>,
) -> Answer {
    let (params, extras) = authorized.deletion_params::<ReferenceParams, SnakeExtras>()?;
    authorized.expects_no_version()?;
    body.none().await?;
    let list = record_list_id(&path)?;
    check_reference(&params)?;
    let item = Identifier::External { provider: params.external_provider, id: params.external_id };
    let how = how(params.mode, params.atomic, params.on_multiple, extras)?;
    let deletion = services.deletions.delete_records_of(&authorized.caller, list, item, how).await?;
    Ok(deleted(&deletion))
}

/// Everything that is wrong with a reference, part by part.
fn check_reference(params: &ReferenceParams) -> Result<(), Error> {
    let parts = [("external_provider", &params.external_provider), ("external_id", &params.external_id)];
    let wrong: Vec<FieldError> = parts
        .into_iter()
        .filter_map(|(field, part)| body::required_text(field, part, 255).err())
        .flat_map(|error| error.fields())
        .collect();
    if wrong.is_empty() { Ok(()) } else { Err(Error::Invalid(wrong)) }
}

fn deleted(deletion: &Deletion) -> HttpResponse {
    handlers::deleted(deletion, StatusCode::NO_CONTENT).finish()
}

/// What the deletion of one thing takes in its query.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ModeParams {
    /// `soft` into the trash, `hard` for good. `hard` takes the scope `deletions:hard`.
    #[serde(default)]
    #[param(inline, required = false)]
    mode: ModeParam,
    /// Accepted as on bulk deletions; one thing is all or nothing anyway.
    #[serde(default)]
    #[param(required = false)]
    #[expect(dead_code, reason = "there is nothing to decide; named here so that it is not unknown")]
    atomic: bool,
}

/// What the deletion by phone number takes in its query.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct NumberParams {
    /// The number.
    #[param(min_length = 1, max_length = 40, example = "+14155550100")]
    phone_number: String,
    /// `soft` into the trash, `hard` for good. `hard` takes the scope `deletions:hard`.
    #[serde(default)]
    #[param(inline, required = false)]
    mode: ModeParam,
    /// Accepted as on bulk deletions; what one number names is all or nothing anyway.
    #[serde(default)]
    #[param(required = false)]
    atomic: bool,
    /// What to do when several records have the number.
    #[serde(default)]
    #[param(inline, required = false)]
    on_multiple: OnMultipleParam,
}

/// What the deletion by external reference takes in its query.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ReferenceParams {
    /// The other system that knows the person.
    #[param(min_length = 1, max_length = 255, example = "salesforce")]
    external_provider: String,
    /// The person's id there.
    #[param(min_length = 1, max_length = 255, example = "003DL0000212DetYAE")]
    external_id: String,
    /// `soft` into the trash, `hard` for good. `hard` takes the scope `deletions:hard`.
    #[serde(default)]
    #[param(inline, required = false)]
    mode: ModeParam,
    /// Accepted as on bulk deletions; what one reference names is all or nothing anyway.
    #[serde(default)]
    #[param(required = false)]
    atomic: bool,
    /// What to do when several records have the reference.
    #[serde(default)]
    #[param(inline, required = false)]
    on_multiple: OnMultipleParam,
}

#[derive(utoipa::IntoResponses)]
/// A record is on hold, or several match and `on_multiple=fail`.
#[response(status = 409, example = json!({"code": "0530907", "message": "Record List is in a state where the operation is not possible.", "description": "Several match, and the request asked to delete none then.", "fields": []}))]
#[expect(dead_code, reason = "read by the document's generator alone")]
struct RecordRefused(RecordListsError);
