//! Hooks of a restore: which commands run in the pods that it made.
//!
//! Contract: [`RestoreHook`] is a hook as it is understood, whatever the shape in which it was written. Hooks
//! run one after the other, in their stated order; a hook runs in its pods as they come ([`coming`]), in
//! each of them command after command. [`turn`] is a pure function of a hook and of pods that have come: one
//! command is a [`Stage`], whose pods are handled beside each other. A pod that the hook does not run in
//! although it matches is passed over with the reason. [`after`] says what follows from a command that
//! failed. Which pods a restore made is known from its report; see `extension/restore/hooks`.

use std::time::Duration;

use crate::error::{Code, Problem};
use crate::hooks::{self, Action, After, OnError, PassedOver, PodFacts, Scope, Stage};
use crate::limits::HOOK_RUNS_MAX;

pub mod coming;

/// A hook as it is understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreHook {
    /// As in `shop/seed: db`, for reports: the object's namespace and name, and the hook's own name.
    pub name: String,
    /// The pods that it speaks of, by the namespaces in which they are after the restore.
    pub scope: Scope,
    /// Run in each of them, in order.
    pub post: Vec<Action>,
}

impl RestoreHook {
    /// How long its pods are waited for: as long as the most patient of its commands waits.
    #[must_use]
    pub fn wait(&self) -> Duration {
        let waits = self.post.iter().map(|action| action.wait);
        waits.max().unwrap_or_default()
    }

    /// What follows when pods do not come: what follows when the strictest of its commands fails.
    #[must_use]
    pub fn on_absence(&self) -> OnError {
        let strict = |action: &Action| action.on_error == OnError::Fail;
        if self.post.iter().any(strict) {
            OnError::Fail
        } else {
            OnError::Continue
        }
    }
}

/// What a hook runs in pods that have come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// One command after the other.
    pub stages: Vec<Stage>,
    /// Pods in which something does not run.
    pub passed_over: Vec<PassedOver>,
}

impl Turn {
    /// Commands in all pods together.
    #[must_use]
    pub fn runs(&self) -> usize {
        self.stages.iter().map(|stage| stage.targets.len()).sum()
    }

    /// The first pod that lacks a container without which the hook must not go on: then nothing of it runs
    /// in the pods that came with it.
    #[must_use]
    pub fn obstacle(&self) -> Option<&PassedOver> {
        let mut passed_over = self.passed_over.iter();
        passed_over.find(|one| one.trouble == Some(OnError::Fail))
    }
}

/// Plans the commands of the hook at a place among the hooks, over pods that it matches.
#[must_use]
pub fn turn(at: usize, hook: &RestoreHook, pods: &[PodFacts]) -> Turn {
    let mut sorted: Vec<&PodFacts> = pods.iter().collect();
    sorted.sort_by_key(|pod| (&pod.namespace, &pod.name));
    let mut passed_over = Vec::new();
    let mut taken = Vec::new();
    for pod in sorted {
        match unfit(pod) {
            None => taken.push(pod),
            Some(reason) => passed_over.push(hooks::passed(at, pod, reason, None)),
        }
    }
    let stages = hooks::stages(at, &hook.post, &taken, &mut passed_over);
    Turn {
        stages,
        passed_over,
    }
}

/// Why nothing will ever run in a pod. One that does not run yet is waited for.
fn unfit(pod: &PodFacts) -> Option<String> {
    if pod.ending {
        return Some("the pod is being deleted".to_owned());
    }
    let ended = matches!(pod.phase.as_str(), "Succeeded" | "Failed");
    ended.then(|| format!("the pod has ended: {}", pod.phase))
}

/// Whether one more turn of this many commands may run after those that were run already.
///
/// # Errors
/// [`Code::UserErrorInvalidRestoreHook`] when there would be too many.
pub fn check_runs(before: usize, turn: &Turn) -> Result<usize, Problem> {
    let all = before.saturating_add(turn.runs());
    if all <= HOOK_RUNS_MAX {
        return Ok(all);
    }
    let message = format!(
        "the hooks of the restore would run {all} commands; at most {HOOK_RUNS_MAX} are accepted"
    );
    Err(Problem::new(Code::UserErrorInvalidRestoreHook, message))
}

/// What follows from a command that failed.
#[must_use]
pub fn after(on_error: OnError) -> After {
    match on_error {
        OnError::Continue => After::GoOn(Code::RestoreHookFailed),
        OnError::Fail => After::Stop(Code::RestoreHookFailed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hook() -> RestoreHook {
        let action = |program: &str, wait| Action {
            command: vec![program.to_owned()],
            container: None,
            on_error: OnError::Continue,
            timeout: Duration::from_secs(30),
            wait: Duration::from_secs(wait),
        };
        RestoreHook {
            name: "shop/seed: db".to_owned(),
            scope: Scope::default(),
            post: vec![action("seed", 10), action("check", 60)],
        }
    }

    fn pod(name: &str, phase: &str) -> PodFacts {
        PodFacts {
            namespace: "shop".to_owned(),
            name: name.to_owned(),
            containers: vec!["main".to_owned()],
            phase: phase.to_owned(),
            ..PodFacts::default()
        }
    }

    #[test]
    fn each_command_runs_in_all_pods_that_came_before_the_next_one_does() {
        let pods = [pod("b", "Running"), pod("a", "Pending")];
        let turn = turn(0, &hook(), &pods);
        let said: Vec<_> = turn
            .stages
            .iter()
            .map(|stage| {
                let pods = stage.targets.iter().map(|one| one.pod.as_str());
                let pods: Vec<_> = pods.collect();
                format!("{} in {}", stage.action.command[0], pods.join("+"))
            })
            .collect();
        assert_eq!(said, ["seed in a+b", "check in a+b"]);
        assert_eq!(turn.runs(), 4);
        assert_eq!(hook().wait(), Duration::from_secs(60));
    }

    #[test]
    fn a_pod_that_has_ended_is_passed_over_and_one_without_the_container_is_trouble() {
        let mut leaving = pod("c", "Running");
        leaving.ending = true;
        let mut named = hook();
        named.post[1].container = Some("nosuch".to_owned());
        let pods = [pod("a", "Succeeded"), leaving, pod("d", "Running")];
        let told = turn(0, &named, &pods);
        let reasons: Vec<_> = told
            .passed_over
            .iter()
            .map(|one| one.reason.as_str())
            .collect();
        assert_eq!(
            reasons,
            [
                "the pod has ended: Succeeded",
                "the pod is being deleted",
                "the pod has no container nosuch; it has main"
            ]
        );
        assert_eq!(told.runs(), 1);
        assert_eq!(told.obstacle(), None);
        named.post[1].on_error = OnError::Fail;
        let told = turn(0, &named, &pods);
        assert_eq!(told.obstacle().map(|one| one.pod.1.as_str()), Some("d"));
        assert_eq!(named.on_absence(), OnError::Fail);
    }

    #[test]
    fn no_more_commands_run_than_the_limit_says() {
        let pods = [pod("a", "Running")];
        let turn = turn(0, &hook(), &pods);
        assert_eq!(check_runs(HOOK_RUNS_MAX - 2, &turn), Ok(HOOK_RUNS_MAX));
        let problem = check_runs(HOOK_RUNS_MAX - 1, &turn).unwrap_err();
        assert_eq!(problem.code, Code::UserErrorInvalidRestoreHook);
    }

    #[test]
    fn a_command_that_fails_stops_the_hooks_only_if_it_must_not() {
        assert_eq!(
            after(OnError::Continue),
            After::GoOn(Code::RestoreHookFailed)
        );
        assert_eq!(after(OnError::Fail), After::Stop(Code::RestoreHookFailed));
    }
}
