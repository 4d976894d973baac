//! Collection `backupPolicies` of a vault.

mod delete;
mod get;
mod list;
mod preview_edit;
mod put;
mod simulate;

use crate::http::route::Route;

const READ: &str = "Microsoft.DataProtection/backupVaults/backupPolicies/read";
const WRITE: &str = "Microsoft.DataProtection/backupVaults/backupPolicies/write";
const DELETE: &str = "Microsoft.DataProtection/backupVaults/backupPolicies/delete";

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults/{vault}/backupPolicies/{policy}")
            .get(READ, get::handle)
            .put(WRITE, put::handle)
            .delete(DELETE, delete::handle),
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults/{vault}/backupPolicies")
            .list(READ, list::handle),
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults/{vault}/backupPolicies/{policy}/simulate")
            .post(READ, simulate::handle),
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults/{vault}/backupPolicies/{policy}/previewEdit")
            .post(READ, preview_edit::handle),
    ]
}
