//! A restore: from a custom resource and a recovery point to objects in the cluster, or to the plan of
//! that.
//!
//! open → discover → plan (mode Validate) or apply → relink → hooks (mode Apply) → report. The entries of a
//! recovery point have one order ([`sequence`]): by wave, then type, then name. Everything is
//! streamed in that order ([`walk`]). What is decided over an object ([`plan`]) is the same
//! function in both modes; only mode Apply acts on it ([`apply`]). What cannot be finished when it is
//! met, because something that it needs comes later, has its last word at the end ([`settle`]). Then the
//! hooks run in the pods that were made ([`hooks`]). Where the volume of a claim comes from is in
//! [`volumes`].
//!
//! A restore that is taken over goes on where the report of the attempt before ends. What that
//! attempt may have written beyond it is known from the [`journal`], which records how far writes may
//! reach before they do: an object in doubt that is younger than the job and carries our
//! field manager was created by it. Nothing is ever written on users' objects to know that.

mod aggregated;
mod apply;
mod calls;
mod classes;
mod create;
mod feed;
mod fly;
mod foresee;
mod hooks;
mod item;
mod journal;
mod lines;
mod namespaces;
mod needed;
mod observe;
mod open;
mod owners;
mod pace;
mod plan;
mod planned;
mod preflight;
mod sequence;
mod settle;
mod stuck;
mod target;
mod teller;
pub(crate) mod volumes;
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
    let done = Done {
        report_attempt: Some(attempt.number),
        plan_digest: spec.plan_digest.clone(),
        manifest_digest: Some(opened.point.digest().to_owned()),
        cut: opened.cut.clone(),
        ..Done::default()
    };
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
            let settle = async {
                report.flush().await?;
                settle::settle(&walk.applier, report.lines(), walk.held()).await
            };
            let settled = attempt.step(Step::Relink, settle).await?;
            let (mut last, its_number) = settled.unwrap_or((report, attempt.number));
            let hooks = hooks::run(&walk.applier, &mut last, its_number);
            let failed = attempt.step(Step::Hooks, hooks).await?;
            attempt.step(Step::Report, last.finish()).await?;
            return Ok(Done {
                report_attempt: Some(its_number),
                failed: failed.map(Box::new),
                ..done
            });
        }
    };
    attempt.step(Step::Report, report.finish()).await?;
    Ok(Done {
        plan_digest: digest,
        ..done
    })
}
