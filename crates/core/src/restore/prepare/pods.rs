//! What admission put into a pod and will put into it again.
//!
//! Contract: removes only what the service account admission controller injects, recognised by shape
//! as well as by name, so that a user's own volume of a similar name stays.
//! Source: <https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#bound-service-account-token-volume>

use serde_json::Value;

use super::Removed;

/// The mount path that admission uses.
const TOKEN_MOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// The prefix of the volume names that admission makes.
const TOKEN_VOLUME_PREFIX: &str = "kube-api-access-";

const WHY: &str = "admission mounts a token of the new service account";

/// Removes the injected token volumes and their mounts; returns what was there.
pub(super) fn remove_injected_tokens(pod: &mut Value) -> Vec<Removed> {
    let mut removed = Vec::new();
    let names = injected_volumes(pod);
    if names.is_empty() {
        return removed;
    }
    retain(pod, "/spec/volumes", &mut removed, |volume| {
        !named(volume, &names)
    });
    for list in ["containers", "initContainers"] {
        let count = pod["spec"][list].as_array().map_or(0, Vec::len);
        for index in 0..count {
            let path = format!("/spec/{list}/{index}/volumeMounts");
            retain(pod, &path, &mut removed, |mount| {
                !(named(mount, &names) && mount["mountPath"] == TOKEN_MOUNT)
            });
        }
    }
    removed
}

fn injected_volumes(pod: &Value) -> Vec<String> {
    let volumes = pod.pointer("/spec/volumes").and_then(Value::as_array);
    volumes
        .into_iter()
        .flatten()
        .filter(|volume| {
            volume["name"]
                .as_str()
                .is_some_and(|name| name.starts_with(TOKEN_VOLUME_PREFIX))
                && volume
                    .pointer("/projected/sources/0/serviceAccountToken")
                    .is_some()
        })
        .filter_map(|volume| volume["name"].as_str().map(str::to_owned))
        .collect()
}

fn named(item: &Value, names: &[String]) -> bool {
    item["name"]
        .as_str()
        .is_some_and(|name| names.iter().any(|n| n == name))
}

/// Keeps the items of a list that `keep` accepts; a list that becomes empty goes, as it was never set.
fn retain(pod: &mut Value, path: &str, removed: &mut Vec<Removed>, keep: impl Fn(&Value) -> bool) {
    let Some(Value::Array(items)) = pod.pointer_mut(path) else {
        return;
    };
    for (index, _) in items.iter().enumerate().filter(|(_, item)| !keep(item)) {
        removed.push(Removed {
            pointer: format!("{path}/{index}"),
            why: WHY,
        });
    }
    items.retain(|item| keep(item));
    if items.is_empty() {
        crate::pointer::remove(pod, path);
    }
}
