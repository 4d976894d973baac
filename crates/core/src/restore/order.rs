//! In which order a restore applies types, and why.
//!
//! Contract: [`wave`] is total: every type has one wave. All objects of a wave can be applied at the
//! same time; the next wave starts when the one before has ended. Two ideas decide: what others need
//! comes first, and what could refuse objects that were legal when they were made comes last.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::object::ResourceType;

/// A place in the order; smaller comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Wave(pub u8);

/// A wave with its name and reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaveInfo {
    /// The place.
    pub wave: Wave,
    /// A short name for progress and reports.
    pub name: &'static str,
    /// Why it comes where it comes.
    pub why: &'static str,
    /// The built-in types in it, as group and kind.
    types: &'static [(&'static str, &'static str)],
}

const RBAC: &str = "rbac.authorization.k8s.io";
const ADMISSION: &str = "admissionregistration.k8s.io";

/// Every wave, in order.
pub const WAVES: &[WaveInfo] = &[
    WaveInfo {
        wave: Wave(0),
        name: "namespaces",
        why: "everything else lives in them",
        types: &[("", "Namespace")],
    },
    WaveInfo {
        wave: Wave(1),
        name: "custom resource definitions",
        why: "custom resources can be created once their definition is established",
        types: &[("apiextensions.k8s.io", "CustomResourceDefinition")],
    },
    WaveInfo {
        wave: Wave(2),
        name: "classes",
        why: "claims, pods and ingresses name them, and admission refuses a pod whose class is missing",
        types: &[
            ("storage.k8s.io", "StorageClass"),
            ("storage.k8s.io", "CSIDriver"),
            ("storage.k8s.io", "VolumeAttributesClass"),
            ("snapshot.storage.k8s.io", "VolumeSnapshotClass"),
            ("groupsnapshot.storage.k8s.io", "VolumeGroupSnapshotClass"),
            ("scheduling.k8s.io", "PriorityClass"),
            ("node.k8s.io", "RuntimeClass"),
            ("networking.k8s.io", "IngressClass"),
            ("networking.k8s.io", "ServiceCIDR"),
            ("gateway.networking.k8s.io", "GatewayClass"),
            ("resource.k8s.io", "DeviceClass"),
            ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"),
            ("flowcontrol.apiserver.k8s.io", "FlowSchema"),
        ],
    },
    WaveInfo {
        wave: Wave(3),
        name: "identities and roles",
        why: "pods run as service accounts, and a binding may be refused while its role is missing",
        types: &[
            ("", "ServiceAccount"),
            (RBAC, "ClusterRole"),
            (RBAC, "Role"),
        ],
    },
    WaveInfo {
        wave: Wave(4),
        name: "role bindings",
        why: "workloads have their rights from their first second",
        types: &[(RBAC, "ClusterRoleBinding"), (RBAC, "RoleBinding")],
    },
    WaveInfo {
        wave: Wave(5),
        name: "configuration",
        why: "pods mount it and do not start without it",
        types: &[("", "Secret"), ("", "ConfigMap")],
    },
    WaveInfo {
        wave: Wave(6),
        name: "volumes",
        why: "a claim finds the volume that is reserved for it",
        types: &[("", "PersistentVolume")],
    },
    WaveInfo {
        wave: Wave(7),
        name: "claims",
        why: "pods wait for their claims",
        types: &[
            ("", "PersistentVolumeClaim"),
            ("resource.k8s.io", "ResourceClaimTemplate"),
            ("resource.k8s.io", "ResourceClaim"),
        ],
    },
    WaveInfo {
        wave: Wave(8),
        name: "services",
        why: "fixed addresses are taken before the cluster gives them to others, and pods find services in their environment",
        types: &[
            ("", "Service"),
            ("", "Endpoints"),
            ("discovery.k8s.io", "EndpointSlice"),
        ],
    },
    WaveInfo {
        wave: Wave(9),
        name: "rollout history",
        why: "a Deployment, StatefulSet or DaemonSet adopts its history when it finds it, and would begin a new one otherwise",
        types: &[
            ("apps", "ReplicaSet"),
            ("apps", "ControllerRevision"),
            ("", "PodTemplate"),
        ],
    },
    WaveInfo {
        wave: Wave(10),
        name: "workloads",
        why: "all that their pods need is there now",
        types: &[
            ("apps", "Deployment"),
            ("apps", "StatefulSet"),
            ("apps", "DaemonSet"),
            ("", "ReplicationController"),
            ("batch", "CronJob"),
            ("batch", "Job"),
        ],
    },
    WaveInfo {
        wave: Wave(11),
        name: "pods",
        why: "a pod that stands alone needs all of the above, and one that a Job has run to its end finds its Job",
        types: &[("", "Pod")],
    },
    WaveInfo {
        wave: Wave(12),
        name: "custom resources and the rest",
        why: "an operator that is restored too finds the objects it made before it sees their cause, and does not make them twice",
        types: &[],
    },
    WaveInfo {
        wave: Wave(13),
        name: "scaling and traffic",
        why: "they act on workloads and services that exist",
        types: &[
            ("autoscaling", "HorizontalPodAutoscaler"),
            ("networking.k8s.io", "Ingress"),
        ],
    },
    WaveInfo {
        wave: Wave(14),
        name: "constraints",
        why: "they may refuse or change objects that were legal when they were made",
        types: &[
            ("", "LimitRange"),
            ("", "ResourceQuota"),
            ("policy", "PodDisruptionBudget"),
            ("networking.k8s.io", "NetworkPolicy"),
        ],
    },
    WaveInfo {
        wave: Wave(15),
        name: "admission and aggregated APIs",
        why: "they call services that must be running, and could refuse everything before them",
        types: &[
            ("apiregistration.k8s.io", "APIService"),
            (ADMISSION, "ValidatingAdmissionPolicy"),
            (ADMISSION, "ValidatingAdmissionPolicyBinding"),
            (ADMISSION, "MutatingAdmissionPolicy"),
            (ADMISSION, "MutatingAdmissionPolicyBinding"),
            (ADMISSION, "ValidatingWebhookConfiguration"),
            (ADMISSION, "MutatingWebhookConfiguration"),
        ],
    },
];

/// The first wave of what may refuse or change objects. What other objects hold back for such a reason
/// ([`super::prepare::Prepared::later`]) comes right before it.
pub const CONSTRAINTS: Wave = Wave(14);

/// The wave of all types that no other wave names.
const THE_REST: Wave = Wave(12);

/// The wave of a type.
#[must_use]
pub fn wave(resource: &ResourceType) -> Wave {
    WAVES
        .iter()
        .find(|info| {
            info.types
                .iter()
                .any(|(group, kind)| resource.is(group, kind))
        })
        .map_or(THE_REST, |info| info.wave)
}

impl Wave {
    /// Name and reason of the wave; of a wave that does not exist, those of the rest.
    #[must_use]
    pub fn info(self) -> &'static WaveInfo {
        let rest = &WAVES[usize::from(THE_REST.0)];
        WAVES.get(usize::from(self.0)).unwrap_or(rest)
    }
}

impl fmt::Display for Wave {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.info().name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn waves_are_numbered_by_their_place_and_name_each_type_once() {
        let mut seen = BTreeSet::new();
        for (place, info) in WAVES.iter().enumerate() {
            assert_eq!(usize::from(info.wave.0), place, "{}", info.name);
            for named in info.types {
                assert!(seen.insert(named), "{named:?} is named twice");
            }
        }
        assert!(WAVES[usize::from(THE_REST.0)].types.is_empty());
        assert_eq!(CONSTRAINTS.info().name, "constraints");
    }

    #[test]
    fn the_order_with_its_reasons_is_what_people_have_read() {
        let text: Vec<String> = WAVES
            .iter()
            .map(|info| {
                let kinds: Vec<&str> = info.types.iter().map(|(_, kind)| *kind).collect();
                format!(
                    "{:>2} {}: {}\n   [{}]",
                    info.wave.0,
                    info.name,
                    info.why,
                    kinds.join(" ")
                )
            })
            .collect();
        insta::assert_snapshot!(text.join("\n"));
    }

    #[test]
    fn a_custom_resource_comes_after_its_definition_and_after_workloads() {
        let widget = ResourceType::new("example.com", "v1", "Widget", "widgets", true);
        let deployment = ResourceType::new("apps", "v1", "Deployment", "deployments", true);
        assert!(wave(&widget) > wave(&deployment));
        let same_kind_elsewhere =
            ResourceType::new("example.com", "v1", "Deployment", "deployments", true);
        assert_eq!(wave(&same_kind_elsewhere), wave(&widget));
    }
}
