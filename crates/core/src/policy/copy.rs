//! Copies of a recovery point in another data store: where to, and when.
//!
//! Contract: the published model `TargetCopySetting`. A copy is made at once, when the first one expires, or
//! after a time; the data path of copies is not here.

use super::{DataStore, RetentionDuration};

/// A copy as it is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CopySpec {
    /// The data store that it is made in.
    pub target_data_store: String,
    /// `ImmediateCopyOption`, `CopyOnExpiryOption` or `CustomCopyOption`.
    pub option: String,
    /// After which time, with `CustomCopyOption`.
    pub duration: Option<String>,
}

/// When a copy is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CopyAfter {
    /// As soon as the recovery point is there.
    Immediately,
    /// When it expires where it is.
    OnExpiry,
    /// After a time.
    After(RetentionDuration),
}

/// A copy that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// Where.
    pub target: DataStore,
    /// When.
    pub after: CopyAfter,
}

impl CopySpec {
    /// Understands a copy from `source`, where a recovery point is kept for `kept`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn understand(&self, source: DataStore, kept: &RetentionDuration) -> Result<Copy, String> {
        let target: DataStore = self.target_data_store.parse()?;
        if (source, target) != (DataStore::OperationalStore, DataStore::VaultStore) {
            return Err(format!(
                "a copy from {source} to {target} is none; from OperationalStore to VaultStore is"
            ));
        }
        let after = match (self.option.as_str(), &self.duration) {
            ("ImmediateCopyOption", _) => CopyAfter::Immediately,
            ("CopyOnExpiryOption", _) => CopyAfter::OnExpiry,
            ("CustomCopyOption", Some(text)) => {
                let after: RetentionDuration = text
                    .parse()
                    .map_err(|fault| format!("copy after {text:?}: {fault}"))?;
                // Any moment will do to compare two calendar durations.
                let from = jiff::Timestamp::UNIX_EPOCH;
                if after.expiry(from) > kept.expiry(from) {
                    return Err(format!(
                        "the copy is made after {text}, when {source} has let the recovery point go"
                    ));
                }
                CopyAfter::After(after)
            }
            ("CustomCopyOption", None) => {
                return Err("CustomCopyOption needs a duration".to_owned());
            }
            (other, _) => return Err(format!("{other:?} is no copy option")),
        };
        Ok(Copy { target, after })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_goes_to_the_vault_while_there_is_something_to_copy() {
        let kept: RetentionDuration = "P7D".parse().unwrap();
        let copy = |target: &str, option: &str, duration: Option<&str>| {
            let spec = CopySpec {
                target_data_store: target.to_owned(),
                option: option.to_owned(),
                duration: duration.map(str::to_owned),
            };
            spec.understand(DataStore::OperationalStore, &kept)
        };
        let vault = "VaultStore";
        assert_eq!(
            copy(vault, "ImmediateCopyOption", None).unwrap().after,
            CopyAfter::Immediately
        );
        assert_eq!(
            copy(vault, "CopyOnExpiryOption", None).unwrap().after,
            CopyAfter::OnExpiry
        );
        assert!(copy(vault, "CustomCopyOption", Some("P3D")).is_ok());
        for (target, option, duration, why) in [
            (
                vault,
                "CustomCopyOption",
                Some("P8D"),
                "has let the recovery point go",
            ),
            (vault, "CustomCopyOption", None, "needs a duration"),
            (vault, "CustomCopyOption", Some("soon"), "copy after"),
            (vault, "Sometimes", None, "no copy option"),
            ("OperationalStore", "ImmediateCopyOption", None, "is none"),
            (
                "ArchiveStore",
                "ImmediateCopyOption",
                None,
                "not a data store",
            ),
        ] {
            let told = copy(target, option, duration).unwrap_err();
            assert!(told.contains(why), "{told}");
        }
    }
}
