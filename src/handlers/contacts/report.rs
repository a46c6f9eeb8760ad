//! The report of a bulk operation: one outcome for each thing asked.

use serde::Serialize;

use crate::domain::deletion::Failure;
use crate::error::Error;

/// What became of each thing asked.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct BulkReport<S> {
    /// How many were sent.
    total_requested: usize,
    /// How many were done.
    successful: usize,
    /// How many failed.
    failed: usize,
    /// Those that were done, in the order sent.
    successful_records: Vec<S>,
    /// Those that failed, in the order sent, each with why.
    failed_records: Vec<FailedRecord>,
}

/// One that failed.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct FailedRecord {
    /// The id as it was sent.
    id: String,
    /// Why, in a word.
    reason: &'static str,
    /// Why, for people.
    message: String,
    /// Whether sending the same again can succeed.
    retryable: bool,
    /// The live contact that has the number, where that is why.
    #[serde(skip_serializing_if = "Option::is_none")]
    conflicting_id: Option<String>,
}

impl<S> BulkReport<S> {
    /// The report of outcomes, in the order sent.
    pub(super) fn of(outcomes: impl IntoIterator<Item = Result<S, FailedRecord>>) -> Self {
        let (mut successful_records, mut failed_records) = (Vec::new(), Vec::new());
        for outcome in outcomes {
            match outcome {
                Ok(done) => successful_records.push(done),
                Err(failed) => failed_records.push(failed),
            }
        }
        let (successful, failed) = (successful_records.len(), failed_records.len());
        Self { total_requested: successful + failed, successful, failed, successful_records, failed_records }
    }
}

impl FailedRecord {
    /// What a failed deletion says.
    pub(super) fn of_failure(id: String, failure: &Failure) -> Self {
        let reason = failure.reason;
        Self {
            id,
            reason: reason.code(),
            message: reason.message().to_owned(),
            retryable: reason.is_retryable(),
            conflicting_id: None,
        }
    }

    /// What a failed change says.
    pub(super) fn of_error(id: String, error: &Error) -> Self {
        match error {
            Error::Refused { failure, .. } => Self::of_failure(id, failure),
            error => Self {
                id,
                reason: error.reason(),
                message: error.message(),
                retryable: false,
                conflicting_id: error.conflicting_id().map(str::to_owned),
            },
        }
    }
}
