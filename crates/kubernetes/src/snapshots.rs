//! Volume snapshots: what the snapshot controller and a driver's csi-snapshotter are asked for, and what they
//! say.
//!
//! Contract: a snapshot that a recovery point keeps depends on nothing of the user's. It is asked for with a
//! VolumeSnapshot beside its claim; once the driver has made it, its VolumeSnapshotContent is marked as
//! ours and set to `Retain` ([`keep`]), and the VolumeSnapshot goes ([`remove_snapshot`]). From then on
//! deleting the claim or its namespace changes nothing, and only [`remove_content`] removes the snapshot,
//! the driver's own included. All calls can be repeated. Whoever makes contents for another purpose must
//! not put [`POINT_LABEL`] on them: what has it belongs to a recovery point.
//!
//! Source of how the controllers behave: external-snapshotter v8.6, `pkg/common-controller/snapshot_controller.go`
//! and `pkg/sidecar-controller/snapshot_controller.go`.

mod class;
pub mod group;
mod news;
pub mod provision;
mod state;
#[cfg(test)]
mod tests;

use std::pin::pin;

use futures::TryStreamExt as _;
use serde_json::{Value, json};
use strongroom_core::object::ResourceType;
use strongroom_core::selection::SNAPSHOT_LABEL;
use strongroom_core::volumes::SnapshotClass;
use uuid::Uuid;

pub use self::class::{MadeClass, list_made, make_class, remove_class};
pub use self::news::News;
pub use self::state::{ContentState, GroupContentState, GroupState, SnapshotState};
use crate::apply::{self, Created, Propagation};
use crate::cluster::{Cluster, ClusterError, Failure};
use crate::collect::Collector;
use crate::{MANAGED_BY, MANAGED_BY_LABEL};

/// The API group of volume snapshots.
pub const GROUP: &str = "snapshot.storage.k8s.io";

/// The label with the recovery point's id on snapshots and contents of recovery points.
pub const POINT_LABEL: &str = SNAPSHOT_LABEL;

/// The label with the namespace of the extension that made them.
pub const EXTENSION_LABEL: &str = "clusterbackup.dataprotection.microsoft.com/extension";

/// The annotation with the backup instance.
pub const INSTANCE_ANNOTATION: &str = "clusterbackup.dataprotection.microsoft.com/backup-instance";

/// The annotation with the job.
pub const JOB_ANNOTATION: &str = "clusterbackup.dataprotection.microsoft.com/job";

/// The annotation with the claim, as `namespace/name`.
pub const CLAIM_ANNOTATION: &str = "clusterbackup.dataprotection.microsoft.com/claim";

/// The annotation with the claim's uid.
pub const CLAIM_UID_ANNOTATION: &str = "clusterbackup.dataprotection.microsoft.com/claim-uid";

/// The annotation with the name of the VolumeGroupSnapshot, on the contents of a group's members.
pub const GROUP_ANNOTATION: &str = "clusterbackup.dataprotection.microsoft.com/group-snapshot";

/// An annotation whose change is to be noticed.
const NUDGE_ANNOTATION: &str = "clusterbackup.dataprotection.microsoft.com/look-again-after";

/// The sidecar has asked the driver for the snapshot, or is about to.
/// Source: `AnnVolumeSnapshotBeingCreated`, `pkg/utils/util.go`.
const BEING_CREATED: &str = "snapshot.storage.kubernetes.io/volumesnapshot-being-created";

/// With it the sidecar acts on the deletion of a content: `Delete` removes the driver's snapshot.
/// Source: `AnnVolumeSnapshotBeingDeleted`, `pkg/utils/util.go`.
const BEING_DELETED: &str = "snapshot.storage.kubernetes.io/volumesnapshot-being-deleted";

/// Without it the API server removes a content before the sidecar has removed the driver's snapshot.
/// Source: `VolumeSnapshotContentFinalizer`, `pkg/utils/util.go`.
const BOUND_PROTECTION: &str =
    "snapshot.storage.kubernetes.io/volumesnapshotcontent-bound-protection";

/// The type VolumeSnapshot.
pub fn snapshots() -> ResourceType {
    ResourceType::new(GROUP, "v1", "VolumeSnapshot", "volumesnapshots", true)
}

/// The type VolumeSnapshotContent.
pub fn contents() -> ResourceType {
    ResourceType::new(
        GROUP,
        "v1",
        "VolumeSnapshotContent",
        "volumesnapshotcontents",
        false,
    )
}

/// The type VolumeSnapshotClass.
pub fn classes() -> ResourceType {
    ResourceType::new(
        GROUP,
        "v1",
        "VolumeSnapshotClass",
        "volumesnapshotclasses",
        false,
    )
}

/// Whose a snapshot is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The namespace of the extension that makes it.
    pub extension: String,
    /// The recovery point.
    pub recovery_point: Uuid,
    /// The job that makes the recovery point.
    pub job: Uuid,
    /// The backup instance's resource id.
    pub backup_instance: String,
}

/// The claim of which a snapshot is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim<'a> {
    /// Its namespace.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Its uid.
    pub uid: &'a str,
}

/// Asks for a snapshot of a claim; one of that name that is there is the answer. Whether it was asked for
/// just now.
pub async fn request(
    cluster: &Cluster,
    owner: &Owner,
    name: &str,
    claim: &Claim<'_>,
    class: &str,
) -> Result<bool, ClusterError> {
    let kind = snapshots();
    let (labels, annotations) = marks(owner, claim);
    let object = json!({
        "apiVersion": kind.api_version(),
        "kind": kind.kind,
        "metadata": {
            "name": name,
            "namespace": claim.namespace,
            "labels": labels,
            "annotations": annotations,
        },
        "spec": {
            "volumeSnapshotClassName": class,
            "source": { "persistentVolumeClaimName": claim.name },
        },
    });
    let made = apply::create(cluster, &kind, &object).await?;
    Ok(matches!(made, Created::New(_)))
}

/// The snapshots of a recovery point, or of all.
pub async fn list_snapshots(
    cluster: &Cluster,
    extension: &str,
    recovery_point: Option<Uuid>,
) -> Result<Vec<SnapshotState>, ClusterError> {
    let selector = selector(extension, recovery_point);
    let mut all = Vec::new();
    each(cluster, &snapshots(), None, Some(&selector), |object| {
        all.push(SnapshotState::of(object));
    })
    .await?;
    Ok(all)
}

/// The contents that `wanted` accepts, of all that there are: those that are not marked yet have no label
/// to ask for.
pub async fn list_contents(
    cluster: &Cluster,
    wanted: impl Fn(&ContentState) -> bool + Send + Sync,
) -> Result<Vec<ContentState>, ClusterError> {
    let mut all = Vec::new();
    each(cluster, &contents(), None, None, |object| {
        all.extend(Some(ContentState::of(object)).filter(&wanted));
    })
    .await?;
    Ok(all)
}

/// The contents that are marked as a recovery point's.
pub async fn list_marked(
    cluster: &Cluster,
    extension: &str,
    recovery_point: Uuid,
) -> Result<Vec<ContentState>, ClusterError> {
    let selector = selector(extension, Some(recovery_point));
    let mut all = Vec::new();
    each(cluster, &contents(), None, Some(&selector), |object| {
        all.push(ContentState::of(object));
    })
    .await?;
    Ok(all)
}

/// The name of the content that the snapshot controller makes for a VolumeSnapshot. The content is there, and
/// says that the snapshot is cut, seconds before a busy controller tells the VolumeSnapshot so.
/// Source: `GetDynamicSnapshotContentNameForSnapshot`, `pkg/utils/util.go`.
pub fn content_name(snapshot_uid: &str) -> String {
    format!("snapcontent-{snapshot_uid}")
}

/// The classes of all drivers.
pub async fn list_classes(cluster: &Cluster) -> Result<Vec<SnapshotClass>, ClusterError> {
    let mut all = Vec::new();
    each(cluster, &classes(), None, None, |object| {
        all.push(SnapshotClass::of(object));
    })
    .await?;
    Ok(all)
}

/// Makes a content the recovery point's: marked, and kept when its VolumeSnapshot goes. Best once the
/// sidecar is at work ([`ContentState::at_work`]): when it begins, it replaces all annotations by those that
/// it knew a moment before.
/// Source: `setAnnVolumeSnapshotBeingCreated`, `pkg/sidecar-controller/snapshot_controller.go`.
pub async fn keep(
    cluster: &Cluster,
    owner: &Owner,
    claim: &Claim<'_>,
    content: &str,
) -> Result<ContentState, ClusterError> {
    let (labels, annotations) = marks(owner, claim);
    let changes = json!({
        "metadata": { "labels": labels, "annotations": annotations },
        "spec": { "deletionPolicy": "Retain" },
    });
    let written = apply::patch_merge(cluster, &contents(), None, content, &changes).await?;
    Ok(ContentState::of(&written.object))
}

/// Removes a VolumeSnapshot; whether it was there. With `Retain` on its content the snapshot stays.
pub async fn remove_snapshot(
    cluster: &Cluster,
    snapshot: &SnapshotState,
) -> Result<bool, ClusterError> {
    let (namespace, name) = (snapshot.namespace.as_str(), snapshot.name.as_str());
    let (uid, how) = (Some(snapshot.uid.as_str()), Propagation::Background);
    match apply::delete(cluster, &snapshots(), Some(namespace), name, uid, how).await {
        // Another object has that name by now.
        Err(error) if matches!(error.failure, Failure::Conflict { .. }) => Ok(false),
        outcome => outcome,
    }
}

/// Begins to remove a content together with the driver's snapshot. It is gone once the driver has
/// removed it.
pub async fn remove_content(cluster: &Cluster, content: &ContentState) -> Result<(), ClusterError> {
    let mut metadata = json!({ "annotations": { BEING_DELETED: "yes" } });
    if !content.terminating && !content.finalizers.iter().any(|one| one == BOUND_PROTECTION) {
        let mut finalizers = content.finalizers.clone();
        finalizers.push(BOUND_PROTECTION.to_owned());
        metadata["finalizers"] = json!(finalizers);
        // The list is replaced as a whole: nobody may have added to it in between.
        metadata["resourceVersion"] = json!(content.resource_version);
    }
    let changes = json!({ "metadata": metadata, "spec": { "deletionPolicy": "Delete" } });
    match apply::patch_merge(cluster, &contents(), None, &content.name, &changes).await {
        Err(error) if error.is_not_found() => return Ok(()),
        outcome => outcome?,
    };
    let (uid, how) = (Some(content.uid.as_str()), Propagation::Background);
    apply::delete(cluster, &contents(), None, &content.name, uid, how).await?;
    Ok(())
}

/// Lets the sidecar look again at a content that is to go. One whose deletion comes while its snapshot is
/// being made is looked at next when the sidecar resyncs, after 15 minutes by default: the end of the making
/// is the sidecar's own change, which it does not follow.
/// Source: `ShouldEnqueueContentChange`, `pkg/utils/util.go`.
pub async fn nudge(cluster: &Cluster, content: &ContentState) -> Result<(), ClusterError> {
    // Any new value does; the version before it is one.
    let changes =
        json!({ "metadata": { "annotations": { NUDGE_ANNOTATION: content.resource_version } } });
    match apply::patch_merge(cluster, &contents(), None, &content.name, &changes).await {
        Err(error) if error.is_not_found() => Ok(()),
        outcome => outcome.map(drop),
    }
}

/// Labels and annotations of what is a recovery point's.
fn marks(owner: &Owner, claim: &Claim<'_>) -> (Value, Value) {
    let labels = json!({
        MANAGED_BY_LABEL: MANAGED_BY,
        POINT_LABEL: owner.recovery_point,
        EXTENSION_LABEL: owner.extension,
    });
    let annotations = json!({
        INSTANCE_ANNOTATION: owner.backup_instance,
        JOB_ANNOTATION: owner.job,
        CLAIM_ANNOTATION: format!("{}/{}", claim.namespace, claim.name),
        CLAIM_UID_ANNOTATION: claim.uid,
    });
    (labels, annotations)
}

fn selector(extension: &str, recovery_point: Option<Uuid>) -> String {
    let point = match recovery_point {
        Some(id) => format!("{POINT_LABEL}={id}"),
        None => POINT_LABEL.to_owned(),
    };
    format!("{EXTENSION_LABEL}={extension},{point}")
}

/// Every object of a type, page by page.
async fn each(
    cluster: &Cluster,
    kind: &ResourceType,
    namespace: Option<&str>,
    selector: Option<&str>,
    mut take: impl FnMut(&Value) + Send,
) -> Result<(), ClusterError> {
    let collector = Collector::with_defaults(cluster.clone());
    let mut pages = pin!(collector.pages(kind, namespace, None, selector));
    while let Some(page) = pages.try_next().await? {
        for item in page.items {
            let object = item.raw.json::<Value>().map_err(|error| {
                let cause = error.to_string();
                ClusterError::new(format!("list {kind}"), Failure::Malformed { cause })
            })?;
            take(&object);
        }
    }
    Ok(())
}
