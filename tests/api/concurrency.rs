//! What must hold when many act at once, and when the process dies. Each
//! guarantee is also shown to fail for a variant that breaks it.

use std::collections::HashMap;
use std::io::BufRead;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

use crate::support::{TestApp, postgres};

/// A seed that a failing run prints, and that can be given again.
fn seed() -> u64 {
    let seed = std::env::var("EXPUNGE_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random);
    println!("EXPUNGE_TEST_SEED={seed}");
    seed
}

#[tokio::test]
async fn overlapping_bulk_deletions_neither_deadlock_nor_delete_twice() {
    let app = TestApp::start().await;
    let ids = app.contacts(9_000_000_000, 1000).await;
    let mut random = StdRng::seed_from_u64(seed());
    let path = app.account.bulk_delete_path();
    let answers = join_all((0..64).map(|_| {
        let mut ids = ids.clone();
        ids.shuffle(&mut random);
        let body = json!({"ids": ids});
        let (app, path) = (&app, path.as_str());
        async move { app.delete_with(path, &body).await }
    }))
    .await;
    let mut successes: HashMap<String, u32> = HashMap::new();
    for answer in answers {
        let report = answer.expect(200);
        for record in report["successfulRecords"].as_array().expect("an array") {
            *successes.entry(record["id"].as_str().expect("an id").to_owned()).or_default() += 1;
        }
        for record in report["failedRecords"].as_array().expect("an array") {
            assert_eq!(record["reason"], "ALREADY_DELETED");
        }
    }
    assert_eq!(successes.len(), 1000, "every id was deleted");
    assert!(successes.values().all(|times| *times == 1), "no id was deleted twice");
    assert_eq!(app.count("SELECT sum(cardinality(row_ids))::bigint FROM ledger").await, 1000);
}

#[tokio::test]
async fn the_same_deletions_without_the_order_of_locks_deadlock() {
    let app = TestApp::start().await;
    let ids = app.contacts(9_000_000_000, 1000).await;
    let mut random = StdRng::seed_from_u64(seed());
    let results = join_all((0..32).map(|_| {
        let mut ids = ids.clone();
        ids.shuffle(&mut random);
        let admin = app.admin.clone();
        async move {
            let mut transaction = admin.begin().await?;
            sqlx::query("SET LOCAL deadlock_timeout = '20ms'").execute(&mut *transaction).await?;
            // One row after another, in the order of the request: what the engine must not do.
            for chunk in ids.chunks(100) {
                let sql = "UPDATE contacts c SET version = version + 1 FROM unnest($1::text[]) AS asked (id) WHERE c.id = asked.id";
                sqlx::query(sql).bind(chunk).execute(&mut *transaction).await?;
            }
            transaction.commit().await
        }
    }))
    .await;
    let deadlocks = results.iter().filter(|result| {
        let error = result.as_ref().err().and_then(|error| error.as_database_error());
        error.and_then(|error| error.code()).as_deref() == Some("40P01")
    });
    assert!(deadlocks.count() > 0, "the test above could not fail");
}

/// Lists that are in the trash and attached to a live campaign all the same.
const BROKEN: &str = "
    SELECT count(*)
    FROM campaign_contact_lists a
    JOIN contact_lists l ON l.account_id = a.account_id AND l.id = a.list_id
    JOIN campaigns c ON c.account_id = a.account_id AND c.id = a.campaign_id
    WHERE l.deleted_at IS NOT NULL AND c.deleted_at IS NULL";

/// Races a deletion of a list against a campaign that names it, over and over.
/// Answers how often each won.
async fn race(app: &TestApp, races: usize) -> (usize, usize) {
    let (mut deleted, mut attached) = (0, 0);
    let numbers: Vec<usize> = (0..races).collect();
    for batch in numbers.chunks(6) {
        let results = join_all(batch.iter().map(|number| async move {
            let name = format!("race {number}");
            let list = app.contact_list(&name).await;
            let create = app.account.family("/campaign?campaignType=voice");
            let (path, body) = (app.account.contact_list_path(&list), json!({"name": name, "contactLists": [name]}));
            let (delete, create) = if number % 2 == 0 {
                tokio::join!(app.delete(&path), app.post(&create, &body))
            } else {
                let (create, delete) = tokio::join!(app.post(&create, &body), app.delete(&path));
                (delete, create)
            };
            match (delete.status.as_u16(), create.status.as_u16()) {
                (200, 400) => true,
                (409, 200) => false,
                other => panic!("race {number} ended with {other:?}: {delete:?} {create:?}"),
            }
        }))
        .await;
        deleted += results.iter().filter(|deleted| **deleted).count();
        attached += results.iter().filter(|deleted| !**deleted).count();
    }
    (deleted, attached)
}

#[tokio::test]
async fn a_list_is_never_both_deleted_and_attached() {
    let app = TestApp::start().await;
    let (deleted, attached) = race(&app, 300).await;
    println!("{deleted} lists were deleted, {attached} were attached");
    assert!(deleted > 0 && attached > 0, "each side must win at times, or there was no race");
    assert_eq!(sqlx::query_scalar::<_, i64>(BROKEN).fetch_one(&app.admin).await.expect("a number"), 0);
}

#[tokio::test]
async fn the_services_own_check_holds_without_the_foreign_key() {
    let app = TestApp::start().await;
    drop_foreign_key(&app).await;
    let (deleted, attached) = race(&app, 100).await;
    assert!(deleted > 0 && attached > 0, "each side must win at times, or there was no race");
    assert_eq!(sqlx::query_scalar::<_, i64>(BROKEN).fetch_one(&app.admin).await.expect("a number"), 0);
}

#[tokio::test]
async fn the_foreign_key_holds_without_the_services_check() {
    let app = TestApp::start().await;
    for number in 0..300 {
        let name = format!("race {number}");
        let list = app.contact_list(&name).await;
        let create = app.account.family("/campaign?campaignType=voice");
        let body = json!({"name": name, "contactLists": [name]});
        let (deleted, created) = tokio::join!(delete_naively(&app, &list), app.post(&create, &body));
        match (deleted, created.status.as_u16()) {
            (Ok(()), 400) => {}
            (Err(code), 200) => assert_eq!(code, "23503"),
            other => panic!("race {number} ended with {other:?}: {created:?}"),
        }
    }
    assert_eq!(sqlx::query_scalar::<_, i64>(BROKEN).fetch_one(&app.admin).await.expect("a number"), 0);
}

#[tokio::test]
async fn a_check_before_the_act_loses_the_race_without_the_foreign_key() {
    let app = TestApp::start().await;
    drop_foreign_key(&app).await;
    for number in 0..300 {
        let name = format!("race {number}");
        let list = app.contact_list(&name).await;
        let create = app.account.family("/campaign?campaignType=voice");
        let body = json!({"name": name, "contactLists": [name]});
        let (_, created) = tokio::join!(check_then_delete(&app, &list), app.post(&create, &body));
        assert!(created.status == 200 || created.status == 400, "{created:?}");
        if sqlx::query_scalar::<_, i64>(BROKEN).fetch_one(&app.admin).await.expect("a number") > 0 {
            println!("race {number} was lost");
            return;
        }
    }
    panic!("the tests above could not fail");
}

/// Looks whether a list is attached, and trashes it if it is not: what the engine must not do.
async fn check_then_delete(app: &TestApp, list: &str) {
    let attached: i64 = sqlx::query_scalar("SELECT count(*) FROM campaign_contact_lists WHERE list_id = $1")
        .bind(list)
        .fetch_one(&app.admin)
        .await
        .expect("the attachments can be counted");
    if attached == 0 {
        delete_naively(app, list).await.expect("nothing stops it");
    }
}

async fn drop_foreign_key(app: &TestApp) {
    let sql = "ALTER TABLE campaign_contact_lists DROP CONSTRAINT campaign_contact_lists_live_list";
    sqlx::raw_sql(sql).execute(&app.admin).await.expect("the key can be dropped");
}

/// Trashes a list as the application's role, without looking what is attached.
async fn delete_naively(app: &TestApp, list: &str) -> Result<(), String> {
    let mut connection = PgConnection::connect_with(&app.database.app()).await.expect("the role may connect");
    let mut transaction = connection.begin().await.expect("a transaction");
    sqlx::query("SELECT set_config('app.account_id', $1, true)")
        .bind(&app.account.id)
        .execute(&mut *transaction)
        .await
        .expect("an account");
    let trashed = sqlx::query(
        "UPDATE contact_lists SET deleted_at = now(), deleted_by = 'nobody', deletion_id = gen_random_uuid() WHERE id = $1",
    )
    .bind(list)
    .execute(&mut *transaction)
    .await;
    match trashed {
        Ok(_) => transaction.commit().await.map_err(|error| error.to_string()),
        Err(error) => Err(error.as_database_error().and_then(|error| error.code()).unwrap_or_default().into_owned()),
    }
}

#[tokio::test]
async fn what_others_hold_is_said_to_be_busy_and_the_rest_is_deleted() {
    let app = TestApp::start_with(Duration::from_millis(50)).await;
    let ids = app.contacts(9_000_000_000, 3).await;
    let mut holder = app.admin.begin().await.expect("a transaction");
    sqlx::query("SELECT FROM contacts WHERE id = $1 FOR UPDATE")
        .bind(&ids[1])
        .execute(&mut *holder)
        .await
        .expect("a lock");

    let single = app.delete(&app.account.contact_path(&ids[1])).await;
    assert_eq!(single.header("Retry-After"), Some("1"));
    assert_eq!(single.expect(503)["errors"][0]["reason"], "BUSY");
    let path = app.account.bulk_delete_path();
    let atomic = app.delete_with(&format!("{path}?atomic=true"), &json!({"ids": ids})).await.expect(200);
    let reasons = |report: &Value| {
        let failed = report["failedRecords"].as_array().expect("an array").iter();
        failed.map(|record| record["reason"].as_str().expect("a reason").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(reasons(&atomic), ["ROLLED_BACK", "BUSY", "ROLLED_BACK"]);
    let report = app.delete_with(&path, &json!({"ids": ids})).await.expect(200);
    assert_eq!((&report["successful"], reasons(&report)), (&json!(2), vec!["BUSY".to_owned()]));
    assert_eq!(report["failedRecords"][0]["retryable"], true);

    holder.rollback().await.expect("the lock is let go");
    app.delete(&app.account.contact_path(&ids[1])).await.expect(200);
}

/// What of rows and ledger does not agree, for deletions of whole thousands.
async fn disagreement(app: &TestApp) -> Option<String> {
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "SELECT deletion_id::text, count(*) FROM contacts WHERE deleted_at IS NOT NULL GROUP BY 1 ORDER BY 1",
    )
    .fetch_all(&app.admin)
    .await
    .expect("the rows can be read");
    let ledger: Vec<(String, i64)> =
        sqlx::query_as("SELECT deletion_id::text, sum(cardinality(row_ids))::bigint FROM ledger GROUP BY 1 ORDER BY 1")
            .fetch_all(&app.admin)
            .await
            .expect("the ledger can be read");
    if rows != ledger {
        return Some(format!("rows say {rows:?}, the ledger says {ledger:?}"));
    }
    rows.iter().find(|(_, count)| count % 1000 != 0).map(|(id, count)| format!("{id} is torn: {count} rows"))
}

/// The real program over the test's database, killed when it is dropped.
pub struct Process {
    child: Child,
    pub base_url: String,
}

impl Process {
    pub fn start(app: &TestApp) -> Self {
        Self::start_with(app, &[])
    }

    pub fn start_with(app: &TestApp, args: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_expunge"))
            .args(["serve", "--listen", "127.0.0.1:0", "--log-format", "json"])
            .args(args)
            .env("EXPUNGE_DATABASE_URL", postgres::url(&app.database.app()))
            .env("EXPUNGE_SECRET_KEY", app.secret_key.expose_secret())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut log = std::io::BufReader::new(child.stderr.take().expect("its log is ours")).lines();
        let address = log
            .find_map(|line| {
                let line: Value = serde_json::from_str(&line.expect("the log is text")).expect("the log is JSON");
                line["address"].as_str().map(str::to_owned)
            })
            .expect("it says where it serves");
        std::thread::spawn(move || log.for_each(drop));
        Self { child, base_url: format!("http://{address}") }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().expect("SIGKILL is always possible");
        self.child.wait().expect("a killed child ends");
    }
}

/// Waits until the sessions of a dead process have noticed, so that what it left is final.
pub async fn sessions_end(app: &TestApp) {
    let started = Instant::now();
    let busy = "SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND usename = 'expunge_app' AND state <> 'idle'";
    while app.count(busy).await > 0 {
        assert!(started.elapsed() < Duration::from_secs(30), "sessions of a dead process stay");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until a statement waits for a lock: the moment in which to kill.
pub async fn something_waits_for_a_lock(app: &TestApp) {
    so_many_wait_for_locks(app, 1).await;
}

/// Waits until so many statements wait for locks.
pub async fn so_many_wait_for_locks(app: &TestApp, count: i64) {
    let started = Instant::now();
    while app
        .count("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
        .await
        < count
    {
        assert!(started.elapsed() < Duration::from_secs(30), "not {count} wait for a lock");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn a_process_that_dies_in_a_bulk_deletion_leaves_all_of_it_or_none() {
    let app = TestApp::start().await;
    let mut random = StdRng::seed_from_u64(seed());
    // Between the locks and the rows, between the rows and the ledger, and then anywhere.
    let held = [
        "SELECT FROM contacts WHERE deleted_at IS NULL ORDER BY id DESC LIMIT 1 FOR UPDATE",
        "LOCK TABLE ledger IN EXCLUSIVE MODE",
    ];
    let mut whole = 0;
    for round in 0..12_u64 {
        let ids = app.contacts(9_000_000_000 + round * 1000, 1000).await;
        let process = Process::start(&app);
        let url = format!("{}{}", process.base_url, app.account.bulk_delete_path());
        let request = reqwest::Client::new()
            .delete(url)
            .header("auth", &app.account.token)
            .header("accountId", &app.account.id)
            .json(&json!({"ids": ids}))
            .send();
        let request = tokio::spawn(request);
        if let Some(held) = held.get(usize::try_from(round).expect("twelve rounds")) {
            let mut holder = app.admin.begin().await.expect("a transaction");
            sqlx::query(sqlx::AssertSqlSafe(*held)).execute(&mut *holder).await.expect("a lock");
            something_waits_for_a_lock(&app).await;
            drop(process);
            holder.rollback().await.expect("the lock is let go");
        } else {
            tokio::time::sleep(Duration::from_micros(random.random_range(0..400_000))).await;
            drop(process);
        }
        let answered = request.await.expect("the request ends").is_ok();
        sessions_end(&app).await;
        assert_eq!(disagreement(&app).await, None, "round {round}");
        let deleted = app.count("SELECT count(*) FROM ledger").await;
        assert!(!answered || deleted > whole, "what was answered is there");
        whole = deleted;
        // What is left live would be in the way of the next round's lock.
        sqlx::raw_sql("DELETE FROM contacts WHERE deleted_at IS NULL").execute(&app.admin).await.expect("rows go");
    }
    println!("{whole} of 12 deletions were whole, the others left nothing");
}

#[tokio::test]
async fn a_deletion_in_two_transactions_is_torn_by_the_same_death() {
    let app = TestApp::start().await;
    app.contacts(9_000_000_000, 1000).await;
    let mut connection = PgConnection::connect_with(&app.database.superuser()).await.expect("a connection");
    sqlx::query("UPDATE contacts SET deleted_at = now(), deleted_by = 'nobody', deletion_id = gen_random_uuid()")
        .execute(&mut connection)
        .await
        .expect("the rows are trashed");
    // The process dies here, before its second transaction writes the ledger.
    connection.close_hard().await.expect("the connection is gone");
    assert!(disagreement(&app).await.is_some(), "the test above could not fail");
}

#[tokio::test]
async fn a_deletion_by_number_spares_a_record_that_has_another_number_by_then() {
    let app = TestApp::start().await;
    let record = json!({
        "first_name": "a", "last_name": "b", "phone_number": "+14155550100", "external_provider": "crm", "external_id": "1"
    });
    for (path, change) in [
        (
            "records?phone_number=%2B14155550100",
            "UPDATE record_phones SET phone_key = '14155550199' WHERE record_id::text = $1",
        ),
        (
            "external-records?external_provider=crm&external_id=1",
            "UPDATE records SET external_id = '2' WHERE id::text = $1",
        ),
    ] {
        for mode in ["soft", "hard"] {
            // A hard deletion takes what is in the trash as well, so that each has a list of its own.
            let list = app.record_list("NOTHING").await;
            let id = app.records(&list, std::slice::from_ref(&record)).await.remove(0);
            // Somebody who changes it has it locked, and has not committed yet.
            let mut changer = app.admin.begin().await.expect("a transaction");
            sqlx::query("SELECT FROM records WHERE id::text = $1 FOR UPDATE")
                .bind(&id)
                .execute(&mut *changer)
                .await
                .expect("a lock");
            sqlx::query(sqlx::AssertSqlSafe(change)).bind(&id).execute(&mut *changer).await.expect("a change");
            let path = format!("/record-lists/{list}/{path}&mode={mode}");
            let committed = async {
                something_waits_for_a_lock(&app).await;
                changer.commit().await.expect("the change is committed");
            };
            let (deleted, ()) = tokio::join!(app.delete(&path), committed);
            assert_eq!(deleted.expect(404)["code"], "0530920", "{mode} {path}");
            app.get(&format!("/record-lists/{list}/records/{id}")).await.expect(200);
        }
    }
}
