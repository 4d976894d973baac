//! Running the machine's tools: always by an argument vector, never through a shell.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::failure::{Doing, Failure, Result};

/// Folders that hold system tools but are often missing in a user's `PATH`.
const SYSTEM_FOLDERS: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// Runs a tool to its end and returns its stdout. Its stderr becomes the cause of a failure.
pub(crate) fn run<A: AsRef<OsStr>>(
    program: &str,
    arguments: impl IntoIterator<Item = A>,
) -> Result<String> {
    let mut command = Command::new(find(program).unwrap_or_else(|| program.into()));
    command.args(arguments);
    output(&mut command)
}

/// Runs a prepared command to its end and returns its stdout, as [`run`] does.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let result = command.stdin(Stdio::null()).output();
    let output = result.doing(|| format!("run {}", command_line(command)))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    // Some tools complain on stdout.
    let complaint = if output.stderr.is_empty() {
        &output.stdout
    } else {
        &output.stderr
    };
    let said = String::from_utf8_lossy(complaint);
    let cause = format!("{}: {}", output.status, last_lines(&said, 12));
    Err(Failure::new(
        format!("run {}", command_line(command)),
        cause,
    ))
}

/// Where a tool is: in `PATH` or in one of the system's own folders.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(SYSTEM_FOLDERS.iter().map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// The last lines of a log, for the cause of a failure.
pub(crate) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// A file's text; empty when it cannot be read.
pub(crate) fn text_of(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

fn command_line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(OsStr::to_string_lossy).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_that_fails_tells_its_last_words() {
        let failure = run("ls", ["/no/such/folder"]).unwrap_err().to_string();
        assert!(failure.contains("/no/such/folder"), "{failure}");
    }

    #[test]
    fn a_tool_that_is_not_there_is_not_found() {
        assert_eq!(find("no-such-tool-anywhere"), None);
    }

    #[test]
    fn only_the_last_lines_of_a_log_are_shown() {
        assert_eq!(last_lines("a\nb\nc\n", 2), "b\nc");
    }
}
