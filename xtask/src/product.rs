//! Building the product: the one binary that demo and tests run.

use std::path::PathBuf;
use std::process::Command;

use crate::failure::{Doing, Failure, Result};
use crate::talk::{Stopwatch, say};
use crate::workspace;

/// Builds the `strongroom` binary and returns its path.
pub(crate) fn build() -> Result<PathBuf> {
    built(&["--package", "strongroom"])
}

/// The same out of what the tests are built of: a package by itself would have all dependencies built once
/// more, without the features that only tests ask for. This command itself is not among it: it runs.
pub(crate) fn build_with_tests() -> Result<PathBuf> {
    built(&["--workspace", "--bin", "strongroom", "--tests"])
}

fn built(what: &[&str]) -> Result<PathBuf> {
    let watch = Stopwatch::start();
    say("building strongroom (the first time takes some minutes) …");
    let binary = build_of(what, "strongroom", false)?;
    say(format_args!("{:>7}  strongroom is built", watch.words()));
    Ok(binary)
}

/// The tests of a target of the workspace (the unit tests of a library, or a test of its own), as a program.
pub(crate) fn tests_of(target: &str) -> Result<PathBuf> {
    build_of(
        &["--workspace", "--bin", "strongroom", "--tests"],
        target,
        true,
    )
}

/// Builds `what` and returns the path of one target in it: of itself, or of the tests in it.
fn build_of(what: &[&str], target: &str, tests: bool) -> Result<PathBuf> {
    let mut command = cargo();
    command.args(["build", "--message-format=json-render-diagnostics"]);
    command.args(what);
    command.stderr(std::process::Stdio::inherit());
    let output = command.output().doing(|| "start cargo".to_owned())?;
    if !output.status.success() {
        return Err(Failure::new(format!("build {target}"), output.status));
    }
    let binary = executable(&String::from_utf8_lossy(&output.stdout), target, tests);
    binary.ok_or_else(|| {
        Failure::new(
            format!("find {target}, which was built"),
            "cargo named no executable",
        )
    })
}

/// Cargo in the root of the work tree.
pub(crate) fn cargo() -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(workspace::root());
    // What cargo sets for this command itself would make nested builds look different from the user's own.
    for (name, _value) in std::env::vars_os() {
        let told = name.to_string_lossy();
        if told.starts_with("CARGO_PKG_")
            || told.starts_with("CARGO_MANIFEST_")
            || told == "CARGO_PRIMARY_PACKAGE"
        {
            command.env_remove(&name);
        }
    }
    command
}

/// The executable of a target among what cargo's messages name.
fn executable(messages: &str, target: &str, tests: bool) -> Option<PathBuf> {
    let parsed = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    parsed
        .filter(|message| {
            message["target"]["name"] == target && message["profile"]["test"] == tests
        })
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_executable_is_read_from_cargos_messages() {
        let artifact = |name: &str, test: bool, executable: Option<&str>| {
            let target = serde_json::json!({"name": name});
            serde_json::json!({"reason": "compiler-artifact", "target": target,
                "profile": {"test": test}, "executable": executable})
        };
        let messages = [
            artifact("strongroom_core", false, None),
            artifact("strongroom", true, Some("/x/deps/strongroom-1")),
            artifact("strongroom", false, Some("/x/strongroom")),
            artifact("xtask", false, Some("/x/xtask")),
            serde_json::json!({"reason": "build-finished"}),
        ];
        let messages = messages.map(|message| message.to_string()).join("\n");
        let of = |target: &str, tests| executable(&messages, target, tests);
        assert_eq!(
            of("strongroom", false),
            Some(PathBuf::from("/x/strongroom"))
        );
        let tests = PathBuf::from("/x/deps/strongroom-1");
        assert_eq!(of("strongroom", true), Some(tests));
        assert_eq!(of("strongroom_core", false), None);
    }
}
