//! `exportBackupJobs` of a vault, and where its result is read.

mod result;
mod trigger;

use strongroom_api::job::ExportJobsResult;

use crate::http::openapi::contract::accepted;
use crate::http::route::{Reach, Route};

const EXPORT: &str = "Microsoft.DataProtection/backupVaults/exportBackupJobs/action";
const RESULT: &str = "Microsoft.DataProtection/backupVaults/backupJobs/operations/read";

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults/{vault}/exportBackupJobs")
            .post(EXPORT, trigger::handle)
            .documented(accepted),
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults/{vault}/backupJobs/operations/{operation}")
            .reaching(Reach::Operation).get(RESULT, result::handle)
            .documented(accepted)
            .documented(|it| it.json::<ExportJobsResult>(200)),
    ]
}
