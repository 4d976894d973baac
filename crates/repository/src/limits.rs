//! Every limit of the repository, each with its reason. Limits that end in `_MAX` are enforced on
//! what is read from the store as well as on what callers hand in: the store may be hostile.

use std::time::Duration;

/// Plaintext bytes after which a compression frame is closed. Frames of 256 KiB to 1 MiB compress
/// small objects well and still let one object be read without reading the whole point.
pub const FRAME_TARGET: usize = 512 * 1024;

/// Bytes that are compressed at once on a thread that others wait for: about five milliseconds.
pub const BESIDE_MAX: usize = 2 * 1024 * 1024;

/// Records that may wait for an open frame. A frame is closed early beyond it, so that a long
/// stretch of carried-over records cannot grow memory while one small body waits.
pub const FRAME_WAITING_MAX: usize = 2048;

/// Largest body of one entry, bytes. etcd refuses requests beyond 1.5 MiB by default; aggregated
/// API servers can hold larger objects, and 16 MiB leaves room for them.
pub const BODY_MAX: usize = 16 * 1024 * 1024;

/// Largest plaintext of a frame: one that was nearly full and then took the largest body.
pub const FRAME_MAX: usize = FRAME_TARGET + BODY_MAX;

/// Largest metadata of one entry, bytes: it is catalogue data and is read with every listing.
pub const META_MAX: usize = 16 * 1024;

/// Longest entry name, bytes: two Kubernetes names of 253 and a separator fit four times.
pub const NAME_MAX: usize = 2048;

/// Longest group (run) name, bytes.
pub const GROUP_MAX: usize = 1024;

/// Plaintext bytes after which a catalogue leaf is closed (the 64 KiB of the design).
pub const LEAF_TARGET: usize = 64 * 1024;

/// Largest plaintext of a leaf: one that was nearly full and then took the largest record.
pub const LEAF_MAX: usize = LEAF_TARGET + META_MAX + NAME_MAX + 64 * 1024;

/// Largest plaintext of a layer index: about 300,000 leaves, more than 60 million entries of a kind.
pub const LAYER_MAX: usize = 64 * 1024 * 1024;

/// Most layers that a run may stack before the writer merges the newer half of them. Each costs a
/// reader one open leaf.
pub const LAYERS_MAX: usize = 8;

/// Bytes after which a pack is finished and sent. One is being filled while another is being sent,
/// and the writer has to live in 128 MiB beside the pages of four lists; 4 MiB is large enough that
/// requests cost little beside bytes (at 100 ms a request still 40 MiB/s, of compressed bytes), and so
/// small that both are there in a backup of some thousand objects as in one of millions.
pub const PACK_TARGET: usize = 4 * 1024 * 1024;

/// Packs whose room is kept for the next ones: the one that is being filled and the one on its way.
pub const PACK_ROOMS: usize = 2;

/// Largest pack accepted when reading: a full one, plus the largest frame and its catalogue.
pub const PACK_MAX: usize = 64 * 1024 * 1024;

/// Largest plaintext of a pack's footer (about 200 bytes a section).
pub const FOOTER_MAX: usize = 4 * 1024 * 1024;

/// Largest plaintext of a manifest. Its parts grow with the kinds of a point and with the packs
/// that it needs, not with its entries.
pub const MANIFEST_MAX: usize = 32 * 1024 * 1024;

/// Largest JSON header that a caller may attach to a run or a point, bytes.
pub const HEADER_MAX: usize = 1024 * 1024;

/// Most runs (groups) in a point. Clusters with 3,000 custom resource definitions are known; this
/// leaves room and bounds the manifest.
pub const RUNS_MAX: usize = 20_000;

/// Largest writer's marker or prune mark, bytes of plaintext: lists of pack names.
pub const MARK_MAX: usize = 64 * 1024 * 1024;

/// Most runs that a writer may have open at once. Each holds a frame and a few leaves (about 1 MiB);
/// an API server serves no more lists at once than this with profit.
pub const RUNS_OPEN_MAX: usize = 8;

/// Largest `format` object, bytes.
pub const FORMAT_MAX: usize = 4096;

/// Plaintext bytes after which a report segment is sent. Lines are much alike: a megabyte of them
/// compresses to a fiftieth, and 5,000 objects cost one request.
pub const REPORT_SEGMENT_TARGET: usize = 1024 * 1024;

/// Longest line of a report, bytes.
pub const REPORT_LINE_MAX: usize = 64 * 1024;

/// Largest plaintext of a report segment.
pub const REPORT_SEGMENT_MAX: usize = REPORT_SEGMENT_TARGET + REPORT_LINE_MAX + 4096;

/// Most lines that one call of `read_report` returns; more is asked for with the next page.
pub const REPORT_PAGE_MAX: u64 = 10_000;

/// Decrypted frames that a reader of a point keeps: neighbouring entries share them.
pub const FRAMES_CACHED: usize = 4;

/// Earlier attempts at a point whose packs a resuming writer looks into, newest first. Each costs
/// one open leaf; content of older ones is sent again, never lost.
pub const ATTEMPTS_RESUMED_MAX: usize = 16;

/// Problems that one verification lists by name; further ones are only counted.
pub const VERIFY_PROBLEMS_MAX: usize = 1000;

/// Age, by the store's own clock, at which a writer without a sealed point is taken for dead and
/// no longer protects its packs. Far beyond the longest backup.
pub const IN_FLIGHT_MAX_AGE: Duration = Duration::from_secs(7 * 24 * 3600);

/// Tries of one store call in all, when the store cannot be reached or asks to slow down. With the
/// waits between them about ten seconds for a service that refuses connections: a restart of it is
/// ridden out.
pub const STORE_TRIES: u32 = 6;

/// Wait before the second try of a store call; doubled for each further one.
pub const STORE_BACKOFF: Duration = Duration::from_millis(250);

/// Longest time for one request to a store. A full pack at 256 KiB/s takes about a minute.
pub const STORE_REQUEST_TIMEOUT: Duration = Duration::from_secs(120);

/// Longest time to connect to a store. With all tries a service that swallows packets is given up
/// after about 70 seconds.
pub const STORE_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Time for which the S3 client itself retries one request (5xx, dropped connections).
pub const STORE_RETRY_TIMEOUT: Duration = Duration::from_secs(30);

/// Most retries of one request by the S3 client itself, within each of our tries.
pub const STORE_CLIENT_RETRIES: usize = 1;

/// Most bytes of a description. It holds a dozen documents of some kilobytes each.
pub const DESCRIPTION_MAX: usize = 4 << 20;
