//! The data directory: where each file of a server lives, who may read it, and that only one
//! server uses it at a time.
//!
//! ```text
//! strongroom.db      the store (with -wal and -shm beside it), unless it is in a database elsewhere
//! admin.token        bearer token of the administrator, mode 0600
//! keys/master.key    seals secrets at rest, mode 0600; without it the database's secrets are lost
//! tls/ca.crt ca.key  the server's own authority; the key has mode 0600
//! blobs/             embedded storage accounts
//! server.json        where the running server listens
//! server.id          which server this is, among those that share a catalogue
//! lock               held by the running server
//! ```

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::environment::Entropy;

/// Only the server's own user reads its files.
pub const PRIVATE_FILE: u32 = 0o600;
const PRIVATE_FOLDER: u32 = 0o700;

/// What can be wrong with a data directory.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// Another process holds the lock.
    #[error("another server uses the data directory {path}; stop it or choose another --data-dir")]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// The file system refused.
    #[error("could not {doing} {path}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// A secret file can be read by others.
    #[error("{path} can be read by other users (mode {mode:o}); run: chmod 600 {path}")]
    TooOpen {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

/// A data directory, normally one that this process holds the lock of.
#[derive(Debug)]
pub struct DataDir {
    root: PathBuf,
    // The lock lasts as long as the file stays open; none beside the server that has it.
    _lock: Option<File>,
}

impl DataDir {
    /// Makes the directory when absent and takes its lock.
    pub fn open(root: &Path) -> Result<Self, DataDirError> {
        for folder in ["", "keys", "tls", "blobs"] {
            let path = root.join(folder);
            fs::DirBuilder::new()
                .recursive(true)
                .mode(PRIVATE_FOLDER)
                .create(&path)
                .map_err(|source| DataDirError::Io {
                    doing: "create",
                    path,
                    source,
                })?;
        }
        let path = root.join("lock");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(PRIVATE_FILE)
            .open(&path)
            .map_err(|source| DataDirError::Io {
                doing: "open",
                path: path.clone(),
                source,
            })?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => DataDirError::InUse {
                path: root.to_owned(),
            },
            TryLockError::Error(source) => DataDirError::Io {
                doing: "lock",
                path,
                source,
            },
        })?;
        let root = fs::canonicalize(root).map_err(|source| DataDirError::Io {
            doing: "find",
            path: root.to_owned(),
            source,
        })?;
        Ok(Self {
            root,
            _lock: Some(lock),
        })
    }

    /// A directory that is there, beside the server that may hold its lock: to read from.
    pub fn beside(root: &Path) -> Result<Self, DataDirError> {
        let root = fs::canonicalize(root).map_err(|source| DataDirError::Io {
            doing: "find",
            path: root.to_owned(),
            source,
        })?;
        Ok(Self { root, _lock: None })
    }

    /// The directory itself, absolute.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The database, made when absent. SQLite makes its files readable by all; made here first, they (and
    /// -wal and -shm, which take after it) are this user's only, whatever the mode of a directory that was
    /// there.
    ///
    /// # Errors
    /// When it can be neither made nor opened.
    pub fn database(&self) -> Result<PathBuf, DataDirError> {
        let path = self.database_path();
        let opened = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(PRIVATE_FILE)
            .open(&path);
        match opened {
            Ok(_) => Ok(path),
            Err(source) => Err(DataDirError::Io {
                doing: "open",
                path,
                source,
            }),
        }
    }

    /// Where the database is, if there is one.
    #[must_use]
    pub fn database_path(&self) -> PathBuf {
        self.root.join("strongroom.db")
    }

    /// Folder of the embedded storage accounts.
    #[must_use]
    pub fn blobs(&self) -> PathBuf {
        self.root.join("blobs")
    }

    /// The certificate that clients trust.
    #[must_use]
    pub fn ca_certificate(&self) -> PathBuf {
        self.root.join("tls/ca.crt")
    }

    /// The key behind [`Self::ca_certificate`].
    #[must_use]
    pub fn ca_key(&self) -> PathBuf {
        self.root.join("tls/ca.key")
    }

    /// The administrator's token.
    #[must_use]
    pub fn admin_token(&self) -> PathBuf {
        self.root.join("admin.token")
    }

    /// The key that seals secrets at rest.
    #[must_use]
    pub fn master_key(&self) -> PathBuf {
        self.root.join("keys/master.key")
    }

    /// The key that signs access tokens.
    #[must_use]
    pub fn token_key(&self) -> PathBuf {
        self.root.join("keys/token.key")
    }

    /// Which server this is, among those that share a catalogue; made at the first start.
    ///
    /// # Errors
    /// When the file can be neither read nor written, or holds something else.
    pub fn server_id(&self, entropy: &dyn Entropy) -> Result<Uuid, DataDirError> {
        let path = self.root.join("server.id");
        let failed = |doing| {
            let path = path.clone();
            move |source| DataDirError::Io {
                doing,
                path,
                source,
            }
        };
        match fs::read_to_string(&path) {
            Ok(text) => Uuid::parse_str(text.trim())
                .map_err(io::Error::other)
                .map_err(failed("read the id in")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let made = entropy.id();
                write_public(&path, made.to_string().as_bytes())?;
                Ok(made)
            }
            Err(source) => Err(failed("read")(source)),
        }
    }

    /// Where the running server tells its address.
    #[must_use]
    pub fn server_json(&self) -> PathBuf {
        self.root.join("server.json")
    }

    /// Removes what a stopped or killed server told of its address. Best effort: who reads it finds
    /// a process id that no longer runs.
    pub fn forget_address(&self) {
        let _ = fs::remove_file(self.server_json());
    }
}

/// Reads a secret file; refuses one that other users can read.
pub fn read_private(path: &Path) -> Result<Option<Vec<u8>>, DataDirError> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => {
            return Err(DataDirError::Io {
                doing: "read",
                path: path.to_owned(),
                source,
            });
        }
    };
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(DataDirError::TooOpen {
            path: path.to_owned(),
            mode,
        });
    }
    fs::read(path).map(Some).map_err(|source| DataDirError::Io {
        doing: "read",
        path: path.to_owned(),
        source,
    })
}

/// Writes a file that only this user reads, durably and whole or not at all.
pub fn write_private(path: &Path, content: &[u8]) -> Result<(), DataDirError> {
    write_whole(path, content, PRIVATE_FILE).map_err(|source| DataDirError::Io {
        doing: "write",
        path: path.to_owned(),
        source,
    })
}

/// Writes a file that every user may read, durably and whole or not at all.
pub fn write_public(path: &Path, content: &[u8]) -> Result<(), DataDirError> {
    write_whole(path, content, 0o644).map_err(|source| DataDirError::Io {
        doing: "write",
        path: path.to_owned(),
        source,
    })
}

fn write_whole(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let mut file = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(mode)
        .open(&temporary)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    if let Some(folder) = path.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_server_is_told_that_the_directory_is_in_use() {
        let dir = tempfile::tempdir().unwrap();
        let first = DataDir::open(dir.path()).unwrap();
        let refused = DataDir::open(dir.path()).unwrap_err();
        assert!(matches!(refused, DataDirError::InUse { .. }), "{refused}");
        drop(first);
        DataDir::open(dir.path()).unwrap();
    }

    #[test]
    fn secret_files_are_private_and_an_open_one_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        assert!(read_private(&path).unwrap().is_none());
        write_private(&path, b"hush").unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(read_private(&path).unwrap().unwrap(), b"hush");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(
            read_private(&path),
            Err(DataDirError::TooOpen { mode: 0o640, .. })
        ));
    }

    #[test]
    fn the_database_is_private_and_there_only_once_somebody_wants_it() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::open(dir.path()).unwrap();
        assert!(!dir.path().join("strongroom.db").exists());
        for _ in 0..2 {
            let mode = fs::metadata(data.database().unwrap()).unwrap();
            assert_eq!(mode.permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, b"").unwrap();
        let refused = DataDir::open(&file.join("below")).unwrap_err();
        assert!(refused.to_string().contains("below"), "{refused}");
    }
}
