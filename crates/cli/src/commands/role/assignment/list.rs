//! `strongroom role assignment list`.

use uuid::Uuid;

use crate::commands::role::scope;
use crate::error::CliError;
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where: id of a subscription, resource group or resource; without it the default resource group
    #[arg(long, value_name = "ID")]
    scope: Option<String>,
    /// Only what this user, group or service principal has
    #[arg(long, value_name = "ID")]
    assignee: Option<Uuid>,
    /// Only what holds at the scope itself, not what is assigned below it
    #[arg(long)]
    at_scope: bool,
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let scope = scope(session, self.scope.as_deref())?;
        let mut parts = Vec::new();
        if self.at_scope {
            parts.push("atScope()".to_owned());
        }
        if let Some(id) = self.assignee {
            parts.push(format!("principalId eq '{id}'"));
        }
        let filter = parts.join(" and ");
        let query = [("$filter", filter.as_str())];
        let query = if filter.is_empty() { &[][..] } else { &query[..] };
        let found = session.client()?.role_assignments(&scope).list_where(query)?.all().await?;
        session.show_all(super::COLUMNS, &found)
    }
}
