//! What a cluster holds, taken object by object with kubectl, and compared: the proof of a restore.

use std::collections::BTreeMap;

use serde_json::Value;
use strongroom_core::equality::{self, Comparison};

use crate::kubectl::Kubectl;
use crate::process::StageResult;

/// Kinds that a cluster makes by itself, and again: they are no part of an application's state.
const MADE_BY_THE_CLUSTER: [&str; 4] = ["Event", "Endpoints", "EndpointSlice", "Lease"];

/// Objects of an application, keyed by `kind.group/namespace/name`.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// The objects as the API server tells them.
    pub objects: BTreeMap<String, Value>,
}

impl State {
    /// Takes every listable namespaced kind of `namespace`, and the namespace itself.
    ///
    /// Objects that a controller makes again (Pods of a ReplicaSet, Endpoints, Events, …) are left
    /// out; so is every object that has a controller and lives and dies with it.
    pub fn take(kubectl: &Kubectl, namespace: &str) -> StageResult<Self> {
        let kinds = kubectl.run(&[
            "api-resources",
            "--namespaced=true",
            "--verbs=list,get",
            "-o",
            "name",
        ])?;
        let kinds: Vec<&str> = kinds
            .lines()
            .filter(|kind| !kind.starts_with("events"))
            .collect();
        let mut state = Self::default();
        state.add(&kubectl.json(&["-n", namespace, "get", &kinds.join(",")])?);
        state.add(&kubectl.json(&["get", "namespace", namespace])?);
        Ok(state)
    }

    /// Adds one cluster-scoped object, such as `clusterrole/shop-node-reader`.
    pub fn add_object(&mut self, kubectl: &Kubectl, object: &str) -> StageResult<()> {
        self.add(&kubectl.json(&["get", object])?);
        Ok(())
    }

    /// How many different kinds the state holds.
    pub fn kinds(&self) -> usize {
        let mut kinds: Vec<&str> = self
            .objects
            .keys()
            .filter_map(|key| key.split('/').next())
            .collect();
        kinds.dedup();
        kinds.len()
    }

    /// Every difference to a later state, in words; empty when both are equal object by object.
    ///
    /// What a cluster assigns anew to an object that is made again (uid, resourceVersion, times, …)
    /// is not counted; `strongroom_core::equality` holds the list, with its reasons.
    pub fn differences(&self, after: &Self) -> Vec<String> {
        let mut found = Vec::new();
        for (key, before) in &self.objects {
            match after.objects.get(key) {
                None => found.push(format!("{key}: lost")),
                Some(after) => {
                    let all = equality::differences(before, after, &Comparison::proof());
                    found.extend(all.iter().map(|difference| format!("{key}: {difference}")));
                }
            }
        }
        let extra = after
            .objects
            .keys()
            .filter(|key| !self.objects.contains_key(*key));
        found.extend(extra.map(|key| format!("{key}: not there before")));
        found
    }

    fn add(&mut self, listed: &Value) {
        match listed["items"].as_array() {
            Some(items) => items.iter().for_each(|item| self.insert(item)),
            None => self.insert(listed),
        }
    }

    fn insert(&mut self, object: &Value) {
        let kind = object["kind"].as_str().unwrap_or_default();
        let metadata = &object["metadata"];
        let owners = metadata["ownerReferences"].as_array();
        let controlled =
            owners.is_some_and(|owners| owners.iter().any(|owner| owner["controller"] == true));
        let name = metadata["name"].as_str().unwrap_or_default();
        if controlled || name == "kube-root-ca.crt" || MADE_BY_THE_CLUSTER.contains(&kind) {
            return;
        }
        let group = object["apiVersion"]
            .as_str()
            .and_then(|version| version.split_once('/'))
            .map_or("", |(group, _)| group);
        let namespace = metadata["namespace"].as_str().unwrap_or_default();
        self.objects
            .insert(format!("{kind}.{group}/{namespace}/{name}"), object.clone());
    }
}
