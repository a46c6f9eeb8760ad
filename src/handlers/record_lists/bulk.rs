//! What the bulk creation and the bulk update of records answer.

use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::records::{Embedded, RecordBody};
use super::{Links, RecordsLinks};
use crate::domain::record::{Record, RecordError, RecordProblem};
use crate::domain::record_list::UniqueIdentifierType;

/// What became of each record.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct RecordsReport {
    /// The list.
    record_list_id: String,
    /// Whether one or more failed.
    has_errors: bool,
    /// How many were created; in an update, how many of the operations were done, as the vendor has it.
    #[schema(minimum = 0, maximum = 100)]
    total_created: usize,
    /// The same once more, of an update.
    #[serde(skip_serializing_if = "Option::is_none")]
    total_updated: Option<usize>,
    /// How many were not.
    #[schema(minimum = 0, maximum = 100)]
    total_errors: usize,
    /// Where the records and the list are.
    #[serde(rename = "_links")]
    links: RecordsLinks,
    /// One for each that was asked, in the order given.
    #[serde(rename = "_embedded")]
    embedded: Embedded<RecordResult>,
}

impl RecordsReport {
    pub(super) fn created(list: Uuid, records: Vec<RecordResult>, links: &Links<'_>) -> Self {
        let total_errors = records.iter().filter(|item| matches!(item, RecordResult::Failed(_))).count();
        Self {
            record_list_id: list.to_string(),
            has_errors: total_errors > 0,
            total_created: records.len() - total_errors,
            total_updated: None,
            total_errors,
            links: RecordsLinks { this: links.records(list), record_list: links.list(list) },
            embedded: Embedded { records },
        }
    }

    pub(super) fn updated(list: Uuid, records: Vec<RecordResult>, links: &Links<'_>) -> Self {
        let report = Self::created(list, records, links);
        Self { total_updated: Some(report.total_created), ..report }
    }
}

/// One result.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub(super) enum RecordResult {
    /// The record.
    Record(Box<RecordBody>),
    /// What was sent, and why nothing came of it.
    Failed(FailedInput),
}

/// What was sent, and why nothing came of it.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct FailedInput {
    /// What was sent.
    #[serde(flatten)]
    input: Map<String, Value>,
    /// The vendor's codes, each once.
    errors: Vec<&'static str>,
    /// The same, each with a message for people.
    error_details: Vec<ErrorDetail>,
}

/// What is wrong with a record.
#[derive(Serialize, utoipa::ToSchema)]
struct ErrorDetail {
    /// The vendor's code.
    code: &'static str,
    /// What is wrong, for people.
    message: String,
}

impl RecordResult {
    pub(super) fn record(record: Record, links: &Links<'_>) -> Self {
        RecordResult::Record(Box::new(RecordBody::of(record, links)))
    }

    pub(super) fn failed(input: Value, problems: &[RecordProblem]) -> Self {
        let mut input = match input {
            Value::Object(input) => input,
            other => Map::from_iter([("input".to_owned(), other)]),
        };
        // What the answer says of them is not the input's to say.
        input.retain(|field, _| !["errors", "error_details"].contains(&field.as_str()));
        let mut errors: Vec<&'static str> = Vec::new();
        for problem in problems {
            if !errors.contains(&problem.error.code()) {
                errors.push(problem.error.code());
            }
        }
        let detail = |problem: &RecordProblem| ErrorDetail { code: problem.error.code(), message: said(problem) };
        let error_details = problems.iter().map(detail).collect();
        RecordResult::Failed(FailedInput { input, errors, error_details })
    }
}

fn said(problem: &RecordProblem) -> String {
    if problem.field.is_empty() { problem.message.clone() } else { format!("{}: {}", problem.field, problem.message) }
}

/// Another record has the unique identifier.
pub(super) fn key_taken(unique_by: UniqueIdentifierType, by: Option<Uuid>) -> RecordProblem {
    let holder = by.map_or_else(|| "another record".to_owned(), |id| format!("record {id}"));
    let (error, field, it) = match unique_by {
        UniqueIdentifierType::PhoneNumber => (RecordError::PhoneNumberNotUnique, "phone_numbers[0]", "number"),
        UniqueIdentifierType::External | UniqueIdentifierType::Nothing => {
            (RecordError::Other, "external_id", "external reference")
        }
    };
    RecordProblem::new(error, field, format!("{holder} of this list has the {it}"))
}
