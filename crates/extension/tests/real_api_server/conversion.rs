//! A restore of custom resources into a cluster that stores them in another version by now, so that a
//! conversion webhook, which this process serves over TLS, is asked about each.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use strongroom_core::ResourceType;
use strongroom_core::report::{ObjectOutcome, Outcome};
use strongroom_extension::crash::CrashPoints;
use strongroom_kubernetes::apply as objects;
use strongroom_kubernetes::crd::{BackupSpec, JobState};

use super::bad_input::{GROUP, create, custom, define, definition, delete};
use super::bad_input::{empty_namespace, undefine};
use super::callee::{Callee, Door};
use super::stage::{PATIENCE, Stage, core};
use super::trouble::{definitions, line, remove};

const OBJECTS: usize = 4;

/// What a restore that waits for each object in turn would by far exceed.
const BOUND: Duration = Duration::from_secs(60);

/// Converts, when the door is open: what v1 calls `kept` is `other` in v2.
async fn convert(
    State(door): State<Door>,
    Json(review): Json<Value>,
) -> Result<Json<Value>, StatusCode> {
    if !door.knock() {
        return Err(StatusCode::SERVICE_UNAVAILABLE);
    }
    let request = &review["request"];
    let wanted = request["desiredAPIVersion"].as_str().unwrap();
    let (from, to) = match wanted.rsplit_once('/').unwrap().1 {
        "v2" => ("kept", "other"),
        _ => ("other", "kept"),
    };
    let objects = request["objects"].as_array().unwrap().iter().cloned();
    let converted = objects.map(|mut object| {
        object["apiVersion"] = json!(wanted);
        let value = object["spec"][from].take();
        object["spec"] = json!({to: value});
        object
    });
    let converted: Vec<Value> = converted.collect();
    Ok(Json(
        json!({"apiVersion": review["apiVersion"], "kind": "ConversionReview",
        "response": {"uid": request["uid"], "convertedObjects": converted,
            "result": {"status": "Success"}}}),
    ))
}

/// A namespace with objects of a type, of which there is a recovery point, and a Service of it; the
/// cluster has lost them and stores the type in v2 since, by way of a webhook that is down.
struct Converted {
    stage: Stage,
    door: Door,
    namespace: String,
    plural: &'static str,
    backup: BackupSpec,
    _callee: Callee,
}

fn vases(namespace: &str, kind: &str) -> impl Iterator<Item = Value> {
    (0..OBJECTS).map(move |number| {
        json!({"apiVersion": format!("{GROUP}/v1"), "kind": kind,
            "metadata": {"name": format!("n{number}"), "namespace": namespace},
            "spec": {"kept": format!("glaze {number}")}})
    })
}

impl Converted {
    async fn new(name: &str, (kind, plural): (&str, &'static str)) -> Option<Self> {
        let stage = Stage::new(name).await?;
        let door = Door::new(false);
        let router = Router::new().route("/convert", post(convert));
        let callee = Callee::serve(&[], router.with_state(door.clone())).await?;
        undefine(&stage, plural).await;
        let namespace = empty_namespace(&stage, &format!("strongroom-{name}")).await;
        let namespace = namespace.namespace;
        define(&stage, &definition(kind, plural, true)).await;
        let stored = custom("v1", kind, plural);
        for object in vases(&namespace, kind) {
            create(&stage, &stored, &object).await;
        }
        let maps = core("ConfigMap", "configmaps", true);
        let settings = json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "settings", "namespace": namespace}});
        create(&stage, &maps, &settings).await;
        let backup = stage.backup_of(&[&namespace]);
        let status = stage.run_backup(&backup, CrashPoints::none()).await;
        assert_eq!(status.state, JobState::Completed, "{status:#?}");
        for number in 0..OBJECTS {
            delete(&stage, &stored, &namespace, &format!("n{number}")).await;
        }
        delete(&stage, &maps, &namespace, "settings").await;
        let mut newer = definition(kind, plural, true)["spec"].take();
        newer["versions"][0]["storage"] = json!(false);
        newer["versions"][1]["storage"] = json!(true);
        newer["conversion"] = json!({"strategy": "Webhook", "webhook": {
            "conversionReviewVersions": ["v1"], "clientConfig": callee.webhook("convert")}});
        let change = json!({"spec": newer});
        let definition = format!("{plural}.{GROUP}");
        objects::patch_merge(&stage.cluster, &definitions(), None, &definition, &change)
            .await
            .unwrap();
        let converted = Self {
            stage,
            door,
            namespace,
            plural,
            backup,
            _callee: callee,
        };
        converted.asked(&stored, kind).await;
        Some(converted)
    }

    /// Waits until the API server asks the webhook about a new object, and forgets that it did.
    async fn asked(&self, stored: &ResourceType, kind: &str) {
        let mut trial = vases(&self.namespace, kind).next().unwrap();
        trial["metadata"]["name"] = json!("trial");
        let asked = async {
            while objects::create_dry(&self.stage.cluster, stored, &trial)
                .await
                .is_ok()
            {}
        };
        let asked = tokio::time::timeout(PATIENCE, asked).await;
        asked.expect("the API server asks for a conversion");
        self.door.set(false);
    }

    async fn end(&self) {
        let namespaces = core("Namespace", "namespaces", false);
        self.door.set(true);
        undefine(&self.stage, self.plural).await;
        remove(&self.stage, &namespaces, &self.namespace).await;
    }
}

/// The findings on what is in the namespace. The definition has one as well: it differs, and stays.
fn findings(lines: &[ObjectOutcome], namespace: &str) -> Vec<String> {
    let inside = lines
        .iter()
        .filter(|line| line.object.namespace.as_deref() == Some(namespace));
    let odd = inside.filter(|line| line.code.is_some());
    odd.map(|line| format!("{line:?}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn custom_resources_whose_conversion_is_down_at_first_come_once_it_answers() {
    let kind = ("Urn", "urns");
    let Some(it) = Converted::new("converted", kind).await else {
        return;
    };
    let restore = it.stage.restore_of(&it.backup);
    let answers = async {
        it.door.after(OBJECTS + 1).await;
        it.door.set(true);
    };
    let (status, ()) = tokio::join!(it.stage.run_restore(&restore, CrashPoints::none()), answers);
    let lines = it.stage.report(restore.job_id, &status).await;
    let mut live = Vec::new();
    for number in 0..OBJECTS {
        let newer = custom("v2", kind.0, kind.1);
        let name = format!("n{number}");
        let found = objects::get(&it.stage.cluster, &newer, Some(&it.namespace), &name).await;
        live.push(found.unwrap().unwrap_or_default());
    }
    it.end().await;
    assert_eq!(findings(&lines, &it.namespace), Vec::<String>::new());
    for (number, live) in live.iter().enumerate() {
        let told = line(&lines, &format!("{GROUP}/Urn {}/n{number}", it.namespace));
        assert_eq!(told.outcome, Outcome::Created, "{told:?}");
        assert_eq!(live["spec"], json!({"other": format!("glaze {number}")}));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn custom_resources_whose_conversion_never_answers_are_findings_and_the_rest_comes() {
    let Some(mut it) = Converted::new("unconverted", ("Jug", "jugs")).await else {
        return;
    };
    it.stage.grace = Duration::from_secs(2);
    let restore = it.stage.restore_of(&it.backup);
    let began = tokio::time::Instant::now();
    let status = it.stage.run_restore(&restore, CrashPoints::none()).await;
    let spent = began.elapsed();
    let lines = it.stage.report(restore.job_id, &status).await;
    it.end().await;
    assert_eq!(status.state, JobState::CompletedWithWarnings, "{lines:#?}");
    assert!(spent < BOUND, "it took {spent:?}");
    for number in 0..OBJECTS {
        let told = line(&lines, &format!("{GROUP}/Jug {}/n{number}", it.namespace));
        let code = told.code.as_deref();
        let expected = (Outcome::Failed, Some("AdmissionWebhookUnavailable"));
        assert_eq!((told.outcome, code), expected, "{told:?}");
        assert!(told.reason.contains("conversion webhook"), "{told:?}");
    }
    let settings = line(&lines, &format!("ConfigMap {}/settings", it.namespace));
    let told = (settings.outcome, settings.code.as_deref());
    assert_eq!(told, (Outcome::Created, None), "{settings:?}");
    assert_eq!(findings(&lines, &it.namespace).len(), OBJECTS);
}
