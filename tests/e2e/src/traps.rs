//! The sample of traps: some 250 objects that backups and restores are known to lose, change or run
//! again, how they are made and lost, and how the state before and after is judged.
//!
//! Contract: [`make`] leaves a cluster at rest; [`snapshot`] takes every object of every listable type
//! in every served version, as the API server tells it; [`judge`] forgives nothing but what a row of
//! [`rules`] explains, or a line of a report that [`allowed`] lets it say, and in all that is none of the
//! sample's nothing but what [`noise`] names. The yardstick shares no code with the product.

use std::time::Duration;

use serde_json::{Value, json};

use crate::kubectl::Kubectl;
use crate::process::{StageError, StageResult, wait_for};

mod allowed;
mod api;
mod bulk;
mod judge;
mod lose;
mod make;
mod noise;
mod rules;
mod snapshot;

pub use api::Api;
pub use judge::{Judgement, Report, judge};
pub use lose::lose;
pub use make::make;
pub use snapshot::{Identity, Snapshot, snapshot};

/// Namespaces of the sample.
pub const NAMESPACES: [&str; 9] = [
    "trap-app",
    "trap-strict",
    "trap-data",
    "trap-owners",
    "trap-runs",
    "trap-net",
    "trap-guarded",
    "trap-hooked",
    "trap-empty",
];

/// The namespace into which the sample's application is copied.
pub const COPY: &str = "trap-copy";

/// How long controllers may take to come to rest.
const AT_REST_WITHIN: Duration = Duration::from_secs(60);

/// Whether a name outside all namespaces belongs to the sample.
fn is_of_the_sample(name: &str) -> bool {
    let front = ["trap-", "trap:"]
        .iter()
        .any(|front| name.starts_with(front));
    front || name.ends_with("trap.example.com") || name == "system:foo:bar"
}

/// Waits until every workload of the sample runs as many ready pods as it asks for, and everything
/// that runs once has ended.
pub fn wait_at_rest(api: &Api) -> StageResult<()> {
    wait_for("the sample of traps to be at rest", AT_REST_WITHIN, || {
        let busy = busy(api).map_err(|error| error.to_string())?;
        if busy.is_empty() {
            Ok(())
        } else {
            Err(busy.join(", "))
        }
    })
}

/// Workloads whose pods are not (all) ready, Jobs and pods that have not ended.
fn busy(api: &Api) -> StageResult<Vec<String>> {
    let mut busy = Vec::new();
    let workloads = [
        (
            "apps/v1",
            "trap-app",
            "deployments",
            "/spec/replicas",
            "/status/readyReplicas",
        ),
        (
            "apps/v1",
            "trap-app",
            "statefulsets",
            "/spec/replicas",
            "/status/readyReplicas",
        ),
        (
            "apps/v1",
            "trap-app",
            "daemonsets",
            "/status/desiredNumberScheduled",
            "/status/numberReady",
        ),
    ];
    for (version, namespace, plural, asked, ready) in workloads {
        for item in items(&api.get(&format!("/apis/{version}/namespaces/{namespace}/{plural}"))?) {
            let number = |pointer: &str| item.pointer(pointer).and_then(Value::as_i64).unwrap_or(0);
            let observed =
                item.pointer("/status/observedGeneration") == item.pointer("/metadata/generation");
            if number(ready) < number(asked).max(1) || !observed {
                busy.push(format!("{plural} {}", item["metadata"]["name"]));
            }
        }
    }
    for item in items(&api.get("/apis/batch/v1/namespaces/trap-runs/jobs")?) {
        let name = item["metadata"]["name"].as_str().unwrap_or_default();
        let ended = item["status"]["conditions"].as_array().is_some_and(|all| {
            all.iter().any(|one| {
                matches!(
                    one["type"].as_str(),
                    Some("Complete" | "Failed" | "Suspended")
                )
            })
        });
        // The first part of the one that is half done is over in a moment.
        let part = name == "half-done" && item["status"]["succeeded"] != 1;
        let runs = item["status"]["ready"].as_i64().unwrap_or(0) > 0 && !part;
        if !(ended || runs) {
            busy.push(format!("job {name}"));
        }
    }
    for namespace in ["trap-runs", "trap-strict"] {
        for item in items(&api.get(&format!("/api/v1/namespaces/{namespace}/pods"))?) {
            let phase = item["status"]["phase"].as_str().unwrap_or_default();
            let held = item["spec"]["nodeSelector"]["no-such"].is_string()
                || item["spec"]["schedulingGates"].is_array();
            if phase == "Pending" && !held {
                busy.push(format!("pod {}", item["metadata"]["name"]));
            }
        }
    }
    Ok(busy)
}

/// The items of a list.
fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list["items"].as_array().into_iter().flatten()
}

/// Removes what is left of the sample, whatever state it is in.
pub fn clear(kubectl: &Kubectl) -> StageResult<()> {
    let api = Api::open(kubectl)?;
    let left = NAMESPACES
        .iter()
        .any(|name| api.get(&format!("/api/v1/namespaces/{name}")).is_ok());
    if left { lose(&api, kubectl) } else { Ok(()) }
}

fn unexpected(what: impl Into<String>) -> StageError {
    StageError::Unexpected(what.into())
}

/// A merge patch that sets an object's owners.
fn owners(references: &[Value]) -> Value {
    json!({"metadata": {"ownerReferences": references}})
}
