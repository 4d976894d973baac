//! Collection `backupJobs` of a vault.

mod get;
mod list;

use crate::http::route::Route;

const READ: &str = "Microsoft.DataProtection/backupVaults/backupJobs/read";

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults/{vault}/backupJobs/{job}")
            .get(READ, get::handle),
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults/{vault}/backupJobs")
            .get(READ, list::handle),
    ]
}
