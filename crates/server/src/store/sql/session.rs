//! A session on a relational database, in the SQL that SQLite and PostgreSQL share: numbered placeholders,
//! upserts, row values, texts and 64-bit numbers.
//!
//! Contract: the modules of the databases include this one, each with its own `Db` and `Connection`; so
//! every statement stands once, and each database differs in its connection and its migrations only.

mod audit;
mod copied;
mod jobs;
mod leases;
mod operations;
mod recovery_points;
mod resources;
mod retention;
mod role_assignments;
mod schedules;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;
use sqlx::Transaction;
use strongroom_core::audit::{Entry, Event, Head};
use uuid::Uuid;

use resources::Which;

use super::{Connection, Db};
use crate::store::copied::{Table, Value as CopiedValue};
use crate::store::{
    Actor, JobFilter, JobRow, LeaseRow, OperationRow, PointTime, RecoveryPointRow, RepositoryRow,
    ResourceRow, Result, RetentionRow, RoleAssignmentRow, Rows, ScheduleRow, Session, StoreError,
    TimeCursor, UseRow,
};
use crate::store::{call, lease};

/// A session that is a transaction of the database.
pub(super) struct SqlSession(pub(super) Transaction<'static, Db>);

impl SqlSession {
    fn on(&mut self) -> &mut Connection {
        &mut self.0
    }
}

#[async_trait]
impl Session for SqlSession {
    async fn commit(mut self: Box<Self>) -> Result<()> {
        if let Some(term) = lease::in_force() {
            leases::check_term(self.on(), term).await?;
        }
        let call = call::without_entry();
        if let Some(call) = &call {
            audit::append(self.on(), call.as_written()).await?;
        }
        self.0.commit().await.map_err(failed("commit"))?;
        if let Some(call) = call {
            call.entered();
        }
        Ok(())
    }

    async fn setting(&mut self, name: &str) -> Result<Option<String>> {
        resources::setting(self.on(), name).await
    }
    async fn put_setting(&mut self, name: &str, value: &str) -> Result<()> {
        resources::put_setting(self.on(), name, value).await
    }

    async fn resource(&mut self, key: &str) -> Result<Option<ResourceRow>> {
        resources::get(self.on(), key, Which::Live).await
    }
    async fn deleted_resource(&mut self, key: &str) -> Result<Option<ResourceRow>> {
        resources::get(self.on(), key, Which::Deleted).await
    }
    async fn resources(
        &mut self,
        kind: &str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Rows<ResourceRow>> {
        resources::list(self.on(), kind, prefix, after, limit, Which::Live).await
    }
    async fn deleted_resources(
        &mut self,
        kind: &str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Rows<ResourceRow>> {
        resources::list(self.on(), kind, prefix, after, limit, Which::Deleted).await
    }
    async fn resources_mark(&mut self) -> Result<String> {
        resources::mark(self.on()).await
    }
    async fn set_resource_deleted(&mut self, key: &str, since: Option<Timestamp>) -> Result<bool> {
        resources::set_deleted(self.on(), key, since).await
    }
    async fn descendants(&mut self, prefix: &str, limit: usize) -> Result<Vec<ResourceRow>> {
        resources::descendants(self.on(), prefix, limit).await
    }
    async fn put_resource(&mut self, row: &ResourceRow) -> Result<()> {
        resources::put(self.on(), row).await
    }
    async fn replace_resource(&mut self, row: &ResourceRow, etag: &str) -> Result<bool> {
        resources::replace(self.on(), row, etag).await
    }
    async fn delete_resource(&mut self, key: &str) -> Result<bool> {
        role_assignments::delete_at(self.on(), key).await?;
        resources::delete(self.on(), key).await
    }

    async fn put_use(&mut self, edge: &UseRow) -> Result<()> {
        resources::put_use(self.on(), edge).await
    }
    async fn delete_use(&mut self, user_key: &str, role: &str) -> Result<()> {
        resources::delete_use(self.on(), user_key, role).await
    }
    async fn users_of(&mut self, target_key: &str, limit: usize) -> Result<Vec<UseRow>> {
        resources::users_of(self.on(), target_key, limit).await
    }
    async fn used_by(&mut self, user_key: &str) -> Result<Vec<UseRow>> {
        resources::used_by(self.on(), user_key).await
    }

    async fn secret(&mut self, key: &str, purpose: &str) -> Result<Option<Vec<u8>>> {
        resources::secret(self.on(), key, purpose).await
    }
    async fn put_secret(&mut self, key: &str, purpose: &str, ciphertext: &[u8]) -> Result<()> {
        resources::put_secret(self.on(), key, purpose, ciphertext).await
    }

    async fn role_assignment(&mut self, key: &str) -> Result<Option<RoleAssignmentRow>> {
        role_assignments::get(self.on(), key).await
    }
    async fn role_assignments(&mut self) -> Result<Vec<RoleAssignmentRow>> {
        role_assignments::all(self.on()).await
    }
    async fn role_assignments_of(&mut self, principal: Uuid) -> Result<Vec<RoleAssignmentRow>> {
        role_assignments::of_principal(self.on(), principal).await
    }
    async fn insert_role_assignment(&mut self, row: &RoleAssignmentRow) -> Result<()> {
        role_assignments::insert(self.on(), row).await
    }
    async fn describe_role_assignment(&mut self, key: &str, text: Option<&str>) -> Result<()> {
        role_assignments::describe(self.on(), key, text).await
    }
    async fn delete_role_assignment(&mut self, key: &str) -> Result<bool> {
        role_assignments::delete(self.on(), key).await
    }
    async fn delete_role_assignments_of(&mut self, principal: Uuid) -> Result<()> {
        role_assignments::delete_of_principal(self.on(), principal).await
    }

    async fn job(&mut self, id: Uuid) -> Result<Option<JobRow>> {
        jobs::get(self.on(), id).await
    }
    async fn insert_job(&mut self, row: &JobRow) -> Result<()> {
        jobs::insert(self.on(), row).await
    }
    async fn update_job(&mut self, row: &JobRow) -> Result<bool> {
        jobs::update(self.on(), row).await
    }
    async fn jobs(
        &mut self,
        filter: &JobFilter,
        after: Option<TimeCursor>,
        limit: usize,
    ) -> Result<Rows<JobRow>> {
        jobs::list(self.on(), filter, after, limit).await
    }
    async fn due_jobs(
        &mut self,
        now: Timestamp,
        except: &[String],
        in_hand: &[Uuid],
        limit: usize,
    ) -> Result<Vec<JobRow>> {
        jobs::due(self.on(), now, except, in_hand, limit).await
    }
    async fn next_poll(&mut self) -> Result<Option<Timestamp>> {
        jobs::next_poll(self.on()).await
    }
    async fn open_jobs_of_instance(&mut self, instance_key: &str) -> Result<Vec<JobRow>> {
        jobs::open_of_instance(self.on(), instance_key).await
    }
    async fn open_jobs_of_cluster(&mut self, cluster_key: &str) -> Result<Vec<JobRow>> {
        jobs::open_of_cluster(self.on(), cluster_key).await
    }
    async fn count_open_jobs(&mut self, except_steps: &[&str]) -> Result<usize> {
        jobs::count_open(self.on(), except_steps).await
    }
    async fn waiting_jobs_of_instance(&mut self, instance_key: &str) -> Result<Vec<JobRow>> {
        jobs::waiting_of_instance(self.on(), instance_key).await
    }
    async fn ended_jobs(
        &mut self,
        before: Timestamp,
        after: Option<(Timestamp, Uuid)>,
        limit: usize,
    ) -> Result<Vec<JobRow>> {
        jobs::ended(self.on(), before, after, limit).await
    }
    async fn delete_job(&mut self, id: Uuid) -> Result<bool> {
        jobs::delete(self.on(), id).await
    }

    async fn put_repository(&mut self, row: &RepositoryRow) -> Result<()> {
        recovery_points::put_repository(self.on(), row).await
    }
    async fn repositories(&mut self, instance_key: &str) -> Result<Vec<RepositoryRow>> {
        recovery_points::repositories(self.on(), instance_key).await
    }
    async fn repository_described(&mut self, row: &RepositoryRow) -> Result<Option<String>> {
        recovery_points::described(self.on(), row).await
    }
    async fn set_repository_described(&mut self, row: &RepositoryRow, as_of: &str) -> Result<()> {
        recovery_points::set_described(self.on(), row, as_of).await
    }

    async fn recovery_point(&mut self, id: Uuid) -> Result<Option<RecoveryPointRow>> {
        recovery_points::get(self.on(), id).await
    }
    async fn insert_recovery_point(&mut self, row: &RecoveryPointRow) -> Result<()> {
        recovery_points::insert(self.on(), row).await?;
        retention::note_change(self.on(), &row.instance_key).await
    }
    async fn recovery_points(
        &mut self,
        instance_key: &str,
        bounds: (Option<Timestamp>, Option<Timestamp>),
        after: Option<TimeCursor>,
        limit: usize,
    ) -> Result<Rows<RecoveryPointRow>> {
        recovery_points::list(self.on(), instance_key, bounds, after, limit).await
    }
    async fn put_recovery_point_body(&mut self, id: Uuid, body: &Value) -> Result<bool> {
        let Some(instance_key) = recovery_points::put_body(self.on(), id, body).await? else {
            return Ok(false);
        };
        retention::note_change(self.on(), &instance_key).await?;
        Ok(true)
    }
    async fn delete_recovery_point(&mut self, id: Uuid) -> Result<bool> {
        recovery_points::delete(self.on(), id).await
    }

    async fn last_made_recovery_point(&mut self, instance_key: &str) -> Result<Option<Uuid>> {
        recovery_points::last_made(self.on(), instance_key).await
    }
    async fn recovery_point_times(
        &mut self,
        instance_key: &str,
        after: Option<TimeCursor>,
        limit: usize,
    ) -> Result<Rows<PointTime>> {
        retention::times(self.on(), instance_key, after, limit).await
    }
    async fn recovery_point_changes(&mut self, instance_key: &str) -> Result<i64> {
        retention::changes(self.on(), instance_key).await
    }
    async fn due_retention(
        &mut self,
        kind: &str,
        now: Timestamp,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Rows<ResourceRow>> {
        retention::due(self.on(), kind, now, after, limit).await
    }
    async fn put_retention(&mut self, row: &RetentionRow) -> Result<()> {
        retention::put(self.on(), row).await
    }
    async fn expiring_recovery_points(
        &mut self,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<RecoveryPointRow>> {
        recovery_points::expiring(self.on(), after, limit).await
    }
    async fn mark_recovery_point_expiring(&mut self, id: Uuid, at: Timestamp) -> Result<bool> {
        recovery_points::mark_expiring(self.on(), id, at).await
    }

    async fn schedule(&mut self, instance_key: &str) -> Result<Option<ScheduleRow>> {
        schedules::get(self.on(), instance_key).await
    }
    async fn schedules(&mut self, first_key: &str, last_key: &str) -> Result<Vec<ScheduleRow>> {
        schedules::between(self.on(), first_key, last_key).await
    }
    async fn put_schedule(&mut self, row: &ScheduleRow) -> Result<()> {
        schedules::put(self.on(), row).await
    }

    async fn audit_head(&mut self) -> Result<Head> {
        audit::head(self.on()).await
    }
    async fn audit_base(&mut self) -> Result<Head> {
        audit::base(self.on()).await
    }
    async fn append_audit_entry(&mut self, event: Event) -> Result<Entry> {
        audit::append(self.on(), event).await
    }
    async fn audit_entries(&mut self, after: u64, limit: usize) -> Result<Rows<Entry>> {
        audit::after(self.on(), after, limit).await
    }
    async fn forget_audit_entries(&mut self, before: Timestamp, limit: usize) -> Result<u64> {
        audit::forget(self.on(), before, limit).await
    }

    async fn operation(&mut self, id: &str) -> Result<Option<OperationRow>> {
        operations::get(self.on(), id).await
    }
    async fn insert_operation(&mut self, row: &OperationRow) -> Result<()> {
        operations::insert(self.on(), row).await
    }
    async fn finish_operation(&mut self, row: &OperationRow) -> Result<bool> {
        operations::finish(self.on(), row).await
    }
    async fn open_operations(&mut self, limit: usize) -> Result<Vec<OperationRow>> {
        operations::open(self.on(), limit).await
    }
    async fn delete_ended_operations(&mut self, before: Timestamp, limit: usize) -> Result<u64> {
        operations::delete_ended(self.on(), before, limit).await
    }
    async fn operations_of_job(&mut self, job_id: &str) -> Result<Vec<OperationRow>> {
        operations::of_job(self.on(), job_id).await
    }
    async fn adopt_operation(&mut self, id: &str, holder: Uuid) -> Result<bool> {
        leases::adopt(self.on(), id, holder).await
    }

    async fn leases(&mut self, limit: usize) -> Result<Vec<LeaseRow>> {
        leases::all(self.on(), limit).await
    }
    async fn put_lease(&mut self, row: &LeaseRow) -> Result<()> {
        leases::put(self.on(), row).await
    }
    async fn delete_lease(&mut self, name: &str) -> Result<()> {
        leases::delete(self.on(), name).await
    }

    async fn schema(&mut self) -> Result<i64> {
        copied::schema(self.on()).await
    }
    async fn is_table_empty(&mut self, table: &Table) -> Result<bool> {
        copied::is_empty(self.on(), table).await
    }
    async fn copy_table(
        &mut self,
        table: &Table,
        each: &mut (dyn FnMut(Vec<CopiedValue>) -> bool + Send),
    ) -> Result<()> {
        copied::read(self.on(), table, each).await
    }
    async fn insert_copied(&mut self, table: &Table, row: Vec<CopiedValue>) -> Result<()> {
        copied::insert(self.on(), table, row).await
    }
}

/// Names what was being done when the database refused.
fn failed(doing: &'static str) -> impl FnOnce(sqlx::Error) -> StoreError {
    move |source| StoreError::Database { doing, source }
}

/// A time as it is stored: microseconds since the epoch.
fn micros(time: Timestamp) -> i64 {
    time.as_microsecond()
}

fn time(micros: i64) -> Result<Timestamp> {
    Timestamp::from_microsecond(micros).map_err(|error| StoreError::Malformed {
        what: "time",
        detail: error.to_string(),
    })
}

fn optional_time(micros: Option<i64>) -> Result<Option<Timestamp>> {
    micros.map(time).transpose()
}

fn json(text: &str) -> Result<Value> {
    serde_json::from_str(text).map_err(|error| StoreError::Malformed {
        what: "document",
        detail: error.to_string(),
    })
}

fn uuid(text: &str) -> Result<Uuid> {
    Uuid::parse_str(text).map_err(|error| StoreError::Malformed {
        what: "id",
        detail: error.to_string(),
    })
}

/// `limit + 1` as SQL takes it: the extra row tells whether more follow.
fn one_more(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX - 1) + 1
}

/// The first string after all strings that begin with `prefix`, which ends in an ASCII character.
fn end_of(prefix: &str) -> String {
    let mut end = prefix.to_owned();
    if let Some(last) = end.pop() {
        end.push(char::from_u32(u32::from(last) + 1).unwrap_or(char::MAX));
    }
    end
}
