//! Hooks of a restore in real pods. Needs a cluster with a node (`cargo xtask cluster up`); without one these
//! tests say that they are left out.

#[path = "restore_hooks/seeded.rs"]
mod seeded;

use serde_json::{Value, json};
use strongroom_core::report::{ObjectOutcome, Outcome};
use strongroom_extension::crash::CrashPoints;
use strongroom_kubernetes::crd::{JobState, RestoreMode};

use self::seeded::{Application, hook, run};
use super::killed_at;

fn ran(lines: &[ObjectOutcome]) -> Vec<&ObjectOutcome> {
    let ran = lines.iter().filter(|line| line.outcome == Outcome::Ran);
    ran.collect()
}

/// The codes that a report tells, each once.
fn codes(lines: &[ObjectOutcome]) -> Vec<&str> {
    let mut codes: Vec<_> = lines
        .iter()
        .filter_map(|line| line.code.as_deref())
        .collect();
    codes.dedup();
    codes
}

#[tokio::test(flavor = "multi_thread")]
async fn hooks_run_in_the_pods_that_a_restore_made_in_their_order_and_in_no_others() {
    let Some(app) = Application::deploy("seeds").await else {
        return;
    };
    app.lose().await;
    app.create_namespace().await;
    app.create_stranger("adopted", true).await;
    app.create_stranger("stray", false).await;
    app.apply("flat", &hook("one", "db", &[run("one"), run("more")]))
        .await;
    let listed =
        json!({"restoreHook": [hook("two", "db", &[run("two")]), hook("three", "db", &[])]});
    app.apply("listed", &listed).await;

    let restore = app.restore_with(&["listed", "flat"]);
    let status = app.stage.run_restore(&restore, CrashPoints::none()).await;
    let lines = app.stage.report(restore.job_id, &status).await;
    assert_eq!(status.state, JobState::Completed, "{lines:#?}");
    for pod in app.pods(&app.namespace, "db").await {
        let is_stranger = ["adopted", "stray"].contains(&pod.name.as_str());
        let expected: &[&str] = if is_stranger {
            &[]
        } else {
            &["two", "one", "more"]
        };
        assert_eq!(app.log(&pod).await, expected, "{}", pod.name);
    }
    let ran = ran(&lines);
    assert_eq!(
        ran.len(),
        3,
        "one pod was made, the other adopted: {ran:#?}"
    );
    assert!(
        ran[0].reason.contains("stdout: did two"),
        "{:?}",
        ran[0].reason
    );
    let left = "left 2 pods alone that it matches and that this restore did not make";
    assert!(lines.iter().any(|line| line.reason.ends_with(left)));
    app.nothing_is_left_of(&restore).await;

    let again = app.restore_with(&["flat"]);
    let status = app.stage.run_restore(&again, CrashPoints::none()).await;
    let lines = app.stage.report(again.job_id, &status).await;
    assert_eq!(codes(&lines), ["RestoreHookMatchesNothing"]);
    assert_eq!(status.state, JobState::CompletedWithWarnings);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wherever_the_process_is_killed_no_command_runs_twice_and_what_is_not_known_is_said() {
    let Some(mut app) = Application::deploy("seeds-killed").await else {
        return;
    };
    // The namespace is named as it is called after the restore.
    for place in [
        "hooks:before",
        "hooks:during",
        "hooks:after",
        "report:before",
    ] {
        let name = place.replace(':', "-");
        let (restore, copy) = app.restore_as(&name, &[&name]).await;
        let mut spec = hook("one", "db", &[run("one"), run("two")]);
        spec["includedNamespaces"] = json!([copy]);
        app.apply(&name, &spec).await;
        let status = app.stage.run_restore(&restore, killed_at(place)).await;
        assert_eq!(status.attempt, 2, "{place}");
        let lines = app.stage.report(restore.job_id, &status).await;
        for log in app.logs(&copy).await {
            assert_eq!(log, ["one", "two"], "{place}");
        }
        let unheard = lines
            .iter()
            .filter(|line| line.reason.contains("may have run"));
        let (unheard, known) = (unheard.count(), ran(&lines).len());
        let lost = place == "hooks:during";
        assert_eq!(unheard > 0, lost, "{place}: {lines:#?}");
        assert_eq!(unheard + known, 4, "{place}: {lines:#?}");
        let state = if lost {
            JobState::CompletedWithWarnings
        } else {
            JobState::Completed
        };
        assert_eq!(status.state, state, "{place}: {lines:#?}");
    }
    app.end().await;
}

/// A hook, the end of its restore, and words of what is told.
fn cases() -> Vec<(Value, JobState, &'static str)> {
    use JobState::{CompletedWithWarnings, Failed};
    let command = |words: &[&str]| json!({"exec": {"command": words}});
    let with = |mut action: Value, field: &str, value: &str| {
        action["exec"][field] = json!(value);
        action
    };
    let failing = command(&["sh", "-c", "echo no disk >&2; exit 7"]);
    let strict = with(failing.clone(), "onError", "Fail");
    let flood = command(&[
        "sh",
        "-c",
        "head -c 100000000 /dev/zero | tr '\\0' x; exit 3",
    ]);
    let absent = with(run("one"), "container", "nosuch");
    vec![
        (
            hook("one", "db", &[failing, run("one")]),
            CompletedWithWarnings,
            "exit code 7; stderr: no disk",
        ),
        (
            hook("one", "db", &[run("one"), strict, run("never")]),
            Failed,
            "exit code 7; stderr: no disk",
        ),
        (
            hook("one", "db", &[command(&["/no/such"]), run("one")]),
            CompletedWithWarnings,
            "no such program",
        ),
        (
            hook(
                "one",
                "db",
                &[
                    with(command(&["sleep", "1000"]), "execTimeout", "1s"),
                    run("one"),
                ],
            ),
            CompletedWithWarnings,
            "did not end within 1s",
        ),
        (
            hook("one", "db", &[flood, run("one")]),
            CompletedWithWarnings,
            "exit code 3",
        ),
        (
            hook("one", "db", &[absent.clone(), run("one")]),
            CompletedWithWarnings,
            "no container nosuch; it has main",
        ),
        (
            hook(
                "one",
                "db",
                &[run("never"), with(absent, "onError", "Fail")],
            ),
            Failed,
            "no container nosuch; it has main",
        ),
        (
            hook("one", "lame", &[with(run("one"), "waitTimeout", "2s")]),
            CompletedWithWarnings,
            "its container did not run within 2 s: ErrImageNeverPull",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_that_fails_is_told_and_fails_the_job_only_if_it_must_not_fail() {
    let Some(mut app) = Application::deploy("seeds-odd").await else {
        return;
    };
    for (at, (spec, state, words)) in cases().into_iter().enumerate() {
        let name = format!("case-{at}");
        app.apply(&name, &spec).await;
        let (restore, copy) = app.restore_as(&name, &[&name]).await;
        let status = app.stage.run_restore(&restore, CrashPoints::none()).await;
        // Also a job that failed has told everything.
        let lines = app.stage.report(restore.job_id, &status).await;
        assert_eq!(status.state, state, "{name}: {lines:#?}");
        assert_eq!(codes(&lines), ["RestoreHookFailed"], "{name}: {lines:#?}");
        let told = lines.iter().find(|line| line.code.is_some()).unwrap();
        assert!(told.reason.contains(words), "{name}: {}", told.reason);
        let created = lines.iter().filter(|line| line.outcome == Outcome::Created);
        assert!(created.count() >= 3, "{name}: {lines:#?}");
        let error = status.error.map(|error| error.code);
        let failed = (state == JobState::Failed).then(|| "RestoreHookFailed".to_owned());
        assert_eq!(error, failed, "{name}");
        // Of a hook that cannot run in a pod nothing runs there, nor of one that waits in vain.
        let in_vain = words.contains("ErrImageNeverPull") || state == JobState::Failed;
        if in_vain && !words.contains("exit code") {
            assert_eq!(ran(&lines), Vec::<&ObjectOutcome>::new(), "{name}");
            continue;
        }
        for log in app.logs(&copy).await {
            assert_eq!(log, ["one"], "{name}");
        }
    }
    for mode in [RestoreMode::Validate, RestoreMode::Apply] {
        let (mut restore, copy) = app.restore_as("nothing", &["no-such-hook"]).await;
        restore.mode = mode;
        let status = app.stage.run_restore(&restore, CrashPoints::none()).await;
        let code = status.error.map(|error| error.code);
        assert_eq!(code.as_deref(), Some("UserErrorRestoreHookNotFound"));
        let made = app.pods(&copy, "db").await;
        assert!(made.is_empty(), "nothing was done: {made:#?}");
    }
    app.end().await;
}
