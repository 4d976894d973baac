//! How far a restore has durably come: two positions in the custom resource's status.
//!
//! An entry is applied only when its position is before *intended*, which is recorded first; it is
//! before *reported* once its outcome is durable in the report. One write records both, and reaches
//! far ahead. An entry before `reported` is in the report; one between the two is in doubt.

use strongroom_kubernetes::crd::RestoreJournal;

use crate::job::{Attempt, JobFailure};

/// The journal of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Journal {
    /// What the attempts before left.
    found: RestoreJournal,
    now: RestoreJournal,
    /// Whether it is written: a validation changes nothing, so nothing is in doubt.
    written: bool,
}

impl Journal {
    /// What earlier attempts left in the status.
    pub(super) fn found(attempt: &Attempt) -> Self {
        let found = attempt.found.journal.unwrap_or_default();
        Self {
            found,
            now: RestoreJournal {
                since: attempt.since,
                ..found
            },
            written: true,
        }
    }

    /// A journal that is kept nowhere.
    pub(super) fn unused() -> Self {
        Self {
            found: RestoreJournal::default(),
            now: RestoreJournal::default(),
            written: false,
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

    /// Entries before this position may have been written by an earlier attempt.
    pub(super) fn in_doubt_before(&self) -> u64 {
        self.found.intended
    }

    /// Notes that entries before `end` are about to be written; recorded with the next write.
    pub(super) fn intend(&mut self, end: u64) {
        self.now.intended = self.now.intended.max(end);
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
        if !self.written {
            return Ok(());
        }
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
