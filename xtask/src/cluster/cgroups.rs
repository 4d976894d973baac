//! The node's cgroup, in every hierarchy that the machine has: version 1, version 2, or both at once.
//!
//! The kubelet expects its root in all of them ("cgroup has some missing paths" otherwise), the
//! named hierarchy `systemd` and the empty `unified` one included. They outlive the node's
//! processes, so that they are removed by hand.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::failure::{Doing, Failure, Result};
use crate::talk;

/// Where a version 2 hierarchy keeps the processes that were in its root, when the root may not hold
/// both processes and controllers.
const LEAF: &str = "strongroom-init";
/// How long the kernel may take to forget the processes of a cgroup that ended.
const EMPTY_LIMIT: Duration = Duration::from_secs(5);

/// One mounted hierarchy.
#[derive(Debug, PartialEq, Eq)]
struct Hierarchy {
    mount: PathBuf,
    version: u8,
    cpuset: bool,
}

/// Makes the cgroup (as in `/strongroom-dev-0a1b2c3d`) in each hierarchy.
pub(crate) fn create(cgroup: &str) -> Result<()> {
    for hierarchy in mounted() {
        let folder = hierarchy.folder(cgroup);
        let doing = || format!("make the cgroup {}", folder.display());
        fs::create_dir_all(&folder).doing(doing)?;
        if hierarchy.version == 2 {
            delegate(&hierarchy.mount).doing(doing)?;
            delegate(&folder).doing(doing)?;
        } else if hierarchy.cpuset {
            // A new cpuset is empty, and a process cannot be put into an empty one.
            for file in ["cpuset.cpus", "cpuset.mems"] {
                let all = fs::read(hierarchy.mount.join(file)).doing(doing)?;
                fs::write(folder.join(file), all).doing(doing)?;
            }
        }
    }
    Ok(())
}

/// Removes the cgroup and all below it from each hierarchy, once its processes have ended.
pub(crate) fn remove(cgroup: &str) -> Result<()> {
    for hierarchy in mounted() {
        let folder = hierarchy.folder(cgroup);
        let gone = talk::poll(
            EMPTY_LIMIT,
            Duration::from_millis(50),
            || match remove_tree(&folder) {
                Ok(()) => Ok::<_, Failure>(Some(())),
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy => Ok(None),
                Err(error) => {
                    Err(error).doing(|| format!("remove the cgroup {}", folder.display()))
                }
            },
        )?;
        if gone.is_none() {
            let cause = "it still has processes";
            return Err(
                Failure::new(format!("remove the cgroup {}", folder.display()), cause)
                    .way_out(format!("see {}/**/cgroup.procs for them", folder.display())),
            );
        }
    }
    Ok(())
}

/// Gives the children of a version 2 cgroup every controller that it has itself.
fn delegate(folder: &Path) -> io::Result<()> {
    let controllers = fs::read_to_string(folder.join("cgroup.controllers"))?;
    let all: Vec<String> = controllers
        .split_whitespace()
        .map(|name| format!("+{name}"))
        .collect();
    let switch = folder.join("cgroup.subtree_control");
    let result = fs::write(&switch, all.join(" "));
    // Only the true root may hold processes besides controllers. What looks like the root may be the
    // root of a container's namespace: its processes move into a leaf first.
    match result {
        Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
            let leaf = folder.join(LEAF);
            fs::create_dir_all(&leaf)?;
            for pid in fs::read_to_string(folder.join("cgroup.procs"))?.lines() {
                // A process that ended meanwhile need not be moved.
                let _ = fs::write(leaf.join("cgroup.procs"), pid);
            }
            fs::write(&switch, all.join(" "))
        }
        other => other,
    }
}

fn remove_tree(folder: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    fs::remove_dir(folder)
}

fn mounted() -> Vec<Hierarchy> {
    hierarchies(&crate::tool::text_of(Path::new("/proc/mounts")))
}

/// The hierarchies in a text like `/proc/mounts`.
fn hierarchies(mounts: &str) -> Vec<Hierarchy> {
    mounts.lines().filter_map(hierarchy).collect()
}

fn hierarchy(line: &str) -> Option<Hierarchy> {
    let mut fields = line.split(' ');
    let (mount, kind, options) = (fields.nth(1)?, fields.next()?, fields.next()?);
    let version = match kind {
        "cgroup" => 1,
        "cgroup2" => 2,
        _ => return None,
    };
    Some(Hierarchy {
        mount: mount.into(),
        version,
        cpuset: options.split(',').any(|option| option == "cpuset"),
    })
}

impl Hierarchy {
    fn folder(&self, cgroup: &str) -> PathBuf {
        self.mount.join(cgroup.trim_start_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_are_found_among_the_mounts() {
        let mounts = "proc /proc proc rw 0 0\n\
            cgroup /sys/fs/cgroup/cpuset cgroup rw,relatime,cpuset 0 0\n\
            cgroup /sys/fs/cgroup/systemd cgroup rw,relatime,name=systemd 0 0\n\
            cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0\n";
        let found: Vec<_> = hierarchies(mounts)
            .into_iter()
            .map(|h| (h.folder("/strongroom-x"), h.version, h.cpuset))
            .collect();
        assert_eq!(
            found,
            [
                ("/sys/fs/cgroup/cpuset/strongroom-x".into(), 1, true),
                ("/sys/fs/cgroup/systemd/strongroom-x".into(), 1, false),
                ("/sys/fs/cgroup/unified/strongroom-x".into(), 2, false),
            ]
        );
    }

    #[test]
    fn a_tree_is_removed_from_its_leaves_up_and_an_absent_one_is_no_error() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        fs::create_dir_all(root.join("pods/one")).unwrap();
        remove_tree(&root).unwrap();
        remove_tree(&root).unwrap();
        assert!(!root.exists());
    }
}
