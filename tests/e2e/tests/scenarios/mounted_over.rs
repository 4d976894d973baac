//! File systems over folders of a running server, as disks are in trouble.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use strongroom_e2e::process;

/// A file system mounted over a folder that shows the same content but takes nothing more; what lay
/// there is back when it is dropped.
pub(crate) struct MountedOver(PathBuf);

impl MountedOver {
    /// The same folder, read-only.
    pub(crate) fn read_only(folder: &Path) -> Self {
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
    pub(crate) fn full(folder: &Path) -> Self {
        let disk = Self::small(folder);
        disk.fill();
        disk
    }

    /// A copy of the folder on a small disk.
    pub(crate) fn small(folder: &Path) -> Self {
        let aside = folder.with_extension("aside");
        copy(folder, &aside);
        mount(&[
            "-t".as_ref(),
            "tmpfs".as_ref(),
            "-o".as_ref(),
            "size=4m".as_ref(),
            "tmpfs".as_ref(),
            folder.as_os_str(),
        ]);
        let mounted = Self(folder.to_owned());
        copy(&aside.join("."), folder);
        std::fs::remove_dir_all(&aside).unwrap();
        mounted
    }

    /// Takes all the room that is left on a small disk.
    pub(crate) fn fill(&self) {
        let filler = File::create(self.filler()).unwrap();
        while (&filler).write_all(&[0; 4096]).is_ok() {}
    }

    /// Gives it back.
    pub(crate) fn make_room(&self) {
        std::fs::remove_file(self.filler()).unwrap();
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
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

fn copy(from: &Path, to: &Path) {
    let words = ["-a".as_ref(), from.as_os_str(), to.as_os_str()];
    process::run(Path::new("/bin/cp"), &words, &[]).unwrap();
}
