//! Loop devices, which outlive the mount namespace that they were used in.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use crate::failure::{Doing, Failure, Result};
use crate::{talk, tool};

/// How long the kernel may take to let go of a device that is unmounted with its namespace: what is not
/// written yet goes to the disk first, which took more than 10 s on a busy machine.
const RELEASE_LIMIT: Duration = Duration::from_secs(60);

/// One attached loop device, as losetup tells it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
struct LoopDevice {
    name: String,
    #[serde(rename = "back-file")]
    file: Option<String>,
    #[serde(rename = "back-ino")]
    inode: u64,
    #[serde(rename = "back-maj:min")]
    file_system: String,
}

#[derive(Deserialize)]
struct Listing {
    loopdevices: Vec<LoopDevice>,
}

/// Detaches the loop devices of the files below a folder, and what the kubelet laid over them.
pub(crate) fn detach(folder: &Path) -> Result<()> {
    let released = talk::poll(RELEASE_LIMIT, Duration::from_millis(100), || {
        let devices = ours(&attached()?, folder, inode_of, &device_file_system());
        for device in &devices {
            // One that is busy is tried again; one that is gone already is what is wanted.
            let _ = tool::run("losetup", ["-d", device]);
        }
        Ok::<_, Failure>(devices.is_empty().then_some(()))
    })?;
    released.ok_or_else(|| {
        let doing = format!("detach the loop devices of {}", folder.display());
        Failure::new(doing, "they are still in use")
            .way_out("see `losetup -l` and `lsof` for who uses them")
    })
}

fn attached() -> Result<Vec<LoopDevice>> {
    let columns = "NAME,BACK-FILE,BACK-INO,BACK-MAJ:MIN";
    let text = tool::run("losetup", ["--list", "--json", "-O", columns])?;
    // With no device at all the answer is empty.
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let listing: Listing =
        serde_json::from_str(&text).doing(|| "read the list of losetup".to_owned())?;
    Ok(listing.loopdevices)
}

/// The devices of the files below a folder in the order of detaching: first those whose backing file
/// is itself such a device's node (the kubelet keeps one on each Block volume), then the others.
fn ours(
    devices: &[LoopDevice],
    folder: &Path,
    inode_of: impl Fn(&str) -> Option<u64>,
    device_file_system: &str,
) -> Vec<String> {
    let own: Vec<&LoopDevice> = devices
        .iter()
        .filter(|device| {
            device
                .file
                .as_ref()
                .is_some_and(|file| Path::new(file).starts_with(folder))
        })
        .collect();
    let nodes: Vec<u64> = own
        .iter()
        .filter_map(|device| inode_of(&device.name))
        .collect();
    let upper = devices
        .iter()
        // losetup pads this column even in JSON.
        .filter(|device| device.file_system.trim() == device_file_system)
        .filter(|device| nodes.contains(&device.inode));
    upper
        .chain(own.iter().copied())
        .map(|device| device.name.clone())
        .collect()
}

fn inode_of(path: &str) -> Option<u64> {
    std::fs::metadata(path).ok().map(|metadata| metadata.ino())
}

/// The device number of the file system of `/dev`, as in "0:6".
fn device_file_system() -> String {
    let device = std::fs::metadata("/dev")
        .map(|metadata| metadata.dev())
        .unwrap_or_default();
    format!(
        "{}:{}",
        rustix::fs::major(device),
        rustix::fs::minor(device)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(name: &str, file: &str, inode: u64, file_system: &str) -> LoopDevice {
        LoopDevice {
            name: name.to_owned(),
            file: Some(file.to_owned()),
            inode,
            file_system: file_system.to_owned(),
        }
    }

    #[test]
    fn the_kubelets_device_over_a_block_volume_goes_first_and_others_stay() {
        let devices = [
            device("/dev/loop0", "/state/dev/volumes/vol-a.img", 11, "254:0"),
            device("/dev/loop1", "/state/other/volumes/vol-b.img", 12, "254:0"),
            device("/dev/loop2", "/dev/whatever", 700, "   0:6 "),
            device(
                "/dev/loop3",
                "/state/dev/volumes/vol-c.img (deleted)",
                13,
                "254:0",
            ),
            device("/dev/loop4", "/elsewhere", 700, "254:0"),
        ];
        let inode_of = |name: &str| (name == "/dev/loop0").then_some(700);
        let found = ours(&devices, Path::new("/state/dev/volumes"), inode_of, "0:6");
        assert_eq!(found, ["/dev/loop2", "/dev/loop0", "/dev/loop3"]);
    }
}
