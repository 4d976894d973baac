//! `strongroom role`.

use super::Run;
use crate::error::CliError;
use crate::session::Session;

mod assignment;
mod definition;

/// What is under role.
#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// Role assignments: who has which role where
    #[command(subcommand)]
    Assignment(assignment::Verb),
    /// Role definitions: what a role may do
    #[command(subcommand)]
    Definition(definition::Verb),
}

impl Run for Verb {
    async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        match self {
            Self::Assignment(verb) => verb.run(session).await,
            Self::Definition(verb) => verb.run(session).await,
        }
    }
}

/// Where a role is assigned: what was given, else the default resource group, else the subscription.
fn scope(session: &Session<'_>, given: Option<&str>) -> Result<String, CliError> {
    if let Some(given) = given {
        return Ok(given.to_owned());
    }
    match session.group() {
        Ok(group) => Ok(group.id()),
        Err(_) => Ok(format!(
            "/subscriptions/{}",
            session.settings.subscription()?
        )),
    }
}
