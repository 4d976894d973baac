//! Multipart uploads: parts wait in a folder of the staging area until they become one object.
//!
//! An upload is a folder named after its id, holding one file per part and one file that says
//! which bucket and key the upload is for. All functions here block.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::folder::{self, Created, ObjectMeta, STAGING};
use super::key::{Bucket, Key};
use super::limits::MAX_PARTS;

/// The file of an upload's folder that says what the upload is for.
const TARGET_FILE: &str = "target";

/// Why a step of a multipart upload was refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum UploadError {
    /// No such upload, or it is for another object.
    #[error("there is no such multipart upload")]
    NoSuchUpload,
    /// A named part is missing, has another ETag, or parts are not in ascending order.
    #[error("part {0} is missing, was replaced, or stands out of order")]
    InvalidPart(i32),
    /// The disk refused.
    #[error("a multipart upload's files could not be read or written")]
    Io(#[from] io::Error),
}

/// The folder of one upload, known to belong to one object.
#[derive(Debug)]
pub(super) struct Upload {
    folder: PathBuf,
}

impl Upload {
    /// Begins an upload of `bucket`/`key` and returns its id.
    pub(super) fn begin(blobs: &Path, bucket: &Bucket, key: &Key) -> Result<String, UploadError> {
        let id = folder::random_name()?;
        let folder = uploads(blobs).join(&id);
        fs::create_dir(&folder)?;
        fs::write(folder.join(TARGET_FILE), target(bucket, key))?;
        Ok(id)
    }

    /// Finds the upload `id` of `bucket`/`key`.
    pub(super) fn find(
        blobs: &Path,
        id: &str,
        bucket: &Bucket,
        key: &Key,
    ) -> Result<Self, UploadError> {
        let is_an_id = id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit());
        if !is_an_id {
            return Err(UploadError::NoSuchUpload);
        }
        let folder = uploads(blobs).join(id);
        match fs::read_to_string(folder.join(TARGET_FILE)) {
            Ok(text) if text == target(bucket, key) => Ok(Self { folder }),
            Ok(_) => Err(UploadError::NoSuchUpload),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Err(UploadError::NoSuchUpload),
            Err(e) => Err(e.into()),
        }
    }

    /// Takes the written file `staged` as part `number`, replacing an earlier one of that number
    /// as S3 does, and returns the part's ETag, which is the given digest of its content.
    pub(super) fn put_part(
        &self,
        number: i32,
        staged: &Path,
        sha256: &str,
    ) -> Result<String, UploadError> {
        if !(1..=MAX_PARTS).contains(&number) {
            return Err(UploadError::InvalidPart(number));
        }
        for old in self.files_of(number)? {
            fs::remove_file(old)?;
        }
        fs::rename(staged, self.folder.join(format!("{number:05}-{sha256}")))?;
        Ok(sha256.to_owned())
    }

    /// Joins the named parts, in order, into the object `key`, unless an object of that name
    /// exists, and forgets the upload.
    pub(super) fn complete(
        self,
        blobs: &Path,
        container: &Path,
        key: &Key,
        parts: &[(i32, String)],
    ) -> Result<Completed, UploadError> {
        let mut previous = 0;
        let (mut whole, staged) = folder::stage(blobs)?;
        for (number, etag) in parts {
            let file = self.folder.join(format!("{number:05}-{etag}"));
            let is_a_digest = etag.bytes().all(|b| b.is_ascii_hexdigit());
            if *number <= previous || !is_a_digest || !file.is_file() {
                fs::remove_file(&staged)?;
                return Err(UploadError::InvalidPart(*number));
            }
            io::copy(&mut File::open(file)?, &mut whole)?;
            previous = *number;
        }
        whole.flush()?;
        whole.sync_all()?;
        let created = folder::publish(&staged, container, key)?;
        self.abort()?;
        Ok(match created {
            Created::New(meta) => Completed::New(meta),
            Created::Existed(_) => Completed::Existed,
        })
    }

    /// Forgets the upload and its parts.
    pub(super) fn abort(self) -> Result<(), UploadError> {
        Ok(fs::remove_dir_all(&self.folder)?)
    }

    fn files_of(&self, number: i32) -> io::Result<Vec<PathBuf>> {
        let start = format!("{number:05}-");
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(&start) {
                files.push(entry.path());
            }
        }
        Ok(files)
    }
}

/// How completing an upload ended.
#[derive(Debug)]
pub(super) enum Completed {
    /// The object is there.
    New(ObjectMeta),
    /// Another object has the name; the upload's parts are gone.
    Existed,
}

/// Removes uploads whose last part came more than `age` before `now`; returns how many.
pub(super) fn remove_abandoned(blobs: &Path, now: SystemTime, age: Duration) -> io::Result<usize> {
    let mut removed = 0;
    for entry in fs::read_dir(uploads(blobs))? {
        let entry = entry?;
        let last_change = entry.metadata()?.modified()?;
        if now.duration_since(last_change).is_ok_and(|idle| idle > age) {
            fs::remove_dir_all(entry.path())?;
            removed += 1;
        }
    }
    Ok(removed)
}

fn uploads(blobs: &Path) -> PathBuf {
    blobs.join(STAGING).join("uploads")
}

fn target(bucket: &Bucket, key: &Key) -> String {
    format!("{bucket}/{}", key.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blobs() -> (tempfile::TempDir, Bucket, Key) {
        let dir = tempfile::tempdir().unwrap();
        folder::prepare_staging(dir.path()).unwrap();
        let bucket = Bucket::new("acct", "box").unwrap();
        folder::create_container(dir.path(), &bucket).unwrap();
        (dir, bucket, Key::parse("a/b").unwrap())
    }

    fn part(blobs: &Path, upload: &Upload, number: i32, content: &[u8]) -> String {
        let (mut file, path) = folder::stage(blobs).unwrap();
        file.write_all(content).unwrap();
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, content);
        let hex: String = digest.as_ref().iter().map(|b| format!("{b:02x}")).collect();
        upload.put_part(number, &path, &hex).unwrap()
    }

    #[test]
    fn an_upload_answers_only_for_its_own_object() {
        let (dir, bucket, key) = blobs();
        let id = Upload::begin(dir.path(), &bucket, &key).unwrap();
        assert!(Upload::find(dir.path(), &id, &bucket, &key).is_ok());
        let other = Key::parse("a/c").unwrap();
        for (id, key) in [
            (id.as_str(), &other),
            ("../../x", &key),
            ("", &key),
            (&"0".repeat(32), &key),
        ] {
            assert!(
                matches!(
                    Upload::find(dir.path(), id, &bucket, key),
                    Err(UploadError::NoSuchUpload)
                ),
                "{id}"
            );
        }
    }

    #[test]
    fn the_last_content_of_a_part_counts_and_the_first_no_longer_completes() {
        let (dir, bucket, key) = blobs();
        let id = Upload::begin(dir.path(), &bucket, &key).unwrap();
        let find = || Upload::find(dir.path(), &id, &bucket, &key).unwrap();
        let first = part(dir.path(), &find(), 1, b"old");
        let second = part(dir.path(), &find(), 1, b"new");
        let container = bucket.folder(dir.path());
        let refused = find().complete(dir.path(), &container, &key, &[(1, first)]);
        assert!(matches!(refused, Err(UploadError::InvalidPart(1))));
        let done = find()
            .complete(dir.path(), &container, &key, &[(1, second)])
            .unwrap();
        assert!(matches!(done, Completed::New(meta) if meta.size == 3));
        assert_eq!(fs::read(container.join("a/b")).unwrap(), b"new");
    }

    #[test]
    fn abandoned_uploads_are_removed_and_living_ones_kept() {
        let (dir, bucket, key) = blobs();
        let id = Upload::begin(dir.path(), &bucket, &key).unwrap();
        let modified = fs::metadata(uploads(dir.path()).join(&id))
            .unwrap()
            .modified()
            .unwrap();
        let age = Duration::from_secs(60);
        assert_eq!(
            remove_abandoned(dir.path(), modified + age, age).unwrap(),
            0
        );
        assert_eq!(
            remove_abandoned(dir.path(), modified + age * 2, age).unwrap(),
            1
        );
        assert!(matches!(
            Upload::find(dir.path(), &id, &bucket, &key),
            Err(UploadError::NoSuchUpload)
        ));
    }
}
