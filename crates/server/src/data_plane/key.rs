//! Names on the data plane: which buckets and keys exist at all, and which file each one is.
//!
//! A key becomes a path below the container's folder segment by segment. Because of that the
//! accepted alphabet is small on purpose: nothing in an accepted key can climb out of the folder,
//! name a hidden file, or mean two different files.

use std::fmt;
use std::path::{Path, PathBuf};

use super::limits::{MAX_KEY_BYTES, MAX_SEGMENT_BYTES};

/// A bucket of the data plane: one blob container of one embedded storage account, written
/// `<account>.<container>`.
///
/// Neither name may contain a dot (an account has letters and digits only, a container letters,
/// digits and hyphens), so the first dot separates them without ambiguity.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Bucket {
    account: String,
    container: String,
}

/// Why a bucket or a key was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// The storage account's part of a bucket's name breaks the published rule.
    #[error("{0:?} is not a storage account name: 3 to 24 lower-case letters and digits")]
    Account(String),
    /// The container's part of a bucket's name breaks the published rule.
    #[error(
        "{0:?} is not a container name: 3 to 63 lower-case letters, digits and single hyphens, beginning and ending with a letter or digit"
    )]
    Container(String),
    /// There is no dot between account and container.
    #[error("{0:?} is not a bucket of this server: buckets are named <account>.<container>")]
    Bucket(String),
    /// The key is empty or longer than the limit.
    #[error("a key has 1 to {MAX_KEY_BYTES} bytes, this one has {0}")]
    KeyLength(usize),
    /// A segment of the key is empty, too long, begins with a dot or has a forbidden character.
    #[error(
        "the key's segment {0:?} is refused: segments have 1 to {MAX_SEGMENT_BYTES} of the characters A-Z a-z 0-9 . _ - = and do not begin with a dot"
    )]
    Segment(String),
}

impl Bucket {
    /// A bucket from the names of an account and a container.
    ///
    /// # Errors
    /// When a name breaks the published rules (storage accounts:
    /// <https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules>).
    pub fn new(account: &str, container: &str) -> Result<Self, InvalidName> {
        let letters_and_digits = |text: &str| {
            text.bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        };
        if !(3..=24).contains(&account.len()) || !letters_and_digits(account) {
            return Err(InvalidName::Account(account.to_owned()));
        }
        let container_is_valid = (3..=63).contains(&container.len())
            && container
                .split('-')
                .all(|part| !part.is_empty() && letters_and_digits(part));
        if !container_is_valid {
            return Err(InvalidName::Container(container.to_owned()));
        }
        Ok(Self {
            account: account.to_owned(),
            container: container.to_owned(),
        })
    }

    /// Reads a bucket's name as it stands in a request.
    ///
    /// # Errors
    /// When the name is not `<account>.<container>` with two valid names.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let (account, container) = text
            .split_once('.')
            .ok_or_else(|| InvalidName::Bucket(text.to_owned()))?;
        Self::new(account, container)
    }

    /// The container's folder below the folder of all embedded accounts.
    #[must_use]
    pub fn folder(&self, blobs: &Path) -> PathBuf {
        blobs.join(&self.account).join(&self.container)
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.account, self.container)
    }
}

/// A key that names exactly one file below a container's folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(String);

impl Key {
    /// Accepts a key, or says which part of it is refused.
    ///
    /// # Errors
    /// When the key could mean anything but one plain file below its container.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        if text.is_empty() || text.len() > MAX_KEY_BYTES {
            return Err(InvalidName::KeyLength(text.len()));
        }
        match text.split('/').find(|segment| !segment_is_valid(segment)) {
            Some(segment) => Err(InvalidName::Segment(segment.to_owned())),
            None => Ok(Self(text.to_owned())),
        }
    }

    /// The key as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The file of this key in `container`, the container's folder.
    #[must_use]
    pub fn file(&self, container: &Path) -> PathBuf {
        let mut path = container.to_path_buf();
        path.extend(self.0.split('/'));
        path
    }

    /// Whether the key lies below `prefix`, a whole number of segments.
    #[must_use]
    pub fn is_below(&self, prefix: &Key) -> bool {
        self.0
            .strip_prefix(&prefix.0)
            .is_some_and(|rest| rest.starts_with('/'))
    }
}

/// Whether `segment` may be a file or folder name of the data plane.
pub(super) fn segment_is_valid(segment: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'=');
    !segment.is_empty()
        && segment.len() <= MAX_SEGMENT_BYTES
        && !segment.starts_with('.')
        && segment.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_bucket_is_an_account_and_a_container() {
        let bucket = Bucket::parse("acct01.backups-2026").unwrap();
        assert_eq!(
            bucket.folder(Path::new("/b")),
            Path::new("/b/acct01/backups-2026")
        );
        assert_eq!(bucket.to_string(), "acct01.backups-2026");
        for refused in [
            "acct01",
            "..",
            ".staging.abc",
            "ac.abc",
            "ACCT.abc",
            "acct01.",
            "acct01.-ab",
            "acct01.a--b",
            "acct01.a.b",
            "acct01.ab/..",
        ] {
            assert!(Bucket::parse(refused).is_err(), "{refused} was accepted");
        }
    }

    #[test]
    fn a_key_that_could_leave_its_folder_is_refused() {
        for refused in [
            "", "/", "a/", "/a", "a//b", ".", "..", "../a", "a/../b", "a/./b", ".hidden", "a/.b",
            "a\\b", "a\0b", "a b", "ü", "a#1", "%2e%2e/a", "a%2fb",
        ] {
            assert!(Key::parse(refused).is_err(), "{refused:?} was accepted");
        }
        assert!(Key::parse(&"a".repeat(MAX_SEGMENT_BYTES + 1)).is_err());
        assert!(Key::parse(&["abcdefg"; 129].join("/")).is_err());
        assert!(Key::parse(&["abcdefg"; 128].join("/")).is_ok());
    }

    #[test]
    fn below_means_whole_segments() {
        let prefix = Key::parse("instances/1").unwrap();
        assert!(Key::parse("instances/1/format").unwrap().is_below(&prefix));
        assert!(!Key::parse("instances/12/format").unwrap().is_below(&prefix));
        assert!(!Key::parse("instances/1").unwrap().is_below(&prefix));
    }

    proptest! {
        #[test]
        fn every_accepted_key_stays_in_its_folder(text in "[a-z./\\\\%~=#-]{1,40}") {
            if let Ok(key) = Key::parse(&text) {
                let file = key.file(Path::new("/blobs/c"));
                prop_assert!(file.starts_with("/blobs/c"));
                prop_assert!(file.components().all(|c| !matches!(c, std::path::Component::ParentDir)));
                prop_assert_eq!(file.strip_prefix("/blobs/c").unwrap().to_str().unwrap(), key.as_str());
            }
        }
    }
}
