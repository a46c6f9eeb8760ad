//! The contacts family: camelCase, bare objects, `{"errors":[…]}`.

use actix_web::{HttpResponse, delete, get, post, web};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Iso8601;
use utoipa_actix_web::service_config::ServiceConfig;

use super::auth::{Access, Authorized, Named};
use super::body::{self, Body};
use super::error::{ErrorItem, Failure, Family};
use super::params::{ModeParam, OnMultipleParam, options};
use super::{pages, timestamp, with_deletion_id};
use crate::domain::contact::{CellPhone, Contact, ContactFilter, ContactStatus, Created, NewContact, Page};
use crate::domain::deletion::{Deletion, Key, Outcome, Request, Target};
use crate::domain::identity::{Caller, Scope};
use crate::domain::ids::ContactId;
use crate::domain::phone::{self, PhoneKey};
use crate::error::{Error, Thing};
use crate::services::Services;

/// The most contacts that one request creates or deletes.
pub const MAX_ITEMS: usize = 1000;

/// The deepest row that a numbered page reaches.
const MAX_DEPTH: i64 = 10_000;

/// The largest page.
const MAX_LIMIT: i64 = 100;

/// The contacts family.
pub struct ContactsFamily;

impl Family for ContactsFamily {
    const CONTENT_TYPE: &'static str = "application/json";

    fn envelope(error: &Error) -> Value {
        json!({ "errors": ErrorItem::of(error) })
    }
}

/// What every operation of the family asks of its caller.
pub struct ContactsAccess;

impl Access for ContactsAccess {
    type Family = ContactsFamily;
    const SCOPE: Scope = Scope::Configuration;
    const REQUIRED: &'static [Named] = &[Named::Account];
}

type Answer = Result<HttpResponse, Failure<ContactsFamily>>;

/// The family's operations. A literal path comes before the one that takes an id.
pub fn configure(config: &mut ServiceConfig) {
    config
        .service(create_contacts)
        .service(list_contacts)
        .service(bulk_delete_contacts)
        .service(post_bulk_delete_contacts)
        .service(get_contact)
        .service(delete_contact);
}

/// Create contacts
///
/// Creates up to 1,000 contacts and answers one result for each, in the order given. A contact that cannot be created
/// has `errors` in its place and does not keep the others from being created; `conflictingId` names the live contact
/// that has the number already. A stream has one live contact for each phone number; the number of a deleted contact
/// can be used again at once.
#[utoipa::path(
    tag = "contacts",
    operation_id = "create_contacts",
    params(
        ("streamId" = String, Path, description = "The stream (bot, app) that the contacts belong to.", example = "st-7dc994f0-4436-5134-9fa8-a94262500000"),
        ("accountId" = String, Header, description = "The account that the token belongs to.", example = "65f7d49a5dd06e2cefa00000"),
    ),
    request_body(content = Vec<NewContactBody>, description = "One to 1,000 contacts.", example = json!([{
        "firstName": "john", "lastName": "doe", "salutation": "mr",
        "cellPhone": {"extension": "+", "phoneNumber": "9876543210", "countryCode": "+91"}
    }])),
    responses(
        (status = 200, description = "One result for each contact, in the order given: the contact, or why it was not created.",
         body = Vec<CreatedBody>, example = json!([example_contact("ACTIVE"), {
            "errors": [{"msg": "cellPhone.phoneNumber: another contact has this number", "code": 409, "reason": "PHONE_NUMBER_TAKEN"}],
            "conflictingId": "69609027c1746a6142900000"
        }])),
        ContactsErrors,
    ),
)]
#[post("/contacts")]
async fn create_contacts(authorized: Authorized<ContactsAccess>, body: Body, services: web::Data<Services>) -> Answer {
    let Value::Array(items) = body.value().await? else {
        return Err(Error::invalid("body", "an array of contacts is required").into());
    };
    within_limits("body", items.len())?;
    let parsed: Vec<Result<NewContact, Error>> = items.into_iter().map(new_contact).collect();
    let new: Vec<NewContact> = parsed.iter().filter_map(|item| item.as_ref().ok().cloned()).collect();
    let mut created = services.contacts.create(&authorized.caller, authorized.stream(), &new).await?.into_iter();
    let answer: Vec<CreatedBody> = parsed
        .into_iter()
        .map(|item| match item {
            Ok(_) => created.next().map_or_else(
                || CreatedBody::failed(&Error::Internal("a contact has no result")),
                |created| CreatedBody::of(created, &authorized.caller),
            ),
            Err(error) => CreatedBody::failed(&error),
        })
        .collect();
    Ok(HttpResponse::Ok().json(answer))
}

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
async fn list_contacts(authorized: Authorized<ContactsAccess>, services: web::Data<Services>) -> Answer {
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
async fn get_contact(
    authorized: Authorized<ContactsAccess>,
    path: web::Path<(String, String)>,
    services: web::Data<Services>,
) -> Answer {
    let id = contact_id(&path.1)?;
    let contact = services.contacts.find(&authorized.caller, authorized.stream(), &id).await?;
    Ok(HttpResponse::Ok().json(ContactBody::of(contact, &authorized.caller)))
}

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
        SingleDeletionParams,
    ),
    responses(
        (status = 200, description = "The contact as the deletion leaves it.", body = ContactBody, headers(("Deletion-Id" = String, description = "The deletion's id, under which the ledger has it.")), example = json!(example_contact("INACTIVE"))),
        ContactsErrors, ContactNotFound, ContactOnHold,
    ),
)]
#[delete("/contacts/{id}")]
async fn delete_contact(
    authorized: Authorized<ContactsAccess>,
    path: web::Path<(String, String)>,
    body: Body,
    services: web::Data<Services>,
) -> Answer {
    let params: SingleDeletionParams = authorized.params()?;
    body.none().await?;
    let id = contact_id(&path.1)?;
    let caller = &authorized.caller;
    let (deletion, contact) =
        services.deletions.delete_contact(caller, authorized.stream(), &id, params.mode.into()).await?;
    let body = ContactBody { updated_by: None, updated_by_aid: None, ..ContactBody::of(contact, caller) };
    Ok(with_deletion_id(&mut HttpResponse::Ok(), &deletion).json(body))
}

/// Delete contacts in bulk
///
/// Deletes 1 to 1,000 contacts in one transaction and answers one outcome for each id, in the order sent:
/// `successful + failed` is always `totalRequested`. What can be deleted is deleted, unless `atomic=true`: then one
/// failure leaves everything as it was, and the others say `ROLLED_BACK`. The answer is 200 also when some or all
/// failed. `{"id":[…]}` is accepted for `{"ids":[…]}`. Some clients and proxies drop the body of a DELETE: the same
/// operation is there as a POST.
#[utoipa::path(
    tag = "contacts",
    operation_id = "bulk_delete_contacts",
    params(
        ("streamId" = String, Path, description = "The stream that the contacts belong to."),
        ("accountId" = String, Header, description = "The account that the token belongs to."),
        BulkDeletionParams,
    ),
    request_body(content = BulkDeletionBody, example = json!({"ids": ["6960cbe9b155d194e2f00000", "6960cc07b155d194e2f00000"]})),
    responses(
        (status = 200, description = "One outcome for each id.", body = BulkReport, headers(("Deletion-Id" = String, description = "The deletion's id, under which the ledger has it.")), example = json!(example_report())),
        ContactsErrors,
    ),
)]
#[delete("/contacts/bulk-delete")]
async fn bulk_delete_contacts(
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
    ),
    request_body(content = BulkDeletionBody, example = json!({"ids": ["6960cbe9b155d194e2f00000", "6960cc07b155d194e2f00000"]})),
    responses(
        (status = 200, description = "One outcome for each id.", body = BulkReport, headers(("Deletion-Id" = String, description = "The deletion's id, under which the ledger has it.")), example = json!(example_report())),
        ContactsErrors,
    ),
)]
#[post("/contacts/bulk-delete")]
async fn post_bulk_delete_contacts(
    authorized: Authorized<ContactsAccess>,
    body: Body,
    services: web::Data<Services>,
) -> Answer {
    bulk_delete(authorized, body, services).await
}

async fn bulk_delete(authorized: Authorized<ContactsAccess>, body: Body, services: web::Data<Services>) -> Answer {
    let params: BulkDeletionParams = authorized.params()?;
    let BulkDeletionBody { ids } = body.json().await?;
    within_limits("ids", ids.len())?;
    let request = Request {
        target: Target::Contacts(authorized.stream().clone()),
        items: ids.iter().map(|id| ContactId::parse(id).map(|id| Key::Id(id.into()))).collect(),
        options: options(params.mode, params.atomic, OnMultipleParam::All),
    };
    let deletion = services.deletions.delete_many(&authorized.caller, &request).await?;
    Ok(with_deletion_id(&mut HttpResponse::Ok(), &deletion).json(BulkReport::of(ids, &deletion)))
}

/// What a single deletion takes in its query.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub struct SingleDeletionParams {
    /// `soft` into the trash, `hard` for good. `hard` takes the scope `deletions:hard`.
    #[serde(default)]
    #[param(inline, required = false)]
    pub mode: ModeParam,
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
        if !(0..=MAX_DEPTH).contains(&skip) {
            return Err(Error::invalid("skip", format!("must be 0 to {MAX_DEPTH}; filter to reach what is further")));
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
            .map_err(|_| Error::invalid(field, "not a time in ISO 8601 such as 2026-01-09T05:20:39.374Z"))
    })
    .transpose()
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

/// What became of each id.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct BulkReport {
    /// How many ids were sent.
    total_requested: usize,
    /// How many contacts were deleted.
    successful: usize,
    /// How many ids failed.
    failed: usize,
    /// The contacts that were deleted, in the order sent.
    successful_records: Vec<SuccessfulRecord>,
    /// The ids that failed, in the order sent, each with why.
    failed_records: Vec<FailedRecord>,
}

/// A contact that was deleted.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct SuccessfulRecord {
    /// Its id.
    id: String,
}

/// An id that failed.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct FailedRecord {
    /// The id as it was sent.
    id: String,
    /// Why, in a word: NOT_FOUND, ALREADY_DELETED, INVALID_IDENTIFIER, DUPLICATE_IN_REQUEST, ON_HOLD, ROLLED_BACK or BUSY.
    reason: &'static str,
    /// Why, for people.
    message: &'static str,
    /// Whether sending the same again can succeed.
    retryable: bool,
}

impl BulkReport {
    fn of(ids: Vec<String>, deletion: &Deletion) -> Self {
        let mut report = Self {
            total_requested: ids.len(),
            successful: deletion.successful(),
            failed: ids.len() - deletion.successful(),
            successful_records: Vec::new(),
            failed_records: Vec::new(),
        };
        for (id, outcome) in ids.into_iter().zip(&deletion.outcomes) {
            match outcome {
                Outcome::Deleted(_) => report.successful_records.push(SuccessfulRecord { id }),
                Outcome::Failed(failure) => report.failed_records.push(FailedRecord {
                    id,
                    reason: failure.reason.code(),
                    message: failure.reason.message(),
                    retryable: failure.reason.is_retryable(),
                }),
            }
        }
        report
    }
}

/// A contact that is to be created.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", expecting = "an object")]
struct NewContactBody {
    /// First name, at most 255 characters.
    first_name: String,
    /// Last name, at most 255 characters.
    last_name: String,
    /// How the person is addressed.
    #[serde(default)]
    #[schema(required = false)]
    salutation: String,
    /// The number.
    cell_phone: NewCellPhoneBody,
    /// Postal addresses, kept as given.
    #[serde(default)]
    #[schema(required = false)]
    address: Vec<Value>,
    /// Twitter profiles, kept as given.
    #[serde(default)]
    #[schema(required = false)]
    twitter_details: Vec<Value>,
}

/// The number of a contact that is to be created.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", expecting = "an object")]
struct NewCellPhoneBody {
    /// The dialing prefix, kept as given.
    #[serde(default = "plus")]
    #[schema(required = false, default = "+")]
    extension: String,
    /// The number, with or without its country code; spaces, `-`, `(` and `)` do not count.
    phone_number: String,
    /// The country calling code, such as `+91`.
    country_code: String,
}

fn plus() -> String {
    "+".to_owned()
}

fn new_contact(item: Value) -> Result<NewContact, Error> {
    let new: NewContactBody = body::typed(item, "")?;
    body::required_text("firstName", &new.first_name, 255)?;
    body::required_text("lastName", &new.last_name, 255)?;
    body::text("salutation", &new.salutation, 255)?;
    body::text("cellPhone.extension", &new.cell_phone.extension, 20)?;
    body::required_text("cellPhone.countryCode", &new.cell_phone.country_code, 10)?;
    let address = Value::Array(new.address);
    body::storable("address", &address)?;
    let twitter_details = Value::Array(new.twitter_details);
    body::storable("twitterDetails", &twitter_details)?;
    let (code, number) = (&new.cell_phone.country_code, &new.cell_phone.phone_number);
    let (Some(phone_number), Some(phone_key)) =
        (phone::with_country_code(code, number), PhoneKey::parse_national(code, number))
    else {
        return Err(Error::invalid("cellPhone.phoneNumber", "not a phone number with that country code"));
    };
    Ok(NewContact {
        first_name: new.first_name,
        last_name: new.last_name,
        salutation: new.salutation,
        cell_phone: CellPhone {
            extension: new.cell_phone.extension,
            phone_number,
            country_code: new.cell_phone.country_code,
        },
        phone_key,
        address,
        twitter_details,
    })
}

/// One result of a create call.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(untagged)]
enum CreatedBody {
    /// The contact.
    Contact(Box<ContactBody>),
    /// Why it was not created.
    Failed(NotCreatedBody),
}

/// Why a contact was not created.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct NotCreatedBody {
    /// What is wrong.
    errors: Vec<ErrorItem>,
    /// The live contact that has the number.
    #[serde(skip_serializing_if = "Option::is_none")]
    conflicting_id: Option<String>,
}

impl CreatedBody {
    fn of(created: Created, caller: &Caller) -> Self {
        match created {
            Created::Contact(contact) => CreatedBody::Contact(Box::new(ContactBody::of(*contact, caller))),
            Created::NumberTaken { by } => CreatedBody::Failed(NotCreatedBody {
                errors: vec![ErrorItem {
                    msg: "cellPhone.phoneNumber: another contact has this number".to_owned(),
                    code: 409,
                    reason: "PHONE_NUMBER_TAKEN",
                }],
                conflicting_id: by.map(|id| id.to_string()),
            }),
        }
    }

    fn failed(error: &Error) -> Self {
        CreatedBody::Failed(NotCreatedBody { errors: ErrorItem::of(error), conflicting_id: None })
    }
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

/// A contact.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct ContactBody {
    /// First name.
    first_name: String,
    /// Last name.
    last_name: String,
    /// First and last name.
    full_name: String,
    /// How the person is addressed.
    salutation: String,
    /// The number.
    cell_phone: CellPhoneBody,
    /// ACTIVE, or INACTIVE when it has been deleted.
    status: Status,
    /// The stream that it belongs to.
    instance_bot_id: String,
    /// The account's organisation.
    org_id: String,
    /// The account.
    account_id: String,
    /// The user who created it.
    created_by: String,
    /// The agent that created it.
    created_by_a_id: String,
    /// The user who last updated it.
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_by: Option<String>,
    /// The agent that last updated it.
    #[serde(rename = "updatedByAId", skip_serializing_if = "Option::is_none")]
    updated_by_aid: Option<String>,
    /// Postal addresses.
    address: Value,
    /// Twitter profiles.
    twitter_details: Value,
    /// When it was created.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it last changed, its deletion included.
    #[schema(format = DateTime)]
    updated_at: String,
    /// Its id.
    id: String,
}

/// A contact's number.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct CellPhoneBody {
    /// The dialing prefix.
    extension: String,
    /// `+`, country code and digits.
    phone_number: String,
    /// The country calling code.
    country_code: String,
}

/// Whether a contact is live.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "UPPERCASE")]
enum Status {
    /// Live.
    Active,
    /// In the trash, or gone.
    Inactive,
}

impl ContactBody {
    fn of(contact: Contact, caller: &Caller) -> Self {
        Self {
            full_name: contact.full_name(),
            first_name: contact.first_name,
            last_name: contact.last_name,
            salutation: contact.salutation,
            cell_phone: CellPhoneBody {
                extension: contact.cell_phone.extension,
                phone_number: contact.cell_phone.phone_number,
                country_code: contact.cell_phone.country_code,
            },
            status: match contact.status {
                ContactStatus::Active => Status::Active,
                ContactStatus::Inactive => Status::Inactive,
            },
            instance_bot_id: contact.stream_id.to_string(),
            org_id: caller.org_id.clone(),
            account_id: caller.account_id.to_string(),
            created_by: contact.created_by,
            created_by_a_id: contact.created_by_aid,
            updated_by: contact.updated_by,
            updated_by_aid: contact.updated_by_aid,
            address: contact.address,
            twitter_details: contact.twitter_details,
            created_at: timestamp(contact.created_at),
            updated_at: timestamp(contact.updated_at),
            id: contact.id.to_string(),
        }
    }
}

fn contact_id(text: &str) -> Result<ContactId, Error> {
    ContactId::parse(text).ok_or(Error::NotFound(Thing::Contact))
}

fn within_limits(field: &'static str, count: usize) -> Result<(), Error> {
    match count {
        0 => Err(Error::invalid(field, "must name at least one")),
        1..=MAX_ITEMS => Ok(()),
        _ => Err(Error::TooLarge { what: field, limit: MAX_ITEMS }),
    }
}

/// The family's error envelope.
#[derive(Serialize, utoipa::ToSchema)]
struct ContactsError {
    /// What is wrong.
    errors: Vec<ErrorItem>,
}

/// What any operation of the family can answer.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "read by the document's generator alone")]
enum ContactsErrors {
    /// Malformed: a field, header or parameter is missing, unknown or wrong. Nothing was changed.
    #[response(status = 400, example = json!({"errors": [{"msg": "ids[1]: invalid type: integer `7`, expected a string", "code": 400, "reason": "INVALID_REQUEST"}]}))]
    Invalid(ContactsError),
    /// No valid token, or an account or stream that is not the client's.
    #[response(status = 401, example = json!({"errors": [{"msg": "Invalid JWT token", "code": 4002, "reason": "UNAUTHENTICATED"}]}))]
    Unauthenticated(ContactsError),
    /// The client lacks the scope.
    #[response(status = 403, example = json!({"errors": [{"msg": "Permission denied. Scope is incorrect!", "code": 4002, "reason": "MISSING_SCOPE"}]}))]
    Forbidden(ContactsError),
    /// The path does not take this method; the header Allow names those it takes.
    #[response(status = 405, example = json!({"errors": [{"msg": "This path takes GET, POST", "code": 405, "reason": "METHOD_NOT_ALLOWED"}]}))]
    MethodNotAllowed(ContactsError),
    /// The body is over 1 MiB, or has over 1,000 items.
    #[response(status = 413, example = json!({"errors": [{"msg": "ids: at most 1000 allowed", "code": 413, "reason": "TOO_LARGE"}]}))]
    TooLarge(ContactsError),
    /// The body is not JSON by its Content-Type.
    #[response(status = 415, example = json!({"errors": [{"msg": "Content-Type: the body must be application/json in UTF-8", "code": 415, "reason": "UNSUPPORTED_MEDIA_TYPE"}]}))]
    UnsupportedMediaType(ContactsError),
    /// Something went wrong on our side; nothing was changed.
    #[response(status = 500, example = json!({"errors": [{"msg": "Something went wrong on our side; nothing was changed", "code": 500, "reason": "INTERNAL"}]}))]
    Internal(ContactsError),
    /// Others hold the same rows for too long; Retry-After says when to try again.
    #[response(status = 503, example = json!({"errors": [{"msg": "Another request is changing the same rows; try again", "code": 503, "reason": "BUSY"}]}))]
    Busy(ContactsError),
}

#[derive(utoipa::IntoResponses)]
/// No such contact: unknown, of another account or stream, malformed, or deleted before.
#[response(status = 404, example = json!({"errors": [{"msg": "Contact not found", "code": 404, "reason": "NOT_FOUND"}]}))]
#[expect(dead_code, reason = "read by the document's generator alone")]
struct ContactNotFound(ContactsError);

#[derive(utoipa::IntoResponses)]
/// The contact is on hold and cannot be removed for good.
#[response(status = 409, example = json!({"errors": [{"msg": "Contact 69609027c1746a6142900000 is on hold and cannot be removed for good", "code": 409, "reason": "ON_HOLD"}]}))]
#[expect(dead_code, reason = "read by the document's generator alone")]
struct ContactOnHold(ContactsError);

fn example_contact(status: &str) -> Value {
    json!({
        "firstName": "john", "lastName": "doe", "fullName": "john doe", "salutation": "mr",
        "cellPhone": {"extension": "+", "phoneNumber": "+919876543210", "countryCode": "+91"},
        "status": status,
        "instanceBotId": "st-7dc994f0-4436-5134-9fa8-a94262500000",
        "orgId": "o-16ff21d2-5d27-5fb2-b9bd-9fedb5f00000",
        "accountId": "65f7d49a5dd06e2cefa00000",
        "createdBy": "u-cc6ebd6c-656c-5364-abfc-ad5f80e00000",
        "createdByAId": "a-6c63a33-c2a7-49e8-a5ab-82449c800000",
        "address": [], "twitterDetails": [],
        "createdAt": "2026-01-09T05:20:39.374Z", "updatedAt": "2026-01-09T09:19:37.307Z",
        "id": "69609027c1746a6142900000"
    })
}

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
