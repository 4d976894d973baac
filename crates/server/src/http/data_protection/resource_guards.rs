//! Collection `resourceGuards`, and the requests by which critical operations are approved.

mod delete;
mod get;
mod list;
mod patch;
mod put;
mod requests;

use crate::http::route::Route;

const READ: &str = "Microsoft.DataProtection/resourceGuards/read";
const WRITE: &str = "Microsoft.DataProtection/resourceGuards/write";
const DELETE: &str = "Microsoft.DataProtection/resourceGuards/delete";

const GUARD: &str = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/resourceGuards/{guard}";
const OF_GROUP: &str = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/resourceGuards";
const OF_SUBSCRIPTION: &str =
    "/subscriptions/{subscription}/providers/Microsoft.DataProtection/resourceGuards";

/// Collection and one of each type of request: those of the published client, and those of operations that it
/// has no routes for.
macro_rules! requests {
    ($($kind:literal),+ $(,)?) => {
        [$((
            concat!("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/resourceGuards/{guard}/", $kind),
            concat!("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/resourceGuards/{guard}/", $kind, "/{request}"),
            concat!("Microsoft.DataProtection/resourceGuards/", $kind, "/read"),
        )),+]
    };
}

pub(super) fn routes() -> Vec<Route> {
    let mut routes = vec![
        Route::new(GUARD)
            .get(READ, get::handle)
            .put(WRITE, put::handle)
            .patch(WRITE, patch::handle)
            .delete(DELETE, delete::handle),
        Route::new(OF_GROUP).list(READ, list::of_group),
        Route::new(OF_SUBSCRIPTION).list(READ, list::of_subscription),
    ];
    for (collection, one, action) in requests![
        "deleteBackupInstanceRequests",
        "deleteProtectedItemRequests",
        "deleteResourceGuardProxyRequests",
        "disableSoftDeleteRequests",
        "getBackupSecurityPINRequests",
        "reduceImmutabilityStateRequests",
        "stopProtectionRequests",
        "suspendBackupsRequests",
        "updateProtectedItemRequests",
        "updateProtectionPolicyRequests",
    ] {
        routes.push(Route::new(collection).get(action, requests::list));
        routes.push(Route::new(one).get(action, requests::get));
    }
    routes
}
