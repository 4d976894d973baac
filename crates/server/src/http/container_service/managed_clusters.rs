//! Collection `managedClusters`.

mod delete;
mod get;
mod list;
mod put;

use crate::http::route::Route;

const READ: &str = "Microsoft.ContainerService/managedClusters/read";
const WRITE: &str = "Microsoft.ContainerService/managedClusters/write";
const DELETE: &str = "Microsoft.ContainerService/managedClusters/delete";

pub(in crate::http) fn routes() -> Vec<Route> {
    vec![
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ContainerService/managedClusters/{cluster}")
            .get(READ, get::handle)
            .put(WRITE, put::handle)
            .delete(DELETE, delete::handle),
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ContainerService/managedClusters")
            .get(READ, list::handle),
        Route::new("/subscriptions/{subscription}/providers/Microsoft.ContainerService/managedClusters")
            .get(READ, list::handle),
    ]
}
