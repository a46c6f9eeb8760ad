//! Contacts: created, listed and deleted.

use serde_json::{Value, json};

use crate::support::TestApp;

/// The words of a bulk report in the order of the ids, and what is wrong with
/// the report, if anything is.
fn words(ids: &[Value], report: &Value) -> Result<Vec<String>, String> {
    let (successful, failed) = (&report["successfulRecords"], &report["failedRecords"]);
    let (Some(successful), Some(failed)) = (successful.as_array(), failed.as_array()) else {
        return Err(format!("no records: {report}"));
    };
    let number = |field: &str| report[field].as_u64().ok_or(format!("no {field}"));
    if number("successful")? + number("failed")? != number("totalRequested")?
        || number("totalRequested")? != ids.len() as u64
    {
        return Err(format!("the numbers do not add up: {report}"));
    }
    if (number("successful")?, number("failed")?) != (successful.len() as u64, failed.len() as u64) {
        return Err(format!("the numbers are not those of the records: {report}"));
    }
    let (mut successful, mut failed) = (successful.iter().peekable(), failed.iter().peekable());
    ids.iter()
        .map(|id| {
            if successful.peek().is_some_and(|record| record["id"] == *id) {
                successful.next();
                return Ok("deleted".to_owned());
            }
            let record = failed
                .next()
                .filter(|record| record["id"] == *id)
                .ok_or(format!("{id} has no outcome in its place"))?;
            if record["message"].as_str().is_none_or(str::is_empty) || !record["retryable"].is_boolean() {
                return Err(format!("incomplete: {record}"));
            }
            Ok(record["reason"].as_str().ok_or(format!("no reason: {record}"))?.to_owned())
        })
        .collect()
}

#[tokio::test]
async fn a_deleted_contact_still_answers_and_is_in_the_ledger() {
    let app = TestApp::start().await;
    let id = app.contacts(9_876_500_000, 1).await.remove(0);
    let before = app.get(&app.account.contact_path(&id)).await.expect(200);
    let answer = app.delete(&app.account.contact_path(&id)).await;
    let contact = answer.expect(200);
    assert_eq!(contact["status"], "INACTIVE");
    assert_eq!(contact["createdAt"], before["createdAt"]);
    assert!(contact["updatedAt"].as_str() >= before["updatedAt"].as_str(), "{contact}");
    let deletion = answer.header("Deletion-Id").expect("the deletion has an id").to_owned();
    let entry: (String, String, Vec<String>, Vec<i64>) =
        sqlx::query_as("SELECT resource, action, row_ids, versions FROM ledger WHERE deletion_id = $1::uuid")
            .bind(&deletion)
            .fetch_one(&app.admin)
            .await
            .expect("the ledger has the deletion");
    assert_eq!(entry, ("contact".to_owned(), "deleted".to_owned(), vec![id.clone()], vec![2]));

    let after = app.get(&app.account.contact_path(&id)).await.expect(200);
    assert_eq!(after, contact, "a deleted contact still answers");
    let again = app.delete(&app.account.contact_path(&id)).await;
    assert_eq!(again.expect(404)["errors"][0]["reason"], "ALREADY_DELETED");
    assert_eq!(again.header("Deletion-Id"), None);
    assert_eq!(app.count("SELECT count(*) FROM ledger").await, 1);
}

#[tokio::test]
async fn a_hard_deletion_answers_the_same_and_leaves_nothing() {
    let app = TestApp::start().await;
    let ids = app.contacts(9_876_500_000, 2).await;
    app.delete(&app.account.contact_path(&ids[1])).await.expect(200);
    for id in &ids {
        let path = app.account.contact_path(id);
        let contact = app.delete(&format!("{path}?mode=hard")).await.expect(200);
        assert_eq!((&contact["id"], &contact["status"]), (&json!(id), &json!("INACTIVE")));
        app.get(&path).await.expect(404);
        app.delete(&format!("{path}?mode=hard")).await.expect(404);
    }
    assert_eq!(app.count("SELECT count(*) FROM contacts").await, 0);
    let actions: Vec<String> = sqlx::query_scalar("SELECT action FROM ledger ORDER BY entry_id")
        .fetch_all(&app.admin)
        .await
        .expect("a ledger");
    assert_eq!(actions, ["deleted", "hard_deleted", "hard_deleted"]);
}

#[tokio::test]
async fn each_of_a_thousand_ids_says_its_own_word_in_order() {
    let app = TestApp::start().await;
    let mut ids: Vec<Value> = app.contacts(9_000_000_000, 995).await.into_iter().map(Value::from).collect();
    let foreign = app.contacts_as(&app.other, 9_000_000_000, 1).await.remove(0);
    let gone = ids[7].clone();
    app.delete(&app.account.contact_path(gone.as_str().expect("an id"))).await.expect(200);
    let special = [
        (100, json!("000000000000000000000000"), "NOT_FOUND"),
        (101, gone, "ALREADY_DELETED"),
        (300, json!("no id at all"), "INVALID_IDENTIFIER"),
        (500, ids[20].clone(), "DUPLICATE_IN_REQUEST"),
        (999, json!(foreign), "NOT_FOUND"),
    ];
    ids.remove(7);
    ids.push(json!("another that is no id"));
    for (position, id, _) in &special {
        ids.insert(*position, id.clone());
    }
    assert_eq!(ids.len(), 1000);
    let mut wanted = vec!["deleted"; 1000];
    for (position, _, word) in special {
        wanted[position] = word;
    }
    wanted[998] = "INVALID_IDENTIFIER";

    let live = "SELECT count(*) FROM contacts WHERE deleted_at IS NULL";
    let before = app.count(live).await;
    let path = app.account.bulk_delete_path();
    let atomic = app.delete_with(&format!("{path}?atomic=true"), &json!({"ids": ids})).await.expect(200);
    let rolled_back: Vec<&str> =
        wanted.iter().map(|word| if *word == "deleted" { "ROLLED_BACK" } else { word }).collect();
    assert_eq!(words(&ids, &atomic).expect("a whole report"), rolled_back);
    assert_eq!(app.count(live).await, before, "atomic is all or nothing");
    assert_eq!(app.count("SELECT count(*) FROM ledger").await, 1);

    let answer = app.delete_with(&path, &json!({"ids": ids})).await;
    let report = answer.expect(200);
    assert_eq!(words(&ids, &report).expect("a whole report"), wanted);
    assert_eq!(report["successful"], 994);
    assert_eq!(app.count(live).await, before - 994);
    let packed: Vec<i32> = sqlx::query_scalar("SELECT cardinality(row_ids) FROM ledger WHERE deletion_id = $1::uuid")
        .bind(answer.header("Deletion-Id").expect("the deletion has an id"))
        .fetch_all(&app.admin)
        .await
        .expect("a ledger");
    assert_eq!(packed, [994], "a bulk deletion is one row of the ledger");
    let foreign =
        app.request_as(&app.other, reqwest::Method::GET, &app.other.contact_path(&foreign)).send().await.expect(200);
    assert_eq!(foreign["status"], "ACTIVE");
}

#[test]
fn a_report_that_hides_or_disorders_an_outcome_is_caught() {
    let ids = [json!("a"), json!("b")];
    let failed = json!({"id": "b", "reason": "NOT_FOUND", "message": "m", "retryable": false});
    let report = |successful: Value, failed: Value, requested: u64| {
        let (s, f) = (successful.as_array().map_or(0, Vec::len), failed.as_array().map_or(0, Vec::len));
        json!({"totalRequested": requested, "successful": s, "failed": f, "successfulRecords": successful, "failedRecords": failed})
    };
    assert_eq!(
        words(&ids, &report(json!([{"id": "a"}]), json!([failed]), 2)),
        Ok(vec!["deleted".into(), "NOT_FOUND".into()])
    );
    assert!(words(&ids, &report(json!([{"id": "a"}]), json!([]), 2)).is_err(), "silence");
    assert!(words(&ids, &report(json!([{"id": "a"}]), json!([]), 1)).is_err(), "fewer than asked");
    assert!(
        words(
            &ids,
            &report(json!([{"id": "b"}]), json!([{"id": "a", "reason": "X", "message": "m", "retryable": true}]), 2)
        )
        .is_ok()
    );
    assert!(words(&ids, &report(json!([]), json!([failed, failed]), 2)).is_err(), "another's outcome");
}

#[tokio::test]
async fn an_atomic_deletion_of_good_ids_deletes_them_all() {
    let app = TestApp::start().await;
    let ids = app.contacts(9_000_000_000, 3).await;
    let path = format!("{}?atomic=true&mode=hard", app.account.bulk_delete_path());
    let report = app.delete_with(&path, &json!({"ids": ids})).await.expect(200);
    assert_eq!((&report["successful"], &report["failed"]), (&json!(3), &json!(0)));
    assert_eq!(app.count("SELECT count(*) FROM contacts").await, 0);
}

#[tokio::test]
async fn a_post_deletes_in_bulk_as_the_delete_does() {
    let app = TestApp::start().await;
    let ids = app.contacts(9_000_000_000, 2).await;
    let report = app.post(&app.account.bulk_delete_path(), &json!({"ids": ids})).await.expect(200);
    assert_eq!(report["successful"], 2);
    assert_eq!(app.count("SELECT count(*) FROM contacts WHERE deleted_at IS NULL").await, 0);
}

#[tokio::test]
async fn a_deleted_contacts_number_is_free_at_once_and_a_live_ones_is_not() {
    let app = TestApp::start().await;
    let id = app.contacts(9_876_543_210, 1).await.remove(0);
    let same = json!([{"firstName": "a", "lastName": "b", "cellPhone": {"phoneNumber": "+91 98765-43210", "countryCode": "+91"}}]);
    let refused = app.post(&app.account.contacts_path(), &same).await.expect(200);
    assert_eq!(refused[0]["conflictingId"], id.as_str());
    assert_eq!(refused[0]["errors"][0]["reason"], "PHONE_NUMBER_TAKEN");
    app.delete(&app.account.contact_path(&id)).await.expect(200);
    let created = app.post(&app.account.contacts_path(), &same).await.expect(200);
    assert_eq!(created[0]["status"], "ACTIVE", "{created}");
}

#[tokio::test]
async fn a_bad_contact_fails_in_its_place_and_the_good_ones_are_created() {
    let app = TestApp::start().await;
    let good = |number: &str| json!({"firstName": "a", "lastName": "b", "cellPhone": {"phoneNumber": number, "countryCode": "+91"}});
    let body = json!([good("9000000001"), {"firstName": "a"}, 7, good("9000000001"), good("x"), good("9000000002")]);
    let created = app.post(&app.account.contacts_path(), &body).await.expect(200);
    assert_eq!(created[0]["fullName"], "a b");
    assert!(created[1]["errors"][0]["msg"].as_str().is_some_and(|msg| msg.contains("lastName")), "{created}");
    assert_eq!(created[2]["errors"][0]["code"], 400);
    assert_eq!(created[3]["conflictingId"], created[0]["id"], "a number twice in one call");
    assert!(
        created[4]["errors"][0]["msg"].as_str().is_some_and(|msg| msg.starts_with("cellPhone.phoneNumber")),
        "{created}"
    );
    assert_eq!(created[5]["status"], "ACTIVE");
    assert_eq!(app.count("SELECT count(*) FROM contacts").await, 2);
}

#[tokio::test]
async fn of_a_number_and_its_country_code_the_one_that_is_wrong_is_named() {
    let app = TestApp::start().await;
    let new = |(code, number, _): (&str, &str, &str)| json!({"firstName": "a", "lastName": "b", "cellPhone": {"phoneNumber": number, "countryCode": code}});
    let cases = [
        ("x", "9000000001", "cellPhone.countryCode: "),
        ("+9x", "9000000001", "cellPhone.countryCode: "),
        ("091", "9000000001", "cellPhone.countryCode: "),
        ("+", "9000000001", "cellPhone.countryCode: "),
        (" ", "9000000001", "cellPhone.countryCode: "),
        ("+91", "12a", "cellPhone.phoneNumber: "),
        ("+91", "+442079460198", "cellPhone.phoneNumber: "),
        ("+91", "1234567890123456789", "cellPhone.phoneNumber: "),
    ];
    let created = app.post(&app.account.contacts_path(), &json!(cases.map(new))).await.expect(200);
    for (index, case) in cases.iter().enumerate() {
        let said = created[index]["errors"][0]["msg"].as_str().unwrap_or_default();
        assert!(said.starts_with(case.2), "{case:?}: {said}");
    }
}

#[tokio::test]
async fn null_is_as_good_as_absent_where_there_is_a_default() {
    let app = TestApp::start().await;
    let new = json!([{
        "firstName": "a", "lastName": "b", "salutation": null, "address": null, "twitterDetails": null,
        "cellPhone": {"extension": null, "phoneNumber": "9000000001", "countryCode": "+91"}
    }, {"firstName": null, "lastName": "b", "cellPhone": {"phoneNumber": "9000000002", "countryCode": "+91"}}]);
    let created = app.post(&app.account.contacts_path(), &new).await.expect(200);
    let contact = &created[0];
    assert_eq!((&contact["salutation"], &contact["cellPhone"]["extension"]), (&json!(""), &json!("+")), "{created}");
    assert_eq!((&contact["address"], &contact["twitterDetails"]), (&json!([]), &json!([])));
    let said = created[1]["errors"][0]["msg"].as_str().unwrap_or_default();
    assert!(said.starts_with("firstName: "), "{created}");
}

#[tokio::test]
async fn lists_show_live_contacts_and_the_trash_apart() {
    let app = TestApp::start().await;
    let ids = app.contacts(9_000_000_000, 25).await;
    app.delete_with(&app.account.bulk_delete_path(), &json!({"ids": &ids[..5]})).await.expect(200);
    let path = app.account.contacts_path();
    let page = app.get(&path).await.expect(200);
    let numbers = ["skip", "limit", "hasMore", "totalPages", "totalResults"].map(|field| page[field].clone());
    assert_eq!(numbers, [json!(0), json!(10), json!(true), json!(2), json!(20)]);
    assert_eq!(page["results"].as_array().map(Vec::len), Some(10));
    let last = app.get(&format!("{path}?page=2")).await.expect(200);
    assert_eq!((&last["hasMore"], &last["skip"]), (&json!(false), &json!(10)));
    let trash = app.get(&format!("{path}?status=INACTIVE&limit=100")).await.expect(200);
    assert_eq!(trash["totalResults"], 5);
    let one = app.get(&format!("{path}?phoneNumber=%2B919000000010")).await.expect(200);
    assert_eq!(one["results"][0]["id"], ids[10].as_str());
    let none = app.get(&format!("{path}?createdBefore=2020-01-01T00:00:00Z")).await.expect(200);
    assert_eq!(none["totalResults"], 0);
}
