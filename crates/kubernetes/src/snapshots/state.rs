//! What VolumeSnapshots and VolumeSnapshotContents say of themselves, and those of groups.
//!
//! Contract: reading never fails; what is absent or of another shape is empty.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::{
    BEING_CREATED, CLAIM_ANNOTATION, CLAIM_UID_ANNOTATION, EXTENSION_LABEL, GROUP_ANNOTATION,
    INSTANCE_ANNOTATION, JOB_ANNOTATION, POINT_LABEL,
};

/// Annotations of a content that name the secrets with which the driver is asked.
/// Source: `AnnDeletionSecretRefName` and `…Namespace`, `pkg/utils/util.go`.
const SECRET_ANNOTATIONS: &[&str] = &[
    "snapshot.storage.kubernetes.io/deletion-secret-name",
    "snapshot.storage.kubernetes.io/deletion-secret-namespace",
];

/// The annotation of a member's content with the handle of its group.
/// Source: `VolumeGroupSnapshotHandleAnnotation`, `pkg/utils/util.go`.
const GROUP_HANDLE_ANNOTATION: &str = "groupsnapshot.storage.k8s.io/volumeGroupSnapshotHandle";

/// A VolumeSnapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SnapshotState {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// The state in which it was read.
    pub resource_version: String,
    /// The claim that it is of; empty when it was not made from one.
    pub claim: String,
    /// The group that it is a member of: its name and uid.
    pub group: Option<(String, String)>,
    /// What must be done before it can go.
    pub finalizers: Vec<String>,
    /// The recovery point that it is labelled with.
    pub recovery_point: Option<Uuid>,
    /// When it was asked for, in whole seconds of the API server's clock.
    pub asked: Option<Timestamp>,
    /// The content that is bound to it.
    pub content: Option<String>,
    /// The instant whose state the snapshot holds; none until it is cut.
    pub cut: Option<Timestamp>,
    /// Whether volumes can be made from it.
    pub ready: bool,
    /// The last trouble, in the driver's or the controller's words. They try again by themselves.
    pub error: Option<String>,
    /// Whether it is being deleted.
    pub terminating: bool,
}

impl SnapshotState {
    /// The state in an object.
    pub fn of(object: &Value) -> Self {
        let (metadata, status) = (&object["metadata"], &object["status"]);
        let owners = metadata["ownerReferences"].as_array().into_iter().flatten();
        let mut groups = owners.filter(|owner| owner["kind"] == "VolumeGroupSnapshot");
        let group = groups.next();
        Self {
            namespace: text(&metadata["namespace"]),
            name: text(&metadata["name"]),
            uid: text(&metadata["uid"]),
            resource_version: text(&metadata["resourceVersion"]),
            claim: text(&object["spec"]["source"]["persistentVolumeClaimName"]),
            group: group.map(|owner| (text(&owner["name"]), text(&owner["uid"]))),
            finalizers: texts(&metadata["finalizers"]),
            recovery_point: uuid(&metadata["labels"][POINT_LABEL]),
            asked: time(&metadata["creationTimestamp"]),
            content: some_text(&status["boundVolumeSnapshotContentName"]),
            cut: time(&status["creationTime"]),
            ready: status["readyToUse"].as_bool().unwrap_or_default(),
            error: some_text(&status["error"]["message"]),
            terminating: metadata["deletionTimestamp"].is_string(),
        }
    }
}

/// A VolumeSnapshotContent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContentState {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// The state in which it was read.
    pub resource_version: String,
    /// Its driver.
    pub driver: String,
    /// The class by which it was made.
    pub class: String,
    /// The name under which the driver knows the snapshot; none until there is one.
    pub handle: Option<String>,
    /// The name under which the driver knows the volume that it is of; empty when it was not made from one.
    pub volume_handle: String,
    /// Whether the driver was asked for the snapshot, or is about to be.
    pub at_work: bool,
    /// The instant whose state it holds.
    pub cut: Option<Timestamp>,
    /// Whether volumes can be made from it.
    pub ready: bool,
    /// Bytes that a volume made from it needs; 0 when the driver does not say.
    pub restore_size: u64,
    /// Whether the snapshot stays when its VolumeSnapshot goes.
    pub retained: bool,
    /// The VolumeSnapshot that it was made for: namespace and name.
    pub made_for: (String, String),
    /// The recovery point that it is labelled with.
    pub recovery_point: Option<Uuid>,
    /// The namespace of the extension that it is labelled with.
    pub extension: Option<String>,
    /// The job in its annotations.
    pub job: Option<Uuid>,
    /// The backup instance in its annotations.
    pub backup_instance: String,
    /// The claim in its annotations, as `namespace/name`.
    pub claim: String,
    /// The claim's uid in its annotations.
    pub claim_uid: String,
    /// The name under which the driver knows the group that the snapshot is a member of.
    pub group: Option<String>,
    /// The VolumeGroupSnapshot's name in its annotations.
    pub group_name: String,
    /// The annotations that name the driver's secrets.
    pub secrets: BTreeMap<String, String>,
    /// What must be done before it can go.
    pub finalizers: Vec<String>,
    /// Whether it is being deleted.
    pub terminating: bool,
    /// The last trouble, in the driver's words.
    pub error: Option<String>,
}

impl ContentState {
    /// The state in an object.
    pub fn of(object: &Value) -> Self {
        let metadata = &object["metadata"];
        let (spec, status) = (&object["spec"], &object["status"]);
        let (labels, annotations) = (&metadata["labels"], &metadata["annotations"]);
        let made_for = &spec["volumeSnapshotRef"];
        Self {
            name: text(&metadata["name"]),
            uid: text(&metadata["uid"]),
            resource_version: text(&metadata["resourceVersion"]),
            driver: text(&spec["driver"]),
            class: text(&spec["volumeSnapshotClassName"]),
            handle: some_text(&status["snapshotHandle"])
                .or_else(|| some_text(&spec["source"]["snapshotHandle"])),
            volume_handle: text(&spec["source"]["volumeHandle"]),
            at_work: annotations[BEING_CREATED].is_string() || status.is_object(),
            ready: status["readyToUse"].as_bool().unwrap_or_default(),
            cut: status["creationTime"]
                .as_i64()
                .and_then(|nanos| Timestamp::from_nanosecond(nanos.into()).ok()),
            restore_size: status["restoreSize"].as_u64().unwrap_or_default(),
            retained: spec["deletionPolicy"] == "Retain",
            made_for: (text(&made_for["namespace"]), text(&made_for["name"])),
            recovery_point: uuid(&labels[POINT_LABEL]),
            extension: some_text(&labels[EXTENSION_LABEL]),
            job: uuid(&annotations[JOB_ANNOTATION]),
            backup_instance: text(&annotations[INSTANCE_ANNOTATION]),
            claim: text(&annotations[CLAIM_ANNOTATION]),
            claim_uid: text(&annotations[CLAIM_UID_ANNOTATION]),
            group: some_text(&status["volumeGroupSnapshotHandle"])
                .or_else(|| some_text(&annotations[GROUP_HANDLE_ANNOTATION])),
            group_name: text(&annotations[GROUP_ANNOTATION]),
            secrets: SECRET_ANNOTATIONS
                .iter()
                .filter_map(|key| Some(((*key).to_owned(), some_text(&annotations[*key])?)))
                .collect(),
            finalizers: texts(&metadata["finalizers"]),
            terminating: metadata["deletionTimestamp"].is_string(),
            error: some_text(&status["error"]["message"]),
        }
    }
}

/// A VolumeGroupSnapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupState {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// The recovery point that it is labelled with.
    pub recovery_point: Option<Uuid>,
    /// The content that is bound to it.
    pub content: Option<String>,
    /// The last trouble, in the controller's words.
    pub error: Option<String>,
    /// Whether it is being deleted.
    pub terminating: bool,
}

impl GroupState {
    /// The state in an object.
    pub fn of(object: &Value) -> Self {
        let metadata = &object["metadata"];
        Self {
            namespace: text(&metadata["namespace"]),
            name: text(&metadata["name"]),
            uid: text(&metadata["uid"]),
            recovery_point: uuid(&metadata["labels"][POINT_LABEL]),
            content: some_text(&object["status"]["boundVolumeGroupSnapshotContentName"]),
            error: some_text(&object["status"]["error"]["message"]),
            terminating: metadata["deletionTimestamp"].is_string(),
        }
    }
}

/// A VolumeGroupSnapshotContent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupContentState {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// The state in which it was read.
    pub resource_version: String,
    /// Its driver.
    pub driver: String,
    /// The name under which the driver knows the group; none until it is cut.
    pub handle: Option<String>,
    /// The names under which the driver knows the volumes that are cut together.
    pub volumes: Vec<String>,
    /// The instant whose state all of them hold.
    pub cut: Option<Timestamp>,
    /// Whether its snapshots stay when its VolumeGroupSnapshot goes.
    pub retained: bool,
    /// The VolumeGroupSnapshot that it was made for: namespace and name.
    pub made_for: (String, String),
    /// The uid of that.
    pub made_for_uid: String,
    /// The recovery point that it is labelled with.
    pub recovery_point: Option<Uuid>,
    /// The namespace of the extension that it is labelled with.
    pub extension: Option<String>,
    /// The job in its annotations.
    pub job: Option<Uuid>,
    /// The backup instance in its annotations.
    pub backup_instance: String,
    /// What must be done before it can go.
    pub finalizers: Vec<String>,
    /// Whether it is being deleted.
    pub terminating: bool,
    /// The last trouble, in the driver's words.
    pub error: Option<String>,
}

impl GroupContentState {
    /// The state in an object.
    pub fn of(object: &Value) -> Self {
        let metadata = &object["metadata"];
        let (spec, status) = (&object["spec"], &object["status"]);
        let (labels, annotations) = (&metadata["labels"], &metadata["annotations"]);
        let made_for = &spec["volumeGroupSnapshotRef"];
        Self {
            name: text(&metadata["name"]),
            uid: text(&metadata["uid"]),
            resource_version: text(&metadata["resourceVersion"]),
            driver: text(&spec["driver"]),
            handle: some_text(&status["volumeGroupSnapshotHandle"]),
            volumes: texts(&spec["source"]["volumeHandles"]),
            cut: time(&status["creationTime"]),
            retained: spec["deletionPolicy"] == "Retain",
            made_for: (text(&made_for["namespace"]), text(&made_for["name"])),
            made_for_uid: text(&made_for["uid"]),
            recovery_point: uuid(&labels[POINT_LABEL]),
            extension: some_text(&labels[EXTENSION_LABEL]),
            job: uuid(&annotations[JOB_ANNOTATION]),
            backup_instance: text(&annotations[INSTANCE_ANNOTATION]),
            finalizers: texts(&metadata["finalizers"]),
            terminating: metadata["deletionTimestamp"].is_string(),
            error: some_text(&status["error"]["message"]),
        }
    }
}

fn texts(value: &Value) -> Vec<String> {
    let list = value.as_array().into_iter().flatten();
    list.filter_map(|one| Some(one.as_str()?.to_owned()))
        .collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn some_text(value: &Value) -> Option<String> {
    let text = value.as_str().filter(|text| !text.is_empty())?;
    Some(text.to_owned())
}

fn time(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

fn uuid(value: &Value) -> Option<Uuid> {
    Uuid::parse_str(value.as_str()?).ok()
}
