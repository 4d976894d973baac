//! A VolumeSnapshotClass that is labelled for backups and asks the test cluster's driver for faults
//! (`tests/cluster/csi-loop/faults.go`), or none at all, for as long as this lives.

use serde_json::{Value, json};
use strongroom_core::volumes::CLASS_LABEL;
use strongroom_kubernetes::apply::{self as objects, Propagation};
use strongroom_kubernetes::{Cluster, FIELD_MANAGER, snapshots};

/// The name of the class: one at a time, and what a run that was killed has left is replaced.
const NAME: &str = "strongroom-faulty";

/// The class that the test cluster has.
const DEFAULT: &str = "csi-loop";

pub(crate) struct Faults {
    cluster: Cluster,
    /// A class that comes back.
    taken: Option<Value>,
}

impl Faults {
    /// The driver's faults by the parameters of the class.
    pub(crate) async fn of_driver(cluster: &Cluster, parameters: &Value) -> Self {
        let this = Self {
            cluster: cluster.clone(),
            taken: None,
        };
        this.end().await;
        let kind = snapshots::classes();
        let class = json!({"apiVersion": kind.api_version(), "kind": kind.kind,
            "metadata": {"name": NAME, "labels": {CLASS_LABEL: "true"}},
            "driver": "loop.csi.local", "deletionPolicy": "Delete", "parameters": parameters});
        objects::patch_apply(cluster, &kind, &class, FIELD_MANAGER, true)
            .await
            .unwrap();
        this
    }

    /// The driver has no class.
    pub(crate) async fn no_class(cluster: &Cluster) -> Self {
        let (kind, how) = (snapshots::classes(), Propagation::Background);
        let class = objects::get(cluster, &kind, None, DEFAULT).await.unwrap();
        let class = class.unwrap();
        objects::delete(cluster, &kind, None, DEFAULT, None, how)
            .await
            .unwrap();
        let metadata = &class["metadata"];
        let again = json!({"apiVersion": class["apiVersion"], "kind": class["kind"],
            "metadata": {"name": metadata["name"], "annotations": metadata["annotations"]},
            "driver": class["driver"], "deletionPolicy": class["deletionPolicy"]});
        Self {
            cluster: cluster.clone(),
            taken: Some(again),
        }
    }

    async fn end(&self) {
        let (kind, how) = (snapshots::classes(), Propagation::Background);
        let _gone = objects::delete(&self.cluster, &kind, None, NAME, None, how).await;
        if let Some(class) = &self.taken {
            objects::create(&self.cluster, &kind, class).await.unwrap();
        }
    }
}

impl Drop for Faults {
    fn drop(&mut self) {
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(self.end());
        });
    }
}
