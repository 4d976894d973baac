//! `strongroom recovery-point verify`: the verdict is the data, each problem a remark, and damage is the
//! exit code of damaged data.

use strongroom_api::client::id;
use strongroom_api::recovery_point::{Verification, VerificationState};

use crate::error::CliError;
use crate::output::{self, Columns};
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Recovery point: id, or latest
    name: String,
    /// Vault: name or id
    #[arg(long, env = "STRONGROOM_VAULT", hide_env_values = true)]
    vault: String,
    /// Instance: name or id
    #[arg(long)]
    instance: String,
}

const COLUMNS: Columns<Verification> = &[
    ("ID", |found| found.recovery_point_id.clone()),
    ("STATE", |found| format!("{:?}", found.state)),
    ("VERIFIED", |found| output::instant(Some(found.verified_time))),
    ("OBJECTS", |found| found.entries.to_string()),
    ("SIZE", |found| output::bytes(Some(found.bytes))),
    ("PROBLEMS", |found| found.problem_count.to_string()),
];

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let instance_id = session.vault_child(&self.vault, "backupInstances", &self.instance)?;
        let name = super::named(session, &instance_id, &self.name).await?;
        let point_id = id::child(&instance_id, "recoveryPoints", &name);
        let running = session.client()?.verify_recovery_point(&point_id).await?;
        let found = session.finish(&format!("verifying {name}"), running).await?;
        session.show(COLUMNS, &found)?;
        let problems = found.problems.as_deref().unwrap_or_default();
        for problem in problems {
            session.say(&format!("damaged[{}]: {}: {}", problem.code, problem.object, problem.message));
        }
        let listed = problems.len() as u64;
        if found.problem_count > listed {
            session.say(&format!("and {} more", found.problem_count - listed));
        }
        match found.state {
            VerificationState::Whole => {
                session.say("whole: every byte is as it was written");
                Ok(())
            }
            VerificationState::Damaged => Err(CliError::Damaged { point: name, problems: found.problem_count }),
        }
    }
}
