//! Role assignments: who has which role where.
//!
//! Contract: one cannot become another (principal, role and scope stay); a principal has a role at a scope
//! once; and an assignment that would grant less than it says (with a condition, which is not evaluated
//! here) is refused and not taken as one without. They go with the resource at which they are.

use std::collections::HashSet;

use strongroom_api::arm::Resource;
use strongroom_api::authorization::{RoleAssignment, RoleAssignmentResource};
use strongroom_core::authorization::{Assignment, RoleDefinition, Scope};
use strongroom_core::error::{Code, Problem};
use uuid::Uuid;

use super::error::refuse;
use super::limits::{DESCRIPTION_CHARS, GROUPS_LOOKED_UP_ALONE, ROLE_ASSIGNMENTS_MAX};
use super::resources::{self, Terms};
use super::{App, ResourceId, Result};
use crate::store::{RoleAssignmentRow, Session};

/// Published type of a role assignment.
pub const TYPE: &str = "Microsoft.Authorization/roleAssignments";

/// Published type of a role definition.
pub const DEFINITION_TYPE: &str = "Microsoft.Authorization/roleDefinitions";

/// What a principal can be.
pub const PRINCIPAL_TYPES: [&str; 3] = ["User", "Group", "ServicePrincipal"];

/// Which assignments of a scope are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Which {
    /// Only what holds at the scope itself, assigned there or above; else what lies below too.
    pub at_scope: bool,
    /// Only those of this principal.
    pub principal: Option<Uuid>,
}

/// What somebody, in these groups, has.
pub async fn held_by(app: &App, object_id: Uuid, groups: &[Uuid]) -> Result<Vec<Assignment>> {
    let mut session = app.store.read().await?;
    let mut rows = session.role_assignments_of(object_id).await?;
    if groups.len() > GROUPS_LOOKED_UP_ALONE {
        let groups: HashSet<Uuid> = groups.iter().copied().collect();
        let all = session.role_assignments().await?;
        rows.extend(
            all.into_iter()
                .filter(|row| groups.contains(&row.principal)),
        );
    } else {
        for group in groups {
            rows.extend(session.role_assignments_of(*group).await?);
        }
    }
    let held = rows.into_iter().map(|row| Assignment {
        scope: Scope::of_resource(&row.scope),
        role: row.role,
        id: row.id,
    });
    Ok(held.collect())
}

/// Those that hold at a scope, and unless asked otherwise those below it.
pub async fn list(app: &App, scope: &Scope, which: &Which) -> Result<Vec<RoleAssignmentResource>> {
    let rows = app.store.read().await?.role_assignments().await?;
    Ok(rows
        .iter()
        .filter(|row| which.principal.is_none_or(|wanted| wanted == row.principal))
        .filter(|row| {
            let at = Scope::of_resource(&row.scope);
            at.covers(scope) || (!which.at_scope && scope.covers(&at))
        })
        .map(document)
        .collect())
}

/// One.
pub async fn get(app: &App, id: &ResourceId) -> Result<RoleAssignmentResource> {
    let found = app.store.read().await?.role_assignment(&id.key()).await?;
    found
        .as_ref()
        .map(document)
        .ok_or_else(|| resources::not_found(id))
}

/// Makes one; tells whether it is new.
pub async fn put(
    app: &App,
    id: &ResourceId,
    asked: RoleAssignmentResource,
    terms: &Terms,
) -> Result<(RoleAssignmentResource, bool)> {
    if Uuid::parse_str(id.name()).is_err() {
        let message = format!(
            "The name of a role assignment must be a GUID, and '{}' is none.",
            id.name()
        );
        return Err(Problem::new(Code::InvalidResourceName, message)
            .at("name")
            .into());
    }
    // The address is {scope}/providers/Microsoft.Authorization/roleAssignments/{name}.
    let scope = id.without(4);
    let checked = checked(asked.properties)?;
    let row = RoleAssignmentRow {
        key: id.key(),
        id: id.as_str().to_owned(),
        scope: scope.as_str().to_owned(),
        role: checked.role.id,
        principal: checked.principal,
        principal_type: checked.principal_type.to_owned(),
        description: checked.description,
        created_at: app.now(),
        created_by: terms.by.clone(),
    };
    let mut session = app.store.begin().await?;
    let existing = session.role_assignment(&row.key).await?;
    if let Some(mut existing) = existing {
        refuse_change(&existing, &row)?;
        let text = row.description.as_deref();
        session.describe_role_assignment(&row.key, text).await?;
        session.commit().await?;
        existing.description = row.description;
        return Ok((document(&existing), false));
    }
    require_scope(&mut *session, &scope).await?;
    refuse_second(&mut *session, &row).await?;
    session.insert_role_assignment(&row).await?;
    session.commit().await?;
    tracing::info!(
        assignment.id = row.id, principal.id = %row.principal, role.id = %row.role,
        by = terms.by.name, "a role was assigned"
    );
    Ok((document(&row), true))
}

/// Takes one back; returns what it was.
pub async fn delete(
    app: &App,
    id: &ResourceId,
    terms: &Terms,
) -> Result<Option<RoleAssignmentResource>> {
    let mut session = app.store.begin().await?;
    let Some(row) = session.role_assignment(&id.key()).await? else {
        return Ok(None);
    };
    session.delete_role_assignment(&row.key).await?;
    session.commit().await?;
    tracing::info!(
        assignment.id = row.id, principal.id = %row.principal, role.id = %row.role,
        by = terms.by.name, "a role assignment was deleted"
    );
    Ok(Some(document(&row)))
}

/// What was asked for, once it is known to make sense.
struct Checked {
    role: &'static RoleDefinition,
    principal: Uuid,
    principal_type: &'static str,
    description: Option<String>,
}

fn checked(asked: RoleAssignment) -> Result<Checked> {
    let invalid = |target: &str, message: String| {
        Problem::new(Code::InvalidRequestContent, message).at(format!("properties.{target}"))
    };
    let Ok(principal) = Uuid::parse_str(&asked.principal_id) else {
        let message = format!(
            "The principal id must be a GUID, and '{}' is none.",
            asked.principal_id
        );
        return Err(invalid("principalId", message).into());
    };
    let principal_type = asked.principal_type.unwrap_or_else(|| "User".to_owned());
    let Some(principal_type) = PRINCIPAL_TYPES
        .iter()
        .find(|known| known.eq_ignore_ascii_case(&principal_type))
    else {
        let message = format!(
            "The principal type must be one of {}.",
            PRINCIPAL_TYPES.join(", ")
        );
        return Err(invalid("principalType", message).into());
    };
    if asked.condition.is_some_and(|text| !text.trim().is_empty()) {
        let message =
            "Conditions of role assignments are not supported; without its condition the \
                       assignment would grant more than was meant."
                .to_owned();
        return Err(invalid("condition", message).into());
    }
    let is_long = |text: &String| text.chars().count() > DESCRIPTION_CHARS;
    if asked.description.as_ref().is_some_and(is_long) {
        let message = format!("A description has at most {DESCRIPTION_CHARS} characters.");
        return Err(invalid("description", message).into());
    }
    Ok(Checked {
        role: definition_of(&asked.role_definition_id)?,
        principal,
        principal_type,
        description: asked.description,
    })
}

/// The role definition that an id names, whatever the scope in front of it.
fn definition_of(id: &str) -> Result<&'static RoleDefinition> {
    let name = id
        .rsplit_once('/')
        .filter(|(head, _)| {
            head.to_lowercase()
                .ends_with("/providers/microsoft.authorization/roledefinitions")
        })
        .map_or(id, |(_, name)| name);
    let found = Uuid::parse_str(name).ok().and_then(RoleDefinition::of_id);
    found.ok_or_else(|| {
        let message = format!("The specified role definition with ID '{name}' does not exist.");
        Problem::new(Code::RoleDefinitionDoesNotExist, message)
            .at("properties.roleDefinitionId")
            .into()
    })
}

/// Refuses to make another assignment of one that exists.
fn refuse_change(existing: &RoleAssignmentRow, asked: &RoleAssignmentRow) -> Result<()> {
    if existing.role == asked.role && existing.principal == asked.principal {
        return Ok(());
    }
    refuse(
        Code::RoleAssignmentUpdateNotPermitted,
        "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.",
    )
}

/// Refuses a scope that does not exist: whoever made it later would find somebody in it already.
async fn require_scope(session: &mut dyn Session, scope: &ResourceId) -> Result<()> {
    if scope.as_str().is_empty() || session.resource(&scope.key()).await?.is_some() {
        return Ok(());
    }
    Err(resources::not_found(scope))
}

/// Refuses what the principal has already, and more than there is room for.
async fn refuse_second(session: &mut dyn Session, asked: &RoleAssignmentRow) -> Result<()> {
    let all = session.role_assignments().await?;
    let same = all.iter().find(|row| {
        row.role == asked.role
            && row.principal == asked.principal
            && row.scope.eq_ignore_ascii_case(&asked.scope)
    });
    if let Some(same) = same {
        let message = "The role assignment already exists.";
        return Err(Problem::new(Code::RoleAssignmentExists, message)
            .at(same.id.as_str())
            .into());
    }
    if all.len() >= ROLE_ASSIGNMENTS_MAX {
        return refuse(
            Code::RoleAssignmentLimitExceeded,
            format!(
                "No more role assignments can be created; the limit is {ROLE_ASSIGNMENTS_MAX}."
            ),
        );
    }
    Ok(())
}

fn document(row: &RoleAssignmentRow) -> RoleAssignmentResource {
    let scope = ResourceId::published(row.scope.clone());
    // As Azure answers: the definition within the assignment's own subscription.
    let within = match scope.after("subscriptions") {
        Some(_) => scope.subscription().as_str().to_owned(),
        None => String::new(),
    };
    let by = row.created_by.object_id.to_string();
    let mut resource = Resource::of(RoleAssignment {
        scope: Some(
            if row.scope.is_empty() {
                "/"
            } else {
                &row.scope
            }
            .to_owned(),
        ),
        role_definition_id: format!("{within}/providers/{DEFINITION_TYPE}/{}", row.role),
        principal_id: row.principal.to_string(),
        principal_type: Some(row.principal_type.clone()),
        description: row.description.clone(),
        condition: None,
        created_on: Some(row.created_at),
        updated_on: Some(row.created_at),
        created_by: Some(by.clone()),
        updated_by: Some(by),
    });
    resource.id = Some(row.id.clone());
    resource.name = row.id.rsplit('/').next().map(str::to_owned);
    resource.resource_type = Some(TYPE.to_owned());
    resource
}
