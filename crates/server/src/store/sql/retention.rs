//! Looks of retention, and what they read of recovery points.

use jiff::Timestamp;

use super::{
    Connection, PointTime, ResourceRow, Result, RetentionRow, Rows, TimeCursor, failed, micros,
    one_more, optional_time, resources, time, uuid,
};

/// Stands for the version of a policy that is gone; no version is empty.
const GONE: &str = "";

/// Instances that were not looked at as they are now, or of which something is over. Every instance is
/// asked for, and nothing but keys and versions is read of those that need no look.
pub(super) async fn due(
    on: &mut Connection,
    kind: &str,
    now: Timestamp,
    after: Option<&str>,
    limit: usize,
) -> Result<Rows<ResourceRow>> {
    let stored = sqlx::query_as::<_, resources::Stored>(
        "SELECT r.* FROM resources r
         LEFT JOIN retention t ON t.instance_key = r.key
         LEFT JOIN resources p ON p.key = t.policy_key AND p.deleted_at IS NULL
         WHERE r.kind = $1 AND r.key > $2 AND r.deleted_at IS NULL
           AND (t.instance_key IS NULL OR t.instance <> r.etag OR t.policy <> COALESCE(p.etag, '')
                OR t.seen_changes <> t.changes OR t.due_at <= $3)
         ORDER BY r.key LIMIT $4",
    )
    .bind(kind)
    .bind(after.unwrap_or_default())
    .bind(micros(now))
    .bind(one_more(limit))
    .fetch_all(on)
    .await
    .map_err(failed("list instances whose recovery points may be over"))?;
    let rows = stored.into_iter().map(resources::Stored::read);
    Ok(Rows::cut(rows.collect::<Result<Vec<_>>>()?, limit))
}

/// Counts a change of an instance's recovery points.
pub(super) async fn note_change(on: &mut Connection, instance_key: &str) -> Result<()> {
    sqlx::query(
        "INSERT INTO retention (instance_key, changes, seen_changes, instance, policy_key, policy)
         VALUES ($1, 1, 0, '', '', '')
         ON CONFLICT (instance_key) DO UPDATE SET changes = retention.changes + 1",
    )
    .bind(instance_key)
    .execute(on)
    .await
    .map_err(failed("note that recovery points changed"))?;
    Ok(())
}

pub(super) async fn changes(on: &mut Connection, instance_key: &str) -> Result<i64> {
    let found = sqlx::query_scalar("SELECT changes FROM retention WHERE instance_key = $1")
        .bind(instance_key)
        .fetch_optional(on)
        .await
        .map_err(failed("read how often recovery points changed"))?;
    Ok(found.unwrap_or(0))
}

pub(super) async fn put(on: &mut Connection, row: &RetentionRow) -> Result<()> {
    // An instance that is gone meanwhile needs no note.
    sqlx::query(
        "INSERT INTO retention (instance_key, changes, seen_changes, instance, policy_key, policy, due_at)
         SELECT key, $2, $2, $3, $4, $5, $6 FROM resources WHERE key = $1
         ON CONFLICT (instance_key) DO UPDATE SET
             seen_changes = excluded.seen_changes, instance = excluded.instance,
             policy_key = excluded.policy_key, policy = excluded.policy, due_at = excluded.due_at",
    )
    .bind(&row.instance_key)
    .bind(row.changes)
    .bind(&row.instance_etag)
    .bind(&row.policy_key)
    .bind(row.policy_etag.as_deref().unwrap_or(GONE))
    .bind(row.due_at.map(micros))
    .execute(on)
    .await
    .map_err(failed("write what retention saw of an instance"))?;
    Ok(())
}

/// Recovery points of an instance that have a time and are not being removed, newest first.
pub(super) async fn times(
    on: &mut Connection,
    instance_key: &str,
    after: Option<TimeCursor>,
    limit: usize,
) -> Result<Rows<PointTime>> {
    let (before_time, before_id) = after.map_or((i64::MAX, String::new()), |cursor| {
        (micros(cursor.created_at), cursor.id.to_string())
    });
    let stored: Vec<(String, i64, Option<i64>, String)> = sqlx::query_as(
        "SELECT id, created_at, expires_at, tag FROM recovery_points
         WHERE instance_key = $1 AND (created_at, id) < ($2, $3)
           AND expires_at IS NOT NULL AND expiring_since IS NULL
         ORDER BY created_at DESC, id DESC LIMIT $4",
    )
    .bind(instance_key)
    .bind(before_time)
    .bind(before_id)
    .bind(one_more(limit))
    .fetch_all(on)
    .await
    .map_err(failed("list the times of recovery points"))?;
    let read = |(id, created_at, expires_at, tag): (String, i64, Option<i64>, String)| {
        Ok(PointTime {
            id: uuid(&id)?,
            created_at: time(created_at)?,
            expires_at: optional_time(expires_at)?,
            tag,
        })
    };
    let rows = stored.into_iter().map(read).collect::<Result<Vec<_>>>()?;
    Ok(Rows::cut(rows, limit))
}
