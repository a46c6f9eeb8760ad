//! Contacts are listed and looked up.

use actix_web::{HttpResponse, get, web};
use serde::{Deserialize, Serialize};
use time::format_description::well_known::Iso8601;
use time::{OffsetDateTime, UtcOffset};

use super::{
    Answer, ContactBody, ContactNotFound, ContactsAccess, ContactsErrors, Status, contact_id, example_contact,
};
use crate::domain::contact::{ContactFilter, Page};
use crate::domain::phone::PhoneKey;
use crate::error::Error;
use crate::handlers::auth::Authorized;
use crate::handlers::pages;
use crate::services::Services;

/// The deepest row that a numbered page reaches.
const MAX_DEPTH: i64 = 10_000;

/// The largest page.
const MAX_LIMIT: i64 = 100;

/// List contacts
///
/// Live contacts, newest first; with `status=INACTIVE` those in the trash instead. `skip` and `page` reach the first
/// 10,000 contacts.
#[utoipa::path(
    tag = "contacts",
    operation_id = "list_contacts",
    params(
        ("streamId" = String, Path, description = "The stream that the contacts belong to."),
        ("accountId" = String, Header, description = "The account that the token belongs to."),
        ListParams,
    ),
    responses(
        (status = 200, description = "A page of contacts.", body = ContactPage, example = json!({
            "results": [example_contact("ACTIVE")], "skip": 0, "limit": 10, "hasMore": false, "totalPages": 1, "totalResults": 1
        })),
        ContactsErrors,
    ),
)]
#[get("/contacts")]
pub async fn list_contacts(authorized: Authorized<ContactsAccess>, services: web::Data<Services>) -> Answer {
    let params: ListParams = authorized.params()?;
    let (filter, page) = params.read()?;
    let (contacts, total) = services.contacts.list(&authorized.caller, authorized.stream(), &filter, page).await?;
    let shown = i64::try_from(contacts.len()).unwrap_or(i64::MAX);
    Ok(HttpResponse::Ok().json(ContactPage {
        results: contacts.into_iter().map(|contact| ContactBody::of(contact, &authorized.caller)).collect(),
        skip: page.skip,
        limit: page.limit,
        has_more: page.skip + shown < total,
        total_pages: pages(total, page.limit),
        total_results: total,
    }))
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
        (status = 200, description = "The contact.", body = ContactBody, example = json!(example_contact("ACTIVE"))),
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
    Ok(HttpResponse::Ok().json(ContactBody::of(contact, &authorized.caller)))
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
    phone_number: Option<String>,
    /// ACTIVE contacts, or INACTIVE ones, which are in the trash.
    #[param(inline, default = "ACTIVE")]
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
    /// Not answered yet, and refused rather than passed over.
    #[param(ignore)]
    after: Option<String>,
}

impl ListParams {
    fn read(self) -> Result<(ContactFilter, Page), Error> {
        let limit = self.limit.unwrap_or(10);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(Error::invalid("limit", format!("must be 1 to {MAX_LIMIT}")));
        }
        let skip = match (self.skip, self.page) {
            (Some(_), Some(_)) => return Err(Error::invalid("page", "cannot be given together with skip")),
            (Some(skip), None) => skip,
            (None, Some(page)) if page < 1 => return Err(Error::invalid("page", "must be 1 or more")),
            (None, Some(page)) => (page - 1).saturating_mul(limit),
            (None, None) => 0,
        };
        if skip < 0 || skip.saturating_add(limit) > MAX_DEPTH {
            let message = format!("must reach no further than contact {MAX_DEPTH}; filter to reach what is further");
            return Err(Error::invalid(if self.page.is_some() { "page" } else { "skip" }, message));
        }
        if self.after.is_some() {
            return Err(Error::invalid("after", "is not supported; use skip or page"));
        }
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
        Ok((filter, Page { skip, limit }))
    }
}

fn instant(field: &str, text: Option<String>) -> Result<Option<OffsetDateTime>, Error> {
    text.map(|text| {
        OffsetDateTime::parse(&text, &Iso8601::PARSING)
            .ok()
            .and_then(|instant| instant.checked_to_offset(UtcOffset::UTC))
            // The database and the answers have no other years.
            .filter(|instant| (1..=9999).contains(&instant.year()))
            .ok_or_else(|| Error::invalid(field, "not a time in ISO 8601 such as 2026-01-09T05:20:39.374Z"))
    })
    .transpose()
}

/// A page of contacts.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct ContactPage {
    /// The contacts.
    results: Vec<ContactBody>,
    /// How many were left out before them.
    skip: i64,
    /// How many a page has.
    limit: i64,
    /// Whether there are more after them.
    has_more: bool,
    /// How many pages there are.
    total_pages: i64,
    /// How many contacts there are on all pages.
    total_results: i64,
}
