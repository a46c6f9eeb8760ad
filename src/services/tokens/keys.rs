//! Public keys, as a JWK set publishes them, and the signatures that they verify.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::json;

/// How platform tokens may be signed. Each kind of key has one algorithm, so that
/// no header can choose another for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// RSASSA-PKCS1-v1_5 with SHA-256, by a key of at least 2048 bits.
    Rs256,
    /// EdDSA on Ed25519.
    EdDsa,
}

impl Algorithm {
    /// The algorithm of that name in a header.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "ES256" => Some(Self::Es256),
            "RS256" => Some(Self::Rs256),
            "EdDSA" => Some(Self::EdDsa),
            _ => None,
        }
    }
}

/// A signature, what it is of, and by which key it says that it is.
#[derive(Debug)]
pub struct Signature<'a> {
    /// How it is made.
    pub algorithm: Algorithm,
    /// The key's name.
    pub kid: Option<String>,
    /// What is signed.
    pub signed: &'a str,
    /// The signature.
    pub bytes: Vec<u8>,
}

/// What a set of keys says of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// One of the keys made it.
    Good,
    /// The key that it names did not make it.
    Forged,
    /// The set does not have the key.
    UnknownKey,
}

/// An issuer's keys.
#[derive(Debug)]
pub struct KeySet(Vec<PublicKey>);

#[derive(Debug)]
struct PublicKey {
    kid: Option<String>,
    algorithm: Algorithm,
    key: ParsedPublicKey,
}

impl KeySet {
    /// Reads a JWK set (RFC 7517). Keys that are not for signatures, or of another
    /// kind, are left out; one that is too weak verifies nothing.
    ///
    /// # Errors
    ///
    /// What of it is no JWK set.
    pub fn parse(document: &[u8]) -> Result<Self, String> {
        let document = json::parse(document)?;
        let keys = document.get("keys").and_then(Value::as_array).ok_or("there is no list of keys in it")?;
        Ok(Self(keys.iter().filter_map(PublicKey::read).collect()))
    }

    /// Whether one of the keys made the signature. One that names no key is tried
    /// with all of its algorithm.
    pub fn judge(&self, signature: &Signature<'_>) -> Verdict {
        let is_named = |key: &&PublicKey| signature.kid.is_none() || signature.kid == key.kid;
        let mut named = self.0.iter().filter(is_named).peekable();
        let is_known = signature.kid.is_some() && named.peek().is_some();
        if named.any(|key| key.has_made(signature)) {
            Verdict::Good
        } else if is_known {
            Verdict::Forged
        } else {
            Verdict::UnknownKey
        }
    }
}

impl PublicKey {
    fn read(jwk: &Value) -> Option<Self> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        let bytes = |name: &str| text(name).and_then(|text| BASE64_URL_SAFE_NO_PAD.decode(text).ok());
        let (algorithm, name, key) = match (text("kty")?, text("crv")) {
            ("EC", Some("P-256")) => {
                let (x, y) = (bytes("x")?, bytes("y")?);
                let point = [&[4], x.as_slice(), y.as_slice()].concat();
                (Algorithm::Es256, "ES256", ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point))
            }
            ("OKP", Some("Ed25519")) => (Algorithm::EdDsa, "EdDSA", ParsedPublicKey::new(&ED25519, bytes("x")?)),
            ("RSA", _) => {
                // Some issuers write a zero in front, which the standard does not have.
                let number =
                    |name| bytes(name).map(|number| number.into_iter().skip_while(|byte| *byte == 0).collect());
                let key = RsaPublicKeyComponents::<Vec<u8>> { n: number("n")?, e: number("e")? };
                (Algorithm::Rs256, "RS256", key.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256))
            }
            _ => return None,
        };
        let is_for_signatures = jwk.get("use").is_none_or(|usage| usage == "sig");
        let is_for_this_algorithm = jwk.get("alg").is_none_or(|alg| alg == name);
        let kid = text("kid").map(str::to_owned);
        (is_for_signatures && is_for_this_algorithm).then_some(Self { kid, algorithm, key: key.ok()? })
    }

    fn has_made(&self, signature: &Signature<'_>) -> bool {
        self.algorithm == signature.algorithm
            && self.key.verify_sig(signature.signed.as_bytes(), &signature.bytes).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY;
    use serde_json::json;

    use super::*;

    /// The modulus of a key of 1024 bits, and its signature of `a message`.
    const WEAK: [&str; 2] = [
        "pHV7_bbaNVl7AE15DDdbNfcq3TMyX_iGE6LonQbAUldc0NwT5iWGUsXfJ3tUSvnoSMhRSc1DWtn3752sok7t4h9I4xorms0dFETfsZh227-aeRqm-OVhbZl72Y79yXxojZtzW9_t-6z-Hl6EsJ9P5WMc7LBQNF9nQN3kAdaJxCM",
        "AfvZkzg1bNSUQK4X5Y3vKaBZwDqDJcupSWn9G-8u7btqIhzZVcRATSa1scuyqEOm5h7cFNxkv5ZQjYwJNTmp2apEOjRKVD8OAz1A72XNX2vI07q5kiW9tHMJJu4Ud4owe3fUyq62QcYnIbNJl9QRq7LTMKkMe4ll59cWmfcGaDs",
    ];

    fn judge(jwk: Value, signature: &Signature<'_>) -> Verdict {
        let document = json!({ "keys": [jwk] }).to_string();
        KeySet::parse(document.as_bytes()).expect("a key set").judge(signature)
    }

    #[test]
    fn a_key_of_1024_bits_verifies_nothing() {
        let [n, bytes] = WEAK.map(|text| BASE64_URL_SAFE_NO_PAD.decode(text).expect("base64"));
        let key = RsaPublicKeyComponents { n, e: vec![1, 0, 1] };
        let legacy = &RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY;
        assert!(key.verify(legacy, b"a message", &bytes).is_ok(), "the signature is good in itself");
        let signature =
            Signature { algorithm: Algorithm::Rs256, kid: Some("weak".to_owned()), signed: "a message", bytes };
        let jwk = json!({ "kty": "RSA", "kid": "weak", "n": WEAK[0], "e": "AQAB" });
        assert_eq!(judge(jwk, &signature), Verdict::Forged);
    }
}
