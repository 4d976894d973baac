//! Collection `backupResourceGuardProxies`: the link of a vault to its resource guard.

mod delete;
mod get;
mod list;
mod put;
mod unlock_delete;

use crate::http::route::Route;

const READ: &str = "Microsoft.DataProtection/backupVaults/backupResourceGuardProxies/read";
const WRITE: &str = "Microsoft.DataProtection/backupVaults/backupResourceGuardProxies/write";
const DELETE: &str = "Microsoft.DataProtection/backupVaults/backupResourceGuardProxies/delete";
const UNLOCK: &str =
    "Microsoft.DataProtection/backupVaults/backupResourceGuardProxies/unlockDelete/action";

const PROXIES: &str = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults/{vault}/backupResourceGuardProxies";
const PROXY: &str = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults/{vault}/backupResourceGuardProxies/{proxy}";
const UNLOCK_DELETE: &str = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults/{vault}/backupResourceGuardProxies/{proxy}/unlockDelete";

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new(PROXIES).get(READ, list::handle),
        Route::new(PROXY)
            .get(READ, get::handle)
            .put(WRITE, put::handle)
            .delete(DELETE, delete::handle),
        Route::new(UNLOCK_DELETE).post(UNLOCK, unlock_delete::handle),
    ]
}
