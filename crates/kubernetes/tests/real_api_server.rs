//! What only a real API server can prove: that it takes our schemas, pages as we read, and refuses
//! what Trusted Access must not do.
//!
//! `STRONGROOM_TEST_KUBECONFIG` names the kubeconfig of a cluster that may be written to, as printed
//! by `cargo xtask cluster up --tier control-plane`. Without it these tests say that they are left
//! out; with it, a cluster that cannot be used is a failure.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "functions that tests share fail like the tests themselves"
)]

#[path = "real_api_server/apply.rs"]
mod apply;
#[path = "real_api_server/collect.rs"]
mod collect;
#[path = "real_api_server/crds.rs"]
mod crds;
#[path = "real_api_server/discovery.rs"]
mod discovery;
#[path = "real_api_server/exec.rs"]
mod exec;
#[path = "real_api_server/install.rs"]
mod install;
#[path = "real_api_server/provision.rs"]
mod provision;
#[path = "real_api_server/trusted_access.rs"]
mod trusted_access;

use std::time::Duration;

use serde_json::{Value, json};
use strongroom_core::object::ResourceType;
use strongroom_kubernetes::apply::{self as objects, Created, Propagation};
use strongroom_kubernetes::{Cluster, FIELD_MANAGER, Timeouts, crd};
use tokio::sync::{RwLock, RwLockReadGuard};

/// Our CRDs are the whole cluster's. Tests that use them hold this for reading, the one that installs
/// and removes them for writing.
static CRDS: RwLock<()> = RwLock::const_new(());

/// The cluster to test against; none when none was named.
fn cluster() -> Option<Cluster> {
    let Some(path) = std::env::var_os("STRONGROOM_TEST_KUBECONFIG") else {
        println!("left out: STRONGROOM_TEST_KUBECONFIG names no cluster");
        return None;
    };
    let yaml = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("STRONGROOM_TEST_KUBECONFIG={}: {error}", path.display()));
    Some(Cluster::from_kubeconfig(&yaml, Timeouts::default()).unwrap())
}

/// The cluster with our CRDs in it, and a guard that keeps them there.
async fn cluster_with_crds() -> Option<(Cluster, RwLockReadGuard<'static, ()>)> {
    let cluster = cluster()?;
    let guard = CRDS.read().await;
    let kind = crd_type();
    for one in crd::all_crds() {
        let object = serde_json::to_value(&one).unwrap();
        objects::patch_apply(&cluster, &kind, &object, FIELD_MANAGER, true)
            .await
            .unwrap();
        let name = one.metadata.name.unwrap();
        objects::wait_established(&cluster, &name, Duration::from_secs(30))
            .await
            .unwrap();
    }
    Some((cluster, guard))
}

fn crd_type() -> ResourceType {
    ResourceType::new(
        "apiextensions.k8s.io",
        "v1",
        "CustomResourceDefinition",
        "customresourcedefinitions",
        false,
    )
}

fn core(kind: &str, plural: &str, namespaced: bool) -> ResourceType {
    ResourceType::new("", "v1", kind, plural, namespaced)
}

fn config_maps() -> ResourceType {
    core("ConfigMap", "configmaps", true)
}

/// A namespace of this run's own.
async fn namespace(cluster: &Cluster, purpose: &str) -> String {
    let name = format!("sr-{purpose}-{}", std::process::id());
    let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    let kind = core("Namespace", "namespaces", false);
    objects::create(cluster, &kind, &object).await.unwrap();
    objects::wait_namespace_active(cluster, &name, Duration::from_secs(30))
        .await
        .unwrap();
    name
}

/// Asks for the namespace's removal; the cluster finishes it by itself.
async fn remove_namespace(cluster: &Cluster, name: &str) {
    let kind = core("Namespace", "namespaces", false);
    let how = Propagation::Background;
    objects::delete(cluster, &kind, None, name, None, how)
        .await
        .unwrap();
}

async fn create(cluster: &Cluster, kind: &ResourceType, object: &Value) -> Value {
    match objects::create(cluster, kind, object).await.unwrap() {
        Created::New(written) => written.object,
        Created::AlreadyExists => panic!("it was there: {object}"),
    }
}
