//! Where the repository lies on this machine.

use std::path::{Path, PathBuf};

/// The root of the work tree that this command was built from. (What cargo says at run time is not
/// asked: when a test runs this command, cargo speaks of the test.)
pub(crate) fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_path_buf()
}
