//! A recovery point: what a backup left behind.
//!
//! Contract: a value; it exists when its manifest exists, and everything in here is known from the
//! backup's job. Times are points in time, never local.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{ArmId, JobId, RecoveryPointId};

/// A recovery point of a backup instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecoveryPoint {
    /// Its id.
    pub id: RecoveryPointId,
    /// The backup instance that it belongs to.
    pub instance: ArmId,
    /// The backup job that made it.
    pub job: JobId,
    /// When its manifest was sealed.
    pub created: Timestamp,
    /// Retention tag, the name of a retention rule of the policy.
    pub tag: String,
    /// Whether it was taken by hand rather than by a schedule.
    pub on_demand: bool,
    /// Digest of the sealed manifest; a restore refuses a point whose manifest has another one.
    pub manifest_digest: String,
    /// At which instant the objects were read.
    pub cut: Cut,
    /// Number of objects in it.
    pub objects: u64,
    /// Bytes of the objects.
    pub bytes: u64,
    /// Bytes that this point added to the repository.
    pub new_bytes: u64,
    /// Whether the backup ended with warnings.
    pub with_warnings: bool,
}

/// Whether all objects of a point were read at one instant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Cut {
    /// At this resourceVersion: the objects agree with each other.
    At(String),
    /// Between these two: an object read late may know of something that an object read early does not.
    Smeared {
        /// The smallest resourceVersion of a list.
        from: String,
        /// The greatest one.
        to: String,
    },
}

impl fmt::Display for Cut {
    /// `cut at 1841`, `smeared 1841..1903`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(version) => write!(f, "cut at {version}"),
            Self::Smeared { from, to } => write!(f, "smeared {from}..{to}"),
        }
    }
}

/// A text that is no [`Cut`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither 'cut at R' nor 'smeared A..B'")]
pub struct InvalidCut(pub String);

impl FromStr for Cut {
    type Err = InvalidCut;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(version) = text.strip_prefix("cut at ") {
            return Ok(Self::At(version.to_owned()));
        }
        text.strip_prefix("smeared ")
            .and_then(|range| range.split_once(".."))
            .map(|(from, to)| Self::Smeared {
                from: from.to_owned(),
                to: to.to_owned(),
            })
            .ok_or_else(|| InvalidCut(text.to_owned()))
    }
}

impl Serialize for Cut {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cut {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_reads_back_from_its_text() {
        for cut in [
            Cut::At("12".into()),
            Cut::Smeared {
                from: "1".into(),
                to: "9".into(),
            },
        ] {
            assert_eq!(cut.to_string().parse(), Ok(cut));
        }
        assert!("torn".parse::<Cut>().is_err());
    }
}
