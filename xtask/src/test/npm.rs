//! What the tests take from npm, in a folder of the user's cache: installed when it is missing or its
//! requirements changed.

use std::path::PathBuf;

use crate::cluster;
use crate::failure::{Doing, Failure, Result};
use crate::talk::say;
use crate::tool;
use crate::workspace;

/// Azurite's blob service, the Azure Blob service of the tests.
pub(super) fn azurite() -> Result<PathBuf> {
    Ok(packages()?.join("node_modules/.bin/azurite-blob"))
}

/// The folder in which the tests' packages are installed.
pub(super) fn packages() -> Result<PathBuf> {
    let required = workspace::root().join("tests/e2e/node/package.json");
    let wanted = tool::text_of(&required);
    let home = cluster::cache().join("node");
    // Written last: an installation that was cut off is made again.
    let installed = home.join("requirements-installed.json");
    if tool::text_of(&installed) == wanted {
        return Ok(home);
    }
    if tool::find("npm").is_none() {
        return Err(Failure::new(
            "install Azurite and an identity provider",
            "there is no npm; install Node.js 20 or newer (Debian: `apt install nodejs npm`)",
        ));
    }
    say("installing Azurite and an OpenID Connect provider, services of the tests, from npm …");
    std::fs::create_dir_all(&home).doing(|| format!("make {}", home.display()))?;
    let own = home.join("package.json");
    std::fs::write(&own, &wanted).doing(|| format!("write {}", own.display()))?;
    let home_text = home.display().to_string();
    tool::run(
        "npm",
        [
            "install",
            "--prefix",
            &home_text,
            "--no-audit",
            "--no-fund",
            "--omit=dev",
            "--loglevel=error",
        ],
    )?;
    std::fs::write(&installed, wanted).doing(|| format!("write {}", installed.display()))?;
    Ok(home)
}
