//! Contact lists and the people on them: created, looked up, listed and changed, under both base paths.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, TestApp, campaign_bases, redacted_times};

async fn put(app: &TestApp, path: &str, change: &Value) -> Answer {
    app.request(Method::PUT, path).json(change).send().await
}

async fn org_id(app: &TestApp) -> String {
    sqlx::query_scalar("SELECT org_id FROM accounts WHERE account_id = $1")
        .bind(&app.account.id)
        .fetch_one(&app.admin)
        .await
        .expect("an account has an organisation")
}

#[tokio::test]
async fn a_contact_list_is_answered_whole_under_both_bases() {
    let app = TestApp::start().await;
    for (number, base) in campaign_bases(&app.account).into_iter().enumerate() {
        let name = format!("Renewal Due {number}");
        let new = json!({"name": format!(" {name} "), "description": "They expire.", "source": "passiveApi", "allowDuplicates": true});
        let answer =
            app.post(&format!("{base}/contactList/createContactList?accountId={}", app.account.id), &new).await;
        let created = answer.expect(200);
        let id = created["data"]["_id"].as_str().expect("an id").to_owned();
        let user = &created["data"]["createdBy"];
        let mut list = json!({
            "_id": id, "isActive": true, "orgId": org_id(&app).await, "name": name, "lname": name.to_lowercase(),
            "description": "They expire.", "totalRecordCount": 0, "status": "Ready", "createdBy": user, "updatedBy": user,
            "mapping": {
                "firstName": "firstName", "lastName": "lastName", "phoneNumber": "phoneNumber", "timeZone": "timeZone",
                "uniqueId": "uniqueId"
            },
            "isListInUse": false, "iId": app.account.stream, "listType": "call", "campaignInUse": [],
            "accountId": app.account.id, "source": "passiveApi", "apiConfigurations": {"dataSyncMode": "allowDuplicates"},
            "files": [], "allowDuplicates": true, "isGlobalDNC": false, "isDefault": false, "columns": [],
            "createdAt": "<time>", "updatedAt": "<time>"
        });
        let is_second = base.contains("/v2/");
        if is_second {
            list["mapping"]["contactPriority"] = json!("contactPriority");
        }
        let message = format!("Contact list {name} created successfully");
        assert_eq!(redacted_times(created), json!({"status": "success", "message": message, "data": list}));
        assert_eq!(answer.header("ETag"), Some("\"1\""));
        let found = app.get(&format!("{base}/contactList/{id}")).await;
        assert_eq!(found.header("ETag"), Some("\"1\""));
        assert_eq!(redacted_times(found.expect(200)), json!({"status": "success", "message": "", "data": list}));
        let deleted = app.delete(&format!("{base}/contactList/{id}")).await.expect(200);
        for more in ["allowDuplicates", "isGlobalDNC", "isDefault", "columns"].iter().filter(|_| !is_second) {
            list.as_object_mut().expect("an object").remove(*more);
        }
        let message = format!("Contact list {name} deleted successfully");
        assert_eq!(redacted_times(deleted), json!({"status": "success", "message": message, "data": list}));
    }
    let strict = json!({"name": "strict", "description": "d", "source": "passiveApiIntegration"});
    let path = app.account.family("/campaign/contactList/createContactList");
    let strict = app.post(&path, &strict).await.expect(200)["data"].clone();
    assert_eq!(
        (&strict["allowDuplicates"], &strict["apiConfigurations"]),
        (&json!(false), &json!({"dataSyncMode": "removeDuplicates"}))
    );
}

#[tokio::test]
async fn an_update_changes_what_it_names_and_says_so() {
    let app = TestApp::start().await;
    for (number, base) in campaign_bases(&app.account).into_iter().enumerate() {
        let id = app.contact_list(&format!("Before {number}")).await;
        let path = format!("{base}/contactList/{id}");
        let before = app.get(&path).await.expect(200)["data"].clone();
        let first = app.get(&app.account.contact_list_path(&id)).await.expect(200)["data"].clone();
        let name = format!("After {number}");
        let change = json!({"name": name, "description": "Changed.", "mapping": {"firstName": "given"}, "_id": "x", "status": "Gone"});
        let answer = put(&app, &path, &change).await;
        assert_eq!(answer.header("ETag"), Some("\"2\""));
        let mut mapping = before["mapping"].clone();
        mapping["firstName"] = json!("given");
        assert_eq!(
            answer.expect(200),
            json!({
                "status": "success", "message": format!("Contact list {name} updated successfully"),
                "data": {"contactListId": id, "body": {
                    "name": name, "description": "Changed.", "mapping": mapping, "scope": ["campaign_management"],
                    "orgId": before["orgId"], "iId": app.account.stream, "listType": "call", "accountId": app.account.id,
                    "updatedBy": before["createdBy"]
                }}
            })
        );
        let after = app.get(&path).await.expect(200)["data"].clone();
        let mut wanted = before.clone();
        for (field, value) in [
            ("name", json!(name)),
            ("lname", json!(name.to_lowercase())),
            ("description", json!("Changed.")),
            ("mapping", mapping),
            ("updatedAt", after["updatedAt"].clone()),
        ] {
            wanted[field] = value;
        }
        assert_eq!(after, wanted, "what is not named stays");
        assert!(after["updatedAt"].as_str() >= before["updatedAt"].as_str());
        put(&app, &path, &after).await.expect(200);
        let mut stored = first["mapping"].clone();
        stored["firstName"] = json!("given");
        let mapping = app.get(&app.account.contact_list_path(&id)).await.expect(200)["data"]["mapping"].clone();
        assert_eq!(mapping, stored, "what the second base path adds is not stored");

        app.delete(&path).await.expect(200);
        assert_eq!(put(&app, &path, &change).await.expect(404)["errors"][0]["reason"], "NOT_FOUND");
    }
}

#[tokio::test]
async fn a_name_is_unique_among_live_lists_and_free_once_its_list_is_deleted() {
    let app = TestApp::start().await;
    let (first, second) = (app.contact_list("First").await, app.contact_list("Second").await);
    let path = app.account.contact_list_path(&second);
    let taken = put(&app, &path, &json!({"name": "FIRST"})).await.expect(409);
    assert_eq!((&taken["errors"][0]["reason"], &taken["data"]["conflictingId"]), (&json!("NAME_TAKEN"), &json!(first)));
    put(&app, &path, &json!({"name": "SECOND"})).await.expect(200);
    app.delete(&app.account.contact_list_path(&first)).await.expect(200);
    put(&app, &path, &json!({"name": "first"})).await.expect(200);
    app.contact_list("second").await;
    let mut lists = Vec::new();
    for number in 0..8 {
        lists.push(app.contact_list(&format!("racer {number}")).await);
    }
    let answers = join_all(lists.iter().map(|id| {
        let path = app.account.contact_list_path(id);
        let app = &app;
        async move { put(app, &path, &json!({"name": "winner"})).await.status.as_u16() }
    }))
    .await;
    assert_eq!(answers.iter().filter(|status| **status == 200).count(), 1, "{answers:?}");
    assert!(answers.iter().all(|status| [200, 409].contains(status)), "{answers:?}");
}

#[tokio::test]
async fn changes_and_deletions_expect_the_version_that_was_read() {
    let app = TestApp::start().await;
    let path = app.account.contact_list_path(&app.contact_list("list").await);
    let etag = app.get(&path).await.header("ETag").expect("an ETag").to_owned();
    put(&app, &path, &json!({"name": "changed"})).await.expect(200);
    for method in [Method::PUT, Method::DELETE] {
        let request = app.request(method.clone(), &path).header("If-Match", &etag);
        let request = if method == Method::PUT { request.json(&json!({"name": "again"})) } else { request };
        assert_eq!(request.send().await.expect(412)["errors"][0]["reason"], "VERSION_MISMATCH", "{method}");
    }
    assert_eq!(app.get(&path).await.expect(200)["data"]["name"], "changed");
    assert_eq!(app.count("SELECT count(*) FROM ledger").await, 0);
    let current = app.get(&path).await.header("ETag").expect("an ETag").to_owned();
    app.members("changed", &["+14155550100"]).await;
    app.request(Method::DELETE, &path).header("If-Match", &current).send().await.expect(200);
}

#[tokio::test]
async fn a_list_with_numbers_that_come_twice_cannot_hold_each_once() {
    let app = TestApp::start().await;
    let path = app.account.contact_list_path(&app.contact_list("list").await);
    app.members("list", &["+14155550100", "(415) 555-0100", "14155550100", "+14155550101"]).await;
    let refused = put(&app, &path, &json!({"name": "n", "allowDuplicates": false})).await.expect(409);
    assert_eq!(
        refused["errors"][0],
        json!({"msg": "allowDuplicates: the contact list holds 1 numbers more than once", "code": 409, "reason": "HAS_DUPLICATES"})
    );
    assert_eq!(app.get(&path).await.expect(200)["data"]["name"], "list", "nothing was changed");

    let path = app.account.contact_list_path(&app.contact_list("other").await);
    app.members("other", &["+14155550100", "+14155550101"]).await;
    let strict = put(&app, &path, &json!({"allowDuplicates": false})).await.expect(200);
    assert_eq!(strict["data"]["body"]["allowDuplicates"], false);
    app.members("other", &["+1 415 555 0100", "+14155550102"]).await;
    assert_eq!(app.get(&path).await.expect(200)["data"]["totalRecordCount"], 3);
    put(&app, &path, &json!({"allowDuplicates": true})).await.expect(200);
    app.members("other", &["+1 415 555 0100"]).await;
    let list = app.get(&path).await.expect(200)["data"].clone();
    assert_eq!(
        (&list["totalRecordCount"], &list["apiConfigurations"]["dataSyncMode"]),
        (&json!(4), &json!("allowDuplicates"))
    );
}

#[tokio::test]
async fn numbers_that_come_while_it_is_settled_whether_they_may_come_twice_do_not() {
    let app = TestApp::start().await;
    let mut won = [0; 2];
    for round in 0..40 {
        let name = format!("settled {round}");
        let path = app.account.contact_list_path(&app.contact_list(&name).await);
        app.members(&name, &["+14155550100"]).await;
        let once = json!({"allowDuplicates": false});
        let (change, ()) = if round % 2 == 0 {
            tokio::join!(put(&app, &path, &once), app.members(&name, &["+14155550100"]))
        } else {
            let (added, change) = tokio::join!(app.members(&name, &["+14155550100"]), put(&app, &path, &once));
            (change, added)
        };
        let list = app.get(&path).await.expect(200)["data"].take();
        let found = (list["totalRecordCount"].as_i64(), list["allowDuplicates"].as_bool());
        match change.status.as_u16() {
            200 => assert_eq!(found, (Some(1), Some(false))),
            409 => assert_eq!(found, (Some(2), Some(true))),
            other => panic!("{other}: {change:?}"),
        }
        won[usize::from(change.status == 200)] += 1;
    }
    println!("numbers came first {} times, the change {} times", won[0], won[1]);
}

#[tokio::test]
async fn all_lists_are_answered_the_last_changed_first() {
    let app = TestApp::start().await;
    for name in ["One", "Two", "Three", "Gone"] {
        app.contact_list(name).await;
    }
    let gone = app.contact_list("Gone too").await;
    app.delete(&app.account.contact_list_path(&gone)).await.expect(200);
    app.members("one", &["+14155550100", "+14155550101"]).await;
    let campaign = app.campaign("calls", "Two").await;
    for base in campaign_bases(&app.account) {
        let path = format!("{base}/contactList/getAllListDetails");
        let answer = app.get(&format!("{path}?type=call")).await.expect(200);
        assert_eq!((&answer["status"], &answer["message"]), (&json!("success"), &json!("")));
        let lists = answer["data"].as_array().expect("an array");
        let names: Vec<&str> = lists.iter().map(|list| list["name"].as_str().expect("a name")).collect();
        assert_eq!(names, ["Gone", "Three", "Two", "One"]);
        for list in lists {
            let id = list["_id"].as_str().expect("an id");
            assert_eq!(*list, app.get(&format!("{base}/contactList/{id}")).await.expect(200)["data"], "each is whole");
        }
        assert_eq!(lists[2]["campaignInUse"], json!([{"id": campaign, "name": "calls", "status": "Ready"}]));
        assert_eq!(lists[3]["totalRecordCount"], 2);
        for body in [None, Some(json!({}))] {
            let request = app.request(Method::POST, &path);
            let request = match &body {
                Some(body) => request.json(body),
                None => request,
            };
            assert_eq!(request.send().await.expect(200), answer);
        }
        assert_eq!(
            (&answer["hasMore"], &answer["totalResults"], answer.get("after")),
            (&json!(false), &json!(4), None)
        );
        let some = app.get(&format!("{path}?limit=2&skip=1")).await.expect(200);
        assert_eq!((&some["data"], &some["hasMore"]), (&json!(lists[1..3]), &json!(true)));
        let after = some["after"].as_str().expect("a place");
        let rest = app.get(&format!("{path}?limit=2&after={after}")).await.expect(200);
        assert_eq!((&rest["data"], &rest["hasMore"]), (&json!(lists[3..]), &json!(false)));
        let none = app.get(&format!("{path}?type=sms")).await.expect(200);
        assert_eq!((&none["data"], &none["totalResults"]), (&json!([]), &json!(0)));
        let both = format!("after={after}&skip=1");
        for (query, says) in [
            ("type=email", "type: "),
            ("limit=0", "limit: "),
            ("limit=1001", "limit: "),
            ("skip=-1", "skip: "),
            ("skip=10001", "skip: "),
            ("after=x", "after: "),
            (both.as_str(), "after: "),
        ] {
            let refused = app.get(&format!("{path}?{query}")).await.expect(400);
            assert!(refused["message"].as_str().is_some_and(|message| message.starts_with(says)), "{refused}");
        }
    }
}

#[tokio::test]
async fn people_are_listed_in_the_order_in_which_they_were_added() {
    let app = TestApp::start().await;
    let id = app.contact_list("list").await;
    let add = format!("/api/1.1/public/{}/campaign/contactList/addContacts", app.account.stream);
    let number = |index: usize| format!("+1415{:07}", 5_550_000 + index);
    let person = json!({
        "phoneNumber": "91223334", "firstName": "Ada", "uniqueId": "A-1", "timeZone": "Europe/London", "_id": "x",
        "createdAt": "then", "rate": 1.50
    });
    let added = app.post(&add, &json!({"contact_list_name": "LIST", "data": [person]})).await.expect(200);
    assert_eq!(added, json!({"message": "Adding contacts to public list is in progress"}));
    for batch in 0..3 {
        let numbers: Vec<String> = (0..40).map(|index| number(batch * 40 + index)).collect();
        app.members("list", &numbers.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }
    for base in campaign_bases(&app.account) {
        let path = format!("{base}/contactList/{id}/getAllContacts");
        let first = app.get(&path).await.expect(200);
        assert_eq!(
            (&first["status"], &first["message"]),
            (&json!("success"), &json!("Contacts retrieved successfully"))
        );
        let data = &first["data"];
        let numbers = ["skip", "limit", "totalPages", "totalResults"].map(|field| data[field].as_i64());
        assert_eq!((numbers, &data["hasMore"]), ([Some(0), Some(50), Some(3), Some(121)], &json!(true)));
        let member = redacted_times(data["results"][0].clone());
        let member_id = member["_id"].as_str().expect("an id");
        assert!(member_id.starts_with("cc-") && member_id.len() == 39, "{member_id}");
        assert_eq!(
            member,
            json!({
                "_id": member_id, "createdAt": "<time>", "updatedAt": "<time>", "phoneNumber": "91223334", "firstName": "Ada",
                "uniqueId": "A-1", "timeZone": "Europe/London", "rate": 1.5
            })
        );
        let (mut seen, mut query) = (Vec::new(), "?limit=7".to_owned());
        loop {
            let page = app.get(&format!("{path}{query}")).await.expect(200)["data"].clone();
            seen.extend(
                page["results"].as_array().expect("an array").iter().map(|member| member["phoneNumber"].clone()),
            );
            match page["after"].as_str() {
                Some(after) => query = format!("?limit=7&after={after}"),
                None => break,
            }
        }
        let wanted: Vec<Value> =
            std::iter::once(json!("91223334")).chain((0..120).map(|index| json!(number(index)))).collect();
        assert_eq!(seen, wanted);
        let third = app.get(&format!("{path}?page=3")).await.expect(200)["data"].clone();
        assert_eq!((third["results"].as_array().map(Vec::len), &third["hasMore"]), (Some(21), &json!(false)));
        app.get(&format!("{path}?limit=101")).await.expect(400);
    }
    let wrong = json!({"phoneNumber": "+14155550100", "timeZone": "Mars/Olympus"});
    let refused =
        app.post(&add, &json!({"contact_list_name": "list", "data": [{"phoneNumber": "1"}, wrong]})).await.expect(400);
    assert_eq!(refused["message"], "data[1].timeZone: is not a zone of the tz database");
    app.delete(&app.account.contact_list_path(&id)).await.expect(200);
    app.get(&app.account.family(&format!("/campaign/contactList/{id}/getAllContacts"))).await.expect(404);
}

#[tokio::test]
async fn people_on_a_list_are_not_contacts() {
    let app = TestApp::start().await;
    let contact = app.contacts(9_876_500_000, 1).await.remove(0);
    let list = app.contact_list("list").await;
    app.members("list", &["+919876500000"]).await;
    app.delete(&app.account.contact_path(&contact)).await.expect(200);
    let count = app.get(&app.account.contact_list_path(&list)).await.expect(200)["data"]["totalRecordCount"].clone();
    assert_eq!(count, 1, "deleting a contact does not touch who is on a list");
    let contact = app.contacts(9_876_500_000, 1).await.remove(0);
    app.delete(&format!("{}?mode=hard", app.account.contact_list_path(&list))).await.expect(200);
    assert_eq!(app.get(&app.account.contact_path(&contact)).await.expect(200)["status"], "ACTIVE");
}

#[tokio::test]
async fn a_mapping_grows_no_further_than_its_limit() {
    let app = TestApp::start().await;
    let path = app.account.contact_list_path(&app.contact_list("list").await);
    let mapping = |from: usize| (from..from + 90).map(|field| (format!("f{field}"), json!("x"))).collect::<Value>();
    put(&app, &path, &json!({"mapping": mapping(0)})).await.expect(200);
    assert_eq!(
        put(&app, &path, &json!({"mapping": mapping(90)})).await.expect(413)["errors"][0]["reason"],
        "TOO_LARGE"
    );
    put(&app, &path, &json!({"mapping": mapping(0)})).await.expect(200);
}

#[tokio::test]
async fn a_place_that_is_made_up_is_refused() {
    let app = TestApp::start().await;
    let records = app.record_list("NOTHING").await;
    let place = |kind: &str, id: &str| {
        base64::Engine::encode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, format!("{kind} -377000000000000000000 {id}"))
    };
    let uuid = "8858c834-481d-4a02-8176-cffc02c50350";
    for (path, kind, id) in [
        ("/record-lists".to_owned(), "record list", uuid),
        (format!("/record-lists/{records}/records"), "record", uuid),
        (
            app.account.family("/campaign/contactList/getAllListDetails"),
            "contact list",
            "cl-c2ce382-2516-457e-8eb4-9847deec0000",
        ),
    ] {
        let refused = app.get(&format!("{path}?after={}", place(kind, id))).await;
        assert_eq!(refused.status.as_u16(), 400, "{refused:?}");
        assert!(refused.text.contains("after: "), "{refused:?}");
    }
}
