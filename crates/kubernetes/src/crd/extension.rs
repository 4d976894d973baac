//! `BackupExtension`: the extension tells the vault that it is there, and to which key job secrets
//! must be sealed. There is one, named [`super::EXTENSION_NAME`], and only the extension writes it.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema;

/// Nothing is asked of it: it only tells.
#[derive(
    CustomResource, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema,
)]
#[kube(
    group = "clusterbackup.dataprotection.microsoft.com",
    version = "v1alpha1",
    kind = "BackupExtension",
    plural = "backupextensions",
    shortname = "srx",
    category = "strongroom",
    namespaced,
    status = "BackupExtensionStatus",
    derive = "PartialEq",
    doc = "The backup extension of this cluster, written by itself.",
    printcolumn = r#"{"name":"Ready","type":"boolean","jsonPath":".status.ready"}"#,
    printcolumn = r#"{"name":"Version","type":"string","jsonPath":".status.version"}"#,
    printcolumn = r#"{"name":"Heartbeat","type":"date","jsonPath":".status.heartbeat"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct BackupExtensionSpec {}

/// What the extension says of itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct BackupExtensionStatus {
    /// The program's version.
    #[schemars(length(max = 64))]
    pub version: String,
    /// Base64 X25519 key to which job secrets are sealed.
    #[schemars(length(max = 64))]
    pub public_key: String,
    /// Whether it takes jobs.
    pub ready: bool,
    /// Its last sign of life.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::optional_time")]
    pub heartbeat: Option<Timestamp>,
    /// The outcome of the last attempt to reach a store, in a sentence; empty before the first.
    #[schemars(length(max = 1024))]
    pub storage: String,
    /// What it can do beyond the first version, by name; a vault asks for no more than that.
    #[schemars(length(max = 64), inner(length(max = 64)))]
    pub capabilities: Vec<String>,
    /// The same as conditions, for `kubectl wait`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
}
