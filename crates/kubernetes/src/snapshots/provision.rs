//! What a claim takes its data from: a volume snapshot that the storage has by itself, shown to the cluster
//! for as long as the claim's volume is being made.
//!
//! A claim names a VolumeSnapshot of its own namespace, which names a cluster-wide VolumeSnapshotContent,
//! which names the snapshot of the storage. Both are ours, made for one claim of one restore, under names
//! that follow from the two, so that making them twice is making them once. The content keeps all that is
//! needed to clear up after it when nobody remembers the restore.
//!
//! Contract: the content's policy is `Retain`, so that removing both never removes the snapshot of the
//! storage, and any number of claims can be made from one at the same time.
//! Source: <https://kubernetes.io/docs/concepts/storage/volume-snapshots/#static>

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use strongroom_core::object::ResourceType;
use strongroom_core::restore::volumes::SOURCE_PREFIX;
use uuid::Uuid;

pub use super::{contents, snapshots};
use crate::apply::{self, Created, Propagation};
use crate::cluster::{Cluster, ClusterError, Failure, path_of, segment};
use crate::{MANAGED_BY, MANAGED_BY_LABEL};

/// The label that tells contents and snapshots of restores from those of recovery points, and its value.
pub const PURPOSE_LABEL: &str = "clusterbackup.dataprotection.microsoft.com/purpose";
/// See [`PURPOSE_LABEL`].
pub const PURPOSE: &str = "restore";
/// The label with the name of the Restore that they were made for.
pub const RESTORE_LABEL: &str = "clusterbackup.dataprotection.microsoft.com/restore";
/// The label with the namespace of the extension that made them: another one in the cluster leaves them.
pub const EXTENSION_LABEL: &str = "clusterbackup.dataprotection.microsoft.com/extension";
/// The annotation with the name of the claim.
const CLAIM: &str = "clusterbackup.dataprotection.microsoft.com/claim";
/// The annotation with the reclaim policy that the new volume gets.
const RECLAIM: &str = "clusterbackup.dataprotection.microsoft.com/reclaim-policy";
/// With it the sidecar lets a content go whose VolumeSnapshot was never bound to it, or is gone.
/// Source: `shouldDelete` in `external-snapshotter/pkg/sidecar-controller/snapshot_controller.go`.
const BEING_DELETED: &str = "snapshot.storage.kubernetes.io/volumesnapshot-being-deleted";
/// How long an error text of a driver may be that is handed on.
const TROUBLE_CHARS: usize = 300;

/// The contents of all restores of an extension, by its namespace, as a selector.
pub fn selector(extension: &str) -> String {
    format!("{PURPOSE_LABEL}={PURPOSE},{EXTENSION_LABEL}={extension}")
}

/// What one claim of one restore takes its data from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Source {
    /// The name of both objects.
    pub name: String,
    /// The claim's namespace in this cluster.
    pub namespace: String,
    /// The claim.
    pub claim: String,
    /// The name of the Restore.
    pub restore: String,
    /// The namespace of the extension.
    pub extension: String,
    /// The CSI driver.
    pub driver: String,
    /// The name under which the driver knows the snapshot.
    pub handle: String,
    /// `Filesystem` or `Block`; empty when it is not known.
    pub volume_mode: String,
    /// The VolumeSnapshotClass whose secrets the driver is asked with; empty for none.
    pub class: String,
    /// Further annotations of the content.
    pub annotations: BTreeMap<String, String>,
    /// The reclaim policy that the new volume gets; empty to leave it as its class says.
    pub reclaim_policy: String,
}

/// The name of both objects: the same for every attempt at a restore, another for every other restore.
pub fn name(job: Uuid, namespace: &str, claim: &str) -> String {
    let digest = Sha256::digest(format!("{job}/{namespace}/{claim}"));
    let hex: String = digest
        .iter()
        .take(12)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{SOURCE_PREFIX}{hex}")
}

impl Source {
    fn labels(&self) -> Value {
        json!({MANAGED_BY_LABEL: MANAGED_BY, PURPOSE_LABEL: PURPOSE,
            EXTENSION_LABEL: self.extension, RESTORE_LABEL: self.restore})
    }

    fn content(&self) -> Value {
        let mut annotations: Map<String, Value> = self
            .annotations
            .iter()
            .map(|(key, value)| (key.clone(), json!(value)))
            .collect();
        annotations.insert(CLAIM.to_owned(), json!(self.claim));
        if !self.reclaim_policy.is_empty() {
            annotations.insert(RECLAIM.to_owned(), json!(self.reclaim_policy));
        }
        let mut spec = json!({
            "deletionPolicy": "Retain",
            "driver": self.driver,
            "source": {"snapshotHandle": self.handle},
            "volumeSnapshotRef": {"apiVersion": "snapshot.storage.k8s.io/v1",
                "kind": "VolumeSnapshot", "namespace": self.namespace, "name": self.name},
        });
        if !self.volume_mode.is_empty() {
            spec["sourceVolumeMode"] = json!(self.volume_mode);
        }
        if !self.class.is_empty() {
            spec["volumeSnapshotClassName"] = json!(self.class);
        }
        json!({"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshotContent",
            "metadata": {"name": self.name, "labels": self.labels(), "annotations": annotations},
            "spec": spec})
    }

    fn snapshot(&self) -> Value {
        json!({"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshot",
            "metadata": {"name": self.name, "namespace": self.namespace, "labels": self.labels(),
                "annotations": {CLAIM: self.claim}},
            "spec": {"source": {"volumeSnapshotContentName": self.name}}})
    }

    /// What a content was made for; none when it is none of ours.
    pub fn of(content: &Value) -> Option<Self> {
        let text = |path: &str| {
            let value = content.pointer(path).and_then(Value::as_str);
            value.unwrap_or_default().to_owned()
        };
        let metadata = &content["metadata"];
        let word = |field: &str, key: &str| {
            let value = metadata[field][key].as_str();
            value.unwrap_or_default().to_owned()
        };
        let name = text("/metadata/name");
        let ours = word("labels", PURPOSE_LABEL) == PURPOSE && name.starts_with(SOURCE_PREFIX);
        ours.then(|| Self {
            namespace: text("/spec/volumeSnapshotRef/namespace"),
            claim: word("annotations", CLAIM),
            restore: word("labels", RESTORE_LABEL),
            extension: word("labels", EXTENSION_LABEL),
            driver: text("/spec/driver"),
            handle: text("/spec/source/snapshotHandle"),
            volume_mode: text("/spec/sourceVolumeMode"),
            class: text("/spec/volumeSnapshotClassName"),
            annotations: BTreeMap::new(),
            reclaim_policy: word("annotations", RECLAIM),
            name,
        })
    }
}

/// Makes the content. One that is there for the same snapshot of the storage is the answer.
///
/// # Errors
/// Those of the API server; [`Failure::Conflict`] when another content has the name.
pub async fn create_content(cluster: &Cluster, source: &Source) -> Result<(), ClusterError> {
    let asked = source.content();
    if let Created::New(_) = apply::create(cluster, &contents(), &asked).await? {
        return Ok(());
    }
    let live = apply::get(cluster, &contents(), None, &source.name).await?;
    let same = live
        .as_ref()
        .and_then(Source::of)
        .is_some_and(|live| live.handle == source.handle && live.namespace == source.namespace);
    if same {
        return Ok(());
    }
    let message = "a content of this name is there that is not of this restore".to_owned();
    let doing = format!("create VolumeSnapshotContent {}", source.name);
    Err(ClusterError::new(doing, Failure::Conflict { message }))
}

/// Makes the VolumeSnapshot. One that is there is the answer.
///
/// # Errors
/// Those of the API server.
pub async fn create_snapshot(cluster: &Cluster, source: &Source) -> Result<(), ClusterError> {
    let made = apply::create(cluster, &snapshots(), &source.snapshot()).await;
    made.map(drop)
}

/// Whether volumes can be made from a VolumeSnapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// They can, with so many bytes at least; 0 when the driver does not say.
    Ready {
        /// Bytes.
        restore_size: u64,
    },
    /// Nobody has said anything yet.
    Waiting,
    /// They cannot; whoever looks tries again by itself.
    Trouble(String),
    /// It is not there.
    Absent,
}

/// Asks whether a volume can be made from what a claim takes its data from.
///
/// # Errors
/// Those of the API server.
pub async fn readiness(cluster: &Cluster, source: &Source) -> Result<Readiness, ClusterError> {
    let namespace = Some(source.namespace.as_str());
    let snapshot = apply::get(cluster, &snapshots(), namespace, &source.name).await?;
    Ok(snapshot.map_or(Readiness::Absent, |snapshot| readiness_of(&snapshot)))
}

fn readiness_of(snapshot: &Value) -> Readiness {
    let status = &snapshot["status"];
    if status["readyToUse"] == true && status["boundVolumeSnapshotContentName"].is_string() {
        let size = status["restoreSize"].as_str().unwrap_or_default();
        let restore_size = strongroom_core::restore::volumes::quantity::bytes(size);
        return Readiness::Ready {
            restore_size: restore_size.unwrap_or_default(),
        };
    }
    match status["error"]["message"].as_str() {
        Some(message) => Readiness::Trouble(message.chars().take(TROUBLE_CHARS).collect()),
        None => Readiness::Waiting,
    }
}

/// Removes both objects; the snapshot of the storage stays. Nothing there is success.
///
/// A VolumeSnapshot from which a claim still waits to be made is kept by its controller, and the next
/// removal finds it.
///
/// # Errors
/// Those of the API server.
pub async fn remove(cluster: &Cluster, source: &Source) -> Result<(), ClusterError> {
    let (namespace, name) = (Some(source.namespace.as_str()), source.name.as_str());
    let how = Propagation::Background;
    let live = apply::get(cluster, &snapshots(), namespace, name).await?;
    // Somebody else's of that name is none of ours.
    let ours = live.filter(|live| {
        live.pointer("/spec/source/volumeSnapshotContentName")
            .and_then(Value::as_str)
            == Some(name)
    });
    if let Some(live) = ours {
        let uid = live.pointer("/metadata/uid").and_then(Value::as_str);
        apply::delete(cluster, &snapshots(), namespace, name, uid, how).await?;
    }
    let Some(content) = apply::get(cluster, &contents(), None, name).await? else {
        return Ok(());
    };
    if Source::of(&content).is_none() {
        return Ok(());
    }
    if content["metadata"]["annotations"]
        .get(BEING_DELETED)
        .is_none()
    {
        let note = json!({"metadata": {"annotations": {BEING_DELETED: "yes"}}});
        let noted = apply::patch_merge(cluster, &contents(), None, name, &note).await;
        match noted {
            Err(error) if error.is_not_found() => return Ok(()),
            other => other?,
        };
    }
    let uid = content.pointer("/metadata/uid").and_then(Value::as_str);
    apply::delete(cluster, &contents(), None, name, uid, how).await?;
    Ok(())
}

/// The last thing that a provisioner said of a claim that it could not serve; none when it said nothing.
///
/// # Errors
/// Those of the API server.
pub async fn last_trouble(
    cluster: &Cluster,
    namespace: &str,
    claim_uid: &str,
) -> Result<Option<String>, ClusterError> {
    let events = ResourceType::new("", "v1", "Event", "events", true);
    let chosen = format!("involvedObject.uid={claim_uid},reason=ProvisioningFailed");
    let path = format!(
        "{}?limit=50&fieldSelector={}",
        path_of(&events, Some(namespace), None),
        segment(&chosen)
    );
    let list: Value = cluster.get_json(&path, "list events of a claim").await?;
    let items = list["items"].as_array().into_iter().flatten();
    let last = items.max_by_key(|event| {
        let time = event["lastTimestamp"]
            .as_str()
            .or_else(|| event["eventTime"].as_str());
        time.unwrap_or_default().to_owned()
    });
    let message = last.and_then(|event| event["message"].as_str());
    Ok(message.map(|text| text.chars().take(TROUBLE_CHARS).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source() -> Source {
        let job = Uuid::from_u128(7);
        Source {
            name: name(job, "shop", "data"),
            namespace: "shop".to_owned(),
            claim: "data".to_owned(),
            restore: crate::jobs::restore_name(job),
            extension: "backups".to_owned(),
            driver: "disk.example.com".to_owned(),
            handle: "snap-7".to_owned(),
            volume_mode: "Block".to_owned(),
            class: "fast".to_owned(),
            annotations: BTreeMap::new(),
            reclaim_policy: "Retain".to_owned(),
        }
    }

    #[test]
    fn a_name_follows_from_the_restore_and_the_claim_and_is_one_in_the_whole_cluster() {
        let job = Uuid::from_u128(7);
        assert_eq!(name(job, "shop", "data"), name(job, "shop", "data"));
        let others = [
            name(Uuid::from_u128(8), "shop", "data"),
            name(job, "crm", "data"),
            name(job, "shop", "logs"),
        ];
        assert!(!others.contains(&name(job, "shop", "data")));
        assert_eq!(name(job, "shop", "data").len(), SOURCE_PREFIX.len() + 24);
    }

    #[test]
    fn a_content_never_takes_the_snapshot_with_it_and_says_what_it_is_for() {
        let content = source().content();
        assert_eq!(content["spec"]["deletionPolicy"], "Retain");
        assert_eq!(
            content["spec"]["source"],
            json!({"snapshotHandle": "snap-7"})
        );
        assert_eq!(content["metadata"]["labels"][PURPOSE_LABEL], PURPOSE);
        assert!(
            crate::jobs::restore_name(Uuid::max()).len() <= 63,
            "it is the value of a label"
        );
        assert_eq!(Source::of(&content), Some(source()));
        let mut foreign = content;
        foreign["metadata"]["labels"][PURPOSE_LABEL] = json!("backup");
        assert_eq!(Source::of(&foreign), None);
    }

    #[test]
    fn a_snapshot_is_ready_when_it_is_bound_and_says_so() {
        let of = |status: Value| readiness_of(&json!({"status": status}));
        let bound = json!({"boundVolumeSnapshotContentName": "c", "readyToUse": true,
            "restoreSize": "1Gi"});
        assert_eq!(
            of(bound),
            Readiness::Ready {
                restore_size: 1 << 30
            }
        );
        assert_eq!(of(json!({"readyToUse": true})), Readiness::Waiting);
        assert_eq!(of(Value::Null), Readiness::Waiting);
        let gone = json!({"readyToUse": false, "error": {"message": "can not find snapshot"}});
        assert_eq!(
            of(gone),
            Readiness::Trouble("can not find snapshot".to_owned())
        );
    }
}
