//! Contact lists are deleted.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, delete, web};

use super::{
    Answer, Base, CampaignsBodyErrors, CampaignsErrors, ContactListBody, ContactListChanged, ContactListNotFound,
    ContactListsAccess, DeletionParams, Envelope, example_deleted_list, list_id,
};
use crate::handlers::auth::Authorized;
use crate::handlers::body::Body;
use crate::handlers::campaigns::CampaignsError;
use crate::handlers::params::CamelExtras;
use crate::handlers::{deleted, params, with_deletion_id};
use crate::services::Services;

/// Delete a contact list
///
/// Moves the list to the trash, and the people on it with it, and answers the list as it was before. With `mode=hard`
/// the list, live or in the trash, and the people on it are gone for good when the answer is sent; that takes the scope
/// `deletions:hard`. A list is refused deletion while any live campaign is attached to it, whatever the campaign's
/// status: the answer names the campaigns. A list that is being attached at the same moment is either attached or
/// deleted, never both. The operation takes no body; an empty one passes with any Content-Type. The answer has the
/// vendor's own fields under each base path; the second one's have four more.
#[utoipa::path(
    tag = "campaigns",
    operation_id = "delete_contact_list",
    params(
        ("streamId" = String, Path, description = "The stream (application) that the list belongs to."),
        ("contactListId" = String, Path, description = "The list.", example = "cl-c2ce382-2516-457e-8eb4-9847deec0000"),
        ("iid" = String, Header, description = "The stream once more."),
        ("accountId" = String, Header, description = "The account that the token belongs to."),
        DeletionParams,
        CamelExtras,
        ("If-Match" = Option<String>, Header, description = "The ETag that the list must have.", example = "\"1\""),
    ),
    responses(
        (status = 200, description = "The list as it was before.", body = Envelope<ContactListBody>,
         headers(("Deletion-Id" = String, description = "The deletion's id, under which the ledger has it.")),
         example = json!({"status": "success", "message": "Contact list Renewal Due - August 2025 deleted successfully", "data": example_deleted_list()})),
        (status = 202, description = "A hard deletion of a list with more than 1,000 people: it is hidden, and gone when the deletion at `Location` says so.",
         body = Envelope<ContactListBody>,
         headers(("Deletion-Id" = String, description = "The deletion's id."), ("Location" = String, description = "Where it is looked up.")),
         example = json!({"status": "success", "message": "Contact list Renewal Due - August 2025 deleted successfully", "data": example_deleted_list()})),
        (status = 409, description = "The list is attached to campaigns (IN_USE), or is on hold (ON_HOLD, without `data`).", body = CampaignsError,
         example = json!({
            "status": "error", "message": "Contact list Renewal Due - August 2025 is attached to 1 campaigns",
            "errors": [{"msg": "Contact list Renewal Due - August 2025 is attached to 1 campaigns", "code": 409, "reason": "IN_USE"}],
            "data": {"_id": "cl-c2ce382-2516-457e-8eb4-9847deec0000", "name": "Renewal Due - August 2025", "isListInUse": true,
                     "campaignInUse": [{"id": "cd-5f0e1c7-2516-457e-8eb4-9847deec0000", "name": "August renewals", "status": "Active"}],
                     "campaignInUseCount": 1}
         })),
        CampaignsErrors, CampaignsBodyErrors, ContactListNotFound, ContactListChanged,
    ),
)]
#[delete("/campaign/contactList/{contactListId}")]
pub async fn delete_contact_list(
    authorized: Authorized<ContactListsAccess>,
    base: Base,
    path: web::Path<(String, String)>,
    body: Body,
    services: web::Data<Services>,
) -> Answer {
    let (params, extras) = authorized.deletion_params::<DeletionParams, CamelExtras>()?;
    body.none().await?;
    let id = list_id(&path.1)?;
    let how = params::single(params.mode, authorized.if_match()?, extras)?;
    let caller = &authorized.caller;
    let (deletion, list) = services.deletions.delete_contact_list(caller, authorized.stream(), &id, how).await?;
    let Some(list) = list else { return Ok(with_deletion_id(&mut HttpResponse::NoContent(), &deletion).finish()) };
    let message = format!("Contact list {} deleted successfully", list.name);
    let body = Envelope::success(message, ContactListBody::deleted(list, caller, base));
    Ok(deleted(&deletion, StatusCode::OK).json(body))
}
