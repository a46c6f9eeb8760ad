//! The samples of the vendors' documentation, sent as they are printed and
//! answered as they are printed.
//!
//! `seeds/` has them: of Kore.ai "Bulk Delete Contacts API" (in two printings), "Delete
//! Contact API" and "Delete Contact List Details API"; of Talkdesk "Bulk Delete
//! Records", whose tables of the answers are written as a JSON Schema. The one
//! letter that is ours is the quote that ends the URL in `delete_contact.curl`: as
//! printed, the command lacks it.

use expunge::domain::identity::Scope;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::curl::Curl;
use crate::support::{Answer, Family, TestApp, fingerprint};

macro_rules! sample {
    ($name:literal) => {
        include_str!(concat!("seeds/", $name))
    };
}

/// A sample answer.
fn printed(sample: &str) -> Value {
    serde_json::from_str(sample).expect("the sample is JSON")
}

/// What of an answer is not as the sample has it: keys, their order, types and
/// values; of ids that the sample masks, and of times, the form.
fn departures(sample: &Value, answer: &Value, at: &str) -> Vec<String> {
    match (sample, answer) {
        (Value::Object(sample), Value::Object(answer)) => {
            if !sample.keys().eq(answer.keys()) {
                let keys = |of: &serde_json::Map<String, Value>| of.keys().cloned().collect::<Vec<_>>().join(", ");
                return vec![format!("{at} has {} and not {}", keys(answer), keys(sample))];
            }
            let pairs = sample.iter().zip(answer.values());
            pairs.flat_map(|((key, sample), answer)| departures(sample, answer, &format!("{at}.{key}"))).collect()
        }
        (Value::Array(sample), Value::Array(answer)) if sample.len() == answer.len() => {
            let pairs = sample.iter().zip(answer).enumerate();
            pairs.flat_map(|(index, (sample, answer))| departures(sample, answer, &format!("{at}[{index}]"))).collect()
        }
        (Value::String(masked), Value::String(answer)) if is_masked(masked) && form(masked) == form(answer) => vec![],
        (sample, answer) if sample == answer => vec![],
        (sample, answer) => vec![format!("{at} is {answer} and not {sample}")],
    }
}

/// Whether a sample's text stands for others of its form.
fn is_masked(text: &str) -> bool {
    text.contains("xxxx") || is_time(text)
}

/// The text with digits for digits; of an id the prefix stays, and its letters count as digits.
fn form(text: &str) -> String {
    let is_digit = |c: char| c.is_ascii_digit() || (!is_time(text) && matches!(c, 'a'..='f' | 'x'));
    let masked = |part: &str| part.chars().map(|c| if is_digit(c) { '0' } else { c }).collect::<String>();
    match text.split_once('-') {
        Some((prefix, rest)) if prefix.len() <= 2 => format!("{prefix}-{}", masked(rest)),
        _ => masked(text),
    }
}

/// Whether it is a time in ISO 8601, in UTC, with three decimals.
fn is_time(text: &str) -> bool {
    let digits: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    digits == "0000-00-00T00:00:00.000Z"
}

#[track_caller]
fn assert_as_printed(sample: &Value, answer: &Answer) {
    let wrong = departures(sample, &answer.expect(200), "$");
    assert!(wrong.is_empty(), "{}\n{answer:?}", wrong.join("\n"));
    assert_eq!(answer.header("Content-Type"), Some("application/json"));
}

#[test]
fn a_departure_from_a_sample_is_caught() {
    let sample = json!({"id": "cl-c2ce382-25xxxx", "name": "n", "at": "2026-01-09T05:20:39.374Z", "of": [{"a": 1}]});
    let good = r#"{"id":"cl-0123456-abcdef","name":"n","at":"2027-11-29T15:00:00.000Z","of":[{"a":1}]}"#;
    assert_eq!(departures(&sample, &printed(good), "$"), Vec::<String>::new());
    for (from, to, said) in [
        ("cl-0123456", "cl-01234567", "$.id"),
        ("cl-0123456", "dl-0123456", "$.id"),
        ("abcdef", "ABCDEF", "$.id"),
        (r#""n""#, r#""m""#, "$.name"),
        (r#""n""#, "null", "$.name"),
        (".000Z", "Z", "$.at"),
        (".000Z", ".000+00:00", "$.at"),
        (r#""a":1"#, r#""a":1,"b":2"#, "$.of[0]"),
        (r#""a":1"#, r#""a":"1""#, "$.of[0].a"),
        (r#""a":1"#, r#""A":1"#, "$.of[0]"),
        (r#"[{"a":1}]"#, "[]", "$.of"),
        (r#""name":"n","at":"2027-11-29T15:00:00.000Z""#, r#""at":"2027-11-29T15:00:00.000Z","name":"n""#, "$ "),
    ] {
        let wrong = departures(&sample, &printed(&good.replace(from, to)), "$");
        assert!(wrong.len() == 1 && wrong[0].starts_with(said), "{to}: {wrong:?}");
    }
}

#[tokio::test]
async fn the_bulk_deletion_of_contacts_is_as_it_is_printed() {
    for (number, (command, sample)) in [
        (sample!("bulk_delete_contacts.curl"), sample!("bulk_delete_contacts.json")),
        (sample!("bulk_delete_contacts_page.curl"), sample!("bulk_delete_contacts_page.json")),
    ]
    .into_iter()
    .enumerate()
    {
        let app = TestApp::start().await;
        let account = &app.account;
        for (spelling, first) in [("\"ids\"", 0), ("\"id\"", 2)] {
            let ids = app.contacts(9_000_000_000 + first, 2).await;
            let fill = |text: &str| {
                text.replace("{{streamId}}", &account.stream)
                    .replace("{{accountId}}", &account.id)
                    .replace("{{jwt_token}}", &account.token)
                    .replace("6960cbe9b155d194e2fxxxxx", &ids[0])
                    .replace("6960cc07b155d194e2fxxxxx", &ids[1])
            };
            // The table of the body's parameters calls them id, its sample ids.
            let sent = Curl::read(&fill(&command.replace("\"ids\"", spelling)));
            let before = fingerprint(&app.admin).await;
            for (header, status) in [("auth", 401), ("accountId", 400), ("Content-Type", 415)] {
                let refused = sent.clone().without(header).send(&app.base_url).await;
                Family::Contacts.refusal(&refused, status).unwrap_or_else(|wrong| panic!("no {header}: {wrong}"));
            }
            assert_eq!(fingerprint(&app.admin).await, before);

            let answer = sent.send(&app.base_url).await;
            assert_as_printed(&printed(&fill(sample)), &answer);
            assert_eq!(answer.text, printed(&fill(sample)).to_string(), "printing {number}");
            for id in &ids {
                assert_eq!(app.get(&account.contact_path(id)).await.expect(200)["status"], "INACTIVE");
            }
        }
    }
}

#[tokio::test]
async fn the_deletion_of_a_contact_is_as_it_is_printed() {
    let app = TestApp::start().await;
    let account = &app.account;
    let sample = printed(sample!("delete_contact.json"));
    // What of the contact is the caller's to say is said as the sample has it.
    let mut new = json!({"cellPhone": sample["cellPhone"]});
    for field in ["firstName", "lastName", "salutation"] {
        new[field] = sample[field].clone();
    }
    for (number, variant) in ["as printed", "no Content-Type", "mode=hard"].into_iter().enumerate() {
        new["cellPhone"]["phoneNumber"] = json!(format!("+91244560000{number}"));
        let created = app.post(&account.contacts_path(), &json!([new])).await.expect(200)[0].take();
        let id = created["id"].as_str().expect("a contact has an id");
        let command = sample!("delete_contact.curl")
            .replace("{{streamId}}", &account.stream)
            .replace("{{id}}", id)
            .replace("{{accountId}}", &account.id)
            .replace("{{jwt_token}}", &account.token);
        let mut sent = Curl::read(&command);
        for (header, status) in [("auth", 401), ("accountId", 400)] {
            let refused = sent.clone().without(header).send(&app.base_url).await;
            Family::Contacts.refusal(&refused, status).unwrap_or_else(|wrong| panic!("no {header}: {wrong}"));
        }
        match variant {
            "no Content-Type" => sent = sent.without("Content-Type"),
            "mode=hard" => sent.path += "?mode=hard",
            _ => {}
        }
        let answer = sent.send(&app.base_url).await;
        assert_as_printed(&sample, &answer);
        let mut wanted = created.clone();
        wanted["status"] = json!("INACTIVE");
        wanted["updatedAt"] = answer.json()["updatedAt"].clone();
        assert_eq!(answer.json(), wanted, "{variant}: nothing else of the contact changed");
        assert_eq!(wanted["instanceBotId"], account.stream.as_str());
        assert_eq!(wanted["accountId"], account.id.as_str());
    }
}

#[tokio::test]
async fn the_deletion_of_a_contact_list_is_as_it_is_printed() {
    let app = TestApp::start().await;
    let account = &app.account;
    // Of this one id the documentation masks a digit less than it has.
    let sample = printed(&sample!("delete_contact_list.json").replace("d5d4086xxxx", "d5d4086xxxxx"));
    let data = &sample["data"];
    let new = json!({
        "name": data["name"], "description": data["description"], "source": data["source"], "allowDuplicates": true
    });
    for variant in ["as printed", "application/json", "no body"] {
        let create = account.family("/campaign/contactList/createContactList");
        let created = app.post(&create, &new).await.expect(200)["data"].take();
        let id = created["_id"].as_str().expect("a list has an id");
        let command = sample!("delete_contact_list.curl")
            .replace("{{IID}}", &account.stream)
            .replace("{{contactListId}}", id)
            .replace("st-0603182c-7ffb-53c3-b307-47ca14b9xxxx", &account.stream)
            .replace("67777ce93e25326494e9xxxx", &account.id)
            .replace("<token>", &account.token);
        let mut sent = Curl::read(&command);
        for (header, status) in [("auth", 401), ("iid", 400), ("accountId", 400)] {
            let refused = sent.clone().without(header).send(&app.base_url).await;
            Family::Campaigns.refusal(&refused, status).unwrap_or_else(|wrong| panic!("no {header}: {wrong}"));
        }
        match variant {
            "application/json" => sent = sent.with("Content-Type", "application/json"),
            "no body" => sent.data = None,
            _ => {}
        }
        let answer = sent.send(&app.base_url).await;
        assert_as_printed(&sample, &answer);
        let deleted = &answer.json()["data"];
        for (field, value) in deleted.as_object().expect("an object") {
            assert_eq!(created[field], *value, "{variant}: {field} as it was before");
        }
        assert_eq!((&created["iId"], &created["accountId"]), (&json!(account.stream), &json!(account.id)));
        app.get(&account.contact_list_path(id)).await.expect(404);
    }
}

/// Holds an answer to a table of the documentation.
#[track_caller]
fn assert_as_tabled(table: &str, answer: &Answer) {
    let mut schema = printed(sample!("bulk_delete_records.schema.json"));
    schema["$ref"] = json!(format!("#/$defs/{table}"));
    let validator = jsonschema::draft202012::new(&schema).expect("the tables are a schema");
    let body = answer.json();
    let wrong: Vec<String> =
        validator.iter_errors(&body).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(wrong.is_empty(), "{}\n{answer:?}", wrong.join("\n"));
    if table == "200" {
        // No row of the table is required; all are there.
        for row in ["record_list_id", "has_errors", "total_deleted", "total_errors", "_links", "_embedded"] {
            assert!(body.get(row).is_some(), "{row}: {body}");
        }
        assert!(body["_embedded"]["failed_records"].is_array(), "{body}");
    } else {
        assert!(body["fields"].is_array() && body["description"].is_string(), "{body}");
    }
}

async fn delete_records(app: &TestApp, token: &str, list: &str, body: &str) -> Answer {
    let request = app.anonymous(Method::DELETE, &format!("/record-lists/{list}/records/bulks"));
    let authorization = format!("Bearer {token}");
    request.header("Authorization", &authorization).body("application/json", body).send().await
}

#[tokio::test]
async fn the_bulk_deletion_of_records_is_as_it_is_printed() {
    let app = TestApp::start().await;
    let token = &app.account.token;
    let person = |more: Value| {
        let mut person = json!({"first_name": "Ada", "last_name": "Byron", "phone_number": "+14155550100", "timezone": "Europe/London"});
        more.as_object().expect("an object").iter().for_each(|(field, value)| person[field] = value.clone());
        person
    };
    let by_id = sample!("bulk_delete_records_by_id.json");
    for body in [
        by_id,
        sample!("bulk_delete_records_by_phone_number.json"),
        sample!("bulk_delete_records_by_external_reference.json"),
    ] {
        let items = printed(body);
        let items = items.as_array().expect("the sample is an array");
        let list = app.record_list("NOTHING").await;

        // Before the sample's records are there, each is an outcome.
        let nothing = delete_records(&app, token, &list, body).await;
        assert_as_tabled("200", &nothing);
        let nothing = nothing.expect(200);
        assert_eq!((&nothing["total_deleted"], &nothing["total_errors"]), (&json!(0), &json!(items.len())));
        assert_eq!(nothing["_embedded"]["failed_records"].as_array().map(Vec::len), Some(items.len()));
        let first = &nothing["_embedded"]["failed_records"][0];
        if body == by_id {
            let href =
                format!("{}/record-lists/{list}/records/{}", app.base_url, items[0]["id"].as_str().expect("an id"));
            assert_eq!((&first["id"], &first["_links"]["self"]["href"]), (&items[0]["id"], &json!(href)));
        }

        // An id is not the caller's to choose; numbers and references are.
        let made = |item: &Value| person(if body == by_id { json!({}) } else { item.clone() });
        let ids = app.records(&list, &items.iter().map(made).collect::<Vec<_>>()).await;
        let filled = items.iter().zip(&ids).fold(body.to_owned(), |body, (item, id)| match item["id"].as_str() {
            Some(printed) => body.replace(printed, id),
            None => body,
        });
        let answer = delete_records(&app, token, &list, &filled).await;
        assert_as_tabled("200", &answer);
        assert_eq!(answer.header("Content-Type"), Some("application/hal+json"));
        let base = format!("{}/record-lists/{list}", app.base_url);
        let wanted = json!({
            "record_list_id": list, "has_errors": false, "total_deleted": ids.len(), "total_errors": 0,
            "records_deleted": ids.len(),
            "_links": {"self": {"href": format!("{base}/records")}, "record_list": {"href": base}},
            "_embedded": {"failed_records": [], "reason": {"bad_request_param": [], "record_not_found": []}}
        });
        assert_eq!(answer.text, wanted.to_string());
        assert_eq!(app.get(&format!("/record-lists/{list}")).await.expect(200)["records_count"], 0);
    }
}

#[tokio::test]
async fn the_refusals_of_the_bulk_deletion_of_records_are_as_they_are_tabled() {
    let app = TestApp::start().await;
    let list = app.record_list("NOTHING").await;
    let limited = app.with_scopes(&[Scope::Configuration]).await;
    let (own, unknown) = (list.as_str(), "8858c834-481d-4a02-8176-cffc02c50350");
    let body = sample!("bulk_delete_records_by_id.json");
    for (token, list, body, status) in [
        (&app.account.token, own, "[]", 400),
        (&app.account.token, own, r#"[{"id": 7}]"#, 400),
        (&app.account.token, own, r#"[{"id": "a"}, {"phone_number": "+188888888"}]"#, 400),
        (&limited.token, own, body, 403),
        (&app.account.token, unknown, body, 404),
    ] {
        let refused = delete_records(&app, token, list, body).await;
        Family::RecordLists.refusal(&refused, status).unwrap_or_else(|wrong| panic!("{body}: {wrong}"));
        assert_as_tabled("error", &refused);
    }
}
