//! Copies of a catalogue: made beside a running server, restored into an empty catalogue of either database.
//!
//! Contract: a copy holds one moment of everything that a catalogue is (see [`format`]). Restoring one is one
//! transaction: all of it is there, or nothing. Where the copy may be older than what became of the world
//! since, the same transaction lets everything in it that could do harm by that come to rest (see
//! [`settle`]), and leaves a [note](PENDING) by which the server brings its recovery points to what the stores
//! hold. Whoever moves a catalogue whose server did nothing since says so, and then nothing of it is changed.

pub mod command;
pub mod format;
pub mod limits;
pub mod settle;
#[cfg(test)]
mod tests;

use std::io::{BufRead, Write};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use self::format::{FORMAT, Header, Reader, Writer, key_check};
use self::settle::Settling;
use crate::secrets::{MasterKey, SecretError};
use crate::store::copied::{SCHEMA, TABLES, Table, Value};
use crate::store::{Session, StoreError};

/// The setting that says that the recovery points of a catalogue are to be brought to what the stores hold.
pub const PENDING: &str = "recovery-points-to-reconcile";

/// What [`PENDING`] holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pending {
    /// Since when.
    pub since: Timestamp,
    /// Of which moment the catalogue was then; none when it was rebuilt from the stores.
    #[serde(default)]
    pub copy_made: Option<Timestamp>,
    /// When it was done for every instance; none as long as it is not.
    #[serde(default)]
    pub done: Option<Timestamp>,
}

/// Why a catalogue was not copied, or a copy not restored. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The database.
    #[error("the store of the catalogue cannot be used")]
    Store(#[from] StoreError),
    /// Reading or writing the copy.
    #[error("the copy cannot be read or written")]
    Io(#[from] std::io::Error),
    /// It is something else.
    #[error("this is no copy of a catalogue; give the file that `server backup-catalog` wrote")]
    NotACopy,
    /// A later program wrote it.
    #[error(
        "the copy has format {0}, and this program knows format {FORMAT}; use the version that wrote it"
    )]
    OtherFormat(u32),
    /// Another version wrote it.
    #[error(
        "the copy is of schema {found}, and this program's is {expected}; restore it with strongroom \
         {program}, which wrote it, and then start this version on it"
    )]
    OtherSchema {
        /// The schema of the copy.
        found: i64,
        /// That of this program.
        expected: i64,
        /// The version that wrote it.
        program: String,
    },
    /// The database is of another version than the program.
    #[error(
        "the database has schema {found}, and this program's is {expected}; use the version of strongroom \
         that serves it"
    )]
    OtherDatabase {
        /// The schema of the database.
        found: i64,
        /// That of this program.
        expected: i64,
    },
    /// It is of another server.
    #[error(
        "the copy was made under another master key; put the keys/master.key of the server that it was made \
         of into the data directory first"
    )]
    OtherMasterKey,
    /// It was cut off or altered.
    #[error("the copy is damaged: {0}; nothing was restored, use another copy")]
    Damaged(String),
    /// A secret in it does not open.
    #[error("a secret in the catalogue cannot be read; nothing was restored")]
    Secret(#[from] SecretError),
    /// The catalogue holds something.
    #[error(
        "the catalogue is not empty (there are rows in {table}): a copy is restored only where no server has \
         worked yet; give another data directory, with the keys folder in it, or another database"
    )]
    NotEmpty {
        /// The first table with rows.
        table: &'static str,
    },
    /// A value is not what this version writes.
    #[error(
        "the copy holds a {what} that this version cannot read: {detail}; nothing was restored"
    )]
    Malformed {
        /// What.
        what: &'static str,
        /// Why.
        detail: String,
    },
}

/// Writes a copy of what a session sees; tells the number of rows.
pub async fn write<W: Write + Send>(
    session: &mut dyn Session,
    keys: &MasterKey,
    (made, tenant_id): (Timestamp, String),
    to: W,
) -> Result<(W, u64), CopyError> {
    let header = Header {
        strongroom_catalogue: FORMAT,
        schema: SCHEMA,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        made,
        tenant_id,
        key_check: key_check(keys),
    };
    let mut writer = Writer::begin(to, keys, &header)?;
    for table in TABLES {
        let mut failed = None;
        let mut each = |row: Vec<Value>| match writer.row(table, row) {
            Ok(()) => true,
            Err(error) => {
                failed = Some(error);
                false
            }
        };
        session.copy_table(table, &mut each).await?;
        if let Some(error) = failed {
            return Err(error.into());
        }
    }
    Ok(writer.finish()?)
}

/// What a restore brought back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The first line of the copy.
    pub header: Header,
    /// Rows of the copy.
    pub rows: u64,
    /// Jobs that were open in it and were ended.
    pub ended_jobs: u64,
}

/// Writes all of a copy into a session, which the caller commits. `settling` is none for a catalogue that
/// moves: then every row is as it was.
pub async fn read<R: BufRead>(
    session: &mut dyn Session,
    keys: &MasterKey,
    from: R,
    now: Option<Timestamp>,
) -> Result<Restored, CopyError> {
    let mut reader = Reader::begin(from, keys, SCHEMA)?;
    require_empty(session).await?;
    let made = reader.header().made;
    let mut settling = now.map(|now| Settling::new(now, made));
    while let Some((table, mut row)) = reader.next_row()? {
        check_secret(keys, table, &row)?;
        if let Some(settling) = &mut settling {
            settling.row(table, &mut row)?;
        }
        session.insert_copied(table, row).await?;
    }
    let mut ended_jobs = 0;
    if let Some(settling) = settling {
        ended_jobs = settling.finish(session).await?;
    }
    Ok(Restored {
        header: reader.header().clone(),
        rows: reader.rows(),
        ended_jobs,
    })
}

/// Refuses a catalogue with anything in it.
pub async fn require_empty(session: &mut dyn Session) -> Result<(), CopyError> {
    for table in TABLES {
        if !session.is_table_empty(table).await? {
            return Err(CopyError::NotEmpty { table: table.name });
        }
    }
    Ok(())
}

/// Refuses a secret that the master key does not open: it would be found out on the day it is needed.
fn check_secret(keys: &MasterKey, table: &Table, row: &[Value]) -> Result<(), CopyError> {
    if let (
        "secrets",
        [
            Value::Text(Some(key)),
            Value::Text(Some(purpose)),
            Value::Bytes(Some(sealed)),
        ],
    ) = (table.name, row)
    {
        keys.open(key, purpose, sealed)?;
    }
    Ok(())
}
