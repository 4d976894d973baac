//! Provider `Microsoft.KubernetesConfiguration`: the backup extension of a cluster, of either type.

mod delete;
mod get;
mod list;
mod put;

use strongroom_api::extension::ExtensionResource;

use super::route::Route;

const READ: &str = "Microsoft.KubernetesConfiguration/extensions/read";
const WRITE: &str = "Microsoft.KubernetesConfiguration/extensions/write";
const DELETE: &str = "Microsoft.KubernetesConfiguration/extensions/delete";

const OF_CONNECTED: [&str; 2] = [
    "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Kubernetes/connectedClusters/{cluster}/providers/Microsoft.KubernetesConfiguration/extensions",
    "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Kubernetes/connectedClusters/{cluster}/providers/Microsoft.KubernetesConfiguration/extensions/{extension}",
];
const OF_MANAGED: [&str; 2] = [
    "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ContainerService/managedClusters/{cluster}/providers/Microsoft.KubernetesConfiguration/extensions",
    "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ContainerService/managedClusters/{cluster}/providers/Microsoft.KubernetesConfiguration/extensions/{extension}",
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
                    .documented(|it| {
                        it.json::<ExtensionResource>(200);
                        it.json::<ExtensionResource>(201);
                    })
                    .delete(DELETE, delete::handle)
                    .documented(|it| {
                        it.force();
                        it.empty(200);
                        it.empty(202);
                        it.empty(204);
                    }),
            ]
        })
        .collect()
}
