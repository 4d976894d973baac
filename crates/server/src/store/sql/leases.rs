//! Leases, and who carries out which operation.

use sqlx::FromRow;
use strongroom_core::lease::Lease;
use uuid::Uuid;

use super::{Connection, LeaseRow, Result, failed, one_more, uuid};
use crate::store::StoreError;
use crate::store::lease::WORK;

#[derive(FromRow)]
struct Stored {
    name: String,
    holder: Option<String>,
    term: i64,
    renewals: i64,
}

impl Stored {
    fn read(self) -> Result<LeaseRow> {
        Ok(LeaseRow {
            name: self.name,
            lease: Lease {
                holder: self.holder.as_deref().map(uuid).transpose()?,
                term: count(self.term)?,
                renewals: count(self.renewals)?,
            },
        })
    }
}

fn count(stored: i64) -> Result<u64> {
    u64::try_from(stored).map_err(|error| StoreError::Malformed {
        what: "count of a lease",
        detail: error.to_string(),
    })
}

pub(super) async fn all(on: &mut Connection, limit: usize) -> Result<Vec<LeaseRow>> {
    let stored = sqlx::query_as::<_, Stored>("SELECT * FROM leases ORDER BY name LIMIT $1")
        .bind(one_more(limit) - 1)
        .fetch_all(on)
        .await
        .map_err(failed("read the leases"))?;
    stored.into_iter().map(Stored::read).collect()
}

pub(super) async fn put(on: &mut Connection, row: &LeaseRow) -> Result<()> {
    sqlx::query(
        "INSERT INTO leases (name, holder, term, renewals) VALUES ($1, $2, $3, $4)
         ON CONFLICT (name) DO UPDATE SET
             holder = excluded.holder, term = excluded.term, renewals = excluded.renewals",
    )
    .bind(&row.name)
    .bind(row.lease.holder.map(|id| id.to_string()))
    .bind(i64::try_from(row.lease.term).unwrap_or(i64::MAX))
    .bind(i64::try_from(row.lease.renewals).unwrap_or(i64::MAX))
    .execute(on)
    .await
    .map_err(failed("write a lease"))?;
    Ok(())
}

pub(super) async fn delete(on: &mut Connection, name: &str) -> Result<()> {
    sqlx::query("DELETE FROM leases WHERE name = $1")
        .bind(name)
        .execute(on)
        .await
        .map_err(failed("forget a lease"))?;
    Ok(())
}

/// Refuses when the work's lease is in another term.
pub(super) async fn check_term(on: &mut Connection, term: u64) -> Result<()> {
    let stored: Option<i64> = sqlx::query_scalar("SELECT term FROM leases WHERE name = $1")
        .bind(WORK)
        .fetch_optional(on)
        .await
        .map_err(failed("read the lease of the work"))?;
    match stored.map(count).transpose()? {
        Some(stored) if stored == term => Ok(()),
        _ => Err(StoreError::LeaseLost),
    }
}

pub(super) async fn adopt(on: &mut Connection, operation: &str, holder: Uuid) -> Result<bool> {
    let done = sqlx::query("UPDATE operations SET holder = $1 WHERE id = $2 AND ended_at IS NULL")
        .bind(holder.to_string())
        .bind(operation)
        .execute(on)
        .await
        .map_err(failed("take an operation over"))?;
    Ok(done.rows_affected() == 1)
}
