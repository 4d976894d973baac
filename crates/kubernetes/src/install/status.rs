//! How the extension does, and if not well, why: from its Deployment, its ReplicaSets, its pods and
//! what it says of itself.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use strongroom_core::object::ResourceType;

use super::{NAME, core_type, deployments};
use crate::apply;
use crate::cluster::{Cluster, ClusterError, path_of};
use crate::crd::{BackupExtension, BackupExtensionStatus};
use crate::jobs;
use crate::limits::HEARTBEAT_STALE;

/// How the extension does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExtensionState {
    /// It is not installed.
    Absent,
    /// It is on its way and nothing says that it will not arrive.
    Progressing {
        /// What it waits for.
        why: String,
    },
    /// It takes jobs.
    Ready {
        /// The program's version.
        version: String,
        /// Where job secrets are to be sealed to.
        public_key: String,
        /// How long ago it gave its last sign of life.
        heartbeat_age: Duration,
        /// The image that is installed.
        image: String,
        /// What it can do beyond the first version.
        capabilities: Vec<String>,
        /// What somebody should look at although it works.
        warning: Option<String>,
    },
    /// It does not work, and waiting will not help.
    Broken {
        /// What is wrong and, where it is known, what helps.
        why: String,
    },
}

/// What the cluster knows of the extension. `now` is the time against which its heartbeat is held.
pub async fn status(
    cluster: &Cluster,
    namespace: &str,
    now: Timestamp,
) -> Result<ExtensionState, ClusterError> {
    let Some(deployment) = apply::get(cluster, &deployments(), Some(namespace), NAME).await? else {
        return Ok(ExtensionState::Absent);
    };
    let own = jobs::extension(cluster, namespace).await?;
    if is_rolled_out(&deployment) {
        return Ok(of_own_words(&deployment, own.as_ref(), now));
    }
    let selector = format!("app.kubernetes.io/name={NAME}");
    let pods = core_type("Pod", "pods", true);
    let pods = list(cluster, &pods, namespace, &selector).await?;
    let replica_sets = ResourceType::new("apps", "v1", "ReplicaSet", "replicasets", true);
    let replica_sets = list(cluster, &replica_sets, namespace, &selector).await?;
    Ok(of_parts(&deployment, &replica_sets, &pods))
}

/// Whether the pod of the current settings, and only that, is available.
fn is_rolled_out(deployment: &Value) -> bool {
    let status = &deployment["status"];
    let count = |field: &str| status[field].as_i64().unwrap_or(0);
    status["observedGeneration"] == deployment["metadata"]["generation"]
        && count("updatedReplicas") >= 1
        && count("readyReplicas") >= 1
        && count("replicas") == count("updatedReplicas")
}

/// The pod is ready; whether the extension is, it says itself.
fn of_own_words(
    deployment: &Value,
    own: Option<&BackupExtension>,
    now: Timestamp,
) -> ExtensionState {
    let Some(told) = own.and_then(|own| own.status.as_ref()) else {
        let why = "its pod runs, but it has not published its status yet".to_owned();
        return ExtensionState::Progressing { why };
    };
    let Some(heartbeat) = told.heartbeat else {
        let why = "its pod runs, but it has given no sign of life yet".to_owned();
        return ExtensionState::Progressing { why };
    };
    // A heartbeat from the future is a clock that differs, not a dead process.
    let age = Duration::try_from(now.duration_since(heartbeat)).unwrap_or_default();
    if age > HEARTBEAT_STALE {
        let seconds = age.as_secs();
        let why = format!(
            "its pod runs, but its last sign of life is {seconds} s old (more than {} s): it \
             cannot reach the API server, hangs, or the clocks differ",
            HEARTBEAT_STALE.as_secs()
        );
        return ExtensionState::Broken { why };
    }
    if !told.ready {
        let mut conditions = told.conditions.iter();
        let message = conditions.find(|one| one.type_ == crate::conditions::READY);
        let why = message.map_or("it says that it is not ready".to_owned(), |one| {
            format!("it says that it is not ready: {}", one.message)
        });
        return ExtensionState::Progressing { why };
    }
    ExtensionState::Ready {
        version: told.version.clone(),
        public_key: told.public_key.clone(),
        heartbeat_age: age,
        image: image_of(deployment),
        capabilities: told.capabilities.clone(),
        warning: warning(told),
    }
}

fn warning(told: &BackupExtensionStatus) -> Option<String> {
    let mut conditions = told.conditions.iter();
    let missing = conditions
        .find(|one| one.type_ == crate::conditions::SNAPSHOTS_PRESENT && one.status == "False");
    missing.map(|one| one.message.clone())
}

fn image_of(deployment: &Value) -> String {
    let image = &deployment["spec"]["template"]["spec"]["containers"][0]["image"];
    image.as_str().unwrap_or_default().to_owned()
}

/// The pod is not ready; why, from the strongest word to the weakest.
fn of_parts(deployment: &Value, replica_sets: &[Value], pods: &[Value]) -> ExtensionState {
    let alive: Vec<&Value> = pods
        .iter()
        .filter(|pod| pod["metadata"]["deletionTimestamp"].is_null())
        .collect();
    for pod in &alive {
        if let Some(why) = broken_container(pod) {
            return ExtensionState::Broken { why };
        }
    }
    if alive.is_empty() {
        let failure = replica_sets
            .iter()
            .chain([deployment])
            .find_map(|one| condition(one, "ReplicaFailure", "True"));
        if let Some(message) = failure {
            return ExtensionState::Broken {
                why: no_pod(&message),
            };
        }
        let why = "its pod has not been made yet".to_owned();
        return ExtensionState::Progressing { why };
    }
    for pod in &alive {
        if let Some(message) = condition(pod, "PodScheduled", "False") {
            let why = format!("no node takes its pod: {message}");
            return ExtensionState::Progressing { why };
        }
    }
    if let Some(message) = condition(deployment, "Progressing", "False") {
        return ExtensionState::Broken {
            why: format!("it does not come up: {message}"),
        };
    }
    ExtensionState::Progressing {
        why: "its pod is starting".to_owned(),
    }
}

/// Why no pod could be made: admission's words with what helps.
fn no_pod(message: &str) -> String {
    let help = if message.contains("exceeded quota") || message.contains("failed quota") {
        "raise the namespace's ResourceQuota (the pod asks for 50m CPU and 64Mi memory)"
    } else if message.contains("violates PodSecurity") {
        "the pod meets the `restricted` standard; does a webhook add something to it?"
    } else {
        "see the ReplicaSet's events"
    };
    format!("its pod is refused: {message} ({help})")
}

/// What a container's status says when it does not come up by waiting.
fn broken_container(pod: &Value) -> Option<String> {
    let statuses = pod["status"]["containerStatuses"].as_array()?;
    statuses.iter().find_map(|status| {
        let waiting = &status["state"]["waiting"];
        let reason = waiting["reason"].as_str()?;
        let message = waiting["message"].as_str().unwrap_or_default();
        let image = status["image"].as_str().unwrap_or_default();
        match reason {
            "ErrImagePull" | "ImagePullBackOff" | "InvalidImageName" | "ErrImageNeverPull" => Some(
                format!("the image {image} cannot be pulled ({reason}): {message}"),
            ),
            "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => Some(
                format!("its container cannot be started ({reason}): {message}"),
            ),
            "CrashLoopBackOff" => Some(crash(status)),
            _ => None,
        }
    })
}

/// The last death of a container that crashes again and again. The message is the end of its log.
fn crash(status: &Value) -> String {
    let restarts = status["restartCount"].as_u64().unwrap_or(0);
    let last = &status["lastState"]["terminated"];
    let reason = last["reason"].as_str().unwrap_or("unknown");
    let code = last["exitCode"].as_i64().unwrap_or(0);
    let message = last["message"].as_str().unwrap_or_default();
    let end: Vec<&str> = message.lines().rev().take(3).collect();
    let end = end.into_iter().rev().collect::<Vec<_>>().join(" / ");
    format!("it crashes again and again ({restarts} restarts, {reason}, exit code {code}): {end}")
}

fn condition(object: &Value, kind: &str, status: &str) -> Option<String> {
    let all = object["status"]["conditions"].as_array()?;
    let one = all
        .iter()
        .find(|one| one["type"] == kind && one["status"] == status)?;
    Some(one["message"].as_str().unwrap_or_default().to_owned())
}

async fn list(
    cluster: &Cluster,
    kind: &ResourceType,
    namespace: &str,
    selector: &str,
) -> Result<Vec<Value>, ClusterError> {
    // A handful of objects; a limit all the same.
    let path = format!(
        "{}?limit=100&labelSelector={}",
        path_of(kind, Some(namespace), None),
        crate::cluster::segment(selector)
    );
    let mut answer: Value = cluster
        .get_json(&path, &format!("list {kind} in namespace {namespace}"))
        .await?;
    match answer["items"].take() {
        Value::Array(items) => Ok(items),
        _ => Ok(Vec::new()),
    }
}
