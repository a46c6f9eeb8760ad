//! Campaigns: created, looked up, changed, listed, started and stopped, under both base paths.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, TestApp, campaign_bases, redacted_times};

async fn put(app: &TestApp, path: &str, change: &Value) -> Answer {
    app.request(Method::PUT, path).json(change).send().await
}

/// A campaign as it must be answered, times aside.
fn wanted(app: &TestApp, id: &str, name: &str, lists: &[&str], status: &str, user: &Value) -> Value {
    json!({
        "id": id, "_id": id, "name": name, "lname": name.to_lowercase(), "campaignType": "voice", "status": status,
        "contactLists": lists, "iId": app.account.stream, "accountId": app.account.id, "createdBy": user,
        "updatedBy": user, "createdAt": "<time>", "updatedAt": "<time>"
    })
}

fn with(mut campaign: Value, fields: &Value) -> Value {
    for (field, value) in fields.as_object().expect("an object") {
        campaign[field] = value.clone();
    }
    campaign
}

#[tokio::test]
async fn a_campaign_is_answered_whole_under_both_bases() {
    let app = TestApp::start().await;
    app.contact_list("Zeta").await;
    app.contact_list("Alpha").await;
    for base in campaign_bases(&app.account) {
        let details = json!({
            "description": "Calls", "priority": "5", "dialingMode": "Agentless", "queue_name": null,
            "dialingStrategy": {"maxAttemptsPerRecord": 3, "callerId": {"phoneNumber": "+14155550100"}}, "unknown": [1.50]
        });
        let new = with(
            json!({"name": "August Renewals", "contactLists": ["zeta", "ALPHA"], "campaignType": "voice"}),
            &details,
        );
        let answer = app.post(&format!("{base}?campaignType=voice&accountId={}", app.account.id), &new).await;
        let created = answer.expect(200);
        let id = created["data"]["id"].as_str().expect("an id").to_owned();
        let user = created["data"]["createdBy"].clone();
        let campaign = with(wanted(&app, &id, "August Renewals", &["Zeta", "Alpha"], "Ready", &user), &details);
        assert_eq!(
            redacted_times(created),
            json!({
                "status": "success", "message": "Campaign August Renewals creation in progress", "id": id,
                "data": with(campaign.clone(), &json!({"campId": id}))
            })
        );
        assert_eq!(answer.header("ETag"), Some("\"1\""));

        for query in ["", "?campaignType=voice"] {
            let found = app.get(&format!("{base}/{id}{query}")).await;
            assert_eq!(found.header("ETag"), Some("\"1\""));
            let wanted = json!({"status": "success", "message": "Campaign August Renewals retrieved successfully", "data": campaign});
            assert_eq!(redacted_times(found.expect(200)), wanted);
        }
        let status = app.request(Method::POST, &format!("{base}/{id}/status?view=status")).send().await.expect(200);
        assert_eq!(
            status,
            json!({"status": "success", "data": {"id": id, "status": "Ready", "name": "August Renewals"}})
        );
        app.request(Method::POST, &format!("{base}/{id}/status?view=contacts")).send().await.expect(400);

        for (method, path) in [
            (Method::GET, format!("{base}/{id}?campaignType=sms")),
            (Method::PUT, format!("{base}/{id}?campaignType=sms")),
            (Method::POST, format!("{base}/{id}/status?campaignType=sms")),
            (Method::DELETE, format!("{base}/{id}?campaignType=sms")),
        ] {
            let request = app.request(method.clone(), &path);
            let request = if method == Method::PUT { request.json(&json!({"name": "n"})) } else { request };
            let missed = request.send().await.expect(404);
            assert_eq!(missed["errors"][0]["reason"], "NOT_FOUND", "{method} {path}");
        }
        let gone = app.delete(&format!("{base}/{id}?campaignType=voice")).await.expect(200);
        assert_eq!(
            redacted_times(gone.clone()),
            json!({"status": "success", "message": "Campaign August Renewals deleted successfully", "data": campaign})
        );
        app.get(&format!("{base}/{id}")).await.expect(404);
        put(&app, &format!("{base}/{id}"), &json!({"name": "n"})).await.expect(404);
    }
    assert_eq!(app.count("SELECT count(*) FROM ledger").await, 2);
}

#[tokio::test]
async fn an_update_changes_what_it_names_and_nothing_else() {
    let app = TestApp::start().await;
    for list in ["One", "Two", "Three"] {
        app.contact_list(list).await;
    }
    for (number, base) in campaign_bases(&app.account).into_iter().enumerate() {
        let id = app.campaign(&format!("First {number}"), "one").await;
        let path = format!("{base}/{id}?campaignType=voice");
        let before = app.get(&path).await.expect(200)["data"].clone();
        let answer =
            put(&app, &path, &json!({"priority": "4", "dialingMode": null, "status": "Active", "id": "x"})).await;
        assert_eq!(answer.header("ETag"), Some("\"2\""));
        let changed = answer.expect(200);
        assert_eq!((&changed["status"], &changed["id"]), (&json!("success"), &json!(id)));
        assert_eq!(changed["message"], format!("Campaign First {number} details updated successfully"));
        let wanted = with(
            before.clone(),
            &json!({"priority": "4", "dialingMode": null, "updatedAt": changed["data"]["updatedAt"]}),
        );
        assert_eq!(changed["data"], wanted, "what is not named stays, and what is ours is not the caller's to set");

        let name = format!("Second {number}");
        let moved =
            put(&app, &path, &json!({"name": name, "contactLists": ["three", "TWO", "Three"]})).await.expect(200);
        assert_eq!((&moved["data"]["name"], &moved["data"]["contactLists"]), (&json!(name), &json!(["Three", "Two"])));
        assert_eq!(moved["message"], format!("Campaign {name} details updated successfully"));
        assert_eq!(app.get(&path).await.expect(200)["data"], moved["data"]);

        let refused = put(&app, &path, &json!({"name": "x", "contactLists": ["two", "nobody's"]})).await.expect(400);
        assert_eq!(refused["errors"][0]["msg"], "contactLists[1]: there is no contact list named \"nobody's\"");
        let other = put(&app, &path, &json!({"campaignType": "sms", "name": "x"})).await.expect(400);
        assert!(other["message"].as_str().is_some_and(|message| message.starts_with("campaignType: ")), "{other}");
        assert_eq!(app.get(&path).await.expect(200)["data"], moved["data"], "nothing was changed");

        app.trigger(&id, "play").await.expect(200);
        let running = put(&app, &path, &json!({"contactLists": ["one"]})).await.expect(409);
        assert_eq!(running["errors"][0]["reason"], "ACTIVE");
        put(&app, &path, &json!({"description": "still"})).await.expect(200);
        app.trigger(&id, "stop").await.expect(200);
    }
    let free: i64 = app.count("SELECT count(*) FROM campaign_contact_lists a JOIN contact_lists l ON l.id = a.list_id WHERE l.name = 'One'").await;
    assert_eq!(free, 0, "a list that is named no more is let go of");
}

#[tokio::test]
async fn a_list_that_a_campaign_lets_go_of_can_be_deleted_and_one_it_takes_cannot() {
    let app = TestApp::start().await;
    let (first, second) = (app.contact_list("first").await, app.contact_list("second").await);
    let id = app.campaign("calls", "first").await;
    app.delete(&app.account.contact_list_path(&first)).await.expect(409);
    put(&app, &app.account.campaign_path(&id), &json!({"contactLists": ["second"]})).await.expect(200);
    app.delete(&app.account.contact_list_path(&first)).await.expect(200);
    let refused = app.delete(&app.account.contact_list_path(&second)).await.expect(409);
    assert_eq!(refused["data"]["campaignInUse"][0]["id"], id);
    let gone = put(&app, &app.account.campaign_path(&id), &json!({"contactLists": ["first"]})).await.expect(400);
    assert!(gone["message"].as_str().is_some_and(|message| message.starts_with("contactLists[0]: ")), "{gone}");
}

#[tokio::test]
async fn changes_starts_and_deletions_expect_the_version_that_was_read() {
    let app = TestApp::start().await;
    app.contact_list("list").await;
    let id = app.campaign("calls", "list").await;
    let path = app.account.campaign_path(&id);
    let etag = app.get(&path).await.header("ETag").expect("an ETag").to_owned();
    put(&app, &path, &json!({"name": "changed"})).await.expect(200);
    let trigger =
        format!("/campaign/api/v1/public/{}/campaign/{id}?campaignType=voice&trigger=play", app.account.stream);
    for (method, path) in [(Method::PUT, &path), (Method::DELETE, &path), (Method::POST, &trigger)] {
        let request = app.request(method.clone(), path).header("If-Match", &etag);
        let request = if method == Method::PUT { request.json(&json!({"name": "again"})) } else { request };
        let refused = request.send().await.expect(412);
        assert_eq!(
            (&refused["status"], &refused["errors"][0]["reason"]),
            (&json!("error"), &json!("VERSION_MISMATCH")),
            "{method}"
        );
    }
    let data = app.get(&path).await.expect(200)["data"].clone();
    assert_eq!((&data["name"], &data["status"]), (&json!("changed"), &json!("Ready")));
    assert_eq!(app.count("SELECT count(*) FROM ledger").await, 0);
    let current = app.get(&path).await.header("ETag").expect("an ETag").to_owned();
    let started = app.request(Method::POST, &trigger).header("If-Match", &current).send().await;
    assert_eq!(started.header("ETag"), Some("\"3\""));
    let started = redacted_times(started.expect(200));
    assert_eq!(
        started,
        json!({"status": "Active", "message": "Campaign Started", "updatedAt": "<time>", "id": id, "name": "changed"})
    );
    let stopped = redacted_times(app.trigger(&id, "stop").await.expect(200));
    assert_eq!(
        stopped,
        json!({"status": "Stopped", "message": "Campaign Stopped", "updatedAt": "<time>", "id": id, "name": "changed"})
    );
}

#[tokio::test]
async fn campaigns_are_listed_filtered_and_in_the_order_asked() {
    let app = TestApp::start().await;
    app.contact_list("list").await;
    let mut ids = Vec::new();
    for (name, kind, priority) in [("b", "voice", json!("1")), ("a", "sms", json!("2")), ("c", "voice", json!("2"))] {
        let new = json!({"name": name, "contactLists": ["list"], "priority": priority, "dialingMode": "Preview"});
        let created = app.post(&app.account.family(&format!("/campaign?campaignType={kind}")), &new).await.expect(200);
        ids.push(created["id"].as_str().expect("an id").to_owned());
    }
    app.trigger(&ids[0], "play").await.expect(200);
    let gone = app.campaign("gone", "list").await;
    app.delete(&app.account.campaign_path(&gone)).await.expect(200);
    for base in campaign_bases(&app.account) {
        let path = format!("{base}/getAllCampaignDetails");
        let whole = app.post(&path, &json!({"limit": "", "skip": "", "page": "", "type": ""})).await.expect(200);
        let first = app.get(&format!("{base}/{}", ids[0])).await.expect(200)["data"].clone();
        assert_eq!(
            (&whole["status"], &whole["message"]),
            (&json!("success"), &json!("Campaign  retrieved successfully"))
        );
        let data = &whole["data"];
        let numbers = ["skip", "limit", "totalPages", "totalResults"].map(|field| data[field].as_i64());
        assert_eq!((numbers, &data["hasMore"]), ([Some(0), Some(50), Some(1), Some(3)], &json!(false)));
        assert_eq!(data["results"][0], first, "the last changed first, and whole");
        let cases = [
            (json!({}), "bca"),
            (json!({"type": "voice"}), "bc"),
            (json!({"type": "sms"}), "a"),
            (json!({"sortBy": {"name": "asc"}}), "abc"),
            (json!({"sortBy": {"name": "desc", "createdAt": ""}}), "cba"),
            (json!({"sortBy": {"createdAt": "asc"}}), "bac"),
            (json!({"sortBy": {"createdAt": "desc"}}), "cab"),
            (json!({"sortBy": {"updatedAt": "asc"}}), "acb"),
            (json!({"filters": {"status": ["Active"]}}), "b"),
            (json!({"filters": {"status": "Ready"}}), "ca"),
            (json!({"filters": {"status": ["Ready", "Active"], "priority": [2], "dialingMode": ["Preview"]}}), "ca"),
            (json!({"filters": {"priority": ["1"]}}), "b"),
            (json!({"filters": {"dialingMode": ["Agentless"]}}), ""),
            (json!({"startDate": "2000-01-01T00:00:00.000Z", "endDate": "2001-01-01T00:00:00.000Z"}), ""),
            (json!({"startDate": "2001-01-01T00:00:00.000Z", "endDate": ""}), "bca"),
            (json!({"limit": 2}), "bc"),
            (json!({"limit": 2, "page": 2}), "a"),
            (json!({"limit": 2, "skip": 1}), "ca"),
        ];
        for (body, names) in cases {
            let page = app.post(&path, &body).await.expect(200);
            let found: String = page["data"]["results"]
                .as_array()
                .expect("an array")
                .iter()
                .map(|campaign| campaign["name"].as_str().expect("a name"))
                .collect();
            assert_eq!(found, names, "{body}");
        }
    }
}

#[tokio::test]
async fn a_campaign_grows_no_larger_than_a_request_could_create_it() {
    let app = TestApp::start().await;
    app.contact_list("list").await;
    let path = app.account.campaign_path(&app.campaign("calls", "list").await);
    put(&app, &path, &json!({"a": "x".repeat(600_000)})).await.expect(200);
    assert_eq!(
        put(&app, &path, &json!({"b": "x".repeat(600_000)})).await.expect(413)["errors"][0]["reason"],
        "TOO_LARGE"
    );
    assert_eq!(app.get(&path).await.expect(200)["data"].get("b"), None);
}
