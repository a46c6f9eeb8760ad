//! HTTP in and out, one folder or file for each family of paths. A handler
//! extracts, calls one service method and maps what it answers.

use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Iso8601;
use time::format_description::well_known::iso8601::{Config, EncodedConfig, TimePrecision};

use self::routes::Routes;
use crate::domain::deletion::Deletion;
use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, HttpResponseBuilder};

pub mod auth;
pub mod body;
pub mod campaigns;
pub mod contacts;
pub mod cors;
pub mod error;
pub mod etag;
pub mod health;
pub mod idempotency;
pub mod oauth;
pub mod openapi;
pub mod paging;
pub mod params;
pub mod record_lists;
pub mod routes;
pub mod trace;
pub mod v1;

/// What handlers need to know of how the service was set up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where callers find the service, without a slash at the end: the start of every link.
    pub public_url: String,
    /// The most items that a bulk deletion of records takes, 100 to 200.
    pub record_bulk_limit: usize,
    /// The origins whose pages may call the service; none unless configured.
    pub cors_origins: Vec<String>,
}

/// Every operation, at its paths.
pub fn configure(routes: &mut impl Routes) {
    routes
        .service(health::livez)
        .service(health::readyz)
        .configure(oauth::configure)
        .scope("/agentassist/api/v1/public/{streamId}", |stream| {
            stream.configure(contacts::configure).configure(campaigns::configure);
        })
        .scope("/campaign/api/v2/public/{streamId}", |stream| {
            stream.configure(campaigns::configure).configure(campaigns::configure_second);
        })
        .scope("/api/v2/public/{streamId}", |stream| {
            stream.service(campaigns::campaigns::trigger::trigger_campaign_by_longer_path);
        })
        .scope("/campaign/api/v1/public/{streamId}", |stream| {
            stream.service(campaigns::campaigns::trigger::trigger_campaign);
        })
        .scope("/api/1.1/public/{streamId}", |stream| {
            stream.service(campaigns::contact_lists::members::add_contacts);
        })
        .scope("/record-lists", record_lists::configure)
        .scope("/campaigns", record_lists::configure_campaigns)
        .scope("/v1", v1::configure);
}

const MILLISECONDS: EncodedConfig =
    Config::DEFAULT.set_time_precision(TimePrecision::Second { decimal_digits: std::num::NonZeroU8::new(3) }).encode();

/// A time as every family answers it: ISO 8601, UTC, three decimals, `Z`.
fn timestamp(at: OffsetDateTime) -> String {
    at.to_offset(time::UtcOffset::UTC)
        .format(&Iso8601::<MILLISECONDS>)
        .expect("a year from the database has four digits")
}

/// Names the deletion in the answer's header, where it can be looked up; or says that nothing was done.
fn with_deletion_id<'a>(builder: &'a mut HttpResponseBuilder, deletion: &Deletion) -> &'a mut HttpResponseBuilder {
    if deletion.is_validated_only {
        builder.insert_header(("Validate-Only", "true"));
    } else if deletion.rows() > 0 || deletion.is_kept {
        builder.insert_header(("Deletion-Id", deletion.id.to_string()));
    }
    builder
}

/// The answer's head for a deletion that is done, or goes on in the background.
fn deleted(deletion: &Deletion, done: StatusCode) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(if deletion.is_queued { StatusCode::ACCEPTED } else { done });
    if deletion.is_queued {
        response.insert_header((LOCATION, format!("/v1/deletions/{}", deletion.id)));
    }
    with_deletion_id(&mut response, deletion);
    response
}

/// How many pages `total` things make.
fn pages(total: i64, size: i64) -> i64 {
    total.div_euclid(size) + i64::from(total.rem_euclid(size) > 0)
}

/// A JSON text, for answers that have a content type of their own.
fn json_text(body: &impl Serialize) -> String {
    serde_json::to_string(body).expect("answers have text keys and no failing parts")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_decimals_and_a_z() {
        let at = OffsetDateTime::UNIX_EPOCH + time::Duration::milliseconds(1_767_936_039_370);
        assert_eq!(timestamp(at), "2026-01-09T05:20:39.370Z");
    }

    #[test]
    fn a_started_page_counts() {
        assert_eq!([pages(0, 10), pages(1, 10), pages(10, 10), pages(11, 10)], [0, 1, 1, 2]);
    }
}
