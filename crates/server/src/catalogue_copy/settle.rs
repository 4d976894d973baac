//! What a copy that is older than the world may not do once it is restored.
//!
//! Contract: pure but for [`Settling::finish`]; each row is looked at once, as it passes.
//!
//! - **Jobs** that were open in the copy have ended since, or were ended with the server. Doing them again
//!   could do a restore twice, days apart, so they end as failed with a code of their own, and what is left of
//!   them in their clusters is removed. A recovery point that such a backup sealed is taken over and not
//!   removed, see `worker/purge_repositories.rs`. Removals of what deleted instances left go on: nothing
//!   brings those back.
//! - **Operations** of those jobs end with them. Others are taken up by the server, as after any restart.
//! - **Retention** and the purge of what was deleted stand still for [`RETENTION_HELD`] of the server's
//!   running: policies, states and deletions may have been changed since.
//! - **Schedules** need nothing: however many moments have passed, one backup stands for all of them.
//! - **The audit log** goes on from the copy's last entry with one that says what happened; a receiver that
//!   has later ones sees where the two part.

use jiff::Timestamp;

use strongroom_core::audit::{Caller, Event, Outcome};
use strongroom_core::error::{Code, Problem};
use strongroom_core::policy::RetentionClock;
use strongroom_kubernetes::jobs as names;
use uuid::Uuid;

use super::limits::RETENTION_HELD;
use super::{CopyError, PENDING, Pending};
use crate::app::jobs::{FAILED, Request, Step};
use crate::app::retention::CLOCK;
use crate::store::copied::{Table, Value};
use crate::store::{OperationStatus, Session};

/// What the audit log calls it.
const ACTION: &str = "Strongroom.Administration/catalogue/restore/action";

/// Lets a copy come to rest while it is restored.
#[derive(Debug)]
pub struct Settling {
    now: Timestamp,
    made: Timestamp,
    ended_jobs: u64,
}

impl Settling {
    /// Of a copy that was made then, restored now.
    #[must_use]
    pub fn new(now: Timestamp, made: Timestamp) -> Self {
        Self {
            now,
            made,
            ended_jobs: 0,
        }
    }

    /// Changes a row, if it is one that may not stay as it is.
    pub fn row(&mut self, table: &Table, row: &mut [Value]) -> Result<(), CopyError> {
        match table.name {
            "jobs" => self.job(&mut Columns { table, row }),
            "operations" => self.operation(&mut Columns { table, row }),
            _ => Ok(()),
        }
    }

    fn job(&mut self, row: &mut Columns<'_>) -> Result<(), CopyError> {
        let is_open = row.number("ended_at").is_none();
        if !is_open || row.text("step") == Step::Purge.as_str() {
            return Ok(());
        }
        let id: Uuid = row.text("id").parse().map_err(malformed("job"))?;
        let request: Request =
            serde_json::from_str(row.text("request")).map_err(malformed("job request"))?;
        // It may have been made in its cluster after the copy was.
        let name = match request {
            Request::Restore { .. } => names::restore_name(id),
            _ => names::backup_name(id),
        };
        row.set_text("status", FAILED);
        row.set_text("step", Step::Remove.as_str());
        row.set_text("resource_name", &name);
        row.set_text("error", &self.problem_text()?);
        row.set_number("ended_at", self.now.as_microsecond());
        row.set_number("next_poll_at", self.now.as_microsecond());
        let generation = row.number("generation").unwrap_or_default();
        row.set_number("generation", generation + 1);
        self.ended_jobs += 1;
        Ok(())
    }

    fn operation(&self, row: &mut Columns<'_>) -> Result<(), CopyError> {
        let is_open = row.number("ended_at").is_none();
        if !is_open || row.text("job_id").is_empty() {
            return Ok(());
        }
        row.set_text("status", OperationStatus::Failed.as_str());
        row.set_text("error", &self.problem_text()?);
        row.set_text("request", "null");
        row.set_number("ended_at", self.now.as_microsecond());
        Ok(())
    }

    fn problem_text(&self) -> Result<String, CopyError> {
        let problem = Problem::new(
            Code::CatalogueRestored,
            format!(
                "The server's catalogue was restored from a copy of {}, in which the job was at work; what \
                 became of it since is not known.",
                self.made
            ),
        );
        serde_json::to_string(&problem).map_err(malformed("problem"))
    }

    /// Writes what is to be said of the whole; tells how many jobs were ended.
    pub async fn finish(self, session: &mut dyn Session) -> Result<u64, CopyError> {
        hold_retention(session, self.now).await?;
        note(session, ACTION, self.now, Some(self.made)).await?;
        Ok(self.ended_jobs)
    }
}

/// Lets nothing expire and nothing be purged for [`RETENTION_HELD`].
pub async fn hold_retention(session: &mut dyn Session, now: Timestamp) -> Result<(), CopyError> {
    let known = session.setting(CLOCK).await?;
    let known = known.and_then(|text| serde_json::from_str::<RetentionClock>(&text).ok());
    let mut clock = known.unwrap_or_else(|| RetentionClock::new(now));
    clock.untrusted_seconds = clock.untrusted_seconds.max(RETENTION_HELD.as_secs());
    let text = serde_json::to_string(&clock).map_err(malformed("clock"))?;
    Ok(session.put_setting(CLOCK, &text).await?)
}

/// Lets the server bring recovery points to what the stores hold, and says in the audit log why.
pub async fn note(
    session: &mut dyn Session,
    action: &str,
    now: Timestamp,
    copy_made: Option<Timestamp>,
) -> Result<(), CopyError> {
    let pending = Pending {
        since: now,
        copy_made,
        done: None,
    };
    let text = serde_json::to_string(&pending).map_err(malformed("note"))?;
    session.put_setting(PENDING, &text).await?;
    let made = copy_made.map_or_else(String::new, |made| made.to_string());
    session
        .append_audit_entry(Event {
            time: now,
            caller: Some(Caller {
                object_id: Uuid::nil(),
                kind: "Application".to_owned(),
                name: "strongroom".to_owned(),
            }),
            action: action.to_owned(),
            // The copy has no id but the moment that it is of.
            scope: format!("catalogue/{made}"),
            method: String::new(),
            outcome: Outcome::Written,
            status: None,
            code: None,
            request_id: String::new(),
            correlation_id: String::new(),
            client_address: None,
            unlisted: 0,
            approver: None,
        })
        .await?;
    Ok(())
}

fn malformed<E: std::fmt::Display>(what: &'static str) -> impl FnOnce(E) -> CopyError {
    move |error| CopyError::Malformed {
        what,
        detail: error.to_string(),
    }
}

/// A row by the names of its columns.
struct Columns<'a> {
    table: &'a Table,
    row: &'a mut [Value],
}

impl Columns<'_> {
    fn at(&mut self, column: &str) -> Option<&mut Value> {
        self.row.get_mut(self.table.position(column)?)
    }

    fn text(&self, column: &str) -> &str {
        match self.table.position(column).and_then(|at| self.row.get(at)) {
            Some(Value::Text(Some(text))) => text,
            _ => "",
        }
    }

    fn number(&self, column: &str) -> Option<i64> {
        match self.table.position(column).and_then(|at| self.row.get(at)) {
            Some(Value::Number(number)) => *number,
            _ => None,
        }
    }

    fn set_text(&mut self, column: &str, text: &str) {
        if let Some(value) = self.at(column) {
            *value = Value::Text(Some(text.to_owned()));
        }
    }

    fn set_number(&mut self, column: &str, number: i64) {
        if let Some(value) = self.at(column) {
            *value = Value::Number(Some(number));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_that_are_changed_are_there() {
        for (table, columns) in [
            (
                "jobs",
                &[
                    "status",
                    "step",
                    "resource_name",
                    "error",
                    "ended_at",
                    "next_poll_at",
                    "generation",
                ][..],
            ),
            (
                "operations",
                &["status", "error", "request", "ended_at", "job_id"],
            ),
        ] {
            let table = Table::find(table).unwrap();
            for column in columns {
                assert!(table.position(column).is_some(), "{column}");
            }
        }
    }
}
