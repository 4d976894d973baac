//! The records of volumes in a recovery point: what became of the data of each claim, and what a restore
//! needs to bring it back.
//!
//! They are a run of their own, [`GROUP`], with an entry for each claim that was taken with the data of
//! volumes wanted; its name is `namespace/claim`, its body is the record. Its header says that it holds
//! no objects, so readers of objects pass over it. A recovery point without the run has no volumes.
//!
//! A persisted format: fields are only ever added.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use strongroom_core::selection::OWN_GROUP;
use strongroom_core::{Code, ResourceType};
use strongroom_repository::Point;

use super::RunHeader;
use crate::job::JobFailure;

/// The name of the run. It sorts before the name of every type.
pub(crate) const GROUP: &str = "!volumes";

/// What became of the data of one claim.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct VolumeRecord {
    /// The claim's namespace.
    pub(crate) namespace: String,
    /// The claim's name.
    pub(crate) claim: String,
    /// The claim's uid.
    pub(crate) uid: String,
    /// The volume that it was bound to; empty when it was bound to none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) volume: String,
    /// The CSI driver of the volume; empty when it has none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) driver: String,
    /// The claim's storage class; empty when it names none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) storage_class: String,
    /// `Filesystem` or `Block`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) volume_mode: String,
    /// As in `ReadWriteOnce`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) access_modes: Vec<String>,
    /// As in `ext4`; empty when the volume does not say.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) fs_type: String,
    /// The volume's capacity in bytes; 0 when it is not known.
    pub(crate) capacity: u64,
    /// The volume snapshot that holds the data; none when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) snapshot: Option<SnapshotRecord>,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) without: Option<Without>,
}

/// A volume snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct SnapshotRecord {
    /// The name under which the driver knows the snapshot.
    pub(crate) handle: String,
    /// The VolumeSnapshotContent that keeps it, for as long as the recovery point lives.
    pub(crate) content: String,
    /// Bytes that a volume made from it needs at least; 0 when the driver does not say.
    pub(crate) restore_size: u64,
    /// The instant whose state it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) created: Option<Timestamp>,
    /// The VolumeSnapshotClass by which it was taken.
    pub(crate) class: String,
    /// The class's parameters.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) class_parameters: BTreeMap<String, String>,
    /// Annotations of the content that name the secrets with which the driver is asked
    /// (`snapshot.storage.kubernetes.io/deletion-secret-name` and the like): another content for the same
    /// handle needs them as well.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) secrets: BTreeMap<String, String>,
    /// The group that it is a member of: all its members hold one instant. None when it was taken by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) group: Option<Box<GroupRecord>>,
}

/// A group snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct GroupRecord {
    /// Its name.
    pub(crate) name: String,
    /// The name under which the driver knows the group.
    pub(crate) handle: String,
    /// The VolumeGroupSnapshotContent that keeps it, for as long as the recovery point lives.
    pub(crate) content: String,
    /// The VolumeGroupSnapshotClass by which it was taken.
    pub(crate) class: String,
}

/// Why a claim's data are not in the recovery point.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Without {
    /// A code of the catalogue.
    pub(crate) code: String,
    /// The same in words.
    pub(crate) reason: String,
}

impl VolumeRecord {
    /// The name of its entry.
    pub(crate) fn entry_name(&self) -> String {
        format!("{}/{}", self.namespace, self.claim)
    }
}

/// The header of the run. Readers that know nothing of volumes see a type that is never restored.
pub(crate) fn header() -> RunHeader {
    RunHeader {
        resource: ResourceType::new(OWN_GROUP, "v1alpha1", "Backup", "volumes", true),
        about: Some("volumes".to_owned()),
    }
}

/// The record of one claim; none when the recovery point has none, or was made before there were records.
///
/// # Errors
/// When the store does not answer, or the record is damaged.
pub(crate) async fn find(
    point: &Point,
    namespace: &str,
    claim: &str,
) -> Result<Option<VolumeRecord>, JobFailure> {
    if !point.runs().iter().any(|run| run.group == GROUP) {
        return Ok(None);
    }
    let Some(entry) = point.find(GROUP, &format!("{namespace}/{claim}")).await? else {
        return Ok(None);
    };
    parse(&point.read(&entry).await?).map(Some)
}

/// A record from the body of its entry, for readers that go through the whole run
/// (`point.entries(GROUP)`).
///
/// # Errors
/// When the record is damaged.
pub(crate) fn parse(body: &Bytes) -> Result<VolumeRecord, JobFailure> {
    serde_json::from_slice(body).map_err(|error| {
        let message = format!("the record of a volume is not understood: {error}");
        JobFailure::new(Code::RecoveryPointCorrupt, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_of_a_volume_is_a_persisted_format() {
        let record = VolumeRecord {
            namespace: "shop".into(),
            claim: "data".into(),
            uid: "u".into(),
            volume: "pvc-u".into(),
            driver: "disk.example.com".into(),
            storage_class: "fast".into(),
            volume_mode: "Filesystem".into(),
            access_modes: vec!["ReadWriteOnce".into()],
            fs_type: "ext4".into(),
            capacity: 1024,
            snapshot: Some(SnapshotRecord {
                handle: "snap-7".into(),
                content: "snapcontent-1".into(),
                restore_size: 1024,
                created: Some("2026-11-22T21:00:00Z".parse().unwrap()),
                class: "fast".into(),
                class_parameters: [("incremental".to_owned(), "true".to_owned())].into(),
                secrets: BTreeMap::new(),
                group: None,
            }),
            without: None,
        };
        let text = serde_json::to_string(&record).unwrap();
        let written = r#"{"namespace":"shop","claim":"data","uid":"u","volume":"pvc-u","driver":"disk.example.com","storageClass":"fast","volumeMode":"Filesystem","accessModes":["ReadWriteOnce"],"fsType":"ext4","capacity":1024,"snapshot":{"handle":"snap-7","content":"snapcontent-1","restoreSize":1024,"created":"2026-11-22T21:00:00Z","class":"fast","classParameters":{"incremental":"true"}}}"#;
        assert_eq!(text, written);
        assert_eq!(parse(&Bytes::from(text)).unwrap(), record);
    }

    #[test]
    fn a_record_of_a_later_version_is_read_as_far_as_it_is_known() {
        let record = parse(&Bytes::from_static(br#"{"claim":"data","colour":"blue"}"#)).unwrap();
        assert_eq!(record.claim, "data");
        assert!(parse(&Bytes::from_static(b"[")).is_err());
    }
}
