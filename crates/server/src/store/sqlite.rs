//! The embedded store: one SQLite file.
//!
//! Contract: write-ahead log with `synchronous = FULL`, because this is the only copy of the
//! metadata and a commit that was acknowledged must survive a power cut. One connection writes;
//! others read snapshots and never wait for it. The SQL is the portable kind (numbered
//! placeholders, upserts, row values), so that another database differs in its connection and its
//! migrations only.

mod jobs;
mod operations;
mod recovery_points;
mod resources;
mod schedules;

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Sqlite, SqliteConnection, Transaction};
use uuid::Uuid;

use super::{
    Database, ExpiryCursor, JobFilter, JobRow, OperationRow, RecoveryPointRow, RepositoryRow,
    ResourceRow, Result, Rows, ScheduleRow, Session, StoreError, TimeCursor, UseRow,
};

/// How long a writer waits for the one before it. Transactions take milliseconds; who waits longer
/// than this should be told that the store is stuck.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Connections that read at the same time. More would only compete for the same disk.
const READERS: u32 = 8;

/// Prepared statements kept by a connection; the store has fewer than this.
const STATEMENTS: usize = 100;

/// The database file and its connections.
pub struct SqliteDatabase {
    writer: SqlitePool,
    readers: SqlitePool,
}

impl SqliteDatabase {
    /// Opens the file, making it when absent, and brings its schema up to date.
    pub async fn open(file: &Path) -> Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT)
            .statement_cache_capacity(STATEMENTS);
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .min_connections(1)
            .acquire_timeout(BUSY_TIMEOUT)
            .connect_with(options.clone())
            .await
            .map_err(|source| StoreError::Database {
                doing: "open the database",
                source,
            })?;
        sqlx::migrate!("src/store/migrations/sqlite")
            .run(&writer)
            .await
            .map_err(StoreError::Migration)?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(BUSY_TIMEOUT)
            .connect_lazy_with(options.pragma("query_only", "1"));
        Ok(Self { writer, readers })
    }
}

#[async_trait]
impl Database for SqliteDatabase {
    async fn begin(&self) -> Result<Box<dyn Session>> {
        // IMMEDIATE: the write lock is taken now, so that no statement in the middle of the
        // transaction can find that it read stale data.
        let transaction = self
            .writer
            .begin_with("BEGIN IMMEDIATE")
            .await
            .map_err(|source| StoreError::Database {
                doing: "begin a transaction",
                source,
            })?;
        Ok(Box::new(SqliteSession(transaction)))
    }

    async fn read(&self) -> Result<Box<dyn Session>> {
        let transaction = self
            .readers
            .begin()
            .await
            .map_err(|source| StoreError::Database {
                doing: "begin to read",
                source,
            })?;
        Ok(Box::new(SqliteSession(transaction)))
    }

    async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

struct SqliteSession(Transaction<'static, Sqlite>);

impl SqliteSession {
    fn on(&mut self) -> &mut SqliteConnection {
        &mut self.0
    }
}

#[async_trait]
impl Session for SqliteSession {
    async fn commit(self: Box<Self>) -> Result<()> {
        self.0.commit().await.map_err(failed("commit"))
    }

    async fn setting(&mut self, name: &str) -> Result<Option<String>> {
        resources::setting(self.on(), name).await
    }
    async fn put_setting(&mut self, name: &str, value: &str) -> Result<()> {
        resources::put_setting(self.on(), name, value).await
    }

    async fn resource(&mut self, key: &str) -> Result<Option<ResourceRow>> {
        resources::get(self.on(), key).await
    }
    async fn resources(
        &mut self,
        kind: &str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Rows<ResourceRow>> {
        resources::list(self.on(), kind, prefix, after, limit).await
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
        resources::delete(self.on(), key).await
    }

    async fn put_use(&mut self, edge: &UseRow) -> Result<()> {
        resources::put_use(self.on(), edge).await
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

    async fn recovery_point(&mut self, id: Uuid) -> Result<Option<RecoveryPointRow>> {
        recovery_points::get(self.on(), id).await
    }
    async fn insert_recovery_point(&mut self, row: &RecoveryPointRow) -> Result<()> {
        recovery_points::insert(self.on(), row).await
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
        recovery_points::put_body(self.on(), id, body).await
    }
    async fn delete_recovery_point(&mut self, id: Uuid) -> Result<bool> {
        recovery_points::delete(self.on(), id).await
    }

    async fn last_made_recovery_point(&mut self, instance_key: &str) -> Result<Option<Uuid>> {
        recovery_points::last_made(self.on(), instance_key).await
    }
    async fn expired_recovery_points(
        &mut self,
        now: Timestamp,
        after: Option<ExpiryCursor>,
        limit: usize,
    ) -> Result<Vec<RecoveryPointRow>> {
        recovery_points::expired(self.on(), now, after, limit).await
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
    async fn put_schedule(&mut self, row: &ScheduleRow) -> Result<()> {
        schedules::put(self.on(), row).await
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
}

/// Whether an error says that the database is busy, locked or full, or that no connection came free in
/// time: <https://www.sqlite.org/rescode.html>.
pub(super) fn is_unavailable(error: &sqlx::Error) -> bool {
    /// `SQLITE_BUSY`, `SQLITE_LOCKED`, `SQLITE_FULL`: the low byte of an extended code.
    const TRANSIENT: [u32; 3] = [5, 6, 13];
    match error {
        sqlx::Error::PoolTimedOut => true,
        sqlx::Error::Database(told) => told
            .code()
            .and_then(|code| code.parse::<u32>().ok())
            .is_some_and(|code| TRANSIENT.contains(&(code & 0xff))),
        _ => false,
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

#[cfg(test)]
mod tests;
