//! Contact lists are looked up and listed.

use actix_web::{HttpResponse, get, post, web};
use serde::{Deserialize, Serialize};

use super::{
    Answer, CampaignsBodyErrors, CampaignsErrors, ContactListBody, ContactListNotFound, ContactListsAccess, Envelope,
    example_list, list_id,
};
use crate::error::Error;
use crate::handlers::auth::Authorized;
use crate::handlers::body::Body;
use crate::handlers::etag::etag;
use crate::services::Services;

/// The most lists that one answer has.
const MAX_LISTS: i64 = 1000;

/// Get a contact list
///
/// `campaignInUse` names the live campaigns that are attached, at most 50; `isListInUse` says whether one of them is
/// Active, Scheduled, Rescheduled, Preparing or Paused. `totalRecordCount` is counted when it is read.
#[utoipa::path(
    tag = "campaigns",
    operation_id = "get_contact_list",
    params(
        ("streamId" = String, Path, description = "The stream (application) that the list belongs to."),
        ("contactListId" = String, Path, description = "The list.", example = "cl-c2ce382-2516-457e-8eb4-9847deec0000"),
        ("iid" = String, Header, description = "The stream once more."),
        ("accountId" = String, Header, description = "The account that the token belongs to."),
    ),
    responses(
        (status = 200, description = "The list.", body = Envelope<ContactListBody>, headers(("ETag" = String, description = "The list's version; the people on it do not count.")),
         example = json!({"status": "success", "message": "", "data": example_list()})),
        CampaignsErrors, ContactListNotFound,
    ),
)]
#[get("/campaign/contactList/{contactListId}")]
pub async fn get_contact_list(
    authorized: Authorized<ContactListsAccess>,
    path: web::Path<(String, String)>,
    services: web::Data<Services>,
) -> Answer {
    let id = list_id(&path.1)?;
    let list = services.contact_lists.find(&authorized.caller, authorized.stream(), &id).await?;
    let etag = etag(list.version);
    Ok(HttpResponse::Ok()
        .insert_header(etag)
        .json(Envelope::success("", ContactListBody::of(list, &authorized.caller))))
}

/// List contact lists
///
/// Live lists, the last changed first: all of them, up to 1,000, unless `limit` and `skip` say otherwise.
#[utoipa::path(
    tag = "campaigns",
    operation_id = "list_contact_lists",
    params(
        ("streamId" = String, Path, description = "The stream (application) that the lists belong to."),
        ("iid" = String, Header, description = "The stream once more."),
        ("accountId" = String, Header, description = "The account that the token belongs to."),
        ListParams,
    ),
    responses(
        (status = 200, description = "The lists.", body = ContactLists,
         example = json!({"status": "success", "message": "", "data": [example_list()]})),
        CampaignsErrors,
    ),
)]
#[get("/campaign/contactList/getAllListDetails")]
pub async fn list_contact_lists(authorized: Authorized<ContactListsAccess>, services: web::Data<Services>) -> Answer {
    list(authorized, services).await
}

/// List contact lists, by POST
///
/// The same as the GET, for the vendor's clients: its pages have both. Takes no body, or an empty object.
#[utoipa::path(
    tag = "campaigns",
    operation_id = "post_list_contact_lists",
    params(
        ("streamId" = String, Path, description = "The stream (application) that the lists belong to."),
        ("iid" = String, Header, description = "The stream once more."),
        ("accountId" = String, Header, description = "The account that the token belongs to."),
        ListParams,
    ),
    responses(
        (status = 200, description = "The lists.", body = ContactLists,
         example = json!({"status": "success", "message": "", "data": [example_list()]})),
        CampaignsErrors, CampaignsBodyErrors,
    ),
)]
#[post("/campaign/contactList/getAllListDetails")]
pub async fn post_list_contact_lists(
    authorized: Authorized<ContactListsAccess>,
    body: Body,
    services: web::Data<Services>,
) -> Answer {
    body.none().await?;
    list(authorized, services).await
}

async fn list(authorized: Authorized<ContactListsAccess>, services: web::Data<Services>) -> Answer {
    let params: ListParams = authorized.params()?;
    let (limit, skip) = params.read()?;
    let caller = &authorized.caller;
    let lists = services.contact_lists.list(caller, authorized.stream(), limit, skip).await?;
    let data = lists.into_iter().map(|list| ContactListBody::of(list, caller)).collect();
    Ok(HttpResponse::Ok().json(ContactLists { status: "success", message: "", data }))
}

/// Contact lists, in the family's envelope.
#[derive(Serialize, utoipa::ToSchema)]
struct ContactLists {
    /// `success`.
    status: &'static str,
    /// Empty.
    message: &'static str,
    /// The lists.
    data: Vec<ContactListBody>,
}

/// Which lists.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct ListParams {
    /// What the lists are for: `call` is the only type.
    #[serde(rename = "type")]
    #[param(rename = "type", inline)]
    #[expect(dead_code, reason = "there is one type; another is refused when it is read")]
    list_type: Option<ListType>,
    /// How many lists to answer, 1 to 1,000.
    #[param(minimum = 1, maximum = 1000, default = 1000)]
    limit: Option<i64>,
    /// How many lists to leave out.
    #[param(minimum = 0, default = 0)]
    skip: Option<i64>,
}

/// What lists are for.
#[derive(Clone, Copy, Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
enum ListType {
    /// To be called.
    Call,
}

impl ListParams {
    fn read(&self) -> Result<(i64, i64), Error> {
        let (limit, skip) = (self.limit.unwrap_or(MAX_LISTS), self.skip.unwrap_or(0));
        if !(1..=MAX_LISTS).contains(&limit) {
            return Err(Error::invalid("limit", format!("must be 1 to {MAX_LISTS}")));
        }
        if skip < 0 {
            return Err(Error::invalid("skip", "must be 0 or more"));
        }
        Ok((limit, skip))
    }
}
