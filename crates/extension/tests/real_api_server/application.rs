//! An application with what a real API server adds to it.

use std::pin::pin;
use std::time::Duration;

use futures::StreamExt as _;
use serde_json::{Value, json};
use strongroom_core::ResourceType;
use strongroom_core::equality::{Comparison, differences};
use strongroom_core::restore::prepare;
use strongroom_core::selection::{Rule, Selection};
use strongroom_kubernetes::apply as objects;
use strongroom_kubernetes::collect::Collector;
use strongroom_kubernetes::discovery::discover;

use super::stage::{Stage, core};

const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) struct Application {
    pub(crate) namespace: String,
}

fn kind(group: &str, kind: &str, plural: &str) -> ResourceType {
    ResourceType::new(group, "v1", kind, plural, true)
}

impl Application {
    pub(crate) async fn deploy(stage: &Stage, namespace: &str) -> Self {
        let this = Self {
            namespace: namespace.to_owned(),
        };
        // A run that failed may have left it.
        this.lose(stage).await;
        let namespaces = core("Namespace", "namespaces", false);
        let definitions = ResourceType::new(
            "apiextensions.k8s.io",
            "v1",
            "CustomResourceDefinition",
            "customresourcedefinitions",
            false,
        );
        create(stage, &definitions, &widget_definition()).await;
        objects::wait_established(&stage.cluster, "widgets.gears.example.com", PATIENCE)
            .await
            .unwrap();
        let place = json!({"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": namespace, "labels": {"team": "sales"}}});
        create(stage, &namespaces, &place).await;
        let widgets = kind("gears.example.com", "Widget", "widgets");
        let mut gear = None;
        for (resource, mut object) in parts().into_iter().chain(workloads()) {
            object["apiVersion"] = json!(resource.api_version());
            object["kind"] = json!(resource.kind);
            object["metadata"]["namespace"] = json!(namespace);
            if let Some(subjects) = object.pointer_mut("/subjects/0/namespace") {
                *subjects = json!(namespace);
            }
            let made = create(stage, &resource, &object).await;
            if resource == widgets {
                gear = made;
            }
        }
        let gear = gear.expect("the widget is made");
        let status = json!({"phase": "Turning", "turns": 7});
        objects::patch_status(&stage.cluster, &widgets, Some(namespace), "gear", &status)
            .await
            .unwrap();
        let owned = json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "of-gear", "namespace": namespace, "ownerReferences": [{
                "apiVersion": "gears.example.com/v1", "kind": "Widget", "name": "gear",
                "uid": gear["metadata"]["uid"], "controller": true, "blockOwnerDeletion": true}]}});
        create(stage, &core("ConfigMap", "configmaps", true), &owned).await;
        this
    }

    /// Deletes the namespace and waits until it is gone.
    pub(crate) async fn lose(&self, stage: &Stage) {
        let namespaces = core("Namespace", "namespaces", false);
        let how = objects::Propagation::Background;
        objects::delete(
            &stage.cluster,
            &namespaces,
            None,
            &self.namespace,
            None,
            how,
        )
        .await
        .unwrap();
        objects::wait_gone(&stage.cluster, &namespaces, None, &self.namespace, PATIENCE)
            .await
            .unwrap();
    }

    /// Everything of it that a restore is to bring back, in a stable order.
    pub(crate) async fn objects(&self, stage: &Stage) -> Vec<Value> {
        let selector = Selection::default().compile().unwrap();
        let collector = Collector::with_defaults(stage.cluster.clone());
        let mut found = Vec::new();
        for resource in discover(&stage.cluster).await.unwrap().types {
            if !resource.namespaced || !selector.decide_type(&resource).included {
                continue;
            }
            let mut pages = pin!(collector.pages(&resource, Some(&self.namespace), None, None));
            while let Some(page) = pages.next().await {
                for item in page.unwrap().items {
                    let object: Value = item.raw.json().unwrap();
                    let restorable = prepare::restorable(&resource, &item.facts, &object);
                    let taken = selector.decide(&resource, &item.facts).included;
                    if taken && restorable.included && restorable.rule == Rule::Restorable {
                        found.push(object);
                    }
                }
            }
        }
        found
    }
}

/// That two states of it are equal but for what a cluster assigns.
pub(crate) fn assert_equal(before: &[Value], after: &[Value]) {
    let name = |object: &Value| format!("{} {}", object["kind"], object["metadata"]["name"]);
    let names = |objects: &[Value]| objects.iter().map(name).collect::<Vec<_>>();
    assert_eq!(names(before), names(after));
    for (before, after) in before.iter().zip(after) {
        let differences = differences(before, after, &Comparison::proof());
        assert!(differences.is_empty(), "{}: {differences:#?}", name(before));
    }
}

async fn create(stage: &Stage, resource: &ResourceType, object: &Value) -> Option<Value> {
    match objects::create(&stage.cluster, resource, object)
        .await
        .unwrap()
    {
        objects::Created::New(written) => Some(written.object),
        objects::Created::AlreadyExists => None,
    }
}

fn widget_definition() -> Value {
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.gears.example.com"},
        "spec": {"group": "gears.example.com", "scope": "Namespaced",
            "names": {"kind": "Widget", "plural": "widgets", "singular": "widget", "listKind": "WidgetList"},
            "versions": [{"name": "v1", "served": true, "storage": true,
                "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object",
                    "x-kubernetes-preserve-unknown-fields": true}}}]}})
}

/// Its parts, without namespace.
fn parts() -> Vec<(ResourceType, Value)> {
    vec![
        (
            core("ServiceAccount", "serviceaccounts", true),
            json!({"metadata": {"name": "web"}}),
        ),
        (
            core("ConfigMap", "configmaps", true),
            json!({"metadata": {"name": "settings"}, "data": {"greeting": "hello"}}),
        ),
        (
            core("ConfigMap", "configmaps", true),
            json!({"metadata": {"name": "sealed",
            "annotations": {"note": "kept"}}, "immutable": true, "binaryData": {"b": "AAECAw=="}}),
        ),
        (
            core("Secret", "secrets", true),
            json!({"metadata": {"name": "password"},
            "type": "Opaque", "data": {"p": "aHVudGVyMg=="}}),
        ),
        (
            core("Service", "services", true),
            json!({"metadata": {"name": "web"},
            "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}}),
        ),
        (
            core("Service", "services", true),
            json!({"metadata": {"name": "outside"},
            "spec": {"type": "NodePort", "selector": {"app": "web"}, "ports": [{"port": 80}]}}),
        ),
        (
            core("Service", "services", true),
            json!({"metadata": {"name": "peers"},
            "spec": {"clusterIP": "None", "selector": {"app": "web"}, "ports": [{"port": 80}]}}),
        ),
        (
            core("PersistentVolumeClaim", "persistentvolumeclaims", true),
            json!({"metadata": {"name": "data"},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}),
        ),
        (
            core("ResourceQuota", "resourcequotas", true),
            json!({"metadata": {"name": "quota"},
            "spec": {"hard": {"configmaps": "50"}}}),
        ),
        (
            core("LimitRange", "limitranges", true),
            json!({"metadata": {"name": "limits"},
            "spec": {"limits": [{"type": "Container", "default": {"cpu": "1"}}]}}),
        ),
    ]
}

/// Its workloads, its rules and its custom resource, without namespace.
fn workloads() -> Vec<(ResourceType, Value)> {
    let rbac = "rbac.authorization.k8s.io";
    let pod = json!({"metadata": {"labels": {"app": "web"}}, "spec": {"serviceAccountName": "web",
        // Its namespace is deleted again and again, and waits for it.
        "terminationGracePeriodSeconds": 0,
        "containers": [{"name": "web", "image": "web:1", "ports": [{"containerPort": 80}]}]}});
    let selector = json!({"matchLabels": {"app": "web"}});
    vec![
        (
            kind("apps", "Deployment", "deployments"),
            json!({"metadata": {"name": "web"},
            "spec": {"replicas": 2, "selector": selector, "template": pod}}),
        ),
        (
            kind("apps", "StatefulSet", "statefulsets"),
            json!({"metadata": {"name": "db"},
            "spec": {"serviceName": "peers", "replicas": 0, "selector": selector, "template": pod}}),
        ),
        (
            kind("batch", "CronJob", "cronjobs"),
            json!({"metadata": {"name": "nightly"},
            "spec": {"schedule": "0 3 * * *", "suspend": true, "jobTemplate": {"spec": {"template":
                {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "c:1"}]}}}}}}),
        ),
        (
            kind("networking.k8s.io", "NetworkPolicy", "networkpolicies"),
            json!({"metadata": {"name": "deny"},
            "spec": {"podSelector": {}, "policyTypes": ["Ingress"]}}),
        ),
        (
            kind("policy", "PodDisruptionBudget", "poddisruptionbudgets"),
            json!({"metadata": {"name": "web"},
            "spec": {"minAvailable": 1, "selector": selector}}),
        ),
        (
            kind(rbac, "Role", "roles"),
            json!({"metadata": {"name": "reader"},
            "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}),
        ),
        (
            kind(rbac, "RoleBinding", "rolebindings"),
            json!({"metadata": {"name": "reader"},
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": "reader"},
            "subjects": [{"kind": "ServiceAccount", "name": "web", "namespace": ""}]}),
        ),
        (
            kind("gears.example.com", "Widget", "widgets"),
            json!({"metadata": {"name": "gear"},
            "spec": {"teeth": 12, "ratio": 0.1, "big": 9007199254740993_u64, "nothing": null}}),
        ),
    ]
}
