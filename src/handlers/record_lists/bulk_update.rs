//! The bulk update of records.

use actix_web::{HttpRequest, HttpResponse, patch, web};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::bulk::{RecordResult, RecordsReport, key_taken};
use super::json_patch::{self, Operation, PatchBody};
use super::person::{self, WRITABLE};
use super::records::example_record;
use super::{
    Answer, Links, RecordListNotFound, RecordListsAccess, RecordListsBodyErrors, RecordListsErrors, hal, record_list_id,
};
use crate::domain::ids;
use crate::domain::record::{ChangedRecord, Person, RecordError, RecordProblem};
use crate::domain::record_list::UniqueIdentifierType;
use crate::error::Error;
use crate::handlers::Settings;
use crate::handlers::auth::Authorized;
use crate::handlers::body::Body;
use crate::services::Services;

/// The most operations in a request.
const MAX_OPERATIONS: usize = 100;

/// Update records in bulk
///
/// A JSON Patch of 1 to 100 operations on `/records/{record_id}`, in one transaction. `replace` sets the fields that its
/// value has; `add` merges the keys of `extra_data` into those that are there and sets the other fields. The vendor
/// changes `priority` and `extra_data`; here every field can be changed that a record is created with, `phone_numbers`
/// as a whole; where they told the zone, the new ones tell it anew, unless `timezone` is there too. Several operations on one record follow each other. A record must be as one that could be created: what
/// is not is left, and the rest is changed. One result for each operation, in the order given: the record as the
/// operation leaves it, or the operation with `errors`, the vendor's bare codes, and `error_details`. A record that is
/// not there is OTHER. `total_created` counts what was changed, as the vendor has it; `total_updated` is the same number.
#[utoipa::path(
    tag = "record lists",
    operation_id = "bulk_update_records",
    params(("id" = String, Path, description = "The list.", example = "8858c834-481d-4a02-8176-cffc02c50350")),
    request_body(content = inline(PatchBody), example = json!([
        {"op": "replace", "path": "/records/f03004be-2853-4660-b6e8-060cc383ddbe", "value": {"extra_data": {"home": "earth"}, "priority": 10}},
        {"op": "add", "path": "/records/ba85ef13-ed0c-4acc-8799-4b2e81e91dcb", "value": {"extra_data": {"name": "jerry"}}}
    ])),
    responses(
        (status = 200, description = "One result for each operation, in the order given.", body = RecordsReport,
         content_type = "application/hal+json", example = json!({
            "record_list_id": "8858c834-481d-4a02-8176-cffc02c50350", "has_errors": true,
            "total_created": 1, "total_updated": 1, "total_errors": 1,
            "_links": {"self": {"href": "https://expunge.example/record-lists/8858c834-481d-4a02-8176-cffc02c50350/records"},
                       "record_list": {"href": "https://expunge.example/record-lists/8858c834-481d-4a02-8176-cffc02c50350"}},
            "_embedded": {"records": [example_record(), {
                "op": "add", "path": "/records/ba85ef13-ed0c-4acc-8799-4b2e81e91dcb", "value": {"extra_data": {"name": "jerry"}},
                "errors": ["OTHER"], "error_details": [{"code": "OTHER", "message": "record not found"}]
            }]}
        })),
        RecordListsErrors, RecordListsBodyErrors, RecordListNotFound,
    ),
)]
#[patch("/{id}/records/bulks")]
pub async fn bulk_update_records(
    authorized: Authorized<RecordListsAccess>,
    path: web::Path<String>,
    body: Body,
    request: HttpRequest,
    services: web::Data<Services>,
    settings: web::Data<Settings>,
) -> Answer {
    authorized.expects_no_version()?;
    let list = record_list_id(&path)?;
    let operations = json_patch::read(body.value().await?, MAX_OPERATIONS)?;
    let updates: Vec<Update> = operations.iter().map(Update::read).collect::<Result<_, _>>()?;
    let caller = &authorized.caller;
    let unique_by = services.record_lists.unique_identifier_type(caller, list).await?;
    let ids: Vec<Option<Uuid>> = updates.iter().map(|update| update.id).collect();
    let changed = services
        .record_lists
        .change_records(caller, list, &ids, |index, person, unique_by| updates[index].apply(person, unique_by))
        .await?;
    let links = Links(&settings.public_url);
    let results = operations
        .into_iter()
        .zip(changed)
        .map(|(operation, changed)| {
            let failed = |problems: &[RecordProblem]| RecordResult::failed(operation.into_sent(), problems);
            match changed {
                ChangedRecord::Record(record) => RecordResult::record(*record, &links),
                ChangedRecord::NotFound => failed(&[RecordProblem::new(RecordError::Other, "", "record not found")]),
                ChangedRecord::Refused(problems) => failed(&problems),
                ChangedRecord::KeyTaken { by } => failed(&[key_taken(unique_by, by)]),
            }
        })
        .collect();
    Ok(hal(&request, HttpResponse::Ok(), &RecordsReport::updated(list, results, &links)))
}

/// What one operation does to one record.
struct Update {
    /// The record; None where what was sent is no id.
    id: Option<Uuid>,
    merges: bool,
    fields: Map<String, Value>,
}

impl Update {
    fn read(operation: &Operation) -> Result<Self, Error> {
        let merges = match operation.op.as_str() {
            "replace" => false,
            "add" => true,
            _ => return Err(Error::invalid(operation.field("op"), "must be replace or add")),
        };
        let id = operation.path.strip_prefix("/records/").filter(|id| !id.is_empty() && !id.contains('/'));
        let id = id.ok_or_else(|| Error::invalid(operation.field("path"), "must be /records/{id}"))?;
        let Value::Object(fields) = operation.required_value()? else {
            return Err(Error::invalid(operation.field("value"), "must be an object"));
        };
        if let Some(field) = fields.keys().find(|field| !WRITABLE.contains(&field.as_str())) {
            let field = operation.field(&format!("value.{field}"));
            return Err(Error::invalid(field, format!("is not one of the fields to change: {}", WRITABLE.join(", "))));
        }
        Ok(Self { id: ids::parse_uuid(id), merges, fields: fields.clone() })
    }

    fn apply(&self, person: &Person, unique_by: UniqueIdentifierType) -> Result<Person, Vec<RecordProblem>> {
        let mut document = person::writable(person);
        for (field, value) in &self.fields {
            match (&mut document[field.as_str()], value) {
                (Value::Object(there), Value::Object(more)) if self.merges => {
                    there.extend(more.iter().map(|(key, value)| (key.clone(), value.clone())));
                }
                (there, value) => *there = value.clone(),
            }
        }
        person::changed(person, document, self.fields.contains_key("timezone"), unique_by)
    }
}
