//! Records are created one by one and changed, alone and in bulk.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, TestApp};

fn record(phone_number: &str) -> Value {
    json!({"first_name": "Ada", "last_name": "Byron", "phone_number": phone_number, "timezone": "Europe/London"})
}

async fn patch(app: &TestApp, path: &str, body: &Value) -> Answer {
    app.request(Method::PATCH, path).json(body).send().await
}

const NOT_POSSIBLE: &str = "Record List is in a state where the operation is not possible.";

/// A refusal of this family.
fn refusal(code: &str, message: &str, fields: &[(&str, &str)]) -> Value {
    let description = fields.iter().map(|(name, what)| format!("{name}: {what}")).collect::<Vec<_>>().join("; ");
    let fields: Vec<Value> = fields.iter().map(|(name, what)| json!({"name": name, "description": what})).collect();
    json!({"code": code, "message": message, "description": description, "fields": fields})
}

#[tokio::test]
async fn a_record_is_created_as_the_vendors_sample_has_it() {
    let app = TestApp::start().await;
    let list = app.record_list("PHONE_NUMBER").await;
    let path = format!("/record-lists/{list}/records");
    let sample = json!({
        "phone_numbers": [
            {"phone_number": "+351929312312", "phone_type": "MOBILE"}, {"phone_number": "+351929312300", "phone_type": "OFFICE"},
            {"phone_number": "+351929312301", "phone_type": "HOME"}
        ],
        "first_name": "Joey", "last_name": "Tribbiani", "timezone": "Europe/Lisbon", "priority": 6, "external_provider": "salesforce",
        "external_id": "0030O000024ukNtQAD", "external_url": "https://crm.example/0030O000024ukNtQAD", "sync_external_id": true,
        "extra_data": {"country": "USA", "state": "California", "job": "Actor"}
    });
    let answer = app.post(&path, &sample).await;
    assert_eq!(answer.header("ETag"), Some("\"1\""));
    let created = answer.expect(201);
    let id = created["id"].as_str().expect("an id");
    let mut wanted = sample.clone();
    wanted["id"] = json!(id);
    wanted["record_list_id"] = json!(list);
    wanted["phone_number"] = json!("+351929312312");
    wanted["created_at"] = created["created_at"].clone();
    wanted["updated_at"] = created["created_at"].clone();
    wanted["_links"] = json!({
        "self": {"href": format!("{}{path}/{id}", app.base_url)},
        "record_list": {"href": format!("{}/record-lists/{list}", app.base_url)}
    });
    assert_eq!(created, wanted);
    assert_eq!(app.get(&format!("{path}/{id}")).await.expect(200), created);

    let taken = app.post(&path, &record("00351 929 312 312")).await.expect(409);
    let holder = format!("Record {id} has this number already");
    assert_eq!(taken, refusal("0530907", NOT_POSSIBLE, &[("phone_number", &holder)]));
    app.delete(&format!("{path}/{id}")).await.expect(204);
    app.post(&path, &record("00351 929 312 312")).await.expect(201);
}

#[tokio::test]
async fn a_record_that_is_wrong_says_all_of_it_in_the_vendors_codes() {
    let app = TestApp::start().await;
    let list = app.record_list("EXTERNAL").await;
    let path = format!("/record-lists/{list}/records");
    let nobody =
        json!({"first_name": "a", "last_name": "b", "external_provider": "crm", "external_id": "1", "timezone": "GMT"});
    assert_eq!(
        app.post(&path, &nobody).await.expect(400),
        refusal("0530921", "Missing required Phone Number.", &[("phone_numbers", "is required")])
    );
    let wrong =
        json!({"first_name": 7, "phone_number": "12a", "timezone": "Mars/Base", "priority": 0, "external_id": "1"});
    assert_eq!(
        app.post(&path, &wrong).await.expect(400),
        refusal(
            "0530900",
            "Bad request.",
            &[
                ("first_name", "invalid type: number, expected a string"),
                ("last_name", "is required"),
                ("phone_number", "is not a phone number"),
                ("timezone", "is not a zone of the tz database"),
                ("priority", "must be 1 to 10"),
                ("external_provider", "external_provider and external_id are required together"),
            ]
        )
    );
    let referred = json!({"first_name": "a", "last_name": "b", "phone_number": "+14155550100", "timezone": "GMT", "external_provider": "crm", "external_id": "1"});
    let holder = app.post(&path, &referred).await.expect(201);
    let message = format!("Record {} has this external reference already", holder["id"].as_str().expect("an id"));
    assert_eq!(
        app.post(&path, &referred).await.expect(409),
        refusal("0530907", NOT_POSSIBLE, &[("external_id", &message)])
    );
    assert_eq!(app.count("SELECT count(*) FROM records").await, 1);
}

#[tokio::test]
async fn the_deprecated_number_is_held_to_its_form_beside_the_list() {
    let app = TestApp::start().await;
    let list = app.record_list("PHONE_NUMBER").await;
    let path = format!("/record-lists/{list}/records");
    let both = |number: Value| {
        json!({"first_name": "a", "last_name": "b", "phone_number": number, "timezone": "GMT",
               "phone_numbers": [{"phone_number": "+442079460101"}]})
    };
    let not_a_number = "is not a phone number";
    for (number, said) in [
        (json!("x"), not_a_number),
        (json!(""), not_a_number),
        (json!("1".repeat(21)), not_a_number),
        (json!(7), "invalid type: number, expected a string"),
        (json!([]), "invalid type: array, expected a string"),
    ] {
        let refused = app.post(&path, &both(number.clone())).await.expect(400);
        assert_eq!(refused, refusal("0530900", "Bad request.", &[("phone_number", said)]));
        let report = app.post(&format!("{path}/bulks"), &json!({"records": [both(number)]})).await.expect(201);
        let record = &report["_embedded"]["records"][0];
        assert_eq!(record["errors"], json!(["PHONE_NUMBER_INVALID"]), "{report}");
        assert_eq!(record["error_details"][0]["message"], format!("phone_number: {said}"));
    }
    let mut wrong = both(json!("x"));
    wrong["phone_numbers"] = json!("x");
    let refused = app.post(&path, &wrong).await.expect(400);
    let fields: Vec<&Value> =
        refused["fields"].as_array().expect("fields").iter().map(|field| &field["name"]).collect();
    assert_eq!(fields, ["phone_number", "phone_numbers"]);
    assert_eq!(app.count("SELECT count(*) FROM records").await, 0);

    let created = app.post(&path, &both(json!("+14155550100"))).await.expect(201);
    assert_eq!(created["phone_number"], "+442079460101", "the list says it all");
    assert_eq!(created["phone_numbers"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_zone_that_is_not_given_is_told_from_the_numbers() {
    let app = TestApp::start().await;
    let list = app.record_list("NOTHING").await;
    let bulks = format!("/record-lists/{list}/records/bulks");
    let new = |zone: Option<&str>, numbers: &[&str]| {
        let numbers: Vec<Value> = numbers.iter().map(|number| json!({ "phone_number": number })).collect();
        json!({"first_name": "a", "last_name": "b", "timezone": zone, "phone_numbers": numbers})
    };
    let body = json!({"records": [
        new(Some("Asia/Tokyo"), &["+14155550100"]), new(None, &["+188888888", "+49 30 1234567"]), new(None, &["+188888888"])
    ]});
    let report = app.post(&bulks, &body).await.expect(201);
    let records = &report["_embedded"]["records"];
    assert_eq!((&records[0]["timezone"], &records[1]["timezone"]), (&json!("Asia/Tokyo"), &json!("Europe/Berlin")));
    assert_eq!(records[2]["errors"], json!(["TIMEZONE_UNMATCHED"]));
    let path = format!("/record-lists/{list}/records/{}", records[1]["id"].as_str().expect("an id"));
    assert_eq!(app.get(&path).await.expect(200), records[1]);
    let nowhere = json!([{"op": "remove", "path": "/phone_numbers/1"}, {"op": "remove", "path": "/timezone"}]);
    assert_eq!(patch(&app, &path, &nowhere).await.expect(422)["fields"][0]["name"], "timezone");
    let elsewhere = json!([{"op": "remove", "path": "/timezone"}, {"op": "replace", "path": "/phone_numbers/1/phone_number", "value": "+442079460101"}]);
    assert_eq!(patch(&app, &path, &elsewhere).await.expect(200)["timezone"], "Europe/London");
}

#[tokio::test]
async fn a_zone_that_was_told_goes_with_the_numbers_that_told_it() {
    let app = TestApp::start().await;
    let list = app.record_list("NOTHING").await;
    let numbers = |number: &str| json!([{ "phone_number": number }]);
    let body = json!({"first_name": "a", "last_name": "b", "phone_number": "+1 415 555 0100"});
    let id = app.records(&list, &[body]).await.remove(0);
    let path = format!("/record-lists/{list}/records/{id}");
    let change = async |value: Value| {
        let path = format!("/record-lists/{list}/records/bulks");
        let body = json!([{"op": "replace", "path": format!("/records/{id}"), "value": value}]);
        patch(&app, &path, &body).await.expect(200)["_embedded"]["records"][0].clone()
    };
    let to_berlin = json!([{"op": "replace", "path": "/phone_numbers/0/phone_number", "value": "+49 30 1234567"}, {"op": "test", "path": "/timezone", "value": "America/Los_Angeles"}]);
    assert_eq!(patch(&app, &path, &to_berlin).await.expect(200)["timezone"], "Europe/Berlin");
    assert_eq!(change(json!({"phone_numbers": numbers("+44 20 7946 0101")})).await["timezone"], "Europe/London");
    assert_eq!(change(json!({"phone_numbers": numbers("+188888888")})).await["errors"], json!(["TIMEZONE_UNMATCHED"]));
    assert_eq!(app.get(&path).await.expect(200)["phone_number"], "+44 20 7946 0101");
    // What is said stays said.
    let said = json!({"phone_numbers": numbers("+1 415 555 0100"), "timezone": "Europe/London"});
    assert_eq!(change(said).await["timezone"], "Europe/London");
    assert_eq!(change(json!({"phone_numbers": numbers("+49 30 1234567")})).await["timezone"], "Europe/London");
}

#[tokio::test]
async fn a_zone_is_taken_in_any_case_and_kept_as_the_tz_database_spells_it() {
    let app = TestApp::start().await;
    let list = app.record_list("NOTHING").await;
    let path = format!("/record-lists/{list}/records");
    let body = json!({"first_name": "a", "last_name": "b", "phone_number": "+188888888", "timezone": "europe/LISBON"});
    assert_eq!(app.post(&path, &body).await.expect(201)["timezone"], "Europe/Lisbon");
    assert_eq!(app.get(&format!("{path}?timezones=EUROPE/lisbon")).await.expect(200)["total"], 1);
    assert_eq!(
        app.get(&format!("{path}/timezones")).await.expect(200)["_embedded"]["timezones"],
        json!(["Europe/Lisbon"])
    );
}

#[tokio::test]
async fn what_is_kept_beside_a_person_is_limited_so_that_a_page_fits_in_memory() {
    let app = TestApp::start().await;
    let list = app.record_list("NOTHING").await;
    let path = format!("/record-lists/{list}/records");
    let with = |length: usize| json!({"first_name": "a", "last_name": "b", "phone_number": "+14155550100", "extra_data": {"a": "x".repeat(length)}});
    // `{"a":""}` is eight bytes itself.
    let id = app.post(&path, &with(64 * 1024 - 8)).await.expect(201)["id"].as_str().expect("an id").to_owned();
    assert_eq!(app.post(&path, &with(64 * 1024 - 7)).await.expect(400)["fields"][0]["name"], "extra_data");
    let more = json!([{"op": "add", "path": "/extra_data/b", "value": 1}]);
    assert_eq!(patch(&app, &format!("{path}/{id}"), &more).await.expect(422)["fields"][0]["name"], "extra_data");
}

#[tokio::test]
async fn a_record_is_changed_by_the_vendors_patch() {
    let app = TestApp::start().await;
    let list = app.record_list("PHONE_NUMBER").await;
    let mut new = record("+442079460101");
    new["extra_data"] = json!({"name": "Ben"});
    let id = app.records(&list, &[new]).await.remove(0);
    let path = format!("/record-lists/{list}/records/{id}");
    let mut wanted = app.get(&path).await.expect(200);
    let sample = json!([
        {"op": "replace", "path": "/priority", "value": 6}, {"op": "add", "path": "/extra_data/home", "value": "USA"},
        {"op": "replace", "path": "/extra_data/name", "value": "Jerry"}
    ]);
    let answer = patch(&app, &path, &sample).await;
    assert_eq!(answer.header("ETag"), Some("\"2\""));
    let changed = answer.expect(200);
    wanted["priority"] = json!(6);
    wanted["extra_data"] = json!({"name": "Jerry", "home": "USA"});
    assert!(changed["updated_at"].as_str() > wanted["updated_at"].as_str(), "{changed}");
    wanted["updated_at"] = changed["updated_at"].clone();
    assert_eq!(changed, wanted);
    assert_eq!(app.get(&path).await.expect(200), wanted);

    // One operation alone, in capitals and without a slash; then one that changes nothing.
    let alone = patch(&app, &path, &json!({"op": "REPLACE", "path": "priority", "value": 1})).await;
    assert_eq!((alone.header("ETag"), &alone.expect(200)["priority"]), (Some("\"3\""), &json!(1)));
    let same = patch(&app, &path, &json!([{"op": "test", "path": "/priority", "value": 1}])).await;
    assert_eq!(same.header("ETag"), Some("\"3\""));
    let refused = patch(
        &app,
        &path,
        &json!([{"op": "add", "path": "/priority", "value": 2}, {"op": "replace", "path": "/id", "value": "x"}]),
    )
    .await;
    assert_eq!(refused.expect(400)["fields"][0]["name"], "[1].path");
    assert_eq!(app.get(&path).await.header("ETag"), Some("\"3\""));
}

#[tokio::test]
async fn every_writable_field_of_a_record_is_changed_and_its_numbers_with_it() {
    let app = TestApp::start().await;
    let list = app.record_list("PHONE_NUMBER").await;
    let ids = app.records(&list, &[record("+442079460101"), record("+442079460102")]).await;
    let path = |id: &str| format!("/record-lists/{list}/records/{id}");
    let numbers = |numbers: &[&str]| {
        numbers.iter().map(|number| json!({"phone_number": number, "phone_type": "HOME"})).collect::<Vec<_>>()
    };
    let body = json!([
        {"op": "replace", "path": "/first_name", "value": "Grace"}, {"op": "replace", "path": "/last_name", "value": "Hopper"},
        {"op": "replace", "path": "/phone_numbers", "value": numbers(&["+442079460103", "+442079460104"])},
        {"op": "replace", "path": "/timezone", "value": "GMT"}, {"op": "add", "path": "/external_provider", "value": "crm"},
        {"op": "add", "path": "/external_id", "value": "7"}, {"op": "add", "path": "/external_url", "value": "https://crm.example/7"},
        {"op": "replace", "path": "/sync_external_id", "value": true}, {"op": "replace", "path": "/extra_data", "value": {"z": 1, "a": 2.50}}
    ]);
    let answer = patch(&app, &path(&ids[0]), &body).await;
    answer.expect(200);
    assert!(answer.text.contains(r#""extra_data":{"z":1,"a":2.5"#), "{}", answer.text);
    let changed = answer.json();
    for (field, value) in [
        ("first_name", json!("Grace")),
        ("last_name", json!("Hopper")),
        ("phone_number", json!("+442079460103")),
        ("phone_numbers", json!(numbers(&["+442079460103", "+442079460104"]))),
        ("timezone", json!("GMT")),
        ("external_provider", json!("crm")),
        ("external_id", json!("7")),
        ("external_url", json!("https://crm.example/7")),
        ("sync_external_id", json!(true)),
    ] {
        assert_eq!(changed[field], value, "{field}");
    }
    assert_eq!(app.get(&path(&ids[0])).await.expect(200), changed);

    // The number that it had is free, the one that it has is not.
    app.records(&list, &[record("+442079460101")]).await;
    let body = json!([{"op": "replace", "path": "/phone_numbers/0/phone_number", "value": "+44 20 7946 0103"}]);
    let taken = patch(&app, &path(&ids[1]), &body).await.expect(409);
    let message = format!("Record {} has this number already", ids[0]);
    assert_eq!(taken, refusal("0530907", NOT_POSSIBLE, &[("phone_number", &message)]));
    patch(&app, &path(&ids[0]), &json!([{"op": "remove", "path": "/phone_numbers/0"}])).await.expect(200);
    assert_eq!(app.count("SELECT count(*) FROM record_phones").await, 3);
    patch(&app, &path(&ids[1]), &body).await.expect(200);

    // What was replaced is nobody's, and what is there now is deleted by its number.
    let bulks = format!("/record-lists/{list}/records/bulks");
    let body = json!([{"phone_number": "+442079460102"}, {"phone_number": "+442079460104"}]);
    let report = app.delete_with(&format!("{bulks}?mode=hard"), &body).await.expect(200);
    assert_eq!(report["_embedded"]["reason"]["record_not_found"], json!(["+442079460102"]));
    app.get(&path(&ids[0])).await.expect(404);
    assert_eq!(app.count("SELECT count(*) FROM record_phones WHERE phone_key = '442079460104'").await, 0);
}

#[tokio::test]
async fn a_patch_that_cannot_be_done_changes_nothing() {
    let app = TestApp::start().await;
    let list = app.record_list("EXTERNAL").await;
    let new = json!({"first_name": "a", "last_name": "b", "phone_number": "+442079460101", "timezone": "GMT", "external_provider": "crm", "external_id": "1"});
    let id = app.records(&list, &[new]).await.remove(0);
    let path = format!("/record-lists/{list}/records/{id}");
    let before = app.get(&path).await.expect(200);
    let priority = json!({"op": "replace", "path": "/priority", "value": 3});

    let test = json!([priority, {"op": "test", "path": "/last_name", "value": "c"}]);
    let message = "the test failed: the record has another value at /last_name";
    assert_eq!(
        patch(&app, &path, &test).await.expect(409),
        refusal("0530907", NOT_POSSIBLE, &[("[1].value", message)])
    );
    let nowhere = "there is nothing at this path";
    for (operation, fields) in [
        (json!({"op": "replace", "path": "/extra_data/a", "value": 1}), vec![("[1].path", nowhere)]),
        (json!({"op": "remove", "path": "/phone_numbers/1"}), vec![("[1].path", nowhere)]),
        (json!({"op": "copy", "from": "/extra_data/a", "path": "/extra_data/b"}), vec![("[1].from", nowhere)]),
        (json!({"op": "replace", "path": "/priority", "value": 11}), vec![("priority", "must be 1 to 10")]),
        (
            json!({"op": "replace", "path": "/priority", "value": "high"}),
            vec![("priority", "invalid type: string \"high\", expected an integer")],
        ),
        (json!({"op": "remove", "path": "/first_name"}), vec![("first_name", "is required")]),
        (json!({"op": "replace", "path": "/phone_numbers", "value": []}), vec![("phone_numbers", "is required")]),
        (
            json!({"op": "add", "path": "/phone_numbers/-", "value": {"phone_number": "x"}}),
            vec![("phone_numbers[1].phone_number", "is not a phone number")],
        ),
        (
            json!({"op": "replace", "path": "/timezone", "value": "Mars/Base"}),
            vec![("timezone", "is not a zone of the tz database")],
        ),
        (
            json!({"op": "remove", "path": "/external_id"}),
            vec![("external_id", "external_provider and external_id are required together")],
        ),
        (
            json!({"op": "replace", "path": "/extra_data", "value": 7}),
            vec![("extra_data", "invalid type: number, expected an object")],
        ),
    ] {
        let refused = patch(&app, &path, &json!([priority, operation])).await;
        assert_eq!(refused.status.as_u16(), 422, "{operation}: {refused:?}");
        assert_eq!(refused.json(), refusal("0530905", "Unprocessable record.", &fields), "{operation}");
    }
    assert_eq!(app.get(&path).await.expect(200), before);
    for (path, code) in [
        (format!("/record-lists/{list}/records/8858c834-481d-4a02-8176-cffc02c50350"), "0530920"),
        (format!("/record-lists/8858c834-481d-4a02-8176-cffc02c50350/records/{id}"), "0530910"),
    ] {
        assert_eq!(patch(&app, &path, &json!([priority])).await.expect(404)["code"], code);
    }
    app.delete(&path).await.expect(204);
    assert_eq!(patch(&app, &path, &json!([priority])).await.expect(404)["code"], "0530920");
}

#[tokio::test]
async fn extra_data_grows_no_larger_than_a_request_could_create_it() {
    let app = TestApp::start().await;
    let list = app.record_list("NOTHING").await;
    let id = app.records(&list, &[record("+442079460101")]).await.remove(0);
    let path = format!("/record-lists/{list}/records/{id}");
    let more = |key: &str| json!([{"op": "add", "path": format!("/extra_data/{key}"), "value": "x".repeat(40_000)}]);
    patch(&app, &path, &more("a")).await.expect(200);
    assert_eq!(patch(&app, &path, &more("b")).await.expect(422)["fields"][0]["name"], "extra_data");
    let body =
        json!([{"op": "add", "path": format!("/records/{id}"), "value": {"extra_data": {"c": "x".repeat(40_000)}}}]);
    let report = patch(&app, &format!("/record-lists/{list}/records/bulks"), &body).await.expect(200);
    assert_eq!(report["_embedded"]["records"][0]["errors"], json!(["OTHER"]));
    assert_eq!(app.get(&path).await.header("ETag"), Some("\"2\""));
}

#[tokio::test]
async fn records_are_changed_in_bulk_one_result_for_each_operation() {
    let app = TestApp::start().await;
    let list = app.record_list("PHONE_NUMBER").await;
    let numbered = |number: &str, extra: Value| {
        let mut new = record(number);
        new["extra_data"] = extra;
        new
    };
    let ids = app
        .records(
            &list,
            &[
                numbered("+442079460101", json!({"kept": 1, "home": "mars"})),
                numbered("+442079460102", json!({"kept": 1, "home": "mars"})),
                numbered("+442079460103", json!({})),
            ],
        )
        .await;
    let bulks = format!("/record-lists/{list}/records/bulks");
    let of = |id: &str| format!("/records/{id}");
    let unknown = "8858c834-481d-4a02-8176-cffc02c50350";
    let missing = json!({"op": "add", "path": of(unknown), "value": {"priority": 1}});
    let malformed = json!({"op": "add", "path": of("x"), "value": {"priority": 1}});
    let wrong = json!({"op": "replace", "path": of(&ids[2]), "value": {"priority": 11, "first_name": ""}});
    let taken =
        json!({"op": "replace", "path": of(&ids[2]), "value": {"phone_numbers": [{"phone_number": "+442079460101"}]}});
    let body = json!([
        {"op": "replace", "path": of(&ids[0]), "value": {"extra_data": {"home": "earth"}, "priority": 10}},
        {"op": "add", "path": of(&ids[1]), "value": {"extra_data": {"home": "earth"}}},
        missing, malformed, wrong, taken,
        {"op": "add", "path": of(&ids[1]), "value": {"extra_data": {"name": "jerry"}, "last_name": "Hopper"}}
    ]);
    let report = patch(&app, &bulks, &body).await.expect(200);
    let records = report["_embedded"]["records"].as_array().expect("an array");
    assert_eq!(records.len(), 7);
    let failed = |sent: &Value, errors: Value, details: Value| {
        let mut failed = sent.clone();
        failed["errors"] = errors;
        failed["error_details"] = details;
        failed
    };
    let not_found = json!([{"code": "OTHER", "message": "record not found"}]);
    let key_taken = json!([{"code": "PHONE_NUMBER_NOT_UNIQUE", "message": format!("phone_numbers[0]: record {} of this list has the number", ids[0])}]);
    let wrongs = json!([{"code": "FIRST_NAME_MISSING", "message": "first_name: is required"}, {"code": "PRIORITY_INVALID", "message": "priority: must be 1 to 10"}]);
    let base = format!("{}/record-lists/{list}", app.base_url);
    assert_eq!(
        report,
        json!({
            "record_list_id": list, "has_errors": true, "total_created": 3, "total_updated": 3, "total_errors": 4,
            "_links": {"self": {"href": format!("{base}/records")}, "record_list": {"href": base}},
            "_embedded": {"records": [
                records[0], records[1],
                failed(&missing, json!(["OTHER"]), not_found.clone()), failed(&malformed, json!(["OTHER"]), not_found),
                failed(&wrong, json!(["FIRST_NAME_MISSING", "PRIORITY_INVALID"]), wrongs),
                failed(&taken, json!(["PHONE_NUMBER_NOT_UNIQUE"]), key_taken), records[6]
            ]}
        })
    );
    assert_eq!((&records[0]["extra_data"], &records[0]["priority"]), (&json!({"home": "earth"}), &json!(10)));
    assert_eq!(records[1]["extra_data"], json!({"kept": 1, "home": "earth"}));
    assert_eq!(records[6]["extra_data"], json!({"kept": 1, "home": "earth", "name": "jerry"}));
    for (index, id) in [(0, &ids[0]), (6, &ids[1])] {
        let found = app.get(&format!("/record-lists/{list}/records/{id}")).await;
        assert_eq!(found.header("ETag"), Some("\"2\""), "once, however many operations");
        assert_eq!(found.expect(200), records[index]);
    }
    assert_eq!(app.get(&format!("/record-lists/{list}/records/{}", ids[2])).await.header("ETag"), Some("\"1\""));
    assert_eq!(app.get(&format!("/record-lists/{unknown}/records")).await.expect(404)["code"], "0530910");
}

#[tokio::test]
async fn records_exchange_their_numbers_in_one_call_and_what_is_let_go_is_free_to_the_next() {
    let app = TestApp::start().await;
    let list = app.record_list("PHONE_NUMBER").await;
    let ids = app.records(&list, &[record("+442079460101"), record("+442079460102"), record("+442079460103")]).await;
    let bulks = format!("/record-lists/{list}/records/bulks");
    let number = |id: &str, number: &str| json!({"op": "replace", "path": format!("/records/{id}"), "value": {"phone_numbers": [{"phone_number": number}]}});
    let report = patch(
        &app,
        &bulks,
        &json!([
            number(&ids[0], "+442079460109"),
            number(&ids[1], "+442079460101"),
            number(&ids[0], "+442079460102"),
            // Taken, so that the next begins where this would have ended.
            number(&ids[2], "+442079460101"),
            number(&ids[2], "+442079460108")
        ]),
    )
    .await
    .expect(200);
    assert_eq!((&report["total_created"], &report["total_errors"]), (&json!(4), &json!(1)), "{report}");
    let mut now = Vec::new();
    for id in &ids {
        let found = app.get(&format!("/record-lists/{list}/records/{id}")).await.expect(200);
        now.push(found["phone_number"].as_str().expect("a number").to_owned());
    }
    assert_eq!(now, ["+442079460102", "+442079460101", "+442079460108"]);
    let kept =
        "SELECT count(*) FROM records r JOIN record_phones p ON p.record_id = r.id WHERE r.unique_key = p.phone_key";
    assert_eq!(app.count(kept).await, 3);
}

#[tokio::test]
async fn records_are_filtered_and_links_keep_the_filters() {
    let app = TestApp::start().await;
    let list = app.record_list("NOTHING").await;
    let path = format!("/record-lists/{list}/records");
    let new = |name: &str, number: &str, zone: &str, priority: Option<i64>| json!({"first_name": name, "last_name": "b", "phone_number": number, "timezone": zone, "priority": priority});
    let ids = app
        .records(
            &list,
            &[
                new("a", "+442079460101", "Europe/London", Some(1)),
                new("b", "+442079460102", "GMT", Some(2)),
                new("c", "+442079460101", "GMT", None),
            ],
        )
        .await;
    let changed =
        patch(&app, &format!("{path}/{}", ids[0]), &json!([{"op": "add", "path": "/extra_data/a", "value": 1}])).await;
    let changed = changed.expect(200);
    let names = async |query: String| {
        let page = app.get(&format!("{path}?{query}")).await.expect(200);
        let records = page["_embedded"]["records"].as_array().expect("an array").iter();
        let mut names: Vec<String> =
            records.map(|record| record["first_name"].as_str().expect("a name").to_owned()).collect();
        names.sort();
        assert_eq!(page["total"], names.len());
        (names.concat(), page["_links"]["self"]["href"].as_str().expect("a link").to_owned())
    };
    for _ in 0..7 {
        // More often than a statement is planned anew.
        assert_eq!(names("phone_number=%2B44+20+7946+0101".to_owned()).await.0, "ac");
    }
    let refused = app.get(&format!("{path}?phone_number=x")).await.expect(400);
    assert_eq!(refused, refusal("0530900", "Bad request.", &[("phone_number", "is not a phone number")]));
    let (found, link) = names("priorities=1,2&timezones=GMT".to_owned()).await;
    assert_eq!(found, "b");
    assert_eq!(link, format!("{}{path}?priorities=1%2C2&timezones=GMT&page=1&per_page=50", app.base_url));
    assert_eq!(names("priorities=1&priorities=2".to_owned()).await.0, "ab");
    assert_eq!(names("timezones=GMT,Europe/London".to_owned()).await.0, "abc");
    let updated = changed["updated_at"].as_str().expect("a time");
    assert!(names(format!("updated_at_from={updated}")).await.0.contains('a'));
    assert_eq!(names(format!("updated_at_to={updated}")).await.0, "abc");
    assert_eq!(names("updated_at_from=9999-01-01T00:00:00Z".to_owned()).await.0, "");
    let one = app.get(&format!("{path}?timezones=GMT&per_page=1")).await.expect(200);
    let next = one["_links"]["next"]["href"].as_str().expect("there is another page");
    let rest = app.get(&next[app.base_url.len()..]).await.expect(200);
    assert_eq!((&rest["total"], &rest["count"]), (&json!(2), &json!(1)));
    assert_eq!(rest["_links"].get("next"), None);
    assert_eq!(
        app.get("/record-lists/8858c834-481d-4a02-8176-cffc02c50350/records?priorities=1").await.expect(404)["code"],
        "0530910"
    );
}
