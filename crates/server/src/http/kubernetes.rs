//! Provider `Microsoft.Kubernetes`: registering a cluster.

mod connected_clusters;

use super::route::Route;

pub(super) fn routes() -> Vec<Route> {
    connected_clusters::routes()
}
