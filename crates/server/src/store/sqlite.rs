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
    Database, JobFilter, JobRow, OperationRow, RecoveryPointRow, RepositoryRow, ResourceRow,
    Result, Rows, Session, StoreError, TimeCursor, UseRow,
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
mod tests {
    use super::*;
    use crate::store::{Store, suite};

    #[tokio::test]
    async fn sqlite_does_what_every_store_must() {
        let dir = tempfile::tempdir().unwrap();
        let count = std::sync::atomic::AtomicU32::new(0);
        suite::run_all(async || {
            let number = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let file = dir.path().join(format!("{number}.db"));
            Store::new(SqliteDatabase::open(&file).await.unwrap())
        })
        .await;
    }

    #[tokio::test]
    async fn a_store_opens_again_with_what_it_held() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("strongroom.db");
        let store = Store::new(SqliteDatabase::open(&file).await.unwrap());
        let mut session = store.begin().await.unwrap();
        session.put_setting("a", "1").await.unwrap();
        session.commit().await.unwrap();
        store.close().await;
        let store = Store::new(SqliteDatabase::open(&file).await.unwrap());
        let value = store.read().await.unwrap().setting("a").await.unwrap();
        assert_eq!(value.as_deref(), Some("1"));
    }

    #[tokio::test]
    async fn repositories_that_older_versions_wrote_to_are_found_in_jobs_and_points() {
        let dir = tempfile::tempdir().unwrap();
        let database = SqliteDatabase::open(&dir.path().join("strongroom.db"))
            .await
            .unwrap();
        for statement in [
            "INSERT INTO resources VALUES ('/v/i', 'k', '/V/I', 'i', '{}', 'e', 0, 0)",
            r#"INSERT INTO jobs VALUES ('j', '/v', '/v/i', '/c', 'Backup', 'Failed', 'Done', '{}', NULL,
                '{"kind":"Backup","repository":{"containerId":"/C","prefix":"of-job"}}',
                'null', 'null', 0, NULL, 1, NULL, 0)"#,
            r#"INSERT INTO jobs VALUES ('p', '/v', '/v/i', '/c', 'Purge', 'Failed', 'Done', '{}', NULL,
                '{"kind":"Purge","repositories":[]}', 'null', 'null', 0, NULL, 1, NULL, 0)"#,
            r#"INSERT INTO recovery_points VALUES ('r', '/v/i', '/v', 'j', 0, NULL,
                '{"repository":{"containerId":"/C","prefix":"of-point"}}')"#,
        ]
        .into_iter()
        .chain(
            include_str!("migrations/sqlite/0003_history.sql")
                .split(';')
                .filter(|statement| statement.trim_start().starts_with("INSERT")),
        ) {
            sqlx::query(sqlx::AssertSqlSafe(statement))
                .execute(&database.writer)
                .await
                .unwrap();
        }
        let mut session = database.read().await.unwrap();
        let found = session.repositories("/v/i").await.unwrap();
        let prefixes: Vec<&str> = found.iter().map(|row| row.prefix.as_str()).collect();
        assert_eq!(prefixes, ["of-job", "of-point"]);
    }

    #[tokio::test]
    async fn a_full_disk_is_told_from_what_is_wrong() {
        let dir = tempfile::tempdir().unwrap();
        let database = SqliteDatabase::open(&dir.path().join("strongroom.db"))
            .await
            .unwrap();
        let pages: i64 = sqlx::query_scalar("PRAGMA page_count")
            .fetch_one(&database.writer)
            .await
            .unwrap();
        let limit = format!("PRAGMA max_page_count = {pages}");
        sqlx::query(sqlx::AssertSqlSafe(limit))
            .execute(&database.writer)
            .await
            .unwrap();
        let mut session = database.begin().await.unwrap();
        let refused = session.put_setting("long", &"x".repeat(1 << 20)).await;
        assert!(refused.unwrap_err().is_unavailable());
        drop(session);
        let mut session = database.read().await.unwrap();
        let refused = session.put_setting("a", "b").await.unwrap_err();
        assert!(!refused.is_unavailable(), "{refused}");
    }

    #[tokio::test]
    async fn lists_and_due_jobs_walk_an_index() {
        let dir = tempfile::tempdir().unwrap();
        let database = SqliteDatabase::open(&dir.path().join("strongroom.db"))
            .await
            .unwrap();
        for (query, index) in [
            (
                "SELECT * FROM resources WHERE kind = 'k' AND key > 'a' AND key < 'b' ORDER BY key",
                "resources_by_kind",
            ),
            (
                "SELECT * FROM jobs WHERE vault_key = 'v' AND (created_at, id) < (1, 'x') ORDER BY created_at DESC, id DESC",
                "jobs_by_vault",
            ),
            (
                "SELECT * FROM jobs WHERE next_poll_at IS NOT NULL AND (next_poll_at <= 1 OR next_poll_at > 2) ORDER BY next_poll_at",
                "jobs_due",
            ),
            (
                "SELECT * FROM recovery_points WHERE instance_key = 'i' AND (created_at, id) < (1, 'x') ORDER BY created_at DESC, id DESC",
                "recovery_points_by_instance",
            ),
            (
                "SELECT * FROM operations WHERE ended_at IS NULL ORDER BY created_at, id",
                "operations_open",
            ),
            (
                "SELECT * FROM jobs WHERE instance_key = 'i' AND (created_at, id) < (1, 'x') ORDER BY created_at DESC, id DESC",
                "jobs_by_instance",
            ),
            (
                "SELECT * FROM jobs WHERE instance_key = 'i' AND next_poll_at IS NOT NULL AND ended_at IS NOT NULL",
                "jobs_waiting_by_instance",
            ),
            (
                "SELECT * FROM jobs WHERE ended_at IS NOT NULL AND next_poll_at IS NULL AND ended_at < 1 AND (ended_at, id) > (0, '') ORDER BY ended_at, id",
                "jobs_ended",
            ),
            (
                "SELECT id FROM operations WHERE ended_at < 1 ORDER BY ended_at LIMIT 5",
                "operations_ended",
            ),
            (
                "SELECT * FROM uses WHERE target_key = 'k' ORDER BY user_key",
                "uses_by_target",
            ),
        ] {
            let plan: Vec<(i64, i64, i64, String)> =
                sqlx::query_as(sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {query}")))
                    .fetch_all(&database.writer)
                    .await
                    .unwrap();
            let plan: String = plan.into_iter().map(|step| step.3).collect();
            assert!(plan.contains(index), "{query}: {plan}");
        }
    }
}
