//! What the service answers is what its document says: every operation's success,
//! held against its schema, and so are the document's examples.

use serde_json::{Map, Value, json};

use crate::support::{Account, Answer, Operation, TestApp, Things};

/// What of `value` is not as the schema has it, if anything is: what the schema
/// refuses, and every field that it does not name.
fn fault(document: &Value, schema: &Value, value: &Value) -> Option<String> {
    let whole = json!({ "allOf": [schema], "components": document["components"] });
    let validator = jsonschema::validator_for(&whole).expect("the document's schemas are schemas");
    if let Some(error) = validator.iter_errors(value).next() {
        return Some(format!("{}: {error}", error.instance_path()));
    }
    unnamed(document, schema, value, "")
}

/// The first field, if any, that the schema does not name.
fn unnamed(document: &Value, schema: &Value, value: &Value, at: &str) -> Option<String> {
    match value {
        Value::Array(items) => {
            let schemas = parts(document, schema);
            let of_items: Vec<&Value> = schemas.iter().filter_map(|part| part.get("items")).collect();
            items.iter().enumerate().find_map(|(index, item)| {
                let at = format!("{at}/{index}");
                let faults = of_items.iter().map(|schema| unnamed(document, schema, item, &at)).collect::<Vec<_>>();
                // Of several variants one must name all that is there.
                if faults.iter().any(Option::is_none) { None } else { faults.into_iter().flatten().next() }
            })
        }
        Value::Object(fields) => {
            let schemas = parts(document, schema);
            let is_put_together = |part: &Value| {
                ["properties", "$ref", "allOf", "oneOf", "anyOf"].iter().any(|how| part.get(how).is_some())
            };
            let is_free = |part: &&Value| {
                let takes_objects = part.get("type").is_none_or(|kind| kind.to_string().contains("object"));
                part.get("additionalProperties").is_some_and(|more| *more != json!(false))
                    || (takes_objects && !is_put_together(part))
            };
            if schemas.iter().any(is_free) {
                return None;
            }
            fields.iter().find_map(|(name, value)| {
                let at = format!("{at}/{name}");
                let named: Vec<&Value> = schemas.iter().filter_map(|part| part["properties"].get(name)).collect();
                if named.is_empty() {
                    return Some(format!("{at} is not named"));
                }
                let faults = named.iter().map(|schema| unnamed(document, schema, value, &at)).collect::<Vec<_>>();
                if faults.iter().any(Option::is_none) { None } else { faults.into_iter().flatten().next() }
            })
        }
        _ => None,
    }
}

/// A schema, and all that it is put together from or may be.
fn parts<'a>(document: &'a Value, schema: &'a Value) -> Vec<&'a Value> {
    let mut found = vec![schema];
    if let Some(to) = schema["$ref"].as_str() {
        let target = document.pointer(to.trim_start_matches('#')).expect("references lead somewhere");
        found.extend(parts(document, target));
    }
    for several in ["allOf", "oneOf", "anyOf"] {
        for part in schema[several].as_array().into_iter().flatten() {
            found.extend(parts(document, part));
        }
    }
    found
}

/// What the document says of an operation.
fn described<'a>(document: &'a Value, operation: &Operation) -> &'a Map<String, Value> {
    let items = document["paths"].as_object().expect("paths").values();
    let of_all = items.flat_map(|item| item.as_object().expect("operations").values());
    let found = of_all.filter_map(Value::as_object).find(|described| described["operationId"] == operation.id);
    found.unwrap_or_else(|| panic!("{} is not described", operation.id))
}

/// What of an operation's success is not as the document has it.
async fn judge(app: &TestApp, account: &Account, document: &Value, operation: &Operation) -> Option<String> {
    judge_answer(document, operation, &operation.send(app, account).await, operation.success)
}

/// What of an answer, which should have that status, is not as the document has it.
fn judge_answer(document: &Value, operation: &Operation, answer: &Answer, status: u16) -> Option<String> {
    let is_as_wanted = answer.status.as_u16() == status;
    let status = answer.status.as_str();
    let response = &described(document, operation)["responses"][status];
    if !is_as_wanted || !response.is_object() {
        return Some(format!("{status} is not described: {}", answer.text));
    }
    let Some(content) = response["content"].as_object() else {
        return (!answer.text.is_empty()).then(|| format!("has a body that is not described: {}", answer.text));
    };
    let kind = answer.header("Content-Type").unwrap_or_default();
    let Some(described) = content.get(kind) else { return Some(format!("{kind} is not described")) };
    // Only an answer that was given before says that it was.
    let headers = response["headers"].as_object().into_iter().flatten().map(|(name, _)| name);
    for header in headers.filter(|name| *name != "Idempotency-Replayed") {
        if answer.header(header).is_none() {
            return Some(format!("has no {header}"));
        }
    }
    if let Some(fault) = fault(document, &described["schema"], &answer.json()) {
        return Some(format!("{fault}\n    in {}", answer.text));
    }
    let several = described["examples"].as_object().into_iter().flatten().map(|(_, example)| &example["value"]);
    let mut examples = described.get("example").into_iter().chain(several);
    examples.find_map(|example| fault(document, &described["schema"], example)).map(|fault| format!("example: {fault}"))
}

#[tokio::test]
async fn every_success_is_what_the_document_says() {
    let app = TestApp::start().await;
    let document = app.get("/openapi.json").await.expect(200);
    let mut wrong = Vec::new();
    let ids: Vec<&str> = Things::unknown().operations(&app.account).iter().map(|operation| operation.id).collect();
    for (number, id) in (1..).zip(&ids) {
        // Things of its own: what one operation deletes, another could not find.
        let things = Things::create(&app, &app.account, number).await;
        let operations = things.operations(&app.account);
        let operation = operations.iter().find(|operation| operation.id == *id).expect("it is there");
        if let Some(fault) = judge(&app, &app.account, &document, operation).await {
            wrong.push(format!("{id}: {fault}"));
        }
    }
    println!("{} operations", ids.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn what_stands_in_the_way_is_named_as_the_document_says() {
    let app = TestApp::start().await;
    let document = app.get("/openapi.json").await.expect(200);
    let things = Things::create(&app, &app.account, 1).await;
    let other = app.contacts(9_876_500_000, 1).await.remove(0);
    let other_list = app.contact_list("another").await;
    app.campaign("in the way", "another").await;
    let number = json!({"phoneNumber": "9876500000", "countryCode": "+91"});
    let list = json!({"name": "ANOTHER", "description": "d", "source": "passiveApi"});
    let mut wrong = Vec::new();
    for operation in things.operations(&app.account) {
        let (body, path, status, place, id) = match operation.id {
            "update_contact" => (json!({"cellPhone": number}), None, 409, "/conflictingId", &other),
            "bulk_update_contacts" => (
                json!([{"id": things.contact, "cellPhone": number}]),
                None,
                200,
                "/failedRecords/0/conflictingId",
                &other,
            ),
            "create_contact_list" | "create_contact_list_v2" => {
                (list.clone(), None, 409, "/data/conflictingId", &other_list)
            }
            "update_contact_list" | "update_contact_list_v2" => {
                (json!({"name": "Another"}), None, 409, "/data/conflictingId", &other_list)
            }
            "delete_contact_list" | "delete_contact_list_v2" => {
                let path = operation.path.replace(&things.contact_list, &other_list);
                (json!({}), Some(path), 409, "/data/_id", &other_list)
            }
            _ => continue,
        };
        let path = path.unwrap_or(operation.path.clone());
        let operation = Operation { body: Some(body), path, ..operation };
        let answer = operation.send(&app, &app.account).await;
        if let Some(fault) = judge_answer(&document, &operation, &answer, status) {
            wrong.push(format!("{}: {fault}", operation.id));
        } else if answer.json().pointer(place) != Some(&json!(id)) {
            wrong.push(format!("{}: {place} is not {id}: {}", operation.id, answer.text));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_answer_that_is_not_as_described_is_caught() {
    let document = json!({"components": {"schemas": {
        "Id": {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}},
        "Thing": {"allOf": [{"$ref": "#/components/schemas/Id"}, {"type": "object", "properties": {"free": {"type": "object"}}}]},
        "Things": {"type": "array", "items": {"oneOf": [{"$ref": "#/components/schemas/Thing"}, {"type": "object", "required": ["errors"], "properties": {"errors": {"type": "array"}}}]}}
    }}});
    let judge = |value: Value| fault(&document, &json!({"$ref": "#/components/schemas/Things"}), &value);
    assert_eq!(judge(json!([{"id": "a", "free": {"any": 1}}, {"errors": []}])), None);
    for lie in
        [json!({}), json!([{"id": 7}]), json!([{}]), json!([{"id": "a", "more": 1}]), json!([{"id": "a", "free": 1}])]
    {
        assert!(judge(lie.clone()).is_some(), "{lie}");
    }
}
