//! The administrator's token is replaced, and the new one is never lost on the way.

use serde_json::json;

use super::{Stage, ok, refused, stage};
use crate::exit_code;

const ROTATE: &str = "/providers/Strongroom.Administration/tokens/admin/rotate";

fn rotating() -> Stage {
    stage(|method, path| match (method, path) {
        ("POST", ROTATE) => ok(json!({
            "token": "srm_new", "issuedOn": "2026-01-02T03:04:05.678Z", "expiresOn": "2026-04-02T03:04:05.678Z"
        })),
        _ => None,
    })
    .logged_in()
}

fn contexts(stage: &Stage) -> String {
    std::fs::read_to_string(stage.config()).unwrap()
}

#[test]
fn a_rotated_token_goes_into_every_context_that_held_the_old_one_and_is_not_shown() {
    let stage = rotating();
    let config = contexts(&stage);
    let second = config
        .split_once("contexts:\n")
        .map(|(_, one)| one.replace("  default:\n", "  second:\n"))
        .unwrap();
    let other = "  other:\n    server: https://elsewhere\n    token: t0ken\n";
    std::fs::write(stage.config(), format!("{config}{second}{other}")).unwrap();
    let outcome = stage.run("token rotate");
    assert_eq!(outcome.code, exit_code::SUCCESS, "{outcome}");
    assert!(!outcome.to_string().contains("srm_new"), "{outcome}");
    let after = contexts(&stage);
    assert_eq!(after.matches("token: srm_new").count(), 2, "{after}");
    assert_eq!(after.matches("token: t0ken").count(), 1, "{after}");
    insta::assert_snapshot!(outcome);
}

#[test]
fn a_rotated_token_that_no_context_held_is_the_data_of_the_command() {
    let stage = rotating();
    std::fs::remove_file(stage.config()).unwrap();
    let token = stage.file("token", "t0ken");
    let words = format!(
        "token rotate --quiet --server {} --token-file {token}",
        stage.url
    );
    let outcome = stage.run(&words);
    assert_eq!((outcome.code, outcome.out.as_str()), (0, "srm_new\n"));
    let outcome = stage.run(&format!("{words} -o json"));
    let answer: serde_json::Value = serde_json::from_str(&outcome.out).unwrap();
    assert_eq!(answer["token"], "srm_new");
    assert!(!std::path::Path::new(&stage.config()).exists());
}

#[test]
fn contexts_that_cannot_be_read_are_told_before_anything_is_rotated() {
    let stage = rotating();
    std::fs::write(stage.config(), "curent: one\n").unwrap();
    let outcome = stage.run("token rotate");
    assert_eq!(outcome.code, exit_code::USAGE, "{outcome}");
    assert!(stage.seen.lock().unwrap().is_empty());
}

#[test]
fn contexts_that_cannot_be_written_do_not_lose_the_new_token() {
    let stage = rotating();
    // A folder where the temporary file should be: not even root writes to that.
    let temporary = format!("config.{}.tmp", std::process::id());
    let obstacle = stage.folder.path().join(temporary);
    std::fs::create_dir(&obstacle).unwrap();
    let outcome = stage.run("token rotate");
    assert_eq!(outcome.code, exit_code::USAGE, "{outcome}");
    assert_eq!(outcome.out, "srm_new\n");
    assert!(outcome.err.contains("cannot be written"), "{outcome}");
}

#[test]
fn an_expired_token_is_denied_with_the_way_out() {
    let stage = stage(|_, path| match path {
        "/subscriptions" => None,
        _ => refused(
            401,
            "ExpiredAuthenticationToken",
            "The access token is not valid since 2026-01-02T03:04:05Z: it was replaced by a new one.",
        ),
    })
    .logged_in();
    let outcome = stage.run("group list");
    assert_eq!(outcome.code, exit_code::DENIED);
    insta::assert_snapshot!(outcome);
}
