//! `strongroom cluster`.

use strongroom_api::cluster::ClusterResource;

use crate::output::{self, Columns};

super::verbs! {
    /// Register a cluster by a kubeconfig, or replace its kubeconfig
    Register(register),
    /// Show a cluster
    Show(show),
    /// List the clusters of the resource group
    List(list),
    /// Forget a cluster that nothing protects
    Unregister(unregister),
    /// Let a vault into a cluster (Trusted Access)
    Grant(grant),
    /// Take a vault's access back
    Revoke(revoke),
}

const COLUMNS: Columns<ClusterResource> = &[
    ("NAME", |cluster| {
        output::or_nothing(cluster.name.as_deref())
    }),
    ("LOCATION", |cluster| {
        output::or_nothing(cluster.location.as_deref())
    }),
    ("VERSION", |cluster| {
        output::or_nothing(cluster.properties.kubernetes_version.as_deref())
    }),
    ("API SERVER", |cluster| {
        output::or_nothing(cluster.properties.api_server.as_deref())
    }),
    ("CONNECTIVITY", |cluster| {
        output::or_nothing(cluster.properties.connectivity_status.as_deref())
    }),
    ("STATE", |cluster| {
        output::or_nothing(cluster.properties.provisioning_state.as_deref())
    }),
];
