//! A deletion is asked for.

use actix_web::{HttpResponse, post, web};
use serde::Deserialize;

use super::{
    Answer, DeletionBody, DeletionNotFound, ItemBody, NativeAccess, NativeBodyErrors, NativeErrors, ResourceBody,
    WithinBody, accepted, example_deletion, example_done, target,
};
use crate::domain::deletion::{Mode, Request, Target};
use crate::domain::filter::{Filter, Span};
use crate::domain::identifier::Identifier;
use crate::domain::identity::Caller;
use crate::domain::ids::{ContactListId, StreamId};
use crate::domain::operation::{BATCH, Operation, Resource, Told};
use crate::error::Error;
use crate::handlers::auth::Authorized;
use crate::handlers::body::{self, Body, Lines};
use crate::handlers::params::{Extras, ModeParam, OnMultipleParam, how, instant, require_batches};
use crate::handlers::with_deletion_id;
use crate::services::Services;
use crate::services::deletions::How;
use crate::services::deletions::lookup::Outcome;
use crate::services::deletions::queue::Selection;

/// The most things that one deletion names.
const MAX_ITEMS: usize = 1_000_000;

/// Delete things
///
/// Things of one kind: named one by one in `items`, by `id`, by `phone_number` (contacts and records), by
/// `external_provider` and `external_id` (records), mixed as you like; or those that `filter` takes; or `all` of them.
///
/// Up to 1,000 named things are deleted in one transaction, before the answer, 200, which has one outcome for each in the
/// order sent. More, a filter, `all`, or `Prefer: respond-async` are done in the background in batches of 1,000: the
/// answer is 202 with `Location`, where to see how far it is. Up to 1,000,000 things are sent as NDJSON, an item a line,
/// with Content-Type `application/x-ndjson` and everything else in the query (`resource`, `stream_id` or
/// `record_list_id`, and the options); nothing is deleted before the last line has come.
///
/// A soft deletion takes live things. A hard one takes live things and those in the trash, and with `deleted_after` or
/// `deleted_before` only the latter: this is how the trash is emptied. A list with more than 1,000 people or records is
/// removed in the background too; it is hidden at once. With `validate_only` it is only said what would be done, with the
/// header `Validate-Only: true`; of a filter only how many rows it takes now. `max_affected` is compared to the rows
/// that would go, of things sent by the thousands to their number; a deletion by number that would pass it later stops
/// before it does.
///
/// The scope is that of the kind's own family: `configuration` for contacts, `campaign_management` for contact lists and
/// campaigns, `record-lists:manage` for record lists and records; a hard deletion takes `deletions:hard` too.
#[utoipa::path(
    tag = "deletions",
    operation_id = "create_deletion",
    params(
        ("Prefer" = Option<String>, Header, description = "`respond-async` has it done in the background.", example = "respond-async"),
    ),
    request_body(content(
        (NewDeletionBody = "application/json", example = json!({
            "resource": "contact", "within": {"stream_id": "st-7dc994f0-4436-5134-9fa8-a94262500000"},
            "items": [{"id": "6960cbe9b155d194e2f00000"}, {"phone_number": "+919876543210"}], "note": "GDPR request 1234"
        })),
        (String = "application/x-ndjson", example = json!("{\"id\": \"6960cbe9b155d194e2f00000\"}\n{\"phone_number\": \"+919876543210\"}\n")),
    )),
    responses(
        (status = 200, description = "It was done: one outcome for each thing.", body = DeletionBody,
         headers(("Deletion-Id" = String, description = "The deletion's id. Absent where it was only said what would be done.")),
         example = json!(example_done())),
        (status = 202, description = "It will be done in the background.", body = DeletionBody,
         headers(("Deletion-Id" = String, description = "The deletion's id."), ("Location" = String, description = "Where it is looked up.")),
         example = json!(example_deletion())),
        (status = 409, description = "More rows would go than `max_affected` allows; nothing was done.", body = super::super::Problem,
         content_type = "application/problem+json",
         example = json!({"type": "about:blank", "title": "Conflict", "status": 409, "detail": "3 or more rows would go, and at most 2 may; nothing was done", "reason": "MAX_AFFECTED"})),
        NativeErrors, NativeBodyErrors, DeletionNotFound,
    ),
)]
#[post("/deletions")]
pub async fn create_deletion(
    authorized: Authorized<NativeAccess>,
    body: Body,
    services: web::Data<Services>,
) -> Answer {
    authorized.expects_no_version()?;
    let body = match body.lines() {
        Ok(lines) => {
            let asked = Asked::of_lines(authorized.params()?)?;
            admit(&authorized, &services, &asked.target).await?;
            return receive(&authorized.caller, &services, asked, lines).await;
        }
        Err(body) => body,
    };
    let body: NewDeletionBody = body.json().await?;
    let (asked, selection) = body.read()?;
    admit(&authorized, &services, &asked.target).await?;
    let caller = &authorized.caller;
    match selection {
        Selection::Items(items) if items.len() <= BATCH && !authorized.prefers_async() => {
            delete_now(caller, &services, asked, items).await
        }
        Selection::Filter(filter) if asked.how.options.validate_only => {
            let would = services.deletions.count_matching(caller, &asked.target, &asked.how, &filter).await?;
            Ok(HttpResponse::Ok().insert_header(("Validate-Only", "true")).json(DeletionBody::of(would)))
        }
        selection => {
            require_batches(&asked.how)?;
            Ok(accepted(services.deletions.queue(caller, &asked.target, &asked.how, &selection).await?))
        }
    }
}

/// That the caller may delete things of that kind, and the stream is one of the account.
async fn admit(authorized: &Authorized<NativeAccess>, services: &Services, target: &Target) -> Result<(), Error> {
    authorized.require(Resource::from_target(target).scope())?;
    match stream_of(target) {
        Some(stream) => services.identity.require_stream(&authorized.caller, stream).await,
        None => Ok(()),
    }
}

async fn delete_now(caller: &Caller, services: &Services, asked: Asked, items: Vec<Identifier>) -> Answer {
    let Asked { target, how } = asked;
    let asked = Request { target, items, options: how.options, note: how.note, is_kept: true };
    let deletion = services.deletions.delete_many(caller, &asked).await?;
    if deletion.is_queued {
        return Ok(accepted(services.deletions.find(caller, deletion.id).await?));
    }
    let by = caller.user_id.as_str();
    let operation = Operation::done(&asked.target, &asked.options, asked.note, by, &deletion);
    let outcomes = (1..)
        .zip(asked.items)
        .zip(&deletion.outcomes)
        .map(|((position, item), outcome)| Outcome { position, item: Some(item), told: Told::of(outcome) })
        .collect();
    Ok(with_deletion_id(&mut HttpResponse::Ok(), &deletion).json(DeletionBody::of(operation).with(outcomes)))
}

/// Takes items as they come, a thousand at a time. What is wrong with one refuses them all.
async fn receive(caller: &Caller, services: &Services, asked: Asked, mut lines: Lines) -> Answer {
    require_batches(&asked.how)?;
    let resource = Resource::from_target(&asked.target);
    let operation = services.deletions.open(caller, &asked.target, &asked.how).await?;
    let received = async {
        let (mut count, mut items) = (0, Vec::new());
        loop {
            let line = lines.next().await?;
            if let Some((number, value)) = &line {
                let at = format!("line {number}");
                let item: ItemBody = body::typed(value.clone(), &at)?;
                items.push(item.read(resource, &at)?);
            }
            if items.len() == BATCH || line.is_none() && !items.is_empty() {
                let first = i64::try_from(count + 1).unwrap_or(i64::MAX);
                services.deletions.take(caller, operation.id, first, &items).await?;
                count += items.len();
                items.clear();
            }
            if count > MAX_ITEMS {
                return Err(Error::TooLarge { what: "items", limit: MAX_ITEMS });
            }
            if line.is_none() {
                break;
            }
        }
        if count == 0 {
            return Err(Error::invalid("body", "must name at least one"));
        }
        services.deletions.sent(caller, operation.id, i64::try_from(count).unwrap_or(i64::MAX)).await
    };
    match received.await {
        Ok(operation) => Ok(accepted(operation)),
        Err(error) => {
            services.deletions.broke_off(caller, operation.id, error.reason()).await;
            Err(error.into())
        }
    }
}

fn stream_of(target: &Target) -> Option<&StreamId> {
    match target {
        Target::Contacts(stream) | Target::ContactLists(stream) | Target::Campaigns(stream) => Some(stream),
        Target::RecordLists | Target::Records(_) => None,
    }
}

/// What is asked, without which things.
struct Asked {
    target: Target,
    how: How,
}

impl Asked {
    fn of_lines(params: LineParams) -> Result<Self, Error> {
        let within = WithinBody { stream_id: params.stream_id, record_list_id: params.record_list_id };
        let extras = Extras {
            validate_only: params.validate_only,
            allow_missing: params.allow_missing,
            max_affected: params.max_affected,
            note: params.note,
        };
        Ok(Self {
            target: target(params.resource.into(), Some(within))?,
            how: how(params.mode, params.atomic, params.on_multiple, extras)?,
        })
    }
}

/// A deletion that is asked for. Exactly one of `items`, `filter` and `all`.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct NewDeletionBody {
    /// What kind of things.
    resource: ResourceBody,
    /// What they belong to: a stream, or a record list. Nothing for record lists.
    within: Option<WithinBody>,
    /// Which, one by one. In the body's 1 MiB; more are sent as NDJSON.
    #[schema(min_items = 1)]
    items: Option<Vec<ItemBody>>,
    /// Which, by what is true of them. It must say something.
    filter: Option<FilterBody>,
    /// `true` for all of them.
    all: Option<bool>,
    /// `soft` into the trash, `hard` for good. `hard` takes the scope `deletions:hard`.
    #[serde(default)]
    mode: ModeParam,
    /// All or nothing. Still 200, with the outcomes. Of up to 1,000 named things.
    #[serde(default)]
    atomic: bool,
    /// What to do with a number or reference that several records have.
    #[serde(default)]
    on_multiple: OnMultipleParam,
    /// Only say what would be done.
    #[serde(default)]
    validate_only: bool,
    /// What is not there, or was deleted before, counts as done.
    #[serde(default)]
    allow_missing: bool,
    /// The most rows that may go: with more, nothing is done.
    max_affected: Option<u64>,
    /// What you have to say of it, kept with it for 30 days.
    #[schema(max_length = 1000)]
    note: Option<String>,
}

impl NewDeletionBody {
    fn read(self) -> Result<(Asked, Selection), Error> {
        let resource = Resource::from(self.resource);
        let target = target(resource, self.within)?;
        let selection = match (self.items, self.filter, self.all) {
            (Some(items), None, None) => Selection::Items(read_items(resource, items)?),
            (None, Some(filter), None) => Selection::Filter(Box::new(filter.read(resource)?)),
            (None, None, Some(true)) => Selection::Filter(Box::default()),
            (None, None, Some(false)) => return Err(Error::invalid("all", "must be true, or left out")),
            (None, None, None) => return Err(Error::invalid("items", "is required, or filter, or all")),
            _ => return Err(Error::invalid("items", "only one of items, filter and all")),
        };
        let extras = Extras {
            validate_only: self.validate_only,
            allow_missing: self.allow_missing,
            max_affected: self.max_affected,
            note: self.note,
        };
        let how = how(self.mode, self.atomic, self.on_multiple, extras)?;
        if let Selection::Filter(filter) = &selection
            && filter.deleted.is_some()
            && how.options.mode != Mode::Hard
        {
            return Err(Error::invalid("mode", "must be hard: what was deleted is in the trash already"));
        }
        Ok((Asked { target, how }, selection))
    }
}

fn read_items(resource: Resource, items: Vec<ItemBody>) -> Result<Vec<Identifier>, Error> {
    if items.is_empty() {
        return Err(Error::invalid("items", "must name at least one"));
    }
    items.into_iter().enumerate().map(|(index, item)| item.read(resource, &format!("items[{index}]"))).collect()
}

/// What must be true of things; of everything that is said. Times are in ISO 8601 and belong to what they bound.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct FilterBody {
    /// Created from then on.
    #[schema(format = DateTime)]
    created_after: Option<String>,
    /// Created until then.
    #[schema(format = DateTime)]
    created_before: Option<String>,
    /// Last changed from then on.
    #[schema(format = DateTime)]
    updated_after: Option<String>,
    /// Last changed until then.
    #[schema(format = DateTime)]
    updated_before: Option<String>,
    /// In the trash, deleted from then on. Hard deletions.
    #[schema(format = DateTime)]
    deleted_after: Option<String>,
    /// In the trash, deleted until then. Hard deletions.
    #[schema(format = DateTime)]
    deleted_before: Option<String>,
    /// The country's calling code, such as `+44`. Contacts.
    #[schema(max_length = 8)]
    country_code: Option<String>,
    /// How a number begins in international form, such as `+4420`. Contacts and records.
    #[schema(max_length = 21)]
    number_prefix: Option<String>,
    /// A contact list that has the number. Contacts.
    #[schema(max_length = 39)]
    member_of: Option<String>,
    /// 1 to 10. Records.
    #[schema(minimum = 1, maximum = 10)]
    priority: Option<i16>,
    /// The other system that knows them. Records.
    #[schema(min_length = 1, max_length = 255)]
    external_provider: Option<String>,
}

impl FilterBody {
    fn read(self, resource: Resource) -> Result<Filter, Error> {
        let span = |name: &str, after, before| {
            Ok::<_, Error>(Span {
                after: instant(&format!("filter.{name}_after"), after)?,
                before: instant(&format!("filter.{name}_before"), before)?,
            })
        };
        let filter = Filter {
            created: span("created", self.created_after, self.created_before)?,
            updated: span("updated", self.updated_after, self.updated_before)?,
            deleted: span("deleted", self.deleted_after, self.deleted_before)?,
            country_code: self.country_code.map(|code| digits("filter.country_code", &code, 7)).transpose()?,
            number_prefix: self.number_prefix.map(|prefix| digits("filter.number_prefix", &prefix, 20)).transpose()?,
            member_of: self
                .member_of
                .map(|list| match ContactListId::parse(&list) {
                    Some(_) => Ok(list),
                    None => Err(Error::invalid("filter.member_of", "is not a contact list's id")),
                })
                .transpose()?,
            priority: self
                .priority
                .map(|priority| match priority {
                    1..=10 => Ok(priority),
                    _ => Err(Error::invalid("filter.priority", "must be 1 to 10")),
                })
                .transpose()?,
            external_provider: self.external_provider,
        };
        if let Some(provider) = &filter.external_provider {
            body::required_text("filter.external_provider", provider, 255)?;
        }
        if filter.is_empty() {
            return Err(Error::invalid("filter", "must say something; everything is all: true"));
        }
        match filter.foreign_to(resource) {
            Some(field) => {
                Err(Error::invalid(format!("filter.{field}"), format!("is nothing that a {} has", resource.name())))
            }
            None => Ok(filter),
        }
    }
}

/// The digits of the beginning of a number, with or without its `+`.
fn digits(field: &str, text: &str, most: usize) -> Result<String, Error> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    let is_good = (1..=most).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && !digits.starts_with('0');
    if is_good {
        Ok(digits.to_owned())
    } else {
        Err(Error::invalid(field, format!("must be 1 to {most} digits that begin with a country's code")))
    }
}

/// What a deletion whose items are the body's lines takes in its query.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LineParams {
    resource: ResourceBody,
    stream_id: Option<String>,
    record_list_id: Option<String>,
    #[serde(default)]
    mode: ModeParam,
    #[serde(default)]
    atomic: bool,
    #[serde(default)]
    on_multiple: OnMultipleParam,
    #[serde(default)]
    validate_only: bool,
    #[serde(default)]
    allow_missing: bool,
    max_affected: Option<u64>,
    note: Option<String>,
}
