//! What is planned of hooks over pods, and what is refused.

use super::*;

fn action(program: &str) -> Action {
    Action {
        command: vec![program.to_owned()],
        container: None,
        on_error: OnError::Fail,
        timeout: HOOK_TIMEOUT,
        wait: Duration::ZERO,
    }
}

fn hook(name: &str, selector: &str) -> BackupHook {
    BackupHook {
        name: name.to_owned(),
        scope: Scope {
            selector: selector.parse().unwrap(),
            ..Scope::default()
        },
        pre: vec![
            action(&format!("{name}-lock")),
            action(&format!("{name}-sync")),
        ],
        post: vec![
            action(&format!("{name}-go")),
            action(&format!("{name}-tell")),
        ],
    }
}

fn pod(namespace: &str, name: &str, app: &str) -> PodFacts {
    PodFacts {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        uid: format!("uid-{name}"),
        labels: [("app".to_owned(), app.to_owned())].into(),
        containers: vec!["main".to_owned(), "side".to_owned()],
        phase: "Running".to_owned(),
        ..PodFacts::default()
    }
}

fn programs<'a>(stages: impl IntoIterator<Item = &'a Stage>) -> Vec<String> {
    stages
        .into_iter()
        .map(|stage| {
            let pods: Vec<_> = stage.targets.iter().map(|one| one.pod.as_str()).collect();
            format!("{} in {}", stage.action.command[0], pods.join("+"))
        })
        .collect()
}

#[test]
fn hooks_freeze_in_their_order_and_thaw_in_the_opposite_one() {
    let hooks = [hook("web", "app=web"), hook("db", "app=db")];
    let pods = [
        pod("shop", "db-1", "db"),
        pod("shop", "web-0", "web"),
        pod("shop", "db-0", "db"),
    ];
    let plan = plan(&hooks, &pods).unwrap();
    assert_eq!(
        programs(&plan.freeze),
        [
            "web-lock in web-0",
            "web-sync in web-0",
            "db-lock in db-0+db-1",
            "db-sync in db-0+db-1"
        ]
    );
    assert_eq!(
        programs(&plan.thaw),
        [
            "db-go in db-0+db-1",
            "db-tell in db-0+db-1",
            "web-go in web-0",
            "web-tell in web-0"
        ]
    );
    assert_eq!(plan.freeze[0].targets[0].container, "main");
}

#[test]
fn the_thaw_of_a_hook_is_due_once_its_first_command_is_begun() {
    let mut mute = hook("after", "app=web");
    mute.pre.clear();
    let hooks = [hook("web", "app=web"), hook("db", "app=db"), mute];
    let pods = [pod("shop", "web-0", "web"), pod("shop", "db-0", "db")];
    let plan = plan(&hooks, &pods).unwrap();
    let due = |begun| {
        let mut hooks: Vec<_> = plan.due(begun).map(|stage| stage.hook).collect();
        hooks.dedup();
        hooks
    };
    assert_eq!(due(0), [2], "what freezes nothing runs whatever happens");
    assert_eq!(due(1), [2, 0]);
    assert_eq!(due(2), [2, 0]);
    assert_eq!(due(3), [2, 1, 0]);
    assert_eq!(due(4), [2, 1, 0]);
}

#[test]
fn pods_are_chosen_by_namespace_and_labels() {
    let mut only = hook("a", "app in (db,web),tier!=old");
    only.scope.included_namespaces = ["shop".to_owned()].into();
    let mut other = hook("b", "");
    other.scope.excluded_namespaces = ["shop".to_owned()].into();
    let mut old = pod("shop", "old-0", "db");
    old.labels.insert("tier".to_owned(), "old".to_owned());
    let pods = [
        pod("shop", "db-0", "db"),
        old,
        pod("bank", "db-0", "db"),
        pod("shop", "cache-0", "cache"),
    ];
    let plan = plan(&[only, other], &pods).unwrap();
    let places: Vec<_> = plan
        .freeze
        .iter()
        .flat_map(|stage| {
            stage
                .targets
                .iter()
                .map(move |one| (stage.hook, one.to_string()))
        })
        .collect();
    assert_eq!(places[0], (0, "shop/db-0 (main)".to_owned()));
    assert_eq!(places[2], (1, "bank/db-0 (main)".to_owned()));
    assert_eq!(places.len(), 4);
}

#[test]
fn pods_that_do_not_run_are_passed_over_and_a_hook_without_pods_is_idle() {
    let mut done = pod("shop", "job-0", "db");
    done.phase = "Succeeded".to_owned();
    let mut ending = pod("shop", "db-1", "db");
    ending.ending = true;
    let plan = plan(
        &[hook("db", "app=db"), hook("none", "app=none")],
        &[done, ending],
    )
    .unwrap();
    assert!(plan.is_empty());
    assert_eq!(plan.idle, [1]);
    let reasons: Vec<_> = plan
        .passed_over
        .iter()
        .map(|one| one.reason.as_str())
        .collect();
    assert_eq!(
        reasons,
        [
            "the pod is being deleted",
            "the pod is Succeeded, not Running"
        ]
    );
}

#[test]
fn an_absent_container_fails_the_plan_unless_the_hook_may_fail() {
    let mut named = hook("db", "app=db");
    named.pre[0].container = Some("nosuch".to_owned());
    let pods = [pod("shop", "db-0", "db")];
    let problem = plan(&[named.clone()], &pods).unwrap_err();
    assert_eq!(problem.code, Code::BackupHookFailed);
    assert!(
        problem
            .message
            .contains("no container nosuch; it has main, side"),
        "{}",
        problem.message
    );
    named.pre[0].on_error = OnError::Continue;
    let plan = plan(&[named], &pods).unwrap();
    assert_eq!(plan.freeze.len(), 1);
    assert_eq!(plan.passed_over[0].trouble, Some(OnError::Continue));
}

#[test]
fn no_more_commands_run_than_the_limit_says() {
    let mut one = hook("db", "app=db");
    one.pre.truncate(1);
    one.post.truncate(1);
    let pods: Vec<_> = (0..HOOK_RUNS_MAX)
        .map(|n| pod("shop", &format!("db-{n}"), "db"))
        .collect();
    assert!(plan(&[one.clone()], &pods).is_ok());
    let more = [pods.as_slice(), &[pod("bank", "db", "db")]].concat();
    let problem = plan(&[one.clone()], &more).unwrap_err();
    assert_eq!(problem.code, Code::UserErrorInvalidBackupHook);
    one.post[0].command.push("x".repeat(HOOK_COMMAND_BYTES));
    let problem = plan(&[one], &pods[..1]).unwrap_err();
    assert_eq!(problem.code, Code::UserErrorInvalidBackupHook);
}

#[test]
fn what_is_written_has_the_published_defaults() {
    let written = WrittenAction {
        command: vec!["/sbin/fsfreeze".to_owned()],
        ..WrittenAction::default()
    };
    let understood = written.clone().understand(Published::BACKUP).unwrap();
    assert_eq!(understood.timeout, Duration::from_secs(30));
    assert_eq!(understood.on_error, OnError::Fail);
    let after_a_restore = written.clone().understand(Published::RESTORE).unwrap();
    assert_eq!(after_a_restore.on_error, OnError::Continue);
    assert_eq!(after_a_restore.wait, HOOK_WAIT);
    let odd = |change: fn(&mut WrittenAction)| {
        let mut odd = written.clone();
        change(&mut odd);
        odd.understand(Published::RESTORE).unwrap_err()
    };
    assert!(odd(|one| one.command.clear()).starts_with("command"));
    assert!(odd(|one| one.command[0].clear()).starts_with("command"));
    assert!(odd(|one| one.on_error = Some("Maybe".into())).starts_with("onError"));
    assert!(odd(|one| one.timeout = Some("soon".into())).starts_with("execTimeout"));
    assert!(odd(|one| one.wait = Some("2h".into())).starts_with("waitTimeout"));
}

#[test]
fn a_command_that_fails_stops_the_freeze_unless_it_may_fail() {
    assert_eq!(after(OnError::Fail), After::Stop(Code::BackupHookFailed));
    assert_eq!(
        after(OnError::Continue),
        After::GoOn(Code::BackupHookFailed)
    );
}
