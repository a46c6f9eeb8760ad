//! Contacts: changed, one or many, and only in the version that was expected.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, TestApp};

async fn put(app: &TestApp, id: &str, change: &Value) -> Answer {
    app.request(Method::PUT, &app.account.contact_path(id)).json(change).send().await
}

async fn bulk_update(app: &TestApp, changes: &Value) -> Value {
    let path = format!("{}/bulk-update", app.account.contacts_path());
    app.request(Method::PUT, &path).json(changes).send().await.expect(200)
}

#[tokio::test]
async fn an_update_changes_what_it_names_and_nothing_else() {
    let app = TestApp::start().await;
    let id = app.contacts(9_876_500_000, 1).await.remove(0);
    let before = app.get(&app.account.contact_path(&id)).await.expect(200);
    let answer = put(&app, &id, &json!({"firstName": "Jane", "cellPhone": {"extension": "91"}})).await;
    let after = answer.expect(200);
    let mut wanted = before.clone();
    wanted["firstName"] = json!("Jane");
    wanted["fullName"] = json!(format!("Jane {}", before["lastName"].as_str().expect("a name")));
    wanted["cellPhone"]["extension"] = json!("91");
    wanted["updatedBy"] = before["createdBy"].clone();
    wanted["updatedByAId"] = before["createdByAId"].clone();
    wanted["updatedAt"] = after["updatedAt"].clone();
    assert_eq!(after, wanted);
    assert!(after["updatedAt"].as_str() >= before["updatedAt"].as_str(), "{after}");
    assert_eq!(app.get(&app.account.contact_path(&id)).await.expect(200), after);

    let moved = put(&app, &id, &json!({"cellPhone": {"phoneNumber": "207 946 0198", "countryCode": "+44"}})).await;
    assert_eq!(
        moved.expect(200)["cellPhone"],
        json!({"extension": "91", "phoneNumber": "+442079460198", "countryCode": "+44"})
    );
    let kept_code = put(&app, &id, &json!({"cellPhone": {"phoneNumber": "+44 20 7946 0199"}})).await.expect(200);
    assert_eq!(kept_code["cellPhone"]["phoneNumber"], "+442079460199");
    let old_number = app.contacts(9_876_500_000, 1).await;
    assert_eq!(old_number.len(), 1, "the number that was given up is free");
}

#[tokio::test]
async fn a_contact_can_be_sent_back_as_it_was_answered() {
    let app = TestApp::start().await;
    let id = app.contacts(9_876_500_000, 1).await.remove(0);
    let mut contact = app.get(&app.account.contact_path(&id)).await.expect(200);
    contact["salutation"] = json!("dr");
    let after = put(&app, &id, &contact).await.expect(200);
    assert_eq!(
        (&after["salutation"], &after["id"], &after["createdAt"]),
        (&json!("dr"), &json!(id), &contact["createdAt"])
    );
    contact["status"] = json!("INACTIVE");
    let refused = put(&app, &id, &contact).await.expect(400);
    assert!(refused["errors"][0]["msg"].as_str().is_some_and(|msg| msg.starts_with("status: ")), "{refused}");
}

#[tokio::test]
async fn an_update_that_is_wrong_names_the_field_and_changes_nothing() {
    let app = TestApp::start().await;
    let ids = app.contacts(9_876_500_000, 2).await;
    let before = app.get(&app.account.contact_path(&ids[0])).await;
    let cases = [
        (json!({}), 400, "body: "),
        (json!({"firstName": null}), 400, "body: "),
        (json!({"id": "x", "unknown": 1}), 400, "body: "),
        (json!({"cellPhone": {"countryCode": "+44"}}), 400, "cellPhone.phoneNumber: "),
        (json!({"cellPhone": {"countryCode": "44x"}}), 400, "cellPhone.countryCode: "),
        (json!({"cellPhone": {"phoneNumber": "9876500009", "countryCode": "+9x"}}), 400, "cellPhone.countryCode: "),
        (json!({"cellPhone": {"phoneNumber": "9876500009", "countryCode": "091"}}), 400, "cellPhone.countryCode: "),
        (json!({"cellPhone": {"phoneNumber": "12a", "countryCode": "+91"}}), 400, "cellPhone.phoneNumber: "),
        (json!({"cellPhone": {"phoneNumber": "12a"}}), 400, "cellPhone.phoneNumber: "),
        (json!({"cellPhone": {"phoneNumber": "+442079460198"}}), 400, "cellPhone.phoneNumber: "),
        (json!({"firstName": "a", "cellPhone": {"phoneNumber": "9876500001"}}), 409, "cellPhone.phoneNumber: "),
    ];
    for (change, status, says) in cases {
        let refused = put(&app, &ids[0], &change).await.expect(status);
        assert!(refused["errors"][0]["msg"].as_str().is_some_and(|msg| msg.starts_with(says)), "{change}: {refused}");
        if status == 409 {
            assert_eq!(
                (&refused["conflictingId"], &refused["errors"][0]["reason"]),
                (&json!(ids[1]), &json!("PHONE_NUMBER_TAKEN"))
            );
        }
    }
    let bulk = json!([
        {"id": ids[0], "cellPhone": {"phoneNumber": "9876500009", "countryCode": "+9x"}},
        {"id": ids[0], "cellPhone": {"phoneNumber": "12a", "countryCode": "+91"}}
    ]);
    let path = format!("{}/bulk-update", app.account.contacts_path());
    let report = app.request(Method::PUT, &path).json(&bulk).send().await.expect(200);
    for (index, says) in ["cellPhone.countryCode: ", "cellPhone.phoneNumber: "].into_iter().enumerate() {
        let message = report["failedRecords"][index]["message"].as_str();
        assert!(message.is_some_and(|message| message.starts_with(says)), "{report}");
    }
    let after = app.get(&app.account.contact_path(&ids[0])).await;
    assert_eq!((after.header("ETag"), &after.text), (before.header("ETag"), &before.text));

    app.delete(&app.account.contact_path(&ids[1])).await.expect(200);
    put(&app, &ids[0], &json!({"cellPhone": {"phoneNumber": "9876500001"}})).await.expect(200);
    let trashed = put(&app, &ids[1], &json!({"firstName": "a"})).await.expect(404);
    assert_eq!(trashed["errors"][0], json!({"msg": "Contact not found", "code": 404, "reason": "NOT_FOUND"}));
}

#[tokio::test]
async fn changes_and_deletions_expect_the_version_that_was_read() {
    let app = TestApp::start().await;
    let id = app.contacts(9_876_500_000, 1).await.remove(0);
    let path = app.account.contact_path(&id);
    let read = app.get(&path).await;
    let etag = read.header("ETag").expect("a contact has an ETag").to_owned();
    let changed = put(&app, &id, &json!({"firstName": "one"})).await;
    let newer = changed.header("ETag").expect("a changed contact has an ETag").to_owned();
    assert_ne!(etag, newer);
    for method in [Method::PUT, Method::DELETE] {
        let request = app.request(method.clone(), &path).header("If-Match", &etag);
        let request = if method == Method::PUT { request.json(&json!({"firstName": "two"})) } else { request };
        let refused = request.send().await;
        assert_eq!(refused.header("Deletion-Id"), None);
        assert_eq!(refused.expect(412)["errors"][0]["reason"], "VERSION_MISMATCH", "{method}");
    }
    assert_eq!(app.get(&path).await.expect(200)["firstName"], "one");
    assert_eq!(app.count("SELECT count(*) FROM ledger").await, 0);
    let several = app.request(Method::DELETE, &app.account.bulk_delete_path()).header("If-Match", &newer);
    let several = several.json(&json!({"ids": [id]})).send().await.expect(400);
    assert!(several["errors"][0]["msg"].as_str().is_some_and(|msg| msg.starts_with("If-Match: ")), "{several}");
    let bare = app.request(Method::DELETE, &path).header("If-Match", "2").send().await.expect(400);
    assert!(bare["errors"][0]["msg"].as_str().is_some_and(|msg| msg.starts_with("If-Match: ")), "{bare}");
    app.request(Method::DELETE, &path).header("If-Match", &format!("\"0\", {newer}")).send().await.expect(200);
}

#[tokio::test]
async fn of_two_changes_that_read_the_same_version_one_is_done() {
    let app = TestApp::start().await;
    let id = app.contacts(9_876_500_000, 1).await.remove(0);
    let path = app.account.contact_path(&id);
    let etag = app.get(&path).await.header("ETag").expect("an ETag").to_owned();
    let statuses = join_all((0..16).map(|number| {
        let request = app.request(Method::PUT, &path).header("If-Match", &etag);
        let request = request.json(&json!({"firstName": format!("writer {number}")}));
        async move { request.send().await.status.as_u16() }
    }))
    .await;
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| [200, 412].contains(status)), "{statuses:?}");
}

#[tokio::test]
async fn a_bulk_update_says_of_each_what_became_of_it() {
    let app = TestApp::start().await;
    let ids = app.contacts(9_876_500_000, 5).await;
    let foreign = app.contacts_as(&app.other, 9_876_500_000, 1).await.remove(0);
    app.delete(&app.account.contact_path(&ids[4])).await.expect(200);
    let report = bulk_update(
        &app,
        &json!([
            {"id": ids[0], "firstName": "Jane", "fullName": "ignored"},
            {"id": ids[1], "firstName": "x".repeat(256)},
            {"id": ids[2], "cellPhone": {"phoneNumber": "9876500003"}},
            {"id": "no id", "firstName": "a"},
            {"id": foreign, "firstName": "a"},
            {"id": ids[0], "firstName": "again"},
            {"id": ids[4], "firstName": "a"},
            {"id": ids[3], "cellPhone": {"phoneNumber": "9876500004"}},
            {"id": "000000000000000000000000"}
        ]),
    )
    .await;
    let numbers = ["totalRequested", "successful", "failed"].map(|field| report[field].as_i64());
    assert_eq!(numbers, [Some(9), Some(2), Some(7)]);
    let done = &report["successfulRecords"];
    let mut contact = app.get(&app.account.contact_path(&ids[0])).await.expect(200);
    assert_eq!(contact["fullName"].as_str().map(|name| name.starts_with("Jane ")), Some(true));
    contact["_id"] = json!(ids[0]);
    assert_eq!(done[0], json!({"id": ids[0], "contact": contact}));
    assert_eq!(done[1]["contact"]["cellPhone"]["phoneNumber"], "+919876500004", "the deleted contact's number is free");
    let failed: Vec<(&Value, &Value, Option<&Value>)> = report["failedRecords"]
        .as_array()
        .expect("an array")
        .iter()
        .map(|record| (&record["id"], &record["reason"], record.get("conflictingId")))
        .collect();
    let holder = json!(ids[3]);
    let wanted = [
        (&json!(ids[1]), &json!("INVALID_REQUEST"), None),
        (&json!(ids[2]), &json!("PHONE_NUMBER_TAKEN"), Some(&holder)),
        (&json!("no id"), &json!("INVALID_IDENTIFIER"), None),
        (&json!(foreign), &json!("NOT_FOUND"), None),
        (&json!(ids[0]), &json!("DUPLICATE_IN_REQUEST"), None),
        (&json!(ids[4]), &json!("ALREADY_DELETED"), None),
        (&json!("000000000000000000000000"), &json!("INVALID_REQUEST"), None),
    ];
    assert_eq!(failed, wanted);
}

#[tokio::test]
async fn two_contacts_never_get_the_same_number() {
    let app = TestApp::start().await;
    let ids = app.contacts(9_876_500_000, 8).await;
    for round in 0..10 {
        let number = json!({"cellPhone": {"phoneNumber": format!("98765100{round:02}")}});
        let statuses = join_all(ids.iter().map(|id| put(&app, id, &number))).await;
        let done = statuses.iter().filter(|answer| answer.status.as_u16() == 200).count();
        assert_eq!(done, 1, "round {round}: {statuses:?}");
        let twins =
            app.count("SELECT count(*) - count(DISTINCT phone_key) FROM contacts WHERE deleted_at IS NULL").await;
        assert_eq!(twins, 0);
        let refused = statuses.iter().find(|answer| answer.status.as_u16() == 409).expect("somebody was refused");
        assert!(refused.json()["conflictingId"].is_string(), "{refused:?}");
    }
}

#[tokio::test]
async fn places_lead_through_all_contacts_while_some_vanish() {
    let app = TestApp::start().await;
    let ids = app.contacts(9_876_500_000, 45).await;
    let path = app.account.contacts_path();
    let mut seen = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let at = after.as_ref().map(|after| format!("&after={after}")).unwrap_or_default();
        let page = app.get(&format!("{path}?limit=10{at}")).await.expect(200);
        assert_eq!((&page["limit"], &page["skip"]), (&json!(10), &json!(0)));
        let on_page = page["results"].as_array().expect("an array").iter();
        seen.extend(on_page.map(|contact| contact["id"].as_str().expect("an id").to_owned()));
        // What was last seen goes: the place stays.
        app.delete(&app.account.contact_path(seen.last().expect("a page has contacts"))).await.expect(200);
        assert_eq!(page["hasMore"], page.get("after").is_some(), "{page}");
        let Some(next) = page["after"].as_str() else { break };
        after = Some(next.to_owned());
    }
    let mut wanted = ids;
    wanted.sort();
    wanted.reverse();
    assert_eq!(seen, wanted, "each once, newest first");
    for wrong in ["after=x", "after=", "after=bWVtYmVyIDE&limit=10"] {
        let refused = app.get(&format!("{path}?{wrong}")).await.expect(400);
        assert!(refused["errors"][0]["msg"].as_str().is_some_and(|msg| msg.starts_with("after: ")), "{refused}");
    }
}
