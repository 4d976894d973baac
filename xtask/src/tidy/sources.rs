//! The rules for Rust files: their size, their names, and that each opens with its contract.

use std::path::Path;

use super::{Severity, TextFile, Violation};

/// Above this many lines a file answers more than one question, most often.
const LONG: usize = 500;
/// Above this many lines nobody reads it from top to bottom.
const TOO_LONG: usize = 800;
/// Names that say nothing of what is inside.
const EMPTY_NAMES: [&str; 7] = [
    "utils", "util", "common", "helpers", "helper", "manager", "misc",
];

const SPLIT: &str = "give each question a file of its own, below a folder of this file's name; long tests go to x/tests.rs";

/// Checks one file.
pub(super) fn check(file: &TextFile) -> Vec<Violation> {
    if file
        .path
        .extension()
        .is_none_or(|extension| extension != "rs")
    {
        return Vec::new();
    }
    let checks = [length(file), contract(file), name(&file.path)];
    checks.into_iter().flatten().collect()
}

fn length(file: &TextFile) -> Option<Violation> {
    let lines = file.text.lines().count();
    if lines <= LONG {
        return None;
    }
    let what = format!("{lines} lines, where {LONG} are enough and {TOO_LONG} are the limit");
    let mut violation = Violation::error(&file.path, lines, what, SPLIT);
    if lines <= TOO_LONG {
        violation.severity = Severity::Warning;
    }
    Some(violation)
}

fn contract(file: &TextFile) -> Option<Violation> {
    let opens = file.text.lines().find(|line| !line.trim().is_empty());
    if opens.is_some_and(|line| line.starts_with("//!")) {
        return None;
    }
    let way_out = "say in `//!` lines at the top what this file is for and what it promises";
    Some(Violation::error(
        &file.path,
        1,
        "the file does not open with its contract",
        way_out,
    ))
}

fn name(path: &Path) -> Option<Violation> {
    let stem = path.file_stem()?.to_str()?;
    if stem == "mod" {
        let way_out = "name the file after its module: x.rs beside x/";
        return Some(Violation::error(
            path,
            1,
            "mod.rs is not used here",
            way_out,
        ));
    }
    if EMPTY_NAMES.contains(&stem) {
        let what = format!("the name {stem} says nothing");
        let way_out = "name it after what is inside; what has no name has no home yet";
        return Some(Violation::error(path, 1, what, way_out));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::tests::file;
    use super::*;

    fn lines(count: usize) -> String {
        format!("//! A contract.\n{}", "x\n".repeat(count - 1))
    }

    fn severities(path: &str, text: &str) -> Vec<Severity> {
        check(&file(path, text))
            .into_iter()
            .map(|violation| violation.severity)
            .collect()
    }

    #[test]
    fn the_length_is_free_then_a_warning_then_an_error() {
        assert_eq!(severities("a.rs", &lines(LONG)), []);
        assert_eq!(severities("a.rs", &lines(LONG + 1)), [Severity::Warning]);
        assert_eq!(severities("a.rs", &lines(TOO_LONG)), [Severity::Warning]);
        assert_eq!(severities("a.rs", &lines(TOO_LONG + 1)), [Severity::Error]);
    }

    #[test]
    fn a_file_without_a_contract_is_an_error() {
        assert_eq!(severities("a.rs", "use std::fmt;\n"), [Severity::Error]);
        assert_eq!(severities("a.rs", "\n//! It is.\n"), []);
        assert_eq!(severities("a.rs", ""), [Severity::Error]);
    }

    #[test]
    fn names_that_say_nothing_are_errors() {
        for path in ["src/mod.rs", "src/utils.rs", "src/x/manager.rs"] {
            assert_eq!(severities(path, "//! x\n"), [Severity::Error], "{path}");
        }
    }

    #[test]
    fn other_files_have_other_rules() {
        assert_eq!(severities("README.md", &"x\n".repeat(2_000)), []);
    }
}
