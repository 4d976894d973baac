//! Hooks of a backup: all pre-hooks, then all snapshots, then all post-hooks.
//!
//! Contract: what is frozen is thawed, whatever happens. What will have to be thawed is durable
//! ([`journal`]) before the first command runs, and whoever comes next carries it out ([`keeper`]): the
//! same attempt in its turn, when a hook, a snapshot or the time failed; the same process, when the job was
//! cancelled; the next process, when this one died. An application stands frozen for the budget at most;
//! then it is thawed, and the snapshots that are not cut by then fail. What runs where is decided by `strongroom_core::hooks`.

mod journal;
mod keeper;
pub(crate) mod record;
pub(crate) mod run;

use std::collections::BTreeSet;
use std::pin::{Pin, pin};
use std::sync::OnceLock;

use strongroom_core::hooks::{self, After, BackupHook, HookKind, Plan, PodFacts};
use strongroom_core::limits::HOOK_RUNS_MAX;
use strongroom_core::report::{ObjectOutcome, Outcome};
use strongroom_core::selection::{HookReference, Selector};
use strongroom_core::{Code, ObjectRef, Problem};
use strongroom_kubernetes::{crd, exec, hooks as kubernetes_hooks};
use tokio::sync::Notify;
use tokio::time::Instant;

use self::journal::{Entered, Journal};
use self::keeper::Held;
pub use self::keeper::{Freezes, Keeper};
use self::run::{Ran, pod_named};
use crate::crash::Moment;
use crate::job::{Attempt, JobFailure};

/// How the taking of snapshots and the hooks wait for each other.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    freezes: bool,
    asks: Notify,
    frozen: Notify,
    cut: Notify,
    over: OnceLock<Problem>,
}

impl Gate {
    /// The gate of one backup, which has hooks or not.
    pub(crate) fn new(freezes: bool) -> Self {
        Self {
            freezes,
            ..Self::default()
        }
    }

    /// Whether there are hooks, so that snapshots are worth something only when they are cut behind it.
    pub(crate) fn freezes(&self) -> bool {
        self.freezes
    }

    /// Called by who takes snapshots, before the first is asked for: waits until all pre-hooks have run.
    pub(crate) async fn enter(&self) {
        self.asks.notify_one();
        self.frozen.notified().await;
    }

    /// Called by who takes snapshots, once all of them are cut: the post-hooks may run.
    pub(crate) fn all_cut(&self) {
        self.cut.notify_one();
    }

    /// Why no snapshot that is cut from now on is of the frozen state, once that is so. Whoever takes them
    /// asks after having looked at the cluster: what it said before is of the frozen state.
    pub(crate) fn over(&self) -> Option<&Problem> {
        self.over.get()
    }
}

/// The hooks of a backup as they are understood.
pub(crate) struct Hooks<'a> {
    attempt: &'a Attempt,
    selector: &'a Selector,
    hooks: Vec<BackupHook>,
    /// Lines for the report.
    lines: Vec<ObjectOutcome>,
}

impl<'a> Hooks<'a> {
    /// No hooks yet.
    pub(crate) fn new(attempt: &'a Attempt, selector: &'a Selector) -> Self {
        Self {
            attempt,
            selector,
            hooks: Vec::new(),
            lines: Vec::new(),
        }
    }

    /// The lines of what was done, also of what failed.
    pub(crate) fn into_lines(self) -> Vec<ObjectOutcome> {
        self.lines
    }

    /// Carries `work` out with the pre-hooks of the named hooks before its snapshots and their post-hooks
    /// behind them.
    ///
    /// # Errors
    /// What `work` fails with; [`Code::UserErrorBackupHookNotFound`] and what is wrong with a hook, before
    /// anything is asked for; [`Code::BackupHookFailed`].
    pub(crate) async fn around<T>(
        &mut self,
        references: &[HookReference],
        gate: &Gate,
        work: impl Future<Output = Result<T, JobFailure>>,
    ) -> Result<T, JobFailure> {
        for reference in references {
            let cluster = &self.attempt.environment.cluster;
            self.hooks
                .extend(kubernetes_hooks::of_backup(cluster, reference).await??);
        }
        if self.hooks.is_empty() {
            gate.frozen.notify_one();
            return work.await;
        }
        let attempt = self.attempt;
        let _held = Held::by(&attempt.environment, attempt.job);
        let by = by(attempt);
        let earlier = keeper::thaw_of_earlier(&attempt.environment, attempt.job, &by).await?;
        self.lines.extend(earlier);
        let mut work = pin!(work);
        // Work that takes no snapshot is over before it asks; the hooks run all the same.
        let done = tokio::select! {
            done = &mut work => Some(done?),
            () = gate.asks.notified() => None,
        };
        let plan = self.plan().await?;
        if plan.is_empty() {
            gate.frozen.notify_one();
            return finish(done, work).await;
        }
        let mut freeze = Freeze::begin(self, &plan).await?;
        let frozen = freeze.run(&plan, gate).await;
        let mut result = match (frozen, done) {
            (Err(failure), _) => Err(failure),
            (Ok(()), Some(done)) => Ok(Some(done)),
            (Ok(()), None) => freeze.until_cut(gate, work.as_mut()).await,
        };
        let thawing = freeze.thaw(gate);
        // The drivers' work on what is cut goes on beside the thaw.
        let thawed = if let Ok(None) = &result {
            let mut thawing = pin!(thawing);
            tokio::select! {
                done = &mut work => { result = done.map(Some); thawing.await }
                thawed = &mut thawing => thawed,
            }
        } else {
            thawing.await
        };
        let done = result?;
        thawed?;
        finish(done, work).await
    }

    /// Plans over the pods that are there now.
    async fn plan(&mut self) -> Result<Plan, JobFailure> {
        let plan = hooks::plan(&self.hooks, &self.pods().await?)?;
        for at in &plan.idle {
            let reason = "it matches no pod of the namespaces that are backed up";
            let line = ObjectOutcome::new(self.hook_ref(*at), Outcome::Skipped, reason);
            self.lines
                .push(line.with_code(Code::BackupHookMatchesNothing));
        }
        for one in &plan.passed_over {
            let (namespace, pod) = &one.pod;
            let hook = self.name(one.hook);
            let reason = format!("hook {hook} does not run here: {}", one.reason);
            let line = ObjectOutcome::new(pod_named(namespace, pod), Outcome::Skipped, reason);
            self.lines.push(match one.trouble {
                Some(_) => line.with_code(Code::BackupHookFailed),
                None => line,
            });
        }
        Ok(plan)
    }

    /// The pods of the namespaces that are backed up of which some hook speaks.
    async fn pods(&self) -> Result<Vec<PodFacts>, JobFailure> {
        let cluster = &self.attempt.environment.cluster;
        let mut matched = Vec::new();
        let mut take = |pod: PodFacts| {
            let wanted = self.selector.decide_namespace(&pod.namespace).included
                && self.hooks.iter().any(|hook| hook.scope.matches(&pod));
            // One more than may be handled is enough to say that there are too many.
            if wanted && matched.len() <= HOOK_RUNS_MAX {
                matched.push(pod);
            }
        };
        match self.namespaces() {
            Some(namespaces) => {
                for namespace in &namespaces {
                    exec::pods(cluster, Some(namespace), &mut take).await?;
                }
            }
            None => exec::pods(cluster, None, &mut take).await?,
        }
        if matched.len() > HOOK_RUNS_MAX {
            let message = format!("the hooks match more than {HOOK_RUNS_MAX} pods");
            return Err(JobFailure::new(Code::UserErrorInvalidBackupHook, message));
        }
        Ok(matched)
    }

    /// The namespaces that the hooks speak of, when they all name theirs and these are few.
    fn namespaces(&self) -> Option<BTreeSet<String>> {
        let named = |hook: &BackupHook| !hook.scope.included_namespaces.is_empty();
        if !self.hooks.iter().all(named) {
            return None;
        }
        let scopes = self.hooks.iter().map(|hook| &hook.scope);
        let all = scopes.flat_map(|scope| scope.included_namespaces.iter().cloned());
        let all: BTreeSet<String> = all.collect();
        (all.len() <= crate::limits::NAMESPACES_LISTED_ALONE).then_some(all)
    }

    fn name(&self, hook: usize) -> &str {
        self.hooks.get(hook).map_or("", |hook| hook.name.as_str())
    }

    fn hook_ref(&self, hook: usize) -> ObjectRef {
        hook_named(HookKind::Backup, self.name(hook))
    }

    fn tell(&mut self, ran: &[Ran], trouble: Code) {
        self.lines.extend(ran.iter().map(|ran| ran.line(trouble)));
    }
}

/// What work comes to that may be over already.
async fn finish<T>(
    done: Option<T>,
    work: impl Future<Output = Result<T, JobFailure>>,
) -> Result<T, JobFailure> {
    match done {
        Some(done) => Ok(done),
        None => work.await,
    }
}

/// The custom resource of a hook by the name that reports have for the hook.
pub(crate) fn hook_named(of: HookKind, hook: &str) -> ObjectRef {
    let (kind, plural) = of.resource();
    let kind = crd::resource_type(kind, plural);
    let (place, _) = hook.split_once(": ").unwrap_or_default();
    let (namespace, name) = place.split_once('/').unwrap_or_default();
    ObjectRef::new(&kind, Some(namespace), name)
}

/// A freeze in hand.
struct Freeze<'h, 'a> {
    hooks: &'h mut Hooks<'a>,
    entered: Entered,
    /// When the first command was begun.
    began: Instant,
}

impl<'h, 'a> Freeze<'h, 'a> {
    /// Makes durable what will have to be thawed.
    async fn begin(hooks: &'h mut Hooks<'a>, plan: &Plan) -> Result<Self, JobFailure> {
        let attempt = hooks.attempt;
        let journal = Journal::of(attempt.job, &hooks.hooks, plan);
        let entered = Entered::enter(&attempt.environment, journal).await?;
        reach(attempt, "freeze", Moment::Before).await;
        Ok(Self {
            hooks,
            entered,
            began: Instant::now(),
        })
    }

    /// Runs the pre-hooks, stage after stage, within the budget.
    async fn run(&mut self, plan: &Plan, gate: &Gate) -> Result<(), JobFailure> {
        let budget = self.hooks.attempt.environment.freeze_budget;
        let over = self.over();
        match tokio::time::timeout(budget, self.stages(plan)).await {
            Ok(done) => done,
            Err(_elapsed) => {
                gate.over.get_or_init(|| over);
                Ok(())
            }
        }
    }

    /// Lets the snapshots be taken, and returns when they are cut, or the budget is used up. What the work
    /// comes to when it ends before that.
    async fn until_cut<T>(
        &mut self,
        gate: &Gate,
        mut work: Pin<&mut impl Future<Output = Result<T, JobFailure>>>,
    ) -> Result<Option<T>, JobFailure> {
        gate.frozen.notify_one();
        let attempt = self.hooks.attempt;
        let left = attempt.environment.freeze_budget;
        let left = left.saturating_sub(self.began.elapsed());
        let over = self.over();
        let cutting = async {
            tokio::select! {
                done = &mut work => done.map(Some),
                () = gate.cut.notified() => Ok(None),
                () = tokio::time::sleep(left) => {
                    gate.over.get_or_init(|| over);
                    Ok(None)
                }
            }
        };
        let by = by(attempt);
        let noting = self.entered.note(&attempt.environment, &by);
        let (cut, noted) = tokio::join!(cutting, noting);
        noted.and(cut)
    }

    async fn stages(&mut self, plan: &Plan) -> Result<(), JobFailure> {
        let attempt = self.hooks.attempt;
        let environment = &attempt.environment;
        for (at, stage) in plan.freeze.iter().enumerate() {
            self.entered.begin(environment, &by(attempt)).await?;
            if at == 0 {
                self.began = Instant::now();
            }
            let hook = self.hooks.name(stage.hook).to_owned();
            let ran = run::freeze(&environment.cluster, &hook, stage).await;
            reach(attempt, "freeze", Moment::During).await;
            if let Some(failure) = ran.iter().find_map(Ran::unreachable) {
                return Err(failure);
            }
            let after = hooks::after(stage.action.on_error);
            if ran.iter().all(Ran::has_ended) {
                self.entered.end_seen();
            }
            let (After::GoOn(code) | After::Stop(code)) = after;
            self.hooks.tell(&ran, code);
            let failed = ran.iter().find(|ran| !ran.is_well());
            if let (After::Stop(code), Some(failed)) = (after, failed) {
                return Err(JobFailure::new(code, failed.sentence()));
            }
        }
        reach(attempt, "freeze", Moment::After).await;
        Ok(())
    }

    /// What is told of snapshots that are not cut when the budget is used up.
    fn over(&self) -> Problem {
        let budget = self.hooks.attempt.environment.freeze_budget;
        let message = format!(
            "the application was frozen for {} s, which is as long as it may; it was thawed before this was \
             done",
            budget.as_secs_f64()
        );
        Problem::new(Code::FreezeBudgetExceeded, message)
    }

    /// Runs the post-hooks that are due and removes the journal. Fails when another process has done so
    /// meanwhile: then nobody knows whether the snapshots are of the frozen state.
    async fn thaw(mut self, gate: &Gate) -> Result<(), JobFailure> {
        let attempt = self.hooks.attempt;
        let environment = &attempt.environment;
        let snapshots = self.began.elapsed();
        reach(attempt, "thaw", Moment::Before).await;
        // What this process has frozen it thaws, also when the journal is another's by now; so the thaw need
        // not wait for that to be known.
        let (due, by) = (self.entered.clone(), by(attempt));
        let claiming = self.entered.claim(environment, &by);
        let (claimed, ran) = tokio::join!(claiming, keeper::thaw(environment, &due));
        let ran = ran?;
        reach(attempt, "thaw", Moment::During).await;
        let frozen = self.began.elapsed();
        let again = keeper::finish(environment, &self.entered).await?;
        reach(attempt, "thaw", Moment::After).await;
        self.hooks.tell(&ran, Code::BackupHookThawFailed);
        self.hooks.tell(&again, Code::BackupHookThawFailed);
        let reason = format!(
            "from the first pre-hook to the last snapshot {} ms, to the last post-hook {} ms",
            snapshots.as_millis(),
            frozen.as_millis()
        );
        let mut object = self.hooks.hook_ref(0);
        object.namespace = None;
        "*".clone_into(&mut object.name);
        let millis = u64::try_from(frozen.as_millis()).unwrap_or(u64::MAX);
        let line = match gate.over() {
            None => ObjectOutcome::new(object, Outcome::Ran, reason),
            Some(over) => {
                let reason = format!("{}; {reason}", over.message);
                ObjectOutcome::new(object, Outcome::Failed, reason).with_code(over.code)
            }
        };
        self.hooks.lines.push(line.with_millis(millis));
        attempt.progress.set_frozen_millis(millis);
        claimed
    }
}

/// A place where a test may kill the process.
async fn reach(attempt: &Attempt, part: &str, moment: Moment) {
    attempt
        .environment
        .crash
        .reach(part, moment, attempt.number)
        .await;
}

/// Who writes in a journal.
fn by(attempt: &Attempt) -> String {
    format!("attempt {}", attempt.number)
}
