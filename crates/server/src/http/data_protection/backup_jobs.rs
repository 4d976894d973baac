//! Collection `backupJobs` of a vault.

mod cancel;
mod get;
mod list;

use crate::http::openapi::contract::accepted;
use crate::http::route::Route;

const READ: &str = "Microsoft.DataProtection/backupVaults/backupJobs/read";
/// Ours, in the published style.
const CANCEL: &str = "Microsoft.DataProtection/backupVaults/backupJobs/cancel/action";

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults/{vault}/backupJobs/{job}")
            .get(READ, get::handle),
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults/{vault}/backupJobs")
            .get(READ, list::handle)
            .documented(|it| it.filter("comparisons of fields of jobs, joined by and")),
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults/{vault}/backupJobs/{job}/cancel")
            .post(CANCEL, cancel::handle)
            .documented(accepted),
    ]
}
