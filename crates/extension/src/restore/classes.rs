//! The classes that objects name: what a cluster must have for an object to come to life. Pure but for
//! [`Classes`], which remembers which of them are there.
//!
//! The API server takes most objects whose class is missing (a claim then waits for ever), so nobody
//! would tell; a pod whose priority or runtime class is missing is refused.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;
use strongroom_core::{Code, ResourceType};
use strongroom_kubernetes::apply as requests;
use strongroom_repository::Point;

use super::calls::Calls;
use super::sequence::Sequence;
use crate::job::{JobFailure, is_unreachable};
use crate::limits::CLASSES_REMEMBERED;

/// A kind of class, and the code of its absence.
struct Kind {
    group: &'static str,
    kind: &'static str,
    plural: &'static str,
    code: Code,
}

const STORAGE: Kind = Kind {
    group: "storage.k8s.io",
    kind: "StorageClass",
    plural: "storageclasses",
    code: Code::UserErrorStorageClassMissingForPVC,
};
const INGRESS: Kind = Kind {
    group: "networking.k8s.io",
    kind: "IngressClass",
    plural: "ingressclasses",
    code: Code::ReferencedClassMissing,
};
const PRIORITY: Kind = Kind {
    group: "scheduling.k8s.io",
    kind: "PriorityClass",
    plural: "priorityclasses",
    code: Code::ReferencedClassMissing,
};
const RUNTIME: Kind = Kind {
    group: "node.k8s.io",
    kind: "RuntimeClass",
    plural: "runtimeclasses",
    code: Code::ReferencedClassMissing,
};

/// A class that an object names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Class {
    group: &'static str,
    kind: &'static str,
    plural: &'static str,
    name: String,
}

/// Every class that an object names, with the code of its absence.
fn named(resource: &ResourceType, object: &Value) -> Vec<(Class, Code)> {
    let mut all = Vec::new();
    let mut add = |kind: &Kind, name: Option<&Value>| {
        // An empty storage class means that no class is wanted.
        if let Some(name) = name.and_then(Value::as_str).filter(|name| !name.is_empty()) {
            let class = Class {
                group: kind.group,
                kind: kind.kind,
                plural: kind.plural,
                name: name.to_owned(),
            };
            all.push((class, kind.code));
        }
    };
    let pod = match (resource.group.as_str(), resource.kind.as_str()) {
        ("", "PersistentVolumeClaim") => {
            // A claim that names its volume needs no class to be there.
            if object.pointer("/spec/volumeName").is_none() {
                add(&STORAGE, object.pointer("/spec/storageClassName"));
            }
            None
        }
        ("networking.k8s.io", "Ingress") => {
            add(&INGRESS, object.pointer("/spec/ingressClassName"));
            None
        }
        ("", "Pod") => object.get("spec"),
        ("batch", "CronJob") => object.pointer("/spec/jobTemplate/spec/template/spec"),
        ("apps" | "batch", _) | ("", "ReplicationController") => {
            object.pointer("/spec/template/spec")
        }
        _ => None,
    };
    if let Some(pod) = pod {
        add(&PRIORITY, pod.get("priorityClassName"));
        add(&RUNTIME, pod.get("runtimeClassName"));
    }
    if resource.is("apps", "StatefulSet") {
        let templates = object.pointer("/spec/volumeClaimTemplates");
        for template in templates.and_then(Value::as_array).into_iter().flatten() {
            add(&STORAGE, template.pointer("/spec/storageClassName"));
        }
    }
    all
}

/// Which classes are there: in the cluster, or in the recovery point and restored with the rest.
#[derive(Debug, Default)]
pub(super) struct Classes {
    known: Mutex<BTreeMap<Class, bool>>,
}

impl Classes {
    /// The classes that an object names and that are nowhere, in a sentence, with the code.
    pub(super) async fn missing(
        &self,
        calls: &Calls,
        (point, sequence): (&Point, &Sequence),
        takes_type: impl Fn(&ResourceType) -> bool,
        (resource, object): (&ResourceType, &Value),
    ) -> Result<Option<(Code, String)>, JobFailure> {
        for (class, code) in named(resource, object) {
            if self
                .is_there(calls, (point, sequence), &takes_type, &class)
                .await?
            {
                continue;
            }
            let Class { kind, name, .. } = class;
            let reason = format!(
                "it names the {kind} {name}, which neither the cluster nor the recovery point has"
            );
            return Ok(Some((code, reason)));
        }
        Ok(None)
    }

    async fn is_there(
        &self,
        calls: &Calls,
        (point, sequence): (&Point, &Sequence),
        takes_type: &impl Fn(&ResourceType) -> bool,
        class: &Class,
    ) -> Result<bool, JobFailure> {
        if let Some(known) = self.known().get(class) {
            return Ok(*known);
        }
        let stored = match sequence.run_of(class.group, class.kind) {
            Some(run) if takes_type(&run.resource) => {
                point.find(&run.group, &class.name).await?.is_some()
            }
            _ => false,
        };
        let kind = ResourceType::new(class.group, "v1", class.kind, class.plural, false);
        let there = stored || {
            let asked = || requests::get(&calls.cluster, &kind, None, &class.name);
            match calls.send(asked).await.outcome {
                Ok(live) => live.is_some(),
                Err(error) if is_unreachable(&error) => return Err(error.into()),
                // Who may not read classes cannot say that one is missing.
                Err(_) => true,
            }
        };
        let mut known = self.known();
        if known.len() < CLASSES_REMEMBERED {
            known.insert(class.clone(), there);
        }
        Ok(there)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, BTreeMap<Class, bool>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn names(group: &str, kind: &str, object: &Value) -> Vec<String> {
        let resource = ResourceType::new(group, "v1", kind, "x", true);
        named(&resource, object)
            .into_iter()
            .map(|(class, _)| format!("{} {}", class.kind, class.name))
            .collect()
    }

    #[test]
    fn every_place_that_names_a_class_is_found() {
        let pod = json!({"priorityClassName": "high", "runtimeClassName": "gvisor"});
        let both = ["PriorityClass high", "RuntimeClass gvisor"];
        assert_eq!(names("", "Pod", &json!({"spec": pod})), both);
        let template = json!({"spec": {"template": {"spec": pod}}});
        assert_eq!(names("apps", "Deployment", &template), both);
        assert_eq!(names("batch", "Job", &template), both);
        let cron = json!({"spec": {"jobTemplate": template}});
        assert_eq!(names("batch", "CronJob", &cron), both);
        let claim = json!({"spec": {"storageClassName": "fast"}});
        assert_eq!(
            names("", "PersistentVolumeClaim", &claim),
            ["StorageClass fast"]
        );
        let set = json!({"spec": {"volumeClaimTemplates": [claim]}});
        assert_eq!(names("apps", "StatefulSet", &set), ["StorageClass fast"]);
        let ingress = json!({"spec": {"ingressClassName": "nginx"}});
        assert_eq!(
            names("networking.k8s.io", "Ingress", &ingress),
            ["IngressClass nginx"]
        );
    }

    #[test]
    fn a_claim_without_a_class_or_with_its_volume_names_none() {
        let claim = |spec: Value| names("", "PersistentVolumeClaim", &json!({"spec": spec}));
        assert!(claim(json!({"storageClassName": ""})).is_empty());
        assert!(claim(json!({"storageClassName": "fast", "volumeName": "pv"})).is_empty());
    }
}
