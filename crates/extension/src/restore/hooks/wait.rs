//! Waits for a container and runs a command in it, once.

use std::time::Duration;

use strongroom_core::hooks::{Action, PodFacts, Target};
use strongroom_kubernetes::exec::{self, ExecFailure};
use tokio::time::Instant;

use crate::hooks::run::{self, End, Ran};
use crate::job::{Attempt, JobFailure};
use crate::limits::HOOK_LOOK;

/// Waits until a container runs, for `wait`, which ends at `until`. Returns why it never will, or why it is
/// waited for no longer.
pub(super) async fn running(
    attempt: &Attempt,
    target: &Target,
    until: Instant,
    wait: Duration,
) -> Result<Option<End>, JobFailure> {
    let cluster = &attempt.environment.cluster;
    loop {
        let pod = exec::pod(cluster, &target.namespace, &target.pod).await?;
        let Some(pod) = pod.filter(|pod| pod.uid == target.uid) else {
            return Ok(Some(End::PodGone));
        };
        if let Some(seen) = look(&pod, &target.container, Instant::now() >= until, wait) {
            return Ok(seen.err().map(End::NeverRan));
        }
        tokio::time::sleep(HOOK_LOOK).await;
    }
}

/// What one look at a pod says: that the container runs, or why it is waited for no longer. None when it is.
fn look(
    pod: &PodFacts,
    container: &str,
    is_over: bool,
    wait: Duration,
) -> Option<Result<(), String>> {
    if pod.ending {
        return Some(Err("the pod is being deleted".to_owned()));
    }
    if pod.running.contains(container) {
        return Some(Ok(()));
    }
    if matches!(pod.phase.as_str(), "Succeeded" | "Failed") {
        return Some(Err(format!("the pod has ended: {}", pod.phase)));
    }
    is_over.then(|| {
        let why = match pod.waiting.get(container) {
            Some(reason) => reason.clone(),
            None => format!("the pod is {}", pod.phase),
        };
        let seconds = wait.as_secs_f64();
        Err(format!(
            "its container did not run within {seconds} s: {why}"
        ))
    })
}

/// Runs a command. One that met a container which had just stopped has not run, and is tried again for as
/// long as the container is waited for.
pub(super) async fn run(
    attempt: &Attempt,
    (hook, action): (&str, &Action),
    target: &Target,
    until: Instant,
) -> Ran {
    let cluster = &attempt.environment.cluster;
    let (began, mut tries) = (Instant::now(), 1);
    loop {
        let end = run::once(cluster, target, &action.command, action.timeout).await;
        let stopped = matches!(&end, End::Badly(error)
            if matches!(error.failure, ExecFailure::NotRunning { .. }));
        if !stopped || Instant::now() >= until {
            return run::ran(hook, &action.command, target, began, tries, end);
        }
        tokio::time::sleep(HOOK_LOOK).await;
        tries += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_is_waited_for_until_it_runs_cannot_run_or_the_time_is_over() {
        let wait = Duration::from_millis(1_500);
        let mut pod = PodFacts {
            phase: "Pending".to_owned(),
            ..PodFacts::default()
        };
        assert_eq!(look(&pod, "db", false, wait), None);
        let said = |pod: &PodFacts| look(pod, "db", true, wait).unwrap().unwrap_err();
        assert_eq!(
            said(&pod),
            "its container did not run within 1.5 s: the pod is Pending"
        );
        pod.waiting
            .insert("db".to_owned(), "ImagePullBackOff".to_owned());
        assert!(said(&pod).ends_with("ImagePullBackOff"));
        pod.running.insert("db".to_owned());
        assert_eq!(look(&pod, "db", true, wait), Some(Ok(())));
        pod.running.clear();
        pod.phase = "Failed".to_owned();
        assert_eq!(
            look(&pod, "db", false, wait),
            Some(Err("the pod has ended: Failed".to_owned()))
        );
    }
}
