//! Starts the backups that schedules ask for.
//!
//! Contract: every look goes through all instances and does what `app::schedules` says of each; it
//! remembers nothing, and may be killed anywhere. At most [`STARTS_PER_LOOK`] are started in a look, those
//! first that are due the longest: a thousand instances that are due at nine o'clock come one after the
//! other. One that cannot be looked at does not keep others from their turn.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt as _;
use jiff::Timestamp;
use strongroom_core::policy::Turn;

use super::limits::{SCHEDULES_EVERY, STARTS_PER_LOOK};
use crate::app::error::chain;
use crate::app::instances::stored;
use crate::app::schedules::{self, Asked, Started};
use crate::app::{App, Result};
use crate::metrics::ScheduleLabels;
use crate::store::{ResourceRow, Session};

/// What one look did.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Looked {
    /// Backups that were started.
    pub(super) started: usize,
    /// Those that could not be started; a failed job says why.
    pub(super) refused: usize,
    /// Those that wait for another job of their instance.
    pub(super) postponed: usize,
}

/// Looks now and then, for ever.
pub(super) async fn start_due_backups_now_and_then(app: Arc<App>) {
    loop {
        let looked = AssertUnwindSafe(start_due_backups(&app)).catch_unwind();
        match looked.await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                tracing::warn!(error = %chain(&error), "schedules could not be followed");
            }
            Err(_) => tracing::error!("a panic while schedules were followed, see above"),
        }
        tokio::time::sleep(SCHEDULES_EVERY).await;
    }
}

/// One look.
pub(super) async fn start_due_backups(app: &App) -> Result<Looked> {
    let due = due(app).await?;
    let mut looked = Looked::default();
    for (_, instance) in due {
        let started = match schedules::follow(app, &instance).await {
            Ok(started) => started,
            Err(error) => {
                tracing::error!(
                    error = %chain(&error), instance.id = instance.id,
                    "the schedule of an instance could not be followed"
                );
                continue;
            }
        };
        match started {
            Started::Nothing | Started::Anew => continue,
            Started::Job(job) => {
                looked.started += 1;
                tracing::info!(job.id = %job, instance.id = instance.id, "a scheduled backup begins");
            }
            Started::Refused(_) => looked.refused += 1,
            Started::Postponed(job) => {
                looked.postponed += 1;
                tracing::debug!(
                    job.id = %job, instance.id = instance.id,
                    "a scheduled backup waits for the job of its instance"
                );
            }
        }
        let result = match started {
            Started::Job(_) => "Started",
            Started::Refused(_) => "Refused",
            _ => "Postponed",
        };
        let labels = ScheduleLabels {
            result: result.to_owned(),
        };
        app.metrics.scheduled_backups.get_or_create(&labels).inc();
    }
    Ok(looked)
}

/// The instances whose turn it is, those first that are due the longest.
async fn due(app: &App) -> Result<Vec<(Timestamp, ResourceRow)>> {
    let now = app.now();
    let mut due: Vec<(Timestamp, ResourceRow)> = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let mut session = app.store.read().await?;
        let page = stored::all(&mut *session, after.as_deref()).await?;
        after = page.rows.last().map(|row| row.key.clone());
        let asked = schedules::asked_of_page(&mut *session, &page.rows, now).await?;
        for (instance, asked) in page.rows.into_iter().zip(asked) {
            match due_since(app, &mut *session, &instance, asked).await {
                Ok(Some(moment)) => due.push((moment, instance)),
                Ok(None) => {}
                Err(error) => tracing::error!(
                    error = %chain(&error), instance.id = instance.id,
                    "the schedule of an instance cannot be followed"
                ),
            }
        }
        due.sort_by(|one, other| {
            one.0
                .cmp(&other.0)
                .then_with(|| one.1.key.cmp(&other.1.key))
        });
        due.truncate(STARTS_PER_LOOK);
        if !page.more {
            return Ok(due);
        }
    }
}

/// Since when an instance's backup is due and could begin.
async fn due_since(
    app: &App,
    session: &mut dyn Session,
    instance: &ResourceRow,
    asked: Result<Asked>,
) -> Result<Option<Timestamp>> {
    match asked? {
        Asked::Turn(Turn::Due { moment, .. }) => {
            // A busy instance must not take the turn of others.
            let is_busy = stored::is_busy(session, &instance.key).await?;
            Ok((!is_busy).then_some(moment))
        }
        // Written down at once: it costs nothing and takes nobody's turn.
        Asked::Anew => schedules::follow(app, instance).await.map(|_| None),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests;
