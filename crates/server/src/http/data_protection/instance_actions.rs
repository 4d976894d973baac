//! What can be done with a backup instance besides reading and writing it: validate, assign missing roles, back up, restore,
//! suspend, stop, resume, sync; and for an instance that does not exist yet the same validation, and a preview.

mod assign_missing_roles;
mod backup;
mod preview_backup;
mod rehydrate;
mod restorable_time_ranges;
mod restore;
mod resume_backups;
mod resume_protection;
mod stop_protection;
mod suspend_backups;
mod sync;
#[cfg(test)]
mod tests;
mod validate_for_backup;
mod validate_for_modify;
mod validate_restore;

use crate::http::openapi::contract::accepted;
use crate::http::route::Route;

const VALIDATE_FOR_BACKUP: &str = "Microsoft.DataProtection/backupVaults/validateForBackup/action";
const VALIDATE_INSTANCE: &str =
    "Microsoft.DataProtection/backupVaults/backupInstances/validateForBackup/action";
/// Ours.
const ASSIGN_MISSING_ROLES: &str =
    "Microsoft.DataProtection/backupVaults/assignMissingRoles/action";
/// Ours.
const ASSIGN_OF_INSTANCE: &str =
    "Microsoft.DataProtection/backupVaults/backupInstances/assignMissingRoles/action";
/// Ours.
const PREVIEW_BACKUP: &str = "Microsoft.DataProtection/backupVaults/previewBackup/action";
const BACKUP: &str = "Microsoft.DataProtection/backupVaults/backupInstances/backup/action";
const VALIDATE_RESTORE: &str =
    "Microsoft.DataProtection/backupVaults/backupInstances/validateRestore/action";
const RESTORE: &str = "Microsoft.DataProtection/backupVaults/backupInstances/restore/action";
const SUSPEND: &str = "Microsoft.DataProtection/backupVaults/backupInstances/suspendBackups/action";
const RESUME_BACKUPS: &str =
    "Microsoft.DataProtection/backupVaults/backupInstances/resumeBackups/action";
const STOP: &str = "Microsoft.DataProtection/backupVaults/backupInstances/stopProtection/action";
const RESUME: &str =
    "Microsoft.DataProtection/backupVaults/backupInstances/resumeProtection/action";
const SYNC: &str = "Microsoft.DataProtection/backupVaults/backupInstances/sync/action";
const VALIDATE_MODIFY: &str =
    "Microsoft.DataProtection/backupVaults/backupInstances/validateForModifyBackup/action";
const TIME_RANGES: &str =
    "Microsoft.DataProtection/backupVaults/backupInstances/findRestorableTimeRanges/action";
const REHYDRATE: &str = "Microsoft.DataProtection/backupVaults/backupInstances/rehydrate/action";

pub(super) fn routes() -> Vec<Route> {
    // Addresses are constants, so they are written out: the table of routes is searched by hand.
    vec![
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults/{vault}/validateForBackup")
            .post(VALIDATE_FOR_BACKUP, validate_for_backup::of_vault)
            .documented(accepted),
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults/{vault}/assignMissingRoles")
            .post(ASSIGN_MISSING_ROLES, assign_missing_roles::of_vault),
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults/{vault}/backupInstances/{instance}/assignMissingRoles")
            .post(ASSIGN_OF_INSTANCE, assign_missing_roles::of_instance),
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults/{vault}/previewBackup")
            .post(PREVIEW_BACKUP, preview_backup::handle)
            .documented(accepted),
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults/{vault}/backupInstances/{instance}/validateForBackup")
            .post(VALIDATE_INSTANCE, validate_for_backup::of_instance)
            .documented(accepted),
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults/{vault}/backupInstances/{instance}/backup")
            .post(BACKUP, backup::handle)
            .documented(accepted),
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults/{vault}/backupInstances/{instance}/validateRestore")
            .post(VALIDATE_RESTORE, validate_restore::handle)
            .documented(accepted),
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults/{vault}/backupInstances/{instance}/restore")
            .post(RESTORE, restore::handle)
            .documented(accepted),
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults/{vault}/backupInstances/{instance}/suspendBackups")
            .post(SUSPEND, suspend_backups::handle)
            .documented(accepted),
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults/{vault}/backupInstances/{instance}/resumeBackups")
            .post(RESUME_BACKUPS, resume_backups::handle)
            .documented(accepted),
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults/{vault}/backupInstances/{instance}/stopProtection")
            .post(STOP, stop_protection::handle)
            .documented(accepted),
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults/{vault}/backupInstances/{instance}/resumeProtection")
            .post(RESUME, resume_protection::handle)
            .documented(accepted),
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults/{vault}/backupInstances/{instance}/sync")
            .post(SYNC, sync::handle)
            .documented(accepted),
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults/{vault}/backupInstances/{instance}/validateForModifyBackup")
            .post(VALIDATE_MODIFY, validate_for_modify::handle)
            .documented(accepted),
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults/{vault}/backupInstances/{instance}/findRestorableTimeRanges")
            .post(TIME_RANGES, restorable_time_ranges::handle),
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults/{vault}/backupInstances/{instance}/rehydrate")
            .post(REHYDRATE, rehydrate::handle),
    ]
}
