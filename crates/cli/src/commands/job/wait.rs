//! `strongroom job wait`.

use strongroom_api::client::id;

use crate::error::CliError;
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Job: id
    job: String,
    /// Vault: name or id
    #[arg(long, env = "STRONGROOM_VAULT", hide_env_values = true)]
    vault: String,
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let vault_id = session.vault_id(&self.vault)?;
        let job = id::name(&self.job);
        let finished = crate::wait::follow(session, &vault_id, job, &format!("job {job}")).await?;
        session.show(super::COLUMNS, &finished)?;
        crate::wait::verdict(session, id::name(&vault_id), finished)
    }
}
