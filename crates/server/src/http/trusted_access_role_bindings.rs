//! Collection `trustedAccessRoleBindings` of a cluster of either type: which vaults may reach it.

mod delete;
mod get;
mod list;
mod put;

use super::route::Route;

const READ: &str = "Microsoft.ContainerService/managedClusters/trustedAccessRoleBindings/read";
const WRITE: &str = "Microsoft.ContainerService/managedClusters/trustedAccessRoleBindings/write";
const DELETE: &str = "Microsoft.ContainerService/managedClusters/trustedAccessRoleBindings/delete";

const OF_CONNECTED: [&str; 2] = [
    "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Kubernetes/connectedClusters/{cluster}/trustedAccessRoleBindings",
    "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Kubernetes/connectedClusters/{cluster}/trustedAccessRoleBindings/{binding}",
];
const OF_MANAGED: [&str; 2] = [
    "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ContainerService/managedClusters/{cluster}/trustedAccessRoleBindings",
    "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ContainerService/managedClusters/{cluster}/trustedAccessRoleBindings/{binding}",
];

pub(super) fn routes() -> Vec<Route> {
    [OF_CONNECTED, OF_MANAGED]
        .into_iter()
        .flat_map(|[all, one]| {
            [
                Route::new(all).get(READ, list::handle),
                Route::new(one)
                    .get(READ, get::handle)
                    .put(WRITE, put::handle)
                    .delete(DELETE, delete::handle)
                    .documented(|it| it.force()),
            ]
        })
        .collect()
}
