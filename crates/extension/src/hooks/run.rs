//! Runs the commands of one stage, in all of its pods beside each other, and tells what became of them.

use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, stream};
use strongroom_core::hooks::{Stage, Target};
use strongroom_core::report::{ObjectOutcome, Outcome};
use strongroom_core::{Code, ObjectRef, ResourceType};
use strongroom_kubernetes::exec::{self, Exec, ExecError, ExecFailure, Output, Printed};
use strongroom_kubernetes::{Cluster, ClusterError};
use tokio::time::Instant;

use super::journal::Thaw;
use crate::job::{JobFailure, is_unreachable};
use crate::limits::{
    HOOK_OUTPUT_CHARS, HOOK_PODS_AT_ONCE, THAW_FIRST_PAUSE, THAW_TRIES, THAW_WAIT,
};

/// What became of a command in one pod.
#[derive(Debug)]
pub(crate) struct Ran {
    /// The hook.
    pub(crate) hook: String,
    /// The program.
    pub(crate) program: String,
    /// Where.
    pub(crate) target: Target,
    /// How long it took, all tries together.
    pub(crate) took: Duration,
    /// How often it was tried.
    pub(crate) tries: u32,
    /// Whether it thawed once more what may have been frozen behind the first thaw.
    pub(crate) again: bool,
    /// What came of it.
    pub(crate) end: End,
}

/// What came of a command.
#[derive(Debug)]
pub(crate) enum End {
    /// It ended well.
    Well(Output),
    /// The pod is gone, or another one of the same name is there.
    PodGone,
    /// It was never begun, for this reason.
    NeverRan(String),
    /// An earlier process began it, and its end was never heard of.
    Unheard,
    /// It did not end well.
    Badly(ExecError),
}

impl Ran {
    /// The API server's trouble, when it is one that passes and no fault of the hook.
    pub(crate) fn unreachable(&self) -> Option<JobFailure> {
        let End::Badly(error) = &self.end else {
            return None;
        };
        let ExecFailure::Cluster(failure) = &error.failure else {
            return None;
        };
        let error = ClusterError::new(error.doing.clone(), failure.clone());
        is_unreachable(&error).then(|| error.into())
    }

    /// Whether it ended well.
    pub(crate) fn is_well(&self) -> bool {
        matches!(self.end, End::Well(_))
    }

    /// Whether it is known to have ended: it freezes nothing any more.
    pub(super) fn has_ended(&self) -> bool {
        let error = match &self.end {
            End::Badly(error) => error,
            End::Unheard => return false,
            End::Well(_) | End::PodGone | End::NeverRan(_) => return true,
        };
        !matches!(
            error.failure,
            ExecFailure::TimedOut { .. }
                | ExecFailure::Interrupted { .. }
                | ExecFailure::Cluster(_)
        )
    }

    /// In a sentence: what ran where, and what came of it.
    pub(crate) fn sentence(&self) -> String {
        let Self {
            hook,
            program,
            target,
            ..
        } = self;
        let end = match &self.end {
            End::Well(output) => format!("it ended well{}", printed(output)),
            End::PodGone => "the pod is gone".to_owned(),
            End::NeverRan(why) => why.clone(),
            End::Unheard => {
                "it was begun when the extension was interrupted and may have run; it is not \
                             run again"
                    .to_owned()
            }
            End::Badly(error) => format!("{}{}", error.failure, printed(&error.output)),
        };
        let tries = match self.tries {
            0 | 1 => String::new(),
            tries => format!(" ({tries} tries)"),
        };
        let again = if self.again {
            ", once more because a freeze may have taken effect behind the first thaw"
        } else {
            ""
        };
        format!("hook {hook}, {program} in pod {target}{again}: {end}{tries}")
    }

    /// Its line in the report; `trouble` is the code when it did not end well.
    pub(crate) fn line(&self, trouble: Code) -> ObjectOutcome {
        // A thaw of what is not frozen may well fail, and the first one has told of trouble already.
        let is_well = self.is_well() || self.again;
        let outcome = if is_well {
            Outcome::Ran
        } else {
            Outcome::Failed
        };
        let line = ObjectOutcome::new(pod_ref(&self.target), outcome, self.sentence());
        let line = line.with_millis(u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX));
        if is_well {
            line
        } else {
            line.with_code(trouble)
        }
    }
}

/// A pod, as reports name objects.
fn pod_ref(target: &Target) -> ObjectRef {
    pod_named(&target.namespace, &target.pod)
}

/// The same by its namespace and name.
pub(crate) fn pod_named(namespace: &str, name: &str) -> ObjectRef {
    let pods = ResourceType::new("", "v1", "Pod", "pods", true);
    ObjectRef::new(&pods, Some(namespace), name)
}

/// The beginning of what a command printed.
fn printed(output: &Output) -> String {
    let one = |name: &str, printed: &Printed| {
        let text = printed.text();
        let text = text.trim_end();
        if text.is_empty() {
            return String::new();
        }
        let kept: String = text.chars().take(HOOK_OUTPUT_CHARS).collect();
        let left = printed.dropped() + (text.len() - kept.len()) as u64;
        let more = match left {
            0 => String::new(),
            left => format!(" … and {left} bytes more"),
        };
        format!("; {name}: {kept}{more}")
    };
    let (stderr, stdout) = (&output.stderr, &output.stdout);
    format!("{}{}", one("stderr", stderr), one("stdout", stdout))
}

/// Runs a stage of the freeze: each command once.
pub(super) async fn freeze(cluster: &Cluster, hook: &str, stage: &Stage) -> Vec<Ran> {
    let action = &stage.action;
    let runs = stage.targets.iter().map(|target| {
        let run = async move {
            let began = Instant::now();
            let end = once(cluster, target, &action.command, action.timeout).await;
            ran(hook, &action.command, target, began, 1, end)
        };
        run.boxed()
    });
    side_by_side(runs.collect()).await
}

/// Runs a stage of the thaw once more.
pub(super) async fn thaw_again(cluster: &Cluster, stage: &Thaw) -> Vec<Ran> {
    let runs = stage.targets.iter().map(|target| {
        let run = async move {
            let began = Instant::now();
            let end = once(cluster, target, &stage.command, stage.timeout()).await;
            let ran = ran(&stage.hook, &stage.command, target, began, 1, end);
            Ran { again: true, ..ran }
        };
        run.boxed()
    });
    side_by_side(runs.collect()).await
}

/// Runs a stage of the thaw: each command again and again for a while until it ends well.
pub(super) async fn thaw(cluster: &Cluster, stage: &Thaw) -> Vec<Ran> {
    let runs = stage
        .targets
        .iter()
        .map(|target| thaw_one(cluster, stage, target).boxed());
    side_by_side(runs.collect()).await
}

pub(crate) async fn side_by_side(runs: Vec<BoxFuture<'_, Ran>>) -> Vec<Ran> {
    stream::iter(runs)
        .buffered(HOOK_PODS_AT_ONCE)
        .collect()
        .await
}

async fn thaw_one(cluster: &Cluster, stage: &Thaw, target: &Target) -> Ran {
    let began = Instant::now();
    let (mut tries, mut pause) = (1, THAW_FIRST_PAUSE);
    loop {
        let end = once(cluster, target, &stage.command, stage.timeout()).await;
        let again = tries < THAW_TRIES && began.elapsed() < THAW_WAIT && may_pass(&end);
        if !again {
            return ran(&stage.hook, &stage.command, target, began, tries, end);
        }
        tokio::time::sleep(pause).await;
        (tries, pause) = (tries + 1, pause * 2);
    }
}

/// Whether another try may come to something else.
fn may_pass(end: &End) -> bool {
    let End::Badly(error) = end else { return false };
    !matches!(
        error.failure,
        ExecFailure::PodGone | ExecFailure::ContainerAbsent | ExecFailure::CommandAbsent { .. }
    )
}

/// Runs a command in the pod that was planned for, and in no other one of the same name.
pub(crate) async fn once(
    cluster: &Cluster,
    target: &Target,
    command: &[String],
    timeout: Duration,
) -> End {
    let exec = Exec {
        namespace: &target.namespace,
        pod: &target.pod,
        container: &target.container,
        command,
        timeout,
    };
    match exec::pod(cluster, &target.namespace, &target.pod).await {
        Ok(Some(pod)) if pod.uid == target.uid => {}
        Ok(_) => return End::PodGone,
        Err(error) => {
            return End::Badly(ExecError {
                doing: exec.to_string(),
                failure: ExecFailure::Cluster(error.failure),
                output: Box::default(),
            });
        }
    }
    match exec::exec(cluster, &exec).await {
        Ok(output) => End::Well(output),
        Err(error) if matches!(error.failure, ExecFailure::PodGone) => End::PodGone,
        Err(error) => End::Badly(error),
    }
}

pub(crate) fn ran(
    hook: &str,
    command: &[String],
    target: &Target,
    began: Instant,
    tries: u32,
    end: End,
) -> Ran {
    Ran {
        hook: hook.to_owned(),
        program: command.first().cloned().unwrap_or_default(),
        target: target.clone(),
        took: began.elapsed(),
        tries,
        again: false,
        end,
    }
}
