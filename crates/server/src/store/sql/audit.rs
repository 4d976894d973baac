//! The audit log.

use sqlx::FromRow;
use strongroom_core::audit::{Entry, Event, Head};

use super::{
    Connection, Result, Rows, StoreError, Timestamp, failed, micros, one_more, resources, time,
};

/// The setting that holds the end of the log, and the one that holds what its first entry follows once
/// older ones were forgotten.
const HEAD: &str = "audit-head";
/// See [`HEAD`].
const BASE: &str = "audit-base";

#[derive(FromRow)]
struct Stored {
    sequence: i64,
    event: String,
    previous: String,
    hash: String,
}

impl Stored {
    fn read(self) -> Result<Entry> {
        let malformed = |detail: String| StoreError::Malformed {
            what: "audit entry",
            detail,
        };
        Ok(Entry {
            sequence: u64::try_from(self.sequence).map_err(|error| malformed(error.to_string()))?,
            event: serde_json::from_str(&self.event)
                .map_err(|error| malformed(error.to_string()))?,
            previous: self
                .previous
                .parse()
                .map_err(|_| malformed("previous".to_owned()))?,
            hash: self
                .hash
                .parse()
                .map_err(|_| malformed("hash".to_owned()))?,
        })
    }
}

fn number(sequence: u64) -> i64 {
    i64::try_from(sequence).unwrap_or(i64::MAX)
}

async fn noted(on: &mut Connection, name: &str) -> Result<Option<Head>> {
    let text = resources::setting(on, name).await?;
    Ok(text.and_then(|text| text.parse().ok()))
}

/// The end of the log. Should its note be gone, it is the last entry.
pub(super) async fn head(on: &mut Connection) -> Result<Head> {
    if let Some(head) = noted(on, HEAD).await? {
        return Ok(head);
    }
    let last = sqlx::query_as::<_, Stored>(
        "SELECT sequence, event, previous, hash FROM audit_entries ORDER BY sequence DESC LIMIT 1",
    )
    .fetch_optional(&mut *on)
    .await
    .map_err(failed("read the end of the audit log"))?;
    match last {
        Some(stored) => Ok(stored.read()?.head()),
        None => base(on).await,
    }
}

/// What the first entry of the log follows.
pub(super) async fn base(on: &mut Connection) -> Result<Head> {
    Ok(noted(on, BASE).await?.unwrap_or_else(Head::beginning))
}

pub(super) async fn append(on: &mut Connection, event: Event) -> Result<Entry> {
    let entry = head(on).await?.follow(event);
    let text = serde_json::to_string(&entry.event).map_err(|error| StoreError::Malformed {
        what: "audit entry",
        detail: error.to_string(),
    })?;
    sqlx::query(
        "INSERT INTO audit_entries (sequence, time, event, previous, hash) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(number(entry.sequence))
    .bind(micros(entry.event.time))
    .bind(text)
    .bind(entry.previous.to_string())
    .bind(entry.hash.to_string())
    .execute(&mut *on)
    .await
    .map_err(failed("write an entry of the audit log"))?;
    resources::put_setting(on, HEAD, &entry.head().to_string()).await?;
    Ok(entry)
}

pub(super) async fn after(on: &mut Connection, sequence: u64, limit: usize) -> Result<Rows<Entry>> {
    let stored = sqlx::query_as::<_, Stored>(
        "SELECT sequence, event, previous, hash FROM audit_entries WHERE sequence > $1
         ORDER BY sequence LIMIT $2",
    )
    .bind(number(sequence))
    .bind(one_more(limit))
    .fetch_all(on)
    .await
    .map_err(failed("read the audit log"))?;
    let entries = stored.into_iter().map(Stored::read);
    Ok(Rows::cut(entries.collect::<Result<Vec<_>>>()?, limit))
}

/// Forgets up to `limit` of the first entries, as far as they are older than `before`, and notes what the
/// log begins with from then on.
pub(super) async fn forget(on: &mut Connection, before: Timestamp, limit: usize) -> Result<u64> {
    let oldest: Vec<(i64, i64, String)> =
        sqlx::query_as("SELECT sequence, time, hash FROM audit_entries ORDER BY sequence LIMIT $1")
            .bind(one_more(limit) - 1)
            .fetch_all(&mut *on)
            .await
            .map_err(failed("read the beginning of the audit log"))?;
    let mut base = None;
    for (sequence, at, hash) in oldest {
        if time(at)? >= before {
            break;
        }
        base = Some((sequence, hash));
    }
    let Some((sequence, hash)) = base else {
        return Ok(0);
    };
    let done = sqlx::query("DELETE FROM audit_entries WHERE sequence <= $1")
        .bind(sequence)
        .execute(&mut *on)
        .await
        .map_err(failed("forget old entries of the audit log"))?;
    resources::put_setting(on, BASE, &format!("{sequence}:{hash}")).await?;
    Ok(done.rows_affected())
}
