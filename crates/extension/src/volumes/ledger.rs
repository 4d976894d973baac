//! The ledger of a recovery point's volume snapshots: a ConfigMap in the extension's namespace.
//!
//! Contract: written before the first snapshot is asked for, gone with the last content. It names each
//! claim and its snapshot, and each group of them, says whose job it is, and how far the recovery point has come. A persisted
//! format: fields are only ever added.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use strongroom_core::{Code, ResourceType};
use strongroom_kubernetes::apply::{self, Propagation};
use strongroom_kubernetes::collect::Collector;
use strongroom_kubernetes::crd::JobState;
use strongroom_kubernetes::snapshots::{EXTENSION_LABEL, Owner, POINT_LABEL};
use strongroom_kubernetes::{ClusterError, FIELD_MANAGER, MANAGED_BY, MANAGED_BY_LABEL};
use uuid::Uuid;

use super::remove::Only;
use crate::environment::Environment;
use crate::job::JobFailure;

/// The key of the ledger's text.
const KEY: &str = "ledger.json";

/// How far a recovery point has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum State {
    /// Its snapshots are being taken: without its job they are worth nothing.
    #[default]
    Taking,
    /// It may exist: whoever would remove its snapshots must look for it first.
    Sealing,
    /// It exists.
    Kept,
}

/// One snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Entry {
    /// The claim's namespace.
    #[serde(rename = "ns")]
    pub(super) namespace: String,
    /// The claim's name.
    #[serde(rename = "c")]
    pub(super) claim: String,
    /// The claim's uid.
    #[serde(rename = "u")]
    pub(super) uid: String,
    /// The VolumeSnapshot's name.
    #[serde(rename = "s")]
    pub(super) snapshot: String,
    /// The VolumeSnapshotContent's name, once it is known.
    #[serde(rename = "vsc", skip_serializing_if = "String::is_empty")]
    pub(super) content: String,
    /// Whether it is no part of the recovery point and is to be removed.
    #[serde(rename = "drop", skip_serializing_if = "std::ops::Not::not")]
    pub(super) dropped: bool,
}

/// One group snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct GroupEntry {
    /// The claims' namespace.
    #[serde(rename = "ns")]
    pub(super) namespace: String,
    /// The VolumeGroupSnapshot's name.
    #[serde(rename = "g")]
    pub(super) name: String,
    /// The VolumeGroupSnapshotContent's name, once it is known.
    #[serde(rename = "vgsc", skip_serializing_if = "String::is_empty")]
    pub(super) content: String,
    /// Whether it is no part of the recovery point and is to be removed.
    #[serde(rename = "drop", skip_serializing_if = "std::ops::Not::not")]
    pub(super) dropped: bool,
}

/// The ledger of one recovery point.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Ledger {
    /// The recovery point.
    pub(super) recovery_point: Uuid,
    /// The job that makes it.
    pub(super) job: Uuid,
    /// The backup instance's resource id.
    pub(super) backup_instance: String,
    /// How far it has come.
    pub(super) state: State,
    /// Its snapshots.
    pub(super) entries: Vec<Entry>,
    /// Its group snapshots; none in ledgers from before there were any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) groups: Vec<GroupEntry>,
}

impl Ledger {
    /// An empty one.
    pub(super) fn new(owner: &Owner) -> Self {
        Self {
            recovery_point: owner.recovery_point,
            job: owner.job,
            backup_instance: owner.backup_instance.clone(),
            ..Self::default()
        }
    }

    /// The ledger of a recovery point; none when it has none.
    pub(super) async fn read(
        environment: &Environment,
        recovery_point: Uuid,
    ) -> Result<Option<Self>, JobFailure> {
        let (cluster, namespace) = (&environment.cluster, environment.namespace.as_str());
        let name = name_of(recovery_point);
        let found = apply::get(cluster, &kind(), Some(namespace), &name).await?;
        found.map(|object| parse(&object)).transpose()
    }

    /// All ledgers of this extension. One that is not understood is an error: to go on without it would
    /// be to take its snapshots for nobody's.
    pub(super) async fn all(environment: &Environment) -> Result<Vec<Self>, JobFailure> {
        let collector = Collector::with_defaults(environment.cluster.clone());
        let (kind, namespace) = (kind(), environment.namespace.as_str());
        let selector = format!("{EXTENSION_LABEL}={namespace},{POINT_LABEL}");
        let pages = collector.pages(&kind, Some(namespace), None, Some(&selector));
        let mut pages = std::pin::pin!(pages);
        let mut all = Vec::new();
        while let Some(page) = futures::TryStreamExt::try_next(&mut pages).await? {
            for item in page.items {
                let object: Value = item.raw.json().map_err(not_understood)?;
                all.push(parse(&object)?);
            }
        }
        Ok(all)
    }

    /// Writes it.
    pub(super) async fn write(&self, environment: &Environment) -> Result<(), ClusterError> {
        let text = serde_json::to_string(self).unwrap_or_default();
        let object = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": name_of(self.recovery_point),
                "namespace": environment.namespace,
                "labels": {
                    MANAGED_BY_LABEL: MANAGED_BY,
                    POINT_LABEL: self.recovery_point,
                    EXTENSION_LABEL: environment.namespace,
                },
            },
            "data": { KEY: text },
        });
        apply::patch_apply(&environment.cluster, &kind(), &object, FIELD_MANAGER, true).await?;
        Ok(())
    }

    /// Names an entry, unless it is named.
    pub(super) fn name(&mut self, entry: Entry) {
        let known = self
            .entries
            .iter_mut()
            .find(|one| one.snapshot == entry.snapshot);
        match known {
            Some(known) => {
                known.dropped = entry.dropped;
                if !entry.content.is_empty() {
                    known.content = entry.content;
                }
            }
            None => self.entries.push(entry),
        }
    }

    /// Names a group, unless it is named.
    pub(super) fn name_group(&mut self, group: GroupEntry) {
        let mut groups = self.groups.iter_mut();
        match groups.find(|one| one.name == group.name) {
            Some(known) => known.dropped = group.dropped,
            None => self.groups.push(group),
        }
    }

    /// What is no part of the recovery point.
    pub(super) fn dropped(&self) -> Only {
        let snapshots = self.entries.iter().filter(|entry| entry.dropped);
        let groups = self.groups.iter().filter(|group| group.dropped);
        Only {
            snapshots: snapshots.map(|entry| entry.snapshot.clone()).collect(),
            groups: groups.map(|group| group.name.clone()).collect(),
        }
    }

    /// What is a part of it.
    pub(super) fn kept(&self) -> Only {
        let snapshots = self.entries.iter().filter(|entry| !entry.dropped);
        let groups = self.groups.iter().filter(|group| !group.dropped);
        Only {
            snapshots: snapshots.map(|entry| entry.snapshot.clone()).collect(),
            groups: groups.map(|group| group.name.clone()).collect(),
        }
    }

    /// Forgets what was dropped, but what is left of it.
    pub(super) fn forget_dropped(&mut self, is_left: impl Fn(&str) -> bool) {
        self.entries
            .retain(|entry| !entry.dropped || is_left(&entry.snapshot));
        self.groups
            .retain(|group| !group.dropped || is_left(&group.name));
    }

    /// Whether it names nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.groups.is_empty()
    }
}

/// Removes the ledger of a recovery point; whether it was there.
pub(super) async fn delete(
    environment: &Environment,
    recovery_point: Uuid,
) -> Result<bool, ClusterError> {
    let (cluster, namespace) = (&environment.cluster, environment.namespace.as_str());
    let (name, how) = (name_of(recovery_point), Propagation::Background);
    apply::delete(cluster, &kind(), Some(namespace), &name, None, how).await
}

/// What a ledger's snapshots are worth, by its state and that of its job's custom resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Its job is at it: leave it alone.
    Running,
    /// Its recovery point exists.
    Keep,
    /// Its recovery point exists, and the ledger does not say so yet.
    Confirm,
    /// Whether its recovery point exists must be looked up in the store.
    Doubt,
    /// There is no recovery point, and there will be none.
    Remove,
}

/// The fate of a ledger. `job` is the state of the job's custom resource; none when it is gone.
pub(super) fn fate(state: State, job: Option<JobState>) -> Fate {
    match (state, job) {
        (State::Kept, _) => Fate::Keep,
        (_, Some(JobState::Pending | JobState::Running)) => Fate::Running,
        (_, Some(JobState::Completed | JobState::CompletedWithWarnings)) => Fate::Confirm,
        (State::Sealing, Some(JobState::Failed) | None) => Fate::Doubt,
        (State::Taking, Some(JobState::Failed) | None) => Fate::Remove,
    }
}

fn name_of(recovery_point: Uuid) -> String {
    format!("recovery-point-{recovery_point}")
}

fn kind() -> ResourceType {
    ResourceType::new("", "v1", "ConfigMap", "configmaps", true)
}

fn parse(object: &Value) -> Result<Ledger, JobFailure> {
    serde_json::from_str(object["data"][KEY].as_str().unwrap_or_default()).map_err(not_understood)
}

fn not_understood(error: serde_json::Error) -> JobFailure {
    let message = format!("a ledger of volume snapshots is not understood: {error}");
    JobFailure::new(Code::InternalServerError, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_is_a_persisted_format() {
        let ledger = Ledger {
            state: State::Sealing,
            entries: vec![Entry {
                namespace: "shop".into(),
                claim: "data".into(),
                uid: "u".into(),
                snapshot: "s".into(),
                ..Entry::default()
            }],
            ..Ledger::default()
        };
        let text = serde_json::to_string(&ledger).unwrap();
        assert_eq!(
            text,
            r#"{"recoveryPoint":"00000000-0000-0000-0000-000000000000","job":"00000000-0000-0000-0000-000000000000","backupInstance":"","state":"Sealing","entries":[{"ns":"shop","c":"data","u":"u","s":"s"}]}"#
        );
        let object = json!({"data": {KEY: text}});
        assert_eq!(parse(&object).unwrap(), ledger);
        let with_group = Ledger {
            groups: vec![GroupEntry {
                namespace: "shop".into(),
                name: "g".into(),
                ..GroupEntry::default()
            }],
            ..ledger
        };
        let text = serde_json::to_string(&with_group).unwrap();
        assert!(
            text.ends_with(r#","groups":[{"ns":"shop","g":"g"}]}"#),
            "{text}"
        );
        let object = json!({"data": {KEY: text}});
        assert_eq!(parse(&object).unwrap(), with_group);
        assert!(parse(&json!({})).is_err());
    }

    #[test]
    fn the_longest_entries_of_a_full_ledger_fit_into_a_config_map() {
        let entry = Entry {
            namespace: "n".repeat(63),
            claim: "c".repeat(253),
            uid: "u".repeat(36),
            snapshot: "s".repeat(86),
            content: format!("snapcontent-{}", "h".repeat(64)),
            dropped: true,
        };
        let group = GroupEntry {
            namespace: "n".repeat(63),
            name: "g".repeat(75),
            content: format!("groupsnapcontent-{}", "u".repeat(36)),
            dropped: true,
        };
        let bytes = serde_json::to_string(&entry).unwrap().len() + 1;
        // A group has two members at least.
        let of_group = serde_json::to_string(&group).unwrap().len() + 1;
        // The API server refuses a ConfigMap of more than 1 MiB (`MaxSecretSize`, core/validation).
        assert!(
            (bytes + of_group / 2) * crate::limits::VOLUMES_MAX < 1024 * 1024,
            "{bytes} bytes each, {of_group} a group"
        );
    }

    #[test]
    fn only_what_certainly_has_no_recovery_point_is_removed() {
        use JobState::{Completed, Failed, Running};
        for (state, job, expected) in [
            (State::Taking, Some(Running), Fate::Running),
            (State::Sealing, Some(Running), Fate::Running),
            (State::Taking, Some(Failed), Fate::Remove),
            (State::Taking, None, Fate::Remove),
            (State::Sealing, Some(Completed), Fate::Confirm),
            (State::Sealing, Some(Failed), Fate::Doubt),
            (State::Sealing, None, Fate::Doubt),
            (State::Kept, None, Fate::Keep),
            (State::Kept, Some(Failed), Fate::Keep),
        ] {
            assert_eq!(fate(state, job), expected, "{state:?} {job:?}");
        }
    }
}
