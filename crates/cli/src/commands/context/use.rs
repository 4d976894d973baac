//! `strongroom context use`.

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
        let mut context = file.get(&self.name)?.clone();
        for (stored, given) in [
            (&mut context.subscription, &global.subscription),
            (&mut context.resource_group, &global.resource_group),
            (&mut context.location, &global.location),
        ] {
            if given.is_some() {
                stored.clone_from(given);
            }
        }
        file.contexts.insert(self.name.clone(), context);
        file.current = Some(self.name.clone());
        file.save(&path)?;
        if !global.quiet {
            terminal.say(&format!("the current context is '{}'", self.name));
        }
        Ok(())
    }
}
