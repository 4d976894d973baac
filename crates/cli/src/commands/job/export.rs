//! `strongroom job export`: the jobs of a vault as JSON or CSV, on standard output or in a file.

use std::path::PathBuf;

use crate::error::CliError;
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Vault: name or id
    #[arg(long, env = "STRONGROOM_VAULT", hide_env_values = true)]
    vault: String,
    /// How the jobs are written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Write to this file, which appears once all jobs are in it
    #[arg(long)]
    file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
enum Format {
    /// A table with one line for each job
    #[default]
    Csv,
    /// An array of the jobs as the API shows them
    Json,
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let client = session.client()?;
        let running = client.export_jobs(&session.vault_id(&self.vault)?).await?;
        let links = session.finish("exporting jobs", running).await?;
        let (url, key) = match self.format {
            Format::Csv => (links.excel_file_blob_url, links.excel_file_blob_sas_key),
            Format::Json => (links.blob_url, links.blob_sas_key),
        };
        let link = format!("{}{}", url.unwrap_or_default(), key.unwrap_or_default());
        let mut download = client.exported(&link).await?;
        if let Some(path) = &self.file {
            super::report::save(session, download, path).await?;
            return Ok(());
        }
        let mut all = Vec::new();
        while let Some(part) = download.next().await? {
            all.extend_from_slice(&part);
        }
        session.terminal.data(&String::from_utf8_lossy(&all))
    }
}
