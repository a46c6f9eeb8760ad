//! What became of a hundred thousand things, downloaded and compared line by line with what was sent, with the rows and
//! with the ledger.

use std::collections::{BTreeMap, HashSet};
use std::time::Instant;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::TestApp;

/// Contacts beside one that is there, each with a number of its own.
pub async fn multiply(app: &TestApp, count: i64) -> Vec<(String, String)> {
    let first = app.contacts(9_000_000_000, 1).await.remove(0);
    let made: Vec<(String, String)> = sqlx::query_as(
        "INSERT INTO contacts (account_id, stream_id, id, first_name, last_name, salutation, country_code, phone_number,
                               extension, phone_key, address, twitter_details, created_by, created_by_aid, created_at,
                               updated_at)
         SELECT account_id, stream_id, left(id, 8) || lpad(to_hex(number), 16, '0'), first_name, last_name, salutation,
                country_code, '+91' || 7000000000 + number, extension, '91' || 7000000000 + number, address,
                twitter_details, created_by, created_by_aid, created_at, updated_at
         FROM contacts, generate_series(1, $2) AS number WHERE id = $1
         RETURNING id, phone_key",
    )
    .bind(&first)
    .bind(count - 1)
    .fetch_all(&app.admin)
    .await
    .expect("contacts");
    sqlx::raw_sql("ANALYZE contacts").execute(&app.admin).await.expect("statistics");
    std::iter::once((first, "919000000000".to_owned())).chain(made).collect()
}

/// A thing that is sent, and what must become of it.
struct Sent {
    item: Value,
    word: &'static str,
    row: Option<String>,
}

/// By turns by id and by number, there and not there, well formed and malformed, for the first time and again: within the
/// same thousand, and thousands later.
fn things(contacts: &[(String, String)], count: usize) -> Vec<Sent> {
    let mut fresh = contacts.iter();
    let mut done: Vec<&(String, String)> = Vec::new();
    let thing = |index: usize| {
        let failed = |item: Value, word: &'static str| Sent { item, word, row: None };
        let unknown = || failed(json!({"id": format!("{index:024x}")}), "NOT_FOUND");
        match index % 10 {
            0..3 => {
                let Some(contact) = fresh.next() else { return unknown() };
                done.push(contact);
                let item = match index % 9 {
                    0 => json!({"phone_number": format!("+{}", contact.1)}),
                    _ => json!({"id": contact.0}),
                };
                Sent { item, word: "DELETED", row: Some(contact.0.clone()) }
            }
            // The same again, in the other way or in this one; the first is not far away.
            3 => failed(json!({"id": done[done.len() - 1].0}), "DUPLICATE_IN_REQUEST"),
            4 if index.is_multiple_of(3) => {
                failed(json!({"phone_number": done[done.len() - 1].1}), "DUPLICATE_IN_REQUEST")
            }
            // The first was thousands ago.
            4 | 5 => failed(json!({"id": done[done.len() / 2].0}), "DUPLICATE_IN_REQUEST"),
            6 => failed(json!({"id": format!("no id, \"{index}\"")}), "INVALID_IDENTIFIER"),
            7 => failed(json!({"phone_number": format!("number {index}")}), "INVALID_IDENTIFIER"),
            8 if index.is_multiple_of(3) => failed(json!({"phone_number": format!("+1415{index:07}")}), "NOT_FOUND"),
            _ => unknown(),
        }
    };
    (0..count).map(thing).collect()
}

/// Deletes things, and compares what is told of each with what was sent, with the rows and with the ledger.
async fn told_as_they_are(count: usize, allow_missing: bool) {
    let started = Instant::now();
    let app = TestApp::start().await;
    let contacts = multiply(&app, i64::try_from(count / 10 * 3).expect("a number")).await;
    let sent = things(&contacts, count);
    let body: String = sent.iter().map(|one| format!("{}\n", one.item)).collect();
    let stream = &app.account.stream;
    let path = format!("/v1/deletions?resource=contact&stream_id={stream}&allow_missing={allow_missing}");
    let queued = app.request(Method::POST, &path).body("application/x-ndjson", body).send().await;
    let location = queued.header("Location").expect("it says where").to_owned();
    let id = queued.expect(202)["id"].as_str().expect("an id").to_owned();
    app.work().await;
    let download = async |kind: &str| {
        let request = app.request(Method::GET, &format!("{location}/outcomes")).header("Accept", kind);
        request.send().await.text
    };
    let is_done = |one: &Sent| one.word == "DELETED" || allow_missing && one.word == "NOT_FOUND";
    let (lines, csv) = tokio::join!(download("application/x-ndjson"), download("text/csv"));
    let told: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let csv: Vec<&str> = csv.split_terminator("\r\n").skip(1).collect();
    assert_eq!((told.len(), csv.len()), (count, count));
    let mut words: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, one) in sent.iter().enumerate() {
        let (position, rows) = (index + 1, one.row.iter().collect::<Vec<_>>());
        let line = &told[index];
        let said = [&line["position"], &line["item"], &line["reason"], &line["done"], &line["rows"]];
        assert_eq!(json!(said), json!([position, one.item, one.word, is_done(one), rows]), "line {position}");
        let quoted = |name: &str| {
            let text = one.item[name].as_str().unwrap_or_default();
            if text.contains('"') { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
        };
        let (id, number, row) = (quoted("id"), quoted("phone_number"), one.row.as_deref().unwrap_or_default());
        let wanted = format!("{position},{id},{number},,,{},{},{row},", is_done(one), one.word);
        assert_eq!(csv[index], wanted, "line {position}");
        *words.entry(one.word).or_default() += 1;
    }
    let found = app.get(&location).await.expect(200);
    let done = sent.iter().filter(|one| is_done(one)).count();
    assert_eq!(
        json!([found["requested"], found["succeeded"], found["failed"], found["rows_affected"], found["reasons"]]),
        json!([count, done, count - done, contacts.len(), words])
    );

    let said: HashSet<&str> = sent.iter().filter_map(|one| one.row.as_deref()).collect();
    for rows in [
        "SELECT id FROM contacts WHERE deletion_id::text = $1 AND deleted_at IS NOT NULL AND version = 2",
        "SELECT unnest(row_ids) FROM ledger WHERE deletion_id::text = $1 AND action = 'deleted'",
    ] {
        let rows: Vec<String> = sqlx::query_scalar(rows).bind(&id).fetch_all(&app.admin).await.expect("rows");
        let distinct: HashSet<&str> = rows.iter().map(String::as_str).collect();
        assert_eq!(rows.len(), distinct.len(), "none twice");
        assert!(distinct == said, "the rows are those that the lines say");
    }
    println!("{count} things in {:?}", started.elapsed());
}

#[tokio::test]
async fn a_hundred_thousand_things_are_told_line_by_line_as_they_were_sent_and_as_they_are() {
    told_as_they_are(100_000, false).await;
}

#[tokio::test]
async fn what_is_named_again_thousands_of_things_later_was_named_twice_even_where_what_is_missing_counts_as_done() {
    told_as_they_are(5000, true).await;
}
