//! The limits of the workers, each with the reason for its value.

use std::time::Duration;

/// Jobs that the worker acts on at the same time. Acting is mostly waiting for API servers and
/// stores; more would only hold more connections open.
pub const JOBS_AT_ONCE: usize = 16;

/// Places of [`JOBS_AT_ONCE`] that the jobs of one cluster may take: one that answers slowly holds its
/// places until its requests time out, and the jobs of all others must go on meanwhile.
pub const PLACES_PER_CLUSTER: usize = 4;

/// Due jobs read from the store at a time: enough to fill [`JOBS_AT_ONCE`] several times over.
pub const DUE_JOBS_PER_LOOK: usize = 128;

/// Jobs that run in one cluster at the same time; more are queued. The extension is one pod with a
/// memory limit, and each job has its own buffers.
pub const JOBS_PER_CLUSTER: usize = 4;

/// Jobs that run in all clusters at the same time; more are queued. Each is looked at about once a second,
/// and [`JOBS_AT_ONCE`] looks are under way together, so that each job is still seen every few seconds.
pub const JOBS_IN_ALL: usize = 128;

/// How long after the custom resource of a cancelled job is gone its store is looked at. The extension
/// learns of it within a second; a seal that it had under way lands before.
pub const CANCEL_GRACE: Duration = Duration::from_secs(2);

/// The longest the worker sleeps when nothing is due: clocks may be set, notices may be lost.
pub const LONGEST_SLEEP: Duration = Duration::from_secs(5);

/// The same where several servers share the catalogue: the one that works learns of what others accepted by
/// looking, which is one query that an index answers.
pub const LONGEST_SLEEP_SHARED: Duration = Duration::from_secs(1);

/// Open operations that are looked through for those whose server is gone: more than clients wait for at a
/// time; what lies beyond is found once these have ended.
pub const OPERATIONS_TAKEN_UP: usize = 10_000;

/// How often a running job is looked at, at most and at least: after a twentieth of the time that it has
/// run. So its end is seen within 5 % of what the job took, a small backup is not made twice as long
/// by waiting for a look, and a long one costs one small GET a second; what a user sees as progress.
pub const OBSERVE_SOONEST: Duration = Duration::from_millis(25);
/// See [`OBSERVE_SOONEST`].
pub const OBSERVE_EVERY: Duration = Duration::from_secs(1);
/// See [`OBSERVE_SOONEST`].
pub const OBSERVE_SHARE: u32 = 20;

/// How often a queued job asks whether it is its turn.
pub const ADMIT_EVERY: Duration = Duration::from_secs(2);

/// The first wait after something did not answer; it doubles up to [`LONGEST_RETRY`].
pub const FIRST_RETRY: Duration = Duration::from_secs(1);

/// The longest wait between two attempts to reach something.
pub const LONGEST_RETRY: Duration = Duration::from_secs(30);

/// How long what a job needs (its cluster, its store) may be out of reach before the job is ended
/// as failed. A control plane's upgrade takes a few minutes and must not cost a running backup.
pub const UNAVAILABLE_LIMIT: Duration = Duration::from_secs(15 * 60);

/// How long a backup that the extension has sealed waits for its store, so that the server can see the
/// manifest for itself, before the job is ended as failed. All its work is done and lies in the store:
/// a day covers a night and the morning after in which somebody mends the store. Even then the recovery
/// point is not lost: it is taken over whenever the store answers again.
pub const SEALED_LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a job may be without a sign of life from the extension while the cluster answers.
/// Longer than five minutes, the longest that the kubelet waits before it starts a crashed container
/// again (<https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy>), so
/// that an extension that comes back can go on.
pub const SILENCE_LIMIT: Duration = Duration::from_secs(10 * 60);

/// How long a job whose turn has come waits for the extension to become ready. It covers a pod that is just being
/// started with its image at hand; longer would hide from the user what is wrong.
pub const EXTENSION_WAIT: Duration = Duration::from_secs(2 * 60);

/// How long a job may take in all, from when its turn came. The extension is told the same, and gives up
/// by itself.
pub const JOB_DEADLINE: Duration = Duration::from_secs(6 * 60 * 60);

/// How long installing the extension may take before the operation is ended as failed: pulling the
/// image over a slow line takes minutes.
pub const INSTALL_LIMIT: Duration = Duration::from_secs(10 * 60);

/// How often an installation is looked at.
pub const INSTALL_EVERY: Duration = Duration::from_secs(1);

/// How often clusters are searched for custom resources of jobs that have long ended.
pub const ORPHANS_EVERY: Duration = Duration::from_secs(10 * 60);

/// Repositories that are remembered to have nothing to prune (about 300 bytes each); any more are
/// looked into at each round.
pub(super) const PRUNES_REMEMBERED: usize = 10_000;

/// Objects deleted at the same time when a repository is purged.
pub const PURGE_AT_ONCE: usize = 16;

/// Repositories purged at the same time. A purge holds its place among [`JOBS_AT_ONCE`] until every
/// object is gone, hours in a slow store; backups and restores must find places beside them.
pub const PURGES_AT_ONCE: usize = 4;

/// Recovery points of a deleted instance whose volume snapshots are being removed at the same time: each
/// is a custom resource, and the extension does one after the other.
pub const FORGETS_AT_ONCE: usize = 8;

/// How long after a failed backup's custom resource is gone its volume snapshots are removed: an extension
/// that was still at it hears that it is gone within a second or two, and asks for no more.
pub const FORGET_AFTER: Duration = Duration::from_secs(5);

/// How long the purge of a repository is tried before it is ended as failed.
pub const PURGE_LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

/// How long after its start a server prunes for the first time: a start has more urgent things to do,
/// and one that is restarted over and over must not spend its time on this.
pub const PRUNE_AFTER_START: Duration = Duration::from_secs(10 * 60);

/// How often repositories are pruned. Each time reads every manifest and lists every pack, and what
/// it frees is only room.
pub const PRUNE_EVERY: Duration = Duration::from_secs(6 * 60 * 60);

/// How old a pack and the mark on it must be, by the store's clock, before it is removed: longer than
/// all tries of one call to a store, the longest pause of a writer.
pub const PRUNE_MIN_AGE: Duration = Duration::from_secs(60 * 60);

/// How long one repository may take. A store that hangs must not keep the others from their turn.
pub const PRUNE_PATIENCE: Duration = Duration::from_secs(30 * 60);

/// How often schedules are looked at. The shortest interval is five minutes: a backup begins within a
/// thirtieth of it, and a look at a thousand instances takes milliseconds.
pub const SCHEDULES_EVERY: Duration = Duration::from_secs(10);

/// Scheduled backups started in one look. What is due at the same time everywhere begins spread over
/// time, a hundred a minute, instead of all at once; each cluster has its own limit besides.
pub const STARTS_PER_LOOK: usize = 16;

/// How often recovery points are looked for whose time is over. Times are days: a minute more is nothing.
pub const EXPIRE_EVERY: Duration = Duration::from_secs(60);

/// How long retention waits after an edit of a policy for more of them: a script that edits a hundred costs a
/// few looks instead of a hundred.
pub const EDITS_TOGETHER: Duration = Duration::from_secs(1);

/// How long the removal of one recovery point may take: a few requests, each tried several times.
pub const EXPIRE_PATIENCE: Duration = Duration::from_secs(2 * 60);

/// How long an ended job and its report are kept: a quarter of a year, so that what an audit or a look
/// at last quarter's failures needs is there. The published contract names no time.
pub const JOB_RETENTION: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// How long an ended long-running operation can be polled: a week, because Azure Resource Manager asks
/// its providers for a day at least and published clients give up long before.
pub const OPERATION_RETENTION: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How often what is too old is forgotten. A day more or less does not matter to anybody.
pub const AGE_OUT_EVERY: Duration = Duration::from_secs(60 * 60);

/// Old jobs or operations looked at in one transaction: the writer must not hold others up.
pub const AGE_OUT_AT_ONCE: usize = 200;

/// How long the report of one old job may take to be removed; a store that hangs must not keep the
/// others from their turn.
pub const AGE_OUT_PATIENCE: Duration = Duration::from_secs(60);

/// Findings that a job's document lists: enough to see what is wrong, little enough to be in a list of
/// jobs. The report has all of them.
pub const WARNINGS_LISTED: usize = 20;

/// The longest message of a listed finding. The document is read with every list of jobs; the report
/// has the whole reason.
pub const WARNING_CHARS: usize = 512;

/// How long the end of a job may wait for its report to be read. Most findings are seen within the
/// first page; a large report in a slow store is not worth a client that waits.
pub const REPORT_PATIENCE: Duration = Duration::from_secs(15);

/// The limits that a test or an administrator may set differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobLimits {
    /// See [`JOBS_PER_CLUSTER`].
    pub per_cluster: usize,
    /// See [`JOBS_IN_ALL`].
    pub in_all: usize,
    /// See [`UNAVAILABLE_LIMIT`].
    pub unavailable: Duration,
    /// See [`SEALED_LIMIT`].
    pub sealed: Duration,
    /// See [`SILENCE_LIMIT`].
    pub silence: Duration,
    /// See [`EXTENSION_WAIT`].
    pub extension_wait: Duration,
    /// See [`JOB_DEADLINE`].
    pub deadline: Duration,
    /// See [`PRUNE_EVERY`]; no later than this after the start, either.
    pub prune_every: Duration,
    /// See [`PRUNE_MIN_AGE`].
    pub prune_min_age: Duration,
}

impl Default for JobLimits {
    fn default() -> Self {
        Self {
            per_cluster: JOBS_PER_CLUSTER,
            in_all: JOBS_IN_ALL,
            unavailable: UNAVAILABLE_LIMIT,
            sealed: SEALED_LIMIT,
            silence: SILENCE_LIMIT,
            extension_wait: EXTENSION_WAIT,
            deadline: JOB_DEADLINE,
            prune_every: PRUNE_EVERY,
            prune_min_age: PRUNE_MIN_AGE,
        }
    }
}

/// Entries of the audit log that are handed on at a time: about 100 KiB. It is all that is in memory of them.
pub const AUDIT_FORWARDED_AT_ONCE: usize = 150;

/// How often new entries are looked for to be handed on: whoever watches them sees them while it matters.
pub const AUDIT_LOOK_EVERY: Duration = Duration::from_secs(2);

/// How long the receiver of the audit log may take for a page.
pub const AUDIT_PATIENCE: Duration = Duration::from_secs(30);

/// The pause after the receiver of the audit log took nothing; it doubles up to [`AUDIT_LONGEST_PAUSE`].
pub const AUDIT_FIRST_PAUSE: Duration = Duration::from_secs(1);
/// See [`AUDIT_FIRST_PAUSE`].
pub const AUDIT_LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How often it is looked whether the descriptions of repositories are of what the catalogue holds: what was
/// configured less than this before the catalogue was lost may be lost with it. A look reads a handful of rows
/// for each instance, and none of them as long as nothing has changed.
pub const DESCRIBE_EVERY: Duration = Duration::from_secs(60);

/// How long a store may take to write a description: some kilobytes, and a listing.
pub const DESCRIBE_PATIENCE: Duration = Duration::from_secs(30);

/// How often it is tried again to bring the recovery points of instances whose stores did not answer to what
/// these hold.
pub const RECONCILE_EVERY: Duration = Duration::from_secs(60);

/// How long the recovery points of one instance may take to be compared and read: a manifest each.
pub const RECONCILE_PATIENCE: Duration = Duration::from_secs(30 * 60);
