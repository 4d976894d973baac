//! What the tests take from the Go module proxy: built when it is missing or its sources changed.

use std::path::PathBuf;

use crate::cluster;
use crate::failure::{Doing, Result};
use crate::talk::say;
use crate::tool;
use crate::workspace;

/// The client of Terraform's azurerm provider, with what a test has it do.
pub(super) fn terraform_client() -> Result<PathBuf> {
    let source = workspace::root().join("tests/e2e/go/terraform_client");
    let files = ["main.go", "go.mod", "go.sum"];
    let wanted: String = files.map(|file| tool::text_of(&source.join(file))).concat();
    let home = cluster::cache().join("terraform-client");
    let program = home.join("terraform_client");
    // Written last: a build that was cut off is made again.
    let built = home.join("built-of");
    if program.is_file() && tool::text_of(&built) == wanted {
        return Ok(program);
    }
    say("building the client of Terraform's azurerm provider …");
    std::fs::create_dir_all(&home).doing(|| format!("make {}", home.display()))?;
    let output = program.display().to_string();
    let folder = source.display().to_string();
    tool::run(
        "go",
        ["-C", &folder, "build", "-trimpath", "-o", &output, "."],
    )?;
    std::fs::write(&built, wanted).doing(|| format!("write {}", built.display()))?;
    Ok(program)
}
