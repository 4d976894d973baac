//! Commands in containers of real pods. Needs a cluster with a node (`cargo xtask cluster up`); without one
//! these tests say that they are left out.

use std::time::Duration;

use serde_json::{Value, json};
use strongroom_core::object::ResourceType;
use strongroom_kubernetes::apply as objects;
use strongroom_kubernetes::exec::{self, Exec, ExecError, ExecFailure, Output};
use strongroom_kubernetes::limits::EXEC_OUTPUT_BYTES;
use strongroom_kubernetes::{Cluster, Failure};
use tokio::time::Instant;

const LONG: Duration = Duration::from_secs(60);

fn pods() -> ResourceType {
    super::core("Pod", "pods", true)
}

/// The cluster, when pods run in it.
async fn cluster_with_a_node() -> Option<Cluster> {
    let cluster = super::cluster()?;
    let nodes = super::core("Node", "nodes", false);
    let request = http::Request::get(strongroom_kubernetes::cluster::path_of(&nodes, None, None));
    let list = cluster
        .raw(request.body(Vec::new()).unwrap())
        .await
        .unwrap();
    let list: Value = serde_json::from_slice(&list).unwrap();
    if list["items"].as_array().is_none_or(Vec::is_empty) {
        println!("left out: the cluster has no node");
        return None;
    }
    Some(cluster)
}

/// A pod of two containers that waits for commands.
async fn waiting_pod(cluster: &Cluster, namespace: &str, name: &str) {
    let container = |name: &str, command: Value| {
        json!({"name": name, "image": "localhost/busybox:1", "imagePullPolicy": "IfNotPresent",
            "command": command})
    };
    let pod = json!({"apiVersion": "v1", "kind": "Pod",
    "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}},
    "spec": {"terminationGracePeriodSeconds": 0, "restartPolicy": "Never", "containers": [
        container("main", json!(["sleep", "100000"])),
        container("done", json!(["true"])),
    ]}});
    super::create(cluster, &pods(), &pod).await;
    let ready = async {
        loop {
            let live = objects::get(cluster, &pods(), Some(namespace), name)
                .await
                .unwrap();
            let statuses = live.unwrap()["status"]["containerStatuses"].clone();
            let state = |name: &str| {
                let all = statuses.as_array().cloned().unwrap_or_default();
                let one = all.into_iter().find(|one| one["name"] == name);
                one.map(|one| one["state"].clone()).unwrap_or_default()
            };
            if state("main")["running"].is_object() && state("done")["terminated"].is_object() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(LONG, ready).await.unwrap();
}

async fn run(
    cluster: &Cluster,
    place: (&str, &str, &str),
    command: &[&str],
    timeout: Duration,
) -> Result<Output, ExecError> {
    let command: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
    let (namespace, pod, container) = place;
    let exec = Exec {
        namespace,
        pod,
        container,
        command: &command,
        timeout,
    };
    exec::exec(cluster, &exec).await
}

#[tokio::test]
async fn a_command_tells_what_it_printed_and_each_way_to_fail_has_its_own_meaning() {
    let Some(cluster) = cluster_with_a_node().await else {
        return;
    };
    let namespace = super::namespace(&cluster, "exec").await;
    waiting_pod(&cluster, &namespace, "one").await;
    let main = (namespace.as_str(), "one", "main");

    let output = run(&cluster, main, &["echo", "$HOME", "*"], LONG)
        .await
        .unwrap();
    assert_eq!(output.stdout.text(), "$HOME *\n", "no shell stands between");
    assert_eq!(output.stderr.text(), "");

    let script = "echo out; echo err >&2; exit 3";
    let failed = run(&cluster, main, &["sh", "-c", script], LONG)
        .await
        .unwrap_err();
    assert!(
        matches!(failed.failure, ExecFailure::ExitCode { code: 3 }),
        "{failed}"
    );
    assert_eq!(failed.output.stdout.text(), "out\n");
    assert_eq!(failed.output.stderr.text(), "err\n");

    let absent = run(&cluster, main, &["/no/such/program"], LONG)
        .await
        .unwrap_err();
    assert!(
        matches!(absent.failure, ExecFailure::CommandAbsent { .. }),
        "{absent}"
    );
    let absent = run(&cluster, main, &["nosuch"], LONG).await.unwrap_err();
    assert!(
        matches!(absent.failure, ExecFailure::CommandAbsent { .. }),
        "{absent}"
    );

    let other = (namespace.as_str(), "one", "nosuch");
    let absent = run(&cluster, other, &["true"], LONG).await.unwrap_err();
    assert!(
        matches!(absent.failure, ExecFailure::ContainerAbsent),
        "{absent}"
    );
    let ended = (namespace.as_str(), "one", "done");
    let ended = run(&cluster, ended, &["true"], LONG).await.unwrap_err();
    assert!(
        matches!(ended.failure, ExecFailure::NotRunning { .. }),
        "{ended}"
    );
    let gone = (namespace.as_str(), "two", "main");
    let gone = run(&cluster, gone, &["true"], LONG).await.unwrap_err();
    assert!(matches!(gone.failure, ExecFailure::PodGone), "{gone}");

    let nobody = cluster.with_bearer_token("nobody").unwrap();
    let refused = run(&nobody, main, &["true"], LONG).await.unwrap_err();
    let unauthorized = matches!(
        &refused.failure,
        ExecFailure::Cluster(Failure::Unauthorized { .. })
    );
    assert!(unauthorized, "{refused}");
    super::remove_namespace(&cluster, &namespace).await;
}

#[tokio::test]
async fn a_command_that_hangs_or_floods_ends_within_its_time_and_within_its_bytes() {
    let Some(cluster) = cluster_with_a_node().await else {
        return;
    };
    let namespace = super::namespace(&cluster, "exec-odd").await;
    waiting_pod(&cluster, &namespace, "one").await;
    let main = (namespace.as_str(), "one", "main");

    let began = Instant::now();
    let hang = ["sh", "-c", "echo waiting; sleep 1000"];
    let hung = run(&cluster, main, &hang, Duration::from_secs(2))
        .await
        .unwrap_err();
    assert!(
        matches!(hung.failure, ExecFailure::TimedOut { .. }),
        "{hung}"
    );
    assert_eq!(hung.output.stdout.text(), "waiting\n");
    assert!(began.elapsed() < Duration::from_secs(10));

    let flood = [
        "sh",
        "-c",
        "head -c 100000000 /dev/zero; head -c 200000 /dev/zero >&2; exit 4",
    ];
    let flood = run(&cluster, main, &flood, LONG).await.unwrap_err();
    assert!(
        matches!(flood.failure, ExecFailure::ExitCode { code: 4 }),
        "{flood}"
    );
    let kept = EXEC_OUTPUT_BYTES as u64;
    assert_eq!(flood.output.stdout.dropped(), 100_000_000 - kept);
    assert_eq!(flood.output.stderr.dropped(), 200_000 - kept);

    // A pod that goes while its command runs.
    let doomed = run(&cluster, main, &["sleep", "1000"], LONG);
    let remove = async {
        let looked = run(
            &cluster,
            main,
            &["sh", "-c", "until pidof sleep; do :; done"],
            LONG,
        );
        looked.await.unwrap();
        let how = objects::Propagation::Background;
        let (kind, place) = (pods(), Some(namespace.as_str()));
        let gone = objects::delete(&cluster, &kind, place, "one", None, how);
        gone.await.unwrap();
    };
    let (doomed, ()) = tokio::join!(doomed, remove);
    let doomed = doomed.unwrap_err();
    assert!(doomed.failure.may_have_run(), "{doomed}");
    super::remove_namespace(&cluster, &namespace).await;
}

#[tokio::test]
async fn what_must_be_known_of_pods_is_read() {
    let Some(cluster) = cluster_with_a_node().await else {
        return;
    };
    let namespace = super::namespace(&cluster, "exec-pods").await;
    waiting_pod(&cluster, &namespace, "one").await;
    let mut found = Vec::new();
    exec::pods(&cluster, Some(&namespace), |pod| found.push(pod))
        .await
        .unwrap();
    let [pod] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert_eq!((pod.name.as_str(), pod.phase.as_str()), ("one", "Running"));
    assert_eq!(pod.containers, ["main", "done"]);
    assert_eq!(pod.labels["app"], "one");
    let same = exec::pod(&cluster, &namespace, "one").await.unwrap();
    assert_eq!(same.as_ref(), Some(pod));
    assert!(
        exec::pod(&cluster, &namespace, "two")
            .await
            .unwrap()
            .is_none()
    );
    let mut everywhere = Vec::new();
    exec::pods(&cluster, None, |pod| everywhere.push(pod.uid))
        .await
        .unwrap();
    assert!(everywhere.contains(&pod.uid));
    super::remove_namespace(&cluster, &namespace).await;
}
