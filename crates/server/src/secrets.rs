//! Secrets at rest: kubeconfigs, storage credentials and repository keys, sealed with a master key
//! that lives beside the database in a file of its own (`keys/master.key`, mode 0600).
//!
//! Contract: AES-256-GCM; a box opens only for the resource and purpose that it was sealed for, so
//! that a row moved by hand to another resource is refused. The plaintext is wiped when dropped.
//! The first byte is the format's version.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

use crate::environment::Entropy;

/// Bytes of the master key: AES-256.
pub const MASTER_KEY_BYTES: usize = 32;

/// The only format so far: version, nonce, ciphertext with tag.
const VERSION: u8 = 1;

/// What can be wrong with a sealed secret.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SecretError {
    /// The key file does not hold exactly 32 bytes.
    #[error("the master key must be {MASTER_KEY_BYTES} bytes, found {0}")]
    KeyLength(usize),
    /// The box was not sealed with this key for this resource and purpose, or it was changed.
    #[error("the secret '{purpose}' of {key} does not open with this server's master key")]
    DoesNotOpen {
        /// The resource.
        key: String,
        /// The purpose.
        purpose: String,
    },
    /// The cipher refused to seal.
    #[error("the secret could not be sealed")]
    Sealing,
}

/// The key that seals every secret of this server.
pub struct MasterKey {
    cipher: LessSafeKey,
    bytes: Zeroizing<[u8; MASTER_KEY_BYTES]>,
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

impl MasterKey {
    /// A key from its bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SecretError> {
        let bytes: [u8; MASTER_KEY_BYTES] = bytes
            .try_into()
            .map_err(|_| SecretError::KeyLength(bytes.len()))?;
        let key = UnboundKey::new(&AES_256_GCM, &bytes)
            .map_err(|_| SecretError::KeyLength(bytes.len()))?;
        Ok(Self {
            cipher: LessSafeKey::new(key),
            bytes: Zeroizing::new(bytes),
        })
    }

    /// Another key that only this one leads to, for one use: `HMAC-SHA256(master, use)`.
    #[must_use]
    pub fn derive(&self, use_name: &str) -> Zeroizing<[u8; 32]> {
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, self.bytes.as_slice());
        let tag = aws_lc_rs::hmac::sign(&key, use_name.as_bytes());
        let mut derived = Zeroizing::new([0; 32]);
        derived.copy_from_slice(tag.as_ref());
        derived
    }

    /// Seals `plaintext` for one purpose of one resource.
    pub fn seal(
        &self,
        key: &str,
        purpose: &str,
        plaintext: &[u8],
        entropy: &dyn Entropy,
    ) -> Result<Vec<u8>, SecretError> {
        // A random nonce is safe here: 2^32 boxes under one key would be needed before a repeat is
        // likely (NIST SP 800-38D, 8.3), and a server writes one per registered resource.
        let mut nonce = [0; NONCE_LEN];
        entropy.fill(&mut nonce);
        let mut sealed = plaintext.to_vec();
        self.cipher
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(associated(key, purpose)),
                &mut sealed,
            )
            .map_err(|_| SecretError::Sealing)?;
        let mut out = Vec::with_capacity(1 + NONCE_LEN + sealed.len());
        out.push(VERSION);
        out.extend_from_slice(&nonce);
        out.append(&mut sealed);
        Ok(out)
    }

    /// Opens a box that was sealed for this purpose of this resource.
    pub fn open(
        &self,
        key: &str,
        purpose: &str,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SecretError> {
        let refused = || SecretError::DoesNotOpen {
            key: key.to_owned(),
            purpose: purpose.to_owned(),
        };
        let (&version, rest) = sealed.split_first().ok_or_else(refused)?;
        let (nonce, body) = rest.split_at_checked(NONCE_LEN).ok_or_else(refused)?;
        if version != VERSION {
            return Err(refused());
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| refused())?;
        let mut body = Zeroizing::new(body.to_vec());
        let length = self
            .cipher
            .open_in_place(nonce, Aad::from(associated(key, purpose)), &mut body)
            .map_err(|_| refused())?
            .len();
        body.truncate(length);
        Ok(body)
    }
}

/// What a box is bound to. Keys hold no line break, so the two parts cannot run into each other.
fn associated(key: &str, purpose: &str) -> Vec<u8> {
    format!("strongroom secret\n{key}\n{purpose}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::CountingEntropy;

    fn master() -> MasterKey {
        MasterKey::from_bytes(&[7; MASTER_KEY_BYTES]).unwrap()
    }

    #[test]
    fn a_secret_opens_for_its_resource_and_purpose_only() {
        let entropy = CountingEntropy::default();
        let sealed = master()
            .seal("/a", "kubeconfig", b"hush", &entropy)
            .unwrap();
        assert_eq!(
            master()
                .open("/a", "kubeconfig", &sealed)
                .unwrap()
                .as_slice(),
            b"hush"
        );
        assert!(master().open("/b", "kubeconfig", &sealed).is_err());
        assert!(master().open("/a", "token", &sealed).is_err());
        assert!(!sealed.windows(4).any(|window| window == b"hush"));
    }

    #[test]
    fn a_changed_or_truncated_box_does_not_open() {
        let entropy = CountingEntropy::default();
        let sealed = master().seal("/a", "p", b"hush", &entropy).unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(master().open("/a", "p", &changed).is_err(), "byte {at}");
            assert!(
                master().open("/a", "p", &sealed[..at]).is_err(),
                "first {at} bytes"
            );
        }
    }

    #[test]
    fn another_master_key_opens_nothing_and_a_short_one_is_refused() {
        let entropy = CountingEntropy::default();
        let sealed = master().seal("/a", "p", b"hush", &entropy).unwrap();
        let other = MasterKey::from_bytes(&[8; MASTER_KEY_BYTES]).unwrap();
        assert!(other.open("/a", "p", &sealed).is_err());
        assert_eq!(
            MasterKey::from_bytes(&[0; 31]).unwrap_err(),
            SecretError::KeyLength(31)
        );
        assert_ne!(
            master().derive("a").as_slice(),
            master().derive("b").as_slice()
        );
    }
}
