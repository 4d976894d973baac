//! Which fields of which types name a namespace.
//!
//! Contract: tables only. A pattern's `*` stands for each element; see [`crate::pointer`]. The source
//! of every path is the type's page in <https://kubernetes.io/docs/reference/kubernetes-api/>.

use crate::object::ResourceType;

type Row = (&'static str, &'static str, &'static [&'static str]);

/// Where types keep a pod's spec.
pub(super) const POD_SPECS: &[&str] = &[
    "/spec",
    "/spec/template/spec",
    "/spec/jobTemplate/spec/template/spec",
    "/template/spec",
];

/// Below a pod's spec: where the claim of an ephemeral volume takes its data from.
/// Source: <https://kubernetes.io/docs/concepts/storage/persistent-volumes/#cross-namespace-data-sources>
pub(super) const CLAIM_OF_A_POD: &str =
    "/volumes/*/ephemeral/volumeClaimTemplate/spec/dataSourceRef/namespace";

/// Plain fields that hold a namespace's name.
const FIELDS: &[Row] = &[
    (
        "rbac.authorization.k8s.io",
        "RoleBinding",
        &["/subjects/*/namespace"],
    ),
    (
        "rbac.authorization.k8s.io",
        "ClusterRoleBinding",
        &["/subjects/*/namespace"],
    ),
    (
        "admissionregistration.k8s.io",
        "ValidatingWebhookConfiguration",
        &["/webhooks/*/clientConfig/service/namespace"],
    ),
    (
        "admissionregistration.k8s.io",
        "MutatingWebhookConfiguration",
        &["/webhooks/*/clientConfig/service/namespace"],
    ),
    (
        "admissionregistration.k8s.io",
        "ValidatingAdmissionPolicyBinding",
        &["/spec/paramRef/namespace"],
    ),
    (
        "admissionregistration.k8s.io",
        "MutatingAdmissionPolicyBinding",
        &["/spec/paramRef/namespace"],
    ),
    (
        "apiregistration.k8s.io",
        "APIService",
        &["/spec/service/namespace"],
    ),
    (
        "apiextensions.k8s.io",
        "CustomResourceDefinition",
        &["/spec/conversion/webhook/clientConfig/service/namespace"],
    ),
    (
        "",
        "PersistentVolume",
        &[
            "/spec/claimRef/namespace",
            "/spec/csi/controllerPublishSecretRef/namespace",
            "/spec/csi/nodeStageSecretRef/namespace",
            "/spec/csi/nodePublishSecretRef/namespace",
            "/spec/csi/controllerExpandSecretRef/namespace",
            "/spec/csi/nodeExpandSecretRef/namespace",
            "/spec/azureFile/secretNamespace",
            "/spec/cephfs/secretRef/namespace",
            "/spec/iscsi/secretRef/namespace",
            "/spec/rbd/secretRef/namespace",
            "/spec/flexVolume/secretRef/namespace",
            "/spec/scaleIO/secretRef/namespace",
        ],
    ),
    (
        "",
        "PersistentVolumeClaim",
        &["/spec/dataSourceRef/namespace"],
    ),
    (
        "networking.k8s.io",
        "IngressClass",
        &["/spec/parameters/namespace"],
    ),
    (
        "flowcontrol.apiserver.k8s.io",
        "FlowSchema",
        &["/spec/rules/*/subjects/*/serviceAccount/namespace"],
    ),
    (
        "snapshot.storage.k8s.io",
        "VolumeSnapshotContent",
        &["/spec/volumeSnapshotRef/namespace"],
    ),
    (
        "groupsnapshot.storage.k8s.io",
        "VolumeGroupSnapshotContent",
        &["/spec/volumeGroupSnapshotRef/namespace"],
    ),
    ("storage.k8s.io", "StorageClass", SECRET_NAMESPACES),
    (
        "snapshot.storage.k8s.io",
        "VolumeSnapshotClass",
        SECRET_NAMESPACES,
    ),
    (
        "groupsnapshot.storage.k8s.io",
        "VolumeGroupSnapshotClass",
        SECRET_NAMESPACES,
    ),
    (
        "",
        "Endpoints",
        &[
            "/subsets/*/addresses/*/targetRef/namespace",
            "/subsets/*/notReadyAddresses/*/targetRef/namespace",
        ],
    ),
    (
        "discovery.k8s.io",
        "EndpointSlice",
        &["/endpoints/*/targetRef/namespace"],
    ),
    (
        "apps",
        "StatefulSet",
        &["/spec/volumeClaimTemplates/*/spec/dataSourceRef/namespace"],
    ),
    (
        "clusterbackup.dataprotection.microsoft.com",
        "BackupHook",
        &[
            "/spec/includedNamespaces/*",
            "/spec/excludedNamespaces/*",
            "/spec/backupHook/*/includedNamespaces/*",
            "/spec/backupHook/*/excludedNamespaces/*",
        ],
    ),
    (
        "clusterbackup.dataprotection.microsoft.com",
        "RestoreHook",
        &[
            "/spec/includedNamespaces/*",
            "/spec/excludedNamespaces/*",
            "/spec/restoreHook/*/includedNamespaces/*",
            "/spec/restoreHook/*/excludedNamespaces/*",
        ],
    ),
    (
        "gateway.networking.k8s.io",
        "Gateway",
        &[
            "/spec/listeners/*/tls/certificateRefs/*/namespace",
            "/spec/listeners/*/tls/frontendValidation/caCertificateRefs/*/namespace",
        ],
    ),
    (
        "gateway.networking.k8s.io",
        "ReferenceGrant",
        &["/spec/from/*/namespace"],
    ),
    ("gateway.networking.k8s.io", "HTTPRoute", ROUTE),
    ("gateway.networking.k8s.io", "GRPCRoute", ROUTE),
    ("gateway.networking.k8s.io", "TLSRoute", ROUTE),
    ("gateway.networking.k8s.io", "TCPRoute", ROUTE),
    ("gateway.networking.k8s.io", "UDPRoute", ROUTE),
    // https://prometheus-operator.dev/docs/api-reference/api/
    ("monitoring.coreos.com", "ServiceMonitor", MATCHED_NAMES),
    ("monitoring.coreos.com", "PodMonitor", MATCHED_NAMES),
    // https://fluxcd.io/flux/components/
    (
        "kustomize.toolkit.fluxcd.io",
        "Kustomization",
        &["/spec/targetNamespace", "/spec/dependsOn/*/namespace"],
    ),
    (
        "helm.toolkit.fluxcd.io",
        "HelmRelease",
        &[
            "/spec/targetNamespace",
            "/spec/storageNamespace",
            "/spec/dependsOn/*/namespace",
        ],
    ),
    // https://argo-cd.readthedocs.io/en/stable/user-guide/application-specification/
    (
        "argoproj.io",
        "Application",
        &["/spec/destination/namespace"],
    ),
    // https://doc.traefik.io/traefik/reference/routing-configuration/kubernetes/crd/http/ingressroute/
    (
        "traefik.io",
        "IngressRoute",
        &[
            "/spec/routes/*/services/*/namespace",
            "/spec/routes/*/middlewares/*/namespace",
        ],
    ),
];

/// Source: <https://prometheus-operator.dev/docs/api-reference/api/#monitoring.coreos.com/v1.NamespaceSelector>
const MATCHED_NAMES: &[&str] = &["/spec/namespaceSelector/matchNames/*"];

/// Parameters of classes that name the namespace of a driver's secret.
/// Source: <https://kubernetes-csi.github.io/docs/secrets-and-credentials-storage-class.html>
const SECRET_NAMESPACES: &[&str] = &[
    "/parameters/csi.storage.k8s.io~1provisioner-secret-namespace",
    "/parameters/csi.storage.k8s.io~1controller-publish-secret-namespace",
    "/parameters/csi.storage.k8s.io~1controller-expand-secret-namespace",
    "/parameters/csi.storage.k8s.io~1node-stage-secret-namespace",
    "/parameters/csi.storage.k8s.io~1node-publish-secret-namespace",
    "/parameters/csi.storage.k8s.io~1node-expand-secret-namespace",
    "/parameters/csi.storage.k8s.io~1snapshotter-secret-namespace",
    "/parameters/csi.storage.k8s.io~1snapshotter-list-secret-namespace",
    "/parameters/csi.storage.k8s.io~1group-snapshotter-secret-namespace",
    "/parameters/adminSecretNamespace",
    "/parameters/userSecretNamespace",
    "/parameters/secretNamespace",
];

/// Source: <https://gateway-api.sigs.k8s.io/reference/spec/>
const ROUTE: &[&str] = &[
    "/spec/parentRefs/*/namespace",
    "/spec/rules/*/backendRefs/*/namespace",
    "/spec/rules/*/backendRefs/*/filters/*/requestMirror/backendRef/namespace",
    "/spec/rules/*/filters/*/requestMirror/backendRef/namespace",
];

/// Fields that may hold the user or group name of a service account.
const SUBJECTS: &[Row] = &[
    (
        "rbac.authorization.k8s.io",
        "RoleBinding",
        &["/subjects/*/name"],
    ),
    (
        "rbac.authorization.k8s.io",
        "ClusterRoleBinding",
        &["/subjects/*/name"],
    ),
    (
        "flowcontrol.apiserver.k8s.io",
        "FlowSchema",
        &[
            "/spec/rules/*/subjects/*/user/name",
            "/spec/rules/*/subjects/*/group/name",
        ],
    ),
];

/// Label selectors over namespaces.
const SELECTORS: &[Row] = &[
    (
        "networking.k8s.io",
        "NetworkPolicy",
        &[
            "/spec/ingress/*/from/*/namespaceSelector",
            "/spec/egress/*/to/*/namespaceSelector",
        ],
    ),
    (
        "admissionregistration.k8s.io",
        "ValidatingWebhookConfiguration",
        &["/webhooks/*/namespaceSelector"],
    ),
    (
        "admissionregistration.k8s.io",
        "MutatingWebhookConfiguration",
        &["/webhooks/*/namespaceSelector"],
    ),
    (
        "admissionregistration.k8s.io",
        "ValidatingAdmissionPolicy",
        &["/spec/matchConstraints/namespaceSelector"],
    ),
    (
        "admissionregistration.k8s.io",
        "ValidatingAdmissionPolicyBinding",
        &["/spec/matchResources/namespaceSelector"],
    ),
    (
        "admissionregistration.k8s.io",
        "MutatingAdmissionPolicy",
        &["/spec/matchConstraints/namespaceSelector"],
    ),
    (
        "admissionregistration.k8s.io",
        "MutatingAdmissionPolicyBinding",
        &["/spec/matchResources/namespaceSelector"],
    ),
    (
        "gateway.networking.k8s.io",
        "Gateway",
        &["/spec/listeners/*/allowedRoutes/namespaces/selector"],
    ),
];

/// Types with a pod's spec in them.
const POD_TEMPLATES: &[(&str, &str)] = &[
    ("", "Pod"),
    ("", "PodTemplate"),
    ("", "ReplicationController"),
    ("apps", "Deployment"),
    ("apps", "StatefulSet"),
    ("apps", "DaemonSet"),
    ("apps", "ReplicaSet"),
    ("batch", "Job"),
    ("batch", "CronJob"),
];

fn rows(table: &'static [Row], resource: &ResourceType) -> &'static [&'static str] {
    table
        .iter()
        .find(|(group, kind, _)| resource.is(group, kind))
        .map_or(&[], |(_, _, paths)| paths)
}

/// Patterns of the fields that hold a namespace's name.
pub(super) fn fields(resource: &ResourceType) -> &'static [&'static str] {
    rows(FIELDS, resource)
}

/// Patterns of the fields that may hold a service account's user or group name.
pub(super) fn subjects(resource: &ResourceType) -> &'static [&'static str] {
    rows(SUBJECTS, resource)
}

/// Patterns of the label selectors over namespaces.
pub(super) fn selectors(resource: &ResourceType) -> &'static [&'static str] {
    rows(SELECTORS, resource)
}

/// Whether the type has a pod's spec at one of [`POD_SPECS`].
pub(super) fn has_pod_template(resource: &ResourceType) -> bool {
    POD_TEMPLATES
        .iter()
        .any(|(group, kind)| resource.is(group, kind))
}
