//! Record lists: listed, changed, deleted, and held by campaigns.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, TestApp};

fn record(phone_number: &str) -> Value {
    json!({"first_name": "Ada", "last_name": "Byron", "phone_number": phone_number, "timezone": "Europe/London"})
}

/// Creates a list of that name. Answers it.
async fn named(app: &TestApp, name: &str) -> Value {
    app.post("/record-lists", &json!({"name": name})).await.expect(201)
}

fn id_of(thing: &Value) -> &str {
    thing["id"].as_str().expect("it has an id")
}

async fn patch(app: &TestApp, path: &str, body: &Value) -> Answer {
    app.request(Method::PATCH, path).json(body).send().await
}

fn status_patch(status: &str) -> Value {
    json!([{"op": "replace", "path": "/status", "value": status}])
}

/// A refusal of this family.
fn refusal(code: &str, message: &str, fields: &[(&str, &str)]) -> Value {
    let description = fields.iter().map(|(name, what)| format!("{name}: {what}")).collect::<Vec<_>>().join("; ");
    let fields: Vec<Value> = fields.iter().map(|(name, what)| json!({"name": name, "description": what})).collect();
    json!({"code": code, "message": message, "description": description, "fields": fields})
}

const NOT_POSSIBLE: &str = "Record List is in a state where the operation is not possible.";

#[tokio::test]
async fn a_list_is_created_and_looked_up_as_the_vendor_has_it() {
    let app = TestApp::start().await;
    let answer = app.post("/record-lists", &json!({"name": "August", "unique_identifier_type": "EXTERNAL"})).await;
    assert_eq!(answer.header("ETag"), Some("\"1\""));
    assert_eq!(answer.header("Content-Type"), Some("application/hal+json"));
    let list = answer.expect(201);
    let path = format!("/record-lists/{}", id_of(&list));
    assert_eq!(
        list,
        json!({
            "id": list["id"], "name": "August", "unique_identifier_type": "EXTERNAL", "status": "ACCEPTED", "records_count": 0,
            "created_at": list["created_at"], "updated_at": list["created_at"],
            "_links": {"self": {"href": format!("{}{path}", app.base_url)}}
        })
    );
    let found = app.get(&path).await;
    assert_eq!(found.header("ETag"), Some("\"1\""));
    assert_eq!(found.expect(200), list);
}

#[tokio::test]
async fn lists_are_listed_the_last_changed_first_with_their_counts() {
    let app = TestApp::start().await;
    let empty = app.get("/record-lists").await.expect(200);
    let first = json!({"href": format!("{}/record-lists?page=1&per_page=50", app.base_url)});
    assert_eq!(
        empty,
        json!({
            "total": 0, "count": 0, "page": 1, "per_page": 50, "total_pages": 0,
            "_links": {"self": first, "first": first, "last": first}, "_embedded": {"record_lists": []}
        })
    );
    let mut lists = Vec::new();
    for name in ["a", "b", "c"] {
        lists.push(named(&app, name).await);
    }
    let ids = app.records(id_of(&lists[0]), &[record("+14155550100"), record("+14155550101")]).await;
    app.delete(&format!("/record-lists/{}/records/{}", id_of(&lists[0]), ids[0])).await.expect(204);
    app.records(id_of(&lists[1]), &[record("+14155550100")]).await;
    let gone = named(&app, "gone").await;
    app.delete(&format!("/record-lists/{}", id_of(&gone))).await.expect(204);
    patch(&app, &format!("/record-lists/{}", id_of(&lists[0])), &status_patch("UPLOADED")).await.expect(200);

    let page = app.get("/record-lists?per_page=2").await.expect(200);
    let numbers = ["total", "count", "page", "per_page", "total_pages"].map(|field| page[field].as_i64());
    assert_eq!(numbers, [Some(3), Some(2), Some(1), Some(2), Some(2)]);
    let shown = |page: &Value| -> Vec<(String, i64)> {
        let lists = page["_embedded"]["record_lists"].as_array().expect("an array").iter();
        lists
            .map(|list| {
                (list["name"].as_str().expect("a name").to_owned(), list["records_count"].as_i64().expect("a count"))
            })
            .collect()
    };
    assert_eq!(shown(&page), [("a".to_owned(), 1), ("c".to_owned(), 0)]);
    for list in page["_embedded"]["record_lists"].as_array().expect("an array") {
        assert_eq!(&app.get(&format!("/record-lists/{}", id_of(list))).await.expect(200), list);
    }
    let next = page["_links"]["next"]["href"].as_str().expect("there is another page");
    assert!(next.starts_with(&format!("{}/record-lists?after=", app.base_url)), "{next}");
    let rest = app.get(&next[app.base_url.len()..]).await.expect(200);
    assert_eq!(shown(&rest), [("b".to_owned(), 1)]);
    assert_eq!(rest["_links"].get("next"), None);
    let second = app.get("/record-lists?per_page=2&page=2").await.expect(200);
    assert_eq!(
        (shown(&second), second["_links"]["prev"]["href"].as_str()),
        (shown(&rest), Some(format!("{}/record-lists?page=1&per_page=2", app.base_url).as_str()))
    );

    let of_another = app.request_as(&app.other, Method::GET, "/record-lists").send().await.expect(200);
    assert_eq!(of_another["total"], 0);
}

#[tokio::test]
async fn lists_are_filtered_and_links_keep_the_filters() {
    let app = TestApp::start().await;
    let (first, second) = (named(&app, "August & more").await, named(&app, "August").await);
    named(&app, "august").await;
    let changed =
        patch(&app, &format!("/record-lists/{}", id_of(&first)), &status_patch("CORRUPTED")).await.expect(200);
    let names = async |query: String| {
        let page = app.get(&format!("/record-lists?{query}")).await.expect(200);
        let lists = page["_embedded"]["record_lists"].as_array().expect("an array").iter();
        let names: BTreeSet<String> = lists.map(|list| list["name"].as_str().expect("a name").to_owned()).collect();
        assert_eq!(page["total"], names.len());
        (names, page["_links"]["first"]["href"].as_str().expect("a link").to_owned())
    };
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    let (found, link) = names("name=August+%26+more".to_owned()).await;
    assert_eq!(found, set(&["August & more"]));
    assert_eq!(link, format!("{}/record-lists?name=August+%26+more&page=1&per_page=50", app.base_url));
    assert_eq!(names("name=Augus".to_owned()).await.0, set(&[]), "the whole name");
    assert_eq!(names("status=CORRUPTED".to_owned()).await.0, set(&["August & more"]));
    assert_eq!(names("status=ACCEPTED&name=August".to_owned()).await.0, set(&["August"]));
    let time = |list: &Value, field: &str| list[field].as_str().expect("a time").to_owned();
    let created = time(&second, "created_at");
    let until = names(format!("created_at_to={created}")).await.0;
    assert!(until.contains("August") && until.contains("August & more"), "{until:?}");
    assert!(names(format!("created_at_from={created}")).await.0.contains("August"));
    assert!(!names("created_at_to=2020-01-01T00:00:00Z".to_owned()).await.0.contains("August"));
    let updated = time(&changed, "updated_at");
    assert!(names(format!("updated_at_from={updated}")).await.0.contains("August & more"));
    assert_eq!(names("updated_at_from=9999-01-01T00:00:00Z".to_owned()).await.0, set(&[]));
    assert_eq!(names("updated_at_to=2020-01-01T00:00:00Z".to_owned()).await.0, set(&[]));
}

#[tokio::test]
async fn a_lists_status_is_replaced_in_every_spelling_of_the_vendors() {
    let app = TestApp::start().await;
    let list = named(&app, "August").await;
    let path = format!("/record-lists/{}", id_of(&list));
    let mut version = 1;
    for (status, body) in [
        ("UPLOADED", status_patch("UPLOADED")),
        ("VALIDATION_STARTED", json!({"op": "replace", "path": "/status", "value": "VALIDATION_STARTED"})),
        ("REJECTED", json!([{"op": "REPLACE", "path": "status", "value": "REJECTED"}])),
        ("CORRUPTED", json!({"op": "Replace", "path": "status", "value": "CORRUPTED"})),
        ("INCOMPLETE", status_patch("INCOMPLETE")),
        ("ACCEPTED", status_patch("ACCEPTED")),
    ] {
        let answer = patch(&app, &path, &body).await;
        version += 1;
        assert_eq!(answer.header("ETag"), Some(format!("\"{version}\"").as_str()));
        let changed = answer.expect(200);
        let mut wanted = list.clone();
        wanted["status"] = json!(status);
        wanted["updated_at"] = changed["updated_at"].clone();
        wanted["account_id"] = json!(app.account.id);
        assert_eq!(changed, wanted);
        wanted.as_object_mut().expect("an object").remove("account_id");
        assert_eq!(app.get(&path).await.expect(200), wanted);
    }
    let field = json!([{"op": "replace", "path": "/name", "value": "September"}]);
    let refused = patch(&app, &path, &field).await.expect(400);
    assert_eq!(refused, refusal("0530900", "Bad request.", &[("[0].path", "must be /status")]));

    let manager = app.with_scopes(&[expunge::domain::identity::Scope::RecordListsManage]).await;
    let answer = app.request_as(&manager, Method::PATCH, &path).json(&status_patch("UPLOADED")).send().await;
    assert_eq!(answer.expect(403)["code"], "0530902");
}

#[tokio::test]
async fn an_etag_that_is_another_changes_and_deletes_nothing() {
    let app = TestApp::start().await;
    let list = app.record_list("PHONE_NUMBER").await;
    let path = format!("/record-lists/{list}");
    let id = app.records(&list, &[record("+14155550100")]).await.remove(0);
    let record = format!("{path}/records/{id}");
    let with = async |method: Method, path: &str, etag: &str, body: Option<Value>| {
        let request = app.request(method, path).header("If-Match", etag);
        match body {
            Some(body) => request.json(&body).send().await,
            None => request.send().await,
        }
    };
    let status = Some(status_patch("UPLOADED"));
    let priority = Some(json!([{"op": "add", "path": "/priority", "value": 3}]));
    for (method, path, body, thing) in [
        (Method::PATCH, &path, &status, format!("Record List {list}")),
        (Method::DELETE, &path, &None, format!("Record List {list}")),
        (Method::PATCH, &record, &priority, format!("Record {id}")),
        (Method::DELETE, &record, &None, "Record ".to_owned()),
    ] {
        let refused = with(method.clone(), path, "\"7\", W/\"1\"", body.clone()).await.expect(412);
        let description = format!("If-Match: {thing} has changed since: its ETag is another");
        let wanted = json!({"code": "0530907", "message": NOT_POSSIBLE, "description": description, "fields": []});
        assert_eq!(refused, wanted, "{method} {path}");
        assert_eq!(with(method, path, "7", body.clone()).await.expect(400)["fields"][0]["name"], "If-Match");
        assert_eq!(app.get(&record).await.header("ETag"), Some("\"1\""));
        assert_eq!(app.get(path).await.header("ETag"), Some("\"1\""));
    }
    assert_eq!(app.count("SELECT count(*) FROM ledger").await, 0);
    with(Method::PATCH, &record, "\"1\"", priority).await.expect(200);
    with(Method::DELETE, &record, "\"2\"", None).await.expect(204);
    with(Method::PATCH, &path, "*", status).await.expect(200);
    with(Method::DELETE, &path, "\"1\", \"2\"", None).await.expect(204);
    let several = with(Method::PATCH, &format!("{path}/records/bulks"), "\"1\"", Some(json!([]))).await.expect(400);
    assert_eq!(several["fields"][0]["name"], "If-Match");
}

/// The record lists of a campaign.
fn attached_path(campaign: &str) -> String {
    format!("/campaigns/{campaign}/record-lists")
}

#[tokio::test]
async fn record_lists_are_attached_to_a_campaign_and_detached() {
    let app = TestApp::start().await;
    app.contact_list("called").await;
    let campaign = app.campaign("Calls", "called").await;
    let path = attached_path(&campaign);
    let lists = [named(&app, "a").await, named(&app, "b").await, named(&app, "c").await];
    let [a, b, c] = [0, 1, 2].map(|index: usize| id_of(&lists[index]));
    let answer = app.post(&path, &json!([{"id": a}, {"id": b}, {"id": a}])).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""));
    app.post(&path, &json!([{"id": b}])).await.expect(204);

    let item = |id: &str, name: &str| json!({"id": id, "name": name, "_links": {"self": {"href": format!("{}/record-lists/{id}", app.base_url)}}});
    let first = json!({"href": format!("{}{path}?page=1&per_page=50", app.base_url)});
    assert_eq!(
        app.get(&path).await.expect(200),
        json!({
            "total": 2, "count": 2, "page": 1, "per_page": 50, "total_pages": 1,
            "_links": {"self": first, "first": first, "last": first},
            "_embedded": {"record_lists": [item(b, "b"), item(a, "a")]}
        })
    );
    let one = app.get(&format!("{path}?per_page=1")).await.expect(200);
    let next = one["_links"]["next"]["href"].as_str().expect("there is another page");
    assert_eq!(
        app.get(&next[app.base_url.len()..]).await.expect(200)["_embedded"]["record_lists"],
        json!([item(a, "a")])
    );

    let unknown = "8858c834-481d-4a02-8176-cffc02c50350";
    let refused = app.post(&path, &json!([{"id": c}, {"id": unknown}, {"id": "x"}])).await.expect(404);
    let missing = "there is no such record list";
    assert_eq!(refused, refusal("0530910", "Record List not found.", &[("[1].id", missing), ("[2].id", missing)]));
    let refused = app.delete_with(&path, &json!([{"id": a}, {"id": c}])).await.expect(404);
    let missing = "the campaign is not attached to such a record list";
    assert_eq!(refused, refusal("0530910", "Record List not found.", &[("[1].id", missing)]));
    assert_eq!(app.get(&path).await.expect(200)["total"], 2, "all or nothing");
    let theirs = app.request_as(&app.other, Method::POST, &path).json(&json!([{"id": c}])).send().await;
    let not_there =
        json!({"code": "0530900", "message": "Campaign not found.", "description": "Campaign not found", "fields": []});
    assert_eq!(theirs.expect(404), not_there);

    let answer = app.delete_with(&path, &json!([{"id": a}])).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""));
    assert_eq!(app.get(&path).await.expect(200)["_embedded"]["record_lists"], json!([item(b, "b")]));
    app.delete_with(&path, &json!([{"id": a}])).await.expect(404);
    app.delete(&format!("/record-lists/{a}")).await.expect(204);
    app.post(&path, &json!([{"id": a}])).await.expect(404);

    app.delete(&app.account.campaign_path(&campaign)).await.expect(200);
    for answer in [
        app.get(&path).await,
        app.post(&path, &json!([{"id": c}])).await,
        app.delete_with(&path, &json!([{"id": b}])).await,
    ] {
        assert_eq!(answer.expect(404), not_there);
    }
}

#[tokio::test]
async fn a_campaign_of_any_stream_of_the_account_holds_on_to_a_record_list() {
    let app = TestApp::start().await;
    let account = expunge::domain::ids::AccountId::parse(&app.account.id).expect("an account's id");
    let stream = app.operator().await.create_stream(&account, "second").await.expect("a stream").to_string();
    let second = crate::support::Account { stream, ..app.account.clone() };
    let post = async |path: &str, body: Value| app.request_as(&second, Method::POST, path).json(&body).send().await;
    let list = json!({"name": "called", "description": "d", "source": "passiveApi"});
    post(&second.family("/campaign/contactList/createContactList"), list).await.expect(200);
    let new = json!({"name": "calls", "contactLists": ["called"]});
    let campaign = post(&second.family("/campaign?campaignType=voice"), new).await.expect(200);
    let campaign = campaign["data"]["id"].as_str().expect("a campaign has an id");
    let list = app.record_list("NOTHING").await;
    app.post(&attached_path(campaign), &json!([{"id": list}])).await.expect(204);
    let refused = app.delete(&format!("/record-lists/{list}")).await.expect(409);
    assert_eq!(refused["fields"], json!([{"name": campaign, "description": "Campaign calls is Ready"}]));
}

#[tokio::test]
async fn an_attached_list_is_refused_deletion_and_names_its_campaigns() {
    let app = TestApp::start().await;
    app.contact_list("called").await;
    let list = app.record_list("PHONE_NUMBER").await;
    app.records(&list, &[record("+14155550100")]).await;
    let (stopped, active) = (app.campaign("Stopped one", "called").await, app.campaign("Running one", "called").await);
    app.trigger(&stopped, "stop").await.expect(200);
    app.trigger(&active, "play").await.expect(200);
    for campaign in [&stopped, &active] {
        app.post(&attached_path(campaign), &json!([{"id": list}])).await.expect(204);
    }
    let path = format!("/record-lists/{list}");
    for query in ["", "?mode=hard"] {
        let answer = app.delete(&format!("{path}{query}")).await;
        assert_eq!(answer.header("Deletion-Id"), None);
        let refused = answer.expect(409);
        let mut fields = vec![
            json!({"name": stopped, "description": "Campaign Stopped one is Stopped"}),
            json!({"name": active, "description": "Campaign Running one is Active"}),
        ];
        fields.sort_by_key(|field| field["name"].to_string());
        let description = format!("Record List {list} is attached to 2 campaigns");
        assert_eq!(
            refused,
            json!({"code": "0530907", "message": NOT_POSSIBLE, "description": description, "fields": fields})
        );
    }
    app.delete_with(&format!("{path}/records/bulks"), &json!([{"phone_number": "+14155550100"}])).await.expect(200);

    // A campaign in the trash lets go and remembers; one that is gone for good forgets.
    app.delete(&app.account.campaign_path(&stopped)).await.expect(200);
    app.delete_with(&attached_path(&active), &json!([{"id": list}])).await.expect(204);
    app.delete(&path).await.expect(204);
    assert_eq!(app.count("SELECT count(*) FROM campaign_record_lists WHERE list_live IS NULL").await, 1);
    app.delete(&format!("{}?mode=hard", app.account.campaign_path(&stopped))).await.expect(200);
    assert_eq!(app.count("SELECT count(*) FROM campaign_record_lists").await, 0);
}

#[tokio::test]
async fn at_most_fifty_campaigns_of_a_record_list_are_named_and_all_are_counted() {
    let app = TestApp::start().await;
    app.contact_list("called").await;
    let list = app.record_list("NOTHING").await;
    for number in 0..52 {
        let campaign = app.campaign(&format!("campaign {number}"), "called").await;
        app.post(&attached_path(&campaign), &json!([{"id": list}])).await.expect(204);
    }
    let refused = app.delete(&format!("/record-lists/{list}")).await.expect(409);
    assert_eq!(refused["description"], format!("Record List {list} is attached to 52 campaigns"));
    assert_eq!(refused["fields"].as_array().map(Vec::len), Some(50));
}

#[tokio::test]
async fn the_zones_of_a_lists_live_records_are_listed_once_each() {
    let app = TestApp::start().await;
    let list = app.record_list("NOTHING").await;
    let path = format!("/record-lists/{list}/records/timezones");
    let zoned =
        |zone: &str| json!({"first_name": "a", "last_name": "b", "phone_number": "+14155550100", "timezone": zone});
    let zones = ["Europe/Lisbon", "America/Los_Angeles", "Europe/London", "Europe/Lisbon", "Asia/Tokyo", "GMT"];
    let ids = app.records(&list, &zones.map(zoned)).await;
    app.delete(&format!("/record-lists/{list}/records/{}", ids[4])).await.expect(204);
    let first = json!({"href": format!("{}{path}?page=1&per_page=50", app.base_url)});
    assert_eq!(
        app.get(&path).await.expect(200),
        json!({
            "total": 4, "count": 4, "page": 1, "per_page": 50, "total_pages": 1,
            "_links": {"self": first, "first": first, "last": first},
            "_embedded": {"timezones": ["America/Los_Angeles", "Europe/Lisbon", "Europe/London", "GMT"]}
        })
    );
    let page = app.get(&format!("{path}?search=EUROPE%2F&per_page=1&page=2")).await.expect(200);
    let href = |page: i64| json!({"href": format!("{}{path}?search=EUROPE%2F&page={page}&per_page=1", app.base_url)});
    assert_eq!(
        page,
        json!({
            "total": 2, "count": 1, "page": 2, "per_page": 1, "total_pages": 2,
            "_links": {"self": href(2), "first": href(1), "last": href(2), "prev": href(1)},
            "_embedded": {"timezones": ["Europe/London"]}
        })
    );
    let first = app.get(&format!("{path}?search=EUROPE%2F&per_page=1")).await.expect(200);
    assert_eq!(first["_links"]["next"], href(2));
    assert_eq!(app.get(&format!("{path}?search=nowhere")).await.expect(200)["_embedded"]["timezones"], json!([]));
}
