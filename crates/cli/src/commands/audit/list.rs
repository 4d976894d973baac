//! `strongroom audit list`.

use crate::error::CliError;
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// How many of the latest entries
    #[arg(long, value_name = "N", default_value_t = 50)]
    last: u64,
    /// Only calls that were denied, of those
    #[arg(long)]
    denied: bool,
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let client = session.client()?;
        let head = client.audit_log().await?.head.sequence;
        let mut found = client.audit_entries(head.saturating_sub(self.last))?.all().await?;
        if self.denied {
            found.retain(|entry| entry.outcome == "Denied");
        }
        session.show_all(super::COLUMNS, &found)
    }
}
