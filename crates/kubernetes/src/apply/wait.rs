//! Waiting for what the cluster does a moment after a write. Each wait has its limit as an argument
//! and says, when it passes, what was still missing.

use std::time::Duration;

use serde_json::Value;
use strongroom_core::object::ResourceType;

use super::{doing, get};
use crate::cluster::{Cluster, ClusterError, Failure};
use crate::limits::{FIRST_LOOK, POLL_INTERVAL};

/// What one look at the object says.
enum Look {
    /// It is so.
    Reached,
    /// Not yet; what is missing, in words.
    NotYet(String),
    /// It will not come to that.
    Never(Failure),
}

/// Waits until a CustomResourceDefinition is Established, so that objects of its kind can be made.
pub async fn wait_established(
    cluster: &Cluster,
    name: &str,
    limit: Duration,
) -> Result<(), ClusterError> {
    let kind = ResourceType::new(
        "apiextensions.k8s.io",
        "v1",
        "CustomResourceDefinition",
        "customresourcedefinitions",
        false,
    );
    wait(cluster, &kind, None, name, limit, |object| {
        let Some(object) = object else {
            return Look::NotYet("it is not there".to_owned());
        };
        let condition = |kind: &str| {
            let all = object["status"]["conditions"].as_array();
            all.and_then(|all| all.iter().find(|one| one["type"] == kind).cloned())
        };
        if condition("Established").is_some_and(|one| one["status"] == "True") {
            return Look::Reached;
        }
        match condition("NamesAccepted") {
            // Another CRD of the group has the same plural or kind; no waiting helps.
            Some(one) if one["status"] == "False" && one["reason"] != "" => {
                let message = one["message"]
                    .as_str()
                    .unwrap_or("its names are taken")
                    .to_owned();
                Look::Never(Failure::Conflict { message })
            }
            _ => Look::NotYet("it is not Established".to_owned()),
        }
    })
    .await
}

/// Waits until objects can be made in a namespace. One that is being deleted is an error at once:
/// nothing can be made in it, and how long it takes is its finalizers' affair.
pub async fn wait_namespace_active(
    cluster: &Cluster,
    name: &str,
    limit: Duration,
) -> Result<(), ClusterError> {
    let kind = ResourceType::new("", "v1", "Namespace", "namespaces", false);
    wait(cluster, &kind, None, name, limit, |object| {
        let Some(object) = object else {
            return Look::NotYet("it is not there".to_owned());
        };
        match object["status"]["phase"].as_str() {
            Some("Active") => Look::Reached,
            Some("Terminating") => Look::Never(Failure::NamespaceTerminating {
                message: format!("namespace {name} is being terminated"),
            }),
            _ => Look::NotYet("it is not Active".to_owned()),
        }
    })
    .await
}

/// Waits until an object is gone, its finalizers done.
pub async fn wait_gone(
    cluster: &Cluster,
    kind: &ResourceType,
    namespace: Option<&str>,
    name: &str,
    limit: Duration,
) -> Result<(), ClusterError> {
    wait(
        cluster,
        kind,
        namespace,
        name,
        limit,
        |object| match object {
            None => Look::Reached,
            Some(object) => Look::NotYet(what_holds(&object)),
        },
    )
    .await
}

/// Why an object that is being deleted is still there: a namespace says so in its conditions, any
/// other object waits for its finalizers.
fn what_holds(object: &Value) -> String {
    let conditions = object["status"]["conditions"].as_array();
    let said: Vec<&str> = conditions
        .into_iter()
        .flatten()
        .filter(|one| object["kind"] == "Namespace" && one["status"] == "True")
        .filter_map(|one| one["message"].as_str())
        .collect();
    if !said.is_empty() {
        return said.join("; ");
    }
    let finalizers = object["metadata"]["finalizers"].as_array();
    let held: Vec<&str> = finalizers
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if held.is_empty() {
        "it is still there".to_owned()
    } else {
        format!("it is held by the finalizers {}", held.join(", "))
    }
}

async fn wait(
    cluster: &Cluster,
    kind: &ResourceType,
    namespace: Option<&str>,
    name: &str,
    limit: Duration,
    look: impl Fn(Option<Value>) -> Look,
) -> Result<(), ClusterError> {
    let doing = doing("wait for", kind, namespace, name);
    let mut missing = String::new();
    let mut pause = FIRST_LOOK;
    let looking = async {
        loop {
            match look(get(cluster, kind, namespace, name).await?) {
                Look::Reached => return Ok(()),
                Look::Never(failure) => return Err(ClusterError::new(&doing, failure)),
                Look::NotYet(what) => missing = what,
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(POLL_INTERVAL);
        }
    };
    if let Ok(outcome) = tokio::time::timeout(limit, looking).await {
        return outcome;
    }
    Err(ClusterError::new(
        format!("{doing} ({missing})"),
        Failure::Timeout { limit },
    ))
}
