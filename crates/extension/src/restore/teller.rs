//! Writes the report of a restore in the order of the sequence, and its journal ahead of what is
//! applied.
//!
//! Entries land in any order. Their lines wait here until those before them have landed; the number of
//! those that wait is bounded by who sends them off. The report is made durable before the journal says
//! so, and the journal before anything that it covers is sent off: [`Grants`].

use std::collections::BTreeMap;

use strongroom_core::report::ObjectOutcome;
use strongroom_kubernetes::crd::RestoreMode;
use tokio::sync::{mpsc, watch};

use super::fly::Landed;
use super::journal::Journal;
use super::planned::{PlanDigest, Planned};
use super::settle::{self, HeldLines};
use crate::crash::Moment;
use crate::job::{Attempt, JobFailure, Step};
use crate::reporting::Report;

/// How far entries may be sent off.
#[derive(Debug)]
pub(super) struct Grants {
    /// The position that is asked for.
    pub(super) wanted: watch::Receiver<u64>,
    /// The position that the journal covers.
    pub(super) granted: watch::Sender<u64>,
    /// How many entries are told.
    pub(super) told: watch::Sender<u64>,
}

/// Tells what became of entries.
pub(super) struct Teller<'w, 'r> {
    pub(super) attempt: &'w Attempt,
    pub(super) mode: RestoreMode,
    pub(super) report: &'w mut Report<'r>,
    pub(super) journal: &'w mut Journal,
    pub(super) planned: &'w mut Option<Planned>,
    pub(super) digest: &'w mut PlanDigest,
    /// Lines that are not final, in this report.
    pub(super) held: &'w mut HeldLines,
    pub(super) end: u64,
}

impl Teller<'_, '_> {
    /// Tells until nothing more lands.
    pub(super) async fn run(
        mut self,
        mut landed: mpsc::UnboundedReceiver<Landed>,
        mut grants: Grants,
    ) -> Result<(), JobFailure> {
        let mut waiting: BTreeMap<u64, Landed> = BTreeMap::new();
        let mut next = 0;
        let mut asked = true;
        loop {
            let wanted = *grants.wanted.borrow_and_update();
            if wanted > *grants.granted.borrow() {
                self.journal.intend(wanted);
                self.record().await?;
                // Nobody sends anything off any more only when the restore has failed already.
                let _ = grants.granted.send(wanted);
            }
            tokio::select! {
                one = landed.recv() => {
                    let Some(one) = one else { break };
                    waiting.insert(one.number, one);
                }
                changed = grants.wanted.changed(), if asked => asked = changed.is_ok(),
            }
            while let Some(one) = waiting.remove(&next) {
                if next == 0 && self.mode == RestoreMode::Apply {
                    self.attempt.reach(Step::Apply, Moment::During).await;
                }
                next += 1;
                self.tell(one).await?;
                grants.told.send_replace(next);
            }
        }
        self.record().await
    }

    /// Makes the report durable and the journal after it.
    async fn record(&mut self) -> Result<(), JobFailure> {
        if self.mode == RestoreMode::Validate {
            return Ok(());
        }
        self.report.flush().await?;
        let lines = self.report.lines();
        self.journal.reported(self.attempt, self.end, lines);
        self.journal.write(self.attempt).await
    }

    async fn tell(&mut self, one: Landed) -> Result<(), JobFailure> {
        for line in one.before {
            self.add(line).await?;
        }
        self.end = one.position + 1;
        if one.told.hold.is_none() {
            return self.add(one.told.line).await;
        }
        self.held.note(one.told.hold);
        settle::tell(one.told, one.position, self.report).await
    }

    /// Adds a final line.
    pub(super) async fn add(&mut self, mut line: ObjectOutcome) -> Result<(), JobFailure> {
        if let Some(planned) = self.planned {
            planned.compare(&mut line).await?;
        }
        self.digest.add(&line);
        self.report.add(line).await
    }
}

pub(super) fn unwritable(error: serde_json::Error) -> JobFailure {
    JobFailure::new(
        strongroom_core::Code::InternalServerError,
        error.to_string(),
    )
}
