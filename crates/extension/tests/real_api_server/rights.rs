//! The extension as a service account of its own: one that the API server tells to slow down without
//! end, and one whose role is too narrow.

use std::time::Duration;

use axum::http::Request;
use serde_json::{Value, json};
use strongroom_core::ResourceType;
use strongroom_core::report::Outcome;
use strongroom_extension::crash::CrashPoints;
use strongroom_kubernetes::apply as objects;
use strongroom_kubernetes::crd::{JobState, RestoreMode};
use strongroom_kubernetes::{Cluster, Failure, Retries};
use tokio_util::task::AbortOnDropHandle;

use super::bad_input::create;
use super::stage::{PATIENCE, Stage, core};
use super::targets::plain;
use super::trouble::{line, remove, webhooks};

const NAME: &str = "strongroom-robot";

fn of_rbac(kind: &str, plural: &str) -> ResourceType {
    ResourceType::new("rbac.authorization.k8s.io", "v1", kind, plural, false)
}

fn of_flow(kind: &str, plural: &str) -> ResourceType {
    ResourceType::new("flowcontrol.apiserver.k8s.io", "v1", kind, plural, false)
}

/// Makes an object of the cluster's scope anew.
async fn put(stage: &Stage, resource: &ResourceType, mut object: Value) {
    object["apiVersion"] = json!(resource.api_version());
    object["kind"] = json!(resource.kind);
    object["metadata"] = json!({"name": NAME});
    remove(stage, resource, NAME).await;
    create(stage, resource, &object).await;
}

/// The cluster with the rights of a service account that has these rules only.
async fn as_robot(stage: &Stage, rules: Value) -> Cluster {
    let namespace = stage.namespace();
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": NAME, "namespace": namespace}});
    create(
        stage,
        &core("ServiceAccount", "serviceaccounts", true),
        &account,
    )
    .await;
    put(
        stage,
        &of_rbac("ClusterRole", "clusterroles"),
        json!({"rules": rules}),
    )
    .await;
    let subject = json!({"kind": "ServiceAccount", "name": NAME, "namespace": namespace});
    let role =
        json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": NAME});
    let binding = json!({"roleRef": role, "subjects": [subject]});
    let bindings = of_rbac("ClusterRoleBinding", "clusterrolebindings");
    put(stage, &bindings, binding).await;
    let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{NAME}/token");
    let asked =
        json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}});
    let asked = Request::post(path)
        .header("content-type", "application/json")
        .body(asked.to_string().into_bytes());
    let answer = stage.cluster.raw(asked.unwrap()).await.unwrap();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    let token = answer["status"]["token"].as_str().unwrap();
    let robot = stage.cluster.with_bearer_token(token).unwrap();
    let impatient = Retries {
        times: 1,
        first: Duration::from_millis(50),
        longest: Duration::from_millis(50),
    };
    robot.with_retries(impatient)
}

async fn clear(stage: &Stage) {
    remove(stage, &webhooks(), NAME).await;
    for (kind, plural) in [
        ("FlowSchema", "flowschemas"),
        ("PriorityLevelConfiguration", "prioritylevelconfigurations"),
    ] {
        remove(stage, &of_flow(kind, plural), NAME).await;
    }
    for (kind, plural) in [
        ("ClusterRoleBinding", "clusterrolebindings"),
        ("ClusterRole", "clusterroles"),
    ] {
        remove(stage, &of_rbac(kind, plural), NAME).await;
    }
}

/// Lets the API server refuse every list of Secrets that the robot asks for, and waits until it does.
///
/// A priority level without seats lets one request through when none is on its way, so one is held there:
/// a create that a webhook hangs on. It ends with what is given back.
async fn throttle(stage: &Stage, robot: &Cluster, place: &str) -> AbortOnDropHandle<()> {
    let level = json!({"spec": {"type": "Limited", "limited": {"nominalConcurrencyShares": 0,
        "lendablePercent": 0, "borrowingLimitPercent": 0, "limitResponse": {"type": "Reject"}}}});
    let levels = of_flow("PriorityLevelConfiguration", "prioritylevelconfigurations");
    put(stage, &levels, level).await;
    let account = json!({"name": NAME, "namespace": stage.namespace()});
    let rule = |verb: &str, resource: &str| {
        json!({"verbs": [verb], "apiGroups": [""], "resources": [resource], "namespaces": ["*"],
            "clusterScope": true})
    };
    let rules = json!({"subjects": [{"kind": "ServiceAccount", "serviceAccount": account}],
        "resourceRules": [rule("list", "secrets"), rule("create", "endpoints")]});
    let schema = json!({"spec": {"matchingPrecedence": 2, "rules": [rules],
        "priorityLevelConfiguration": {"name": NAME}}});
    put(stage, &of_flow("FlowSchema", "flowschemas"), schema).await;
    // Nobody has this address (RFC 5737), and nobody says so: connections to it hang.
    let hangs = json!({"webhooks": [{"name": "hangs.example.com", "failurePolicy": "Fail",
        "sideEffects": "None", "admissionReviewVersions": ["v1"], "timeoutSeconds": 30,
        "clientConfig": {"url": "https://203.0.113.1/hangs"},
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": place}},
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"],
            "resources": ["endpoints"]}]}]});
    put(stage, &webhooks(), hangs).await;
    let held = json!({"apiVersion": "v1", "kind": "Endpoints",
        "metadata": {"name": "held", "namespace": place}});
    let (holder, endpoints) = (robot.clone(), core("Endpoints", "endpoints", true));
    let holding = tokio::spawn(async move {
        loop {
            let _ = objects::create_dry(&holder, &endpoints, &held).await;
        }
    });
    let heeded = async {
        loop {
            let asked = Request::get("/api/v1/secrets?limit=1").body(Vec::new());
            match robot.raw(asked.unwrap()).await {
                Err(error) if matches!(error.failure, Failure::TooManyRequests { .. }) => return,
                _ => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, heeded)
        .await
        .expect("the API server refuses");
    AbortOnDropHandle::new(holding)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_type_that_the_api_server_refuses_for_good_is_a_finding_and_the_rest_is_taken() {
    let Some(mut stage) = Stage::new("throttled").await else {
        return;
    };
    clear(&stage).await;
    let application = plain(&stage, "strongroom-throttled").await;
    let everything = json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]);
    let robot = as_robot(&stage, everything).await;
    let _held = throttle(&stage, &robot, &application.namespace).await;
    stage.seen = Some(robot);
    let backup = stage.backup_of(&[&application.namespace]);
    let status = stage.run_backup(&backup, CrashPoints::none()).await;
    clear(&stage).await;
    let lines = stage.report(backup.job_id, &status).await;
    application.lose(&stage).await;
    assert_eq!(status.state, JobState::CompletedWithWarnings, "{status:#?}");
    let findings: Vec<_> = lines.iter().filter(|line| line.code.is_some()).collect();
    assert_eq!(findings.len(), 1, "{findings:#?}");
    let secrets = line(&lines, "Secret *");
    let told = (secrets.outcome, secrets.code.as_deref());
    assert_eq!(told, (Outcome::Failed, Some("TooManyRequests")));
    let settings = line(&lines, "ConfigMap strongroom-throttled/settings");
    assert_eq!(settings.outcome, Outcome::BackedUp);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validation_names_each_right_that_a_narrow_role_lacks_and_the_restore_the_same() {
    let Some(mut stage) = Stage::new("narrow").await else {
        return;
    };
    clear(&stage).await;
    let application = plain(&stage, "strongroom-narrow").await;
    let backup = stage.backup_of(&[&application.namespace]);
    stage.run_backup(&backup, CrashPoints::none()).await;
    application.lose(&stage).await;
    // All that a restore does, but for creating Secrets and Services.
    let all = [
        "create", "get", "list", "patch", "update", "watch", "delete",
    ];
    let but = |group: &str, kinds: &[&str]| json!({"apiGroups": [group], "resources": kinds, "verbs": all});
    let rules = json!([
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]},
        but("clusterbackup.dataprotection.microsoft.com", &["*"]),
        but("", &["namespaces", "configmaps", "serviceaccounts"]),
    ]);
    // How long a refusal is not believed, as one of an API server that has just started.
    stage.grace = Duration::from_secs(1);
    stage.seen = Some(as_robot(&stage, rules).await);
    for mode in [RestoreMode::Validate, RestoreMode::Apply] {
        let mut restore = stage.restore_of(&backup);
        restore.mode = mode;
        let status = stage.run_restore(&restore, CrashPoints::none()).await;
        let lines = stage.report(restore.job_id, &status).await;
        assert_eq!(status.state, JobState::CompletedWithWarnings, "{mode:?}");
        for (object, right) in [
            ("Secret strongroom-narrow/password", "secrets"),
            ("Service strongroom-narrow/web", "services"),
        ] {
            let told = line(&lines, object);
            let outcome = (told.outcome, told.code.as_deref());
            let wanted = (Outcome::Failed, Some("UserErrorClusterPermissionMissing"));
            assert_eq!(outcome, wanted, "{mode:?}: {told:?}");
            let named = told.reason.contains("create") && told.reason.contains(right);
            assert!(named, "{told:?}");
        }
        let settings = line(&lines, "ConfigMap strongroom-narrow/settings");
        assert_eq!(settings.outcome, Outcome::Created, "{mode:?}: {settings:?}");
    }
    let secrets = core("Secret", "secrets", true);
    let made = objects::get(
        &stage.cluster,
        &secrets,
        Some("strongroom-narrow"),
        "password",
    );
    assert_eq!(made.await.unwrap(), None);
    clear(&stage).await;
    application.lose(&stage).await;
}
