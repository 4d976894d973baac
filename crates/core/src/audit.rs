//! The audit log: one entry for each call that writes and for each that is denied, chained by hashes.
//!
//! Contract: pure. An entry's hash covers all of it and the hash of the one before, so that whoever holds one
//! hash holds everything that came before it: an entry that is edited, removed, put in or moved no longer
//! fits. [`Head::follow`] makes the next entry; a [`Verifier`] reads entries one by one, in constant memory,
//! and says the first thing that is wrong. What a chain cannot know by itself is that its end was cut off;
//! an [anchor](Verifier::expecting), a head that somebody kept elsewhere, tells that too.
//!
//! The hash is SHA-256 over a name of this format and every field, each with its length before it, so that no
//! two entries have the same bytes. A format does not change: a field more is another format with another
//! name, and the golden test holds both. The second one has the approver; an entry without one is of the first.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

#[cfg(test)]
mod tests;
mod verify;

pub use verify::{Fault, Verified, Verifier};

/// What the hash of an entry begins with.
const ENTRY: &[u8] = b"strongroom audit entry v1";

/// The same of one that somebody approved.
const APPROVED_ENTRY: &[u8] = b"strongroom audit entry v2";

/// What the hash before the first entry is of.
const BEGINNING: &[u8] = b"strongroom audit log v1";

/// SHA-256, written in 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hash([u8; 32]);

/// A text that is no hash.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not 64 hexadecimal digits")]
pub struct NoHash;

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Hash {
    type Err = NoHash;

    fn from_str(text: &str) -> Result<Self, NoHash> {
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(NoHash);
        }
        let mut bytes = [0; 32];
        for (n, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[n * 2..n * 2 + 2], 16).map_err(|_| NoHash)?;
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Hash {
    type Error = NoHash;

    fn try_from(text: String) -> Result<Self, NoHash> {
        text.parse()
    }
}

impl From<Hash> for String {
    fn from(hash: Hash) -> Self {
        hash.to_string()
    }
}

/// Who called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Caller {
    /// What roles are assigned to.
    pub object_id: Uuid,
    /// `User`, `Application`, `Key`, …, as in `systemData`.
    pub kind: String,
    /// What people call it.
    pub name: String,
}

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It changed what the server keeps; the entry became durable with the change, or not at all.
    Written,
    /// It was answered and changed nothing.
    Answered,
    /// Nobody was known to call, or they may not do this.
    Denied,
    /// It was refused for another reason.
    Refused,
    /// The server failed.
    Failed,
}

impl Outcome {
    /// Of a call that changed nothing, by the HTTP status of its answer.
    #[must_use]
    pub const fn of_status(status: u16) -> Self {
        match status {
            401 | 403 => Self::Denied,
            400..=499 => Self::Refused,
            500.. => Self::Failed,
            _ => Self::Answered,
        }
    }

    /// The name, as it is written and hashed.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Written => "Written",
            Self::Answered => "Answered",
            Self::Denied => "Denied",
            Self::Refused => "Refused",
            Self::Failed => "Failed",
        }
    }
}

/// One call. Never a secret, a token or a body: what was written stands where it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// When it came.
    pub time: Timestamp,
    /// Who called; none when nobody was known to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<Caller>,
    /// Whose right on a resource guard approved it; none when it needed no approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approver: Option<Caller>,
    /// The permission that it needs, as role definitions have it; empty when the address is none.
    pub action: String,
    /// The resource, or where the address led.
    pub scope: String,
    /// HTTP method; empty for what the server does by itself.
    pub method: String,
    /// What became of it.
    pub outcome: Outcome,
    /// HTTP status of the answer; none of one that was written, because the entry is older than the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The error's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// `x-ms-request-id` of the answer, which the server's log has too.
    pub request_id: String,
    /// `x-ms-correlation-request-id`, which the client may have chosen.
    pub correlation_id: String,
    /// Address of the caller, as far as the server sees it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_address: Option<String>,
    /// How many calls of nobody known were denied before this one and have no entry, because they came too
    /// thick.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unlisted: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A call with its place in the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// 1 for the first, and one more for each.
    pub sequence: u64,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
    /// The hash of the entry before.
    pub previous: Hash,
    /// Its own.
    pub hash: Hash,
}

/// The end of a chain: what the next entry follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Head {
    /// Number of the last entry; 0 before the first.
    pub sequence: u64,
    /// Its hash.
    pub hash: Hash,
}

impl Head {
    /// Before the first entry.
    #[must_use]
    pub fn beginning() -> Self {
        Self {
            sequence: 0,
            hash: Hash(Sha256::digest(BEGINNING).into()),
        }
    }

    /// The entry that comes next.
    #[must_use]
    pub fn follow(self, event: Event) -> Entry {
        let sequence = self.sequence + 1;
        let hash = hash_of(sequence, &event, self.hash);
        Entry {
            sequence,
            event,
            previous: self.hash,
            hash,
        }
    }
}

impl fmt::Display for Head {
    /// As an anchor is written down: `<sequence>:<hash>`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.sequence, self.hash)
    }
}

impl FromStr for Head {
    type Err = NoHash;

    fn from_str(text: &str) -> Result<Self, NoHash> {
        let (sequence, hash) = text.trim().split_once(':').ok_or(NoHash)?;
        Ok(Self {
            sequence: sequence.parse().map_err(|_| NoHash)?,
            hash: hash.parse()?,
        })
    }
}

impl Entry {
    /// The end of the chain, if this is its last entry.
    #[must_use]
    pub const fn head(&self) -> Head {
        Head {
            sequence: self.sequence,
            hash: self.hash,
        }
    }

    /// Whether its hash is the one of what it says.
    #[must_use]
    pub fn is_as_hashed(&self) -> bool {
        hash_of(self.sequence, &self.event, self.previous) == self.hash
    }
}

/// The hash of an entry.
fn hash_of(sequence: u64, event: &Event, previous: Hash) -> Hash {
    let mut hasher = Fields(Sha256::new());
    hasher.field(match event.approver {
        None => ENTRY,
        Some(_) => APPROVED_ENTRY,
    });
    hasher.field(&sequence.to_be_bytes());
    hasher.field(&event.time.as_nanosecond().to_be_bytes());
    hasher.option(event.caller.as_ref(), Fields::caller);
    hasher.field(event.action.as_bytes());
    hasher.field(event.scope.as_bytes());
    hasher.field(event.method.as_bytes());
    hasher.field(event.outcome.as_str().as_bytes());
    hasher.option(event.status.as_ref(), |hasher, status| {
        hasher.field(&status.to_be_bytes());
    });
    hasher.option(event.code.as_ref(), |hasher, code| {
        hasher.field(code.as_bytes());
    });
    hasher.field(event.request_id.as_bytes());
    hasher.field(event.correlation_id.as_bytes());
    hasher.option(event.client_address.as_ref(), |hasher, address| {
        hasher.field(address.as_bytes());
    });
    hasher.field(&event.unlisted.to_be_bytes());
    if let Some(approver) = &event.approver {
        hasher.caller(approver);
    }
    hasher.field(&previous.0);
    Hash(hasher.0.finalize().into())
}

/// Bytes of fields that cannot be taken for those of others.
struct Fields(Sha256);

impl Fields {
    fn field(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
    }

    fn caller(&mut self, caller: &Caller) {
        self.field(caller.object_id.as_bytes());
        self.field(caller.kind.as_bytes());
        self.field(caller.name.as_bytes());
    }

    fn option<T>(&mut self, value: Option<&T>, some: impl FnOnce(&mut Self, &T)) {
        self.field(&[u8::from(value.is_some())]);
        if let Some(value) = value {
            some(self, value);
        }
    }
}
