//! An issuer of platform tokens: keys, and a server that publishes them.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
    RsaPublicKeyComponents,
};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use expunge::services::issuers;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::app::Account;

/// What its tokens say in `iss`.
pub const ISSUER: &str = "https://id.example/";

/// What its tokens say in `aud`.
pub const AUDIENCE: &str = "expunge";

/// A key that an issuer signs with.
pub struct IssuerKey {
    pub kid: String,
    pair: Pair,
}

enum Pair {
    Es256(EcdsaKeyPair),
    Rs256(RsaKeyPair),
    EdDsa(Ed25519KeyPair),
}

impl IssuerKey {
    pub fn es256(kid: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        Self { kid: kid.to_owned(), pair: Pair::Es256(pair) }
    }

    pub fn rs256(kid: &str) -> Self {
        Self { kid: kid.to_owned(), pair: Pair::Rs256(RsaKeyPair::generate(KeySize::Rsa2048).expect("a key")) }
    }

    pub fn eddsa(kid: &str) -> Self {
        Self { kid: kid.to_owned(), pair: Pair::EdDsa(Ed25519KeyPair::generate().expect("a key")) }
    }

    pub fn algorithm(&self) -> &'static str {
        match self.pair {
            Pair::Es256(_) => "ES256",
            Pair::Rs256(_) => "RS256",
            Pair::EdDsa(_) => "EdDSA",
        }
    }

    /// The public half, as it is published.
    pub fn jwk(&self) -> Value {
        let text = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let mut jwk = match &self.pair {
            Pair::Es256(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "x": text(x), "y": text(y)})
            }
            Pair::Rs256(pair) => {
                let public = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
                json!({"kty": "RSA", "n": text(&public.n), "e": text(&public.e)})
            }
            Pair::EdDsa(pair) => json!({"kty": "OKP", "crv": "Ed25519", "x": text(pair.public_key().as_ref())}),
        };
        jwk["kid"] = json!(self.kid);
        jwk["use"] = json!("sig");
        jwk
    }

    /// A token of these claims.
    pub fn token(&self, claims: &Value) -> String {
        self.token_with(&json!({"alg": self.algorithm(), "kid": self.kid}), claims)
    }

    /// A token of this header and these claims, signed with the key whatever they say.
    pub fn token_with(&self, header: &Value, claims: &Value) -> String {
        let body = unsigned(&header.to_string(), &claims.to_string());
        let random = SystemRandom::new();
        let signature = match &self.pair {
            Pair::Es256(pair) => pair.sign(&random, body.as_bytes()).expect("it signs").as_ref().to_vec(),
            Pair::Rs256(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, body.as_bytes(), &mut signature).expect("it signs");
                signature
            }
            Pair::EdDsa(pair) => pair.sign(body.as_bytes()).as_ref().to_vec(),
        };
        format!("{body}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }
}

/// Header and claims of a token, without a signature.
pub fn unsigned(header: &str, claims: &str) -> String {
    format!("{}.{}", BASE64_URL_SAFE_NO_PAD.encode(header), BASE64_URL_SAFE_NO_PAD.encode(claims))
}

/// The claims of a good token of an account's client, with some of them changed; null takes a claim out.
pub fn platform_claims(account: &Account, now: i64, changes: &Value) -> Value {
    let mut claims = json!({
        "iss": ISSUER, "aud": AUDIENCE, "aid": account.id, "cid": account.client.as_str(), "sub": "svc",
        "scp": "configuration campaign_management record-lists:manage deletions:hard deletions:read retention:manage", "iat": now, "exp": now + 600
    });
    let all = claims.as_object_mut().expect("claims are an object");
    for (claim, value) in changes.as_object().expect("changes are an object") {
        match value {
            Value::Null => all.shift_remove(claim),
            value => all.insert(claim.clone(), value.clone()),
        };
    }
    claims
}

/// A server that publishes what it is told to, and counts who comes for it.
pub struct IssuerServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

struct Shared {
    answer: Mutex<String>,
    fetches: AtomicUsize,
}

impl IssuerServer {
    pub async fn start(keys: &[&IssuerKey]) -> Self {
        let shared = Arc::new(Shared { answer: Mutex::default(), fetches: AtomicUsize::new(0) });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("an address");
        let server = Self { address, accepting: accept(listener, shared.clone()), shared };
        server.publish(keys);
        server
    }

    /// As it is configured, with an audience.
    pub fn configured(&self) -> issuers::Issuer {
        issuers::Issuer::parse(&self.setting()).expect("a good setting")
    }

    pub fn setting(&self) -> String {
        format!("iss={ISSUER};jwks=http://{}/keys;aud={AUDIENCE}", self.address)
    }

    /// Publishes these keys and no others from now on.
    pub fn publish(&self, keys: &[&IssuerKey]) {
        self.publish_keys(&keys.iter().map(|key| key.jwk()).collect::<Vec<_>>());
    }

    pub fn publish_keys(&self, jwks: &[Value]) {
        self.answer("200 OK", "", &json!({"keys": jwks}).to_string());
    }

    /// Answers this from now on.
    pub fn answer(&self, status: &str, header: &str, body: &str) {
        let length = body.len();
        *self.shared.answer.lock().expect("nobody panics with it") = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n{header}\r\n{body}"
        );
    }

    /// Takes requests and does not answer them from now on.
    pub fn answer_nothing(&self) {
        self.shared.answer.lock().expect("nobody panics with it").clear();
    }

    /// How often it was asked.
    pub fn fetches(&self) -> usize {
        self.shared.fetches.load(Ordering::SeqCst)
    }

    /// Takes no connection until it is back.
    pub async fn leave(&mut self) {
        self.accepting.abort();
        // The listener is closed when the task is gone.
        let _aborted = (&mut self.accepting).await;
    }

    pub async fn come_back(&mut self) {
        let listener = TcpListener::bind(self.address).await.expect("its port is still free");
        self.accepting = accept(listener, self.shared.clone());
    }

    /// Waits until it has been asked that often.
    pub async fn asked(&self, fetches: usize) {
        let asked = async {
            while self.fetches() < fetches {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), asked).await.expect("it is asked for its keys");
    }
}

impl Drop for IssuerServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn accept(listener: TcpListener, shared: Arc<Shared>) -> JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            let (connection, _) = listener.accept().await.expect("it listens");
            tokio::spawn(answer(connection, shared.clone()));
        }
    })
}

async fn answer(mut connection: TcpStream, shared: Arc<Shared>) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        match connection.read_u8().await {
            Ok(byte) => request.push(byte),
            Err(_) => return,
        }
    }
    shared.fetches.fetch_add(1, Ordering::SeqCst);
    let answer = shared.answer.lock().expect("nobody panics with it").clone();
    if answer.is_empty() {
        // Until who asks goes.
        let _gone = connection.read_u8().await;
        return;
    }
    // Who has gone needs no answer.
    let _gone = connection.write_all(answer.as_bytes()).await;
}
