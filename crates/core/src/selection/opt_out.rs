//! Objects that keep themselves out of backups, by a label.
//!
//! Contract: the label counts whatever a configuration says, also one that names the object's type,
//! namespace or labels, and also for what other objects need. On a Namespace it keeps out all that is
//! in it. Only the value `true` counts: a label that was set to `false` to undo it must not.

use crate::object::ObjectFacts;

use super::Rule;

/// The labels. The second is Velero's, which people have on their objects already.
/// Source: <https://velero.io/docs/main/resource-filtering/#veleroioexclude-from-backuptrue>
pub const EXCLUDE_LABELS: [&str; 2] = [
    "strongroom.io/exclude-from-backup",
    "velero.io/exclude-from-backup",
];

/// The rule by which an object's own label keeps it out.
pub(super) fn object(facts: &ObjectFacts) -> Option<Rule> {
    let says = |key: &&str| facts.labels.get(*key).is_some_and(|value| value == "true");
    EXCLUDE_LABELS
        .iter()
        .any(says)
        .then_some(Rule::ExcludedByLabel)
}
