//! `strongroom role assignment delete`.

use strongroom_api::client::id;

use crate::commands::role::scope;
use crate::error::CliError;
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name or id of the assignment
    name: String,
    /// Where it is, when only its name is given; without it the default resource group
    #[arg(long, value_name = "ID")]
    scope: Option<String>,
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        const OF_ASSIGNMENTS: &str = "/providers/Microsoft.Authorization/roleAssignments/";
        let scope = match self.name.split_once(OF_ASSIGNMENTS) {
            Some((scope, _)) => scope.to_owned(),
            None => scope(session, self.scope.as_deref())?,
        };
        let name = id::name(&self.name);
        let running = session.client()?.role_assignments(&scope).delete(name).await?;
        session.finish_delete(&format!("role assignment {name}"), running).await
    }
}
