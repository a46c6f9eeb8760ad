//! A request that is sent again under its key is done once and answered the
//! same, whatever is in between: others, time, broken connections, death.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use expunge::domain::ids::AccountId;
use expunge::repositories::idempotency::remove_expired;
use expunge::sealing::HalfKey;
use expunge::services::tokens;
use futures_util::future::join_all;
use futures_util::stream;
use reqwest::Method;
use secrecy::SecretString;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use tokio::sync::mpsc;

use crate::concurrency::{Process, sessions_end, something_waits_for_a_lock};
use crate::support::{
    Account, Answer, Family, Operation, TestApp, Things, fingerprint, test_clock, things_fingerprint,
};
use crate::wire::counted;

/// What a replay must have the same as the first answer.
fn essence(answer: &Answer) -> (u16, &str, Vec<Option<&str>>) {
    let headers = ["Content-Type", "Deletion-Id", "Location", "ETag"].map(|name| answer.header(name));
    (answer.status.as_u16(), &answer.text, headers.to_vec())
}

fn is_replayed(answer: &Answer) -> bool {
    answer.header("Idempotency-Replayed") == Some("true")
}

/// Every operation that changes something, or could by its method.
fn changes(things: &Things, account: &Account) -> Vec<Operation> {
    things.operations(account).into_iter().filter(|operation| operation.method != Method::GET).collect()
}

async fn send(app: &TestApp, method: Method, path: &str, key: &str, body: Option<&Value>) -> Answer {
    let request = app.request(method, path).header("Idempotency-Key", key);
    match body {
        Some(body) => request.json(body).send().await,
        None => request.send().await,
    }
}

async fn delete(app: &TestApp, path: &str, key: &str) -> Answer {
    send(app, Method::DELETE, path, key, None).await
}

async fn delete_with(app: &TestApp, path: &str, key: &str, body: &Value) -> Answer {
    send(app, Method::DELETE, path, key, Some(body)).await
}

#[tokio::test]
async fn every_change_of_every_family_is_done_once_and_answered_the_same_when_it_is_sent_again() {
    let app = TestApp::start().await;
    let mut number = 0;
    for index in 0..changes(&Things::unknown(), &app.account).len() {
        number += 1;
        let things = Things::create(&app, &app.account, number).await;
        let operation = changes(&things, &app.account).swap_remove(index);
        let first = operation.send_under(&app, &app.account, operation.id).await;
        assert_eq!(first.status.as_u16(), operation.success, "{}: {first:?}", operation.id);
        assert!(!is_replayed(&first), "{}", operation.id);
        let before = fingerprint(&app.admin).await;
        for _ in 0..2 {
            let again = operation.send_under(&app, &app.account, operation.id).await;
            assert_eq!(essence(&again), essence(&first), "{}", operation.id);
            assert!(is_replayed(&again), "{}", operation.id);
            assert!(again.header("Request-Id").is_some(), "{}", operation.id);
        }
        assert_eq!(fingerprint(&app.admin).await, before, "{}", operation.id);
    }
    assert!(number > 30, "there are as many changes");
}

#[tokio::test]
async fn another_request_under_a_key_is_refused_in_every_family_and_changes_nothing() {
    let app = TestApp::start().await;
    let things = Things::create(&app, &app.account, 1).await;
    send(&app, Method::POST, "/record-lists", "abc", Some(&json!({"name": "the first"}))).await.expect(201);
    let before = fingerprint(&app.admin).await;
    for operation in changes(&things, &app.account) {
        let answer = operation.send_under(&app, &app.account, "abc").await;
        let refusal =
            operation.family.refusal(&answer, 422).unwrap_or_else(|wrong| panic!("{}: {wrong}", operation.id));
        assert!(refusal.complaints.iter().any(|said| said.contains("Idempotency-Key")), "{refusal:?}");
        assert!(
            operation.family == Family::RecordLists || answer.text.contains("IDEMPOTENCY_KEY_REUSED"),
            "{answer:?}"
        );
        assert!(!is_replayed(&answer));
    }
    assert_eq!(fingerprint(&app.admin).await, before);
    // What tells requests apart, one at a time.
    let list = app.contact_list("people").await;
    let path = app.account.contact_list_path(&list);
    let put = |path: String, if_match: &'static str, body: Value| {
        let request = app.request(Method::PUT, &path).header("Idempotency-Key", "put").header("If-Match", if_match);
        async move { request.json(&body).send().await }
    };
    let body = json!({"description": "new"});
    put(path.clone(), "*", body.clone()).await.expect(200);
    assert!(is_replayed(&put(path.clone(), "*", body.clone()).await));
    put(path.clone(), "\"1\"", body.clone()).await.expect(422);
    put(format!("{path}?accountId={}", app.account.id), "*", body.clone()).await.expect(422);
    put(path, "*", json!({"description": "newer"})).await.expect(422);
}

#[tokio::test]
async fn sixty_four_callers_with_one_key_delete_once_and_all_hear_the_same() {
    let app = TestApp::start_with(Duration::from_secs(20)).await;
    let ids = app.contacts(9_000_000_000, 1000).await;
    let (path, body) = (app.account.bulk_delete_path(), json!({"ids": ids}));
    let answers = join_all((0..64).map(|_| delete_with(&app, &path, "abc", &body))).await;
    assert_eq!(answers[0].expect(200)["successful"], 1000);
    for answer in &answers {
        assert_eq!(essence(answer), essence(&answers[0]));
    }
    assert_eq!(answers.iter().filter(|answer| !is_replayed(answer)).count(), 1, "one did it");
    assert_eq!(app.count("SELECT sum(cardinality(row_ids))::bigint FROM ledger").await, 1000);
    assert_eq!(app.count("SELECT count(*) FROM idempotency_keys").await, 1);
}

#[tokio::test]
async fn the_same_callers_without_a_key_hear_different_things() {
    let app = TestApp::start().await;
    let ids = app.contacts(9_000_000_000, 100).await;
    let (path, body) = (app.account.bulk_delete_path(), json!({"ids": ids}));
    let answers = join_all((0..64).map(|_| app.delete_with(&path, &body))).await;
    assert!(answers.iter().any(|answer| essence(answer) != essence(&answers[0])), "the test above could not fail");
}

/// The first of each of the account's deletions waits for this.
pub async fn hold_the_ledger(app: &TestApp) -> sqlx::Transaction<'static, sqlx::Postgres> {
    let mut holder = app.admin.begin().await.expect("a transaction");
    sqlx::query("LOCK TABLE ledger IN EXCLUSIVE MODE").execute(&mut *holder).await.expect("a lock");
    holder
}

#[tokio::test]
async fn a_request_that_is_still_under_way_is_waited_for_as_long_as_for_a_lock() {
    const PATIENCE: Duration = Duration::from_millis(300);
    let app = TestApp::start_with(PATIENCE).await;
    // Another process of the deployment, which has two seconds.
    let beside = app.start_beside(&expunge::config::IdentityArgs::default()).await;
    let ids = app.contacts(9_000_000_000, 2).await;
    let (path, body) = (app.account.bulk_delete_path(), json!({"ids": ids}));
    let holder = hold_the_ledger(&app).await;
    let first = app
        .anonymous_at(&beside, Method::DELETE, &path)
        .header("auth", &app.account.token)
        .header("accountId", &app.account.id)
        .header("Idempotency-Key", "abc")
        .json(&body)
        .send();
    let second = async {
        something_waits_for_a_lock(&app).await;
        let started = Instant::now();
        let refused = delete_with(&app, &path, "abc", &body).await;
        let waited = started.elapsed();
        holder.rollback().await.expect("the lock is let go");
        (refused, waited)
    };
    let (first, (refused, waited)) = tokio::join!(first, second);
    assert_eq!(first.expect(200)["successful"], 2);
    assert_eq!(refused.header("Retry-After"), Some("1"));
    assert_eq!(refused.expect(409)["errors"][0]["reason"], "IDEMPOTENCY_KEY_IN_USE");
    assert!(waited >= PATIENCE && waited < 3 * PATIENCE, "it waited once: {waited:?}");
    let replayed = delete_with(&app, &path, "abc", &body).await;
    assert_eq!(essence(&replayed), essence(&first));
    assert!(is_replayed(&replayed));
}

#[tokio::test]
async fn what_was_looked_at_and_refused_is_answered_again_and_what_was_not_is_not() {
    let app = TestApp::start_with(Duration::from_millis(50)).await;
    let again = async |method: Method, path: &str, key: &str, body: Option<&Value>, status: u16| {
        let first = send(&app, method.clone(), path, key, body).await;
        first.expect(status);
        let before = fingerprint(&app.admin).await;
        let again = send(&app, method, path, key, body).await;
        assert_eq!((essence(&again), is_replayed(&again)), (essence(&first), true));
        assert_eq!(fingerprint(&app.admin).await, before);
    };
    // 409: the name is taken, and stays so for this key when it is free again.
    let list = app.contact_list("people").await;
    let create = app.account.family("/campaign/contactList/createContactList");
    let new = json!({"name": "people", "description": "d", "source": "passiveApi"});
    again(Method::POST, &create, "taken", Some(&new), 409).await;
    app.delete(&app.account.contact_list_path(&list)).await.expect(200);
    again(Method::POST, &create, "taken", Some(&new), 409).await;
    send(&app, Method::POST, &create, "free", Some(&new)).await.expect(200);
    // 404: looked for, and not even looked for. 404 of a bulk's list, 412.
    let id = app.contacts(9_000_000_000, 1).await.remove(0);
    app.delete(&app.account.contact_path(&id)).await.expect(200);
    again(Method::DELETE, &app.account.contact_path(&id), "gone", None, 404).await;
    again(Method::DELETE, &app.account.contact_path("x"), "malformed", None, 404).await;
    again(Method::DELETE, "/record-lists/x/records/bulks", "no-list", Some(&json!([{"id": "x"}])), 404).await;
    delete(&app, &app.account.contact_path(&id), "malformed").await.expect(422);
    let id = app.contacts(9_000_000_001, 1).await.remove(0);
    let path = app.account.contact_path(&id);
    for replayed in [false, true] {
        let stale = app.request(Method::DELETE, &path).header("If-Match", "\"7\"").header("Idempotency-Key", "stale");
        let stale = stale.send().await;
        stale.expect(412);
        assert_eq!(is_replayed(&stale), replayed);
    }

    // 400, 413, 415, 403 and 503 leave the key free.
    let bulk = app.account.bulk_delete_path();
    let limited = app.with_scopes(&[expunge::domain::identity::Scope::Configuration]).await;
    let before = fingerprint(&app.admin).await;
    delete_with(&app, &bulk, "abc", &json!({"ids": [7]})).await.expect(400);
    delete_with(&app, &bulk, "abc", &json!({"ids": vec!["x".repeat(1000); 1200]})).await.expect(413);
    let keyed = |method, path: &str| app.request(method, path).header("Idempotency-Key", "abc");
    keyed(Method::DELETE, &bulk).body("text/plain", "{}").send().await.expect(415);
    let hard = app.request_as(&limited, Method::DELETE, &format!("{path}?mode=hard"));
    hard.header("Idempotency-Key", "abc").send().await.expect(403);
    keyed(Method::PUT, &bulk).send().await.expect(405);
    keyed(Method::POST, "/nowhere").send().await.expect(404);
    let holder = hold_the_ledger(&app).await;
    delete(&app, &path, "abc").await.expect(503);
    holder.rollback().await.expect("the lock is let go");
    assert_eq!(fingerprint(&app.admin).await, before);
    let done = delete(&app, &path, "abc").await;
    done.expect(200);
    assert!(!is_replayed(&done));
    assert!(is_replayed(&delete(&app, &path, "abc").await));
}

#[tokio::test]
async fn what_loses_a_race_in_the_middle_of_a_request_leaves_nothing_and_can_be_sent_again() {
    let app = TestApp::start_with(Duration::from_millis(50)).await;
    let list = app.record_list("PHONE_NUMBER").await;
    let path = format!("/record-lists/{list}/records/bulks");
    let new = json!({"records": [{"first_name": "a", "last_name": "b", "phone_number": "+14155550101"}]});
    let before = fingerprint(&app.admin).await;
    // The list is read first, which is no matter, and then filled, which is.
    let mut holder = app.admin.begin().await.expect("a transaction");
    sqlx::query("SELECT FROM record_lists FOR UPDATE").execute(&mut *holder).await.expect("a lock");
    let busy = send(&app, Method::POST, &path, "abc", Some(&new)).await;
    assert_eq!((busy.status.as_u16(), busy.header("Retry-After")), (503, Some("1")), "{busy:?}");
    holder.rollback().await.expect("the lock is let go");
    assert_eq!(fingerprint(&app.admin).await, before);
    for replayed in [false, true] {
        let created = send(&app, Method::POST, &path, "abc", Some(&new)).await;
        assert_eq!((&created.expect(201)["total_created"], is_replayed(&created)), (&json!(1), replayed));
    }
}

#[tokio::test]
async fn a_key_is_one_of_its_client_bare_or_between_quotes() {
    let app = TestApp::start().await;
    let new = json!({"name": "once"});
    let create = async |account: &Account, keys: &[&str]| {
        let request = app.request_as(account, Method::POST, "/record-lists");
        keys.iter().fold(request, |request, key| request.header("Idempotency-Key", key)).json(&new).send().await
    };
    let colleague = app.with_scopes(&expunge::domain::identity::Scope::ALL).await;
    let first = create(&app.account, &["abc"]).await;
    let others = [create(&colleague, &["abc"]).await, create(&app.other, &["abc"]).await];
    for other in &others {
        assert_ne!(other.expect(201)["id"], first.expect(201)["id"]);
        assert!(!is_replayed(other));
    }
    for keys in [["\"abc\""].as_slice(), &["abc", "\"abc\""]] {
        let replayed = create(&app.account, keys).await;
        assert_eq!((essence(&replayed), is_replayed(&replayed)), (essence(&first), true));
    }
    create(&app.account, &["ABC"]).await.expect(201);
    create(&app.account, &[&"k".repeat(255)]).await.expect(201);
    assert_eq!(app.count("SELECT count(*) FROM record_lists").await, 5);

    let things = Things::unknown();
    for malformed in ["", "\"\"", "a b", "\u{e4}", &"k".repeat(256)] {
        for operation in changes(&things, &app.account) {
            let answer = operation.send_under(&app, &app.account, malformed).await;
            let refusal = operation.family.refusal(&answer, 400).unwrap_or_else(|wrong| panic!("{malformed}: {wrong}"));
            assert!(refusal.complaints.iter().any(|said| said.contains("Idempotency-Key")), "{refusal:?}");
        }
    }
    create(&app.account, &["a", "b"]).await.expect(400);
    let stranger = app.anonymous(Method::POST, "/record-lists").header("Idempotency-Key", "");
    stranger.json(&new).send().await.expect(401);
    assert_eq!(app.count("SELECT count(*) FROM record_lists").await, 5);
    // Reading is always safe, and looks at no key.
    let read = app.request(Method::GET, "/record-lists").header("Idempotency-Key", "a b").send().await;
    assert_eq!(read.expect(200)["total"], 4);
}

#[tokio::test]
async fn after_a_day_a_key_is_free_and_what_was_kept_can_be_dropped() {
    let (clock, seconds) = test_clock();
    let mut app = TestApp::start_at(clock).await;
    let path = app.account.bulk_delete_path();
    let ids = app.contacts(9_000_000_000, 2).await;
    let body = json!({"ids": &ids[..1]});
    let first = delete_with(&app, &path, "abc", &body).await;
    assert_eq!(first.expect(200)["successful"], 1);
    let mut later = async |by: i64| {
        seconds.fetch_add(by, Ordering::SeqCst);
        app.account.token = tokens::sign(&app.account.client, &app.account.secret, app.clock.now()).expect("a token");
        delete_with(&app, &path, "abc", &body).await
    };
    let kept = later(24 * 3600 - 1).await;
    assert_eq!((essence(&kept), is_replayed(&kept)), (essence(&first), true));
    let anew = later(1).await;
    assert!(!is_replayed(&anew));
    assert_eq!(anew.expect(200)["failedRecords"][0]["reason"], "ALREADY_DELETED");
    later(24 * 3600).await;
    // Another request may have it then, too.
    seconds.fetch_add(24 * 3600, Ordering::SeqCst);
    app.account.token = tokens::sign(&app.account.client, &app.account.secret, app.clock.now()).expect("a token");
    let other = delete_with(&app, &path, "abc", &json!({"ids": &ids[1..]})).await;
    assert_eq!(other.expect(200)["successful"], 1);

    for key in ["1", "2", "3"] {
        send(&app, Method::POST, "/record-lists", key, Some(&json!({"name": key}))).await.expect(201);
    }
    let account = AccountId::parse(&app.account.id).expect("an account's id");
    let mut worker = PgConnection::connect_with(&app.database.role("expunge_worker")).await.expect("it may connect");
    sqlx::query("SELECT set_config('app.account_id', $1, false)")
        .bind(&app.account.id)
        .execute(&mut worker)
        .await
        .expect("an account");
    let mut removed = Vec::new();
    for (after, most) in [(0, 10), (24 * 3600 - 1, 10), (1, 3), (0, 3)] {
        seconds.fetch_add(after, Ordering::SeqCst);
        removed.push(remove_expired(&mut worker, &account, app.clock.now(), most).await.expect("it may delete"));
    }
    assert_eq!(removed, [0, 0, 3, 1]);
    worker.close().await.expect("the connection closes");
}

#[tokio::test]
async fn nothing_of_a_kept_answer_can_be_read_without_the_key() {
    let app = TestApp::start().await;
    let new = json!([{
        "firstName": "Zephyrine", "lastName": "b", "cellPhone": {"phoneNumber": "4155550123", "countryCode": "+1"}
    }]);
    let created = send(&app, Method::POST, &app.account.contacts_path(), "key-of-hers", Some(&new)).await.expect(200);
    let list = app.record_list("PHONE_NUMBER").await;
    let record = json!({"first_name": "Zephyrine", "last_name": "b", "phone_number": "+14155550123"});
    app.records(&list, &[record]).await;
    let by_number = format!("/record-lists/{list}/records?phone_number=%2B14155550123");
    delete(&app, &by_number, "key-of-the-number").await.expect(204);

    type Row = (Vec<u8>, Vec<u8>, Vec<u8>, String);
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT key_hash, fingerprint, answer, (to_jsonb(k) - 'key_hash' - 'fingerprint' - 'answer')::text
         FROM idempotency_keys k ORDER BY created_at",
    )
    .fetch_all(&app.admin)
    .await
    .expect("the table can be read");
    assert_eq!(rows.len(), 2);
    for (hash, fingerprint, answer, rest) in &rows {
        for column in [hash, fingerprint, answer, rest.as_bytes()] {
            for secret in ["Zephyrine", "4155550123", "key-of"] {
                assert!(!column.windows(secret.len()).any(|part| part == secret.as_bytes()), "{rest}");
            }
        }
    }
    let name = format!("{} {} 200", app.account.id, app.account.client);
    let open = |secret: &SecretString, key: &str| {
        let key = HalfKey::new(secret).and_then(|half| half.with(key)).expect("a key");
        key.open(&name, &rows[0].2).ok()
    };
    let opened = open(&app.secret_key, "key-of-hers").expect("it opens with both halves of the key");
    assert!(String::from_utf8(opened).expect("text").contains(&created[0].to_string()));
    assert!(open(&app.secret_key, "key-of-his").is_none());
    let another = expunge::sealing::generate_key().expect("the system has randomness");
    assert!(open(&another, "key-of-hers").is_none());
}

#[tokio::test]
async fn a_connection_that_breaks_in_the_commit_leaves_neither_the_deletion_nor_the_key() {
    let (counter, app) = counted().await;
    let ids = app.contacts(9_000_000_000, 3).await;
    // Limited, so that the bare one goes alone as well, and not together with others in one statement.
    let path = |id: &str| format!("{}?maxAffected=1", app.account.contact_path(id));
    app.delete(&path(&ids[0])).await.expect(200);
    let (bare, _) = counter.during(app.delete(&path(&ids[1]))).await;
    let before = fingerprint(&app.admin).await;
    counter.wire.cut_at_commit.store(true, Ordering::SeqCst);
    let unknown = delete(&app, &path(&ids[2]), "abc").await;
    assert_eq!(unknown.expect(500)["errors"][0]["reason"], "OUTCOME_UNKNOWN");
    assert_eq!(unknown.header("Deletion-Id"), None);
    sessions_end(&app).await;
    assert_eq!(fingerprint(&app.admin).await, before);
    counter.wire.cut_at_commit.store(false, Ordering::SeqCst);
    // Once to prepare the statements.
    delete(&app, &path("x"), "def").await.expect(404);
    let (keyed, done) = counter.during(delete(&app, &path(&ids[2]), "abc")).await;
    done.expect(200);
    assert!(!is_replayed(&done));
    println!("{bare} statements without a key, {keyed} with one");
    assert_eq!(keyed, bare + 2, "the claim and the answer");
}

#[tokio::test]
async fn a_process_that_dies_leaves_neither_the_deletion_nor_the_key() {
    let app = TestApp::start().await;
    let ids = app.contacts(9_000_000_000, 1000).await;
    let (path, body) = (app.account.bulk_delete_path(), json!({"ids": ids}));
    let before = things_fingerprint(&app.admin).await;
    let process = Process::start(&app);
    let holder = hold_the_ledger(&app).await;
    let request = app
        .anonymous_at(&process.base_url, Method::DELETE, &path)
        .header("auth", &app.account.token)
        .header("accountId", &app.account.id)
        .header("Idempotency-Key", "abc")
        .json(&body);
    let killed = async {
        something_waits_for_a_lock(&app).await;
        drop(process);
    };
    let (answer, ()) = tokio::join!(request.try_send(), killed);
    assert!(answer.is_err(), "nobody answers");
    holder.rollback().await.expect("the lock is let go");
    sessions_end(&app).await;
    assert_eq!(things_fingerprint(&app.admin).await, before);
    let done = delete_with(&app, &path, "abc", &body).await;
    assert_eq!((&done.expect(200)["successful"], is_replayed(&done)), (&json!(1000), false));
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_all_or_nothing_and_hears_of_it_when_it_comes_back() {
    let app = TestApp::start().await;
    for round in 0..4 {
        let ids = app.contacts(9_000_000_000 + round * 1000, 100).await;
        let (path, body, key) =
            (app.account.bulk_delete_path(), json!({"ids": ids}), format!("round {round}").replace(' ', "-"));
        let before = app.count("SELECT count(*) FROM ledger").await;
        let holder = hold_the_ledger(&app).await;
        tokio::select! {
            answer = delete_with(&app, &path, &key, &body) => panic!("it cannot be answered: {answer:?}"),
            () = something_waits_for_a_lock(&app) => {}
        }
        holder.rollback().await.expect("the lock is let go");
        sessions_end(&app).await;
        let done = app.count("SELECT count(*) FROM ledger").await - before;
        assert_eq!(app.count("SELECT count(*) FROM idempotency_keys WHERE answer IS NULL").await, 0);
        let back = delete_with(&app, &path, &key, &body).await;
        assert_eq!(back.expect(200)["successful"], 100);
        assert_eq!(is_replayed(&back), done == 1, "what was done is answered, and what was not is done");
        assert_eq!(app.count("SELECT count(*) FROM ledger").await - before, 1);
    }
    assert_eq!(app.count("SELECT sum(cardinality(row_ids))::bigint FROM ledger").await, 400);
}

const NAMES: &str = "firstName,lastName,cellPhoneNumber,cellPhoneCountryCode,note\r\n";

/// The beginning of a form with rows from `first` on, of 2 KB each.
fn form(boundary: &str, first: u64, count: u64) -> String {
    let note = "x".repeat(2000);
    let rows: String = (first..first + count).map(|number| format!("john,doe,{number},+91,{note}\r\n")).collect();
    format!("--{boundary}\r\nContent-Disposition: form-data; name=\"result_file\"\r\n\r\n{NAMES}{rows}")
}

async fn import(app: &TestApp, boundary: &str, form: String) -> Answer {
    let path = format!("{}/import-contacts", app.account.contacts_path());
    let request = app.request(Method::POST, &path).header("Idempotency-Key", "abc");
    let content_type = format!("multipart/form-data; boundary={boundary}");
    request.body(&content_type, format!("{form}--{boundary}--\r\n")).send().await
}

#[tokio::test]
async fn an_import_in_batches_is_done_once_also_as_a_form_with_another_boundary() {
    let app = TestApp::start().await;
    let first = import(&app, "frontier", form("frontier", 9_000_000_000, 1500)).await;
    assert_eq!(first.expect(202)["successful"], 1500);
    let before = fingerprint(&app.admin).await;
    for boundary in ["frontier", "the-edge"] {
        let again = import(&app, boundary, form(boundary, 9_000_000_000, 1500)).await;
        assert_eq!((essence(&again), is_replayed(&again)), (essence(&first), true));
        assert!(again.header("Location").is_some());
    }
    import(&app, "frontier", form("frontier", 9_000_000_001, 1500)).await.expect(422);
    import(&app, "frontier", form("frontier", 9_000_000_000, 1501)).await.expect(422);
    assert_eq!(fingerprint(&app.admin).await, before);
}

#[tokio::test]
async fn an_import_in_batches_has_its_key_until_it_ends_and_lets_go_of_it_when_it_breaks_off() {
    let app = TestApp::start().await;
    let path = format!("{}/import-contacts", app.account.contacts_path());
    let rows = form("frontier", 9_000_000_000, 2100);
    let begin = || {
        let (pieces, receiver) = mpsc::channel::<Option<String>>(4);
        let body = stream::unfold(receiver, |mut receiver| async move {
            let piece = receiver.recv().await?;
            Some((piece.ok_or_else(|| std::io::Error::other("broken off")), receiver))
        });
        // The length of what is sent to its end.
        let length = (rows.len() + "--frontier--\r\n".len()).to_string();
        let request =
            app.request(Method::POST, &path).header("Idempotency-Key", "abc").header("Content-Length", &length);
        let sent = request.stream("multipart/form-data; boundary=frontier", reqwest::Body::wrap_stream(body));
        (pieces, tokio::spawn(sent.try_send()))
    };
    let is_under_way = async || {
        let started = Instant::now();
        while app.count("SELECT count(*) FROM contact_import_batches").await < 1 {
            assert!(started.elapsed() < Duration::from_secs(30), "no batch is written");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let (pieces, sent) = begin();
    pieces.send(Some(rows.clone())).await.expect("it is sent");
    is_under_way().await;
    assert_eq!(app.count("SELECT count(*) FROM idempotency_keys WHERE answer IS NULL").await, 1);
    let (second_pieces, second) = begin();
    second_pieces.send(Some(rows.clone() + "--frontier--\r\n")).await.expect("it is sent");
    drop(second_pieces);
    let second = second.await.expect("it ends").expect("it is answered");
    assert_eq!(second.expect(409)["errors"][0]["reason"], "IDEMPOTENCY_KEY_IN_USE");
    assert_eq!(app.count("SELECT count(*) FROM contact_imports").await, 1);

    pieces.send(None).await.expect("it is under way");
    assert!(sent.await.expect("it ends").is_err(), "its body broke off");
    let started = Instant::now();
    while app.count("SELECT count(*) FROM idempotency_keys").await > 0 {
        assert!(started.elapsed() < Duration::from_secs(30), "the key is not let go");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // The same again, whole: what is there already is reported as that.
    let mut answers = Vec::new();
    for _ in 0..2 {
        let (pieces, sent) = begin();
        pieces.send(Some(rows.clone())).await.expect("it is sent");
        pieces.send(Some("--frontier--\r\n".to_owned())).await.expect("it is sent");
        drop(pieces);
        answers.push(sent.await.expect("it ends").expect("it is answered"));
    }
    let import = answers[0].expect(202);
    assert_eq!((&import["totalRequested"], &import["state"]), (&json!(2100), &json!("COMPLETED")));
    assert_eq!((essence(&answers[1]), is_replayed(&answers[1])), (essence(&answers[0]), true));
    assert_eq!(app.count("SELECT count(*) FROM contacts").await, 2100);
}

#[tokio::test]
async fn a_long_body_of_unknown_length_is_refused_under_a_key_in_every_family_and_a_short_one_is_not() {
    let app = TestApp::start().await;
    let things = Things::create(&app, &app.account, 1).await;
    let before = fingerprint(&app.admin).await;
    let streamed = |text: String| reqwest::Body::wrap_stream(stream::iter([Ok::<_, std::io::Error>(text)]));
    for operation in changes(&things, &app.account) {
        let request = app.request(operation.method.clone(), &operation.path).header("Idempotency-Key", "abc");
        let answer = request.stream("application/json", streamed(" ".repeat(1024 * 1024 + 1))).send().await;
        let refusal =
            operation.family.refusal(&answer, 400).unwrap_or_else(|wrong| panic!("{}: {wrong}", operation.id));
        assert!(refusal.complaints.iter().any(|said| said.contains("Content-Length")), "{}: {refusal:?}", operation.id);
    }
    assert_eq!(fingerprint(&app.admin).await, before);
    let ids = app.contacts(9_000_000_000, 1).await;
    let delete = async || {
        let request = app.request(Method::DELETE, &app.account.bulk_delete_path()).header("Idempotency-Key", "abc");
        request.stream("application/json", streamed(json!({"ids": ids}).to_string())).send().await
    };
    let first = delete().await;
    assert_eq!(first.expect(200)["successful"], 1);
    let again = delete().await;
    assert_eq!((essence(&again), is_replayed(&again)), (essence(&first), true));
}
