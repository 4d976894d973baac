//! Storage that is full, read-only or gone: the job says so by code, and nothing that was kept is lost.

use strongroom_e2e::sample::LEDGER;
use strongroom_e2e::stage::{INSTANCE, VAULT};

use super::mounted_over::MountedOver;
use super::stage_of_tests::{TestStage, status};

#[test]
fn a_backup_into_full_storage_fails_by_code_and_the_next_one_succeeds_once_there_is_room() {
    let stage = TestStage::protected(&LEDGER);
    stage.back_up().unwrap();
    let blobs = MountedOver::full(&stage.data_dir().join("blobs"));
    let failed = stage
        .cli
        .json_of_failed_job(&["backup", "start", INSTANCE, "--vault", VAULT])
        .unwrap();
    assert_eq!(status(&failed), "Failed", "{failed:#}");
    assert_eq!(
        failed["properties"]["errorDetails"][0]["code"], "BackupStorageLocationFull",
        "{failed:#}"
    );
    drop(blobs);
    assert_eq!(
        stage.recovery_points().unwrap().len(),
        1,
        "a failed backup left a recovery point"
    );
    assert_eq!(status(&stage.back_up().unwrap()), "Completed");
    assert_eq!(stage.leftover_jobs().unwrap(), Vec::<String>::new());
}

#[test]
fn a_backup_into_read_only_storage_fails_by_code() {
    let stage = TestStage::protected(&LEDGER);
    let blobs = MountedOver::read_only(&stage.data_dir().join("blobs"));
    let failed = stage
        .cli
        .json_of_failed_job(&["backup", "start", INSTANCE, "--vault", VAULT])
        .unwrap();
    assert_eq!(
        failed["properties"]["errorDetails"][0]["code"],
        "UserErrorBackupFailedBackupStorageLocationReadOnly",
        "{failed:#}"
    );
    drop(blobs);
    assert_eq!(status(&stage.back_up().unwrap()), "Completed");
}
