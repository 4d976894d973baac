//! Registering clusters: `Microsoft.Kubernetes/connectedClusters` and
//! `Microsoft.ContainerService/managedClusters`, which differ in their address only. The address says
//! which of the two is meant.

mod delete;
mod get;
mod list;
mod put;

use super::route::Route;

/// Addresses and actions of one type of cluster.
struct Addresses {
    one: &'static str,
    of_group: &'static str,
    of_subscription: &'static str,
    read: &'static str,
    write: &'static str,
    delete: &'static str,
}

const CONNECTED: Addresses = Addresses {
    one: "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Kubernetes/connectedClusters/{cluster}",
    of_group: "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Kubernetes/connectedClusters",
    of_subscription: "/subscriptions/{subscription}/providers/Microsoft.Kubernetes/connectedClusters",
    read: "Microsoft.Kubernetes/connectedClusters/read",
    write: "Microsoft.Kubernetes/connectedClusters/write",
    delete: "Microsoft.Kubernetes/connectedClusters/delete",
};

const MANAGED: Addresses = Addresses {
    one: "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ContainerService/managedClusters/{cluster}",
    of_group: "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ContainerService/managedClusters",
    of_subscription: "/subscriptions/{subscription}/providers/Microsoft.ContainerService/managedClusters",
    read: "Microsoft.ContainerService/managedClusters/read",
    write: "Microsoft.ContainerService/managedClusters/write",
    delete: "Microsoft.ContainerService/managedClusters/delete",
};

pub(super) fn routes() -> Vec<Route> {
    [CONNECTED, MANAGED]
        .into_iter()
        .flat_map(|at| {
            [
                Route::new(at.one)
                    .get(at.read, get::handle)
                    .put(at.write, put::handle)
                    .delete(at.delete, delete::handle),
                Route::new(at.of_group).list(at.read, list::handle),
                Route::new(at.of_subscription).list(at.read, list::handle),
            ]
        })
        .collect()
}
