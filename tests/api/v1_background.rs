//! Deletions that are too large to be done before the answer: queued, done in batches, watched and stopped.

use std::sync::atomic::Ordering;

use expunge::domain::deletion::Target;
use expunge::domain::identifier::Identifier;
use expunge::domain::ids::StreamId;
use expunge::error::Error;
use expunge::services::deletions::How;
use reqwest::Method;
use serde_json::{Value, json};

use crate::concurrency::something_waits_for_a_lock;
use crate::support::{Account, Answer, TestApp, test_clock};

fn by(app: &TestApp, field: &str, value: Value) -> Value {
    json!({"resource": "contact", "within": {"stream_id": app.account.stream}, field: value})
}

async fn queued(answer: Answer) -> String {
    let location = answer.header("Location").expect("it says where it is looked up").to_owned();
    let deletion = answer.expect(202);
    assert_eq!(deletion["state"], "queued");
    assert_eq!(location, format!("/v1/deletions/{}", deletion["id"].as_str().expect("an id")));
    location
}

async fn words(app: &TestApp, location: &str) -> Vec<String> {
    let answer = app.request(Method::GET, &format!("{location}/outcomes")).header("Accept", "application/x-ndjson");
    let text = answer.send().await.text;
    let word =
        |line: &str| serde_json::from_str::<Value>(line).expect("JSON")["reason"].as_str().expect("a word").to_owned();
    text.lines().map(word).collect()
}

#[tokio::test]
async fn a_filter_takes_what_it_says_and_nothing_else() {
    let app = TestApp::start().await;
    let indian = app.contacts(9_000_000_000, 3).await;
    let new =
        json!([{"firstName": "a", "lastName": "b", "cellPhone": {"phoneNumber": "2079460101", "countryCode": "+44"}}]);
    let british = app.post(&app.account.contacts_path(), &new).await.expect(200)[0]["id"].clone();
    let location = queued(app.post("/v1/deletions", &by(&app, "filter", json!({"country_code": "+44"}))).await).await;
    app.work().await;
    let done = app.get(&location).await.expect(200);
    assert_eq!(
        json!([done["state"], done["requested"], done["succeeded"], done["reasons"]]),
        json!(["succeeded", 1, 1, {"DELETED": 1}])
    );
    let outcomes = app.get(&format!("{location}/outcomes")).await.expect(200);
    assert_eq!(outcomes["results"][0]["item"], json!({"id": british}));
    let list = app.contact_list("called").await;
    app.members("called", &["+91 9000000001"]).await;
    for (filter, gone) in [
        (json!({"member_of": list}), vec![&indian[1]]),
        (json!({"number_prefix": "+919000000000"}), vec![&indian[0]]),
        (json!({"created_after": "2100-01-01T00:00:00Z"}), vec![]),
        (json!({"created_before": "2100-01-01T00:00:00Z", "country_code": "91"}), vec![&indian[2]]),
    ] {
        let location = queued(app.post("/v1/deletions", &by(&app, "filter", filter.clone())).await).await;
        app.work().await;
        let outcomes = app.get(&format!("{location}/outcomes")).await.expect(200);
        let rows: Vec<&Value> =
            outcomes["results"].as_array().expect("results").iter().map(|one| &one["rows"][0]).collect();
        assert_eq!(json!(rows), json!(gone), "{filter}");
    }
}

#[tokio::test]
async fn records_are_taken_by_what_is_true_of_them() {
    let app = TestApp::start().await;
    let list = app.record_list("NOTHING").await;
    let record = |number: &str, priority: i64| json!({"first_name": "a", "last_name": "b", "phone_number": number, "priority": priority, "external_provider": format!("crm{priority}"), "external_id": number});
    let ids =
        app.records(&list, &[record("+14155550100", 1), record("+442079460101", 2), record("+442079460102", 3)]).await;
    for (filter, gone) in [
        (json!({"priority": 1}), vec![&ids[0]]),
        (json!({"external_provider": "crm2"}), vec![&ids[1]]),
        (json!({"number_prefix": "44"}), vec![&ids[2]]),
    ] {
        let body = json!({"resource": "record", "within": {"record_list_id": list}, "filter": filter});
        let location = queued(app.post("/v1/deletions", &body).await).await;
        app.work().await;
        let outcomes = app.get(&format!("{location}/outcomes")).await.expect(200);
        assert_eq!(outcomes["results"][0]["rows"], json!(gone), "{filter}");
    }
}

#[tokio::test]
async fn all_goes_in_batches_and_what_came_later_stays() {
    let (clock, seconds) = test_clock();
    let app = TestApp::start_at(clock).await;
    app.contacts(9_000_000_000, 1000).await;
    app.contacts(9_000_001_000, 500).await;
    let would = app.post("/v1/deletions", &json!({"resource": "contact", "within": {"stream_id": app.account.stream}, "all": true, "validate_only": true})).await;
    assert_eq!(would.header("Validate-Only"), Some("true"));
    assert_eq!(would.expect(200)["requested"], 1500);
    let refused = app.post("/v1/deletions", &json!({"resource": "contact", "within": {"stream_id": app.account.stream}, "all": true, "max_affected": 1499})).await;
    assert_eq!(refused.expect(409)["reason"], "MAX_AFFECTED");
    let location = queued(app.post("/v1/deletions", &by(&app, "all", json!(true))).await).await;
    seconds.fetch_add(1, Ordering::SeqCst);
    let late = app.contacts(9_000_002_000, 1).await.remove(0);
    app.work().await;
    let done = app.get(&location).await.expect(200);
    assert_eq!(json!([done["state"], done["requested"], done["rows_affected"]]), json!(["succeeded", 1500, 1500]));
    assert_eq!(words(&app, &location).await, vec!["DELETED"; 1500]);
    assert_eq!(app.get(&app.account.contact_path(&late)).await.expect(200)["status"], "ACTIVE");
    assert_eq!(app.count("SELECT count(*) FROM contacts WHERE deleted_at IS NULL").await, 1);
    assert_eq!(app.count("SELECT sum(cardinality(row_ids)) FROM ledger WHERE action = 'deleted'").await, 1500);
}

#[tokio::test]
async fn items_that_are_streamed_have_their_outcomes_in_the_order_sent() {
    let app = TestApp::start().await;
    let ids = app.contacts(9_000_000_000, 1000).await;
    let mut lines: Vec<Value> = ids.iter().map(|id| json!({ "id": id })).collect();
    lines.extend([
        json!({"id": ids[0]}),
        json!({"phone_number": "+91 9000000001"}),
        json!({"id": "x"}),
        json!({"phone_number": "+14155550100"}),
    ]);
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let path = format!("/v1/deletions?resource=contact&stream_id={}&note=nightly", app.account.stream);
    let send = async |text: &str| app.request(Method::POST, &path).body("application/x-ndjson", text).send().await;
    let location = queued(send(&text).await).await;
    app.work().await;
    let done = app.get(&location).await.expect(200);
    assert_eq!(
        json!([done["state"], done["requested"], done["succeeded"], done["failed"], done["note"]]),
        json!(["partial", 1004, 1000, 4, "nightly"])
    );
    let said = words(&app, &location).await;
    assert_eq!(said[..1000], vec!["DELETED"; 1000]);
    assert_eq!(said[1000..], ["DUPLICATE_IN_REQUEST", "DUPLICATE_IN_REQUEST", "INVALID_IDENTIFIER", "NOT_FOUND"]);
    let page = app.get(&format!("{location}/outcomes?reason=NOT_FOUND")).await.expect(200);
    assert_eq!((&page["results"][0]["position"], &page["results"][0]["item"]), (&json!(1004), &lines[1003]));
    // What is wrong with one line refuses them all, and says which.
    for (text, field) in [
        (format!("{text}{{\"id\": 7}}\n"), "line 1005.id"),
        (format!("{text}x\n"), "line 1005"),
        (format!("{}\n", json!({"id": "a".repeat(5000)})), "line 1"),
        ("\n\n".to_owned(), "body"),
    ] {
        let refused = send(&text).await.expect(400);
        assert_eq!(refused["errors"][0]["field"], field, "{refused}");
    }
    let misspelt = app.request(Method::POST, &format!("{path}&max_afected=1"));
    let refused = misspelt.body("application/x-ndjson", text.as_str()).send().await.expect(400);
    assert!(refused.to_string().contains("max_afected"), "{refused}");
    assert_eq!(app.work().await, 0);
    let failed = app.get("/v1/deletions?state=failed").await.expect(200);
    assert_eq!(failed["results"][0]["failure"], "INVALID_REQUEST");
}

#[tokio::test]
async fn a_deletion_stops_at_its_next_batch_and_the_rest_says_so() {
    let app = TestApp::start().await;
    let ids = app.contacts(9_000_000_000, 1000).await;
    let items: Vec<Value> = ids.iter().map(|id| json!({ "id": id })).chain([json!({"id": "x"})]).collect();
    let location = queued(app.post("/v1/deletions", &by(&app, "items", json!(items))).await).await;
    let services = app.services();
    assert!(services.deletions.work().await.expect("it works"), "the account's upkeep or the deletion");
    while app.get(&location).await.expect(200)["processed"] != 1000 {
        assert!(services.deletions.work().await.expect("it works"));
    }
    let too_early = app.request(Method::POST, &format!("{location}/undo")).send().await.expect(409);
    assert_eq!(too_early["reason"], "WRONG_STATE");
    let cancelled = app.request(Method::POST, &format!("{location}/cancel")).send().await.expect(202);
    assert_eq!((&cancelled["cancel_requested"], &cancelled["state"]), (&json!(true), &json!("running")));
    app.work().await;
    let over = app.get(&location).await.expect(200);
    assert_eq!(
        json!([over["state"], over["succeeded"], over["reasons"]]),
        json!(["cancelled", 1000, {"DELETED": 1000, "UNPROCESSED": 1}])
    );
    assert_eq!(words(&app, &location).await[1000], "UNPROCESSED");
    let again = app.request(Method::POST, &format!("{location}/cancel")).send().await.expect(409);
    assert_eq!(again["reason"], "WRONG_STATE");
}

#[tokio::test]
async fn what_dies_with_a_batch_is_done_once_all_the_same() {
    let app = TestApp::start().await;
    app.contacts(9_000_000_000, 1000).await;
    app.contacts(9_000_001_000, 1000).await;
    let location = queued(app.post("/v1/deletions", &by(&app, "all", json!(true))).await).await;
    let mut deaths = 0;
    loop {
        // A worker dies at whatever it does; then another goes on.
        let services = app.services();
        let working = tokio::spawn(async move {
            let runtime = tokio::runtime::Handle::current();
            tokio::task::spawn_blocking(move || runtime.block_on(async { services.deletions.work().await })).await
        });
        if deaths < 12 {
            tokio::time::timeout(std::time::Duration::from_millis(3 * deaths), async {
                while app.count("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'expunge_app' AND query LIKE '%UPDATE contacts%' AND state <> 'idle'").await == 0 {}
            })
            .await
            .ok();
            app.count("SELECT count(*) FROM (SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'expunge_app') AS ended").await;
            deaths += 1;
        }
        let _whatever = working.await;
        // What failed is due again only later.
        sqlx::query("UPDATE jobs SET due_at = '2000-01-01' WHERE kind = 'deletion'")
            .execute(&app.admin)
            .await
            .expect("jobs");
        if app.count("SELECT count(*) FROM jobs WHERE kind = 'deletion'").await == 0 {
            break;
        }
    }
    let done = app.get(&location).await.expect(200);
    assert_eq!(
        json!([done["state"], done["requested"], done["reasons"]]),
        json!(["succeeded", 2000, {"DELETED": 2000}])
    );
    assert_eq!(app.count("SELECT count(*) FROM contacts WHERE deleted_at IS NOT NULL AND version = 2").await, 2000);
    let entries = "SELECT count(*) FROM ledger, unnest(row_ids) WHERE action = 'deleted'";
    assert_eq!(app.count(entries).await, 2000);
    assert_eq!(words(&app, &location).await, vec!["DELETED"; 2000]);
}

#[tokio::test]
async fn workers_share_the_work_and_one_accounts_thousands_do_not_starve_anothers_ten() {
    let app = TestApp::start().await;
    for first in [9_000_000_000, 9_000_001_000, 9_000_002_000, 9_000_003_000] {
        app.contacts(first, 1000).await;
    }
    let theirs = app.contacts_as(&app.other, 9_000_000_000, 10).await;
    let large = queued(app.post("/v1/deletions", &by(&app, "all", json!(true))).await).await;
    let items: Vec<Value> = theirs.iter().map(|id| json!({ "id": id })).collect();
    let body = json!({"resource": "contact", "within": {"stream_id": app.other.stream}, "items": items});
    let small = app.request_as(&app.other, Method::POST, "/v1/deletions").header("Prefer", "respond-async").json(&body);
    let small = queued(small.send().await).await;
    let services = app.services();
    let mut batches = 0;
    // Each account's upkeep has its turn too.
    while app.request_as(&app.other, Method::GET, &small).send().await.expect(200)["state"] != "succeeded" {
        assert!(services.deletions.work().await.expect("it works"));
        batches += 1;
    }
    assert!(batches <= 6, "{batches} batches before the other account's turn");
    assert_eq!(app.get(&large).await.expect(200)["finished_at"], Value::Null);
    // Several at once take different batches, and nothing twice.
    let (one, two) = (app.services(), app.services());
    let work =
        async |services: &expunge::services::Services| while services.deletions.work().await.expect("it works") {};
    tokio::join!(work(&one), work(&two), work(&services));
    app.work().await;
    assert_eq!(app.get(&large).await.expect(200)["reasons"], json!({"DELETED": 4000}));
    assert_eq!(app.count("SELECT count(*) FROM contacts WHERE version = 2").await, 4010);
}

#[tokio::test]
async fn a_worker_that_is_held_up_keeps_no_other_from_the_next_deletion() {
    let app = TestApp::start().await;
    app.work().await;
    let ids = app.contacts(9_000_000_000, 2).await;
    let mut places = Vec::new();
    for id in &ids {
        let request = app.request(Method::POST, "/v1/deletions").header("Prefer", "respond-async");
        places.push(queued(request.json(&by(&app, "items", json!([{ "id": id }]))).send().await).await);
    }
    let mut holder = app.admin.begin().await.expect("a transaction");
    sqlx::query("SELECT FROM contacts WHERE id = $1 FOR UPDATE")
        .bind(&ids[0])
        .execute(&mut *holder)
        .await
        .expect("a lock");
    let (one, two) = (app.services(), app.services());
    let meanwhile = async {
        something_waits_for_a_lock(&app).await;
        assert!(two.deletions.work().await.expect("it works"));
        let processed = app.get(&places[1]).await.expect(200)["processed"].clone();
        holder.rollback().await.expect("the lock is let go");
        processed
    };
    let (held_up, processed) = tokio::join!(one.deletions.work(), meanwhile);
    assert!(held_up.expect("it works"));
    assert_eq!(processed, 1, "the second worker does not wait for the first one");
    app.work().await;
    for place in &places {
        assert_eq!(app.get(place).await.expect(200)["reasons"], json!({"DELETED": 1}));
    }
}

#[tokio::test]
async fn an_accounts_many_deletions_do_not_starve_anothers_one() {
    let app = TestApp::start().await;
    app.work().await;
    let queue = async |account: &Account, id: &str| {
        let body = json!({"resource": "contact", "within": {"stream_id": account.stream}, "items": [{"id": id}]});
        let request = app.request_as(account, Method::POST, "/v1/deletions").header("Prefer", "respond-async");
        queued(request.json(&body).send().await).await
    };
    for id in app.contacts(9_000_000_000, 20).await {
        queue(&app.account, &id).await;
    }
    let theirs = queue(&app.other, &app.contacts_as(&app.other, 9_000_000_000, 1).await[0]).await;
    let services = app.services();
    let mut batches = 0;
    while app.request_as(&app.other, Method::GET, &theirs).send().await.expect(200)["state"] != "succeeded" {
        assert!(services.deletions.work().await.expect("it works"));
        batches += 1;
    }
    assert!(batches <= 4, "the accounts take turns, whatever each has queued: {batches} batches");
}

#[tokio::test]
async fn what_a_filter_does_not_take_any_more_when_it_is_locked_is_spared() {
    for mode in ["soft", "hard"] {
        let app = TestApp::start().await;
        app.work().await;
        let ids = app.contacts(9_000_000_000, 3).await;
        let mut body = by(&app, "filter", json!({"country_code": "+91"}));
        body["mode"] = json!(mode);
        let location = queued(app.post("/v1/deletions", &body).await).await;
        // Somebody who changes one has it locked, and has not committed yet.
        let mut changer = app.admin.begin().await.expect("a transaction");
        sqlx::query("UPDATE contacts SET country_code = '+44', version = version + 1 WHERE id = $1")
            .bind(&ids[1])
            .execute(&mut *changer)
            .await
            .expect("a change");
        let committed = async {
            something_waits_for_a_lock(&app).await;
            changer.commit().await.expect("the change is committed");
        };
        tokio::join!(app.work(), committed);
        let done = app.get(&location).await.expect(200);
        assert_eq!(
            json!([done["state"], done["requested"], done["reasons"]]),
            json!(["succeeded", 2, {"DELETED": 2}]),
            "{mode}"
        );
        assert_eq!(app.get(&app.account.contact_path(&ids[1])).await.expect(200)["status"], "ACTIVE", "{mode}");
    }
}

#[tokio::test]
async fn what_changes_while_it_is_waited_for_goes_when_it_is_still_meant() {
    let app = TestApp::start().await;
    app.work().await;
    let list = app.record_list("NOTHING").await;
    let record = json!({"first_name": "a", "last_name": "b", "phone_number": "+14155550100"});
    for (kind, table) in [("contact", "contacts"), ("record", "records")] {
        for by_filter in [true, false] {
            let ids = match kind {
                "contact" => app.contacts(9_000_000_000, 3).await,
                _ => app.records(&list, &vec![record.clone(); 3]).await,
            };
            let mut body = match kind {
                "contact" => json!({"resource": kind, "within": {"stream_id": app.account.stream}}),
                _ => json!({"resource": kind, "within": {"record_list_id": list}}),
            };
            match by_filter {
                true => body["filter"] = json!({"created_before": "2100-01-01T00:00:00Z"}),
                false => body["items"] = ids.iter().map(|id| json!({"id": id})).collect(),
            }
            // Its row is written anew by somebody who has not committed yet: it is found where it was, and lies elsewhere.
            let mut changer = app.admin.begin().await.expect("a transaction");
            sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
                "UPDATE {table} SET first_name = 'c', version = version + 1 WHERE id = '{}'",
                ids[1]
            )))
            .execute(&mut *changer)
            .await
            .expect("a change");
            let committed = async {
                something_waits_for_a_lock(&app).await;
                changer.commit().await.expect("the change is committed");
            };
            let deleted = async {
                let answer = app.post("/v1/deletions", &body).await;
                app.work().await;
                answer.header("Deletion-Id").expect("an id").to_owned()
            };
            let (deletion, ()) = tokio::join!(deleted, committed);
            let done = app.get(&format!("/v1/deletions/{deletion}")).await.expect(200);
            assert_eq!(
                json!([done["state"], done["requested"], done["reasons"]]),
                json!(["succeeded", 3, {"DELETED": 3}]),
                "{kind}, by filter {by_filter}"
            );
            let live = app.counted(format!("SELECT count(*) FROM {table} WHERE deleted_at IS NULL")).await;
            assert_eq!(live, 0, "{kind}, by filter {by_filter}");
        }
    }
}

#[tokio::test]
async fn no_more_rows_go_than_may_in_all_batches_together() {
    let app = TestApp::start().await;
    let list = app.record_list("NOTHING").await;
    let record = |number: &str| json!({"first_name": "a", "last_name": "b", "phone_number": number});
    let mut items = Vec::new();
    for _ in 0..10 {
        let ids = app.records(&list, &vec![record("+14155550100"); 100]).await;
        items.extend(ids.into_iter().map(|id| json!({ "id": id })));
    }
    app.records(&list, &vec![record("+14155550101"); 2]).await;
    // As many things as rows may go, but the last of them stands for two.
    items.push(json!({"phone_number": "+14155550101"}));
    let body = json!({
        "resource": "record", "within": {"record_list_id": list}, "items": items, "max_affected": 1001
    });
    let location = queued(app.post("/v1/deletions", &body).await).await;
    app.work().await;
    let over = app.get(&location).await.expect(200);
    assert_eq!(
        json!([over["state"], over["failure"], over["rows_affected"], over["reasons"]]),
        json!(["partial", "MAX_AFFECTED", 1000, {"DELETED": 1000, "UNPROCESSED": 1}])
    );
    assert_eq!(app.count("SELECT count(*) FROM records WHERE deleted_at IS NULL").await, 2);
}

#[tokio::test]
async fn a_large_list_is_hidden_at_once_and_gone_when_its_deletion_says_so() {
    let app = TestApp::start().await;
    let list = app.record_list("NOTHING").await;
    let record = json!({"first_name": "a", "last_name": "b", "phone_number": "+14155550100"});
    for _ in 0..23 {
        app.records(&list, &vec![record.clone(); 100]).await;
    }
    let answer = app.delete(&format!("/record-lists/{list}?mode=hard")).await;
    let location = answer.header("Location").expect("it says where").to_owned();
    assert_eq!(answer.status.as_u16(), 202);
    app.get(&format!("/record-lists/{list}")).await.expect(404);
    // It does not come back while it is on its way out.
    let restore = json!({"resource": "record_list", "items": [{"id": list}]});
    let report = app.post("/v1/trash/restore", &restore).await.expect(200);
    assert_eq!(report["outcomes"][0]["reason"], "ALREADY_PURGED");
    app.work().await;
    let done = app.get(&location).await.expect(200);
    assert_eq!(json!([done["state"], done["mode"], done["reasons"]]), json!(["succeeded", "hard", {"DELETED": 1}]));
    for table in ["records", "record_phones", "record_lists"] {
        assert_eq!(app.counted(format!("SELECT count(*) FROM {table}")).await, 0, "{table}");
    }
    let entries = "SELECT count(*) FROM ledger, unnest(row_ids) WHERE action = 'hard_deleted' AND resource = 'record'";
    assert_eq!(app.count(entries).await, 2300);
}

#[tokio::test]
async fn large_lists_that_a_filter_took_are_gone_with_an_outcome_each() {
    let app = TestApp::start().await;
    let record = json!({"first_name": "a", "last_name": "b", "phone_number": "+14155550100"});
    let mut lists = Vec::new();
    for hundreds in [11, 0, 12, 9] {
        let list = app.record_list("NOTHING").await;
        for _ in 0..hundreds {
            app.records(&list, &vec![record.clone(); 100]).await;
        }
        lists.push(list);
    }
    // One is in the trash already, by a deletion that may be undone until now.
    let soft = app.delete(&format!("/record-lists/{}", lists[2])).await;
    let soft = soft.header("Deletion-Id").expect("an id").to_owned();
    let body = json!({"resource": "record_list", "mode": "hard", "filter": {"updated_before": "2100-01-01T00:00:00Z"}});
    let location = queued(app.post("/v1/deletions", &body).await).await;
    let services = app.services();
    while app.count("SELECT count(*) FROM records").await == 3200 {
        assert!(services.deletions.work().await.expect("it works"));
    }
    // What is on its way out does not come back, and is finished when the rest is cancelled.
    let undone = app.request(Method::POST, &format!("/v1/deletions/{soft}/undo")).send().await.expect(200);
    assert_eq!(undone["outcomes"][0]["reason"], "ALREADY_PURGED");
    app.request(Method::POST, &format!("{location}/cancel")).send().await.expect(202);
    app.work().await;
    let done = app.get(&location).await.expect(200);
    assert_eq!(json!([done["state"], done["reasons"]]), json!(["cancelled", {"DELETED": 4}]));
    for table in ["records", "record_phones", "record_lists"] {
        assert_eq!(app.counted(format!("SELECT count(*) FROM {table}")).await, 0, "{table}");
    }
    for action in ["deleted", "hard_deleted"] {
        let sql =
            format!("SELECT count(*) FROM ledger, unnest(row_ids) WHERE resource = 'record' AND action = '{action}'");
        assert_eq!(app.counted(sql).await, if action == "deleted" { 0 } else { 3200 });
    }
}

#[tokio::test]
async fn what_is_cancelled_while_it_is_sent_is_not_done() {
    let app = TestApp::start().await;
    let ids = app.contacts(9_000_000_000, 2).await;
    let services = app.services();
    let caller = app.caller();
    let target = Target::Contacts(StreamId::parse(&app.account.stream).expect("a stream's id"));
    let open = services.deletions.open(&caller, &target, &How::default()).await.expect("it opens");
    let items = [Identifier::Id(ids[0].clone())];
    services.deletions.take(&caller, open.id, 1, &items).await.expect("they are taken");
    let path = format!("/v1/deletions/{}", open.id);
    let cancelled = app.request(Method::POST, &format!("{path}/cancel")).send().await.expect(202);
    assert_eq!((&cancelled["state"], &cancelled["reasons"]), (&json!("cancelled"), &json!({"UNPROCESSED": 1})));
    assert!(matches!(services.deletions.sent(&caller, open.id, 1).await, Err(Error::WrongState(_))));
    services.deletions.broke_off(&caller, open.id, "BROKE_OFF").await;
    app.work().await;
    assert_eq!(app.get(&path).await.expect(200)["state"], "cancelled");
    assert_eq!(app.count("SELECT count(*) FROM contacts WHERE deleted_at IS NULL").await, 2);
}

#[tokio::test]
async fn an_undo_that_is_cancelled_says_of_the_rest_that_it_was_not_come_to() {
    let app = TestApp::start().await;
    app.contacts(9_000_000_000, 1000).await;
    app.contacts(9_000_001_000, 500).await;
    let deletion = queued(app.post("/v1/deletions", &by(&app, "all", json!(true))).await).await;
    app.work().await;
    let undo = queued(app.request(Method::POST, &format!("{deletion}/undo")).send().await).await;
    let services = app.services();
    while app.get(&undo).await.expect(200)["processed"] != 1000 {
        assert!(services.deletions.work().await.expect("it works"));
    }
    app.request(Method::POST, &format!("{undo}/cancel")).send().await.expect(202);
    app.work().await;
    let over = app.get(&undo).await.expect(200);
    assert_eq!(
        json!([over["state"], over["requested"], over["reasons"]]),
        json!(["cancelled", 1500, {"RESTORED": 1000, "UNPROCESSED": 500}])
    );
    assert_eq!(words(&app, &undo).await.len(), 1500);
}

#[tokio::test]
async fn a_thing_that_is_named_twice_far_apart_is_deleted_once_for_good_too() {
    let app = TestApp::start().await;
    let ids = app.contacts(9_000_000_000, 1000).await;
    let items: Vec<Value> = ids.iter().chain([&ids[7]]).map(|id| json!({ "id": id })).collect();
    let mut body = by(&app, "items", json!(items));
    body["mode"] = json!("hard");
    let location = queued(app.post("/v1/deletions", &body).await).await;
    app.work().await;
    assert_eq!(words(&app, &location).await[1000], "DUPLICATE_IN_REQUEST");
    assert_eq!(app.count("SELECT count(*) FROM contacts").await, 0);
}

#[tokio::test]
async fn a_bulk_deletion_of_records_is_done_in_the_background_where_that_is_preferred() {
    let app = TestApp::start().await;
    let list = app.record_list("NOTHING").await;
    let record = json!({"first_name": "a", "last_name": "b", "phone_number": "+14155550100"});
    let ids = app.records(&list, &[record]).await;
    let path = format!("/record-lists/{list}/records/bulks");
    let request = app.request(Method::DELETE, &path).header("Prefer", "respond-async, wait=1");
    let answer = request.json(&json!([{"id": ids[0]}, {"id": "x"}])).send().await;
    let location = answer.header("Location").expect("it says where").to_owned();
    let body = answer.expect(202);
    assert_eq!(body["_links"]["deletion"]["href"], format!("{}{location}", app.base_url));
    app.work().await;
    assert_eq!(words(&app, &location).await, ["DELETED", "INVALID_IDENTIFIER"]);
    let request = app.request(Method::DELETE, &format!("{path}?atomic=true")).header("Prefer", "respond-async");
    assert_eq!(request.json(&json!([{"id": ids[0]}])).send().await.expect(400)["fields"][0]["name"], "atomic");
}
