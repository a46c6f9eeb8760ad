//! What a record says of a person, read from JSON by the rules that creation and
//! changes share: everything that is wrong is said at once.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::domain::phone::PhoneKey;
use crate::domain::record::{ExternalReference, Person, RecordError, RecordPhone, RecordProblem};
use crate::domain::record_list::UniqueIdentifierType;
use crate::domain::timezone;
use crate::error::Error;
use crate::handlers::body;

/// The fields of a record that a change can set.
pub(super) const WRITABLE: [&str; 10] = [
    "first_name",
    "last_name",
    "phone_numbers",
    "timezone",
    "priority",
    "external_provider",
    "external_id",
    "external_url",
    "sync_external_id",
    "extra_data",
];

/// How deep `extra_data` may be nested: what is read of JSON ends at 128 levels,
/// some of which are around it.
const MAX_NESTING: usize = 100;

/// A record that is to be created.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "the schema of what is read field by field")]
pub(super) struct NewRecordBody {
    /// First name, at most 80 characters.
    #[schema(required = true, nullable = false, min_length = 1, max_length = 80)]
    first_name: Option<String>,
    /// Last name, at most 80 characters.
    #[schema(required = true, nullable = false, min_length = 1, max_length = 80)]
    last_name: Option<String>,
    /// One number; deprecated for `phone_numbers`, beside which it is checked and otherwise ignored.
    #[schema(min_length = 1, max_length = 40)]
    phone_number: Option<String>,
    /// Numbers in order of preference, at most 6. One of this and `phone_number` is required.
    #[schema(max_items = 6)]
    phone_numbers: Option<Vec<NewPhoneBody>>,
    /// A zone of the tz database. Where none is given it is that of the first number which tells one.
    #[schema(min_length = 1, max_length = 35)]
    timezone: Option<String>,
    /// 1 to 10.
    #[schema(minimum = 1, maximum = 10)]
    priority: Option<i64>,
    /// The other system that knows the person; together with `external_id`. At most 255 characters.
    #[schema(min_length = 1, max_length = 255)]
    external_provider: Option<String>,
    /// The person's id there, at most 255 characters. Required in an EXTERNAL list.
    #[schema(min_length = 1, max_length = 255)]
    external_id: Option<String>,
    /// Where the other system shows the person, at most 2,048 characters.
    #[schema(max_length = 2048)]
    external_url: Option<String>,
    /// Whether the other system is to be told of results.
    sync_external_id: Option<bool>,
    /// Anything else, nested at most 100 levels deep, at most 64 KiB.
    #[schema(value_type = Object, required = false, nullable)]
    extra_data: Option<Map<String, Value>>,
}

/// A number of a record that is to be created.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(expecting = "an object")]
pub(super) struct NewPhoneBody {
    /// The number, 1 to 20 digits; with spaces, `-`, `(` and `)` at most 40 characters.
    #[schema(min_length = 1, max_length = 40)]
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

/// Reads a person; everything that is wrong, at once.
pub(super) fn person(input: &Value, unique_by: UniqueIdentifierType) -> Result<Person, Vec<RecordProblem>> {
    let Some(object) = input.as_object() else {
        return Err(vec![RecordProblem::new(RecordError::Other, "body", "a record must be an object")]);
    };
    let mut fields = Fields { object, problems: Vec::new() };
    let first_name = fields.name("first_name", RecordError::FirstNameMissing, RecordError::FirstNameInvalid);
    let last_name = fields.name("last_name", RecordError::LastNameMissing, RecordError::LastNameInvalid);
    let phone_numbers = fields.phone_numbers();
    let timezone = fields.timezone(phone_numbers.as_deref());
    let priority = fields.priority();
    let external = fields.external(unique_by);
    let external_url = fields.external_url();
    let sync_external_id = fields.read("sync_external_id", RecordError::Other).flatten().unwrap_or(false);
    let extra_data = fields.extra_data();
    if !fields.problems.is_empty() {
        return Err(fields.problems);
    }
    Ok(Person {
        first_name,
        last_name,
        phone_numbers: phone_numbers.unwrap_or_default(),
        timezone,
        priority,
        external,
        external_url,
        sync_external_id,
        extra_data,
    })
}

/// What a change can set of a person, as [`person`] reads it.
pub(super) fn writable(person: &Person) -> Value {
    let phone_numbers: Vec<Value> = person
        .phone_numbers
        .iter()
        .map(|phone| json!({"phone_number": phone.phone_number, "phone_type": phone.phone_type}))
        .collect();
    json!({
        "first_name": person.first_name,
        "last_name": person.last_name,
        "phone_numbers": phone_numbers,
        "timezone": person.timezone,
        "priority": person.priority,
        "external_provider": person.external.as_ref().map(|external| &external.provider),
        "external_id": person.external.as_ref().map(|external| &external.id),
        "external_url": person.external_url,
        "sync_external_id": person.sync_external_id,
        "extra_data": person.extra_data,
    })
}

/// What becomes of a person whose fields a change has made `fields`. A zone that the old numbers told goes with them,
/// unless the change `says_zone`, and the new ones must tell one.
pub(super) fn changed(
    person: &Person,
    mut fields: Value,
    says_zone: bool,
    unique_by: UniqueIdentifierType,
) -> Result<Person, Vec<RecordProblem>> {
    let has_other_numbers = fields["phone_numbers"] != writable(person)["phone_numbers"];
    let was_told = person.timezone.is_some() && person.timezone.as_deref() == told_zone(&person.phone_numbers);
    if has_other_numbers && was_told && !says_zone {
        fields["timezone"] = Value::Null;
    }
    self::person(&fields, unique_by)
}

/// The zone of the first number that tells one.
fn told_zone(phone_numbers: &[RecordPhone]) -> Option<&'static str> {
    phone_numbers.iter().find_map(|phone| timezone::derive(&phone.phone_number))
}

struct Fields<'a> {
    object: &'a Map<String, Value>,
    problems: Vec<RecordProblem>,
}

impl Fields<'_> {
    fn problem(&mut self, error: RecordError, field: &str, message: impl Into<String>) {
        self.problems.push(RecordProblem::new(error, field, message));
    }

    /// A field; `null` is as absent. None when its type is wrong, which has been said then.
    fn read<T: DeserializeOwned>(&mut self, name: &str, wrong: RecordError) -> Option<Option<T>> {
        let value = match self.object.get(name) {
            None | Some(Value::Null) => return Some(None),
            Some(value) => value.clone(),
        };
        match body::read_at(value, name) {
            Ok(read) => Some(Some(read)),
            Err(error) => {
                self.all(wrong, &error);
                None
            }
        }
    }

    fn all(&mut self, wrong: RecordError, error: &Error) {
        self.problems
            .extend(error.fields().into_iter().map(|field| RecordProblem::new(wrong, field.field, field.message)));
    }

    fn name(&mut self, field: &str, missing: RecordError, invalid: RecordError) -> String {
        let Some(name) = self.read::<String>(field, invalid) else { return String::new() };
        let name = name.unwrap_or_default();
        if name.trim().is_empty() {
            self.problem(missing, field, "is required");
        } else if let Err(error) = body::text(field, &name, 80) {
            self.all(invalid, &error);
        }
        name
    }

    /// The numbers; None when something is wrong with them.
    fn phone_numbers(&mut self) -> Option<Vec<RecordPhone>> {
        let wrong = RecordError::PhoneNumberInvalid;
        // A caller of either time may send both; the list then says it all, and the other is held to its form.
        let one = self.deprecated_number();
        for (index, phone) in
            self.object.get("phone_numbers").and_then(Value::as_array).into_iter().flatten().enumerate()
        {
            if let Err(error) = body::not_an_array(&format!("phone_numbers[{index}]"), phone) {
                self.all(wrong, &error);
                return None;
            }
        }
        let given = self.read::<Vec<NewPhoneBody>>("phone_numbers", wrong)?.unwrap_or_default();
        if given.is_empty() {
            let one = one?;
            if one.is_none() {
                self.problem(RecordError::PhoneNumberMissing, "phone_numbers", "is required");
            }
            return one.map(|phone| vec![phone]);
        }
        if given.len() > 6 {
            self.problem(wrong, "phone_numbers", "at most 6");
            return None;
        }
        let count = given.len();
        let mut read = Vec::new();
        for (index, phone) in given.into_iter().enumerate() {
            match PhoneKey::parse(&phone.phone_number) {
                Some(key) => read.push(RecordPhone {
                    phone_number: phone.phone_number,
                    phone_type: phone.phone_type.map(|kind| kind.name().to_owned()),
                    key,
                }),
                None => {
                    self.problem(wrong, &format!("phone_numbers[{index}].phone_number"), "is not a phone number");
                }
            }
        }
        (read.len() == count).then_some(read)
    }

    /// The one number of callers of an earlier time. None when it is wrong, which has been said then.
    fn deprecated_number(&mut self) -> Option<Option<RecordPhone>> {
        let wrong = RecordError::PhoneNumberInvalid;
        let Some(phone_number) = self.read::<String>("phone_number", wrong)? else { return Some(None) };
        let Some(key) = PhoneKey::parse(&phone_number) else {
            self.problem(wrong, "phone_number", "is not a phone number");
            return None;
        };
        Some(Some(RecordPhone { phone_number, phone_type: None, key }))
    }

    /// The zone that is given, else that of the first number which tells one.
    fn timezone(&mut self, phone_numbers: Option<&[RecordPhone]>) -> Option<String> {
        if let Some(zone) = self.read::<String>("timezone", RecordError::TimezoneInvalid)? {
            let named = timezone::named(&zone);
            if named.is_none() {
                self.problem(RecordError::TimezoneInvalid, "timezone", "is not a zone of the tz database");
            }
            return named.map(str::to_owned);
        }
        let told = told_zone(phone_numbers?);
        if told.is_none() {
            let message = "none is given, and none can be told from the numbers";
            self.problem(RecordError::TimezoneUnmatched, "timezone", message);
        }
        told.map(str::to_owned)
    }

    fn priority(&mut self) -> Option<i16> {
        let priority = self.read::<i64>("priority", RecordError::PriorityInvalid)??;
        let read = i16::try_from(priority).ok().filter(|priority| (1..=10).contains(priority));
        if read.is_none() {
            self.problem(RecordError::PriorityInvalid, "priority", "must be 1 to 10");
        }
        read
    }

    fn external(&mut self, unique_by: UniqueIdentifierType) -> Option<ExternalReference> {
        let provider = self.part_of_reference("external_provider");
        let id = self.part_of_reference("external_id");
        let is_needed = unique_by == UniqueIdentifierType::External;
        let missing = match (provider?, id?) {
            // Of one that is malformed that has been said.
            (Some(provider), Some(id)) => return ExternalReference::parse(provider, id),
            (None, None) if !is_needed => return None,
            (None, _) => "external_provider",
            (_, None) => "external_id",
        };
        let message = "external_provider and external_id are required together";
        self.problem(RecordError::ExternalRefMissing, missing, message);
        None
    }

    /// A part of an external reference, whether or not it is well formed; what is wrong with it has been said.
    fn part_of_reference(&mut self, field: &str) -> Option<Option<String>> {
        let part = self.read::<String>(field, RecordError::Other)?;
        if let Some(Err(error)) = part.as_deref().map(|part| body::required_text(field, part, 255)) {
            self.all(RecordError::Other, &error);
        }
        Some(part)
    }

    fn external_url(&mut self) -> Option<String> {
        let url = self.read::<String>("external_url", RecordError::Other)??;
        if let Err(error) = body::text("external_url", &url, 2048) {
            self.all(RecordError::Other, &error);
        }
        Some(url)
    }

    fn extra_data(&mut self) -> Map<String, Value> {
        let Some(extra) = self.read::<Map<String, Value>>("extra_data", RecordError::Other) else { return Map::new() };
        let extra = Value::Object(extra.unwrap_or_default());
        if !is_at_most(&extra, MAX_NESTING) {
            self.problem(RecordError::Other, "extra_data", format!("at most {MAX_NESTING} levels deep"));
            return Map::new();
        }
        if let Err(error) = body::storable("extra_data", &extra) {
            self.all(RecordError::Other, &error);
        }
        match extra {
            Value::Object(extra) => extra,
            _ => Map::new(),
        }
    }
}

/// Whether a value is nested no deeper than that.
pub(super) fn is_at_most(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(items) => levels > 0 && items.iter().all(|item| is_at_most(item, levels - 1)),
        Value::Object(entries) => levels > 0 && entries.values().all(|value| is_at_most(value, levels - 1)),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(input: &Value) -> Vec<(&'static str, String)> {
        let problems = person(input, UniqueIdentifierType::External).err().unwrap_or_default();
        problems.into_iter().map(|problem| (problem.error.code(), problem.field)).collect()
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let wrong = json!({
            "first_name": 7, "last_name": " ", "phone_numbers": [{"phone_number": "+14155550100"}, {"phone_number": "x"}],
            "timezone": "Mars/Base", "priority": 11, "external_provider": "crm", "external_url": [],
            "sync_external_id": "yes", "extra_data": []
        });
        let said = complaints(&wrong);
        let wanted = [
            ("FIRST_NAME_INVALID", "first_name"),
            ("LAST_NAME_MISSING", "last_name"),
            ("PHONE_NUMBER_INVALID", "phone_numbers[1].phone_number"),
            ("TIMEZONE_INVALID", "timezone"),
            ("PRIORITY_INVALID", "priority"),
            ("EXTERNAL_REF_MISSING", "external_id"),
            ("OTHER", "external_url"),
            ("OTHER", "sync_external_id"),
            ("OTHER", "extra_data"),
        ];
        assert_eq!(said, wanted.map(|(code, field)| (code, field.to_owned())));
    }

    #[test]
    fn of_an_external_reference_the_part_that_is_wrong_is_named() {
        let long = "x".repeat(256);
        for (provider, id, wrong) in [
            (json!("a\n"), json!("1"), vec!["external_provider"]),
            (json!(" "), json!("1"), vec!["external_provider"]),
            (json!(long), json!("1"), vec!["external_provider"]),
            (json!("crm"), json!(long), vec!["external_id"]),
            (json!(""), json!(" "), vec!["external_provider", "external_id"]),
            (json!(7), json!("\0"), vec!["external_provider", "external_id"]),
            (json!("\t"), json!(null), vec!["external_provider", "external_id"]),
        ] {
            let input = json!({"first_name": "a", "last_name": "b", "phone_number": "+14155550100",
                               "external_provider": provider, "external_id": id});
            let said = complaints(&input);
            let fields: Vec<&str> = said.iter().map(|(_, field)| field.as_str()).collect();
            assert_eq!(fields, wrong, "{input}");
        }
    }

    #[test]
    fn a_zone_that_is_given_is_kept_and_else_the_first_number_that_tells_one_decides() {
        let read = |zone: Option<&str>, numbers: &[&str]| {
            let numbers: Vec<Value> = numbers.iter().map(|number| json!({ "phone_number": number })).collect();
            let input = json!({"first_name": "a", "last_name": "b", "timezone": zone, "phone_numbers": numbers});
            let read = person(&input, UniqueIdentifierType::Nothing);
            read.map(|person| person.timezone).map_err(|problems| problems[0].error)
        };
        let lisbon = Ok(Some("Europe/Lisbon".to_owned()));
        assert_eq!(read(Some("Europe/Lisbon"), &["+14155550100"]), lisbon);
        assert_eq!(read(Some("Europe/Lisbon"), &["+188888888"]), lisbon);
        assert_eq!(read(None, &["+188888888", "+14155550100"]), Ok(Some("America/Los_Angeles".to_owned())));
        assert_eq!(read(None, &["+188888888"]), Err(RecordError::TimezoneUnmatched));
        assert_eq!(read(None, &["x"]), Err(RecordError::PhoneNumberInvalid), "and no more than that");
    }

    #[test]
    fn a_person_is_read_as_it_is_written() {
        let input = json!({
            "first_name": "Ada", "last_name": "Byron", "timezone": "Europe/London", "priority": 3,
            "phone_numbers": [{"phone_number": "+44 20 7946 0101", "phone_type": "HOME"}],
            "external_provider": "crm", "external_id": "1", "external_url": "https://crm.example/1",
            "sync_external_id": true, "extra_data": {"a": [1]}
        });
        let read = person(&input, UniqueIdentifierType::External).expect("it is good");
        assert_eq!(person(&writable(&read), UniqueIdentifierType::External), Ok(read.clone()));
        let fields: Vec<String> = writable(&read).as_object().expect("an object").keys().cloned().collect();
        assert_eq!(fields, WRITABLE);
    }

    #[test]
    fn what_is_nested_too_deep_to_be_read_again_is_refused() {
        let nested = |levels: usize| (0..levels).fold(json!({}), |inner, _| json!({ "a": inner }));
        assert!(is_at_most(&nested(MAX_NESTING - 1), MAX_NESTING));
        assert!(!is_at_most(&nested(MAX_NESTING), MAX_NESTING));
    }
}
