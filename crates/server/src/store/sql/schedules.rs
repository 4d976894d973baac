//! Schedules of instances.

use sqlx::FromRow;

use super::{Connection, Result, ScheduleRow, failed, micros, optional_time, time, uuid};

#[derive(FromRow)]
struct Stored {
    instance_key: String,
    schedule: String,
    since: i64,
    handled: Option<i64>,
    job_id: Option<String>,
    last_success: Option<i64>,
}

impl Stored {
    fn read(self) -> Result<ScheduleRow> {
        Ok(ScheduleRow {
            instance_key: self.instance_key,
            schedule: self.schedule,
            since: time(self.since)?,
            handled: optional_time(self.handled)?,
            job_id: self.job_id.as_deref().map(uuid).transpose()?,
            last_success: optional_time(self.last_success)?,
        })
    }
}

pub(super) async fn get(on: &mut Connection, instance_key: &str) -> Result<Option<ScheduleRow>> {
    let stored = sqlx::query_as::<_, Stored>("SELECT * FROM schedules WHERE instance_key = $1")
        .bind(instance_key)
        .fetch_optional(on)
        .await
        .map_err(failed("read a schedule"))?;
    stored.map(Stored::read).transpose()
}

pub(super) async fn between(
    on: &mut Connection,
    first_key: &str,
    last_key: &str,
) -> Result<Vec<ScheduleRow>> {
    let stored = sqlx::query_as::<_, Stored>(
        "SELECT * FROM schedules WHERE instance_key >= $1 AND instance_key <= $2",
    )
    .bind(first_key)
    .bind(last_key)
    .fetch_all(on)
    .await
    .map_err(failed("read schedules"))?;
    stored.into_iter().map(Stored::read).collect()
}

pub(super) async fn put(on: &mut Connection, row: &ScheduleRow) -> Result<()> {
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
