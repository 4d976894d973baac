//! Raw blocks, volumes that several pods write, and another class: each comes back with the same bytes.

use std::time::Duration;

use serde_json::{Value, json};
use strongroom_extension::crash::CrashPoints;
use strongroom_kubernetes::apply as objects;
use strongroom_kubernetes::crd::JobState;
use strongroom_kubernetes::exec::{self, Exec};

use super::super::stage::{PATIENCE, Stage, core};
use super::database::{Database, claims, mapped, nothing_is_left, volumes};

const LOOK: Duration = Duration::from_millis(50);
/// The class into which one claim is mapped.
const OTHER_CLASS: &str = "strongroom-modes";

/// Two claims (raw blocks, and one that two pods write at once), and their three pods.
fn objects_of(namespace: &str) -> Vec<(strongroom_core::ResourceType, Value)> {
    let claim = |name: &str, mode: &str, access: &str| {
        let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"accessModes": [access], "volumeMode": mode, "storageClassName": "csi-loop",
                "resources": {"requests": {"storage": "32Mi"}}}});
        (claims(), claim)
    };
    let pod = |name: &str, claim: &str, field: &str, place: Value| {
        let pod = json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"terminationGracePeriodSeconds": 0,
                "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}],
                "containers": [{"name": "main", "image": "localhost/busybox:1",
                    "imagePullPolicy": "IfNotPresent", "command": ["sleep", "100000"],
                    field: [place]}]}});
        (core("Pod", "pods", true), pod)
    };
    let device = json!({"name": "data", "devicePath": "/dev/data"});
    let mount = json!({"name": "data", "mountPath": "/data"});
    vec![
        claim("blocks", "Block", "ReadWriteOnce"),
        claim("shared", "Filesystem", "ReadWriteMany"),
        pod("blocks", "blocks", "volumeDevices", device),
        pod("one", "shared", "volumeMounts", mount.clone()),
        pod("two", "shared", "volumeMounts", mount),
    ]
}

/// What a command in a pod prints, once it succeeds.
async fn said(stage: &Stage, namespace: &str, pod: &str, script: &str) -> String {
    let command = ["sh", "-c", script].map(str::to_owned);
    let exec = Exec {
        namespace,
        pod,
        container: "main",
        command: &command,
        timeout: Duration::from_secs(30),
    };
    let saying = async {
        loop {
            if let Ok(output) = exec::exec(&stage.cluster, &exec).await {
                return output.stdout.text().trim().to_owned();
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    let said = tokio::time::timeout(PATIENCE, saying).await;
    said.unwrap_or_else(|_| panic!("{namespace}/{pod}: {script}"))
}

/// The checksums of the raw blocks, and of the shared file as each of its pods sees it.
async fn sums(stage: &Stage, namespace: &str) -> [String; 3] {
    let blocks = "head -c 4000000 /dev/data | md5sum";
    let file = "md5sum < /data/one && md5sum < /data/two";
    [
        said(stage, namespace, "blocks", blocks).await,
        said(stage, namespace, "one", file).await,
        said(stage, namespace, "two", file).await,
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn raw_blocks_and_volumes_of_several_pods_come_back_byte_by_byte_also_in_another_class() {
    let Some(stage) = super::stage("volumes-modes").await else {
        return;
    };
    let cluster = &stage.cluster;
    let (source, copy) = (
        Database::at("strongroom-modes"),
        Database::at("strongroom-modes-copy"),
    );
    source.forget(&stage).await;
    copy.lose(&stage).await;
    let place = json!({"apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": source.namespace}});
    let namespaces = core("Namespace", "namespaces", false);
    objects::create(cluster, &namespaces, &place).await.unwrap();
    for (kind, object) in objects_of(&source.namespace) {
        objects::create(cluster, &kind, &object).await.unwrap();
    }
    let class = json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
        "metadata": {"name": OTHER_CLASS}, "provisioner": super::database::DRIVER,
        "volumeBindingMode": "Immediate"});
    objects::create(cluster, &volumes().1, &class)
        .await
        .unwrap();
    let random = "head -c 4000000 /dev/urandom";
    said(
        &stage,
        &source.namespace,
        "blocks",
        &format!("{random} | dd of=/dev/data bs=1M conv=fsync 2>/dev/null"),
    )
    .await;
    for pod in ["one", "two"] {
        let script = format!("{random} > /data/{pod}; sync");
        said(&stage, &source.namespace, pod, &script).await;
    }
    let written = sums(&stage, &source.namespace).await;
    assert_eq!(written[1], written[2], "both pods see the same volume");

    let backup = source.back_up(&stage).await;
    let mut beside = mapped(source.restore(&stage, &backup), &copy);
    beside.criteria.volumes.class_mappings =
        [("csi-loop".to_owned(), OTHER_CLASS.to_owned())].into();
    let status = stage.run_restore(&beside, CrashPoints::none()).await;
    assert_eq!(status.state, JobState::Completed, "{status:#?}");
    assert_eq!(sums(&stage, &copy.namespace).await, written);
    for claim in ["blocks", "shared"] {
        let volume = copy.volume_of(&stage, claim).await;
        assert_eq!(volume["spec"]["storageClassName"], OTHER_CLASS, "{claim}");
    }
    copy.lose(&stage).await;

    source.lose(&stage).await;
    let restore = source.restore(&stage, &backup);
    let status = stage.run_restore(&restore, CrashPoints::none()).await;
    assert_eq!(status.state, JobState::Completed, "{status:#?}");
    assert_eq!(sums(&stage, &source.namespace).await, written);
    nothing_is_left(&stage).await;
    source.forget(&stage).await;
    let how = objects::Propagation::Background;
    objects::delete(cluster, &volumes().1, None, OTHER_CLASS, None, how)
        .await
        .unwrap();
}
