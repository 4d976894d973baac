//! Writing a job's report: one line for each object, counted as it is written.

use strongroom_core::report::{ObjectOutcome, Outcome};
use strongroom_core::{Code, ObjectRef, ResourceType};
use strongroom_repository::{self as repository, ReportWriter, Repository};

use crate::job::{Attempt, JobFailure};

/// The longest reason in a line. API servers' words can be long; what a person needs is at their
/// beginning.
const REASON_CHARS: usize = 2_048;

/// The report of one attempt.
pub(crate) struct Report<'a> {
    attempt: &'a Attempt,
    writer: ReportWriter,
    lines: u64,
}

impl<'a> Report<'a> {
    /// Starts the report of this attempt.
    pub(crate) fn start(attempt: &'a Attempt, repository: &Repository) -> Self {
        let writer = repository.report_writer(attempt.job, attempt.number);
        Self {
            attempt,
            writer,
            lines: 0,
        }
    }

    /// Starts another report of this attempt, under a number of its own.
    pub(crate) fn start_as(attempt: &'a Attempt, repository: &Repository, number: u32) -> Self {
        Self {
            writer: repository.report_writer(attempt.job, number),
            ..Self::start(attempt, repository)
        }
    }

    /// Adds a line, as JSON, without counting it in the job's progress: one that was counted before, or
    /// that is not the last word.
    pub(crate) async fn append(&mut self, text: &[u8]) -> Result<(), JobFailure> {
        self.writer.append(text).await.map_err(lost_report)?;
        self.lines += 1;
        Ok(())
    }

    /// Adds a line and counts it in the job's progress.
    pub(crate) async fn add(&mut self, mut line: ObjectOutcome) -> Result<(), JobFailure> {
        if line.reason.len() > REASON_CHARS {
            line.reason = line.reason.chars().take(REASON_CHARS).collect();
        }
        self.writer.append_value(&line).await.map_err(lost_report)?;
        self.attempt.progress.add(&line);
        self.lines += 1;
        Ok(())
    }

    /// Lines so far.
    pub(crate) fn lines(&self) -> u64 {
        self.lines
    }

    /// Makes the lines so far durable.
    pub(crate) async fn flush(&mut self) -> Result<(), JobFailure> {
        self.writer.flush().await.map_err(lost_report)
    }

    /// Makes the report whole.
    pub(crate) async fn finish(self) -> Result<(), JobFailure> {
        self.writer.finish().await.map_err(lost_report)?;
        Ok(())
    }
}

/// A segment of this attempt's report that is there already was written by this very attempt in
/// another process's hands: the next attempt has a report of its own.
fn lost_report(error: repository::Error) -> JobFailure {
    match error {
        repository::Error::Exists { what } => {
            JobFailure::Unreachable(strongroom_core::Problem::new(
                Code::UserErrorBackupStorageLocationNotReady,
                format!("{what} is there already; another process wrote it"),
            ))
        }
        other => other.into(),
    }
}

/// A line on a type as a whole.
pub(crate) fn line_on_type(
    resource: &ResourceType,
    outcome: Outcome,
    reason: impl Into<String>,
) -> ObjectOutcome {
    ObjectOutcome::new(ObjectRef::new(resource, None, "*"), outcome, reason)
}
