//! A restore: from a custom resource and a recovery point to objects in the cluster, or to the plan of
//! that.
//!
//! open → discover → plan (mode Validate) or apply → relink (mode Apply) → report. The entries of a
//! recovery point have one order ([`sequence`]): by wave, then type, then name. Everything is
//! streamed in that order in batches. What is decided over an object ([`plan`]) is the same
//! function in both modes; only mode Apply acts on it ([`apply`]).
//!
//! A restore that is taken over goes on where the report of the attempt before ends. What that
//! attempt may have written beyond it is known from the [`journal`], which records how far a batch
//! reaches before its first write: an object in doubt that is younger than the job and carries our
//! field manager was created by it. Nothing is ever written on users' objects to know that.

mod apply;
mod batch;
mod journal;
mod namespaces;
mod observe;
mod open;
mod owners;
mod plan;
mod planned;
mod relink;
mod sequence;
mod target;
mod walk;

use strongroom_kubernetes::crd::{RestoreMode, RestoreSpec};

use self::journal::Journal;
use self::target::Target;
use self::walk::Walk;
use crate::job::{Attempt, Done, JobFailure, Step};
use crate::reporting::Report;

/// Carries out one attempt at a restore or its validation.
///
/// # Errors
/// See [`JobFailure`].
pub async fn run(attempt: &Attempt, spec: &RestoreSpec) -> Result<Done, JobFailure> {
    let opened = attempt.step(Step::Open, open::open(attempt, spec)).await?;
    let target = attempt
        .step(Step::Discover, Target::discover(attempt))
        .await?;
    let mut report = Report::start(attempt, &opened.repository);
    let digest = match spec.mode {
        RestoreMode::Validate => {
            let mut walk = Walk::new(attempt, spec, &opened, target, Journal::unused());
            attempt.step(Step::Plan, walk.run(&mut report)).await?;
            Some(walk.plan_digest())
        }
        RestoreMode::Apply => {
            let journal = Journal::found(attempt);
            let mut walk = Walk::new(attempt, spec, &opened, target, journal);
            attempt
                .step(Step::Apply, walk.resume_and_run(&mut report))
                .await?;
            attempt
                .step(Step::Relink, relink::relink(&walk, &mut report))
                .await?;
            spec.plan_digest.clone()
        }
    };
    attempt.step(Step::Report, report.finish()).await?;
    Ok(Done {
        report_attempt: Some(attempt.number),
        plan_digest: digest,
        manifest_digest: Some(opened.point.digest().to_owned()),
        cut: opened.cut,
    })
}
