//! One entry on its way through a restore, and what comes of it.

use strongroom_core::report::ObjectOutcome;
use strongroom_core::{Code, ResourceType};
use strongroom_repository::Entry;

use serde::{Deserialize, Serialize};

use super::observe::Existing;

/// One entry to handle.
#[derive(Debug)]
pub(super) struct Item<'a> {
    /// Its place in the sequence.
    pub(super) position: u64,
    /// Its type.
    pub(super) resource: &'a ResourceType,
    /// Where its body is.
    pub(super) entry: Entry,
    /// What is known to exist under its name.
    pub(super) existing: Existing,
    /// Whether its namespace was made by this restore.
    pub(super) namespace_made: bool,
    /// Whether an earlier attempt, or an earlier pass of this one, may have written it.
    pub(super) in_doubt: bool,
    /// Why it cannot be restored, when that is known already.
    pub(super) blocked: Option<(Code, String)>,
    /// Why it can be restored only at the end: nothing answers for its type before.
    pub(super) awaits: Option<String>,
    /// Whether nothing is put off any more that does not answer.
    pub(super) last: bool,
    /// Whether all owners that there will be are there.
    pub(super) owners_came: bool,
}

/// Why the last word on an object is not spoken yet. In the order in which that is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Hold {
    /// It was not made: a webhook or an aggregated API that it needs does not answer, or is not there
    /// yet.
    Backend,
    /// It was made, but an owner of it was not there yet.
    Owner,
    /// It was made, but its volume is still being made.
    Volume,
}

/// What came of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) line: ObjectOutcome,
    pub(super) hold: Option<Hold>,
}

impl From<ObjectOutcome> for Told {
    fn from(line: ObjectOutcome) -> Self {
        Self { line, hold: None }
    }
}

/// A line of the report of an attempt. Whoever reads it as an [`ObjectOutcome`] passes over the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct WorkingLine {
    #[serde(flatten)]
    pub(super) line: ObjectOutcome,
    /// The position of the entry and why it is handled once more; none when the line is final.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) held: Option<Held>,
}

/// An entry that is handled once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Held {
    pub(super) position: u64,
    pub(super) why: Hold,
}

#[cfg(test)]
mod tests {
    use super::*;
    use strongroom_core::ObjectRef;
    use strongroom_core::report::Outcome;

    #[test]
    fn a_held_line_is_an_ordinary_one_to_whoever_knows_no_better() {
        let kind = ResourceType::new("", "v1", "ConfigMap", "configmaps", true);
        let object = ObjectRef::new(&kind, Some("shop"), "a");
        let line = ObjectOutcome::new(object, Outcome::Created, "it did not exist");
        let held = Held {
            position: 7,
            why: Hold::Owner,
        };
        let working = WorkingLine {
            line: line.clone(),
            held: Some(held),
        };
        let text = serde_json::to_string(&working).unwrap();
        assert_eq!(serde_json::from_str::<ObjectOutcome>(&text).unwrap(), line);
        assert_eq!(serde_json::from_str::<WorkingLine>(&text).unwrap(), working);
        let plain = serde_json::to_string(&line).unwrap();
        let read: WorkingLine = serde_json::from_str(&plain).unwrap();
        assert_eq!((read.line, read.held), (line, None));
    }
}
