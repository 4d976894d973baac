//! The limits of this crate, each with the reason for its value. Nothing here depends on how many
//! objects a cluster holds: that is the point of them.

use std::time::Duration;

/// How long a connection to an API server may take to come up, TLS included. A cluster that is
/// farther away than this is in practice unreachable, and a user waits for the answer.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long one request may take from its first byte to the last byte of its answer. The API
/// server's own limit for a request is 60 s (`kube-apiserver --request-timeout`), so a longer wait
/// can bring nothing.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(65);

/// How long a connection may be silent before it counts as dead. Longer than the 290 s after which
/// a watch ends by itself, so a quiet watch is never cut.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(320);

/// How many times one request is sent again after an answer that says "later" (429, 503, 504) or
/// after a lost connection. With the waits below this rides out an API server's restart (about
/// 15 s) and no more: what takes longer is the next attempt of the whole step.
pub const RETRIES: u32 = 6;

/// The first wait between two attempts when the server names none; it doubles at each attempt.
pub const FIRST_BACKOFF: Duration = Duration::from_millis(250);

/// The longest single wait between two attempts, also when `Retry-After` asks for more: a server
/// (or whatever answers in its place) must not be able to park a job for hours.
pub const LONGEST_BACKOFF: Duration = Duration::from_secs(15);

/// Objects per page of a list. Measured: 500 is as fast as no limit at all, and it bounds what is in
/// memory; it is also what `kubectl get` asks for (`--chunk-size`).
pub const PAGE_SIZE: u32 = 500;

/// The bytes that one page may have before it is asked for again in smaller pieces. 500 objects of
/// 3 KiB are 1.5 MiB; 500 of the largest size that etcd takes (1.5 MiB) would be 750 MiB, which no
/// 128 MiB pod survives. Several kinds are read at once, each with its next page on its way.
pub const PAGE_BYTES: usize = 3 * 1024 * 1024;

/// The first bytes of an answer that are looked at while it comes: enough for the metadata of a list with
/// its token, which is the key of an object in base64. Where it is longer, the token is found later.
pub const GLANCE_BYTES: usize = 2 * 1024;

/// Pages of one list that may be on their way besides the one that was handed out. Measured: the API server
/// works on one page while the one before is being sent and read, so that two lists keep two cores of it
/// busy; a third page would only be memory.
pub const PAGES_COMING: usize = 2;

/// Rooms for pages that are kept for the next ones. Fewer than the pages that a backup may have in memory at
/// once: each room grows to the largest page that ever lay in it and stays, and a peak that lasts for
/// moments is cheaper asked of the system than held for the whole job.
pub const ROOMS_KEPT: usize = 8;

/// The room that a list's first page gets: nobody knows its size, and most types have few objects.
pub const FIRST_PAGE_BYTES: usize = 16 * 1024;

/// The bytes that any one answer may have. A single object is at most about 1.5 MiB in etcd
/// (`--max-request-bytes`); JSON with its escapes can be a few times that; aggregated discovery of a
/// cluster with thousands of CRDs is a few MiB.
pub const RESPONSE_BYTES: usize = 64 * 1024 * 1024;

/// The bytes of an error answer that are read and kept. A proxy's error page is not worth more.
pub const ERROR_BYTES: usize = 64 * 1024;

/// Characters of a server's own words that are carried in an error.
pub const ERROR_CHARS: usize = 1024;

/// Definitions of custom types that are asked for at once. Each is one small request, but its answer
/// can be a MiB.
pub const DEFINITIONS_AT_ONCE: usize = 4;

/// How often a list may be begun again because its resource version expired (410) before its first
/// page was handed out.
pub const LIST_RESTARTS: u32 = 3;

/// The bytes of an uploaded kubeconfig. A flattened, minified one has 5–10 KiB; a large one with
/// many contexts some hundred.
pub const KUBECONFIG_BYTES: usize = 512 * 1024;

/// The bytes of job secrets before they are sealed. They are one storage configuration with a CA
/// bundle and one key: a few KiB. The custom resource that carries them must stay far below etcd's
/// 1.5 MiB.
pub const SEALED_PLAINTEXT_BYTES: usize = 64 * 1024;

/// The shortest life that the TokenRequest API grants: it refuses less than ten minutes
/// (`kubernetes/pkg/apis/authentication/validation`: `MinTokenAgeSec`).
pub const TOKEN_SHORTEST: Duration = Duration::from_secs(600);

/// The longest life that the vault asks for. A token that leaks is worthless after an hour; the
/// vault asks for a new one when half of it is gone.
pub const TOKEN_LONGEST: Duration = Duration::from_secs(3600);

/// Access reviews that run at once. Each is one small request; more would only queue in the server.
pub const REVIEWS_AT_ONCE: usize = 8;

/// How often a state that the cluster is about to reach (a CRD established, a namespace active or
/// gone, an extension ready) is looked at again. CRDs take 10–300 ms on a free API server.
pub const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// The wait after the first such look; it doubles up to [`POLL_INTERVAL`]. A CRD on a free API server
/// is established within 10 ms, and whoever restores one waits for just that. (A watch would need a
/// right on every kind that the extension otherwise has no use for.)
pub const FIRST_LOOK: Duration = Duration::from_millis(5);

/// A heartbeat older than this means that the extension's process is not working, even when its
/// pod runs: it beats every 10 s, and three beats may be lost to an API server's restart.
pub const HEARTBEAT_STALE: Duration = Duration::from_secs(45);

/// The bytes that are kept of what a command prints on each of its streams. A person reads its first
/// lines; what comes after is read and dropped, so that the command does not wait for a reader.
pub const EXEC_OUTPUT_BYTES: usize = 64 * 1024;

/// The bytes that are read of such a stream at once. The kubelet sends 32 KiB a message
/// (`io.Copy`'s buffer).
pub const EXEC_BUFFER_BYTES: usize = 32 * 1024;

/// Seconds after which the API server ends a watch of volume snapshots: as long as it may be (kube refuses
/// 295 and more). A snapshot that takes longer is watched by the next one.
pub const NEWS_WATCH: u32 = 290;

/// The wait before a watch that was ended or interrupted is begun again. Lists tell the same meanwhile.
pub const NEWS_AGAIN: Duration = Duration::from_secs(1);

/// News that wait to be read. Each is about 1 KiB; when there is no room the watch is read later.
pub const NEWS_WAITING: usize = 64;
