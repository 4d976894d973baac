//! What the tests take from PyPI, each in an environment of its own in the user's cache: made when it
//! is missing or its requirements changed.

use std::path::{Path, PathBuf};

use crate::cluster;
use crate::failure::{Doing, Result};
use crate::talk::say;
use crate::tool;
use crate::workspace;

/// A Python with the official SDK.
pub(super) fn python_sdk() -> Result<PathBuf> {
    let home = environment("python-sdk", "the official Python SDK", "requirements.txt")?;
    Ok(home.join("bin/python"))
}

/// SeaweedFS's `weed`, the S3 service of the tests.
pub(crate) fn seaweedfs() -> Result<PathBuf> {
    let home = environment(
        "seaweedfs",
        "SeaweedFS, the S3 service of the tests,",
        "seaweedfs.txt",
    )?;
    Ok(home.join("bin/weed"))
}

/// The fuzzer of HTTP APIs.
pub(crate) fn schemathesis() -> Result<PathBuf> {
    let home = environment(
        "schemathesis",
        "schemathesis, which fuzzes the API,",
        "schemathesis.txt",
    )?;
    Ok(home.join("bin/schemathesis"))
}

/// The folder of an environment with what a file in `tests/e2e/python` requires.
fn environment(name: &str, what: &str, requirements: &str) -> Result<PathBuf> {
    let requirements = workspace::root()
        .join("tests/e2e/python")
        .join(requirements);
    let wanted = tool::text_of(&requirements);
    let home = cluster::cache().join(name);
    let python = home.join("bin/python");
    let installed = home.join("requirements-installed.txt");
    if python.exists() && tool::text_of(&installed) == wanted {
        return Ok(home);
    }
    say(format_args!("installing {what} from PyPI …"));
    let path = |path: &Path| path.display().to_string();
    make_virtual_environment(&home)?;
    tool::run(
        &path(&python),
        [
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--requirement",
            &path(&requirements),
        ],
    )?;
    std::fs::write(&installed, wanted).doing(|| format!("write {}", installed.display()))?;
    Ok(home)
}

/// Debian's python3 comes without venv; a Python of the user's own may have it.
fn make_virtual_environment(home: &Path) -> Result<()> {
    let make = || {
        tool::run(
            "python3",
            [
                "-m".as_ref(),
                "venv".as_ref(),
                "--clear".as_ref(),
                home.as_os_str(),
            ],
        )
    };
    if make().is_ok() {
        return Ok(());
    }
    say("installing Debian's python3-venv, which the official Python SDK needs …");
    tool::run(
        "apt-get",
        [
            "install",
            "--yes",
            "--no-install-recommends",
            "python3-venv",
        ],
    )?;
    make().map(drop)
}
