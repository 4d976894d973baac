//! Objects as files of one container's folder: created once, whole or not at all, and durable
//! before the answer.
//!
//! A new object is written to a staging file on the same file system, synchronised, and then
//! *linked* to its name. A link never replaces, so of two writers exactly one succeeds; and
//! whoever sees the name sees the whole content. All functions here block.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::key::{Bucket, Key};
use super::limits::PUBLISH_ATTEMPTS;

/// The folder of staging files below the folder of all accounts. No account can have this name.
pub(super) const STAGING: &str = ".staging";

/// What is known of an object without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ObjectMeta {
    pub(super) size: u64,
    pub(super) modified: SystemTime,
    /// Changes whenever the content could have changed: objects are written once, so inode, time
    /// and size suffice, and nothing needs to be stored beside the file.
    pub(super) etag: String,
}

/// How creating an object ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Created {
    /// The object is new and durable.
    New(ObjectMeta),
    /// An object of this name was there already; it is untouched.
    Existed(ObjectMeta),
}

/// Makes the folder of a container, durably. It is no error when it is there already.
pub(crate) fn create_container(blobs: &Path, bucket: &Bucket) -> io::Result<()> {
    fs::create_dir_all(blobs)?;
    create_folders(blobs, &bucket.folder(blobs))
}

/// Removes a container's folder and all that is in it. It is no error when it is gone already.
pub(crate) fn remove_container(blobs: &Path, bucket: &Bucket) -> io::Result<()> {
    match fs::remove_dir_all(bucket.folder(blobs)) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// Facts about the object `key`; `NotFound` also when the name is a folder.
pub(super) fn head(container: &Path, key: &Key) -> io::Result<ObjectMeta> {
    let metadata =
        fs::symlink_metadata(key.file(container)).map_err(through_a_file_is_not_found)?;
    meta(&metadata)
}

/// Opens the object `key` for reading.
pub(super) fn open(container: &Path, key: &Key) -> io::Result<(File, ObjectMeta)> {
    let file = File::open(key.file(container)).map_err(through_a_file_is_not_found)?;
    let meta = meta(&file.metadata()?)?;
    Ok((file, meta))
}

/// Gives the written and synchronised file `staged` its name as the object `key`, unless one
/// exists. The staging file is gone afterwards in every case.
pub(super) fn publish(staged: &Path, container: &Path, key: &Key) -> io::Result<Created> {
    let target = key.file(container);
    let linked = link_durably(staged, container, &target);
    let removed = fs::remove_file(staged);
    let created = match linked {
        Ok(()) => Created::New(head(container, key)?),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            Created::Existed(head(container, key)?)
        }
        Err(e) => return Err(e),
    };
    removed?;
    Ok(created)
}

fn link_durably(staged: &Path, container: &Path, target: &Path) -> io::Result<()> {
    let parent = target.parent().unwrap_or(container);
    let mut attempt = 1;
    loop {
        create_folders(container, parent)?;
        match fs::hard_link(staged, target) {
            Ok(()) => return sync_folder(parent),
            // The folder was empty and another request removed it between the two calls.
            Err(e) if e.kind() == io::ErrorKind::NotFound && attempt < PUBLISH_ATTEMPTS => {
                attempt += 1
            }
            Err(e) => return Err(e),
        }
    }
}

/// Makes `folder` and every missing folder between it and `root`, and writes each new name to
/// the disk: an object in a folder whose own name was lost would be lost with it.
fn create_folders(root: &Path, folder: &Path) -> io::Result<()> {
    if folder == root || folder.is_dir() {
        return Ok(());
    }
    let Some(parent) = folder.parent() else {
        return Ok(());
    };
    create_folders(root, parent)?;
    match fs::create_dir(folder) {
        Ok(()) => sync_folder(parent),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        Err(e) => Err(e),
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// A new, empty staging file whose name nobody else has.
pub(super) fn stage(blobs: &Path) -> io::Result<(File, PathBuf)> {
    let folder = blobs.join(STAGING).join("objects");
    // Made at the start, but a file system may have been mounted over it since.
    fs::create_dir_all(&folder)?;
    let path = folder.join(random_name()?);
    let file = OpenOptions::new()
        .write(true)
        .read(true)
        .create_new(true)
        .open(&path)?;
    Ok((file, path))
}

/// A staging file that is still being written: removed when this is dropped before [`Self::keep`].
pub(super) struct Unfinished(Option<PathBuf>);

impl Unfinished {
    pub(super) fn new(staged: PathBuf) -> Self {
        Self(Some(staged))
    }

    /// The file is whole, and another's to remove.
    pub(super) fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(staged) = self.0.take() {
            let _gone_or_found_at_the_next_start = fs::remove_file(staged);
        }
    }
}

/// A name of 128 random bits. Random rather than counted, so that two servers started on the
/// same folder by mistake cannot take each other's files.
pub(super) fn random_name() -> io::Result<String> {
    let mut bytes = [0_u8; 16];
    aws_lc_rs::rand::fill(&mut bytes)
        .map_err(|_| io::Error::other("the operating system gave no random bytes"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Makes the staging folders. What is in them stays: another server may share the folder, and the client of
/// an unfinished upload may well be alive.
pub(super) fn prepare_staging(blobs: &Path) -> io::Result<()> {
    let staging = blobs.join(STAGING);
    fs::create_dir_all(staging.join("objects"))?;
    fs::create_dir_all(staging.join("uploads"))
}

/// Removes the staged content of requests that nobody has written for `age` before `now`: their server was
/// killed.
pub(super) fn remove_abandoned(blobs: &Path, now: SystemTime, age: Duration) -> io::Result<()> {
    for entry in fs::read_dir(blobs.join(STAGING).join("objects"))? {
        let entry = entry?;
        let modified = match entry.metadata() {
            Ok(metadata) => metadata.modified()?,
            // Its request has just ended.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        if now.duration_since(modified).is_ok_and(|idle| idle > age) {
            fs::remove_file(entry.path()).or_else(|error| match error.kind() {
                io::ErrorKind::NotFound => Ok(()),
                _ => Err(error),
            })?;
        }
    }
    Ok(())
}

/// Whether the object `key` has exactly the content whose SHA-256 and length are given.
pub(super) fn has_content(
    container: &Path,
    key: &Key,
    sha256: &[u8],
    size: u64,
) -> io::Result<bool> {
    let (mut file, meta) = open(container, key)?;
    if meta.size != size {
        return Ok(false);
    }
    let mut digest = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    let mut buffer = vec![0_u8; super::limits::IO_BUFFER_BYTES];
    loop {
        let read = io::Read::read(&mut file, &mut buffer)?;
        if read == 0 {
            return Ok(digest.finish().as_ref() == sha256);
        }
        digest.update(&buffer[..read]);
    }
}

fn meta(metadata: &fs::Metadata) -> io::Result<ObjectMeta> {
    if !metadata.is_file() {
        return Err(io::ErrorKind::NotFound.into());
    }
    let etag = format!(
        "{:x}-{:x}{:08x}-{:x}",
        metadata.ino(),
        metadata.mtime(),
        metadata.mtime_nsec(),
        metadata.size()
    );
    Ok(ObjectMeta {
        size: metadata.size(),
        modified: metadata.modified()?,
        etag,
    })
}

/// `a` is an object, so `a/b` cannot exist: for a reader that is simply "not found".
fn through_a_file_is_not_found(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::NotADirectory {
        io::ErrorKind::NotFound.into()
    } else {
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn blobs() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let blobs = dir.path().to_path_buf();
        let bucket = Bucket::new("acct", "box").unwrap();
        prepare_staging(&blobs).unwrap();
        create_container(&blobs, &bucket).unwrap();
        let container = bucket.folder(&blobs);
        (dir, blobs, container)
    }

    fn put(blobs: &Path, container: &Path, key: &str, content: &[u8]) -> io::Result<Created> {
        let (mut file, path) = stage(blobs)?;
        file.write_all(content)?;
        publish(&path, container, &Key::parse(key).unwrap())
    }

    #[test]
    fn the_second_writer_of_a_name_changes_nothing() {
        let (_dir, blobs, container) = blobs();
        assert!(matches!(
            put(&blobs, &container, "a/b/c", b"one").unwrap(),
            Created::New(_)
        ));
        assert!(matches!(
            put(&blobs, &container, "a/b/c", b"two").unwrap(),
            Created::Existed(_)
        ));
        assert_eq!(fs::read(container.join("a/b/c")).unwrap(), b"one");
        assert_eq!(
            fs::read_dir(blobs.join(STAGING).join("objects"))
                .unwrap()
                .count(),
            0
        );
    }

    #[test]
    fn of_many_writers_at_once_exactly_one_succeeds() {
        let (_dir, blobs, container) = blobs();
        let news = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..16_u8)
                .map(|n| {
                    let (blobs, container) = (&blobs, &container);
                    scope.spawn(move || {
                        matches!(
                            put(blobs, container, "x/y", &[n; 100]).unwrap(),
                            Created::New(_)
                        )
                    })
                })
                .collect();
            writers
                .into_iter()
                .map(|w| w.join().unwrap())
                .filter(|new| *new)
                .count()
        });
        assert_eq!(news, 1);
    }

    #[test]
    fn an_object_is_no_folder_and_a_folder_no_object() {
        let (_dir, blobs, container) = blobs();
        put(&blobs, &container, "a", b"1").unwrap();
        put(&blobs, &container, "f/a", b"1").unwrap();
        assert_eq!(
            head(&container, &Key::parse("a/b").unwrap())
                .unwrap_err()
                .kind(),
            io::ErrorKind::NotFound
        );
        assert_eq!(
            head(&container, &Key::parse("f").unwrap())
                .unwrap_err()
                .kind(),
            io::ErrorKind::NotFound
        );
        assert!(put(&blobs, &container, "a/b", b"1").is_err());
    }

    #[test]
    fn content_is_compared_by_digest() {
        let (_dir, blobs, container) = blobs();
        put(&blobs, &container, "a", b"one").unwrap();
        let key = Key::parse("a").unwrap();
        let digest =
            |content: &[u8]| aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, content);
        assert!(has_content(&container, &key, digest(b"one").as_ref(), 3).unwrap());
        assert!(!has_content(&container, &key, digest(b"two").as_ref(), 3).unwrap());
        assert!(!has_content(&container, &key, digest(b"one").as_ref(), 4).unwrap());
    }

    #[test]
    fn a_staging_file_that_was_not_finished_does_not_stay() {
        let (_dir, blobs, _container) = blobs();
        let (_file, cut) = stage(&blobs).unwrap();
        drop(Unfinished::new(cut.clone()));
        assert!(!cut.exists());
        let (_file, whole) = stage(&blobs).unwrap();
        Unfinished::new(whole.clone()).keep();
        assert!(whole.exists());
    }

    #[test]
    fn what_a_killed_server_staged_goes_and_what_another_one_stages_stays() {
        let (_dir, blobs, _container) = blobs();
        let (_file, path) = stage(&blobs).unwrap();
        prepare_staging(&blobs).unwrap();
        let age = Duration::from_secs(60);
        let staged = fs::metadata(&path).unwrap().modified().unwrap();
        remove_abandoned(&blobs, staged + age, age).unwrap();
        assert!(path.exists());
        remove_abandoned(&blobs, staged + age * 2, age).unwrap();
        assert!(!path.exists());
    }
}
