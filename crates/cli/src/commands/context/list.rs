//! `strongroom context list`.

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
        terminal.data(&output::list(global.output, COLUMNS, &shown(&file))?)
    }
}
