//! Keys, ids and sealed sections. The whole of the format's cryptography is in this file.
//!
//! From the repository's 32-byte key come three independent keys (BLAKE3 `derive_key`): one for
//! content ids, one for the key check of the format object, and a root for sealing. **Each stored
//! object has its own AES-256-GCM key**: the keyed BLAKE3 hash, under the sealing root, of the
//! object's role and its path below the repository's prefix. What is moved to another place is
//! therefore sealed with the wrong key there and does not open.
//!
//! A sealed section is `nonce (12) || ciphertext || tag (16)`; its associated data is the section's
//! kind and its offset in the object, so sections cannot change places within an object either.
//! Nonces are random: a key seals the sections of one object, a few hundred to a few thousand, so
//! that a repeated 96-bit nonce under one key is out of reach (2^-70 for 10,000 sections), also when
//! a killed writer's object is written again under the same name.

pub(crate) use aws_lc_rs::aead::NONCE_LEN;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use bytes::BytesMut;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::compression::Payload;
use crate::entropy::RandomStream;
use crate::error::{Error, Result};
use crate::id::ContentId;

/// Bytes that sealing adds to a section: the nonce before and the tag behind.
pub(crate) const SEAL_OVERHEAD: usize = NONCE_LEN + 16;

/// The key of one repository. Whoever holds it reads everything in the repository.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct RepositoryKey([u8; 32]);

impl RepositoryKey {
    /// Takes 32 uniformly random bytes as the key.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The key's bytes, for sealing them to somebody else.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Debug for RepositoryKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RepositoryKey(redacted)")
    }
}

/// What an object of the store is for. The byte stands in the object's preamble and goes into the
/// object's key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Role {
    /// The version marker with the key check.
    Format = b'F',
    /// A recovery point.
    Manifest = b'M',
    /// Bodies and catalogue.
    Pack = b'P',
    /// The claim of a writer at work.
    Writer = b'W',
    /// A segment of a job's report.
    Report = b'R',
    /// The candidates of a prune.
    Mark = b'G',
    /// What the repository is, for whoever has lost all that knew of it.
    Description = b'D',
}

/// What a sealed section holds; goes into its associated data.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub(crate) enum Kind {
    /// Bodies of entries.
    Frame = 1,
    /// Records of a run in order of names.
    Leaf = 2,
    /// The list of a layer's leaves.
    Layer = 3,
    /// The list of a pack's sections.
    Footer = 4,
    /// The only section of an object that is not a pack.
    Document = 5,
}

/// What a content id names; mixed into it, so that ids of different kinds never meet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Content {
    /// The body of an entry.
    Body = 1,
    /// The plaintext of a leaf.
    Leaf = 2,
    /// The plaintext of a layer index.
    Layer = 3,
    /// The plaintext of a manifest.
    Manifest = 4,
    /// The ordered entries of a run, whatever packs and layers hold them.
    Run = 5,
}

/// The keys derived from the repository's key.
pub(crate) struct Keys {
    ids: Zeroizing<[u8; 32]>,
    check: Zeroizing<[u8; 32]>,
    sealing: Zeroizing<[u8; 32]>,
}

impl Keys {
    pub(crate) fn derive(key: &RepositoryKey) -> Self {
        let derived = |context| Zeroizing::new(blake3::derive_key(context, &key.0));
        Self {
            ids: derived("strongroom repository 2026-11 v1 content ids"),
            check: derived("strongroom repository 2026-11 v1 key check"),
            sealing: derived("strongroom repository 2026-11 v1 sealing root"),
        }
    }

    /// The value in the format object that tells whether a key belongs to the repository.
    pub(crate) fn check_value(&self) -> [u8; 32] {
        *self.check
    }

    pub(crate) fn content_id(&self, content: Content, bytes: &[u8]) -> ContentId {
        self.content_id_of(content, [bytes])
    }

    /// The id of a content whose bytes lie in several pieces.
    pub(crate) fn content_id_of<'a>(
        &self,
        content: Content,
        pieces: impl IntoIterator<Item = &'a [u8]>,
    ) -> ContentId {
        let mut hasher = self.hasher(content);
        for piece in pieces {
            hasher.update(piece);
        }
        ContentId(*hasher.finalize().as_bytes())
    }

    /// A hasher for an id whose content comes in pieces.
    pub(crate) fn hasher(&self, content: Content) -> blake3::Hasher {
        let mut hasher = blake3::Hasher::new_keyed(&self.ids);
        hasher.update(&[content as u8]);
        hasher
    }

    /// The key of the object with this role at this path (below the repository's prefix).
    pub(crate) fn object_key(&self, role: Role, path: &str) -> Result<ObjectKey> {
        let mut hasher = blake3::Hasher::new_keyed(&self.sealing);
        hasher.update(&[role as u8]);
        hasher.update(path.as_bytes());
        let key = Zeroizing::new(*hasher.finalize().as_bytes());
        let key = UnboundKey::new(&AES_256_GCM, key.as_ref()).map_err(|_| Error::Internal {
            doing: "making an object's key",
            why: "the library refused it".into(),
        })?;
        Ok(ObjectKey(LessSafeKey::new(key)))
    }
}

/// The AES-256-GCM key of one stored object.
pub(crate) struct ObjectKey(LessSafeKey);

impl ObjectKey {
    /// Seals a section and appends it to the object so far; its offset is the object's length.
    /// Nothing is appended when that fails.
    pub(crate) fn seal_onto(
        &self,
        object: &mut BytesMut,
        kind: Kind,
        payload: &Payload<'_>,
        random: &RandomStream,
    ) -> Result<()> {
        let nonce: [u8; NONCE_LEN] = random.draw();
        let offset = object.len();
        object.reserve(SEAL_OVERHEAD + payload.len());
        object.extend_from_slice(&nonce);
        for part in payload.parts() {
            object.extend_from_slice(part);
        }
        let text = object.get_mut(offset + NONCE_LEN..).unwrap_or_default();
        let sealed = self.0.seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(associated(kind, offset as u64)),
            text,
        );
        let Ok(tag) = sealed else {
            object.truncate(offset);
            return Err(Error::Internal {
                doing: "sealing a section",
                why: "the library refused it".into(),
            });
        };
        object.extend_from_slice(tag.as_ref());
        Ok(())
    }

    /// Opens the section that stands at `offset` of the object, or `None` if it is not authentic.
    pub(crate) fn open(&self, kind: Kind, offset: u64, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, rest) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut plaintext = rest.to_vec();
        let length = self
            .0
            .open_in_place(
                Nonce::assume_unique_for_key(*nonce),
                Aad::from(associated(kind, offset)),
                &mut plaintext,
            )
            .ok()?
            .len();
        plaintext.truncate(length);
        Some(plaintext)
    }
}

fn associated(kind: Kind, offset: u64) -> [u8; 9] {
    let mut data = [kind as u8, 0, 0, 0, 0, 0, 0, 0, 0];
    for (to, from) in data.iter_mut().skip(1).zip(offset.to_be_bytes()) {
        *to = from;
    }
    data
}
