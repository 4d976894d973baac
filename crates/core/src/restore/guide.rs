//! The tables of the guide page on what a restore changes are those of the code.
//!
//! `STRONGROOM_WRITE_GUIDE=1 cargo test -p strongroom-core guide` writes them.

use std::fmt::Write as _;
use std::path::PathBuf;

use super::order::WAVES;
use super::prepare::FIELDS;
use crate::selection::Rule;

/// Rules by which `restorable` leaves an object.
const LEFT: &[Rule] = &[
    Rule::ControllerRecreates,
    Rule::StaticPod,
    Rule::EndpointsFollowService,
    Rule::MadeByControllerManager,
    Rule::ObjectWasTerminating,
    Rule::VolumeProvisionedAgain,
    Rule::SnapshotTakenAgain,
    Rule::CertificateRequestIsMomentary,
];

fn page() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide/what-a-restore-changes.md")
}

fn fields() -> String {
    let mut table = "| kind | field | why |\n| --- | --- | --- |\n".to_owned();
    for row in FIELDS {
        let kind = match (row.group, row.kind) {
            ("*", _) => "every kind".to_owned(),
            ("", kind) => kind.to_owned(),
            (group, kind) => format!("{kind} ({group})"),
        };
        let field = row.pattern.replace("~1", "/");
        let _ = writeln!(
            table,
            "| {kind} | `{field}` | [{}]({}) |",
            row.why, row.source
        );
    }
    table
}

fn rules() -> String {
    let mut table = "| rule | reason |\n| --- | --- |\n".to_owned();
    for rule in LEFT {
        let _ = writeln!(table, "| `{}` | {} |", rule.as_str(), rule.reason());
    }
    table
}

fn order() -> String {
    let mut list = String::new();
    for info in WAVES {
        let _ = writeln!(
            list,
            "{}. **{}**: {}.",
            info.wave.0 + 1,
            info.name,
            info.why
        );
    }
    list
}

/// Replaces what stands between the marks of a section.
fn with(page: &str, section: &str, content: &str) -> String {
    let (begin, end) = (
        format!("<!-- begin: {section} -->\n"),
        format!("<!-- end: {section} -->"),
    );
    let (before, rest) = page.split_once(&begin).unwrap();
    let (_, after) = rest.split_once(&end).unwrap();
    format!("{before}{begin}{content}{end}{after}")
}

#[test]
fn the_guide_says_what_the_tables_say() {
    let written = std::fs::read_to_string(page()).unwrap();
    let mut expected = written.clone();
    for (section, content) in [("fields", fields()), ("rules", rules()), ("order", order())] {
        expected = with(&expected, section, &content);
    }
    if std::env::var_os("STRONGROOM_WRITE_GUIDE").is_some() {
        std::fs::write(page(), &expected).unwrap();
    } else {
        assert_eq!(
            written, expected,
            "write it: STRONGROOM_WRITE_GUIDE=1 cargo test -p strongroom-core guide"
        );
    }
}

/// A rule that `restorable.rs` leaves objects by is a row of the page.
#[test]
fn every_rule_that_leaves_an_object_is_told_in_the_guide() {
    let code = include_str!("prepare/restorable.rs");
    for rule in Rule::ALL {
        let leaves = code.contains(&format!("exclude(Rule::{})", rule.as_str()));
        assert_eq!(leaves, LEFT.contains(rule), "{}", rule.as_str());
    }
}
