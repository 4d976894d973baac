//! What a backup says of a recovery point in the repository, and a restore reads there again: the
//! header of the point, of a run, and the facts of an entry.
//!
//! A persisted format: fields are only ever added, and a reader passes over those it does not know.

pub(crate) mod volumes;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use strongroom_core::report::Counts;
use strongroom_core::selection::Selection;
use strongroom_core::{ObjectFacts, ObjectRef, ResourceType};
use uuid::Uuid;

use crate::limits::{CATALOGUE_LABEL_BYTES, CUT_TYPES_NAMED};

/// The version of these shapes.
pub(crate) const FORMAT: u32 = 1;

/// The header of a recovery point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PointHeader {
    /// [`FORMAT`] when it was written.
    pub(crate) format: u32,
    /// The job that made it.
    pub(crate) job_id: Uuid,
    /// The backup instance that it belongs to.
    pub(crate) backup_instance_id: String,
    /// The cluster that was read.
    pub(crate) cluster: ClusterFacts,
    /// What was chosen.
    pub(crate) selection: Selection,
    /// Whether all types were read at one state.
    pub(crate) cut: Cut,
    /// The sums of the job's report.
    pub(crate) counts: Counts,
    /// Objects that lay outside the selection.
    #[serde(default)]
    pub(crate) outside: u64,
    /// The attempt whose report belongs to the point.
    pub(crate) report_attempt: u32,
    /// Volume snapshots that belong to it; 0 in points that were made before there were any.
    #[serde(default)]
    pub(crate) volumes: u32,
    /// Groups of them that share one instant each.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) volume_groups: u32,
    /// Milliseconds from the first request for a volume snapshot to the last cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) snapshot_window_millis: Option<u64>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over references"
)]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// The cluster as it was when it was read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ClusterFacts {
    /// As in `v1.36.3`.
    pub(crate) version: String,
    /// As in `linux/amd64`.
    pub(crate) platform: String,
    /// Served versions of every type, preferred one first, by `plural.group`.
    pub(crate) served: BTreeMap<String, Vec<String>>,
}

/// The state or states at which objects were read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Cut {
    /// The resource version at which all types were asked for.
    pub(crate) at: String,
    /// Types that were read at later states, with the last of them.
    pub(crate) smeared: BTreeMap<String, String>,
    /// Types that count their states in their own way (aggregated APIs, an etcd of their own), with
    /// the state they were read at.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) apart: BTreeMap<String, String>,
}

impl std::fmt::Display for Cut {
    /// `cut at 1841`, `smeared from 1841 to 1903 (widgets.example.com)`, and behind either
    /// `; apart: flunders.example.com`.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Resource versions of one store compare as numbers (KEP-5504).
        let number = |text: &String| text.parse::<u128>().unwrap_or_default();
        match self.smeared.values().max_by_key(|version| number(version)) {
            None => write!(formatter, "cut at {}", self.at)?,
            Some(last) => {
                let types = named(&self.smeared);
                write!(formatter, "smeared from {} to {last} ({types})", self.at)?;
            }
        }
        if self.apart.is_empty() {
            return Ok(());
        }
        write!(formatter, "; apart: {}", named(&self.apart))
    }
}

/// The first few types of a map, and how many more there are.
fn named(types: &BTreeMap<String, String>) -> String {
    let first: Vec<&str> = types
        .keys()
        .take(CUT_TYPES_NAMED)
        .map(String::as_str)
        .collect();
    match types.len().saturating_sub(CUT_TYPES_NAMED) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

/// The header of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RunHeader {
    /// The type of all its entries.
    pub(crate) resource: ResourceType,
    /// What the entries are about when they are no objects: records beside them, which readers of
    /// objects pass over. Absent in a run of objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) about: Option<String>,
}

/// The facts of an entry, which a restore needs before it reads the object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct EntryFacts {
    /// The object's uid.
    #[serde(rename = "u")]
    pub(crate) uid: String,
    /// The object's resource version.
    #[serde(rename = "v")]
    pub(crate) resource_version: String,
    /// Its labels; absent when they are too long for a catalogue.
    #[serde(rename = "l", skip_serializing_if = "Option::is_none")]
    pub(crate) labels: Option<BTreeMap<String, String>>,
    /// Whether it has owners.
    #[serde(rename = "o", skip_serializing_if = "std::ops::Not::not")]
    pub(crate) owned: bool,
}

/// [`EntryFacts`] of an object whose facts are at hand: the same text, without a copy of them.
#[derive(Serialize)]
struct Written<'a> {
    #[serde(rename = "u")]
    uid: &'a str,
    #[serde(rename = "v")]
    resource_version: &'a str,
    #[serde(rename = "l", skip_serializing_if = "Option::is_none")]
    labels: Option<&'a BTreeMap<String, String>>,
    #[serde(rename = "o", skip_serializing_if = "std::ops::Not::not")]
    owned: bool,
}

impl EntryFacts {
    /// The facts to keep of an object, as they are stored.
    pub(crate) fn written(facts: &ObjectFacts) -> serde_json::Result<Vec<u8>> {
        let bytes: usize = facts
            .labels
            .iter()
            .map(|(key, value)| key.len() + value.len() + 6)
            .sum();
        serde_json::to_vec(&Written {
            uid: &facts.uid,
            resource_version: &facts.resource_version,
            labels: (bytes <= CATALOGUE_LABEL_BYTES).then_some(&facts.labels),
            owned: !facts.owners.is_empty(),
        })
    }

    /// What a selection needs of the entry `name`; none when it takes the object itself.
    pub(crate) fn facts(&self, resource: &ResourceType, name: &str) -> Option<ObjectFacts> {
        Some(ObjectFacts {
            object: object_of(resource, name),
            labels: self.labels.clone()?,
            annotations: BTreeMap::new(),
            owners: Vec::new(),
            uid: self.uid.clone(),
            resource_version: self.resource_version.clone(),
            terminating: false,
        })
    }
}

/// The object that an entry's name means: `namespace/name` or `name`.
pub(crate) fn object_of(resource: &ResourceType, name: &str) -> ObjectRef {
    match name.split_once('/').filter(|_| resource.namespaced) {
        Some((namespace, name)) => ObjectRef::new(resource, Some(namespace), name),
        None => ObjectRef::new(resource, None, name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn maps() -> ResourceType {
        ResourceType::new("", "v1", "ConfigMap", "configmaps", true)
    }

    #[test]
    fn a_cut_says_whether_all_types_were_read_at_one_state() {
        let mut cut = Cut {
            at: "1841".into(),
            ..Cut::default()
        };
        assert_eq!(cut.to_string(), "cut at 1841");
        cut.smeared.insert("a".into(), "999".into());
        cut.smeared.insert("b".into(), "1903".into());
        assert_eq!(cut.to_string(), "smeared from 1841 to 1903 (a, b)");
        cut.smeared = (0..9).map(|n| (format!("t{n}"), "1842".into())).collect();
        cut.apart.insert("flunders.example.com".into(), "7".into());
        let text = "smeared from 1841 to 1842 (t0, t1, t2, t3, t4 and 4 more); apart: flunders.example.com";
        assert_eq!(cut.to_string(), text);
        cut.smeared.clear();
        assert_eq!(cut.to_string(), "cut at 1841; apart: flunders.example.com");
    }

    #[test]
    fn an_entry_says_enough_to_select_it_unless_its_labels_are_very_long() {
        let object = |value: &str| json!({"metadata": {"name": "a", "namespace": "shop", "uid": "u", "labels": {"k": value}}});
        let facts = ObjectFacts::of(&maps(), &object("v"));
        let kept = |facts: &ObjectFacts| -> EntryFacts {
            serde_json::from_slice(&EntryFacts::written(facts).unwrap()).unwrap()
        };
        assert_eq!(
            kept(&facts).facts(&maps(), "shop/a").unwrap().labels,
            facts.labels
        );
        let long = ObjectFacts::of(&maps(), &object(&"x".repeat(CATALOGUE_LABEL_BYTES)));
        assert!(kept(&long).facts(&maps(), "shop/a").is_none());
    }

    #[test]
    fn the_facts_of_an_entry_are_a_persisted_format() {
        let facts = ObjectFacts::of(
            &maps(),
            &json!({"metadata": {"name": "a", "uid": "u", "resourceVersion": "7", "labels": {"k": "v"},
                "ownerReferences": [{"kind": "X", "name": "x", "uid": "o"}]}}),
        );
        let text = String::from_utf8(EntryFacts::written(&facts).unwrap()).unwrap();
        assert_eq!(text, r#"{"u":"u","v":"7","l":{"k":"v"},"o":true}"#);
        let read: EntryFacts = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
    }
}
