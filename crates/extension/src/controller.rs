//! Runs the jobs that custom resources ask for, one of a kind at a time. Previews are a kind of their own, and so is
//! the removal of volume snapshots.
//!
//! Level-based: what is to be done is read from the custom resources that exist, never from what
//! happened before. The oldest one that is not final is taken; an interrupted one is thereby
//! continued before a new one begins. Deleting a custom resource cancels its job at once, because the
//! attempt's future is dropped.

pub mod backup;
pub mod forget;
mod patience;
pub mod preview;
mod queue;
pub mod restore;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use strongroom_core::{Code, Problem, ResourceType};
use strongroom_kubernetes::crd::{JobError, JobState, JobStatus};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::patience::{Patience, time_left};
use self::queue::Ticket;
pub use self::queue::{JobResource, Queue};
use crate::environment::Environment;
use crate::job::{Attempt, Done, JobFailure, Lost, Progress, StatusWriter, Taken};
use crate::limits::{ATTEMPTS, STATUS_MESSAGE_CHARS};

/// The longest wait between two attempts at a job whose store or API server does not answer; the
/// waits double up to it, so that [`ATTEMPTS`] are not used up before the grace is over.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// What a controller must know of the kind of job that it runs.
#[async_trait::async_trait]
pub trait Work: Send + Sync + 'static {
    /// The spec of its custom resource.
    type Spec: Send + Sync;

    /// The type of its custom resource.
    fn kind(&self) -> ResourceType;

    /// Understands a spec.
    ///
    /// # Errors
    /// When it is not one: a vault of another version.
    fn parse(&self, spec: Value) -> Result<Self::Spec, serde_json::Error>;

    /// The vault's job and when it gives it up.
    fn facts(&self, spec: &Self::Spec) -> (Uuid, Option<Timestamp>);

    /// The code of a job that was taken over too often.
    fn restarted_code(&self) -> Code;

    /// Carries the job out.
    ///
    /// # Errors
    /// See [`JobFailure`].
    async fn run(&self, attempt: &Attempt, spec: &Self::Spec) -> Result<Done, JobFailure>;
}

/// What came of looking after one custom resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Settled {
    /// Nothing more to do for it.
    Yes,
    /// The process is shutting down.
    Shutdown,
}

/// Runs one kind of job until the process shuts down.
#[derive(Debug)]
pub struct Controller<W> {
    environment: Arc<Environment>,
    work: W,
    queue: Queue,
    shutdown: CancellationToken,
}

impl<W: Work> Controller<W> {
    /// A controller that takes its jobs from `queue`.
    pub fn new(
        environment: Arc<Environment>,
        work: W,
        queue: Queue,
        shutdown: CancellationToken,
    ) -> Self {
        Self {
            environment,
            work,
            queue,
            shutdown,
        }
    }

    /// Takes job after job.
    pub async fn run(self) {
        let mut settled = BTreeSet::new();
        loop {
            let ticket = tokio::select! {
                () = self.shutdown.cancelled() => return,
                ticket = self.queue.next(&mut settled) => ticket,
            };
            let looked_after = self.look_after(&ticket).await;
            self.environment.job_ended.notify_one();
            match looked_after {
                Settled::Yes => settled.insert(ticket.uid),
                Settled::Shutdown => return,
            };
        }
    }

    /// Attempts a job until it is settled.
    async fn look_after(&self, ticket: &Ticket) -> Settled {
        let mut patience = Patience::new(self.environment.unreachable_grace);
        let mut pause = self.environment.unreachable_pause;
        loop {
            let began = Instant::now();
            let ended = tokio::select! {
                biased;
                () = self.shutdown.cancelled() => return Settled::Shutdown,
                () = self.queue.gone(&ticket.uid) => Err(Lost::Deleted.into()),
                ended = self.attempt(ticket, &mut patience) => ended,
            };
            let problem = match ended {
                Ok(()) => return Settled::Yes,
                Err(JobFailure::Unreachable(problem)) => problem,
                // The status could not be read or written, so nobody knows of an outcome: an API
                // server that has just started refuses rights that it has not read yet.
                Err(JobFailure::Final(problem)) if !patience.is_over(Instant::now()) => problem,
                Err(error) => {
                    tracing::info!(job.name = %ticket.name, %error, "job left");
                    return Settled::Yes;
                }
            };
            if patience.failed(began, Instant::now()) {
                pause = self.environment.unreachable_pause;
            }
            tracing::warn!(
                job.name = %ticket.name, error.code = %problem.code, error = %problem,
                pause_ms = pause.as_millis() as u64, "attempt interrupted, will begin again"
            );
            tokio::select! {
                () = self.shutdown.cancelled() => return Settled::Shutdown,
                () = self.queue.gone(&ticket.uid) => return Settled::Yes,
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
            }
        }
    }

    /// One attempt, from taking the job over to its outcome in the status.
    async fn attempt(&self, ticket: &Ticket, patience: &mut Patience) -> Result<(), JobFailure> {
        let environment = &self.environment;
        let kind = self.work.kind();
        let (namespace, clock) = (&environment.namespace, &environment.clock);
        let cluster = &environment.cluster;
        let taken = StatusWriter::take_over(cluster, &kind, namespace, &ticket.name, clock).await?;
        let Some(Taken {
            spec,
            created,
            revision,
            found,
            status,
        }) = taken
        else {
            return Ok(());
        };
        let spec = match self.work.parse(spec) {
            Ok(spec) => spec,
            Err(error) => {
                let message = format!("the custom resource's spec is not understood: {error}");
                let problem = Problem::new(Code::InvalidRequestContent, message);
                return self.conclude(&status, |_| {}, Err(problem)).await;
            }
        };
        let (job, deadline) = self.work.facts(&spec);
        let attempt = Attempt {
            environment: Arc::clone(environment),
            job,
            name: ticket.name.clone(),
            number: found.attempt,
            created,
            since: found.journal.map_or(revision, |journal| journal.since),
            found,
            progress: Progress::default(),
            status,
        };
        let now = environment.clock.now();
        let left = deadline.map(|deadline| time_left(deadline, created, now));
        let deadline = deadline.zip(patience.end(left, Instant::now()));
        let outcome = self.carry_out(&attempt, &spec, deadline).await;
        let problem = match outcome {
            Ok(done) => return self.complete(&attempt, done).await,
            Err(JobFailure::Lost(lost)) => return Err(lost.into()),
            Err(JobFailure::Unreachable(problem)) if !patience.is_over(Instant::now()) => {
                return Err(JobFailure::Unreachable(problem));
            }
            Err(JobFailure::Final(problem) | JobFailure::Unreachable(problem)) => problem,
        };
        tracing::warn!(
            job.id = %job, job.attempt = attempt.number, error.code = %problem.code,
            error = %problem, "job failed"
        );
        self.conclude(&attempt.status, |status| attempt.show(status), Err(problem))
            .await
    }

    /// The work, ended early when the job is lost or its time is over.
    async fn carry_out(
        &self,
        attempt: &Attempt,
        spec: &W::Spec,
        deadline: Option<(Timestamp, Instant)>,
    ) -> Result<Done, JobFailure> {
        if attempt.number > ATTEMPTS {
            let message = format!(
                "{} attempts ended at step {} without an outcome",
                attempt.number - 1,
                attempt.found.step
            );
            return Err(JobFailure::new(self.work.restarted_code(), message));
        }
        tokio::select! {
            biased;
            lost = attempt.beat() => Err(lost.into()),
            () = until(deadline.map(|(_, end)| end)) => {
                let message = deadline.map_or_else(String::new, |(time, _)| {
                    format!("the job was to be done by {time}")
                });
                Err(JobFailure::new(Code::JobDeadlineExceeded, message))
            }
            outcome = self.work.run(attempt, spec) => outcome,
        }
    }

    async fn complete(&self, attempt: &Attempt, done: Done) -> Result<(), JobFailure> {
        let outcome = done.failed.map_or(Ok(()), |problem| Err(*problem));
        tracing::info!(
            job.id = %attempt.job, job.attempt = attempt.number,
            error.code = outcome.as_ref().err().map(|problem| problem.code.as_str()), "job completed"
        );
        let fill = |status: &mut JobStatus| {
            attempt.show(status);
            status.manifest_digest = done.manifest_digest;
            status.plan_digest = done.plan_digest;
            status.report_attempt = done.report_attempt;
            status.cut = done.cut;
            status.volumes = done.volumes;
            status.snapshot_window_millis = done.snapshot_window_millis;
            status.preview = done.preview;
        };
        self.conclude(&attempt.status, fill, outcome).await
    }

    /// Writes the final state.
    async fn conclude(
        &self,
        status: &StatusWriter,
        fill: impl FnOnce(&mut JobStatus),
        outcome: Result<(), Problem>,
    ) -> Result<(), JobFailure> {
        let now = self.environment.clock.now();
        status
            .write(|status| {
                fill(status);
                status.completed = Some(now);
                status.error = outcome.as_ref().err().map(job_error);
                status.state = match (&outcome, status.findings) {
                    (Err(_), _) => JobState::Failed,
                    (Ok(()), 0) => JobState::Completed,
                    (Ok(()), _) => JobState::CompletedWithWarnings,
                };
            })
            .await
    }
}

/// Resolves at a moment; never when there is none.
async fn until(end: Option<Instant>) {
    match end {
        Some(end) => tokio::time::sleep_until(end).await,
        None => std::future::pending().await,
    }
}

fn job_error(problem: &Problem) -> JobError {
    JobError {
        code: problem.code.as_str().to_owned(),
        message: problem.message.chars().take(STATUS_MESSAGE_CHARS).collect(),
        recommended_action: problem.recommended_action().to_owned(),
    }
}
