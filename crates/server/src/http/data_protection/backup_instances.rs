//! Collection `backupInstances` of a vault.

mod delete;
mod get;
mod list;
mod put;

use strongroom_api::instance::BackupInstanceResource;

use crate::http::route::Route;

const READ: &str = "Microsoft.DataProtection/backupVaults/backupInstances/read";
const WRITE: &str = "Microsoft.DataProtection/backupVaults/backupInstances/write";
const DELETE: &str = "Microsoft.DataProtection/backupVaults/backupInstances/delete";

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults/{vault}/backupInstances/{instance}")
            .get(READ, get::handle)
            .put(WRITE, put::handle)
            .documented(|it| {
                it.json::<BackupInstanceResource>(200);
                it.json::<BackupInstanceResource>(201);
            })
            .delete(DELETE, delete::handle),
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults/{vault}/backupInstances")
            .list(READ, list::handle),
    ]
}
