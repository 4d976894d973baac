//! `strongroom role assignment create`.

use strongroom_api::administration::WhoseObjectId;
use strongroom_api::authorization::{RoleAssignment, RoleAssignmentResource};
use strongroom_core::authorization::{DEFINITIONS, RoleDefinition};
use uuid::Uuid;

use crate::commands::role::scope;
use crate::error::CliError;
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    whom: Whom,
    /// Name or id of the role, for example "Backup Contributor"
    #[arg(long)]
    role: String,
    /// Where: id of a subscription, resource group or resource; without it the default resource group
    #[arg(long, value_name = "ID")]
    scope: Option<String>,
    /// What the assignee is
    #[arg(long, value_parser = ["User", "Group", "ServicePrincipal"], default_value = "ServicePrincipal",
        conflicts_with_all = ["assignee_user", "assignee_group"])]
    assignee_type: String,
    /// Why, for whoever reads the list later
    #[arg(long)]
    description: Option<String>,
}

/// To whom it is assigned.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Whom {
    /// Object id of the user, group or service principal
    #[arg(long, value_name = "ID")]
    assignee: Option<Uuid>,
    /// Somebody whom the identity provider knows, by the subject of their tokens (`sub`)
    #[arg(long, value_name = "SUBJECT")]
    assignee_user: Option<String>,
    /// A group of the identity provider, by the name that tokens have for it
    #[arg(long, value_name = "NAME")]
    assignee_group: Option<String>,
}

impl Whom {
    /// The object id and what it is, when the server said so.
    async fn resolve(
        self,
        session: &Session<'_>,
    ) -> Result<(String, Option<&'static str>), CliError> {
        if let Some(id) = self.assignee {
            return Ok((id.to_string(), None));
        }
        let kind = if self.assignee_user.is_some() {
            "User"
        } else {
            "Group"
        };
        let whose = WhoseObjectId {
            user: self.assignee_user,
            group: self.assignee_group,
        };
        let known = session.client()?.object_id(&whose).await?;
        Ok((known.object_id, Some(kind)))
    }
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let role = definition(&self.role)?;
        let scope = scope(session, self.scope.as_deref())?;
        let (principal, kind) = self.whom.resolve(session).await?;
        let assignments = session.client()?.role_assignments(&scope);
        // A right that is there is not given again: it keeps its name, and the command can be repeated.
        let filter = format!("atScope() and principalId eq '{principal}'");
        let held = assignments.list_where(&[("$filter", &filter)])?.all().await?;
        let is_same = |one: &&RoleAssignmentResource| {
            let at = one.properties.scope.as_deref().unwrap_or_default();
            at.trim_end_matches('/').eq_ignore_ascii_case(scope.trim_end_matches('/'))
                && one.properties.role_definition_id.ends_with(&role.id.to_string())
        };
        let known = held.iter().find(is_same).and_then(|one| one.name.clone());
        let name = known.unwrap_or_else(|| new_name().to_string());
        let body = RoleAssignmentResource::of(RoleAssignment {
            role_definition_id: format!("/providers/Microsoft.Authorization/roleDefinitions/{}", role.id),
            principal_id: principal,
            principal_type: Some(kind.map_or(self.assignee_type, str::to_owned)),
            description: self.description,
            ..RoleAssignment::default()
        });
        let running = assignments.put(&name, &body).await?;
        let assignment = session.finish("role assignment", running).await?;
        session.show(super::COLUMNS, &assignment)
    }
}

#[expect(clippy::disallowed_methods, reason = "clients choose the names of role assignments")]
fn new_name() -> Uuid {
    Uuid::new_v4()
}

fn definition(given: &str) -> Result<&'static RoleDefinition, CliError> {
    let by_id = given.parse().ok().and_then(RoleDefinition::of_id);
    by_id.or_else(|| RoleDefinition::of_name(given)).ok_or_else(|| {
        let known: Vec<&str> = DEFINITIONS.iter().map(|role| role.name).collect();
        CliError::not_found(
            format!("there is no role '{given}' (known: {})", known.join(", ")),
            "Choose a known one; what each may do: strongroom role definition list -o yaml",
        )
    })
}
