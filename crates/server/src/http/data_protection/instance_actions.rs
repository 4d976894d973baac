//! What can be done with a backup instance besides reading and writing it: validate, back up,
//! restore; and for an instance that does not exist yet the same validation, and a preview.

mod backup;
mod preview_backup;
mod restore;
mod validate_for_backup;
mod validate_restore;

use crate::http::route::Route;

const VALIDATE_FOR_BACKUP: &str = "Microsoft.DataProtection/backupVaults/validateForBackup/action";
const VALIDATE_INSTANCE: &str =
    "Microsoft.DataProtection/backupVaults/backupInstances/validateForBackup/action";
/// Ours.
const PREVIEW_BACKUP: &str = "Microsoft.DataProtection/backupVaults/previewBackup/action";
const BACKUP: &str = "Microsoft.DataProtection/backupVaults/backupInstances/backup/action";
const VALIDATE_RESTORE: &str =
    "Microsoft.DataProtection/backupVaults/backupInstances/validateRestore/action";
const RESTORE: &str = "Microsoft.DataProtection/backupVaults/backupInstances/restore/action";

pub(super) fn routes() -> Vec<Route> {
    // Addresses are constants, so they are written out: the table of routes is searched by hand.
    vec![
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults/{vault}/validateForBackup")
            .post(VALIDATE_FOR_BACKUP, validate_for_backup::of_vault),
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults/{vault}/previewBackup")
            .post(PREVIEW_BACKUP, preview_backup::handle),
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults/{vault}/backupInstances/{instance}/validateForBackup")
            .post(VALIDATE_INSTANCE, validate_for_backup::of_instance),
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults/{vault}/backupInstances/{instance}/backup")
            .post(BACKUP, backup::handle),
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults/{vault}/backupInstances/{instance}/validateRestore")
            .post(VALIDATE_RESTORE, validate_restore::handle),
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults/{vault}/backupInstances/{instance}/restore")
            .post(RESTORE, restore::handle),
    ]
}
