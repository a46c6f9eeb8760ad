//! An operation is stopped, or undone.

use actix_web::{HttpResponse, post, web};
use serde::Deserialize;

use super::super::{Problem, RestoreAccess};
use super::read::deletion_id;
use super::{
    Answer, DeletionBody, DeletionNotFound, NativeAccess, NativeBodyErrors, NativeErrors, example_deletion,
    example_undo,
};
use crate::domain::operation::Resource;
use crate::handlers::auth::Authorized;
use crate::handlers::body::Body;
use crate::handlers::params;
use crate::services::Services;

/// Cancel a deletion or an undo
///
/// It stops at its next batch, of at most 1,000 things: what has been done until then stays done, and the rest says
/// UNPROCESSED. The scope is that of the kind's own family. The operation takes no body.
#[utoipa::path(
    tag = "deletions",
    operation_id = "cancel_deletion",
    params(("id" = String, Path, description = "The deletion.", example = "01a20694-3b1c-7d35-a9fe-12ab34cd56ef")),
    responses(
        (status = 202, description = "It will stop.", body = DeletionBody, example = json!(example_deletion())),
        (status = 409, description = "It is over.", body = Problem, content_type = "application/problem+json",
         example = json!({"type": "about:blank", "title": "Conflict", "status": 409, "detail": "It is over already", "reason": "WRONG_STATE"})),
        NativeErrors, NativeBodyErrors, DeletionNotFound,
    ),
)]
#[post("/deletions/{id}/cancel")]
pub async fn cancel_deletion(
    authorized: Authorized<NativeAccess>,
    path: web::Path<String>,
    body: Body,
    services: web::Data<Services>,
) -> Answer {
    authorized.expects_no_version()?;
    body.none().await?;
    let id = deletion_id(&path)?;
    let found = services.deletions.find(&authorized.caller, id).await?;
    authorized.require(Resource::from_target(&found.target).scope())?;
    let cancelled = services.deletions.cancel(&authorized.caller, id).await?;
    Ok(HttpResponse::Accepted().json(DeletionBody::of(cancelled)))
}

/// Undo a deletion
///
/// Restores what that deletion took and is still in the trash by it, and nothing else: what was restored and deleted again
/// since is another deletion's. Up to 1,000 rows are restored before the answer, 200 with one outcome for each; more in the
/// background, 202 with `Location`. An outcome is RESTORED, or KEY_RETAKEN with the live row that has the number, name or
/// reference by now, PARENT_DELETED when the record's list is not there, ALREADY_RESTORED, ALREADY_PURGED, or BUSY. A
/// campaign takes up the lists that are still there; `missing_lists` names the others. A record list that is full takes its
/// records back all the same: its bound of 250,000 is one on adding. An undo can be looked up as a deletion can. A hard
/// deletion cannot be undone. Takes the scope `deletions:restore`.
#[utoipa::path(
    tag = "deletions",
    operation_id = "undo_deletion",
    params(("id" = String, Path, description = "The deletion.", example = "01a20694-3b1c-7d35-a9fe-12ab34cd56ef")),
    request_body(content = Option<NoteBody>, example = json!({"note": "deleted by mistake"})),
    responses(
        (status = 200, description = "It was undone: one outcome for each row.", body = DeletionBody, example = json!(example_undo())),
        (status = 202, description = "It is being undone in the background.", body = DeletionBody,
         headers(("Location" = String, description = "Where it is looked up.")), example = json!(example_deletion())),
        (status = 409, description = "It was a hard deletion, or none, or is not over.", body = Problem, content_type = "application/problem+json",
         example = json!({"type": "about:blank", "title": "Conflict", "status": 409, "detail": "A hard deletion cannot be undone", "reason": "WRONG_STATE"})),
        NativeErrors, NativeBodyErrors, DeletionNotFound,
    ),
)]
#[post("/deletions/{id}/undo")]
pub async fn undo_deletion(
    authorized: Authorized<RestoreAccess>,
    path: web::Path<String>,
    body: Body,
    services: web::Data<Services>,
) -> Answer {
    authorized.expects_no_version()?;
    let body: Option<NoteBody> = body.json_or_none().await?;
    let note = params::note(body.and_then(|body| body.note))?;
    let id = deletion_id(&path)?;
    let (operation, outcomes) = services.deletions.undo(&authorized.caller, id, note).await?;
    if !operation.state.is_over() {
        return Ok(super::accepted(operation));
    }
    Ok(HttpResponse::Ok().json(DeletionBody::of(operation).with(outcomes)))
}

/// What a note is read from.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(in crate::handlers::v1) struct NoteBody {
    /// What you have to say of it, kept with it for 30 days.
    #[schema(max_length = 1000)]
    note: Option<String>,
}
