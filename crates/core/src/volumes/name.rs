//! Names of the VolumeSnapshots that a backup makes, and of the classes by which it makes them.
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

/// The name of the group snapshot of the claims of a namespace on volumes of a driver, in a recovery point,
/// made by the extension of this namespace: `strongroom-<8>-<32>-group-<16>`.
#[must_use]
pub fn group(extension: &str, recovery_point: Uuid, namespace: &str, driver: &str) -> String {
    let hash = hash_of(&format!("{namespace}/{driver}"));
    format!(
        "{PREFIX}{}-{}-group-{hash:016x}",
        mark(extension),
        recovery_point.simple()
    )
}

/// The recovery point whose snapshot or group snapshot has this name; none when the extension of this namespace gave no such
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

/// The name of a VolumeSnapshotClass that the extension of this namespace makes, by what the class says:
/// `strongroom-<8>-class-<16>`.
#[must_use]
pub(super) fn class(extension: &str, said: &str) -> String {
    format!("{PREFIX}{}-class-{:016x}", mark(extension), hash_of(said))
}

/// FNV-1a of 64 bits, as below.
fn hash_of(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Eight characters that tell extensions of one cluster apart: FNV-1a of the namespace's name.
/// Source: <http://www.isthe.com/chongo/tech/comp/fnv/index.html>
fn mark(extension: &str) -> String {
    let hash = extension.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    format!("{hash:08x}")
}
