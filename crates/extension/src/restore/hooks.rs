//! Runs the hooks of a restore in the pods that it made, once everything is restored.
//!
//! Contract: a hook runs in pods that this restore made, directly or through workloads ([`made`]), and in no
//! others. Hooks run one after the other; each takes its pods as they come, for as long as it waits. What is
//! about to run and what has ended is written down first ([`journal`]), so that whoever takes the job over
//! runs no command twice: one whose end was never heard of is told and not run again. What runs where, and
//! what follows from a failure, is decided by `strongroom_core::restore::hooks`. The objects are restored
//! whatever comes of the hooks: a hook that must not fail makes the job fail, with its report.

mod journal;
mod made;
mod wait;

use std::collections::BTreeSet;

use futures::FutureExt as _;
use strongroom_core::hooks::{After, HookKind, OnError, PodFacts, Stage, Target};
use strongroom_core::report::{ObjectOutcome, Outcome};
use strongroom_core::restore::hooks::{self, RestoreHook};
use strongroom_core::{Code, ObjectRef, Problem};
use tokio::time::Instant;

use self::journal::{Journal, Key};
use self::made::{Made, Workload};
use super::apply::Applier;
use crate::crash::Moment;
use crate::hooks::hook_named;
use crate::hooks::run::{self, End, Ran, pod_named};
use crate::job::{JobFailure, Step};
use crate::limits::{ABSENT_PODS_TOLD, HOOK_LOOK, HOOK_PODS_AT_ONCE};
use crate::reporting::Report;

/// Runs the hooks of a restore, and tells what came of them in its report, which has this number. Returns
/// what the job fails with.
pub(super) async fn run(
    applier: &Applier<'_>,
    report: &mut Report<'_>,
    number: u32,
) -> Result<Option<Problem>, JobFailure> {
    let all = &applier.opened.hooks;
    if all.is_empty() {
        return Ok(None);
    }
    let made = match Made::read(applier, number, report.lines()).await {
        Ok(made) => made,
        // The objects are restored, and their report is not lost over it.
        Err(JobFailure::Final(problem)) => return Ok(Some(problem)),
        Err(failure) => return Err(failure),
    };
    let mut running = Running {
        made,
        journal: Journal::open(applier.attempt).await?,
        applier,
        report,
        began: Instant::now(),
        runs: 0,
    };
    let mut stopped: Option<Problem> = None;
    for (at, hook) in all.iter().enumerate() {
        if stopped.is_some() {
            let reason = "it does not run, because one before it has failed";
            running.tell_hook(hook, Outcome::Skipped, reason).await?;
        } else {
            stopped = match running.hook(at, hook).await {
                // What the cluster refuses to show is no reason to lose the report.
                Err(JobFailure::Final(problem)) => Some(problem),
                other => other?,
            };
        }
    }
    Ok(stopped)
}

/// Hooks in hand.
struct Running<'h, 'a, 'r> {
    applier: &'h Applier<'a>,
    report: &'h mut Report<'r>,
    made: Made<'h, 'a>,
    journal: Journal<'h>,
    /// When everything was restored: what waits counts from.
    began: Instant,
    /// Commands that were run so far.
    runs: usize,
}

/// What was seen of a hook's pods.
#[derive(Debug, Default)]
struct Seen {
    /// Pods in which it has run.
    done: BTreeSet<String>,
    /// Pods that it matches and that this restore did not make.
    foreign: usize,
    /// Workloads whose pods have not all come, with the reason.
    absent: Vec<(Workload, String)>,
}

impl Running<'_, '_, '_> {
    /// Runs one hook in its pods as they come. Returns what the job fails with.
    async fn hook(&mut self, at: usize, hook: &RestoreHook) -> Result<Option<Problem>, JobFailure> {
        let mut workloads = self.made.workloads(&hook.scope).await?;
        let may_come = self.made.may_come(&hook.scope);
        let mut seen = Seen::default();
        loop {
            let is_over = self.began.elapsed() >= hook.wait();
            // First the workloads: pods that have come by then are among those that are read next.
            seen.absent = self.made.without_their_pods(&workloads).await?;
            workloads = seen.absent.iter().map(|(one, _)| one.clone()).collect();
            let (mut pods, foreign) = self.made.pods(&hook.scope).await?;
            seen.foreign = foreign;
            pods.retain(|pod| !seen.done.contains(&pod.uid));
            let new = !pods.is_empty();
            seen.done.extend(pods.iter().map(|pod| pod.uid.clone()));
            if new && let Some(problem) = self.turn(at, hook, &pods).await? {
                return Ok(Some(problem));
            }
            let all_came = workloads.is_empty() && !new && !(seen.done.is_empty() && may_come);
            if all_came || is_over {
                return self.conclude(hook, &seen).await;
            }
            if !new {
                tokio::time::sleep(HOOK_LOOK).await;
            }
        }
    }

    /// Tells what a hook did not find.
    async fn conclude(
        &mut self,
        hook: &RestoreHook,
        seen: &Seen,
    ) -> Result<Option<Problem>, JobFailure> {
        for (workload, why) in seen.absent.iter().take(ABSENT_PODS_TOLD) {
            let reason = format!(
                "hook {} does not run in all of its pods: {why} after {} s",
                hook.name,
                hook.wait().as_secs()
            );
            let line = ObjectOutcome::new(workload.object(), Outcome::Failed, reason);
            self.report
                .add(line.with_code(Code::RestoreHookFailed))
                .await?;
        }
        if seen.done.is_empty() && seen.absent.is_empty() {
            let reason = match seen.foreign {
                0 => "it matches no pod that this restore made".to_owned(),
                some => format!(
                    "it matches no pod that this restore made; {some} others were left alone"
                ),
            };
            let line = ObjectOutcome::new(self.named(hook), Outcome::Skipped, reason);
            let line = line.with_code(Code::RestoreHookMatchesNothing);
            self.report.add(line).await?;
        } else if seen.foreign > 0 {
            let reason = format!(
                "hook {} left {} pods alone that it matches and that this restore did not make",
                hook.name, seen.foreign
            );
            self.tell_hook(hook, Outcome::Skipped, &reason).await?;
        }
        let Some((workload, why)) = seen.absent.first() else {
            return Ok(None);
        };
        if hook.on_absence() == OnError::Continue {
            return Ok(None);
        }
        let message = format!(
            "hook {} does not run in all pods of {}: {why}",
            hook.name,
            workload.object()
        );
        Ok(Some(Problem::new(Code::RestoreHookFailed, message)))
    }

    /// Runs a hook in pods that have come.
    async fn turn(
        &mut self,
        at: usize,
        hook: &RestoreHook,
        pods: &[PodFacts],
    ) -> Result<Option<Problem>, JobFailure> {
        let turn = hooks::turn(at, hook, pods);
        for one in &turn.passed_over {
            let (namespace, pod) = &one.pod;
            let reason = format!("hook {} does not run here: {}", hook.name, one.reason);
            let line = ObjectOutcome::new(pod_named(namespace, pod), Outcome::Skipped, reason);
            let line = match one.trouble {
                Some(_) => line.with_code(Code::RestoreHookFailed),
                None => line,
            };
            self.report.add(line).await?;
        }
        if let Some(one) = turn.obstacle() {
            let (namespace, pod) = &one.pod;
            let message = format!(
                "hook {} cannot run in pod {namespace}/{pod}: {}",
                hook.name, one.reason
            );
            return Ok(Some(Problem::new(Code::RestoreHookFailed, message)));
        }
        self.runs = match hooks::check_runs(self.runs, &turn) {
            Ok(runs) => runs,
            Err(problem) => return Ok(Some(problem)),
        };
        for stage in &turn.stages {
            if let Some(problem) = self.stage(hook, stage).await? {
                return Ok(Some(problem));
            }
        }
        Ok(None)
    }

    /// Runs one command, in some pods at a time.
    async fn stage(
        &mut self,
        hook: &RestoreHook,
        stage: &Stage,
    ) -> Result<Option<Problem>, JobFailure> {
        let after = hooks::after(stage.action.on_error);
        let (After::GoOn(code) | After::Stop(code)) = after;
        let mut failed = None;
        for targets in stage.targets.chunks(HOOK_PODS_AT_ONCE) {
            for mut line in self.some(hook, stage, targets).await? {
                if line.outcome != Outcome::Ran {
                    failed.get_or_insert_with(|| line.reason.clone());
                    line = line.with_code(code);
                }
                self.report.add(line).await?;
            }
        }
        Ok(match (after, failed) {
            (After::Stop(code), Some(why)) => Some(Problem::new(code, why)),
            _ => None,
        })
    }

    /// Runs one command in a few pods beside each other. Returns their lines, in the order of the pods.
    async fn some(
        &mut self,
        hook: &RestoreHook,
        stage: &Stage,
        targets: &[Target],
    ) -> Result<Vec<ObjectOutcome>, JobFailure> {
        let until = self.began + stage.action.wait;
        let attempt = self.applier.attempt;
        let key = |target: &Target| Key::of(stage, target);
        let told = |target: &Target, end: End| {
            let command = &stage.action.command;
            run::ran(&hook.name, command, target, Instant::now(), 1, end).line(after_code(stage))
        };
        let mut lines: Vec<Option<ObjectOutcome>> = Vec::with_capacity(targets.len());
        for target in targets {
            let unheard = || told(target, End::Unheard);
            lines.push(self.journal.told(&key(target), target, unheard));
        }
        let waits = targets.iter().zip(&lines).map(|(target, line)| async {
            match line {
                Some(_) => Ok(None),
                None => wait::running(attempt, target, until, stage.action.wait).await,
            }
        });
        let waited = futures::future::try_join_all(waits).await?;
        let mut ready = Vec::new();
        for ((target, line), trouble) in targets.iter().zip(&mut lines).zip(waited) {
            if let Some(end) = trouble {
                *line = Some(told(target, end));
            } else if line.is_none() {
                ready.push(target);
            }
        }
        if !ready.is_empty() {
            let keys: Vec<Key> = ready.iter().map(|target| key(target)).collect();
            self.journal.begin(&keys).await?;
            let runs = ready.iter().map(|target| {
                let (name, action) = (hook.name.as_str(), &stage.action);
                async move { wait::run(attempt, (name, action), target, until).await }.boxed()
            });
            let ran: Vec<Ran> = run::side_by_side(runs.collect()).await;
            attempt.reach(Step::Hooks, Moment::During).await;
            if let Some(failure) = ran.iter().find_map(Ran::unreachable) {
                return Err(failure);
            }
            let ran = ran.iter().map(|ran| ran.line(after_code(stage)));
            let ran: Vec<ObjectOutcome> = ran.collect();
            self.journal.end(&keys, &ran).await?;
            let empty = lines.iter_mut().filter(|line| line.is_none());
            for (line, ran) in empty.zip(ran) {
                *line = Some(ran);
            }
        }
        Ok(lines.into_iter().flatten().collect())
    }

    async fn tell_hook(
        &mut self,
        hook: &RestoreHook,
        outcome: Outcome,
        reason: &str,
    ) -> Result<(), JobFailure> {
        let line = ObjectOutcome::new(self.named(hook), outcome, reason);
        self.report.add(line).await
    }

    fn named(&self, hook: &RestoreHook) -> ObjectRef {
        hook_named(HookKind::Restore, &hook.name)
    }
}

fn after_code(stage: &Stage) -> Code {
    let (After::GoOn(code) | After::Stop(code)) = hooks::after(stage.action.on_error);
    code
}
