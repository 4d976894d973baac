//! Where the control plane keeps what it knows: the only copy of vaults, policies, instances,
//! recovery points, jobs and operations.
//!
//! Contract: a [`Session`] is one view of the data. [`Store::begin`] gives a writing session, a
//! transaction: nothing of it is visible or durable before `commit` returned, everything is
//! afterwards, a power cut included. [`Store::read`] gives a reading session that never waits for
//! the writer. Only `app` opens writing sessions. There is one writer at a time, of all servers of the
//! catalogue: keep sessions short and never hold one across a call to the network.
//!
//! The trait is the seam to other databases; `store/suite.rs` is what each must pass.

pub mod call;
pub mod copied;
pub mod job;
pub mod lease;
pub mod operation;
pub mod postgres;
pub mod recovery_point;
pub mod resource;
pub mod retention;
pub mod role_assignment;
pub mod schedule;
pub mod sqlite;
#[cfg(test)]
mod suite;

use std::sync::Arc;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use strongroom_core::audit::{Entry, Event, Head};
use uuid::Uuid;

pub use job::{JobFilter, JobRow};
pub use lease::LeaseRow;
pub use operation::{OperationRow, OperationStatus};
pub use recovery_point::{RecoveryPointRow, RepositoryRow, TimeCursor};
pub use resource::{Actor, ActorKind, ResourceRow, UseRow};
pub use retention::{PointTime, RetentionRow};
pub use role_assignment::RoleAssignmentRow;
pub use schedule::ScheduleRow;

/// What can go wrong with the store itself.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database answered with an error.
    #[error("the store could not {doing}")]
    Database {
        /// What was being done.
        doing: &'static str,
        /// Why it failed.
        #[source]
        source: sqlx::Error,
    },
    /// The schema could not be brought up to date.
    #[error("the store's schema could not be brought up to date")]
    Migration(#[source] sqlx::migrate::MigrateError),
    /// Another server does the work by now; nothing was written.
    #[error("another server does the work by now, and this one wrote nothing")]
    LeaseLost,
    /// A stored value does not have the shape this version writes.
    #[error("the store holds a {what} that this version cannot read: {detail}")]
    Malformed {
        /// Which column.
        what: &'static str,
        /// What is wrong with it.
        detail: String,
    },
}

impl StoreError {
    /// Whether the database is busy or away, its disk full, or it takes no writes: nothing is wrong with
    /// what was asked for, and asking again later may help.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Database { source, .. } => {
                sqlite::is_unavailable(source) || postgres::is_unavailable(source)
            }
            Self::LeaseLost => true,
            Self::Migration(_) | Self::Malformed { .. } => false,
        }
    }
}

/// Longer than any wait of a job. Where the next look at a job lies farther ahead, the clock that set it
/// was wrong and has been put back since; without this the job would stand still until that time.
pub const FARTHEST_POLL: SignedDuration = SignedDuration::from_hours(1);

/// Shorthand of this module.
pub type Result<T> = std::result::Result<T, StoreError>;

/// A page of a list: the rows, and whether more follow.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows<T> {
    /// The rows, in the order of the list.
    pub rows: Vec<T>,
    /// Whether rows follow the last one.
    pub more: bool,
}

impl<T> Rows<T> {
    /// Cuts what a query for `limit + 1` rows returned down to `limit`.
    #[must_use]
    pub fn cut(mut rows: Vec<T>, limit: usize) -> Self {
        let more = rows.len() > limit;
        rows.truncate(limit);
        Self { rows, more }
    }
}

/// One view of the data; see the module's contract. Writing methods on a reading session fail.
#[async_trait]
pub trait Session: Send {
    /// Makes everything written durable and visible, and with it the entry of the call in hand in the
    /// audit log, see [`call`]. A session that is dropped instead leaves nothing behind. Fails with
    /// [`StoreError::LeaseLost`] when the caller works by a lease that is another server's by now, see
    /// [`lease`].
    async fn commit(self: Box<Self>) -> Result<()>;

    /// A setting of the data directory.
    async fn setting(&mut self, name: &str) -> Result<Option<String>>;
    /// Writes a setting.
    async fn put_setting(&mut self, name: &str, value: &str) -> Result<()>;

    /// The resource with this key. One that is deleted and can be brought back is not there, neither
    /// here nor in the lists below.
    async fn resource(&mut self, key: &str) -> Result<Option<ResourceRow>>;
    /// Resources of `kind` whose key begins with `prefix` (end it with `/`), in key order, from
    /// the one after the key `after`.
    async fn resources(
        &mut self,
        kind: &str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Rows<ResourceRow>>;
    /// As [`Session::resource`], of those that are deleted and can be brought back.
    async fn deleted_resource(&mut self, key: &str) -> Result<Option<ResourceRow>>;
    /// As [`Session::resources`], of those that are deleted and can be brought back.
    async fn deleted_resources(
        &mut self,
        kind: &str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Rows<ResourceRow>>;
    /// A mark of all resources and of how their repositories are described: another one whenever one of them
    /// was written, put aside, brought back or deleted.
    async fn resources_mark(&mut self) -> Result<String>;
    /// Puts a resource aside as deleted since then, or brings it back; tells whether it was there at
    /// all. Its recovery points, secrets and edges stay.
    async fn set_resource_deleted(&mut self, key: &str, since: Option<Timestamp>) -> Result<bool>;
    /// Up to `limit` resources of any kind whose key begins with `prefix`, those included that are
    /// deleted and can be brought back.
    async fn descendants(&mut self, prefix: &str, limit: usize) -> Result<Vec<ResourceRow>>;
    /// Writes a resource; creation time, id and name of an existing one stay.
    async fn put_resource(&mut self, row: &ResourceRow) -> Result<()>;
    /// Writes a resource only if it still has this `etag`; tells whether it did.
    async fn replace_resource(&mut self, row: &ResourceRow, etag: &str) -> Result<bool>;
    /// Deletes a resource with its secrets, recovery points, edges to others and the role assignments at
    /// it and below; tells whether it was there. Fails when another resource uses it.
    async fn delete_resource(&mut self, key: &str) -> Result<bool>;

    /// Says that `user_key` needs `target_key` in `role` (instead of what it needed before).
    async fn put_use(&mut self, edge: &UseRow) -> Result<()>;
    /// Says that `user_key` needs nothing in `role` any more.
    async fn delete_use(&mut self, user_key: &str, role: &str) -> Result<()>;
    /// Up to `limit` edges to `target_key`.
    async fn users_of(&mut self, target_key: &str, limit: usize) -> Result<Vec<UseRow>>;
    /// Every edge from `user_key`.
    async fn used_by(&mut self, user_key: &str) -> Result<Vec<UseRow>>;

    /// A sealed secret.
    async fn secret(&mut self, key: &str, purpose: &str) -> Result<Option<Vec<u8>>>;
    /// Writes a sealed secret.
    async fn put_secret(&mut self, key: &str, purpose: &str, ciphertext: &[u8]) -> Result<()>;

    /// The role assignment with this key.
    async fn role_assignment(&mut self, key: &str) -> Result<Option<RoleAssignmentRow>>;
    /// Every role assignment, in key order. There are few: who makes them keeps them below a limit.
    async fn role_assignments(&mut self) -> Result<Vec<RoleAssignmentRow>>;
    /// Those of a principal.
    async fn role_assignments_of(&mut self, principal: Uuid) -> Result<Vec<RoleAssignmentRow>>;
    /// A new role assignment. Fails when the principal has that role at that scope.
    async fn insert_role_assignment(&mut self, row: &RoleAssignmentRow) -> Result<()>;
    /// Gives a role assignment another description.
    async fn describe_role_assignment(&mut self, key: &str, text: Option<&str>) -> Result<()>;
    /// Deletes a role assignment; tells whether it was there.
    async fn delete_role_assignment(&mut self, key: &str) -> Result<bool>;
    /// Deletes all role assignments of a principal.
    async fn delete_role_assignments_of(&mut self, principal: Uuid) -> Result<()>;

    /// The job with this id.
    async fn job(&mut self, id: Uuid) -> Result<Option<JobRow>>;
    /// A new job.
    async fn insert_job(&mut self, row: &JobRow) -> Result<()>;
    /// Writes a job if its stored generation is `row.generation`, and counts it up; tells whether
    /// it did. `false` means that someone else moved the job on: read it again.
    async fn update_job(&mut self, row: &JobRow) -> Result<bool>;
    /// Jobs that fit, newest first.
    async fn jobs(
        &mut self,
        filter: &JobFilter,
        after: Option<TimeCursor>,
        limit: usize,
    ) -> Result<Rows<JobRow>>;
    /// Jobs whose `next_poll_at` is at or before `now`, the longest due first; and those for which it
    /// lies more than [`FARTHEST_POLL`] ahead. Not those of the clusters in `except`, nor those with an
    /// id in `in_hand`.
    async fn due_jobs(
        &mut self,
        now: Timestamp,
        except: &[String],
        in_hand: &[Uuid],
        limit: usize,
    ) -> Result<Vec<JobRow>>;
    /// When the next job is due, if any is.
    async fn next_poll(&mut self) -> Result<Option<Timestamp>>;
    /// Jobs of this instance that have not ended.
    async fn open_jobs_of_instance(&mut self, instance_key: &str) -> Result<Vec<JobRow>>;
    /// Jobs in this cluster that have not ended.
    async fn open_jobs_of_cluster(&mut self, cluster_key: &str) -> Result<Vec<JobRow>>;
    /// How many jobs have not ended and are at another step than these.
    async fn count_open_jobs(&mut self, except_steps: &[&str]) -> Result<usize>;
    /// Jobs of this instance that have ended, but still wait for something (a cluster that is away).
    async fn waiting_jobs_of_instance(&mut self, instance_key: &str) -> Result<Vec<JobRow>>;
    /// Jobs that ended before this time and wait for nothing, the oldest first, from the one after
    /// `after` (end and id of the last one that was given out).
    async fn ended_jobs(
        &mut self,
        before: Timestamp,
        after: Option<(Timestamp, Uuid)>,
        limit: usize,
    ) -> Result<Vec<JobRow>>;
    /// Forgets a job; tells whether it was there.
    async fn delete_job(&mut self, id: Uuid) -> Result<bool>;

    /// Says that an instance writes to a repository; saying it again is no harm.
    async fn put_repository(&mut self, row: &RepositoryRow) -> Result<()>;
    /// Every repository of an instance.
    async fn repositories(&mut self, instance_key: &str) -> Result<Vec<RepositoryRow>>;
    /// Of which versions the description in a repository was written last; empty when none was, none
    /// when there is no such repository.
    async fn repository_described(&mut self, row: &RepositoryRow) -> Result<Option<String>>;
    /// Notes that.
    async fn set_repository_described(&mut self, row: &RepositoryRow, as_of: &str) -> Result<()>;

    /// The recovery point with this id.
    async fn recovery_point(&mut self, id: Uuid) -> Result<Option<RecoveryPointRow>>;
    /// A new recovery point.
    async fn insert_recovery_point(&mut self, row: &RecoveryPointRow) -> Result<()>;
    /// Recovery points of an instance, newest first, within the optional bounds (inclusive). Their bodies
    /// come without `servedTypes`, as in each list of them.
    async fn recovery_points(
        &mut self,
        instance_key: &str,
        bounds: (Option<Timestamp>, Option<Timestamp>),
        after: Option<TimeCursor>,
        limit: usize,
    ) -> Result<Rows<RecoveryPointRow>>;
    /// Writes the body of a recovery point anew; tells whether it is there. A body without `servedTypes`
    /// leaves those that there are.
    async fn put_recovery_point_body(&mut self, id: Uuid, body: &serde_json::Value)
    -> Result<bool>;
    /// Deletes a recovery point; tells whether it was there.
    async fn delete_recovery_point(&mut self, id: Uuid) -> Result<bool>;

    /// The recovery point of an instance that was inserted last.
    async fn last_made_recovery_point(&mut self, instance_key: &str) -> Result<Option<Uuid>>;
    /// What the times follow from of those recovery points of an instance that have one and are not being
    /// removed, newest first.
    async fn recovery_point_times(
        &mut self,
        instance_key: &str,
        after: Option<TimeCursor>,
        limit: usize,
    ) -> Result<Rows<PointTime>>;
    /// How often recovery points of an instance were made or written anew.
    async fn recovery_point_changes(&mut self, instance_key: &str) -> Result<i64>;
    /// Resources of this kind, which are backup instances, that retention is to look at: they, their
    /// policy or their recovery points are not as they were at its last look, or it wanted to look again
    /// at or before `now`. In key order, from the one after the key `after`.
    async fn due_retention(
        &mut self,
        kind: &str,
        now: Timestamp,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Rows<ResourceRow>>;
    /// Writes what retention went by at its last look at an instance, unless that is gone.
    async fn put_retention(&mut self, row: &RetentionRow) -> Result<()>;
    /// Up to `limit` recovery points that are being removed, in the order of their ids, from the one
    /// after `after`.
    async fn expiring_recovery_points(
        &mut self,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<RecoveryPointRow>>;
    /// Says that a recovery point is being removed since `at`; tells whether that is new.
    async fn mark_recovery_point_expiring(&mut self, id: Uuid, at: Timestamp) -> Result<bool>;

    /// How far the schedule of an instance has been followed.
    async fn schedule(&mut self, instance_key: &str) -> Result<Option<ScheduleRow>>;
    /// The same of all instances with keys from the first to the last, both included.
    async fn schedules(&mut self, first_key: &str, last_key: &str) -> Result<Vec<ScheduleRow>>;
    /// Writes that.
    async fn put_schedule(&mut self, row: &ScheduleRow) -> Result<()>;

    /// The end of the audit log.
    async fn audit_head(&mut self) -> Result<Head>;
    /// What its first entry follows.
    async fn audit_base(&mut self) -> Result<Head>;
    /// Appends an entry to it.
    async fn append_audit_entry(&mut self, event: Event) -> Result<Entry>;
    /// Up to `limit` entries, in order, from the one after this number.
    async fn audit_entries(&mut self, after: u64, limit: usize) -> Result<Rows<Entry>>;
    /// Forgets up to `limit` entries from its beginning, as far as they are older than this; tells how
    /// many.
    async fn forget_audit_entries(&mut self, before: Timestamp, limit: usize) -> Result<u64>;

    /// The operation with this id.
    async fn operation(&mut self, id: &str) -> Result<Option<OperationRow>>;
    /// A new operation.
    async fn insert_operation(&mut self, row: &OperationRow) -> Result<()>;
    /// Brings an operation to its final state, once: a finished one stays as it is. Its request is
    /// forgotten. Tells whether it changed.
    async fn finish_operation(&mut self, row: &OperationRow) -> Result<bool>;
    /// Operations that have not ended, oldest first: what a restarted server takes up again.
    async fn open_operations(&mut self, limit: usize) -> Result<Vec<OperationRow>>;
    /// Forgets up to `limit` operations that ended before this time; tells how many.
    async fn delete_ended_operations(&mut self, before: Timestamp, limit: usize) -> Result<u64>;
    /// Says that this server carries out an operation from now on; tells whether it has not ended.
    async fn adopt_operation(&mut self, id: &str, holder: Uuid) -> Result<bool>;
    /// Operations that a job belongs to.
    async fn operations_of_job(&mut self, job_id: &str) -> Result<Vec<OperationRow>>;

    /// Up to `limit` leases, in the order of their names.
    async fn leases(&mut self, limit: usize) -> Result<Vec<LeaseRow>>;
    /// Writes a lease.
    async fn put_lease(&mut self, row: &LeaseRow) -> Result<()>;
    /// Forgets a lease; it is no error when it is not there.
    async fn delete_lease(&mut self, name: &str) -> Result<()>;

    /// The number of the newest migration that the database has.
    async fn schema(&mut self) -> Result<i64>;
    /// Whether a table has no row.
    async fn is_table_empty(&mut self, table: &copied::Table) -> Result<bool>;
    /// Hands every row of a table to `each`, in the order of its key, until that says no.
    async fn copy_table(
        &mut self,
        table: &copied::Table,
        each: &mut (dyn FnMut(Vec<copied::Value>) -> bool + Send),
    ) -> Result<()>;
    /// Writes a row that [`Session::copy_table`] gave.
    async fn insert_copied(&mut self, table: &copied::Table, row: Vec<copied::Value>)
    -> Result<()>;
}

/// A database that can open sessions.
#[async_trait]
pub trait Database: Send + Sync {
    /// Opens a writing session.
    async fn begin(&self) -> Result<Box<dyn Session>>;
    /// Opens a reading session.
    async fn read(&self) -> Result<Box<dyn Session>>;
    /// Whether several servers may use it at the same time.
    fn is_shared(&self) -> bool;
    /// Closes all connections, after which the files may be copied.
    async fn close(&self);
}

/// The store, whatever database is behind it. Cheap to clone.
#[derive(Clone)]
pub struct Store(Arc<dyn Database>);

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store")
    }
}

impl Store {
    /// A store on this database.
    pub fn new(database: impl Database + 'static) -> Self {
        Self(Arc::new(database))
    }

    /// Opens a writing session.
    pub async fn begin(&self) -> Result<Box<dyn Session>> {
        self.0.begin().await
    }

    /// Opens a reading session.
    pub async fn read(&self) -> Result<Box<dyn Session>> {
        self.0.read().await
    }

    /// Whether several servers may use it at the same time.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.0.is_shared()
    }

    /// Closes all connections.
    pub async fn close(&self) {
        self.0.close().await;
    }
}
