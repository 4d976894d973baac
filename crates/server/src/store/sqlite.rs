//! The embedded store: one SQLite file.
//!
//! Contract: write-ahead log with `synchronous = FULL`, because this is the only copy of the
//! metadata and a commit that was acknowledged must survive a power cut. One connection writes;
//! others read snapshots and never wait for it. The statements are those of every database, see
//! `sql/session.rs`.

#[path = "sql/session.rs"]
mod session;

use std::future::ready;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::Connection as _;
use sqlx::error::DatabaseError as _;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteError, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};

use self::session::SqlSession;
use super::{Database, Result, Session, StoreError};

/// What the shared statements run on.
type Db = sqlx::Sqlite;
type Connection = sqlx::SqliteConnection;

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
        // When its disk is full, SQLite itself rolls a transaction back; the driver does not know that and would
        // begin none on that connection ever again: <https://www.sqlite.org/lang_transaction.html>.
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .min_connections(1)
            .acquire_timeout(BUSY_TIMEOUT)
            .before_acquire(|connection, _| Box::pin(ready(Ok(!connection.is_in_transaction()))))
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
        Ok(Box::new(SqlSession(transaction)))
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
        Ok(Box::new(SqlSession(transaction)))
    }

    fn is_shared(&self) -> bool {
        false
    }

    async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// One moment of a catalogue, read beside whichever server works on it. Nothing is made or brought up to date.
pub async fn snapshot(file: &Path) -> Result<Box<dyn Session>> {
    let failed = |doing| move |source| StoreError::Database { doing, source };
    let options = SqliteConnectOptions::new()
        .filename(file)
        .busy_timeout(BUSY_TIMEOUT)
        .pragma("query_only", "1");
    let reader = SqlitePoolOptions::new()
        .max_connections(1)
        .connect_with(options)
        .await
        .map_err(failed("open the database"))?;
    let transaction = reader.begin().await.map_err(failed("begin to read"))?;
    Ok(Box::new(SqlSession(transaction)))
}

/// Whether an error says that the database is busy, locked or full, takes no writes or cannot be read from its
/// disk, or that no connection came free in time: <https://www.sqlite.org/rescode.html>.
pub(super) fn is_unavailable(error: &sqlx::Error) -> bool {
    /// `SQLITE_BUSY`, `SQLITE_LOCKED`, `SQLITE_READONLY`, `SQLITE_IOERR`, `SQLITE_FULL`, `SQLITE_CANTOPEN`:
    /// the low byte of an extended code.
    const TRANSIENT: [u32; 6] = [5, 6, 8, 10, 13, 14];
    match error {
        sqlx::Error::PoolTimedOut => true,
        sqlx::Error::Database(told) => told
            .try_downcast_ref::<SqliteError>()
            .and_then(|told| told.code()?.parse::<u32>().ok())
            .is_some_and(|code| TRANSIENT.contains(&(code & 0xff))),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
