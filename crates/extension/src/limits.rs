//! The limits of the extension, each with the reason for its value. None depends on how many
//! objects a cluster or a recovery point holds.

use std::time::Duration;

/// How often the extension says in `BackupExtension` that it lives. Readers call it stale after
/// [`strongroom_kubernetes::limits::HEARTBEAT_STALE`], which is more than four of these.
pub const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(10);

/// How often the progress of a job is written to its custom resource. One small write a second at
/// most: a person who watches sees it move, and the API server does not notice it.
pub const STATUS_INTERVAL: Duration = Duration::from_secs(1);

/// Custom resources of one kind that the extension keeps in mind at once (a name, a uid and a time
/// each). More may exist; they are seen once others are gone.
pub const QUEUED_JOBS: usize = 1_000;

/// Jobs of one kind that run at once. A second backup would only share the same API server and
/// the same store with the first; memory stays bounded by one.
pub const RUNNING_JOBS: usize = 1;

/// How often a job is taken over before it is given up. Whatever killed its process this many
/// times (memory, a bug) will do so again; the job must end truthfully rather than never.
pub const ATTEMPTS: u32 = 30;

/// How long a job goes on trying while its store or the API server cannot be reached. A server's
/// restart takes seconds and a node's a minute or two; what is gone for longer is a failed job that
/// somebody should hear of.
pub const UNREACHABLE_GRACE: Duration = Duration::from_secs(180);

/// The variable that sets another grace, in seconds: for networks that are known to be worse, and for
/// tests, which cannot wait for minutes.
pub const UNREACHABLE_GRACE_VARIABLE: &str = "STRONGROOM_UNREACHABLE_GRACE_SECONDS";

/// The wait before a job is begun again after its store or the API server could not be reached.
pub const UNREACHABLE_PAUSE: Duration = Duration::from_secs(3);

/// How long the extension waits for running jobs to notice a shutdown. Kubernetes kills a pod 30 s
/// after SIGTERM by default (`terminationGracePeriodSeconds`); nothing needs to be saved by then,
/// because every step is durable on its own.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);

/// Types that are listed at once in a backup. Measured: 4 lists at once reach about twice the rate
/// of one; more gain nothing on a small control plane.
pub const TYPES_AT_ONCE: usize = 4;

/// Pages that one list may be ahead of the writer. With [`TYPES_AT_ONCE`] this bounds what a backup
/// holds in memory.
pub const PAGES_AHEAD: usize = 1;

/// Chosen namespaces up to which each is listed by itself. Measured: a list for each namespace
/// costs as much as listing everything at about half of 20 namespaces; below that it saves reading
/// what nobody asked for.
pub const NAMESPACES_LISTED_ALONE: usize = 8;

/// How often the list of one type is begun anew within a job because its state expired. Each start
/// goes on behind the last object that was written, so progress is made between two.
pub const LIST_RESTARTS: u32 = 10;

/// Objects of one batch of a restore. Before a batch is begun, how far it reaches is recorded in
/// the custom resource; after it, its outcomes are durable. A kill leaves at most one batch in
/// doubt.
pub const RESTORE_BATCH: usize = 256;

/// Bytes of one batch of a restore, as stored. Objects of the largest size (1.5 MiB) must not add
/// up to a batch that no small pod can hold.
pub const RESTORE_BATCH_BYTES: u64 = 8 * 1024 * 1024;

/// Requests in flight while a batch is applied. Measured: creates gain up to 32–64 in flight on one
/// connection; beyond 32 only the latency grows.
pub const APPLIES_IN_FLIGHT: usize = 32;

/// How long a restore waits for a CRD to be Established. It takes 10–300 ms; a CRD that needs
/// longer has a name conflict or a broken schema, and the finding says so.
pub const ESTABLISH_WAIT: Duration = Duration::from_secs(30);

/// How long a restore waits for a namespace that is being deleted to be gone, so that "delete, then
/// restore" works without a pause in between. Finalizers may keep it for ever; then it is a finding.
pub const NAMESPACE_GONE_WAIT: Duration = Duration::from_secs(60);

/// Owners whose new uid is remembered. An application has few owners and many owned objects; more
/// than this are asked for again.
pub const OWNERS_REMEMBERED: usize = 1_024;

/// Objects that are looked up one by one in a namespace before its whole list is read instead.
pub const LOOKUPS_BEFORE_LIST: usize = 4;

/// Differences between a validated plan and the plan at apply time that are named one by one.
pub const PLAN_CHANGES_NAMED: usize = 100;

/// Bytes of labels that are kept beside an object in the catalogue. Longer ones are read from the
/// object itself when a restore selects by label.
pub const CATALOGUE_LABEL_BYTES: usize = 2_048;

/// Lines of a stored report that are read at once.
pub const REPORT_PAGE: usize = 1_000;

/// The longest error text that goes into a custom resource. etcd's limit is 1.5 MiB; a person reads
/// a few lines.
pub const STATUS_MESSAGE_CHARS: usize = 1_024;

/// How often a create is tried again because the type, made a moment ago, is not served yet by the
/// API server that was asked; with [`NEW_TYPE_PAUSE`] this covers the 5 s after which the API server
/// itself says that a new CRD's storage is ready.
pub const NEW_TYPE_TRIES: u32 = 20;

/// The wait between two such tries.
pub const NEW_TYPE_PAUSE: Duration = Duration::from_millis(300);

/// How long a restore waits until new CRDs show in discovery. They do within a second; whatever does
/// not is a finding for each of its objects.
pub const DISCOVERY_WAIT: Duration = Duration::from_secs(15);

/// How often discovery is asked meanwhile.
pub const DISCOVERY_PAUSE: Duration = Duration::from_millis(250);

/// Lines of a validated plan that are looked through for an object before it counts as new. The two
/// orders are the same; only what is created on demand may stand elsewhere.
pub const PLAN_LOOKAHEAD: usize = 512;
