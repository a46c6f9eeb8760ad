//! `expunge serve` and `expunge migrate`.

use std::io::ErrorKind;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use expunge::clock::Clock;
use expunge::domain::identity::{Scope, TokenExpiry};
use expunge::domain::ids::ClientId;
use expunge::sealing::{self, Sealer};
use expunge::services::operator::Operator;
use expunge::services::tokens;
use nix::sys::signal::Signal;
use reqwest::{Method, StatusCode};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Program, http, until_async};
use crate::support::http::Request;
use crate::support::issuer::{IssuerKey, IssuerServer, platform_claims};
use crate::support::postgres::{Database, PASSWORD, url};
use crate::support::{Account, Answer};

/// What `serve` is told by its environment.
pub struct Environment {
    database_url: String,
    owner_url: String,
    pub secret_key: String,
}

impl Environment {
    pub fn of(database: &Database) -> Self {
        let key = sealing::generate_key().expect("the system has randomness");
        Self {
            database_url: url(&database.app()),
            owner_url: url(&database.owner()),
            secret_key: key.expose_secret().to_owned(),
        }
    }

    pub fn serving(&self) -> Vec<(&str, &str)> {
        vec![
            ("EXPUNGE_DATABASE_URL", &self.database_url),
            ("EXPUNGE_SECRET_KEY", &self.secret_key),
            ("EXPUNGE_LISTEN", "127.0.0.1:0"),
        ]
    }

    pub fn owning(&self) -> Vec<(&str, &str)> {
        vec![("EXPUNGE_OWNER_DATABASE_URL", &self.owner_url), ("EXPUNGE_SECRET_KEY", &self.secret_key)]
    }
}

/// A running `serve`.
pub struct Serving {
    pub program: Program,
    pub base_url: String,
}

impl Serving {
    pub async fn start(args: &[&str], environment: &[(&str, &str)]) -> Self {
        let args = ["serve"].into_iter().chain(args.iter().copied());
        let mut program = Program::start(args, environment.iter().copied());
        let address = program
            .line(
                |program| &program.stderr,
                |line| {
                    let line: Value = serde_json::from_str(line).ok()?;
                    (line["message"] == "serving").then(|| line["address"].as_str().map(str::to_owned))?
                },
            )
            .await;
        let serving = Self { program, base_url: format!("http://{address}") };
        until_async("it is ready", async || {
            serving.get("/readyz").try_send().await.ok().filter(|answer| answer.status == StatusCode::OK)
        })
        .await;
        serving
    }

    pub fn request(&self, method: Method, path: &str) -> Request {
        Request::new(&http(), method, &format!("{}{path}", self.base_url))
    }

    fn get(&self, path: &str) -> Request {
        self.request(Method::GET, path)
    }

    /// Stops it as an orchestrator does. Answers its log.
    async fn stop(self) -> Vec<Value> {
        self.program.signal(Signal::SIGTERM);
        let ended = self.program.ended().await;
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""), "{ended:?}");
        log(&ended.stderr)
    }
}

/// The log's lines, every one of which is a JSON object.
fn log(stderr: &str) -> Vec<Value> {
    stderr
        .lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            for field in ["timestamp", "level", "message", "target"] {
                assert!(line[field].is_string(), "no {field}: {line}");
            }
            line
        })
        .collect()
}

/// An account with a stream and a token, in the database that is served from.
struct Customer {
    account: String,
    stream: String,
    client: ClientId,
    token: String,
    secret: String,
}

impl Customer {
    async fn create(database: &Database, environment: &Environment) -> Self {
        let connection = PgConnection::connect_with(&database.owner()).await.expect("the owner may connect");
        let sealer = Sealer::new(&environment.secret_key.clone().into()).expect("a generated key is a key");
        let mut operator = Operator::new(connection, Clock::system(), Arc::new(sealer));
        let (account, _) = operator.create_account("Customer").await.expect("an account is created");
        let stream = operator.create_stream(&account, "desk").await.expect("a stream is created");
        let client = operator.create_client(&account, "program", &Scope::ALL, TokenExpiry::Strict).await;
        let client = client.expect("a client is created");
        let token = tokens::sign(&client.client_id, &client.secret, Clock::system().now()).expect("a token is signed");
        Self {
            account: account.to_string(),
            stream: stream.to_string(),
            client: client.client_id,
            token,
            secret: client.secret.expose_secret().to_owned(),
        }
    }

    fn request(&self, serving: &Serving, method: Method, rest: &str) -> Request {
        serving
            .request(method, &format!("/agentassist/api/v1/public/{}{rest}", self.stream))
            .header("auth", &self.token)
            .header("accountId", &self.account)
    }

    async fn create_contact(&self, serving: &Serving, first_name: &str, number: &str) -> String {
        let created = self
            .request(serving, Method::POST, "/contacts")
            .json(&json!([{
                "firstName": first_name, "lastName": "Szczepański", "salutation": "ms",
                "cellPhone": {"extension": "+", "phoneNumber": number, "countryCode": "+91"}
            }]))
            .send()
            .await
            .expect(200);
        created[0]["id"].as_str().unwrap_or_else(|| panic!("not created: {created}")).to_owned()
    }
}

async fn refusal(args: &[&str], environment: &[(&str, &str)]) -> String {
    let args = ["serve"].into_iter().chain(args.iter().copied());
    let ended = Program::run(args, environment.iter().copied()).await;
    ended.failure().to_owned()
}

#[tokio::test]
async fn a_database_that_is_not_migrated_is_refused_until_it_is() {
    let database = Database::create_empty().await;
    let environment = Environment::of(&database);
    let mut superuser = PgConnection::connect_with(&database.superuser()).await.expect("the superuser may connect");
    // In the database that a host hands over, its owner may make tables.
    superuser.execute("GRANT ALL ON SCHEMA public TO expunge_owner").await.expect("the superuser may do all");
    let reason = refusal(&[], &environment.serving()).await;
    assert!(reason.contains("`expunge migrate`"), "{reason}");

    for _ in 0..2 {
        let ended = Program::run(["migrate"], environment.owning()).await;
        assert!(ended.success().starts_with("the schema is at migration 20"), "{ended:?}");
    }
    let serving = Serving::start(&[], &environment.serving()).await;
    assert_eq!(serving.get("/livez").send().await.expect(200), json!({"status": "ok"}));
    assert_eq!(serving.get("/readyz").send().await.expect(200), json!({"status": "ready"}));
    superuser.execute("DELETE FROM _sqlx_migrations").await.expect("the superuser may do all");
    assert_eq!(serving.get("/readyz").send().await.expect(503), json!({"status": "not ready"}));
    assert_eq!(serving.get("/livez").send().await.expect(200), json!({"status": "ok"}));
    serving.stop().await;
}

#[tokio::test]
async fn an_empty_database_is_migrated_at_the_start_when_that_is_asked_for() {
    let database = Database::create_empty().await;
    let environment = Environment::of(&database);
    let mut all = environment.serving();
    all.extend(environment.owning());
    let serving = Serving::start(&["--migrate"], &all).await;
    serving.get("/readyz").send().await.expect(200);
    serving.stop().await;
    for (said, passwords) in [("1", true), ("true", false), ("false", false)] {
        let mut all = if said == "false" { environment.serving() } else { all.clone() };
        all.push(("EXPUNGE_MIGRATE", said));
        if passwords {
            all.push(("EXPUNGE_APP_PASSWORD", PASSWORD));
        }
        let serving = Serving::start(&[], &all).await;
        serving.get("/readyz").send().await.expect(200);
        serving.stop().await;
    }
    let ended = Program::run(["serve", "--migrate"], environment.serving()).await;
    assert!(ended.code == Some(1) && ended.stderr.contains("EXPUNGE_OWNER_DATABASE_URL"), "{ended:?}");
}

#[tokio::test]
async fn several_programs_may_migrate_one_database_at_the_same_time() {
    let database = Database::create_empty().await;
    let environment = Environment::of(&database);
    let run = || Program::run(["migrate"], environment.owning());
    let (a, b, c) = tokio::join!(run(), run(), run());
    for ended in [a, b, c] {
        assert!(ended.success().starts_with("the schema is at migration 20"), "{ended:?}");
    }
}

#[tokio::test]
async fn passwords_are_set_on_the_roles_when_they_are_given() {
    let database = Database::create().await;
    let environment = Environment::of(&database);
    let mut all = environment.owning();
    all.extend([("EXPUNGE_APP_PASSWORD", PASSWORD), ("EXPUNGE_WORKER_PASSWORD", PASSWORD)]);
    Program::run(["migrate"], all).await.success();
    PgConnection::connect_with(&database.app()).await.expect("the password is the one that was given");
}

#[tokio::test]
async fn the_owner_of_the_tables_does_not_serve() {
    let database = Database::create().await;
    let environment = Environment::of(&database);
    let mut all = environment.serving();
    all.push(("EXPUNGE_DATABASE_URL", &environment.owner_url));
    let ended = Program::run(["serve"], all).await;
    assert!(ended.code == Some(1) && ended.stderr.contains("the role expunge_owner owns tables"), "{ended:?}");
}

#[tokio::test]
async fn what_cannot_be_served_with_is_said_in_one_line() {
    let database = Database::create().await;
    let environment = Environment::of(&database);
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let taken = taken.local_addr().map(|address| (taken, address.to_string())).expect("it has an address");
    for (name, value, said) in [
        ("EXPUNGE_SECRET_KEY", "hunter2", "the secret key must be 32 bytes"),
        ("EXPUNGE_DATABASE_URL", "hunter2", "EXPUNGE_DATABASE_URL"),
        ("EXPUNGE_DATABASE_URL", "mysql://app:hunter2@host/db", "EXPUNGE_DATABASE_URL"),
        ("EXPUNGE_DATABASE_URL", "postgres://app:hunter2@127.0.0.1:1/db", "onnection refused"),
        ("EXPUNGE_LISTEN", taken.1.as_str(), "cannot serve on 127.0.0.1:"),
        ("EXPUNGE_SIGNING_KEYS", "derived,hunter2", "signing key 2 must be 32 bytes"),
        (
            "EXPUNGE_ISSUERS",
            "iss=a;jwks=https://a.example,iss=a;jwks=https://b.example",
            "the issuer a is configured twice",
        ),
    ] {
        let mut all = environment.serving();
        all.extend([(name, value), ("EXPUNGE_ACQUIRE_TIMEOUT_MS", "1000")]);
        let reason = refusal(&[], &all).await;
        assert!(reason.contains(said) && !reason.contains("hunter2"), "{name}={value}: {reason}");
        let parts: Vec<&str> = reason.split(": ").collect();
        assert!(parts.iter().all(|part| reason.matches(part).count() == 1), "it repeats itself: {reason}");
    }
    let without_key = environment.serving().into_iter().filter(|(name, _)| *name != "EXPUNGE_SECRET_KEY");
    let ended = Program::run(["serve"], without_key).await;
    assert!(ended.code == Some(2) && ended.stderr.contains("--secret-key"), "{ended:?}");
    for (name, value) in [
        ("EXPUNGE_LISTEN", "nowhere"),
        ("EXPUNGE_RECORD_BULK_LIMIT", "99"),
        ("EXPUNGE_THREADS", "0"),
        ("EXPUNGE_KEEP_ALIVE_SECONDS", "0"),
    ] {
        let ended = Program::run(["serve"], environment.serving().into_iter().chain([(name, value)])).await;
        assert!(ended.code == Some(2) && ended.stderr.contains(value), "{name}: {ended:?}");
    }
}

#[tokio::test]
async fn the_log_is_json_and_holds_nothing_personal() {
    let database = Database::create().await;
    let environment = Environment::of(&database);
    let customer = Customer::create(&database, &environment).await;
    let mut all = environment.serving();
    // More than anyone runs with, so that what is not logged there is logged nowhere.
    all.push(("RUST_LOG", "debug"));
    let serving = Serving::start(&[], &all).await;

    let (name, number, subject) = ("Wilhelmina", "9876512345", "Quetzalcoatl");
    let id = customer.create_contact(&serving, name, number).await;
    let found = customer.request(&serving, Method::GET, &format!("/contacts?phoneNumber=%2B91{number}")).send().await;
    assert_eq!(found.expect(200)["totalResults"], 1);
    let deleted = customer.request(&serving, Method::DELETE, &format!("/contacts/{id}")).send().await;
    deleted.expect(200);
    let sent = |answer: &Answer| answer.status.as_u16();
    let mut statuses = Vec::new();
    // What goes wrong is said to the caller and is no business of the log.
    for (method, rest, body) in [
        (Method::POST, "/contacts".to_owned(), format!("[{{\"firstName\": \"{subject}\", \"phoneNumber\": {number}")),
        (Method::POST, "/contacts".to_owned(), format!("[{{\"firstName\": \"{subject}\"}}]")),
        (Method::DELETE, format!("/contacts/{number}"), String::new()),
        (Method::GET, format!("/{subject}/{number}"), String::new()),
        (Method::PATCH, format!("/contacts/{id}?name={subject}"), String::new()),
        (Method::DELETE, "/contacts/bulk-delete".to_owned(), format!("{{\"ids\": [\"{subject}\"]}}")),
    ] {
        let request = customer.request(&serving, method, &rest);
        let request = if body.is_empty() { request } else { request.body("application/json", body) };
        statuses.push(sent(&request.send().await));
    }
    assert_eq!(statuses, [400, 200, 404, 404, 405, 200]);
    let stranger =
        serving.get(&format!("/record-lists/{subject}")).header("Authorization", "Bearer e30.hunter2.hunter2");
    assert_eq!(stranger.send().await.status, StatusCode::UNAUTHORIZED);
    // And so is what goes wrong inside.
    let mut superuser = PgConnection::connect_with(&database.superuser()).await.expect("the superuser may connect");
    superuser.execute("ALTER TABLE contacts ADD CONSTRAINT broken CHECK (false) NOT VALID").await.expect("it may");
    let failed = customer.request(&serving, Method::POST, "/contacts").json(&json!([{
        "firstName": subject, "lastName": "x", "salutation": "ms",
        "cellPhone": {"extension": "+", "phoneNumber": "9876554321", "countryCode": "+91"}
    }]));
    assert_eq!(failed.send().await.status, StatusCode::INTERNAL_SERVER_ERROR);

    let log = serving.stop().await;
    let text = log.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    let signature = customer.token.rsplit('.').next().expect("a token has three parts");
    for secret in [
        name,
        number,
        subject,
        "9876554321",
        "Szczepa",
        "hunter2",
        signature,
        &customer.secret,
        &environment.secret_key,
    ] {
        let line = log.iter().find(|line| line.to_string().contains(secret));
        assert!(line.is_none(), "{secret} is in the log: {}", line.unwrap_or(&Value::Null));
    }
    let answered: Vec<&Value> =
        log.iter().filter(|line| line["message"] == "answered" && line["level"] == "INFO").collect();
    assert_eq!(answered.len(), 11, "one line for each request: {text}");
    for line in &answered {
        assert!(line["status"].is_u64() && line["duration_ms"].is_number() && line["route"].is_string(), "{line}");
        assert!(line["span"]["request_id"].is_string(), "{line}");
    }
    let of_deletion = answered.iter().find(|line| line["deletion_id"].is_string()).expect("the deletion is named");
    assert_eq!(of_deletion["deletion_id"], deleted.header("Deletion-Id").expect("it has an id"));
    assert_eq!(of_deletion["span"]["account_id"], customer.account.as_str());
    assert_eq!(of_deletion["span"]["request_id"], deleted.header("Request-Id").expect("it has an id"));
    let errors: Vec<&Value> = log.iter().filter(|line| line["level"] == "ERROR").collect();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!((&errors[0]["code"], &errors[0]["constraint"]), (&json!("23514"), &json!("broken")));
}

#[tokio::test]
async fn a_request_that_is_under_way_is_finished_before_the_service_stops() {
    let database = Database::create().await;
    let environment = Environment::of(&database);
    let customer = Customer::create(&database, &environment).await;
    let serving = Serving::start(&["--lock-timeout-ms", "30000"], &environment.serving()).await;
    let id = customer.create_contact(&serving, "Ada", "9876512345").await;

    let mut superuser = PgConnection::connect_with(&database.superuser()).await.expect("the superuser may connect");
    let mut holder = superuser.begin().await.expect("a transaction");
    let lock = format!("SELECT FROM contacts WHERE id = '{id}' FOR UPDATE");
    holder.execute(AssertSqlSafe(lock)).await.expect("the row can be locked");
    let deletion = customer.request(&serving, Method::DELETE, &format!("/contacts/{id}"));
    let deletion = tokio::spawn(deletion.send());
    let waiting = "SELECT count(*) FROM pg_stat_activity
                   WHERE datname = current_database() AND wait_event_type = 'Lock' AND usename = 'expunge_app'";
    // Not in the holder's transaction, which would see the same activity again and again.
    let mut watcher = PgConnection::connect_with(&database.superuser()).await.expect("the superuser may connect");
    until_async("the deletion waits for the row", async || {
        let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(&mut watcher).await.expect("anyone may ask");
        (waiting > 0).then_some(())
    })
    .await;

    serving.program.signal(Signal::SIGTERM);
    let probe = http_with_little_patience();
    until_async("it is ready no more", async || {
        let answer = Request::new(&probe, Method::GET, &format!("{}/readyz", serving.base_url)).try_send().await;
        answer.map_or(true, |answer| answer.status == StatusCode::SERVICE_UNAVAILABLE).then_some(())
    })
    .await;
    assert!(!deletion.is_finished(), "it still waits");
    holder.rollback().await.expect("the row is let go");
    let deleted = deletion.await.expect("it does not panic");
    assert_eq!(deleted.expect(200)["status"], "INACTIVE");
    let ended = serving.program.ended().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

/// A connection over which something has been asked and answered, and that is idle now.
async fn idle_connection(serving: &Serving) -> TcpStream {
    let address = serving.base_url.strip_prefix("http://").expect("it is served without TLS");
    let mut connection = TcpStream::connect(address).await.expect("it listens");
    connection.write_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n").await.expect("it is read");
    let mut answer = Vec::new();
    while !answer.ends_with(br#"{"status":"ok"}"#) {
        assert!(connection.read_buf(&mut answer).await.expect("it is answered") > 0, "it is closed instead");
    }
    connection
}

/// Waits until the other side closes it.
async fn closed(connection: &mut TcpStream) {
    assert_eq!(connection.read(&mut [0]).await.expect("it is closed in order"), 0, "nothing more is said");
}

#[tokio::test]
async fn a_connection_without_a_request_is_closed_after_the_time_that_is_set() {
    let database = Database::create().await;
    let environment = Environment::of(&database);
    let mut all = environment.serving();
    all.push(("EXPUNGE_KEEP_ALIVE_SECONDS", "1"));
    let short = Serving::start(&[], &all).await;
    let long = Serving::start(&[], &environment.serving()).await;
    let mut kept = idle_connection(&long).await;
    // Longer than the library keeps one by itself, which is five seconds.
    let opened_at = Instant::now();
    while opened_at.elapsed() < Duration::from_secs(7) {
        closed(&mut idle_connection(&short).await).await;
    }
    assert!(kept.try_read(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock), "it is still open");
    long.program.signal(Signal::SIGTERM);
    closed(&mut kept).await;
    short.stop().await;
}

#[tokio::test]
async fn a_connection_without_a_request_does_not_hold_up_the_end() {
    let database = Database::create().await;
    let environment = Environment::of(&database);
    let serving = Serving::start(&["--shutdown-timeout", "600"], &environment.serving()).await;
    let mut idle = idle_connection(&serving).await;
    let asked_at = Instant::now();
    serving.stop().await;
    assert!(asked_at.elapsed() < Duration::from_secs(10), "{:?}", asked_at.elapsed());
    closed(&mut idle).await;
}

/// For probes of a service that may have stopped listening without saying so.
fn http_with_little_patience() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().timeout(Duration::from_millis(500)).build().expect("a client can be built")
}

#[tokio::test]
async fn an_issuer_that_is_away_is_logged_once_and_again_when_it_is_back() {
    let database = Database::create().await;
    let environment = Environment::of(&database);
    let customer = Customer::create(&database, &environment).await;
    let key = IssuerKey::eddsa("a");
    let mut issuer = IssuerServer::start(&[&key]).await;
    let setting = issuer.setting();
    let mut all = environment.serving();
    all.push(("EXPUNGE_ISSUERS", &setting));
    let serving = Serving::start(&[], &all).await;
    let account = Account {
        id: customer.account.clone(),
        stream: customer.stream.clone(),
        client: customer.client.clone(),
        secret: customer.secret.clone().into(),
        token: customer.token.clone(),
    };
    let token = key.token(&platform_claims(&account, Clock::system().now().unix_timestamp(), &json!({})));
    let path = format!("/agentassist/api/v1/public/{}/contacts", customer.stream);
    let ask = async || {
        let request = serving.request(Method::GET, &path).header("auth", &token);
        request.header("accountId", &customer.account).send().await.status.as_u16()
    };
    issuer.leave().await;
    for _ in 0..3 {
        assert_eq!(ask().await, 401);
    }
    issuer.come_back().await;
    assert_eq!(ask().await, 200);
    let log = serving.stop().await;
    let of = |level: &str| log.iter().filter(|line| line["level"] == level && line["issuer"].is_string()).collect();
    let (warnings, notes): (Vec<&Value>, Vec<&Value>) = (of("WARN"), of("INFO"));
    assert_eq!(warnings.len(), 1, "once for the outage, not for each request: {warnings:?}");
    assert!(warnings[0]["cause"].as_str().is_some_and(|cause| cause.contains("onnection refused")), "{warnings:?}");
    assert_eq!(notes.len(), 1, "{notes:?}");
    let signature = token.rsplit('.').next().expect("a token has three parts");
    assert!(!log.iter().any(|line| line.to_string().contains(signature)), "a token is in the log");
}
