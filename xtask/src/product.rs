//! Building the product: the one binary that demo and tests run.

use std::path::PathBuf;
use std::process::Command;

use crate::failure::{Doing, Failure, Result};
use crate::talk::{Stopwatch, say};
use crate::workspace;

/// Builds the `strongroom` binary and returns its path.
pub(crate) fn build() -> Result<PathBuf> {
    let watch = Stopwatch::start();
    say("building strongroom (the first time takes some minutes) …");
    let mut command = cargo();
    command.args([
        "build",
        "--package",
        "strongroom",
        "--message-format=json-render-diagnostics",
    ]);
    command.stderr(std::process::Stdio::inherit());
    let output = command.output().doing(|| "start cargo".to_owned())?;
    if !output.status.success() {
        return Err(Failure::new("build strongroom", output.status));
    }
    let binary = executable(&String::from_utf8_lossy(&output.stdout));
    say(format_args!("{:>7}  strongroom is built", watch.words()));
    binary.ok_or_else(|| {
        Failure::new(
            "find the binary that was built",
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

/// The last executable that cargo's messages name.
fn executable(messages: &str) -> Option<PathBuf> {
    let parsed = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    parsed
        .filter_map(|message| message["executable"].as_str().map(PathBuf::from))
        .next_back()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_executable_is_read_from_cargos_messages() {
        let messages = "{\"reason\":\"compiler-artifact\",\"executable\":null}\n{\"executable\":\"/x/strongroom\"}\n{\"reason\":\"build-finished\"}";
        assert_eq!(executable(messages), Some(PathBuf::from("/x/strongroom")));
    }
}
