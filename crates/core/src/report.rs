//! What became of each object of a job, and the sums over them.
//!
//! Contract: one [`ObjectOutcome`] is one JSON line of the stored report; its field names are a
//! persisted format, so fields are only ever added. Counts are sums and can be merged in any order.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Code;
use crate::object::ObjectRef;

/// What a job did (or, in a validation, would do) with one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Outcome {
    /// Written to the recovery point.
    BackedUp,
    /// Left alone by a rule, which the reason names.
    Skipped,
    /// Created in the cluster.
    Created,
    /// Existed and was changed to what the recovery point holds.
    Patched,
    /// Existed already as the recovery point holds it.
    Unchanged,
    /// A command of a hook ran in it.
    Ran,
    /// Could not be done; the code says why.
    Failed,
}

impl Outcome {
    /// Every outcome, in the order in which people read them.
    pub const ALL: [Self; 7] = [
        Self::BackedUp,
        Self::Created,
        Self::Patched,
        Self::Unchanged,
        Self::Skipped,
        Self::Ran,
        Self::Failed,
    ];

    /// The stable name, as in a report line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BackedUp => "BackedUp",
            Self::Skipped => "Skipped",
            Self::Created => "Created",
            Self::Patched => "Patched",
            Self::Unchanged => "Unchanged",
            Self::Ran => "Ran",
            Self::Failed => "Failed",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One line of a job's report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectOutcome {
    /// Which object, as the cluster knows it after namespace mapping.
    pub object: ObjectRef,
    /// What became of it.
    pub outcome: Outcome,
    /// Why, in a sentence: the rule, or what the API server answered.
    #[serde(default)]
    pub reason: String,
    /// Code of the error or warning, when there is one; kept as text so that a report written by a
    /// newer version can still be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Size of the object in bytes, as stored.
    #[serde(default)]
    pub bytes: u64,
    /// Time spent on it in milliseconds.
    #[serde(default)]
    pub millis: u64,
}

impl ObjectOutcome {
    /// An outcome without code, size and time; add them with the methods below.
    #[must_use]
    pub fn new(object: ObjectRef, outcome: Outcome, reason: impl Into<String>) -> Self {
        Self {
            object,
            outcome,
            reason: reason.into(),
            code: None,
            bytes: 0,
            millis: 0,
        }
    }

    /// The same with a code.
    #[must_use]
    pub fn with_code(mut self, code: Code) -> Self {
        self.code = Some(code.as_str().to_owned());
        self
    }

    /// The same with a size in bytes.
    #[must_use]
    pub fn with_bytes(mut self, bytes: u64) -> Self {
        self.bytes = bytes;
        self
    }

    /// The same with the milliseconds spent.
    #[must_use]
    pub fn with_millis(mut self, millis: u64) -> Self {
        self.millis = millis;
        self
    }
}

/// Sums over outcomes: how many of each, and the bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Counts {
    /// Number of objects for each outcome; an outcome that did not occur is absent.
    pub outcomes: BTreeMap<Outcome, u64>,
    /// Number of lines that carry a code: the findings.
    pub findings: u64,
    /// Bytes of all objects.
    pub bytes: u64,
}

impl Counts {
    /// Adds one line.
    pub fn add(&mut self, line: &ObjectOutcome) {
        *self.outcomes.entry(line.outcome).or_default() += 1;
        self.bytes = self.bytes.saturating_add(line.bytes);
        self.findings += u64::from(line.code.is_some());
    }

    /// Adds the sums of another part of the same job.
    pub fn merge(&mut self, other: &Self) {
        for (outcome, count) in &other.outcomes {
            *self.outcomes.entry(*outcome).or_default() += count;
        }
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.findings += other.findings;
    }

    /// How many objects had this outcome.
    #[must_use]
    pub fn of(&self, outcome: Outcome) -> u64 {
        self.outcomes.get(&outcome).copied().unwrap_or_default()
    }

    /// How many objects were looked at.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.outcomes.values().sum()
    }

    /// The form of a custom resource's status: outcome name to number.
    #[must_use]
    pub fn to_map(&self) -> BTreeMap<String, u64> {
        self.outcomes
            .iter()
            .map(|(outcome, n)| (outcome.as_str().to_owned(), *n))
            .collect()
    }
}

impl fmt::Display for Counts {
    /// `12 created, 1 failed`, in the order of [`Outcome::ALL`]; `nothing` when there is nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = |outcome| match outcome {
            Outcome::BackedUp => "backed up",
            Outcome::Skipped => "skipped",
            Outcome::Created => "created",
            Outcome::Patched => "patched",
            Outcome::Unchanged => "unchanged",
            Outcome::Ran => "ran",
            Outcome::Failed => "failed",
        };
        let parts: Vec<String> = Outcome::ALL
            .into_iter()
            .filter(|outcome| self.of(*outcome) > 0)
            .map(|outcome| format!("{} {}", self.of(outcome), words(outcome)))
            .collect();
        if parts.is_empty() {
            f.write_str("nothing")
        } else {
            f.write_str(&parts.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::ResourceType;

    fn line(outcome: Outcome) -> ObjectOutcome {
        let maps = ResourceType::new("", "v1", "ConfigMap", "configmaps", true);
        ObjectOutcome::new(ObjectRef::new(&maps, Some("shop"), "a"), outcome, "because")
            .with_bytes(10)
    }

    #[test]
    fn counts_are_the_same_whether_added_one_by_one_or_merged() {
        let lines = [
            line(Outcome::Created),
            line(Outcome::Failed).with_code(Code::NamespaceTerminating),
            line(Outcome::Created),
        ];
        let mut whole = Counts::default();
        lines.iter().for_each(|l| whole.add(l));
        let (mut left, mut right) = (Counts::default(), Counts::default());
        left.add(&lines[0]);
        right.add(&lines[1]);
        right.add(&lines[2]);
        left.merge(&right);
        assert_eq!(left, whole);
        assert_eq!(whole.to_string(), "2 created, 1 failed");
        assert_eq!((whole.total(), whole.findings, whole.bytes), (3, 1, 30));
    }

    #[test]
    fn a_report_line_is_one_line_of_json_and_reads_back() {
        let written = serde_json::to_string(&line(Outcome::Skipped).with_millis(4)).unwrap();
        insta::assert_snapshot!(written, @r#"{"object":{"group":"","version":"v1","kind":"ConfigMap","namespace":"shop","name":"a"},"outcome":"Skipped","reason":"because","bytes":10,"millis":4}"#);
        let read: ObjectOutcome = serde_json::from_str(&written).unwrap();
        assert_eq!(read, line(Outcome::Skipped).with_millis(4));
    }

    #[test]
    fn counts_survive_json() {
        let mut counts = Counts::default();
        counts.add(&line(Outcome::BackedUp));
        let text = serde_json::to_string(&counts).unwrap();
        assert_eq!(serde_json::from_str::<Counts>(&text).unwrap(), counts);
    }
}
