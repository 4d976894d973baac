//! Collection `deletedBackupInstances` of a vault: what was deleted and can be brought back.

mod get;
mod list;
mod undelete;

use crate::http::openapi::contract::accepted;
use crate::http::route::Route;

const READ: &str = "Microsoft.DataProtection/backupVaults/deletedBackupInstances/read";
const UNDELETE: &str =
    "Microsoft.DataProtection/backupVaults/deletedBackupInstances/undelete/action";

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults/{vault}/deletedBackupInstances")
            .get(READ, list::handle),
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults/{vault}/deletedBackupInstances/{instance}")
            .get(READ, get::handle),
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults/{vault}/deletedBackupInstances/{instance}/undelete")
            .post(UNDELETE, undelete::handle)
            .documented(accepted),
    ]
}
