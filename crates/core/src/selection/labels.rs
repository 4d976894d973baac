//! Label selectors in every form that `kubectl -l` accepts.
//!
//! Contract: `key=value`, `key==value`, `key!=value`, `key in (a,b)`, `key notin (a,b)`, `key`, `!key`,
//! `key>1`, `key<1`, separated by `,` or `;` (the published sample writes `env=prod;tier!=web`), all of
//! which must hold. Meaning as in Kubernetes: `!=` and `notin` also match when the label is absent.
//! Source: <https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors>

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

mod parse;
#[cfg(test)]
mod tests;

/// One requirement on a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// The label exists.
    Exists(String),
    /// The label does not exist.
    Absent(String),
    /// The label exists and has one of these values.
    In(String, BTreeSet<String>),
    /// The label does not exist or has none of these values.
    NotIn(String, BTreeSet<String>),
    /// The label is a whole number greater than this.
    GreaterThan(String, i64),
    /// The label is a whole number less than this.
    LessThan(String, i64),
}

impl Requirement {
    /// Whether labels fulfil the requirement.
    #[must_use]
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        let number = |key: &str| labels.get(key).and_then(|value| value.parse::<i64>().ok());
        match self {
            Self::Exists(key) => labels.contains_key(key),
            Self::Absent(key) => !labels.contains_key(key),
            Self::In(key, values) => labels.get(key).is_some_and(|value| values.contains(value)),
            Self::NotIn(key, values) => labels.get(key).is_none_or(|value| !values.contains(value)),
            Self::GreaterThan(key, bound) => number(key).is_some_and(|value| value > *bound),
            Self::LessThan(key, bound) => number(key).is_some_and(|value| value < *bound),
        }
    }
}

impl fmt::Display for Requirement {
    /// The canonical form, which parses back to the same requirement.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |values: &BTreeSet<String>| values.iter().cloned().collect::<Vec<_>>().join(",");
        match self {
            Self::Exists(key) => write!(f, "{key}"),
            Self::Absent(key) => write!(f, "!{key}"),
            Self::In(key, values) => match (values.len(), values.first()) {
                (1, Some(value)) => write!(f, "{key}={value}"),
                _ => write!(f, "{key} in ({})", list(values)),
            },
            Self::NotIn(key, values) => match (values.len(), values.first()) {
                (1, Some(value)) => write!(f, "{key}!={value}"),
                _ => write!(f, "{key} notin ({})", list(values)),
            },
            Self::GreaterThan(key, bound) => write!(f, "{key}>{bound}"),
            Self::LessThan(key, bound) => write!(f, "{key}<{bound}"),
        }
    }
}

/// Requirements that must all hold; none at all matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelSelector {
    requirements: Vec<Requirement>,
}

impl LabelSelector {
    /// Whether labels fulfil every requirement.
    #[must_use]
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.requirements
            .iter()
            .all(|requirement| requirement.matches(labels))
    }

    /// A selector of these requirements.
    #[must_use]
    pub fn all_of(requirements: Vec<Requirement>) -> Self {
        Self { requirements }
    }

    /// The requirements in the order in which they were written.
    #[must_use]
    pub fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }
}

impl FromStr for LabelSelector {
    type Err = InvalidLabelSelector;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse::selector(text).map(|requirements| Self { requirements })
    }
}

impl fmt::Display for LabelSelector {
    /// The canonical form with `,` between requirements, as the API server's `labelSelector` takes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self.requirements.iter().map(ToString::to_string).collect();
        f.write_str(&parts.join(","))
    }
}

/// A text that is no label selector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("label selector {text:?}: {why} at character {at}")]
pub struct InvalidLabelSelector {
    /// The text.
    pub text: String,
    /// What is wrong.
    pub why: String,
    /// Where, counted in characters from 1.
    pub at: usize,
}
