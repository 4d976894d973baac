//! No path of anyone's machine in the project: it would tell about its author, and be wrong elsewhere.

use super::{TextFile, Violation};

/// Beginnings of such paths, in two halves, so that this file does not break its own rule.
const BEGINNINGS: [(&str, &str); 5] = [
    ("/ho", "me/"),
    ("/Use", "rs/"),
    ("/ro", "ot/."),
    ("/wo", "rk/"),
    ("/worksp", "aces/"),
];

const WAY_OUT: &str =
    "name it relative to the repository, or take it from an argument or the environment";

/// Checks one file.
pub(super) fn check(file: &TextFile) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        let beginnings = BEGINNINGS.iter().map(|(a, b)| format!("{a}{b}"));
        for beginning in beginnings.filter(|beginning| has_path(line, beginning)) {
            let what = format!("a path of a machine: {beginning}…");
            violations.push(Violation::error(&file.path, index + 1, what, WAY_OUT));
        }
    }
    violations
}

/// Whether a path begins so on the line: not in the middle of a longer one.
fn has_path(line: &str, beginning: &str) -> bool {
    line.match_indices(beginning).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|c| !c.is_alphanumeric() && !".-_~}*".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::file;
    use super::*;

    #[test]
    fn a_path_of_someones_machine_is_found_with_its_line() {
        let text = format!("fine\nlet x = \"{}{}me/src\";\n", "/ho", "me/");
        let violations = check(&file("a.rs", &text));
        assert_eq!(violations.len(), 1);
        assert_eq!(violations[0].line, 2);
    }

    #[test]
    fn the_same_letters_within_a_longer_path_are_fine() {
        let text = format!("api/v1{}{}x and ~{}{}y\n", "/wo", "rk/", "/ho", "me/");
        assert!(check(&file("a.md", &text)).is_empty());
    }
}
