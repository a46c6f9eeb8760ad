//! Counts are right whenever they are read, while others create and delete.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::TestApp;

/// How many things each request creates or deletes: no count may be anything between.
const UNIT: u64 = 50;

/// How many writers there are, and how often each creates and deletes.
const WRITERS: u64 = 4;
const ROUNDS: u64 = 6;

/// Reads a count over and over until the writers are done. Answers what was read.
async fn read_while(app: &TestApp, path: &str, pointer: &str, done: &AtomicBool) -> Vec<u64> {
    let mut read = Vec::new();
    while !done.load(Ordering::SeqCst) {
        let answer = app.get(path).await.expect(200);
        read.push(answer.pointer(pointer).and_then(Value::as_u64).unwrap_or_else(|| panic!("no {pointer}: {answer}")));
    }
    read
}

/// What is wrong with the counts that were read, if anything is.
fn wrong_count(read: &[u64]) -> Option<&'static str> {
    match () {
        () if read.iter().collect::<BTreeSet<_>>().len() <= 2 => Some("nothing was read in between"),
        () if read.iter().any(|count| count % UNIT != 0) => Some("a half-done request was counted"),
        () if read.iter().any(|count| *count > WRITERS * ROUNDS * UNIT) => Some("more was counted than there ever was"),
        () => None,
    }
}

#[track_caller]
fn check(read: &[u64]) {
    assert_eq!(wrong_count(read), None, "{read:?}");
}

#[test]
fn a_count_that_is_wrong_is_caught() {
    assert_eq!(wrong_count(&[0, 50, 100, 50]), None);
    assert_eq!(wrong_count(&[0, 25, 50]), Some("a half-done request was counted"));
    assert_eq!(wrong_count(&[0, 50, 1250]), Some("more was counted than there ever was"));
    assert_eq!(wrong_count(&[0, 50, 50]), Some("nothing was read in between"));
}

#[tokio::test]
async fn contacts_are_counted_right_while_they_come_and_go() {
    let app = TestApp::start().await;
    let done = AtomicBool::new(false);
    let writers = async {
        join_all((0..WRITERS).map(|writer| {
            let app = &app;
            async move {
                for round in 0..ROUNDS {
                    let ids = app.contacts(9_000_000_000 + writer * 1_000_000 + round * UNIT, UNIT).await;
                    if round % 2 == 0 {
                        app.delete_with(&app.account.bulk_delete_path(), &json!({"ids": ids})).await.expect(200);
                    }
                }
            }
        }))
        .await;
        done.store(true, Ordering::SeqCst);
    };
    let path = format!("{}?limit=1", app.account.contacts_path());
    let (read, ()) = tokio::join!(read_while(&app, &path, "/totalResults", &done), writers);
    check(&read);
    assert_eq!(app.get(&path).await.expect(200)["totalResults"], WRITERS * ROUNDS / 2 * UNIT);
    assert_eq!(
        app.get(&format!("{path}&status=INACTIVE")).await.expect(200)["totalResults"],
        WRITERS * ROUNDS / 2 * UNIT
    );
}

#[tokio::test]
async fn members_of_a_contact_list_are_counted_right_while_they_come() {
    let app = TestApp::start().await;
    let list = app.contact_list("counted").await;
    let done = AtomicBool::new(false);
    let writers = async {
        join_all((0..WRITERS).map(|_| async {
            for _ in 0..ROUNDS {
                app.members("counted", &["+14155550100"; UNIT as usize]).await;
            }
        }))
        .await;
        done.store(true, Ordering::SeqCst);
    };
    let path = app.account.contact_list_path(&list);
    let (read, ()) = tokio::join!(read_while(&app, &path, "/data/totalRecordCount", &done), writers);
    check(&read);
    assert_eq!(app.get(&path).await.expect(200)["data"]["totalRecordCount"], WRITERS * ROUNDS * UNIT);
}

#[tokio::test]
async fn records_are_counted_right_while_they_come_and_go() {
    let app = TestApp::start().await;
    let list = app.record_list("NOTHING").await;
    let record =
        json!({"first_name": "a", "last_name": "b", "phone_number": "+14155550100", "timezone": "Europe/London"});
    let new = vec![record; UNIT as usize];
    let done = AtomicBool::new(false);
    let writers = async {
        join_all((0..WRITERS).map(|_| async {
            for round in 0..ROUNDS {
                let ids = app.records(&list, &new).await;
                if round % 2 == 0 {
                    let items: Vec<Value> = ids.iter().map(|id| json!({"id": id})).collect();
                    app.delete_with(&format!("/record-lists/{list}/records/bulks"), &json!(items)).await.expect(200);
                }
            }
        }))
        .await;
        done.store(true, Ordering::SeqCst);
    };
    let path = format!("/record-lists/{list}");
    let (read, ()) = tokio::join!(read_while(&app, &path, "/records_count", &done), writers);
    check(&read);
    assert_eq!(app.get(&path).await.expect(200)["records_count"], WRITERS * ROUNDS / 2 * UNIT);
    let page = app.get(&format!("{path}/records?per_page=1")).await.expect(200);
    assert_eq!(page["total"], WRITERS * ROUNDS / 2 * UNIT);
}
