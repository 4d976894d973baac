//! How far a restore has durably come: two positions in the custom resource's status.
//!
//! Before a batch is applied, its end is recorded as *intended*; after its outcomes are durable in
//! the report, the same end is recorded as *reported* (with the next batch's intent, so a batch
//! costs one write). An entry before `reported` is in the report; one between the two is in doubt.

use strongroom_kubernetes::crd::RestoreJournal;

use crate::job::{Attempt, JobFailure};

/// The journal of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Journal {
    /// What the attempts before left.
    found: RestoreJournal,
    now: RestoreJournal,
}

impl Journal {
    /// What earlier attempts left in the status.
    pub(super) fn found(attempt: &Attempt) -> Self {
        let found = attempt.found.journal.unwrap_or_default();
        Self { found, now: found }
    }

    /// A journal that nothing is written to: a validation changes nothing, so nothing is in doubt.
    pub(super) fn unused() -> Self {
        Self {
            found: RestoreJournal::default(),
            now: RestoreJournal::default(),
        }
    }

    /// Entries before this position are in the report of an earlier attempt.
    pub(super) fn reported_before(&self) -> u64 {
        self.found.reported
    }

    /// The attempt whose report holds them, and how many of its lines belong to them.
    pub(super) fn report_before(&self) -> (u32, u64) {
        (self.found.report_attempt, self.found.report_lines)
    }

    /// Whether an earlier attempt may have written the entry at this position.
    pub(super) fn is_in_doubt(&self, position: u64) -> bool {
        position < self.found.intended
    }

    /// Records that entries before `end` are about to be written.
    pub(super) async fn intend(&mut self, attempt: &Attempt, end: u64) -> Result<(), JobFailure> {
        self.now.intended = self.now.intended.max(end);
        self.write(attempt).await
    }

    /// Notes that entries before `end` are durable in this attempt's report; recorded with the next
    /// write.
    pub(super) fn reported(&mut self, attempt: &Attempt, end: u64, lines: u64) {
        self.now.reported = end;
        self.now.report_attempt = attempt.number;
        self.now.report_lines = lines;
    }

    /// Records what was noted.
    pub(super) async fn write(&self, attempt: &Attempt) -> Result<(), JobFailure> {
        let now = self.now;
        attempt
            .status
            .write(|status| {
                status.journal = Some(now);
                attempt.show(status);
            })
            .await
    }
}
