//! How long the trash is kept, and that what had its time goes.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use expunge::domain::deletion::Target;
use expunge::domain::ids::{AccountId, StreamId};
use expunge::services::deletions::How;
use expunge::services::tokens;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::concurrency::{so_many_wait_for_locks, something_waits_for_a_lock};
use crate::idempotency::hold_the_ledger;
use crate::support::{TestApp, test_clock};

const DAY: i64 = 86_400;

/// Time passes, and the client has a new token.
fn later(app: &mut TestApp, clock: &AtomicI64, seconds: i64) {
    clock.fetch_add(seconds, Ordering::SeqCst);
    app.account.token =
        tokens::sign(&app.account.client, &app.account.secret, app.clock.now()).expect("a token is signed");
}

async fn start() -> (TestApp, Arc<AtomicI64>) {
    let (clock, seconds) = test_clock();
    (TestApp::start_at(clock).await, seconds)
}

async fn set(app: &TestApp, days: &Value) -> Value {
    app.request(Method::PUT, "/v1/retention").json(days).send().await.expect(200)
}

async fn delete(app: &TestApp, id: &str) {
    app.delete(&app.account.contact_path(id)).await.expect(200);
}

async fn trashed(app: &TestApp) -> i64 {
    app.count("SELECT count(*) FROM contacts WHERE deleted_at IS NOT NULL").await
}

#[tokio::test]
async fn what_had_its_time_goes_and_is_looked_up_and_nothing_else_goes() {
    let (mut app, seconds) = start().await;
    let forever = json!({"contact": null, "contact_list": null, "campaign": null, "record_list": null, "record": null});
    assert_eq!(app.get("/v1/retention").await.expect(200), forever);
    let ids = app.contacts(9_000_000_000, 4).await;
    delete(&app, &ids[0]).await;
    later(&mut app, &seconds, 100 * DAY);
    app.work().await;
    assert_eq!(trashed(&app).await, 1, "nothing goes while nothing is set");

    assert_eq!(set(&app, &json!({"contact": 7})).await["contact"], 7);
    delete(&app, &ids[1]).await;
    sqlx::query("UPDATE contacts SET held = true WHERE id = $1")
        .bind(&ids[2])
        .execute(&app.admin)
        .await
        .expect("a hold");
    delete(&app, &ids[2]).await;
    app.work().await;
    assert_eq!(trashed(&app).await, 3, "what was there is promised seven days from then on");
    let seen = app.get("/v1/trash?resource=contact").await.expect(200);
    assert!(seen["results"].as_array().expect("results").iter().all(|one| one["purge_at"].is_string()), "{seen}");
    later(&mut app, &seconds, 7 * DAY - 1);
    app.work().await;
    assert_eq!(trashed(&app).await, 3);
    later(&mut app, &seconds, 3601);
    app.work().await;
    assert_eq!(app.count("SELECT count(*) FROM contacts").await, 2, "but what is on hold and what is live");
    let purges = app.get("/v1/deletions?resource=contact").await.expect(200);
    let purge = &purges["results"][0];
    assert_eq!(json!([purge["action"], purge["mode"], purge["state"]]), json!(["purge", "hard", "succeeded"]));
    assert_eq!(purge["reasons"], json!({"PURGED": 2}));
    assert_eq!(app.count("SELECT sum(cardinality(row_ids)) FROM ledger WHERE action = 'purged'").await, 2);
    let path = format!("/v1/deletions/{}/undo", purge["id"].as_str().expect("an id"));
    app.request(Method::POST, &path).send().await.expect(409);
}

#[tokio::test]
async fn a_promise_is_never_shortened_and_switching_off_pauses() {
    let (mut app, seconds) = start().await;
    let ids = app.contacts(9_000_000_000, 2).await;
    set(&app, &json!({"contact": 30})).await;
    app.delete(&app.account.contact_path(&ids[0])).await.expect(200);
    set(&app, &json!({"contact": 1})).await;
    later(&mut app, &seconds, 2 * DAY);
    app.work().await;
    assert_eq!(trashed(&app).await, 1, "it was promised thirty days");
    // Longer is longer for what is there too.
    set(&app, &json!({"contact": 60})).await;
    later(&mut app, &seconds, 31 * DAY);
    app.work().await;
    assert_eq!(trashed(&app).await, 1);
    set(&app, &json!({"contact": null})).await;
    app.delete(&app.account.contact_path(&ids[1])).await.expect(200);
    later(&mut app, &seconds, 100 * DAY);
    app.work().await;
    assert_eq!(trashed(&app).await, 2, "off pauses");
    set(&app, &json!({"contact": 10})).await;
    app.work().await;
    assert_eq!(trashed(&app).await, 1, "the first had its time; the second has ten days from now");
    later(&mut app, &seconds, 10 * DAY + 1);
    app.work().await;
    assert_eq!(trashed(&app).await, 0);
}

#[tokio::test]
async fn every_kind_is_purged_with_what_is_below_it() {
    let (mut app, seconds) = start().await;
    set(&app, &json!({"contact": 1, "contact_list": 1, "campaign": 1, "record_list": 1, "record": 1})).await;
    let list = app.contact_list("called").await;
    app.members("called", &["+14155550100", "+14155550101"]).await;
    let campaign = app.campaign("calls", "called").await;
    let records = app.record_list("NOTHING").await;
    let record = json!({"first_name": "a", "last_name": "b", "phone_number": "+14155550100"});
    for _ in 0..11 {
        app.records(&records, &vec![record.clone(); 100]).await;
    }
    let other = app.record_list("NOTHING").await;
    let single = app.records(&other, &[record]).await.remove(0);
    app.delete(&app.account.campaign_path(&campaign)).await.expect(200);
    app.delete(&app.account.contact_list_path(&list)).await.expect(200);
    app.delete(&format!("/record-lists/{records}")).await.expect(204);
    app.delete(&format!("/record-lists/{other}/records/{single}")).await.expect(204);
    later(&mut app, &seconds, DAY + 3601);
    app.work().await;
    for (table, left) in [
        ("campaigns", 0),
        ("campaign_contact_lists", 0),
        ("contact_lists", 0),
        ("contact_list_members", 0),
        ("records", 0),
        ("record_phones", 0),
        ("record_lists", 1),
    ] {
        assert_eq!(app.counted(format!("SELECT count(*) FROM {table}")).await, left, "{table}");
    }
    let gone = "SELECT count(*) FROM ledger, unnest(row_ids) WHERE action = 'purged' AND resource = 'record'";
    assert_eq!(app.count(gone).await, 1101);
}

#[tokio::test]
async fn a_list_with_somebody_on_hold_stays_and_keeps_no_other_from_being_purged() {
    let (mut app, seconds) = start().await;
    set(&app, &json!({"contact_list": 1, "record_list": 1})).await;
    let list = app.contact_list("held").await;
    app.members("held", &["+14155550100"]).await;
    app.delete(&app.account.contact_list_path(&list)).await.expect(200);
    let records = app.record_list("NOTHING").await;
    app.records(&records, &[json!({"first_name": "a", "last_name": "b", "phone_number": "+14155550100"})]).await;
    app.delete(&format!("/record-lists/{records}")).await.expect(204);
    let hold = "UPDATE contact_list_members SET held = true; UPDATE records SET held = true";
    sqlx::raw_sql(hold).execute(&app.admin).await.expect("a hold");
    later(&mut app, &seconds, 1);
    // The next is in another stream.
    let account = AccountId::parse(&app.account.id).expect("an account's id");
    let stream = app.operator().await.create_stream(&account, "second").await.expect("a stream is created");
    app.account.stream = stream.to_string();
    let other = app.contact_list("free").await;
    app.delete(&app.account.contact_list_path(&other)).await.expect(200);
    for _ in 0..2 {
        later(&mut app, &seconds, DAY + 3601);
        app.work().await;
    }
    let left: Vec<String> = sqlx::query_scalar("SELECT id FROM contact_lists UNION SELECT id::text FROM record_lists")
        .fetch_all(&app.admin)
        .await
        .expect("lists");
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(left.contains(&list) && left.contains(&records), "{left:?}");
    let purges = app.get("/v1/deletions").await.expect(200);
    let said: Vec<&Value> = purges["results"].as_array().expect("purges").iter().map(|one| &one["reasons"]).collect();
    assert_eq!(json!(said), json!([{"PURGED": 1}]), "nothing is said of what was not purged");
}

#[tokio::test]
async fn what_was_asked_is_forgotten_after_thirty_days_and_the_ledger_is_not() {
    let (mut app, seconds) = start().await;
    let ids = app.contacts(9_000_000_000, 2).await;
    let report = app.delete_with(&app.account.bulk_delete_path(), &json!({"ids": [ids[0], "x"]})).await;
    let id = report.header("Deletion-Id").expect("an id").to_owned();
    later(&mut app, &seconds, 30 * DAY - 1);
    app.work().await;
    assert_eq!(app.get(&format!("/v1/deletions/{id}")).await.expect(200)["requested"], 2);
    later(&mut app, &seconds, 3601);
    app.work().await;
    let count = app.count("SELECT (SELECT count(*) FROM deletions) + (SELECT count(*) FROM deletion_chunks)").await;
    assert_eq!(count, 0);
    let from_ledger = app.get(&format!("/v1/deletions/{id}")).await.expect(200);
    assert_eq!((&from_ledger["requested"], &from_ledger["reasons"]), (&json!(1), &json!({"DELETED": 1})));
    let undone = app.request(Method::POST, &format!("/v1/deletions/{id}/undo")).send().await.expect(200);
    assert_eq!(undone["reasons"], json!({"RESTORED": 1}));
}

#[tokio::test]
async fn a_row_that_is_restored_while_it_is_purged_is_there_or_gone_and_says_so() {
    let (mut app, seconds) = start().await;
    set(&app, &json!({"contact": 1})).await;
    let (mut restored, mut purged) = (0, 0);
    for round in 0..20_u64 {
        let ids = app.contacts(9_000_000_000 + round * 50, 50).await;
        app.delete_with(&app.account.bulk_delete_path(), &json!({ "ids": ids })).await.expect(200);
        later(&mut app, &seconds, DAY + 3601);
        // Each restored by itself, in an order of its own, while the trash is being emptied.
        let restore = async |id: &String| {
            let body =
                json!({"resource": "contact", "within": {"stream_id": app.account.stream}, "items": [{"id": id}]});
            let report = app.post("/v1/trash/restore", &body).await.expect(200);
            (id.clone(), report["outcomes"][0]["reason"].as_str().expect("a word").to_owned())
        };
        let restores = futures_util::future::join_all(ids.iter().map(restore));
        let (said, _) = tokio::join!(restores, app.work());
        for (id, word) in said {
            let there =
                app.counted(format!("SELECT count(*) FROM contacts WHERE id = '{id}' AND deleted_at IS NULL")).await;
            match word.as_str() {
                "RESTORED" => restored += 1,
                "NOT_FOUND" => purged += 1,
                other => panic!("{other}"),
            }
            assert_eq!(there, i64::from(word == "RESTORED"), "{id} said {word}");
        }
    }
    println!("{restored} restored, {purged} purged");
    assert_eq!(restored + purged, 1000);
    let entries = async |action: &str| {
        app.counted(format!("SELECT count(*) FROM ledger, unnest(row_ids) WHERE action = '{action}'")).await
    };
    assert_eq!((entries("restored").await, entries("purged").await), (restored, purged), "the ledger says the same");
    let told = "SELECT coalesce(sum((reasons ->> 'PURGED')::bigint), 0)::bigint FROM deletions WHERE action = 'purge'";
    assert_eq!(app.count(told).await, purged);
}

#[tokio::test]
async fn a_row_that_is_being_purged_is_not_restored_and_one_that_is_being_restored_is_not_purged() {
    let (mut app, seconds) = start().await;
    set(&app, &json!({"contact": 1})).await;
    let ids = app.contacts(9_000_000_000, 2).await;
    let body =
        |id: &str| json!({"resource": "contact", "within": {"stream_id": app.account.stream}, "items": [{"id": id}]});
    let bodies = [body(&ids[0]), body(&ids[1])];
    // The purge comes first: it has the row, and the restore waits for it.
    delete(&app, &ids[0]).await;
    later(&mut app, &seconds, DAY + 3601);
    let holder = hold_the_ledger(&app).await;
    let restore = async {
        something_waits_for_a_lock(&app).await;
        let let_go = async {
            so_many_wait_for_locks(&app, 2).await;
            holder.rollback().await.expect("the lock is let go");
        };
        tokio::join!(app.post("/v1/trash/restore", &bodies[0]), let_go).0.expect(200)
    };
    let (_, report) = tokio::join!(app.work(), restore);
    assert_eq!(report["outcomes"][0]["reason"], "NOT_FOUND", "{report}");
    app.get(&app.account.contact_path(&ids[0])).await.expect(404);
    // The restore comes first: the purge leaves the row alone.
    delete(&app, &ids[1]).await;
    later(&mut app, &seconds, DAY + 3601);
    let holder = hold_the_ledger(&app).await;
    let purge = async {
        something_waits_for_a_lock(&app).await;
        app.work().await;
        holder.rollback().await.expect("the lock is let go");
    };
    let (report, ()) = tokio::join!(app.post("/v1/trash/restore", &bodies[1]), purge);
    assert_eq!(report.expect(200)["outcomes"][0]["reason"], "RESTORED", "{report:?}");
    app.work().await;
    assert_eq!(app.get(&app.account.contact_path(&ids[1])).await.expect(200)["status"], "ACTIVE");
    assert_eq!(app.count("SELECT count(*) FROM ledger, unnest(row_ids) WHERE action = 'purged'").await, 1);
}

#[tokio::test]
async fn what_others_hold_is_left_for_the_next_time_and_the_rest_is_purged() {
    let (mut app, seconds) = start().await;
    set(&app, &json!({"contact": 1})).await;
    let ids = app.contacts(9_000_000_000, 3).await;
    app.delete_with(&app.account.bulk_delete_path(), &json!({ "ids": ids })).await.expect(200);
    later(&mut app, &seconds, DAY + 3601);
    let mut holder = app.admin.begin().await.expect("a transaction");
    sqlx::query("SELECT FROM contacts WHERE id = $1 FOR UPDATE")
        .bind(&ids[1])
        .execute(&mut *holder)
        .await
        .expect("a lock");
    app.work().await;
    assert_eq!(trashed(&app).await, 1, "the held one waits for nobody but itself");
    holder.rollback().await.expect("the lock is let go");
    later(&mut app, &seconds, 3601);
    app.work().await;
    assert_eq!(trashed(&app).await, 0);
}

#[tokio::test]
async fn thousands_are_purged_each_once_and_each_is_told() {
    let (mut app, seconds) = start().await;
    set(&app, &json!({"contact": 1, "record": 1})).await;
    // More than go at once; where the first of them end, what was deleted at the same moment goes on.
    for part in 0..9 {
        let ids = app.contacts(9_000_000_000 + part * 500, if part == 0 { 123 } else { 500 }).await;
        app.delete_with(&app.account.bulk_delete_path(), &json!({ "ids": ids })).await.expect(200);
        later(&mut app, &seconds, 1);
    }
    let list = app.record_list("NOTHING").await;
    let record = json!({"first_name": "a", "last_name": "b", "phone_numbers": [
        {"phone_number": "+14155550100", "phone_type": "HOME"}, {"phone_number": "+14155550101", "phone_type": "OFFICE"}
    ]});
    for _ in 0..41 {
        app.records(&list, &vec![record.clone(); 100]).await;
    }
    let asked = json!({"resource": "record", "within": {"record_list_id": list}, "filter": {"created_before": "2100-01-01T00:00:00Z"}});
    app.post("/v1/deletions", &asked).await.expect(202);
    app.work().await;
    assert_eq!(app.count("SELECT count(*) FROM records WHERE deleted_at IS NOT NULL").await, 4_100);
    later(&mut app, &seconds, DAY + 3601);
    app.work().await;
    for (resource, table, count) in [("contact", "contacts", 4_123), ("record", "records", 4_100)] {
        assert_eq!(app.counted(format!("SELECT count(*) FROM {table}")).await, 0, "{table}");
        let purges = app.get(&format!("/v1/deletions?resource={resource}")).await.expect(200);
        let purge = purges["results"].as_array().expect("results").iter().find(|one| one["action"] == "purge");
        let purge = purge.unwrap_or_else(|| panic!("no purge: {purges}"));
        assert_eq!(json!([purge["state"], purge["reasons"]]), json!(["succeeded", {"PURGED": count}]));
        let path = format!("/v1/deletions/{}/outcomes", purge["id"].as_str().expect("an id"));
        let told = app.request(Method::GET, &path).header("Accept", "application/x-ndjson").send().await;
        let told: Vec<Value> =
            told.text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
        let ids: HashSet<&str> = told.iter().map(|one| one["rows"][0].as_str().expect("a row")).collect();
        assert_eq!((told.len(), ids.len()), (count, count), "each is told once");
        let written = format!(
            "SELECT count(*) = {count} AND count(DISTINCT id) = {count} FROM ledger, unnest(row_ids) AS id
             WHERE action = 'purged' AND resource = '{resource}'"
        );
        let is_written: bool =
            sqlx::query_scalar(AssertSqlSafe(written)).fetch_one(&app.admin).await.expect("the ledger");
        assert!(is_written, "and written once");
    }
    assert_eq!(app.count("SELECT count(*) FROM record_phones").await, 0);
}

#[tokio::test]
async fn a_large_list_that_is_being_purged_does_not_come_back() {
    let (mut app, seconds) = start().await;
    set(&app, &json!({"record_list": 1})).await;
    let list = app.record_list("NOTHING").await;
    let record = json!({"first_name": "a", "last_name": "b", "phone_number": "+14155550100"});
    for _ in 0..23 {
        app.records(&list, &vec![record.clone(); 100]).await;
    }
    let deletion = app.delete(&format!("/record-lists/{list}")).await.header("Deletion-Id").expect("an id").to_owned();
    later(&mut app, &seconds, DAY + 3601);
    let services = app.services();
    while app.count("SELECT count(*) FROM records").await == 2300 {
        assert!(services.deletions.work().await.expect("it works"));
    }
    assert_eq!(app.count("SELECT count(*) FROM record_lists").await, 1, "it is on its way");
    let undo = app.request(Method::POST, &format!("/v1/deletions/{deletion}/undo")).send().await.expect(200);
    assert_eq!(undo["outcomes"][0]["reason"], "ALREADY_PURGED");
    let restore = json!({"resource": "record_list", "items": [{"id": list}]});
    assert_eq!(app.post("/v1/trash/restore", &restore).await.expect(200)["outcomes"][0]["reason"], "ALREADY_PURGED");
    app.work().await;
    assert_eq!(app.count("SELECT (SELECT count(*) FROM record_lists) + (SELECT count(*) FROM records)").await, 0);
}

#[tokio::test]
async fn what_is_never_sent_to_its_end_is_ended_by_the_upkeep() {
    let (mut app, seconds) = start().await;
    let target = Target::Contacts(StreamId::parse(&app.account.stream).expect("a stream's id"));
    let open = app.services().deletions.open(&app.caller(), &target, &How::default()).await.expect("it opens");
    later(&mut app, &seconds, 3 * 3600);
    app.work().await;
    let ended = app.get(&format!("/v1/deletions/{}", open.id)).await.expect(200);
    assert_eq!(json!([ended["state"], ended["failure"]]), json!(["failed", "BROKE_OFF"]));
}
