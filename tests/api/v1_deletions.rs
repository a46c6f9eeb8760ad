//! Deletions by the native family: asked for, and looked up.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::TestApp;

fn contacts(app: &TestApp, items: Value) -> Value {
    json!({"resource": "contact", "within": {"stream_id": app.account.stream}, "items": items})
}

fn with(mut body: Value, more: &Value) -> Value {
    for (field, value) in more.as_object().expect("fields") {
        body[field] = value.clone();
    }
    body
}

#[tokio::test]
async fn things_named_in_any_way_have_one_outcome_each_in_the_order_sent() {
    let app = TestApp::start().await;
    let ids = app.contacts(9_000_000_000, 3).await;
    let sent = json!([
        {"id": ids[1]}, {"phone_number": "+91 90000 00000"}, {"id": ids[1]}, {"id": "x"}, {"phone_number": "+49301234567"},
        {"phone_number": "+91 9000000001"}
    ]);
    let answer = app.post("/v1/deletions", &with(contacts(&app, sent.clone()), &json!({"note": "a request"}))).await;
    let id = answer.header("Deletion-Id").expect("it has an id").to_owned();
    let report = answer.expect(200);
    assert_eq!(report["id"], id.as_str());
    assert_eq!(
        json!([
            report["state"],
            report["requested"],
            report["succeeded"],
            report["failed"],
            report["rows_affected"],
            report["note"]
        ]),
        json!(["partial", 6, 2, 4, 2, "a request"])
    );
    let outcomes = report["outcomes"].as_array().expect("outcomes");
    let words: Vec<&str> = outcomes.iter().map(|outcome| outcome["reason"].as_str().expect("a word")).collect();
    let wanted =
        ["DELETED", "DELETED", "DUPLICATE_IN_REQUEST", "INVALID_IDENTIFIER", "NOT_FOUND", "DUPLICATE_IN_REQUEST"];
    assert_eq!(words, wanted);
    assert_eq!(outcomes[1]["rows"], json!([ids[0]]));
    for (index, outcome) in outcomes.iter().enumerate() {
        assert_eq!((&outcome["position"], &outcome["item"]), (&json!(index + 1), &sent[index]));
    }
    // The same is looked up later.
    let found = app.get(&format!("/v1/deletions/{id}")).await.expect(200);
    let mut as_answered = report.clone();
    as_answered.as_object_mut().expect("an object").remove("outcomes");
    assert_eq!(found, as_answered);
    let page = app.get(&format!("/v1/deletions/{id}/outcomes")).await.expect(200);
    assert_eq!(page, json!({"results": report["outcomes"]}));
    let listed = app.get("/v1/deletions?resource=contact&state=partial").await.expect(200);
    assert_eq!(listed, json!({"results": [as_answered]}));
    assert_eq!(app.get("/v1/deletions?state=failed").await.expect(200), json!({"results": []}));
}

#[tokio::test]
async fn outcomes_are_paged_filtered_and_downloaded() {
    let app = TestApp::start().await;
    let ids = app.contacts(9_000_000_000, 120).await;
    let items: Vec<Value> =
        ids.iter().map(|id| json!({ "id": id })).chain([json!({"phone_number": "+1 415 555 0100"})]).collect();
    let id = app.post("/v1/deletions", &contacts(&app, json!(items))).await.expect(200)["id"].clone();
    let path = format!("/v1/deletions/{}/outcomes", id.as_str().expect("an id"));
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = app.get(&format!("{path}?limit=50{after}")).await.expect(200);
        let results = page["results"].as_array().expect("results");
        seen.extend(results.iter().map(|outcome| outcome["item"].clone()));
        match page["after"].as_str() {
            Some(place) => after = format!("&after={place}"),
            None => break,
        }
    }
    assert_eq!(seen, items);
    let missing = app.get(&format!("{path}?reason=NOT_FOUND")).await.expect(200);
    assert_eq!(missing["results"][0]["position"], 121);
    assert_eq!(missing["results"].as_array().map(Vec::len), Some(1));
    app.get(&format!("{path}?reson=NOT_FOUND")).await.expect(400);
    app.get("/v1/deletions?staet=failed").await.expect(400);
    let download = async |kind: &str| {
        let answer = app.request(Method::GET, &path).header("Accept", kind).send().await;
        assert!(answer.header("Content-Type").expect("a type").starts_with(kind), "{answer:?}");
        answer.text
    };
    let lines: Vec<Value> =
        download("application/x-ndjson").await.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 121);
    assert_eq!(lines[120], missing["results"][0]);
    let csv = download("text/csv").await;
    let rows: Vec<&str> = csv.split("\r\n").collect();
    assert_eq!(rows[0], "position,id,phone_number,external_provider,external_id,done,reason,rows,conflicting_id");
    assert_eq!(rows[1], format!("1,{},,,,true,DELETED,{},", ids[0], ids[0]));
    assert_eq!(rows[121], "121,,+1 415 555 0100,,,false,NOT_FOUND,,");
    assert_eq!((rows.len(), rows[122]), (123, ""));
}

#[tokio::test]
async fn a_deletion_by_any_family_is_looked_up_by_its_id() {
    let app = TestApp::start().await;
    let ids = app.contacts(9_000_000_000, 3).await;
    let single = app.delete(&app.account.contact_path(&ids[0])).await;
    let bulk = app.delete_with(&app.account.bulk_delete_path(), &json!({"ids": [ids[1], "x"]})).await;
    let list = app.record_list("NOTHING").await;
    let hard = app.delete(&format!("/record-lists/{list}?mode=hard&note=over")).await;
    for (answer, resource, mode, outcomes) in [
        (&single, "contact", "soft", json!(["DELETED"])),
        (&bulk, "contact", "soft", json!(["DELETED", "INVALID_IDENTIFIER"])),
        (&hard, "record_list", "hard", json!(["DELETED"])),
    ] {
        let id = answer.header("Deletion-Id").expect("an id");
        let found = app.get(&format!("/v1/deletions/{id}")).await.expect(200);
        assert_eq!((&found["resource"], &found["mode"]), (&json!(resource), &json!(mode)));
        let page = app.get(&format!("/v1/deletions/{id}/outcomes")).await.expect(200);
        let words: Vec<&Value> =
            page["results"].as_array().expect("results").iter().map(|one| &one["reason"]).collect();
        assert_eq!(json!(words), outcomes);
    }
    let listed = app.get("/v1/deletions").await.expect(200);
    let notes: Vec<&Value> = listed["results"].as_array().expect("results").iter().map(|one| &one["note"]).collect();
    assert_eq!(json!(notes), json!(["over", null]), "the newest first, without the single one");
    app.get("/v1/deletions/x").await.expect(404);
    app.get("/v1/deletions/01a20694-3b1c-7d35-a9fe-12ab34cd56ef/outcomes").await.expect(404);
    let other = &app.other;
    let id = bulk.header("Deletion-Id").expect("an id");
    app.request_as(other, Method::GET, &format!("/v1/deletions/{id}")).send().await.expect(404);
}

#[tokio::test]
async fn what_would_be_done_is_said_and_not_done() {
    let app = TestApp::start().await;
    let ids = app.contacts(9_000_000_000, 2).await;
    let body = with(contacts(&app, json!([{"id": ids[0]}, {"id": "x"}])), &json!({"validate_only": true}));
    let answer = app.post("/v1/deletions", &body).await;
    assert_eq!((answer.header("Validate-Only"), answer.header("Deletion-Id")), (Some("true"), None));
    let report = answer.expect(200);
    assert_eq!((&report["id"], &report["succeeded"]), (&Value::Null, &json!(1)));
    let answer = app.delete(&format!("{}?validateOnly=true", app.account.contact_path(&ids[0]))).await;
    assert_eq!((answer.header("Validate-Only"), answer.header("Deletion-Id")), (Some("true"), None));
    assert_eq!(answer.expect(200)["status"], "INACTIVE");
    assert_eq!(app.get(&app.account.contact_path(&ids[0])).await.expect(200)["status"], "ACTIVE");
    assert_eq!(app.count("SELECT (SELECT count(*) FROM ledger) + (SELECT count(*) FROM deletions)").await, 0);
}

#[tokio::test]
async fn no_more_rows_go_than_may() {
    let app = TestApp::start().await;
    let ids = app.contacts(9_000_000_000, 3).await;
    let path = format!("{}?maxAffected=2", app.account.bulk_delete_path());
    let refused = app.delete_with(&path, &json!({ "ids": ids })).await.expect(409);
    assert_eq!(refused["errors"][0]["reason"], "MAX_AFFECTED");
    let items: Vec<Value> = ids.iter().map(|id| json!({ "id": id })).collect();
    let refused = app.post("/v1/deletions", &with(contacts(&app, json!(items)), &json!({"max_affected": 2}))).await;
    assert_eq!(refused.expect(409)["reason"], "MAX_AFFECTED");
    assert_eq!(app.count("SELECT count(*) FROM contacts WHERE deleted_at IS NULL").await, 3);
    assert_eq!(app.delete_with(&path, &json!({ "ids": ids[..2] })).await.expect(200)["successful"], 2);
}

#[tokio::test]
async fn what_is_missing_counts_as_done_where_it_may() {
    let app = TestApp::start().await;
    let ids = app.contacts(9_000_000_000, 2).await;
    app.delete(&app.account.contact_path(&ids[0])).await.expect(200);
    let path = format!("{}?allowMissing=true&atomic=true", app.account.bulk_delete_path());
    let unknown = "00000000c1746a6142900000";
    let report = app.delete_with(&path, &json!({"ids": [ids[0], unknown, ids[1]]})).await.expect(200);
    assert_eq!((&report["successful"], &report["failed"]), (&json!(3), &json!(0)));
    let again = app.delete(&format!("{}?allowMissing=true", app.account.contact_path(&ids[0]))).await;
    assert_eq!(again.header("Deletion-Id"), None);
    assert_eq!(again.expect(200)["status"], "INACTIVE");
    app.delete(&format!("{}?allowMissing=true", app.account.contact_path(unknown))).await.expect(204);
    let list = app.record_list("NOTHING").await;
    app.delete(&format!("/record-lists/{list}?allow_missing=true")).await.expect(204);
    app.delete(&format!("/record-lists/{list}?allow_missing=true")).await.expect(204);
    app.delete(&format!("/record-lists/{list}")).await.expect(404);
}

#[tokio::test]
async fn what_is_on_hold_is_not_removed_whichever_way_it_is_named() {
    let app = TestApp::start().await;
    let contacts = app.contacts(9_000_000_000, 3).await;
    let list = app.record_list("NOTHING").await;
    let record = json!({"first_name": "a", "last_name": "b", "phone_number": "+14155550100"});
    let records = app.records(&list, &vec![record; 3]).await;
    for (table, id) in [("contacts", &contacts[0]), ("records", &records[0])] {
        sqlx::query(sqlx::AssertSqlSafe(format!("UPDATE {table} SET held = true WHERE id::text = $1")))
            .bind(id)
            .execute(&app.admin)
            .await
            .expect("a hold");
    }
    let lists = json!({"resource": "record_list"});
    let [in_stream, in_list] = [
        json!({"resource": "contact", "within": {"stream_id": app.account.stream}}),
        json!({"resource": "record", "within": {"record_list_id": list}}),
    ];
    let hard = async |what: &Value, which: Value, preferred: &str| {
        let body = with(with(what.clone(), &which), &json!({"mode": "hard"}));
        let request = app.request(Method::POST, "/v1/deletions").header("Prefer", preferred).json(&body);
        let id = request.send().await.header("Deletion-Id").expect("an id").to_owned();
        app.work().await;
        app.get(&format!("/v1/deletions/{id}")).await.expect(200)["reasons"].clone()
    };
    for (what, ids) in [(&in_stream, &contacts), (&in_list, &records)] {
        let two = |index: usize| json!({"items": [{"id": ids[0]}, {"id": ids[index]}]});
        assert_eq!(hard(what, two(1), "wait=1").await, json!({"ON_HOLD": 1, "DELETED": 1}));
        assert_eq!(hard(what, two(2), "respond-async").await, json!({"ON_HOLD": 1, "DELETED": 1}));
        assert_eq!(hard(what, json!({"all": true}), "wait=1").await, json!({"ON_HOLD": 1}));
    }
    // A list is on hold with what is in it.
    for preferred in ["wait=1", "respond-async"] {
        assert_eq!(hard(&lists, json!({"items": [{"id": list}]}), preferred).await, json!({"ON_HOLD": 1}));
    }
    // It can go to the trash, and does not go on from there.
    let trash = with(in_stream.clone(), &json!({"all": true}));
    app.post("/v1/deletions", &trash).await.expect(202);
    app.work().await;
    let trashed = json!({"filter": {"deleted_before": "2100-01-01T00:00:00Z"}});
    assert_eq!(hard(&in_stream, trashed, "wait=1").await, json!({"ON_HOLD": 1}));
    for (table, left) in [("contacts", 1), ("records", 1), ("record_lists", 1)] {
        assert_eq!(app.counted(format!("SELECT count(*) FROM {table}")).await, left, "{table}");
    }
}
