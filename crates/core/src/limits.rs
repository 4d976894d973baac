//! Limits that more than one crate must agree on, each with its why and where its number comes from.
//!
//! Contract: a limit that only one crate knows lives in that crate's own `limits.rs`. Durations are
//! `std::time::Duration`, sizes are bytes.

use std::time::Duration;

use jiff::SignedDuration;

/// Objects in one page of a list. 500 is kubectl's and client-go's own page size; larger pages are no
/// faster (measured: 30,000 objects in 1.7 s by 500, 1.9 s in one page) and cost memory.
pub const LIST_PAGE_OBJECTS: u32 = 500;

/// Resources in one page of our own REST lists. Azure Resource Manager's lists use 100 to 1,000; a
/// page of 100 recovery points stays under 100 KB.
pub const REST_PAGE_ITEMS: usize = 100;

/// Lines in one page of a job's report: at about 300 bytes a line a page stays under 300 KB.
pub const REPORT_PAGE_LINES: usize = 1_000;

/// Size of a request's body. The largest legal body is a policy or an instance of a few KB; a
/// kubeconfig with certificates is about 10 KB. 1 MiB leaves room and bounds what a client can make
/// the server hold.
pub const REQUEST_BODY_BYTES: usize = 1024 * 1024;

/// Nesting of a request's JSON. The deepest published body has about 12 levels; `serde_json` itself
/// stops at 128, which is deep enough to hurt handlers that recurse.
pub const JSON_DEPTH: usize = 32;

/// Size of one Kubernetes object that a recovery point holds. An API server accepts requests of 3 MiB
/// and etcd values of 1.5 MiB by default; double the former so that no legal object is refused.
/// Source: <https://etcd.io/docs/v3.6/dev-guide/limit/>
pub const OBJECT_BYTES: u64 = 6 * 1024 * 1024;

/// Size of a job's sealed secrets before sealing: storage settings with a certificate chain and a key.
/// A custom resource as a whole must stay under etcd's 1.5 MiB.
pub const SEALED_SECRET_BYTES: usize = 64 * 1024;

/// Entries in one list of a selection. Azure's own limit is 800 namespaces an instance; a custom
/// resource with ten times as many names still stays under etcd's limit.
pub const SELECTION_LIST_MAX: usize = 8_000;

/// Names of objects of the cluster's own scope that a selection keeps in mind as needed, with who needs
/// them: at about 150 bytes each 3 MB, at the longest names 12 MB. Only volumes come in numbers; classes,
/// roles and definitions are few. Beyond it all objects of the type are taken.
pub const NEEDED_NAMES_MAX: usize = 20_000;

/// Aggregated ClusterRoles that a selection keeps in mind, with their selectors. The API server has
/// three, and an add-on brings about one.
pub const AGGREGATED_ROLES_MAX: usize = 1_000;

/// Namespaces whose own label keeps them out of backups: as many as a selection can name.
pub const OPTED_OUT_NAMESPACES_MAX: usize = SELECTION_LIST_MAX;

/// Types that a preview counts one by one. The largest clusters serve some hundreds; a type with its rules
/// is about 500 bytes, so that the custom resource that carries them stays under etcd's 1.5 MiB.
pub const PREVIEW_TYPES_MAX: usize = 1_000;

/// Rules that a preview names of one type; no type has half as many.
pub const PREVIEW_RULES_MAX: usize = 16;

/// Findings that a preview names one by one.
pub const PREVIEW_FINDINGS_MAX: usize = 200;

/// Entries of `errorDetails` in a job's answer; the report has all of them.
pub const JOB_ERROR_DETAILS: usize = 50;

/// How often the extension renews its heartbeat, its own and that of a running job.
pub const HEARTBEAT_EVERY: Duration = Duration::from_secs(10);

/// After how long without a heartbeat the extension counts as unhealthy: six missed ones, so that a
/// slow API server or a restart of the pod is no alarm.
pub const HEARTBEAT_STALE_AFTER: Duration = Duration::from_secs(60);

/// After how long without any progress of the custom resource a job is ended as failed although the
/// cluster answers: long enough for a node to be lost (Kubernetes evicts after 5 minutes) and the pod
/// to start elsewhere.
pub const JOB_PROGRESS_STALE_AFTER: Duration = Duration::from_secs(10 * 60);

/// After how long without an answer of the cluster a running job is ended as failed: an upgrade of a
/// managed control plane takes it away for some minutes, so be patient, but tell the truth in the end.
pub const CLUSTER_UNREACHABLE_AFTER: Duration = Duration::from_secs(15 * 60);

/// How long one request to a cluster may take before it counts as failed; watch and list are paged, so
/// that none is legitimately slower. Kubernetes' own request timeout is 60 s.
pub const CLUSTER_REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a connection to a cluster may take to be made.
pub const CLUSTER_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a job may run before it is ended. 100,000 objects take minutes; a day covers a store that
/// is a thousand times slower than usual.
pub const JOB_DEADLINE: Duration = Duration::from_secs(24 * 60 * 60);

/// How many times extension processes take one job over before it counts as failed; each take-over
/// follows a crash or an eviction, and what kills five in a row will kill the sixth.
pub const JOB_ATTEMPTS: u32 = 5;

/// How many times one request is tried when the other side is busy or the network fails.
pub const REQUEST_ATTEMPTS: u32 = 5;

/// First pause between two tries; it doubles each time.
pub const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// Longest pause between two tries, whatever `Retry-After` says.
pub const RETRY_PAUSE_MAX: Duration = Duration::from_secs(30);

/// `Retry-After` of our long-running operations, in seconds: whole seconds are all that clients read,
/// and our operations are short (the Go SDK would wait 30 s without it).
pub const OPERATION_RETRY_AFTER_SECONDS: u64 = 1;

/// How long the result of a long-running operation can be asked for after its end.
pub const OPERATION_KEPT_FOR: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How long a Trusted Access token for a cluster is valid; the API server's own minimum is 10 minutes.
/// Source: <https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-request-v1/>
pub const TRUSTED_ACCESS_TOKEN_TTL: Duration = Duration::from_secs(60 * 60);

/// Objects created or changed at the same time in a restore: an API server reaches its best rate
/// between 16 and 64 in flight (measured: 670 and 1,040 a second).
pub const RESTORE_IN_FLIGHT: usize = 32;

/// Types listed at the same time in a backup: four reach what one API server gives on two cores.
pub const COLLECT_IN_FLIGHT: usize = 4;

/// How long a restore waits for a CustomResourceDefinition to be established, which takes about a
/// second on an idle cluster.
pub const CRD_ESTABLISHED_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a restore waits for an object or a namespace that is being deleted to be gone; namespace
/// deletion of a thousand objects takes about ten seconds.
pub const DELETION_TIMEOUT: Duration = Duration::from_secs(120);

/// Shortest interval between two scheduled backups; the published product's is 4 hours.
pub const SCHEDULE_INTERVAL_MIN: Duration = Duration::from_secs(5 * 60);

/// How far the clock may be put back without moments of a schedule being counted anew: corrections of a
/// running clock are seconds, and no schedule has two moments within the shortest interval.
pub const CLOCK_PUT_BACK_MAX: SignedDuration = SignedDuration::from_secs(5 * 60);

/// By how much a clock must go ahead of the time that passed before retention distrusts it: longer than
/// an upgrade of the server takes, and a recovery point's time is days.
pub const CLOCK_LEAP_MIN: SignedDuration = SignedDuration::from_hours(1);

/// The longest that retention distrusts a clock that leapt: time for somebody to notice and put it right,
/// and little enough that a server which is switched off every night still lets go what is over.
pub const CLOCK_DISTRUST_MAX: SignedDuration = SignedDuration::from_hours(6);

/// Schedules in one policy; the published portal makes at most one for each weekday and hour.
pub const POLICY_SCHEDULES_MAX: usize = 168;

/// Rules in one policy; the published ones are Default, Daily, Weekly, Monthly, Yearly.
pub const POLICY_RULES_MAX: usize = 32;

/// Longest retention in days: 10 years and its leap days, the published maximum of the vault tier.
/// Source: <https://learn.microsoft.com/azure/backup/azure-kubernetes-service-cluster-backup-support-matrix>
pub const RETENTION_DAYS_MAX: i64 = 3_653;

/// Longest name part of a label key.
/// Source: <https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set>
pub const LABEL_KEY_NAME_MAX: usize = 63;

/// Longest prefix of a label key (same source).
pub const LABEL_KEY_PREFIX_MAX: usize = 253;

/// Longest label value (same source).
pub const LABEL_VALUE_MAX: usize = 63;

/// Longest resource id; Azure Resource Manager's longest ids are well under 1 KiB.
pub const RESOURCE_ID_BYTES: usize = 2_048;

/// How long a hook's command may take unless it says so; as published.
pub const HOOK_TIMEOUT: Duration = Duration::from_secs(30);

/// The longest that it may say. A connection that is silent for longer than 320 s counts as dead, and no
/// application stands frozen for so long.
pub const HOOK_TIMEOUT_MAX: Duration = Duration::from_secs(300);

/// How long a restore waits for a container in which a hook's command is to run, unless the hook says so.
/// The published sample says `5m`: an image is pulled and a volume is mounted in less, mostly.
pub const HOOK_WAIT: Duration = Duration::from_secs(300);

/// The longest that it may say. Restores run one after the other, so the next one waits as well.
pub const HOOK_WAIT_MAX: Duration = Duration::from_secs(1_800);

/// How long an application may stand frozen, from its first pre-hook to its last snapshot. Databases call
/// a node dead after a minute or so; then we thaw on our own, and what is not snapshotted by then has no
/// snapshot.
pub const FREEZE_BUDGET: Duration = Duration::from_secs(60);

/// The variable that gives the extension another budget, in seconds.
pub const FREEZE_BUDGET_VARIABLE: &str = "STRONGROOM_FREEZE_BUDGET_SECONDS";

/// The longest that it may be set to: there are drivers that take minutes, and no application that may
/// stand for longer.
pub const FREEZE_BUDGET_MAX: Duration = Duration::from_secs(600);

/// `BackupHook` resources that a backup configuration may name, and `RestoreHook` resources that a restore
/// may.
pub const HOOK_REFERENCES_MAX: usize = 64;

/// Commands that the pre-hooks of a backup run in all pods together, and the post-hooks; those of a restore
/// likewise. At most 475 bytes each where they are journalled, and less than 1 KiB for a restore, which must
/// stay under the 1 MiB of a ConfigMap.
pub const HOOK_RUNS_MAX: usize = 1_000;

/// Bytes of the commands of all post-hooks of a backup: they are journalled as well.
pub const HOOK_COMMAND_BYTES: usize = 256 * 1024;

/// Drivers for which a resource group has a snapshot class. Clusters have one to three drivers with
/// snapshots; with the longest parameters these are 128 KiB of a job's custom resource.
pub const SNAPSHOT_CLASSES_MAX: usize = 32;

/// Bytes of names and values of a snapshot class's parameters together: what every CSI driver takes.
/// Source: "Size Limits" in the CSI specification, v1.12: `map<string, string>` fields, 4 KiB in all.
pub const SNAPSHOT_CLASS_PARAMETER_BYTES: usize = 4 * 1024;

/// Characters of a CSI driver's name.
/// Source: `GetPluginInfoResponse.name` in the CSI specification, v1.12.
pub const DRIVER_NAME_CHARS: usize = 63;
