//! The store in a PostgreSQL database.
//!
//! Contract: there is one writer at a time, as with the embedded store: all writing is done on one connection,
//! which has to hold the catalogue's seat, an advisory lock of its session. A second server of the same
//! schema of the same database cannot write, and does not start, until the first one is gone; one whose connection breaks
//! writes nothing until it has the seat again. Reading sessions are snapshots that never wait for the
//! writer. The statements are those of every database, see `sql/session.rs`.
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

/// How long a session waits for a connection, and a starting server for the seat: a restart overlaps with
/// the end of the process before it.
const PATIENCE: Duration = Duration::from_secs(10);

/// When the database notices that a server's machine is gone, whose seat another one waits for: it asks
/// after so many seconds of silence, again every so many, and gives up after so many questions.
const KEEPALIVE: [(&str, &str); 3] = [
    ("tcp_keepalives_idle", "10"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "3"),
];

/// Connections of a server that read at the same time. A database allows 100 in all by default
/// (`max_connections`), which several servers share.
const READERS: u32 = 16;

/// Prepared statements kept by a connection; the store has fewer than this.
const STATEMENTS: usize = 100;

/// The advisory lock that is the seat: "strongrm" in ASCII, so that no other program takes it by accident,
/// and by exclusive or the hash of the schema's name, because one database may hold several catalogues.
const SEAT: i64 = 0x7374_726f_6e67_726d;

/// The connections to a database.
pub struct PostgresDatabase {
    writer: PgPool,
    readers: PgPool,
}

impl PostgresDatabase {
    /// Connects by a URL (`postgres://user:password@host/database?sslmode=verify-full`), takes the seat and
    /// brings the schema up to date.
    pub async fn open(url: &str) -> Result<Self> {
        let failed = |source| StoreError::Database {
            doing: "connect to the database",
            source,
        };
        let options: PgConnectOptions = url.parse().map_err(failed)?;
        let options = options
            .application_name("strongroom")
            .statement_cache_capacity(STATEMENTS);
        // For ever: the seat is the connection's.
        let writer = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(PATIENCE)
            .idle_timeout(None)
            .max_lifetime(None)
            .after_connect(|connection, _| Box::pin(take_seat(connection)))
            .connect_with(options.clone().options(KEEPALIVE))
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

/// Takes the seat, or says that another server has it; the pool asks again until its patience ends.
async fn take_seat(connection: &mut PgConnection) -> std::result::Result<(), sqlx::Error> {
    let taken: bool =
        sqlx::query_scalar("SELECT pg_try_advisory_lock($1 # hashtext(current_schema())::bigint)")
            .bind(SEAT)
            .fetch_one(connection)
            .await?;
    if taken {
        return Ok(());
    }
    let told = "another server works on this database";
    Err(sqlx::Error::Io(std::io::Error::new(
        std::io::ErrorKind::ResourceBusy,
        told,
    )))
}

#[async_trait]
impl Database for PostgresDatabase {
    async fn begin(&self) -> Result<Box<dyn Session>> {
        let transaction = self
            .writer
            .begin()
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
            .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            .await
            .map_err(|source| StoreError::Database {
                doing: "begin to read",
                source,
            })?;
        Ok(Box::new(SqlSession(transaction)))
    }

    async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// Whether an error says that the database is away, going away, busy or full:
/// <https://www.postgresql.org/docs/15/errcodes-appendix.html>.
pub(super) fn is_unavailable(error: &sqlx::Error) -> bool {
    /// Connection exception, insufficient resources (a full disk among them), operator intervention,
    /// system error.
    const CLASSES: [&str; 4] = ["08", "53", "57", "58"];
    /// `lock_not_available`, `deadlock_detected`.
    const CODES: [&str; 2] = ["55P03", "40P01"];
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
