//! Cancelling a job.
//!
//! Contract: a job is asked to end, and ends by the worker, which removes its custom resource and so lets
//! the extension stop, thaw and clean up. What is sealed already wins: a recovery point that exists is not
//! taken back. Asking twice is as asking once.

use strongroom_core::error::{Code, Problem};
use uuid::Uuid;

use super::{CANCELLED, CANCELLING, Progress, Step};
use crate::app::operations::{self, End, OperationKind};
use crate::app::resources::{self, Terms};
use crate::app::{App, ResourceId, Result, vaults};
use crate::store::{JobRow, OperationRow};

/// What a wish to cancel a job comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// It is asked to end.
    Ask,
    /// It was asked already, or has ended so.
    Done,
    /// It cannot be cancelled; why.
    Refuse(String),
}

/// Whether a job can be cancelled now.
#[must_use]
pub fn wish(job: &JobRow) -> Wish {
    if job.status == CANCELLED {
        return Wish::Done;
    }
    if job.ended_at.is_some() {
        return Wish::Refuse(format!("it has ended ({})", job.status));
    }
    match Step::of(job) {
        Step::Admit | Step::Create | Step::Observe => Wish::Ask,
        Step::Cancel => Wish::Done,
        Step::Verify => Wish::Refuse("its recovery point is sealed already".to_owned()),
        Step::Purge => Wish::Refuse("what it removes belongs to nothing any more".to_owned()),
        Step::Remove | Step::Forget | Step::Done => Wish::Refuse("it has ended".to_owned()),
    }
}

/// Asks a job to end. The operation names the job, which then is followed.
pub async fn cancel(app: &App, id: &ResourceId, terms: &Terms) -> Result<OperationRow> {
    let mut session = app.store.begin().await?;
    let vault = vaults::require(&mut *session, &id.without(2)).await?;
    let found = match id.name().parse::<Uuid>() {
        Ok(job) => session.job(job).await?,
        Err(_) => None,
    };
    let Some(mut job) = found.filter(|job| job.vault_key == vault.key) else {
        return Err(resources::not_found(id));
    };
    match wish(&job) {
        Wish::Done => {}
        Wish::Refuse(why) => {
            return Err(Problem::new(
                Code::UserErrorJobCannotBeCancelled,
                format!(
                    "The {} job {} cannot be cancelled: {why}.",
                    job.operation, job.id
                ),
            )
            .at(id.as_str())
            .into());
        }
        Wish::Ask => {
            let now = app.now();
            let mut progress = Progress::of(&job)?;
            progress.cancel_asked_at = Some(now);
            progress.cancelled_by = Some(terms.by.name.clone());
            job.progress = progress.to_column()?;
            CANCELLING.clone_into(&mut job.status);
            Step::Cancel.as_str().clone_into(&mut job.step);
            job.next_poll_at = Some(now);
            // Read in this very transaction: nobody moved it meanwhile.
            session.update_job(&job).await?;
            tracing::info!(job.id = %job.id, by = terms.by.name, "a job is asked to end");
        }
    }
    let location = vaults::document(&vault)?.location.unwrap_or_default();
    let kind = OperationKind::StartJob;
    let name = Some(job.id.to_string());
    let operation = operations::start(app, &mut *session, kind, id, &location, name).await?;
    let end = End::Succeeded {
        result: serde_json::Value::Null,
    };
    let operation = operations::finish(app, &mut *session, operation, end).await?;
    session.commit().await?;
    app.crash.reach("cancel_recorded");
    app.jobs_changed.notify_one();
    Ok(operation)
}
