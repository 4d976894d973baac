//! A restore of an application that is an aggregated API: its server, which this process plays, is
//! reached through a Service that the restore brings back, and answers only some time after that.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use strongroom_core::ResourceType;
use strongroom_core::report::Outcome;
use strongroom_extension::crash::CrashPoints;
use strongroom_kubernetes::apply as objects;
use strongroom_kubernetes::crd::JobState;
use strongroom_kubernetes::discovery::discover;

use super::bad_input::{api_services, create, empty_namespace};
use super::callee::{Callee, Door};
use super::stage::{PATIENCE, Stage, core};
use super::trouble::{line, remove};

const GROUP: &str = "aggregated.example.com";
const API: &str = "v1.aggregated.example.com";
const NAME: &str = "strongroom-aggregated";

/// How long the API server may take to find out that the API is there.
const SERVED_WAIT: Duration = Duration::from_secs(90);

fn flunders() -> ResourceType {
    ResourceType::new(GROUP, "v1", "Flunder", "flunders", true)
}

/// An API server of one type.
#[derive(Clone)]
struct Wardle {
    door: Door,
    stored: Arc<Mutex<BTreeMap<String, Value>>>,
}

type Answer = Result<Json<Value>, StatusCode>;

impl Wardle {
    fn router(&self) -> Router {
        let all = get(list);
        Router::new()
            .route("/apis/{group}/v1", get(resources))
            .route("/apis/{group}/v1/flunders", all.clone())
            .route(
                "/apis/{group}/v1/namespaces/{namespace}/flunders",
                all.post(make),
            )
            .route(
                "/apis/{group}/v1/namespaces/{namespace}/flunders/{name}",
                get(read),
            )
            .with_state(self.clone())
    }

    /// Counts a caller, who is sent away while the server is not ready.
    fn ready(&self) -> Result<(), StatusCode> {
        let open = self.door.knock();
        open.then_some(()).ok_or(StatusCode::SERVICE_UNAVAILABLE)
    }
}

async fn resources(State(wardle): State<Wardle>, Path(group): Path<String>) -> Answer {
    wardle.ready()?;
    Ok(Json(json!({"kind": "APIResourceList", "apiVersion": "v1",
        "groupVersion": format!("{group}/v1"), "resources": [{"name": "flunders",
            "singularName": "flunder", "namespaced": true, "kind": "Flunder",
            "verbs": ["create", "get", "list"]}]})))
}

async fn list(State(wardle): State<Wardle>) -> Answer {
    wardle.ready()?;
    let items: Vec<Value> = wardle.stored.lock().unwrap().values().cloned().collect();
    Ok(Json(
        json!({"kind": "FlunderList", "apiVersion": format!("{GROUP}/v1"),
        "metadata": {"resourceVersion": "7"}, "items": items}),
    ))
}

async fn make(
    State(wardle): State<Wardle>,
    Path((_group, namespace)): Path<(String, String)>,
    Json(mut object): Json<Value>,
) -> Answer {
    wardle.ready()?;
    let metadata = &mut object["metadata"];
    metadata["namespace"] = json!(namespace);
    metadata["uid"] = json!("5b0a9d0a-0000-4000-8000-000000000001");
    metadata["resourceVersion"] = json!("7");
    metadata["creationTimestamp"] = json!("2026-01-02T03:04:05Z");
    let name = metadata["name"].as_str().unwrap().to_owned();
    wardle.stored.lock().unwrap().insert(name, object.clone());
    Ok(Json(object))
}

async fn read(
    State(wardle): State<Wardle>,
    Path((_group, _namespace, name)): Path<(String, String, String)>,
) -> Answer {
    wardle.ready()?;
    let found = wardle.stored.lock().unwrap().get(&name).cloned();
    found.map(Json).ok_or(StatusCode::NOT_FOUND)
}

/// The Service behind which this process is, and the APIService that names it.
async fn deploy(stage: &Stage, callee: &Callee) {
    let (host, port) = callee.address.rsplit_once(':').unwrap();
    let port: u16 = port.parse().unwrap();
    let discovery = "discovery.k8s.io";
    let slices = ResourceType::new(discovery, "v1", "EndpointSlice", "endpointslices", true);
    let parts = [
        (
            core("Service", "services", true),
            json!({"metadata": {"name": "wardle", "namespace": NAME},
                "spec": {"ports": [{"port": 443, "targetPort": port}]}}),
        ),
        (
            slices,
            json!({"metadata": {"name": "wardle", "namespace": NAME,
                    "labels": {"kubernetes.io/service-name": "wardle"}},
                "addressType": "IPv4", "endpoints": [{"addresses": [host]}],
                "ports": [{"port": port}]}),
        ),
        (
            api_services(),
            json!({"metadata": {"name": API},
                "spec": {"group": GROUP, "version": "v1", "caBundle": callee.ca_bundle(),
                    "groupPriorityMinimum": 100, "versionPriority": 100,
                    "service": {"name": "wardle", "namespace": NAME}}}),
        ),
    ];
    for (resource, mut object) in parts {
        object["apiVersion"] = json!(resource.api_version());
        object["kind"] = json!(resource.kind);
        create(stage, &resource, &object).await;
    }
    let served = async {
        while discover(&stage.cluster)
            .await
            .unwrap()
            .served_as(GROUP, "v1", "Flunder")
            .is_none()
        {
            tokio::task::yield_now().await;
        }
    };
    if tokio::time::timeout(SERVED_WAIT, served).await.is_err() {
        // As below: it must not stay.
        let found = objects::get(&stage.cluster, &api_services(), None, API).await;
        remove(stage, &api_services(), API).await;
        panic!("the aggregated API is not served: {found:#?}");
    }
}

/// Takes the application away. The API goes first: while it is down, no namespace comes to its end.
async fn lose(stage: &Stage) {
    remove(stage, &api_services(), API).await;
    let namespaces = core("Namespace", "namespaces", false);
    objects::wait_gone(&stage.cluster, &api_services(), None, API, PATIENCE)
        .await
        .unwrap();
    remove(stage, &namespaces, NAME).await;
    objects::wait_gone(&stage.cluster, &namespaces, None, NAME, PATIENCE)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_of_an_aggregated_api_that_is_restored_itself_come_once_it_answers() {
    let Some(stage) = Stage::new("aggregated").await else {
        return;
    };
    let wardle = Wardle {
        door: Door::new(true),
        stored: Arc::default(),
    };
    let names = [format!("wardle.{NAME}.svc")];
    let Some(callee) = Callee::serve(&names, wardle.router()).await else {
        return;
    };
    lose(&stage).await;
    empty_namespace(&stage, NAME).await;
    deploy(&stage, &callee).await;
    let flunder = json!({"apiVersion": format!("{GROUP}/v1"), "kind": "Flunder",
        "metadata": {"name": "flat", "namespace": NAME}, "spec": {"fins": 3}});
    create(&stage, &flunders(), &flunder).await;
    let backup = stage.backup_of(&[NAME]);
    let status = stage.run_backup(&backup, CrashPoints::none()).await;
    // Registered without a server it would be in the way of every other test's namespaces.
    lose(&stage).await;
    assert_eq!(status.state, JobState::Completed, "{status:#?}");
    wardle.stored.lock().unwrap().clear();
    wardle.door.set(false);

    let restore = stage.restore_of(&backup);
    let answers = async {
        let found = async || {
            let kind = api_services();
            let asked = objects::get(&stage.cluster, &kind, None, API).await;
            asked.unwrap().is_some()
        };
        while !found().await {
            tokio::task::yield_now().await;
        }
        // Whoever asked before now was sent away, and somebody has asked since.
        wardle.door.set(false);
        wardle.door.after(2).await;
        wardle.door.set(true);
    };
    let answers = tokio::time::timeout(PATIENCE, answers);
    let (status, answers) = tokio::join!(stage.run_restore(&restore, CrashPoints::none()), answers);
    let lines = stage.report(restore.job_id, &status).await;
    lose(&stage).await;
    answers.expect("the API is restored, and asked for");
    let told = line(&lines, &format!("{GROUP}/Flunder {NAME}/flat"));
    assert_eq!(
        (told.outcome, told.code.as_deref()),
        (Outcome::Created, None)
    );
    let odd: Vec<_> = lines.iter().filter(|line| line.code.is_some()).collect();
    assert_eq!(status.state, JobState::Completed, "{odd:#?}");
    let stored = wardle.stored.lock().unwrap();
    assert_eq!(stored["flat"]["spec"], json!({"fins": 3}));
}
