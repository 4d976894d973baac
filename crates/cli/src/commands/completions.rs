//! `strongroom completions`.

use clap_complete::Shell;

use crate::error::CliError;
use crate::terminal::Terminal;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Shell to complete in
    #[arg(value_enum)]
    shell: Shell,
}

impl Args {
    pub(super) fn run(self, root: &clap::Command, terminal: &Terminal) -> Result<(), CliError> {
        let mut script = Vec::new();
        let name = root.get_name().to_owned();
        clap_complete::generate(self.shell, &mut root.clone(), name, &mut script);
        terminal.data(&String::from_utf8_lossy(&script))
    }
}
