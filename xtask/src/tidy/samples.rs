//! Samples in the guide: one that is named as a file of the tests is that file, word for word. So what a
//! reader copies is what ran.
//!
//! It is named by a link to a YAML file in the last line of text before the block.

use std::path::{Component, Path, PathBuf};

use super::{TextFile, Violation};

const WAY_OUT: &str =
    "copy the file into the block: the tests run the file, readers copy the block";

/// Checks the samples of all documents.
pub(super) fn check(files: &[TextFile]) -> Vec<Violation> {
    let is_document = |file: &&TextFile| file.path.extension().is_some_and(|end| end == "md");
    let documents = files.iter().filter(is_document);
    documents.flat_map(|file| of(file, files)).collect()
}

fn of(document: &TextFile, files: &[TextFile]) -> Vec<Violation> {
    let lines: Vec<&str> = document.text.lines().collect();
    let mut violations = Vec::new();
    let mut named = None;
    for (index, line) in lines.iter().enumerate() {
        if !line.starts_with("```") {
            if !line.trim().is_empty() {
                named = linked(line);
            }
            continue;
        }
        let Some(link) = named.take() else { continue };
        let body = lines.iter().skip(index + 1);
        let block: Vec<&str> = body.take_while(|line| **line != "```").copied().collect();
        let path = resolved(&document.path, link);
        let what = match files.iter().find(|file| file.path == path) {
            None => format!("there is no file {}", path.display()),
            Some(file) if file.text.lines().eq(block) => continue,
            Some(_) => format!("the sample is not what {} holds", path.display()),
        };
        violations.push(Violation::error(&document.path, index + 1, what, WAY_OUT));
    }
    violations
}

/// The YAML file that a line of text links to.
fn linked(line: &str) -> Option<&str> {
    let (_, link) = line.rsplit_once("](")?;
    let (link, _) = link.split_once(')')?;
    link.ends_with(".yaml").then_some(link)
}

/// The path within the work tree that a document's link means.
fn resolved(document: &Path, link: &str) -> PathBuf {
    let folder = document.parent().unwrap_or(Path::new(""));
    let mut path = PathBuf::new();
    for part in folder.join(link).components() {
        match part {
            Component::ParentDir => drop(path.pop()),
            part => path.push(part),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::super::tests::file;
    use super::*;

    fn whats(block: &str) -> Vec<String> {
        let text = format!("# Guide\n\nThis is [it](../../tests/a.yaml):\n\n```yaml\n{block}```\n");
        let files = [
            file("docs/guide/first.md", &text),
            file("tests/a.yaml", "kind: Pod\nname: a\n"),
        ];
        let violations = check(&files);
        violations
            .iter()
            .map(|violation| format!("{}: {}", violation.line, violation.what))
            .collect()
    }

    #[test]
    fn a_sample_that_is_its_file_is_in_order() {
        assert!(whats("kind: Pod\nname: a\n").is_empty());
    }

    #[test]
    fn a_sample_that_was_changed_or_cut_is_named() {
        let wanted = ["5: the sample is not what tests/a.yaml holds"];
        assert_eq!(whats("kind: Pod\nname: b\n"), wanted);
        assert_eq!(whats("kind: Pod\n"), wanted);
    }

    #[test]
    fn a_sample_of_a_file_that_is_gone_is_named_and_one_of_no_file_is_free() {
        let text = "See [it](b.yaml).\n```yaml\nx\n```\nAnd a block:\n```yaml\ny\n```\n";
        let violations = check(&[file("docs/first.md", text)]);
        let whats: Vec<_> = violations.into_iter().map(|one| one.what).collect();
        assert_eq!(whats, ["there is no file docs/b.yaml"]);
    }
}
