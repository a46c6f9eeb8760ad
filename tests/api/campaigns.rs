//! Contact lists and the campaigns that hold on to them.

use reqwest::Method;
use serde_json::json;

use crate::support::TestApp;

#[tokio::test]
async fn a_deleted_list_is_answered_as_it_was_and_its_name_is_free() {
    let app = TestApp::start().await;
    let create = app.account.family("/campaign/contactList/createContactList");
    let new = json!({
        "name": "Renewal Due - August 2025", "description": "Services that expire in July 2025.",
        "source": "passiveApiIntegration", "allowDuplicates": true
    });
    let created = app.post(&create, &new).await.expect(200);
    assert_eq!(created["message"], "Contact list Renewal Due - August 2025 created successfully");
    let id = created["data"]["_id"].as_str().expect("a list has an id").to_owned();
    app.members("renewal due - august 2025", &["+14155550100", "+14155550100", "+14155550101"]).await;
    let path = app.account.contact_list_path(&id);
    let before = app.get(&path).await.expect(200);
    assert_eq!((&before["message"], &before["data"]["totalRecordCount"]), (&json!(""), &json!(3)));

    let answer = app.delete(&path).await;
    let deleted = answer.expect(200);
    let mut wanted = before["data"].clone();
    for more in ["allowDuplicates", "isGlobalDNC", "isDefault", "columns"] {
        wanted.as_object_mut().expect("an object").remove(more).expect("a list says more than its deletion");
    }
    assert_eq!(deleted["data"], wanted, "the list as it was before");
    assert!(answer.header("Deletion-Id").is_some());
    app.get(&path).await.expect(404);
    assert_eq!(app.delete(&path).await.expect(404)["errors"][0]["reason"], "ALREADY_DELETED");
    assert_eq!(app.post(&create, &new).await.expect(200)["status"], "success", "the name is free at once");
    assert_eq!(
        app.count("SELECT count(*) FROM contact_list_members WHERE deleted_at IS NULL").await,
        3,
        "members follow by rule"
    );
}

#[tokio::test]
async fn a_list_is_refused_while_any_live_campaign_is_attached() {
    let app = TestApp::start().await;
    let id = app.contact_list("In Use").await;
    let path = app.account.contact_list_path(&id);
    let stopped = app.campaign("Stopped one", "in use").await;
    app.trigger(&stopped, "stop").await.expect(200);

    let refused = app.delete(&path).await;
    assert_eq!(refused.header("Deletion-Id"), None);
    let refused = refused.expect(409);
    assert_eq!(
        refused,
        json!({
            "status": "error",
            "message": "Contact list In Use is attached to 1 campaigns",
            "errors": [{"msg": "Contact list In Use is attached to 1 campaigns", "code": 409, "reason": "IN_USE"}],
            "data": {
                "_id": id, "name": "In Use", "isListInUse": false,
                "campaignInUse": [{"id": stopped, "name": "Stopped one", "status": "Stopped"}], "campaignInUseCount": 1
            }
        })
    );
    app.delete(&format!("{path}?mode=hard")).await.expect(409);

    let active = app.campaign("Running one", "IN USE").await;
    assert_eq!(app.trigger(&active, "play").await.expect(200)["message"], "Campaign Started");
    let refused = app.delete(&path).await.expect(409);
    assert_eq!((&refused["data"]["isListInUse"], &refused["data"]["campaignInUseCount"]), (&json!(true), &json!(2)));
    let list = app.get(&path).await.expect(200);
    assert_eq!(list["data"]["campaignInUse"].as_array().map(Vec::len), Some(2));
    assert_eq!(list["data"]["isListInUse"], true);

    let running = app.delete(&app.account.campaign_path(&active)).await.expect(409);
    assert_eq!(running["errors"][0]["reason"], "ACTIVE");
    app.trigger(&active, "stop").await.expect(200);
    let deleted = app.delete(&app.account.campaign_path(&active)).await.expect(200);
    assert_eq!((&deleted["data"]["status"], &deleted["data"]["contactLists"]), (&json!("Stopped"), &json!(["In Use"])));
    app.delete(&format!("{}?mode=hard", app.account.campaign_path(&stopped))).await.expect(200);
    app.delete(&path).await.expect(200);
}

#[tokio::test]
async fn at_most_fifty_campaigns_are_named_and_all_are_counted() {
    let app = TestApp::start().await;
    let id = app.contact_list("Popular").await;
    for number in 0..53 {
        app.campaign(&format!("campaign {number}"), "Popular").await;
    }
    let refused = app.delete(&app.account.contact_list_path(&id)).await.expect(409);
    assert_eq!(refused["message"], "Contact list Popular is attached to 53 campaigns");
    assert_eq!(refused["data"]["campaignInUseCount"], 53);
    assert_eq!(refused["data"]["campaignInUse"].as_array().map(Vec::len), Some(50));
}

#[tokio::test]
async fn a_hard_deletion_of_a_list_takes_its_members_live_or_in_the_trash() {
    let app = TestApp::start().await;
    let (live, trashed) = (app.contact_list("Live").await, app.contact_list("Trashed").await);
    app.members("Live", &["+14155550100", "+14155550101"]).await;
    app.members("Trashed", &["+14155550102"]).await;
    let campaign = app.campaign("was attached", "Trashed").await;
    app.delete(&app.account.campaign_path(&campaign)).await.expect(200);
    app.delete(&app.account.contact_list_path(&trashed)).await.expect(200);
    for (id, members) in [(&live, 2), (&trashed, 1)] {
        let answer = app.delete(&format!("{}?mode=hard", app.account.contact_list_path(id))).await;
        assert_eq!(answer.expect(200)["data"]["totalRecordCount"], members);
        let entries: Vec<(String, i32)> = sqlx::query_as(
            "SELECT resource, cardinality(row_ids) FROM ledger WHERE deletion_id = $1::uuid ORDER BY entry_id",
        )
        .bind(answer.header("Deletion-Id").expect("the deletion has an id"))
        .fetch_all(&app.admin)
        .await
        .expect("a ledger");
        assert_eq!(entries, [("contact_list_member".to_owned(), members), ("contact_list".to_owned(), 1)]);
    }
    assert_eq!(app.count("SELECT count(*) FROM contact_lists").await, 0);
    assert_eq!(app.count("SELECT count(*) FROM contact_list_members").await, 0);
}

#[tokio::test]
async fn what_is_on_hold_can_go_to_the_trash_and_not_for_good() {
    let app = TestApp::start().await;
    let list = app.contact_list("Held").await;
    app.members("Held", &["+14155550100"]).await;
    let contact = app.contacts(9_000_000_000, 1).await.remove(0);
    sqlx::raw_sql("UPDATE contact_list_members SET held = true; UPDATE contacts SET held = true")
        .execute(&app.admin)
        .await
        .expect("rows can be held");
    for path in [app.account.contact_list_path(&list), app.account.contact_path(&contact)] {
        let refused = app.delete(&format!("{path}?mode=hard")).await.expect(409);
        assert_eq!(refused["errors"][0]["reason"], "ON_HOLD");
        app.delete(&path).await.expect(200);
        app.delete(&format!("{path}?mode=hard")).await.expect(409);
    }
    let bulk = format!("{}?mode=hard", app.account.bulk_delete_path());
    let report = app.delete_with(&bulk, &json!({"ids": [contact]})).await.expect(200);
    assert_eq!(report["failedRecords"][0]["reason"], "ON_HOLD");
    assert_eq!(app.count("SELECT count(*) FROM contact_list_members").await, 1);
}

#[tokio::test]
async fn a_list_that_removes_duplicates_has_each_number_once() {
    let app = TestApp::start().await;
    let create = app.account.family("/campaign/contactList/createContactList");
    let new = json!({"name": "Unique", "description": "d", "source": "passiveApi"});
    let list = app.post(&create, &new).await.expect(200);
    assert_eq!(list["data"]["apiConfigurations"]["dataSyncMode"], "removeDuplicates");
    app.members("Unique", &["+14155550100", "+1 (415) 555-0100"]).await;
    app.members("Unique", &["14155550100", "+14155550101"]).await;
    let id = list["data"]["_id"].as_str().expect("a list has an id");
    assert_eq!(app.get(&app.account.contact_list_path(id)).await.expect(200)["data"]["totalRecordCount"], 2);
    let taken =
        app.post(&create, &json!({"name": "UNIQUE", "description": "d", "source": "passiveApi"})).await.expect(409);
    assert!(taken["message"].as_str().is_some_and(|message| message.contains(id)), "{taken}");
}

#[tokio::test]
async fn a_campaign_keeps_the_vendors_fields_and_names_lists_that_are_there() {
    let app = TestApp::start().await;
    app.contact_list("There").await;
    let path = app.account.family("/campaign?campaignType=sms");
    let missing = app.post(&path, &json!({"name": "c", "contactLists": ["There", "nowhere"]})).await.expect(400);
    assert!(missing["message"].as_str().is_some_and(|message| message.starts_with("contactLists[1]: ")), "{missing}");
    assert_eq!(app.count("SELECT count(*) FROM campaigns").await, 0);

    let new = json!({
        "name": "c", "contactLists": ["there"], "priority": "5", "dialingStrategy": {"callerId": {"phoneNumber": "+181234567"}},
        "zebra": 1, "aardvark": 1,
        "status": "Active", "accountId": "somebody else's"
    });
    let created = app.post(&path, &new).await.expect(200);
    assert_eq!(created["message"], "Campaign c creation in progress");
    let campaign = &created["data"];
    let order: Vec<&String> = campaign.as_object().expect("an object").keys().collect();
    let place = |field: &str| order.iter().position(|key| *key == field);
    assert!(place("zebra") < place("aardvark"), "fields keep their order: {order:?}");
    assert_eq!((&campaign["priority"], &campaign["dialingStrategy"]), (&new["priority"], &new["dialingStrategy"]));
    assert_eq!((&campaign["status"], &campaign["campaignType"]), (&json!("Ready"), &json!("sms")));
    assert_eq!(campaign["accountId"], app.account.id.as_str());
    assert_eq!(campaign["id"], campaign["_id"]);
    let id = campaign["id"].as_str().expect("a campaign has an id");
    for base in [app.account.campaign_path(id), format!("/campaign/api/v2/public/{}/campaign/{id}", app.account.stream)]
    {
        let mut found = app.get(&base).await.expect(200)["data"].clone();
        found["campId"] = json!(id);
        assert_eq!(&found, campaign);
    }
}

#[tokio::test]
async fn numbers_that_are_kept_keep_all_their_digits() {
    let app = TestApp::start().await;
    app.contact_list("digits").await;
    let path = app.account.family("/campaign?campaignType=voice");
    let body = r#"{"name":"c","contactLists":["digits"],"partnerId":12345678901234567890123,"rate":1.10}"#;
    let created = app.request(Method::POST, &path).body("application/json", body).send().await;
    created.expect(200);
    assert!(created.text.contains(r#""partnerId":12345678901234567890123,"rate":1.10"#), "{}", created.text);
}
