//! What is backed up: an application of eight volumes whose hooks really freeze them, and fifty claims.

use serde_json::{Value, json};

/// The application's namespace.
pub(super) const SHOP: &str = "bench-shop";
/// Its volumes.
pub(super) const SHOP_VOLUMES: usize = 8;
/// The namespace of many claims.
pub(super) const MANY: &str = "bench-many";
/// How many.
const CLAIMS: usize = 50;
/// The class of the test cluster's driver that binds claims at once.
const CLASS: &str = "csi-loop-immediate";
/// How long a freeze of the application may take: it takes milliseconds.
const HOOK_TIMEOUT: &str = "5s";

/// The application: a pod that has eight file systems mounted, and the hook that freezes all of them.
pub(super) fn shop() -> Vec<Value> {
    let at = || 0..SHOP_VOLUMES;
    let volumes: Vec<Value> = at()
        .map(|at| {
            let claim = format!("data-{at}");
            json!({"name": claim, "persistentVolumeClaim": {"claimName": claim}})
        })
        .collect();
    let mounts: Vec<Value> = at()
        .map(|at| json!({"name": format!("data-{at}"), "mountPath": format!("/data/{at}")}))
        .collect();
    let container = json!({"name": "main", "image": "localhost/busybox:1", "imagePullPolicy": "IfNotPresent",
        "command": ["sleep", "1000000"], "securityContext": {"privileged": true}, "volumeMounts": mounts});
    let labels = json!({"app": "shop"});
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "shop", "namespace": SHOP},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {
                "terminationGracePeriodSeconds": 0, "containers": [container], "volumes": volumes}}}});
    let exec =
        |script: &str| json!({"exec": {"command": ["sh", "-c", script], "timeout": HOOK_TIMEOUT}});
    // Side by side: each waits for its file system's own writes. One that is frozen already cannot be frozen:
    // the hook would say that a thaw was missed.
    let freeze = exec(
        "for at in /data/*; do fsfreeze --freeze $at & all=\"$all $!\"; done; for one in $all; do wait $one || exit 1; done",
    );
    let thaw = exec("for at in /data/*; do fsfreeze --unfreeze $at; done; true");
    let hook = json!({"apiVersion": "clusterbackup.dataprotection.microsoft.com/v1alpha1", "kind": "BackupHook",
        "metadata": {"name": "freeze", "namespace": SHOP},
        "spec": {"backupHook": [{"name": "shop", "labelSelector": {"matchLabels": labels},
            "preHooks": [freeze], "postHooks": [thaw]}]}});
    let claims = at().map(|at| claim(SHOP, at));
    claims.chain([deployment, hook]).collect()
}

/// Unfreezes each volume of the application and names those that were frozen.
pub(super) const UNFREEZE: &str =
    "for at in /data/*; do fsfreeze --unfreeze $at 2>/dev/null && echo $at; done; true";

/// Fifty claims.
pub(super) fn many() -> Vec<Value> {
    (0..CLAIMS).map(|at| claim(MANY, at)).collect()
}

/// A VolumeSnapshot of each of them.
pub(super) fn plain_snapshots(round: usize) -> Vec<Value> {
    let snapshot = |at: usize| {
        json!({"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshot",
            "metadata": {"name": format!("plain-{round}-{at}"), "namespace": MANY},
            "spec": {"volumeSnapshotClassName": super::place::SNAPSHOT_CLASS,
                "source": {"persistentVolumeClaimName": format!("data-{at}")}}})
    };
    (0..CLAIMS).map(snapshot).collect()
}

fn claim(namespace: &str, at: usize) -> Value {
    json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": format!("data-{at}"), "namespace": namespace},
        "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": CLASS,
            "resources": {"requests": {"storage": "16Mi"}}}})
}
