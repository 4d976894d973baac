//! What hooks write down while they run: a ConfigMap in the extension's namespace.
//!
//! Contract: every write names the version before it, so that of two processes that think a record theirs
//! one hears of the other ([`Lost::TakenOver`]). A write whose answer was lost is sent again and recognised.

use serde_json::{Map, Value, json};
use strongroom_core::ResourceType;
use strongroom_kubernetes::apply::{self, Created, Propagation};
use strongroom_kubernetes::{ClusterError, Failure, MANAGED_BY, MANAGED_BY_LABEL};

use crate::environment::Environment;
use crate::job::{JobFailure, Lost};

/// The key of who wrote last.
const BY: &str = "by";
/// The key of the version before the last write.
const AFTER: &str = "after";

/// A record as it was last seen.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    name: String,
    version: String,
}

impl Record {
    /// Makes a record durable; none when there is one of this name already. `labels` and `owners` are those
    /// of the ConfigMap.
    pub(crate) async fn create(
        environment: &Environment,
        name: &str,
        (mut labels, owners): (Map<String, Value>, Value),
        data: &Value,
    ) -> Result<Option<Self>, JobFailure> {
        labels.insert(MANAGED_BY_LABEL.to_owned(), json!(MANAGED_BY));
        let mut object = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": name,
                "namespace": environment.namespace,
                "labels": labels,
            },
            "data": data,
        });
        if !owners.is_null() {
            object["metadata"]["ownerReferences"] = owners;
        }
        match apply::create(&environment.cluster, &kind(), &object).await? {
            Created::New(written) => Ok(Some(Self::of(&written.object))),
            Created::AlreadyExists => Ok(None),
        }
    }

    /// Reads a record and its data; none when there is none.
    pub(crate) async fn read(
        environment: &Environment,
        name: &str,
    ) -> Result<Option<Value>, JobFailure> {
        let place = Some(environment.namespace.as_str());
        Ok(apply::get(&environment.cluster, &kind(), place, name).await?)
    }

    /// The record that a ConfigMap is.
    pub(crate) fn of(object: &Value) -> Self {
        let text = |pointer: &str| {
            let text = object.pointer(pointer).and_then(Value::as_str);
            text.unwrap_or_default().to_owned()
        };
        Self {
            name: text("/metadata/name"),
            version: text("/metadata/resourceVersion"),
        }
    }

    /// Writes entries beside those that are there. `by` names who writes.
    pub(crate) async fn write(
        &mut self,
        environment: &Environment,
        by: &str,
        mut entries: Map<String, Value>,
    ) -> Result<(), JobFailure> {
        let place = Some(environment.namespace.as_str());
        // The version before makes each write another one, also when nothing else changes.
        entries.insert(BY.to_owned(), json!(by));
        entries.insert(AFTER.to_owned(), json!(self.version));
        let change = json!({"metadata": { "resourceVersion": self.version }, "data": entries});
        let (cluster, kind) = (&environment.cluster, kind());
        let written = apply::patch_merge(cluster, &kind, place, &self.name, &change).await;
        let written = match written {
            Ok(written) => written.object,
            Err(error) if is_taken(&error) => {
                let live = apply::get(cluster, &kind, place, &self.name).await?;
                // A write whose answer was lost is sent again, and meets itself.
                let is_ours = |live: &Value| {
                    entries
                        .iter()
                        .all(|(key, value)| live["data"][key] == *value)
                };
                live.filter(is_ours).ok_or(Lost::TakenOver)?
            }
            Err(error) => return Err(error.into()),
        };
        self.version = Self::of(&written).version;
        Ok(())
    }

    /// Removes it.
    pub(crate) async fn remove(&self, environment: &Environment) -> Result<(), ClusterError> {
        let place = Some(environment.namespace.as_str());
        let (kind, how) = (kind(), Propagation::Background);
        apply::delete(&environment.cluster, &kind, place, &self.name, None, how).await?;
        Ok(())
    }
}

fn is_taken(error: &ClusterError) -> bool {
    matches!(
        error.failure,
        Failure::Conflict { .. } | Failure::NotFound { .. }
    )
}

/// The type of records.
pub(crate) fn kind() -> ResourceType {
    ResourceType::new("", "v1", "ConfigMap", "configmaps", true)
}
