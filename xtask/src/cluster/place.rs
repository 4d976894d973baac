//! Where the things of one cluster lie: its state in the work tree, its sockets in `/run`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::failure::{Failure, Result};
use crate::workspace;

/// The longest name: it becomes a part of a cgroup's name and of a socket's path, which Linux limits
/// to 108 bytes (unix(7)).
const LONGEST_NAME: usize = 32;

/// The folders of one cluster. Nothing is read or written here.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The cluster's name.
    pub name: String,
    /// `.strongroom/clusters/<name>` in the work tree.
    pub state: PathBuf,
}

impl Place {
    /// The place of a cluster of this work tree.
    pub(crate) fn of(name: &str) -> Result<Self> {
        let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let valid = !name.is_empty()
            && name.len() <= LONGEST_NAME
            && name.chars().all(letters)
            && !name.starts_with('-');
        if !valid {
            return Err(Failure::new(
                format!("name a cluster {name:?}"),
                format!(
                    "a name has 1 to {LONGEST_NAME} small letters, digits and hyphens, and does not start with a hyphen"
                ),
            ));
        }
        Ok(Self {
            name: name.to_owned(),
            state: clusters().join(name),
        })
    }

    /// The place whose state folder is the given one.
    pub(crate) fn at(state: &Path) -> Result<Self> {
        let name = state.file_name().and_then(|name| name.to_str());
        match name {
            Some(name) => Ok(Self {
                name: name.to_owned(),
                state: state.to_path_buf(),
            }),
            None => Err(Failure::new("read a state folder's name", state.display())),
        }
    }

    /// The clusters that this work tree has state of, by name.
    pub(crate) fn all() -> Vec<Self> {
        let entries = std::fs::read_dir(clusters())
            .into_iter()
            .flatten()
            .flatten();
        let mut all: Vec<Self> = entries
            .filter(|entry| entry.path().is_dir())
            .filter_map(|entry| Self::of(entry.file_name().to_str()?).ok())
            .collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// A name that no other cluster of this machine has, those of other work trees included.
    pub(crate) fn unique_name(&self) -> String {
        let digest = Sha256::digest(self.state.as_os_str().as_encoded_bytes());
        let mut name = format!("{}-", self.name);
        for byte in &digest[..4] {
            let _ = write!(name, "{byte:02x}");
        }
        name
    }

    /// The node's cgroup, below the root of each hierarchy.
    pub(crate) fn cgroup(&self) -> String {
        format!("/strongroom-{}", self.unique_name())
    }

    /// The folder of the sockets. Not in the state: a work tree's path may be too long for a socket.
    pub(crate) fn sockets(&self) -> PathBuf {
        Path::new("/run/strongroom").join(self.unique_name())
    }

    /// The node's end of the way to its API server.
    pub(crate) fn api_socket(&self) -> PathBuf {
        self.sockets().join("api.sock")
    }

    /// The machine's end of the way from pods to a server on 127.0.0.1.
    pub(crate) fn host_socket(&self) -> PathBuf {
        self.sockets().join("host.sock")
    }

    /// Where the node takes orders.
    pub(crate) fn control_socket(&self) -> PathBuf {
        self.sockets().join("control.sock")
    }

    /// The kubeconfig for users on this machine.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.state.join("kubeconfig")
    }

    /// The copy of this program that the cluster runs, so that a rebuild does not disturb it.
    pub(crate) fn program(&self) -> PathBuf {
        self.state.join("bin/xtask")
    }

    /// Certificates, keys and the kubeconfigs of the node's own parts.
    pub(crate) fn pki(&self) -> PathBuf {
        self.state.join("pki")
    }

    /// One log a part.
    pub(crate) fn logs(&self) -> PathBuf {
        self.state.join("log")
    }

    /// The rendered configuration of the node's parts.
    pub(crate) fn configuration(&self) -> PathBuf {
        self.state.join("config")
    }

    /// The image files of the CSI driver.
    pub(crate) fn volumes(&self) -> PathBuf {
        self.state.join("volumes")
    }

    /// Why the cluster ended, when it ended by itself.
    pub(crate) fn last_words(&self) -> PathBuf {
        self.logs().join("last-words")
    }
}

/// The folder of all clusters of this work tree.
pub(crate) fn clusters() -> PathBuf {
    workspace::root().join(".strongroom/clusters")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_could_leave_its_folder_is_refused() {
        for name in ["", "..", "a/b", "-x", "Dev", "a name", &"x".repeat(33)] {
            assert!(Place::of(name).is_err(), "{name:?}");
        }
        assert!(Place::of("dev-2").is_ok());
    }

    #[test]
    fn the_same_name_in_two_work_trees_is_two_clusters() {
        let one = Place::at(Path::new("/one/.strongroom/clusters/dev")).unwrap();
        let two = Place::at(Path::new("/two/.strongroom/clusters/dev")).unwrap();
        assert_eq!(one.name, two.name);
        assert_ne!(one.cgroup(), two.cgroup());
        assert_ne!(one.sockets(), two.sockets());
    }

    #[test]
    fn the_sockets_path_fits_whatever_the_work_trees_path() {
        let state = format!("/{}/{}", "deep/".repeat(60), "x".repeat(LONGEST_NAME));
        let place = Place::at(Path::new(&state)).unwrap();
        assert!(place.control_socket().as_os_str().len() < 108);
    }
}
