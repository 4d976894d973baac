//! One walk through a recovery point: three parts that run at the same time. One goes ahead and sends
//! entries off ([`feed`](super::feed)), one handles them ([`fly`](super::fly)), one tells what became
//! of them and keeps the journal ([`teller`](super::teller)).

use std::sync::Mutex;

use strongroom_core::Code;
use strongroom_kubernetes::crd::{RestoreMode, RestoreSpec};
use tokio::sync::{mpsc, watch};

use super::apply::Applier;
use super::calls::Calls;
use super::feed::Feed;
use super::fly;
use super::item::WorkingLine;
use super::journal::Journal;
use super::open::Opened;
use super::planned::{PlanDigest, Planned};
use super::preflight;
use super::settle::HeldLines;
use super::target::Target;
use super::teller::{Grants, Teller, unwritable};
use crate::job::{Attempt, JobFailure};
use crate::limits::{APPLIES_QUEUED, REPORT_PAGE};
use crate::reporting::Report;

/// One walk through a recovery point.
pub(super) struct Walk<'a> {
    attempt: &'a Attempt,
    spec: &'a RestoreSpec,
    opened: &'a Opened,
    pub(super) applier: Applier<'a>,
    journal: Journal,
    planned: Option<Planned>,
    digest: PlanDigest,
    /// Lines of the report that are not final.
    held: HeldLines,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        attempt: &'a Attempt,
        spec: &'a RestoreSpec,
        opened: &'a Opened,
        target: Target,
        journal: Journal,
    ) -> Self {
        let (_, lines) = journal.report_before();
        let digest = spec
            .plan_digest
            .as_deref()
            .filter(|_| spec.mode == RestoreMode::Apply);
        // What an earlier attempt has compared is passed over, but for the look-ahead.
        let skip = lines.saturating_sub(REPORT_PAGE as u64);
        let applier = Applier {
            attempt,
            spec,
            opened,
            point: &opened.point,
            target,
            calls: Calls::new(&attempt.environment),
            owners: super::owners::Owners::default(),
            classes: super::classes::Classes::default(),
            namespaces: super::namespaces::Namespaces::default(),
            stuck: super::stuck::Stuck::default(),
            offer: super::volumes::Offer::default(),
            trials: Mutex::default(),
            forbidden: std::collections::BTreeMap::new(),
        };
        Self {
            attempt,
            spec,
            opened,
            applier,
            journal,
            planned: Planned::open(&opened.repository, digest, skip),
            digest: PlanDigest::default(),
            held: HeldLines::default(),
        }
    }

    /// The digest of the plan that was walked.
    pub(super) fn plan_digest(&self) -> String {
        self.digest.text(self.attempt.job, self.attempt.number)
    }

    /// How many lines of the report are not final.
    pub(super) fn held(&self) -> HeldLines {
        self.held
    }

    /// Takes over the report of the attempt before, then goes on behind it.
    pub(super) async fn resume_and_run(
        &mut self,
        report: &mut Report<'_>,
    ) -> Result<(), JobFailure> {
        let reported = self.journal.reported_before();
        let (attempt, lines) = self.journal.report_before();
        let mut next = 0;
        while next < lines {
            let take = (lines - next).min(REPORT_PAGE as u64);
            let repository = &self.opened.repository;
            let page = repository.read_report(self.attempt.job, attempt, next, take);
            let page = page.await?;
            for text in &page.lines {
                self.take_over(text, report).await?;
            }
            if page.lines.is_empty() {
                let message = format!("the report of attempt {attempt} ends before line {lines}");
                return Err(JobFailure::new(Code::RecoveryPointCorrupt, message));
            }
            next += page.lines.len() as u64;
        }
        if lines > 0 {
            let progress = &self.attempt.progress;
            progress.add_outside(reported.saturating_sub(lines));
            report.flush().await?;
            self.journal
                .reported(self.attempt, reported, report.lines());
            self.journal.write(self.attempt).await?;
        }
        self.run(report).await
    }

    async fn take_over(&mut self, text: &[u8], report: &mut Report<'_>) -> Result<(), JobFailure> {
        let working: WorkingLine = serde_json::from_slice(text).map_err(unwritable)?;
        if let Some(held) = working.held {
            self.held.note(Some(held.why));
            return report.append(text).await;
        }
        report.add(working.line).await
    }

    /// Walks.
    pub(super) async fn run(&mut self, report: &mut Report<'_>) -> Result<(), JobFailure> {
        self.applier
            .attempt
            .progress
            .set_total(self.opened.sequence.total());
        self.applier.namespaces.look_around(&self.applier).await?;
        if self.spec.mode == RestoreMode::Validate {
            self.applier.forbidden = preflight::forbidden(&self.applier).await?;
        }
        let (work, taken) = mpsc::channel(APPLIES_QUEUED);
        let (landing, landed) = mpsc::unbounded_channel();
        let (wanted, asked) = watch::channel(0);
        let (granted, allowed) = watch::channel(0);
        let (told, heard) = watch::channel(0);
        let (handled, done) = watch::channel(0);
        let (_, lines) = self.journal.report_before();
        let done_before = self.journal.reported_before();
        let feed = Feed {
            applier: &self.applier,
            done_before,
            in_doubt_before: self.journal.in_doubt_before(),
            work,
            wanted,
            granted: allowed,
            handled: done,
            told: heard,
            cursor: None,
            way: None,
            sent: 0,
        };
        let mut teller = Teller {
            attempt: self.attempt,
            mode: self.spec.mode,
            report,
            journal: &mut self.journal,
            planned: &mut self.planned,
            digest: &mut self.digest,
            held: &mut self.held,
            end: done_before,
        };
        if lines == 0 {
            for line in preflight::matches_nothing(self.opened).await? {
                teller.add(line).await?;
            }
        }
        let grants = Grants {
            wanted: asked,
            granted,
            told,
        };
        tokio::try_join!(
            feed.run(),
            fly::fly(&self.applier, taken, landing, &handled),
            teller.run(landed, grants),
        )?;
        if self.spec.mode == RestoreMode::Validate {
            for line in preflight::beyond_quotas(&self.applier).await? {
                self.digest.add(&line);
                report.add(line).await?;
            }
        }
        Ok(())
    }
}
