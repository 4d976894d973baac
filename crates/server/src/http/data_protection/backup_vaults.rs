//! Collection `backupVaults`.

mod delete;
mod get;
mod list;
mod patch;
mod put;

use crate::http::route::Route;

const READ: &str = "Microsoft.DataProtection/backupVaults/read";
const WRITE: &str = "Microsoft.DataProtection/backupVaults/write";
const DELETE: &str = "Microsoft.DataProtection/backupVaults/delete";

/// Address of one vault.
const VAULT: &str = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults/{vault}";
const OF_GROUP: &str = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults";
const OF_SUBSCRIPTION: &str =
    "/subscriptions/{subscription}/providers/Microsoft.DataProtection/backupVaults";

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new(VAULT)
            .get(READ, get::handle)
            .put(WRITE, put::handle)
            .documented(|it| {
                it.header(put::DELETED_VAULT_ID, "The deleted vault to bring back.");
            })
            .patch(WRITE, patch::handle)
            .delete(DELETE, delete::handle),
        Route::new(OF_GROUP).list(READ, list::of_group),
        Route::new(OF_SUBSCRIPTION).list(READ, list::of_subscription),
    ]
}
