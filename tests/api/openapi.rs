//! The document says what the program does, and the page shows it.

use std::collections::{BTreeMap, BTreeSet};

use expunge::handlers::openapi::Document;
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::support::TestApp;

const KEPT: &str = include_str!("../../openapi/openapi.json");

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

fn document() -> Value {
    serde_json::from_str(KEPT).expect("the document is JSON")
}

/// Path, method and operation of every operation.
fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    object(&document["paths"])
        .iter()
        .flat_map(|(path, item)| {
            object(item).iter().map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
        })
        .collect()
}

/// Whether everybody may ask for the operation.
fn is_open(operation: &Value) -> bool {
    array(&operation["security"]).iter().any(|requirement| object(requirement).is_empty())
}

fn object(value: &Value) -> &Map<String, Value> {
    value.as_object().unwrap_or_else(|| panic!("not an object: {value}"))
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn has_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.trim().is_empty())
}

/// The names between braces.
fn placeholders(path: &str) -> BTreeSet<&str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect()
}

/// What a reference of the document stands for.
fn resolve<'a>(document: &'a Value, reference: &str) -> Option<&'a Value> {
    document.pointer(reference.strip_prefix('#')?)
}

/// Every value inside the document that is an object, with where it stands.
fn walk<'a>(value: &'a Value, at: &str, visit: &mut impl FnMut(&str, &'a Map<String, Value>)) {
    match value {
        Value::Object(object) => {
            visit(at, object);
            for (key, value) in object {
                // An example is what the wire has, and not part of the description.
                if key != "example" && key != "examples" {
                    walk(value, &format!("{at}/{key}"), visit);
                }
            }
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| walk(item, &format!("{at}/{index}"), visit));
        }
        _ => {}
    }
}

/// What of a value is not as the schema has it; only the rules that the document uses.
fn mismatch(document: &Value, schema: &Value, value: &Value, at: &str) -> Option<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        return mismatch(document, resolve(document, reference)?, value, at);
    }
    for all in array(&schema["allOf"]) {
        if let Some(wrong) = mismatch(document, all, value, at) {
            return Some(wrong);
        }
    }
    for choice in ["oneOf", "anyOf"].map(|choice| array(&schema[choice])) {
        if !choice.is_empty() && choice.iter().all(|schema| mismatch(document, schema, value, at).is_some()) {
            return Some(format!("{at} fits none of its schemas: {value}"));
        }
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        several => array(several).iter().filter_map(Value::as_str).collect(),
    };
    let is_of_type = |name: &str| match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{at}: {other} is no type"),
    };
    if !types.is_empty() && !types.into_iter().any(is_of_type) {
        return Some(format!("{at} is not of type {}: {value}", schema["type"]));
    }
    if schema.get("enum").is_some() && !array(&schema["enum"]).contains(value) {
        return Some(format!("{at} is not one of {}: {value}", schema["enum"]));
    }
    if let Some(items) = value.as_array() {
        let wrong = |(index, item)| mismatch(document, &schema["items"], item, &format!("{at}[{index}]"));
        return items.iter().enumerate().find_map(wrong);
    }
    let value = value.as_object()?;
    if let Some(missing) = array(&schema["required"]).iter().filter_map(Value::as_str).find(|f| !value.contains_key(*f))
    {
        return Some(format!("{at} lacks {missing}"));
    }
    value.iter().find_map(|(field, value)| {
        mismatch(document, schema.get("properties")?.get(field)?, value, &format!("{at}.{field}"))
    })
}

#[test]
fn the_document_that_is_kept_is_the_one_that_the_program_generates() {
    let generated = Document::gather();
    let generated = std::str::from_utf8(generated.text()).expect("the document is text");
    let differs = generated.lines().zip(KEPT.lines()).enumerate().find(|(_, (new, old))| new != old);
    assert!(
        generated == KEPT,
        "openapi/openapi.json is not what the program generates; regenerate it:\n\
         cargo run -- openapi > openapi/openapi.json\nthe first difference: {differs:?}"
    );
}

#[test]
fn the_document_follows_the_rules_of_openapi() {
    let document = document();
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1.")), "{}", document["openapi"]);
    assert!(has_text(&document["info"]["title"]) && has_text(&document["info"]["version"]));
    assert!(has_text(&document["info"]["description"]));
    let mut wrong = Vec::new();
    walk(&document, "", &mut |at, object| {
        if let Some(reference) = object.get("$ref").and_then(Value::as_str)
            && resolve(&document, reference).is_none()
        {
            wrong.push(format!("{at}: {reference} leads nowhere"));
        }
        if object.contains_key("nullable") && !at.ends_with("/properties") {
            wrong.push(format!("{at}: nullable is of OpenAPI 3.0"));
        }
        if let (Some(required), Some(properties)) = (object.get("required"), object.get("properties")) {
            for field in array(required).iter().filter_map(Value::as_str) {
                if properties.get(field).is_none() {
                    wrong.push(format!("{at}: {field} is required and not described"));
                }
            }
        }
    });
    for (kind, components) in object(&document["components"]) {
        for name in object(components).keys() {
            if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) {
                wrong.push(format!("{kind} {name}: not a name that a component can have"));
            }
        }
    }
    for (name, schema) in object(&document["components"]["schemas"]) {
        for (field, property) in schema["properties"].as_object().into_iter().flatten() {
            let nested = ["allOf", "oneOf"].into_iter().flat_map(|choice| array(&property[choice]));
            let is_described = nested.chain([property]).any(|schema| has_text(&schema["description"]));
            if !is_described {
                wrong.push(format!("{name}.{field} is not described"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_operation_is_described_to_the_last_answer() {
    let document = document();
    let tags: BTreeSet<&str> = array(&document["tags"]).iter().filter_map(|tag| tag["name"].as_str()).collect();
    let schemes = object(&document["components"]["securitySchemes"]);
    let mut ids = BTreeMap::new();
    let mut wrong = Vec::new();
    for (path, method, operation) in operations(&document) {
        let mut say = |what: String| wrong.push(format!("{method} {path}: {what}"));
        if !METHODS.contains(&method) {
            say("no method".to_owned());
        }
        match operation["operationId"].as_str() {
            None => say("has no operationId".to_owned()),
            Some(id) => {
                if let Some(other) = ids.insert(id, path) {
                    say(format!("{id} is the operation at {other} too"));
                }
            }
        }
        if !has_text(&operation["summary"]) {
            say("has no summary".to_owned());
        }
        let own: Vec<&str> = array(&operation["tags"]).iter().filter_map(Value::as_str).collect();
        if own.is_empty() || own.iter().any(|tag| !tags.contains(tag)) {
            say(format!("has not the tags of the document: {own:?}"));
        }
        let security = operation.get("security").unwrap_or(&document["security"]);
        let is_known = |requirement: &Value| object(requirement).keys().all(|scheme| schemes.contains_key(scheme));
        if array(security).is_empty() || !array(security).iter().all(is_known) {
            say(format!("has no known security: {security}"));
        }
        if is_open(operation) != (own == ["health"] || operation["operationId"] == "get_jwks") {
            say("is open to everybody, or should be and is closed".to_owned());
        }

        let mut named = BTreeSet::new();
        let mut on_path = BTreeSet::new();
        for parameter in array(&operation["parameters"]) {
            let (name, place) = (parameter["name"].as_str().unwrap_or_default(), &parameter["in"]);
            if !named.insert((name, place.to_string())) {
                say(format!("names the parameter {name} in {place} twice"));
            }
            if !has_text(&parameter["description"]) {
                say(format!("does not describe the parameter {name}"));
            }
            if !parameter["schema"].is_object() {
                say(format!("the parameter {name} has no schema"));
            }
            if place == "path" {
                on_path.insert(name);
                if parameter["required"] != true {
                    say(format!("{name} stands on the path and is not required"));
                }
            }
        }
        if on_path != placeholders(path) {
            say(format!("describes the path's parameters {on_path:?}"));
        }

        if method == "delete" && path.contains("bulk") && operation["requestBody"]["required"] != true {
            say("is a bulk deletion that does not require a body".to_owned());
        }
        if let Some(body) = operation.get("requestBody") {
            let has_example = |content: &Value| content.get("example").or_else(|| content.get("examples")).is_some();
            let is_file = body["content"].get("multipart/form-data").is_some();
            if !is_file && !object(&body["content"]).values().any(has_example) {
                say("gives no example of its body".to_owned());
            }
            for (media, content) in object(&body["content"]) {
                examples(&document, content, &format!("the body as {media}"), &mut say);
            }
        }
        let responses = object(&operation["responses"]);
        if !responses.keys().any(|status| status.starts_with('2')) {
            say("never succeeds".to_owned());
        }
        for (status, response) in responses {
            if !has_text(&response["description"]) {
                say(format!("{status} is not described"));
            }
            if status != "204" && response["content"].as_object().is_none_or(Map::is_empty) {
                say(format!("{status} has no body"));
            }
            for (media, content) in response["content"].as_object().into_iter().flatten() {
                if content.get("example").is_none() && content.get("examples").is_none() {
                    say(format!("{status} as {media} has no example"));
                }
                examples(&document, content, &format!("{status} as {media}"), &mut say);
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_keeps_other_fields_than_the_named_ones_says_so() {
    let document = document();
    let schemas = &document["components"]["schemas"];
    let free = ["NewCampaignBody", "CampaignChangeBody", "CampaignBody", "PersonBody", "MemberBody", "FailedInput"];
    for name in free {
        let others = &schemas[name]["additionalProperties"];
        assert!(others.is_object() && others.get("type").is_none(), "{name}: {}", schemas[name]);
    }
}

/// Holds the examples of a body against its schema.
fn examples(document: &Value, content: &Value, of: &str, say: &mut impl FnMut(String)) {
    let several = content["examples"].as_object().into_iter().flatten().map(|(_, example)| &example["value"]);
    for example in content.get("example").into_iter().chain(several) {
        if let Some(wrong) = mismatch(document, &content["schema"], example, "$") {
            say(format!("{of}: the example is not as the schema has it: {wrong}"));
        }
    }
}

#[test]
fn an_example_that_lies_is_caught() {
    let document = json!({"components": {"schemas": {"Item": {
        "type": "object", "required": ["id"],
        "properties": {"id": {"type": "string"}, "state": {"type": ["string", "null"], "enum": ["on", null]}}
    }}}});
    let schema = json!({"type": "array", "items": {"$ref": "#/components/schemas/Item"}});
    let judge = |value: Value| mismatch(&document, &schema, &value, "$");
    assert_eq!(judge(json!([{"id": "a", "state": null}, {"id": "b", "state": "on"}])), None);
    assert_eq!(judge(json!([{"id": "a"}, {}])), Some("$[1] lacks id".to_owned()));
    for lie in [json!({}), json!([7]), json!([{"id": 7}]), json!([{"id": "a", "state": "off"}])] {
        assert!(judge(lie.clone()).is_some(), "{lie}");
    }
}

#[tokio::test]
async fn every_operation_of_the_document_is_there_and_asks_who_calls() {
    let app = TestApp::start().await;
    for (path, method, operation) in operations(&document()) {
        let filled = placeholders(path).iter().fold(path.to_owned(), |filled, name| {
            let value = if *name == "streamId" { app.account.stream.as_str() } else { "x" };
            filled.replace(&format!("{{{name}}}"), value)
        });
        let sent = || Method::from_bytes(method.to_uppercase().as_bytes()).expect("a method");
        let answer = app.request(sent(), &filled).send().await;
        assert!(!answer.text.contains("There is nothing at this path"), "{method} {path}: {answer:?}");
        assert_ne!(answer.status.as_u16(), 405, "{method} {path}: {answer:?}");
        let stranger = app.anonymous(sent(), &filled).send().await;
        let wanted = if is_open(operation) { 200 } else { 401 };
        assert_eq!(stranger.status.as_u16(), wanted, "{method} {path}: {stranger:?}");
        for answer in [answer, stranger] {
            let status = answer.status.as_str();
            assert!(operation["responses"].get(status).is_some(), "{method} {path}: {status} is not described");
        }
    }
}

#[tokio::test]
async fn the_document_is_served_as_it_is_kept() {
    let app = TestApp::start().await;
    let answer = app.anonymous(Method::GET, "/openapi.json").send().await;
    assert_eq!(answer.status.as_u16(), 200);
    assert_eq!(answer.header("Content-Type"), Some("application/json"));
    assert_eq!(answer.text, KEPT);
}

#[tokio::test]
async fn the_page_is_whole_without_any_other_host() {
    let app = TestApp::start().await;
    let still = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build();
    let redirect = still.expect("a client").get(format!("{}/docs", app.base_url)).send().await.expect("an answer");
    assert_eq!(redirect.status().as_u16(), 308);
    assert_eq!(redirect.headers()["Location"], "/docs/");

    let page = app.anonymous(Method::GET, "/docs/").send().await;
    assert_eq!(page.status.as_u16(), 200, "{page:?}");
    assert!(page.header("Content-Type").is_some_and(|kind| kind.starts_with("text/html")), "{page:?}");
    assert!(!page.text.contains("http://") && !page.text.contains("https://"), "{}", page.text);
    let references: Vec<&str> = ["src=\"", "href=\""]
        .iter()
        .flat_map(|attribute| page.text.split(attribute).skip(1))
        .filter_map(|rest| rest.split('"').next())
        .collect();
    assert!(references.iter().any(|to| to.ends_with(".js")) && references.iter().any(|to| to.ends_with(".css")));
    let mut scripts = String::new();
    for to in references {
        assert!(!to.starts_with("//"), "{to}");
        let path = if to.starts_with('/') { to.to_owned() } else { format!("/docs/{}", to.trim_start_matches("./")) };
        let asset = app.anonymous(Method::GET, &path).send().await;
        assert_eq!(asset.status.as_u16(), 200, "{to}: {}", asset.status);
        assert!(!asset.text.is_empty(), "{to}");
        if to.contains("initializer") {
            scripts.push_str(&asset.text);
        }
    }
    assert!(scripts.contains("/openapi.json"), "the page shows our document: {scripts}");
    assert!(!scripts.contains("http://") && !scripts.contains("https://"), "{scripts}");
}
