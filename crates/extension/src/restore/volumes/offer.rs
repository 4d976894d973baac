//! What the cluster offers to volumes: drivers that run, classes. Asked once for each restore.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use futures::{StreamExt as _, pin_mut};
use serde_json::Value;
use strongroom_core::ResourceType;
use strongroom_core::restore::volumes::SNAPSHOT_GROUP;
use strongroom_kubernetes::apply as requests;
use strongroom_kubernetes::collect::Collector;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::super::apply::Applier;
use crate::job::{JobFailure, is_unreachable};
use crate::limits::CLASSES_REMEMBERED;

/// What matters of a StorageClass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ClassFacts {
    pub(super) provisioner: String,
    /// Whether volumes are made only when a pod uses the claim.
    pub(super) waits_for_pod: bool,
}

/// What is known.
#[derive(Debug, Default)]
pub(in super::super) struct Offer {
    /// Drivers that run on some node; none when that could not be found out. As many as are installed.
    drivers: OnceCell<Option<BTreeSet<String>>>,
    classes: Mutex<BTreeMap<String, Option<ClassFacts>>>,
    /// Drivers of snapshot classes.
    snapshot_classes: Mutex<BTreeMap<String, Option<String>>>,
    /// When the restore began to wait for volumes.
    waiting_since: OnceCell<Instant>,
}

impl Offer {
    /// Whether a driver runs on a node. What cannot be found out is taken for granted.
    pub(super) async fn has_driver(
        &self,
        applier: &Applier<'_>,
        driver: &str,
    ) -> Result<bool, JobFailure> {
        let drivers = self.drivers.get_or_try_init(|| drivers(applier)).await?;
        Ok(drivers
            .as_ref()
            .is_none_or(|drivers| drivers.contains(driver)))
    }

    /// A StorageClass of the cluster, or of the recovery point when the cluster does not have it yet.
    pub(super) async fn class(
        &self,
        applier: &Applier<'_>,
        name: &str,
    ) -> Result<Option<ClassFacts>, JobFailure> {
        if let Some(known) = locked(&self.classes).get(name) {
            return Ok(known.clone());
        }
        let kind = storage_classes();
        let mut class = read(applier, &kind, name).await?;
        if let (None, Some(run)) = (
            &class,
            applier.opened.sequence.run_of(&kind.group, &kind.kind),
        ) && let Some(entry) = applier.point.find(&run.group, name).await?
        {
            class = match applier.point.read(&entry).await {
                Ok(body) => serde_json::from_slice(&body).ok(),
                Err(error) if error.is_corrupt() => None,
                Err(error) => return Err(error.into()),
            };
        }
        let facts = class.as_ref().map(class_facts);
        remember(&self.classes, name, &facts);
        Ok(facts)
    }

    /// The name of a VolumeSnapshotClass when the cluster has it for this driver; else nothing.
    pub(super) async fn snapshot_class(
        &self,
        applier: &Applier<'_>,
        name: &str,
        driver: &str,
    ) -> Result<String, JobFailure> {
        if name.is_empty() {
            return Ok(String::new());
        }
        let known = locked(&self.snapshot_classes).get(name).cloned();
        let of = match known {
            Some(known) => known,
            None => {
                let (kind, plural) = ("VolumeSnapshotClass", "volumesnapshotclasses");
                let kind = ResourceType::new(SNAPSHOT_GROUP, "v1", kind, plural, false);
                let class = read(applier, &kind, name).await?;
                let of = class.and_then(|class| class["driver"].as_str().map(str::to_owned));
                remember(&self.snapshot_classes, name, &of);
                of
            }
        };
        Ok(of
            .filter(|of| of == driver)
            .map_or_else(String::new, |_| name.to_owned()))
    }

    /// Since when the restore waits for volumes.
    pub(super) async fn waiting_since(&self) -> Instant {
        let since = self.waiting_since.get_or_init(|| async { Instant::now() });
        *since.await
    }
}

fn locked<T>(known: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

fn remember<T: Clone>(known: &Mutex<BTreeMap<String, T>>, name: &str, value: &T) {
    let mut known = locked(known);
    if known.len() < CLASSES_REMEMBERED {
        known.insert(name.to_owned(), value.clone());
    }
}

fn storage_classes() -> ResourceType {
    ResourceType::new(
        "storage.k8s.io",
        "v1",
        "StorageClass",
        "storageclasses",
        false,
    )
}

fn class_facts(class: &Value) -> ClassFacts {
    ClassFacts {
        provisioner: class["provisioner"].as_str().unwrap_or_default().to_owned(),
        waits_for_pod: class["volumeBindingMode"] == "WaitForFirstConsumer",
    }
}

/// An object of the cluster; who may not read it finds none.
async fn read(
    applier: &Applier<'_>,
    kind: &ResourceType,
    name: &str,
) -> Result<Option<Value>, JobFailure> {
    let asked = || requests::get(&applier.calls.cluster, kind, None, name);
    match applier.calls.send(asked).await.outcome {
        Ok(live) => Ok(live),
        Err(error) if is_unreachable(&error) => Err(error.into()),
        Err(_) => Ok(None),
    }
}

/// The drivers that nodes say they have: a CSIDriver object alone runs nothing.
/// Source: <https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/csi-node-v1/>
async fn drivers(applier: &Applier<'_>) -> Result<Option<BTreeSet<String>>, JobFailure> {
    let kind = ResourceType::new("storage.k8s.io", "v1", "CSINode", "csinodes", false);
    let collector = Collector::with_defaults(applier.target.cluster.clone());
    let pages = collector.pages(&kind, None, None, None);
    pin_mut!(pages);
    let mut drivers = BTreeSet::new();
    while let Some(page) = pages.next().await {
        let page = match page {
            Ok(page) => page,
            Err(error) if is_unreachable(&error) => return Err(error.into()),
            Err(_) => return Ok(None),
        };
        for item in page.items {
            let node: Value = item.raw.json().unwrap_or_default();
            drivers.extend(drivers_of(&node));
        }
    }
    Ok(Some(drivers))
}

fn drivers_of(node: &Value) -> Vec<String> {
    let drivers = node.pointer("/spec/drivers").and_then(Value::as_array);
    let names = drivers
        .into_iter()
        .flatten()
        .filter_map(|one| one["name"].as_str());
    names.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_node_says_which_drivers_it_has() {
        let node = json!({"spec": {"drivers": [{"name": "a", "nodeID": "n"}, {"name": "b"}]}});
        assert_eq!(drivers_of(&node), ["a", "b"]);
        assert!(drivers_of(&json!({"spec": {"drivers": null}})).is_empty());
    }

    #[test]
    fn a_class_waits_for_a_pod_when_it_says_so() {
        let class =
            |mode: Value| class_facts(&json!({"provisioner": "p", "volumeBindingMode": mode}));
        assert!(class(json!("WaitForFirstConsumer")).waits_for_pod);
        assert!(!class(json!("Immediate")).waits_for_pod);
        assert!(!class(Value::Null).waits_for_pod);
    }
}
