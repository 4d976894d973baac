//! Storage that is full, read-only or gone: the job says so by code, and nothing that was kept is lost.

use std::path::{Path, PathBuf};

use strongroom_e2e::process;
use strongroom_e2e::stage::{INSTANCE, VAULT};

use super::stage_of_tests::{TestStage, status};

#[test]
fn a_backup_into_full_storage_fails_by_code_and_the_next_one_succeeds_once_there_is_room() {
    let stage = TestStage::protected();
    stage.back_up().unwrap();
    let blobs = MountedOver::new(&stage.data_dir().join("blobs"), "size=96k");
    let failed = stage
        .cli
        .json_of_failed_job(&["backup", "start", INSTANCE, "--vault", VAULT])
        .unwrap();
    assert_eq!(status(&failed), "Failed", "{failed:#}");
    assert_eq!(
        failed["properties"]["errorDetails"][0]["code"], "StorageFull",
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
    let stage = TestStage::protected();
    let blobs = MountedOver::new(&stage.data_dir().join("blobs"), "ro");
    let failed = stage
        .cli
        .json_of_failed_job(&["backup", "start", INSTANCE, "--vault", VAULT])
        .unwrap();
    assert_eq!(
        failed["properties"]["errorDetails"][0]["code"], "StorageReadOnly",
        "{failed:#}"
    );
    drop(blobs);
    assert_eq!(status(&stage.back_up().unwrap()), "Completed");
}

/// A small file system mounted over a folder, its content copied in; what lay there is back when it is dropped.
struct MountedOver(PathBuf);

impl MountedOver {
    fn new(folder: &Path, options: &str) -> Self {
        let mount = PathBuf::from("/bin/mount");
        if options == "ro" {
            process::run(
                &mount,
                &["--bind".as_ref(), folder.as_os_str(), folder.as_os_str()],
                &[],
            )
            .unwrap();
            process::run(
                &mount,
                &[
                    "-o".as_ref(),
                    "remount,bind,ro".as_ref(),
                    folder.as_os_str(),
                ],
                &[],
            )
            .unwrap();
        } else {
            process::run(
                &mount,
                &[
                    "-t".as_ref(),
                    "tmpfs".as_ref(),
                    "-o".as_ref(),
                    options.as_ref(),
                    "tmpfs".as_ref(),
                    folder.as_os_str(),
                ],
                &[],
            )
            .unwrap();
        }
        Self(folder.to_owned())
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
