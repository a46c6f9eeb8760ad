//! What is in the trash is found, and restored.

use actix_web::{HttpResponse, get, post, web};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::deletions::{DeletionBody, ItemBody, ResourceBody, example_undo, read, target};
use super::{Answer, NativeBodyErrors, NativeErrors, ReadAccess, RestoreAccess, WithinBody};
use crate::domain::deletion::Target;
use crate::domain::identifier::Identifier;
use crate::domain::ids;
use crate::domain::operation::{BATCH, Resource};
use crate::domain::page::{LastChange, Page, Start};
use crate::domain::phone::PhoneKey;
use crate::domain::trash::{Search, Trashed};
use crate::error::Error;
use crate::handlers::auth::Authorized;
use crate::handlers::body::{self, Body};
use crate::handlers::paging::{cursor, moment_key, read_cursor, read_moment};
use crate::handlers::params::{self, instant};
use crate::handlers::timestamp;
use crate::services::Services;

const PLACE: &str = "trash";

/// List what is in the trash
///
/// The last deleted first, across kinds: those that the client has the families' scopes for. Found by what they were known
/// by: a number is compared as in a deletion, a name whatever its case (of people, first and last name with a space
/// between). The people on a deleted list and the records in one are not listed by themselves: they come back with it.
#[utoipa::path(
    tag = "deletions",
    operation_id = "list_trash",
    params(TrashParams),
    responses(
        (status = 200, description = "A page of them.", body = TrashPage, example = json!({"results": [example_trashed()]})),
        NativeErrors,
    ),
)]
#[get("/trash")]
pub async fn list_trash(authorized: Authorized<ReadAccess>, services: web::Data<Services>) -> Answer {
    let params: TrashParams = authorized.params()?;
    let limit = read::limit(params.limit)?;
    let after = params.after.as_deref().map(|after| read_cursor(PLACE, after, read_place)).transpose()?;
    let resources = match params.resource.map(Resource::from) {
        Some(resource) => {
            authorized.require(resource.scope())?;
            vec![resource]
        }
        None => Resource::ALL.into_iter().filter(|resource| authorized.caller.has(resource.scope())).collect(),
    };
    let number = |number: String| {
        PhoneKey::parse(&number)
            .map(|key| key.as_str().to_owned())
            .ok_or_else(|| Error::invalid("phone_number", "is not a phone number"))
    };
    for (field, text) in
        [("external_provider", &params.external_provider), ("external_id", &params.external_id), ("name", &params.name)]
    {
        text.as_deref().map_or(Ok(()), |text| body::required_text(field, text, 255))?;
    }
    let search = Search {
        resources,
        phone_key: params.phone_number.map(number).transpose()?,
        external_provider: params.external_provider,
        external_id: params.external_id,
        name: params.name,
        deletion_id: params
            .deletion_id
            .map(|id| ids::parse_uuid(&id).ok_or_else(|| Error::invalid("deletion_id", "is not a deletion's id")))
            .transpose()?,
        deleted_after: instant("deleted_after", params.deleted_after)?,
        deleted_before: instant("deleted_before", params.deleted_before)?,
    };
    let page =
        Page { start: after.map_or(Start::Row(0), Start::After), limit: i64::try_from(limit + 1).unwrap_or(i64::MAX) };
    let mut found = services.deletions.trash(&authorized.caller, &search, &page).await?;
    let has_more = found.len() > limit;
    found.truncate(limit);
    let after = found.last().filter(|_| has_more).map(|last| cursor(PLACE, &moment_key(last.deleted_at, &last.id)));
    Ok(HttpResponse::Ok().json(TrashPage { results: found.into_iter().map(TrashedBody::of).collect(), after }))
}

/// Restore things from the trash
///
/// Of one kind, by their ids, 1 to 1,000, in one transaction, whichever deletion took them. One outcome for each, in the
/// order sent: RESTORED, NOT_FOUND, ALREADY_RESTORED when it is not in the trash, KEY_RETAKEN with the live row that has the
/// number, name or reference by now, PARENT_DELETED when the record's list is not there, ALREADY_PURGED, BUSY. A campaign
/// takes up the lists that are still there; `missing_lists` names the others. A record list that is full takes its records
/// back all the same: its bound of 250,000 is one on adding. Takes the scope `deletions:restore`.
#[utoipa::path(
    tag = "deletions",
    operation_id = "restore_trash",
    request_body(content = RestoreBody, example = json!({
        "resource": "contact", "within": {"stream_id": "st-7dc994f0-4436-5134-9fa8-a94262500000"},
        "items": [{"id": "6960cbe9b155d194e2f00000"}]
    })),
    responses(
        (status = 200, description = "One outcome for each thing.", body = DeletionBody, example = json!(example_restore())),
        NativeErrors, NativeBodyErrors,
    ),
)]
#[post("/trash/restore")]
pub async fn restore_trash(authorized: Authorized<RestoreAccess>, body: Body, services: web::Data<Services>) -> Answer {
    authorized.expects_no_version()?;
    let body: RestoreBody = body.json().await?;
    let resource = Resource::from(body.resource);
    let target = target(resource, body.within)?;
    if body.items.is_empty() {
        return Err(Error::invalid("items", "must name at least one").into());
    }
    if body.items.len() > BATCH {
        return Err(Error::TooLarge { what: "items", limit: BATCH }.into());
    }
    let items: Vec<Identifier> = body
        .items
        .into_iter()
        .enumerate()
        .map(|(index, item)| match item.read(resource, &format!("items[{index}]"))? {
            Identifier::Id(id) => Ok(Identifier::Id(id)),
            _ => Err(Error::invalid(format!("items[{index}].id"), "is required: things are restored by their ids")),
        })
        .collect::<Result<_, _>>()?;
    let note = params::note(body.note)?;
    if let Target::Contacts(stream) | Target::ContactLists(stream) | Target::Campaigns(stream) = &target {
        services.identity.require_stream(&authorized.caller, stream).await?;
    }
    let (operation, outcomes) = services.deletions.restore(&authorized.caller, &target, &items, note).await?;
    Ok(HttpResponse::Ok().json(DeletionBody::of(operation).with(outcomes)))
}

fn read_place(text: &str) -> Option<LastChange<String>> {
    let is_id = |id: &str| id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_graphic());
    read_moment(text, |id| is_id(id).then(|| id.to_owned()))
}

/// What is looked for.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct TrashParams {
    /// Only things of this kind.
    #[param(inline)]
    resource: Option<ResourceBody>,
    /// Only contacts and records that had this number.
    #[param(example = "+14155550100")]
    phone_number: Option<String>,
    /// Only records that this other system knew.
    #[param(min_length = 1, max_length = 255)]
    external_provider: Option<String>,
    /// Only records that had this id there.
    #[param(min_length = 1, max_length = 255)]
    external_id: Option<String>,
    /// Only things of this name.
    #[param(min_length = 1, max_length = 255)]
    name: Option<String>,
    /// Only what this deletion took.
    deletion_id: Option<String>,
    /// Only what was deleted from then on, in ISO 8601.
    #[param(format = DateTime)]
    deleted_after: Option<String>,
    /// Only what was deleted until then.
    #[param(format = DateTime)]
    deleted_before: Option<String>,
    /// How many a page has, 1 to 100; 50 unless given.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<i64>,
    /// The place after which the page begins: the `after` of the page before.
    after: Option<String>,
}

/// A page of what is in the trash.
#[derive(Serialize, utoipa::ToSchema)]
struct TrashPage {
    /// What is on it.
    results: Vec<TrashedBody>,
    /// What to send as `after` for the next page. Absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    after: Option<String>,
}

/// A thing in the trash.
#[derive(Serialize, utoipa::ToSchema)]
struct TrashedBody {
    /// `contact`, `contact_list`, `campaign`, `record_list` or `record`.
    resource: &'static str,
    /// What it belongs to. Null for record lists.
    within: Option<WithinBody>,
    /// Its id.
    id: String,
    /// Its name; of people, first and last name.
    name: String,
    /// The first number that it had.
    phone_number: Option<String>,
    /// The other system that knew it.
    external_provider: Option<String>,
    /// Its id there.
    external_id: Option<String>,
    /// When it was deleted.
    #[schema(format = DateTime)]
    deleted_at: String,
    /// By which user.
    deleted_by: String,
    /// The deletion that took it.
    deletion_id: String,
    /// When it will be gone for good, at the earliest. Null where nothing says so.
    #[schema(format = DateTime)]
    purge_at: Option<String>,
    /// Whether it is on hold and stays.
    held: bool,
}

impl TrashedBody {
    fn of(thing: Trashed) -> Self {
        Self {
            resource: thing.resource.name(),
            within: WithinBody::of(thing.resource, thing.within),
            id: thing.id,
            name: thing.name,
            phone_number: thing.phone_number,
            external_provider: thing.external_provider,
            external_id: thing.external_id,
            deleted_at: timestamp(thing.deleted_at),
            deleted_by: thing.deleted_by,
            deletion_id: thing.deletion_id.to_string(),
            purge_at: thing.purge_at.map(timestamp),
            held: thing.held,
        }
    }
}

/// What is to be restored.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct RestoreBody {
    /// What kind of things.
    resource: ResourceBody,
    /// What they belong to: a stream, or a record list. Nothing for record lists.
    within: Option<WithinBody>,
    /// Which, each by its `id`.
    #[schema(min_items = 1, max_items = 1000)]
    items: Vec<ItemBody>,
    /// What you have to say of it, kept with it for 30 days.
    #[schema(max_length = 1000)]
    note: Option<String>,
}

fn example_trashed() -> Value {
    json!({
        "resource": "contact", "within": {"stream_id": "st-7dc994f0-4436-5134-9fa8-a94262500000"},
        "id": "6960cbe9b155d194e2f00000", "name": "john doe", "phone_number": "+919876543210", "external_provider": null,
        "external_id": null, "deleted_at": "2026-01-09T09:19:37.307Z", "deleted_by": "u-cc6ebd6c-656c-5364-abfc-ad5f80e00000",
        "deletion_id": "01a20694-3b1c-7d35-a9fe-12ab34cd56ef", "purge_at": null, "held": false
    })
}

fn example_restore() -> Value {
    let mut example = example_undo();
    example["action"] = json!("restore");
    example["undoes"] = Value::Null;
    example
}
