//! Whether two states of an object are equal but for what a cluster assigns.
//!
//! Contract: pure; the fields that do not count are those of the restore's own table
//! ([`crate::restore::prepare::FIELDS`]) and the few that [`Comparison`] names. The result names every
//! place that differs, so that a proof of equality is an empty list and a failed one is readable.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::pointer::escape;
use crate::restore::prepare::strip_assigned;

mod normal;
#[cfg(test)]
mod tests;

/// What counts in a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// Whether cluster IPs and node ports count; `None` against an address always does.
    pub addresses: bool,
    /// Whether owner references count, by kind and name.
    pub owners: bool,
    /// Whether the status of custom resources counts; that of built-in types never does.
    pub custom_status: bool,
    /// Whether fields that only `after` has are accepted.
    pub additions_accepted: bool,
}

impl Comparison {
    /// For a proof that a restore brought back what was there: everything counts.
    #[must_use]
    pub const fn proof() -> Self {
        Self {
            addresses: true,
            owners: true,
            custom_status: true,
            additions_accepted: false,
        }
    }

    /// For the question whether a patch would change anything: what only the existing object has would
    /// stay, and what the cluster assigned cannot be changed.
    #[must_use]
    pub const fn for_patch() -> Self {
        Self {
            addresses: false,
            owners: false,
            custom_status: false,
            additions_accepted: true,
        }
    }
}

/// A place in which two states of an object differ.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// JSON pointer to the place, in the object without its cluster-assigned fields.
    pub pointer: String,
    /// What was there before; absent when nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// What is there after; absent when nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

impl fmt::Display for Difference {
    /// `/data/k: "1" → "2"`, values shortened.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} → {}",
            self.pointer,
            shown(self.before.as_ref()),
            shown(self.after.as_ref())
        )
    }
}

fn shown(value: Option<&Value>) -> String {
    const SHOWN_CHARS: usize = 60;
    let text = value.map_or_else(|| "nothing".to_owned(), Value::to_string);
    if text.chars().count() > SHOWN_CHARS {
        format!("{}…", text.chars().take(SHOWN_CHARS).collect::<String>())
    } else {
        text
    }
}

/// Every place in which `after` differs from `before`; empty when they are equal.
#[must_use]
pub fn differences(before: &Value, after: &Value, comparison: &Comparison) -> Vec<Difference> {
    let before = normal::form(before, comparison);
    let after = normal::form(after, comparison);
    let mut found = Vec::new();
    compare("", Some(&before), Some(&after), comparison, &mut found);
    found
}

fn compare(
    path: &str,
    before: Option<&Value>,
    after: Option<&Value>,
    comparison: &Comparison,
    found: &mut Vec<Difference>,
) {
    match (before, after) {
        (Some(Value::Object(b)), Some(Value::Object(a))) => {
            compare_maps(path, b, a, comparison, found)
        }
        // A set, not a list: a patch leaves those that only the existing object has.
        (Some(Value::Array(b)), Some(Value::Array(a)))
            if path == "/metadata/finalizers"
                && comparison.additions_accepted
                && b.iter().all(|one| a.contains(one)) => {}
        (Some(Value::Array(b)), Some(Value::Array(a))) => {
            for index in 0..b.len().max(a.len()) {
                let path = format!("{path}/{index}");
                // A list is one value: an element more changes its meaning, whatever is accepted in maps.
                let exact = Comparison {
                    additions_accepted: comparison.additions_accepted && index < b.len(),
                    ..*comparison
                };
                compare(&path, b.get(index), a.get(index), &exact, found);
            }
        }
        (None, Some(_)) if comparison.additions_accepted => {}
        (b, a) if b == a => {}
        (b, a) => found.push(Difference {
            pointer: path.to_owned(),
            before: b.cloned(),
            after: a.cloned(),
        }),
    }
}

fn compare_maps(
    path: &str,
    before: &Map<String, Value>,
    after: &Map<String, Value>,
    comparison: &Comparison,
    found: &mut Vec<Difference>,
) {
    let only_after = after.iter().filter(|(key, _)| !before.contains_key(*key));
    for key in before.keys().chain(only_after.map(|(key, _)| key)) {
        let path = format!("{path}/{}", escape(key));
        compare(&path, before.get(key), after.get(key), comparison, found);
    }
}
