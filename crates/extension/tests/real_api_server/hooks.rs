//! Hooks in real pods, around snapshots of a real driver. Needs a cluster with a node and its CSI driver
//! (`cargo xtask cluster up`); without them these tests say that they are left out.

#[path = "hooks/frozen.rs"]
mod frozen;

use std::time::Duration;

use serde_json::json;
use strongroom_core::report::Outcome;
use strongroom_extension::crash::CrashPoints;
use strongroom_extension::run::controllers;
use strongroom_kubernetes::crd::JobState;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::frozen::{Application, hook, run};
use super::killed_at;

/// A pre-hook and a post-hook that write into the log of a pod.
fn logging(name: &str) -> serde_json::Value {
    hook(
        name,
        &[run(&format!("freeze {name}"))],
        &[run(&format!("thaw {name}"))],
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn all_pre_hooks_come_before_the_snapshots_and_all_post_hooks_behind_them() {
    let Some(app) = Application::deploy("hooks").await else {
        return;
    };
    app.apply("flat", &logging("one")).await;
    let mut last = logging("three");
    last["preHooks"][0]["exec"]["container"] = json!("main");
    app.apply("listed", &json!({"backupHook": [logging("two"), last]}))
        .await;
    let mut none = logging("none");
    none["labelSelector"] = json!({"matchLabels": {"app": "nobody"}});
    app.apply("none", &none).await;
    let backup = app.backup_with(&["flat", "listed", "none"]);
    let status = app.stage.run_backup(&backup, CrashPoints::none()).await;
    assert_eq!(status.state, JobState::CompletedWithWarnings, "{status:#?}");
    assert_eq!(status.volumes, 1, "{status:#?}");
    assert!(
        status.frozen_millis >= status.snapshot_window_millis,
        "{status:#?}"
    );
    assert_eq!(
        app.log().await,
        [
            "freeze one",
            "freeze two",
            "freeze three",
            "thaw three",
            "thaw two",
            "thaw one"
        ]
    );
    let lines = app.stage.report(backup.job_id, &status).await;
    let ran: Vec<_> = lines
        .iter()
        .filter(|line| line.outcome == Outcome::Ran)
        .collect();
    assert_eq!(ran.len(), 7, "{ran:#?}");
    assert!(
        ran[0].reason.contains("flat: one, sh in pod"),
        "{:?}",
        ran[0]
    );
    assert!(
        ran[0].reason.contains("stdout: did freeze one"),
        "{:?}",
        ran[0]
    );
    let codes: Vec<_> = lines
        .iter()
        .filter_map(|line| line.code.as_deref())
        .collect();
    assert_eq!(codes, ["BackupHookMatchesNothing"]);
    assert!(app.journals().await.is_empty());
    app.lose().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wherever_the_process_is_killed_what_is_frozen_is_thawed() {
    let Some(app) = Application::deploy("hooks-killed").await else {
        return;
    };
    app.apply("flat", &logging("one")).await;
    let places = [
        "freeze:before",
        "freeze:during",
        "freeze:after",
        "snapshot:during",
        "thaw:before",
        "thaw:after",
        "report:before",
    ];
    for place in places {
        let backup = app.backup_with(&["flat"]);
        let status = app.stage.run_backup(&backup, killed_at(place)).await;
        assert_eq!(status.state, JobState::Completed, "{place}: {status:#?}");
        assert_eq!(
            (status.attempt, status.volumes),
            (2, 1),
            "{place}: {status:#?}"
        );
        app.is_thawed(place).await;
    }
    app.lose().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_freeze_that_nobody_goes_on_with_is_thawed_all_the_same() {
    let Some(app) = Application::deploy("hooks-left").await else {
        return;
    };
    app.apply("flat", &logging("one")).await;
    // Nobody goes on with the job: its custom resource is gone when the next process starts.
    let backup = app.backup_with(&["flat"]);
    app.stage
        .die_in_backup(&backup, killed_at("freeze:after"))
        .await;
    assert_eq!(
        app.log().await.last().unwrap(),
        "freeze one",
        "it stands frozen"
    );
    app.cancel(&backup).await;
    let process = app.stage.start(CrashPoints::none());
    app.is_thawed_soon("a job that is gone").await;
    drop(process);
    // It is cancelled while the process lives on.
    let backup = app.backup_with(&["flat"]);
    let crash = killed_at("snapshot:during");
    let reached = crash.reached().unwrap();
    let process = app.stage.start(crash);
    app.ask(&backup).await;
    reached.notified().await;
    assert_eq!(
        app.log().await.last().unwrap(),
        "freeze one",
        "it stands frozen"
    );
    app.cancel(&backup).await;
    app.is_thawed_soon("a job that is cancelled").await;
    drop(process);
    // The process is told to stop while the application stands frozen: it thaws before it goes.
    let backup = app.backup_with(&["flat"]);
    let (crash, shutdown) = (killed_at("snapshot:during"), CancellationToken::new());
    let reached = crash.reached().unwrap();
    let mut feeds = JoinSet::new();
    let jobs = controllers(&app.stage.environment(crash), &shutdown, &mut feeds);
    app.ask(&backup).await;
    reached.notified().await;
    shutdown.cancel();
    jobs.join_all().await;
    app.is_thawed("a process that was told to stop").await;
    drop(feeds);
    app.cancel(&backup).await;
    app.lose().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_dies_while_it_is_frozen_is_named_and_forgotten() {
    let Some(app) = Application::deploy("hooks-dead").await else {
        return;
    };
    app.apply("flat", &logging("one")).await;
    let backup = app.backup_with(&["flat"]);
    app.stage
        .die_in_backup(&backup, killed_at("freeze:after"))
        .await;
    app.replace_pod().await;
    let process = app.stage.start(CrashPoints::none());
    let status = app.ended(&backup).await;
    assert_eq!(status.state, JobState::CompletedWithWarnings, "{status:#?}");
    let lines = app.stage.report(backup.job_id, &status).await;
    let told = lines.iter().find(|line| line.code.is_some()).unwrap();
    assert!(told.reason.ends_with("the pod is gone"), "{told:?}");
    app.is_thawed("a pod that died").await;
    drop(process);
    app.lose().await;
}

/// A hook, the end of its backup, the code of what is told, and words in it.
type Case = (serde_json::Value, JobState, &'static str, &'static str);

fn cases() -> Vec<Case> {
    use JobState::{CompletedWithWarnings, Failed};
    let failing = |on_error: &str| json!({"exec": {"command": ["sh", "-c", "echo no disk >&2; exit 7"], "onError": on_error}});
    let thaw = || vec![run("thaw one")];
    let absent = json!({"exec": {"command": ["/no/such/program"]}});
    let mut elsewhere = logging("one");
    elsewhere["preHooks"][0]["exec"]["container"] = json!("nosuch");
    let hang = json!({"exec": {"command": ["sleep", "1000"], "timeout": "1s"}});
    let flood = "echo freeze one >> /tmp/log; head -c 100000000 /dev/zero | tr '\\0' x";
    let flood = json!({"exec": {"command": ["sh", "-c", flood]}});
    vec![
        (
            hook("one", &[run("freeze one"), failing("Fail")], &thaw()),
            Failed,
            "BackupHookFailed",
            "exit code 7; stderr: no disk",
        ),
        (
            hook("one", &[run("freeze one"), absent], &thaw()),
            Failed,
            "BackupHookFailed",
            "no such program",
        ),
        (
            hook("one", &[run("freeze one"), hang], &thaw()),
            Failed,
            "BackupHookFailed",
            "did not end within 1s",
        ),
        (
            elsewhere,
            Failed,
            "BackupHookFailed",
            "no container nosuch; it has main",
        ),
        (
            hook("one", &[run("freeze one"), failing("Continue")], &thaw()),
            CompletedWithWarnings,
            "BackupHookFailed",
            "exit code 7",
        ),
        (
            hook("one", &[flood, failing("Continue")], &thaw()),
            CompletedWithWarnings,
            "BackupHookFailed",
            "exit code 7",
        ),
        (
            hook(
                "one",
                &[run("freeze one")],
                &[run("thaw one"), failing("Fail")],
            ),
            CompletedWithWarnings,
            "BackupHookThawFailed",
            "(5 tries)",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_that_fails_leaves_nothing_frozen_and_says_what_is_wrong() {
    let Some(mut app) = Application::deploy("hooks-odd").await else {
        return;
    };
    for (at, (hook, state, code, words)) in cases().into_iter().enumerate() {
        let name = format!("case-{at}");
        app.apply(&name, &hook).await;
        let backup = app.backup_with(&[&name]);
        let status = app.stage.run_backup(&backup, CrashPoints::none()).await;
        assert_eq!(status.state, state, "{name}: {status:#?}");
        let (told, said) = app.told(&backup, &status).await;
        assert_eq!(told, code, "{name}: {said}");
        assert!(said.contains(words), "{name}: {said}");
        app.is_thawed(&name).await;
    }
    let backup = app.backup_with(&["no-such-hook"]);
    let status = app.stage.run_backup(&backup, CrashPoints::none()).await;
    assert_eq!(
        app.told(&backup, &status).await.0,
        "UserErrorBackupHookNotFound"
    );
    assert_eq!(status.volumes, 0, "no snapshot was asked for");

    app.stage.freeze_budget = Duration::from_secs(2);
    let slow = json!({"exec": {"command": ["sleep", "1000"], "timeout": "30s"}});
    app.apply(
        "slow",
        &hook("one", &[run("freeze one"), slow], &[run("thaw one")]),
    )
    .await;
    let backup = app.backup_with(&["slow"]);
    let status = app.stage.run_backup(&backup, CrashPoints::none()).await;
    assert_eq!(app.told(&backup, &status).await.0, "FreezeBudgetExceeded");
    app.is_thawed("a budget that is used up").await;
    app.lose().await;
}
