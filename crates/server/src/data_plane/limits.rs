//! The limits of the data plane, each with the reason for its value.

use std::time::Duration;

/// Longest object key, in bytes.
///
/// The number of the S3 user guide
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html>), so that a client
/// that obeys S3 never meets a tighter one here.
pub const MAX_KEY_BYTES: usize = 1024;

/// Longest segment (the text between two slashes) of a key, in bytes: `NAME_MAX` of every common
/// Linux file system, since a segment is a file or folder name here.
pub const MAX_SEGMENT_BYTES: usize = 255;

/// Largest object that one request may create: the limit of S3's `PutObject`
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/upload-objects.html>).
/// It also keeps one damaged or hostile job from filling the disk with one endless request.
pub const MAX_OBJECT_BYTES: u64 = 5 * 1024 * 1024 * 1024;

/// Most parts of one multipart upload, and the highest part number: S3's own limit.
pub const MAX_PARTS: i32 = 10_000;

/// Most entries in one page of a listing: S3's own limit.
pub const MAX_KEYS_PER_PAGE: usize = 1000;

/// Bytes read from or written to the disk at a time. Large enough that system calls cost nothing
/// beside TLS, small enough that [`MAX_CONCURRENT_REQUESTS`] of them stay far below the memory of
/// the smallest machine that the server runs on.
pub const IO_BUFFER_BYTES: usize = 256 * 1024;

/// Requests that the data plane works on at the same time; more wait their turn.
/// With one buffer for reading and one for writing each, this bounds its memory to 64 MiB.
pub const MAX_CONCURRENT_REQUESTS: usize = 128;

/// How long a sender may be silent in the middle of a body. A cluster that lost its power sends no
/// farewell, and its uploads would hold their places among [`MAX_CONCURRENT_REQUESTS`] for ever.
pub const BODY_SILENCE: Duration = Duration::from_secs(60);

/// How long an unfinished multipart upload is kept after its last part arrived.
/// Longer than any pause of a living job (whose own deadline is shorter), and short enough that
/// the parts of a dead one do not hold the disk.
pub const ABANDONED_UPLOAD_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// Attempts to make a folder and put an object into it, when another request removes the folder
/// in between because it had become empty. One removal can happen per deletion, so more than a
/// few in a row means that something else is wrong.
pub const PUBLISH_ATTEMPTS: u32 = 4;
