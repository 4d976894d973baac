//! `exportBackupJobs` of a vault, and where its result is read.

mod result;
mod trigger;

use crate::http::route::{Reach, Route};

const EXPORT: &str = "Microsoft.DataProtection/backupVaults/exportBackupJobs/action";
const RESULT: &str = "Microsoft.DataProtection/backupVaults/backupJobs/operations/read";

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults/{vault}/exportBackupJobs")
            .post(EXPORT, trigger::handle),
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults/{vault}/backupJobs/operations/{operation}")
            .reaching(Reach::Operation).get(RESULT, result::handle),
    ]
}
