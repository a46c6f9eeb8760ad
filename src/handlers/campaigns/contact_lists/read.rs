//! Contact lists are looked up and listed.

use actix_web::{HttpResponse, get, post, web};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Answer, Base, CampaignsBodyErrors, CampaignsErrors, ContactListBody, ContactListNotFound, ContactListsAccess,
    Envelope, example_list, list_id,
};
use crate::domain::contact_list::ContactList;
use crate::domain::ids::ContactListId;
use crate::domain::page::{LastChange, Page, Start};
use crate::error::Error;
use crate::handlers::auth::Authorized;
use crate::handlers::body::Body;
use crate::handlers::etag::etag;
use crate::handlers::paging;
use crate::services::Services;

/// The most lists that one answer has.
const MAX_LISTS: i64 = 1000;

/// Marks places in the list of contact lists.
const PLACE: &str = "contact list";

/// Get a contact list
///
/// `campaignInUse` names the live campaigns that are attached, at most 50; `isListInUse` says whether one of them is
/// Active, Scheduled, Rescheduled, Preparing or Paused. `totalRecordCount` is counted when it is read. The answer has the
/// fields of both the vendor's versions; `mapping` has `contactPriority` under the second base path only.
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
    base: Base,
    path: web::Path<(String, String)>,
    services: web::Data<Services>,
) -> Answer {
    let id = list_id(&path.1)?;
    let list = services.contact_lists.find(&authorized.caller, authorized.stream(), &id).await?;
    let etag = etag(list.version);
    Ok(HttpResponse::Ok()
        .insert_header(etag)
        .json(Envelope::success("", ContactListBody::of(list, &authorized.caller, base))))
}

/// List contact lists
///
/// The live lists of the stream, the last changed first, whole as each is answered alone: all of them, up to 1,000.
/// Beyond that `after` says where the next ones begin; it, `hasMore` and `totalResults` stand beside the vendor's array.
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
        (status = 200, description = "The lists.", body = ContactLists, example = json!(example_lists())),
        CampaignsErrors,
    ),
)]
#[get("/campaign/contactList/getAllListDetails")]
pub async fn list_contact_lists(
    authorized: Authorized<ContactListsAccess>,
    base: Base,
    services: web::Data<Services>,
) -> Answer {
    list(&authorized, base, &services).await
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
        (status = 200, description = "The lists.", body = ContactLists, example = json!(example_lists())),
        CampaignsErrors, CampaignsBodyErrors,
    ),
)]
#[post("/campaign/contactList/getAllListDetails")]
pub async fn post_list_contact_lists(
    authorized: Authorized<ContactListsAccess>,
    base: Base,
    body: Body,
    services: web::Data<Services>,
) -> Answer {
    body.none().await?;
    list(&authorized, base, &services).await
}

async fn list(authorized: &Authorized<ContactListsAccess>, base: Base, services: &Services) -> Answer {
    let params: ListParams = authorized.params()?;
    let list_type = params.list_type.map(ListType::name);
    let page = params.read()?;
    let caller = &authorized.caller;
    let listed = services.contact_lists.list(caller, authorized.stream(), list_type, &page).await?;
    Ok(HttpResponse::Ok().json(ContactLists {
        status: "success",
        message: "",
        has_more: listed.has_more,
        total_results: listed.total,
        after: listed.items.last().filter(|_| listed.has_more).map(place),
        data: listed.items.into_iter().map(|list| ContactListBody::of(list, caller, base)).collect(),
    }))
}

/// Which lists.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct ListParams {
    /// Only lists of this type.
    #[serde(rename = "type")]
    #[param(rename = "type", inline)]
    list_type: Option<ListType>,
    /// How many lists to answer, 1 to 1,000.
    #[param(minimum = 1, maximum = 1000, default = 1000)]
    limit: Option<i64>,
    /// How many lists to leave out, at most 10,000. Not together with `after`.
    #[param(minimum = 0, maximum = 10000)]
    skip: Option<i64>,
    /// The lists after a place: what the answer before had as `after`.
    after: Option<String>,
}

/// What a list is for.
#[derive(Clone, Copy, Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
enum ListType {
    /// Calls.
    Call,
    /// Text messages.
    Sms,
}

impl ListType {
    fn name(self) -> &'static str {
        match self {
            ListType::Call => "call",
            ListType::Sms => "sms",
        }
    }
}

impl ListParams {
    fn read(self) -> Result<Page<LastChange<String>>, Error> {
        let limit = self.limit.unwrap_or(MAX_LISTS);
        if !(1..=MAX_LISTS).contains(&limit) {
            return Err(Error::invalid("limit", format!("must be 1 to {MAX_LISTS}")));
        }
        let start = match (self.skip, self.after) {
            (Some(_), Some(_)) => return Err(Error::invalid("after", "cannot be given together with skip")),
            (None, Some(after)) => Start::After(paging::read_cursor(PLACE, &after, parse_place)?),
            (Some(skip), None) if !(0..=paging::MAX_DEPTH).contains(&skip) => {
                return Err(Error::invalid("skip", format!("must be 0 to {}; after reaches all", paging::MAX_DEPTH)));
            }
            (skip, None) => Start::Row(skip.unwrap_or(0)),
        };
        Ok(Page { start, limit })
    }
}

fn place(list: &ContactList) -> String {
    paging::cursor(PLACE, &paging::moment_key(list.updated_at, &list.id))
}

fn parse_place(text: &str) -> Option<LastChange<String>> {
    paging::read_moment(text, |id| Some(ContactListId::parse(id)?.to_string()))
}

/// Contact lists, in the family's envelope.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct ContactLists {
    /// `success`.
    status: &'static str,
    /// Empty.
    message: &'static str,
    /// The lists.
    data: Vec<ContactListBody>,
    /// Whether there are more after them.
    has_more: bool,
    /// How many there are in all.
    total_results: i64,
    /// What to send as `after` for the next ones. Absent when there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<String>,
}

fn example_lists() -> Value {
    json!({"status": "success", "message": "", "data": [example_list()], "hasMore": false, "totalResults": 1})
}
