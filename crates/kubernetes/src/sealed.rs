//! Job secrets, sealed to the extension's public key.
//!
//! A job needs storage credentials and the repository key. They travel inside the custom resource,
//! so whoever may read custom resources must learn nothing from it. The box is HPKE (RFC 9180) in
//! base mode with DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and ChaCha20-Poly1305. Its `info` is
//! `<namespace>/<name>` of the one custom resource that carries it: a box copied into another
//! custom resource does not open.
//!
//! Envelope, version 1, in base64: one byte `1`, 32 bytes encapsulated key, ciphertext with tag. The
//! version byte is authenticated (associated data), so an old reader refuses a new format instead
//! of misreading it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use rand::{CryptoRng, RngCore};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use crate::limits::SEALED_PLAINTEXT_BYTES;

/// The only envelope version there is.
const VERSION: u8 = 1;
/// Bytes of an X25519 key, private or public (RFC 9180, 7.1).
pub const KEY_BYTES: usize = 32;
/// Bytes of the Poly1305 tag at the end of the ciphertext.
const TAG_BYTES: usize = 16;

type Private = <X25519HkdfSha256 as Kem>::PrivateKey;
type Public = <X25519HkdfSha256 as Kem>::PublicKey;
type Encapsulated = <X25519HkdfSha256 as Kem>::EncappedKey;

/// Why a box could not be made or opened. It never says anything of the content.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
pub enum SealedError {
    /// The public key is not 32 bytes of base64.
    #[error("the extension's public key is not a base64 X25519 key of 32 bytes")]
    PublicKey,
    /// The private key has another length.
    #[error("the private key is not 32 bytes")]
    PrivateKey,
    /// More than [`SEALED_PLAINTEXT_BYTES`].
    #[error("the secrets have {bytes} bytes; at most {SEALED_PLAINTEXT_BYTES} can be sealed")]
    TooLarge {
        /// What they have.
        bytes: usize,
    },
    /// Not an envelope at all: not base64, or shorter than its fixed parts.
    #[error("the sealed secrets are not a sealed envelope")]
    Malformed,
    /// An envelope of a version that this program does not know.
    #[error("the sealed secrets have envelope version {version}; this program reads version 1")]
    Version {
        /// What the envelope says.
        version: u8,
    },
    /// Wrong key, wrong custom resource, or altered on the way: a cipher cannot tell which.
    #[error(
        "the sealed secrets do not open: they were sealed to another key (was the extension \
         installed anew?), for another custom resource, or were altered"
    )]
    DoesNotOpen,
    /// It opened, but what is inside is not what a job carries.
    #[error("the opened secrets are not a job's secrets: {0}")]
    Content(String),
}

/// The extension's key pair. The private half lives in a Secret of the extension's namespace and
/// nowhere else.
pub struct KeyPair {
    private: Private,
    public: Public,
}

impl KeyPair {
    /// A new pair from `rng`.
    pub fn generate<R: CryptoRng + RngCore>(rng: &mut R) -> Self {
        let (private, public) = X25519HkdfSha256::gen_keypair(rng);
        Self { private, public }
    }

    /// The pair of a stored private key (32 bytes).
    pub fn from_bytes(private: &[u8]) -> Result<Self, SealedError> {
        let private = Private::from_bytes(private).map_err(|_| SealedError::PrivateKey)?;
        let public = X25519HkdfSha256::sk_to_pk(&private);
        Ok(Self { private, public })
    }

    /// The private key's 32 bytes, to be stored; wiped from memory when dropped.
    pub fn private_key(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.private.to_bytes().to_vec())
    }

    /// The public key as published in `BackupExtension.status.publicKey`.
    pub fn public_key_base64(&self) -> String {
        BASE64.encode(self.public.to_bytes())
    }

    /// Opens an envelope that was sealed to this pair for `info`.
    pub fn open(&self, info: &str, envelope: &str) -> Result<Zeroizing<Vec<u8>>, SealedError> {
        // Four base64 characters carry three bytes; the cap holds before anything is decoded.
        let most = (1 + KEY_BYTES + SEALED_PLAINTEXT_BYTES + TAG_BYTES).div_ceil(3) * 4;
        if envelope.len() > most {
            return Err(SealedError::TooLarge {
                bytes: envelope.len() / 4 * 3,
            });
        }
        let bytes = BASE64
            .decode(envelope.trim())
            .map_err(|_| SealedError::Malformed)?;
        let (version, rest) = bytes.split_first().ok_or(SealedError::Malformed)?;
        if *version != VERSION {
            return Err(SealedError::Version { version: *version });
        }
        if rest.len() < KEY_BYTES + TAG_BYTES {
            return Err(SealedError::Malformed);
        }
        let (encapsulated, ciphertext) = rest.split_at(KEY_BYTES);
        let encapsulated =
            Encapsulated::from_bytes(encapsulated).map_err(|_| SealedError::Malformed)?;
        hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            &self.private,
            &encapsulated,
            info.as_bytes(),
            ciphertext,
            &[VERSION],
        )
        .map(Zeroizing::new)
        .map_err(|_| SealedError::DoesNotOpen)
    }

    /// Opens an envelope and reads the job's secrets in it.
    pub fn open_secrets(&self, info: &str, envelope: &str) -> Result<JobSecrets, SealedError> {
        let plaintext = self.open(info, envelope)?;
        // The parser's message could quote the content, so only its position is told.
        serde_json::from_slice(&plaintext).map_err(|error| {
            SealedError::Content(format!("unexpected at column {}", error.column()))
        })
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("KeyPair")
            .field("public", &self.public_key_base64())
            .finish()
    }
}

/// The `info` that binds a box to one custom resource.
pub fn info(namespace: &str, name: &str) -> String {
    format!("{namespace}/{name}")
}

/// Seals `plaintext` to a public key for the custom resource that `info` names.
pub fn seal<R: CryptoRng + RngCore>(
    public_key_base64: &str,
    info: &str,
    plaintext: &[u8],
    rng: &mut R,
) -> Result<String, SealedError> {
    if plaintext.len() > SEALED_PLAINTEXT_BYTES {
        return Err(SealedError::TooLarge {
            bytes: plaintext.len(),
        });
    }
    let key = BASE64
        .decode(public_key_base64.trim())
        .map_err(|_| SealedError::PublicKey)?;
    let public = Public::from_bytes(&key).map_err(|_| SealedError::PublicKey)?;
    let (encapsulated, ciphertext) =
        hpke::single_shot_seal::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256, R>(
            &OpModeS::Base,
            &public,
            info.as_bytes(),
            plaintext,
            &[VERSION],
            rng,
        )
        // The one failure there is: a key whose shared secret would be zero.
        .map_err(|_| SealedError::PublicKey)?;
    let mut envelope = Vec::with_capacity(1 + KEY_BYTES + ciphertext.len());
    envelope.push(VERSION);
    envelope.extend_from_slice(&encapsulated.to_bytes());
    envelope.extend_from_slice(&ciphertext);
    Ok(BASE64.encode(envelope))
}

/// Seals a job's secrets; see [`seal`].
pub fn seal_secrets<R: CryptoRng + RngCore>(
    public_key_base64: &str,
    info: &str,
    secrets: &JobSecrets,
    rng: &mut R,
) -> Result<String, SealedError> {
    let plaintext = serde_json::to_vec(secrets)
        .map(Zeroizing::new)
        .map_err(|error| SealedError::Content(error.to_string()))?;
    seal(public_key_base64, info, &plaintext, rng)
}

/// What a job needs to reach its repository. Wiped from memory when dropped, never printed.
#[derive(Clone, Serialize, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct JobSecrets {
    /// The store's configuration with its credentials (the repository crate's `StoreConfig`).
    pub store: serde_json::Value,
    /// The repository's place under the store.
    pub prefix: String,
    /// The repository key, 32 bytes in base64.
    pub repository_key: String,
}

impl fmt::Debug for JobSecrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("JobSecrets")
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

impl Drop for JobSecrets {
    fn drop(&mut self) {
        self.repository_key.zeroize();
        wipe(&mut self.store);
    }
}

/// Overwrites every string of a JSON value. Depth is bounded by the parser's own limit of 128.
fn wipe(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::String(text) => text.zeroize(),
        serde_json::Value::Array(items) => items.iter_mut().for_each(wipe),
        serde_json::Value::Object(fields) => fields.values_mut().for_each(wipe),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
