//! Recovery points as clients see them.

use jiff::Timestamp;
use serde_json::Value;
use strongroom_api::instance::BackupInstance;
use strongroom_api::recovery_point::{RecoveryPoint, RecoveryPointResource};
use strongroom_core::policy::BackupPolicy;
use uuid::Uuid;

use super::{App, Error, ResourceId, Result, instances, resources, retention};
use crate::store::{RecoveryPointRow, ResourceRow, Session, StoreError, TimeCursor};

/// Published type of a recovery point.
pub const TYPE: &str = "Microsoft.DataProtection/backupVaults/backupInstances/recoveryPoints";

/// One recovery point, with the types that its cluster served.
pub async fn get(app: &App, id: &ResourceId) -> Result<RecoveryPointResource> {
    let mut session = app.store.read().await?;
    let (instance, point) = existing(&mut *session, id).await?;
    let policy = policy_of(&mut *session, &instance).await?;
    let mut properties = retention::told(&point, policy.as_ref());
    let served = &point.body["servedTypes"];
    if served.is_array() {
        properties["cluster"]["servedTypes"] = served.clone();
    }
    document(&instance.id, &point, properties)
}

async fn policy_of(
    session: &mut dyn Session,
    instance: &ResourceRow,
) -> Result<Option<BackupPolicy>> {
    let document: BackupInstance = resources::document(instance, instances::TYPE)?.properties;
    retention::policy(session, &document.policy_info.policy_id).await
}

/// A recovery point and its instance.
pub async fn existing(
    session: &mut dyn Session,
    id: &ResourceId,
) -> Result<(ResourceRow, RecoveryPointRow)> {
    let instance = resources::existing(session, &id.without(2)).await?;
    let found = match id.name().parse::<Uuid>() {
        Ok(point) => session.recovery_point(point).await?,
        Err(_) => None,
    };
    match found.filter(|point| point.instance_key == instance.key) {
        Some(point) => Ok((instance, point)),
        None => Err(resources::not_found(id)),
    }
}

/// The times of the newest recovery points of an instance that can be restored from, newest first.
pub async fn times(
    app: &App,
    instance: &ResourceId,
    bounds: (Option<Timestamp>, Option<Timestamp>),
    most: usize,
) -> Result<Vec<Timestamp>> {
    let mut session = app.store.read().await?;
    let instance = resources::existing(&mut *session, instance).await?;
    let found = session
        .recovery_points(&instance.key, bounds, None, most)
        .await?
        .rows;
    let staying = found.iter().filter(|point| point.expiring_since.is_none());
    Ok(staying.map(|point| point.created_at).collect())
}

/// The recovery points of an instance, newest first, within the bounds. The types that their clusters
/// served are left to [`get`]: hundreds for each would be most of a page.
pub async fn list(
    app: &App,
    instance: &ResourceId,
    bounds: (Option<Timestamp>, Option<Timestamp>),
    after: Option<TimeCursor>,
    limit: usize,
) -> Result<(Vec<RecoveryPointResource>, Option<TimeCursor>)> {
    let mut session = app.store.read().await?;
    let instance = resources::existing(&mut *session, instance).await?;
    let page = session
        .recovery_points(&instance.key, bounds, after, limit)
        .await?;
    let policy = policy_of(&mut *session, &instance).await?;
    let last = page.rows.last().filter(|_| page.more);
    let next = last.map(|row| TimeCursor {
        created_at: row.created_at,
        id: row.id,
    });
    let documents = page
        .rows
        .iter()
        .map(|row| document(&instance.id, row, retention::told(row, policy.as_ref())))
        .collect::<Result<Vec<_>>>()?;
    Ok((documents, next))
}

fn document(
    instance_id: &str,
    row: &RecoveryPointRow,
    properties: Value,
) -> Result<RecoveryPointResource> {
    let properties: RecoveryPoint = serde_json::from_value(properties).map_err(|error| {
        Error::from(StoreError::Malformed {
            what: "recovery point",
            detail: error.to_string(),
        })
    })?;
    let name = row.id.to_string();
    Ok(RecoveryPointResource {
        id: Some(format!("{instance_id}/recoveryPoints/{name}")),
        name: Some(name),
        resource_type: Some(TYPE.to_owned()),
        ..RecoveryPointResource::of(properties)
    })
}
