//! Long-running operations.

use jiff::Timestamp;
use sqlx::FromRow;

use super::{Connection, Result, failed, json, micros, one_more, optional_time, time, uuid};
use crate::store::{OperationRow, OperationStatus, StoreError};

#[derive(FromRow)]
struct Stored {
    id: String,
    kind: String,
    scope_key: String,
    resource_id: String,
    location: String,
    status: String,
    request: String,
    holder: Option<String>,
    job_id: Option<String>,
    result: String,
    error: String,
    created_at: i64,
    ended_at: Option<i64>,
}

impl Stored {
    fn read(self) -> Result<OperationRow> {
        let status = OperationStatus::parse(&self.status).ok_or_else(|| StoreError::Malformed {
            what: "operation status",
            detail: self.status.clone(),
        })?;
        Ok(OperationRow {
            id: self.id,
            kind: self.kind,
            scope_key: self.scope_key,
            resource_id: self.resource_id,
            location: self.location,
            status,
            request: json(&self.request)?,
            holder: self.holder.as_deref().map(uuid).transpose()?,
            job_id: self.job_id,
            result: json(&self.result)?,
            error: json(&self.error)?,
            created_at: time(self.created_at)?,
            ended_at: optional_time(self.ended_at)?,
        })
    }
}

pub(super) async fn get(on: &mut Connection, id: &str) -> Result<Option<OperationRow>> {
    sqlx::query_as::<_, Stored>("SELECT * FROM operations WHERE id = $1")
        .bind(id)
        .fetch_optional(on)
        .await
        .map_err(failed("read an operation"))?
        .map(Stored::read)
        .transpose()
}

pub(super) async fn insert(on: &mut Connection, row: &OperationRow) -> Result<()> {
    sqlx::query(
        "INSERT INTO operations (id, kind, scope_key, resource_id, location, status, job_id,
             result, error, created_at, ended_at, request, holder)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(&row.id)
    .bind(&row.kind)
    .bind(&row.scope_key)
    .bind(&row.resource_id)
    .bind(&row.location)
    .bind(row.status.as_str())
    .bind(&row.job_id)
    .bind(row.result.to_string())
    .bind(row.error.to_string())
    .bind(micros(row.created_at))
    .bind(row.ended_at.map(micros))
    .bind(row.request.to_string())
    .bind(row.holder.map(|id| id.to_string()))
    .execute(on)
    .await
    .map_err(failed("write a new operation"))?;
    Ok(())
}

pub(super) async fn finish(on: &mut Connection, row: &OperationRow) -> Result<bool> {
    let done = sqlx::query(
        "UPDATE operations SET status = $1, job_id = $2, result = $3, error = $4, ended_at = $5,
             request = 'null'
         WHERE id = $6 AND ended_at IS NULL",
    )
    .bind(row.status.as_str())
    .bind(&row.job_id)
    .bind(row.result.to_string())
    .bind(row.error.to_string())
    .bind(row.ended_at.map(micros))
    .bind(&row.id)
    .execute(on)
    .await
    .map_err(failed("finish an operation"))?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn open(on: &mut Connection, limit: usize) -> Result<Vec<OperationRow>> {
    let stored = sqlx::query_as::<_, Stored>(
        "SELECT * FROM operations WHERE ended_at IS NULL ORDER BY created_at, id LIMIT $1",
    )
    .bind(one_more(limit) - 1)
    .fetch_all(on)
    .await
    .map_err(failed("list open operations"))?;
    stored.into_iter().map(Stored::read).collect()
}

pub(super) async fn delete_ended(
    on: &mut Connection,
    before: Timestamp,
    limit: usize,
) -> Result<u64> {
    let done = sqlx::query(
        "DELETE FROM operations WHERE id IN
             (SELECT id FROM operations WHERE ended_at < $1 ORDER BY ended_at LIMIT $2)",
    )
    .bind(micros(before))
    .bind(one_more(limit) - 1)
    .execute(on)
    .await
    .map_err(failed("forget old operations"))?;
    Ok(done.rows_affected())
}

pub(super) async fn of_job(on: &mut Connection, job_id: &str) -> Result<Vec<OperationRow>> {
    let stored = sqlx::query_as::<_, Stored>(
        "SELECT * FROM operations WHERE job_id = $1 ORDER BY created_at, id",
    )
    .bind(job_id)
    .fetch_all(on)
    .await
    .map_err(failed("list the operations of a job"))?;
    stored.into_iter().map(Stored::read).collect()
}
