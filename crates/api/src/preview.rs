//! Ours: what a backup with a configuration would take, counted before it is saved.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::error::UserFacingError;

/// The body of `POST {vault}/previewBackup`: the instance as it would be created. Its policy does not
/// matter and may be empty.
pub type PreviewBackupRequest = crate::instance::ValidateForBackupRequest;

/// The answer of `POST {vault}/previewBackup`, once the operation has ended.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct BackupPreview {
    /// `BackupPreview`.
    pub object_type: String,
    /// Objects that the backup would take.
    pub taken: u64,
    /// Their bytes, before what is there already is left away.
    pub bytes: u64,
    /// Objects that were read and would be left out.
    pub left: u64,
    /// By type, in the order of group and kind; types of which there is nothing are absent.
    pub types: Vec<PreviewedType>,
    /// What is worth a look: namespaces and types that do not exist, filters that match nothing.
    pub warnings: Vec<UserFacingError>,
    /// Types and warnings that are not named because there are too many; the sums are whole.
    pub left_off: Option<u64>,
    /// Whether all types were read at one state of the cluster, in words.
    pub cut: Option<String>,
}

/// What was counted of one type.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PreviewedType {
    /// API group; empty for the core group.
    pub group: String,
    /// Kind.
    pub kind: String,
    /// Objects that the backup would take.
    pub taken: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Objects that could not be taken; a warning says why.
    pub failed: u64,
    /// Objects that would be left out, by the rule that leaves them out.
    pub left: Vec<LeftByRule>,
    /// Why the type is not read at all, so that its objects are not counted.
    pub not_read: Option<String>,
}

/// Objects that one rule leaves out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct LeftByRule {
    /// The rule, in a sentence.
    pub reason: String,
    /// How many.
    pub objects: u64,
}
