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

use self::frozen::{Application, hook, run, run_later};
use super::faults::Faults;
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
    let Some(app) = Application::deploy("hooks-odd").await else {
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

    app.lose().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_freeze_that_takes_effect_behind_the_thaw_is_thawed_as_well() {
    let Some(app) = Application::deploy("hooks-late").await else {
        return;
    };
    let late = [run("freeze one"), run_later("freeze one", 4, "3s")];
    app.apply("late", &hook("one", &late, &[run("thaw one")]))
        .await;
    let backup = app.backup_with(&["late"]);
    let status = app.stage.run_backup(&backup, CrashPoints::none()).await;
    assert_eq!(app.told(&backup, &status).await.0, "BackupHookFailed");
    let expected = ["freeze one", "thaw one", "freeze one", "thaw one"];
    assert_eq!(app.log().await, expected);
    app.is_thawed("a freeze that came late").await;
    app.lose().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_goes_or_is_replaced_before_its_snapshot_is_named() {
    let Some(mut app) = Application::deploy("hooks-claims").await else {
        return;
    };
    app.stage.freeze_budget = Duration::from_secs(120);
    for claim in ["gone", "replaced"] {
        app.claim(claim).await;
    }
    // The pre-hook waits until the claims are no longer those that were decided on.
    let wait = "until test -e /tmp/go; do sleep 0.1; done";
    let wait = json!({"exec": {"command": ["sh", "-c", wait], "timeout": "100s"}});
    let pre = [run("freeze one"), wait];
    app.apply("slow", &hook("one", &pre, &[run("thaw one")]))
        .await;
    let backup = app.backup_with(&["slow"]);
    let process = app.stage.start(CrashPoints::none());
    let replacing = async {
        app.until_logged("freeze one").await;
        for claim in ["gone", "replaced"] {
            app.remove_claim(claim).await;
        }
        app.claim("replaced").await;
        app.execute("touch /tmp/go").await;
    };
    let (status, ()) = tokio::join!(app.stage.back_up_with(&backup), replacing);
    assert_eq!(
        (status.state, status.volumes),
        (JobState::CompletedWithWarnings, 1),
        "{status:#?}"
    );
    let lines = app.stage.report(backup.job_id, &status).await;
    for (claim, words) in [
        ("gone", "the claim was deleted while the backup ran"),
        ("replaced", "the claim was replaced by another one"),
    ] {
        let line = lines.iter().find(|line| line.object.name == claim).unwrap();
        assert_eq!(
            line.code.as_deref(),
            Some("VolumeSnapshotFailed"),
            "{line:?}"
        );
        assert!(line.reason.contains(words), "{line:?}");
    }
    app.is_thawed("claims that went").await;
    drop(process);
    app.lose().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_is_thawed_when_its_budget_is_used_up_and_the_job_goes_on() {
    let Some(mut app) = Application::deploy("hooks-budget").await else {
        return;
    };
    app.stage.freeze_budget = Duration::from_secs(2);
    let slow = json!({"exec": {"command": ["sleep", "1000"], "timeout": "4s"}});
    let slow = [run("freeze one"), slow];
    app.apply("slow", &hook("one", &slow, &[run("thaw one")]))
        .await;
    app.apply("quick", &logging("one")).await;
    let _faults = Faults::of_driver(&app.stage.cluster, &json!({"cutMillis": "6000"})).await;
    for hooks in ["slow", "quick"] {
        let backup = app.backup_with(&[hooks]);
        let status = app.stage.run_backup(&backup, CrashPoints::none()).await;
        assert_eq!(
            (status.state, status.volumes),
            (JobState::CompletedWithWarnings, 0),
            "{hooks}: {status:#?}"
        );
        assert!(
            status.frozen_millis.is_some_and(|frozen| frozen < 5_000),
            "{hooks}: {status:#?}"
        );
        let lines = app.stage.report(backup.job_id, &status).await;
        let codes: Vec<_> = lines
            .iter()
            .filter_map(|line| line.code.as_deref())
            .collect();
        assert_eq!(codes, ["FreezeBudgetExceeded"; 2], "{hooks}: {lines:#?}");
        app.is_thawed(hooks).await;
    }
    // The driver is given up before the budget is used up.
    app.stage.freeze_budget = Duration::from_secs(60);
    app.stage.waits.cut = Duration::from_secs(1);
    let backup = app.backup_with(&["quick"]);
    let status = app.stage.run_backup(&backup, CrashPoints::none()).await;
    assert_eq!(status.state, JobState::CompletedWithWarnings, "{status:#?}");
    assert_eq!(app.told(&backup, &status).await.0, "VolumeSnapshotNotReady");
    app.is_thawed("a driver that was given up").await;
    app.lose().await;
}
