//! Which fields of an object name objects of the cluster's own scope, one row for each.
//!
//! Contract: a row is a type, the way to a field, the type that the field names, and the source that
//! says so. Only what an object cannot be restored or cannot work without is here; what a cluster has of
//! its own (nodes, drivers, API priority) is not.

/// API group and kind.
pub(super) type Kind = (&'static str, &'static str);

/// A field that names an object of the cluster's own scope.
pub(super) struct Row {
    /// The type that has the field.
    pub(super) of: Kind,
    /// The way to the field; `*` stands for every element of a list.
    pub(super) field: &'static [&'static str],
    /// The type that is named.
    pub(super) names: Kind,
    /// Where it is documented.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "the row's evidence, for its readers and its test")
    )]
    pub(super) source: &'static str,
}

/// A field of a pod, wherever a pod or its template is.
pub(super) struct PodRow {
    /// The way from the pod's spec.
    pub(super) field: &'static [&'static str],
    /// The type that is named.
    pub(super) names: Kind,
    /// Where it is documented.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "the row's evidence, for its readers and its test")
    )]
    pub(super) source: &'static str,
}

pub(super) const VOLUME: Kind = ("", "PersistentVolume");
pub(super) const STORAGE_CLASS: Kind = ("storage.k8s.io", "StorageClass");
pub(super) const ATTRIBUTES_CLASS: Kind = ("storage.k8s.io", "VolumeAttributesClass");
pub(super) const SNAPSHOT_CLASS: Kind = ("snapshot.storage.k8s.io", "VolumeSnapshotClass");
pub(super) const SNAPSHOT_CONTENT: Kind = ("snapshot.storage.k8s.io", "VolumeSnapshotContent");
pub(super) const GROUP_SNAPSHOT_CLASS: Kind =
    ("groupsnapshot.storage.k8s.io", "VolumeGroupSnapshotClass");
pub(super) const PRIORITY_CLASS: Kind = ("scheduling.k8s.io", "PriorityClass");
pub(super) const RUNTIME_CLASS: Kind = ("node.k8s.io", "RuntimeClass");
pub(super) const INGRESS_CLASS: Kind = ("networking.k8s.io", "IngressClass");
pub(super) const GATEWAY_CLASS: Kind = ("gateway.networking.k8s.io", "GatewayClass");
pub(super) const DEVICE_CLASS: Kind = ("resource.k8s.io", "DeviceClass");
pub(super) const DEFINITION: Kind = ("apiextensions.k8s.io", "CustomResourceDefinition");
pub(super) const API_SERVICE: Kind = ("apiregistration.k8s.io", "APIService");
pub(super) const CLUSTER_ROLE: Kind = ("rbac.authorization.k8s.io", "ClusterRole");
pub(super) const CLUSTER_ROLE_BINDING: Kind = ("rbac.authorization.k8s.io", "ClusterRoleBinding");
pub(super) const ROLE_BINDING: Kind = ("rbac.authorization.k8s.io", "RoleBinding");
pub(super) const CLAIM: Kind = ("", "PersistentVolumeClaim");

/// Built-in types that are read when something needs them, besides every custom type of the cluster's
/// own scope, which may own objects.
pub(super) const TARGETS: &[Kind] = &[
    VOLUME,
    STORAGE_CLASS,
    ATTRIBUTES_CLASS,
    SNAPSHOT_CLASS,
    SNAPSHOT_CONTENT,
    GROUP_SNAPSHOT_CLASS,
    PRIORITY_CLASS,
    RUNTIME_CLASS,
    INGRESS_CLASS,
    GATEWAY_CLASS,
    DEVICE_CLASS,
    DEFINITION,
    API_SERVICE,
    CLUSTER_ROLE,
    CLUSTER_ROLE_BINDING,
];

/// Where the spec of a pod is in an object.
/// Source: <https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/>
pub(super) const POD_SPECS: &[(Kind, &[&str])] = &[
    (("", "Pod"), &["spec"]),
    (("", "PodTemplate"), &["template", "spec"]),
    (("", "ReplicationController"), &["spec", "template", "spec"]),
    (("apps", "Deployment"), &["spec", "template", "spec"]),
    (("apps", "ReplicaSet"), &["spec", "template", "spec"]),
    (("apps", "StatefulSet"), &["spec", "template", "spec"]),
    (("apps", "DaemonSet"), &["spec", "template", "spec"]),
    (("batch", "Job"), &["spec", "template", "spec"]),
    (
        ("batch", "CronJob"),
        &["spec", "jobTemplate", "spec", "template", "spec"],
    ),
];

const EPHEMERAL: &str =
    "https://kubernetes.io/docs/concepts/storage/ephemeral-volumes/#generic-ephemeral-volumes";

/// Fields of a pod's spec.
pub(super) const POD_ROWS: &[PodRow] = &[
    PodRow {
        field: &["priorityClassName"],
        names: PRIORITY_CLASS,
        source: "https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/#pod-priority",
    },
    PodRow {
        field: &["runtimeClassName"],
        names: RUNTIME_CLASS,
        source: "https://kubernetes.io/docs/concepts/containers/runtime-class/#usage",
    },
    PodRow {
        field: &[
            "volumes",
            "*",
            "ephemeral",
            "volumeClaimTemplate",
            "spec",
            "storageClassName",
        ],
        names: STORAGE_CLASS,
        source: EPHEMERAL,
    },
    PodRow {
        field: &[
            "volumes",
            "*",
            "ephemeral",
            "volumeClaimTemplate",
            "spec",
            "volumeAttributesClassName",
        ],
        names: ATTRIBUTES_CLASS,
        source: EPHEMERAL,
    },
];

const CLASS_OF_CLAIM: &str =
    "https://kubernetes.io/docs/concepts/storage/persistent-volumes/#class-1";
const CLASS_OF_VOLUME: &str =
    "https://kubernetes.io/docs/concepts/storage/persistent-volumes/#class";
const ATTRIBUTES: &str = "https://kubernetes.io/docs/concepts/storage/volume-attributes-classes/";
const SNAPSHOTS: &str = "https://kubernetes.io/docs/concepts/storage/volume-snapshots/";
const DEVICES: &str =
    "https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/";

/// The annotation that named a class before there was a field, and that still counts.
const OLD_STORAGE_CLASS: &[&str] = &[
    "metadata",
    "annotations",
    "volume.beta.kubernetes.io/storage-class",
];

/// Fields of objects, whether they are in a namespace or needed themselves.
pub(super) const ROWS: &[Row] = &[
    Row {
        of: CLAIM,
        field: &["spec", "volumeName"],
        names: VOLUME,
        source: "https://kubernetes.io/docs/concepts/storage/persistent-volumes/#binding",
    },
    Row {
        of: CLAIM,
        field: &["spec", "storageClassName"],
        names: STORAGE_CLASS,
        source: CLASS_OF_CLAIM,
    },
    Row {
        of: CLAIM,
        field: OLD_STORAGE_CLASS,
        names: STORAGE_CLASS,
        source: CLASS_OF_CLAIM,
    },
    Row {
        of: CLAIM,
        field: &["spec", "volumeAttributesClassName"],
        names: ATTRIBUTES_CLASS,
        source: ATTRIBUTES,
    },
    Row {
        of: VOLUME,
        field: &["spec", "storageClassName"],
        names: STORAGE_CLASS,
        source: CLASS_OF_VOLUME,
    },
    Row {
        of: VOLUME,
        field: OLD_STORAGE_CLASS,
        names: STORAGE_CLASS,
        source: CLASS_OF_VOLUME,
    },
    Row {
        of: VOLUME,
        field: &["spec", "volumeAttributesClassName"],
        names: ATTRIBUTES_CLASS,
        source: ATTRIBUTES,
    },
    Row {
        of: ("apps", "StatefulSet"),
        field: &[
            "spec",
            "volumeClaimTemplates",
            "*",
            "spec",
            "storageClassName",
        ],
        names: STORAGE_CLASS,
        source: "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#volume-claim-templates",
    },
    Row {
        of: ("apps", "StatefulSet"),
        field: &[
            "spec",
            "volumeClaimTemplates",
            "*",
            "spec",
            "volumeAttributesClassName",
        ],
        names: ATTRIBUTES_CLASS,
        source: ATTRIBUTES,
    },
    Row {
        of: ("networking.k8s.io", "Ingress"),
        field: &["spec", "ingressClassName"],
        names: INGRESS_CLASS,
        source: "https://kubernetes.io/docs/concepts/services-networking/ingress/#ingress-class",
    },
    Row {
        of: ("networking.k8s.io", "Ingress"),
        field: &["metadata", "annotations", "kubernetes.io/ingress.class"],
        names: INGRESS_CLASS,
        source: "https://kubernetes.io/docs/concepts/services-networking/ingress/#deprecated-annotation",
    },
    Row {
        of: ("gateway.networking.k8s.io", "Gateway"),
        field: &["spec", "gatewayClassName"],
        names: GATEWAY_CLASS,
        source: "https://gateway-api.sigs.k8s.io/api-types/gatewayclass/",
    },
    Row {
        of: ("snapshot.storage.k8s.io", "VolumeSnapshot"),
        field: &["spec", "volumeSnapshotClassName"],
        names: SNAPSHOT_CLASS,
        source: SNAPSHOTS,
    },
    Row {
        of: ("snapshot.storage.k8s.io", "VolumeSnapshot"),
        field: &["spec", "source", "volumeSnapshotContentName"],
        names: SNAPSHOT_CONTENT,
        source: SNAPSHOTS,
    },
    Row {
        of: ("snapshot.storage.k8s.io", "VolumeSnapshot"),
        field: &["status", "boundVolumeSnapshotContentName"],
        names: SNAPSHOT_CONTENT,
        source: SNAPSHOTS,
    },
    Row {
        of: SNAPSHOT_CONTENT,
        field: &["spec", "volumeSnapshotClassName"],
        names: SNAPSHOT_CLASS,
        source: SNAPSHOTS,
    },
    Row {
        of: ("groupsnapshot.storage.k8s.io", "VolumeGroupSnapshot"),
        field: &["spec", "volumeGroupSnapshotClassName"],
        names: GROUP_SNAPSHOT_CLASS,
        source: "https://kubernetes.io/blog/2024/12/18/kubernetes-1-32-volume-group-snapshot-beta/",
    },
    Row {
        of: ("resource.k8s.io", "ResourceClaim"),
        field: &[
            "spec",
            "devices",
            "requests",
            "*",
            "exactly",
            "deviceClassName",
        ],
        names: DEVICE_CLASS,
        source: DEVICES,
    },
    Row {
        of: ("resource.k8s.io", "ResourceClaim"),
        field: &[
            "spec",
            "devices",
            "requests",
            "*",
            "firstAvailable",
            "*",
            "deviceClassName",
        ],
        names: DEVICE_CLASS,
        source: DEVICES,
    },
    Row {
        of: ("resource.k8s.io", "ResourceClaim"),
        field: &["spec", "devices", "requests", "*", "deviceClassName"],
        names: DEVICE_CLASS,
        source: DEVICES,
    },
    Row {
        of: ("resource.k8s.io", "ResourceClaimTemplate"),
        field: &[
            "spec",
            "spec",
            "devices",
            "requests",
            "*",
            "exactly",
            "deviceClassName",
        ],
        names: DEVICE_CLASS,
        source: DEVICES,
    },
    Row {
        of: ("resource.k8s.io", "ResourceClaimTemplate"),
        field: &[
            "spec",
            "spec",
            "devices",
            "requests",
            "*",
            "firstAvailable",
            "*",
            "deviceClassName",
        ],
        names: DEVICE_CLASS,
        source: DEVICES,
    },
    Row {
        of: ("resource.k8s.io", "ResourceClaimTemplate"),
        field: &[
            "spec",
            "spec",
            "devices",
            "requests",
            "*",
            "deviceClassName",
        ],
        names: DEVICE_CLASS,
        source: DEVICES,
    },
    Row {
        of: CLUSTER_ROLE_BINDING,
        field: &["roleRef", "name"],
        names: CLUSTER_ROLE,
        source: "https://kubernetes.io/docs/reference/access-authn-authz/rbac/#clusterrolebinding-example",
    },
];
