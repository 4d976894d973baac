//! The audit log from the command line: listed, written as lines, and checked on this side.

use serde_json::{Value, json};
use strongroom_core::audit::{Entry, Event, Head, Outcome};

use super::{Answer, ok, stage};
use crate::exit_code;

fn chain() -> Vec<Entry> {
    let mut head = Head::beginning();
    let mut entries = Vec::new();
    for n in 0..4 {
        let entry = head.follow(Event {
            time: "2026-01-02T03:04:05Z".parse().unwrap(),
            caller: None,
            approver: None,
            action: "Microsoft.DataProtection/backupVaults/delete".to_owned(),
            scope: format!("/subscriptions/s/{n}"),
            method: "DELETE".to_owned(),
            outcome: if n == 2 {
                Outcome::Denied
            } else {
                Outcome::Written
            },
            status: (n == 2).then_some(403),
            code: (n == 2).then(|| "AuthorizationFailed".to_owned()),
            request_id: "r".to_owned(),
            correlation_id: "c".to_owned(),
            client_address: Some("192.0.2.7".to_owned()),
            unlisted: 0,
        });
        head = entry.head();
        entries.push(entry);
    }
    entries
}

fn answered(entries: &[Entry], head: Head, path: &str) -> Option<Answer> {
    match path {
        path if path.ends_with("/auditLog") => ok(json!({"base": Head::beginning(), "head": head})),
        path if path.ends_with("/auditEntries") => ok(json!({"value": entries})),
        _ => None,
    }
}

fn whole(_: &str, path: &str) -> Option<Answer> {
    let entries = chain();
    answered(&entries, entries[3].head(), path)
}

fn without_the_second(_: &str, path: &str) -> Option<Answer> {
    let mut entries = chain();
    let head = entries[3].head();
    entries.remove(1);
    answered(&entries, head, path)
}

fn cut_off(_: &str, path: &str) -> Option<Answer> {
    let mut entries = chain();
    let head = entries[3].head();
    entries.truncate(3);
    answered(&entries, head, path)
}

#[test]
fn entries_are_listed_and_written_as_lines() {
    let stage = stage(whole).logged_in();
    let listed = stage.run("audit list");
    assert!(listed.out.contains("AuthorizationFailed"), "{listed}");
    let denied = stage.run("audit list --denied");
    assert_eq!(denied.out.lines().count(), 2, "{denied}");
    let exported = stage.run("audit export --after 0");
    let lines: Vec<Value> = exported
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        lines,
        chain().iter().map(|entry| json!(entry)).collect::<Vec<_>>()
    );
}

#[test]
fn a_log_that_is_whole_says_so_and_gives_an_anchor() {
    let stage = stage(whole).logged_in();
    let outcome = stage.run("audit verify");
    assert_eq!(outcome.code, 0, "{outcome}");
    let anchor = chain()[3].head().to_string();
    assert!(
        outcome.out.contains(&anchor) && outcome.err.contains("whole"),
        "{outcome}"
    );
    let known = chain()[1].head();
    assert_eq!(stage.run(&format!("audit verify --anchor {known}")).code, 0);
    let other = chain()[2].head().to_string().replace("3:", "2:");
    let outcome = stage.run(&format!("audit verify --anchor {other}"));
    assert_eq!(outcome.code, exit_code::CORRUPT, "{outcome}");
    assert!(outcome.err.contains("error[AuditLogBroken]"), "{outcome}");
    let later = known.to_string().replace("2:", "9:");
    let outcome = stage.run(&format!("audit verify --anchor {later}"));
    assert!(outcome.err.contains("cut off"), "{outcome}");
}

#[test]
fn what_is_missing_or_cut_off_is_named() {
    let outcome = stage(without_the_second).logged_in().run("audit verify");
    assert_eq!(outcome.code, exit_code::CORRUPT, "{outcome}");
    assert!(outcome.err.contains("entry 2 is missing"), "{outcome}");
    let outcome = stage(cut_off).logged_in().run("audit verify");
    assert!(outcome.err.contains("ends with entry 3"), "{outcome}");
}

#[test]
fn a_file_of_exported_entries_is_checked_without_the_server() {
    let stage = stage(whole).logged_in();
    let lines: Vec<String> = chain()
        .iter()
        .map(|entry| json!(entry).to_string())
        .collect();
    let file = stage.file("log.jsonl", &lines[1..].join("\n"));
    let outcome = stage.run(&format!("audit verify --file {file}"));
    assert_eq!(outcome.code, 0, "{outcome}");
    let edited = lines
        .join("\n")
        .replace("/subscriptions/s/2", "/subscriptions/s/9");
    let file = stage.file("edited.jsonl", &edited);
    let outcome = stage.run(&format!("audit verify --file {file}"));
    assert!(outcome.err.contains("entry 3 was edited"), "{outcome}");
}
