//! `strongroom context delete`.

use crate::context_file::ContextFile;
use crate::error::CliError;
use crate::settings::GlobalArgs;
use crate::terminal::Terminal;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name of the context
    name: String,
}

impl Args {
    pub(super) fn run(self, global: &GlobalArgs, terminal: &Terminal) -> Result<(), CliError> {
        let path = global.context_path()?;
        let mut file = ContextFile::load(&path)?;
        file.get(&self.name)?;
        file.contexts.remove(&self.name);
        file.current = file.current.filter(|current| *current != self.name);
        file.save(&path)?;
        if !global.quiet {
            terminal.say(&format!("context '{}' is forgotten", self.name));
        }
        Ok(())
    }
}
