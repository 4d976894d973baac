//! Jobs.

use jiff::Timestamp;
use sqlx::FromRow;
use uuid::Uuid;

use super::{
    Connection, JobFilter, JobRow, Result, Rows, TimeCursor, failed, json, micros, one_more,
    optional_time, time, uuid,
};
use crate::store::FARTHEST_POLL;

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

pub(super) async fn get(on: &mut Connection, id: Uuid) -> Result<Option<JobRow>> {
    sqlx::query_as::<_, Stored>("SELECT * FROM jobs WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(on)
        .await
        .map_err(failed("read a job"))?
        .map(Stored::read)
        .transpose()
}

pub(super) async fn insert(on: &mut Connection, row: &JobRow) -> Result<()> {
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

pub(super) async fn update(on: &mut Connection, row: &JobRow) -> Result<bool> {
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
    on: &mut Connection,
    filter: &JobFilter,
    after: Option<TimeCursor>,
    limit: usize,
) -> Result<Rows<JobRow>> {
    // The bounds stand in for absent ones, so that one statement with one plan serves every list of a
    // kind: a range of the index (vault, time, id) or (instance, time, id), newest first. An instance
    // is a child of its vault, so its key says the vault as well.
    let (before_time, before_id) = after.map_or((i64::MAX, String::new()), |cursor| {
        (micros(cursor.created_at), cursor.id.to_string())
    });
    let (statement, key) = match &filter.instance_key {
        None => (OF_VAULT, &filter.vault_key),
        Some(instance) if instance.starts_with(&format!("{}/", filter.vault_key)) => {
            (OF_INSTANCE, instance)
        }
        Some(_) => return Ok(Rows::cut(Vec::new(), limit)),
    };
    let stored = sqlx::query_as::<_, Stored>(statement)
        .bind(key)
        .bind(before_time)
        .bind(before_id)
        .bind(filter.from.map_or(i64::MIN, micros))
        .bind(filter.until.map_or(i64::MAX, micros))
        .bind(&filter.operation)
        .bind(&filter.status)
        .bind(one_more(limit))
        .fetch_all(on)
        .await
        .map_err(failed("list jobs"))?;
    Ok(Rows::cut(read_all(stored)?, limit))
}

const OF_VAULT: &str = "SELECT * FROM jobs
     WHERE vault_key = $1 AND (created_at, id) < ($2, $3)
       AND created_at >= $4 AND created_at <= $5
       AND ($6 IS NULL OR lower(operation) = lower($6))
       AND ($7 IS NULL OR lower(status) = lower($7))
     ORDER BY created_at DESC, id DESC LIMIT $8";

const OF_INSTANCE: &str = "SELECT * FROM jobs
     WHERE instance_key = $1 AND (created_at, id) < ($2, $3)
       AND created_at >= $4 AND created_at <= $5
       AND ($6 IS NULL OR lower(operation) = lower($6))
       AND ($7 IS NULL OR lower(status) = lower($7))
     ORDER BY created_at DESC, id DESC LIMIT $8";

pub(super) async fn due(
    on: &mut Connection,
    now: Timestamp,
    except: &[String],
    in_hand: &[Uuid],
    limit: usize,
) -> Result<Vec<JobRow>> {
    // Both lists are bounded by the places of the worker, so the statement stays short.
    let mut query = sqlx::QueryBuilder::new(
        "SELECT * FROM jobs WHERE next_poll_at IS NOT NULL AND (next_poll_at <= ",
    );
    query.push_bind(micros(now));
    query.push(" OR next_poll_at > ");
    query.push_bind(now.checked_add(FARTHEST_POLL).map_or(i64::MAX, micros));
    query.push(")");
    if !except.is_empty() {
        query.push(" AND cluster_key NOT IN (");
        let mut keys = query.separated(", ");
        for key in except {
            keys.push_bind(key.as_str());
        }
        query.push(")");
    }
    if !in_hand.is_empty() {
        query.push(" AND id NOT IN (");
        let mut ids = query.separated(", ");
        for id in in_hand {
            ids.push_bind(id.to_string());
        }
        query.push(")");
    }
    query.push(" ORDER BY next_poll_at LIMIT ");
    query.push_bind(one_more(limit) - 1);
    let stored = query
        .build_query_as::<Stored>()
        .fetch_all(on)
        .await
        .map_err(failed("list due jobs"))?;
    read_all(stored)
}

pub(super) async fn next_poll(on: &mut Connection) -> Result<Option<Timestamp>> {
    let at: Option<i64> =
        sqlx::query_scalar("SELECT min(next_poll_at) FROM jobs WHERE next_poll_at IS NOT NULL")
            .fetch_one(on)
            .await
            .map_err(failed("find the next due job"))?;
    optional_time(at)
}

pub(super) async fn open_of_instance(
    on: &mut Connection,
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

pub(super) async fn open_of_cluster(on: &mut Connection, cluster_key: &str) -> Result<Vec<JobRow>> {
    let stored = sqlx::query_as::<_, Stored>(
        "SELECT * FROM jobs WHERE cluster_key = $1 AND ended_at IS NULL ORDER BY created_at, id",
    )
    .bind(cluster_key)
    .fetch_all(on)
    .await
    .map_err(failed("list running jobs of a cluster"))?;
    read_all(stored)
}

pub(super) async fn count_open(on: &mut Connection, except_steps: &[&str]) -> Result<usize> {
    let mut query = sqlx::QueryBuilder::new("SELECT count(*) FROM jobs WHERE ended_at IS NULL");
    if !except_steps.is_empty() {
        query.push(" AND step NOT IN (");
        let mut steps = query.separated(", ");
        for step in except_steps {
            steps.push_bind(*step);
        }
        query.push(")");
    }
    let count: i64 = query
        .build_query_scalar()
        .fetch_one(on)
        .await
        .map_err(failed("count running jobs"))?;
    Ok(usize::try_from(count).unwrap_or_default())
}

pub(super) async fn waiting_of_instance(
    on: &mut Connection,
    instance_key: &str,
) -> Result<Vec<JobRow>> {
    let stored = sqlx::query_as::<_, Stored>(
        "SELECT * FROM jobs
         WHERE instance_key = $1 AND next_poll_at IS NOT NULL AND ended_at IS NOT NULL
         ORDER BY created_at, id",
    )
    .bind(instance_key)
    .fetch_all(on)
    .await
    .map_err(failed("list ended jobs of an instance that wait"))?;
    read_all(stored)
}

pub(super) async fn ended(
    on: &mut Connection,
    before: Timestamp,
    after: Option<(Timestamp, Uuid)>,
    limit: usize,
) -> Result<Vec<JobRow>> {
    let (after_time, after_id) = after.map_or((i64::MIN, String::new()), |(time, id)| {
        (micros(time), id.to_string())
    });
    let stored = sqlx::query_as::<_, Stored>(
        "SELECT * FROM jobs
         WHERE ended_at IS NOT NULL AND next_poll_at IS NULL AND ended_at < $1
           AND (ended_at, id) > ($2, $3)
         ORDER BY ended_at, id LIMIT $4",
    )
    .bind(micros(before))
    .bind(after_time)
    .bind(after_id)
    .bind(one_more(limit) - 1)
    .fetch_all(on)
    .await
    .map_err(failed("list old jobs"))?;
    read_all(stored)
}

pub(super) async fn delete(on: &mut Connection, id: Uuid) -> Result<bool> {
    let done = sqlx::query("DELETE FROM jobs WHERE id = $1")
        .bind(id.to_string())
        .execute(on)
        .await
        .map_err(failed("forget a job"))?;
    Ok(done.rows_affected() == 1)
}
