//! Contacts are deleted, one or many.

use actix_web::{HttpResponse, delete, post, web};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::report::{BulkReport, FailedRecord};
use super::update::ContactChanged;
use super::{
    Answer, ContactBody, ContactNotFound, ContactsAccess, ContactsBodyErrors, ContactsError, ContactsErrors,
    contact_id, example_contact, within_limits,
};
use crate::domain::deletion::{Outcome, Request, Target};
use crate::domain::identifier::Identifier;
use crate::handlers::auth::Authorized;
use crate::handlers::body::Body;
use crate::handlers::params::{CamelExtras, ModeParam, OnMultipleParam, how, single};
use crate::handlers::with_deletion_id;
use crate::services::Services;

/// Delete a contact
///
/// Moves the contact to the trash and answers it as the deletion leaves it: `status` INACTIVE, `updatedAt` moved. With
/// `mode=hard` the contact, live or in the trash, is gone for good when the answer is sent; that takes the scope
/// `deletions:hard`. A contact that is in the trash already is not found by a soft deletion. The operation takes no
/// body and needs no Content-Type.
#[utoipa::path(
    tag = "contacts",
    operation_id = "delete_contact",
    params(
        ("streamId" = String, Path, description = "The stream that the contact belongs to."),
        ("id" = String, Path, description = "The contact.", example = "69609027c1746a6142900000"),
        ("accountId" = String, Header, description = "The account that the token belongs to."),
        ("If-Match" = Option<String>, Header, description = "The ETag that the contact must have.", example = "\"1\""),
        SingleDeletionParams,
        CamelExtras,
    ),
    responses(
        (status = 200, description = "The contact as the deletion leaves it.", body = ContactBody, headers(("Deletion-Id" = String, description = "The deletion's id, under which the ledger has it. Absent when nothing was deleted.")), example = json!(example_contact("INACTIVE"))),
        ContactsErrors, ContactsBodyErrors, ContactNotFound, ContactOnHold, ContactChanged,
    ),
)]
#[delete("/contacts/{id}")]
pub async fn delete_contact(
    authorized: Authorized<ContactsAccess>,
    path: web::Path<(String, String)>,
    body: Body,
    services: web::Data<Services>,
) -> Answer {
    let (params, extras) = authorized.deletion_params::<SingleDeletionParams, CamelExtras>()?;
    body.none().await?;
    let id = contact_id(&path.1)?;
    let how = single(params.mode, authorized.if_match()?, extras)?;
    let caller = &authorized.caller;
    let (deletion, contact) = services.deletions.delete_contact(caller, authorized.stream(), &id, how).await?;
    let Some(contact) = contact else {
        return Ok(with_deletion_id(&mut HttpResponse::NoContent(), &deletion).finish());
    };
    let body = ContactBody { updated_by: None, updated_by_aid: None, ..ContactBody::of(contact, caller) };
    Ok(with_deletion_id(&mut HttpResponse::Ok(), &deletion).json(body))
}

/// Delete contacts in bulk
///
/// Deletes 1 to 1,000 contacts in one transaction and answers one outcome for each id, in the order sent:
/// `successful + failed` is always `totalRequested`. What can be deleted is deleted, unless `atomic=true`: then one
/// failure leaves everything as it was, and the others say `ROLLED_BACK`. The answer is 200 also when some or all
/// failed. A failed id says NOT_FOUND, ALREADY_DELETED, INVALID_IDENTIFIER, DUPLICATE_IN_REQUEST, ON_HOLD, ROLLED_BACK or
/// BUSY. `{"id":[…]}` is accepted for `{"ids":[…]}`. Some clients and proxies drop the body of a DELETE: the same
/// operation is there as a POST.
#[utoipa::path(
    tag = "contacts",
    operation_id = "bulk_delete_contacts",
    params(
        ("streamId" = String, Path, description = "The stream that the contacts belong to."),
        ("accountId" = String, Header, description = "The account that the token belongs to."),
        BulkDeletionParams,
        CamelExtras,
    ),
    request_body(content = BulkDeletionBody, example = json!({"ids": ["6960cbe9b155d194e2f00000", "6960cc07b155d194e2f00000"]})),
    responses(
        (status = 200, description = "One outcome for each id.", body = BulkReport<DeletedRecord>, headers(("Deletion-Id" = String, description = "The deletion's id, under which the ledger has it. Absent when nothing was deleted.")), example = json!(example_report())),
        ContactsErrors, ContactsBodyErrors,
    ),
)]
#[delete("/contacts/bulk-delete")]
pub async fn bulk_delete_contacts(
    authorized: Authorized<ContactsAccess>,
    body: Body,
    services: web::Data<Services>,
) -> Answer {
    bulk_delete(authorized, body, services).await
}

/// Delete contacts in bulk, by POST
///
/// The same as the DELETE, for clients and proxies that drop a DELETE's body.
#[utoipa::path(
    tag = "contacts",
    operation_id = "post_bulk_delete_contacts",
    params(
        ("streamId" = String, Path, description = "The stream that the contacts belong to."),
        ("accountId" = String, Header, description = "The account that the token belongs to."),
        BulkDeletionParams,
        CamelExtras,
    ),
    request_body(content = BulkDeletionBody, example = json!({"ids": ["6960cbe9b155d194e2f00000", "6960cc07b155d194e2f00000"]})),
    responses(
        (status = 200, description = "One outcome for each id.", body = BulkReport<DeletedRecord>, headers(("Deletion-Id" = String, description = "The deletion's id, under which the ledger has it. Absent when nothing was deleted.")), example = json!(example_report())),
        ContactsErrors, ContactsBodyErrors,
    ),
)]
#[post("/contacts/bulk-delete")]
pub async fn post_bulk_delete_contacts(
    authorized: Authorized<ContactsAccess>,
    body: Body,
    services: web::Data<Services>,
) -> Answer {
    bulk_delete(authorized, body, services).await
}

async fn bulk_delete(authorized: Authorized<ContactsAccess>, body: Body, services: web::Data<Services>) -> Answer {
    let (params, extras) = authorized.deletion_params::<BulkDeletionParams, CamelExtras>()?;
    authorized.expects_no_version()?;
    let BulkDeletionBody { ids } = body.json().await?;
    within_limits("ids", ids.len())?;
    let how = how(params.mode, params.atomic, OnMultipleParam::All, extras)?;
    let request = Request {
        target: Target::Contacts(authorized.stream().clone()),
        items: ids.iter().cloned().map(Identifier::Id).collect(),
        options: how.options,
        note: how.note,
        is_kept: true,
    };
    let deletion = services.deletions.delete_many(&authorized.caller, &request).await?;
    let outcomes = ids.into_iter().zip(&deletion.outcomes).map(|(id, outcome)| match outcome {
        Outcome::Deleted(_) | Outcome::Absent(_) => Ok(DeletedRecord { id }),
        Outcome::Failed(failure) => Err(FailedRecord::of_failure(id, failure)),
    });
    Ok(with_deletion_id(&mut HttpResponse::Ok(), &deletion).json(BulkReport::of(outcomes)))
}

/// What a single deletion takes in its query.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
struct SingleDeletionParams {
    /// `soft` into the trash, `hard` for good. `hard` takes the scope `deletions:hard`.
    #[serde(default)]
    #[param(inline, required = false)]
    mode: ModeParam,
    /// Accepted as on bulk deletions; one thing is all or nothing anyway.
    #[serde(default)]
    #[param(required = false)]
    #[expect(dead_code, reason = "there is nothing to decide; named here so that it is not unknown")]
    atomic: bool,
    /// The account, for clients that name it here in place of the header.
    #[serde(default, rename = "accountId")]
    #[param(ignore)]
    #[expect(dead_code, reason = "read when the caller is signed in; named here so that it is not unknown")]
    account_id: Option<String>,
}

/// What a bulk deletion takes in its query.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
struct BulkDeletionParams {
    /// `soft` into the trash, `hard` for good. `hard` takes the scope `deletions:hard`.
    #[serde(default)]
    #[param(inline, required = false)]
    mode: ModeParam,
    /// All or nothing. Still 200, with the report.
    #[serde(default)]
    #[param(required = false)]
    atomic: bool,
    /// The account, for clients that name it here in place of the header.
    #[serde(default, rename = "accountId")]
    #[param(ignore)]
    #[expect(dead_code, reason = "read when the caller is signed in; named here so that it is not unknown")]
    account_id: Option<String>,
}

/// The ids of a bulk deletion.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct BulkDeletionBody {
    /// 1 to 1,000 contact ids. `id` is accepted as another name of this field.
    #[serde(alias = "id")]
    #[schema(min_items = 1, max_items = 1000)]
    ids: Vec<String>,
}

/// A contact that was deleted.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct DeletedRecord {
    /// Its id.
    id: String,
}

#[derive(utoipa::IntoResponses)]
/// The contact is on hold and cannot be removed for good.
#[response(status = 409, example = json!({"errors": [{"msg": "Contact 69609027c1746a6142900000 is on hold and cannot be removed for good", "code": 409, "reason": "ON_HOLD"}]}))]
#[expect(dead_code, reason = "read by the document's generator alone")]
struct ContactOnHold(ContactsError);

fn example_report() -> Value {
    json!({
        "totalRequested": 2, "successful": 1, "failed": 1,
        "successfulRecords": [{"id": "6960cbe9b155d194e2f00000"}],
        "failedRecords": [{
            "id": "6960cc07b155d194e2f00000", "reason": "ALREADY_DELETED",
            "message": "It was deleted before.", "retryable": false
        }]
    })
}
