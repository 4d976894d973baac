//! The rights of an extension that is installed: whether it has them, and giving them back.
//!
//! Contract: what is in the cluster is compared with what an installation makes, so that it can be told of an
//! extension that does not run as well. [`grant`] writes account, roles and bindings and nothing else, and
//! can be repeated.

use super::{ExtensionSettings, kind_of, manifests};
use crate::access::{lacks, refers_elsewhere};
use crate::apply::{self, Propagation};
use crate::cluster::{Cluster, ClusterError};
use crate::{EXTENSION_NAMESPACE, FIELD_MANAGER};

/// What the extension lacks of its rights, each in a sentence.
pub async fn missing_rights(cluster: &Cluster) -> Result<Vec<String>, ClusterError> {
    let mut lacking = Vec::new();
    for object in manifests::rights(&settings()) {
        let kind = kind_of(&object);
        let (namespace, name) = place(&object);
        let found = apply::get(cluster, &kind, namespace, name).await?;
        lacking.extend(lacks(&object, found.as_ref()));
    }
    Ok(lacking)
}

/// Gives the extension its rights. Its namespace must be there.
pub async fn grant(cluster: &Cluster) -> Result<(), ClusterError> {
    for object in manifests::rights(&settings()) {
        let kind = kind_of(&object);
        let (namespace, name) = place(&object);
        let found = apply::get(cluster, &kind, namespace, name).await?;
        if found.is_some_and(|found| refers_elsewhere(&object, &found)) {
            // The API server does not let a binding be given another role.
            let how = Propagation::Background;
            apply::delete(cluster, &kind, namespace, name, None, how).await?;
        }
        apply::patch_apply(cluster, &kind, &object, FIELD_MANAGER, true).await?;
    }
    Ok(())
}

/// Where an installation is; its image does not matter for rights.
fn settings() -> ExtensionSettings {
    ExtensionSettings {
        namespace: EXTENSION_NAMESPACE.to_owned(),
        ..ExtensionSettings::new("")
    }
}

fn place(object: &serde_json::Value) -> (Option<&str>, &str) {
    let metadata = &object["metadata"];
    let name = metadata["name"].as_str().unwrap_or_default();
    (metadata["namespace"].as_str(), name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::{Arc, Mutex};

    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{Answer, cluster};

    const GROUP: &str = "/apis/rbac.authorization.k8s.io/v1";

    type Objects = Arc<Mutex<BTreeMap<String, Value>>>;

    /// A cluster that keeps what is applied.
    fn keeping(objects: &Objects) -> Cluster {
        let objects = Arc::clone(objects);
        let (cluster, _) = cluster(move |asked| {
            let mut objects = objects.lock().unwrap();
            let found = match asked.method.as_str() {
                "PATCH" => {
                    objects.insert(asked.path.clone(), asked.body.clone());
                    Some(asked.body.clone())
                }
                "DELETE" => objects.remove(&asked.path),
                _ => objects.get(&asked.path).cloned(),
            };
            found.map_or(Answer::failed(404, "NotFound", "no"), |found| {
                Answer::ok(&found)
            })
        });
        cluster
    }

    #[tokio::test]
    async fn what_is_missing_is_told_and_given_once() {
        let objects = Objects::default();
        let cluster = keeping(&objects);
        let missing = missing_rights(&cluster).await.unwrap();
        assert_eq!(missing.len(), 5, "{missing:?}");
        assert!(missing.iter().all(|one| one.ends_with("does not exist")));
        for _ in 0..2 {
            grant(&cluster).await.unwrap();
            assert_eq!(missing_rights(&cluster).await.unwrap(), [""; 0]);
            assert_eq!(objects.lock().unwrap().len(), 5);
        }
    }

    #[tokio::test]
    async fn a_role_that_was_narrowed_and_a_binding_of_another_role_are_mended() {
        let objects = Objects::default();
        let cluster = keeping(&objects);
        grant(&cluster).await.unwrap();
        let at = |kind: &str| format!("{GROUP}/{kind}/strongroom-backup-extension");
        {
            let mut objects = objects.lock().unwrap();
            objects.get_mut(&at("clusterroles")).unwrap()["rules"] = json!([]);
            objects.get_mut(&at("clusterrolebindings")).unwrap()["roleRef"]["name"] = "view".into();
        }
        let missing = missing_rights(&cluster).await.unwrap().join("\n");
        assert!(missing.contains(r#"resources: ["pods/exec"]"#), "{missing}");
        assert!(missing.contains("refers to another role"), "{missing}");
        grant(&cluster).await.unwrap();
        assert_eq!(missing_rights(&cluster).await.unwrap(), [""; 0]);
    }
}
