//! `strongroom job list`.

use crate::error::CliError;
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Vault: name or id
    #[arg(long, env = "STRONGROOM_VAULT", hide_env_values = true)]
    vault: String,
    /// Only jobs with this status, for example InProgress
    #[arg(long)]
    status: Option<String>,
    /// Only jobs with this operation, for example Backup
    #[arg(long)]
    operation: Option<String>,
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let mut pages = session.client()?.jobs(&session.vault_id(&self.vault)?).list()?;
        let fits = |wanted: &Option<String>, value: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(value))
        };
        let mut found = Vec::new();
        while let Some(page) = pages.next().await? {
            found.extend(page.into_iter().filter(|job| {
                fits(&self.status, &job.properties.status) && fits(&self.operation, &job.properties.operation)
            }));
        }
        session.show_all(super::COLUMNS, &found)
    }
}
