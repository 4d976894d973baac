//! `cargo xtask tidy`: the rules of the house that no compiler checks. Each violation is printed as
//! `file:line`, with the way out.

mod edges;
mod machine_paths;
mod pages;
mod samples;
mod sources;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::failure::{Doing, Result};
use crate::{talk, workspace};

/// Folders that are not the project's text.
const SKIPPED_FOLDERS: [&str; 4] = ["target", ".git", ".strongroom", "node_modules"];
/// Names' ends of the files that are read as text.
const TEXT_FILES: [&str; 9] = ["rs", "md", "toml", "yaml", "yml", "go", "py", "sh", "sql"];

/// How bad a violation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Severity {
    /// Printed only.
    Warning,
    /// Fails the command.
    Error,
}

/// One broken rule.
#[derive(Debug)]
struct Violation {
    file: PathBuf,
    line: usize,
    severity: Severity,
    what: String,
    way_out: &'static str,
}

impl Violation {
    fn error(file: &Path, line: usize, what: impl Into<String>, way_out: &'static str) -> Self {
        Self {
            file: file.to_path_buf(),
            line,
            severity: Severity::Error,
            what: what.into(),
            way_out,
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        let (file, line) = (self.file.display(), self.line);
        write!(
            f,
            "{file}:{line}: {severity}: {}\n  way out: {}",
            self.what, self.way_out
        )
    }
}

/// A file of the project: its path within the work tree, and its text.
struct TextFile {
    path: PathBuf,
    text: String,
}

/// Checks the whole work tree.
pub(crate) fn run() -> Result<ExitCode> {
    let root = workspace::root();
    let mut files = Vec::new();
    read_files(&root, &root, &mut files)?;
    let mut violations = edges::check(&root)?;
    violations.extend(samples::check(&files));
    for file in &files {
        violations.extend(sources::check(file));
        violations.extend(machine_paths::check(file));
        violations.extend(pages::check(file));
    }
    violations.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
    for violation in &violations {
        talk::data(violation);
    }
    let errors = violations
        .iter()
        .filter(|violation| violation.severity == Severity::Error);
    let (errors, all) = (errors.count(), violations.len());
    talk::say(format_args!(
        "tidy: {} files, {errors} errors, {} warnings",
        files.len(),
        all - errors
    ));
    Ok(if errors == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn read_files(root: &Path, folder: &Path, files: &mut Vec<TextFile>) -> Result<()> {
    let doing = || format!("read the folder {}", folder.display());
    let mut entries = fs::read_dir(folder)
        .doing(doing)?
        .collect::<std::io::Result<Vec<_>>>()
        .doing(doing)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let kind = entry.file_type().doing(doing)?;
        let skipped = SKIPPED_FOLDERS
            .iter()
            .any(|name| entry.file_name() == *name);
        if kind.is_dir() && !skipped {
            read_files(root, &path, files)?;
        }
        let extension = path
            .extension()
            .and_then(|extension| extension.to_str())
            .unwrap_or_default();
        if kind.is_file() && TEXT_FILES.contains(&extension) {
            let text = fs::read_to_string(&path).doing(|| format!("read {}", path.display()))?;
            let path = path.strip_prefix(root).unwrap_or(&path).to_path_buf();
            files.push(TextFile { path, text });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file for the rules' tests.
    pub(super) fn file(path: &str, text: &str) -> TextFile {
        TextFile {
            path: path.into(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn a_violation_reads_as_place_what_and_the_way_out() {
        let violation = Violation::error(Path::new("a/b.rs"), 7, "it is wrong", "mend it");
        assert_eq!(
            violation.to_string(),
            "a/b.rs:7: error: it is wrong\n  way out: mend it"
        );
    }

    #[test]
    fn folders_that_are_not_the_projects_are_not_read() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["src/lib.rs", "target/debug/gen.rs", "src/data.bin"] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "//! x").unwrap();
        }
        let mut files = Vec::new();
        read_files(folder.path(), folder.path(), &mut files).unwrap();
        let paths: Vec<_> = files.into_iter().map(|file| file.path).collect();
        assert_eq!(paths, [PathBuf::from("src/lib.rs")]);
    }
}
