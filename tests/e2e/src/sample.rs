//! The sample application `shop`: how it is set up, lost, and looked at.

use std::path::PathBuf;
use std::time::Duration;

use crate::kubectl::Kubectl;
use crate::process::{StageError, StageResult};
use crate::state::State;

/// The namespace that the sample application lives in.
pub const NAMESPACE: &str = "shop";

/// What of the application lies outside its namespace.
pub const CLUSTER_SCOPED: [&str; 4] = [
    "customresourcedefinition/discounts.shop.example.com",
    "priorityclass/shop-critical",
    "clusterrole/shop-node-reader",
    "clusterrolebinding/shop-node-reader",
];

/// How long the one-shot Job of the sample may take.
const JOB_WITHIN: Duration = Duration::from_secs(60);

/// The manifest of the sample application, beside this crate.
pub fn manifest() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("apps/shop.yaml")
}

/// Creates the application and waits until it runs and its objects are at rest.
pub fn deploy(kubectl: &Kubectl) -> StageResult<()> {
    // The resources of a new kind are refused until its definition is established: apply until all is there.
    let manifest = manifest();
    kubectl.wait(
        "the sample application to be accepted",
        JOB_WITHIN,
        |kubectl| kubectl.apply(&manifest).map_err(|error| error.to_string()),
    )?;
    // What no manifest can carry: the status of a custom resource, and an owner by its uid.
    kubectl.run(&[
        "-n",
        NAMESPACE,
        "patch",
        "discount",
        "black-friday",
        "--subresource=status",
        "--type=merge",
        "-p",
        r#"{"status":{"redeemed":9007199254740993,"phase":"Active"}}"#,
    ])?;
    let owner = kubectl.json(&["-n", NAMESPACE, "get", "discount", "welcome"])?;
    let uid = owner["metadata"]["uid"]
        .as_str()
        .ok_or_else(|| StageError::Unexpected("the discount `welcome` has no uid".to_owned()))?;
    let owned = format!(
        r#"{{"metadata":{{"ownerReferences":[{{"apiVersion":"shop.example.com/v1","kind":"Discount","name":"welcome","uid":"{uid}"}}]}}}}"#
    );
    kubectl.run(&[
        "-n",
        NAMESPACE,
        "patch",
        "configmap",
        "price-list.2026",
        "--type=merge",
        "-p",
        &owned,
    ])?;
    kubectl.run(&[
        "-n",
        NAMESPACE,
        "wait",
        "--for=condition=Complete",
        "job/migrate-schema",
        "--timeout=60s",
    ])?;
    kubectl.wait_rolled_out(NAMESPACE)
}

/// Loses the application: its namespace and what of it is cluster-scoped.
pub fn lose(kubectl: &Kubectl) -> StageResult<()> {
    kubectl.delete_namespace(NAMESPACE)?;
    for object in CLUSTER_SCOPED {
        kubectl.run(&["delete", object, "--ignore-not-found"])?;
    }
    Ok(())
}

/// All objects of the application, its cluster-scoped ones included.
pub fn state(kubectl: &Kubectl) -> StageResult<State> {
    let mut state = State::take(kubectl, NAMESPACE)?;
    for object in CLUSTER_SCOPED {
        state.add_object(kubectl, object)?;
    }
    Ok(state)
}

/// How many pods of the application are running and ready.
pub fn ready_pods(kubectl: &Kubectl) -> StageResult<usize> {
    let pods = kubectl.json(&[
        "-n",
        NAMESPACE,
        "get",
        "pods",
        "--field-selector=status.phase=Running",
    ])?;
    let is_ready = |pod: &serde_json::Value| {
        let conditions = pod["status"]["conditions"].as_array();
        conditions.is_some_and(|all| {
            all.iter()
                .any(|one| one["type"] == "Ready" && one["status"] == "True")
        })
    };
    Ok(pods["items"]
        .as_array()
        .map_or(0, |pods| pods.iter().filter(|pod| is_ready(pod)).count()))
}
