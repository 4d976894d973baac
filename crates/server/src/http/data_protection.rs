//! Provider `Microsoft.DataProtection`: vaults and all that lies in them.

mod backup_vaults;
mod operations;

use super::route::Route;

pub(super) fn routes() -> Vec<Route> {
    let mut routes = backup_vaults::routes();
    routes.extend(operations::routes());
    routes
}
