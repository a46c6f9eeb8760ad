//! What the service asks of a database before it serves from it, and what the
//! database keeps to itself whatever the service asks.

use expunge::postgres::guards::{self, GuardError};
use expunge::postgres::migrations;
use reqwest::Method;
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, Executor, PgPool};

use crate::support::TestApp;
use crate::support::postgres::{Database, PASSWORD};

/// What a statement of the superuser's breaks, and what the service must then say.
/// In each, `ROLE` stands for a role of the test's own.
const BROKEN: [(&str, &str); 29] = [
    ("ALTER TABLE contacts NO FORCE ROW LEVEL SECURITY", "contacts: row security is not enabled and forced"),
    ("ALTER TABLE records DISABLE ROW LEVEL SECURITY", "records: row security is not enabled and forced"),
    ("CREATE TABLE plain (account_id text PRIMARY KEY)", "plain: row security is not enabled and forced"),
    ("DROP POLICY tenant ON ledger", "ledger: the policy `tenant` is missing or altered"),
    ("ALTER POLICY tenant ON campaigns USING (true)", "campaigns: the policy `tenant` is missing or altered"),
    (
        "ALTER POLICY tenant ON contacts
         USING (account_id = (SELECT NULLIF(current_setting('app.account_id', true), '')) OR held)",
        "contacts: the policy `tenant` is missing or altered",
    ),
    (
        "ALTER POLICY tenant ON contacts
         USING (account_id = (SELECT NULLIF(current_setting('app.account_id', true), '') AS x WHERE false UNION SELECT '1'))",
        "contacts: the policy `tenant` is missing or altered",
    ),
    (
        "ALTER POLICY tenant ON record_phones WITH CHECK (true)",
        "record_phones: the policy `tenant` is missing or altered",
    ),
    ("ALTER POLICY tenant ON streams TO expunge_worker", "streams: the policy `tenant` is missing or altered"),
    (
        "CREATE POLICY further ON contact_lists USING (true)",
        "contact_lists: a further permissive policy opens it to other accounts",
    ),
    (
        "CREATE POLICY operator ON contacts TO expunge_owner USING (true)",
        "contacts: a further permissive policy opens it to other accounts",
    ),
    (
        "ALTER POLICY operator ON clients TO PUBLIC",
        "clients: a further permissive policy opens it to other accounts",
    ),
    (
        "DROP POLICY only_trash_is_removed ON contacts",
        "contacts: the restrictive policy `only_trash_is_removed` is missing or altered",
    ),
    (
        "ALTER POLICY only_trash_is_removed ON record_phones USING (true)",
        "record_phones: the restrictive policy `only_trash_is_removed` is missing or altered",
    ),
    (
        "ALTER POLICY only_trash_is_removed ON campaign_record_lists USING (campaign_live)",
        "campaign_record_lists: the restrictive policy `only_trash_is_removed` is missing or altered",
    ),
    (
        "ALTER POLICY only_trash_is_removed ON records TO expunge_worker",
        "records: the restrictive policy `only_trash_is_removed` is missing or altered",
    ),
    ("GRANT TRUNCATE ON records TO expunge_app", "records: the role may TRUNCATE it"),
    ("GRANT TRIGGER ON contacts TO PUBLIC", "contacts: the role may TRUNCATE it or hang things on it"),
    ("GRANT UPDATE ON ledger TO expunge_app", "ledger: the role may UPDATE or DELETE"),
    ("GRANT UPDATE (at) ON ledger TO expunge_app", "ledger: the role may UPDATE or DELETE"),
    ("GRANT DELETE ON ledger TO expunge_app", "ledger: the role may UPDATE or DELETE"),
    ("GRANT SELECT ON clients TO expunge_app", "clients: the role may read or change it other than by sign_in()"),
    (
        "GRANT SELECT (sealed_secret) ON clients TO expunge_app",
        "clients: the role may read or change it other than by sign_in()",
    ),
    ("GRANT INSERT ON streams TO expunge_app", "streams: the role may read or change it other than by sign_in()"),
    ("CREATE INDEX contacts_by_number ON contacts (phone_key)", "contacts_by_number: the index is not led by account_id"),
    (
        "CREATE INDEX contacts_by_length ON contacts (length(phone_key), account_id)",
        "contacts_by_length: the index is not led by account_id",
    ),
    (
        "ALTER TABLE records ADD CONSTRAINT records_cascade
         FOREIGN KEY (account_id, record_list_id) REFERENCES record_lists (account_id, id) ON DELETE CASCADE",
        "records_cascade: the foreign key deletes or changes rows by itself",
    ),
    (
        "ALTER TABLE campaign_contact_lists ADD CONSTRAINT attachments_by_id
         FOREIGN KEY (list_id, account_id) REFERENCES contact_lists (id, account_id)",
        "attachments_by_id: the foreign key is not led by account_id",
    ),
    ("ALTER TABLE contacts OWNER TO expunge_app", "the role expunge_app owns tables"),
];

/// What a role must not be.
const ROLES: [(&str, &str); 4] = [
    ("SUPERUSER", "is a superuser or bypasses row security"),
    ("BYPASSRLS", "is a superuser or bypasses row security"),
    ("CREATEROLE", "may create roles"),
    ("IN ROLE expunge_owner", "owns tables, or is a member of the role that does"),
];

async fn superuser(database: &Database) -> PgConnection {
    PgConnection::connect_with(&database.superuser()).await.expect("the superuser may connect")
}

async fn check_as(options: PgConnectOptions) -> Result<(), GuardError> {
    let pool = PgPoolOptions::new().max_connections(1).connect_lazy_with(options);
    let checked = guards::check(&pool).await;
    pool.close().await;
    checked
}

#[tokio::test]
async fn a_migrated_database_is_safe_to_serve_from() {
    check_as(Database::create().await.app()).await.expect("it is healthy");
}

#[tokio::test]
async fn a_database_that_is_broken_in_one_way_is_refused_by_name() {
    for (statement, complaint) in BROKEN {
        let database = Database::create().await;
        let mut connection = superuser(&database).await;
        // The columns in the other order have no unique index that a key could refer to.
        if statement.contains("attachments_by_id") {
            let index = "CREATE UNIQUE INDEX contact_lists_by_id ON contact_lists (id, account_id)";
            connection.execute(index).await.expect("the index can be made");
        }
        connection.execute(statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
        let error = check_as(database.app()).await.expect_err(statement).to_string();
        assert!(error.contains(&format!("\n  - {complaint}")), "{statement}: {error}");
        connection.close().await.expect("the connection closes");
    }
}

#[tokio::test]
async fn everything_that_is_wrong_is_said_at_once() {
    let database = Database::create().await;
    let mut connection = superuser(&database).await;
    for statement in ["DROP POLICY tenant ON ledger", "GRANT TRUNCATE ON records TO expunge_app"] {
        connection.execute(statement).await.expect("the superuser may do all");
    }
    let Err(GuardError::Unsafe(wrong)) = check_as(database.app()).await else { panic!("it is refused") };
    assert_eq!(wrong.len(), 2, "{wrong:?}");
}

#[tokio::test]
async fn a_role_that_may_too_much_is_refused_by_name() {
    let database = Database::create().await;
    let mut connection = superuser(&database).await;
    for (index, (rights, complaint)) in ROLES.into_iter().enumerate() {
        let role = format!("mighty_{index}_of_{}", database.app().get_database().expect("it has a name"));
        let statements = format!(
            "CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}' {rights}; GRANT SELECT ON _sqlx_migrations TO {role}"
        );
        connection.execute(AssertSqlSafe(statements)).await.expect("the superuser may do all");
        let error = check_as(database.role(&role)).await.expect_err(rights).to_string();
        assert!(error.contains(&format!("the role {role} {complaint}")), "{rights}: {error}");
        let statements = format!("DROP OWNED BY {role}; DROP ROLE {role}");
        connection.execute(AssertSqlSafe(statements)).await.expect("the role can be dropped");
    }
    let error = check_as(database.owner()).await.expect_err("the owner must not serve").to_string();
    assert!(error.contains("the role expunge_owner owns tables"), "{error}");
}

#[tokio::test]
async fn a_database_that_lacks_a_migration_is_refused_with_the_way_out() {
    for version in migrations::versions() {
        let database = Database::create().await;
        let mut connection = superuser(&database).await;
        sqlx::query("DELETE FROM _sqlx_migrations WHERE version = $1")
            .bind(version)
            .execute(&mut connection)
            .await
            .expect("the superuser may do all");
        let error = check_as(database.app()).await.expect_err("one is missing").to_string();
        assert!(error.contains(&version.to_string()) && error.contains("`expunge migrate`"), "{error}");
    }
    let database = Database::create().await;
    superuser(&database)
        .await
        .execute(
            "UPDATE _sqlx_migrations SET success = false WHERE version = (SELECT max(version) FROM _sqlx_migrations)",
        )
        .await
        .expect("the superuser may do all");
    assert!(matches!(check_as(database.app()).await, Err(GuardError::OldSchema { .. })), "one is half done");
    assert!(matches!(check_as(Database::create_empty().await.app()).await, Err(GuardError::OldSchema { .. })));
}

/// An application with rows of both accounts in every table.
async fn filled() -> TestApp {
    let mut app = TestApp::start().await;
    for _ in 0..2 {
        let contacts = app.contacts(9_876_500_000, 2).await;
        app.delete(&app.account.contact_path(&contacts[0])).await.expect(200);
        app.contact_list("Renewals").await;
        app.members("Renewals", &["14155550101"]).await;
        let campaign = app.campaign("Calls", "Renewals").await;
        let list = app.record_list("PHONE_NUMBER").await;
        app.post(&format!("/campaigns/{campaign}/record-lists"), &json!([{"id": list}])).await.expect(204);
        let record =
            json!({"first_name": "Ada", "last_name": "Okafor", "phone_numbers": [{"phone_number": "+14155550101"}]});
        app.records(&list, &[record]).await;
        let keyed = app.request(Method::POST, "/record-lists").header("Idempotency-Key", "abc");
        keyed.json(&json!({"name": "once"})).send().await.expect(201);
        app.contact_import_of(&app.account).await;
        app.delete_with(&app.account.bulk_delete_path(), &json!({"ids": ["x"]})).await.expect(200);
        app.request(Method::PUT, "/v1/retention").json(&json!({"contact": 30})).send().await.expect(200);
        std::mem::swap(&mut app.account, &mut app.other);
    }
    app
}

/// Every table but the migration tool's, with the columns that can be written.
async fn tables(app: &TestApp) -> Vec<(String, Vec<String>)> {
    let tables: Vec<(String, Vec<String>)> = sqlx::query_as(
        "SELECT c.relname::text, array_agg(a.attname::text ORDER BY a.attnum) FILTER (
             WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND a.attidentity = ''
               AND a.attname <> 'account_id')
         FROM pg_class c
         JOIN pg_attribute a ON a.attrelid = c.oid
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND c.relname <> '_sqlx_migrations'
         GROUP BY c.relname
         ORDER BY 1",
    )
    .fetch_all(&app.admin)
    .await
    .expect("the catalog can be read");
    assert!(tables.len() >= 14, "{tables:?}");
    tables
}

/// A number, or none where the role has no right to ask.
async fn number(conn: &mut PgConnection, sql: String) -> Option<i64> {
    let mut savepoint = conn.begin().await.expect("a savepoint");
    let number = sqlx::query_scalar(AssertSqlSafe(sql.clone())).fetch_one(&mut *savepoint).await;
    savepoint.rollback().await.expect("back to the savepoint");
    refused(&sql, number)
}

/// How many rows a statement changes, or none where the role has no right to, or a policy refuses. Nothing stays changed.
async fn changed(conn: &mut PgConnection, sql: String) -> Option<u64> {
    let mut savepoint = conn.begin().await.expect("a savepoint");
    let changed = savepoint.execute(AssertSqlSafe(sql.clone())).await.map(|done| done.rows_affected());
    savepoint.rollback().await.expect("back to the savepoint");
    refused(&sql, changed)
}

fn refused<T>(sql: &str, result: Result<T, sqlx::Error>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("42501") => None,
        Err(error) => panic!("{sql}: {error}"),
    }
}

fn is_identity(table: &str) -> bool {
    ["accounts", "clients", "streams"].contains(&table)
}

#[tokio::test]
async fn without_an_account_every_table_is_empty() {
    let app = filled().await;
    let mut connection = PgConnection::connect_with(&app.database.app()).await.expect("the application may connect");
    // Both what a new connection has and what remains on one after a transaction that was set to an account.
    for setting in ["SELECT 1", "SET app.account_id = ''"] {
        connection.execute(setting).await.expect("anyone may set it");
        for (table, _) in tables(&app).await {
            let seen = number(&mut connection, format!("SELECT count(*) FROM {table}")).await;
            let wanted = if is_identity(&table) { None } else { Some(0) };
            assert_eq!(seen, wanted, "{table}");
            let deleted = changed(&mut connection, format!("DELETE FROM {table}")).await.unwrap_or_default();
            assert_eq!(deleted, 0, "{table}");
        }
    }
}

#[tokio::test]
async fn an_account_sees_and_changes_nothing_of_another() {
    let app = filled().await;
    let (ours, theirs) = (&app.account.id, &app.other.id);
    let mut connection = PgConnection::connect_with(&app.database.app()).await.expect("the application may connect");
    sqlx::query("SELECT set_config('app.account_id', $1, false)")
        .bind(ours)
        .execute(&mut connection)
        .await
        .expect("anyone may set it");
    for (table, columns) in tables(&app).await {
        let rows = |pool: PgPool, account: String| {
            let count = format!("SELECT count(*) FROM {table} WHERE account_id = $1");
            async move {
                let count: i64 = sqlx::query_scalar(AssertSqlSafe(count))
                    .bind(account)
                    .fetch_one(&pool)
                    .await
                    .expect("the superuser sees all");
                count
            }
        };
        let (own, foreign) =
            (rows(app.admin.clone(), ours.clone()).await, rows(app.admin.clone(), theirs.clone()).await);
        assert!(own > 0 && foreign > 0, "{table} is not filled: {own}, {foreign}");

        let seen = number(&mut connection, format!("SELECT count(*) FROM {table}")).await;
        assert_eq!(seen, if is_identity(&table) { None } else { Some(own) }, "{table}");
        let of_theirs = format!("{table} WHERE account_id = '{theirs}'");
        let seen = number(&mut connection, format!("SELECT count(*) FROM {of_theirs}")).await;
        assert_eq!(seen.unwrap_or_default(), 0, "{table}");
        let set = format!("UPDATE {table} SET account_id = account_id WHERE account_id = '{theirs}'");
        for statement in [set, format!("DELETE FROM {of_theirs}")] {
            assert_eq!(changed(&mut connection, statement.clone()).await.unwrap_or_default(), 0, "{statement}");
        }
        let given = format!("UPDATE {table} SET account_id = '{theirs}'");
        let columns = columns.join(", ");
        let planted = format!("INSERT INTO {table} (account_id, {columns}) SELECT '{theirs}', {columns} FROM {table}");
        for statement in [given, planted] {
            assert_eq!(changed(&mut connection, statement.clone()).await, None, "{statement}");
        }
    }
}

#[tokio::test]
async fn what_is_not_in_the_trash_cannot_be_removed_whatever_the_service_asks() {
    let app = filled().await;
    let mut connection = PgConnection::connect_with(&app.database.app()).await.expect("the application may connect");
    sqlx::query("SELECT set_config('app.account_id', $1, false)")
        .bind(&app.account.id)
        .execute(&mut connection)
        .await
        .expect("anyone may set it");
    for (table, _) in tables(&app).await {
        if table == "deletions" {
            // Its chunks go first.
            continue;
        }
        let removed = changed(&mut connection, format!("DELETE FROM {table}")).await;
        let wanted = match table.as_str() {
            "ledger" | "contact_imports" | "contact_import_batches" | "retention" => None,
            table if is_identity(table) => None,
            // The one that was deleted over HTTP.
            "contacts" => Some(1),
            // Kept for a time, and nobody's thing.
            "idempotency_keys" | "deletion_chunks" | "jobs" => Some(1),
            _ => Some(0),
        };
        assert_eq!(removed, wanted, "{table}");
    }
    connection.execute("UPDATE contacts SET held = true").await.expect("the application may hold");
    assert_eq!(changed(&mut connection, "DELETE FROM contacts".to_owned()).await, Some(0), "a held row stays");
}

#[tokio::test]
async fn clients_are_found_by_sign_in_and_in_no_other_way() {
    let app = TestApp::start().await;
    let mut connection = PgConnection::connect_with(&app.database.app()).await.expect("the application may connect");
    for account in [String::new(), app.account.id.clone()] {
        sqlx::query("SELECT set_config('app.account_id', $1, false)")
            .bind(account)
            .execute(&mut connection)
            .await
            .expect("anyone may set it");
        for column in ["client_id", "sealed_secret", "*"] {
            let statement = format!("SELECT count(*) FROM (SELECT {column} FROM clients) AS c");
            assert_eq!(number(&mut connection, statement).await, None, "{column}");
        }
        let asked = |client: &str| format!("SELECT count(*) FROM sign_in('{client}', '{{}}') AS found");
        assert_eq!(number(&mut connection, asked(app.other.client.as_str())).await, Some(1));
        assert_eq!(number(&mut connection, asked("cs-00000000-0000-4000-8000-000000000000")).await, Some(0));
    }
    let mut worker = PgConnection::connect_with(&app.database.role("expunge_worker")).await.expect("it may connect");
    assert_eq!(number(&mut worker, "SELECT count(*) FROM sign_in('x', '{}') AS found".to_owned()).await, None);
}
