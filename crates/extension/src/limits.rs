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

/// How long a store may take for the few requests of a probe. One that needs longer does not answer: a request
/// takes well under a second, and whoever validates waits for it.
pub const STORE_PROBE_PATIENCE: Duration = Duration::from_secs(20);

/// The wait before a job is begun again after its store or the API server could not be reached.
pub const UNREACHABLE_PAUSE: Duration = Duration::from_secs(3);

/// How long the extension waits for running jobs to notice a shutdown. Kubernetes kills a pod 30 s
/// after SIGTERM by default (`terminationGracePeriodSeconds`); nothing needs to be saved by then,
/// because every step is durable on its own.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);

/// Types that are listed at once in a backup, each with two pages on their way
/// (`strongroom_kubernetes::limits::PAGES_COMING`). Measured: 4 requests at once reach about twice the
/// rate of one; more gain nothing on a small control plane.
pub const TYPES_AT_ONCE: usize = 3;

/// Types whose first page is asked for at once. Most types of a cluster have few objects or none, and
/// an empty list costs the API server a millisecond, so that waiting for its answer is most of its
/// cost. No more than the writer may have runs open (`strongroom_repository::limits::RUNS_OPEN_MAX`).
pub const FIRST_PAGES_AT_ONCE: usize = 8;

/// Pages that may wait for the writer. Besides these each reader holds one that it wants to hand over and
/// the next one on its way, each of a large type one more, and the writer one.
pub const PAGES_AHEAD: usize = 1;

/// Types that are named one by one where a job says which were not read at its cut. All of them
/// stand in the recovery point's header.
pub const CUT_TYPES_NAMED: usize = 5;

/// Chosen namespaces up to which each is listed by itself. Measured: a list for each namespace
/// costs as much as listing everything at about half of 20 namespaces; below that it saves reading
/// what nobody asked for.
pub const NAMESPACES_LISTED_ALONE: usize = 8;

/// How often the list of one type is begun anew within a job because its state expired. Each start
/// goes on behind the last object that was written, so progress is made between two.
pub const LIST_RESTARTS: u32 = 10;

/// Entries of a recovery point that a restore looks at together: those of one type in one namespace
/// are looked up with one list. Only names and places of them are in memory.
pub const RESTORE_LOOKAHEAD: usize = 256;

/// Entries by which the journal of a restore is ahead of what is applied. How far objects may have been
/// written is recorded in the custom resource before they are; one such write covers this many, and
/// the next is on its way when half of them are left, so nothing waits for it. A kill leaves about
/// this many objects in doubt, each of which the next attempt looks at.
pub const JOURNAL_AHEAD: u64 = 1_024;

/// Objects of a restore that are applied or in flight and whose lines wait for the line of one that
/// takes longer (a volume that is being deleted, a webhook that hangs). A line is a few hundred
/// bytes.
pub const RESTORE_OUTSTANDING: u64 = 4_096;

/// Entries that wait to be applied, each with what exists under its name (an object, when there is
/// one: some KiB).
pub const APPLIES_QUEUED: usize = 64;

/// Objects that are applied at once when a restore begins. Measured: creates gain up to 32–64 in
/// flight on one connection.
pub const APPLIES_IN_FLIGHT: usize = 32;

/// Objects that are applied at once at most. Measured: beyond 64 only the latency grows.
pub const APPLIES_IN_FLIGHT_MOST: usize = 64;

/// Objects that are applied at once at least, however often the API server asks to slow down: with
/// fewer a restore would be slower than any other client of that server.
pub const APPLIES_IN_FLIGHT_LEAST: usize = 2;

/// By how many objects the number of those in flight grows after a round in good time. From the base
/// to the limit in eight rounds, about 300 objects.
pub const APPLIES_GROWTH: usize = 4;

/// Bytes, as stored, of the objects in flight. An object is in memory about four times while it is
/// applied (stored, parsed, sent, answered); 64 of the largest size (1.5 MiB) would be 400 MiB.
pub const APPLIES_BYTES: u64 = 8 * 1024 * 1024;

/// Requests that were refused at the same moment shrink the number in flight once. Longer than the
/// answers of one round take.
pub const SHRINK_ONCE_IN: Duration = Duration::from_secs(1);

/// The mean time of an answer up to which an API server is not called slow, whatever its best was.
/// Measured: 160–280 ms are the 99th percentile of 64 in flight on two cores.
pub const SLOW_ANSWER: Duration = Duration::from_millis(400);

/// How many times the best mean time an answer takes before a queue is assumed.
pub const SLOW_FACTOR: u32 = 4;

/// How long refusals for want of a right are not believed. An API server that has just started has
/// not read its own rules; it takes seconds (`rbac/bootstrap-roles` in `/readyz`).
pub const AUTHORIZER_WAIT: Duration = Duration::from_secs(10);

/// The wait before such a request is sent again.
pub const AUTHORIZER_PAUSE: Duration = Duration::from_millis(500);

/// How long a create may take before the object is put off to the end of the restore. The default
/// timeout of a webhook is 10 s (`timeoutSeconds`), after which the API server says which one it is; this
/// is for those that may take longer. The second try waits as long as any request.
pub const CREATE_PATIENCE: Duration = Duration::from_secs(12);

/// Objects of one type whose creates met a webhook that does not answer, one after the other, before
/// the type's others are put off without asking.
pub const WEBHOOK_FAILURES: u32 = 3;

/// How long a restore waits at its end for webhooks that do not answer: their pods may just be
/// starting. After it each type is tried once more, and then its objects are told as failed.
pub const WEBHOOK_WAIT: Duration = Duration::from_secs(60);

/// The wait between two looks at such a webhook.
pub const WEBHOOK_PAUSE: Duration = Duration::from_secs(1);

/// How long a restore waits for a snapshot of the storage to be shown to the cluster. It takes a second;
/// what takes longer has no snapshot controller, or a driver that is stuck.
pub const SOURCE_READY_WAIT: Duration = Duration::from_secs(60);

/// How long it waits once the driver says that something is wrong with a snapshot. Sidecars try again after
/// one, two and four seconds, so that what passes by itself has passed by then.
pub const SOURCE_TROUBLE_WAIT: Duration = Duration::from_secs(10);

/// How long a restore waits at its end for volumes that are being made. Block storage takes seconds to a
/// few minutes; what takes longer goes on by itself, and the job says so.
pub const VOLUME_WAIT: Duration = Duration::from_secs(180);

/// How long it waits for a pod to use a claim whose class makes volumes only then. The scheduler has
/// placed the pods of restored workloads within seconds.
pub const VOLUME_POD_WAIT: Duration = Duration::from_secs(10);

/// The wait between two looks at a snapshot or a claim.
pub const VOLUME_LOOK: Duration = Duration::from_millis(250);

/// How often the extension looks for what restores made for claims and what is of no more use. One small
/// list; nothing is harmed by what stays for as long.
pub const LEFTOVERS_INTERVAL: Duration = Duration::from_secs(15);

/// Added to the number of an attempt for the report in which objects that were put off have their
/// final lines. Larger than any number of attempts ([`ATTEMPTS`]).
pub const SETTLED_REPORT: u32 = 1_000;

/// Objects of one type that a validation tries with a server-side dry run. Admission rules are made
/// for types and namespaces; what they say to fifty they say to all, mostly.
pub const DRY_RUNS_OF_TYPE: u64 = 50;

/// Objects in all that a validation tries so: about two seconds of an API server's time.
pub const DRY_RUNS: u64 = 1_000;

/// Names of classes whose presence is remembered. A cluster has a handful of each kind.
pub const CLASSES_REMEMBERED: usize = 1_024;

/// How long a restore waits for a CRD to be Established. It takes 10–300 ms; a CRD that needs
/// longer has a name conflict or a broken schema, and the finding says so.
pub const ESTABLISH_WAIT: Duration = Duration::from_secs(30);

/// How long a restore waits for a namespace that is being deleted to be gone, so that "delete, then
/// restore" works without a pause in between. Finalizers may keep it for ever; then it is a finding.
pub const NAMESPACE_GONE_WAIT: Duration = Duration::from_secs(60);

/// Objects whose new uid is remembered for what they own. An application has few owners and many
/// owned objects; the oldest are forgotten first and asked for again. About 200 bytes each.
pub const OWNERS_REMEMBERED: usize = 8_192;

/// Owners of one type in one namespace that are asked for one by one before the type is listed there.
pub const OWNERS_BEFORE_LIST: u32 = 3;

/// Objects of one type in one namespace from which on the type is listed there instead of asking for
/// each. A list is also cheaper than a create that finds its object there.
pub const LOOKUPS_BEFORE_LIST: usize = 2;

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

/// The longest wait between two such tries; the first is an eighth of it.
pub const NEW_TYPE_PAUSE: Duration = Duration::from_millis(320);

/// How long after a definition was established an API server lets each create of its type wait: a fixed
/// two seconds when it arrives within two seconds (`justCreated` in `apiextensions-apiserver`,
/// `customresource_handler.go`). What waits here for the rest of that time is done sooner.
pub const NEW_TYPE_REST: Duration = Duration::from_secs(2);

/// Lines of a validated plan that are looked through for an object before it counts as new. The two
/// orders are the same; only what is created on demand may stand elsewhere.
pub const PLAN_LOOKAHEAD: usize = 512;

/// Claims of one recovery point whose volumes are looked after; the published product takes 100 disks of an
/// instance. Each is about a kilobyte in memory, and the ledger that names them all is one ConfigMap, of at
/// most 1 MiB. The data of further ones are told as not protected.
pub const VOLUMES_MAX: usize = 1_500;

/// Volumes that are looked up at once.
pub const VOLUMES_LOOKED_UP_AT_ONCE: usize = 16;

/// Snapshots that are asked for and not cut yet. The csi-snapshotter hands ten to its driver at a time
/// (`--worker-threads`), so this keeps every driver busy, and a large backup does not flood one.
pub const SNAPSHOTS_AT_ONCE: usize = 64;

/// Requests for snapshots, contents and their removal that are sent at once.
pub const SNAPSHOT_CALLS_AT_ONCE: usize = 16;

/// How long a driver may take to cut a snapshot. Cutting is instant on most storage; Velero waits as long
/// (`--csi-snapshot-timeout`, 10 minutes).
pub const SNAPSHOT_CUT_WAIT: Duration = Duration::from_secs(600);

/// How long a driver may take from the cut until volumes can be made from a snapshot. Some copy it to
/// other storage first, which takes as long as its changed bytes do.
pub const SNAPSHOT_READY_WAIT: Duration = Duration::from_secs(3_600);

/// How long trouble with a snapshot that is not cut yet may last. The csi-snapshotter tries again by itself,
/// after 1 s, 2 s, 4 s …; what has failed for this long will not pass by itself.
pub const SNAPSHOT_TROUBLE_WAIT: Duration = Duration::from_secs(60);

/// How long a driver may take to cut a group snapshot; then its volumes are snapshotted one by one. It does
/// the work of one snapshot for each of them, before it answers the first time; and whoever waits for longer
/// waits for a driver that hangs. While an application stands frozen half of its budget is the most, so that
/// the other half is left for single snapshots.
pub const GROUP_CUT_WAIT: Duration = Duration::from_secs(120);

/// How long trouble with a group snapshot may last; then its volumes are snapshotted one by one. The
/// csi-snapshotter tries again after 1 s, 2 s and 4 s. Less than for a single one, because what comes behind
/// it may succeed.
pub const GROUP_TROUBLE_WAIT: Duration = Duration::from_secs(10);

/// Members of a group snapshot that its line names. Each of them has a line of its own.
pub const GROUP_MEMBERS_NAMED: usize = 8;

/// How long the removal of snapshots is waited for. What is left then is removed later, or asked for again.
pub const SNAPSHOT_GONE_WAIT: Duration = Duration::from_secs(120);

/// The first wait between two looks at snapshots that are being taken; it doubles. While an application
/// stands frozen and no watch tells what happens it stays so: two small lists each time, for a minute at
/// most.
pub const SNAPSHOT_FIRST_LOOK: Duration = Duration::from_millis(50);

/// The longest wait between two such looks while one is not cut. What a watch tells is heard at once; without
/// one the window that is told is this much longer than the real one at most.
pub const SNAPSHOT_LOOK: Duration = Duration::from_millis(250);

/// The wait before a content is asked for under the name that it will have, when nothing says that its driver
/// is at work, and before one that was not there yet is asked for again.
pub const SNAPSHOT_KEEP_AGAIN: Duration = Duration::from_millis(500);

/// The first wait once all are cut, which doubles: many drivers have finished a snapshot when it is cut.
pub const SNAPSHOT_CUT_LOOK: Duration = Duration::from_millis(100);

/// The longest wait between two looks at snapshots that are cut and not ready, or that are being removed.
pub const SNAPSHOT_SLOW_LOOK: Duration = Duration::from_secs(2);

/// How often ledgers are compared with the cluster again while something is left to remove.
pub const RECONCILE_AGAIN: Duration = Duration::from_secs(60);

/// How often they are compared when nothing is: somebody may remove what recovery points need. Two lists
/// and the ledgers, and where group snapshots are served three lists more.
pub const RECONCILE_EVERY: Duration = Duration::from_secs(600);

/// Missing volume snapshots that are named in the extension's status; all of them are in its log.
pub const MISSING_NAMED: usize = 5;

/// Pods in which one command of a hook runs at once. Each is a connection of its own and up to 128 KiB of
/// what the command prints.
pub const HOOK_PODS_AT_ONCE: usize = 16;

/// Characters of each of a command's two streams that its line in the report tells. A line's reason has
/// 2,048 in all.
pub const HOOK_OUTPUT_CHARS: usize = 800;

/// How often a command that thaws is tried before it is given up. With the pauses below about 15 s: what
/// does not answer for longer needs a person, whom the finding calls.
pub const THAW_TRIES: u32 = 5;

/// The pause after the first try of a thaw; it doubles.
pub const THAW_FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The time after which no further try is begun, when the tries themselves take long.
pub const THAW_WAIT: Duration = Duration::from_secs(120);

/// The pause before journals that are left are looked at again: the API server did not answer.
pub const THAW_AGAIN: Duration = Duration::from_secs(5);

/// Jobs whose thaw by the keeper is remembered for their report. A job runs at a time; those that are gone
/// never ask.
pub const THAWED_UNTOLD: usize = 4;

/// The wait between two looks at pods in which a hook of a restore is to run. A container takes a second or
/// so to start; a look costs a small list.
pub const HOOK_LOOK: Duration = Duration::from_millis(500);

/// Bytes of a command's end that the journal of a restore's hooks keeps for the report of a later attempt.
/// With key and names less than 512 bytes each, which must stay under the 1 MiB of a ConfigMap.
pub const HOOK_END_BYTES: usize = 300;

/// Workloads and custom resources that a restore with hooks remembers to have made, where its hooks look.
/// Some 250 bytes each: 100,000 take a fifth of the extension's 128 MiB, at a time at which pages and packs
/// are not needed any more.
pub const MADE_REMEMBERED: usize = 100_000;

/// Owners above a pod that are looked at to know whether a restore made it. Two are usual (ReplicaSet,
/// Deployment), operators add one or two.
pub const OWNERS_CLIMBED: usize = 8;

/// Workloads without all of their pods that are told one by one for each hook.
pub const ABSENT_PODS_TOLD: usize = 100;
