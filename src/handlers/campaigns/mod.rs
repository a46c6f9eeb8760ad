//! The campaigns family: camelCase, `{"status","message","data"}`.

use std::convert::Infallible;
use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::auth::{Access, Named};
use super::error::{ErrorItem, Failure, Family};
use super::params::ModeParam;
use super::routes::Routes;
use crate::domain::campaign::{Attachments, Blocker};
use crate::domain::identity::Scope;
use crate::error::Error;

#[expect(clippy::module_inception, reason = "the family is called as its main resource is")]
pub mod campaigns;
pub mod contact_lists;

/// The campaigns family.
pub struct CampaignsFamily;

impl Family for CampaignsFamily {
    const CONTENT_TYPE: &'static str = "application/json";

    fn envelope(error: &Error) -> Value {
        let mut envelope = json!({
            "status": "error",
            "message": error.message(),
            "errors": ErrorItem::of(error),
        });
        if let (Some(attachments), Error::Refused { id, name, .. }) = (error.blockers(), error) {
            envelope["data"] = json!(ObstacleBody::InUse(InUseBody {
                id: id.clone(),
                name: name.as_ref().unwrap_or(id).clone(),
                is_list_in_use: attachments.in_use,
                campaign_in_use: CampaignInUse::all(attachments),
                campaign_in_use_count: attachments.count,
            }));
        }
        if let Some(id) = error.conflicting_id() {
            envelope["data"] = json!(ObstacleBody::Taken(TakenBody { conflicting_id: id.to_owned() }));
        }
        envelope
    }
}

/// What operations on campaigns ask of their caller.
pub struct CampaignsAccess;

impl Access for CampaignsAccess {
    type Family = CampaignsFamily;
    const SCOPE: Option<Scope> = Some(Scope::CampaignManagement);
    const REQUIRED: &'static [Named] = &[];
}

/// What operations on contact lists ask of their caller.
pub struct ContactListsAccess;

impl Access for ContactListsAccess {
    type Family = CampaignsFamily;
    const SCOPE: Option<Scope> = Some(Scope::CampaignManagement);
    const REQUIRED: &'static [Named] = &[Named::Account, Named::Stream];
}

/// The base path that a request came by; the vendor's answers under the two differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Base {
    /// `/agentassist/api/v1`.
    First,
    /// `/campaign/api/v2`.
    Second,
}

impl FromRequest for Base {
    type Error = Infallible;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(if request.path().starts_with("/campaign/api/v2/") { Base::Second } else { Base::First }))
    }
}

type Answer = Result<HttpResponse, Failure<CampaignsFamily>>;

/// The operations that are there under both base paths.
pub fn configure(routes: &mut impl Routes) {
    routes
        .service(contact_lists::create::create_contact_list)
        .service(contact_lists::read::list_contact_lists)
        .service(contact_lists::read::post_list_contact_lists)
        .service(contact_lists::members::list_contact_list_members)
        .service(contact_lists::read::get_contact_list)
        .service(contact_lists::update::update_contact_list)
        .service(contact_lists::delete::delete_contact_list)
        .service(campaigns::list::list_campaigns)
        .service(campaigns::create::create_campaign)
        .service(campaigns::read::get_campaign_status)
        .service(campaigns::read::post_get_campaign_status)
        .service(campaigns::read::get_campaign)
        .service(campaigns::update::update_campaign)
        .service(campaigns::delete::delete_campaign);
}

/// The operations that are there under the second base path only.
pub fn configure_second(routes: &mut impl Routes) {
    routes.service(campaigns::trigger::trigger_campaign).service(campaigns::trigger::trigger_campaign_by_longer_path);
}

/// What a single deletion takes in its query.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
struct DeletionParams {
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
    #[param(ignore)]
    #[expect(dead_code, reason = "read when the caller is signed in; named here so that it is not unknown")]
    account_id: Option<String>,
    /// `voice` or `sms`. A campaign of the other type is then not found; a contact list is of neither.
    #[param(required = false)]
    #[expect(dead_code, reason = "read by those who delete campaigns; named here so that it is not unknown")]
    campaign_type: Option<String>,
}

/// A live campaign that is attached to a list.
#[derive(Serialize, utoipa::ToSchema)]
struct CampaignInUse {
    /// The campaign.
    id: String,
    /// Its name.
    name: String,
    /// Where it stands.
    status: &'static str,
}

impl CampaignInUse {
    fn all(attachments: &Attachments) -> Vec<Self> {
        let named = |blocker: &Blocker| Self {
            id: blocker.id.to_string(),
            name: blocker.name.clone(),
            status: blocker.status.name(),
        };
        attachments.campaigns.iter().map(named).collect()
    }
}

/// The family's success envelope.
#[derive(Serialize, utoipa::ToSchema)]
struct Envelope<T> {
    /// `success`.
    status: &'static str,
    /// What was done, for people.
    message: String,
    /// What it was done to.
    data: T,
}

impl<T> Envelope<T> {
    fn success(message: impl Into<String>, data: T) -> Self {
        Self { status: "success", message: message.into(), data }
    }
}

/// The family's error envelope.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct CampaignsError {
    /// `error`.
    status: &'static str,
    /// What is wrong, for people.
    message: String,
    /// The same, an item for each thing that is wrong.
    errors: Vec<ErrorItem>,
    /// What is in the way, where a reason is IN_USE or NAME_TAKEN.
    #[schema(required = false, nullable = false)]
    data: Option<ObstacleBody>,
}

/// What is in the way.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(untagged)]
#[schema(as = Obstacle)]
enum ObstacleBody {
    /// Of a list's deletion.
    InUse(InUseBody),
    /// Of a name.
    Taken(TakenBody),
}

/// What is in the way of a list's deletion.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = InUseData)]
struct InUseBody {
    /// The list.
    #[serde(rename = "_id")]
    id: String,
    /// Its name.
    name: String,
    /// Whether one of the campaigns is Active, Scheduled, Rescheduled, Preparing or Paused. May be false here: a list
    /// that only stopped campaigns are attached to is refused too.
    is_list_in_use: bool,
    /// The campaigns, at most 50.
    campaign_in_use: Vec<CampaignInUse>,
    /// How many there are.
    campaign_in_use_count: i64,
}

/// What has a name already.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = TakenData)]
struct TakenBody {
    /// The live contact list that has the name.
    conflicting_id: String,
}

/// What operations that take a body can answer besides.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "read by the document's generator alone")]
enum CampaignsBodyErrors {
    /// The body is over 1 MiB, or has over 1,000 items.
    #[response(status = 413, example = json!({"status": "error", "message": "data: at most 1000 allowed", "errors": [{"msg": "data: at most 1000 allowed", "code": 413, "reason": "TOO_LARGE"}]}))]
    TooLarge(CampaignsError),
    /// The body is not JSON by its Content-Type.
    #[response(status = 415, example = json!({"status": "error", "message": "Content-Type: the body must be application/json in UTF-8", "errors": [{"msg": "Content-Type: the body must be application/json in UTF-8", "code": 415, "reason": "UNSUPPORTED_MEDIA_TYPE"}]}))]
    UnsupportedMediaType(CampaignsError),
}

/// What any operation of the family can answer.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "read by the document's generator alone")]
enum CampaignsErrors {
    /// Malformed: a field, header or parameter is missing, unknown or wrong. Nothing was changed.
    #[response(status = 400, example = json!({"status": "error", "message": "accountId: the header is required", "errors": [{"msg": "accountId: the header is required", "code": 400, "reason": "INVALID_REQUEST"}]}))]
    Invalid(CampaignsError),
    /// No valid token, or an account or stream that is not the client's.
    #[response(status = 401, example = json!({"status": "error", "message": "Invalid JWT token", "errors": [{"msg": "Invalid JWT token", "code": 4002, "reason": "UNAUTHENTICATED"}]}))]
    Unauthenticated(CampaignsError),
    /// The client lacks the scope.
    #[response(status = 403, example = json!({"status": "error", "message": "Permission denied. Scope is incorrect!", "errors": [{"msg": "Permission denied. Scope is incorrect!", "code": 4002, "reason": "MISSING_SCOPE"}]}))]
    Forbidden(CampaignsError),
    /// The path does not take this method; the header Allow names those it takes.
    #[response(status = 405, example = json!({"status": "error", "message": "This path takes GET, DELETE", "errors": [{"msg": "This path takes GET, DELETE", "code": 405, "reason": "METHOD_NOT_ALLOWED"}]}))]
    MethodNotAllowed(CampaignsError),
    /// Something went wrong on our side; nothing was changed, unless the reason is OUTCOME_UNKNOWN: then the database
    /// broke off at the last moment, and it has to be looked up whether it was done.
    #[response(status = 500, example = json!({"status": "error", "message": "Something went wrong on our side; nothing was changed", "errors": [{"msg": "Something went wrong on our side; nothing was changed", "code": 500, "reason": "INTERNAL"}]}))]
    Internal(CampaignsError),
    /// Others hold the same rows for too long; Retry-After says when to try again.
    #[response(status = 503, example = json!({"status": "error", "message": "Another request is changing the same rows; try again", "errors": [{"msg": "Another request is changing the same rows; try again", "code": 503, "reason": "BUSY"}]}))]
    Busy(CampaignsError),
}

#[derive(utoipa::IntoResponses)]
/// No such contact list: unknown, of another account or stream, malformed, or deleted before.
#[response(status = 404, example = json!({"status": "error", "message": "Contact list not found", "errors": [{"msg": "Contact list not found", "code": 404, "reason": "NOT_FOUND"}]}))]
#[expect(dead_code, reason = "read by the document's generator alone")]
struct ContactListNotFound(CampaignsError);

#[derive(utoipa::IntoResponses)]
/// No such campaign: unknown, of another account or stream, malformed, or deleted before.
#[response(status = 404, example = json!({"status": "error", "message": "Campaign not found", "errors": [{"msg": "Campaign not found", "code": 404, "reason": "NOT_FOUND"}]}))]
#[expect(dead_code, reason = "read by the document's generator alone")]
struct CampaignNotFound(CampaignsError);
