//! What can go wrong, free of HTTP. Each family of paths says it in its own envelope.

use crate::domain::campaign::Attachments;
use crate::domain::deletion::{Failure, Reason};
use crate::domain::identity::Scope;
use crate::domain::record::{RecordError, RecordProblem};

/// Why a request was not done. A failed item of a bulk request is data, not an error.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The token is missing, malformed or expired.
    #[error("no valid token")]
    InvalidToken,
    /// The client is unknown, did not sign the token, or names an account or
    /// stream that is not its own. One answer for all, so that nothing can be found out.
    #[error("unknown client, account or stream")]
    InvalidCredentials,
    /// The client lacks a scope.
    #[error("the scope {} is missing", .0.name())]
    MissingScope(Scope),
    /// The request is malformed; nothing was done.
    #[error("the request is invalid")]
    Invalid(Vec<FieldError>),
    /// A record is not one that its list takes: everything that is wrong with it; nothing was done.
    #[error("the record is invalid")]
    InvalidRecord(Vec<RecordProblem>),
    /// A change would leave a record that its list does not take, or cannot be made; nothing was done.
    #[error("the change cannot be made")]
    Unprocessable(Vec<FieldError>),
    /// A thing is not as the request says that it must be; nothing was done.
    #[error("not as expected")]
    NotAsExpected(FieldError),
    /// A record list is full: the most it can hold.
    #[error("a record list holds at most {limit} records")]
    ListFull {
        /// The most records that a list holds.
        limit: i64,
    },
    /// More records in one request than it may create.
    #[error("at most {limit} records in a request")]
    TooManyRecords {
        /// The most records that a request creates.
        limit: usize,
    },
    /// No such thing for this caller.
    #[error("{0} not found")]
    NotFound(Thing),
    /// Of several things that were named, these are not there for this caller; nothing was done.
    #[error("{thing} not found")]
    Missing {
        /// What is missing.
        thing: Thing,
        /// Where each was named.
        fields: Vec<FieldError>,
    },
    /// A single deletion was refused.
    #[error("refused: {}", .failure.reason.code())]
    Refused {
        /// What was not deleted.
        thing: Thing,
        /// Its id.
        id: String,
        /// Its name, where it has one.
        name: Option<String>,
        /// Why.
        failure: Box<Failure>,
    },
    /// More rows would go than the request allows; nothing was done.
    #[error("{rows} rows would go, at most {limit} may")]
    MaxAffected {
        /// How many would go, at least.
        rows: u64,
        /// How many may.
        limit: u64,
    },
    /// The operation is in a state in which that cannot be done; nothing was done.
    #[error("{0}")]
    WrongState(&'static str),
    /// Another live thing has what must be unique.
    #[error("taken")]
    Taken {
        /// What must be unique.
        what: Unique,
        /// What has it.
        thing: Thing,
        /// Its id. None where it vanished in the meantime.
        id: Option<String>,
    },
    /// A contact list holds numbers more than once, and was to hold each once.
    #[error("a contact list holds {numbers} numbers more than once")]
    HasDuplicates {
        /// How many such numbers it holds.
        numbers: i64,
    },
    /// The body, or the number of its items, is over a limit.
    #[error("{what} is limited to {limit}")]
    TooLarge {
        /// What is limited.
        what: &'static str,
        /// The most allowed.
        limit: usize,
    },
    /// The body is not of a type that the operation takes.
    #[error("unsupported content type")]
    UnsupportedMediaType {
        /// What it takes.
        takes: &'static str,
    },
    /// A file broke off in the middle of its import.
    #[error("an import broke off: {cause}")]
    ImportBrokeOff {
        /// The import.
        import: uuid::Uuid,
        /// How many rows were read and written before, and stay.
        rows: i64,
        /// Why.
        cause: Box<Error>,
    },
    /// No operation at this path.
    #[error("no such path")]
    NoSuchPath,
    /// The path has operations, but not with this method.
    #[error("method not allowed")]
    MethodNotAllowed {
        /// The methods that it has.
        allow: Vec<String>,
    },
    /// The client has asked for something else under this idempotency key.
    #[error("an idempotency key was used for another request")]
    IdempotencyKeyReused,
    /// What the client asks for under this idempotency key is under way.
    #[error("an idempotency key is in use")]
    IdempotencyKeyInUse,
    /// What the client asks for was answered before, and that answer is sent in place of this error.
    #[error("answered before")]
    Replayed,
    /// Other requests hold the row.
    #[error("busy")]
    Busy,
    /// No connection to the database came free in time.
    #[error("no connection came free")]
    Overloaded,
    /// The connection broke while the transaction was being committed.
    #[error("the connection broke in a commit: {0}")]
    OutcomeUnknown(sqlx::Error),
    /// The database could not be reached or refused a statement.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// Something that cannot be, was.
    #[error("internal: {0}")]
    Internal(&'static str),
}

/// What is wrong with one field of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// Where it is: a field of the body such as `ids[3]`, a header or a query parameter.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

/// What no two live things may share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unique {
    /// A name.
    Name,
    /// A phone number.
    PhoneNumber,
    /// An id in another system.
    ExternalReference,
}

/// What an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thing {
    /// A contact.
    Contact,
    /// An import of contacts.
    ContactImport,
    /// A contact list.
    ContactList,
    /// A campaign.
    Campaign,
    /// A record list.
    RecordList,
    /// A record.
    Record,
    /// A deletion, an undo or a restore.
    Deletion,
    /// A stream.
    Stream,
}

impl std::fmt::Display for Thing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Thing::Contact => "Contact",
            Thing::ContactImport => "Import",
            Thing::ContactList => "Contact list",
            Thing::Campaign => "Campaign",
            Thing::RecordList => "Record List",
            Thing::Record => "Record",
            Thing::Deletion => "Deletion",
            Thing::Stream => "Stream",
        })
    }
}

impl Error {
    /// One field that is wrong.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Error::Invalid(vec![FieldError { field: field.into(), message: message.into() }])
    }

    /// A thing that has not the version that was asked for.
    pub fn version_mismatch(thing: Thing, id: impl Into<String>) -> Self {
        let failure = Box::new(Reason::VersionMismatch.into());
        Error::Refused { thing, id: id.into(), name: None, failure }
    }

    /// What a failed single deletion comes to.
    pub fn refused(thing: Thing, id: &str, name: Option<String>, failure: Failure) -> Self {
        match failure.reason {
            Reason::NotFound | Reason::InvalidIdentifier => Error::NotFound(thing),
            Reason::Busy => Error::Busy,
            _ => Error::Refused { thing, id: id.to_owned(), name, failure: Box::new(failure) },
        }
    }

    /// The reason's word, for envelopes that carry one.
    pub fn reason(&self) -> &'static str {
        match self {
            Error::InvalidToken | Error::InvalidCredentials => "UNAUTHENTICATED",
            Error::MissingScope(_) => "MISSING_SCOPE",
            Error::Invalid(_) | Error::InvalidRecord(_) => "INVALID_REQUEST",
            Error::Unprocessable(_) => "UNPROCESSABLE",
            Error::NotAsExpected(_) => "NOT_AS_EXPECTED",
            Error::ListFull { .. } => "LIST_FULL",
            Error::TooManyRecords { .. } => "TOO_MANY_RECORDS",
            Error::NotFound(_) | Error::Missing { .. } => "NOT_FOUND",
            Error::Refused { failure, .. } => failure.reason.code(),
            Error::Taken { what: Unique::Name, .. } => "NAME_TAKEN",
            Error::Taken { what: Unique::PhoneNumber, .. } => "PHONE_NUMBER_TAKEN",
            Error::Taken { what: Unique::ExternalReference, .. } => "EXTERNAL_REFERENCE_TAKEN",
            Error::MaxAffected { .. } => Reason::MaxAffected.code(),
            Error::WrongState(_) => "WRONG_STATE",
            Error::HasDuplicates { .. } => "HAS_DUPLICATES",
            Error::TooLarge { .. } => "TOO_LARGE",
            Error::UnsupportedMediaType { .. } => "UNSUPPORTED_MEDIA_TYPE",
            Error::ImportBrokeOff { cause, .. } => cause.reason(),
            Error::NoSuchPath => "NO_SUCH_PATH",
            Error::MethodNotAllowed { .. } => "METHOD_NOT_ALLOWED",
            Error::IdempotencyKeyReused => "IDEMPOTENCY_KEY_REUSED",
            Error::IdempotencyKeyInUse => "IDEMPOTENCY_KEY_IN_USE",
            Error::Busy | Error::Overloaded => "BUSY",
            Error::OutcomeUnknown(_) => "OUTCOME_UNKNOWN",
            Error::Replayed | Error::Database(_) | Error::Internal(_) => "INTERNAL",
        }
    }

    /// The sentence for people. Says nothing of what happened inside.
    pub fn message(&self) -> String {
        match self {
            Error::InvalidToken => "Invalid JWT token".to_owned(),
            Error::InvalidCredentials => "Invalid SDK credentials".to_owned(),
            Error::MissingScope(_) => "Permission denied. Scope is incorrect!".to_owned(),
            Error::Invalid(_)
            | Error::InvalidRecord(_)
            | Error::Unprocessable(_)
            | Error::NotAsExpected(_)
            | Error::Missing { .. }
            | Error::IdempotencyKeyReused
            | Error::IdempotencyKeyInUse => {
                let complaints: Vec<String> =
                    self.fields().iter().map(|field| format!("{}: {}", field.field, field.message)).collect();
                complaints.join("; ")
            }
            Error::ListFull { limit } => format!("A record list holds at most {limit} records"),
            Error::TooManyRecords { limit } => format!("records: at most {limit} allowed"),
            Error::NotFound(thing) => format!("{thing} not found"),
            Error::Refused { thing, id, name, failure } => {
                let called = name.as_deref().unwrap_or(id);
                match failure.reason {
                    Reason::AlreadyDeleted => format!("{thing} not found: it was deleted before"),
                    Reason::InUse => format!("{thing} {called} is attached to {} campaigns", failure.blockers.count),
                    Reason::Active => format!("{thing} {called} is running; stop it first"),
                    Reason::OnHold => format!("{thing} {called} is on hold and cannot be removed for good"),
                    Reason::VersionMismatch => {
                        format!("If-Match: {thing} {called} has changed since: its ETag is another")
                    }
                    other => other.message().to_owned(),
                }
            }
            Error::Taken { what, thing, id } => {
                let (field, it) = match (what, thing) {
                    (Unique::Name, _) => ("name", "name"),
                    (Unique::PhoneNumber, Thing::Contact) => ("cellPhone.phoneNumber", "number"),
                    (Unique::PhoneNumber, _) => ("phone_number", "number"),
                    (Unique::ExternalReference, _) => ("external_id", "external reference"),
                };
                let thing = thing.to_string();
                match id {
                    Some(id) => format!("{field}: {thing} {id} has this {it} already"),
                    None => format!("{field}: another {} has this {it} already", thing.to_lowercase()),
                }
            }
            Error::MaxAffected { rows, limit } => {
                format!("{rows} or more rows would go, and at most {limit} may; nothing was done")
            }
            Error::WrongState(what) => (*what).to_owned(),
            Error::HasDuplicates { numbers } => {
                format!("allowDuplicates: the contact list holds {numbers} numbers more than once")
            }
            Error::TooLarge { what, limit } => format!("{what}: at most {limit} allowed"),
            Error::UnsupportedMediaType { takes } => format!("Content-Type: the body must be {takes}"),
            Error::ImportBrokeOff { import, rows, cause } => {
                let why = match **cause {
                    Error::Database(_) | Error::Internal(_) => "Something went wrong on our side".to_owned(),
                    ref cause => cause.message(),
                };
                format!("{why}; the {rows} rows before that are imported, see import {import}")
            }
            Error::NoSuchPath => "There is nothing at this path".to_owned(),
            Error::MethodNotAllowed { allow } => format!("This path takes {}", allow.join(", ")),
            Error::Busy => "Another request is changing the same rows; try again".to_owned(),
            Error::Overloaded => "The service is busy; try again".to_owned(),
            Error::OutcomeUnknown(_) => {
                "The connection to the database broke at the last moment; look whether it was done before you try again"
                    .to_owned()
            }
            Error::Replayed | Error::Database(_) | Error::Internal(_) => {
                "Something went wrong on our side; nothing was changed".to_owned()
            }
        }
    }

    /// The row that stands in the way, when that is why.
    pub fn conflicting_id(&self) -> Option<&str> {
        match self {
            Error::Taken { id, .. } => id.as_deref(),
            _ => None,
        }
    }

    /// The fields that are wrong, where that is why.
    pub fn fields(&self) -> Vec<FieldError> {
        match self {
            Error::Invalid(fields) | Error::Unprocessable(fields) | Error::Missing { fields, .. } => fields.clone(),
            Error::NotAsExpected(field) => vec![field.clone()],
            Error::IdempotencyKeyReused => vec![idempotency_key("another request was sent under it")],
            Error::IdempotencyKeyInUse => {
                vec![idempotency_key("the request that was sent under it is still under way; try again")]
            }
            Error::InvalidRecord(problems) => {
                let field = |problem: &RecordProblem| FieldError {
                    field: problem.field.clone(),
                    message: problem.message.clone(),
                };
                problems.iter().map(field).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Whether it says that about a record.
    pub fn says(&self, what: RecordError) -> bool {
        matches!(self, Error::InvalidRecord(problems) if problems.iter().any(|problem| problem.error == what))
    }

    /// The campaigns that stand in the way, when that is why.
    pub fn blockers(&self) -> Option<&Attachments> {
        match self {
            Error::Refused { failure, .. } if failure.reason == Reason::InUse => Some(&failure.blockers),
            _ => None,
        }
    }

    /// Logs a failure of ours, and nothing else; called where it is answered and
    /// nowhere else. A database error's text can quote a row, so only its code
    /// and the names it gives are logged.
    pub fn log(&self) {
        match self {
            Error::Database(sqlx::Error::Database(database)) => tracing::error!(
                code = database.code().as_deref(),
                table = database.table(),
                constraint = database.constraint(),
                "the database refused a statement"
            ),
            Error::Database(other) | Error::OutcomeUnknown(other) => {
                tracing::error!(error = %other, "the database could not be used");
            }
            Error::Internal(what) => tracing::error!(what, "something that cannot be, was"),
            Error::ImportBrokeOff { cause, .. } => cause.log(),
            _ => {}
        }
    }
}

fn idempotency_key(message: &str) -> FieldError {
    FieldError { field: "Idempotency-Key".to_owned(), message: message.to_owned() }
}
