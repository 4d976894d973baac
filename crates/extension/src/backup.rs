//! A backup: from a custom resource to a sealed recovery point.
//!
//! open and, at the same time, discover → plan; then collect → snapshot → report → seal. Nothing exists before the seal but packs and
//! report segments that nothing refers to, and volume snapshots that a ledger names; with it the recovery point exists, and its header holds
//! all that the job's status tells. So an attempt that finds the point sealed by this job completes
//! with what the header says, and every other attempt begins at the beginning; what earlier attempts
//! sent to the store is not sent again.

mod collect;
mod discover;
mod listing;
mod open;
mod plan;
mod preview;
mod probe;
mod related;
mod revisions;
mod seal;
mod sink;
mod trouble;

use strongroom_core::Code;
use strongroom_kubernetes::crd::BackupSpec;
use strongroom_repository::{PointWriter, Repository, WriterOptions};
use uuid::Uuid;

use self::discover::Found;
use self::open::Opened;
use self::plan::Plan;
pub use self::preview::preview;
use crate::crash::Moment;
use crate::hooks::{Gate, Hooks};
use crate::job::{Attempt, Done, JobFailure, Step};
use crate::reporting::Report;
use crate::volumes;

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
    let parent = spec.parent_recovery_point_id.filter(|_| use_parent);
    let prepared = tokio::try_join!(prepare_store(attempt, spec, parent), survey(attempt, spec));
    let ((repository, writer), (found, plan)) = match prepared {
        Ok(prepared) => prepared,
        Err(ended) => return ended,
    };
    let mut report = Report::start(attempt, &repository);
    let collecting = collect::collect(attempt, writer, spec, &plan, &mut report);
    let mut collected = attempt.step(Step::Collect, collecting).await?;
    let claims = std::mem::take(&mut collected.claims);
    let into = (&mut collected.writer, &mut report);
    let served = found.serves_snapshots();
    let references = &spec.selection.backup_hook_references;
    let gate = Gate::new(!references.is_empty());
    let protecting = volumes::protect(attempt, spec, &repository, served, claims, &gate, into);
    let protecting = Box::pin(protecting);
    let mut hooks = Hooks::new(attempt, &plan.selector);
    let protecting = hooks.around(references, &gate, protecting);
    let protected = attempt.step(Step::Snapshot, protecting).await;
    for line in hooks.into_lines() {
        report.add(line).await?;
    }
    if protected.is_err() {
        // What a hook printed is most wanted when it failed the job.
        report.flush().await?;
    }
    let mut protected = protected?;
    // The last pack goes its way beside the last segment of the report.
    let settling = async {
        let sending = async { Ok(collected.writer.settle().await?) };
        tokio::try_join!(report.finish(), sending).map(|((), ())| ())
    };
    attempt.step(Step::Report, settling).await?;
    let sealing = async {
        protected.about_to_seal(attempt).await?;
        attempt.reach(Step::Seal, Moment::During).await;
        let sealed = seal::seal(
            attempt,
            &repository,
            spec,
            found,
            &mut collected,
            &protected,
        )
        .await;
        match &sealed {
            Ok(_) => protected.sealed(attempt).await,
            Err(failure) => protected.not_sealed(attempt, &repository, failure).await,
        }
        sealed
    };
    attempt.step(Step::Seal, sealing).await
}

/// How a backup ends early: with what an earlier attempt sealed, or with a failure.
type Ended = Result<Done, JobFailure>;

/// What asks the store only: the repository, and a writer for the recovery point.
async fn prepare_store(
    attempt: &Attempt,
    spec: &BackupSpec,
    parent: Option<Uuid>,
) -> Result<(Repository, PointWriter), Ended> {
    let opened = attempt.step(Step::Open, open::open(attempt, spec)).await;
    let repository = match opened.map_err(Err)? {
        Opened::Sealed(done) => return Err(Ok(done)),
        Opened::Fresh(repository) => repository,
    };
    let options = WriterOptions {
        parent,
        attempt: attempt.number,
    };
    match repository.begin(spec.recovery_point_id, options).await {
        Ok(writer) => Ok((repository, writer)),
        Err(error) => Err(Err(error.into())),
    }
}

/// What asks the cluster only.
async fn survey(attempt: &Attempt, spec: &BackupSpec) -> Result<(Found, Plan), Ended> {
    let discovering = attempt.step(Step::Discover, discover::discover(attempt));
    let found = discovering.await.map_err(Err)?;
    let planning = attempt.step(Step::Plan, async { plan::plan(spec, &found) });
    let plan = planning.await.map_err(Err)?;
    Ok((found, plan))
}

/// Whether a failure means that the parent recovery point cannot be built upon.
#[must_use]
pub fn is_damaged_parent(failure: &JobFailure) -> bool {
    matches!(failure, JobFailure::Final(problem) if problem.code == Code::RecoveryPointCorrupt)
}
