//! Provider `Microsoft.ContainerService`: registering a cluster.

mod managed_clusters;

use super::route::Route;

pub(super) fn routes() -> Vec<Route> {
    managed_clusters::routes()
}
