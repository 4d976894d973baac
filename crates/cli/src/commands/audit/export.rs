//! `strongroom audit export`: entries as JSON lines on standard output, page by page, whatever `-o` says.

use std::time::Duration;

use crate::error::CliError;
use crate::output;
use crate::session::Session;

/// How often new entries are looked for with `--follow`.
const LOOK_EVERY: Duration = Duration::from_secs(2);

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only entries after the one with this number
    #[arg(long, value_name = "N", default_value_t = 0)]
    after: u64,
    /// Go on with new entries, until interrupted
    #[arg(long)]
    follow: bool,
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let client = session.client()?;
        let mut after = self.after;
        loop {
            let mut pages = client.audit_entries(after)?;
            while let Some(page) = pages.next().await? {
                let mut text = String::new();
                for entry in &page {
                    text.push_str(&output::json_line(entry)?);
                    after = entry.sequence;
                }
                session.terminal.data(&text)?;
            }
            if !self.follow {
                return Ok(());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}
