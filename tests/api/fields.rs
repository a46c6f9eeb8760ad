//! Every field of every body, through everything that it must not be: missing,
//! null, of another type, empty, too long, out of range, with control characters.
//! The fields and what they must be are read from the document, so that a new
//! body is walked without a new line here.

use serde_json::{Map, Value, json};

use crate::support::{Answer, Operation, TestApp, Things, things_fingerprint};

/// A field of a body.
struct Field {
    /// Where it stands, as a JSON pointer.
    at: String,
    /// Its own name; that of the array where it is an item of one.
    name: String,
    /// What it must be.
    schema: Value,
}

/// The fields that a body has or could have, below `value`.
fn fields(document: &Value, schema: &Value, value: &Value, at: &str, name: &str, found: &mut Vec<Field>) {
    let (properties, items) = described(document, schema);
    for (field, schema) in &properties {
        let at = format!("{at}/{}", field.replace('~', "~0").replace('/', "~1"));
        found.push(Field { at: at.clone(), name: field.clone(), schema: schema.clone() });
        fields(document, schema, &value[field], &at, field, found);
    }
    if let (Some(schema), Some(first)) = (items, value.get(0)) {
        let at = format!("{at}/0");
        found.push(Field { at: at.clone(), name: name.to_owned(), schema: schema.clone() });
        fields(document, &schema, first, &at, name, found);
    }
}

/// The properties and the items of a schema and of all that it is put together from.
fn described(document: &Value, schema: &Value) -> (Map<String, Value>, Option<Value>) {
    let mut properties = schema["properties"].as_object().cloned().unwrap_or_default();
    let mut items = schema.get("items").cloned();
    let mut parts: Vec<&Value> = Vec::new();
    parts.extend(schema["$ref"].as_str().and_then(|to| document.pointer(to.trim_start_matches('#'))));
    for several in ["allOf", "oneOf", "anyOf"] {
        parts.extend(schema[several].as_array().into_iter().flatten());
    }
    for part in parts {
        let (more, of_items) = described(document, part);
        properties.extend(more);
        items = items.or(of_items);
    }
    (properties, items)
}

/// The body with something else at a place. None removes what is there.
fn with(body: &Value, at: &str, value: Option<Value>) -> Option<Value> {
    let mut changed = body.clone();
    let (parent, name) = at.rsplit_once('/')?;
    let name = name.replace("~1", "/").replace("~0", "~");
    match (changed.pointer_mut(parent)?, value) {
        (Value::Object(fields), Some(value)) => drop(fields.insert(name, value)),
        (Value::Object(fields), None) => drop(fields.shift_remove(&name)?),
        (Value::Array(items), Some(value)) => *items.get_mut(name.parse::<usize>().ok()?)? = value,
        _ => return None,
    }
    Some(changed)
}

/// What a field is put through, each with what to call it.
fn values(document: &Value, schema: &Value) -> Vec<(String, Option<Value>)> {
    let mut values: Vec<(String, Option<Value>)> = vec![("missing".to_owned(), None)];
    let mut put = |name: &str, value: Value| values.push((name.to_owned(), Some(value)));
    for value in [
        json!(null),
        json!(true),
        json!(7),
        json!(-1),
        json!(0),
        json!(11),
        json!(1.5),
        json!(1e300),
        json!("text"),
        json!(""),
        json!(" \t "),
        json!("a\u{0}b"),
        json!("a\u{7}b"),
        json!("a\nb"),
        json!("a\u{85}b"),
        json!([]),
        json!({}),
        json!([7]),
        json!(["a\u{0}b"]),
        json!({"a": 1}),
        json!({"a\u{0}": "b"}),
    ] {
        put(&value.to_string(), value);
    }
    put("100,000 characters", json!("x".repeat(100_000)));
    put("100,000 digits", json!("1".repeat(100_000)));
    for most in limits(document, schema, "maxLength") {
        put("one character too many", json!("x".repeat(most + 1)));
        put("one letter of two bytes too many", json!("é".repeat(most + 1)));
    }
    values
}

/// The most of something that a value may have, after the schema and all that it is put together from.
fn limits(document: &Value, schema: &Value, what: &str) -> Vec<usize> {
    let mut found: Vec<usize> = schema[what].as_u64().and_then(|most| most.try_into().ok()).into_iter().collect();
    let target = schema["$ref"].as_str().and_then(|to| document.pointer(to.trim_start_matches('#')));
    let several =
        ["allOf", "oneOf", "anyOf"].into_iter().flat_map(|several| schema[several].as_array().into_iter().flatten());
    for part in target.into_iter().chain(several) {
        found.extend(limits(document, part, what));
    }
    found
}

/// Whether an answer refuses, be it as a whole or the one item that it was asked about.
fn refuses(operation: &Operation, answer: &Answer) -> bool {
    if answer.status.is_client_error() {
        return operation.family.refusal(answer, answer.status.as_u16()).is_ok();
    }
    if !answer.status.is_success() || answer.text.is_empty() {
        return false;
    }
    let body = answer.json();
    body.pointer("/0/errors").is_some()
        || ["/failed", "/total_errors"].iter().any(|count| body.pointer(count).is_some_and(|count| *count != json!(0)))
}

/// Whether a text has a character that no field takes.
fn has_control_characters(value: Option<&Value>) -> bool {
    value.and_then(Value::as_str).is_some_and(|text| text.trim().chars().any(|c| c != '\t' && c.is_control()))
}

/// Fields that are not held to all of it, by their names, each with its reason.
const EXCEPTIONS: [(&str, &str); 2] = [
    ("from", "read by the operations that move and copy alone, and ignored by the others"),
    ("value", "what is wrong with it is said of the field that it is to be the value of"),
];

/// An operation in which an empty text stands for a field that is left out, as the vendor's clients send it.
const EMPTY_IS_ABSENT: &str = "list_campaigns";

/// Whether a refusal names a field.
fn names(answer: &Answer, field: &Field) -> bool {
    // The body and an item that stands alone have no name; of the item, what is wrong is said of what it lacks.
    ["", "/0"].contains(&field.at.as_str())
        || answer.text.contains(&field.name)
        || EXCEPTIONS.iter().any(|(name, _)| *name == field.name)
}

/// What is wrong with how one operation takes its body.
async fn walk(app: &TestApp, document: &Value, operation: &Operation, wrong: &mut Vec<String>) -> usize {
    let Some(body) = &operation.body else { return 0 };
    let described = document["paths"].as_object().expect("paths").values();
    let described = described.flat_map(|item| item.as_object().expect("operations").values());
    let described =
        described.into_iter().find(|described| described["operationId"] == operation.id).expect("described");
    let schema = &described["requestBody"]["content"]["application/json"]["schema"];
    let whole = json!({ "allOf": [schema], "components": document["components"] });
    let validator = jsonschema::validator_for(&whole).expect("the document's schemas are schemas");
    assert!(validator.is_valid(body), "{}: the body that succeeds is not as described: {body}", operation.id);
    // The body itself is one of its fields: it has no name, and its items can be too many.
    let mut found = vec![Field { at: String::new(), name: "body".to_owned(), schema: schema.clone() }];
    fields(document, schema, body, "", "body", &mut found);
    let mut must_be_refused = Vec::new();
    let mut others = Vec::new();
    for field in &found {
        for (name, value) in values(document, &field.schema) {
            let Some(body) = with(body, &field.at, value.clone()) else { continue };
            let case = (format!("{} {} {name}", operation.id, field.at), field, body.clone());
            // What may be left out may be null, whether or not the document says so.
            let says_nothing =
                value == Some(json!(null)) || (operation.id.starts_with(EMPTY_IS_ABSENT) && value == Some(json!("")));
            let is_absent =
                says_nothing && with(&case.2, &field.at, None).is_some_and(|body| validator.is_valid(&body));
            let is_held = !is_absent && field.name != "from";
            if is_held && (!validator.is_valid(&body) || has_control_characters(value.as_ref())) {
                must_be_refused.push(case);
            } else {
                others.push(case);
            }
        }
    }
    for field in &found {
        let Some(first) = body.pointer(&field.at).and_then(|value| value.get(0)) else { continue };
        for most in limits(document, &field.schema, "maxItems") {
            let mut body = body.clone();
            *body.pointer_mut(&field.at).expect("it is there") = json!(vec![first; most + 1]);
            must_be_refused.push((format!("{} {} one item too many", operation.id, field.at), field, body));
        }
    }
    let before = things_fingerprint(&app.admin).await;
    for (name, field, body) in &must_be_refused {
        let answer = Operation { body: Some(body.clone()), ..operation.clone() }.send(app, &app.account).await;
        let text: String = answer.text.chars().take(300).collect();
        if !refuses(operation, &answer) {
            wrong.push(format!("{name}: is not refused: {} {text}", answer.status));
        } else if !operation.reports_each_deletion() && !names(&answer, field) {
            wrong.push(format!("{name}: the refusal does not name {}: {text}", field.name));
        }
    }
    if things_fingerprint(&app.admin).await != before {
        wrong.push(format!("{}: something was changed by what must be refused", operation.id));
    }
    for (name, _, body) in &others {
        let answer = Operation { body: Some(body.clone()), ..operation.clone() }.send(app, &app.account).await;
        if answer.status.is_server_error() || (answer.status.is_client_error() && !refuses(operation, &answer)) {
            wrong.push(format!("{name}: {} {}", answer.status, answer.text));
        }
    }
    must_be_refused.len() + others.len()
}

#[tokio::test]
async fn every_field_of_every_body_is_held_to_what_the_document_says() {
    let app = TestApp::start().await;
    let document = app.get("/openapi.json").await.expect(200);
    let (mut wrong, mut cases) = (Vec::new(), 0);
    let ids: Vec<&str> = Things::unknown().operations(&app.account).iter().map(|operation| operation.id).collect();
    for (number, id) in (1..).zip(ids) {
        let things = Things::create(&app, &app.account, number).await;
        let operations = things.operations(&app.account);
        let operation = operations.iter().find(|operation| operation.id == id).expect("it is there");
        cases += walk(&app, &document, operation, &mut wrong).await;
    }
    println!("{cases} bodies");
    assert!(cases > 1000, "{cases}");
    assert!(wrong.is_empty(), "{} of {cases}:\n{}", wrong.len(), wrong.join("\n"));
}
