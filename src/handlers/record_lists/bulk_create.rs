//! The bulk creation of records.

use actix_web::{HttpRequest, HttpResponse, post, web};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::records::{Embedded, RecordBody, example_record};
use super::{
    Answer, Links, RecordListNotFound, RecordListsAccess, RecordListsBodyErrors, RecordListsErrors, RecordsLinks, hal,
    record_list_id,
};
use crate::domain::phone::PhoneKey;
use crate::domain::record::{CreatedRecord, ExternalReference, Person, RecordError, RecordPhone};
use crate::domain::record_list::UniqueIdentifierType;
use crate::domain::timezone;
use crate::error::Error;
use crate::handlers::Settings;
use crate::handlers::auth::Authorized;
use crate::handlers::body::{self, Body};
use crate::services::Services;

/// The most records that one request creates.
const MAX_CREATED: usize = 100;

/// Create records in bulk
///
/// Creates 1 to 100 records and answers one for each input, in the order given: the record, or the input with `errors`
/// that say why it was not created. In a PHONE_NUMBER list a record's first number, in an EXTERNAL list its external
/// reference must not be another live record's; the identifier of a deleted record can be used again at once.
/// A `timezone` that is given is kept; none is derived from the number, and TIMEZONE_UNMATCHED is never said.
#[utoipa::path(
    tag = "record lists",
    operation_id = "bulk_create_records",
    params(("id" = String, Path, description = "The list.", example = "8858c834-481d-4a02-8176-cffc02c50350")),
    request_body(content = BulkCreateBody, example = json!({"records": [{
        "first_name": "Ada", "last_name": "Byron", "phone_numbers": [{"phone_number": "+14155550100", "phone_type": "MOBILE"}],
        "timezone": "America/Los_Angeles", "priority": 5
    }]})),
    responses(
        (status = 201, description = "One result for each record, in the order given.", body = BulkCreateReport,
         content_type = "application/hal+json", example = json!({
            "record_list_id": "8858c834-481d-4a02-8176-cffc02c50350", "has_errors": true, "total_created": 1, "total_errors": 1,
            "_links": {"self": {"href": "https://expunge.example/record-lists/8858c834-481d-4a02-8176-cffc02c50350/records"},
                       "record_list": {"href": "https://expunge.example/record-lists/8858c834-481d-4a02-8176-cffc02c50350"}},
            "_embedded": {"records": [example_record(), {
                "first_name": "Ada", "errors": [{"code": "LAST_NAME_MISSING", "message": "last_name is required"}]
            }]}
        })),
        RecordListsErrors, RecordListsBodyErrors, RecordListNotFound,
    ),
)]
#[post("/{id}/records/bulks")]
pub async fn bulk_create_records(
    authorized: Authorized<RecordListsAccess>,
    path: web::Path<String>,
    body: Body,
    request: HttpRequest,
    services: web::Data<Services>,
    settings: web::Data<Settings>,
) -> Answer {
    let list = record_list_id(&path)?;
    let BulkCreateBody { records } = body.json().await?;
    match records.len() {
        0 => return Err(Error::invalid("records", "must have at least one").into()),
        1..=MAX_CREATED => {}
        _ => return Err(Error::TooManyRecords { limit: MAX_CREATED }.into()),
    }
    let caller = &authorized.caller;
    let unique_by = services.record_lists.unique_identifier_type(caller, list).await?;
    let read: Vec<Result<Person, Vec<ProblemBody>>> = records.iter().map(|record| person(record, unique_by)).collect();
    let people: Vec<Person> = read.iter().filter_map(|person| person.as_ref().ok().cloned()).collect();
    let mut created = services.record_lists.add_records(caller, list, &people).await?.into_iter();
    let links = Links(&settings.public_url);
    let results: Vec<CreatedRecordBody> = records
        .into_iter()
        .zip(read)
        .map(|(input, read)| match read.map(|_| created.next()) {
            Ok(Some(CreatedRecord::Record(record))) => {
                CreatedRecordBody::Record(Box::new(RecordBody::of(*record, &links)))
            }
            Ok(Some(CreatedRecord::KeyTaken { by })) => {
                CreatedRecordBody::failed(input, vec![key_taken(unique_by, by)])
            }
            Ok(None) => CreatedRecordBody::failed(input, vec![ProblemBody::new(RecordError::Other, "no result")]),
            Err(problems) => CreatedRecordBody::failed(input, problems),
        })
        .collect();
    let total_errors = results.iter().filter(|result| matches!(result, CreatedRecordBody::Failed(_))).count();
    let report = BulkCreateReport {
        record_list_id: list.to_string(),
        has_errors: total_errors > 0,
        total_created: results.len() - total_errors,
        total_errors,
        links: RecordsLinks { this: links.records(list), record_list: links.list(list) },
        embedded: Embedded { records: results },
    };
    Ok(hal(&request, HttpResponse::Created(), &report))
}

/// Records that are to be created.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(expecting = "an object")]
pub struct BulkCreateBody {
    /// 1 to 100 records.
    #[schema(value_type = Vec<NewRecordBody>, min_items = 1, max_items = 100)]
    records: Vec<Value>,
}

/// A record that is to be created.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(expecting = "an object")]
struct NewRecordBody {
    /// First name, at most 80 characters.
    #[schema(required = true, nullable = false, max_length = 80)]
    first_name: Option<String>,
    /// Last name, at most 80 characters.
    #[schema(required = true, nullable = false, max_length = 80)]
    last_name: Option<String>,
    /// One number; deprecated for `phone_numbers`.
    phone_number: Option<String>,
    /// Numbers in order of preference, at most 6. One of this and `phone_number` is required.
    #[schema(max_items = 6)]
    phone_numbers: Option<Vec<NewPhoneBody>>,
    /// A zone of the tz database.
    #[schema(max_length = 35)]
    timezone: Option<String>,
    /// 1 to 10.
    #[schema(minimum = 1, maximum = 10)]
    priority: Option<i64>,
    /// The other system that knows the person; together with `external_id`.
    external_provider: Option<String>,
    /// The person's id there. Required in an EXTERNAL list.
    external_id: Option<String>,
    /// Where the other system shows the person.
    external_url: Option<String>,
    /// Whether the other system is to be told of results.
    sync_external_id: Option<bool>,
    /// Anything else.
    #[schema(value_type = Object, required = false)]
    extra_data: Option<Map<String, Value>>,
}

/// A number of a record that is to be created.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(expecting = "an object")]
struct NewPhoneBody {
    /// The number, 1 to 20 digits.
    phone_number: String,
    /// What kind of number it is.
    phone_type: Option<PhoneType>,
}

/// What kind of number it is.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, utoipa::ToSchema)]
enum PhoneType {
    /// At home.
    #[serde(rename = "HOME")]
    Home,
    /// At work.
    #[serde(rename = "OFFICE")]
    Office,
    /// In the pocket.
    #[serde(rename = "MOBILE")]
    Mobile,
    /// Another.
    #[serde(rename = "EXTRA_1")]
    Extra1,
    /// Another.
    #[serde(rename = "EXTRA_2")]
    Extra2,
    /// Another.
    #[serde(rename = "EXTRA_3")]
    Extra3,
}

impl PhoneType {
    fn name(self) -> &'static str {
        match self {
            PhoneType::Home => "HOME",
            PhoneType::Office => "OFFICE",
            PhoneType::Mobile => "MOBILE",
            PhoneType::Extra1 => "EXTRA_1",
            PhoneType::Extra2 => "EXTRA_2",
            PhoneType::Extra3 => "EXTRA_3",
        }
    }
}

/// Reads one record of a bulk create; everything that is wrong with it, at once.
fn person(input: &Value, unique_by: UniqueIdentifierType) -> Result<Person, Vec<ProblemBody>> {
    let new = read(input).map_err(|error| vec![ProblemBody::new(problem_at(&error), error.message())])?;
    let mut problems = Vec::new();
    let first_name =
        name("first_name", new.first_name, RecordError::FirstNameMissing, RecordError::FirstNameInvalid, &mut problems);
    let last_name =
        name("last_name", new.last_name, RecordError::LastNameMissing, RecordError::LastNameInvalid, &mut problems);
    let phone_numbers = phone_numbers(new.phone_numbers, new.phone_number, &mut problems);
    if let Some(zone) = &new.timezone
        && !timezone::exists(zone)
    {
        problems.push(ProblemBody::new(RecordError::TimezoneInvalid, "timezone is not a zone of the tz database"));
    }
    let priority = match new.priority {
        None => None,
        Some(priority) if (1..=10).contains(&priority) => i16::try_from(priority).ok(),
        Some(_) => {
            problems.push(ProblemBody::new(RecordError::PriorityInvalid, "priority must be 1 to 10"));
            None
        }
    };
    let external = external(new.external_provider, new.external_id, unique_by, &mut problems);
    let extra = Value::Object(new.extra_data.unwrap_or_default());
    let url = body::text("external_url", new.external_url.as_deref().unwrap_or_default(), 2048);
    for check in [body::storable("extra_data", &extra), url] {
        if let Err(error) = check {
            problems.push(ProblemBody::new(RecordError::Other, error.message()));
        }
    }
    let Value::Object(extra_data) = extra else { return Err(problems) };
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(Person {
        first_name,
        last_name,
        phone_numbers,
        timezone: new.timezone,
        priority,
        external,
        external_url: new.external_url,
        sync_external_id: new.sync_external_id.unwrap_or(false),
        extra_data,
    })
}

fn read(input: &Value) -> Result<NewRecordBody, Error> {
    for (index, phone) in input.get("phone_numbers").and_then(Value::as_array).into_iter().flatten().enumerate() {
        body::not_an_array(&format!("phone_numbers[{index}]"), phone)?;
    }
    body::typed(input.clone(), "")
}

fn name(
    field: &str,
    name: Option<String>,
    missing: RecordError,
    invalid: RecordError,
    problems: &mut Vec<ProblemBody>,
) -> String {
    let name = name.unwrap_or_default();
    if name.trim().is_empty() {
        problems.push(ProblemBody::new(missing, format!("{field} is required")));
    } else if let Err(error) = body::text(field, &name, 80) {
        problems.push(ProblemBody::new(invalid, error.message()));
    }
    name
}

fn phone_numbers(
    numbers: Option<Vec<NewPhoneBody>>,
    deprecated: Option<String>,
    problems: &mut Vec<ProblemBody>,
) -> Vec<RecordPhone> {
    let mut given = numbers.unwrap_or_default();
    // A caller of either time may send both; the list then says it all.
    let is_deprecated = given.is_empty();
    if is_deprecated {
        given.extend(deprecated.map(|phone_number| NewPhoneBody { phone_number, phone_type: None }));
    }
    if given.is_empty() {
        problems.push(ProblemBody::new(RecordError::PhoneNumberMissing, "phone_numbers is required"));
    }
    if given.len() > 6 {
        problems.push(ProblemBody::new(RecordError::PhoneNumberInvalid, "phone_numbers: at most 6"));
        return Vec::new();
    }
    let mut read = Vec::new();
    for (index, phone) in given.into_iter().enumerate() {
        match PhoneKey::parse(&phone.phone_number) {
            Some(key) => read.push(RecordPhone {
                phone_number: phone.phone_number,
                phone_type: phone.phone_type.map(|kind| kind.name().to_owned()),
                key,
            }),
            None => problems.push(ProblemBody::new(
                RecordError::PhoneNumberInvalid,
                if is_deprecated {
                    "phone_number is not a phone number".to_owned()
                } else {
                    format!("phone_numbers[{index}].phone_number is not a phone number")
                },
            )),
        }
    }
    read
}

fn external(
    provider: Option<String>,
    id: Option<String>,
    unique_by: UniqueIdentifierType,
    problems: &mut Vec<ProblemBody>,
) -> Option<ExternalReference> {
    let is_needed = unique_by == UniqueIdentifierType::External;
    match (provider, id) {
        (Some(provider), Some(id)) => {
            let reference = ExternalReference::parse(provider, id);
            if reference.is_none() {
                problems.push(ProblemBody::new(
                    RecordError::Other,
                    "external_provider and external_id must have 1 to 255 characters and no control characters",
                ));
            }
            reference
        }
        (None, None) if !is_needed => None,
        _ => {
            problems.push(ProblemBody::new(
                RecordError::ExternalRefMissing,
                "external_provider and external_id are required together",
            ));
            None
        }
    }
}

/// What a value of the wrong type is called, by the field it stands in.
fn problem_at(error: &Error) -> RecordError {
    let Error::Invalid(fields) = error else { return RecordError::Other };
    let field = fields.first().map(|field| field.field.as_str()).unwrap_or_default();
    match field.split(['.', '[']).next().unwrap_or_default() {
        "first_name" => RecordError::FirstNameInvalid,
        "last_name" => RecordError::LastNameInvalid,
        "phone_number" | "phone_numbers" => RecordError::PhoneNumberInvalid,
        "timezone" => RecordError::TimezoneInvalid,
        "priority" => RecordError::PriorityInvalid,
        _ => RecordError::Other,
    }
}

fn key_taken(unique_by: UniqueIdentifierType, by: Option<Uuid>) -> ProblemBody {
    let holder = by.map_or_else(|| "another record".to_owned(), |id| format!("record {id}"));
    match unique_by {
        UniqueIdentifierType::PhoneNumber => {
            ProblemBody::new(RecordError::PhoneNumberNotUnique, format!("{holder} of this list has the number"))
        }
        UniqueIdentifierType::External | UniqueIdentifierType::Nothing => {
            ProblemBody::new(RecordError::Other, format!("{holder} of this list has the external reference"))
        }
    }
}

/// What is wrong with a record.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct ProblemBody {
    /// The vendor's code.
    code: &'static str,
    /// What is wrong, for people.
    message: String,
}

impl ProblemBody {
    fn new(error: RecordError, message: impl Into<String>) -> Self {
        Self { code: error.code(), message: message.into() }
    }
}

/// What became of each record.
#[derive(Serialize, utoipa::ToSchema)]
struct BulkCreateReport {
    /// The list.
    record_list_id: String,
    /// Whether one or more were not created.
    has_errors: bool,
    /// How many were created.
    total_created: usize,
    /// How many were not.
    total_errors: usize,
    /// Where the records and the list are.
    #[serde(rename = "_links")]
    links: RecordsLinks,
    /// The records.
    #[serde(rename = "_embedded")]
    embedded: Embedded<CreatedRecordBody>,
}

/// One result of a bulk create.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(untagged)]
enum CreatedRecordBody {
    /// The record.
    Record(Box<RecordBody>),
    /// The input, and why it was not created.
    #[schema(value_type = Object)]
    Failed(Map<String, Value>),
}

impl CreatedRecordBody {
    fn failed(input: Value, problems: Vec<ProblemBody>) -> Self {
        let mut failed = match input {
            Value::Object(input) => input,
            other => Map::from_iter([("input".to_owned(), other)]),
        };
        failed.insert("errors".to_owned(), json!(problems));
        CreatedRecordBody::Failed(failed)
    }
}
