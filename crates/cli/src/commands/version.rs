//! `strongroom version`.

use crate::error::CliError;
use crate::terminal::Terminal;

#[derive(Debug, clap::Args)]
pub struct Args {}

impl Args {
    #[expect(clippy::unused_self, reason = "every verb is run in the same way")]
    pub(super) fn run(self, terminal: &Terminal) -> Result<(), CliError> {
        let version = env!("CARGO_PKG_VERSION");
        let newest = strongroom_api::version::LATEST;
        terminal.data(&format!("strongroom {version} (api-version {newest})\n"))
    }
}
