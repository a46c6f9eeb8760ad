//! Record lists and records.

use std::collections::HashSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::TestApp;

fn record(phone_number: &str) -> Value {
    json!({"first_name": "Ada", "last_name": "Byron", "phone_number": phone_number, "timezone": "Europe/London"})
}

fn with_reference(provider: &str, id: &str) -> Value {
    json!({
        "first_name": "Ada", "last_name": "Byron", "phone_number": "+14155550100",
        "external_provider": provider, "external_id": id
    })
}

fn bulks(list: &str) -> String {
    format!("/record-lists/{list}/records/bulks")
}

#[tokio::test]
async fn each_failed_record_says_why_and_stands_where_it_belongs() {
    let app = TestApp::start().await;
    let list = app.record_list("NOTHING").await;
    let ids = app.records(&list, &[record("+14155550101"), record("+14155550102"), record("+14155550103")]).await;
    app.delete_with(&bulks(&list), &json!([{"id": ids[1]}])).await.expect(200);
    let unknown = "8858c834-481d-4a02-8176-cffc02c50350";
    let body = json!([{"id": unknown}, {"id": ids[0]}, {"id": "no id"}, {"id": ids[1]}, {"id": ids[0]}, {"id": ids[2].to_uppercase()}]);

    let atomic = app.delete_with(&format!("{}?atomic=true", bulks(&list)), &body).await.expect(200);
    assert_eq!((&atomic["total_deleted"], &atomic["total_errors"]), (&json!(0), &json!(6)));
    assert_eq!(atomic["_embedded"]["failed_records"][1]["reason"], "ROLLED_BACK");

    let nothing = app.delete_with(&bulks(&list), &json!([{"id": unknown}])).await;
    let id = nothing.header("Deletion-Id").expect("that nothing was deleted can be looked up too");
    assert_eq!(app.get(&format!("/v1/deletions/{id}")).await.expect(200)["reasons"], json!({"NOT_FOUND": 1}));
    let report = app.delete_with(&bulks(&list), &body).await.expect(200);
    assert_eq!(
        (&report["total_deleted"], &report["total_errors"], &report["records_deleted"]),
        (&json!(2), &json!(4), &json!(2))
    );
    assert_eq!(report["has_errors"], true);
    let failed = report["_embedded"]["failed_records"].as_array().expect("an array");
    let words: Vec<(&str, &str)> = failed
        .iter()
        .map(|record| (record["id"].as_str().expect("an id"), record["reason"].as_str().expect("a reason")))
        .collect();
    let wanted = [
        (unknown, "NOT_FOUND"),
        ("no id", "INVALID_IDENTIFIER"),
        (ids[1].as_str(), "ALREADY_DELETED"),
        (ids[0].as_str(), "DUPLICATE_IN_REQUEST"),
    ];
    assert_eq!(words, wanted);
    let reason = &report["_embedded"]["reason"];
    assert_eq!(reason["bad_request_param"], json!(["no id", ids[0]]));
    assert_eq!(reason["record_not_found"], json!([unknown, ids[1]]));
    let href = format!("{}/record-lists/{list}/records/{unknown}", app.base_url);
    assert_eq!(failed[0]["_links"]["self"]["href"], href);
    assert_eq!(failed[1].get("_links"), None, "only a record's id has a link");
}

#[tokio::test]
async fn a_number_deletes_all_its_records_unless_it_must_be_one() {
    let app = TestApp::start().await;
    let list = app.record_list("NOTHING").await;
    let second = json!({
        "first_name": "Ada", "last_name": "Byron",
        "phone_numbers": [{"phone_number": "+14155550109", "phone_type": "HOME"}, {"phone_number": "+1 415 555-0100", "phone_type": "MOBILE"}]
    });
    app.records(&list, &[record("+14155550100"), second, record("+14155550102")]).await;
    let body =
        json!([{"phone_number": "1 (415) 555 0100"}, {"phone_number": "+14155550102"}, {"phone_number": "nobody's"}]);

    let careful = app.delete_with(&format!("{}?on_multiple=fail", bulks(&list)), &body).await.expect(200);
    let failed = &careful["_embedded"]["failed_records"];
    assert_eq!((&failed[0]["reason"], &failed[1]["reason"]), (&json!("AMBIGUOUS"), &json!("INVALID_IDENTIFIER")));
    assert_eq!(
        careful["_embedded"]["reason"]["bad_request_param"],
        json!(["nobody's"]),
        "AMBIGUOUS is only in failed_records"
    );
    assert_eq!(careful["records_deleted"], 1);

    let report = app.delete_with(&bulks(&list), &body).await.expect(200);
    assert_eq!((&report["total_deleted"], &report["records_deleted"]), (&json!(1), &json!(2)));
    assert_eq!(report["_embedded"]["failed_records"][0]["reason"], "ALREADY_DELETED");

    let hard = app.delete_with(&format!("{}?mode=hard", bulks(&list)), &body).await.expect(200);
    assert_eq!(
        (&hard["total_deleted"], &hard["records_deleted"]),
        (&json!(2), &json!(3)),
        "hard takes trashed records too"
    );
    assert_eq!(app.count("SELECT count(*) FROM records").await, 0);
    assert_eq!(app.count("SELECT count(*) FROM record_phones").await, 0);
}

#[tokio::test]
async fn external_references_are_echoed_in_the_vendors_form() {
    let app = TestApp::start().await;
    let list = app.record_list("EXTERNAL").await;
    app.records(&list, &[with_reference("salesforce", "a"), with_reference("zendesk", "a")]).await;
    let body = json!([
        {"external_provider": "salesforce", "external_id": "a"},
        {"external_provider": "hubspot", "external_id": "a"},
        {"external_provider": "", "external_id": "a"},
        {"external_provider": "zendesk", "external_id": " \u{a0} "}
    ]);
    let report = app.delete_with(&bulks(&list), &body).await.expect(200);
    assert_eq!(report["records_deleted"], 1);
    let reason = &report["_embedded"]["reason"];
    assert_eq!(reason["record_not_found"], json!(["external_provider=hubspot, external_id=a"]));
    let malformed = ["external_provider=, external_id=a", "external_provider=zendesk, external_id= \u{a0} "];
    assert_eq!(reason["bad_request_param"], json!(malformed));
    assert_eq!(report["_embedded"]["failed_records"][0].get("_links"), None);
}

#[tokio::test]
async fn records_are_created_one_result_for_each() {
    let app = TestApp::start().await;
    let list = app.record_list("PHONE_NUMBER").await;
    let body = json!({"upload_request_id": "ignored", "records": [
        record("+14155550100"),
        {"first_name": "x".repeat(81), "phone_numbers": [{"phone_number": "12a"}], "timezone": "Mars/Base", "priority": 11},
        record("+1 415 555 0100"),
        {"first_name": 7},
        "nothing"
    ]});
    let answer = app.post(&bulks(&list), &body).await.expect(201);
    assert_eq!(
        (&answer["total_created"], &answer["total_errors"], &answer["has_errors"]),
        (&json!(1), &json!(4), &json!(true))
    );
    let records = &answer["_embedded"]["records"];
    let codes = |index: usize| {
        let errors = records[index]["errors"].as_array().expect("errors");
        let details = records[index]["error_details"].as_array().expect("error_details");
        assert!(details.iter().all(|detail| errors.contains(&detail["code"]) && detail["message"].is_string()));
        errors.iter().map(|error| error.as_str().expect("a code").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        codes(1),
        ["FIRST_NAME_INVALID", "LAST_NAME_MISSING", "PHONE_NUMBER_INVALID", "TIMEZONE_INVALID", "PRIORITY_INVALID"]
    );
    assert_eq!(records[1]["timezone"], "Mars/Base", "a bad record is its input");
    assert_eq!(codes(2), ["PHONE_NUMBER_NOT_UNIQUE"]);
    assert_eq!(codes(3), ["FIRST_NAME_INVALID", "LAST_NAME_MISSING", "PHONE_NUMBER_MISSING"]);
    assert_eq!(codes(4), ["OTHER"]);

    let id = records[0]["id"].as_str().expect("an id");
    let path = format!("/record-lists/{list}/records/{id}");
    let found = app.get(&path).await.expect(200);
    assert_eq!(&found, &records[0]);
    assert_eq!(found["_links"]["self"]["href"], format!("{}{path}", app.base_url));
    app.delete_with(&bulks(&list), &json!([{"id": id}])).await.expect(200);
    assert_eq!(app.get(&path).await.expect(404)["code"], "0530920");
    app.records(&list, &[record("+14155550100")]).await;
}

#[tokio::test]
async fn an_external_list_needs_references_and_keeps_them_apart() {
    let app = TestApp::start().await;
    let list = app.record_list("EXTERNAL").await;
    let holder = app.records(&list, &[with_reference("salesforce", "a")]).await.remove(0);
    let body = json!({"records": [record("+14155550100"), with_reference("salesforce", "a"), with_reference("salesforce", "b")]});
    let answer = app.post(&bulks(&list), &body).await.expect(201);
    let records = &answer["_embedded"]["records"];
    assert_eq!(records[0]["errors"], json!(["EXTERNAL_REF_MISSING"]));
    let message = records[1]["error_details"][0]["message"].as_str();
    assert!(message.is_some_and(|message| message.contains(&holder)), "{answer}");
    assert_eq!(records[2]["external_id"], "b");
}

fn ids_on(page: &Value) -> Vec<String> {
    let records = page["_embedded"]["records"].as_array().expect("an array").iter();
    records.map(|record| record["id"].as_str().expect("an id").to_owned()).collect()
}

#[tokio::test]
async fn records_are_paged_with_links() {
    let app = TestApp::start().await;
    let list = app.record_list("NOTHING").await;
    let new: Vec<Value> = (0..5).map(|number| record(&format!("+1415555010{number}"))).collect();
    app.records(&list, &new).await;
    let path = format!("/record-lists/{list}/records");
    let first = app.get(&format!("{path}?per_page=2")).await.expect(200);
    let numbers = ["total", "count", "page", "per_page", "total_pages"].map(|field| first[field].as_i64());
    assert_eq!(numbers, [Some(5), Some(2), Some(1), Some(2), Some(3)]);
    let href = |page: i64| format!("{}{path}?page={page}&per_page=2", app.base_url);
    let links = &first["_links"];
    assert_eq!((&links["self"]["href"], &links["last"]["href"]), (&json!(href(1)), &json!(href(3))));
    assert_eq!(links.get("prev"), None);
    let mut seen = ids_on(&first);
    let mut next = links["next"]["href"].clone();
    while let Some(href) = next.as_str() {
        assert!(href.starts_with(&format!("{}{path}?after=", app.base_url)), "{href}");
        let page = app.get(&href[app.base_url.len()..]).await.expect(200);
        // What has been seen may go: it moves nothing.
        app.delete(&format!("{path}/{}", seen[0])).await;
        seen.extend(ids_on(&page));
        assert_eq!((&page["page"], &page["_links"]["self"]["href"]), (&json!(1), &json!(href)));
        next = page["_links"]["next"]["href"].clone();
    }
    assert_eq!(seen.iter().collect::<HashSet<_>>().len(), 5, "every record once: {seen:?}");
    assert_eq!(seen.len(), 5);
    app.records(&list, &new[..1]).await;
    let last = app.get(&format!("{path}?per_page=2&page=3")).await.expect(200);
    assert_eq!((last["_links"].get("next"), &last["_links"]["prev"]["href"]), (None, &json!(href(2))));
    assert_eq!(last["count"], 1);
    let plain = app.request(Method::GET, &path).header("Accept", "application/json").send().await;
    assert_eq!(plain.header("Content-Type"), Some("application/json"));
}

#[tokio::test]
async fn records_are_deleted_one_by_one_by_id_number_or_reference() {
    let app = TestApp::start().await;
    let list = app.record_list("NOTHING").await;
    let referred = |id: &str, number: &str| json!({"first_name": "a", "last_name": "b", "phone_number": number, "external_provider": "crm", "external_id": id});
    let twins =
        [referred("1", "+14155550101"), referred("1", "+14155550102"), record("+14155550103"), record("+14155550103")];
    let ids = app.records(&list, &twins).await;
    let path = format!("/record-lists/{list}");
    let live = "SELECT count(*) FROM records WHERE deleted_at IS NULL";

    let by_reference = format!("{path}/external-records?external_provider=crm&external_id=1");
    assert_eq!(app.delete(&format!("{by_reference}&on_multiple=fail")).await.expect(409)["code"], "0530907");
    assert_eq!(app.count(live).await, 4);
    let answer = app.delete(&by_reference).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""));
    assert!(answer.header("Deletion-Id").is_some());
    assert_eq!(app.count(live).await, 2, "all that match");
    assert_eq!(app.delete(&by_reference).await.expect(404)["code"], "0530920");

    // A + that was not encoded arrives as a space, and makes no difference.
    app.delete(&format!("{path}/records?phone_number=+1-415-555-0103")).await.expect(204);
    assert_eq!(app.count(live).await, 0);
    assert_eq!(app.delete(&format!("{path}/records?phone_number=nobody")).await.expect(404)["code"], "0530920");
    assert_eq!(app.delete(&format!("{path}/records")).await.expect(400)["code"], "0530921");

    assert_eq!(app.delete(&format!("{path}/records/{}", ids[0])).await.expect(404)["code"], "0530920");
    app.delete(&format!("{path}/records/{}?mode=hard", ids[0])).await.expect(204);
    assert_eq!(app.count("SELECT count(*) FROM records").await, 3);
}

#[tokio::test]
async fn a_record_list_takes_its_records_along_by_rule_and_for_good() {
    let app = TestApp::start().await;
    let (kept, gone) = (app.record_list("PHONE_NUMBER").await, app.record_list("PHONE_NUMBER").await);
    let id = app.records(&kept, &[record("+14155550100")]).await.remove(0);
    app.records(&gone, &[record("+14155550100"), record("+14155550101")]).await;
    app.delete_with(&bulks(&gone), &json!([{"phone_number": "+14155550101"}])).await.expect(200);

    app.delete(&format!("/record-lists/{kept}")).await.expect(204);
    for path in ["", "/records", &format!("/records/{id}")] {
        assert_eq!(app.get(&format!("/record-lists/{kept}{path}")).await.expect(404)["code"], "0530910", "{path}");
    }
    assert_eq!(app.delete(&format!("/record-lists/{kept}")).await.expect(404)["code"], "0530910");
    app.delete_with(&bulks(&kept), &json!([{"id": id}])).await.expect(404);
    assert_eq!(app.count("SELECT count(*) FROM records WHERE deleted_at IS NULL").await, 2, "records follow by rule");

    let held = "UPDATE records SET held = true WHERE deleted_at IS NOT NULL";
    sqlx::raw_sql(held).execute(&app.admin).await.expect("a record can be held");
    assert_eq!(app.delete(&format!("/record-lists/{gone}?mode=hard")).await.expect(409)["code"], "0530907");
    sqlx::raw_sql("UPDATE records SET held = false").execute(&app.admin).await.expect("and let go");
    for (list, records) in [(&gone, 2), (&kept, 1)] {
        let answer = app.delete(&format!("/record-lists/{list}?mode=hard")).await;
        answer.expect(204);
        let entries: Vec<(String, String, i32)> = sqlx::query_as(
            "SELECT resource, within, cardinality(row_ids) FROM ledger WHERE deletion_id = $1::uuid ORDER BY entry_id",
        )
        .bind(answer.header("Deletion-Id").expect("the deletion has an id"))
        .fetch_all(&app.admin)
        .await
        .expect("a ledger");
        let wanted = [("record".to_owned(), list.clone(), records), ("record_list".to_owned(), String::new(), 1)];
        assert_eq!(entries, wanted);
    }
    for table in
        ["SELECT count(*) FROM record_lists", "SELECT count(*) FROM records", "SELECT count(*) FROM record_phones"]
    {
        assert_eq!(app.count(table).await, 0, "{table}");
    }
}

#[tokio::test]
async fn a_full_list_takes_no_more_but_takes_its_own_back() {
    let app = TestApp::start().await;
    let list = app.record_list("NOTHING").await;
    sqlx::query(
        "INSERT INTO records (account_id, record_list_id, id, first_name, last_name, sync_external_id, extra_data, created_by,
                              created_at, updated_at)
         SELECT account_id, id, gen_random_uuid(), 'a', 'b', false, '{}', created_by, created_at, created_at
         FROM record_lists, generate_series(1, 249999)",
    )
    .execute(&app.admin)
    .await
    .expect("the list can be filled");
    let two = json!({"records": [record("+14155550100"), record("+14155550101")]});
    let refused = app.post(&bulks(&list), &two).await.expect(400);
    assert_eq!(refused["code"], "0530911");
    let added = app.records(&list, &[record("+14155550100")]).await.remove(0);
    let count = async || app.get(&format!("/record-lists/{list}")).await.expect(200)["records_count"].clone();
    assert_eq!(count().await, 250_000);

    let deleted = app.delete(&format!("/record-lists/{list}/records/{added}")).await;
    let deletion = deleted.header("Deletion-Id").expect("an id").to_owned();
    app.records(&list, &[record("+14155550101")]).await;
    let undo = app.request(Method::POST, &format!("/v1/deletions/{deletion}/undo")).send().await.expect(200);
    assert_eq!(undo["reasons"], json!({"RESTORED": 1}));
    assert_eq!(count().await, 250_001);
    let one = json!({"records": [record("+14155550102")]});
    assert_eq!(app.post(&bulks(&list), &one).await.expect(400)["code"], "0530911");
}

#[tokio::test]
async fn a_number_of_very_many_records_is_left_to_a_filter() {
    let app = TestApp::start().await;
    let list = app.record_list("NOTHING").await;
    app.records(&list, &[record("+14155550101")]).await;
    for statement in [
        "INSERT INTO records (account_id, record_list_id, id, first_name, last_name, sync_external_id, extra_data, created_by,
                              created_at, updated_at)
         SELECT account_id, record_list_id, gen_random_uuid(), first_name, last_name, false, '{}', created_by, created_at, updated_at
         FROM records, generate_series(1, 10000)",
        "INSERT INTO record_phones (account_id, record_list_id, record_id, position, phone_number, phone_key)
         SELECT r.account_id, r.record_list_id, r.id, 0, '+14155550101', '14155550101' FROM records r
         WHERE NOT EXISTS (SELECT FROM record_phones p WHERE p.record_id = r.id)",
    ] {
        sqlx::query(statement).execute(&app.admin).await.expect("records");
    }
    let path = format!("/record-lists/{list}/records?phone_number=%2B14155550101");
    app.delete(&path).await.expect(413);
    assert_eq!(app.count("SELECT count(*) FROM records WHERE deleted_at IS NULL").await, 10_001);
    let body = json!({
        "resource": "record", "within": {"record_list_id": list}, "filter": {"number_prefix": "+14155550101"}
    });
    let location = app.post("/v1/deletions", &body).await.header("Location").expect("a place").to_owned();
    app.work().await;
    assert_eq!(app.get(&location).await.expect(200)["reasons"], json!({"DELETED": 10_001}));
}
