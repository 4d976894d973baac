//! Recovery points.
//!
//! The types that a cluster served have a column of their own and stand in the body for everybody above: they
//! are most of it, and lists read their rows without them.

use jiff::Timestamp;
use serde_json::Value;
use sqlx::FromRow;
use uuid::Uuid;

use crate::store::recovery_point::tag_of;

use super::{
    Connection, RecoveryPointRow, RepositoryRow, Result, Rows, TimeCursor, failed, json, micros,
    one_more, optional_time, time, uuid,
};

#[derive(FromRow)]
struct Stored {
    id: String,
    instance_key: String,
    vault_key: String,
    job_id: String,
    created_at: i64,
    expires_at: Option<i64>,
    body: String,
    expiring_since: Option<i64>,
    /// None in rows of lists.
    #[sqlx(default)]
    served_types: Option<String>,
}

/// Where the types that a cluster served stand in a body.
const SERVED_TYPES: &str = "servedTypes";

/// The columns of a body: what is left of it, and the types that it holds.
fn columns(body: &Value) -> (String, Option<String>) {
    let mut body = body.clone();
    let members = body.as_object_mut();
    let served = members.and_then(|members| members.shift_remove(SERVED_TYPES));
    let served = served.filter(|served| !served.is_null());
    (body.to_string(), served.map(|served| served.to_string()))
}

impl Stored {
    fn read(self) -> Result<RecoveryPointRow> {
        let mut body = json(&self.body)?;
        if let Some(served) = &self.served_types {
            body[SERVED_TYPES] = json(served)?;
        }
        Ok(RecoveryPointRow {
            id: uuid(&self.id)?,
            instance_key: self.instance_key,
            vault_key: self.vault_key,
            job_id: uuid(&self.job_id)?,
            created_at: time(self.created_at)?,
            expires_at: optional_time(self.expires_at)?,
            body,
            expiring_since: optional_time(self.expiring_since)?,
        })
    }
}

pub(super) async fn get(on: &mut Connection, id: Uuid) -> Result<Option<RecoveryPointRow>> {
    sqlx::query_as::<_, Stored>("SELECT * FROM recovery_points WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(on)
        .await
        .map_err(failed("read a recovery point"))?
        .map(Stored::read)
        .transpose()
}

pub(super) async fn insert(on: &mut Connection, row: &RecoveryPointRow) -> Result<()> {
    let (body, served_types) = columns(&row.body);
    sqlx::query(
        "INSERT INTO recovery_points
             (id, instance_key, vault_key, job_id, created_at, expires_at, body, expiring_since, tag,
              served_types, sequence)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10,
                 (SELECT COALESCE(MAX(sequence), 0) + 1 FROM recovery_points WHERE instance_key = $2))",
    )
    .bind(row.id.to_string())
    .bind(&row.instance_key)
    .bind(&row.vault_key)
    .bind(row.job_id.to_string())
    .bind(micros(row.created_at))
    .bind(row.expires_at.map(micros))
    .bind(body)
    .bind(row.expiring_since.map(micros))
    .bind(tag_of(&row.body))
    .bind(served_types)
    .execute(on)
    .await
    .map_err(failed("write a recovery point"))?;
    Ok(())
}

pub(super) async fn list(
    on: &mut Connection,
    instance_key: &str,
    (from, until): (Option<Timestamp>, Option<Timestamp>),
    after: Option<TimeCursor>,
    limit: usize,
) -> Result<Rows<RecoveryPointRow>> {
    let (before_time, before_id) = after.map_or((i64::MAX, String::new()), |cursor| {
        (micros(cursor.created_at), cursor.id.to_string())
    });
    let stored = sqlx::query_as::<_, Stored>(
        "SELECT id, instance_key, vault_key, job_id, created_at, expires_at, body, expiring_since
         FROM recovery_points
         WHERE instance_key = $1 AND (created_at, id) < ($2, $3)
           AND created_at >= $4 AND created_at <= $5
         ORDER BY created_at DESC, id DESC LIMIT $6",
    )
    .bind(instance_key)
    .bind(before_time)
    .bind(before_id)
    .bind(from.map_or(i64::MIN, micros))
    .bind(until.map_or(i64::MAX, micros))
    .bind(one_more(limit))
    .fetch_all(on)
    .await
    .map_err(failed("list recovery points"))?;
    let rows = stored
        .into_iter()
        .map(Stored::read)
        .collect::<Result<Vec<_>>>()?;
    Ok(Rows::cut(rows, limit))
}

/// Writes a body anew, the tag with it; tells whose point it is, if it is there. One without the types that
/// were served is of a list, and leaves them.
pub(super) async fn put_body(
    on: &mut Connection,
    id: Uuid,
    body: &Value,
) -> Result<Option<String>> {
    let (text, served_types) = columns(body);
    sqlx::query_scalar(
        "UPDATE recovery_points SET body = $1, tag = $2, served_types = COALESCE($3, served_types)
         WHERE id = $4 RETURNING instance_key",
    )
    .bind(text)
    .bind(tag_of(body))
    .bind(served_types)
    .bind(id.to_string())
    .fetch_optional(on)
    .await
    .map_err(failed("update a recovery point"))
}

pub(super) async fn put_repository(on: &mut Connection, row: &RepositoryRow) -> Result<()> {
    sqlx::query(
        "INSERT INTO repositories (instance_key, container_id, prefix) VALUES ($1, $2, $3)
         ON CONFLICT (instance_key, container_id, prefix) DO NOTHING",
    )
    .bind(&row.instance_key)
    .bind(&row.container_id)
    .bind(&row.prefix)
    .execute(on)
    .await
    .map_err(failed("write where a repository is"))?;
    Ok(())
}

pub(super) async fn repositories(
    on: &mut Connection,
    instance_key: &str,
) -> Result<Vec<RepositoryRow>> {
    let found: Vec<(String, String)> = sqlx::query_as(
        "SELECT container_id, prefix FROM repositories WHERE instance_key = $1
         ORDER BY container_id, prefix",
    )
    .bind(instance_key)
    .fetch_all(on)
    .await
    .map_err(failed("list the repositories of an instance"))?;
    Ok(found
        .into_iter()
        .map(|(container_id, prefix)| RepositoryRow {
            instance_key: instance_key.to_owned(),
            container_id,
            prefix,
        })
        .collect())
}

pub(super) async fn described(on: &mut Connection, row: &RepositoryRow) -> Result<Option<String>> {
    sqlx::query_scalar(
        "SELECT described FROM repositories
         WHERE instance_key = $1 AND container_id = $2 AND prefix = $3",
    )
    .bind(&row.instance_key)
    .bind(&row.container_id)
    .bind(&row.prefix)
    .fetch_optional(on)
    .await
    .map_err(failed("read how a repository is described"))
}

pub(super) async fn set_described(
    on: &mut Connection,
    row: &RepositoryRow,
    as_of: &str,
) -> Result<()> {
    sqlx::query(
        "UPDATE repositories SET described = $1
         WHERE instance_key = $2 AND container_id = $3 AND prefix = $4",
    )
    .bind(as_of)
    .bind(&row.instance_key)
    .bind(&row.container_id)
    .bind(&row.prefix)
    .execute(on)
    .await
    .map_err(failed("note how a repository is described"))?;
    Ok(())
}

pub(super) async fn delete(on: &mut Connection, id: Uuid) -> Result<bool> {
    let done = sqlx::query("DELETE FROM recovery_points WHERE id = $1")
        .bind(id.to_string())
        .execute(on)
        .await
        .map_err(failed("delete a recovery point"))?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn last_made(on: &mut Connection, instance_key: &str) -> Result<Option<Uuid>> {
    let found: Option<String> = sqlx::query_scalar(
        "SELECT id FROM recovery_points WHERE instance_key = $1 ORDER BY sequence DESC LIMIT 1",
    )
    .bind(instance_key)
    .fetch_optional(on)
    .await
    .map_err(failed("find the last recovery point"))?;
    found.as_deref().map(uuid).transpose()
}

pub(super) async fn expiring(
    on: &mut Connection,
    after: Option<Uuid>,
    limit: usize,
) -> Result<Vec<RecoveryPointRow>> {
    let stored = sqlx::query_as::<_, Stored>(
        "SELECT id, instance_key, vault_key, job_id, created_at, expires_at, body, expiring_since
         FROM recovery_points WHERE expiring_since IS NOT NULL AND id > $1
         ORDER BY id LIMIT $2",
    )
    .bind(after.map_or_else(String::new, |id| id.to_string()))
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(on)
    .await
    .map_err(failed("list recovery points that are being removed"))?;
    stored.into_iter().map(Stored::read).collect()
}

pub(super) async fn mark_expiring(on: &mut Connection, id: Uuid, at: Timestamp) -> Result<bool> {
    let done = sqlx::query(
        "UPDATE recovery_points SET expiring_since = $1 WHERE id = $2 AND expiring_since IS NULL",
    )
    .bind(micros(at))
    .bind(id.to_string())
    .execute(on)
    .await
    .map_err(failed("mark a recovery point"))?;
    Ok(done.rows_affected() == 1)
}
