//! Secrets at rest: sealed with a key that is not in the database.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
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
        let mut text = secret.expose_secret().as_bytes().to_vec();
        let nonce = self.0.seal_in_place_append_tag(Aad::from(name), &mut text).map_err(|_| SealingError::Sealed)?;
        let mut sealed = vec![FORM];
        sealed.extend_from_slice(nonce.as_ref());
        sealed.extend_from_slice(&text);
        Ok(sealed)
    }

    /// Opens what was sealed for `name`.
    ///
    /// # Errors
    ///
    /// When it was sealed with another key, for another name, or was altered.
    pub fn open(&self, name: &str, sealed: &[u8]) -> Result<SecretString, SealingError> {
        let (form, rest) = sealed.split_first().ok_or(SealingError::Sealed)?;
        let (nonce, text) = rest.split_at_checked(NONCE_LEN).ok_or(SealingError::Sealed)?;
        if *form != FORM {
            return Err(SealingError::Sealed);
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealingError::Sealed)?;
        let mut text = text.to_vec();
        let opened = self.0.open_in_place(nonce, Aad::from(name), &mut text).map_err(|_| SealingError::Sealed)?;
        let opened = String::from_utf8(opened.to_vec()).map_err(|_| SealingError::Sealed)?;
        Ok(SecretString::from(opened))
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
    let key = Salt::new(HKDF_SHA256, b"expunge").extract(&key_bytes(text)?);
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
    fn a_key_is_32_bytes_in_base64_or_hexadecimal() {
        assert!(Sealer::new(&SecretString::from("00".repeat(32))).is_ok());
        assert!(Sealer::new(&SecretString::from("00".repeat(31))).is_err());
        assert!(Sealer::new(&SecretString::from("not a key")).is_err());
    }
}
