//! The words of a restore's report. Pure.

use jiff::Timestamp;
use serde_json::Value;
use strongroom_core::Code;
use strongroom_core::report::{ObjectOutcome, Outcome};
use strongroom_kubernetes::FIELD_MANAGER;

use super::plan::{self, Desired};

pub(super) const UNCHANGED: &str = "it exists as the recovery point holds it";

/// Places that are named in a line; the rest is counted.
const PLACES_NAMED: usize = 3;

pub(super) fn created(desired: &Desired, reason: &str) -> ObjectOutcome {
    ObjectOutcome::new(desired.object.clone(), Outcome::Created, reason)
}

pub(super) fn failed(desired: &Desired, code: Code, reason: String) -> ObjectOutcome {
    ObjectOutcome::new(desired.object.clone(), Outcome::Failed, reason).with_code(code)
}

/// The same outcome with more of what is to be said of it, which is nothing amiss.
pub(super) fn and(mut line: ObjectOutcome, more: &str) -> ObjectOutcome {
    line.reason = format!("{}; {more}", line.reason);
    line
}

/// The same outcome with a warning. The first code of a line stays: it is the cause of the others
/// often enough, and all are told in words.
pub(super) fn but(mut line: ObjectOutcome, code: Code, trouble: &str) -> ObjectOutcome {
    line.reason = format!("{}, but {trouble}", line.reason);
    if line.code.is_some() {
        return line;
    }
    line.with_code(code)
}

/// The same outcome, with a warning when the API server dropped fields that it does not know: it takes
/// such an object and says so in a header only.
/// Source: <https://kubernetes.io/docs/reference/using-api/api-concepts/#field-validation>
pub(super) fn without_unknown(line: ObjectOutcome, warnings: &[String]) -> ObjectOutcome {
    let unknown = plan::unknown_fields(warnings);
    if unknown.is_empty() {
        return line;
    }
    let trouble = format!("the cluster does not know and left out {unknown}");
    but(line, Code::ObjectInvalidInTarget, &trouble)
}

/// A few places, and how many more there are.
pub(super) fn places(all: &[String]) -> String {
    let named = all.get(..PLACES_NAMED.min(all.len())).unwrap_or_default();
    let more = all.len() - named.len();
    if more == 0 {
        named.join(", ")
    } else {
        format!("{} and {more} more places", named.join(", "))
    }
}

/// Whether our field manager wrote an object (by this operation) since a time.
pub(super) fn wrote(live: &Value, operation: Option<&str>, since: Timestamp) -> bool {
    live["metadata"]["managedFields"]
        .as_array()
        .into_iter()
        .flatten()
        .any(|entry| {
            let time: Option<Timestamp> = entry["time"].as_str().and_then(|time| time.parse().ok());
            entry["manager"] == FIELD_MANAGER
                && operation.is_none_or(|operation| entry["operation"] == operation)
                && time.is_none_or(|time| time >= since)
        })
}
