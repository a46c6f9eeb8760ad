//! What must hold of record lists when many act at once. Each guarantee is also
//! shown to fail for a variant that breaks it.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

use crate::concurrency::something_waits_for_a_lock;
use crate::support::TestApp;

fn record(phone_number: &str) -> Value {
    json!({"first_name": "Ada", "last_name": "Byron", "phone_number": phone_number, "timezone": "Europe/London"})
}

/// Record lists that are in the trash and attached to a live campaign all the same.
const BROKEN: &str = "
    SELECT count(*)
    FROM campaign_record_lists a
    JOIN record_lists l ON l.account_id = a.account_id AND l.id = a.record_list_id
    JOIN campaigns c ON c.account_id = a.account_id AND c.id = a.campaign_id
    WHERE l.deleted_at IS NOT NULL AND c.deleted_at IS NULL AND a.list_live";

/// A campaign that is attached to no record list.
async fn campaign(app: &TestApp) -> String {
    app.contact_list("called").await;
    app.campaign("calls", "called").await
}

/// Races a deletion of a record list against its attachment to a campaign, over
/// and over. Answers how often each won.
async fn race(app: &TestApp, races: usize) -> (usize, usize) {
    let attach = format!("/campaigns/{}/record-lists", campaign(app).await);
    let (mut deleted, mut attached) = (0, 0);
    let numbers: Vec<usize> = (0..races).collect();
    for batch in numbers.chunks(6) {
        let results = join_all(batch.iter().map(|number| {
            let attach = attach.as_str();
            async move {
                let list = app.record_list("NOTHING").await;
                let (path, body) = (format!("/record-lists/{list}"), json!([{"id": list}]));
                let (delete, attach) = if number % 2 == 0 {
                    tokio::join!(app.delete(&path), app.post(attach, &body))
                } else {
                    let (attach, delete) = tokio::join!(app.post(attach, &body), app.delete(&path));
                    (delete, attach)
                };
                match (delete.status.as_u16(), attach.status.as_u16()) {
                    (204, 404) => true,
                    (409, 204) => false,
                    other => panic!("race {number} ended with {other:?}: {delete:?} {attach:?}"),
                }
            }
        }))
        .await;
        deleted += results.iter().filter(|deleted| **deleted).count();
        attached += results.iter().filter(|deleted| !**deleted).count();
    }
    (deleted, attached)
}

#[tokio::test]
async fn a_record_list_is_never_both_deleted_and_attached() {
    let app = TestApp::start().await;
    let (deleted, attached) = race(&app, 300).await;
    println!("{deleted} lists were deleted, {attached} were attached");
    assert!(deleted > 0 && attached > 0, "each side must win at times, or there was no race");
    assert_eq!(app.count(BROKEN).await, 0);
}

#[tokio::test]
async fn the_services_own_check_of_record_lists_holds_without_the_foreign_key() {
    let app = TestApp::start().await;
    drop_foreign_key(&app).await;
    let (deleted, attached) = race(&app, 100).await;
    assert!(deleted > 0 && attached > 0, "each side must win at times, or there was no race");
    assert_eq!(app.count(BROKEN).await, 0);
}

#[tokio::test]
async fn the_foreign_key_of_record_lists_holds_without_the_services_check() {
    let app = TestApp::start().await;
    let attach = format!("/campaigns/{}/record-lists", campaign(&app).await);
    for number in 0..300 {
        let list = app.record_list("NOTHING").await;
        let body = json!([{"id": list}]);
        let (deleted, attached) = tokio::join!(delete_naively(&app, &list), app.post(&attach, &body));
        match (deleted, attached.status.as_u16()) {
            (Ok(()), 404) => {}
            (Err(code), 204) => assert_eq!(code, "23503"),
            other => panic!("race {number} ended with {other:?}: {attached:?}"),
        }
    }
    assert_eq!(app.count(BROKEN).await, 0);
}

#[tokio::test]
async fn a_check_before_the_act_on_a_record_list_loses_the_race_without_the_foreign_key() {
    let app = TestApp::start().await;
    drop_foreign_key(&app).await;
    let attach = format!("/campaigns/{}/record-lists", campaign(&app).await);
    for number in 0..300 {
        let list = app.record_list("NOTHING").await;
        let body = json!([{"id": list}]);
        let (_, attached) = tokio::join!(check_then_delete(&app, &list), app.post(&attach, &body));
        assert!(attached.status == 204 || attached.status == 404, "{attached:?}");
        if app.count(BROKEN).await > 0 {
            println!("race {number} was lost");
            return;
        }
    }
    panic!("the tests above could not fail");
}

/// Looks whether a list is attached, and trashes it if it is not: what the engine must not do.
async fn check_then_delete(app: &TestApp, list: &str) {
    let attached: i64 =
        sqlx::query_scalar("SELECT count(*) FROM campaign_record_lists WHERE record_list_id = $1::uuid")
            .bind(list)
            .fetch_one(&app.admin)
            .await
            .expect("the attachments can be counted");
    if attached == 0 {
        delete_naively(app, list).await.expect("nothing stops it");
    }
}

async fn drop_foreign_key(app: &TestApp) {
    let sql = "ALTER TABLE campaign_record_lists DROP CONSTRAINT campaign_record_lists_live_list";
    sqlx::raw_sql(sql).execute(&app.admin).await.expect("the key can be dropped");
}

/// Trashes a list as the application's role, without looking what is attached.
async fn delete_naively(app: &TestApp, list: &str) -> Result<(), String> {
    let mut connection = PgConnection::connect_with(&app.database.app()).await.expect("the role may connect");
    let mut transaction = connection.begin().await.expect("a transaction");
    sqlx::query("SELECT set_config('app.account_id', $1, true)")
        .bind(&app.account.id)
        .execute(&mut *transaction)
        .await
        .expect("an account");
    let trashed = sqlx::query(
        "UPDATE record_lists SET deleted_at = now(), deleted_by = 'nobody', deletion_id = gen_random_uuid()
         WHERE id = $1::uuid",
    )
    .bind(list)
    .execute(&mut *transaction)
    .await;
    match trashed {
        Ok(_) => transaction.commit().await.map_err(|error| error.to_string()),
        Err(error) => Err(error.as_database_error().and_then(|error| error.code()).unwrap_or_default().into_owned()),
    }
}

/// Fills a list with records that have no number, behind the service's back.
async fn fill(app: &TestApp, list: &str, count: i64) {
    sqlx::query(
        "INSERT INTO records (account_id, record_list_id, id, first_name, last_name, timezone, sync_external_id, extra_data,
                              created_by, created_at, updated_at)
         SELECT account_id, id, gen_random_uuid(), 'a', 'b', 'GMT', false, '{}', created_by, created_at, created_at
         FROM record_lists, generate_series(1, $2)
         WHERE id = $1::uuid",
    )
    .bind(list)
    .bind(count)
    .execute(&app.admin)
    .await
    .expect("the list can be filled");
}

#[tokio::test]
async fn bulk_creations_in_one_list_do_not_wait_for_each_other() {
    let app = TestApp::start_with(Duration::from_secs(30)).await;
    let list = app.record_list("PHONE_NUMBER").await;
    // Somebody's record that is not committed yet: a creation with its number has to wait for it.
    let mut holder = app.admin.begin().await.expect("a transaction");
    sqlx::query(
        "INSERT INTO records (account_id, record_list_id, id, first_name, last_name, sync_external_id, extra_data, unique_key,
                              created_by, created_at, updated_at)
         SELECT account_id, id, gen_random_uuid(), 'a', 'b', false, '{}', '14155550100', created_by, created_at, created_at
         FROM record_lists",
    )
    .execute(&mut *holder)
    .await
    .expect("a record");
    let (path, waits) = (format!("/record-lists/{list}/records/bulks"), json!({"records": [record("+14155550100")]}));
    let held = async {
        let answer = app.post(&path, &waits).await.expect(201);
        assert_eq!(answer["total_created"], 1);
    };
    let others = async {
        something_waits_for_a_lock(&app).await;
        for number in 1..4 {
            app.records(&list, &[record(&format!("+1415555010{number}"))]).await;
        }
        app.post(&format!("/record-lists/{list}/records"), &record("+14155550109")).await.expect(201);
        // Whoever deletes the list waits for those who fill it.
        let mut transaction = app.admin.begin().await.expect("a transaction");
        let locked = sqlx::query("SELECT FROM record_lists FOR UPDATE SKIP LOCKED").fetch_all(&mut *transaction).await;
        assert_eq!(locked.expect("the lists can be asked for").len(), 0, "the list is held by the one that waits");
        transaction.rollback().await.expect("nothing was locked");
        holder.rollback().await.expect("the number is let go");
    };
    tokio::join!(held, others);
    assert_eq!(app.get(&format!("/record-lists/{list}")).await.expect(200)["records_count"], 5);
}

#[tokio::test]
async fn the_limit_of_a_list_holds_when_many_fill_it_at_once() {
    let app = TestApp::start().await;
    let list = app.record_list("NOTHING").await;
    fill(&app, &list, 249_850).await;
    let path = format!("/record-lists/{list}/records/bulks");
    let ten = json!({"records": vec![record("+14155550100"); 10]});
    let answers = join_all((0..24).map(|_| app.post(&path, &ten))).await;
    let (created, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 201);
    assert_eq!((created.len(), refused.len()), (15, 9));
    for answer in refused {
        let full = "A record list holds at most 250000 records";
        let wanted = json!({"code": "0530911", "message": "Record List is full.", "description": full, "fields": []});
        assert_eq!(answer.expect(400), wanted);
    }
    assert_eq!(app.get(&format!("/record-lists/{list}")).await.expect(200)["records_count"], 250_000);
    let one = app.post(&format!("/record-lists/{list}/records"), &record("+14155550100")).await;
    assert_eq!(one.expect(400)["code"], "0530911");
    app.delete(&format!("/record-lists/{list}/records?phone_number=14155550100")).await.expect(204);
    app.post(&format!("/record-lists/{list}/records"), &record("+14155550100")).await.expect(201);
}

#[tokio::test]
async fn counts_are_right_while_many_create_and_delete() {
    let app = TestApp::start().await;
    let list = app.record_list("NOTHING").await;
    let path = format!("/record-lists/{list}/records");
    join_all((0..12_u32).map(|number| {
        let (app, list, path) = (&app, list.as_str(), path.as_str());
        async move {
            let ids = app.records(list, &vec![record("+14155550100"); 5]).await;
            if number % 2 == 0 {
                app.delete(&format!("{path}/{}", ids[0])).await.expect(204);
                app.delete_with(&format!("{path}/bulks"), &json!([{"id": ids[1]}, {"id": ids[2]}])).await.expect(200);
            }
        }
    }))
    .await;
    assert_eq!(app.get(&format!("/record-lists/{list}")).await.expect(200)["records_count"], 42);
    assert_eq!(app.get(&path).await.expect(200)["total"], 42);
    assert_eq!(app.get("/record-lists").await.expect(200)["_embedded"]["record_lists"][0]["records_count"], 42);
}

#[tokio::test]
async fn patches_of_one_record_follow_each_other_and_none_is_lost() {
    let app = TestApp::start().await;
    let list = app.record_list("PHONE_NUMBER").await;
    let ids = app.records(&list, &[record("+14155550100"), record("+14155550101")]).await;
    let bulks = format!("/record-lists/{list}/records/bulks");
    let answers = join_all((0..24).map(|number| {
        let (app, bulks, ids) = (&app, bulks.as_str(), &ids);
        let one = format!("/record-lists/{list}/records/{}", ids[0]);
        async move {
            let key = format!("key{number}");
            let (path, body) = if number % 2 == 0 {
                (one.as_str(), json!([{"op": "add", "path": format!("/extra_data/{key}"), "value": number}]))
            } else {
                let of = |id: &str| json!({"op": "add", "path": format!("/records/{id}"), "value": {"extra_data": {&key: number}}});
                // In both orders, which must not matter.
                let (first, second) = if number % 4 == 1 { (0, 1) } else { (1, 0) };
                (bulks, json!([of(&ids[first]), of(&ids[second])]))
            };
            app.request(Method::PATCH, path).json(&body).send().await
        }
    }))
    .await;
    for answer in answers {
        answer.expect(200);
    }
    for (id, changes) in [(&ids[0], 24), (&ids[1], 12)] {
        let answer = app.get(&format!("/record-lists/{list}/records/{id}")).await;
        assert_eq!(answer.header("ETag"), Some(format!("\"{}\"", changes + 1).as_str()));
        assert_eq!(answer.expect(200)["extra_data"].as_object().map(serde_json::Map::len), Some(changes));
    }
}

#[tokio::test]
async fn one_number_that_many_want_is_given_to_one() {
    let app = TestApp::start().await;
    let list = app.record_list("PHONE_NUMBER").await;
    let new: Vec<Value> = (0..8).map(|number| record(&format!("+1415555010{number}"))).collect();
    let ids = app.records(&list, &new).await;
    let wanted = json!([{"op": "replace", "path": "/phone_numbers/0/phone_number", "value": "+14155550199"}]);
    let answers = join_all(ids.iter().map(|id| {
        let path = format!("/record-lists/{list}/records/{id}");
        let (app, wanted) = (&app, &wanted);
        async move { app.request(Method::PATCH, &path).json(wanted).send().await }
    }))
    .await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.status == 409).count(), 7, "{answers:?}");
    let holder = app.get(&format!("/record-lists/{list}/records?phone_number=14155550199")).await.expect(200);
    assert_eq!(holder["total"], 1);
    let holder = holder["_embedded"]["records"][0]["id"].as_str().expect("an id").to_owned();
    for answer in answers.iter().filter(|answer| answer.status == 409) {
        let named = answer.json()["fields"][0]["description"].as_str().map(|said| said.contains(&holder));
        assert_eq!(named, Some(true), "{answer:?}");
    }
}
