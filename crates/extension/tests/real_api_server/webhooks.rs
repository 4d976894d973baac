//! A restore into a cluster whose admission webhooks change, refuse or fail, do not answer, or answer
//! late: real webhooks over TLS, which this process serves.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use strongroom_core::ResourceType;
use strongroom_core::report::{ObjectOutcome, Outcome};
use strongroom_extension::crash::CrashPoints;
use strongroom_kubernetes::apply::{self as objects, Created};
use strongroom_kubernetes::crd::{BackupSpec, JobState, RestoreMode};

use super::bad_input::{create, delete, empty_namespace};
use super::callee::{Callee, Door};
use super::stage::{PATIENCE, Stage, core};
use super::trouble::{cluster_wide, line, remove};

const SECRETS: usize = 5;

/// Statuses with which a webhook refuses, as controllers do with what they cannot read, do not allow, or
/// cannot judge; each refuses the Service of that name.
const STATUSES: [u16; 4] = [400, 403, 422, 500];

/// What a restore that waits for every hanging answer in turn would by far exceed.
const BOUND: Duration = Duration::from_secs(60);

/// Answers an AdmissionReview by the last part of the path. Names of trials count as those of objects.
async fn review(
    State(door): State<Door>,
    Path(act): Path<String>,
    Json(review): Json<Value>,
) -> Result<Json<Value>, StatusCode> {
    let request = &review["request"];
    let mut answer = json!({"uid": request["uid"], "allowed": true});
    match act.as_str() {
        "change" => {
            let patch = json!([{"op": "add", "path": "/data/greeting", "value": "from a webhook"}]);
            answer["patchType"] = json!("JSONPatch");
            answer["patch"] = json!(BASE64.encode(patch.to_string()));
        }
        "refuse" => {
            let name = request["object"]["metadata"]["name"].as_str();
            let status = name.and_then(|name| name.rsplit_once('-')?.1.parse::<u16>().ok());
            answer["allowed"] = json!(false);
            answer["status"] = json!({"code": status, "message": "no services on Mondays"});
        }
        "wait" => door.enter().await,
        _ => return Err(StatusCode::NOT_FOUND),
    }
    Ok(Json(
        json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "response": answer}),
    ))
}

async fn callee(door: &Door) -> Option<Callee> {
    let router = Router::new().route("/{act}", post(review));
    Callee::serve(&[], router.with_state(door.clone())).await
}

fn mutating() -> ResourceType {
    let plural = "mutatingwebhookconfigurations";
    cluster_wide("MutatingWebhookConfiguration", plural)
}

fn validating() -> ResourceType {
    let plural = "validatingwebhookconfigurations";
    cluster_wide("ValidatingWebhookConfiguration", plural)
}

/// A configuration that lets this process be asked about every new object of a type in a namespace.
fn configuration(
    kind: &ResourceType,
    callee: &Callee,
    (namespace, resource, act): (&str, &str, &str),
) -> Value {
    json!({"apiVersion": kind.api_version(), "kind": kind.kind,
        "metadata": {"name": format!("{namespace}-{act}")},
        "webhooks": [{"name": format!("{act}.example.com"), "failurePolicy": "Fail",
            "sideEffects": "None", "admissionReviewVersions": ["v1"], "timeoutSeconds": 1,
            "clientConfig": callee.webhook(act),
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"],
                "resources": [resource]}]}]})
}

async fn clear(stage: &Stage, namespace: &str) {
    for (kind, act) in [
        (mutating(), "change"),
        (validating(), "refuse"),
        (validating(), "wait"),
    ] {
        remove(stage, &kind, &format!("{namespace}-{act}")).await;
    }
}

fn parts(namespace: &str) -> Vec<(ResourceType, Value)> {
    let part = |resource: ResourceType, name: String, mut object: Value| {
        object["apiVersion"] = json!(resource.api_version());
        object["kind"] = json!(resource.kind);
        object["metadata"] = json!({"name": name, "namespace": namespace});
        (resource, object)
    };
    let maps = core("ConfigMap", "configmaps", true);
    let greeting = json!({"data": {"greeting": "hello"}});
    let mut all = vec![part(maps, "settings".to_owned(), greeting)];
    all.extend(STATUSES.map(|status| {
        let ports = json!({"spec": {"ports": [{"port": 80}]}});
        let services = core("Service", "services", true);
        part(services, format!("web-{status}"), ports)
    }));
    all.extend((0..SECRETS).map(|number| {
        let secrets = core("Secret", "secrets", true);
        part(secrets, format!("s{number}"), json!({}))
    }));
    all
}

/// A recovery point of a namespace from which its objects are lost.
async fn lost(stage: &Stage, namespace: &str) -> BackupSpec {
    clear(stage, namespace).await;
    empty_namespace(stage, namespace).await;
    for (resource, object) in parts(namespace) {
        create(stage, &resource, &object).await;
    }
    let backup = stage.backup_of(&[namespace]);
    let status = stage.run_backup(&backup, CrashPoints::none()).await;
    assert_eq!(status.state, JobState::Completed, "{status:#?}");
    for (resource, object) in parts(namespace) {
        let name = object["metadata"]["name"].as_str().unwrap();
        delete(stage, &resource, namespace, name).await;
    }
    backup
}

/// Waits until admission heeds a configuration: until a trial of an object comes out so.
async fn heeded(stage: &Stage, namespace: &str, kind: &str, out: impl Fn(Option<&Value>) -> bool) {
    let mut all = parts(namespace).into_iter();
    let (resource, mut trial) = all.find(|(resource, _)| resource.kind == kind).unwrap();
    trial["metadata"]["name"] = json!("trial-403");
    let trying = async {
        loop {
            let made = objects::create_dry(&stage.cluster, &resource, &trial).await;
            let made = match &made {
                Ok(Created::New(made)) => Some(&made.object),
                _ => None,
            };
            if out(made) {
                return;
            }
        }
    };
    let tried = tokio::time::timeout(PATIENCE, trying).await;
    tried.expect("admission heeds it");
}

fn assert_refused(lines: &[ObjectOutcome], namespace: &str, mode: RestoreMode) {
    for status in STATUSES {
        let service = line(lines, &format!("Service {namespace}/web-{status}"));
        assert_eq!(service.outcome, Outcome::Failed, "{mode:?}: {service:?}");
        let code = service.code.as_deref();
        assert_eq!(code, Some("AdmissionRefused"), "{mode:?}: {service:?}");
        for part in ["refuse.example.com", "no services on Mondays"] {
            assert!(service.reason.contains(part), "{mode:?}: {service:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_that_change_refuse_or_hang_cost_their_objects_and_a_bounded_time() {
    let name = "strongroom-webhooks";
    let Some(mut stage) = Stage::new("webhooks").await else {
        return;
    };
    let door = Door::new(false);
    let Some(callee) = callee(&door).await else {
        return;
    };
    stage.grace = Duration::from_secs(2);
    let backup = lost(&stage, name).await;
    for (kind, resource, act) in [
        (mutating(), "configmaps", "change"),
        (validating(), "services", "refuse"),
        (validating(), "secrets", "wait"),
    ] {
        let made = configuration(&kind, &callee, (name, resource, act));
        create(&stage, &kind, &made).await;
    }
    heeded(&stage, name, "ConfigMap", |made| {
        made.is_some_and(|made| made["data"]["greeting"] == "from a webhook")
    })
    .await;
    heeded(&stage, name, "Service", |made| made.is_none()).await;
    heeded(&stage, name, "Secret", |made| made.is_none()).await;

    let mut ended = Vec::new();
    for mode in [RestoreMode::Validate, RestoreMode::Apply] {
        let mut restore = stage.restore_of(&backup);
        restore.mode = mode;
        let began = tokio::time::Instant::now();
        let status = stage.run_restore(&restore, CrashPoints::none()).await;
        let lines = stage.report(restore.job_id, &status).await;
        ended.push((mode, status, lines, began.elapsed()));
    }
    clear(&stage, name).await;
    remove(&stage, &core("Namespace", "namespaces", false), name).await;
    for (mode, status, lines, spent) in ended {
        assert_eq!(status.state, JobState::CompletedWithWarnings, "{lines:#?}");
        assert!(spent < BOUND, "{mode:?} took {spent:?}");
        let settings = line(&lines, &format!("ConfigMap {name}/settings"));
        let told = (settings.outcome, settings.code.as_deref());
        let expected = (Outcome::Created, Some("ObjectChangedByAdmission"));
        assert_eq!(told, expected, "{mode:?}: {settings:?}");
        assert!(settings.reason.contains("/data/greeting"), "{settings:?}");
        assert_refused(&lines, name, mode);
        for number in 0..SECRETS {
            let secret = line(&lines, &format!("Secret {name}/s{number}"));
            let told = (secret.outcome, secret.code.as_deref());
            // By the time of the restore it may answer, so a validation only warns.
            let outcome = match mode {
                RestoreMode::Validate => Outcome::Created,
                RestoreMode::Apply => Outcome::Failed,
            };
            let expected = (outcome, Some("AdmissionWebhookUnavailable"));
            assert_eq!(told, expected, "{mode:?}: {secret:?}");
            assert!(secret.reason.contains("wait.example.com"), "{secret:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_whose_webhook_hangs_at_first_come_once_it_answers() {
    let name = "strongroom-hanging";
    let Some(stage) = Stage::new("hanging").await else {
        return;
    };
    let door = Door::new(false);
    let Some(callee) = callee(&door).await else {
        return;
    };
    let backup = lost(&stage, name).await;
    let made = configuration(&validating(), &callee, (name, "secrets", "wait"));
    create(&stage, &validating(), &made).await;
    heeded(&stage, name, "Secret", |made| made.is_none()).await;
    door.set(false);
    let restore = stage.restore_of(&backup);
    // It is asked once about each at most before it is given up for the time being: what comes after
    // that is asked at the end.
    let answers = async {
        door.after(SECRETS + 1).await;
        door.set(true);
    };
    let (status, ()) = tokio::join!(stage.run_restore(&restore, CrashPoints::none()), answers);
    let lines = stage.report(restore.job_id, &status).await;
    clear(&stage, name).await;
    remove(&stage, &core("Namespace", "namespaces", false), name).await;
    let odd: Vec<_> = lines.iter().filter(|line| line.code.is_some()).collect();
    assert_eq!(status.state, JobState::Completed, "{odd:#?}");
    for number in 0..SECRETS {
        let secret = line(&lines, &format!("Secret {name}/s{number}"));
        assert_eq!(secret.outcome, Outcome::Created, "{secret:?}");
    }
}
