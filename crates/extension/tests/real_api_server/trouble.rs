//! Restores into a cluster whose admission refuses, changes or does not answer.

use serde_json::{Value, json};
use strongroom_core::ResourceType;
use strongroom_core::report::{ObjectOutcome, Outcome};
use strongroom_extension::crash::CrashPoints;
use strongroom_kubernetes::apply::{self as objects, Created, Propagation};
use strongroom_kubernetes::crd::{JobState, RestoreMode};

use super::application::Application;
use super::stage::{Stage, core};

const ADMISSION: &str = "admissionregistration.k8s.io";

pub(super) fn cluster_wide(kind: &str, plural: &str) -> ResourceType {
    ResourceType::new(ADMISSION, "v1", kind, plural, false)
}

pub(super) fn definitions() -> ResourceType {
    let group = "apiextensions.k8s.io";
    let plural = "customresourcedefinitions";
    ResourceType::new(group, "v1", "CustomResourceDefinition", plural, false)
}

pub(super) fn webhooks() -> ResourceType {
    cluster_wide(
        "ValidatingWebhookConfiguration",
        "validatingwebhookconfigurations",
    )
}

/// A webhook on Secrets of a namespace that nobody answers, as when its pods are not there.
fn unanswered(name: &str, namespace: &str) -> Value {
    json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [{"name": "secrets.example.com", "failurePolicy": "Fail", "sideEffects": "None",
            "admissionReviewVersions": ["v1"], "timeoutSeconds": 1,
            "clientConfig": {"url": "https://127.0.0.1:9/nobody"},
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"],
                "resources": ["secrets"], "scope": "Namespaced"}]}]})
}

pub(super) async fn remove(stage: &Stage, kind: &ResourceType, name: &str) {
    let how = Propagation::Background;
    objects::delete(&stage.cluster, kind, None, name, None, how)
        .await
        .unwrap();
}

/// Makes an object of the cluster's scope anew, and waits until admission heeds it: until a Secret is
/// refused in a trial.
async fn put(stage: &Stage, kind: &ResourceType, object: &Value, namespace: &str) {
    remove(stage, kind, object["metadata"]["name"].as_str().unwrap()).await;
    objects::create(&stage.cluster, kind, object).await.unwrap();
    let secrets = core("Secret", "secrets", true);
    let trial = json!({"apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "strongroom-trial", "namespace": namespace}});
    let refused = async {
        while objects::create_dry(&stage.cluster, &secrets, &trial)
            .await
            .is_ok()
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), refused)
        .await
        .expect("admission heeds it");
}

pub(super) fn line<'a>(lines: &'a [ObjectOutcome], object: &str) -> &'a ObjectOutcome {
    let found = lines.iter().find(|line| line.object.to_string() == object);
    found.unwrap_or_else(|| panic!("no line of {object}: {lines:#?}"))
}

/// A namespace without its objects, so that admission can be told of it.
pub(super) async fn emptied(stage: &Stage, application: &Application) {
    application.lose(stage).await;
    let kind = core("Namespace", "namespaces", false);
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": application.namespace, "labels": {"team": "sales"}}});
    let made = objects::create(&stage.cluster, &kind, &namespace).await;
    assert!(matches!(made, Ok(Created::New(_))), "{made:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_whose_webhook_answers_only_when_workloads_are_there_is_restored() {
    let Some(stage) = Stage::new("webhook").await else {
        return;
    };
    let application = Application::deploy(&stage, "strongroom-webhook").await;
    let backup = stage.backup_of(&[&application.namespace]);
    stage.run_backup(&backup, CrashPoints::none()).await;
    emptied(&stage, &application).await;
    let namespace = application.namespace.as_str();
    let name = "strongroom-webhook";
    put(&stage, &webhooks(), &unanswered(name, namespace), namespace).await;
    let restore = stage.restore_of(&backup);
    // Its pods start, in the shape of somebody who takes the webhook away.
    let deployments = ResourceType::new("apps", "v1", "Deployment", "deployments", true);
    let starts = async {
        loop {
            let live = objects::get(&stage.cluster, &deployments, Some(namespace), "web").await;
            if live.unwrap().is_some() {
                return remove(&stage, &webhooks(), name).await;
            }
            tokio::task::yield_now().await;
        }
    };
    let (status, ()) = tokio::join!(stage.run_restore(&restore, CrashPoints::none()), starts);
    let lines = stage.report(restore.job_id, &status).await;
    let secret = line(&lines, "Secret strongroom-webhook/password");
    assert_eq!(secret.outcome, Outcome::Created, "{secret:?}");
    let failed: Vec<_> = lines
        .iter()
        .filter(|line| line.outcome == Outcome::Failed)
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
    application.lose(&stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_policy_refuses_is_foreseen_by_a_validation_and_told_by_the_restore() {
    let Some(stage) = Stage::new("policy").await else {
        return;
    };
    let application = Application::deploy(&stage, "strongroom-policy").await;
    let backup = stage.backup_of(&[&application.namespace]);
    stage.run_backup(&backup, CrashPoints::none()).await;
    emptied(&stage, &application).await;
    let namespace = application.namespace.as_str();
    let policies = cluster_wide("ValidatingAdmissionPolicy", "validatingadmissionpolicies");
    let bindings = cluster_wide(
        "ValidatingAdmissionPolicyBinding",
        "validatingadmissionpolicybindings",
    );
    let name = "strongroom-policy";
    let policy = json!({"apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy", "metadata": {"name": name},
        "spec": {"failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"],
                "operations": ["CREATE"], "resources": ["secrets"]}]},
            "validations": [{"expression": "false", "message": "no secrets here"}]}});
    let binding = json!({"apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": name},
        "spec": {"policyName": name, "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector":
                {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}}});
    remove(&stage, &policies, name).await;
    objects::create(&stage.cluster, &policies, &policy)
        .await
        .unwrap();
    put(&stage, &bindings, &binding, namespace).await;
    for mode in [RestoreMode::Validate, RestoreMode::Apply] {
        let mut restore = stage.restore_of(&backup);
        restore.mode = mode;
        let status = stage.run_restore(&restore, CrashPoints::none()).await;
        assert_eq!(status.state, JobState::CompletedWithWarnings, "{mode:?}");
        let lines = stage.report(restore.job_id, &status).await;
        let secret = line(&lines, "Secret strongroom-policy/password");
        assert_eq!(secret.outcome, Outcome::Failed, "{mode:?}: {secret:?}");
        assert_eq!(secret.code.as_deref(), Some("AdmissionRefused"));
        assert!(secret.reason.contains("no secrets here"), "{secret:?}");
        let settings = line(&lines, "ConfigMap strongroom-policy/settings");
        assert_eq!(settings.outcome, Outcome::Created, "{mode:?}");
    }
    remove(&stage, &bindings, name).await;
    remove(&stage, &policies, name).await;
    application.lose(&stage).await;
}
