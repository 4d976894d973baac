//! The manifest of a recovery point: the last write of a backup, created conditionally, and the
//! root of the tree of ids that commits to every byte of the point
//! (manifest → layers → leaves → bodies).

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::catalogue::LayerRef;
use crate::crypto::{Content, Role};
use crate::error::{Error, Result};
use crate::id::{ContentId, PackId};
use crate::limits::MANIFEST_MAX;
use crate::objects::{FORMAT_VERSION, Objects, from_json};

/// Where the manifest of a point is.
pub(crate) fn path(point: Uuid) -> String {
    format!("points/{point}/manifest")
}

/// A run of a point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunInfo {
    /// Sort key and name of the run.
    pub group: String,
    /// The writer's own facts about the run.
    pub header: serde_json::Value,
    /// Entries in the run.
    pub entries: u64,
    /// Bytes of all bodies.
    pub bytes: u64,
    /// Id over the entries in order, whatever layers and packs hold them.
    pub(crate) content: ContentId,
    /// Oldest first.
    pub(crate) layers: Vec<LayerRef>,
}

/// A pack that a point needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PackRef {
    pub(crate) pack: PackId,
    pub(crate) size: u64,
}

/// The plaintext of a manifest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) format: u8,
    pub(crate) point: Uuid,
    pub(crate) parent: Option<Uuid>,
    pub(crate) created: jiff::Timestamp,
    pub(crate) header: serde_json::Value,
    pub(crate) runs: Vec<RunInfo>,
    pub(crate) packs: Vec<PackRef>,
}

impl Manifest {
    /// Reads a point's manifest, with its digest.
    pub(crate) async fn read(objects: &Objects, point: Uuid) -> Result<(Self, ContentId)> {
        let path = path(point);
        let plaintext = match objects
            .read_document(Role::Manifest, &path, MANIFEST_MAX)
            .await
        {
            Err(error) if error.is_not_found() => {
                return Err(Error::NotFound {
                    what: format!("recovery point {point}"),
                });
            }
            other => other?,
        };
        let manifest: Self = from_json(&path, &plaintext)?;
        if manifest.point != point || manifest.format != FORMAT_VERSION {
            return Err(Error::corrupt(path, "it describes another point or format"));
        }
        if !manifest.runs.is_sorted_by(|a, b| a.group < b.group) {
            return Err(Error::corrupt(path, "its runs do not ascend"));
        }
        let digest = objects.keys.content_id(Content::Manifest, &plaintext);
        Ok((manifest, digest))
    }

    /// True when both hold the same entries under the same headers, wherever they are stored and
    /// whenever they were sealed.
    pub(crate) fn same_content(&self, other: &Self) -> bool {
        let run = |run: &RunInfo| {
            (
                run.group.clone(),
                run.header.clone(),
                run.entries,
                run.content,
            )
        };
        self.header == other.header
            && self.runs.len() == other.runs.len()
            && self
                .runs
                .iter()
                .zip(&other.runs)
                .all(|(a, b)| run(a) == run(b))
    }
}
