//! Thaws what was left frozen: by a process that died, or by a job that was cancelled or lost.
//!
//! Contract: level-based. Every journal whose job is not at it in this process is thawed and removed: when
//! the process starts, whenever a job lets go of its freeze, and again while something is left. A process
//! that is told to stop thaws before it goes. A pre-hook whose end was not seen may freeze behind the
//! thaw: then the thaw runs once more when that command has had its time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use strongroom_core::Code;
use strongroom_core::report::ObjectOutcome;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::journal::{self, Entered};
use super::run::{self, Ran};
use crate::environment::Environment;
use crate::job::JobFailure;
use crate::limits::{THAW_AGAIN, THAWED_UNTOLD};

/// What a process knows of freezes.
#[derive(Debug, Default)]
pub struct Freezes {
    /// Jobs that are at their own journal.
    held: Mutex<BTreeSet<Uuid>>,
    /// Told whenever a job lets go of it.
    let_go: Notify,
    /// Held by whoever thaws what others left; what the keeper could not thaw, for the report of the job
    /// that goes on.
    thawing: tokio::sync::Mutex<BTreeMap<Uuid, Vec<ObjectOutcome>>>,
}

impl Freezes {
    fn held(&self) -> MutexGuard<'_, BTreeSet<Uuid>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A job that is at its own journal, until this is dropped.
#[derive(Debug)]
pub(super) struct Held<'a> {
    environment: &'a Environment,
    job: Uuid,
}

impl<'a> Held<'a> {
    pub(super) fn by(environment: &'a Environment, job: Uuid) -> Self {
        environment.freezes.held().insert(job);
        Self { environment, job }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.environment.freezes.held().remove(&self.job);
        self.environment.freezes.let_go.notify_one();
    }
}

/// Carries out what a journal says.
pub(super) async fn thaw(
    environment: &Environment,
    entered: &Entered,
) -> Result<Vec<Ran>, JobFailure> {
    let mut all = Vec::new();
    for stage in entered.due() {
        all.extend(heard(run::thaw(&environment.cluster, stage).await)?);
    }
    Ok(all)
}

/// Carries it out once more when a pre-hook may have taken effect behind it, and removes the journal.
pub(super) async fn finish(
    environment: &Environment,
    entered: &Entered,
) -> Result<Vec<Ran>, JobFailure> {
    let mut all = Vec::new();
    if let Some(wait) = entered.doubtful_for() {
        tokio::time::sleep(wait).await;
        for stage in entered.due_again() {
            all.extend(heard(run::thaw_again(&environment.cluster, stage).await)?);
        }
    }
    entered.remove(environment).await?;
    Ok(all)
}

/// Commands that the API server has passed on; its own trouble is the attempt's.
fn heard(ran: Vec<Ran>) -> Result<Vec<Ran>, JobFailure> {
    match ran.iter().find_map(Ran::unreachable) {
        Some(failure) => Err(failure),
        None => Ok(ran),
    }
}

/// The whole of it, for a journal that was left.
async fn thaw_and_finish(
    environment: &Environment,
    entered: &mut Entered,
    by: &str,
) -> Result<Vec<Ran>, JobFailure> {
    entered.claim(environment, by).await?;
    let mut all = thaw(environment, entered).await?;
    all.extend(finish(environment, entered).await?);
    Ok(all)
}

/// Thaws what an earlier attempt at a job left, and returns the lines of what was left and thawed, by this
/// call or by the keeper before it. What other jobs left goes first: it must not be thawed in the midst of
/// this one's freeze.
pub(super) async fn thaw_of_earlier(
    environment: &Environment,
    job: Uuid,
    by: &str,
) -> Result<Vec<ObjectOutcome>, JobFailure> {
    let mut untold = environment.freezes.thawing.lock().await;
    thaw_of_others(environment, &mut untold).await?;
    if let Some(mut left) = journal::of_job(environment, job).await? {
        return Ok(lines(&thaw_and_finish(environment, &mut left, by).await?));
    }
    Ok(untold.remove(&job).unwrap_or_default())
}

fn lines(ran: &[Ran]) -> Vec<ObjectOutcome> {
    ran.iter()
        .map(|ran| ran.line(Code::BackupHookThawFailed))
        .collect()
}

/// Thaws every journal that nobody in this process is at. Whether any is left.
async fn thaw_left(environment: &Environment) -> Result<bool, JobFailure> {
    let mut untold = environment.freezes.thawing.lock().await;
    thaw_of_others(environment, &mut untold).await
}

async fn thaw_of_others(
    environment: &Environment,
    untold: &mut BTreeMap<Uuid, Vec<ObjectOutcome>>,
) -> Result<bool, JobFailure> {
    let mut left = false;
    for mut entered in journal::all(environment).await? {
        let job = entered.journal.job;
        if environment.freezes.held().contains(&job) {
            continue;
        }
        match thaw_and_finish(environment, &mut entered, "keeper").await {
            Ok(all) => {
                tracing::info!(job.id = %job, commands = all.len(), "what a job left frozen was thawed");
                for ran in all.iter().filter(|ran| !ran.is_well()) {
                    tracing::error!(job.id = %job, "a thaw failed: {}", ran.sentence());
                }
                untold.insert(job, lines(&all));
                if untold.len() > THAWED_UNTOLD {
                    untold.pop_first();
                }
            }
            Err(error) => {
                tracing::warn!(job.id = %job, %error, "what a job left frozen is not thawed yet");
                left = true;
            }
        }
    }
    Ok(left)
}

/// Thaws for as long as the process lives.
#[derive(Debug)]
pub struct Keeper {
    environment: Arc<Environment>,
    shutdown: CancellationToken,
}

impl Keeper {
    /// A keeper of this process.
    pub fn new(environment: Arc<Environment>, shutdown: CancellationToken) -> Self {
        Self {
            environment,
            shutdown,
        }
    }

    /// Runs until the process is told to stop, and thaws once more.
    pub async fn run(self) {
        let freezes = &self.environment.freezes;
        loop {
            let left = thaw_left(&self.environment).await.unwrap_or_else(|error| {
                tracing::warn!(%error, "journals of freezes could not be read");
                true
            });
            if self.shutdown.is_cancelled() && freezes.held().is_empty() {
                return;
            }
            let again = async {
                if left {
                    tokio::time::sleep(THAW_AGAIN).await;
                } else {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                () = freezes.let_go.notified() => {}
                () = again => {}
                () = self.stopped() => {}
            }
        }
    }

    /// Resolves when the process is told to stop and no job is at its freeze any more.
    async fn stopped(&self) {
        self.shutdown.cancelled().await;
        if !self.environment.freezes.held().is_empty() {
            std::future::pending::<()>().await;
        }
    }
}
