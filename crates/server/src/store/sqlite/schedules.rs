//! Schedules of instances.

use sqlx::{FromRow, SqliteConnection};

use super::{Result, ScheduleRow, failed, micros, optional_time, time, uuid};

#[derive(FromRow)]
struct Stored {
    instance_key: String,
    schedule: String,
    since: i64,
    handled: Option<i64>,
    job_id: Option<String>,
    last_success: Option<i64>,
}

pub(super) async fn get(
    on: &mut SqliteConnection,
    instance_key: &str,
) -> Result<Option<ScheduleRow>> {
    let stored = sqlx::query_as::<_, Stored>("SELECT * FROM schedules WHERE instance_key = $1")
        .bind(instance_key)
        .fetch_optional(on)
        .await
        .map_err(failed("read a schedule"))?;
    let read = |stored: Stored| {
        Ok(ScheduleRow {
            instance_key: stored.instance_key,
            schedule: stored.schedule,
            since: time(stored.since)?,
            handled: optional_time(stored.handled)?,
            job_id: stored.job_id.as_deref().map(uuid).transpose()?,
            last_success: optional_time(stored.last_success)?,
        })
    };
    stored.map(read).transpose()
}

pub(super) async fn put(on: &mut SqliteConnection, row: &ScheduleRow) -> Result<()> {
    sqlx::query(
        "INSERT INTO schedules (instance_key, schedule, since, handled, job_id, last_success)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (instance_key) DO UPDATE SET
             schedule = excluded.schedule, since = excluded.since, handled = excluded.handled,
             job_id = excluded.job_id, last_success = excluded.last_success",
    )
    .bind(&row.instance_key)
    .bind(&row.schedule)
    .bind(micros(row.since))
    .bind(row.handled.map(micros))
    .bind(row.job_id.map(|id| id.to_string()))
    .bind(row.last_success.map(micros))
    .execute(on)
    .await
    .map_err(failed("write a schedule"))?;
    Ok(())
}
