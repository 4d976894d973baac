//! `BackupHook`: commands to run in pods before and after their volumes are snapshotted.
//!
//! Two shapes are published for Azure Backup for AKS: flat (one hook, its fields in `spec`) and
//! listed (`spec.backupHook[]`). Both are taken; [`BackupHookSpec::hooks`] makes them one.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use strongroom_core::hooks::{self, Action, Published, WrittenAction};
use strongroom_core::{Code, Problem};

use super::hook_scope::scope;
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
    #[schemars(length(min = 1, max = 63))]
    pub container: Option<String>,
    /// The program and its arguments.
    #[schemars(schema_with = "schema::command")]
    pub command: Vec<String>,
    /// `Continue` or `Fail` (the default) when it fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::on_error")]
    pub on_error: Option<String>,
    /// How long it may take, as in `30s` (the default); at most `5m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::hook_timeout")]
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

impl BackupHook {
    /// The hooks of this resource as they are understood, in their order. What the API server checks when
    /// it is applied is checked again: it may be older than the check.
    ///
    /// # Errors
    /// [`Code::UserErrorInvalidBackupHook`] with what is wrong where.
    pub fn understand(&self) -> Result<Vec<hooks::BackupHook>, Problem> {
        let metadata = &self.metadata;
        let place = format!(
            "{}/{}",
            metadata.namespace.as_deref().unwrap_or_default(),
            metadata.name.as_deref().unwrap_or_default()
        );
        let hooks = self.spec.hooks();
        hooks
            .into_iter()
            .map(|hook| {
                hook.understand(&place).map_err(|why| {
                    let name = hook.name.as_deref().unwrap_or_default();
                    let message = format!("BackupHook {place}, hook {name}, {why}");
                    Problem::new(Code::UserErrorInvalidBackupHook, message)
                })
            })
            .collect()
    }
}

impl OneBackupHook {
    fn understand(&self, place: &str) -> Result<hooks::BackupHook, String> {
        let own = self.name.as_deref().unwrap_or_default();
        Ok(hooks::BackupHook {
            name: format!("{place}: {own}"),
            scope: scope(
                self.included_namespaces.as_deref(),
                self.excluded_namespaces.as_deref(),
                self.label_selector.as_ref(),
            )?,
            pre: actions("preHooks", self.pre_hooks.as_deref())?,
            post: actions("postHooks", self.post_hooks.as_deref())?,
        })
    }
}

fn actions(field: &str, written: Option<&[BackupHookAction]>) -> Result<Vec<Action>, String> {
    let written = written.unwrap_or_default().iter().enumerate();
    written
        .map(|(at, BackupHookAction { exec })| {
            WrittenAction {
                command: exec.command.clone(),
                container: exec.container.clone(),
                on_error: exec.on_error.clone(),
                timeout: exec.timeout.clone(),
                wait: None,
            }
            .understand(Published::BACKUP)
            .map_err(|why| format!("{field}[{at}]: {why}"))
        })
        .collect()
}
