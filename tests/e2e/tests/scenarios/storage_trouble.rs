//! Storage that is full, read-only or gone: the job says so by code, and nothing that was kept is lost.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use strongroom_e2e::process;
use strongroom_e2e::sample::LEDGER;
use strongroom_e2e::stage::{INSTANCE, VAULT};

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

/// A file system mounted over a folder that shows the same content but takes nothing more; what lay
/// there is back when it is dropped.
struct MountedOver(PathBuf);

impl MountedOver {
    /// The same folder, read-only.
    fn read_only(folder: &Path) -> Self {
        mount(&["--bind".as_ref(), folder.as_os_str(), folder.as_os_str()]);
        let mounted = Self(folder.to_owned());
        mount(&[
            "-o".as_ref(),
            "remount,bind,ro".as_ref(),
            folder.as_os_str(),
        ]);
        mounted
    }

    /// A copy of the folder on a small disk that is filled to its last byte.
    fn full(folder: &Path) -> Self {
        let aside = folder.with_extension("aside");
        process::run(
            Path::new("/bin/cp"),
            &["-a".as_ref(), folder.as_os_str(), aside.as_os_str()],
            &[],
        )
        .unwrap();
        mount(&[
            "-t".as_ref(),
            "tmpfs".as_ref(),
            "-o".as_ref(),
            "size=4m".as_ref(),
            "tmpfs".as_ref(),
            folder.as_os_str(),
        ]);
        let mounted = Self(folder.to_owned());
        process::run(
            Path::new("/bin/cp"),
            &[
                "-a".as_ref(),
                aside.join(".").as_os_str(),
                folder.as_os_str(),
            ],
            &[],
        )
        .unwrap();
        std::fs::remove_dir_all(&aside).unwrap();
        let filler = File::create(folder.join("filler")).unwrap();
        while (&filler).write_all(&[0; 4096]).is_ok() {}
        mounted
    }
}

impl Drop for MountedOver {
    fn drop(&mut self) {
        let unmounted = process::run(
            Path::new("/bin/umount"),
            &["--lazy".as_ref(), self.0.as_os_str()],
            &[],
        );
        if let Err(error) = unmounted {
            eprintln!("{error}");
        }
    }
}

fn mount(words: &[&OsStr]) {
    process::run(Path::new("/bin/mount"), words, &[]).unwrap();
}
