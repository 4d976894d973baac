//! The status of a job's custom resource: taking the job over, and writing to it.
//!
//! Every write carries the resource version of the one before, so of two processes that both think
//! a job theirs, the later taker wins and the other learns of it at its next write.

use std::fmt;

use jiff::Timestamp;
use serde_json::{Value, json};
use strongroom_core::ResourceType;
use strongroom_kubernetes::crd::{JobState, JobStatus};
use strongroom_kubernetes::{Cluster, ClusterError, Failure, apply, conditions};

use super::{JobFailure, Lost};

/// How often one write is tried again because somebody else wrote in between. Nobody but another
/// extension process writes here, so more than a few say that something is very wrong.
const CONFLICTS: u32 = 5;

/// Writes the status of one custom resource.
pub struct StatusWriter {
    cluster: Cluster,
    kind: ResourceType,
    namespace: String,
    name: String,
    uid: String,
    held: tokio::sync::Mutex<Held>,
    clock: std::sync::Arc<dyn crate::clock::Clock>,
}

/// What was written last.
struct Held {
    resource_version: String,
    status: JobStatus,
}

impl fmt::Debug for StatusWriter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("StatusWriter")
            .field("kind", &self.kind.kind)
            .field("name", &self.name)
            .field("uid", &self.uid)
            .finish_non_exhaustive()
    }
}

/// A job that this process has taken over.
#[derive(Debug)]
pub struct Taken {
    /// Its spec, not yet understood.
    pub spec: Value,
    /// When its custom resource was created, by the API server's clock.
    pub created: Timestamp,
    /// The resource version under which it was found.
    pub revision: u64,
    /// The status as it was found, with the attempt already counted.
    pub found: JobStatus,
    /// Writes its status.
    pub status: StatusWriter,
}

impl StatusWriter {
    /// Takes a job over: counts the attempt in its status. `None` when there is nothing to do: the
    /// custom resource is gone, being deleted, or final.
    ///
    /// # Errors
    /// When the API server does not answer or does not let us.
    pub async fn take_over(
        cluster: &Cluster,
        kind: &ResourceType,
        namespace: &str,
        name: &str,
        clock: &std::sync::Arc<dyn crate::clock::Clock>,
    ) -> Result<Option<Taken>, JobFailure> {
        let Some(object) = apply::get(cluster, kind, Some(namespace), name).await? else {
            return Ok(None);
        };
        let found = status_of(&object);
        let metadata = &object["metadata"];
        if found.state.is_final() || metadata["deletionTimestamp"].is_string() {
            return Ok(None);
        }
        let now = clock.now();
        let created = metadata["creationTimestamp"]
            .as_str()
            .and_then(|time| time.parse().ok())
            .unwrap_or(now);
        let writer = Self {
            cluster: cluster.clone(),
            kind: kind.clone(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            uid: metadata["uid"].as_str().unwrap_or_default().to_owned(),
            held: tokio::sync::Mutex::new(Held {
                resource_version: version_of(&object),
                status: found.clone(),
            }),
            clock: std::sync::Arc::clone(clock),
        };
        writer
            .write(|status| {
                status.attempt = found.attempt + 1;
                status.observed_generation = metadata["generation"].as_i64().unwrap_or_default();
                status.state = JobState::Running;
                status.started.get_or_insert(now);
            })
            .await?;
        let found = writer.held.lock().await.status.clone();
        Ok(Some(Taken {
            spec: object["spec"].clone(),
            created,
            revision: version_of(&object).parse().unwrap_or_default(),
            found,
            status: writer,
        }))
    }

    /// An owner reference to the custom resource, for what goes with it.
    pub fn owner_reference(&self) -> Value {
        json!({
            "apiVersion": self.kind.api_version(),
            "kind": self.kind.kind,
            "name": self.name,
            "uid": self.uid,
        })
    }

    /// Changes the status and writes it, with a heartbeat.
    ///
    /// # Errors
    /// [`Lost`] when the job is no longer this process's; else why the write failed. What was not
    /// written is written with the next change.
    pub async fn write(&self, change: impl FnOnce(&mut JobStatus)) -> Result<(), JobFailure> {
        let mut held = self.held.lock().await;
        let attempt = held.status.attempt;
        change(&mut held.status);
        let taking = held.status.attempt != attempt;
        let now = self.clock.now();
        held.status.heartbeat = Some(now);
        conditions::of_job(&mut held.status, now);
        for _ in 0..CONFLICTS {
            match self.replace(&held).await {
                Ok(version) => {
                    held.resource_version = version;
                    return Ok(());
                }
                Err(error) if error.is_not_found() => return Err(Lost::Deleted.into()),
                Err(error) if is_conflict(&error) => {
                    held.resource_version = self.still_ours(&held.status, taking).await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(Lost::TakenOver.into())
    }

    async fn replace(&self, held: &Held) -> Result<String, ClusterError> {
        let object = json!({
            "apiVersion": self.kind.api_version(),
            "kind": self.kind.kind,
            "metadata": {
                "namespace": self.namespace,
                "name": self.name,
                "uid": self.uid,
                "resourceVersion": held.resource_version,
            },
            "status": held.status,
        });
        let written = apply::replace_status(&self.cluster, &self.kind, &object).await?;
        Ok(version_of(&written.object))
    }

    /// The newest resource version, when the job is still this attempt's. Two processes may take
    /// the same attempt at the same time: the one whose heartbeat is not in the cluster has lost.
    /// (When it is there, the answer to our own write was lost on its way.)
    async fn still_ours(&self, ours: &JobStatus, taking: bool) -> Result<String, JobFailure> {
        let live = apply::get(&self.cluster, &self.kind, Some(&self.namespace), &self.name).await?;
        let Some(live) = live else {
            return Err(Lost::Deleted.into());
        };
        let metadata = &live["metadata"];
        if metadata["uid"] != self.uid.as_str() || metadata["deletionTimestamp"].is_string() {
            return Err(Lost::Deleted.into());
        }
        let theirs = status_of(&live);
        let same = theirs.attempt == ours.attempt && theirs.heartbeat == ours.heartbeat;
        let later = theirs.attempt > ours.attempt || (taking && theirs.attempt == ours.attempt);
        if !same && (later || theirs.state.is_final()) {
            return Err(Lost::TakenOver.into());
        }
        Ok(version_of(&live))
    }
}

fn is_conflict(error: &ClusterError) -> bool {
    matches!(
        error.failure,
        Failure::Conflict { .. } | Failure::AlreadyExists { .. }
    )
}

/// The status in an object. One that does not parse is as good as none: it is written anew.
fn status_of(object: &Value) -> JobStatus {
    serde_json::from_value(object["status"].clone()).unwrap_or_default()
}

fn version_of(object: &Value) -> String {
    object["metadata"]["resourceVersion"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}
