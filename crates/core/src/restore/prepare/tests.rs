//! Preparing objects: each row of the table, held objects, fallbacks and what is restored.

mod runs;

use super::*;
use crate::object::ObjectFacts;
use crate::selection::{Decision, Rule};
use proptest::prelude::*;

fn of(group: &str, kind: &str) -> ResourceType {
    ResourceType::new(group, "v1", kind, "", true)
}

/// Prepares an object and says what was removed and what remained.
fn prepared(group: &str, kind: &str, mut object: Value) -> (Prepared, Value) {
    let prepared = prepare(&of(group, kind), &mut object);
    (prepared, object)
}

fn removed(prepared: &Prepared) -> Vec<&str> {
    let removed = prepared.removed.iter();
    removed.map(|r| r.pointer.as_str()).collect()
}

fn decide(group: &str, kind: &str, object: &Value) -> Decision {
    let resource = of(group, kind);
    restorable(&resource, &ObjectFacts::of(&resource, object), object)
}

fn owned_by(api_version: &str, kind: &str) -> Value {
    json!([{"apiVersion": api_version, "kind": kind, "name": "owner", "uid": "u", "controller": true}])
}

#[test]
fn what_the_api_server_assigns_goes_and_what_the_user_set_stays() {
    let (result, object) = prepared(
        "",
        "ConfigMap",
        json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "a", "generateName": "a-", "namespace": "shop", "uid": "u", "resourceVersion": "7",
                "generation": 3, "creationTimestamp": "2026-01-01T00:00:00Z", "selfLink": "/x",
                "finalizers": ["example.com/guard"], "labels": {"app": "web"}, "annotations": {"note": "x"},
                "managedFields": [{"manager": "kubectl"}],
                "ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": "u0"}]},
            "data": {"k": "v"}, "immutable": true,
        }),
    );
    assert_eq!(
        object,
        json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "a", "generateName": "a-", "namespace": "shop", "finalizers": ["example.com/guard"],
                "labels": {"app": "web"}, "annotations": {"note": "x"}},
            "data": {"k": "v"}, "immutable": true,
        })
    );
    assert_eq!(result.owners.len(), 1);
    assert_eq!(result.managed_fields, Some(json!([{"manager": "kubectl"}])));
    assert_eq!((result.status, result.release), (None, None));
}

#[test]
fn a_service_keeps_its_addresses_and_gives_way_only_where_it_is_refused() {
    let service = json!({"metadata": {"name": "web"}, "spec": {"type": "NodePort", "clusterIP": "10.0.0.7",
        "clusterIPs": ["10.0.0.7"], "healthCheckNodePort": 31000,
        "ports": [{"port": 80, "nodePort": 30080}, {"port": 81}]}, "status": {"loadBalancer": {}}});
    let (result, mut object) = prepared("", "Service", service);
    assert_eq!(removed(&result), ["/status"]);
    assert_eq!(object["spec"]["clusterIP"], "10.0.0.7");
    assert_eq!(
        result.relax(&mut object, &["spec.ports[0].nodePort"]),
        ["/spec/ports/0/nodePort"]
    );
    assert_eq!(object["spec"]["clusterIP"], "10.0.0.7");
    assert_eq!(
        result.relax(&mut object, &["spec.clusterIPs"]),
        ["/spec/clusterIP", "/spec/clusterIPs"]
    );
    assert_eq!(
        result.relax(&mut object, &[]),
        ["/spec/healthCheckNodePort"]
    );
    assert!(result.relax(&mut object, &[]).is_empty());
    assert_eq!(
        object["spec"],
        json!({"type": "NodePort", "ports": [{"port": 80}, {"port": 81}]})
    );
}

#[test]
fn a_headless_service_stays_headless() {
    let headless =
        json!({"spec": {"clusterIP": "None", "clusterIPs": ["None"], "ports": [{"port": 80}]}});
    let (result, mut object) = prepared("", "Service", headless.clone());
    assert!(result.relax(&mut object, &[]).is_empty());
    assert_eq!(object, headless);
}

#[test]
fn a_provisioned_claim_gets_a_new_volume_and_a_static_one_keeps_its_own() {
    let claim = |annotations: Value| {
        json!({"metadata": {"name": "data", "annotations": annotations},
        "spec": {"volumeName": "pv-1", "storageClassName": "fast"}, "status": {"phase": "Bound"}})
    };
    let bound = json!({"pv.kubernetes.io/bind-completed": "yes", "pv.kubernetes.io/bound-by-controller": "yes"});
    let mut provisioned = bound.clone();
    provisioned["volume.kubernetes.io/storage-provisioner"] = json!("csi");
    provisioned["volume.kubernetes.io/selected-node"] = json!("n1");
    let (_, object) = prepared("", "PersistentVolumeClaim", claim(provisioned));
    assert_eq!(
        object,
        json!({"metadata": {"name": "data"}, "spec": {"storageClassName": "fast"}})
    );
    let (_, object) = prepared("", "PersistentVolumeClaim", claim(bound));
    assert_eq!(object["spec"]["volumeName"], "pv-1");
    assert_eq!(object["metadata"], json!({"name": "data"}));
}

#[test]
fn a_volume_is_reserved_for_its_claim_by_name() {
    let (_, object) = prepared(
        "",
        "PersistentVolume",
        json!({"metadata": {"name": "pv",
        "annotations": {"pv.kubernetes.io/bound-by-controller": "yes", "pv.kubernetes.io/provisioned-by": "csi"}},
        "spec": {"claimRef": {"kind": "PersistentVolumeClaim", "namespace": "n", "name": "c", "uid": "u", "resourceVersion": "1"}}}),
    );
    assert_eq!(
        object["spec"]["claimRef"],
        json!({"kind": "PersistentVolumeClaim", "namespace": "n", "name": "c"})
    );
    assert_eq!(
        object["metadata"]["annotations"],
        json!({"pv.kubernetes.io/provisioned-by": "csi"})
    );
}

#[test]
fn a_pod_loses_its_injected_token_and_its_ephemeral_containers_but_not_a_token_of_the_user() {
    let token = |name: &str| json!({"name": name, "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}});
    let mount = |name: &str, path: &str| json!({"name": name, "mountPath": path});
    let standard = "/var/run/secrets/kubernetes.io/serviceaccount";
    let (result, object) = prepared(
        "",
        "Pod",
        json!({"metadata": {"name": "p"}, "spec": {
            "nodeName": "n1", "priority": 0, "ephemeralContainers": [{"name": "debug"}],
            "volumes": [token("kube-api-access-x1"), token("vault-token"), {"name": "kube-api-access-mine", "emptyDir": {}}],
            "initContainers": [{"name": "i", "volumeMounts": [mount("kube-api-access-x1", standard)]}],
            "containers": [{"name": "c", "volumeMounts": [mount("vault-token", "/vault"), mount("kube-api-access-x1", standard)]}],
        }}),
    );
    assert_eq!(
        object["spec"],
        json!({
            "volumes": [token("vault-token"), {"name": "kube-api-access-mine", "emptyDir": {}}],
            "initContainers": [{"name": "i"}],
            "containers": [{"name": "c", "volumeMounts": [mount("vault-token", "/vault")]}],
        })
    );
    insta::assert_snapshot!(removed(&result).join("\n"), @r"
    /spec/nodeName
    /spec/priority
    /spec/ephemeralContainers
    /spec/volumes/0
    /spec/containers/0/volumeMounts/1
    /spec/initContainers/0/volumeMounts/0
    ");
}

#[test]
fn a_token_secret_is_emptied_for_the_token_controller_and_another_secret_is_not() {
    let secret = |kind: &str| {
        json!({"type": kind, "metadata": {"name": "s", "annotations": {
        "kubernetes.io/service-account.name": "web", "kubernetes.io/service-account.uid": "u"}},
        "data": {"token": "dA==", "ca.crt": "Yw==", "namespace": "bg==", "extra": "eA=="}})
    };
    let (_, object) = prepared("", "Secret", secret("kubernetes.io/service-account-token"));
    assert_eq!(object["data"], json!({"extra": "eA=="}));
    assert_eq!(
        object["metadata"]["annotations"],
        json!({"kubernetes.io/service-account.name": "web"})
    );
    let (_, object) = prepared("", "Secret", secret("Opaque"));
    assert_eq!(object, secret("Opaque"));
}

#[test]
fn the_status_of_a_custom_resource_is_kept_and_handed_out_and_that_of_a_built_in_one_is_not() {
    let with_status = json!({"metadata": {"name": "w"}, "spec": {}, "status": {"ready": true}});
    let (result, object) = prepared("example.com", "Widget", with_status.clone());
    assert_eq!(object["status"], json!({"ready": true}));
    assert_eq!(result.status, Some(json!({"ready": true})));
    let (result, object) = prepared("apps", "Deployment", with_status);
    assert_eq!((object.get("status"), result.status), (None, None));
}

#[test]
fn certificates_of_webhooks_and_finalizers_of_namespaces_are_kept() {
    let hook =
        json!({"metadata": {"name": "h"}, "webhooks": [{"clientConfig": {"caBundle": "eA=="}}]});
    assert_eq!(
        prepared(
            "admissionregistration.k8s.io",
            "ValidatingWebhookConfiguration",
            hook.clone()
        )
        .1,
        hook
    );
    let namespace = json!({"metadata": {"name": "n"}, "spec": {"finalizers": ["kubernetes"]}});
    assert_eq!(prepared("", "Namespace", namespace.clone()).1, namespace);
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table, one case a row")]
fn what_a_controller_makes_anew_is_not_restored_and_everything_else_is() {
    let meta = |extra: Value| {
        let mut object = json!({"metadata": {"name": "x", "namespace": "n"}});
        pointer::merge(&mut object, &extra);
        object
    };
    let ended = json!({"status": {"phase": "Succeeded"}, "metadata": {"ownerReferences": owned_by("batch/v1", "Job")}});
    let mut uncounted = ended.clone();
    uncounted["metadata"]["finalizers"] = json!(["batch.kubernetes.io/job-tracking"]);
    let by = |version: &str, kind: &str| json!({"metadata": {"ownerReferences": owned_by(version, kind)}});
    let pv = |policy: &str| json!({"metadata": {"annotations": {"pv.kubernetes.io/provisioned-by": "csi"}}, "spec": {"persistentVolumeReclaimPolicy": policy}});
    let table: Vec<(&str, &str, Value, bool, Rule)> = vec![
        ("", "Pod", json!({}), true, Rule::Restorable),
        (
            "",
            "Pod",
            json!({"status": {"phase": "Failed"}}),
            true,
            Rule::FinishedRunKept,
        ),
        (
            "",
            "Pod",
            by("apps/v1", "ReplicaSet"),
            false,
            Rule::ControllerRecreates,
        ),
        ("", "Pod", by("v1", "Node"), false, Rule::StaticPod),
        (
            "",
            "Pod",
            json!({"metadata": {"annotations": {"kubernetes.io/config.mirror": "h"}}}),
            false,
            Rule::StaticPod,
        ),
        ("", "Pod", ended, true, Rule::FinishedRunKept),
        ("", "Pod", uncounted, false, Rule::ControllerRecreates),
        (
            "",
            "Pod",
            by("batch/v1", "Job"),
            false,
            Rule::ControllerRecreates,
        ),
        (
            "apps",
            "ReplicaSet",
            by("apps/v1", "Deployment"),
            true,
            Rule::HistoryAdopted,
        ),
        (
            "apps",
            "ReplicaSet",
            by("argoproj.io/v1", "Rollout"),
            true,
            Rule::Restorable,
        ),
        (
            "apps",
            "ControllerRevision",
            by("apps/v1", "StatefulSet"),
            true,
            Rule::HistoryAdopted,
        ),
        ("batch", "Job", json!({}), true, Rule::Restorable),
        (
            "batch",
            "Job",
            json!({"status": {"conditions": [{"type": "Failed", "status": "True"}]}}),
            true,
            Rule::FinishedRunKept,
        ),
        (
            "",
            "ServiceAccount",
            json!({"metadata": {"name": "default"}}),
            true,
            Rule::DefaultServiceAccountPatched,
        ),
        ("", "ServiceAccount", json!({}), true, Rule::Restorable),
        (
            "",
            "ConfigMap",
            json!({"metadata": {"name": "kube-root-ca.crt"}}),
            false,
            Rule::MadeByControllerManager,
        ),
        (
            "",
            "PersistentVolume",
            pv("Delete"),
            false,
            Rule::VolumeProvisionedAgain,
        ),
        ("", "PersistentVolume", pv("Retain"), true, Rule::Restorable),
        (
            "",
            "PersistentVolumeClaim",
            by("v1", "Pod"),
            false,
            Rule::ControllerRecreates,
        ),
        (
            "",
            "PersistentVolumeClaim",
            by("apps/v1", "StatefulSet"),
            true,
            Rule::Restorable,
        ),
        (
            "",
            "Endpoints",
            json!({"metadata": {"managedFields": [{"manager": "kube-controller-manager"}]}}),
            false,
            Rule::EndpointsFollowService,
        ),
        (
            "",
            "Endpoints",
            json!({"metadata": {"managedFields": [{"manager": "kubectl"}]}}),
            true,
            Rule::Restorable,
        ),
        (
            "certificates.k8s.io",
            "CertificateSigningRequest",
            json!({}),
            false,
            Rule::CertificateRequestIsMomentary,
        ),
        (
            "",
            "ConfigMap",
            json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}),
            false,
            Rule::ObjectWasTerminating,
        ),
        (
            "example.com",
            "Widget",
            by("example.com/v1", "Machine"),
            true,
            Rule::Restorable,
        ),
    ];
    for (group, kind, extra, included, rule) in table {
        let object = meta(extra);
        assert_eq!(
            decide(group, kind, &object),
            Decision { included, rule },
            "{kind} {object}"
        );
    }
}

#[test]
fn the_table_of_fields_is_what_people_have_read_and_each_row_has_a_source() {
    let lines: Vec<String> = FIELDS
        .iter()
        .map(|row| {
            assert!(row.source.starts_with("https://"), "{}", row.pattern);
            format!(
                "{}/{} {} ({:?}): {}",
                row.group, row.kind, row.pattern, row.when, row.why
            )
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

/// A small object of any shape.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z]{0,5}".prop_map(Value::from)
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let key = prop_oneof![
            "[a-z]{1,4}",
            Just("metadata".to_owned()),
            Just("spec".to_owned()),
            Just("status".to_owned()),
            Just("labels".to_owned()),
            Just("volumes".to_owned()),
            Just("template".to_owned())
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..4)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn preparing_anything_never_panics_and_preparing_twice_changes_nothing(object in any_json(), kind in prop_oneof![Just("Pod"), Just("Job"), Just("Service"), Just("PersistentVolumeClaim"), Just("Secret")]) {
        let group = if kind == "Job" { "batch" } else { "" };
        let _ = decide(group, kind, &object);
        let (first, once) = prepared(group, kind, object);
        let (_, twice) = prepared(group, kind, once.clone());
        prop_assert_eq!(once, twice);
        prop_assert!(first.removed.iter().all(|r| !r.why.is_empty()));
    }
}
