//! Our own keys: what the tokens of `POST /oauth/token` are signed with.

use aws_lc_rs::digest;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use super::keys::{KeySet, Verdict};
use super::{Rejected, platform};
use crate::domain::identity::{Scope, SignIn};
use crate::domain::ids::ClientId;
use crate::sealing::{self, SealingError};

/// How long our tokens live, in seconds.
pub const LIFETIME: i64 = 599;

/// In a list of keys, the one that is derived from the secret key.
pub const DERIVED: &str = "derived";

/// Why our keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SigningKeyError {
    /// One of the keys that are configured is none.
    #[error("signing key {0} must be 32 bytes in base64 (`openssl rand -base64 32` makes one), or the word {DERIVED}")]
    Key(usize),
    /// The secret key is none.
    #[error(transparent)]
    Secret(#[from] SealingError),
}

/// The keys that we sign with, or did or will: the first signs, all verify.
pub struct SigningKeys {
    issuer: String,
    signing: Ed25519KeyPair,
    kid: String,
    document: Value,
    published: KeySet,
}

impl SigningKeys {
    /// The keys that are configured, in base64; without any, one that is derived
    /// from the secret key, so that every process that has this has that one too.
    /// `issuer` is our public URL.
    ///
    /// # Errors
    ///
    /// [`SigningKeyError`] that says which key is none.
    pub fn new(issuer: &str, secret_key: &SecretString, configured: &[SecretString]) -> Result<Self, SigningKeyError> {
        let derived = derive(secret_key)?;
        let mut pairs = Vec::new();
        for (index, key) in configured.iter().enumerate() {
            let pair = match key.expose_secret().trim() {
                DERIVED => derive(secret_key).ok(),
                text => BASE64_STANDARD.decode(text).ok().and_then(|seed| pair(&seed)),
            };
            pairs.push(pair.ok_or(SigningKeyError::Key(index + 1))?);
        }
        let jwks: Vec<Value> = if pairs.is_empty() { vec![jwk(&derived)] } else { pairs.iter().map(jwk).collect() };
        let signing = pairs.into_iter().next().unwrap_or(derived);
        let document = json!({ "keys": jwks });
        let published = KeySet::parse(document.to_string().as_bytes()).expect("our own document is a key set");
        Ok(Self { issuer: issuer.to_owned(), kid: thumbprint(&signing), signing, document, published })
    }

    /// Who we are, as `iss` and `aud` of our tokens say.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The public keys, as a JWK set.
    pub fn document(&self) -> &Value {
        &self.document
    }

    /// A token for a client, which lives for [`LIFETIME`].
    pub fn issue(&self, client_id: &ClientId, client: &SignIn, scopes: &[Scope], now: OffsetDateTime) -> String {
        let issued = now.unix_timestamp();
        let header = json!({ "alg": "EdDSA", "typ": "JWT", "kid": self.kid });
        let claims = json!({
            "iss": self.issuer,
            "aud": self.issuer,
            "aid": client.account_id.as_str(),
            "cid": client_id.as_str(),
            "sub": client.user_id.as_str(),
            "scp": Scope::join(scopes),
            "iat": issued,
            "exp": issued + LIFETIME,
            "jti": Uuid::new_v4().to_string(),
        });
        let [header, claims] = [header, claims].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part.to_string()));
        let signed = format!("{header}.{claims}");
        let signature = BASE64_URL_SAFE_NO_PAD.encode(self.signing.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    /// Verifies that a token is one of ours, for us.
    ///
    /// # Errors
    ///
    /// When it is not.
    pub fn verify(&self, token: &platform::Unverified<'_>) -> Result<(), Rejected> {
        token.check_audience(&self.issuer)?;
        match self.published.judge(&token.signature) {
            Verdict::Good => Ok(()),
            Verdict::Forged | Verdict::UnknownKey => Err(Rejected("signature")),
        }
    }
}

fn derive(secret_key: &SecretString) -> Result<Ed25519KeyPair, SealingError> {
    let seed = sealing::derive(secret_key, "ed25519 signing key 1")?;
    pair(&seed).ok_or(SealingError::Key)
}

fn pair(seed: &[u8]) -> Option<Ed25519KeyPair> {
    // The library takes what is longer too, and cuts it off.
    (seed.len() == 32).then(|| Ed25519KeyPair::from_seed_unchecked(seed).ok()).flatten()
}

fn jwk(pair: &Ed25519KeyPair) -> Value {
    json!({ "kty": "OKP", "crv": "Ed25519", "x": x(pair), "use": "sig", "alg": "EdDSA", "kid": thumbprint(pair) })
}

/// The key's name: its thumbprint after RFC 7638.
fn thumbprint(pair: &Ed25519KeyPair) -> String {
    let members = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, x(pair));
    BASE64_URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, members.as_bytes()))
}

fn x(pair: &Ed25519KeyPair) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(pair.public_key())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keys_name_is_the_thumbprint_of_its_standard() {
        // The key of RFC 8037, appendix A.1, and its thumbprint, appendix A.3.
        let seed = BASE64_URL_SAFE_NO_PAD.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").expect("base64");
        let pair = pair(&seed).expect("a key");
        assert_eq!(x(&pair), "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        assert_eq!(thumbprint(&pair), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }
}
