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
        for method in [Method::POST, Method::GET] {
            for query in ["", "?view=status"] {
                let status = app.request(method.clone(), &format!("{base}/{id}/status{query}")).send().await;
                assert_eq!(status.header("ETag"), Some("\"1\""));
                assert_eq!(
                    status.expect(200),
                    json!({"status": "success", "data": {"id": id, "status": "Ready", "name": "August Renewals"}})
                );
            }
            let other = app.request(method, &format!("{base}/{id}/status?view=contacts")).send().await.expect(400);
            assert!(other["message"].as_str().is_some_and(|message| message.starts_with("view: ")), "{other}");
        }

        for (method, path) in [
            (Method::GET, format!("{base}/{id}?campaignType=sms")),
            (Method::POST, format!("{base}/{id}/status?campaignType=sms")),
            (Method::DELETE, format!("{base}/{id}?campaignType=sms")),
        ] {
            let missed = app.request(method.clone(), &path).send().await.expect(404);
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
        let bare = format!("{base}/{id}");
        for (path, body, said) in [
            (path.as_str(), json!({"campaignType": "sms", "name": "x"}), "the body and the query name two types"),
            (&format!("{bare}?campaignType=sms"), json!({"name": "x"}), "this is a campaign of the type voice"),
            (&bare, json!({"campaignType": "sms", "name": "x"}), "this is a campaign of the type voice"),
            (&bare, json!({"campaignType": "fax", "name": "x"}), "must be voice or sms"),
        ] {
            let other = put(&app, path, &body).await.expect(400);
            assert_eq!(other["errors"][0]["msg"], format!("campaignType: {said}"), "{path} {body}");
        }
        assert_eq!(app.get(&path).await.expect(200)["data"], moved["data"], "nothing was changed");

        app.trigger(&id, "play").await.expect(200);
        let running = put(&app, &path, &json!({"contactLists": ["one"]})).await.expect(409);
        assert_eq!(running["errors"][0]["reason"], "ACTIVE");
        put(&app, &path, &json!({"description": "still"})).await.expect(200);
        let same = put(&app, &path, &json!({"contactLists": ["TWO", "three"]})).await.expect(200);
        assert_eq!(same["data"]["contactLists"], json!(["Two", "Three"]), "the same lists, in another order");
        let more = put(&app, &path, &json!({"contactLists": ["Three", "One", "Two"]})).await.expect(200);
        assert_eq!(more["data"]["contactLists"], json!(["Three", "One", "Two"]), "it can be given more");
        app.trigger(&id, "stop").await.expect(200);
        put(&app, &path, &json!({"contactLists": ["Two"]})).await.expect(200);
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
    assert_eq!((started.header("ETag"), started.expect(200)["status"].as_str()), (Some("\"3\""), Some("Active")));
}

#[tokio::test]
async fn a_campaign_is_started_and_stopped_by_every_path_that_is_printed() {
    let app = TestApp::start().await;
    app.contact_list("list").await;
    let stream = &app.account.stream;
    for base in [
        format!("/campaign/api/v1/public/{stream}/campaign"),
        format!("/campaign/api/v2/public/{stream}/campaign"),
        format!("/campaign/api/v2/public/{stream}/campaign/trigger"),
        format!("/api/v2/public/{stream}/campaign/trigger"),
    ] {
        let id = app.campaign("calls", "list").await;
        let path = app.account.campaign_path(&id);
        let send = async |trigger: &str, body: &str| {
            let path = format!("{base}/{id}?campaignType=voice&trigger={trigger}");
            app.request(Method::POST, &path).body("application/json", body).send().await
        };
        assert_eq!(app.get(&path).await.expect(200)["data"].get("campaignInstanceId"), None);
        let started = send("play", "{}").await;
        assert_eq!(started.header("ETag"), Some("\"2\""));
        let run = started.expect(200)["campaignInstanceId"].clone();
        assert!(run.as_str().is_some_and(|run| run.starts_with("cid-") && run.len() == 39), "{run}");
        let wanted = json!({
            "status": "Active", "message": "Campaign Started", "totalCallsCompleted": 0, "updatedAt": "<time>",
            "campaignInstanceId": run, "campaignExecutionType": "NORMAL", "id": id, "name": "calls"
        });
        assert_eq!(redacted_times(started.expect(200)), wanted);
        assert_eq!(app.get(&path).await.expect(200)["data"]["campaignInstanceId"], run);
        let again = send("play", "").await;
        assert_eq!(again.header("ETag"), Some("\"2\""), "one that is running stays so");
        assert_eq!(again.expect(200), started.expect(200));

        let stopped = send("stop", "{}").await;
        assert_eq!(stopped.header("ETag"), Some("\"3\""));
        assert_eq!(
            redacted_times(stopped.expect(200)),
            json!({
                "status": "Stopped", "message": "Campaign Stopped", "updatedAt": "<time>", "campaignInstanceId": run,
                "campaignExecutionType": "NORMAL", "id": id, "name": "calls"
            })
        );
        let next = send("play", "").await.expect(200);
        assert_ne!(next["campaignInstanceId"], run, "each start is a run of its own");
        send("stop", "").await.expect(200);
        let missed = format!("{base}/{id}?campaignType=sms&trigger=play");
        app.request(Method::POST, &missed).send().await.expect(404);
        let unknown = format!("{base}/{id}?campaignType=voice&trigger=pause");
        let refused = app.request(Method::POST, &unknown).send().await.expect(400);
        assert!(refused["message"].as_str().is_some_and(|message| message.starts_with("trigger: ")), "{refused}");
    }
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
    put(&app, &path, &json!({"a": "x".repeat(40_000)})).await.expect(200);
    assert_eq!(
        put(&app, &path, &json!({"b": "x".repeat(40_000)})).await.expect(413)["errors"][0]["reason"],
        "TOO_LARGE"
    );
    assert_eq!(app.get(&path).await.expect(200)["data"].get("b"), None);
}

#[tokio::test]
async fn a_running_campaign_lets_go_of_no_list_that_it_gets_at_the_same_moment() {
    let app = TestApp::start().await;
    let (_, second) = (app.contact_list("first").await, app.contact_list("second").await);
    let id = app.campaign("calls", "first").await;
    app.trigger(&id, "play").await.expect(200);
    // Somebody is giving it the second list, and has not committed yet.
    let mut giver = app.admin.begin().await.expect("a transaction");
    sqlx::query("UPDATE campaigns SET version = version + 1 WHERE id = $1")
        .bind(&id)
        .execute(&mut *giver)
        .await
        .expect("a lock");
    sqlx::query("INSERT INTO campaign_contact_lists (account_id, campaign_id, list_id) VALUES ($1, $2, $3)")
        .bind(&app.account.id)
        .bind(&id)
        .bind(&second)
        .execute(&mut *giver)
        .await
        .expect("an attachment");
    let given = async {
        crate::concurrency::something_waits_for_a_lock(&app).await;
        giver.commit().await.expect("it is committed");
    };
    let (path, change) = (app.account.campaign_path(&id), json!({"contactLists": ["first"]}));
    let (changed, ()) = tokio::join!(put(&app, &path, &change), given);
    assert_eq!(changed.expect(409)["errors"][0]["reason"], "ACTIVE");
}
