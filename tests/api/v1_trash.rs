//! Undo, restore, and what is in the trash.

use reqwest::Method;
use serde_json::{Value, json};

use crate::concurrency::{so_many_wait_for_locks, something_waits_for_a_lock};
use crate::idempotency::hold_the_ledger;
use crate::support::TestApp;

fn words(report: &Value) -> Vec<&str> {
    report["outcomes"].as_array().expect("outcomes").iter().map(|one| one["reason"].as_str().expect("a word")).collect()
}

async fn undo(app: &TestApp, id: &str) -> Value {
    app.request(Method::POST, &format!("/v1/deletions/{id}/undo")).send().await.expect(200)
}

#[tokio::test]
async fn an_undo_restores_what_its_deletion_took_and_nothing_else() {
    let app = TestApp::start().await;
    let ids = app.contacts(9_000_000_000, 5).await;
    app.delete(&app.account.contact_path(&ids[0])).await.expect(200);
    let bulk = app.delete_with(&app.account.bulk_delete_path(), &json!({"ids": ids})).await;
    let id = bulk.header("Deletion-Id").expect("an id").to_owned();
    // Meanwhile one number is given away, one contact is gone for good, and one restored and deleted again.
    let taker = app.contacts(9_000_000_001, 1).await.remove(0);
    app.delete(&format!("{}?mode=hard", app.account.contact_path(&ids[2]))).await.expect(200);
    let body = json!({"resource": "contact", "within": {"stream_id": app.account.stream}, "items": [{"id": ids[3]}]});
    assert_eq!(words(&app.post("/v1/trash/restore", &body).await.expect(200)), ["RESTORED"]);
    app.delete(&app.account.contact_path(&ids[3])).await.expect(200);

    let report = undo(&app, &id).await;
    let of = |report: &Value, id: &String| {
        let outcomes = report["outcomes"].as_array().expect("outcomes");
        outcomes.iter().find(|one| one["item"]["id"] == id.as_str()).expect("an outcome").clone()
    };
    for (index, word) in [(1, "KEY_RETAKEN"), (2, "ALREADY_PURGED"), (3, "ALREADY_RESTORED"), (4, "RESTORED")] {
        assert_eq!(of(&report, &ids[index])["reason"], word);
    }
    assert_eq!(report["requested"], 4, "and nothing of what another deletion took");
    assert_eq!(of(&report, &ids[1])["conflicting_id"], taker);
    assert_eq!(
        (&report["action"], &report["undoes"], &report["state"]),
        (&json!("undo"), &json!(id), &json!("partial"))
    );
    let status = async |id: &str| app.get(&app.account.contact_path(id)).await.expect(200)["status"].clone();
    assert_eq!(status(&ids[4]).await, "ACTIVE");
    for other in [&ids[0], &ids[1], &ids[3]] {
        assert_eq!(status(other).await, "INACTIVE");
    }
    let undo_id = report["id"].as_str().expect("an id");
    let found = app.get(&format!("/v1/deletions/{undo_id}")).await.expect(200);
    assert_eq!(found["reasons"], report["reasons"]);
    let outcomes = app.get(&format!("/v1/deletions/{undo_id}/outcomes")).await.expect(200);
    assert_eq!(outcomes["results"], report["outcomes"]);
    assert_eq!(of(&undo(&app, &id).await, &ids[4])["reason"], "ALREADY_RESTORED");
    for (id, status) in [(undo_id, 409), ("x", 404), ("01a20694-3b1c-7d35-a9fe-12ab34cd56ef", 404)] {
        app.request(Method::POST, &format!("/v1/deletions/{id}/undo")).send().await.expect(status);
    }
}

#[tokio::test]
async fn a_single_deletion_is_undone_by_its_id_and_a_hard_one_is_not() {
    let app = TestApp::start().await;
    let ids = app.contacts(9_000_000_000, 2).await;
    let soft = app.delete(&app.account.contact_path(&ids[0])).await.header("Deletion-Id").expect("an id").to_owned();
    assert_eq!(words(&undo(&app, &soft).await), ["RESTORED"]);
    let path = format!("{}?mode=hard", app.account.contact_path(&ids[1]));
    let hard = app.delete(&path).await.header("Deletion-Id").expect("an id").to_owned();
    let refused = app.request(Method::POST, &format!("/v1/deletions/{hard}/undo")).send().await.expect(409);
    assert_eq!(refused["reason"], "WRONG_STATE");
}

#[tokio::test]
async fn a_large_undo_runs_in_the_background_as_the_deletion_did() {
    let app = TestApp::start().await;
    app.contacts(9_000_000_000, 1000).await;
    app.contacts(9_000_001_000, 700).await;
    let body = json!({"resource": "contact", "within": {"stream_id": app.account.stream}, "all": true});
    let deletion = app.post("/v1/deletions", &body).await.header("Location").expect("a place").to_owned();
    app.work().await;
    let taker = app.contacts(9_000_001_005, 1).await.remove(0);
    let undo = app.request(Method::POST, &format!("{deletion}/undo")).send().await;
    let location = undo.header("Location").expect("it says where").to_owned();
    assert_eq!(undo.expect(202)["state"], "queued");
    app.work().await;
    let done = app.get(&location).await.expect(200);
    assert_eq!(
        json!([done["state"], done["requested"], done["reasons"]]),
        json!(["partial", 1700, {"RESTORED": 1699, "KEY_RETAKEN": 1}])
    );
    let retaken = app.get(&format!("{location}/outcomes?reason=KEY_RETAKEN")).await.expect(200);
    assert_eq!(retaken["results"][0]["conflicting_id"], taker);
    assert_eq!(app.count("SELECT count(*) FROM contacts WHERE deleted_at IS NULL").await, 1700);
}

#[tokio::test]
async fn two_undos_at_once_restore_each_row_once() {
    let app = TestApp::start().await;
    for round in 0..10 {
        let ids = app.contacts(9_000_000_000 + round * 100, 100).await;
        let bulk = app.delete_with(&app.account.bulk_delete_path(), &json!({ "ids": ids })).await;
        let id = bulk.header("Deletion-Id").expect("an id").to_owned();
        let (one, two) = tokio::join!(undo(&app, &id), undo(&app, &id));
        let restored = |report: &Value| report["reasons"]["RESTORED"].as_i64().unwrap_or(0);
        assert_eq!(restored(&one) + restored(&two), 100, "{one} {two}");
        let left = "SELECT count(*) FROM contacts WHERE version <> 3 OR deleted_at IS NOT NULL";
        assert_eq!(app.count(left).await, 0);
    }
    let entries = "SELECT count(*) FROM ledger, unnest(row_ids) WHERE action = 'restored'";
    assert_eq!(app.count(entries).await, 1000);
}

#[tokio::test]
async fn an_undo_waits_for_another_that_is_under_way_and_finds_nothing_left() {
    let app = TestApp::start().await;
    let ids = app.contacts(9_000_000_000, 3).await;
    let bulk = app.delete_with(&app.account.bulk_delete_path(), &json!({ "ids": ids })).await;
    let id = bulk.header("Deletion-Id").expect("an id").to_owned();
    // The first has changed the rows, and cannot commit yet.
    let holder = hold_the_ledger(&app).await;
    let second = async {
        something_waits_for_a_lock(&app).await;
        let let_go = async {
            so_many_wait_for_locks(&app, 2).await;
            holder.rollback().await.expect("the lock is let go");
        };
        tokio::join!(undo(&app, &id), let_go).0
    };
    let (first, second) = tokio::join!(undo(&app, &id), second);
    assert_eq!(words(&first), ["RESTORED"; 3]);
    assert_eq!(words(&second), ["ALREADY_RESTORED"; 3]);
    assert_eq!(app.count("SELECT count(*) FROM contacts WHERE version = 3 AND deleted_at IS NULL").await, 3);
    assert_eq!(app.count("SELECT count(*) FROM ledger, unnest(row_ids) WHERE action = 'restored'").await, 3);
}

#[tokio::test]
async fn a_campaign_takes_up_the_lists_that_are_still_there() {
    let app = TestApp::start().await;
    let list = app.contact_list("called").await;
    let campaign = app.campaign("calls", "called").await;
    let records = app.record_list("NOTHING").await;
    app.post(&format!("/campaigns/{campaign}/record-lists"), &json!([{"id": records}])).await.expect(204);
    let deleted = app.delete(&app.account.campaign_path(&campaign)).await;
    let id = deleted.header("Deletion-Id").expect("an id").to_owned();
    app.delete(&format!("/record-lists/{records}")).await.expect(204);
    let report = undo(&app, &id).await;
    assert_eq!(report["outcomes"][0]["missing_lists"], json!([records]));
    app.delete(&app.account.contact_list_path(&list)).await.expect(409);
}

#[tokio::test]
async fn what_is_in_a_deleted_list_waits_for_the_list() {
    let app = TestApp::start().await;
    let list = app.record_list("PHONE_NUMBER").await;
    let record = |number: &str| json!({"first_name": "a", "last_name": "b", "phone_number": number});
    let ids = app.records(&list, &[record("+14155550100"), record("+14155550101")]).await;
    let one = app.delete(&format!("/record-lists/{list}/records/{}", ids[0])).await;
    let one = one.header("Deletion-Id").expect("an id").to_owned();
    let whole = app.delete(&format!("/record-lists/{list}")).await.header("Deletion-Id").expect("an id").to_owned();
    assert_eq!(words(&undo(&app, &one).await), ["PARENT_DELETED"]);
    assert_eq!(words(&undo(&app, &whole).await), ["RESTORED"]);
    let live = app.get(&format!("/record-lists/{list}/records")).await.expect(200);
    assert_eq!(live["total"], 1, "what was removed before stays removed");
    assert_eq!(words(&undo(&app, &one).await), ["RESTORED"]);
    let ledgered = app.count("SELECT count(*) FROM ledger WHERE action = 'restored'").await;
    assert_eq!(ledgered, 2);
}

#[tokio::test]
async fn the_trash_is_searched_by_what_things_were_known_by_across_kinds() {
    let app = TestApp::start().await;
    let contact = app.contacts(9_000_000_000, 2).await.remove(0);
    app.delete(&app.account.contact_path(&contact)).await.expect(200);
    let list = app.contact_list("Renewals").await;
    app.delete(&app.account.contact_list_path(&list)).await.expect(200);
    let records = app.record_list("NOTHING").await;
    let new = json!({"first_name": "Ada", "last_name": "Byron", "phone_number": "+91 9000000000", "external_provider": "crm", "external_id": "1"});
    let record = app.records(&records, &[new]).await.remove(0);
    let deletion = app.delete(&format!("/record-lists/{records}/records/{record}")).await;
    let deletion = deletion.header("Deletion-Id").expect("an id").to_owned();
    let found = async |query: &str| {
        let page = app.get(&format!("/v1/trash{query}")).await.expect(200);
        let mut ids: Vec<String> = page["results"]
            .as_array()
            .expect("results")
            .iter()
            .map(|one| one["id"].as_str().expect("an id").to_owned())
            .collect();
        ids.sort();
        ids
    };
    let sorted = |ids: &[&String]| {
        let mut ids: Vec<String> = ids.iter().map(|id| (*id).clone()).collect();
        ids.sort();
        ids
    };
    assert_eq!(found("").await, sorted(&[&contact, &list, &record]));
    assert_eq!(found("?phone_number=%2B919000000000").await, sorted(&[&contact, &record]));
    assert_eq!(found("?resource=contact").await, sorted(&[&contact]));
    assert_eq!(found("?name=RENEWALS").await, sorted(&[&list]));
    assert_eq!(found("?name=ada%20byron").await, sorted(&[&record]));
    assert_eq!(found("?external_provider=crm&external_id=1").await, sorted(&[&record]));
    assert_eq!(found(&format!("?deletion_id={deletion}")).await, sorted(&[&record]));
    assert_eq!(found("?deleted_after=2100-01-01T00:00:00Z").await, Vec::<String>::new());
    app.get("/v1/trash?nmae=RENEWALS").await.expect(400);
    let page = app.get("/v1/trash?limit=2").await.expect(200);
    let next = page["after"].as_str().expect("there are more");
    let rest = app.get(&format!("/v1/trash?limit=2&after={next}")).await.expect(200);
    assert_eq!((rest["results"].as_array().map(Vec::len), rest.get("after")), (Some(1), None));
    let first = &app.get("/v1/trash?resource=record").await.expect(200)["results"][0];
    assert_eq!(first["within"], json!({ "record_list_id": records }));
    assert_eq!(
        json!([first["phone_number"], first["purge_at"], first["held"]]),
        json!(["+91 9000000000", null, false])
    );
    // Others' trash is none of theirs.
    let theirs = app.request_as(&app.other, Method::GET, "/v1/trash").send().await.expect(200);
    assert_eq!(theirs, json!({"results": []}));
}

#[tokio::test]
async fn what_a_deletion_took_in_batches_is_found_page_by_page_by_its_id() {
    let app = TestApp::start().await;
    let before = app.contacts(9_000_000_000, 1).await.remove(0);
    app.delete(&app.account.contact_path(&before)).await.expect(200);
    app.contacts(9_000_000_001, 1000).await;
    app.contacts(9_000_001_001, 150).await;
    let body = json!({"resource": "contact", "within": {"stream_id": app.account.stream}, "all": true});
    let deletion = app.post("/v1/deletions", &body).await.expect(202)["id"].as_str().expect("an id").to_owned();
    app.work().await;
    let after = app.contacts(9_000_000_000, 1).await.remove(0);
    app.delete(&app.account.contact_path(&after)).await.expect(200);

    let mut path = format!("/v1/trash?limit=100&deletion_id={deletion}");
    let mut found = Vec::new();
    loop {
        let page = app.get(&path).await.expect(200);
        for one in page["results"].as_array().expect("results") {
            assert_eq!(one["deletion_id"], deletion.as_str());
            found.push(one["id"].to_string());
        }
        let Some(place) = page["after"].as_str() else { break };
        path = format!("/v1/trash?limit=100&deletion_id={deletion}&after={place}");
    }
    found.sort();
    found.dedup();
    assert_eq!(found.len(), 1150);
    let none = json!({"results": []});
    let other = app.contacts(9_000_009_999, 1).await.remove(0);
    let other = app.delete(&app.account.contact_path(&other)).await.header("Deletion-Id").expect("an id").to_owned();
    let undo = undo(&app, &other).await;
    for (id, rest) in [
        (undo["id"].as_str().expect("an id"), ""),
        ("01a20694-3b1c-7d35-a9fe-12ab34cd56ef", ""),
        (&deletion, "&deleted_after=2100-01-01T00:00:00Z"),
        (&deletion, "&deleted_before=2000-01-01T00:00:00Z"),
    ] {
        assert_eq!(app.get(&format!("/v1/trash?deletion_id={id}{rest}")).await.expect(200), none, "{id}{rest}");
    }
}

#[tokio::test]
async fn deleted_records_are_found_across_lists_by_each_of_their_numbers_once() {
    let app = TestApp::start().await;
    let mut trashed = Vec::new();
    for _ in 0..2 {
        let list = app.record_list("NOTHING").await;
        let numbers = json!([{"phone_number": "+14155550100"}, {"phone_number": "+14155550101"}, {"phone_number": "+1 415 555 0101"}]);
        let new = json!({"first_name": "a", "last_name": "b", "phone_numbers": numbers, "external_provider": "crm", "external_id": "7"});
        let ids = app.records(&list, &[new.clone(), new]).await;
        app.delete(&format!("/record-lists/{list}/records/{}", ids[0])).await.expect(204);
        trashed.push(ids[0].clone());
    }
    trashed.sort();
    for (query, count) in [
        ("phone_number=%2B14155550101", 2),
        ("phone_number=%2B14155550101&external_id=7", 2),
        ("external_id=7", 2),
        ("external_provider=crm", 2),
        ("phone_number=%2B14155550102", 0),
        ("phone_number=%2B14155550101&external_id=8", 0),
    ] {
        let page = app.get(&format!("/v1/trash?{query}")).await.expect(200);
        let mut found: Vec<&str> =
            page["results"].as_array().expect("results").iter().filter_map(|one| one["id"].as_str()).collect();
        found.sort_unstable();
        assert_eq!(found, trashed[..count], "{query}");
    }
}

#[tokio::test]
async fn each_thing_to_restore_has_its_own_outcome() {
    let app = TestApp::start().await;
    let ids = app.contacts(9_000_000_000, 2).await;
    app.delete(&app.account.contact_path(&ids[0])).await.expect(200);
    // Two in the trash with the same number: the first that is named gets it.
    let again = app.contacts(9_000_000_000, 1).await.remove(0);
    app.delete(&app.account.contact_path(&again)).await.expect(200);
    let items = json!([{"id": ids[0]}, {"id": again}, {"id": ids[1]}, {"id": "x"}, {"id": ids[0]}, {"id": "00000000c1746a6142900000"}]);
    let body =
        json!({"resource": "contact", "within": {"stream_id": app.account.stream}, "items": items, "note": "sorry"});
    let report = app.post("/v1/trash/restore", &body).await.expect(200);
    let wanted =
        ["RESTORED", "KEY_RETAKEN", "ALREADY_RESTORED", "INVALID_IDENTIFIER", "DUPLICATE_IN_REQUEST", "NOT_FOUND"];
    assert_eq!(words(&report), wanted);
    assert_eq!(report["outcomes"][1]["conflicting_id"], ids[0]);
    assert_eq!((&report["action"], &report["note"]), (&json!("restore"), &json!("sorry")));
}

#[tokio::test]
async fn a_note_of_white_space_is_none_whatever_it_is_said_of() {
    let app = TestApp::start().await;
    let id = app.contacts(9_000_000_000, 1).await.remove(0);
    let within = json!({"stream_id": app.account.stream});
    let body = json!({"resource": "contact", "within": within, "items": [{"id": id}], "note": " \u{a0} "});
    let deleted = app.post("/v1/deletions", &body).await.expect(200);
    let restored = app.post("/v1/trash/restore", &body).await.expect(200);
    let again = app.delete(&format!("{}?note=%20", app.account.contact_path(&id))).await;
    let again = again.header("Deletion-Id").expect("an id").to_owned();
    let path = format!("/v1/deletions/{again}/undo");
    let undone = app.post(&path, &json!({"note": "  "})).await.expect(200);
    for done in [&deleted["id"], &restored["id"], &json!(again), &undone["id"]] {
        let path = format!("/v1/deletions/{}", done.as_str().expect("an id"));
        assert_eq!(app.get(&path).await.expect(200)["note"], Value::Null, "{done}");
    }
}
