//! A restore into a cluster whose admission hangs for one type, changes another and refuses a third.

use std::time::Duration;

use serde_json::{Value, json};
use strongroom_core::ResourceType;
use strongroom_core::report::Outcome;
use strongroom_extension::crash::CrashPoints;
use strongroom_kubernetes::apply::{self as objects, Created};
use strongroom_kubernetes::crd::JobState;

use super::bad_input::{create, delete, empty_namespace};
use super::stage::{PATIENCE, Stage, core};
use super::trouble::{cluster_wide, line, remove};

const NAME: &str = "strongroom-admission";
const SECRETS: usize = 6;

/// What a restore that waits for every Secret in turn would by far exceed, and one that does not hardly
/// reaches on a slow machine.
const BOUND: Duration = Duration::from_secs(40);

fn of_type(resource: &str) -> Value {
    json!([{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"],
        "resources": [resource]}])
}

fn here() -> Value {
    json!({"matchLabels": {"kubernetes.io/metadata.name": NAME}})
}

/// What stands in the way, as pairs of type and object.
fn obstacles() -> Vec<(ResourceType, Value)> {
    // Nobody has this address (RFC 5737), and nobody says so: connections to it hang.
    let hangs = json!({"webhooks": [{"name": "hangs.example.com", "failurePolicy": "Fail",
        "sideEffects": "None", "admissionReviewVersions": ["v1"], "timeoutSeconds": 1,
        "clientConfig": {"url": "https://203.0.113.1/hangs"},
        "namespaceSelector": here(), "rules": of_type("secrets")}]});
    let mutates = json!({"spec": {"failurePolicy": "Fail", "reinvocationPolicy": "Never",
        "matchConstraints": {"resourceRules": of_type("configmaps")},
        "mutations": [{"patchType": "ApplyConfiguration", "applyConfiguration":
            {"expression": "Object{data: {\"greeting\": \"from a policy\"}}"}}]}});
    let refuses = json!({"spec": {"failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": of_type("services")},
        "validations": [{"expression": "false", "message": "no services here"}]}});
    let mutates_here = json!({"spec": {"policyName": NAME,
        "matchResources": {"namespaceSelector": here()}}});
    let refuses_here = json!({"spec": {"policyName": NAME, "validationActions": ["Deny"],
        "matchResources": {"namespaceSelector": here()}}});
    [
        (
            "ValidatingWebhookConfiguration",
            "validatingwebhookconfigurations",
            hangs,
        ),
        (
            "MutatingAdmissionPolicy",
            "mutatingadmissionpolicies",
            mutates,
        ),
        (
            "MutatingAdmissionPolicyBinding",
            "mutatingadmissionpolicybindings",
            mutates_here,
        ),
        (
            "ValidatingAdmissionPolicy",
            "validatingadmissionpolicies",
            refuses,
        ),
        (
            "ValidatingAdmissionPolicyBinding",
            "validatingadmissionpolicybindings",
            refuses_here,
        ),
    ]
    .into_iter()
    .map(|(kind, plural, mut object)| {
        let resource = cluster_wide(kind, plural);
        object["apiVersion"] = json!(resource.api_version());
        object["kind"] = json!(kind);
        object["metadata"] = json!({"name": NAME});
        (resource, object)
    })
    .collect()
}

async fn clear(stage: &Stage) {
    for (resource, _) in obstacles() {
        remove(stage, &resource, NAME).await;
    }
}

fn parts() -> Vec<(ResourceType, Value)> {
    let part = |resource: ResourceType, name: &str, mut object: Value| {
        object["apiVersion"] = json!(resource.api_version());
        object["kind"] = json!(resource.kind);
        object["metadata"] = json!({"name": name, "namespace": NAME});
        (resource, object)
    };
    let rbac = "rbac.authorization.k8s.io";
    let mut all = vec![
        part(
            core("ConfigMap", "configmaps", true),
            "settings",
            json!({"data": {"greeting": "hello"}}),
        ),
        part(
            core("Service", "services", true),
            "web",
            json!({"spec": {"ports": [{"port": 80}]}}),
        ),
        part(
            core("ServiceAccount", "serviceaccounts", true),
            "web",
            json!({}),
        ),
        part(
            ResourceType::new(rbac, "v1", "Role", "roles", true),
            "reader",
            json!({"rules": []}),
        ),
    ];
    all.extend((0..SECRETS).map(|number| {
        part(
            core("Secret", "secrets", true),
            &format!("s{number}"),
            json!({}),
        )
    }));
    all
}

/// Puts the obstacles up, and waits until admission heeds each: one trial of every type meets it.
async fn obstruct(stage: &Stage) {
    for (resource, object) in obstacles() {
        create(stage, &resource, &object).await;
    }
    let trial = async |resource: ResourceType, spec: Value| {
        let object = json!({"apiVersion": "v1", "kind": resource.kind, "spec": spec,
            "metadata": {"name": "trial", "namespace": NAME}});
        objects::create_dry(&stage.cluster, &resource, &object).await
    };
    let heeded = async {
        while trial(core("Secret", "secrets", true), Value::Null)
            .await
            .is_ok()
        {}
        let ports = json!({"ports": [{"port": 80}]});
        while trial(core("Service", "services", true), ports.clone())
            .await
            .is_ok()
        {}
        loop {
            let made = trial(core("ConfigMap", "configmaps", true), Value::Null).await;
            if let Ok(Created::New(made)) = made
                && made.object["data"]["greeting"].is_string()
            {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, heeded)
        .await
        .expect("admission heeds them");
}

#[tokio::test(flavor = "multi_thread")]
async fn admission_that_hangs_changes_or_refuses_costs_only_its_objects_and_a_bounded_time() {
    let Some(mut stage) = Stage::new("admission").await else {
        return;
    };
    stage.grace = Duration::from_secs(2);
    clear(&stage).await;
    empty_namespace(&stage, NAME).await;
    for (resource, object) in parts() {
        create(&stage, &resource, &object).await;
    }
    let backup = stage.backup_of(&[NAME]);
    let status = stage.run_backup(&backup, CrashPoints::none()).await;
    assert_eq!(status.state, JobState::Completed, "{status:#?}");
    for (resource, object) in parts() {
        let name = object["metadata"]["name"].as_str().unwrap();
        delete(&stage, &resource, NAME, name).await;
    }
    obstruct(&stage).await;
    let restore = stage.restore_of(&backup);
    let began = tokio::time::Instant::now();
    let status = stage.run_restore(&restore, CrashPoints::none()).await;
    let spent = began.elapsed();
    clear(&stage).await;
    remove(&stage, &core("Namespace", "namespaces", false), NAME).await;

    let lines = stage.report(restore.job_id, &status).await;
    assert_eq!(status.state, JobState::CompletedWithWarnings, "{lines:#?}");
    assert!(spent < BOUND, "it took {spent:?}");
    for number in 0..SECRETS {
        let secret = line(&lines, &format!("Secret {NAME}/s{number}"));
        assert_eq!(secret.outcome, Outcome::Failed, "{secret:?}");
        let code = secret.code.as_deref();
        assert_eq!(code, Some("AdmissionWebhookUnavailable"), "{secret:?}");
        assert!(secret.reason.contains("deadline exceeded"), "{secret:?}");
    }
    let settings = line(&lines, "ConfigMap strongroom-admission/settings");
    assert_eq!(settings.outcome, Outcome::Created, "{settings:?}");
    assert_eq!(settings.code.as_deref(), Some("ObjectChangedByAdmission"));
    assert!(settings.reason.contains("/data/greeting"), "{settings:?}");
    let service = line(&lines, "Service strongroom-admission/web");
    assert_eq!(service.outcome, Outcome::Failed, "{service:?}");
    assert_eq!(service.code.as_deref(), Some("AdmissionRefused"));
    assert!(service.reason.contains("no services here"), "{service:?}");
    for clean in [
        "ServiceAccount strongroom-admission/web",
        "rbac.authorization.k8s.io/Role strongroom-admission/reader",
    ] {
        let clean = line(&lines, clean);
        let outcome = (clean.outcome, clean.code.as_deref());
        assert_eq!(outcome, (Outcome::Created, None), "{clean:?}");
    }
    let findings = lines.iter().filter(|line| line.code.is_some()).count();
    assert_eq!(findings, SECRETS + 2, "{lines:#?}");
}
