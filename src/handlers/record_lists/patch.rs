//! A record is changed by a JSON Patch.

use actix_web::{HttpRequest, HttpResponse, patch, web};
use json_patch::jsonptr::PointerBuf;
use json_patch::{
    AddOperation, CopyOperation, MoveOperation, PatchErrorKind, PatchOperation, RemoveOperation, ReplaceOperation,
    TestOperation,
};

use super::json_patch as patch_body;
use super::json_patch::{Operation, PatchBody};
use super::person::{self, WRITABLE, is_at_most};
use super::records::{RecordBody, example_record};
use super::{
    Answer, Links, RecordListsAccess, RecordListsBodyErrors, RecordListsError, RecordListsErrors, RecordNotFound,
    VersionMismatch, hal, record_list_id,
};
use crate::domain::ids;
use crate::domain::record::Person;
use crate::domain::record_list::UniqueIdentifierType;
use crate::error::{Error, FieldError, Thing};
use crate::handlers::auth::Authorized;
use crate::handlers::body::{Body, MAX_LENGTH};
use crate::handlers::etag::etag;
use crate::handlers::{Settings, json_text};
use crate::services::Services;

/// The most operations in a request.
const MAX_OPERATIONS: usize = 100;

/// How deep a record may be nested between two operations.
const MAX_NESTING: usize = 128;

/// Update a record
///
/// A JSON Patch (RFC 6902), as an array of 1 to 100 operations or one operation alone; all of it is done or nothing. The
/// vendor knows `replace` and `add` on `/priority`, `/extra_data` and `/extra_data/{key}`; here `remove`, `move`, `copy`
/// and `test` work too, on every field that a record is created with: `first_name`, `last_name`, `phone_numbers`,
/// `timezone`, `priority`, `external_provider`, `external_id`, `external_url`, `sync_external_id` and `extra_data`. A field
/// that is not set is `null` there. Another path is refused by name. The record must then be one that could be created,
/// else 422; a `test` that fails is 409. Where other numbers come in place of those that told the zone, they tell it anew,
/// unless the patch sets it. A patch that changes nothing leaves the version and `updated_at` as they are.
#[utoipa::path(
    tag = "record lists",
    operation_id = "update_record",
    params(
        ("id" = String, Path, description = "The list.", example = "8858c834-481d-4a02-8176-cffc02c50350"),
        ("record_id" = String, Path, description = "The record.", example = "f03004be-2853-4660-b6e8-060cc383ddbe"),
        ("If-Match" = Option<String>, Header, description = "The ETag that the record must have.", example = "\"1\""),
    ),
    request_body(content = inline(PatchBody), example = json!([
        {"op": "replace", "path": "/priority", "value": 6},
        {"op": "add", "path": "/extra_data/home", "value": "USA"},
        {"op": "replace", "path": "/phone_numbers/0/phone_number", "value": "+14155550100"}
    ])),
    responses(
        (status = 200, description = "The record as it is now.", body = RecordBody, content_type = "application/hal+json",
         headers(("ETag" = String, description = "The record's version.")), example = json!(example_record())),
        (status = 409, description = "A `test` failed, or a live record of the list has the unique identifier.", body = RecordListsError,
         example = json!({
            "code": "0530907", "message": "Record List is in a state where the operation is not possible.",
            "description": "[0].value: the test failed: the record has another value at /priority",
            "fields": [{"name": "[0].value", "description": "the test failed: the record has another value at /priority"}]
        })),
        (status = 422, description = "The record would not be one that could be created, or there is nothing at a path.",
         body = RecordListsError, example = json!({
            "code": "0530905", "message": "Unprocessable record.", "description": "priority: must be 1 to 10",
            "fields": [{"name": "priority", "description": "must be 1 to 10"}]
        })),
        VersionMismatch, RecordListsErrors, RecordListsBodyErrors, RecordNotFound,
    ),
)]
#[patch("/{id}/records/{record_id}")]
pub async fn update_record(
    authorized: Authorized<RecordListsAccess>,
    path: web::Path<(String, String)>,
    body: Body,
    request: HttpRequest,
    services: web::Data<Services>,
    settings: web::Data<Settings>,
) -> Answer {
    let list = record_list_id(&path.0)?;
    let id = ids::parse_uuid(&path.1).ok_or(Error::NotFound(Thing::Record))?;
    let if_match = authorized.if_match()?;
    let operations = patch_body::read(body.value().await?, MAX_OPERATIONS)?;
    let steps: Vec<Step> = operations.iter().map(Step::read).collect::<Result<_, _>>()?;
    let change = |person: &Person, unique_by| changed(person, unique_by, &steps);
    let record = services.record_lists.change_record(&authorized.caller, list, id, &if_match, change).await?;
    let mut response = HttpResponse::Ok();
    response.insert_header(etag(record.version));
    Ok(hal(&request, response, &RecordBody::of(record, &Links(&settings.public_url))))
}

/// One operation, well-formed and on fields that can be changed.
struct Step<'a> {
    operation: &'a Operation,
    does: PatchOperation,
}

impl<'a> Step<'a> {
    fn read(operation: &'a Operation) -> Result<Self, Error> {
        let path = pointer(operation, "path", &operation.path)?;
        let from = || {
            let from = operation.from.as_deref();
            let from = from.ok_or_else(|| Error::invalid(operation.field("from"), "is required"))?;
            pointer(operation, "from", from)
        };
        let value = || operation.required_value().cloned();
        let does = match operation.op.as_str() {
            "add" => PatchOperation::Add(AddOperation { path, value: value()? }),
            "replace" => PatchOperation::Replace(ReplaceOperation { path, value: value()? }),
            "test" => PatchOperation::Test(TestOperation { path, value: value()? }),
            "remove" => PatchOperation::Remove(RemoveOperation { path }),
            "move" => PatchOperation::Move(MoveOperation { path, from: from()? }),
            "copy" => PatchOperation::Copy(CopyOperation { path, from: from()? }),
            _ => {
                let message = "must be replace, add, remove, test, move or copy";
                return Err(Error::invalid(operation.field("op"), message));
            }
        };
        Ok(Self { operation, does })
    }

    fn error(&self, field: &str, message: String) -> FieldError {
        FieldError { field: self.operation.field(field), message }
    }
}

fn pointer(operation: &Operation, field: &str, path: &str) -> Result<PointerBuf, Error> {
    let pointer = PointerBuf::parse(path.to_owned())
        .map_err(|_| Error::invalid(operation.field(field), "is not a JSON Pointer such as /priority"))?;
    let first = pointer.tokens().next().map(|token| token.decoded().into_owned()).unwrap_or_default();
    if WRITABLE.contains(&first.as_str()) {
        return Ok(pointer);
    }
    Err(Error::invalid(operation.field(field), format!("must begin with one of /{}", WRITABLE.join(", /"))))
}

/// What the steps make of a person.
fn changed(person: &Person, unique_by: UniqueIdentifierType, steps: &[Step<'_>]) -> Result<Person, Error> {
    let mut document = person::writable(person);
    for step in steps {
        json_patch::patch(&mut document, std::slice::from_ref(&step.does)).map_err(|error| match error.kind {
            PatchErrorKind::TestFailed => {
                let message = format!("the test failed: the record has another value at {}", step.operation.path);
                Error::NotAsExpected(step.error("value", message))
            }
            PatchErrorKind::InvalidFromPointer => {
                Error::Unprocessable(vec![step.error("from", "there is nothing at this path".to_owned())])
            }
            _ => Error::Unprocessable(vec![step.error("path", "there is nothing at this path".to_owned())]),
        })?;
        // Copies of copies double in size and in depth each time.
        let is_copy = matches!(step.does, PatchOperation::Copy(_));
        if !is_at_most(&document, MAX_NESTING) || is_copy && json_text(&document).len() > MAX_LENGTH {
            return Err(Error::Unprocessable(vec![step.error("path", "the record would grow too large".to_owned())]));
        }
    }
    let says_zone = steps.iter().any(|step| step.operation.op != "test" && step.operation.path == "/timezone");
    person::changed(person, document, says_zone, unique_by)
        .map_err(|problems| Error::Unprocessable(Error::InvalidRecord(problems).fields()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn apply(patch: Value) -> Result<Value, Error> {
        let ada = json!({
            "first_name": "Ada", "last_name": "Byron", "phone_numbers": [{"phone_number": "+442079460101"}],
            "timezone": "Europe/London", "extra_data": {"a": {}}
        });
        let ada = person::person(&ada, UniqueIdentifierType::Nothing).expect("she is good");
        let operations = patch_body::read(patch, MAX_OPERATIONS)?;
        let steps: Vec<Step> = operations.iter().map(Step::read).collect::<Result<_, _>>()?;
        changed(&ada, UniqueIdentifierType::Nothing, &steps).map(|person| person::writable(&person))
    }

    #[test]
    fn copies_of_copies_do_not_grow_without_bound() {
        let copy = json!({"op": "copy", "from": "/extra_data", "path": "/extra_data/a"});
        assert!(matches!(apply(json!(vec![copy; 100])), Err(Error::Unprocessable(_))), "too deep");
        let value = "x".repeat(1000);
        let mut wide = vec![json!({"op": "add", "path": "/extra_data/a", "value": [value]})];
        wide.extend(vec![json!({"op": "copy", "from": "/extra_data/a", "path": "/extra_data/a/-"}); 6]);
        wide.extend(
            (0..40)
                .map(|number| json!({"op": "copy", "from": "/extra_data/a", "path": format!("/extra_data/{number}")})),
        );
        assert!(matches!(apply(json!(wide)), Err(Error::Unprocessable(_))), "too large");
    }

    #[test]
    fn every_kind_of_operation_is_done_in_order() {
        let patch = json!([
            {"op": "test", "path": "/priority", "value": null},
            {"op": "replace", "path": "/priority", "value": 3},
            {"op": "add", "path": "/extra_data/b~1c", "value": [1]},
            {"op": "copy", "from": "/extra_data/b~1c", "path": "/extra_data/d"},
            {"op": "move", "from": "/extra_data/d", "path": "/extra_data/e"},
            {"op": "remove", "path": "/extra_data/a"},
            {"op": "add", "path": "/phone_numbers/0", "value": {"phone_number": "+442079460102"}}
        ]);
        let ada = apply(patch).expect("it can be done");
        assert_eq!((&ada["priority"], &ada["extra_data"]), (&json!(3), &json!({"b/c": [1], "e": [1]})));
        assert_eq!(ada["phone_numbers"].as_array().map(Vec::len), Some(2));
    }
}
