//! Resource guards: whose approval critical operations of linked vaults need.
//!
//! Contract: `core::guard` says what is critical and by which right it is approved; [`require`] is the one
//! place that asks for it, in the transaction of the operation. A guard that vaults are linked to is not
//! deleted. The rights that count are those of who asks, or of whoever's token they bring along
//! (`x-ms-authorization-auxiliary`).

mod proxies;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use strongroom_api::guard::{
    GuardRequest, GuardRequestResource, ResourceGuard, ResourceGuardOperation, ResourceGuardPatch,
    ResourceGuardResource,
};
use strongroom_core::authorization::{Assignment, Scope, decide};
use strongroom_core::error::{Code, Problem};
use strongroom_core::guard::{CriticalOperation, Exclusions, not_approved};
use strongroom_core::name::NameKind;

pub use self::proxies::{
    PROXY_TYPE, delete_proxy, get_proxy, list_proxies, put_proxy, unlock_delete,
};
use self::proxies::{linked, take_unlock};
use super::resources::{self, Terms, Written};
use super::{App, ResourceId, Result, resource_groups};
use crate::store::call::note;
use crate::store::{Actor, ResourceRow, Session};

/// Published type of a guard.
pub const TYPE: &str = "Microsoft.DataProtection/resourceGuards";

/// What a guard tells people before a critical operation.
const DESCRIPTION: &str = "Ask the owner of this guard for the role Backup MUA Operator on it.";

/// The only request of each type: nothing is asked for in writing, rights are what counts.
const DEFAULT_REQUEST: &str = "default";

/// What one of those who stand behind a request may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rights {
    /// Who they are.
    pub holder: Actor,
    /// Whether it is the administrator, who may do everything.
    pub is_administrator: bool,
    /// Their roles.
    pub assignments: Arc<[Assignment]>,
}

impl Rights {
    /// Those of the server itself.
    #[must_use]
    pub fn of_server(server: Actor) -> Self {
        Self {
            holder: server,
            is_administrator: true,
            assignments: Arc::new([]),
        }
    }

    /// Whether they include an action at a resource.
    #[must_use]
    pub fn include(&self, action: &str, id: &str) -> bool {
        let scope = Scope::of_resource(id);
        self.is_administrator || decide(&self.assignments, action, &scope).is_allowed()
    }
}

/// Refuses a critical operation on `subject` in a vault that is linked to a guard, unless it is approved.
pub async fn require(
    app: &App,
    session: &mut dyn Session,
    vault: &ResourceId,
    operation: CriticalOperation,
    subject: &str,
    terms: &Terms,
) -> Result<()> {
    let Some((row, proxy)) = linked(session, vault).await? else {
        return Ok(());
    };
    let guard = ResourceId::published(proxy.resource_guard_resource_id);
    if !exclusions(session, &guard).await?.guards(operation) {
        return Ok(());
    }
    let approver = match approver(&guard, operation, terms) {
        Some(approver) => Some(approver.clone()),
        None => take_unlock(app, session, row, operation, subject).await?,
    };
    let Some(approver) = approver else {
        return Err(not_approved(operation, guard.as_str()).into());
    };
    note(|event| event.approver = Some(approver.to_caller()));
    Ok(())
}

/// Who of those that stand behind the request may approve an operation; the first of them.
fn approver<'a>(
    guard: &ResourceId,
    operation: CriticalOperation,
    terms: &'a Terms,
) -> Option<&'a Actor> {
    let action = operation.request_action();
    let request = request_id(guard, operation);
    let mut rights = terms.rights.iter();
    let approving = rights.find(|rights| rights.include(&action, &request));
    approving.map(|rights| &rights.holder)
}

/// Id of the request of an operation.
fn request_id(guard: &ResourceId, operation: CriticalOperation) -> String {
    format!("{guard}/{}/{DEFAULT_REQUEST}", operation.request_type())
}

/// What a guard leaves out; nothing if it is gone, which it cannot be while a vault is linked to it.
async fn exclusions(session: &mut dyn Session, guard: &ResourceId) -> Result<Exclusions> {
    let Some(row) = session.resource(&guard.key()).await? else {
        return Ok(Exclusions::default());
    };
    let names = document(&row)?.properties;
    let names = names
        .vault_critical_operation_exclusion_list
        .unwrap_or_default();
    Ok(Exclusions::read(&names)?)
}

fn document(row: &ResourceRow) -> Result<ResourceGuardResource> {
    resources::document(row, TYPE)
}

/// Writes a guard.
pub async fn put(
    app: &App,
    id: &ResourceId,
    mut guard: ResourceGuardResource,
    terms: &Terms,
) -> Result<Written<ResourceGuard>> {
    resources::check_name(NameKind::ResourceGuard, id)?;
    let mut session = app.store.begin().await?;
    let id = resource_groups::within(&mut *session, id).await?;
    let row = session.resource(&id.key()).await?;
    terms.check(row.as_ref())?;
    let old = row.as_ref().map(document).transpose()?;
    guard.location = Some(match &old {
        Some(old) => resources::same_location(&id, old, guard.location.as_deref())?,
        None => resources::location(guard.location.as_deref())?,
    });
    let names = guard
        .properties
        .vault_critical_operation_exclusion_list
        .take()
        .unwrap_or_default();
    let guarded = Exclusions::read(&names)?.guarded();
    let told = guarded.into_iter().map(|operation| ResourceGuardOperation {
        vault_critical_operation: operation.name().to_owned(),
        request_resource_type: format!("{TYPE}/{}", operation.request_type()),
    });
    guard.properties = ResourceGuard {
        provisioning_state: Some("Succeeded".to_owned()),
        allow_auto_approvals: Some(true),
        resource_guard_operations: Some(told.collect()),
        vault_critical_operation_exclusion_list: Some(names),
        description: Some(DESCRIPTION.to_owned()),
    };
    let by = &terms.by;
    let written = resources::write(app, &mut *session, &id, TYPE, &guard, row.as_ref(), by).await?;
    session.commit().await?;
    Ok(written)
}

/// Changes the tags of a guard.
pub async fn patch(
    app: &App,
    id: &ResourceId,
    patch: ResourceGuardPatch,
    terms: &Terms,
) -> Result<ResourceGuardResource> {
    let mut session = app.store.begin().await?;
    let row = resources::existing(&mut *session, id).await?;
    terms.check(Some(&row))?;
    let mut guard = document(&row)?;
    guard.tags = patch.tags.or(guard.tags);
    let id = ResourceId::published(row.id.clone());
    let by = &terms.by;
    let written = resources::write(app, &mut *session, &id, TYPE, &guard, Some(&row), by).await?;
    session.commit().await?;
    Ok(written.resource)
}

/// One guard.
pub async fn get(app: &App, id: &ResourceId) -> Result<ResourceGuardResource> {
    document(&resources::existing(&mut *app.store.read().await?, id).await?)
}

/// The guards of a group or a subscription.
pub async fn list(
    app: &App,
    scope: &ResourceId,
    after: Option<&str>,
    limit: usize,
) -> Result<(Vec<ResourceGuardResource>, Option<String>)> {
    resource_groups::list_within(app, TYPE, scope, after, limit).await
}

/// Deletes a guard that no vault is linked to; tells whether it was there.
pub async fn delete(app: &App, id: &ResourceId, terms: &Terms) -> Result<bool> {
    let mut session = app.store.begin().await?;
    let Some(row) = session.resource(&id.key()).await? else {
        return Ok(false);
    };
    terms.check(Some(&row))?;
    resources::refuse_in_use(&mut *session, &row).await?;
    session.delete_resource(&row.key).await?;
    session.commit().await?;
    Ok(true)
}

/// The requests of a type that a guard has: the default one, as long as it guards the operation. Types of
/// other vaults than these have none.
pub async fn requests(
    app: &App,
    guard: &ResourceId,
    kind: &str,
) -> Result<Vec<GuardRequestResource>> {
    let mut session = app.store.read().await?;
    let row = resources::existing(&mut *session, guard).await?;
    let guard = ResourceId::published(row.id);
    let exclusions = exclusions(&mut *session, &guard).await?;
    let guarded = exclusions.guarded().into_iter();
    Ok(guarded
        .filter(|operation| operation.request_type().eq_ignore_ascii_case(kind))
        .map(|operation| {
            let mut request = GuardRequestResource::of(GuardRequest {});
            request.id = Some(request_id(&guard, operation));
            request.name = Some(DEFAULT_REQUEST.to_owned());
            request.resource_type = Some(format!("{TYPE}/{}", operation.request_type()));
            request
        })
        .collect())
}

/// One request of a guard.
pub async fn request(app: &App, id: &ResourceId) -> Result<GuardRequestResource> {
    let kind = id.without(1);
    let found = requests(app, &id.without(2), kind.name()).await?;
    found
        .into_iter()
        .find(|request| {
            request
                .name
                .as_deref()
                .is_some_and(|name| name.eq_ignore_ascii_case(id.name()))
        })
        .ok_or_else(|| resources::not_found(id))
}

/// A guard that a vault is to be linked to.
async fn existing(session: &mut dyn Session, id: &str) -> Result<ResourceRow> {
    let target = "properties.resourceGuardResourceId";
    let id = ResourceId::published(id.trim_end_matches('/').to_owned());
    let row = session.resource(&id.key()).await?;
    row.filter(|row| row.kind == TYPE.to_lowercase())
        .ok_or_else(|| {
            Problem::new(
                Code::ResourceNotFound,
                format!("'{id}' is no resource guard."),
            )
            .at(target)
            .into()
        })
}
