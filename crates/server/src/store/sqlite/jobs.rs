//! Jobs.

use jiff::Timestamp;
use sqlx::{FromRow, SqliteConnection};
use uuid::Uuid;

use super::super::FARTHEST_POLL;
use super::{
    JobFilter, JobRow, Result, Rows, TimeCursor, failed, json, micros, one_more, optional_time,
    time, uuid,
};

#[derive(FromRow)]
struct Stored {
    id: String,
    vault_key: String,
    instance_key: String,
    cluster_key: String,
    operation: String,
    status: String,
    step: String,
    progress: String,
    resource_name: Option<String>,
    request: String,
    result: String,
    error: String,
    created_at: i64,
    started_at: Option<i64>,
    ended_at: Option<i64>,
    next_poll_at: Option<i64>,
    generation: i64,
}

impl Stored {
    fn read(self) -> Result<JobRow> {
        Ok(JobRow {
            id: uuid(&self.id)?,
            vault_key: self.vault_key,
            instance_key: self.instance_key,
            cluster_key: self.cluster_key,
            operation: self.operation,
            status: self.status,
            step: self.step,
            progress: json(&self.progress)?,
            resource_name: self.resource_name,
            request: json(&self.request)?,
            result: json(&self.result)?,
            error: json(&self.error)?,
            created_at: time(self.created_at)?,
            started_at: optional_time(self.started_at)?,
            ended_at: optional_time(self.ended_at)?,
            next_poll_at: optional_time(self.next_poll_at)?,
            generation: self.generation,
        })
    }
}

fn read_all(stored: Vec<Stored>) -> Result<Vec<JobRow>> {
    stored.into_iter().map(Stored::read).collect()
}

pub(super) async fn get(on: &mut SqliteConnection, id: Uuid) -> Result<Option<JobRow>> {
    sqlx::query_as::<_, Stored>("SELECT * FROM jobs WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(on)
        .await
        .map_err(failed("read a job"))?
        .map(Stored::read)
        .transpose()
}

pub(super) async fn insert(on: &mut SqliteConnection, row: &JobRow) -> Result<()> {
    sqlx::query(
        "INSERT INTO jobs (id, vault_key, instance_key, cluster_key, operation, status, step,
             progress, resource_name, request, result, error, created_at, started_at, ended_at,
             next_poll_at, generation)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
    )
    .bind(row.id.to_string())
    .bind(&row.vault_key)
    .bind(&row.instance_key)
    .bind(&row.cluster_key)
    .bind(&row.operation)
    .bind(&row.status)
    .bind(&row.step)
    .bind(row.progress.to_string())
    .bind(&row.resource_name)
    .bind(row.request.to_string())
    .bind(row.result.to_string())
    .bind(row.error.to_string())
    .bind(micros(row.created_at))
    .bind(row.started_at.map(micros))
    .bind(row.ended_at.map(micros))
    .bind(row.next_poll_at.map(micros))
    .bind(row.generation)
    .execute(on)
    .await
    .map_err(failed("write a new job"))?;
    Ok(())
}

pub(super) async fn update(on: &mut SqliteConnection, row: &JobRow) -> Result<bool> {
    let done = sqlx::query(
        "UPDATE jobs SET status = $1, step = $2, progress = $3, resource_name = $4, request = $5,
             result = $6, error = $7, started_at = $8, ended_at = $9, next_poll_at = $10,
             generation = generation + 1
         WHERE id = $11 AND generation = $12",
    )
    .bind(&row.status)
    .bind(&row.step)
    .bind(row.progress.to_string())
    .bind(&row.resource_name)
    .bind(row.request.to_string())
    .bind(row.result.to_string())
    .bind(row.error.to_string())
    .bind(row.started_at.map(micros))
    .bind(row.ended_at.map(micros))
    .bind(row.next_poll_at.map(micros))
    .bind(row.id.to_string())
    .bind(row.generation)
    .execute(on)
    .await
    .map_err(failed("update a job"))?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn list(
    on: &mut SqliteConnection,
    filter: &JobFilter,
    after: Option<TimeCursor>,
    limit: usize,
) -> Result<Rows<JobRow>> {
    // The bounds stand in for absent ones, so that one statement with one plan serves every list:
    // a range of the index (vault, time, id), newest first.
    let (before_time, before_id) = after.map_or((i64::MAX, String::new()), |cursor| {
        (micros(cursor.created_at), cursor.id.to_string())
    });
    let stored = sqlx::query_as::<_, Stored>(
        "SELECT * FROM jobs
         WHERE vault_key = $1 AND (created_at, id) < ($2, $3)
           AND created_at >= $4 AND created_at <= $5
           AND ($6 IS NULL OR instance_key = $6)
           AND ($7 IS NULL OR lower(operation) = lower($7))
           AND ($8 IS NULL OR lower(status) = lower($8))
         ORDER BY created_at DESC, id DESC LIMIT $9",
    )
    .bind(&filter.vault_key)
    .bind(before_time)
    .bind(before_id)
    .bind(filter.from.map_or(i64::MIN, micros))
    .bind(filter.until.map_or(i64::MAX, micros))
    .bind(&filter.instance_key)
    .bind(&filter.operation)
    .bind(&filter.status)
    .bind(one_more(limit))
    .fetch_all(on)
    .await
    .map_err(failed("list jobs"))?;
    Ok(Rows::cut(read_all(stored)?, limit))
}

pub(super) async fn due(
    on: &mut SqliteConnection,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<JobRow>> {
    let stored = sqlx::query_as::<_, Stored>(
        "SELECT * FROM jobs
         WHERE next_poll_at IS NOT NULL AND (next_poll_at <= $1 OR next_poll_at > $2)
         ORDER BY next_poll_at LIMIT $3",
    )
    .bind(micros(now))
    .bind(now.checked_add(FARTHEST_POLL).map_or(i64::MAX, micros))
    .bind(one_more(limit) - 1)
    .fetch_all(on)
    .await
    .map_err(failed("list due jobs"))?;
    read_all(stored)
}

pub(super) async fn next_poll(on: &mut SqliteConnection) -> Result<Option<Timestamp>> {
    let at: Option<i64> =
        sqlx::query_scalar("SELECT min(next_poll_at) FROM jobs WHERE next_poll_at IS NOT NULL")
            .fetch_one(on)
            .await
            .map_err(failed("find the next due job"))?;
    optional_time(at)
}

pub(super) async fn open_of_instance(
    on: &mut SqliteConnection,
    instance_key: &str,
) -> Result<Vec<JobRow>> {
    let stored = sqlx::query_as::<_, Stored>(
        "SELECT * FROM jobs WHERE instance_key = $1 AND ended_at IS NULL ORDER BY created_at, id",
    )
    .bind(instance_key)
    .fetch_all(on)
    .await
    .map_err(failed("list running jobs of an instance"))?;
    read_all(stored)
}

pub(super) async fn open_of_cluster(
    on: &mut SqliteConnection,
    cluster_key: &str,
) -> Result<Vec<JobRow>> {
    let stored = sqlx::query_as::<_, Stored>(
        "SELECT * FROM jobs WHERE cluster_key = $1 AND ended_at IS NULL ORDER BY created_at, id",
    )
    .bind(cluster_key)
    .fetch_all(on)
    .await
    .map_err(failed("list running jobs of a cluster"))?;
    read_all(stored)
}
