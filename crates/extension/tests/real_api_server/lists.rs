//! Lists that are interrupted on a real API server: its past is forgotten between two pages, or the
//! type itself goes.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::http::{Request, Uri};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures::{FutureExt as _, StreamExt as _, stream};
use serde_json::{Value, json};
use strongroom_core::ResourceType;
use strongroom_core::report::{ObjectOutcome, Outcome};
use strongroom_extension::crash::CrashPoints;
use strongroom_kubernetes::apply::{self as objects, Created};
use strongroom_kubernetes::crd::{BackupSpec, JobState};
use strongroom_kubernetes::exec::{self, Exec};
use strongroom_kubernetes::{Cluster, Failure};

use super::bad_input::{create, custom, define, definition, empty_namespace, undefine};
use super::gate::{gated, is_further_page};
use super::stage::{PATIENCE, Stage, core};
use super::trouble::{definitions, line, remove};

/// More than one page, which holds 500.
const MANY: usize = 620;
/// How many are created at once.
const AT_ONCE: usize = 32;
/// How long a pod may take to answer.
const EXEC: Duration = Duration::from_secs(30);

async fn many(stage: &Stage, resource: &ResourceType, namespace: &str) {
    let made = stream::iter(0..MANY).map(|number| async move {
        let object = json!({"apiVersion": resource.api_version(), "kind": resource.kind,
            "metadata": {"name": format!("n{number:04}"), "namespace": namespace}});
        create(stage, resource, &object).await;
    });
    made.buffer_unordered(AT_ONCE).collect::<()>().await;
}

/// The names of the objects of a kind that a report says were backed up, each once.
fn taken(lines: &[ObjectOutcome], kind: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for line in lines {
        if line.object.kind == kind && line.outcome == Outcome::BackedUp {
            assert!(names.insert(line.object.name.clone()), "twice: {line:?}");
        }
    }
    names
}

fn numbered(count: usize) -> BTreeSet<String> {
    (0..count).map(|number| format!("n{number:04}")).collect()
}

/// A pod beside etcd, in the network of the node; none when the cluster has no node.
async fn beside_etcd(stage: &Stage) -> Option<()> {
    let nodes = core("Node", "nodes", false);
    let path = strongroom_kubernetes::cluster::path_of(&nodes, None, None);
    let listed = stage
        .cluster
        .raw(Request::get(path).body(Vec::new()).unwrap());
    let listed: Value = serde_json::from_slice(&listed.await.unwrap()).unwrap();
    if listed["items"].as_array().is_none_or(Vec::is_empty) {
        println!("left out: the cluster has no node, so nobody reaches its etcd");
        return None;
    }
    let pod = json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "beside-etcd", "namespace": stage.namespace()},
        "spec": {"hostNetwork": true, "terminationGracePeriodSeconds": 0, "restartPolicy": "Never",
            "containers": [{"name": "main", "image": "localhost/busybox:1",
                "imagePullPolicy": "IfNotPresent", "command": ["sleep", "100000"]}]}});
    let pods = core("Pod", "pods", true);
    create(stage, &pods, &pod).await;
    let runs = async {
        loop {
            let live = objects::get(
                &stage.cluster,
                &pods,
                Some(stage.namespace()),
                "beside-etcd",
            );
            if live.await.unwrap().unwrap()["status"]["phase"] == "Running" {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, runs).await.expect("it runs");
    Some(())
}

async fn tell_etcd(cluster: &Cluster, namespace: &str, path: &str, body: &Value) {
    let url = format!("http://127.0.0.1:2379/v3/kv/{path}");
    let body = body.to_string();
    let command = ["wget", "-q", "-O", "-", "--post-data", &body, &url];
    let command: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
    let exec = Exec {
        namespace,
        pod: "beside-etcd",
        container: "main",
        command: &command,
        timeout: EXEC,
    };
    exec::exec(cluster, &exec).await.unwrap();
}

/// Lets the cluster forget its past up to now, as etcd's compaction does every five minutes, and waits
/// until the API server no longer answers a request for a page of it.
async fn forget_the_past(cluster: Cluster, namespace: String, page: Uri) {
    // The state of the list must be older than what is forgotten, so something is written.
    let note = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "since", "namespace": namespace}});
    let maps = core("ConfigMap", "configmaps", true);
    let Created::New(written) = objects::create(&cluster, &maps, &note).await.unwrap() else {
        panic!("it was there");
    };
    let revision = written.object["metadata"]["resourceVersion"]
        .as_str()
        .unwrap();
    let compaction = json!({"revision": revision});
    tell_etcd(&cluster, &namespace, "compaction", &compaction).await;
    // API servers keep states in memory until they hear of it, which they do by this key.
    // Source: `k8s.io/apiserver/pkg/storage/etcd3/compact.go` (`compactRevKey`).
    let heard = json!({"key": BASE64.encode("compact_rev_key"), "value": BASE64.encode(revision)});
    tell_etcd(&cluster, &namespace, "put", &heard).await;
    let path = page.path_and_query().unwrap().as_str();
    let forgotten = async {
        loop {
            let asked = Request::get(path).body(Vec::new()).unwrap();
            match cluster.raw(asked).await {
                Err(error) if matches!(error.failure, Failure::Gone { .. }) => return,
                // It looks every fifteen seconds.
                _ => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, forgotten)
        .await
        .expect("the API server forgets");
}

fn of_type(stage: &Stage, namespace: &str, resource: &ResourceType) -> BackupSpec {
    let mut backup = stage.backup_of(&[namespace]);
    backup.selection.included_resource_types = vec![resource.resource(), "services".to_owned()];
    backup
}

#[tokio::test(flavor = "multi_thread")]
async fn a_past_that_is_forgotten_in_mid_list_loses_and_doubles_nothing_and_is_told() {
    let Some(mut stage) = Stage::new("expired").await else {
        return;
    };
    if beside_etcd(&stage).await.is_none() {
        return;
    }
    let place = empty_namespace(&stage, "strongroom-expired").await;
    let maps = core("ConfigMap", "configmaps", true);
    many(&stage, &maps, &place.namespace).await;
    let plain = stage.cluster.clone();
    let beside = stage.namespace().to_owned();
    stage.seen = Some(gated(&plain, |uri| is_further_page(uri, "configmaps"), {
        let plain = plain.clone();
        move |uri| forget_the_past(plain.clone(), beside.clone(), uri).boxed()
    }));
    let backup = of_type(&stage, &place.namespace, &maps);
    let status = stage.run_backup(&backup, CrashPoints::none()).await;
    let lines = stage.report(backup.job_id, &status).await;
    let mut names = taken(&lines, "ConfigMap");
    names.remove("kube-root-ca.crt");
    assert_eq!(names, numbered(MANY));
    let cut = status.cut.clone().unwrap_or_default();
    assert!(
        cut.starts_with("smeared from ") && cut.contains("(configmaps)"),
        "{status:#?}"
    );
    let findings: Vec<_> = lines.iter().filter(|line| line.code.is_some()).collect();
    assert_eq!(findings.len(), 1, "{findings:#?}");
    let code = line(&lines, "ConfigMap *").code.as_deref();
    assert_eq!(code, Some("RecoveryPointSmeared"));
    remove(
        &stage,
        &core("Namespace", "namespaces", false),
        &place.namespace,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_type_that_is_removed_in_mid_list_is_a_finding_and_the_rest_is_taken() {
    let Some(mut stage) = Stage::new("removed").await else {
        return;
    };
    undefine(&stage, "fossils").await;
    let place = empty_namespace(&stage, "strongroom-removed").await;
    define(&stage, &definition("Fossil", "fossils", false)).await;
    let fossils = custom("v1", "Fossil", "fossils");
    many(&stage, &fossils, &place.namespace).await;
    let service = json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "web", "namespace": place.namespace},
        "spec": {"ports": [{"port": 80}]}});
    create(&stage, &core("Service", "services", true), &service).await;
    let plain = stage.cluster.clone();
    let goes = move |_: Uri| {
        let plain = plain.clone();
        async move {
            let how = objects::Propagation::Background;
            let name = "fossils.bad.example.com";
            objects::delete(&plain, &definitions(), None, name, None, how)
                .await
                .unwrap();
            objects::wait_gone(&plain, &definitions(), None, name, PATIENCE)
                .await
                .unwrap();
        }
        .boxed()
    };
    let meets = |uri: &Uri| is_further_page(uri, "fossils");
    stage.seen = Some(gated(&stage.cluster, meets, goes));
    let backup = of_type(&stage, &place.namespace, &fossils);
    let status = stage.run_backup(&backup, CrashPoints::none()).await;
    let lines = stage.report(backup.job_id, &status).await;
    remove(
        &stage,
        &core("Namespace", "namespaces", false),
        &place.namespace,
    )
    .await;
    assert_eq!(status.state, JobState::CompletedWithWarnings, "{status:#?}");
    let findings: Vec<_> = lines.iter().filter(|line| line.code.is_some()).collect();
    assert_eq!(findings.len(), 1, "{findings:#?}");
    let code = findings[0].code.as_deref();
    assert_eq!(code, Some("ResourceTypeRemovedDuringBackup"));
    // What was read before is kept, and the report says which that is.
    assert_eq!(taken(&lines, "Fossil").len(), 500);
    let web = line(&lines, "Service strongroom-removed/web");
    assert_eq!(web.outcome, Outcome::BackedUp);
}
