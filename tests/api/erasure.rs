//! What is deleted for good is gone from every table, and the database itself
//! lets nothing live go.

use serde_json::json;
use sqlx::{Connection, PgConnection};

use crate::support::TestApp;

/// The tables of the schema, from the catalog, so that a new one is not forgotten.
async fn tables(app: &TestApp) -> Vec<String> {
    let sql = "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') ORDER BY 1";
    sqlx::query_scalar(sql).fetch_all(&app.admin).await.expect("the catalog can be read")
}

/// The tables that have a row in which one of the texts stands.
async fn tables_with(app: &TestApp, texts: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for table in tables(app).await {
        let sql = format!(
            "SELECT count(*) FROM {table} t WHERE EXISTS (SELECT FROM unnest($1::text[]) s WHERE strpos(t::text, s) > 0)"
        );
        let rows: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .bind(texts)
            .fetch_one(&app.admin)
            .await
            .expect("a table can be read");
        if rows > 0 {
            found.push(table);
        }
    }
    found
}

/// What identifies the one person of these tests, in every form it is written in.
const PERSON: [&str; 3] = ["4155550123", "Zephyrine", "zeph-ref-77"];

#[tokio::test]
async fn a_hard_deletion_leaves_no_copy_of_a_person_in_any_table() {
    let app = TestApp::start().await;
    let new = json!([{
        "firstName": "Zephyrine", "lastName": "b", "cellPhone": {"phoneNumber": "4155550123", "countryCode": "+1"},
        "address": [{"street": "Zephyrine's"}]
    }]);
    let created = app.post(&app.account.contacts_path(), &new).await.expect(200);
    let contact = created[0]["id"].as_str().expect("an id").to_owned();
    let list = app.contact_list("people").await;
    app.members("people", &["+1 (415) 555-0123", "+14155550123"]).await;
    let records = app.record_list("EXTERNAL").await;
    let record = json!({
        "first_name": "Zephyrine", "last_name": "b", "phone_numbers": [{"phone_number": "+14155550123"}],
        "external_provider": "crm", "external_id": "zeph-ref-77", "extra_data": {"note": "Zephyrine"}
    });
    app.records(&records, std::slice::from_ref(&record)).await;
    let with_person = tables_with(&app, &PERSON).await;
    assert_eq!(with_person, ["contact_list_members", "contacts", "record_phones", "records"]);

    // Soft deletions keep the person, which also shows that the search finds it.
    app.delete(&app.account.contact_path(&contact)).await.expect(200);
    app.delete(&app.account.contact_list_path(&list)).await.expect(200);
    assert_eq!(tables_with(&app, &PERSON).await, with_person);

    app.delete(&format!("{}?mode=hard", app.account.contact_path(&contact))).await.expect(200);
    app.delete(&format!("{}?mode=hard", app.account.contact_list_path(&list))).await.expect(200);
    let path = format!("/record-lists/{records}/records/bulks?mode=hard");
    let report = app.delete_with(&path, &json!([{"phone_number": "+1 415-555-0123"}])).await.expect(200);
    assert_eq!(report["records_deleted"], 1, "{report}");
    assert_eq!(tables_with(&app, &PERSON).await, Vec::<String>::new());
}

/// One live row in every table that holds what can be deleted, and one in the trash.
async fn furnish(app: &TestApp) {
    let contacts = app.contacts(9_000_000_000, 2).await;
    app.delete(&app.account.contact_path(&contacts[0])).await.expect(200);
    app.contact_list("live").await;
    app.members("live", &["+14155550100"]).await;
    let campaign = app.campaign("live", "live").await;
    let trashed = app.contact_list("trashed").await;
    app.delete(&app.account.contact_list_path(&trashed)).await.expect(200);
    app.contact_import_of(&app.account).await;
    let records = app.record_list("NOTHING").await;
    app.post(&format!("/campaigns/{campaign}/record-lists"), &json!([{"id": records}])).await.expect(204);
    let record = json!({"first_name": "a", "last_name": "b", "phone_number": "+14155550100"});
    let ids = app.records(&records, &[record.clone(), record]).await;
    app.delete_with(&format!("/record-lists/{records}/records/bulks"), &json!([{"id": ids[0]}])).await.expect(200);
}

/// Deletes everything it can, as the application's role. Answers the tables that lost a live row.
async fn delete_without_where(app: &TestApp) -> Vec<String> {
    let mut lost = Vec::new();
    for table in tables(app).await {
        // What is kept of requests for a time and dropped, and settings.
        if ["deletions", "deletion_chunks", "jobs", "idempotency_keys", "retention"].contains(&table.as_str()) {
            continue;
        }
        let live = match table.as_str() {
            "accounts"
            | "streams"
            | "clients"
            | "ledger"
            | "contact_imports"
            | "contact_import_batches"
            | "_sqlx_migrations" => "SELECT count(*) FROM {table}",
            "campaign_contact_lists" | "campaign_record_lists" => "SELECT count(*) FROM {table} WHERE list_live",
            "record_phones" => {
                "SELECT count(*) FROM {table} p JOIN records r ON r.id = p.record_id WHERE r.deleted_at IS NULL"
            }
            _ => "SELECT count(*) FROM {table} WHERE deleted_at IS NULL",
        };
        let count = |live: &str| {
            let sql = live.replace("{table}", &table);
            sqlx::query_scalar::<_, i64>(sqlx::AssertSqlSafe(sql)).fetch_one(&app.admin)
        };
        let before = count(live).await.expect("a table can be read");
        assert!(before > 0, "{table} has nothing to lose");
        let mut connection = PgConnection::connect_with(&app.database.app()).await.expect("the role may connect");
        sqlx::query("SELECT set_config('app.account_id', $1, false)")
            .bind(&app.account.id)
            .execute(&mut connection)
            .await
            .expect("an account");
        // Refused outright for want of the right or for a reference, or done for trashed rows only.
        let _refused_or_done =
            sqlx::raw_sql(sqlx::AssertSqlSafe(format!("DELETE FROM {table}"))).execute(&mut connection).await;
        connection.close().await.expect("the connection closes");
        if count(live).await.expect("a table can be read") < before {
            lost.push(table);
        }
    }
    lost
}

#[tokio::test]
async fn a_delete_without_where_removes_no_live_row() {
    let app = TestApp::start().await;
    furnish(&app).await;
    assert_eq!(delete_without_where(&app).await, Vec::<String>::new());
    assert_eq!(
        app.count("SELECT count(*) FROM contacts WHERE deleted_at IS NOT NULL").await,
        0,
        "the trash could be emptied"
    );
}

#[tokio::test]
async fn a_delete_without_where_removes_live_rows_where_the_policy_is_missing() {
    let app = TestApp::start().await;
    furnish(&app).await;
    for table in ["contacts", "record_phones", "records"] {
        let sql = format!("DROP POLICY only_trash_is_removed ON {table}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&app.admin).await.expect("the policy can be dropped");
    }
    assert_eq!(
        delete_without_where(&app).await,
        ["contacts", "record_phones", "records"],
        "the test above could not fail"
    );
}
