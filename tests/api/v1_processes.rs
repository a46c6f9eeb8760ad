//! Work in the background by real processes: killed at any point, several at once, and stopped by who asked for it.

use std::time::{Duration, Instant};

use rand::Rng;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{Postgres, Transaction};

use crate::concurrency::{Process, sessions_end, something_waits_for_a_lock};
use crate::support::TestApp;
use crate::v1_downloads::multiply;

const ROWS: i64 = 5000;
const BATCH: i64 = 1000;

/// At which point of a batch a worker waits for the test: before it has read how far the operation is, with the rows
/// changed, with the ledger written, and with the outcomes written.
const POINTS: [&str; 4] = [
    "SELECT FROM deletions WHERE id::text = $1 FOR UPDATE",
    "LOCK TABLE ledger IN EXCLUSIVE MODE",
    "LOCK TABLE deletion_chunks IN EXCLUSIVE MODE",
    "LOCK TABLE deletions IN SHARE MODE",
];

async fn hold(app: &TestApp, point: &'static str, id: &str) -> Transaction<'static, Postgres> {
    let mut holder = app.admin.begin().await.expect("a transaction");
    let statement = sqlx::query(point);
    let statement = if point.contains("$1") { statement.bind(id) } else { statement };
    statement.execute(&mut *holder).await.expect("a lock");
    holder
}

/// A worker of a process waits at a point, and the process is killed there.
async fn kill_at(app: &TestApp, point: &'static str, id: &str) {
    let holder = hold(app, point, id).await;
    let process = start(app);
    something_waits_for_a_lock(app).await;
    drop(process);
    holder.rollback().await.expect("the lock is let go");
    sessions_end(app).await;
}

/// A process that waits for locks longer than a test takes.
fn start(app: &TestApp) -> Process {
    Process::start_with(app, &["--lock-timeout-ms", "60000", "--workers", "2"])
}

async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !is_so().await {
        assert!(started.elapsed() < Duration::from_secs(60), "not so in a minute: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn is_over(app: &TestApp, location: &str) -> bool {
    !app.get(location).await.expect(200)["finished_at"].is_null()
}

/// One more batch is done by a process, which is killed in the middle of the next.
async fn one_more_batch(app: &TestApp, location: &str, id: &str, before: i64) {
    let holder = hold(app, POINTS[1], id).await;
    let process = start(app);
    something_waits_for_a_lock(app).await;
    // Who asks for the ledger now has it when this batch is committed, and before the next one is.
    let (next, ()) = tokio::join!(hold(app, POINTS[1], id), async {
        until("two wait for the ledger", async || {
            let waiting = "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
                           WHERE d.datname = current_database() AND NOT l.granted AND l.relation = 'ledger'::regclass";
            app.count(waiting).await == 2
        })
        .await;
        holder.rollback().await.expect("the lock is let go");
    });
    assert_eq!(app.get(location).await.expect(200)["processed"], before + BATCH);
    if before + BATCH < ROWS {
        something_waits_for_a_lock(app).await;
    }
    drop(process);
    next.rollback().await.expect("the lock is let go");
    sessions_end(app).await;
}

/// Has an operation on every row done by processes that die, and compares all that tells of it.
async fn done_among_the_dying(app: &TestApp, location: &str, word: &str, action: &str, version: i64) {
    let id = location.rsplit('/').next().expect("a place ends with an id");
    for (point, before) in (0..).zip((0..ROWS).step_by(1000)) {
        kill_at(app, POINTS[point % POINTS.len()], id).await;
        kill_at(app, POINTS[(point + 1) % POINTS.len()], id).await;
        assert_eq!(app.get(location).await.expect(200)["processed"], before, "what was torn left nothing");
        one_more_batch(app, location, id, before).await;
    }
    let _last = start(app);
    until("it is over", async || is_over(app, location).await).await;
    agree(app, location, word, action, version, ROWS).await;
}

/// Rows, ledger, outcomes and totals say the same: so many rows were changed, each once.
async fn agree(app: &TestApp, location: &str, word: &str, action: &str, version: i64, rows: i64) {
    let id = location.rsplit('/').next().expect("a place ends with an id");
    let found = app.get(location).await.expect(200);
    assert_eq!(
        json!([found["succeeded"], found["rows_affected"], found["reasons"][word]]),
        json!([rows, rows, if rows > 0 { json!(rows) } else { Value::Null }]),
        "{found}"
    );
    let entries: Vec<(String, i64)> = sqlx::query_as(
        "SELECT entry.id, entry.version FROM ledger, unnest(row_ids, versions) AS entry (id, version)
         WHERE deletion_id::text = $1 AND action = $2 ORDER BY 1",
    )
    .bind(id)
    .bind(action)
    .fetch_all(&app.admin)
    .await
    .expect("the ledger");
    let changed: Vec<(String, i64)> = sqlx::query_as(
        "SELECT id, version FROM contacts WHERE version = $1 AND (deleted_at IS NOT NULL) = $2
         AND ($3 OR deletion_id::text = $4) ORDER BY 1",
    )
    .bind(version)
    .bind(action == "deleted")
    .bind(action != "deleted")
    .bind(id)
    .fetch_all(&app.admin)
    .await
    .expect("rows");
    assert_eq!(i64::try_from(entries.len()).ok(), Some(rows));
    assert!(entries == changed, "the ledger and the rows do not agree: {} and {}", entries.len(), changed.len());
    let download = app.request(Method::GET, &format!("{location}/outcomes")).header("Accept", "application/x-ndjson");
    let text = download.send().await.text;
    let outcomes: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let positions: Vec<i64> = outcomes.iter().filter_map(|one| one["position"].as_i64()).collect();
    assert_eq!(positions, (1..=found["requested"].as_i64().expect("it is over")).collect::<Vec<_>>());
    let mut told: Vec<&str> =
        outcomes.iter().filter(|one| one["reason"] == word).filter_map(|one| one["rows"][0].as_str()).collect();
    told.sort_unstable();
    assert!(
        told == entries.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(),
        "the outcomes and the ledger differ"
    );
}

async fn queue(app: &TestApp, what: &str, how: Value) -> String {
    let mut body = json!({"resource": "contact", "within": {"stream_id": app.account.stream}});
    body[what] = how;
    let queued = app.request(Method::POST, "/v1/deletions").header("Prefer", "respond-async").json(&body).send().await;
    queued.header("Location").unwrap_or_else(|| panic!("it says where: {queued:?}")).to_owned()
}

async fn undo(app: &TestApp, location: &str) -> String {
    let undone = app.request(Method::POST, &format!("{location}/undo")).send().await;
    undone.header("Location").unwrap_or_else(|| panic!("it says where: {undone:?}")).to_owned()
}

#[tokio::test]
async fn a_deletion_and_its_undo_change_each_row_once_wherever_processes_die() {
    let app = TestApp::start().await;
    // The accounts' upkeep is out of the way.
    app.work().await;
    multiply(&app, ROWS).await;
    let deletion = queue(&app, "filter", json!({"country_code": "+91"})).await;
    done_among_the_dying(&app, &deletion, "DELETED", "deleted", 2).await;
    let undo = undo(&app, &deletion).await;
    done_among_the_dying(&app, &undo, "RESTORED", "restored", 3).await;
}

#[tokio::test]
async fn two_processes_share_a_deletion_and_its_undo_and_take_no_row_twice() {
    let app = TestApp::start().await;
    app.work().await;
    multiply(&app, ROWS).await;
    let deletion = queue(&app, "all", json!(true)).await;
    let _processes = [start(&app), start(&app)];
    until("it is over", async || is_over(&app, &deletion).await).await;
    agree(&app, &deletion, "DELETED", "deleted", 2, ROWS).await;
    let undo = undo(&app, &deletion).await;
    until("it is over", async || is_over(&app, &undo).await).await;
    agree(&app, &undo, "RESTORED", "restored", 3, ROWS).await;
}

#[tokio::test]
async fn a_deletion_that_is_stopped_while_it_is_worked_on_has_done_what_it_says_and_no_more() {
    let app = TestApp::start().await;
    app.work().await;
    let contacts = multiply(&app, 3000).await;
    let items: Vec<Value> = contacts.iter().map(|(id, _)| json!({ "id": id })).collect();
    let (mut version, mut stopped) = (2, 0);
    for round in 0..12 {
        let deletion = match round % 2 {
            0 => queue(&app, "items", json!(items)).await,
            _ => queue(&app, "all", json!(true)).await,
        };
        let wait = Duration::from_micros(rand::rng().random_range(0..400_000));
        let cancel = async {
            tokio::time::sleep(wait).await;
            app.request(Method::POST, &format!("{deletion}/cancel")).send().await
        };
        let (answer, _) = tokio::join!(cancel, app.work());
        app.work().await;
        let found = app.get(&deletion).await.expect(200);
        let state = match answer.status.as_u16() {
            202 => "cancelled",
            _ => {
                assert_eq!(answer.expect(409)["reason"], "WRONG_STATE");
                "succeeded"
            }
        };
        assert_eq!(found["state"], state, "{found}");
        let rows = found["rows_affected"].as_i64().expect("a number");
        assert_eq!(rows % BATCH, 0, "a batch is whole: {found}");
        stopped += i64::from(rows < 3000);
        assert_eq!(found["reasons"]["UNPROCESSED"].as_i64().unwrap_or(0), if round % 2 == 0 { 3000 - rows } else { 0 });
        agree(&app, &deletion, "DELETED", "deleted", version, rows).await;
        // What went comes back, so that all have the same version again.
        let back = app.request(Method::POST, &format!("{deletion}/undo")).send().await;
        assert!(back.status.is_success(), "{back:?}");
        app.work().await;
        sqlx::query("UPDATE contacts SET version = $1").bind(version + 1).execute(&app.admin).await.expect("versions");
        assert_eq!(app.count("SELECT count(*) FROM contacts WHERE deleted_at IS NULL").await, 3000);
        version += 2;
    }
    println!("{stopped} of 12 were stopped before their end");
}
