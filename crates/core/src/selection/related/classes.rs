//! The classes that an object names: without them it is refused, or waits for ever.
//!
//! Contract: read off the table of what objects need, so that what a backup takes along and what a
//! restore misses are the same.

use serde_json::Value;

use super::table::{
    ATTRIBUTES_CLASS, CLAIM, DEVICE_CLASS, GATEWAY_CLASS, GROUP_SNAPSHOT_CLASS, INGRESS_CLASS,
    Kind, POD_ROWS, POD_SPECS, PRIORITY_CLASS, ROWS, RUNTIME_CLASS, SNAPSHOT_CLASS, STORAGE_CLASS,
    VOLUME,
};
use super::{follow, is};
use crate::object::ResourceType;

/// The kinds of classes.
const CLASSES: &[Kind] = &[
    STORAGE_CLASS,
    ATTRIBUTES_CLASS,
    SNAPSHOT_CLASS,
    GROUP_SNAPSHOT_CLASS,
    PRIORITY_CLASS,
    RUNTIME_CLASS,
    INGRESS_CLASS,
    GATEWAY_CLASS,
    DEVICE_CLASS,
];

/// A class that an object names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NamedClass<'a> {
    /// API group of the class.
    pub group: &'static str,
    /// Kind of the class.
    pub kind: &'static str,
    /// Its name.
    pub name: &'a str,
}

/// The classes that an object names and that must be there for it.
#[must_use]
pub fn named_classes<'a>(resource: &ResourceType, object: &'a Value) -> Vec<NamedClass<'a>> {
    let mut all = Vec::new();
    let mut add = |names: Kind, value: &'a Value, field: &[&str]| {
        let mut found = Vec::new();
        if CLASSES.contains(&names) && !is_free(resource, object, names, field) {
            follow(value, field, &mut found);
        }
        // An empty name says that no class is wanted.
        for name in found.into_iter().filter(|name| !name.is_empty()) {
            let (group, kind) = names;
            let class = NamedClass { group, kind, name };
            if !all.contains(&class) {
                all.push(class);
            }
        }
    };
    for row in ROWS.iter().filter(|row| is(resource, row.of)) {
        add(row.names, object, row.field);
    }
    for (_, spec) in POD_SPECS.iter().filter(|(kind, _)| is(resource, *kind)) {
        let pod = spec.iter().try_fold(object, |at, field| at.get(*field));
        for row in POD_ROWS {
            if let Some(pod) = pod {
                add(row.names, pod, row.field);
            }
        }
    }
    all
}

/// Whether a name need not be that of a class which is there.
fn is_free(resource: &ResourceType, object: &Value, names: Kind, field: &[&str]) -> bool {
    // A volume, and a claim that names its volume, are bound by the name alone.
    // Source: <https://kubernetes.io/docs/concepts/storage/persistent-volumes/#class>
    let bound = is(resource, VOLUME)
        || is(resource, CLAIM)
            && object
                .pointer("/spec/volumeName")
                .is_some_and(|name| name != "");
    // The old annotation is a word between an Ingress and its controller, with no object behind it.
    // Source: <https://kubernetes.io/docs/concepts/services-networking/ingress/#deprecated-annotation>
    let word = names == INGRESS_CLASS && field.contains(&"annotations");
    names == STORAGE_CLASS && bound || word
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn names(group: &str, kind: &str, object: &Value) -> Vec<String> {
        let resource = ResourceType::new(group, "v1", kind, "x", true);
        let classes = named_classes(&resource, object);
        let text = |class: &NamedClass<'_>| format!("{} {}", class.kind, class.name);
        classes.iter().map(text).collect()
    }

    #[test]
    fn every_class_that_the_table_knows_is_found_where_an_object_names_it() {
        let pod = json!({"priorityClassName": "high", "runtimeClassName": "gvisor",
            "volumes": [{"ephemeral": {"volumeClaimTemplate": {"spec": {"storageClassName": "fast"}}}}]});
        let of_pod = [
            "PriorityClass high",
            "RuntimeClass gvisor",
            "StorageClass fast",
        ];
        assert_eq!(names("", "Pod", &json!({"spec": pod})), of_pod);
        let template = json!({"spec": {"template": {"spec": pod}}});
        assert_eq!(names("apps", "Deployment", &template), of_pod);
        let cron = json!({"spec": {"jobTemplate": template}});
        assert_eq!(names("batch", "CronJob", &cron), of_pod);
        let claim =
            json!({"spec": {"storageClassName": "fast", "volumeAttributesClassName": "gold"}});
        let of_claim = ["StorageClass fast", "VolumeAttributesClass gold"];
        assert_eq!(names("", "PersistentVolumeClaim", &claim), of_claim);
        let set = json!({"spec": {"volumeClaimTemplates": [claim]}});
        assert_eq!(names("apps", "StatefulSet", &set), of_claim);
        let old = json!({"metadata": {"annotations": {"volume.beta.kubernetes.io/storage-class": "slow"}}});
        assert_eq!(
            names("", "PersistentVolumeClaim", &old),
            ["StorageClass slow"]
        );
        let gateway = json!({"spec": {"gatewayClassName": "mesh"}});
        let group = "gateway.networking.k8s.io";
        assert_eq!(names(group, "Gateway", &gateway), ["GatewayClass mesh"]);
        let devices = json!({"spec": {"devices": {"requests": [
            {"exactly": {"deviceClassName": "gpu"}}, {"firstAvailable": [{"deviceClassName": "gpu"},
                {"deviceClassName": "cpu"}]}]}}});
        let group = "resource.k8s.io";
        assert_eq!(
            names(group, "ResourceClaim", &devices),
            ["DeviceClass gpu", "DeviceClass cpu"]
        );
        let snapshot = json!({"spec": {"volumeSnapshotClassName": "csi"}});
        let group = "snapshot.storage.k8s.io";
        assert_eq!(
            names(group, "VolumeSnapshot", &snapshot),
            ["VolumeSnapshotClass csi"]
        );
    }

    #[test]
    fn what_is_bound_or_only_a_word_names_no_class() {
        let claim = |spec: Value| names("", "PersistentVolumeClaim", &json!({"spec": spec}));
        assert!(claim(json!({"storageClassName": ""})).is_empty());
        assert!(claim(json!({"storageClassName": "fast", "volumeName": "pv"})).is_empty());
        let volume = json!({"spec": {"storageClassName": "by-hand"}});
        assert!(names("", "PersistentVolume", &volume).is_empty());
        let word = json!({"metadata": {"annotations": {"kubernetes.io/ingress.class": "nginx"}}});
        assert!(names("networking.k8s.io", "Ingress", &word).is_empty());
        let field = json!({"spec": {"ingressClassName": "nginx"}});
        assert_eq!(
            names("networking.k8s.io", "Ingress", &field),
            ["IngressClass nginx"]
        );
    }
}
