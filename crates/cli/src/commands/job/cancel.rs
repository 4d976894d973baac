//! `strongroom job cancel`: asks a job to end, and waits until it has.

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
    /// Do not wait until it has ended
    #[arg(long)]
    no_wait: bool,
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let vault_id = session.vault_id(&self.vault)?;
        let job_id = session.vault_child(&self.vault, "backupJobs", &self.job)?;
        let client = session.client()?;
        let running = client.cancel_job(&job_id).await?;
        let job = id::name(&job_id);
        session.finish(&format!("cancelling {job}"), running).await?;
        if self.no_wait {
            session.say(&format!("job {job} is asked to end"));
            return Ok(());
        }
        let ended = crate::wait::follow(session, &vault_id, job, &format!("cancelling {job}")).await?;
        session.show(super::COLUMNS, &ended)?;
        // Its own end is what was asked for; any other is worth a word.
        if ended.properties.status != "Cancelled" {
            session.say(&format!("it had ended before: {}", ended.properties.status));
        }
        Ok(())
    }
}
