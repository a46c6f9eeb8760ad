//! Single deletions that come at the same time, of contacts and of contact lists, share a statement and a commit, and
//! nothing else.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::concurrency::{so_many_wait_for_locks, something_waits_for_a_lock};
use crate::idempotency::hold_the_ledger;
use crate::support::{Answer, TestApp};
use crate::wire::counted;

/// Deletes contacts one by one, all at the same time.
async fn delete_each(app: &TestApp, ids: &[String]) -> Vec<Answer> {
    let account = &app.account;
    join_all(ids.iter().map(|id| app.request_as(account, Method::DELETE, &account.contact_path(id)).send())).await
}

/// In how many transactions the ledger was written, and how many entries it has.
async fn ledger(app: &TestApp) -> (i64, i64) {
    (app.count("SELECT count(DISTINCT xid::text) FROM ledger").await, app.count("SELECT count(*) FROM ledger").await)
}

#[tokio::test]
async fn what_comes_while_others_are_written_is_written_together_and_each_has_its_own_deletion() {
    let app = TestApp::start().await;
    let ids = app.contacts(9_000_000_000, 64).await;
    let holder = hold_the_ledger(&app).await;
    let release = async {
        // While the first waits for the ledger, the others come.
        something_waits_for_a_lock(&app).await;
        holder.rollback().await.expect("the ledger is let go");
    };
    let (answers, ()) = tokio::join!(delete_each(&app, &ids), release);
    let mut deletions = HashSet::new();
    for (answer, id) in answers.into_iter().zip(&ids) {
        let deletion = answer.header("Deletion-Id").expect("a deletion's id").to_owned();
        let contact = answer.expect(200);
        assert_eq!((&contact["id"], &contact["status"]), (&json!(id), &json!("INACTIVE")));
        let looked_up = app.get(&format!("/v1/deletions/{deletion}")).await.expect(200);
        assert_eq!(looked_up["rows_affected"], 1);
        assert!(deletions.insert(deletion), "no two share a deletion");
    }
    let (transactions, entries) = ledger(&app).await;
    assert_eq!(entries, 64);
    assert!(transactions < entries, "{transactions} transactions for {entries} deletions");
    let stray = "SELECT count(*) FROM contacts c WHERE NOT EXISTS (
                     SELECT FROM ledger l
                     WHERE l.account_id = c.account_id AND l.deletion_id = c.deletion_id AND l.row_ids = ARRAY[c.id]
                       AND l.versions = ARRAY[c.version] AND l.actor_user = c.deleted_by AND l.at = c.deleted_at
                       AND l.within = c.stream_id)";
    assert_eq!(app.count(stray).await, 0, "the ledger says of each contact what the contact says");
}

#[tokio::test]
async fn a_deletion_among_others_is_undone_alone() {
    let app = TestApp::start().await;
    let ids = app.contacts(9_000_000_000, 8).await;
    let answers = delete_each(&app, &ids).await;
    let deletion = answers[3].header("Deletion-Id").expect("a deletion's id").to_owned();
    app.post(&format!("/v1/deletions/{deletion}/undo"), &json!({})).await.expect(200);
    for (place, id) in ids.iter().enumerate() {
        let contact = app.get(&app.account.contact_path(id)).await.expect(200);
        assert_eq!(contact["status"], if place == 3 { "ACTIVE" } else { "INACTIVE" }, "{place}");
    }
}

#[tokio::test]
async fn a_contact_that_many_delete_at_once_is_deleted_once() {
    let app = TestApp::start().await;
    let id = app.contacts(9_000_000_000, 1).await.remove(0);
    let mut statuses: Vec<u16> =
        delete_each(&app, &vec![id; 32]).await.iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [vec![200], vec![404; 31]].concat());
    assert_eq!(ledger(&app).await.1, 1);
}

#[tokio::test]
async fn one_that_somebody_holds_keeps_nobody_else_waiting() {
    let app = TestApp::start().await;
    let ids = app.contacts(9_000_000_000, 16).await;
    let mut holder = app.admin.begin().await.expect("a transaction");
    sqlx::query("SELECT FROM contacts WHERE id = $1 FOR UPDATE")
        .bind(&ids[5])
        .execute(&mut *holder)
        .await
        .expect("a lock");
    let (held, others): (Vec<String>, Vec<String>) = ids.iter().cloned().partition(|id| *id == ids[5]);
    let waiting = delete_each(&app, &held);
    let rest = async {
        something_waits_for_a_lock(&app).await;
        for answer in delete_each(&app, &others).await {
            answer.expect(200);
        }
        holder.rollback().await.expect("it is let go");
    };
    let (mut waited, ()) = tokio::join!(waiting, rest);
    waited.remove(0).expect(200);
    assert_eq!(ledger(&app).await.1, 16);
}

#[tokio::test]
async fn what_is_not_there_in_the_trash_or_anothers_says_so_among_others() {
    let app = TestApp::start().await;
    let mut ids = app.contacts(9_000_000_000, 6).await;
    app.delete(&app.account.contact_path(&ids[0])).await.expect(200);
    let others = app.contacts_as(&app.other, 9_000_000_000, 1).await;
    ids.extend(others.iter().cloned());
    ids.push("0".repeat(24));
    ids.push("no id".to_owned());
    let reasons: Vec<Value> = delete_each(&app, &ids)
        .await
        .into_iter()
        .map(
            |answer| if answer.status == 200 { json!(null) } else { answer.expect(404)["errors"][0]["reason"].clone() },
        )
        .collect();
    let not_there = json!("NOT_FOUND");
    assert_eq!(reasons[0], "ALREADY_DELETED");
    assert_eq!(reasons[1..6], vec![Value::Null; 5]);
    assert_eq!(reasons[6..], [not_there.clone(), not_there.clone(), not_there]);
    assert_eq!(app.count("SELECT count(*) FROM contacts WHERE deleted_at IS NULL").await, 1, "the other account's");
}

#[tokio::test]
async fn callers_of_several_accounts_are_written_together_and_each_sees_its_own() {
    let app = TestApp::start().await;
    let mine = app.contacts(9_000_000_000, 12).await;
    let theirs = app.contacts_as(&app.other, 9_000_000_000, 12).await;
    let of = async |account, ids: &[String]| {
        join_all(ids.iter().map(|id| app.request_as(account, Method::DELETE, &account.contact_path(id)).send())).await
    };
    let (account, other) = (&app.account, &app.other);
    let holder = hold_the_ledger(&app).await;
    let release = async {
        something_waits_for_a_lock(&app).await;
        holder.rollback().await.expect("the ledger is let go");
    };
    let (mine, theirs, ()) = tokio::join!(of(account, &mine), of(other, &theirs), release);
    for answer in mine.into_iter().chain(theirs) {
        answer.expect(200);
    }
    let each = "SELECT count(*) FROM ledger l JOIN contacts c ON c.account_id = l.account_id AND c.id = l.row_ids[1]
                AND c.deletion_id = l.deletion_id";
    assert_eq!(app.count(each).await, 24);
}

#[tokio::test]
async fn when_what_is_shared_fails_each_is_tried_alone() {
    let app = TestApp::start().await;
    let ids = app.contacts(9_000_000_000, 24).await;
    sqlx::raw_sql(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             IF (SELECT count(*) FROM ledger WHERE xid = pg_current_xact_id()) > 1 THEN RAISE 'not together'; END IF;
             RETURN NULL;
         END $$;
         CREATE TRIGGER refuse AFTER INSERT ON ledger FOR EACH STATEMENT EXECUTE FUNCTION refuse()",
    )
    .execute(&app.admin)
    .await
    .expect("a trigger");
    let holder = hold_the_ledger(&app).await;
    let release = async {
        something_waits_for_a_lock(&app).await;
        holder.rollback().await.expect("the ledger is let go");
    };
    let (answers, ()) = tokio::join!(delete_each(&app, &ids), release);
    for answer in answers {
        answer.expect(200);
    }
    assert_eq!(ledger(&app).await, (24, 24));
}

#[tokio::test]
async fn a_connection_that_breaks_under_a_shared_statement_costs_no_request_and_deletes_nothing_twice() {
    let (counter, app) = counted().await;
    let ids = app.contacts(9_000_000_000, 20).await;
    // Committed or not: the service does not hear of it.
    for cut in [&counter.wire.cut_before_shared, &counter.wire.cut_after_shared] {
        let before = ledger(&app).await.1;
        cut.store(true, Ordering::SeqCst);
        let half: Vec<String> = ids.iter().skip(usize::try_from(before).expect("few")).take(10).cloned().collect();
        for (answer, id) in delete_each(&app, &half).await.into_iter().zip(&half) {
            let deletion = answer.header("Deletion-Id").expect("a deletion's id").to_owned();
            assert_eq!(answer.expect(200)["id"], json!(id));
            let entries =
                format!("SELECT count(*) FROM ledger WHERE deletion_id = '{deletion}' AND row_ids = ARRAY['{id}']");
            assert_eq!(app.counted(entries).await, 1, "the one that was answered is the one in the ledger");
        }
        assert!(!cut.load(Ordering::SeqCst), "the connection was cut");
        assert_eq!(ledger(&app).await.1, before + 10);
    }
}

#[tokio::test]
async fn a_statement_of_which_nothing_is_heard_is_not_waited_for_without_end() {
    let app = TestApp::start_with(Duration::from_secs(60)).await;
    let ids = app.contacts(9_000_000_000, 1).await;
    let holder = hold_the_ledger(&app).await;
    let release = async {
        // The statement that was to be shared, which nobody waits for any more, and the one alone.
        so_many_wait_for_locks(&app, 2).await;
        holder.rollback().await.expect("the ledger is let go");
    };
    let (mut answers, ()) = tokio::join!(delete_each(&app, &ids), release);
    let answer = answers.remove(0);
    let deletion = answer.header("Deletion-Id").expect("a deletion's id").to_owned();
    assert_eq!(answer.expect(200)["id"], json!(ids[0]));
    assert_eq!(app.count("SELECT count(*) FROM contacts WHERE deleted_at IS NOT NULL").await, 1);
    assert_eq!(app.counted(format!("SELECT count(*) FROM ledger WHERE deletion_id = '{deletion}'")).await, 1);
    assert_eq!(ledger(&app).await, (1, 1), "and it went once");
}

/// Creates so many contact lists, each with two people on it.
async fn contact_lists(app: &TestApp, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 0..count {
        let name = format!("list {number}");
        ids.push(app.contact_list(&name).await);
        app.members(&name, &["+12015550123", "+12015550124"]).await;
    }
    ids
}

async fn delete_each_list(app: &TestApp, ids: &[String]) -> Vec<Answer> {
    let each = ids.iter().map(async |id| app.delete(&app.account.contact_list_path(id)).await);
    join_all(each).await
}

#[tokio::test]
async fn contact_lists_are_written_together_but_for_those_that_campaigns_hold_on_to() {
    let app = TestApp::start().await;
    let mut ids = contact_lists(&app, 16).await;
    let campaign = app.campaign("holds on", "list 3").await;
    app.delete(&app.account.contact_list_path(&ids[5])).await.expect(200);
    ids.push("cl-00000000-0000-4000-8000-000000000000".to_owned());
    let mut before = Vec::new();
    for id in &ids {
        let found = app.get(&app.account.contact_list_path(id)).await;
        before.push(if found.status == 200 { found.expect(200)["data"].clone() } else { Value::Null });
    }
    let holder = hold_the_ledger(&app).await;
    let release = async {
        something_waits_for_a_lock(&app).await;
        holder.rollback().await.expect("the ledger is let go");
    };
    let (answers, ()) = tokio::join!(delete_each_list(&app, &ids), release);
    let mut deletions = HashSet::new();
    for (place, (answer, before)) in answers.into_iter().zip(before).enumerate() {
        match place {
            3 => {
                let refused = answer.expect(409);
                assert_eq!(refused["errors"][0]["reason"], "IN_USE");
                assert_eq!(refused["data"]["campaignInUse"][0]["id"], json!(campaign), "{refused}");
            }
            5 => assert_eq!(answer.expect(404)["errors"][0]["reason"], "ALREADY_DELETED"),
            16 => assert_eq!(answer.expect(404)["errors"][0]["reason"], "NOT_FOUND"),
            _ => {
                assert!(deletions.insert(answer.header("Deletion-Id").expect("a deletion's id").to_owned()));
                let deleted = &answer.expect(200)["data"];
                assert_eq!(deleted["totalRecordCount"], 2);
                for (field, value) in deleted.as_object().expect("an object") {
                    assert_eq!(before[field], *value, "the list is answered as it was before: {field}");
                }
            }
        }
    }
    assert_eq!(deletions.len(), 14);
    let (transactions, entries) = ledger(&app).await;
    assert_eq!(entries, 15);
    assert!(transactions < entries, "{transactions} transactions for {entries} deletions");
    let stray = "SELECT count(*) FROM contact_lists c WHERE deleted_at IS NOT NULL AND NOT EXISTS (
                     SELECT FROM ledger l
                     WHERE l.account_id = c.account_id AND l.deletion_id = c.deletion_id AND l.row_ids = ARRAY[c.id]
                       AND l.versions = ARRAY[c.version] AND l.actor_user = c.deleted_by AND l.at = c.deleted_at
                       AND l.resource = 'contact_list' AND l.within = c.stream_id)";
    assert_eq!(app.count(stray).await, 0, "the ledger says of each list what the list says");
    assert_eq!(app.count("SELECT count(*) FROM contact_lists WHERE deleted_at IS NULL").await, 1, "the attached one");
}

#[tokio::test]
async fn a_connection_that_breaks_deletes_no_contact_list_twice_and_it_is_answered_as_it_was_before() {
    let (counter, app) = counted().await;
    let ids = contact_lists(&app, 12).await;
    for (half, cut) in ids.chunks(6).zip([&counter.wire.cut_before_shared, &counter.wire.cut_after_shared]) {
        let before = ledger(&app).await.1;
        cut.store(true, Ordering::SeqCst);
        for (answer, id) in delete_each_list(&app, half).await.into_iter().zip(half) {
            let deletion = answer.header("Deletion-Id").expect("a deletion's id").to_owned();
            let deleted = &answer.expect(200)["data"];
            assert_eq!((&deleted["_id"], &deleted["isActive"]), (&json!(id), &json!(true)));
            let entries =
                format!("SELECT count(*) FROM ledger WHERE deletion_id = '{deletion}' AND row_ids = ARRAY['{id}']");
            assert_eq!(app.counted(entries).await, 1, "the one that was answered is the one in the ledger");
        }
        assert!(!cut.load(Ordering::SeqCst), "the connection was cut");
        assert_eq!(ledger(&app).await.1, before + 6);
    }
}
