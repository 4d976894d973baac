//! Group snapshots: several volumes of one driver at one instant.
//!
//! Contract: a group is asked for with a VolumeGroupSnapshot beside the claims that its labels select. The
//! controllers make a VolumeGroupSnapshotContent of it and, once the driver has cut it, a VolumeSnapshot and a
//! VolumeSnapshotContent for each member. What a recovery point keeps stands by itself: the group's content
//! ([`keep_group`]) and its members' ([`super::keep`]) are marked and set to `Retain`, and the
//! VolumeGroupSnapshot goes, and with it its members' VolumeSnapshots. A driver never removes one member
//! ("The CO SHALL NOT call this RPC with a snapshot for which SP provided a non-empty `group_snapshot_id`",
//! `DeleteSnapshot` in the CSI specification, v1.12). So the group's content is what removes all of them
//! ([`remove_group_content`]), and members' contents go after it as objects only ([`remove_member_content`]).
//! All calls can be repeated.
//!
//! Source of how the controllers behave: external-snapshotter v8.6,
//! `pkg/common-controller/groupsnapshot_controller_helper.go` and `pkg/sidecar-controller/groupsnapshot_helper.go`.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use strongroom_core::object::ResourceType;
use strongroom_core::volumes::SnapshotClass;
use strongroom_core::volumes::group::Labelled;
use uuid::Uuid;

use super::state::{GroupContentState, GroupState};
use super::{
    BEING_DELETED, ContentState, EXTENSION_LABEL, GROUP_ANNOTATION, INSTANCE_ANNOTATION,
    JOB_ANNOTATION, Owner, POINT_LABEL, SnapshotState, contents, each, selector, snapshots,
};
use crate::apply::{self, Propagation};
use crate::cluster::{Cluster, ClusterError, Failure};
use crate::{MANAGED_BY, MANAGED_BY_LABEL};

/// The API group of group snapshots.
pub const GROUP: &str = "groupsnapshot.storage.k8s.io";

/// The versions whose fields are read here, the preferred one first. `v1beta1` names members in another way.
const VERSIONS: &[&str] = &["v1", "v1beta2"];

/// With it the sidecar acts on the deletion of a group's content.
/// Source: `AnnVolumeGroupSnapshotBeingDeleted`, `pkg/utils/util.go`.
const GROUP_BEING_DELETED: &str =
    "groupsnapshot.storage.kubernetes.io/volumegroupsnapshot-being-deleted";

/// Without it the API server removes a group's content before the sidecar has removed the driver's snapshots.
/// Source: `VolumeGroupSnapshotContentFinalizer`, `pkg/utils/util.go`.
const GROUP_BOUND_PROTECTION: &str =
    "groupsnapshot.storage.kubernetes.io/volumegroupsnapshotcontent-bound-protection";

/// What keeps a member's VolumeSnapshot while its group is there.
/// Source: `VolumeSnapshotInGroupFinalizer`, `pkg/utils/util.go`.
const IN_GROUP_PROTECTION: &str =
    "snapshot.storage.kubernetes.io/volumesnapshot-in-group-protection";

/// Group snapshots as a cluster serves them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupApi {
    version: String,
}

impl GroupApi {
    /// How this cluster serves them; none when it does not.
    pub async fn of(cluster: &Cluster) -> Result<Option<Self>, ClusterError> {
        let doing = format!("look for {GROUP}");
        let served: Value = match cluster.get_json(&format!("/apis/{GROUP}"), &doing).await {
            Err(error) if error.is_not_found() => return Ok(None),
            served => served?,
        };
        Ok(Self::in_answer(&served))
    }

    fn in_answer(served: &Value) -> Option<Self> {
        let versions = served["versions"].as_array()?;
        let is_served = |version: &&&str| versions.iter().any(|one| one["version"] == **version);
        let version = VERSIONS.iter().find(is_served)?;
        Some(Self {
            version: (*version).to_owned(),
        })
    }

    /// The type VolumeGroupSnapshot.
    pub fn groups(&self) -> ResourceType {
        self.kind("VolumeGroupSnapshot", "volumegroupsnapshots", true)
    }

    /// The type VolumeGroupSnapshotContent.
    pub fn contents(&self) -> ResourceType {
        let kind = "VolumeGroupSnapshotContent";
        self.kind(kind, "volumegroupsnapshotcontents", false)
    }

    /// The type VolumeGroupSnapshotClass.
    pub fn classes(&self) -> ResourceType {
        let kind = "VolumeGroupSnapshotClass";
        self.kind(kind, "volumegroupsnapshotclasses", false)
    }

    fn kind(&self, kind: &str, plural: &str, namespaced: bool) -> ResourceType {
        ResourceType::new(GROUP, &self.version, kind, plural, namespaced)
    }
}

/// A group snapshot that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRequest<'a> {
    /// The namespace of its claims.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
    /// The VolumeGroupSnapshotClass.
    pub class: &'a str,
    /// The labels that select its claims.
    pub labels: &'a BTreeMap<String, String>,
}

/// Asks for a group snapshot; one of that name that is there is the answer.
pub async fn request_group(
    cluster: &Cluster,
    api: &GroupApi,
    owner: &Owner,
    group: &GroupRequest<'_>,
) -> Result<(), ClusterError> {
    let kind = api.groups();
    let (labels, annotations) = group_marks(owner);
    // As the controller writes it: it leaves out what is empty, and the selector must not change.
    let selector = match group.labels.is_empty() {
        true => json!({}),
        false => json!({ "matchLabels": group.labels }),
    };
    let object = json!({
        "apiVersion": kind.api_version(),
        "kind": kind.kind,
        "metadata": {
            "name": group.name,
            "namespace": group.namespace,
            "labels": labels,
            "annotations": annotations,
        },
        "spec": {
            "volumeGroupSnapshotClassName": group.class,
            "source": { "selector": selector },
        },
    });
    apply::create(cluster, &kind, &object).await.map(drop)
}

/// The name of the content that the snapshot controller makes for a VolumeGroupSnapshot.
/// Source: `GetDynamicSnapshotContentNameForGroupSnapshot`, `pkg/utils/util.go`.
pub fn group_content_name(uid: &str) -> String {
    format!("groupsnapcontent-{uid}")
}

/// The classes of all drivers.
pub async fn list_group_classes(
    cluster: &Cluster,
    api: &GroupApi,
) -> Result<Vec<SnapshotClass>, ClusterError> {
    let mut all = Vec::new();
    each(cluster, &api.classes(), None, None, |object| {
        all.push(SnapshotClass::of_group(object));
    })
    .await?;
    Ok(all)
}

/// All claims of a namespace with their labels.
pub async fn list_labelled(
    cluster: &Cluster,
    namespace: &str,
) -> Result<Vec<Labelled>, ClusterError> {
    let (kind, plural) = ("PersistentVolumeClaim", "persistentvolumeclaims");
    let kind = ResourceType::new("", "v1", kind, plural, true);
    let mut all = Vec::new();
    each(cluster, &kind, Some(namespace), None, |object| {
        all.push(Labelled::of(object));
    })
    .await?;
    Ok(all)
}

/// The groups of a recovery point, or of all.
pub async fn list_groups(
    cluster: &Cluster,
    api: &GroupApi,
    extension: &str,
    recovery_point: Option<Uuid>,
) -> Result<Vec<GroupState>, ClusterError> {
    let selector = selector(extension, recovery_point);
    let mut all = Vec::new();
    each(cluster, &api.groups(), None, Some(&selector), |object| {
        all.push(GroupState::of(object));
    })
    .await?;
    Ok(all)
}

/// The groups' contents that `wanted` accepts, of all that there are.
pub async fn list_group_contents(
    cluster: &Cluster,
    api: &GroupApi,
    wanted: impl Fn(&GroupContentState) -> bool + Send + Sync,
) -> Result<Vec<GroupContentState>, ClusterError> {
    let mut all = Vec::new();
    each(cluster, &api.contents(), None, None, |object| {
        all.extend(Some(GroupContentState::of(object)).filter(&wanted));
    })
    .await?;
    Ok(all)
}

/// The VolumeSnapshots that `wanted` accepts, of a namespace or of all: the controllers put no label of ours
/// on the members of a group.
pub async fn list_members(
    cluster: &Cluster,
    namespace: Option<&str>,
    wanted: impl Fn(&SnapshotState) -> bool + Send + Sync,
) -> Result<Vec<SnapshotState>, ClusterError> {
    let mut all = Vec::new();
    each(cluster, &snapshots(), namespace, None, |object| {
        all.extend(Some(SnapshotState::of(object)).filter(&wanted));
    })
    .await?;
    Ok(all)
}

/// Makes a group's content the recovery point's: marked, and kept when its VolumeGroupSnapshot goes.
pub async fn keep_group(
    cluster: &Cluster,
    api: &GroupApi,
    owner: &Owner,
    content: &str,
) -> Result<GroupContentState, ClusterError> {
    let (labels, annotations) = group_marks(owner);
    let changes = json!({
        "metadata": { "labels": labels, "annotations": annotations },
        "spec": { "deletionPolicy": "Retain" },
    });
    let written = apply::patch_merge(cluster, &api.contents(), None, content, &changes).await?;
    Ok(GroupContentState::of(&written.object))
}

/// Marks the content of a member as a recovery point's and that of the group of this name, so that it is
/// found when that is gone.
pub async fn mark_member(
    cluster: &Cluster,
    extension: &str,
    recovery_point: Uuid,
    group: &str,
    content: &ContentState,
) -> Result<(), ClusterError> {
    let labels = json!({
        MANAGED_BY_LABEL: MANAGED_BY,
        POINT_LABEL: recovery_point,
        EXTENSION_LABEL: extension,
    });
    let changes = json!({
        "metadata": { "labels": labels, "annotations": { GROUP_ANNOTATION: group } },
        "spec": { "deletionPolicy": "Retain" },
    });
    match apply::patch_merge(cluster, &contents(), None, &content.name, &changes).await {
        Err(error) if error.is_not_found() => Ok(()),
        outcome => outcome.map(drop),
    }
}

/// Removes a VolumeGroupSnapshot. With `Retain` on its content the snapshots stay.
pub async fn remove_group(
    cluster: &Cluster,
    api: &GroupApi,
    group: &GroupState,
) -> Result<(), ClusterError> {
    let (kind, how) = (api.groups(), Propagation::Background);
    let (namespace, uid) = (Some(group.namespace.as_str()), Some(group.uid.as_str()));
    match apply::delete(cluster, &kind, namespace, &group.name, uid, how).await {
        // Another object has that name by now.
        Err(error) if matches!(error.failure, Failure::Conflict { .. }) => Ok(()),
        outcome => outcome.map(drop),
    }
}

/// Begins to remove a group's content together with the driver's snapshots of all its members. It is gone
/// once the driver has removed them.
pub async fn remove_group_content(
    cluster: &Cluster,
    api: &GroupApi,
    content: &GroupContentState,
) -> Result<(), ClusterError> {
    let kind = api.contents();
    let mut metadata = json!({ "annotations": { GROUP_BEING_DELETED: "yes" } });
    let is_protected = |one: &String| one == GROUP_BOUND_PROTECTION;
    if !content.terminating && !content.finalizers.iter().any(is_protected) {
        let mut finalizers = content.finalizers.clone();
        finalizers.push(GROUP_BOUND_PROTECTION.to_owned());
        metadata["finalizers"] = json!(finalizers);
        // The list is replaced as a whole: nobody may have added to it in between.
        metadata["resourceVersion"] = json!(content.resource_version);
    }
    let changes = json!({ "metadata": metadata, "spec": { "deletionPolicy": "Delete" } });
    match apply::patch_merge(cluster, &kind, None, &content.name, &changes).await {
        Err(error) if error.is_not_found() => return Ok(()),
        outcome => outcome?,
    };
    let (uid, how) = (Some(content.uid.as_str()), Propagation::Background);
    apply::delete(cluster, &kind, None, &content.name, uid, how).await?;
    Ok(())
}

/// Begins to remove the content of a member, the object alone.
pub async fn remove_member_content(
    cluster: &Cluster,
    content: &ContentState,
) -> Result<(), ClusterError> {
    let changes = json!({
        "metadata": { "annotations": { BEING_DELETED: "yes" } },
        "spec": { "deletionPolicy": "Retain" },
    });
    match apply::patch_merge(cluster, &contents(), None, &content.name, &changes).await {
        Err(error) if error.is_not_found() => return Ok(()),
        outcome => outcome?,
    };
    let (uid, how) = (Some(content.uid.as_str()), Propagation::Background);
    apply::delete(cluster, &contents(), None, &content.name, uid, how).await?;
    Ok(())
}

/// Removes the VolumeSnapshot of a member whose group is gone. The snapshot controller takes its protection
/// away only where it has written the group's name into the member's status, which it may not have come to.
/// Source: `checkandRemoveSnapshotFinalizersAndCheckandDeleteContent`, `pkg/common-controller/snapshot_controller.go`.
pub async fn remove_member(
    cluster: &Cluster,
    snapshot: &SnapshotState,
) -> Result<(), ClusterError> {
    let kind = snapshots();
    let (namespace, name) = (Some(snapshot.namespace.as_str()), snapshot.name.as_str());
    let is_protected = snapshot
        .finalizers
        .iter()
        .any(|one| one == IN_GROUP_PROTECTION);
    if snapshot.terminating && !is_protected {
        return Ok(());
    }
    if is_protected {
        let others = snapshot.finalizers.iter();
        let others: Vec<&String> = others.filter(|one| *one != IN_GROUP_PROTECTION).collect();
        let changes = json!({"metadata": {
            "finalizers": others, "resourceVersion": snapshot.resource_version}});
        match apply::patch_merge(cluster, &kind, namespace, name, &changes).await {
            Err(error) if error.is_not_found() => return Ok(()),
            outcome => outcome?,
        };
    }
    let (uid, how) = (Some(snapshot.uid.as_str()), Propagation::Background);
    apply::delete(cluster, &kind, namespace, name, uid, how)
        .await
        .map(drop)
}

/// Labels and annotations of a group that is a recovery point's.
fn group_marks(owner: &Owner) -> (Value, Value) {
    let labels = json!({
        MANAGED_BY_LABEL: MANAGED_BY,
        POINT_LABEL: owner.recovery_point,
        EXTENSION_LABEL: owner.extension,
    });
    let annotations = json!({
        INSTANCE_ANNOTATION: owner.backup_instance,
        JOB_ANNOTATION: owner.job,
    });
    (labels, annotations)
}

#[cfg(test)]
mod tests;
