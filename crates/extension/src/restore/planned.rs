//! The plan that a validation showed, read alongside the restore that carries it out.
//!
//! A plan's digest names the report that holds it: `sha256:<hex>@<job>/<attempt>`. Both go in the same
//! order, so the plan is streamed; nothing of it is kept but a page.

use std::collections::VecDeque;

use sha2::{Digest as _, Sha256};
use strongroom_core::report::{ObjectOutcome, Outcome};
use strongroom_core::{Code, ObjectRef};
use strongroom_repository::Repository;
use uuid::Uuid;

use crate::job::JobFailure;
use crate::limits::{PLAN_CHANGES_NAMED, PLAN_LOOKAHEAD, REPORT_PAGE};

/// Sums up a plan.
#[derive(Debug, Clone, Default)]
pub(super) struct PlanDigest(Sha256);

impl PlanDigest {
    /// Adds one line: what would become of which object, and with which code.
    pub(super) fn add(&mut self, line: &ObjectOutcome) {
        let code = line.code.as_deref().unwrap_or_default();
        self.0
            .update(format!("{}\t{}\t{code}\n", line.object, line.outcome));
    }

    /// The digest with the place of the plan.
    pub(super) fn text(&self, job: Uuid, attempt: u32) -> String {
        let hash: String = self
            .0
            .clone()
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        format!("sha256:{hash}@{job}/{attempt}")
    }
}

/// The report that a digest names.
fn place(digest: &str) -> Option<(Uuid, u32)> {
    let (_, place) = digest.split_once('@')?;
    let (job, attempt) = place.split_once('/')?;
    Some((job.parse().ok()?, attempt.parse().ok()?))
}

/// The lines of a validated plan, in order.
#[derive(Debug)]
pub(super) struct Planned {
    repository: Repository,
    place: (Uuid, u32),
    next: Option<u64>,
    lines: VecDeque<ObjectOutcome>,
    named: usize,
}

impl Planned {
    /// The plan of a digest, from line `skip` on; none when the digest names no report.
    pub(super) fn open(repository: &Repository, digest: Option<&str>, skip: u64) -> Option<Self> {
        let place = place(digest?)?;
        let lines = VecDeque::new();
        Some(Self {
            repository: repository.clone(),
            place,
            next: Some(skip),
            lines,
            named: 0,
        })
    }

    /// Compares what became of an object with what was planned, and says so in its line.
    pub(super) async fn compare(&mut self, line: &mut ObjectOutcome) -> Result<(), JobFailure> {
        let planned = self.outcome_of(&line.object).await?;
        // Whether the cluster or the restore is first to make it is a race that nobody loses.
        if line.object.kind == "ServiceAccount" && line.object.name == "default" {
            return Ok(());
        }
        let changed = match planned {
            Some(planned) => planned != line.outcome && line.outcome != Outcome::Failed,
            None => false,
        };
        if let (true, Some(planned)) = (changed, planned) {
            self.named += 1;
            if self.named <= PLAN_CHANGES_NAMED {
                line.reason = format!("{} (the plan that was shown said {planned})", line.reason);
            }
            if line.code.is_none() {
                line.code = Some(Code::UserErrorRestorePlanChanged.as_str().to_owned());
            }
        }
        Ok(())
    }

    async fn outcome_of(&mut self, object: &ObjectRef) -> Result<Option<Outcome>, JobFailure> {
        while self.lines.len() < PLAN_LOOKAHEAD && self.read_page().await? {}
        let ahead = self.lines.iter().take(PLAN_LOOKAHEAD);
        let Some(at) = ahead
            .map(|line| &line.object)
            .position(|planned| planned == object)
        else {
            return Ok(None);
        };
        self.lines.drain(..at);
        Ok(self.lines.pop_front().map(|line| line.outcome))
    }

    async fn read_page(&mut self) -> Result<bool, JobFailure> {
        let Some(skip) = self.next else {
            return Ok(false);
        };
        let (job, attempt) = self.place;
        let page = match self
            .repository
            .read_report(job, attempt, skip, REPORT_PAGE as u64)
            .await
        {
            Ok(page) => page,
            // The report of a validation is kept for a while only; without it nothing is compared.
            Err(error) if error.is_not_found() || error.is_corrupt() => {
                self.next = None;
                return Ok(false);
            }
            Err(error) => return Err(error.into()),
        };
        self.next = page.next;
        self.lines.extend(
            page.lines
                .iter()
                .filter_map(|line| serde_json::from_slice(line).ok()),
        );
        Ok(!page.lines.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_names_the_report_that_holds_the_plan() {
        let job = Uuid::from_u128(7);
        let text = PlanDigest::default().text(job, 3);
        assert!(text.len() <= 128, "it must fit into the custom resource");
        assert_eq!(place(&text), Some((job, 3)));
        assert_eq!(place("sha256:00"), None);
    }
}
