//! Jobs: how one is started, moved on, and ended. Every function here is one transaction.
//!
//! Contract: a job is in the store, with everything that it needs to be carried out by whoever finds
//! it, before anything is done for it. Its end is one transaction: outcome, recovery point and
//! operation become visible together or not at all. An ended job whose step is
//! [`Step::Remove`] or [`Step::Forget`] still has something to be removed in its cluster.

mod cancel;
mod cluster_at_backup;
mod criteria;
mod document;
mod recovery_point;
mod start;

use jiff::Timestamp;
use serde_json::Value;
use strongroom_core::error::{Code, Problem};
use uuid::Uuid;

pub use self::cancel::{Wish, cancel, wish};
pub use self::document::{About, Location, Outcome, Progress, Request, StepSeen, Warning};
pub use self::recovery_point::of_backup;
pub(in crate::app) use self::start::selection_of;
pub use self::start::{Started, start_backup, start_restore};
pub(in crate::app) use self::start::{about, insert, scheduled_backup};

use super::{App, Error, Result, repositories, retention};
use crate::metrics::JobLabels;
use crate::store::{JobRow, OperationRow, OperationStatus, RecoveryPointRow, Session};

/// What the worker does next for a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Wait for the job's turn.
    Admit,
    /// Make the custom resource.
    Create,
    /// Follow it.
    Observe,
    /// See for itself that the recovery point is there.
    Verify,
    /// Let it end, because somebody asked for that.
    Cancel,
    /// Delete objects of a deleted instance.
    Purge,
    /// Remove the custom resource; the job has ended.
    Remove,
    /// Remove the volume snapshots that a failed backup may have left in the cluster.
    Forget,
    /// Nothing more.
    Done,
}

impl Step {
    const ALL: [Self; 9] = [
        Self::Admit,
        Self::Create,
        Self::Observe,
        Self::Verify,
        Self::Cancel,
        Self::Purge,
        Self::Remove,
        Self::Forget,
        Self::Done,
    ];

    /// As it is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admit => "Admit",
            Self::Create => "Create",
            Self::Observe => "Observe",
            Self::Verify => "Verify",
            Self::Cancel => "Cancel",
            Self::Purge => "Purge",
            Self::Remove => "Remove",
            Self::Forget => "Forget",
            Self::Done => "Done",
        }
    }

    /// The step of a job.
    #[must_use]
    pub fn of(row: &JobRow) -> Self {
        Self::ALL
            .into_iter()
            .find(|step| step.as_str() == row.step)
            .unwrap_or(Self::Done)
    }
}

/// Published status of a job at work.
pub const IN_PROGRESS: &str = "InProgress";
/// Published status of a job that did all of it.
pub const COMPLETED: &str = "Completed";
/// Published status of a job that did it, with findings.
pub const COMPLETED_WITH_WARNINGS: &str = "CompletedWithWarnings";
/// Published status of a job that was asked to end.
pub const CANCELLING: &str = "Cancelling";
/// Published status of a job that ended because it was asked to.
pub const CANCELLED: &str = "Cancelled";
/// Published status of a job that did not.
pub const FAILED: &str = "Failed";

/// Published operation of a backup.
pub const BACKUP: &str = "Backup";
/// Published operation of a restore.
pub const RESTORE: &str = "Restore";
/// Operation of a restore's validation; ours.
pub const VALIDATE_RESTORE: &str = "ValidateRestore";
/// Operation that removes what a deleted instance left.
pub const DELETE: &str = "DeleteBackupInstanceData";

/// A scheduled backup that could not be started, as a job that failed: whoever looks at the jobs sees
/// that one is missing, and why.
pub(in crate::app) fn not_started(
    app: &App,
    about: About,
    scheduled_for: Timestamp,
    problem: &Problem,
) -> Result<JobRow> {
    let request = Request::NotStarted {
        about,
        scheduled_for,
    };
    let row = new_row(app, BACKUP, Step::Done, &request)?;
    Ok(JobRow {
        status: FAILED.to_owned(),
        error: serde_json::to_value(problem).map_err(Error::unexpected("serialise a problem"))?,
        ended_at: Some(row.created_at),
        next_poll_at: None,
        ..row
    })
}

/// Writes a job on. `None` when somebody else moved it meanwhile: read it again.
pub async fn advance(app: &App, mut row: JobRow) -> Result<Option<JobRow>> {
    let mut session = app.store.begin().await?;
    if !session.update_job(&row).await? {
        return Ok(None);
    }
    session.commit().await?;
    row.generation += 1;
    Ok(Some(row))
}

/// Jobs that have not ended and work on what is in the instance. A purge does not: it removes what a
/// deleted instance of the same name left, under a prefix that no other instance has.
pub async fn open_of_instance(session: &mut dyn Session, key: &str) -> Result<Vec<JobRow>> {
    let mut open = session.open_jobs_of_instance(key).await?;
    open.retain(|job| Step::of(job) != Step::Purge);
    Ok(open)
}

/// Jobs that have not ended and need the cluster. A purge does not: a store that is out of reach for a
/// day must not take a cluster's turns for as long, nor keep the cluster from being forgotten.
pub async fn open_in_cluster(session: &mut dyn Session, key: &str) -> Result<Vec<JobRow>> {
    let mut open = session.open_jobs_of_cluster(key).await?;
    open.retain(|job| Step::of(job) != Step::Purge);
    Ok(open)
}

/// What became of a queued job that asked for its turn.
#[derive(Debug)]
pub enum Admission {
    /// It begins, or somebody else moved it on.
    Begun,
    /// It must wait; for what.
    Full(String),
}

/// Lets a queued job begin if fewer jobs than may run in its cluster, and in all, do.
pub async fn admit(app: &App, mut row: JobRow) -> Result<Admission> {
    let limits = &app.job_limits;
    let mut session = app.store.begin().await?;
    let running = open_in_cluster(&mut *session, &row.cluster_key)
        .await?
        .iter()
        .filter(|other| other.id != row.id && Step::of(other) != Step::Admit)
        .count();
    if running >= limits.per_cluster {
        return Ok(Admission::Full(format!(
            "{running} other jobs run in the cluster"
        )));
    }
    let queued_or_purge = [Step::Admit.as_str(), Step::Purge.as_str()];
    let running = session.count_open_jobs(&queued_or_purge).await?;
    if running >= limits.in_all {
        return Ok(Admission::Full(format!(
            "{running} other jobs run in all clusters"
        )));
    }
    let mut progress = Progress::of(&row)?;
    progress.waiting_for.clear();
    progress.admitted_at = Some(app.now());
    row.progress = progress.to_column()?;
    row.step = Step::Create.as_str().to_owned();
    row.next_poll_at = Some(app.now());
    if session.update_job(&row).await? {
        session.commit().await?;
    }
    Ok(Admission::Begun)
}

/// Ends a job as done, with its recovery point if it made one.
pub async fn complete(
    app: &App,
    mut row: JobRow,
    outcome: &Outcome,
    recovery_point: Option<RecoveryPointRow>,
) -> Result<Option<JobRow>> {
    row.status = if outcome.with_warnings {
        COMPLETED_WITH_WARNINGS
    } else {
        COMPLETED
    }
    .to_owned();
    row.result = outcome.to_column()?;
    end(app, row, recovery_point, None).await
}

/// Takes over the recovery point of a backup that was ended as failed while its store was away: it is
/// whole, and lies there. Tells whether it was new.
pub async fn adopt(
    app: &App,
    job: &JobRow,
    request: &Request,
    point: RecoveryPointRow,
) -> Result<bool> {
    let mut session = app.store.begin().await?;
    if session.recovery_point(point.id).await?.is_some() {
        return Ok(false);
    }
    keep_point(&mut *session, job, request, point).await?;
    session.commit().await?;
    Ok(true)
}

/// Writes a recovery point with the tag and the time that its policy gives it.
async fn keep_point(
    session: &mut dyn Session,
    job: &JobRow,
    request: &Request,
    mut point: RecoveryPointRow,
) -> Result<()> {
    retention::settle(session, job, request, &mut point).await?;
    session.insert_recovery_point(&point).await?;
    repositories::hold_container(session, &point).await
}

/// When a job began to count against its limits: when its turn came.
pub fn began(row: &JobRow) -> Result<Timestamp> {
    Ok(Progress::of(row)?.admitted_at.unwrap_or(row.created_at))
}

/// Ends a job as failed.
pub async fn fail(app: &App, mut row: JobRow, problem: &Problem) -> Result<Option<JobRow>> {
    row.status = FAILED.to_owned();
    row.error = serde_json::to_value(problem).map_err(Error::unexpected("serialise a problem"))?;
    end(app, row, None, Some(problem)).await
}

/// Ends a job because it was asked to.
pub async fn cancelled(app: &App, mut row: JobRow) -> Result<Option<JobRow>> {
    let by = Progress::of(&row)?.cancelled_by.unwrap_or_default();
    let message = format!("The job was cancelled by '{by}'.");
    let problem = Problem::new(Code::OperationCancelled, message);
    row.status = CANCELLED.to_owned();
    row.error = serde_json::to_value(&problem).map_err(Error::unexpected("serialise a problem"))?;
    end(app, row, None, Some(&problem)).await
}

/// The one transaction in which a job ends.
async fn end(
    app: &App,
    mut row: JobRow,
    recovery_point: Option<RecoveryPointRow>,
    problem: Option<&Problem>,
) -> Result<Option<JobRow>> {
    let now = app.now();
    let has_custom_resource = row.resource_name.is_some();
    row.ended_at = Some(now);
    row.step = if has_custom_resource {
        Step::Remove
    } else {
        Step::Done
    }
    .as_str()
    .to_owned();
    row.next_poll_at = has_custom_resource.then_some(now);
    let mut session = app.store.begin().await?;
    if !session.update_job(&row).await? {
        return Ok(None);
    }
    if let Some(point) = recovery_point {
        keep_point(&mut *session, &row, &Request::of(&row)?, point).await?;
    }
    finish_operations(&mut *session, &row, problem, now).await?;
    session.commit().await?;
    row.generation += 1;
    app.metrics
        .jobs
        .get_or_create(&JobLabels {
            operation: row.operation.clone(),
            status: row.status.clone(),
        })
        .inc();
    let took = now.duration_since(row.created_at).as_secs_f64();
    app.metrics.job_seconds.observe(took);
    tracing::info!(
        job.id = %row.id, job.operation = row.operation, job.status = row.status,
        instance.key = row.instance_key, took_s = took,
        error.code = problem.map_or("", |problem| problem.code.as_str()), "job ended"
    );
    Ok(Some(row))
}

async fn finish_operations(
    session: &mut dyn Session,
    row: &JobRow,
    problem: Option<&Problem>,
    now: Timestamp,
) -> Result<()> {
    for mut operation in session.operations_of_job(&row.id.to_string()).await? {
        finish(&mut operation, problem, now)?;
        session.finish_operation(&operation).await?;
    }
    Ok(())
}

/// Brings an operation to its end, in memory.
pub(super) fn finish(
    operation: &mut OperationRow,
    problem: Option<&Problem>,
    now: Timestamp,
) -> Result<()> {
    operation.ended_at = Some(now);
    match problem {
        None => operation.status = OperationStatus::Succeeded,
        Some(problem) if problem.code == Code::OperationCancelled => {
            operation.status = OperationStatus::Canceled;
        }
        Some(problem) => {
            operation.status = OperationStatus::Failed;
            operation.error =
                serde_json::to_value(problem).map_err(Error::unexpected("serialise a problem"))?;
        }
    }
    Ok(())
}

/// A job to remove what a deleted instance left in its repositories, and its volume snapshots. Call it in the transaction
/// that deletes the instance; nothing is started when there is nothing to remove.
pub async fn schedule_purge(
    app: &App,
    session: &mut dyn Session,
    about: About,
    repositories: Vec<Location>,
    snapshots_of: Vec<Uuid>,
) -> Result<Option<JobRow>> {
    if repositories.is_empty() && snapshots_of.is_empty() {
        return Ok(None);
    }
    let request = Request::Purge {
        about,
        repositories,
        snapshots_of,
    };
    let row = new_row(app, DELETE, Step::Purge, &request)?;
    session.insert_job(&row).await?;
    Ok(Some(row))
}

/// Most open purges that are looked through for one of a container.
const MOST_PURGES: usize = 10_000;

/// Whether data of a deleted instance is still to be removed from this container: without the container
/// nobody could reach it.
pub async fn is_being_purged(
    app: &App,
    session: &mut dyn Session,
    container_key: &str,
) -> Result<bool> {
    // Whenever they are due.
    let ever = app.now() + crate::store::FARTHEST_POLL;
    for job in session.due_jobs(ever, &[], &[], MOST_PURGES).await? {
        if Step::of(&job) != Step::Purge {
            continue;
        }
        if let Request::Purge { repositories, .. } = Request::of(&job)? {
            let is_it = |location: &Location| {
                super::ResourceId::published(location.container_id.clone()).key() == container_key
            };
            if repositories.iter().any(is_it) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Whether a job did what it was asked to; a cancelled one did not.
#[must_use]
pub fn is_success(row: &JobRow) -> bool {
    matches!(row.status.as_str(), COMPLETED | COMPLETED_WITH_WARNINGS)
}

/// The failure that a job ended with, when it failed.
#[must_use]
pub fn failure(row: &JobRow) -> Option<Problem> {
    serde_json::from_value(row.error.clone()).ok()
}

fn new_row(app: &App, operation: &str, step: Step, request: &Request) -> Result<JobRow> {
    let about = request.about();
    let now = app.now();
    Ok(JobRow {
        id: app.new_id(),
        vault_key: about.vault_id.to_lowercase(),
        instance_key: about.instance_id.to_lowercase(),
        cluster_key: about.cluster_id.to_lowercase(),
        operation: operation.to_owned(),
        status: IN_PROGRESS.to_owned(),
        step: step.as_str().to_owned(),
        progress: Progress::default().to_column()?,
        resource_name: None,
        request: request.to_column()?,
        result: Value::Null,
        error: Value::Null,
        created_at: now,
        started_at: None,
        ended_at: None,
        next_poll_at: Some(now),
        generation: 0,
    })
}
