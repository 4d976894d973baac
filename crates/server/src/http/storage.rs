//! Provider `Microsoft.Storage`: storage accounts and blob containers.

mod blob_containers;
mod storage_accounts;

use super::route::Route;

pub(super) fn routes() -> Vec<Route> {
    let mut routes = storage_accounts::routes();
    routes.extend(blob_containers::routes());
    routes
}
