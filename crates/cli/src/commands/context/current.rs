//! `strongroom context current`.

use super::{COLUMNS, shown};
use crate::context_file::ContextFile;
use crate::error::CliError;
use crate::output;
use crate::settings::GlobalArgs;
use crate::terminal::Terminal;

#[derive(Debug, clap::Args)]
pub struct Args {}

impl Args {
    #[expect(clippy::unused_self, reason = "every verb is run in the same way")]
    pub(super) fn run(self, global: &GlobalArgs, terminal: &Terminal) -> Result<(), CliError> {
        let file = ContextFile::load(&global.context_path()?)?;
        let current = shown(&file)
            .into_iter()
            .find(|context| context.current)
            .ok_or(CliError::NotLoggedIn)?;
        terminal.data(&output::item(global.output, COLUMNS, &current)?)
    }
}
