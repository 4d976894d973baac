//! What people read when it does not go well, and the exit code that scripts read.

use serde_json::json;

use super::{Answer, GROUP, VAULT, instance, job, job_operation, ok, policy, refused, run, stage};
use crate::exit_code;

#[test]
fn without_a_context_the_way_to_log_in_is_shown() {
    let stage = stage(|_, _| None);
    let outcome = stage.run("vault list");
    assert_eq!(outcome.code, exit_code::DENIED);
    insta::assert_snapshot!(outcome);
}

#[test]
fn a_wrong_token_is_not_stored() {
    let stage = stage(|_, _| None);
    let token = stage.file("token", "n0t-it");
    let outcome = stage.run(&format!(
        "login --server {} --token-file {token}",
        stage.url
    ));
    assert_eq!(outcome.code, exit_code::DENIED);
    assert!(!std::path::Path::new(&stage.config()).exists());
    assert!(!outcome.to_string().contains("n0t-it"), "{outcome}");
    insta::assert_snapshot!(outcome);
}

#[test]
fn what_does_not_exist_is_told_with_the_way_out() {
    let stage = stage(|_, _| None).logged_in();
    let outcome = stage.run("vault show nowhere");
    assert_eq!(outcome.code, exit_code::NOT_FOUND);
    insta::assert_snapshot!(outcome);
}

#[test]
fn the_parts_of_an_error_are_shown() {
    let stage = stage(|method, path| match (method, path) {
        ("GET", path) if path == format!("{VAULT}/backupInstances/i") => ok(instance()),
        ("DELETE", _) => Some(Answer {
            status: 409,
            headers: Vec::new(),
            body: json!({"error": {
                "code": "ResourceInUse", "message": "the policy is in use", "target": "backupPolicies/p",
                "details": [{"code": "ResourceInUse", "message": "used by instance i", "target": "i",
                    "details": [{"code": "Inner", "message": "deeper"}]}]
            }}),
        }),
        _ => None,
    })
    .logged_in();
    let outcome = stage.run("policy delete p --vault v");
    assert_eq!(outcome.code, exit_code::CONFLICT);
    insta::assert_snapshot!(outcome);
}

#[test]
fn a_code_that_is_not_in_the_catalogue_is_told_as_it_is() {
    let stage = stage(|_, _| refused(400, "FromTheFuture", "unheard of")).logged_in_despite();
    let outcome = stage.run("group list");
    assert_eq!(outcome.code, exit_code::INVALID);
    insta::assert_snapshot!(outcome);
}

#[test]
fn a_job_that_failed_is_shown_and_is_the_commands_error() {
    let stage = stage(|method, path| match (method, path) {
        ("POST", _) => ok(job_operation()),
        ("GET", path) if path.ends_with("/backupInstances/i") => ok(instance()),
        ("GET", path) if path.ends_with("/backupPolicies/p") => ok(policy()),
        ("GET", path) if path.ends_with("/backupJobs/j-1") => {
            let mut failed = job("Failed");
            failed["properties"]["errorDetails"] = json!([
                {"code": "UserErrorClusterUnreachable", "message": "connection refused", "target": "c", "recommendedAction": ["x"]},
                {"code": "Second", "message": "also this"}
            ]);
            ok(failed)
        }
        _ => None,
    })
    .logged_in();
    let outcome = stage.run("backup start i --vault v");
    assert_eq!(outcome.code, exit_code::JOB_FAILED);
    insta::assert_snapshot!(outcome);
}

#[test]
fn a_cancelled_job_has_its_own_exit_code() {
    let stage = stage(|_, path| {
        if path.ends_with("j-1") {
            ok(job("Cancelled"))
        } else {
            None
        }
    })
    .logged_in();
    let outcome = stage.run("job wait j-1 --vault v");
    assert_eq!(outcome.code, exit_code::JOB_CANCELLED, "{outcome}");
}

#[test]
fn a_server_that_is_not_there_is_told() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let stage = stage(|_, _| None).logged_in();
    let token = stage.file("token", "t0ken");
    let outcome = run(&format!(
        "group list --subscription s-1 --server {url} --token-file {token} --cli-config {}",
        stage.config()
    ));
    assert_eq!(outcome.code, exit_code::UNREACHABLE);
    insta::assert_snapshot!(outcome.err.replace(&url, "https://server"));
}

#[test]
fn settings_that_make_no_sense_are_told_before_anything_is_sent() {
    let stage = stage(|_, _| None).logged_in();
    for (words, code, expected) in [
        (
            "vault list --context moon",
            exit_code::NOT_FOUND,
            "no context 'moon'",
        ),
        (
            "vault list --server ftp://x",
            exit_code::USAGE,
            "not a server URL",
        ),
        (
            "vault list --ca-file /nowhere",
            exit_code::USAGE,
            "'/nowhere' cannot be read",
        ),
        ("vault show ..", exit_code::USAGE, "is not a resource id"),
        (
            "vault show a/b",
            exit_code::USAGE,
            "not the name of a resource",
        ),
        (
            "cluster register c --kubeconfig /nowhere",
            exit_code::USAGE,
            "'/nowhere' cannot be read",
        ),
        (
            "policy create p --vault v --file /nowhere",
            exit_code::USAGE,
            "'/nowhere' cannot be read",
        ),
        (
            "cluster unregister /not/a/cluster",
            exit_code::USAGE,
            "not the id of a cluster",
        ),
    ] {
        let outcome = stage.run(words);
        assert_eq!(outcome.code, code, "{words}: {outcome}");
        assert!(outcome.err.contains(expected), "{words}: {outcome}");
        assert!(outcome.out.is_empty(), "{words}: {outcome}");
    }
    assert!(stage.seen.lock().unwrap().is_empty());
}

#[test]
fn a_missing_cluster_is_told_by_the_name_that_most_people_mean() {
    let stage = stage(|_, _| None).logged_in();
    let outcome = stage.run("cluster show nowhere");
    assert_eq!(outcome.code, exit_code::NOT_FOUND);
    assert!(
        outcome.err.contains(&format!(
            "{GROUP}/providers/Microsoft.Kubernetes/connectedClusters/nowhere"
        )),
        "{outcome}"
    );
}

impl super::Stage {
    /// Logged in without asking the server, which would refuse.
    fn logged_in_despite(self) -> Self {
        let text = format!(
            "current: x\ncontexts:\n  x: {{server: '{}', token: t0ken, subscription: s-1, resourceGroup: rg}}\n",
            self.url
        );
        std::fs::write(self.config(), text).unwrap();
        self
    }
}
