//! Volumes made from snapshots of a real driver. Needs a cluster with a node and its CSI driver (`cargo xtask
//! cluster up`); without them these tests say that they are left out.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use strongroom_core::object::ResourceType;
use strongroom_core::restore::volumes::take_from_snapshot;
use strongroom_kubernetes::Cluster;
use strongroom_kubernetes::apply::{self as objects, Propagation};
use strongroom_kubernetes::snapshots::provision::{self, Readiness, Source};
use uuid::Uuid;

const LONG: Duration = Duration::from_secs(60);
const DRIVER: &str = "loop.csi.local";

/// The cluster, when its driver is that of the test cluster.
async fn cluster_with_volumes() -> Option<Cluster> {
    let cluster = super::cluster()?;
    let drivers = ResourceType::new("storage.k8s.io", "v1", "CSIDriver", "csidrivers", false);
    if objects::get(&cluster, &drivers, None, DRIVER)
        .await
        .unwrap()
        .is_none()
    {
        println!("left out: the cluster has no CSI driver {DRIVER}");
        return None;
    }
    Some(cluster)
}

fn pods() -> ResourceType {
    super::core("Pod", "pods", true)
}

fn claims() -> ResourceType {
    super::core("PersistentVolumeClaim", "persistentvolumeclaims", true)
}

fn claim(namespace: &str, name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "csi-loop",
            "resources": {"requests": {"storage": "32Mi"}}}})
}

/// The object once it is as wanted.
async fn until(
    cluster: &Cluster,
    (kind, namespace, name): (&ResourceType, Option<&str>, &str),
    wanted: impl Fn(&Value) -> bool,
) -> Value {
    let look = async {
        loop {
            let live = objects::get(cluster, kind, namespace, name).await.unwrap();
            let live = live.unwrap_or_default();
            if wanted(&live) {
                return live;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    match tokio::time::timeout(LONG, look).await {
        Ok(live) => live,
        Err(_) => panic!("{} {name} never was as wanted", kind.kind),
    }
}

/// Runs a command in a pod that mounts a claim at `/data`, to its end, and gives what it said.
async fn run_with(cluster: &Cluster, namespace: &str, claim: &str, command: &str) -> String {
    let name = format!("with-{claim}");
    let pod = json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"restartPolicy": "Never", "terminationGracePeriodSeconds": 0,
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}],
            "containers": [{"name": "main", "image": "localhost/busybox:1",
                "imagePullPolicy": "IfNotPresent",
                "command": ["sh", "-c", format!("{{ {command}; }} > /dev/termination-log")],
                "volumeMounts": [{"name": "data", "mountPath": "/data"}]}]}});
    super::create(cluster, &pods(), &pod).await;
    let ended = until(cluster, (&pods(), Some(namespace), &name), |pod| {
        ["Succeeded", "Failed"]
            .iter()
            .any(|phase| pod["status"]["phase"] == *phase)
    })
    .await;
    assert_eq!(
        ended["status"]["phase"], "Succeeded",
        "{:#}",
        ended["status"]
    );
    let how = Propagation::Background;
    objects::delete(cluster, &pods(), Some(namespace), &name, None, how)
        .await
        .unwrap();
    let said = &ended["status"]["containerStatuses"][0]["state"]["terminated"]["message"];
    said.as_str().unwrap_or_default().trim().to_owned()
}

/// Takes a snapshot by hand, as a user would; the driver's name for it, which outlives the objects.
async fn snapshot_by_hand(cluster: &Cluster, namespace: &str, claim: &str) -> (String, String) {
    let snapshot = json!({"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshot",
        "metadata": {"name": "by-hand", "namespace": namespace},
        "spec": {"volumeSnapshotClassName": "csi-loop",
            "source": {"persistentVolumeClaimName": claim}}});
    super::create(cluster, &provision::snapshots(), &snapshot).await;
    let place = (&provision::snapshots(), Some(namespace), "by-hand");
    let ready = until(cluster, place, |it| it["status"]["readyToUse"] == true).await;
    let content = ready["status"]["boundVolumeSnapshotContentName"]
        .as_str()
        .unwrap();
    let live = objects::get(cluster, &provision::contents(), None, content)
        .await
        .unwrap();
    let handle = live.unwrap()["status"]["snapshotHandle"]
        .as_str()
        .unwrap()
        .to_owned();
    (handle, content.to_owned())
}

fn source(job: u128, namespace: &str, claim: &str, handle: &str) -> Source {
    let job = Uuid::from_u128(job);
    Source {
        name: provision::name(job, namespace, claim),
        namespace: namespace.to_owned(),
        claim: claim.to_owned(),
        restore: format!("restore-{job}"),
        extension: "tests".to_owned(),
        driver: DRIVER.to_owned(),
        handle: handle.to_owned(),
        volume_mode: "Filesystem".to_owned(),
        class: "csi-loop".to_owned(),
        annotations: BTreeMap::new(),
        reclaim_policy: String::new(),
    }
}

async fn show(cluster: &Cluster, source: &Source) -> Readiness {
    // Twice, as an attempt does that follows a killed one.
    for _ in 0..2 {
        provision::create_content(cluster, source).await.unwrap();
        provision::create_snapshot(cluster, source).await.unwrap();
    }
    let look = async {
        loop {
            let found = provision::readiness(cluster, source).await.unwrap();
            if found != Readiness::Waiting {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(LONG, look)
        .await
        .unwrap_or(Readiness::Waiting)
}

async fn restore(cluster: &Cluster, source: &Source) {
    let ready = show(cluster, source).await;
    let Readiness::Ready { restore_size } = ready else {
        panic!("{ready:?}");
    };
    let mut object = claim(&source.namespace, &source.claim);
    take_from_snapshot(&mut object, &source.name, restore_size);
    super::create(cluster, &claims(), &object).await;
}

async fn is_gone(cluster: &Cluster, source: &Source) {
    let limit = Duration::from_secs(30);
    let (namespace, name) = (Some(source.namespace.as_str()), source.name.as_str());
    let snapshots = provision::snapshots();
    objects::wait_gone(cluster, &snapshots, namespace, name, limit)
        .await
        .unwrap();
    objects::wait_gone(cluster, &provision::contents(), None, name, limit)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_claims_are_made_from_one_snapshot_at_once_and_it_outlives_what_they_were_made_from() {
    let Some(cluster) = cluster_with_volumes().await else {
        return;
    };
    let namespace = super::namespace(&cluster, "provision").await;
    super::create(&cluster, &claims(), &claim(&namespace, "data")).await;
    let write =
        "dd if=/dev/urandom of=/data/file bs=64k count=64 2>/dev/null; sync; md5sum < /data/file";
    let written = run_with(&cluster, &namespace, "data", write).await;
    assert_eq!(written.len(), 35, "{written}");
    let (handle, content) = snapshot_by_hand(&cluster, &namespace, "data").await;

    let (first, second) = (
        source(1, &namespace, "first", &handle),
        source(2, &namespace, "second", &handle),
    );
    tokio::join!(restore(&cluster, &first), restore(&cluster, &second));
    for one in [&first, &second] {
        let read = run_with(&cluster, &namespace, &one.claim, "md5sum < /data/file").await;
        assert_eq!(read, written, "{}", one.claim);
        provision::remove(&cluster, one).await.unwrap();
        is_gone(&cluster, one).await;
        provision::remove(&cluster, one).await.unwrap();
    }

    let third = source(3, &namespace, "third", &handle);
    assert!(matches!(
        show(&cluster, &third).await,
        Readiness::Ready { .. }
    ));
    provision::remove(&cluster, &third).await.unwrap();
    is_gone(&cluster, &third).await;

    let how = Propagation::Background;
    objects::delete(
        &cluster,
        &provision::snapshots(),
        Some(&namespace),
        "by-hand",
        None,
        how,
    )
    .await
    .unwrap();
    objects::wait_gone(&cluster, &provision::contents(), None, &content, LONG)
        .await
        .unwrap();
    let gone = source(4, &namespace, "fourth", &handle);
    let told = show(&cluster, &gone).await;
    assert!(
        matches!(&told, Readiness::Trouble(why) if why.contains(&handle)),
        "a snapshot that was deleted is named: {told:?}"
    );
    provision::remove(&cluster, &gone).await.unwrap();
    is_gone(&cluster, &gone).await;
    super::remove_namespace(&cluster, &namespace).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_under_a_name_of_ours_and_is_another_snapshot_is_not_taken() {
    let Some(cluster) = cluster_with_volumes().await else {
        return;
    };
    let namespace = super::namespace(&cluster, "provision-other").await;
    let one = source(5, &namespace, "data", "snap-one");
    provision::create_content(&cluster, &one).await.unwrap();
    let other = Source {
        handle: "snap-two".to_owned(),
        ..one.clone()
    };
    let refused = provision::create_content(&cluster, &other)
        .await
        .unwrap_err();
    assert!(
        refused.to_string().contains("not of this restore"),
        "{refused}"
    );
    provision::remove(&cluster, &one).await.unwrap();
    is_gone(&cluster, &one).await;
    super::remove_namespace(&cluster, &namespace).await;
}
