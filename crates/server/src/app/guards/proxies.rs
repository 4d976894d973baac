//! The link of a vault to its guard, and deletes that were unlocked beforehand.
//!
//! Contract: a vault has one link at most. Whoever makes it may read the guard; whoever takes it away or puts
//! another guard in its place needs the approval of the one that is there. A delete has no body in which it
//! could say who approved it, so that it may be unlocked by `unlockDelete` first: for what is named, by
//! whoever may approve it, once, for [`UNLOCKED_FOR`].

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use strongroom_api::guard::{
    ResourceGuardOperationDetail, ResourceGuardProxy, ResourceGuardProxyResource,
    UnlockDeleteRequest, UnlockDeleteResponse,
};
use strongroom_core::error::{Code, Problem};
use strongroom_core::guard::{CriticalOperation, not_approved};
use strongroom_core::name::NameKind;

use super::{DESCRIPTION, approver, exclusions, existing, request_id, require};
use crate::app::limits::{UNLOCKED_FOR, UNLOCKS_MAX};
use crate::app::resources::{self, Terms, Written};
use crate::app::{App, Error, ResourceId, Result, vaults};
use crate::store::call::note;
use crate::store::{Actor, ResourceRow, Session, UseRow};

/// Published type of the link.
pub const PROXY_TYPE: &str = "Microsoft.DataProtection/backupVaults/backupResourceGuardProxies";

/// As what a link uses its guard.
const GUARD_ROLE: &str = "resourceGuard";

/// Where the row of a link keeps its unlocked deletes.
const UNLOCKS: &str = "unlocks";

/// A delete that is unlocked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Unlock {
    subject_key: String,
    until: Timestamp,
    /// Who unlocked it; none in those of a version that did not note it.
    #[serde(default)]
    by: Option<Actor>,
}

/// The link of a vault, if it has one.
pub(super) async fn linked(
    session: &mut dyn Session,
    vault: &ResourceId,
) -> Result<Option<(ResourceRow, ResourceGuardProxy)>> {
    let prefix = format!("{}/", vault.key());
    let kind = PROXY_TYPE.to_lowercase();
    let found = session.resources(&kind, &prefix, None, 1).await?;
    let Some(row) = found.rows.into_iter().next() else {
        return Ok(None);
    };
    let proxy = document(&row)?.properties;
    Ok(Some((row, proxy)))
}

fn document(row: &ResourceRow) -> Result<ResourceGuardProxyResource> {
    resources::document(row, PROXY_TYPE)
}

/// The link with what the guard guards today.
async fn told(
    session: &mut dyn Session,
    mut proxy: ResourceGuardProxyResource,
) -> Result<ResourceGuardProxyResource> {
    let guard = ResourceId::published(proxy.properties.resource_guard_resource_id.clone());
    let guarded = exclusions(session, &guard).await?.guarded().into_iter();
    let details = guarded.map(|operation| ResourceGuardOperationDetail {
        vault_critical_operation: operation.name().to_owned(),
        default_resource_request: request_id(&guard, operation),
    });
    proxy.properties.resource_guard_operation_details = Some(details.collect());
    proxy.properties.description = Some(DESCRIPTION.to_owned());
    let changed = proxy.system_data.as_ref();
    proxy.properties.last_updated_time = changed.and_then(|data| data.last_modified_at);
    Ok(proxy)
}

/// Links a vault to a guard.
pub async fn put_proxy(
    app: &App,
    id: &ResourceId,
    proxy: ResourceGuardProxyResource,
    terms: &Terms,
) -> Result<Written<ResourceGuardProxy>> {
    resources::check_name(NameKind::ResourceGuard, id)?;
    let mut session = app.store.begin().await?;
    let vault = vaults::require(&mut *session, &id.without(2)).await?;
    let vault_id = ResourceId::published(vault.id.clone());
    let id = vault_id.child("backupResourceGuardProxies", id.name());
    let guard = existing(&mut *session, &proxy.properties.resource_guard_resource_id).await?;
    let row = match linked(&mut *session, &vault_id).await? {
        Some((row, _)) if row.key != id.key() => {
            let message = format!(
                "The vault is linked to a guard by '{}' already; it has one link at most.",
                row.id
            );
            return Err(Problem::new(Code::Conflict, message).at(row.id).into());
        }
        Some((row, old)) => {
            if !old
                .resource_guard_resource_id
                .eq_ignore_ascii_case(&guard.id)
            {
                let operation = CriticalOperation::DisableMua;
                require(app, &mut *session, &vault_id, operation, &row.id, terms).await?;
            }
            Some(row)
        }
        None => None,
    };
    terms.check(row.as_ref())?;
    let kept = ResourceGuardProxyResource::of(ResourceGuardProxy {
        resource_guard_resource_id: guard.id.clone(),
        ..ResourceGuardProxy::default()
    });
    let by = &terms.by;
    let written =
        resources::write_anew(app, &mut *session, &id, PROXY_TYPE, &kept, row.as_ref(), by).await?;
    let edge = UseRow {
        user_key: id.key(),
        role: GUARD_ROLE.to_owned(),
        target_key: guard.key,
    };
    session.put_use(&edge).await?;
    tell_vault(app, &mut *session, vault, true, terms).await?;
    let resource = told(&mut *session, written.resource).await?;
    session.commit().await?;
    tracing::info!(
        vault.id = %vault_id, guard.id = guard.id, by = by.name,
        "a vault was linked to a resource guard"
    );
    Ok(Written {
        resource,
        created: written.created,
    })
}

/// Writes into a vault whether it is guarded, where clients look for it.
async fn tell_vault(
    app: &App,
    session: &mut dyn Session,
    vault: ResourceRow,
    is_guarded: bool,
    terms: &Terms,
) -> Result<()> {
    let mut document = vaults::document(&vault)?;
    document.properties.is_vault_protected_by_resource_guard = Some(is_guarded);
    let id = ResourceId::published(vault.id.clone());
    let by = &terms.by;
    resources::write(app, session, &id, vaults::TYPE, &document, Some(&vault), by).await?;
    Ok(())
}

/// One link.
pub async fn get_proxy(app: &App, id: &ResourceId) -> Result<ResourceGuardProxyResource> {
    let mut session = app.store.read().await?;
    let row = resources::existing(&mut *session, id).await?;
    let proxy = document(&row)?;
    told(&mut *session, proxy).await
}

/// The links of a vault: one or none.
pub async fn list_proxies(
    app: &App,
    vault: &ResourceId,
) -> Result<Vec<ResourceGuardProxyResource>> {
    let mut session = app.store.read().await?;
    vaults::require(&mut *session, vault).await?;
    match linked(&mut *session, vault).await? {
        Some((row, _)) => {
            let proxy = document(&row)?;
            Ok(vec![told(&mut *session, proxy).await?])
        }
        None => Ok(Vec::new()),
    }
}

/// Takes the link away; tells whether it was there.
pub async fn delete_proxy(app: &App, id: &ResourceId, terms: &Terms) -> Result<bool> {
    let mut session = app.store.begin().await?;
    let Some(row) = session.resource(&id.key()).await? else {
        return Ok(false);
    };
    terms.check(Some(&row))?;
    let vault = vaults::require(&mut *session, &id.without(2)).await?;
    let vault_id = ResourceId::published(vault.id.clone());
    let operation = CriticalOperation::DisableMua;
    require(app, &mut *session, &vault_id, operation, &row.id, terms).await?;
    session.delete_resource(&row.key).await?;
    tell_vault(app, &mut *session, vault, false, terms).await?;
    session.commit().await?;
    tracing::info!(
        vault.id = %vault_id, by = terms.by.name,
        "a vault is not linked to a resource guard any more"
    );
    Ok(true)
}

/// Unlocks the next delete of what is named.
pub async fn unlock_delete(
    app: &App,
    id: &ResourceId,
    request: &UnlockDeleteRequest,
    terms: &Terms,
) -> Result<UnlockDeleteResponse> {
    let mut session = app.store.begin().await?;
    let mut row = resources::existing(&mut *session, id).await?;
    let guard = ResourceId::published(document(&row)?.properties.resource_guard_resource_id);
    let (subject, operation) = subject_of(&row, request)?;
    for asked in request.resource_guard_operation_requests.iter().flatten() {
        if CriticalOperation::of_request(guard.as_str(), asked) != Some(operation) {
            let message = format!(
                "'{asked}' is not the request that approves this delete; it is '{}'.",
                request_id(&guard, operation)
            );
            return Err(Problem::new(Code::InvalidRequestContent, message)
                .at("resourceGuardOperationRequests")
                .into());
        }
    }
    let Some(approver) = approver(&guard, operation, terms) else {
        return Err(not_approved(operation, guard.as_str()).into());
    };
    note(|event| event.approver = Some(approver.to_caller()));
    let now = app.now();
    let span = SignedDuration::try_from(UNLOCKED_FOR).unwrap_or(SignedDuration::ZERO);
    let until = now.saturating_add(span).unwrap_or(now);
    let mut unlocks = unlocks_of(&row);
    unlocks.retain(|unlock| unlock.until > now && unlock.subject_key != subject);
    if unlocks.len() >= UNLOCKS_MAX {
        let message = format!("{UNLOCKS_MAX} deletes are unlocked in this vault already.");
        return Err(Problem::new(Code::QuotaExceeded, message).into());
    }
    unlocks.push(Unlock {
        subject_key: subject,
        until,
        by: Some(approver.clone()),
    });
    keep(&mut *session, &mut row, &unlocks).await?;
    session.commit().await?;
    Ok(UnlockDeleteResponse {
        unlock_delete_expiry_time: until,
    })
}

/// What is to be deleted, and which operation that is: an instance of the vault, or the link itself.
fn subject_of(
    row: &ResourceRow,
    request: &UnlockDeleteRequest,
) -> Result<(String, CriticalOperation)> {
    let named = request.resource_to_be_deleted.as_deref();
    let subject = named
        .unwrap_or(&row.id)
        .trim_end_matches('/')
        .to_lowercase();
    if subject == row.key {
        return Ok((subject, CriticalOperation::DisableMua));
    }
    let vault = ResourceId::published(row.key.clone()).without(2);
    let prefix = format!("{vault}/backupinstances/");
    let name = subject.strip_prefix(&prefix);
    if name.is_some_and(|name| !name.is_empty() && !name.contains('/')) {
        return Ok((subject, CriticalOperation::DeleteInstance));
    }
    let message = "What is to be deleted is a backup instance of the vault, or this link.";
    Err(Problem::new(Code::InvalidRequestContent, message)
        .at("resourceToBeDeleted")
        .into())
}

fn unlocks_of(row: &ResourceRow) -> Vec<Unlock> {
    serde_json::from_value(row.body[UNLOCKS].clone()).unwrap_or_default()
}

async fn keep(session: &mut dyn Session, row: &mut ResourceRow, unlocks: &[Unlock]) -> Result<()> {
    row.body[UNLOCKS] = serde_json::to_value(unlocks)
        .map_err(Error::unexpected("write which deletes are unlocked"))?;
    Ok(session.put_resource(row).await?)
}

/// Uses an unlock up, if there is one for this; tells who gave it.
pub(super) async fn take_unlock(
    app: &App,
    session: &mut dyn Session,
    mut row: ResourceRow,
    operation: CriticalOperation,
    subject: &str,
) -> Result<Option<Actor>> {
    let is_delete = matches!(
        operation,
        CriticalOperation::DeleteInstance | CriticalOperation::DisableMua
    );
    let (now, subject) = (app.now(), subject.to_lowercase());
    let mut unlocks = unlocks_of(&row);
    let fits = |unlock: &Unlock| unlock.subject_key == subject && unlock.until > now;
    let Some(unlock) = unlocks.iter().find(|unlock| is_delete && fits(unlock)) else {
        return Ok(None);
    };
    let by = unlock.by.clone();
    unlocks.retain(|unlock| unlock.subject_key != subject);
    keep(session, &mut row, &unlocks).await?;
    Ok(Some(by.unwrap_or_else(|| resources::server(app))))
}
