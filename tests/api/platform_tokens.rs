//! Tokens that an issuer signs for clients, and the issuer's keys.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use expunge::clock::Clock;
use expunge::config::IdentityArgs;
use expunge::domain::identity::{Scope, TokenExpiry};
use expunge::domain::ids::{AccountId, ClientId};
use expunge::services::issuers::{Issuer, Issuers};
use expunge::services::tokens::Unverified;
use futures_util::future::join_all;
use reqwest::Method;
use secrecy::SecretString;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::support::issuer::{IssuerKey, IssuerServer, platform_claims, unsigned};
use crate::support::{Account, Answer, TestApp, Things, test_clock};

/// An application that trusts one issuer, and its time in seconds.
async fn trusting(issuer: &IssuerServer) -> (TestApp, Arc<AtomicI64>) {
    let (clock, seconds) = test_clock();
    let identity = IdentityArgs { issuers: vec![issuer.configured()], signing_keys: Vec::new() };
    (TestApp::start_trusting(clock, &identity).await, seconds)
}

fn now(app: &TestApp) -> i64 {
    app.clock.now().unix_timestamp()
}

fn good(app: &TestApp) -> Value {
    platform_claims(&app.account, now(app), &json!({}))
}

/// Asks for something with a token.
async fn ask(app: &TestApp, token: &str) -> Answer {
    let path = app.account.contacts_path();
    app.anonymous(Method::GET, &path).header("auth", token).header("accountId", &app.account.id).send().await
}

async fn status(app: &TestApp, token: &str) -> u16 {
    ask(app, token).await.status.as_u16()
}

#[tokio::test]
async fn every_algorithm_signs_in_in_every_family_and_in_either_header() {
    let keys = [IssuerKey::es256("a"), IssuerKey::rs256("b"), IssuerKey::eddsa("c")];
    let issuer = IssuerServer::start(&keys.each_ref()).await;
    let (app, _) = trusting(&issuer).await;
    let things = Things::create(&app, &app.account, 0).await;
    let named = [("accountId", app.account.id.as_str()), ("iid", app.account.stream.as_str())];
    for key in &keys {
        let token = key.token(&good(&app));
        let bearer = format!("Bearer {token}");
        for operation in things.operations(&app.account).iter().filter(|operation| operation.method == Method::GET) {
            for header in [("auth", token.as_str()), ("Authorization", bearer.as_str())] {
                let headers: Vec<(&str, &str)> = [header].into_iter().chain(named).collect();
                let answer = operation.send_with(&app, &headers).await;
                assert_eq!(answer.status.as_u16(), 200, "{} {} {}", key.algorithm(), operation.id, header.0);
            }
        }
    }
    assert_eq!(issuer.fetches(), 1, "the keys are fetched once, for all threads");
}

#[tokio::test]
async fn a_platform_token_is_taken_as_its_standards_have_it() {
    let (key, rsa, unpublished) = (IssuerKey::es256("a"), IssuerKey::rs256("b"), IssuerKey::es256("a"));
    let issuer = IssuerServer::start(&[&key, &rsa]).await;
    let (app, _) = trusting(&issuer).await;
    let seconds = now(&app);
    let with = |changes: Value| key.token(&platform_claims(&app.account, seconds, &changes));
    let with_header = |header: Value| key.token_with(&header, &good(&app));
    let elsewhere = "http://127.0.0.1:9/keys";
    for (name, token) in [
        ("as it is issued", with(json!({}))),
        ("no kid", with_header(json!({"alg": "ES256"}))),
        ("an access token's type", with_header(json!({"alg": "ES256", "kid": "a", "typ": "at+jwt"}))),
        ("headers that are not followed", with_header(json!({"alg": "ES256", "kid": "a", "jku": elsewhere}))),
        ("several audiences", with(json!({"aud": ["others", "expunge"]}))),
        ("scope", with(json!({"scp": null, "scope": "configuration"}))),
        ("scopes in an array", with(json!({"scp": ["deletions:hard", "configuration"]}))),
        ("a scope of others", with(json!({"scp": "openid configuration"}))),
        ("no subject", with(json!({"sub": null}))),
        ("a day", with(json!({"exp": seconds + 86_400}))),
        ("no iat", with(json!({"iat": null}))),
    ] {
        assert_eq!(status(&app, &token).await, 200, "{name}");
    }

    let revoked = {
        let id = AccountId::parse(&app.account.id).expect("an account's id");
        let mut operator = app.operator().await;
        let client = operator.create_client(&id, "revoked", &Scope::ALL, TokenExpiry::Strict).await.expect("a client");
        operator.revoke_client(&client.client_id).await.expect("it is revoked");
        client.client_id
    };
    let public_key = rsa.jwk()["n"].as_str().unwrap_or_default().to_owned();
    let confused = |header: Value, secret: &[u8]| {
        let body = unsigned(&header.to_string(), &good(&app).to_string());
        let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), body.as_bytes());
        format!("{body}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    };
    let signed = with(json!({}));
    let (body, signature) = signed.rsplit_once('.').expect("a token has three parts");
    for (name, token) in [
        ("another issuer", with(json!({"iss": "https://evil.example/"}))),
        ("no issuer", with(json!({"iss": null}))),
        ("ourselves", with(json!({"iss": app.base_url, "aud": app.base_url}))),
        ("another audience", with(json!({"aud": "others"}))),
        ("no audience", with(json!({"aud": null}))),
        ("an audience that is no string", with(json!({"aud": 7}))),
        ("no account", with(json!({"aid": null}))),
        ("another account", with(json!({"aid": app.other.id}))),
        ("an unknown account", with(json!({"aid": "000000000000000000000000"}))),
        ("no client", with(json!({"cid": null}))),
        ("a client of another account", with(json!({"cid": app.other.client.as_str()}))),
        ("an unknown client", with(json!({"cid": "cs-00000000-0000-4000-8000-000000000000"}))),
        ("a revoked client", with(json!({"cid": revoked.as_str()}))),
        ("another's account and client", with(json!({"aid": app.other.id, "cid": app.other.client.as_str()}))),
        ("no exp", with(json!({"exp": null}))),
        ("exp past", with(json!({"exp": seconds - 60}))),
        ("exp a string", with(json!({"exp": (seconds + 60).to_string()}))),
        ("more than a day", with(json!({"exp": seconds + 86_500}))),
        ("more than a day in all", with(json!({"iat": seconds - 86_400, "exp": seconds + 600}))),
        ("nbf to come", with(json!({"nbf": seconds + 60}))),
        ("scopes that are no strings", with(json!({"scp": [7]}))),
        ("over 8 KiB", with(json!({"x": "x".repeat(8 * 1024)}))),
        ("no signature", format!("{body}.")),
        ("alg none", format!("{}.", unsigned(r#"{"alg":"none","kid":"a"}"#, &good(&app).to_string()))),
        ("a signature of other claims", format!("{}.{signature}", unsigned(r#"{"alg":"ES256","kid":"a"}"#, "{}"))),
        ("another key of that name", unpublished.token(&good(&app))),
        ("another key without a name", unpublished.token_with(&json!({"alg": "ES256"}), &good(&app))),
        ("the name of another key", with_header(json!({"alg": "ES256", "kid": "b"}))),
        ("an unknown name", with_header(json!({"alg": "ES256", "kid": "z"}))),
        ("a name that is no string", with_header(json!({"alg": "ES256", "kid": 7}))),
        ("ES256 said to be RS256", with_header(json!({"alg": "RS256", "kid": "a"}))),
        ("ES256 said to be EdDSA", with_header(json!({"alg": "EdDSA", "kid": "a"}))),
        ("RS256 said to be PS256", rsa.token_with(&json!({"alg": "PS256", "kid": "b"}), &good(&app))),
        ("crit", with_header(json!({"alg": "ES256", "kid": "a", "crit": ["exp"]}))),
        ("another type", with_header(json!({"alg": "ES256", "kid": "a", "typ": "logout+jwt"}))),
        ("HS256 with the public key", confused(json!({"alg": "HS256", "kid": "b"}), public_key.as_bytes())),
        ("RS256 with a mac of the public key", confused(json!({"alg": "RS256", "kid": "b"}), public_key.as_bytes())),
    ] {
        let answer = ask(&app, &token).await;
        let said = answer.expect(401)["errors"][0]["msg"].clone();
        assert!(said == "Invalid JWT token" || said == "Invalid SDK credentials", "{name}: {said}");
    }
}

#[tokio::test]
async fn what_a_token_allows_is_what_both_it_and_its_client_have() {
    let key = IssuerKey::eddsa("a");
    let issuer = IssuerServer::start(&[&key]).await;
    let (app, _) = trusting(&issuer).await;
    let narrow = app.with_scopes(&[Scope::Configuration]).await;
    let user = "u-cc6ebd6c-656c-5364-abfc-ad5f80e00000";
    let as_client = |account: &Account, changes: Value| Account {
        token: key.token(&platform_claims(account, now(&app), &changes)),
        ..account.clone()
    };
    let contacts = app.account.contacts_path();
    let hard = format!("{contacts}/000000000000000000000000?mode=hard");
    let ask = async |account: &Account, method: Method, path: &str| {
        app.request_as(account, method, path).send().await.status.as_u16()
    };
    for (account, scopes, list, delete_hard, lists) in [
        (&app.account, "configuration campaign_management record-lists:manage deletions:hard", 200, 404, 404),
        (&app.account, "configuration", 200, 403, 403),
        (&app.account, "deletions:hard", 403, 403, 403),
        (&app.account, "", 403, 403, 403),
        (&app.account, "everything", 403, 403, 403),
        (&narrow, "configuration campaign_management record-lists:manage deletions:hard", 200, 403, 403),
    ] {
        let account = as_client(account, json!({"scp": scopes}));
        assert_eq!(ask(&account, Method::GET, &contacts).await, list, "{scopes}");
        assert_eq!(ask(&account, Method::DELETE, &hard).await, delete_hard, "{scopes}");
        let record_list = "/record-lists/8858c834-481d-4a02-8176-cffc02c50350";
        assert_eq!(ask(&account, Method::GET, record_list).await, lists, "{scopes}");
    }

    for (sub, by) in [(user, Some(user)), ("ada@example.com", None)] {
        let account = as_client(&app.account, json!({"sub": sub}));
        let number = if by.is_some() { 9_300_000_000 } else { 9_300_000_001 };
        let id = app.contacts_as(&account, number, 1).await.remove(0);
        let created_by = app.get(&app.account.contact_path(&id)).await.expect(200)["createdBy"].clone();
        match by {
            Some(user) => assert_eq!(created_by, user),
            None => assert!(created_by.as_str().is_some_and(|by| by.starts_with("u-") && by != user), "{created_by}"),
        }
    }
}

#[tokio::test]
async fn a_rotation_costs_no_request() {
    let (old, new) = (IssuerKey::eddsa("old"), IssuerKey::es256("new"));
    let issuer = IssuerServer::start(&[&old]).await;
    let (app, _) = trusting(&issuer).await;
    let (old_token, new_token) = (old.token(&good(&app)), new.token(&good(&app)));
    assert_eq!(status(&app, &old_token).await, 200);

    // Requests with the old key are under way while the issuer switches; those with the new one come at once.
    let before = join_all((0..40).map(|_| status(&app, &old_token)));
    let after = async {
        issuer.publish(&[&new, &old]);
        join_all((0..60).map(|_| status(&app, &new_token))).await
    };
    let (before, after) = tokio::join!(before, after);
    assert_eq!(before, vec![200; 40]);
    assert_eq!(after, vec![200; 60]);
    assert!(issuer.fetches() <= 4, "{} fetches", issuer.fetches());
}

#[tokio::test]
async fn made_up_keys_do_not_hammer_the_issuer() {
    let (key, forger) = (IssuerKey::eddsa("a"), IssuerKey::eddsa("forged"));
    let issuer = IssuerServer::start(&[&key]).await;
    let (app, _) = trusting(&issuer).await;
    assert_eq!(status(&app, &key.token(&good(&app))).await, 200);
    let started = Instant::now();
    for _ in 0..3 {
        let forged =
            |number: usize| forger.token_with(&json!({"alg": "EdDSA", "kid": number.to_string()}), &good(&app));
        let (refused, taken) = tokio::join!(
            join_all((0..100).map(async |number| status(&app, &forged(number)).await)),
            join_all((0..20).map(async |_| status(&app, &key.token(&good(&app))).await)),
        );
        assert_eq!(refused, vec![401; 100]);
        assert_eq!(taken, vec![200; 20]);
    }
    let most = 2 + usize::try_from(started.elapsed().as_secs()).expect("a test is short");
    assert!(issuer.fetches() <= most, "{} fetches in {:?}", issuer.fetches(), started.elapsed());

    let fetches = issuer.fetches();
    let known = forger.token_with(&json!({"alg": "EdDSA", "kid": "a"}), &good(&app));
    let of_nobody = platform_claims(&app.account, now(&app), &json!({"iss": "https://nobody.example/"}));
    let expired = platform_claims(&app.account, now(&app), &json!({"exp": now(&app) - 60}));
    for token in [known, forger.token(&of_nobody), forger.token(&expired)] {
        assert_eq!(status(&app, &token).await, 401);
    }
    assert_eq!(issuer.fetches(), fetches, "what can be refused without another key asks for none");
}

#[tokio::test]
async fn known_keys_go_on_working_while_the_issuer_is_away() {
    let (known, unknown) = (IssuerKey::eddsa("known"), IssuerKey::es256("unknown"));
    let mut issuer = IssuerServer::start(&[&known]).await;
    let (app, seconds) = trusting(&issuer).await;
    let token = |key: &IssuerKey| key.token(&good(&app));
    assert_eq!(status(&app, &token(&known)).await, 200);
    issuer.leave().await;
    issuer.publish(&[&unknown]);
    for _ in 0..3 {
        seconds.fetch_add(7 * 3600, Ordering::SeqCst);
        assert_eq!(join_all((0..20).map(async |_| status(&app, &token(&known)).await)).await, vec![200; 20]);
        assert_eq!(status(&app, &token(&unknown)).await, 401);
    }
    seconds.fetch_add(4 * 3600, Ordering::SeqCst);
    assert_eq!(status(&app, &token(&known)).await, 401, "after more than a day");
    issuer.come_back().await;
    assert_eq!(status(&app, &token(&unknown)).await, 200);
    assert_eq!(status(&app, &token(&known)).await, 401, "its issuer has taken it back");
}

#[tokio::test]
async fn keys_are_fetched_again_beside_the_requests_when_they_have_aged() {
    let (first, second) = (IssuerKey::eddsa("a"), IssuerKey::eddsa("b"));
    let issuer = IssuerServer::start(&[&first]).await;
    let (app, seconds) = trusting(&issuer).await;
    let token = |key: &IssuerKey| key.token(&good(&app));
    assert_eq!(status(&app, &token(&first)).await, 200);
    issuer.publish(&[&second]);
    seconds.fetch_add(599, Ordering::SeqCst);
    assert_eq!(status(&app, &token(&first)).await, 200);
    assert_eq!(issuer.fetches(), 1, "ten minutes have not passed");

    seconds.fetch_add(2, Ordering::SeqCst);
    // Fetches begin a second apart, and that much may not have passed.
    let mut asked = 0;
    while issuer.fetches() < 2 {
        // Another token each time: who has just shown the same one is not verified again.
        asked += 1;
        let mut claims = good(&app);
        claims["jti"] = json!(asked);
        assert_eq!(status(&app, &first.token(&claims)).await, 200, "the old keys serve until the new ones are there");
    }
    assert_eq!(status(&app, &token(&second)).await, 200);
    assert_eq!(status(&app, &token(&first)).await, 401, "a key that is no longer published");
}

#[tokio::test]
async fn what_is_no_key_set_changes_nothing() {
    let (key, other) = (IssuerKey::eddsa("a"), IssuerKey::es256("b"));
    let issuer = IssuerServer::start(&[&key]).await;
    let elsewhere = IssuerServer::start(&[&other]).await;
    let (app, _) = trusting(&issuer).await;
    let token = |key: &IssuerKey| key.token(&good(&app));
    assert_eq!(status(&app, &token(&key)).await, 200);
    let target = elsewhere.setting();
    let location = target.split("jwks=").nth(1).and_then(|rest| rest.split(';').next()).expect("an address");
    let keys = json!({"keys": [other.jwk()]}).to_string();
    for (status_line, header, body) in [
        ("302 Found", format!("Location: {location}\r\n"), keys.clone()),
        ("500 Internal Server Error", String::new(), keys.clone()),
        ("200 OK", String::new(), format!("{keys}{}", " ".repeat(256 * 1024))),
        ("200 OK", String::new(), "<html>".to_owned()),
        ("200 OK", String::new(), r#"{"keys": {}}"#.to_owned()),
    ] {
        issuer.answer(status_line, &header, &body);
        let fetches = issuer.fetches();
        assert_eq!(status(&app, &token(&other)).await, 401, "{status_line} {header}");
        assert!(issuer.fetches() > fetches, "it was asked");
        assert_eq!(status(&app, &token(&key)).await, 200, "{status_line}: the keys that are known stay");
    }
    assert_eq!(elsewhere.fetches(), 0, "a redirect is not followed");

    let changed = |changes: Value| {
        let mut jwk = other.jwk();
        jwk.as_object_mut().expect("an object").extend(changes.as_object().expect("an object").clone());
        jwk
    };
    for jwk in [
        changed(json!({"use": "enc"})),
        changed(json!({"alg": "ES384"})),
        changed(json!({"crv": "secp256k1"})),
        changed(json!({"x": "AAAA"})),
        json!({"kty": "oct", "kid": "b", "k": "AAAA"}),
        json!(7),
    ] {
        issuer.publish_keys(&[jwk.clone(), key.jwk()]);
        assert_eq!(status(&app, &token(&other)).await, 401, "{jwk}");
        assert_eq!(status(&app, &token(&key)).await, 200, "{jwk}");
    }
    issuer.publish_keys(&[json!({"kty": "unknown"}), other.jwk()]);
    assert_eq!(status(&app, &token(&other)).await, 200, "among keys of another kind");
}

#[tokio::test]
async fn an_issuer_without_an_audience_may_mean_its_tokens_for_anybody() {
    let key = IssuerKey::eddsa("a");
    let issuer = IssuerServer::start(&[&key]).await;
    let configured = Issuer { audience: None, ..issuer.configured() };
    let identity = IdentityArgs { issuers: vec![configured], signing_keys: Vec::new() };
    let app = TestApp::start_trusting(Clock::system(), &identity).await;
    for aud in [json!(null), json!("others"), json!(["others"])] {
        let token = key.token(&platform_claims(&app.account, now(&app), &json!({"aud": aud})));
        assert_eq!(status(&app, &token).await, 200, "{aud}");
    }
}

#[tokio::test]
async fn a_fetch_that_is_broken_off_does_not_stand_in_for_one() {
    let (key, new) = (IssuerKey::eddsa("a"), IssuerKey::eddsa("b"));
    let issuer = IssuerServer::start(&[&key]).await;
    let issuers = Issuers::new(&[issuer.configured()]).expect("an issuer");
    let now = OffsetDateTime::now_utc();
    let account = Account {
        id: "6b03a791cd9cf1c23169c2d6".to_owned(),
        stream: String::new(),
        client: ClientId::generate(),
        secret: SecretString::default(),
        token: String::new(),
    };
    let verify = async |key: &IssuerKey| {
        let token = key.token(&platform_claims(&account, now.unix_timestamp(), &json!({})));
        let Ok(Unverified::Platform(token)) = Unverified::parse(&token) else {
            panic!("not a platform token: {token}")
        };
        issuers.verify(&token, now).await
    };
    verify(&key).await.expect("a published key");
    issuer.answer_nothing();
    // Both have come before the fetch begins; the one that waits for its answer is broken off.
    let mut first = Box::pin(verify(&new));
    let mut second = Box::pin(verify(&new));
    tokio::select! {
        biased;
        _ = &mut first => panic!("it has no answer"),
        _ = &mut second => panic!("it has no turn"),
        () = issuer.asked(2) => {}
    }
    issuer.publish(&[&new]);
    drop(first);
    second.await.expect("it makes a fetch of its own");
}
