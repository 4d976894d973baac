//! What VolumeSnapshots and VolumeSnapshotContents say of themselves.
//!
//! Contract: reading never fails; what is absent or of another shape is empty.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::{CLAIM_ANNOTATION, EXTENSION_LABEL, INSTANCE_ANNOTATION, JOB_ANNOTATION, POINT_LABEL};

/// Annotations of a content that name the secrets with which the driver is asked.
/// Source: `AnnDeletionSecretRefName` and `…Namespace`, `pkg/utils/util.go`.
const SECRET_ANNOTATIONS: &[&str] = &[
    "snapshot.storage.kubernetes.io/deletion-secret-name",
    "snapshot.storage.kubernetes.io/deletion-secret-namespace",
];

/// A VolumeSnapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SnapshotState {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
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
        Self {
            namespace: text(&metadata["namespace"]),
            name: text(&metadata["name"]),
            uid: text(&metadata["uid"]),
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
        let finalizers = metadata["finalizers"].as_array().into_iter().flatten();
        Self {
            name: text(&metadata["name"]),
            uid: text(&metadata["uid"]),
            resource_version: text(&metadata["resourceVersion"]),
            driver: text(&spec["driver"]),
            class: text(&spec["volumeSnapshotClassName"]),
            handle: some_text(&status["snapshotHandle"])
                .or_else(|| some_text(&spec["source"]["snapshotHandle"])),
            volume_handle: text(&spec["source"]["volumeHandle"]),
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
            secrets: SECRET_ANNOTATIONS
                .iter()
                .filter_map(|key| Some(((*key).to_owned(), some_text(&annotations[*key])?)))
                .collect(),
            finalizers: finalizers
                .filter_map(|one| Some(one.as_str()?.to_owned()))
                .collect(),
            terminating: metadata["deletionTimestamp"].is_string(),
            error: some_text(&status["error"]["message"]),
        }
    }
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
