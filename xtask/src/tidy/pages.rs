//! The pages of the error codes: each has all of its sections, and each section says something.

use std::path::Path;

use super::{TextFile, Violation};

/// Where the pages are.
const FOLDER: &str = "crates/core/src/error/codes";
/// The sections in their order.
const SECTIONS: [&str; 4] = ["Meaning", "Cause", "What to do", "Example"];

const WAY_OUT: &str = "write the section: the page is all that a user has when the error comes";

/// Checks one file.
pub(super) fn check(file: &TextFile) -> Vec<Violation> {
    let page = file
        .path
        .extension()
        .is_some_and(|extension| extension == "md");
    if !page || file.path.parent() != Some(Path::new(FOLDER)) {
        return Vec::new();
    }
    let code = file.path.file_stem().unwrap_or_default().to_string_lossy();
    let mut violations = Vec::new();
    if file.text.lines().next() != Some(&format!("# {code}")) {
        let what = format!("the page does not open with `# {code}`");
        let way_out = "the title is the code, which is the file's name";
        violations.push(Violation::error(&file.path, 1, what, way_out));
    }
    for section in SECTIONS {
        match line_of_section(&file.text, section) {
            None => {
                let what = format!("the section `## {section}` is missing");
                violations.push(Violation::error(&file.path, 1, what, WAY_OUT));
            }
            Some(line) if is_empty(&file.text, line) => {
                let what = format!("the section `## {section}` is empty");
                violations.push(Violation::error(&file.path, line, what, WAY_OUT));
            }
            Some(_) => {}
        }
    }
    violations
}

fn line_of_section(text: &str, section: &str) -> Option<usize> {
    let heading = format!("## {section}");
    let position = text.lines().position(|line| line.trim_end() == heading);
    position.map(|index| index + 1)
}

/// Whether nothing stands between a heading's line and the next heading.
fn is_empty(text: &str, heading: usize) -> bool {
    let mut body = text
        .lines()
        .skip(heading)
        .take_while(|line| !line.starts_with("## "));
    body.all(|line| line.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::tests::file;
    use super::*;

    const PAGE: &str =
        "# Full\n\n## Meaning\nm\n\n## Cause\nc\n\n## What to do\nw\n\n## Example\n```\n# e\n```\n";

    fn whats(path: &str, text: &str) -> Vec<String> {
        let violations = check(&file(path, text));
        violations
            .iter()
            .map(|violation| format!("{}: {}", violation.line, violation.what))
            .collect()
    }

    #[test]
    fn a_page_with_all_sections_is_in_order() {
        assert!(whats("crates/core/src/error/codes/Full.md", PAGE).is_empty());
    }

    #[test]
    fn what_is_missing_or_empty_is_named() {
        let text = PAGE.replace("## Cause\nc\n", "").replace("w\n", "");
        assert_eq!(
            whats("crates/core/src/error/codes/Other.md", &text),
            [
                "1: the page does not open with `# Other`",
                "1: the section `## Cause` is missing",
                "7: the section `## What to do` is empty",
            ]
        );
    }

    #[test]
    fn other_texts_are_no_pages() {
        assert!(whats("docs/guide/first.md", "# Anything\n").is_empty());
    }
}
