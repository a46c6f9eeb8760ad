//! `expunge account`, `stream` and `client`.

use std::time::{Duration, Instant};

use expunge::clock::Clock;
use expunge::domain::identity::Scope;
use expunge::domain::ids::ClientId;
use expunge::services::tokens;
use reqwest::Method;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::serve::{Environment, Serving};
use super::{Ended, Program};
use crate::support::postgres::Database;

async fn run(environment: &Environment, command: &str) -> Ended {
    Program::run(command.split_whitespace(), environment.owning()).await
}

/// The status of a request with a token that is signed with this secret.
async fn status(serving: &Serving, (account, stream): (&str, &str), client: &str, secret: &str) -> u16 {
    let client = ClientId::parse(client).expect("a client's id was printed");
    let token = tokens::sign(&client, &secret.to_owned().into(), Clock::system().now()).expect("a token is signed");
    let path = format!("/agentassist/api/v1/public/{stream}/contacts");
    serving.request(Method::GET, &path).header("auth", &token).header("accountId", account).send().await.status.as_u16()
}

/// Everything that is in the database, as text.
async fn dump(database: &Database) -> String {
    let mut superuser = PgConnection::connect_with(&database.superuser()).await.expect("the superuser may connect");
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'",
    )
    .fetch_all(&mut superuser)
    .await
    .expect("the catalog can be read");
    let mut dump = String::new();
    for table in tables {
        let rows: Vec<String> =
            sqlx::query_scalar(AssertSqlSafe(format!("SELECT to_jsonb(t)::text FROM {table} AS t")))
                .fetch_all(&mut superuser)
                .await
                .expect("the superuser sees all");
        dump.push_str(&rows.join("\n"));
    }
    dump
}

#[tokio::test]
async fn an_operator_gives_a_customer_access_and_takes_it_away_again() {
    let database = Database::create().await;
    let environment = Environment::of(&database);
    let serving = Serving::start(&[], &environment.serving()).await;

    let created = run(&environment, "account create --name Northwind").await;
    let (account, org) = (created.value("account_id"), created.value("org_id"));
    let accounts = run(&environment, "account list").await;
    assert_eq!(accounts.success(), format!("{account}\t{org}\tNorthwind\n"));
    let stream = run(&environment, &format!("stream create --account {account} --name desk")).await.value("stream_id");
    let streams = run(&environment, &format!("stream list --account {account}")).await;
    assert_eq!(streams.success(), format!("{stream}\tdesk\n"));

    let of = (account.as_str(), stream.as_str());
    let create = format!("client create --account {account} --name dialer --scope configuration,deletions:hard");
    let created = run(&environment, &create).await;
    let (client, secret) = (created.value("client_id"), created.value("client_secret"));
    assert_eq!(status(&serving, of, &client, &secret).await, 200);
    let create = format!("client create --account {account} --name narrow --scope deletions:read");
    let created = run(&environment, &create).await;
    let (narrow, its_secret) = (created.value("client_id"), created.value("client_secret"));
    assert_eq!(status(&serving, of, &narrow, &its_secret).await, 403);

    let rotated = run(&environment, &format!("client rotate --client {client}")).await;
    assert_eq!(rotated.value("client_id"), client);
    let new_secret = rotated.value("client_secret");
    assert_ne!(new_secret, secret);
    is_refused_soon(&serving, of, &client, &secret).await;
    assert_eq!(status(&serving, of, &client, &new_secret).await, 200);

    let dump = dump(&database).await;
    assert!(dump.contains(&client), "the client is in the database: {dump}");
    let listed = run(&environment, &format!("client list --account {account}")).await;
    let stored = dump.to_lowercase();
    for secret in [&secret, &new_secret, &its_secret] {
        assert!(!dump.contains(secret) && !stored.contains(&hex::encode(secret)), "a secret is stored in the clear");
        assert!(!listed.success().contains(secret), "a secret is listed");
    }
    let line = format!("{client}\tstrict\tconfiguration,deletions:hard\tdialer");
    assert!(listed.success().lines().any(|listed| listed == line), "{listed:?}");

    run(&environment, &format!("client revoke --client {client}")).await.success();
    is_refused_soon(&serving, of, &client, &new_secret).await;
    let listed = run(&environment, &format!("client list --account {account}")).await;
    assert!(listed.success().contains(&format!("{client}\trevoked\t")), "{listed:?}");
    for command in ["rotate", "revoke"] {
        let again = run(&environment, &format!("client {command} --client {client}")).await;
        assert!(again.failure().contains(&format!("there is no client {client}, or it has been revoked")), "{again:?}");
    }
    assert_eq!(status(&serving, of, &narrow, &its_secret).await, 403, "the other client is as it was");
}

/// What an operator does to a client takes effect within a second.
async fn is_refused_soon(serving: &Serving, of: (&str, &str), client: &str, secret: &str) {
    let since = Instant::now();
    while status(serving, of, client, secret).await != 401 {
        assert!(since.elapsed() < Duration::from_secs(30), "the secret is still taken");
    }
}

#[tokio::test]
async fn what_an_operator_mistypes_is_said() {
    let database = Database::create().await;
    let environment = Environment::of(&database);
    let account = run(&environment, "account create --name Northwind").await.value("account_id");

    let scopes = run(&environment, &format!("client create --account {account} --name x --scope everything")).await;
    assert_eq!(scopes.code, Some(2), "{scopes:?}");
    for scope in Scope::ALL {
        assert!(scopes.stderr.contains(scope.name()), "{} is not named: {}", scope.name(), scopes.stderr);
    }
    let unknown = "0123456789abcdef01234567";
    for command in
        ["stream create --name x", "stream list", "client create --name x --scope configuration", "client list"]
    {
        let ended = run(&environment, &format!("{command} --account {unknown}")).await;
        assert_eq!(ended.failure(), format!("expunge: there is no account {unknown}"), "{command}");
        let ended = run(&environment, &format!("{command} --account Northwind")).await;
        assert!(ended.code == Some(2) && ended.stderr.contains("24 lower-case hexadecimal digits"), "{ended:?}");
    }
    let client = "cs-00000000-0000-4000-8000-000000000000";
    for command in ["rotate", "revoke"] {
        let ended = run(&environment, &format!("client {command} --client {client}")).await;
        assert!(ended.failure().contains(&format!("there is no client {client}")), "{ended:?}");
        let ended = run(&environment, &format!("client {command} --client x")).await;
        assert!(ended.code == Some(2) && ended.stderr.contains("cs- and a UUID"), "{ended:?}");
    }
    let mut with_bad_key = environment.owning();
    with_bad_key.push(("EXPUNGE_SECRET_KEY", "hunter2"));
    let ended = Program::run(["account", "list"], with_bad_key).await;
    assert!(ended.failure().contains("the secret key must be 32 bytes"), "{ended:?}");
    let accounts = run(&environment, "account list").await;
    assert_eq!(accounts.success().lines().count(), 1, "nothing was made on the way");
}

#[tokio::test]
async fn a_client_may_be_given_tokens_that_do_not_expire() {
    let database = Database::create().await;
    let environment = Environment::of(&database);
    let account = run(&environment, "account create --name Northwind").await.value("account_id");
    for (flag, state) in [("", "strict"), ("--allow-tokens-without-expiry", "tokens may not expire")] {
        let create = format!("client create --account {account} --name x --scope configuration {flag}");
        let client = run(&environment, &create).await.value("client_id");
        let listed = run(&environment, &format!("client list --account {account}")).await;
        let wanted = format!("{client}\t{state}\tconfiguration\tx");
        assert!(listed.success().lines().any(|line| line == wanted), "{listed:?}");
    }
}
