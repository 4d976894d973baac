//! Settings, resources, their edges and their secrets.

use jiff::Timestamp;
use sqlx::FromRow;

use super::{
    Actor, Connection, ResourceRow, Result, Rows, StoreError, UseRow, end_of, failed, json, micros,
    one_more, optional_time, time,
};

#[derive(FromRow)]
pub(super) struct Stored {
    key: String,
    kind: String,
    id: String,
    name: String,
    body: String,
    etag: String,
    created_at: i64,
    updated_at: i64,
    created_by: String,
    updated_by: String,
    deleted_at: Option<i64>,
}

impl Stored {
    pub(super) fn read(self) -> Result<ResourceRow> {
        Ok(ResourceRow {
            key: self.key,
            kind: self.kind,
            id: self.id,
            name: self.name,
            body: json(&self.body)?,
            etag: self.etag,
            created_at: time(self.created_at)?,
            updated_at: time(self.updated_at)?,
            created_by: actor(&self.created_by)?,
            updated_by: actor(&self.updated_by)?,
            deleted_at: optional_time(self.deleted_at)?,
        })
    }
}

fn actor(text: &str) -> Result<Option<Actor>> {
    serde_json::from_str(text).map_err(|error| StoreError::Malformed {
        what: "actor",
        detail: error.to_string(),
    })
}

fn actor_text(actor: Option<&Actor>) -> String {
    serde_json::json!(actor).to_string()
}

/// Which resources are asked for.
#[derive(Clone, Copy)]
pub(super) enum Which {
    /// Those that are there.
    Live,
    /// Those that are deleted and can be brought back.
    Deleted,
}

pub(super) async fn setting(on: &mut Connection, name: &str) -> Result<Option<String>> {
    sqlx::query_scalar("SELECT value FROM settings WHERE name = $1")
        .bind(name)
        .fetch_optional(on)
        .await
        .map_err(failed("read a setting"))
}

pub(super) async fn put_setting(on: &mut Connection, name: &str, value: &str) -> Result<()> {
    sqlx::query(
        "INSERT INTO settings (name, value) VALUES ($1, $2)
         ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    )
    .bind(name)
    .bind(value)
    .execute(on)
    .await
    .map_err(failed("write a setting"))?;
    Ok(())
}

pub(super) async fn get(
    on: &mut Connection,
    key: &str,
    which: Which,
) -> Result<Option<ResourceRow>> {
    let sql = match which {
        Which::Live => "SELECT * FROM resources WHERE key = $1 AND deleted_at IS NULL",
        Which::Deleted => "SELECT * FROM resources WHERE key = $1 AND deleted_at IS NOT NULL",
    };
    sqlx::query_as::<_, Stored>(sql)
        .bind(key)
        .fetch_optional(on)
        .await
        .map_err(failed("read a resource"))?
        .map(Stored::read)
        .transpose()
}

pub(super) async fn list(
    on: &mut Connection,
    kind: &str,
    prefix: &str,
    after: Option<&str>,
    limit: usize,
    which: Which,
) -> Result<Rows<ResourceRow>> {
    let sql = match which {
        Which::Live => {
            "SELECT * FROM resources WHERE kind = $1 AND key > $2 AND key < $3
             AND deleted_at IS NULL ORDER BY key LIMIT $4"
        }
        Which::Deleted => {
            "SELECT * FROM resources WHERE kind = $1 AND key > $2 AND key < $3
             AND deleted_at IS NOT NULL ORDER BY key LIMIT $4"
        }
    };
    let stored = sqlx::query_as::<_, Stored>(sql)
        .bind(kind)
        .bind(after.unwrap_or(prefix))
        .bind(end_of(prefix))
        .bind(one_more(limit))
        .fetch_all(on)
        .await
        .map_err(failed("list resources"))?;
    let rows = stored
        .into_iter()
        .map(Stored::read)
        .collect::<Result<Vec<_>>>()?;
    Ok(Rows::cut(rows, limit))
}

pub(super) async fn descendants(
    on: &mut Connection,
    prefix: &str,
    limit: usize,
) -> Result<Vec<ResourceRow>> {
    let stored = sqlx::query_as::<_, Stored>(
        "SELECT * FROM resources WHERE key > $1 AND key < $2 ORDER BY key LIMIT $3",
    )
    .bind(prefix)
    .bind(end_of(prefix))
    .bind(one_more(limit) - 1)
    .fetch_all(on)
    .await
    .map_err(failed("list what is below a resource"))?;
    stored.into_iter().map(Stored::read).collect()
}

pub(super) async fn put(on: &mut Connection, row: &ResourceRow) -> Result<()> {
    sqlx::query(
        "INSERT INTO resources (key, kind, id, name, body, etag, created_at, updated_at,
             created_by, updated_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         ON CONFLICT (key) DO UPDATE SET body = excluded.body, etag = excluded.etag,
             updated_at = excluded.updated_at, updated_by = excluded.updated_by",
    )
    .bind(&row.key)
    .bind(&row.kind)
    .bind(&row.id)
    .bind(&row.name)
    .bind(row.body.to_string())
    .bind(&row.etag)
    .bind(micros(row.created_at))
    .bind(micros(row.updated_at))
    .bind(actor_text(row.created_by.as_ref()))
    .bind(actor_text(row.updated_by.as_ref()))
    .execute(on)
    .await
    .map_err(failed("write a resource"))?;
    Ok(())
}

pub(super) async fn set_deleted(
    on: &mut Connection,
    key: &str,
    since: Option<Timestamp>,
) -> Result<bool> {
    let done = sqlx::query("UPDATE resources SET deleted_at = $1 WHERE key = $2")
        .bind(since.map(micros))
        .bind(key)
        .execute(on)
        .await
        .map_err(failed("put a resource aside"))?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn replace(on: &mut Connection, row: &ResourceRow, etag: &str) -> Result<bool> {
    let done = sqlx::query(
        "UPDATE resources SET body = $1, etag = $2, updated_at = $3, updated_by = $4
         WHERE key = $5 AND etag = $6",
    )
    .bind(row.body.to_string())
    .bind(&row.etag)
    .bind(micros(row.updated_at))
    .bind(actor_text(row.updated_by.as_ref()))
    .bind(&row.key)
    .bind(etag)
    .execute(on)
    .await
    .map_err(failed("replace a resource"))?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn delete(on: &mut Connection, key: &str) -> Result<bool> {
    let done = sqlx::query("DELETE FROM resources WHERE key = $1")
        .bind(key)
        .execute(on)
        .await
        .map_err(failed("delete a resource"))?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn put_use(on: &mut Connection, edge: &UseRow) -> Result<()> {
    sqlx::query(
        "INSERT INTO uses (user_key, role, target_key) VALUES ($1, $2, $3)
         ON CONFLICT (user_key, role) DO UPDATE SET target_key = excluded.target_key",
    )
    .bind(&edge.user_key)
    .bind(&edge.role)
    .bind(&edge.target_key)
    .execute(on)
    .await
    .map_err(failed("write what a resource needs"))?;
    Ok(())
}

pub(super) async fn delete_use(on: &mut Connection, user_key: &str, role: &str) -> Result<()> {
    sqlx::query("DELETE FROM uses WHERE user_key = $1 AND role = $2")
        .bind(user_key)
        .bind(role)
        .execute(on)
        .await
        .map_err(failed("forget what a resource needs"))?;
    Ok(())
}

pub(super) async fn users_of(
    on: &mut Connection,
    target_key: &str,
    limit: usize,
) -> Result<Vec<UseRow>> {
    let rows: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT user_key, role, target_key FROM uses WHERE target_key = $1
         ORDER BY user_key LIMIT $2",
    )
    .bind(target_key)
    .bind(one_more(limit) - 1)
    .fetch_all(on)
    .await
    .map_err(failed("list who needs a resource"))?;
    Ok(rows.into_iter().map(edge).collect())
}

pub(super) async fn used_by(on: &mut Connection, user_key: &str) -> Result<Vec<UseRow>> {
    let rows: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT user_key, role, target_key FROM uses WHERE user_key = $1 ORDER BY role",
    )
    .bind(user_key)
    .fetch_all(on)
    .await
    .map_err(failed("list what a resource needs"))?;
    Ok(rows.into_iter().map(edge).collect())
}

fn edge((user_key, role, target_key): (String, String, String)) -> UseRow {
    UseRow {
        user_key,
        role,
        target_key,
    }
}

pub(super) async fn secret(
    on: &mut Connection,
    key: &str,
    purpose: &str,
) -> Result<Option<Vec<u8>>> {
    sqlx::query_scalar("SELECT ciphertext FROM secrets WHERE key = $1 AND purpose = $2")
        .bind(key)
        .bind(purpose)
        .fetch_optional(on)
        .await
        .map_err(failed("read a secret"))
}

pub(super) async fn put_secret(
    on: &mut Connection,
    key: &str,
    purpose: &str,
    ciphertext: &[u8],
) -> Result<()> {
    sqlx::query(
        "INSERT INTO secrets (key, purpose, ciphertext) VALUES ($1, $2, $3)
         ON CONFLICT (key, purpose) DO UPDATE SET ciphertext = excluded.ciphertext",
    )
    .bind(key)
    .bind(purpose)
    .bind(ciphertext)
    .execute(on)
    .await
    .map_err(failed("write a secret"))?;
    Ok(())
}

/// Counts, and sums of times that stay far below what a number holds: a time that changes changes its sum, and
/// two that do so at once by the same remainder are as likely as an accident of hashes.
pub(super) async fn mark(on: &mut Connection) -> Result<String> {
    let of_resources: (i64, i64, i64) = sqlx::query_as(
        "SELECT COUNT(*), CAST(COALESCE(SUM(updated_at % 1000000007), 0) AS BIGINT),
             CAST(COALESCE(SUM(deleted_at % 1000000007), 0) AS BIGINT)
         FROM resources",
    )
    .fetch_one(&mut *on)
    .await
    .map_err(failed("take the mark of all resources"))?;
    let of_repositories: (i64, i64) = sqlx::query_as(
        "SELECT COUNT(*), CAST(COALESCE(SUM(CASE WHEN described = '' THEN 1 ELSE 0 END), 0) AS BIGINT)
         FROM repositories",
    )
    .fetch_one(on)
    .await
    .map_err(failed("take the mark of all repositories"))?;
    Ok(format!("{of_resources:?} {of_repositories:?}"))
}
