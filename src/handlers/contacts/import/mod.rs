//! Contacts are imported from a file.

use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::create::CreatedBody;
use super::{Answer, ContactsAccess, ContactsError, ContactsErrors, example_contact};
use crate::domain::contact_import::{ContactImport, ImportEnd, ImportState, ImportedRow};
use crate::domain::ids;
use crate::error::{Error, Thing};
use crate::handlers::auth::Authorized;
use crate::handlers::error::ErrorItem;
use crate::handlers::paging::{self, Asked, PageBody};
use crate::handlers::{Settings, timestamp};
use crate::services::Services;
use crate::services::contact_imports::Imported;

mod rows;

use rows::Rows;

/// Marks places in the list of imports.
const IMPORT: &str = "import";

/// Marks places in the report of an import.
const ROW: &str = "row";

/// Import contacts from a CSV file
///
/// The file is the part `result_file` of a form: CSV in UTF-8, at most 100 MB, whose first line names the columns
/// `firstName`, `lastName`, `cellPhoneNumber`, `cellPhoneCountryCode` and, if they are there, `salutation` and
/// `cellPhoneExtension`, in any order; other columns are passed over. Each row is held to what `POST /contacts` asks, and
/// one that is broken does not cost the others.
///
/// Up to 1,000 rows are imported in one transaction and answered as `POST /contacts` answers: one result for each row, in
/// their order. More are imported in batches while they arrive, and the answer is 202 with the import, at `Location`.
/// While a file is being sent, the list of imports shows how far it is. When the body breaks off, the batches before are
/// there, the import and the error say so (whatever the error, its message then names the import and how many rows are
/// there), and the same file can be sent again: rows that were imported then fail with
/// PHONE_NUMBER_TAKEN and nothing else happens.
#[utoipa::path(
    tag = "contacts",
    operation_id = "import_contacts",
    params(
        ("streamId" = String, Path, description = "The stream that the contacts belong to."),
        ("accountId" = String, Header, description = "The account that the token belongs to."),
    ),
    request_body(content = ImportForm, content_type = "multipart/form-data"),
    responses(
        (status = 200, description = "Up to 1,000 rows: one result for each, in their order.", body = Vec<CreatedBody>,
         example = json!([example_contact("ACTIVE"), {
            "errors": [{"msg": "cellPhoneNumber: not a phone number with that country code", "code": 400, "reason": "INVALID_REQUEST"}]
         }])),
        (status = 202, description = "More than 1,000 rows: the import.", body = ImportBody,
         headers(("Location" = String, description = "Where the import is.")), example = json!(example_import())),
        ImportErrors,
    ),
)]
#[post("/contacts/import-contacts")]
pub async fn import_contacts(
    authorized: Authorized<ContactsAccess>,
    request: HttpRequest,
    payload: web::Payload,
    services: web::Data<Services>,
    settings: web::Data<Settings>,
) -> Answer {
    let (caller, stream) = (&authorized.caller, authorized.stream());
    let mut rows = Rows::open(&request, payload).await?;
    match services.contact_imports.import(caller, stream, async || rows.batch().await).await? {
        Imported::AtOnce(results) => {
            let body: Vec<CreatedBody> =
                results.into_iter().map(|result| CreatedBody::of_row(result, caller)).collect();
            Ok(HttpResponse::Ok().json(body))
        }
        Imported::InBatches(import, state) => {
            let at = format!(
                "{}/agentassist/api/v1/public/{stream}/contacts/import-contacts/{}",
                settings.public_url, import.id
            );
            Ok(HttpResponse::Accepted().insert_header((LOCATION, at)).json(ImportBody::of(&import, state)))
        }
    }
}

/// List imports
///
/// The stream's imports in batches, newest first, those under way among them.
#[utoipa::path(
    tag = "contacts",
    operation_id = "list_contact_imports",
    params(
        ("streamId" = String, Path, description = "The stream that the contacts belong to."),
        ("accountId" = String, Header, description = "The account that the token belongs to."),
        PageParams,
    ),
    responses(
        (status = 200, description = "A page of imports.", body = PageBody<ImportBody>, example = json!({
            "results": [example_import()], "skip": 0, "limit": 10, "hasMore": false, "totalPages": 1, "totalResults": 1
        })),
        ContactsErrors,
    ),
)]
#[get("/contacts/import-contacts")]
pub async fn list_contact_imports(authorized: Authorized<ContactsAccess>, services: web::Data<Services>) -> Answer {
    let params: PageParams = authorized.params()?;
    let page = params.asked().read(10, |after| paging::read_cursor(IMPORT, after, ids::parse_uuid))?;
    let listed = services.contact_imports.list(&authorized.caller, authorized.stream(), &page).await?;
    let place = |(import, _): &(ContactImport, ImportState)| paging::cursor(IMPORT, &import.id.to_string());
    let body = |(import, state)| ImportBody::of(&import, state);
    Ok(HttpResponse::Ok().json(PageBody::of(&page, listed, place, body)))
}

/// Get an import
///
/// How far it is. `failed` counts the rows that have not become contacts; the results say which, and why.
#[utoipa::path(
    tag = "contacts",
    operation_id = "get_contact_import",
    params(
        ("streamId" = String, Path, description = "The stream that the contacts belong to."),
        ("importId" = String, Path, description = "The import.", example = "01a2110e-e67f-7766-8dde-51422fa23f19"),
        ("accountId" = String, Header, description = "The account that the token belongs to."),
    ),
    responses(
        (status = 200, description = "The import.", body = ImportBody, example = json!(example_import())),
        ContactsErrors, ImportNotFound,
    ),
)]
#[get("/contacts/import-contacts/{importId}")]
pub async fn get_contact_import(
    authorized: Authorized<ContactsAccess>,
    path: web::Path<(String, String)>,
    services: web::Data<Services>,
) -> Answer {
    let id = import_id(&path.1)?;
    let (import, state) = services.contact_imports.find(&authorized.caller, authorized.stream(), id).await?;
    Ok(HttpResponse::Ok().json(ImportBody::of(&import, state)))
}

/// List the results of an import
///
/// What became of each row so far, in the order of the file: the contact's id, or why there is none. With `failed=true`
/// only the rows that have not become contacts.
#[utoipa::path(
    tag = "contacts",
    operation_id = "list_contact_import_results",
    params(
        ("streamId" = String, Path, description = "The stream that the contacts belong to."),
        ("importId" = String, Path, description = "The import.", example = "01a2110e-e67f-7766-8dde-51422fa23f19"),
        ("accountId" = String, Header, description = "The account that the token belongs to."),
        ("failed" = Option<bool>, Query, description = "`true` for the rows that failed, alone."),
        PageParams,
    ),
    responses(
        (status = 200, description = "A page of results.", body = PageBody<RowBody>, example = json!({
            "results": [{"row": 1, "id": "69609027c1746a6142900000"}, {
                "row": 2, "errors": [{"msg": "cellPhoneNumber: not a phone number with that country code", "code": 400, "reason": "INVALID_REQUEST"}]
            }],
            "skip": 0, "limit": 50, "hasMore": false, "totalPages": 1, "totalResults": 2
        })),
        ContactsErrors, ImportNotFound,
    ),
)]
#[get("/contacts/import-contacts/{importId}/results")]
pub async fn list_contact_import_results(
    authorized: Authorized<ContactsAccess>,
    path: web::Path<(String, String)>,
    services: web::Data<Services>,
) -> Answer {
    let id = import_id(&path.1)?;
    let FailedParam { failed } = authorized.params()?;
    let params: PageParams = authorized.params()?;
    let page = params
        .asked()
        .read(50, |after| paging::read_cursor(ROW, after, |row| row.parse::<i64>().ok().filter(|row| *row >= 0)))?;
    let (caller, stream) = (&authorized.caller, authorized.stream());
    let listed = services.contact_imports.rows(caller, stream, id, failed.unwrap_or(false), &page).await?;
    let place = |row: &ImportedRow| paging::cursor(ROW, &row.row.to_string());
    Ok(HttpResponse::Ok().json(PageBody::of(&page, listed, place, RowBody::of)))
}

/// Which page.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct PageParams {
    /// How many to leave out, at most 10,000. Not together with `page`.
    #[param(minimum = 0, maximum = 10000)]
    skip: Option<i64>,
    /// How many a page has, 1 to 100.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<i64>,
    /// The page's number, from 1.
    #[param(minimum = 1)]
    page: Option<i64>,
    /// What comes after a place: what the page before answered as `after`. Not together with `skip` or `page`.
    after: Option<String>,
}

impl PageParams {
    fn asked(self) -> Asked {
        Asked { skip: self.skip, limit: self.limit, page: self.page, after: self.after }
    }
}

/// Which results.
#[derive(Debug, Deserialize)]
struct FailedParam {
    failed: Option<bool>,
}

/// The form of an import.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "the schema of what is read as it arrives")]
struct ImportForm {
    /// The CSV file.
    #[schema(value_type = String, format = Binary, content_media_type = "text/csv")]
    result_file: Vec<u8>,
}

/// An import.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct ImportBody {
    /// Its id.
    id: String,
    /// RUNNING; COMPLETED; or INTERRUPTED when the file broke off, or the service died, and the rest was not read.
    state: &'static str,
    /// How many rows have been read.
    total_requested: i64,
    /// How many of them have become contacts.
    successful: i64,
    /// How many have not.
    failed: i64,
    /// When it began.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it last wrote a batch.
    #[schema(format = DateTime)]
    updated_at: String,
}

impl ImportBody {
    fn of(import: &ContactImport, state: ImportState) -> Self {
        Self {
            id: import.id.to_string(),
            state: match state {
                ImportState::Running => "RUNNING",
                ImportState::Ended(ImportEnd::Completed) => "COMPLETED",
                ImportState::Ended(ImportEnd::Interrupted) => "INTERRUPTED",
            },
            total_requested: import.created + import.failed,
            successful: import.created,
            failed: import.failed,
            created_at: timestamp(import.created_at),
            updated_at: timestamp(import.updated_at),
        }
    }
}

/// What became of a row.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct RowBody {
    /// The row's number, from 1; the line of names does not count.
    row: i64,
    /// The contact.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// Why there is none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    errors: Vec<ErrorItem>,
    /// The live contact that has the number, where that is why.
    #[serde(skip_serializing_if = "Option::is_none")]
    conflicting_id: Option<String>,
}

impl RowBody {
    fn of(row: ImportedRow) -> Self {
        let number = row.row;
        match row.outcome {
            Ok(id) => Self { row: number, id: Some(id), errors: Vec::new(), conflicting_id: None },
            Err(problem) => Self {
                row: number,
                id: None,
                conflicting_id: problem.conflicting_id.clone(),
                errors: vec![ErrorItem::of_row(problem)],
            },
        }
    }
}

fn import_id(text: &str) -> Result<Uuid, Error> {
    ids::parse_uuid(text).ok_or(Error::NotFound(Thing::ContactImport))
}

/// What an import can answer when it is refused, or breaks off.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "read by the document's generator alone")]
enum ImportErrors {
    /// A header is missing or wrong, or the form or its file is malformed or ends too early, or no row came for a minute.
    /// Nothing was imported, unless it broke off in a later batch: then the message names the import and how many rows
    /// were read and written before, which stay.
    #[response(status = 400, examples(
        ("refused" = (summary = "Nothing was imported", value = json!({"errors": [{"msg": "result_file: the first line does not name the column firstName", "code": 400, "reason": "INVALID_REQUEST"}]}))),
        ("broken off" = (summary = "Some rows were", value = json!({"errors": [{"msg": "result_file: the body ended before it was complete; the 2499 rows before that are imported, see import 01a2110e-e67f-7766-8dde-51422fa23f19", "code": 400, "reason": "INVALID_REQUEST"}]}))),
    ))]
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
    /// The file is over 100 MB. Nothing was imported, unless that showed only while it was read: then the message names the
    /// import and how many rows were read and written before, which stay.
    #[response(status = 413, examples(
        ("refused" = (summary = "Nothing was imported", value = json!({"errors": [{"msg": "result_file, in bytes: at most 104857600 allowed", "code": 413, "reason": "TOO_LARGE"}]}))),
        ("broken off" = (summary = "Some rows were", value = json!({"errors": [{"msg": "result_file, in bytes: at most 104857600 allowed; the 1200000 rows before that are imported, see import 01a2110e-e67f-7766-8dde-51422fa23f19", "code": 413, "reason": "TOO_LARGE"}]}))),
    ))]
    TooLarge(ContactsError),
    /// The body is not multipart/form-data by its Content-Type.
    #[response(status = 415, example = json!({"errors": [{"msg": "Content-Type: the body must be multipart/form-data with the file as result_file", "code": 415, "reason": "UNSUPPORTED_MEDIA_TYPE"}]}))]
    UnsupportedMediaType(ContactsError),
    /// Something went wrong on our side. Nothing was imported, unless the message names an import and how many rows were
    /// read and written before, which stay. Where the reason is OUTCOME_UNKNOWN the database broke off at the last moment,
    /// and it has to be looked up whether the last batch is there.
    #[response(status = 500, examples(
        ("refused" = (summary = "Nothing was imported", value = json!({"errors": [{"msg": "Something went wrong on our side; nothing was changed", "code": 500, "reason": "INTERNAL"}]}))),
        ("broken off" = (summary = "Some rows were", value = json!({"errors": [{"msg": "Something went wrong on our side; the 3000 rows before that are imported, see import 01a2110e-e67f-7766-8dde-51422fa23f19", "code": 500, "reason": "INTERNAL"}]}))),
    ))]
    Internal(ContactsError),
    /// Others hold the same rows for too long, or no connection came free; Retry-After says when to try again. Nothing was
    /// imported, unless the message names an import and how many rows were read and written before, which stay: the same
    /// file can be sent again then too.
    #[response(status = 503, examples(
        ("refused" = (summary = "Nothing was imported", value = json!({"errors": [{"msg": "Another request is changing the same rows; try again", "code": 503, "reason": "BUSY"}]}))),
        ("broken off" = (summary = "Some rows were", value = json!({"errors": [{"msg": "Another request is changing the same rows; try again; the 3000 rows before that are imported, see import 01a2110e-e67f-7766-8dde-51422fa23f19", "code": 503, "reason": "BUSY"}]}))),
    ))]
    Busy(ContactsError),
}

#[derive(utoipa::IntoResponses)]
/// No such import: unknown, of another account or stream, or malformed.
#[response(status = 404, example = json!({"errors": [{"msg": "Import not found", "code": 404, "reason": "NOT_FOUND"}]}))]
#[expect(dead_code, reason = "read by the document's generator alone")]
struct ImportNotFound(ContactsError);

fn example_import() -> serde_json::Value {
    json!({
        "id": "01a2110e-e67f-7766-8dde-51422fa23f19", "state": "COMPLETED",
        "totalRequested": 250_000, "successful": 249_998, "failed": 2,
        "createdAt": "2026-01-09T05:20:39.374Z", "updatedAt": "2026-01-09T05:20:51.112Z"
    })
}
