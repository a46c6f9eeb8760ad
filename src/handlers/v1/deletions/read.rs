//! Deletions are looked up, with what became of each thing.

use actix_web::http::header::{ACCEPT, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse, get, web};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Answer, DeletionBody, DeletionNotFound, NativeErrors, OutcomeBody, ReadAccess, ResourceBody, example_deletion,
    example_outcomes, is_word,
};
use crate::domain::identity::Caller;
use crate::domain::ids;
use crate::domain::operation::{BATCH, State};
use crate::error::{Error, Thing};
use crate::handlers::auth::Authorized;
use crate::handlers::json_text;
use crate::handlers::paging::{cursor, read_cursor};
use crate::services::Services;
use crate::services::deletions::lookup::Outcomes;

const DELETION: &str = "deletion";
const OUTCOME: &str = "outcome";

/// List deletions, undos and restores
///
/// The newest first; for 30 days. A deletion of one thing by its family's own path, without a note, is not among them: it
/// is looked up by the id that its answer had in `Deletion-Id`.
#[utoipa::path(
    tag = "deletions",
    operation_id = "list_deletions",
    params(ListParams),
    responses(
        (status = 200, description = "A page of them.", body = DeletionPage, example = json!({"results": [example_deletion()]})),
        NativeErrors,
    ),
)]
#[get("/deletions")]
pub async fn list_deletions(authorized: Authorized<ReadAccess>, services: web::Data<Services>) -> Answer {
    let params: ListParams = authorized.params()?;
    let limit = limit(params.limit)?;
    let after = params.after.map(|after| read_cursor(DELETION, &after, ids::parse_uuid)).transpose()?;
    let state = params
        .state
        .map(|state| State::parse(&state).ok_or_else(|| Error::invalid("state", "is not a state of a deletion")))
        .transpose()?;
    let resource = params.resource.map(Into::into);
    let wanted = i64::try_from(limit + 1).unwrap_or(i64::MAX);
    let mut listed = services.deletions.list(&authorized.caller, resource, state, after, wanted).await?;
    let has_more = listed.len() > limit;
    listed.truncate(limit);
    let after = listed.last().filter(|_| has_more).map(|last| cursor(DELETION, &last.id.to_string()));
    Ok(HttpResponse::Ok().json(DeletionPage { results: listed.into_iter().map(DeletionBody::of).collect(), after }))
}

/// Get a deletion, an undo or a restore
///
/// By the id that `Deletion-Id` had. After 30 days, and for a deletion of one thing without a note, it is what the ledger
/// has: what went, by whom and when.
#[utoipa::path(
    tag = "deletions",
    operation_id = "get_deletion",
    params(("id" = String, Path, description = "The deletion.", example = "01a20694-3b1c-7d35-a9fe-12ab34cd56ef")),
    responses(
        (status = 200, description = "How far it is.", body = DeletionBody, example = json!(example_deletion())),
        NativeErrors, DeletionNotFound,
    ),
)]
#[get("/deletions/{id}")]
pub async fn get_deletion(
    authorized: Authorized<ReadAccess>,
    path: web::Path<String>,
    services: web::Data<Services>,
) -> Answer {
    let operation = services.deletions.find(&authorized.caller, deletion_id(&path)?).await?;
    Ok(HttpResponse::Ok().json(DeletionBody::of(operation)))
}

/// List what became of each thing
///
/// In the order asked; for 30 days. Things that nothing is known of yet are not there. As JSON in pages; where `Accept`
/// names `application/x-ndjson` or `text/csv`, all of them in one answer, streamed: an outcome a line, in CSV with the
/// columns `position,id,phone_number,external_provider,external_id,done,reason,rows,conflicting_id`, the rows with spaces between.
#[utoipa::path(
    tag = "deletions",
    operation_id = "list_deletion_outcomes",
    params(("id" = String, Path, description = "The deletion.", example = "01a20694-3b1c-7d35-a9fe-12ab34cd56ef"), OutcomeParams),
    responses(
        (status = 200, description = "A page of outcomes, or all of them.", content(
            (OutcomePage = "application/json", example = json!({"results": example_outcomes()})),
            (String = "application/x-ndjson", example = json!(example_outcomes()[0].to_string() + "\n")),
            (String = "text/csv", example = json!("position,id,phone_number,external_provider,external_id,done,reason,rows,conflicting_id\r\n1,6960cbe9b155d194e2f00000,,,,true,DELETED,6960cbe9b155d194e2f00000,\r\n")),
        )),
        NativeErrors, DeletionNotFound,
    ),
)]
#[get("/deletions/{id}/outcomes")]
pub async fn list_deletion_outcomes(
    authorized: Authorized<ReadAccess>,
    path: web::Path<String>,
    request: HttpRequest,
    services: web::Data<Services>,
) -> Answer {
    let params: OutcomeParams = authorized.params()?;
    let id = deletion_id(&path)?;
    let limit = limit(params.limit)?;
    let after = params.after.map(|after| read_cursor(OUTCOME, &after, read_position)).transpose()?.unwrap_or(0);
    if let Some(word) = params.reason.as_deref().filter(|word| !is_word(word)) {
        return Err(Error::invalid("reason", format!("no outcome says {word:?}")).into());
    }
    let word = params.reason;
    match Form::asked(&request) {
        None => {
            let page = services.deletions.outcomes(&authorized.caller, id, after, word.as_deref(), limit).await?;
            let after = page.next.map(|position| cursor(OUTCOME, &position.to_string()));
            let results = page.items.into_iter().map(OutcomeBody::of).collect();
            Ok(HttpResponse::Ok().json(OutcomePage { results, after }))
        }
        Some(form) => {
            // The first part is looked up before the answer begins, so that what is wrong can still be said.
            let first = services.deletions.outcomes(&authorized.caller, id, after, word.as_deref(), BATCH).await?;
            let export =
                Export { services: services.clone(), caller: authorized.caller, id, word, form, part: Some(first) };
            let head = web::Bytes::from_static(form.head());
            let body = stream::unfold((export, Some(head)), |(mut export, head)| async move {
                if let Some(head) = head {
                    return Some((Ok(head), (export, None)));
                }
                let part = export.part.take()?;
                let text = form_lines(export.form, &part);
                let next = match part.next {
                    None => Ok(None),
                    Some(after) => export.next(after).await.map(Some),
                };
                match next {
                    Ok(next) => {
                        export.part = next;
                        Some((Ok(web::Bytes::from(text)), (export, None)))
                    }
                    // The answer has begun: it breaks off, so that nobody takes it for whole.
                    Err(error) => {
                        error.log();
                        Some((
                            Err(std::io::Error::other("the outcomes could not be read to their end")),
                            (export, None),
                        ))
                    }
                }
            });
            Ok(HttpResponse::Ok()
                .insert_header((CONTENT_TYPE, form.content_type()))
                .insert_header(("Content-Disposition", format!("attachment; filename=\"{id}.{}\"", form.extension())))
                .streaming(body))
        }
    }
}

pub(super) fn deletion_id(text: &str) -> Result<Uuid, Error> {
    ids::parse_uuid(text).ok_or(Error::NotFound(Thing::Deletion))
}

fn read_position(text: &str) -> Option<i64> {
    text.parse().ok().filter(|position| (0..=i64::from(u32::MAX)).contains(position))
}

pub(in crate::handlers::v1) fn limit(asked: Option<i64>) -> Result<usize, Error> {
    let limit = usize::try_from(asked.unwrap_or(50)).ok().filter(|limit| (1..=100).contains(limit));
    limit.ok_or_else(|| Error::invalid("limit", "must be 1 to 100"))
}

/// How all outcomes are written at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Ndjson,
    Csv,
}

impl Form {
    fn asked(request: &HttpRequest) -> Option<Self> {
        let accept = request.headers().get(ACCEPT)?.to_str().ok()?;
        accept.split(',').map(|part| part.split(';').next().unwrap_or_default().trim()).find_map(|kind| match kind {
            "application/x-ndjson" => Some(Form::Ndjson),
            "text/csv" => Some(Form::Csv),
            _ => None,
        })
    }

    fn content_type(self) -> &'static str {
        match self {
            Form::Ndjson => "application/x-ndjson",
            Form::Csv => "text/csv; charset=utf-8; header=present",
        }
    }

    fn extension(self) -> &'static str {
        match self {
            Form::Ndjson => "ndjson",
            Form::Csv => "csv",
        }
    }

    fn head(self) -> &'static [u8] {
        match self {
            Form::Ndjson => b"",
            Form::Csv => b"position,id,phone_number,external_provider,external_id,done,reason,rows,conflicting_id\r\n",
        }
    }
}

fn form_lines(form: Form, part: &Outcomes) -> String {
    let mut text = String::new();
    for outcome in &part.items {
        let body = OutcomeBody::of(outcome.clone());
        match form {
            Form::Ndjson => text.push_str(&json_text(&body)),
            Form::Csv => text.push_str(&body.csv_line()),
        }
        text.push_str(if form == Form::Csv { "\r\n" } else { "\n" });
    }
    text
}

struct Export {
    services: web::Data<Services>,
    caller: Caller,
    id: Uuid,
    word: Option<String>,
    form: Form,
    part: Option<Outcomes>,
}

impl Export {
    async fn next(&self, after: i64) -> Result<Outcomes, Error> {
        self.services.deletions.outcomes(&self.caller, self.id, after, self.word.as_deref(), BATCH).await
    }
}

/// Which deletions.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListParams {
    /// Only those of this kind of things.
    #[param(inline)]
    resource: Option<ResourceBody>,
    /// Only those that are that far.
    state: Option<String>,
    /// How many a page has, 1 to 100; 50 unless given.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<i64>,
    /// The place after which the page begins: the `after` of the page before.
    after: Option<String>,
}

/// Which outcomes.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct OutcomeParams {
    /// Only those that say this word.
    #[param(example = "IN_USE")]
    reason: Option<String>,
    /// How many a page has, 1 to 100; 50 unless given. A stream has all.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<i64>,
    /// The place after which it begins: the `after` of the page before.
    after: Option<String>,
}

/// A page of deletions, undos and restores.
#[derive(Serialize, utoipa::ToSchema)]
struct DeletionPage {
    /// What is on it.
    results: Vec<DeletionBody>,
    /// What to send as `after` for the next page. Absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    after: Option<String>,
}

/// A page of outcomes.
#[derive(Serialize, utoipa::ToSchema)]
struct OutcomePage {
    /// What is on it.
    results: Vec<OutcomeBody>,
    /// What to send as `after` for the next page. Absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    after: Option<String>,
}
