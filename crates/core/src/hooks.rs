//! Hooks: which commands run in which pods. Here those of a backup, before (freeze) and after (thaw) the
//! snapshots; those of a restore, which share the shape of a command and the choice of pods, are in
//! [`crate::restore::hooks`].
//!
//! Contract: [`BackupHook`] is a hook as it is understood, whatever the shape in which it was written;
//! [`plan`] is a pure function of hooks and pods. The freeze goes through the hooks in their stated order
//! and through the commands of each in theirs; the thaw goes through the hooks in the opposite order and
//! through the commands of each in their stated one. One command of one hook is a [`Stage`]: its pods are
//! handled beside each other, stages one after the other. A pod that a hook does not run in although it
//! matches is passed over with the reason.
//!
//! The thaw of a pod is due from the moment at which the first command of the hook is about to run in it,
//! whatever happens then: [`Plan::due`]. [`after`] says what follows from a command that failed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::{Code, Problem};
use crate::limits::{
    HOOK_COMMAND_BYTES, HOOK_RUNS_MAX, HOOK_TIMEOUT, HOOK_TIMEOUT_MAX, HOOK_WAIT, HOOK_WAIT_MAX,
};
use crate::object::Owner;
use crate::selection::LabelSelector;

pub mod duration;
#[cfg(test)]
mod tests;

/// What follows when a command of a hook fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnError {
    /// A finding, and the backup goes on.
    Continue,
    /// The backup fails; what is frozen is thawed. The published default.
    #[default]
    Fail,
}

/// A command of a hook. It is executed as it stands, not by a shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// The container; none is the pod's first.
    pub container: Option<String>,
    /// What follows when it fails.
    pub on_error: OnError,
    /// How long it may take.
    pub timeout: Duration,
    /// How long its container is waited for; not at all in a backup, whose pods run already.
    pub wait: Duration,
}

/// Which kind of hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookKind {
    /// `BackupHook`: around the snapshots of a backup.
    Backup,
    /// `RestoreHook`: in the pods that a restore made.
    Restore,
}

impl HookKind {
    /// The kind and the plural of its custom resource.
    #[must_use]
    pub const fn resource(self) -> (&'static str, &'static str) {
        match self {
            Self::Backup => ("BackupHook", "backuphooks"),
            Self::Restore => ("RestoreHook", "restorehooks"),
        }
    }

    /// The published field that names hooks of this kind.
    #[must_use]
    pub const fn field(self) -> &'static str {
        match self {
            Self::Backup => "backupHookReferences",
            Self::Restore => "restoreHookReferences",
        }
    }

    /// What it means that one does not exist.
    #[must_use]
    pub const fn not_found(self) -> Code {
        match self {
            Self::Backup => Code::UserErrorBackupHookNotFound,
            Self::Restore => Code::UserErrorRestoreHookNotFound,
        }
    }

    /// What it means that one cannot be followed.
    #[must_use]
    pub const fn invalid(self) -> Code {
        match self {
            Self::Backup => Code::UserErrorInvalidBackupHook,
            Self::Restore => Code::UserErrorInvalidRestoreHook,
        }
    }
}

/// The pods that a hook speaks of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Pods of these namespaces only; none is every namespace of the backup or the restore.
    pub included_namespaces: BTreeSet<String>,
    /// Not pods of these.
    pub excluded_namespaces: BTreeSet<String>,
    /// Only pods with these labels.
    pub selector: LabelSelector,
}

impl Scope {
    /// Whether it speaks of pods of a namespace.
    #[must_use]
    pub fn covers(&self, namespace: &str) -> bool {
        let included =
            self.included_namespaces.is_empty() || self.included_namespaces.contains(namespace);
        included && !self.excluded_namespaces.contains(namespace)
    }

    /// Whether it speaks of a pod.
    #[must_use]
    pub fn matches(&self, pod: &PodFacts) -> bool {
        self.covers(&pod.namespace) && self.selector.matches(&pod.labels)
    }
}

/// A hook as it is understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupHook {
    /// As in `shop/freeze: mysql`, for reports: the object's namespace and name, and the hook's own name.
    pub name: String,
    /// The pods that it speaks of.
    pub scope: Scope,
    /// Run before the snapshot, in order.
    pub pre: Vec<Action>,
    /// Run after the snapshot, in order, whatever happened to it.
    pub post: Vec<Action>,
}

/// What must be known of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodFacts {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid: a pod of the same name with another one is another pod.
    pub uid: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Names of its containers in their order, those that run beside them (sidecars) behind.
    pub containers: Vec<String>,
    /// As in `Running`.
    pub phase: String,
    /// Whether it is being deleted.
    pub ending: bool,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// The owner that controls it.
    pub controller: Option<Owner>,
    /// Its containers that run, by their names.
    pub running: BTreeSet<String>,
    /// Why others do not run yet, as in `ImagePullBackOff`.
    pub waiting: BTreeMap<String, String>,
}

/// A container in which a command runs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Target {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod.
    pub pod: String,
    /// The pod's uid.
    pub uid: String,
    /// The container.
    pub container: String,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            namespace,
            pod,
            container,
            ..
        } = self;
        write!(f, "{namespace}/{pod} ({container})")
    }
}

/// One command of one hook, and where it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// The hook's place among the hooks.
    pub hook: usize,
    /// The command's place among those of the hook that run at the same side of the snapshot.
    pub place: usize,
    /// The command.
    pub action: Action,
    /// Where it runs, sorted.
    pub targets: Vec<Target>,
}

/// Whether a stage of the thaw is due once the first `begun` stages of the freeze have been begun.
/// `first` is the first of them that belongs to the same hook; what freezes nothing is due in any case.
#[must_use]
pub fn is_due(first: Option<usize>, begun: usize) -> bool {
    first.is_none_or(|first| first < begun)
}

/// A pod that a hook does not run in although it matches, or not with all commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassedOver {
    /// The hook's place among the hooks.
    pub hook: usize,
    /// The pod's namespace and name.
    pub pod: (String, String),
    /// Why.
    pub reason: String,
    /// When the hook cannot do there what it is meant to: what that means. None when there is nothing for
    /// it to do.
    pub trouble: Option<OnError>,
}

/// What runs where, in which order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Before the snapshots, one after the other.
    pub freeze: Vec<Stage>,
    /// After the snapshots, one after the other.
    pub thaw: Vec<Stage>,
    /// Pods in which something does not run.
    pub passed_over: Vec<PassedOver>,
    /// Hooks that match no pod at all.
    pub idle: Vec<usize>,
}

impl Plan {
    /// Whether nothing runs anywhere.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.freeze.is_empty() && self.thaw.is_empty()
    }

    /// The first stage of the freeze that belongs to a hook.
    #[must_use]
    pub fn first_of(&self, hook: usize) -> Option<usize> {
        self.freeze.iter().position(|stage| stage.hook == hook)
    }

    /// The part of the thaw that is due once the first `begun` stages of the freeze have been begun: that
    /// of their hooks, and that of hooks that freeze nothing.
    pub fn due(&self, begun: usize) -> impl Iterator<Item = &Stage> {
        self.thaw
            .iter()
            .filter(move |thaw| is_due(self.first_of(thaw.hook), begun))
    }
}

/// Plans the commands of hooks over the pods that they may speak of.
///
/// # Errors
/// [`Code::UserErrorInvalidBackupHook`] when a limit is exceeded; [`Code::BackupHookFailed`] when a hook
/// that must not fail names a container that a pod does not have: nothing is frozen then.
pub fn plan(hooks: &[BackupHook], pods: &[PodFacts]) -> Result<Plan, Problem> {
    let mut sorted: Vec<&PodFacts> = pods.iter().collect();
    sorted.sort_by_key(|pod| (&pod.namespace, &pod.name));
    let mut plan = Plan::default();
    let mut thaws = Vec::new();
    for (at, hook) in hooks.iter().enumerate() {
        let matched: Vec<_> = sorted
            .iter()
            .filter(|pod| hook.scope.matches(pod))
            .collect();
        if matched.is_empty() {
            plan.idle.push(at);
        }
        let mut taken = Vec::new();
        for pod in matched {
            match unfit(pod) {
                None => taken.push(*pod),
                Some(reason) => plan.passed_over.push(passed(at, pod, reason, None)),
            }
        }
        plan.freeze
            .extend(stages(at, &hook.pre, &taken, &mut plan.passed_over));
        thaws.push(stages(at, &hook.post, &taken, &mut plan.passed_over));
    }
    plan.thaw = thaws.into_iter().rev().flatten().collect();
    check_containers(hooks, &plan)?;
    check_limits(&plan)?;
    Ok(plan)
}

/// Why nothing runs in a pod.
fn unfit(pod: &PodFacts) -> Option<String> {
    if pod.ending {
        return Some("the pod is being deleted".to_owned());
    }
    (pod.phase != "Running").then(|| format!("the pod is {}, not Running", pod.phase))
}

pub(crate) fn passed(
    hook: usize,
    pod: &PodFacts,
    reason: String,
    trouble: Option<OnError>,
) -> PassedOver {
    PassedOver {
        hook,
        pod: (pod.namespace.clone(), pod.name.clone()),
        reason,
        trouble,
    }
}

/// The stages of one list of commands; those that run nowhere are left out.
pub(crate) fn stages<'a>(
    hook: usize,
    actions: impl IntoIterator<Item = &'a Action>,
    pods: &[&PodFacts],
    passed_over: &mut Vec<PassedOver>,
) -> Vec<Stage> {
    let mut stages = Vec::new();
    for (place, action) in actions.into_iter().enumerate() {
        let mut targets = Vec::new();
        for pod in pods {
            let container = match &action.container {
                Some(named) => pod.containers.iter().find(|one| *one == named),
                None => pod.containers.first(),
            };
            if let Some(container) = container {
                targets.push(Target {
                    namespace: pod.namespace.clone(),
                    pod: pod.name.clone(),
                    uid: pod.uid.clone(),
                    container: container.clone(),
                });
            } else {
                let name = action.container.as_deref().unwrap_or_default();
                let reason = format!(
                    "the pod has no container {name}; it has {}",
                    pod.containers.join(", ")
                );
                passed_over.push(passed(hook, pod, reason, Some(action.on_error)));
            }
        }
        if !targets.is_empty() {
            stages.push(Stage {
                hook,
                place,
                action: action.clone(),
                targets,
            });
        }
    }
    stages
}

/// A command that cannot run and must not fail is better known before anything is frozen.
fn check_containers(hooks: &[BackupHook], plan: &Plan) -> Result<(), Problem> {
    let lost = plan
        .passed_over
        .iter()
        .find(|one| one.trouble == Some(OnError::Fail));
    let Some(lost) = lost else { return Ok(()) };
    let name = hooks.get(lost.hook).map_or("", |hook| hook.name.as_str());
    let (namespace, pod) = &lost.pod;
    let message = format!(
        "hook {name} cannot run in pod {namespace}/{pod}: {}; nothing was frozen",
        lost.reason
    );
    Err(Problem::new(Code::BackupHookFailed, message))
}

fn check_limits(plan: &Plan) -> Result<(), Problem> {
    let refuse = |message| Err(Problem::new(Code::UserErrorInvalidBackupHook, message));
    for (stages, what) in [(&plan.freeze, "preHooks"), (&plan.thaw, "postHooks")] {
        let runs: usize = stages.iter().map(|stage| stage.targets.len()).sum();
        if runs > HOOK_RUNS_MAX {
            return refuse(format!(
                "{what} would run {runs} commands; at most {HOOK_RUNS_MAX} are accepted"
            ));
        }
        let words = stages.iter().flat_map(|stage| &stage.action.command);
        let bytes: usize = words.map(String::len).sum();
        if bytes > HOOK_COMMAND_BYTES {
            return refuse(format!(
                "the commands of {what} have {bytes} bytes; at most {HOOK_COMMAND_BYTES} are accepted"
            ));
        }
    }
    Ok(())
}

/// What follows from a command that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// A finding with this code; the next command runs.
    GoOn(Code),
    /// What is frozen is thawed, and the job fails with this code.
    Stop(Code),
}

/// What follows from a command before the snapshots that failed.
#[must_use]
pub fn after(on_error: OnError) -> After {
    match on_error {
        OnError::Continue => After::GoOn(Code::BackupHookFailed),
        OnError::Fail => After::Stop(Code::BackupHookFailed),
    }
}

/// A hook as it was written, before it is understood; what custom resources hold, without their shape.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WrittenAction {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// The container, when one is named.
    pub container: Option<String>,
    /// `Continue` or `Fail`, when it is said.
    pub on_error: Option<String>,
    /// As in `30s`, when it is said.
    pub timeout: Option<String>,
    /// How long its container is waited for, when it is said.
    pub wait: Option<String>,
}

/// What is published of a kind of hook and differs from the other's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// What follows from a failure unless it is said.
    pub on_error: OnError,
    /// The field that says how long a command may take.
    pub timeout: &'static str,
    /// How long its container is waited for unless it is said.
    pub wait: Duration,
}

impl Published {
    /// Of a backup's hooks.
    pub const BACKUP: Self = Self {
        on_error: OnError::Fail,
        timeout: "timeout",
        wait: Duration::ZERO,
    };
    /// Of a restore's hooks.
    pub const RESTORE: Self = Self {
        on_error: OnError::Continue,
        timeout: "execTimeout",
        wait: HOOK_WAIT,
    };
}

impl WrittenAction {
    /// The command as it is understood.
    ///
    /// # Errors
    /// What is wrong with it, with the field.
    pub fn understand(self, published: Published) -> Result<Action, String> {
        if self.command.first().is_none_or(String::is_empty) {
            return Err("command: it names no program".to_owned());
        }
        let on_error = match self.on_error.as_deref() {
            None => published.on_error,
            Some("Fail") => OnError::Fail,
            Some("Continue") => OnError::Continue,
            Some(other) => return Err(format!("onError: {other:?} is neither Continue nor Fail")),
        };
        let timeout = match self.timeout.as_deref() {
            None => HOOK_TIMEOUT,
            Some(text) => duration::parse(text, HOOK_TIMEOUT_MAX)
                .map_err(|why| format!("{}: {why}", published.timeout))?,
        };
        let wait = match self.wait.as_deref() {
            None => published.wait,
            Some(text) => {
                duration::parse(text, HOOK_WAIT_MAX).map_err(|why| format!("waitTimeout: {why}"))?
            }
        };
        Ok(Action {
            command: self.command,
            container: self.container.filter(|name| !name.is_empty()),
            on_error,
            timeout,
            wait,
        })
    }
}
