//! Makes the sample: what is legal first, then what happens to objects in their life, then the
//! constraints that would refuse them today.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Api, bulk, owners, unexpected, wait_at_rest};
use crate::kubectl::Kubectl;
use crate::process::{StageResult, wait_for};

/// How long a definition may take to be served, or a Deployment to come as far as the next step needs.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// Makes the sample and waits until it is at rest.
pub fn make(api: &Api, kubectl: &Kubectl) -> StageResult<()> {
    create(kubectl, "1-ground.yaml")?;
    served(api)?;
    create(kubectl, "2-objects.yaml")?;
    for (path, object) in bulk::objects() {
        api.post(path, &object)?;
    }
    wait_at_rest(api)?;
    statuses(api)?;
    owned(api)?;
    managed(api)?;
    runs(api, kubectl)?;
    rollouts(api)?;
    wait_at_rest(api)?;
    constraints(api, kubectl)
}

/// Without validation by kubectl: it would refuse what API servers accept.
fn create(kubectl: &Kubectl, manifest: &str) -> StageResult<()> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("apps/traps")
        .join(manifest);
    let path = path.to_string_lossy();
    kubectl
        .run(&["create", "--validate=false", "-f", &path])
        .map(drop)
}

/// Waits until every custom type of the sample is served.
fn served(api: &Api) -> StageResult<()> {
    const TYPES: [&str; 5] = [
        "v1/gadgets",
        "v2/gadgets",
        "v1alpha1/notes",
        "v1/vaultlets",
        "v1/tightened",
    ];
    wait_for(
        "the sample's definitions to be served",
        READY_WITHIN,
        || {
            let missing = TYPES
                .iter()
                .find(|one| api.get(&format!("/apis/trap.example.com/{one}")).is_err());
            missing.map_or(Ok(()), |one| Err((*one).to_owned()))
        },
    )
}

/// Status of custom resources, as operators write it.
fn statuses(api: &Api) -> StageResult<()> {
    let status = json!({"status": {"phase": "Ready", "serial": 9_007_199_254_740_993_i64, "replicas": 3,
        "conditions": [{"type": "Ready", "status": "True", "observedGeneration": 1, "note": null}]}});
    let gadgets = "/apis/trap.example.com/v1/namespaces";
    for gadget in [
        "trap-app/gadgets/full",
        "trap-hooked/gadgets/behind-the-hook",
        "trap-data/gadgets/gadget-01",
    ] {
        api.merge(
            &format!("{gadgets}/{gadget}/status?fieldManager=operator"),
            &status,
        )?;
    }
    let sealed = json!({"status": {"sealed": true, "at": [1, 2.5]}});
    api.merge(
        "/apis/trap.example.com/v1/vaultlets/strong/status?fieldManager=operator",
        &sealed,
    )
    .map(drop)
}

/// Links owners: a chain of five, a cycle, two owners, one of the cluster's scope, one outside of what
/// is backed up, and what an operator owns.
fn owned(api: &Api) -> StageResult<()> {
    const CORE: &str = "/api/v1/namespaces/trap-owners";
    const GADGETS: &str = "/apis/trap.example.com/v1/namespaces/trap-owners/gadgets";
    let chain = [
        format!("{CORE}/configmaps/chain-1"),
        format!("{CORE}/secrets/chain-2"),
        format!("{GADGETS}/chain-3"),
        format!("{CORE}/services/chain-4"),
        format!("{CORE}/serviceaccounts/chain-5"),
    ];
    let link = |owned: &str, owners_of: &[(&str, bool)]| {
        let references = owners_of
            .iter()
            .map(|(owner, controls)| reference(api, owner, *controls))
            .collect::<StageResult<Vec<_>>>()?;
        api.merge(owned, &owners(&references)).map(drop)
    };
    for pair in chain.windows(2) {
        link(&pair[1], &[(&pair[0], false)])?;
    }
    let map = |name: &str| format!("{CORE}/configmaps/{name}");
    link(&map("cycle-a"), &[(&map("cycle-b"), false)])?;
    link(&map("cycle-b"), &[(&map("cycle-a"), false)])?;
    let gadget = format!("{GADGETS}/of-itself-later");
    link(&map("of-two"), &[(&gadget, true), (&map("chain-1"), false)])?;
    link(
        &map("of-cluster-scope"),
        &[("/apis/trap.example.com/v1/vaultlets/strong", false)],
    )?;
    let node = api.get("/api/v1/nodes")?["items"][0]["metadata"]["name"].clone();
    let node = format!("/api/v1/nodes/{}", node.as_str().unwrap_or_default());
    link(&map("of-outside"), &[(&node, false)])?;
    for owned in [
        "/apis/apps/v1/namespaces/trap-owners/deployments/of-gadget".to_owned(),
        format!("{CORE}/persistentvolumeclaims/of-gadget"),
        "/apis/rbac.authorization.k8s.io/v1/namespaces/trap-owners/roles/of-gadget".to_owned(),
    ] {
        link(&owned, &[(&gadget, true)])?;
    }
    Ok(())
}

fn reference(api: &Api, path: &str, controls: bool) -> StageResult<Value> {
    let owner = api.get(path)?;
    let mut reference = json!({"apiVersion": owner["apiVersion"], "kind": owner["kind"],
        "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"]});
    if controls {
        reference["controller"] = json!(true);
        reference["blockOwnerDeletion"] = json!(true);
    }
    Ok(reference)
}

/// Objects that several managers own, by updates and by applies.
fn managed(api: &Api) -> StageResult<()> {
    let map = |name: &str, data: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "trap-data"}, "data": data});
    let path = |name: &str| format!("/api/v1/namespaces/trap-data/configmaps/{name}");
    api.apply(
        &path("applied"),
        "gitops",
        &map("applied", json!({"a": "1"})),
    )?;
    api.apply(&path("shared"), "gitops", &map("shared", json!({"a": "1"})))?;
    api.apply(&path("shared"), "other", &map("shared", json!({"b": "2"})))?;
    api.merge(
        &format!("{}?fieldManager=editor", path("shared")),
        &json!({"data": {"c": "3"}}),
    )?;
    let scale = json!({"spec": {"replicas": 2}});
    let gadget = "/apis/trap.example.com/v1/namespaces/trap-data/gadgets/gadget-02";
    api.merge(&format!("{gadget}/scale?fieldManager=scaler"), &scale)
        .map(drop)
}

/// A pod that is being debugged, a Job that a CronJob has started.
fn runs(api: &Api, kubectl: &Kubectl) -> StageResult<()> {
    let debugger = json!({"spec": {"ephemeralContainers": [
        {"name": "debugger", "image": "localhost/busybox:1", "command": ["sleep", "100000"]}]}});
    let pod = "/api/v1/namespaces/trap-runs/pods/debugged";
    let mut debugged = api.get(pod)?;
    debugged["spec"]["ephemeralContainers"] = debugger["spec"]["ephemeralContainers"].clone();
    api.put(&format!("{pod}/ephemeralcontainers"), &debugged)?;
    kubectl
        .run(&[
            "-n",
            "trap-runs",
            "create",
            "job",
            "yearly-now",
            "--from=cronjob/yearly",
        ])
        .map(drop)
}

/// Rollout histories, and a Deployment that is paused in the middle of a rollout.
fn rollouts(api: &Api) -> StageResult<()> {
    const APPS: &str = "/apis/apps/v1/namespaces/trap-app";
    let container = |changes: Value| {
        let mut container =
            json!({"name": "c", "image": "localhost/busybox:1", "command": ["sleep", "100000"]});
        if let (Some(container), Some(changes)) = (container.as_object_mut(), changes.as_object()) {
            container.extend(changes.clone());
        }
        json!({"spec": {"template": {"spec": {"containers": [container]}}}})
    };
    let next = json!({"env": [{"name": "V", "value": "2"}]});
    let with_data = json!({"env": [{"name": "V", "value": "2"}], "volumeMounts": [{"name": "data", "mountPath": "/data"}]});
    api.merge(
        &format!("{APPS}/deployments/rolled"),
        &container(next.clone()),
    )?;
    api.merge(
        &format!("{APPS}/statefulsets/ordinal"),
        &container(with_data),
    )?;
    api.merge(&format!("{APPS}/daemonsets/everywhere"), &container(next))?;
    let midway = format!("{APPS}/deployments/midway");
    api.merge(
        &midway,
        &container(json!({"image": "localhost/no-such-image:1", "imagePullPolicy": "Never"})),
    )?;
    wait_for("a rollout to be midway", READY_WITHIN, || {
        let found = api.get(&midway).map_err(|error| error.to_string())?;
        if found["status"]["updatedReplicas"] == 1 && found["status"]["replicas"] == 3 {
            Ok(())
        } else {
            Err(found["status"].to_string())
        }
    })?;
    api.merge(&midway, &json!({"spec": {"paused": true}}))
        .map(drop)
}

/// What would refuse or change objects that are there already.
fn constraints(api: &Api, kubectl: &Kubectl) -> StageResult<()> {
    let crd = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/tightened.trap.example.com";
    let mut definition = api.get(crd)?;
    let percent = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/percent";
    *definition
        .pointer_mut(percent)
        .ok_or_else(|| unexpected("the definition has no percent"))? =
        json!({"type": "integer", "maximum": 100});
    api.put(crd, &definition)?;
    create(kubectl, "3-later.yaml")?;
    let enforced = json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted",
        "pod-security.kubernetes.io/enforce-version": "v1.30", "pod-security.kubernetes.io/warn": "baseline"}}});
    api.merge("/api/v1/namespaces/trap-strict", &enforced)
        .map(drop)
}
