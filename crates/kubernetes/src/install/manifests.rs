//! What is installed, as plain objects in the order in which they are applied.

use serde_json::{Value, json};

use super::rules::{CLUSTER_RULES, NAMESPACE_RULES};
use super::{CLUSTER_NAME, ExtensionSettings, NAME, PROBE_PORT};
use crate::access::Rule;
use crate::{MANAGED_BY, MANAGED_BY_LABEL, crd};

/// The annotation that carries the reasons of a role's rules.
const REASONS: &str = "clusterbackup.dataprotection.microsoft.com/reasons";

/// The user and group that the process runs as: the customary "nonroot" of minimal images
/// (<https://github.com/GoogleContainerTools/distroless>).
const USER: u32 = 65532;

/// Everything, in order: what others refer to comes first, the Deployment last.
pub fn manifests(settings: &ExtensionSettings) -> Vec<Value> {
    let mut all = vec![namespace(settings)];
    all.extend(
        crd::all_crds()
            .iter()
            .filter_map(|one| serde_json::to_value(one).ok()),
    );
    all.extend(rights(settings));
    all.push(deployment(settings));
    all
}

/// What gives the extension its rights: its account, and its roles with their bindings.
pub(super) fn rights(settings: &ExtensionSettings) -> Vec<Value> {
    let account = std::iter::once(service_account(settings));
    account.chain(roles(settings)).collect()
}

fn labels() -> Value {
    json!({
        MANAGED_BY_LABEL: MANAGED_BY,
        "app.kubernetes.io/name": NAME,
    })
}

fn namespace(settings: &ExtensionSettings) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": settings.namespace,
            "labels": {
                MANAGED_BY_LABEL: MANAGED_BY,
                // https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
                "pod-security.kubernetes.io/enforce": "restricted",
                "pod-security.kubernetes.io/audit": "restricted",
                "pod-security.kubernetes.io/warn": "restricted",
            },
        },
    })
}

fn service_account(settings: &ExtensionSettings) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": { "name": NAME, "namespace": settings.namespace, "labels": labels() },
        // The pod asks for its token itself; no other pod of this account gets one unasked.
        "automountServiceAccountToken": false,
    })
}

fn roles(settings: &ExtensionSettings) -> [Value; 4] {
    let namespace = &settings.namespace;
    let group = "rbac.authorization.k8s.io";
    let version = format!("{group}/v1");
    let subjects = json!([{ "kind": "ServiceAccount", "name": NAME, "namespace": namespace }]);
    let role = |kind: &str, name: &str, namespace: Option<&str>, rules: &[Rule]| {
        let policy: Vec<Value> = rules.iter().map(Rule::policy_rule).collect();
        let reasons: Vec<&str> = rules.iter().map(|rule| rule.reason).collect();
        let mut metadata = json!({
            "name": name, "labels": labels(), "annotations": { REASONS: reasons.join("\n") },
        });
        if let Some(namespace) = namespace {
            metadata["namespace"] = json!(namespace);
        }
        json!({ "apiVersion": version, "kind": kind, "metadata": metadata, "rules": policy })
    };
    let reference =
        |kind: &str, name: &str| json!({ "apiGroup": group, "kind": kind, "name": name });
    [
        role("ClusterRole", CLUSTER_NAME, None, CLUSTER_RULES),
        json!({
            "apiVersion": version,
            "kind": "ClusterRoleBinding",
            "metadata": { "name": CLUSTER_NAME, "labels": labels() },
            "roleRef": reference("ClusterRole", CLUSTER_NAME),
            "subjects": subjects,
        }),
        role("Role", NAME, Some(namespace), NAMESPACE_RULES),
        json!({
            "apiVersion": version,
            "kind": "RoleBinding",
            "metadata": { "name": NAME, "namespace": namespace, "labels": labels() },
            "roleRef": reference("Role", NAME),
            "subjects": subjects,
        }),
    ]
}

fn deployment(settings: &ExtensionSettings) -> Value {
    let pull_secrets: Vec<Value> = settings
        .image_pull_secrets
        .iter()
        .map(|name| json!({ "name": name }))
        .collect();
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": NAME, "namespace": settings.namespace, "labels": labels() },
        "spec": {
            "replicas": 1,
            // Never two at once: the one writer of each job's status is the one process.
            "strategy": { "type": "Recreate" },
            "selector": { "matchLabels": { "app.kubernetes.io/name": NAME } },
            "template": {
                "metadata": { "labels": labels() },
                "spec": {
                    "serviceAccountName": NAME,
                    "automountServiceAccountToken": true,
                    "enableServiceLinks": false,
                    "nodeSelector": { "kubernetes.io/os": "linux" },
                    "imagePullSecrets": pull_secrets,
                    "terminationGracePeriodSeconds": 30,
                    "securityContext": {
                        "runAsNonRoot": true,
                        "runAsUser": USER,
                        "runAsGroup": USER,
                        "fsGroup": USER,
                        "seccompProfile": { "type": "RuntimeDefault" },
                    },
                    "containers": [container(settings)],
                    // The only place that can be written to, bounded so that it cannot fill a node.
                    "volumes": [{ "name": "tmp", "emptyDir": { "sizeLimit": "64Mi" } }],
                },
            },
        },
    })
}

/// How the C library keeps memory in the extension, which moves pages and packs of some MiB through a
/// small pod. Left to itself it has a heap for each thread, keeps what was freed in them, and raises the
/// size from which memory is given back to the largest block that was ever freed. Measured in three
/// backups of 10,000 objects, one after the other: peaks of 67, 82 and 91 MiB of which 5 MiB were in use
/// between them; with these settings 66, 63 and 66 MiB. A C library that does not know them passes over
/// them.
/// Source: <https://man7.org/linux/man-pages/man3/mallopt.3.html> (`M_ARENA_MAX`, `M_MMAP_THRESHOLD`: "the
/// dynamic adjustment of the mmap threshold is disabled" when it is set).
const ALLOCATOR: [(&str, &str); 2] = [
    ("MALLOC_ARENA_MAX", "2"),
    ("MALLOC_MMAP_THRESHOLD_", "131072"),
];

fn container(settings: &ExtensionSettings) -> Value {
    let mut environment = vec![
        json!({
            "name": "STRONGROOM_NAMESPACE",
            "valueFrom": { "fieldRef": { "apiVersion": "v1", "fieldPath": "metadata.namespace" } },
        }),
        json!({ "name": "STRONGROOM_LOG", "value": settings.log_level }),
    ];
    let named = |name: &str| settings.environment.iter().any(|(other, _)| other == name);
    let allocator = ALLOCATOR.iter().filter(|(name, _)| !named(name));
    environment.extend(allocator.map(|(name, value)| json!({ "name": name, "value": value })));
    let more = settings.environment.iter();
    environment.extend(more.map(|(name, value)| json!({ "name": name, "value": value })));
    let probe = |path: &str, period: u32, failures: u32| {
        json!({
            "httpGet": { "path": path, "port": "probes", "scheme": "HTTP" },
            "periodSeconds": period,
            "timeoutSeconds": 5,
            "failureThreshold": failures,
        })
    };
    json!({
        "name": NAME,
        "image": settings.image,
        "imagePullPolicy": "IfNotPresent",
        "args": ["extension"],
        "env": environment,
        "ports": [{ "name": "probes", "containerPort": PROBE_PORT, "protocol": "TCP" }],
        "livenessProbe": probe("/healthz", 10, 6),
        // Often, because an installation waits for it.
        "readinessProbe": probe("/readyz", 2, 3),
        // The limit is twice the 128 MiB that the process is built to stay within.
        "resources": {
            "requests": { "cpu": "50m", "memory": "64Mi" },
            "limits": { "memory": "256Mi" },
        },
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "capabilities": { "drop": ["ALL"] },
            "readOnlyRootFilesystem": true,
        },
        // The last lines of the log become the pod's message, so a crash tells its reason.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [{ "name": "tmp", "mountPath": "/tmp" }],
    })
}
