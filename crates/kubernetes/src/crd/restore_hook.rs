//! `RestoreHook`: commands to run in pods that a restore has made.
//!
//! Two shapes are published for Azure Backup for AKS: flat (one hook, its fields in `spec`) and
//! listed (`spec.restoreHook[]`). Both are taken; [`RestoreHookSpec::hooks`] makes them one.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use strongroom_core::hooks::{Action, HookKind, Published, WrittenAction};
use strongroom_core::{Problem, restore};

use super::hook_scope::scope;
use super::schema;

/// Commands to run in restored pods.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "clusterbackup.dataprotection.microsoft.com",
    version = "v1alpha1",
    kind = "RestoreHook",
    plural = "restorehooks",
    category = "strongroom",
    namespaced,
    derive = "PartialEq",
    doc = "Commands to run in pods that a restore has made.",
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "(has(self.name) && self.name != '') != (has(self.restoreHook) && size(self.restoreHook) > 0)",
    "message": "either `name` with its hooks, or a list `restoreHook`, and not both"
}]))]
pub struct RestoreHookSpec {
    /// The one hook of the flat shape.
    #[serde(flatten)]
    pub flat: OneRestoreHook,
    /// The hooks of the listed shape.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub restore_hook: Option<Vec<OneRestoreHook>>,
}

/// One hook: which pods, and what to run in them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct OneRestoreHook {
    /// Its name, for the report.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub name: Option<String>,
    /// Pods of these namespaces only, as they are called in this cluster; none is every namespace of the
    /// restore.
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
    /// Run when the pod's container runs, in order.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub post_hooks: Option<Vec<RestoreHookAction>>,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestoreHookAction {
    /// A command to run.
    pub exec: RestoreExec,
}

/// A command to run in a container. It is executed as it stands, not by a shell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestoreExec {
    /// The container; none is the pod's first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub container: Option<String>,
    /// The program and its arguments.
    #[schemars(schema_with = "schema::command")]
    pub command: Vec<String>,
    /// `Continue` (the default) or `Fail` when it fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::on_error")]
    pub on_error: Option<String>,
    /// How long it may take once started, as in `30s` (the default); at most `5m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::hook_timeout")]
    pub exec_timeout: Option<String>,
    /// How long to wait for the container to run, as in `5m` (the default); at most `30m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::wait_timeout")]
    pub wait_timeout: Option<String>,
}

impl RestoreHookSpec {
    /// The hooks of either shape.
    pub fn hooks(&self) -> Vec<&OneRestoreHook> {
        match &self.restore_hook {
            Some(hooks) if !hooks.is_empty() => hooks.iter().collect(),
            _ => vec![&self.flat],
        }
    }
}

impl RestoreHook {
    /// The hooks of this resource as they are understood, in their order. What the API server checks when
    /// it is applied is checked again: it may be older than the check.
    ///
    /// # Errors
    /// [`Code::UserErrorInvalidRestoreHook`](strongroom_core::Code::UserErrorInvalidRestoreHook) with what
    /// is wrong where.
    pub fn understand(&self) -> Result<Vec<restore::hooks::RestoreHook>, Problem> {
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
                    let message = format!("RestoreHook {place}, hook {name}, {why}");
                    Problem::new(HookKind::Restore.invalid(), message)
                })
            })
            .collect()
    }
}

impl OneRestoreHook {
    fn understand(&self, place: &str) -> Result<restore::hooks::RestoreHook, String> {
        let own = self.name.as_deref().unwrap_or_default();
        Ok(restore::hooks::RestoreHook {
            name: format!("{place}: {own}"),
            scope: scope(
                self.included_namespaces.as_deref(),
                self.excluded_namespaces.as_deref(),
                self.label_selector.as_ref(),
            )?,
            post: actions(self.post_hooks.as_deref())?,
        })
    }
}

fn actions(written: Option<&[RestoreHookAction]>) -> Result<Vec<Action>, String> {
    let written = written.unwrap_or_default().iter().enumerate();
    written
        .map(|(at, RestoreHookAction { exec })| {
            WrittenAction {
                command: exec.command.clone(),
                container: exec.container.clone(),
                on_error: exec.on_error.clone(),
                timeout: exec.exec_timeout.clone(),
                wait: exec.wait_timeout.clone(),
            }
            .understand(Published::RESTORE)
            .map_err(|why| format!("postHooks[{at}]: {why}"))
        })
        .collect()
}
