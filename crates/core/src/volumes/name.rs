//! Names of the VolumeSnapshots that a backup makes.
//!
//! Contract: a name follows from the extension, the recovery point and the claim, so that an attempt finds
//! what the one before it made, and whoever finds a snapshot knows whose it is.

use uuid::Uuid;

/// What all these names begin with.
const PREFIX: &str = "strongroom-";

/// Characters of a claim's uid in a name. A uid is a UUID of 32; an API server that gives longer ones
/// must not bring a name over Kubernetes' limit of 253.
const UID_CHARS: usize = 64;

/// The name of the snapshot of a claim, by its uid, in a recovery point, made by the extension of this
/// namespace: `strongroom-<8>-<32>-<uid>`.
#[must_use]
pub fn snapshot(extension: &str, recovery_point: Uuid, claim_uid: &str) -> String {
    let uid: String = claim_uid
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|character| character.to_ascii_lowercase())
        .take(UID_CHARS)
        .collect();
    format!(
        "{PREFIX}{}-{}-{uid}",
        mark(extension),
        recovery_point.simple()
    )
}

/// The recovery point whose snapshot has this name; none when the extension of this namespace gave no such
/// name.
#[must_use]
pub fn recovery_point(extension: &str, name: &str) -> Option<Uuid> {
    let rest = name.strip_prefix(PREFIX)?;
    let rest = rest.strip_prefix(&mark(extension))?.strip_prefix('-')?;
    let (point, _uid) = rest.split_once('-')?;
    (point.len() == 32).then(|| Uuid::parse_str(point).ok())?
}

/// Whether a snapshot has a name of any extension's making.
#[must_use]
pub fn is_ours(name: &str) -> bool {
    let mut parts = name.strip_prefix(PREFIX).unwrap_or_default().split('-');
    let hexadecimal = |part: Option<&str>, length: usize| {
        part.is_some_and(|part| {
            part.len() == length && part.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
    };
    hexadecimal(parts.next(), 8) && hexadecimal(parts.next(), 32) && parts.next().is_some()
}

/// Eight characters that tell extensions of one cluster apart: FNV-1a of the namespace's name.
/// Source: <http://www.isthe.com/chongo/tech/comp/fnv/index.html>
fn mark(extension: &str) -> String {
    let hash = extension.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    format!("{hash:08x}")
}
