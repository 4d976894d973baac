//! The store in a PostgreSQL database.
//!
//! Contract: there is one writer at a time, as with the embedded store, of all servers on the same schema of
//! the same database: a writing session begins by taking the catalogue's seat, an advisory lock that ends with
//! its transaction. From then on nobody else's writes come in between, so that what it reads is so until it
//! commits. Reading sessions are snapshots that never wait for the writer. The statements are those of every
//! database, see `sql/session.rs`.
//! Source: <https://www.postgresql.org/docs/15/explicit-locking.html#ADVISORY-LOCKS>.

#[path = "sql/session.rs"]
mod session;

use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgDatabaseError, PgPool, PgPoolOptions};

use self::session::SqlSession;
use super::{Database, Result, Session, StoreError};

/// What the shared statements run on.
type Db = sqlx::Postgres;
type Connection = PgConnection;

/// How long a session waits for a connection.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a connection that writes asks of the database, so that no server keeps the others from writing: it
/// gives up waiting for the seat after [`PATIENCE`], a server that does nothing in the middle of a transaction
/// loses it sooner than that, and one whose machine is gone after 10 s of silence and three questions:
/// <https://www.postgresql.org/docs/15/runtime-config-client.html>.
const WRITER: [(&str, &str); 5] = [
    ("lock_timeout", "10s"),
    ("idle_in_transaction_session_timeout", "5s"),
    ("tcp_keepalives_idle", "10"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "3"),
];

/// Connections of a server that read at the same time. A database allows 100 in all by default
/// (`max_connections`), which several servers share.
const READERS: u32 = 16;

/// Prepared statements kept by a connection; the store has fewer than this.
const STATEMENTS: usize = 100;

/// Takes the seat: "strongrm" in ASCII, so that no other program takes it by accident, and by exclusive or the
/// hash of the schema's name, because one database may hold several catalogues.
const TAKE_SEAT: &str = "SELECT pg_advisory_xact_lock(\
    x'7374726f6e67726d'::bigint # hashtext(current_schema())::bigint)";

/// The connections to a database.
pub struct PostgresDatabase {
    writer: PgPool,
    readers: PgPool,
}

impl PostgresDatabase {
    /// Connects by a URL (`postgres://user:password@host/database?sslmode=verify-full`) and brings the schema
    /// up to date.
    pub async fn open(url: &str) -> Result<Self> {
        let failed = |source| StoreError::Database {
            doing: "connect to the database",
            source,
        };
        let options: PgConnectOptions = url.parse().map_err(failed)?;
        let options = options
            .application_name("strongroom")
            .statement_cache_capacity(STATEMENTS);
        let writer = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(PATIENCE)
            .connect_with(options.clone().options(WRITER))
            .await
            .map_err(failed)?;
        sqlx::migrate!("src/store/migrations/postgres")
            .run(&writer)
            .await
            .map_err(StoreError::Migration)?;
        let readers = PgPoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(PATIENCE)
            .connect_lazy_with(options);
        Ok(Self { writer, readers })
    }
}

#[async_trait]
impl Database for PostgresDatabase {
    async fn begin(&self) -> Result<Box<dyn Session>> {
        let failed = |source| StoreError::Database {
            doing: "begin a transaction",
            source,
        };
        // Each statement sees what was committed before it, which nobody adds to once the seat is taken.
        let begin = self
            .writer
            .begin_with("BEGIN ISOLATION LEVEL READ COMMITTED");
        let mut transaction = begin.await.map_err(failed)?;
        let seat = sqlx::query(TAKE_SEAT).execute(&mut *transaction);
        seat.await.map_err(failed)?;
        Ok(Box::new(SqlSession(transaction)))
    }

    async fn read(&self) -> Result<Box<dyn Session>> {
        let transaction = self
            .readers
            .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            .await
            .map_err(|source| StoreError::Database {
                doing: "begin to read",
                source,
            })?;
        Ok(Box::new(SqlSession(transaction)))
    }

    fn is_shared(&self) -> bool {
        true
    }

    async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// One moment of a catalogue, read beside whichever servers work on it. Nothing is made or brought up to date.
pub async fn snapshot(url: &str) -> Result<Box<dyn Session>> {
    let failed = |doing| move |source| StoreError::Database { doing, source };
    let options: PgConnectOptions = url.parse().map_err(failed("connect to the database"))?;
    let reader = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(PATIENCE)
        .connect_with(options.application_name("strongroom"))
        .await
        .map_err(failed("connect to the database"))?;
    let transaction = reader
        .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        .await
        .map_err(failed("begin to read"))?;
    Ok(Box::new(SqlSession(transaction)))
}

/// Whether an error says that the database is away, going away, busy or full, or takes no writes:
/// <https://www.postgresql.org/docs/15/errcodes-appendix.html>.
pub(super) fn is_unavailable(error: &sqlx::Error) -> bool {
    /// Connection exception, insufficient resources (a full disk among them), operator intervention,
    /// system error.
    const CLASSES: [&str; 4] = ["08", "53", "57", "58"];
    /// `lock_not_available`, `deadlock_detected`, `idle_in_transaction_session_timeout`, and
    /// `read_only_sql_transaction`, as of a standby.
    const CODES: [&str; 4] = ["55P03", "40P01", "25P03", "25006"];
    match error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut => true,
        sqlx::Error::Database(told) => {
            told.try_downcast_ref::<PgDatabaseError>()
                .is_some_and(|told| {
                    let code = told.code();
                    CODES.contains(&code) || CLASSES.iter().any(|class| code.starts_with(class))
                })
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests;
