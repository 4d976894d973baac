//! SQL on the database of the server under test, by the tools that belong to it: `sqlite3`, and `psql`.
//!
//! Contract: where the two differ in what is used here, the difference is in this file.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::cluster::ensure_tool;
use crate::failure::{Doing, Failure, Result};

/// One of the databases.
#[derive(Clone, Debug)]
pub(super) enum Sql {
    /// The file.
    Sqlite(PathBuf),
    /// The URL.
    Postgres(String),
}

impl Sql {
    /// Makes sure of the tool.
    pub(super) fn ensure(&self) -> Result<()> {
        match self {
            Self::Sqlite(_) => ensure_tool("sqlite3", "sqlite3", "fills the catalogue"),
            Self::Postgres(_) => ensure_tool("psql", "postgresql-client", "fills the catalogue"),
        }
    }

    /// Runs a script to its end; what it prints.
    pub(super) fn run(&self, script: &str) -> Result<String> {
        let doing = || "speak SQL".to_owned();
        let mut command = match self {
            Self::Sqlite(file) => {
                let mut command = Command::new("sqlite3");
                command
                    .args(["-batch", "-bail", "-cmd", ".timeout 60000"])
                    .arg(file);
                command
            }
            Self::Postgres(url) => {
                let mut command = Command::new("psql");
                command.args(["-qAtX", "-v", "ON_ERROR_STOP=1", "-d", url]);
                command
            }
        };
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = piped.stderr(Stdio::piped()).spawn().doing(doing)?;
        if let Some(mut input) = child.stdin.take() {
            // Should the tool be gone already, its status says why.
            let _ = input.write_all(script.as_bytes());
        }
        let output = child.wait_with_output().doing(doing)?;
        if !output.status.success() {
            let told = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(Failure::new(doing(), told));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// The one number that a query finds.
    pub(super) fn number(&self, query: &str) -> Result<f64> {
        let told = self.run(&format!("{query};"))?;
        told.trim()
            .parse()
            .doing(|| format!("read a number out of {told:?}"))
    }

    /// A number in base 16 with leading zeros.
    pub(super) fn hex(&self, number: &str, digits: usize) -> String {
        match self {
            Self::Sqlite(_) => format!("printf('%0{digits}x', {number})"),
            Self::Postgres(_) => format!("lpad(to_hex(({number})::bigint), {digits}, '0')"),
        }
    }

    /// A number in base 10 with leading zeros.
    pub(super) fn decimal(&self, number: &str, digits: usize) -> String {
        match self {
            Self::Sqlite(_) => format!("printf('%0{digits}d', {number})"),
            Self::Postgres(_) => format!("lpad(({number})::text, {digits}, '0')"),
        }
    }

    /// A time in microseconds as documents have it.
    pub(super) fn time(&self, micros: &str) -> String {
        match self {
            Self::Sqlite(_) => {
                format!("strftime('%Y-%m-%dT%H:%M:%SZ', ({micros}) / 1000000, 'unixepoch')")
            }
            Self::Postgres(_) => format!(
                "to_char(to_timestamp(({micros}) / 1000000) AT TIME ZONE 'UTC', \
                 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
            ),
        }
    }

    /// The numbers below this one, as a table.
    pub(super) fn below(&self, count: usize) -> String {
        match self {
            Self::Sqlite(_) => format!(
                "(WITH RECURSIVE n(i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {count}) \
                 SELECT i FROM n)"
            ),
            Self::Postgres(_) => format!("(SELECT generate_series(0::bigint, {count} - 1) AS i)"),
        }
    }

    /// What makes a large insert quick while nobody else is at it, and what ends it.
    pub(super) fn around(&self) -> (&'static str, &'static str) {
        match self {
            // The server sets its own way of writing when it opens the file again.
            Self::Sqlite(_) => (
                "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -2000000; BEGIN;",
                "COMMIT;",
            ),
            // What autovacuum does to a table that grew by so much, at a time that is known.
            Self::Postgres(_) => ("BEGIN;", "COMMIT; VACUUM ANALYZE;"),
        }
    }

    /// The size of the database, in bytes.
    pub(super) fn bytes(&self) -> Result<f64> {
        match self {
            Self::Sqlite(file) => {
                let metadata = std::fs::metadata(file);
                let metadata = metadata.doing(|| format!("look at {}", file.display()))?;
                Ok(metadata.len() as f64)
            }
            Self::Postgres(_) => self.number("SELECT pg_database_size(current_database())"),
        }
    }
}

/// A text as SQL has it.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_in_a_text_ends_nothing() {
        assert_eq!(quoted("it's"), "'it''s'");
    }
}
