//! `BackupHook`: commands to run in pods before and after their volumes are snapshotted.
//!
//! Two shapes are published for Azure Backup for AKS: flat (one hook, its fields in `spec`) and
//! listed (`spec.backupHook[]`). Both are taken; [`BackupHookSpec::hooks`] makes them one.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::schema;

/// Commands to run in pods around a volume snapshot.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "clusterbackup.dataprotection.microsoft.com",
    version = "v1alpha1",
    kind = "BackupHook",
    plural = "backuphooks",
    category = "strongroom",
    namespaced,
    derive = "PartialEq",
    doc = "Commands to run in pods before and after their volumes are snapshotted.",
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "(has(self.name) && self.name != '') != (has(self.backupHook) && size(self.backupHook) > 0)",
    "message": "either `name` with its hooks, or a list `backupHook`, and not both"
}]))]
pub struct BackupHookSpec {
    /// The one hook of the flat shape.
    #[serde(flatten)]
    pub flat: OneBackupHook,
    /// The hooks of the listed shape.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub backup_hook: Option<Vec<OneBackupHook>>,
}

/// One hook: which pods, and what to run in them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct OneBackupHook {
    /// Its name, for the report.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub name: Option<String>,
    /// Pods of these namespaces only; none is every namespace of the backup.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::namespaces")]
    pub included_namespaces: Option<Vec<String>>,
    /// Not pods of these namespaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::namespaces")]
    pub excluded_namespaces: Option<Vec<String>>,
    /// Only pods with these labels; none is every pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::label_selector")]
    pub label_selector: Option<Value>,
    /// Run before the snapshot, in order.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub pre_hooks: Option<Vec<BackupHookAction>>,
    /// Run after the snapshot, in order, whatever happened to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub post_hooks: Option<Vec<BackupHookAction>>,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackupHookAction {
    /// A command to run.
    pub exec: BackupExec,
}

/// A command to run in a container. It is executed as it stands, not by a shell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackupExec {
    /// The container; none is the pod's first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub container: Option<String>,
    /// The program and its arguments.
    #[schemars(schema_with = "schema::command")]
    pub command: Vec<String>,
    /// `Continue` or `Fail` (the default) when it fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::on_error")]
    pub on_error: Option<String>,
    /// How long it may take, as in `30s` (the default).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::duration")]
    pub timeout: Option<String>,
}

impl BackupHookSpec {
    /// The hooks of either shape.
    pub fn hooks(&self) -> Vec<&OneBackupHook> {
        match &self.backup_hook {
            Some(hooks) if !hooks.is_empty() => hooks.iter().collect(),
            _ => vec![&self.flat],
        }
    }
}
