//! Collection `connectedClusters`.

mod delete;
mod get;
mod list;
mod put;

use crate::http::route::Route;

const READ: &str = "Microsoft.Kubernetes/connectedClusters/read";
const WRITE: &str = "Microsoft.Kubernetes/connectedClusters/write";
const DELETE: &str = "Microsoft.Kubernetes/connectedClusters/delete";

pub(in crate::http) fn routes() -> Vec<Route> {
    vec![
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Kubernetes/connectedClusters/{cluster}")
            .get(READ, get::handle)
            .put(WRITE, put::handle)
            .delete(DELETE, delete::handle),
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Kubernetes/connectedClusters")
            .get(READ, list::handle),
        Route::new("/subscriptions/{subscription}/providers/Microsoft.Kubernetes/connectedClusters")
            .get(READ, list::handle),
    ]
}
