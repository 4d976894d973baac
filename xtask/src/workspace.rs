//! Where the repository lies on this machine.

use std::path::{Path, PathBuf};

/// The root of the work tree. Cargo says it when it runs the command; else it is where the command
/// was built.
pub(crate) fn root() -> PathBuf {
    let manifest_dir = std::env::var_os("CARGO_MANIFEST_DIR");
    let xtask =
        manifest_dir.map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    xtask.parent().map(Path::to_path_buf).unwrap_or(xtask)
}
