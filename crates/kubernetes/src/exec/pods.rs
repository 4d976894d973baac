//! What must be known of pods before commands run in them.
//!
//! Read in pages, with what is needed of each pod and no more; whoever asks decides over each of them and
//! keeps what it wants, so memory does not grow with the pods of a cluster.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams};
use strongroom_core::hooks::PodFacts;
use strongroom_core::object::Owner;

use crate::cluster::{Cluster, ClusterError, Failure};
use crate::limits::{PAGE_SIZE, REQUEST_TIMEOUT};

/// Gives every pod of a namespace, or of the cluster, to `take`.
///
/// # Errors
/// When the API server does not answer or does not let us.
pub async fn pods(
    cluster: &Cluster,
    namespace: Option<&str>,
    mut take: impl FnMut(PodFacts),
) -> Result<(), ClusterError> {
    let api = api(cluster, namespace);
    let mut token = None;
    loop {
        let mut parameters = ListParams::default().limit(PAGE_SIZE);
        parameters.continue_token = token;
        let place = namespace.map_or_else(String::new, |name| format!(" in namespace {name}"));
        let page = answered(cluster, format!("list pods{place}"), api.list(&parameters)).await?;
        for pod in page.items {
            take(facts(pod));
        }
        token = page.metadata.continue_.filter(|token| !token.is_empty());
        if token.is_none() {
            return Ok(());
        }
    }
}

/// One pod; none when it is not there.
///
/// # Errors
/// When the API server does not answer or does not let us.
pub async fn pod(
    cluster: &Cluster,
    namespace: &str,
    name: &str,
) -> Result<Option<PodFacts>, ClusterError> {
    let api = api(cluster, Some(namespace));
    let doing = format!("read pod {namespace}/{name}");
    let found = answered(cluster, doing, api.get_opt(name)).await?;
    Ok(found.map(facts))
}

/// The answer to a request, in the time that any request has.
async fn answered<T>(
    cluster: &Cluster,
    doing: String,
    asking: impl Future<Output = kube::Result<T>>,
) -> Result<T, ClusterError> {
    match tokio::time::timeout(REQUEST_TIMEOUT, asking).await {
        Ok(answer) => {
            answer.map_err(|error| ClusterError::from_kube(&error, doing, cluster.server()))
        }
        Err(_elapsed) => {
            let limit = REQUEST_TIMEOUT;
            Err(ClusterError::new(doing, Failure::Timeout { limit }))
        }
    }
}

fn api(cluster: &Cluster, namespace: Option<&str>) -> Api<Pod> {
    match namespace {
        Some(namespace) => Api::namespaced(cluster.client(), namespace),
        None => Api::all(cluster.client()),
    }
}

fn facts(pod: Pod) -> PodFacts {
    let metadata = pod.metadata;
    let spec = pod.spec.unwrap_or_default();
    let status = pod.status.unwrap_or_default();
    let sidecars = spec.init_containers.into_iter().flatten();
    let sidecars = sidecars
        .filter(|one| one.restart_policy.as_deref() == Some("Always"))
        .map(|one| one.name);
    let containers = spec.containers.into_iter().map(|one| one.name);
    let statuses = [status.container_statuses, status.init_container_statuses];
    let mut running = BTreeSet::new();
    let mut waiting = BTreeMap::new();
    for one in statuses.into_iter().flatten().flatten() {
        let state = one.state.unwrap_or_default();
        if state.running.is_some() {
            running.insert(one.name);
        } else if let Some(reason) = state.waiting.and_then(|waiting| waiting.reason) {
            waiting.insert(one.name, reason);
        }
    }
    let controller = metadata
        .owner_references
        .into_iter()
        .flatten()
        .find(|owner| owner.controller == Some(true));
    PodFacts {
        namespace: metadata.namespace.unwrap_or_default(),
        name: metadata.name.unwrap_or_default(),
        uid: metadata.uid.unwrap_or_default(),
        labels: metadata.labels.unwrap_or_default(),
        containers: containers.chain(sidecars).collect(),
        phase: status.phase.unwrap_or_default(),
        ending: metadata.deletion_timestamp.is_some(),
        created: metadata.creation_timestamp.map(|time| time.0),
        controller: controller.map(|owner| Owner {
            api_version: owner.api_version,
            kind: owner.kind,
            name: owner.name,
            uid: owner.uid,
            controller: true,
            block_owner_deletion: owner.block_owner_deletion.unwrap_or_default(),
            uid_labels: Vec::new(),
        }),
        running,
        waiting,
    }
}
