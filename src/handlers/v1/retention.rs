//! How long the trash is kept.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, get, put, web};
use serde::{Deserialize, Serialize};

use super::{Answer, NativeBodyErrors, NativeErrors, RetentionAccess};
use crate::domain::operation::Resource;
use crate::domain::trash::Retention;
use crate::error::{Error, FieldError};
use crate::handlers::auth::Authorized;
use crate::handlers::body::Body;
use crate::services::Services;

/// The longest that anything is kept for, in days.
const MAX_DAYS: i64 = 3650;

/// Get how long the trash is kept
#[utoipa::path(
    tag = "deletions",
    operation_id = "get_retention",
    responses(
        (status = 200, description = "Days per kind; null where it is kept for ever.", body = RetentionBody,
         example = json!({"contact": 30, "contact_list": 30, "campaign": null, "record_list": null, "record": 7})),
        NativeErrors,
    ),
)]
#[get("/retention")]
pub async fn get_retention(authorized: Authorized<RetentionAccess>, services: web::Data<Services>) -> Answer {
    let set = services.deletions.retention(&authorized.caller).await?;
    Ok(HttpResponse::Ok().json(RetentionBody::of(set)))
}

/// Set how long the trash is kept
///
/// Days per kind, 1 to 3,650; null keeps it for ever; a kind that is not named stays as it is. What has been in the trash for
/// longer is purged in the background, with everything below it, in batches that can be looked up as deletions with the
/// action `purge`. A promise once given is never shortened: what is in the trash goes when the days that held when it came
/// there are over, and the present ones too; what came there while nothing was set is promised to stay the days that are set
/// then, from then on. To set null pauses: nothing goes, and what has a time keeps it. What is on hold stays.
#[utoipa::path(
    tag = "deletions",
    operation_id = "set_retention",
    request_body(content = RetentionBody, example = json!({"contact": 30, "campaign": null})),
    responses(
        (status = 200, description = "As it is now.", body = RetentionBody,
         example = json!({"contact": 30, "contact_list": null, "campaign": null, "record_list": null, "record": null})),
        NativeErrors, NativeBodyErrors,
    ),
)]
#[put("/retention")]
pub async fn set_retention(
    authorized: Authorized<RetentionAccess>,
    body: Body,
    services: web::Data<Services>,
) -> Answer {
    authorized.expects_no_version()?;
    let given: BTreeMap<String, Option<i64>> = body.json().await?;
    let mut wrong = Vec::new();
    let mut days = Vec::new();
    for (name, value) in given {
        let Some(resource) = Resource::parse(&name) else {
            wrong.push(FieldError { field: name, message: "is not a kind of things".to_owned() });
            continue;
        };
        match value {
            None => days.push((resource, None)),
            Some(value) => match i32::try_from(value).ok().filter(|_| (1..=MAX_DAYS).contains(&value)) {
                Some(value) => days.push((resource, Some(value))),
                None => wrong.push(FieldError { field: name, message: format!("must be 1 to {MAX_DAYS}, or null") }),
            },
        }
    }
    if wrong.is_empty() && days.is_empty() {
        return Err(Error::invalid("body", "must name at least one kind of things").into());
    }
    if !wrong.is_empty() {
        return Err(Error::Invalid(wrong).into());
    }
    let set = services.deletions.set_retention(&authorized.caller, &days).await?;
    Ok(HttpResponse::Ok().json(RetentionBody::of(set)))
}

/// Days per kind. Null keeps it for ever.
#[derive(Default, Serialize, Deserialize, utoipa::ToSchema)]
struct RetentionBody {
    /// Contacts.
    #[schema(minimum = 1, maximum = 3650)]
    contact: Option<i32>,
    /// Contact lists, with the people on them.
    #[schema(minimum = 1, maximum = 3650)]
    contact_list: Option<i32>,
    /// Campaigns.
    #[schema(minimum = 1, maximum = 3650)]
    campaign: Option<i32>,
    /// Record lists, with their records.
    #[schema(minimum = 1, maximum = 3650)]
    record_list: Option<i32>,
    /// Records that were deleted by themselves.
    #[schema(minimum = 1, maximum = 3650)]
    record: Option<i32>,
}

impl RetentionBody {
    fn of(set: Vec<Retention>) -> Self {
        let mut body = Self::default();
        for setting in set {
            let field = match setting.resource {
                Resource::Contact => &mut body.contact,
                Resource::ContactList => &mut body.contact_list,
                Resource::Campaign => &mut body.campaign,
                Resource::RecordList => &mut body.record_list,
                Resource::Record => &mut body.record,
            };
            *field = setting.days;
        }
        body
    }
}
