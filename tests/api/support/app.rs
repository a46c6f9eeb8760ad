//! The whole application over HTTP, on a database of its own.

use std::net::{SocketAddr, TcpListener};
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use expunge::app::{self, Parts};
use expunge::clock::Clock;
use expunge::config::IdentityArgs;
use expunge::domain::identity::{Caller, Scope, TokenExpiry};
use expunge::domain::ids::{AccountId, ClientId, UserId};
use expunge::handlers::Settings;
use expunge::postgres::PoolSettings;
use expunge::sealing::{self, Sealer};
use expunge::services::Services;
use expunge::services::operator::Operator;
use expunge::services::tokens;
use reqwest::Method;
use secrecy::SecretString;
use serde_json::{Value, json};
use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use std::time::Duration;
use time::OffsetDateTime;

use super::http::{Answer, Request};
use super::postgres::Database;

/// An origin whose pages may call.
pub const PAGE: &str = "https://ui.example";

/// How long one try waits for a lock.
const PATIENCE: Duration = Duration::from_secs(2);

/// The application, two accounts, and a way behind its back.
pub struct TestApp {
    /// Where it serves.
    pub base_url: String,
    /// An account with every right.
    pub account: Account,
    /// Another, whose things are none of the first one's business.
    pub other: Account,
    /// The database.
    pub database: Database,
    /// The database as a role that sees everything.
    pub admin: PgPool,
    /// The key that secrets are sealed with.
    pub secret_key: SecretString,
    /// What its clock tells.
    pub clock: Clock,
    http: reqwest::Client,
}

/// An account with a stream, and a client with a token.
#[derive(Clone, Debug)]
pub struct Account {
    pub id: String,
    pub stream: String,
    pub client: ClientId,
    pub secret: SecretString,
    pub token: String,
}

/// A clock that stands still until it is moved, and its seconds.
pub fn test_clock() -> (Clock, Arc<AtomicI64>) {
    let seconds = Arc::new(AtomicI64::new(1_772_323_200));
    let source = seconds.clone();
    let now =
        move || OffsetDateTime::from_unix_timestamp(source.load(Ordering::SeqCst)).expect("the test's time is a time");
    (Clock::new(now), seconds)
}

impl TestApp {
    /// Starts the application on a fresh database.
    pub async fn start() -> Self {
        Self::start_at(Clock::system()).await
    }

    /// Starts the application with less patience for locks.
    pub async fn start_with(lock_timeout: Duration) -> Self {
        let database = Database::create().await;
        let options = database.app();
        Self::build(Clock::system(), lock_timeout, database, options, &IdentityArgs::default()).await
    }

    /// Starts the application on a database that it reaches in a way of the test's. Its clock stands still, so that who
    /// has signed in once is not looked up again.
    pub async fn start_over(database: Database, options: PgConnectOptions) -> Self {
        Self::build(test_clock().0, PATIENCE, database, options, &IdentityArgs::default()).await
    }

    /// Starts the application with a clock of the test's.
    pub async fn start_at(clock: Clock) -> Self {
        Self::start_trusting(clock, &IdentityArgs::default()).await
    }

    /// Starts the application with issuers and keys of the test's.
    pub async fn start_trusting(clock: Clock, identity: &IdentityArgs) -> Self {
        let database = Database::create().await;
        let options = database.app();
        Self::build(clock, PATIENCE, database, options, identity).await
    }

    async fn build(
        clock: Clock,
        lock_timeout: Duration,
        database: Database,
        options: PgConnectOptions,
        identity: &IdentityArgs,
    ) -> Self {
        let admin = PgPoolOptions::new().max_connections(80).connect_lazy_with(database.superuser());
        let secret_key = sealing::generate_key().expect("the system has randomness");
        let sealer = Arc::new(Sealer::new(&secret_key).expect("a generated key is a key"));
        let connection = PgConnection::connect_with(&database.owner()).await.expect("the owner may connect");
        let mut operator = Operator::new(connection, clock.clone(), sealer);
        let account = Account::create(&mut operator, &clock).await;
        let other = Account::create(&mut operator, &clock).await;

        let (listener, address) = app::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port is free");
        let base_url = format!("http://{address}");
        // The server closes what has been idle for five seconds; a request must not meet it in doing so.
        let http = reqwest::Client::builder()
            .no_proxy()
            .pool_idle_timeout(Duration::from_secs(2))
            .build()
            .expect("a client can be built");
        let app = Self { base_url, account, other, database, admin, secret_key, clock, http };
        app.serve(listener, options, lock_timeout, identity).await;
        app
    }

    /// Another process of the same deployment, with keys of the test's. Answers where it serves.
    pub async fn start_beside(&self, identity: &IdentityArgs) -> String {
        let (listener, address) = app::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port is free");
        self.serve(listener, self.database.app(), PATIENCE, identity).await;
        format!("http://{address}")
    }

    async fn serve(
        &self,
        listener: TcpListener,
        options: PgConnectOptions,
        lock_timeout: Duration,
        identity: &IdentityArgs,
    ) {
        let parts = self.parts(options, lock_timeout, identity);
        app::check(&parts).await.unwrap_or_else(|error| panic!("{error}"));
        let application = app::build(parts, listener).expect("the listener can be used");
        tokio::spawn(application.serve());
    }

    fn parts(&self, options: PgConnectOptions, lock_timeout: Duration, identity: &IdentityArgs) -> Parts {
        Parts {
            database: options,
            pool: PoolSettings { max_connections: 16, acquire_timeout: Duration::from_secs(30), lock_timeout },
            keyring: app::keyring(&self.secret_key, &self.base_url, identity).expect("the settings are right"),
            clock: self.clock.clone(),
            settings: Settings {
                public_url: self.base_url.clone(),
                record_bulk_limit: 100,
                cors_origins: vec![PAGE.to_owned()],
            },
            // What goes on in the background goes on when a test says so.
            workers: 0,
            threads: NonZero::new(2),
            keep_alive: Duration::from_secs(75),
            drain: Duration::ZERO,
            shutdown_timeout: 1,
        }
    }

    /// The services, behind HTTP's back.
    pub fn services(&self) -> Services {
        let identity = IdentityArgs { signing_keys: Vec::new(), issuers: Vec::new() };
        app::services(&self.parts(self.database.app(), PATIENCE, &identity))
    }

    /// The first account's client as the services know it.
    pub fn caller(&self) -> Caller {
        Caller {
            account_id: AccountId::parse(&self.account.id).expect("an account's id"),
            org_id: String::new(),
            client_id: self.account.client.clone(),
            agent_id: String::new(),
            user_id: UserId::generate(),
            scopes: Scope::ALL.to_vec(),
            request_id: "behind the back".to_owned(),
        }
    }

    /// Works in the background until there is nothing to do. Answers how many batches that took.
    pub async fn work(&self) -> usize {
        let services = self.services();
        let mut batches = 0;
        loop {
            while services.deletions.work().await.expect("the database answers") {
                batches += 1;
            }
            // What lost a race is due a little later, and a test's clock may stand still.
            let hurried = "UPDATE jobs SET due_at = '-infinity' WHERE kind = 'deletion' AND due_at > '-infinity'";
            if sqlx::query(hurried).execute(&self.admin).await.expect("jobs").rows_affected() == 0 {
                return batches;
            }
        }
    }

    /// A request without any identity.
    pub fn anonymous(&self, method: Method, path: &str) -> Request {
        self.anonymous_at(&self.base_url, method, path)
    }

    /// A request without any identity, to a process of the deployment.
    pub fn anonymous_at(&self, base_url: &str, method: Method, path: &str) -> Request {
        Request::new(&self.http, method, &format!("{base_url}{path}"))
    }

    /// A request of an account's client, naming account and stream as every family wants it.
    pub fn request_as(&self, account: &Account, method: Method, path: &str) -> Request {
        self.anonymous(method, path)
            .header("auth", &account.token)
            .header("accountId", &account.id)
            .header("iid", &account.stream)
    }

    /// A request of the first account's client.
    pub fn request(&self, method: Method, path: &str) -> Request {
        self.request_as(&self.account, method, path)
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.request(Method::GET, path).send().await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.request(Method::POST, path).json(body).send().await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.request(Method::DELETE, path).send().await
    }

    pub async fn delete_with(&self, path: &str, body: &Value) -> Answer {
        self.request(Method::DELETE, path).json(body).send().await
    }

    /// As an operator, for what has no path.
    pub async fn operator(&self) -> Operator {
        let connection = PgConnection::connect_with(&self.database.owner()).await.expect("the owner may connect");
        let sealer = Sealer::new(&self.secret_key).expect("a generated key is a key");
        Operator::new(connection, self.clock.clone(), Arc::new(sealer))
    }

    /// The first account again, with a client that has these scopes only.
    pub async fn with_scopes(&self, scopes: &[Scope]) -> Account {
        let id = AccountId::parse(&self.account.id).expect("an account's id");
        let mut operator = self.operator().await;
        let new =
            operator.create_client(&id, "limited", scopes, TokenExpiry::Strict).await.expect("a client is created");
        let token = tokens::sign(&new.client_id, &new.secret, self.clock.now()).expect("a token is signed");
        Account { client: new.client_id, secret: new.secret, token, ..self.account.clone() }
    }

    /// Creates contacts with numbers from `first` on. Answers their ids.
    pub async fn contacts(&self, first: u64, count: u64) -> Vec<String> {
        self.contacts_as(&self.account, first, count).await
    }

    /// Creates contacts of an account.
    pub async fn contacts_as(&self, account: &Account, first: u64, count: u64) -> Vec<String> {
        let new: Vec<Value> = (first..first + count)
            .map(|number| {
                json!({
                    "firstName": "john", "lastName": format!("doe{number}"), "salutation": "mr",
                    "cellPhone": {"extension": "+", "phoneNumber": number.to_string(), "countryCode": "+91"}
                })
            })
            .collect();
        let answer = self.request_as(account, Method::POST, &account.contacts_path()).json(&json!(new)).send().await;
        let created = answer.expect(200);
        let ids = created.as_array().expect("an array").iter();
        ids.map(|contact| contact["id"].as_str().unwrap_or_else(|| panic!("not created: {contact}")).to_owned())
            .collect()
    }

    /// Creates a contact list. Answers its id.
    pub async fn contact_list(&self, name: &str) -> String {
        let path = self.account.family("/campaign/contactList/createContactList");
        let new =
            json!({"name": name, "description": "made by a test", "source": "passiveApi", "allowDuplicates": true});
        let list = self.post(&path, &new).await.expect(200);
        list["data"]["_id"].as_str().expect("a list has an id").to_owned()
    }

    /// Adds people to a contact list.
    pub async fn members(&self, list_name: &str, numbers: &[&str]) {
        let path = format!("/api/1.1/public/{}/campaign/contactList/addContacts", self.account.stream);
        let data: Vec<Value> =
            numbers.iter().map(|number| json!({"phoneNumber": number, "firstName": "Ada"})).collect();
        self.post(&path, &json!({"contact_list_name": list_name, "data": data})).await.expect(200);
    }

    /// Creates a campaign that names a list. Answers its id.
    pub async fn campaign(&self, name: &str, list_name: &str) -> String {
        let path = self.account.family("/campaign?campaignType=voice");
        let campaign = self.post(&path, &json!({"name": name, "contactLists": [list_name]})).await.expect(200);
        campaign["data"]["id"].as_str().expect("a campaign has an id").to_owned()
    }

    /// Starts or stops a campaign.
    pub async fn trigger(&self, campaign: &str, trigger: &str) -> Answer {
        let stream = &self.account.stream;
        let path = format!("/campaign/api/v1/public/{stream}/campaign/{campaign}?campaignType=voice&trigger={trigger}");
        self.request(Method::POST, &path).send().await
    }

    /// Creates a record list. Answers its id.
    pub async fn record_list(&self, unique_identifier_type: &str) -> String {
        let new = json!({"name": "made by a test", "unique_identifier_type": unique_identifier_type});
        let list = self.post("/record-lists", &new).await.expect(201);
        list["id"].as_str().expect("a list has an id").to_owned()
    }

    /// Creates records, all of which must be good. Answers their ids.
    pub async fn records(&self, list: &str, records: &[Value]) -> Vec<String> {
        let path = format!("/record-lists/{list}/records/bulks");
        let created = self.post(&path, &json!({"records": records})).await.expect(201);
        assert_eq!(created["has_errors"], false, "{created}");
        let records = created["_embedded"]["records"].as_array().expect("an array");
        records.iter().map(|record| record["id"].as_str().expect("a record has an id").to_owned()).collect()
    }

    /// Leaves what an import of two rows would, one of them broken: a file that is answered at once leaves nothing.
    /// Answers the import's id.
    pub async fn contact_import_of(&self, account: &Account) -> String {
        let id: uuid::Uuid = sqlx::query_scalar(
            "WITH import AS (
                 INSERT INTO contact_imports (account_id, stream_id, id, created_by, created_at)
                 VALUES ($1, $2, gen_random_uuid(), 'u-', now())
                 RETURNING account_id, id
             )
             INSERT INTO contact_import_batches (account_id, import_id, first_row, created, failed, contact_ids, reasons,
                                                 messages, conflicting_ids, ended, at)
             SELECT account_id, id, 1, 1, 1, ARRAY['000000000000000000000000', NULL], ARRAY[NULL, 'INVALID_REQUEST'],
                    ARRAY[NULL, 'firstName: must not be empty'], ARRAY[NULL, NULL], 'COMPLETED', now()
             FROM import
             RETURNING import_id",
        )
        .bind(&account.id)
        .bind(&account.stream)
        .fetch_one(&self.admin)
        .await
        .expect("an import can be written");
        id.to_string()
    }

    /// A number that the database tells, by a statement that is put together.
    pub async fn counted(&self, sql: String) -> i64 {
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&self.admin).await.expect("a number")
    }

    /// A number from the database, for looking behind the service's back.
    pub async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.admin).await.expect("the statement is right")
    }
}

impl Account {
    async fn create(operator: &mut Operator, clock: &Clock) -> Self {
        let (id, _) = operator.create_account("test").await.expect("an account is created");
        let stream = operator.create_stream(&id, "test").await.expect("a stream is created");
        let new =
            operator.create_client(&id, "test", &Scope::ALL, TokenExpiry::Strict).await.expect("a client is created");
        let token = tokens::sign(&new.client_id, &new.secret, clock.now()).expect("a token is signed");
        Self { id: id.to_string(), stream: stream.to_string(), client: new.client_id, secret: new.secret, token }
    }

    /// A path of the agentassist families, in the account's stream.
    pub fn family(&self, rest: &str) -> String {
        format!("/agentassist/api/v1/public/{}{rest}", self.stream)
    }

    pub fn contacts_path(&self) -> String {
        self.family("/contacts")
    }

    pub fn contact_path(&self, id: &str) -> String {
        self.family(&format!("/contacts/{id}"))
    }

    pub fn bulk_delete_path(&self) -> String {
        self.family("/contacts/bulk-delete")
    }

    pub fn contact_list_path(&self, id: &str) -> String {
        self.family(&format!("/campaign/contactList/{id}"))
    }

    pub fn campaign_path(&self, id: &str) -> String {
        self.family(&format!("/campaign/{id}"))
    }
}

/// The base paths under which the campaigns family is there.
pub fn campaign_bases(account: &Account) -> [String; 2] {
    let stream = &account.stream;
    [format!("/agentassist/api/v1/public/{stream}/campaign"), format!("/campaign/api/v2/public/{stream}/campaign")]
}
