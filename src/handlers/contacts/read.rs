//! Contacts are listed and looked up.

use actix_web::{HttpResponse, get, web};
use serde::Deserialize;

use super::{
    Answer, ContactBody, ContactNotFound, ContactsAccess, ContactsErrors, Status, contact_id, example_contact,
};
use crate::domain::contact::{Contact, ContactFilter};
use crate::domain::ids::ContactId;
use crate::domain::page::Page;
use crate::domain::phone::PhoneKey;
use crate::error::Error;
use crate::handlers::auth::Authorized;
use crate::handlers::etag::etag;
use crate::handlers::paging::{self, Asked, PageBody};
use crate::handlers::params::instant;
use crate::services::Services;

/// Marks places in the list of contacts.
const PLACE: &str = "contact";

/// List contacts
///
/// Live contacts, newest first; with `status=INACTIVE` those in the trash instead. `skip` and `page` reach the first
/// 10,000 contacts; `after` reaches all, at the same cost for every page, and neither repeats nor leaves out contacts
/// while others are deleted.
#[utoipa::path(
    tag = "contacts",
    operation_id = "list_contacts",
    params(
        ("streamId" = String, Path, description = "The stream that the contacts belong to."),
        ("accountId" = String, Header, description = "The account that the token belongs to."),
        ListParams,
    ),
    responses(
        (status = 200, description = "A page of contacts.", body = PageBody<ContactBody>, example = json!({
            "results": [example_contact("ACTIVE")], "skip": 0, "limit": 10, "hasMore": false, "totalPages": 1, "totalResults": 1
        })),
        ContactsErrors,
    ),
)]
#[get("/contacts")]
pub async fn list_contacts(authorized: Authorized<ContactsAccess>, services: web::Data<Services>) -> Answer {
    let params: ListParams = authorized.params()?;
    let (filter, page) = params.read()?;
    let listed = services.contacts.list(&authorized.caller, authorized.stream(), &filter, &page).await?;
    let place = |contact: &Contact| paging::cursor(PLACE, contact.id.as_str());
    let body = |contact| ContactBody::of(contact, &authorized.caller);
    Ok(HttpResponse::Ok().json(PageBody::of(&page, listed, place, body)))
}

/// Get a contact
///
/// A deleted contact that is still in the trash answers too, with the status INACTIVE.
#[utoipa::path(
    tag = "contacts",
    operation_id = "get_contact",
    params(
        ("streamId" = String, Path, description = "The stream that the contact belongs to."),
        ("id" = String, Path, description = "The contact.", example = "69609027c1746a6142900000"),
        ("accountId" = String, Header, description = "The account that the token belongs to."),
    ),
    responses(
        (status = 200, description = "The contact.", body = ContactBody,
         headers(("ETag" = String, description = "The contact's version.")), example = json!(example_contact("ACTIVE"))),
        ContactsErrors, ContactNotFound,
    ),
)]
#[get("/contacts/{id}")]
pub async fn get_contact(
    authorized: Authorized<ContactsAccess>,
    path: web::Path<(String, String)>,
    services: web::Data<Services>,
) -> Answer {
    let id = contact_id(&path.1)?;
    let contact = services.contacts.find(&authorized.caller, authorized.stream(), &id).await?;
    let etag = etag(contact.version);
    Ok(HttpResponse::Ok().insert_header(etag).json(ContactBody::of(contact, &authorized.caller)))
}

/// Which contacts to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
struct ListParams {
    /// How many contacts to leave out, at most 10,000. Not together with `page`.
    #[param(minimum = 0, maximum = 10000)]
    skip: Option<i64>,
    /// How many contacts a page has, 1 to 100.
    #[param(minimum = 1, maximum = 100, default = 10)]
    limit: Option<i64>,
    /// The page's number, from 1.
    #[param(minimum = 1)]
    page: Option<i64>,
    /// Only the contact with this number.
    #[param(min_length = 1, max_length = 40)]
    phone_number: Option<String>,
    /// ACTIVE contacts, or INACTIVE ones, which are in the trash. ACTIVE unless given.
    #[param(inline)]
    status: Option<Status>,
    /// Only contacts created before this time, in ISO 8601.
    #[param(format = DateTime)]
    created_before: Option<String>,
    /// Only contacts created at or after this time.
    #[param(format = DateTime)]
    created_after: Option<String>,
    /// Only contacts changed before this time.
    #[param(format = DateTime)]
    updated_before: Option<String>,
    /// Only contacts changed at or after this time.
    #[param(format = DateTime)]
    updated_after: Option<String>,
    /// The contacts after a place: what the page before answered as `after`. Not together with `skip` or `page`.
    after: Option<String>,
}

impl ListParams {
    fn read(self) -> Result<(ContactFilter, Page<ContactId>), Error> {
        let asked = Asked { skip: self.skip, limit: self.limit, page: self.page, after: self.after };
        let page = asked.read(10, |after| paging::read_cursor(PLACE, after, ContactId::parse))?;
        let phone_key = self
            .phone_number
            .map(|number| PhoneKey::parse(&number).ok_or_else(|| Error::invalid("phoneNumber", "not a phone number")))
            .transpose()?;
        let filter = ContactFilter {
            phone_key,
            created_before: instant("createdBefore", self.created_before)?,
            created_after: instant("createdAfter", self.created_after)?,
            updated_before: instant("updatedBefore", self.updated_before)?,
            updated_after: instant("updatedAfter", self.updated_after)?,
            trashed: matches!(self.status, Some(Status::Inactive)),
        };
        Ok((filter, page))
    }
}
