//! Who may call, and what others learn: nothing.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::sync::atomic::Ordering;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use expunge::domain::identity::{Scope, TokenExpiry};
use expunge::domain::ids::{AccountId, ClientId};
use expunge::services::tokens;
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::support::issuer::unsigned;
use crate::support::{
    Account, Answer, Family, Operation, TestApp, Things, fingerprint, test_clock, things_fingerprint,
};

const HS256: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

/// A token of these very texts.
fn token(header: &str, claims: &str, secret: &SecretString) -> String {
    signed_with(hmac::HMAC_SHA256, header, claims, secret.expose_secret().as_bytes())
}

fn signed_with(algorithm: hmac::Algorithm, header: &str, claims: &str, key: &[u8]) -> String {
    let body = unsigned(header, claims);
    let signature = hmac::sign(&hmac::Key::new(algorithm, key), body.as_bytes());
    format!("{body}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

/// The claims of a good token, with some of them changed; null takes a claim out.
fn claims(client: &ClientId, now: OffsetDateTime, changes: &Value) -> String {
    let now = now.unix_timestamp();
    let mut claims = json!({"appId": client.as_str(), "iat": now, "exp": now + 600});
    for (claim, value) in changes.as_object().expect("changes are an object") {
        match value {
            Value::Null => claims.as_object_mut().expect("claims are an object").shift_remove(claim),
            value => claims.as_object_mut().expect("claims are an object").insert(claim.clone(), value.clone()),
        };
    }
    claims.to_string()
}

/// An answer without what every two answers may differ in. Whether the
/// connection is closed depends on how much of the body had arrived; each thread
/// lists what pages may read in an order of its own.
fn essence(answer: &Answer, things: &Things) -> (u16, Vec<(String, String)>, String) {
    let mut headers: Vec<(String, String)> = answer
        .headers
        .iter()
        .filter(|(name, _)| {
            !["request-id", "date", "connection", "access-control-expose-headers"].contains(&name.as_str())
        })
        .map(|(name, value)| {
            let value = if name == "deletion-id" { "…" } else { value.to_str().expect("headers are text") };
            (name.to_string(), value.to_owned())
        })
        .collect();
    headers.sort();
    let mut text = things.hidden_in(&answer.text);
    // A deletion in which everything failed is one of its own all the same.
    if let Some(mut deletion) = serde_json::from_str::<Value>(&text).ok().filter(|body| body["action"].is_string()) {
        for field in ["id", "created_at", "started_at", "finished_at"] {
            deletion[field] = json!("…");
        }
        text = deletion.to_string();
    }
    (answer.status.as_u16(), headers, text)
}

fn refused(operation: &Operation, answer: &Answer, status: u16, name: &str) -> Vec<String> {
    let refusal = operation.family.refusal(answer, status);
    let refusal = refusal.unwrap_or_else(|wrong| panic!("{} with {name}: {wrong}", operation.id));
    let code = match (operation.family, status) {
        (Family::RecordLists, 401) => "0530901",
        (Family::RecordLists, 403) => "0530902",
        (Family::RecordLists, _) => "0530900",
        (Family::Native, 401) => "UNAUTHENTICATED",
        (Family::Native, 403) => "MISSING_SCOPE",
        (Family::Native, _) => "INVALID_REQUEST",
        (_, 401 | 403) => "4002",
        _ => "400",
    };
    assert_eq!(refusal.code, code, "{} with {name}: {answer:?}", operation.id);
    refusal.complaints
}

/// The operation that tokens are tried at.
fn get_contact(things: &Things, account: &Account) -> Operation {
    named("get_contact", things, account)
}

fn named(id: &str, things: &Things, account: &Account) -> Operation {
    let mut operations = things.operations(account).into_iter();
    operations.find(|operation| operation.id == id).unwrap_or_else(|| panic!("there is no operation {id}"))
}

async fn status_of(operation: &Operation, app: &TestApp, token: &str) -> u16 {
    let headers = [("auth", token), ("accountId", &app.account.id), ("iid", &app.account.stream)];
    let answer = operation.send_with(app, &headers).await;
    let status = answer.status.as_u16();
    if status == 401 {
        let complaints = refused(operation, &answer, 401, token);
        assert!(["Invalid JWT token", "Invalid SDK credentials"].contains(&complaints[0].as_str()), "{complaints:?}");
    }
    status
}

type Headers = Vec<(&'static str, String)>;

/// Callers whom no operation may answer.
async fn bad_credentials(app: &TestApp) -> Vec<(&'static str, Headers)> {
    let (account, now) = (&app.account, app.clock.now());
    let good = claims(&account.client, now, &json!({}));
    let changed = |changes: Value| token(HS256, &claims(&account.client, now, &changes), &account.secret);
    let unknown = ClientId::generate();
    let mut operator = app.operator().await;
    let id = AccountId::parse(&account.id).expect("an account's id");
    let revoked = operator.create_client(&id, "revoked", &Scope::ALL, TokenExpiry::Strict).await.expect("a client");
    operator.revoke_client(&revoked.client_id).await.expect("the client is revoked");
    let rotated = operator.create_client(&id, "rotated", &Scope::ALL, TokenExpiry::Strict).await.expect("a client");
    operator.rotate_client(&rotated.client_id).await.expect("the client is rotated");
    let tokens = [
        ("an empty token", String::new()),
        ("a word", "token".to_owned()),
        ("dots", "..".to_owned()),
        ("Bearer in auth", format!("Bearer {}", account.token)),
        ("no signature", format!("{}.", unsigned(HS256, &good))),
        ("two parts", unsigned(HS256, &good)),
        ("four parts", format!("{}.x", account.token)),
        ("alg none", format!("{}.", unsigned(r#"{"alg":"none"}"#, &good))),
        ("alg none and a signature", token(r#"{"alg":"none"}"#, &good, &account.secret)),
        ("another's secret", token(HS256, &good, &app.other.secret)),
        ("another's client", token(HS256, &claims(&app.other.client, now, &json!({})), &account.secret)),
        ("no secret at all", token(HS256, &good, &SecretString::from(""))),
        ("an expired token", changed(json!({"exp": now.unix_timestamp() - 60}))),
        ("a token that never expires", changed(json!({"exp": null}))),
        ("a token of tomorrow", changed(json!({"nbf": now.unix_timestamp() + 600}))),
        ("a token of nobody", changed(json!({"appId": null}))),
        ("an unknown client", token(HS256, &claims(&unknown, now, &json!({})), &account.secret)),
        ("a revoked client", tokens::sign(&revoked.client_id, &revoked.secret, now).expect("a token")),
        ("a rotated secret", tokens::sign(&rotated.client_id, &rotated.secret, now).expect("a token")),
        ("a token over 8 KiB", changed(json!({"x": "x".repeat(8 * 1024)}))),
    ];
    let named = |token: &str, account_id: &str, stream: &str| {
        vec![("auth", token.to_owned()), ("accountId", account_id.to_owned()), ("iid", stream.to_owned())]
    };
    let mut credentials: Vec<(&'static str, Headers)> =
        tokens.into_iter().map(|(name, token)| (name, named(&token, &account.id, &account.stream))).collect();
    let (own_token, own, stream) = (account.token.as_str(), account.id.as_str(), account.stream.as_str());
    let stranger = "st-00000000-0000-4000-8000-000000000000";
    credentials.extend([
        ("nothing", vec![]),
        ("no token", vec![("accountId", own.to_owned()), ("iid", stream.to_owned())]),
        ("Basic", vec![("Authorization", format!("Basic {own_token}")), ("accountId", own.to_owned())]),
        ("a bare Authorization", vec![("Authorization", own_token.to_owned()), ("accountId", own.to_owned())]),
        ("another's account", named(own_token, &app.other.id, stream)),
        ("an unknown account", named(own_token, "000000000000000000000000", stream)),
        ("a malformed account", named(own_token, "x", stream)),
        (
            "an account in capitals",
            named(own_token, &own.to_uppercase().replace(|c: char| c.is_numeric(), "A"), stream),
        ),
        ("another's stream", named(own_token, own, &app.other.stream)),
        ("an unknown stream", named(own_token, own, stranger)),
        ("a malformed stream", named(own_token, own, "x")),
    ]);
    credentials
}

#[tokio::test]
async fn no_operation_answers_a_caller_that_has_not_signed_in() {
    let app = TestApp::start().await;
    let things = Things::create(&app, &app.account, 0).await;
    let credentials = bad_credentials(&app).await;
    let before = fingerprint(&app.admin).await;
    for operation in things.operations(&app.account) {
        for (name, headers) in &credentials {
            let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let answer = operation.send_with(&app, &headers).await;
            refused(&operation, &answer, 401, name);
            assert!(answer.header("WWW-Authenticate").is_some(), "{} with {name}: {answer:?}", operation.id);
        }
    }
    assert_eq!(fingerprint(&app.admin).await, before);
}

#[tokio::test]
async fn every_operation_of_the_document_is_walked() {
    let app = TestApp::start().await;
    let document = app.get("/openapi.json").await.expect(200);
    let mut documented = BTreeSet::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            // Those that no token is for: who has none yet asks for one there.
            if operation["tags"] != json!(["health"]) && operation["tags"] != json!(["identity"]) {
                let id = operation["operationId"].as_str().expect("an operation has an id");
                documented.insert((id.to_owned(), method.to_uppercase(), path.clone()));
            }
        }
    }
    let things = Things::unknown();
    let names = [
        (app.account.stream.as_str(), "{streamId}"),
        (&things.contact, "{id}"),
        (&things.contact_import, "{importId}"),
        (&things.contact_list, "{contactListId}"),
        (&things.campaign, "{id}"),
        (&things.record_list, "{id}"),
        (&things.record, "{record_id}"),
        (&things.deletion, "{id}"),
        (&things.queued_deletion, "{id}"),
    ];
    let walked: BTreeSet<_> = things
        .operations(&app.account)
        .into_iter()
        .map(|operation| {
            let path = operation.path.split('?').next().unwrap_or_default().to_owned();
            let path = names.iter().fold(path, |path, (name, template)| path.replace(name, template));
            (operation.id.to_owned(), operation.method.to_string(), path)
        })
        .collect();
    assert_eq!(documented, walked, "the document and tests/api/support/operations.rs must have the same operations");
}

#[tokio::test]
async fn a_scope_opens_its_own_operations_and_no_others() {
    let app = TestApp::start().await;
    let mut number = 0;
    let scopes = [Scope::Configuration, Scope::CampaignManagement, Scope::RecordListsManage, Scope::RecordListsWrite];
    for scope in scopes {
        let others: Vec<Scope> = Scope::ALL.into_iter().filter(|other| *other != scope).collect();
        let (with, without) = (app.with_scopes(&[scope]).await, app.with_scopes(&others).await);
        for id in Things::unknown().operations(&app.account).iter().filter(|o| o.scope == scope).map(|o| o.id) {
            // An operation may use things up.
            let things = Things::create(&app, &app.account, number).await;
            number += 1;
            let operation = named(id, &things, &app.account);
            let before = fingerprint(&app.admin).await;
            let answer = operation.send(&app, &without).await;
            let complaints = refused(&operation, &answer, 403, "every scope but its own");
            assert!(complaints.contains(&"Permission denied. Scope is incorrect!".to_owned()), "{complaints:?}");
            if operation.is_deletion() {
                let answer = operation.clone().with_query("mode=hard").send(&app, &with).await;
                refused(&operation, &answer, 403, "mode=hard without its scope");
            }
            assert_eq!(fingerprint(&app.admin).await, before, "{id}");
            let answer = operation.send(&app, &with).await;
            assert_eq!(answer.status.as_u16(), operation.success, "{id}: {answer:?}");
        }
    }
    let things = Things::create(&app, &app.account, number).await;
    let both = app.with_scopes(&[Scope::RecordListsManage, Scope::DeletionsHard]).await;
    let operation = named("bulk_delete_records", &things, &app.account).with_query("mode=hard");
    operation.send(&app, &both).await.expect(200);
}

#[tokio::test]
async fn a_token_is_taken_as_its_standard_has_it() {
    let (clock, _) = test_clock();
    let app = TestApp::start_at(clock).await;
    let things = Things::create(&app, &app.account, 0).await;
    let operation = get_contact(&things, &app.account);
    let (client, secret, now) = (&app.account.client, &app.account.secret, app.clock.now());
    let seconds = now.unix_timestamp();
    let with_header = |header: Value| token(&header.to_string(), &claims(client, now, &json!({})), secret);
    let with = |changes: Value| token(HS256, &claims(client, now, &changes), secret);
    let raw = |claims: String| token(HS256, &claims, secret);

    // Where a header says that a key is to be had; nobody may come for it.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.set_nonblocking(true).expect("the listener can be asked");
    let url = format!("http://{}/keys", listener.local_addr().expect("an address"));
    let attacker = b"the attacker's own key, of thirty-two bytes or more";
    let jwk = json!({"kty": "oct", "alg": "HS256", "kid": "a", "k": BASE64_URL_SAFE_NO_PAD.encode(attacker)});

    for (name, token) in [
        ("as we sign them", app.account.token.clone()),
        ("as anybody signs them", with(json!({}))),
        ("no type", with_header(json!({"alg": "HS256"}))),
        ("a type in small letters", with_header(json!({"alg": "HS256", "typ": "jwt"}))),
        ("a key's name", with_header(json!({"alg": "HS256", "kid": "../../dev/null"}))),
        ("a key in the header", with_header(json!({"alg": "HS256", "jwk": jwk}))),
        ("a key's address in the header", with_header(json!({"alg": "HS256", "jku": url, "x5u": url}))),
        ("no iat", with(json!({"iat": null}))),
        ("a fraction of a second", with(json!({"exp": seconds as f64 + 600.5}))),
        ("an hour", with(json!({"exp": seconds + 3600}))),
        ("an nbf that has passed", with(json!({"nbf": seconds - 1}))),
        ("claims of others", with(json!({"iss": "x", "aud": ["y"], "jti": 1, "accountId": app.other.id}))),
        ("a subject", with(json!({"sub": "ada"}))),
        ("nearly 8 KiB", with(json!({"x": "x".repeat(5_800)}))),
    ] {
        assert_eq!(status_of(&operation, &app, &token).await, 200, "{name}");
    }

    let good = claims(client, now, &json!({}));
    let forged = |header: Value| signed_with(hmac::HMAC_SHA256, &header.to_string(), &good, attacker);
    let key = secret.expose_secret().as_bytes();
    let (signed, stranger) = (with(json!({})), ClientId::generate());
    let (body, signature) = signed.rsplit_once('.').expect("a token has three parts");
    for (name, token) in [
        ("alg none", format!("{}.", unsigned(r#"{"alg":"none"}"#, &good))),
        ("alg None", format!("{}.", unsigned(r#"{"alg":"None"}"#, &good))),
        ("alg nOnE", format!("{}.", unsigned(r#"{"alg":"nOnE"}"#, &good))),
        ("alg none, signed", with_header(json!({"alg": "none"}))),
        ("alg in small letters", with_header(json!({"alg": "hs256"}))),
        ("alg null", with_header(json!({"alg": null}))),
        ("alg a list", with_header(json!({"alg": ["HS256"]}))),
        ("no alg", with_header(json!({"typ": "JWT"}))),
        ("HS384", signed_with(hmac::HMAC_SHA384, r#"{"alg":"HS384"}"#, &good, key)),
        ("HS512", signed_with(hmac::HMAC_SHA512, r#"{"alg":"HS512"}"#, &good, key)),
        ("HS512 as HS256", signed_with(hmac::HMAC_SHA512, HS256, &good, key)),
        ("HS384 in name", with_header(json!({"alg": "HS384"}))),
        ("RS256 in name", with_header(json!({"alg": "RS256"}))),
        ("ES256 in name", with_header(json!({"alg": "ES256"}))),
        ("another type", with_header(json!({"alg": "HS256", "typ": "at+jwt"}))),
        ("crit", with_header(json!({"alg": "HS256", "crit": ["exp"], "exp": 1}))),
        ("crit, empty", with_header(json!({"alg": "HS256", "crit": []}))),
        ("a header twice", token(r#"{"alg":"HS256","alg":"HS256"}"#, &good, secret)),
        ("a header twice, otherwise", token(r#"{"alg":"none","\u0061lg":"HS256"}"#, &good, secret)),
        ("a header that is an array", token(r#"["HS256"]"#, &good, secret)),
        ("a header that is not JSON", token("HS256", &good, secret)),
        ("forged with a key of its own", forged(json!({"alg": "HS256", "jwk": jwk}))),
        ("forged with a key elsewhere", forged(json!({"alg": "HS256", "jku": url, "kid": "a"}))),
        ("forged with a certificate elsewhere", forged(json!({"alg": "HS256", "x5u": url}))),
        ("forged with an empty key", signed_with(hmac::HMAC_SHA256, HS256, &good, b"")),
        ("forged with a named key", signed_with(hmac::HMAC_SHA256, r#"{"alg":"HS256","kid":"/dev/null"}"#, &good, b"")),
        ("no signature", format!("{body}.")),
        ("two parts", body.to_owned()),
        ("a signature cut short", format!("{body}.{}", &signature[..40])),
        (
            "a signature of another token",
            format!("{}.{signature}", unsigned(HS256, &claims(client, now, &json!({"sub": "x"})))),
        ),
        ("padding", format!("{body}.{signature}=")),
        ("the other account's secret", token(HS256, &good, &app.other.secret)),
        ("the other account's client", token(HS256, &claims(&app.other.client, now, &json!({})), secret)),
        ("the other account's token", app.other.token.clone()),
        ("no exp", with(json!({"exp": null}))),
        ("exp null", raw(format!(r#"{{"appId":"{client}","exp":null}}"#))),
        ("exp a string", with(json!({"exp": (seconds + 600).to_string()}))),
        ("exp a boolean", with(json!({"exp": true}))),
        ("exp a list", with(json!({"exp": [seconds + 600]}))),
        ("exp negative", with(json!({"exp": -1}))),
        ("exp zero", with(json!({"exp": 0}))),
        ("exp past", with(json!({"exp": seconds - 60}))),
        ("exp past, in a fraction", with(json!({"exp": seconds as f64 - 60.5}))),
        ("exp far away", with(json!({"exp": seconds + 3700}))),
        ("exp in milliseconds", with(json!({"exp": (seconds + 600) * 1000}))),
        ("exp beyond 64 bits", raw(format!(r#"{{"appId":"{client}","exp":99999999999999999999}}"#))),
        ("exp huge", raw(format!(r#"{{"appId":"{client}","exp":1e308}}"#))),
        ("exp infinite", raw(format!(r#"{{"appId":"{client}","exp":1e999}}"#))),
        ("a lifetime over an hour", with(json!({"iat": seconds - 1800, "exp": seconds + 3000}))),
        (
            "a lifetime over an hour, issued in time to come",
            with(json!({"iat": seconds + 3000, "exp": seconds + 6000})),
        ),
        ("iat a string", with(json!({"iat": seconds.to_string()}))),
        ("iat null", raw(format!(r#"{{"appId":"{client}","iat":null,"exp":{}}}"#, seconds + 600))),
        ("iat an object", with(json!({"iat": {}}))),
        ("nbf to come", with(json!({"nbf": seconds + 60}))),
        ("nbf a string", with(json!({"nbf": (seconds - 60).to_string()}))),
        ("nbf null", raw(format!(r#"{{"appId":"{client}","nbf":null,"exp":{}}}"#, seconds + 600))),
        ("no appId", with(json!({"appId": null}))),
        ("appid", with(json!({"appId": null, "appid": client.as_str()}))),
        ("appId a list", with(json!({"appId": [client.as_str()]}))),
        ("appId a number", with(json!({"appId": 1}))),
        ("appId empty", with(json!({"appId": ""}))),
        ("appId in capitals", with(json!({"appId": client.as_str().to_uppercase()}))),
        ("appId with a NUL", with(json!({"appId": format!("{client}\0")}))),
        ("an account for a client", with(json!({"appId": app.account.id}))),
        ("an unknown client", with(json!({"appId": stranger.as_str()}))),
        ("appId twice", raw(format!(r#"{{"appId":"{stranger}","appId":"{client}","exp":{}}}"#, seconds + 600))),
        ("exp twice", raw(format!(r#"{{"appId":"{client}","exp":1,"exp":{}}}"#, seconds + 600))),
        ("exp twice by escape", raw(format!(r#"{{"appId":"{client}","exp":{},"\u0065xp":1}}"#, seconds + 600))),
        ("a subject that is no string", with(json!({"sub": 7}))),
        ("claims that are an array", raw(format!(r#"["{client}"]"#))),
        ("claims that are not JSON", raw(client.to_string())),
        ("claims that are not UTF-8", {
            let body = format!("{}.{}", BASE64_URL_SAFE_NO_PAD.encode(HS256), BASE64_URL_SAFE_NO_PAD.encode(b"\xff"));
            let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), body.as_bytes());
            format!("{body}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
        }),
        ("over 8 KiB", with(json!({"x": "x".repeat(6_100)}))),
    ] {
        assert_eq!(status_of(&operation, &app, &token).await, 401, "{name}");
    }
    let came = listener.accept().expect_err("a key was asked for at an address that a token names");
    assert_eq!(came.kind(), std::io::ErrorKind::WouldBlock);
}

#[tokio::test]
async fn a_token_ends_when_it_expires_and_a_client_when_it_is_revoked() {
    let (clock, seconds) = test_clock();
    let app = TestApp::start_at(clock).await;
    let things = Things::create(&app, &app.account, 0).await;
    let operation = get_contact(&things, &app.account);
    let token_of = |client: &ClientId, secret: &SecretString, changes: Value| {
        token(HS256, &claims(client, app.clock.now(), &changes), secret)
    };
    let strict = token_of(&app.account.client, &app.account.secret, json!({}));

    let mut operator = app.operator().await;
    let id = AccountId::parse(&app.account.id).expect("an account's id");
    let lasting = operator.create_client(&id, "lasting", &Scope::ALL, TokenExpiry::Optional).await.expect("a client");
    let endless = token_of(&lasting.client_id, &lasting.secret, json!({"iat": null, "exp": null}));
    let ending = token_of(&lasting.client_id, &lasting.secret, json!({}));
    let ending_late =
        token_of(&lasting.client_id, &lasting.secret, json!({"exp": seconds.load(Ordering::SeqCst) + 86_400}));
    let not_yet =
        token_of(&lasting.client_id, &lasting.secret, json!({"exp": null, "nbf": seconds.load(Ordering::SeqCst) + 60}));
    let wrong = token_of(&lasting.client_id, &lasting.secret, json!({"exp": "never"}));
    let of_the_strict = token_of(&app.account.client, &app.account.secret, json!({"exp": null}));

    let tokens = [&strict, &ending, &ending_late, &endless, &not_yet, &wrong, &of_the_strict];
    for (after, wanted) in [
        (0, [200, 200, 200, 200, 401, 401, 401]),
        (599, [200, 200, 200, 200, 200, 401, 401]),
        (30, [401, 401, 200, 200, 200, 401, 401]),
        (100_000, [401, 401, 401, 200, 200, 401, 401]),
    ] {
        seconds.fetch_add(after, Ordering::SeqCst);
        for (token, wanted) in tokens.iter().zip(wanted) {
            assert_eq!(status_of(&operation, &app, token).await, wanted, "{after} s later: {token}");
        }
    }

    let rotated = operator.rotate_client(&lasting.client_id).await.expect("a new secret");
    seconds.fetch_add(1, Ordering::SeqCst);
    assert_eq!(status_of(&operation, &app, &endless).await, 401, "the old secret");
    let endless = token_of(&lasting.client_id, &rotated.secret, json!({"exp": null}));
    assert_eq!(status_of(&operation, &app, &endless).await, 200, "the new secret");
    operator.revoke_client(&lasting.client_id).await.expect("the client is revoked");
    seconds.fetch_add(1, Ordering::SeqCst);
    assert_eq!(status_of(&operation, &app, &endless).await, 401, "a revoked client");
}

#[tokio::test]
async fn every_family_takes_the_token_in_either_header() {
    let app = TestApp::start().await;
    let things = Things::create(&app, &app.account, 0).await;
    let own = &app.account;
    let bearer = |token: &str| format!("Bearer {token}");
    let again = token(HS256, &claims(&own.client, app.clock.now(), &json!({"sub": "again"})), &own.secret);
    for operation in things.operations(own).into_iter().filter(|operation| operation.method == Method::GET) {
        let named = [("accountId", own.id.as_str()), ("iid", own.stream.as_str())];
        for (headers, status) in [
            (vec![("auth", own.token.clone())], 200),
            (vec![("Authorization", bearer(&own.token))], 200),
            (vec![("Authorization", format!("bEARER  {}", own.token))], 200),
            (vec![("auth", own.token.clone()), ("Authorization", bearer(&own.token))], 200),
            (vec![("auth", own.token.clone()), ("Authorization", bearer(&again))], 400),
            (vec![("auth", own.token.clone()), ("Authorization", bearer(&app.other.token))], 400),
            (vec![("auth", "x".to_owned()), ("Authorization", bearer(&own.token))], 400),
            (vec![("Authorization", bearer(""))], 401),
        ] {
            let headers: Vec<(&str, &str)> =
                headers.iter().map(|(name, value)| (*name, value.as_str())).chain(named).collect();
            let answer = operation.send_with(&app, &headers).await;
            if status == 200 {
                assert_eq!(answer.status.as_u16(), 200, "{} with {headers:?}: {answer:?}", operation.id);
            } else {
                let complaints = refused(&operation, &answer, status, "two headers");
                let is_named = complaints.iter().any(|complaint| complaint.starts_with("auth: "));
                assert!(is_named || status == 401, "{complaints:?}");
            }
        }
    }
}

#[tokio::test]
async fn what_is_done_is_done_in_the_name_of_the_user_that_the_token_names() {
    let app = TestApp::start().await;
    let user = "u-cc6ebd6c-656c-5364-abfc-ad5f80e00000";
    let token_for = |sub: Value| {
        token(HS256, &claims(&app.account.client, app.clock.now(), &json!({"sub": sub})), &app.account.secret)
    };
    let named = Account { token: token_for(json!(user)), ..app.account.clone() };
    let unnamed = Account { token: token_for(json!("ada@example.com")), ..app.account.clone() };
    let created_by = async |account: &Account, number: u64| {
        let id = app.contacts_as(account, number, 1).await.remove(0);
        let contact = app.get(&account.contact_path(&id)).await.expect(200);
        (id, contact["createdBy"].as_str().unwrap_or_default().to_owned(), contact["createdByAId"].clone())
    };
    let (id, by_user, agent) = created_by(&named, 9_300_000_000).await;
    let (_, by_service_user, service_agent) = created_by(&app.account, 9_300_000_001).await;
    let (_, by_a_stranger, _) = created_by(&unnamed, 9_300_000_002).await;
    assert_eq!(by_user, user);
    assert!(by_service_user.starts_with("u-") && by_service_user != user, "{by_service_user}");
    assert_eq!(by_a_stranger, by_service_user, "what is no user's id names nobody");
    assert_eq!(agent, service_agent, "the agent is the client's");
    assert!(agent.as_str().is_some_and(|agent| agent.starts_with("a-")), "{agent}");

    app.request_as(&named, Method::DELETE, &named.contact_path(&id)).send().await.expect(200);
    let deleted_by: Option<String> = sqlx::query_scalar("SELECT deleted_by FROM contacts WHERE id = $1")
        .bind(&id)
        .fetch_one(&app.admin)
        .await
        .expect("the contact is in the trash");
    assert_eq!(deleted_by.as_deref(), Some(user));
}

#[tokio::test]
async fn an_account_or_stream_that_must_be_named_and_is_not_is_asked_for_by_name() {
    let app = TestApp::start().await;
    let things = Things::create(&app, &app.account, 0).await;
    let own = &app.account;
    let before = fingerprint(&app.admin).await;
    for operation in things.operations(own) {
        let is_about_lists = operation.path.contains("contactList");
        let needs: &[&str] = match operation.family {
            Family::Contacts => &["accountId"],
            _ if is_about_lists => &["accountId", "iid"],
            _ => &[],
        };
        for missing in needs {
            let headers: Vec<(&str, &str)> =
                [("auth", own.token.as_str()), ("accountId", &own.id), ("iid", &own.stream)]
                    .into_iter()
                    .filter(|(name, _)| name != missing)
                    .collect();
            let complaints = refused(&operation, &operation.send_with(&app, &headers).await, 400, missing);
            assert!(
                complaints.iter().any(|complaint| complaint.starts_with(&format!("{missing}: "))),
                "{complaints:?}"
            );
        }
        if needs.len() == 2 {
            let complaints =
                refused(&operation, &operation.send_with(&app, &[("auth", &own.token)]).await, 400, "neither");
            assert_eq!(complaints.len(), 2, "both are asked for: {complaints:?}");
        }
    }
    assert_eq!(fingerprint(&app.admin).await, before);

    let headers = [("auth", own.token.as_str()), ("iid", &own.stream)];
    let account = format!("accountId={}", own.id);
    for id in ["delete_contact", "get_contact_list_v2", "delete_contact_list_v2"] {
        let operation = named(id, &things, own).with_query(&account);
        let answer = operation.send_with(&app, &headers).await;
        assert_eq!(answer.status.as_u16(), 200, "{id} names the account in its query: {answer:?}");
    }
}

#[tokio::test]
async fn what_is_another_accounts_is_as_if_it_were_nowhere() {
    let app = TestApp::start().await;
    let things = Things::create(&app, &app.account, 0).await;
    let own = &app.account;
    let unknown_account = "65f7d49a5dd06e2cefa00000";
    let unknown_stream = "st-7dc994f0-4436-5134-9fa8-a94262500000";
    let before = fingerprint(&app.admin).await;
    for operation in things.operations(own) {
        let headers = |account, stream| [("auth", own.token.as_str()), ("accountId", account), ("iid", stream)];
        let theirs = operation.send_with(&app, &headers(&app.other.id, &own.stream)).await;
        let nowhere = operation.send_with(&app, &headers(unknown_account, &own.stream)).await;
        assert_eq!(theirs.status.as_u16(), 401);
        assert_eq!(essence(&theirs, &things), essence(&nowhere, &things), "{}: accountId", operation.id);

        let theirs = operation.send_with(&app, &headers(&own.id, &app.other.stream)).await;
        let nowhere = operation.send_with(&app, &headers(&own.id, unknown_stream)).await;
        assert_eq!(theirs.status.as_u16(), 401);
        assert_eq!(essence(&theirs, &things), essence(&nowhere, &things), "{}: iid", operation.id);

        if operation.path.contains(&own.stream) {
            let at =
                |stream: &str| Operation { path: operation.path.replace(&own.stream, stream), ..operation.clone() };
            let theirs = at(&app.other.stream).send_with(&app, &headers(&own.id, &app.other.stream)).await;
            let nowhere = at(unknown_stream).send_with(&app, &headers(&own.id, unknown_stream)).await;
            assert_eq!(theirs.status.as_u16(), 401);
            assert_eq!(essence(&theirs, &things), essence(&nowhere, &things), "{}: the path", operation.id);
        }
    }
    let query = |account: &str| named("get_contact", &things, own).with_query(&format!("accountId={account}"));
    let bare = [("auth", own.token.as_str())];
    let theirs = query(&app.other.id).send_with(&app, &bare).await;
    let nowhere = query(unknown_account).send_with(&app, &bare).await;
    assert_eq!(theirs.status.as_u16(), 401);
    assert_eq!(essence(&theirs, &things), essence(&nowhere, &things), "the query");
    let theirs = query(&app.other.id).send(&app, own).await;
    let nowhere = query(unknown_account).send(&app, own).await;
    assert_eq!(essence(&theirs, &things), essence(&nowhere, &things), "the query beside the header");
    assert_eq!(fingerprint(&app.admin).await, before);
}

#[tokio::test]
async fn a_thing_of_another_account_or_stream_answers_as_one_that_is_not_there() {
    let app = TestApp::start().await;
    let own = &app.account;
    let id = AccountId::parse(&own.id).expect("an account's id");
    let stream = app.operator().await.create_stream(&id, "second").await.expect("a stream").to_string();
    let second = Account { stream, ..own.clone() };
    let unknown = Things::unknown();
    let of_another = Things::create(&app, &app.other, 0).await;
    let of_another_stream = Things::create(&app, own, 1).await;
    let hidden = |things: &Things, operation: &Operation, at: &Account| {
        things
            .operations(at)
            .into_iter()
            .find(|other| other.id == operation.id)
            .expect("things have the same operations")
    };
    for (things, caller) in [(&of_another, own), (&of_another_stream, &second)] {
        for operation in unknown.operations(caller).iter().filter(|operation| operation.is_about_a_thing()) {
            // A record list belongs to no stream, and neither does a deletion.
            if [Family::RecordLists, Family::Native].contains(&operation.family) && caller.stream == second.stream {
                continue;
            }
            let queries: &[&str] =
                if operation.is_deletion() { &["mode=hard", "mode=soft"] } else { &["campaignType=voice"] };
            for query in queries {
                let before = things_fingerprint(&app.admin).await;
                let theirs = hidden(things, operation, caller).with_query(query);
                let nowhere = operation.clone().with_query(query);
                if theirs.path.matches("campaignType").count() > 1 {
                    continue;
                }
                let (found, missed) = (theirs.send(&app, caller).await, nowhere.send(&app, caller).await);
                assert_eq!(essence(&found, things), essence(&missed, &unknown), "{} ?{query}", operation.id);
                assert!(operation.reports_each_item() || missed.status.is_client_error(), "{missed:?}");
                assert_eq!(things_fingerprint(&app.admin).await, before, "{} ?{query}", operation.id);
            }
        }
    }
}

#[tokio::test]
async fn a_request_keeps_its_id_when_it_can_do_no_harm() {
    let app = TestApp::start().await;
    let longest = "x".repeat(128);
    let too_long = "x".repeat(129);
    let contacts = app.account.contacts_path();
    for path in ["/livez", "/nothing", "/docs", &contacts] {
        for id in ["a", "0f8c-A_b.9", &longest] {
            let answer = app.request(Method::GET, path).header("Request-Id", id).send().await;
            assert_eq!(answer.header("Request-Id"), Some(id), "{path}");
        }
        let mut made = BTreeSet::new();
        for id in ["", " ", "a b", "a/b", "a,b", "<script>", "a\tb", "\"a\"", "%0d%0a", &too_long] {
            let answer = app.request(Method::GET, path).header("Request-Id", id).send().await;
            let other = answer.header("Request-Id").expect("a request has an id").to_owned();
            assert!(other.len() == 36 && other != id, "{path}: {id:?} is answered {other:?}");
            made.insert(other);
        }
        assert_eq!(made.len(), 10, "made ids are unique");
    }
    let things = Things::create(&app, &app.account, 0).await;
    app.request(Method::DELETE, &app.account.contact_path(&things.contact))
        .header("Request-Id", "from-the-caller")
        .send()
        .await
        .expect(200);
    let written: Vec<String> = sqlx::query_scalar("SELECT request_id FROM ledger ORDER BY entry_id DESC LIMIT 1")
        .fetch_all(&app.admin)
        .await
        .expect("a ledger");
    assert_eq!(written, ["from-the-caller"]);
}

#[tokio::test]
async fn what_says_who_calls_says_it_once() {
    let app = TestApp::start().await;
    let path = app.account.contacts_path();
    let own = || app.request(Method::GET, &path);
    own().header("accountId", &app.account.id).send().await.expect(200);
    for (name, other) in [("accountId", &app.other.id), ("iid", &app.other.stream), ("auth", &app.other.token)] {
        let refused = own().header(name, other).send().await.expect(400);
        let said = refused["errors"][0]["msg"].as_str().unwrap_or_default().to_owned();
        assert!(said.starts_with(&format!("{name}: ")), "{name}: {refused}");
    }
    // A proxy's own scheme beside the token is none of ours.
    own().header("Authorization", "Basic cHJveHk6cHJveHk=").send().await.expect(200);
}
