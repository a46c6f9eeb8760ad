//! Secrets at rest: sealed with a key that is not in the database.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Prk, Salt};
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use secrecy::{ExposeSecret, SecretString};

/// The first byte of what is sealed, so that a later form can be told from this one.
const FORM: u8 = 1;

/// Seals and opens with AES-256-GCM. What is sealed is bound to a name, so that
/// it opens only where it belongs.
pub struct Sealer(RandomizedNonceKey);

/// Why something could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum SealingError {
    /// The key is not 32 bytes.
    #[error(
        "the secret key must be 32 bytes, in base64 or as 64 hexadecimal digits; `openssl rand -base64 32` makes one"
    )]
    Key,
    /// Sealed with another key, for another name, or altered.
    #[error("the secret was sealed with another key, or was altered")]
    Sealed,
}

impl Sealer {
    /// A sealer with the key that `text` spells in base64 or hexadecimal.
    ///
    /// # Errors
    ///
    /// When it does not spell 32 bytes.
    pub fn new(text: &SecretString) -> Result<Self, SealingError> {
        RandomizedNonceKey::new(&AES_256_GCM, &key_bytes(text)?).map(Self).map_err(|_| SealingError::Key)
    }

    /// Seals `secret` for `name`.
    ///
    /// # Errors
    ///
    /// When the system has no randomness to give.
    pub fn seal(&self, name: &str, secret: &SecretString) -> Result<Vec<u8>, SealingError> {
        self.seal_bytes(name, secret.expose_secret().as_bytes().to_vec())
    }

    fn seal_bytes(&self, name: &str, mut bytes: Vec<u8>) -> Result<Vec<u8>, SealingError> {
        let nonce = self.0.seal_in_place_append_tag(Aad::from(name), &mut bytes).map_err(|_| SealingError::Sealed)?;
        let mut sealed = vec![FORM];
        sealed.extend_from_slice(nonce.as_ref());
        sealed.extend_from_slice(&bytes);
        Ok(sealed)
    }

    /// Opens what was sealed for `name`.
    ///
    /// # Errors
    ///
    /// When it was sealed with another key, for another name, or was altered.
    pub fn open(&self, name: &str, sealed: &[u8]) -> Result<SecretString, SealingError> {
        let opened = String::from_utf8(self.open_bytes(name, sealed)?).map_err(|_| SealingError::Sealed)?;
        Ok(SecretString::from(opened))
    }

    fn open_bytes(&self, name: &str, sealed: &[u8]) -> Result<Vec<u8>, SealingError> {
        let (form, rest) = sealed.split_first().ok_or(SealingError::Sealed)?;
        let (nonce, text) = rest.split_at_checked(NONCE_LEN).ok_or(SealingError::Sealed)?;
        if *form != FORM {
            return Err(SealingError::Sealed);
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealingError::Sealed)?;
        let mut text = text.to_vec();
        let opened = self.0.open_in_place(nonce, Aad::from(name), &mut text).map_err(|_| SealingError::Sealed)?;
        Ok(opened.to_vec())
    }
}

/// The service's half of what seals under a caller's key: neither half opens anything alone.
pub struct HalfKey([u8; 32]);

impl HalfKey {
    /// The half that is derived from the key that `text` spells in base64 or hexadecimal.
    ///
    /// # Errors
    ///
    /// When it does not spell 32 bytes.
    pub fn new(text: &SecretString) -> Result<Self, SealingError> {
        derive(text, "idempotency").map(Self)
    }

    /// What both halves make together.
    ///
    /// # Errors
    ///
    /// When a key cannot be made, which does not happen.
    pub fn with(&self, callers: &str) -> Result<WholeKey, SealingError> {
        let whole = Salt::new(HKDF_SHA256, &self.0).extract(callers.as_bytes());
        let sealer =
            RandomizedNonceKey::new(&AES_256_GCM, &expand(&whole, "answer")?).map_err(|_| SealingError::Key)?;
        Ok(WholeKey {
            hash: expand(&whole, "hash")?,
            fingerprints: hmac::Key::new(HMAC_SHA256, &expand(&whole, "fingerprint")?),
            sealer: Sealer(sealer),
        })
    }
}

/// Seals, opens and tells apart what belongs to a caller's key. Who has the database alone cannot even try out what
/// its hashes and fingerprints might be of.
pub struct WholeKey {
    hash: [u8; 32],
    fingerprints: hmac::Key,
    sealer: Sealer,
}

impl WholeKey {
    /// What the caller's key is found by.
    pub fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// The fingerprint of these parts, in this order.
    pub fn fingerprint(&self, parts: &[impl AsRef<[u8]>]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.fingerprints);
        for part in parts.iter().map(AsRef::as_ref) {
            // With its length, so that no end of one part passes for the beginning of the next.
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(context.sign().as_ref());
        fingerprint
    }

    /// Seals `bytes` for `name`.
    ///
    /// # Errors
    ///
    /// When the system has no randomness to give.
    pub fn seal(&self, name: &str, bytes: Vec<u8>) -> Result<Vec<u8>, SealingError> {
        self.sealer.seal_bytes(name, bytes)
    }

    /// Opens what was sealed for `name`.
    ///
    /// # Errors
    ///
    /// When it was sealed under another key, for another name, or was altered.
    pub fn open(&self, name: &str, sealed: &[u8]) -> Result<Vec<u8>, SealingError> {
        self.sealer.open_bytes(name, sealed)
    }
}

/// 32 random bytes in base64 without padding, safe in a URL and on a command line.
///
/// # Errors
///
/// When the system has no randomness to give.
pub fn generate_secret() -> Result<SecretString, SealingError> {
    Ok(SecretString::from(base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(random_bytes()?)))
}

/// A new key for a [`Sealer`], in base64.
///
/// # Errors
///
/// When the system has no randomness to give.
pub fn generate_key() -> Result<SecretString, SealingError> {
    Ok(SecretString::from(BASE64_STANDARD.encode(random_bytes()?)))
}

/// 32 bytes for another purpose, derived from the key that `text` spells: the
/// same wherever the key is the same, and saying nothing of it.
///
/// # Errors
///
/// When it does not spell 32 bytes.
pub fn derive(text: &SecretString, purpose: &str) -> Result<[u8; 32], SealingError> {
    expand(&Salt::new(HKDF_SHA256, b"expunge").extract(&key_bytes(text)?), purpose)
}

fn expand(key: &Prk, purpose: &str) -> Result<[u8; 32], SealingError> {
    let mut bytes = [0; 32];
    key.expand(&[purpose.as_bytes()], HKDF_SHA256)
        .and_then(|derived| derived.fill(&mut bytes))
        .map_err(|_| SealingError::Key)?;
    Ok(bytes)
}

fn key_bytes(text: &SecretString) -> Result<[u8; 32], SealingError> {
    let text = text.expose_secret().trim();
    let bytes = hex::decode(text).or_else(|_| BASE64_STANDARD.decode(text)).map_err(|_| SealingError::Key)?;
    bytes.try_into().map_err(|_| SealingError::Key)
}

fn random_bytes() -> Result<[u8; 32], SealingError> {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| SealingError::Key)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer() -> Sealer {
        Sealer::new(&generate_key().expect("the system has randomness")).expect("a generated key is a key")
    }

    #[test]
    fn what_is_sealed_opens_only_with_the_same_key_and_name() {
        let (ours, other) = (sealer(), sealer());
        let sealed = ours.seal("cs-1", &SecretString::from("printed")).expect("sealing works");
        assert_eq!(ours.open("cs-1", &sealed).expect("it opens").expose_secret(), "printed");
        assert!(ours.open("cs-2", &sealed).is_err());
        assert!(other.open("cs-1", &sealed).is_err());
        let mut altered = sealed.clone();
        *altered.last_mut().expect("it is not empty") ^= 1;
        assert!(ours.open("cs-1", &altered).is_err());
        assert!(ours.open("cs-1", &sealed[..5]).is_err());
        assert!(!sealed.windows(7).any(|window| window == b"printed"));
    }

    #[test]
    fn what_is_derived_depends_on_the_key_and_the_purpose_alone() {
        let (key, other) = (SecretString::from("00".repeat(32)), SecretString::from("01".repeat(32)));
        let in_base64 = SecretString::from(BASE64_STANDARD.encode([0; 32]));
        let derived = derive(&key, "a").expect("a key");
        assert_eq!(derive(&in_base64, "a").expect("a key"), derived);
        assert_ne!(derive(&key, "b").expect("a key"), derived);
        assert_ne!(derive(&other, "a").expect("a key"), derived);
    }

    #[test]
    fn what_is_sealed_under_a_callers_key_opens_with_both_halves_only() {
        let half = |digits: &str| HalfKey::new(&SecretString::from(digits.repeat(32))).expect("a key");
        let key = half("00").with("abc").expect("a whole key");
        let sealed = key.seal("cs-1", b"answer".to_vec()).expect("sealing works");
        let same = half("00").with("abc").expect("a whole key");
        assert_eq!(same.open("cs-1", &sealed).expect("it opens"), b"answer");
        assert_eq!((same.hash(), same.fingerprint(&[b"a"])), (key.hash(), key.fingerprint(&[b"a"])));
        assert!(same.open("cs-2", &sealed).is_err());
        for other in [half("00").with("abd"), half("01").with("abc")].map(|other| other.expect("a whole key")) {
            assert!(other.open("cs-1", &sealed).is_err());
            assert!(other.hash() != key.hash() && other.fingerprint(&[b"a"]) != key.fingerprint(&[b"a"]));
        }
        assert_ne!(key.fingerprint(&["a", "bc"]), key.fingerprint(&["ab", "c"]));
    }

    #[test]
    fn a_key_is_32_bytes_in_base64_or_hexadecimal() {
        assert!(Sealer::new(&SecretString::from("00".repeat(32))).is_ok());
        assert!(Sealer::new(&SecretString::from("00".repeat(31))).is_err());
        assert!(Sealer::new(&SecretString::from("not a key")).is_err());
    }
}
