//! Tokens that we issue, and our keys.

use std::sync::atomic::Ordering;

use aws_lc_rs::digest;
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use expunge::app;
use expunge::config::IdentityArgs;
use expunge::domain::identity::Scope;
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::support::http::Request;
use crate::support::{Account, Answer, TestApp, Things, test_clock};

const FORM: &str = "application/x-www-form-urlencoded";
const GRANT: &str = "grant_type=client_credentials";

fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{id}:{secret}")))
}

fn own(account: &Account) -> String {
    basic(account.client.as_str(), account.secret.expose_secret())
}

fn asking(app: &TestApp, at: &str) -> Request {
    app.anonymous_at(at, Method::POST, "/oauth/token")
}

/// The token that a process issues to an account's client.
async fn token(app: &TestApp, at: &str, account: &Account) -> String {
    let answer = asking(app, at).header("Authorization", &own(account)).body(FORM, GRANT).send().await;
    answer.expect(200)["access_token"].as_str().expect("a token").to_owned()
}

async fn status(app: &TestApp, at: &str, token: &str) -> u16 {
    let request = app.anonymous_at(at, Method::GET, &app.account.contacts_path());
    request.header("auth", token).header("accountId", &app.account.id).send().await.status.as_u16()
}

fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).expect("a token has three parts");
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).expect("base64")).expect("JSON")
}

#[tokio::test]
async fn a_client_gets_a_token_that_every_family_takes_until_it_ends() {
    let (clock, seconds) = test_clock();
    let app = TestApp::start_at(clock).await;
    let things = Things::create(&app, &app.account, 0).await;
    let answer = asking(&app, &app.base_url).header("Authorization", &own(&app.account)).body(FORM, GRANT).send().await;
    assert_eq!(answer.header("Cache-Control"), Some("no-store"));
    let issued = answer.expect(200);
    let token = issued["access_token"].as_str().expect("a token").to_owned();
    let scope = Scope::join(&Scope::ALL);
    assert_eq!(issued, json!({"access_token": token, "token_type": "Bearer", "expires_in": 599, "scope": scope}));

    let now = seconds.load(Ordering::SeqCst);
    let claims = part(&token, 1);
    for (claim, value) in [
        ("iss", json!(app.base_url)),
        ("aud", json!(app.base_url)),
        ("aid", json!(app.account.id)),
        ("cid", json!(app.account.client.as_str())),
        ("scp", json!(scope)),
        ("iat", json!(now)),
        ("exp", json!(now + 599)),
    ] {
        assert_eq!(claims[claim], value, "{claim}");
    }
    let contact = app.get(&app.account.contact_path(&things.contact)).await.expect(200);
    assert_eq!(claims["sub"], contact["createdBy"], "the client's user");
    assert!(claims["jti"].is_string(), "{claims}");

    let bearer = format!("Bearer {token}");
    let named = [("accountId", app.account.id.as_str()), ("iid", app.account.stream.as_str())];
    for operation in things.operations(&app.account).iter().filter(|operation| operation.method == Method::GET) {
        for header in [("auth", token.as_str()), ("Authorization", bearer.as_str())] {
            let headers: Vec<(&str, &str)> = [header].into_iter().chain(named).collect();
            operation.send_with(&app, &headers).await.expect(200);
        }
    }
    seconds.fetch_add(598, Ordering::SeqCst);
    assert_eq!(status(&app, &app.base_url, &token).await, 200);
    seconds.fetch_add(10, Ordering::SeqCst);
    assert_eq!(status(&app, &app.base_url, &token).await, 401, "it has expired");
}

#[tokio::test]
async fn a_client_that_is_revoked_is_refused_within_a_second() {
    let (clock, seconds) = test_clock();
    let app = TestApp::start_at(clock).await;
    let issued = token(&app, &app.base_url, &app.account).await;
    assert_eq!(status(&app, &app.base_url, &issued).await, 200);
    app.operator().await.revoke_client(&app.account.client).await.expect("it is revoked");
    seconds.fetch_add(1, Ordering::SeqCst);
    assert_eq!(status(&app, &app.base_url, &issued).await, 401);
    let again = asking(&app, &app.base_url).header("Authorization", &own(&app.account)).body(FORM, GRANT).send().await;
    assert_eq!(again.expect(401)["error"], "invalid_client");
}

#[tokio::test]
async fn the_secret_is_shown_in_the_header_or_in_the_body() {
    let app = TestApp::start().await;
    let (id, secret) = (app.account.client.as_str(), app.account.secret.expose_secret());
    let (header, none) = (own(&app.account), String::new());
    let in_body = format!("{GRANT}&client_id={id}&client_secret={secret}");
    let with = |more: &str| format!("{GRANT}&{more}");
    let other = app.other.secret.expose_secret();
    for (name, header, body, status, error) in [
        ("the header", &header, with(""), 200, ""),
        ("the body", &none, in_body.clone(), 200, ""),
        ("the header, and the id again", &header, with(&format!("client_id={id}")), 200, ""),
        ("a parameter of others", &header, with("audience=x"), 200, ""),
        ("an empty scope", &header, with("scope="), 200, ""),
        ("both", &header, in_body.clone(), 400, "invalid_request"),
        ("two ids", &header, with(&format!("client_id={}", app.other.client)), 400, "invalid_request"),
        ("neither", &none, with(""), 401, "invalid_client"),
        ("nothing", &none, String::new(), 401, "invalid_client"),
        ("no secret", &none, with(&format!("client_id={id}")), 401, "invalid_client"),
        ("another's secret", &basic(id, other), with(""), 401, "invalid_client"),
        ("a secret cut short", &basic(id, &secret[..42]), with(""), 401, "invalid_client"),
        ("an empty secret", &basic(id, ""), with(""), 401, "invalid_client"),
        ("another's id", &basic(app.other.client.as_str(), secret), with(""), 401, "invalid_client"),
        ("an unknown id", &basic("cs-00000000-0000-4000-8000-000000000000", secret), with(""), 401, "invalid_client"),
        ("no id", &basic("x\0", secret), with(""), 401, "invalid_client"),
        ("Bearer", &format!("Bearer {}", app.account.token), with(""), 401, "invalid_client"),
        ("not base64", &"Basic ???".to_owned(), with(""), 401, "invalid_client"),
        ("a wrong one in the body", &none, format!("{in_body}x"), 401, "invalid_client"),
        ("no grant", &header, "scope=configuration".to_owned(), 400, "invalid_request"),
        ("another grant", &header, "grant_type=password".to_owned(), 400, "unsupported_grant_type"),
        ("a grant twice", &header, format!("{GRANT}&{GRANT}"), 400, "invalid_request"),
        ("a long body", &header, with(&"x".repeat(9_000)), 413, "invalid_request"),
    ] {
        let request = asking(&app, &app.base_url);
        let request = if header.is_empty() { request } else { request.header("Authorization", header) };
        let answer = request.body(FORM, body).send().await;
        let said = answer.expect(status);
        if status == 200 {
            assert!(said["access_token"].is_string(), "{name}: {said}");
        } else {
            assert_eq!(said["error"], error, "{name}: {said}");
            assert!(said["error_description"].as_str().is_some_and(|text| !text.contains(['"', '\\'])), "{said}");
            assert_eq!(answer.header("Content-Type"), Some("application/json"), "{name}");
        }
        let asked = answer.header("WWW-Authenticate").is_some_and(|challenge| challenge.starts_with("Basic "));
        assert_eq!(asked, status == 401, "{name}: {answer:?}");
    }
    for kind in ["application/json", "text/plain", "multipart/form-data"] {
        let answer = asking(&app, &app.base_url).header("Authorization", &header).body(kind, GRANT).send().await;
        assert_eq!(answer.expect(415)["error"], "invalid_request", "{kind}");
    }
    let answer = app.anonymous(Method::GET, "/oauth/token").send().await;
    assert_eq!(answer.expect(405)["error"], "invalid_request");
    assert_eq!(answer.header("Allow"), Some("POST"));
}

#[tokio::test]
async fn a_token_has_the_scopes_that_are_asked_for_and_no_others() {
    let app = TestApp::start().await;
    let narrow = app.with_scopes(&[Scope::Configuration, Scope::DeletionsRead]).await;
    let ask = async |scope: &str| {
        let body = format!("{GRANT}&scope={scope}");
        asking(&app, &app.base_url).header("Authorization", &own(&narrow)).body(FORM, body).send().await
    };
    for (asked, given, contacts) in [
        ("configuration", "configuration", 200),
        ("deletions%3Aread", "deletions:read", 403),
        ("deletions:read+configuration", "deletions:read configuration", 200),
        ("", "configuration deletions:read", 200),
    ] {
        let issued: Answer = ask(asked).await;
        let issued = issued.expect(200);
        assert_eq!(issued["scope"], given, "{asked}");
        let token = issued["access_token"].as_str().expect("a token");
        assert_eq!(status(&app, &app.base_url, token).await, contacts, "{asked}");
    }
    for asked in ["deletions:hard", "configuration+deletions:hard", "everything", "configuration,deletions:read"] {
        assert_eq!(ask(asked).await.expect(400)["error"], "invalid_scope", "{asked}");
    }
}

#[tokio::test]
async fn the_keys_that_are_published_verify_our_tokens() {
    let app = TestApp::start().await;
    let issued = token(&app, &app.base_url, &app.account).await;
    let answer = app.anonymous(Method::GET, "/.well-known/jwks.json").send().await;
    assert_eq!(answer.header("Cache-Control"), Some("public, max-age=300"));
    let document = answer.expect(200);
    let keys = document["keys"].as_array().expect("keys");
    assert_eq!(keys.len(), 1);
    let mut fields: Vec<&String> = keys[0].as_object().expect("a key").keys().collect();
    fields.sort();
    assert_eq!(fields, ["alg", "crv", "kid", "kty", "use", "x"], "nothing private");
    let x = keys[0]["x"].as_str().expect("a coordinate");
    let members = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
    let thumbprint = BASE64_URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, members.as_bytes()));
    assert_eq!(keys[0]["kid"], thumbprint);
    assert_eq!(part(&issued, 0), json!({"alg": "EdDSA", "typ": "JWT", "kid": thumbprint}));
    let (signed, signature) = issued.rsplit_once('.').expect("a token has three parts");
    let key = UnparsedPublicKey::new(&ED25519, BASE64_URL_SAFE_NO_PAD.decode(x).expect("base64"));
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).expect("base64");
    key.verify(signed.as_bytes(), &signature).expect("the published key verifies the token");
}

fn keys(list: &[&str]) -> IdentityArgs {
    IdentityArgs { issuers: Vec::new(), signing_keys: list.iter().map(|key| SecretString::from(*key)).collect() }
}

#[tokio::test]
async fn our_keys_are_rotated_in_two_steps_without_a_failed_request() {
    let app = TestApp::start().await;
    let new = BASE64_STANDARD.encode([7; 32]);
    let another = app.start_beside(&IdentityArgs::default()).await;
    let first = app.start_beside(&keys(&["derived", &new])).await;
    let second = app.start_beside(&keys(&[&new, "derived"])).await;
    let last = app.start_beside(&keys(&[&new])).await;
    // Each step is taken process by process, so both of its sides serve for a while.
    for (left, right) in [(&app.base_url, &another), (&app.base_url, &first), (&first, &second), (&second, &last)] {
        let (of_left, of_right) = (token(&app, left, &app.account).await, token(&app, right, &app.account).await);
        assert_eq!(status(&app, left, &of_right).await, 200);
        // The last step is taken when no token of the old key is left.
        assert_eq!(status(&app, right, &of_left).await, 200);
    }
    let (old, renewed) = (token(&app, &first, &app.account).await, token(&app, &second, &app.account).await);
    assert_ne!(part(&old, 0)["kid"], part(&renewed, 0)["kid"], "another key signs");
    assert_eq!(status(&app, &app.base_url, &renewed).await, 401, "a step left out costs requests");
    assert_eq!(status(&app, &last, &old).await, 401, "the old key is gone");
    let published = app.anonymous_at(&second, Method::GET, "/.well-known/jwks.json").send().await.expect(200);
    assert_eq!(published["keys"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn a_signing_key_that_is_none_is_refused_by_its_place_and_not_shown() {
    let good = BASE64_STANDARD.encode([7; 32]);
    let secret_key = SecretString::from("00".repeat(32));
    for wrong in ["c2hvcnQ=", "a word", "", &BASE64_STANDARD.encode([7; 33])] {
        let refused = app::keyring(&secret_key, "http://x", &keys(&[&good, wrong])).err().expect("it is refused");
        let said = refused.to_string();
        assert!(said.starts_with("signing key 2 must be 32 bytes"), "{said}");
        assert!(wrong.is_empty() || !said.contains(wrong), "{said}");
    }
}
