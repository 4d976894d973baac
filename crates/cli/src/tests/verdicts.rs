//! What commands say of what they found: warnings, damage, what a job did, and what comes next.

use clap::Parser as _;
use serde_json::{Value, json};

use super::commands::full;
use super::{Answer, Program, VAULT, accepted, job, ok, stage};
use crate::exit_code;

fn verified(state: &str) -> Value {
    let problems = match state {
        "Whole" => json!([]),
        _ => {
            json!([{"code": "RecoveryPointCorrupt", "object": "pack 4a-3", "message": "authentication failed"}])
        }
    };
    json!({
        "recoveryPointId": "new", "state": state, "verifiedTime": "2026-01-02T03:04:05Z",
        "entries": 10, "bytes": 2048, "packs": 1,
        "problemCount": problems.as_array().unwrap().len(), "problems": problems,
    })
}

/// A server whose verification ends in `state`.
fn verifying(state: &'static str) -> impl Fn(&str, &str) -> Option<Answer> {
    move |method, path| match (method, path) {
        ("POST", path) if path.ends_with("/recoveryPoints/new/verify") => accepted(),
        ("GET", "/result") => ok(verified(state)),
        _ => full(method, path),
    }
}

#[test]
fn a_whole_recovery_point_is_said_to_be_whole() {
    let stage = stage(verifying("Whole")).logged_in();
    for point in ["new", "latest"] {
        let outcome = stage.run(&format!(
            "recovery-point verify {point} --instance i --vault v"
        ));
        assert_eq!(outcome.code, exit_code::SUCCESS, "{outcome}");
        assert!(outcome.out.contains("Whole"), "{outcome}");
    }
}

#[test]
fn a_damaged_recovery_point_is_an_exit_code_and_names_what_is_damaged() {
    let stage = stage(verifying("Damaged")).logged_in();
    let words = "recovery-point verify new --instance i --vault v";
    let outcome = stage.run(words);
    assert_eq!(outcome.code, exit_code::CORRUPT, "{outcome}");
    insta::assert_snapshot!(super::without_pages(outcome.to_string()));
    let json: Value = serde_json::from_str(&stage.run(&format!("{words} -o json")).out).unwrap();
    assert_eq!(json["problems"][0]["object"], "pack 4a-3");
}

#[test]
fn the_newest_recovery_point_can_be_shown_by_its_place() {
    let stage = stage(full).logged_in();
    let outcome = stage.run("recovery-point show latest --instance i --vault v");
    assert_eq!(outcome.code, 0, "{outcome}");
    let seen = stage.seen.lock().unwrap();
    let asked = seen
        .iter()
        .any(|(call, _)| call.ends_with("/recoveryPoints/new"));
    assert!(asked, "{seen:?}");
}

#[test]
fn a_recovery_point_is_shown_with_the_versions_that_its_cluster_served() {
    let stage = stage(|method, path| {
        let mut answer = full(method, path)?;
        if path.ends_with("/recoveryPoints/new") {
            answer.body["properties"]["cluster"] = json!({
                "version": "v1.36.3", "platform": "linux/amd64", "servedTypes": [
                    {"resource": "configmaps", "preferredVersion": "v1", "servedVersions": ["v1"], "heldVersion": "v1"},
                    {"resource": "horizontalpodautoscalers.autoscaling", "preferredVersion": "v2", "servedVersions": ["v2", "v1"]},
                    {"resource": "relics.example.com", "preferredVersion": "v2", "servedVersions": ["v2", "v1"], "heldVersion": "v1"},
                ]});
        }
        Some(answer)
    })
    .logged_in();
    let words = "recovery-point show new --instance i --vault v";
    insta::assert_snapshot!(super::without_pages(stage.run(words).to_string()));
    let json: Value = serde_json::from_str(&stage.run(&format!("{words} -o json")).out).unwrap();
    let types = &json["properties"]["cluster"]["servedTypes"];
    assert_eq!(types[0]["resource"], "configmaps");
    assert_eq!(types[2]["heldVersion"], "v1");
}

#[test]
fn what_a_validation_warns_of_is_told() {
    let stage = stage(|method, path| match (method, path) {
        ("GET", "/result") => ok(json!({
            "objectType": "OperationJobExtendedInfo",
            "warnings": [{"code": "UserErrorNamespaceNotFound", "message": "No 'nowhere'.", "recommendedAction": ["Make it."]}],
        })),
        _ => full(method, path),
    })
    .logged_in();
    let outcome = stage.run("instance validate --vault v --cluster c --policy p");
    assert_eq!(outcome.code, 0, "{outcome}");
    for part in [
        "warning[UserErrorNamespaceNotFound]: No 'nowhere'.",
        "what to do: Make it.",
        "look at the warnings",
    ] {
        assert!(outcome.err.contains(part), "{outcome}");
    }
}

#[test]
fn a_failed_job_tells_its_warnings_and_where_to_look() {
    let stage = stage(|method, path| {
        if path.ends_with("/backupJobs/j-1") {
            let mut found = job("Failed");
            found["properties"]["extendedInfo"] = json!({
                "additionalDetails": {"Created": "3", "Failed": "1"},
                "warningDetails": [{"resourceName": "Pod shop/web", "warning": {"code": "W", "message": "refused"}}],
            });
            return ok(found);
        }
        full(method, path)
    })
    .logged_in();
    let outcome = stage.run("job wait j-1 --vault v");
    assert_eq!(outcome.code, exit_code::JOB_FAILED);
    for part in [
        "warning[W]: Pod shop/web: refused",
        "done: 3 created, 1 failed",
        "strongroom job report j-1 --vault v --failed",
    ] {
        assert!(outcome.err.contains(part), "{part}: {outcome}");
    }
}

#[test]
fn a_report_is_passed_on_line_by_line_or_saved_whole() {
    let stage = stage(full).logged_in();
    // The played server answers a page whatever it is asked for; what matters here is that it arrives.
    let passed = stage.run("job report j-1 --vault v -o jsonl");
    assert_eq!(passed.code, 0, "{passed}");
    let file = stage.folder.path().join("report.jsonl");
    let words = format!(
        "job report j-1 --vault v -o jsonl --file {}",
        file.display()
    );
    let saved = stage.run(&words);
    assert_eq!((saved.code, saved.out.as_str()), (0, ""), "{saved}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), passed.out);
    let odd = stage.run(&format!(
        "job report j-1 --vault v --file {}",
        file.display()
    ));
    assert_eq!(odd.code, exit_code::USAGE);
}

#[test]
fn an_outcome_that_there_is_not_is_refused_with_those_that_there_are() {
    let words = "strongroom job report j --vault v --outcome Bogus";
    let refused = Program::try_parse_from(words.split(' ')).unwrap_err();
    let text = refused.to_string();
    for known in strongroom_core::report::Outcome::ALL {
        assert!(text.contains(known.as_str()), "{text}");
    }
    assert_eq!(refused.exit_code(), i32::from(exit_code::USAGE));
}

#[test]
fn access_that_instances_need_can_be_forced_away_and_doctor_sees_that_it_is_gone() {
    let stage = stage(|method, path| match (method, path) {
        ("DELETE", path) if path.contains("/trustedAccessRoleBindings/") => Some(Answer {
            status: 204,
            headers: Vec::new(),
            body: Value::Null,
        }),
        ("GET", path) if path.ends_with("/trustedAccessRoleBindings") => ok(json!({"value": []})),
        _ => full(method, path),
    })
    .logged_in();
    let outcome = stage.run("cluster revoke c --vault v --force");
    assert_eq!(outcome.code, 0, "{outcome}");
    let outcome = stage.run("doctor");
    assert_eq!(outcome.code, exit_code::UNHEALTHY, "{outcome}");
    assert!(
        outcome.err.contains("strongroom cluster grant c --vault v"),
        "{outcome}"
    );
    assert!(VAULT.ends_with("/v"));
}
