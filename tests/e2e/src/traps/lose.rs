//! Loses the sample: every namespace, definition and object of the cluster's scope.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Api, COPY, NAMESPACES, is_of_the_sample, items};
use crate::kubectl::Kubectl;
use crate::process::{StageResult, wait_for};

/// How long the cluster may take to delete it all.
const GONE_WITHIN: Duration = Duration::from_secs(90);

/// Types of the cluster's scope, in the order in which they must go: what refuses changes and what
/// keeps namespaces from ending first.
const CLUSTER_SCOPED: [&str; 25] = [
    "/apis/apiregistration.k8s.io/v1/apiservices",
    "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
    "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
    "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings",
    "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies",
    "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicybindings",
    "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicies",
    "/apis/trap.example.com/v1/vaultlets",
    "/apis/snapshot.storage.k8s.io/v1/volumesnapshotcontents",
    "/apis/snapshot.storage.k8s.io/v1/volumesnapshotclasses",
    "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "/apis/certificates.k8s.io/v1/certificatesigningrequests",
    "/apis/scheduling.k8s.io/v1/priorityclasses",
    "/apis/node.k8s.io/v1/runtimeclasses",
    "/apis/storage.k8s.io/v1/storageclasses",
    "/apis/storage.k8s.io/v1/csidrivers",
    "/apis/storage.k8s.io/v1/volumeattributesclasses",
    "/apis/networking.k8s.io/v1/ingressclasses",
    "/apis/networking.k8s.io/v1/servicecidrs",
    "/apis/resource.k8s.io/v1/deviceclasses",
    "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas",
    "/apis/flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations",
    "/api/v1/persistentvolumes",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
];

/// Deletes the sample and waits until nothing of it is left.
pub fn lose(api: &Api, kubectl: &Kubectl) -> StageResult<()> {
    // What refuses goes before what it would keep, and before namespaces, which end by deleting.
    for collection in &CLUSTER_SCOPED[..7] {
        remove_all(api, collection)?;
    }
    for namespace in NAMESPACES.iter().chain([&COPY]) {
        api.delete(&format!("/api/v1/namespaces/{namespace}"))?;
    }
    wait_for("the sample's namespaces to be gone", GONE_WITHIN, || {
        let left = unguarded(api).map_err(|error| error.to_string())?;
        if left.is_empty() {
            Ok(())
        } else {
            Err(left.join(", "))
        }
    })?;
    wait_for("the rest of the sample to be gone", GONE_WITHIN, || {
        let mut left = Vec::new();
        for collection in CLUSTER_SCOPED {
            left.extend(remove_all(api, collection).map_err(|error| error.to_string())?);
        }
        if left.is_empty() {
            Ok(())
        } else {
            Err(left.join(", "))
        }
    })?;
    // Made by the cluster for the pods of namespaces that are gone.
    kubectl.run(&["get", "namespaces"]).map(drop)
}

/// Takes off the finalizers that nobody would take off, and names the namespaces that are left.
fn unguarded(api: &Api) -> StageResult<Vec<String>> {
    let mut left = Vec::new();
    for name in NAMESPACES.into_iter().chain([COPY]) {
        let path = format!("/api/v1/namespaces/{name}");
        let Ok(mut namespace) = api.get(&path) else {
            continue;
        };
        left.push(name.to_owned());
        for collection in [
            "api/v1 configmaps",
            "apis/trap.example.com/v1 gadgets",
            "apis/batch/v1 jobs",
        ] {
            let (version, plural) = collection.split_once(' ').unwrap_or_default();
            let listed = api.get(&format!("/{version}/namespaces/{name}/{plural}"));
            let Ok(listed) = listed else { continue };
            for item in items(&listed).filter(|item| item["metadata"]["finalizers"].is_array()) {
                let object = item["metadata"]["name"].as_str().unwrap_or_default();
                release(
                    api,
                    &format!("/{version}/namespaces/{name}/{plural}/{object}"),
                );
            }
        }
        if namespace["metadata"]["finalizers"].is_array() {
            release(api, &path);
        }
        let own = namespace["spec"]["finalizers"]
            .as_array()
            .is_some_and(|all| all.len() > 1);
        if own {
            namespace["spec"]["finalizers"] = json!(["kubernetes"]);
            let _ = api.put(&format!("{path}/finalize"), &namespace);
        }
    }
    Ok(left)
}

/// Takes off finalizers; the object may be gone meanwhile.
fn release(api: &Api, path: &str) {
    let _ = api.merge(path, &json!({"metadata": {"finalizers": Value::Null}}));
}

/// Deletes what of a collection belongs to the sample; returns what was still there.
fn remove_all(api: &Api, collection: &str) -> StageResult<Vec<String>> {
    let mut left = Vec::new();
    let Ok(listed) = api.get(collection) else {
        return Ok(left);
    };
    for item in items(&listed) {
        let name = item["metadata"]["name"].as_str().unwrap_or_default();
        let claimed = item["spec"]["claimRef"]["namespace"]
            .as_str()
            .unwrap_or_default();
        if !is_of_the_sample(name) && !NAMESPACES.contains(&claimed) && claimed != COPY {
            continue;
        }
        let path = format!("{collection}/{}", name.replace(':', "%3A"));
        if item["metadata"]["deletionTimestamp"].is_string() {
            release(api, &path);
        } else {
            api.delete(&path)?;
        }
        left.push(name.to_owned());
    }
    Ok(left)
}
