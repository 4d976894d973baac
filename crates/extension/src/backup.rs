//! A backup: from a custom resource to a sealed recovery point.
//!
//! open → discover → plan → collect → report → seal. Nothing exists before the seal but packs and
//! report segments that nothing refers to; with it the recovery point exists, and its header holds
//! all that the job's status tells. So an attempt that finds the point sealed by this job completes
//! with what the header says, and every other attempt begins at the beginning; what earlier attempts
//! sent to the store is not sent again.

mod collect;
mod discover;
mod listing;
mod open;
mod plan;
mod preview;
mod related;
mod revisions;
mod seal;
mod sink;
mod trouble;

use strongroom_core::Code;
use strongroom_kubernetes::crd::BackupSpec;

use self::open::Opened;
pub use self::preview::preview;
use crate::job::{Attempt, Done, JobFailure, Step};
use crate::reporting::Report;

/// Carries out one attempt at a backup. `use_parent` is false when an attempt before found the
/// parent recovery point damaged: then everything is sent anew.
///
/// # Errors
/// See [`JobFailure`]; [`Code::RecoveryPointCorrupt`] speaks of the parent.
pub async fn run(
    attempt: &Attempt,
    spec: &BackupSpec,
    use_parent: bool,
) -> Result<Done, JobFailure> {
    let repository = match attempt.step(Step::Open, open::open(attempt, spec)).await? {
        Opened::Sealed(done) => return Ok(done),
        Opened::Fresh(repository) => repository,
    };
    let found = attempt
        .step(Step::Discover, discover::discover(attempt))
        .await?;
    let plan = attempt
        .step(Step::Plan, async { plan::plan(spec, &found) })
        .await?;
    let mut report = Report::start(attempt, &repository);
    let parent = spec.parent_recovery_point_id.filter(|_| use_parent);
    let collecting = collect::collect(attempt, &repository, spec, parent, &plan, &mut report);
    let mut collected = attempt.step(Step::Collect, collecting).await?;
    attempt.step(Step::Report, report.finish()).await?;
    let sealing = seal::seal(attempt, &repository, spec, found, &mut collected);
    attempt.step(Step::Seal, sealing).await
}

/// Whether a failure means that the parent recovery point cannot be built upon.
#[must_use]
pub fn is_damaged_parent(failure: &JobFailure) -> bool {
    matches!(failure, JobFailure::Final(problem) if problem.code == Code::RecoveryPointCorrupt)
}
