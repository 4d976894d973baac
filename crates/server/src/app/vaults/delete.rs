//! Deletes a vault: for good when it is empty, or so that it can be brought back while deleted instances
//! lie in it that can be.

use jiff::Timestamp;
use serde_json::json;

use super::{MAX_DESCENDANTS, deleted};
use crate::app::resources::{self, Terms};
use crate::app::{App, ResourceId, Result, instances};
use crate::store::{ResourceRow, Session};

/// Deletes a vault with its policies, unless it protects something; tells whether it was there.
pub async fn delete(app: &App, id: &ResourceId, terms: &Terms) -> Result<bool> {
    let mut session = app.store.begin().await?;
    let Some(row) = session.resource(&id.key()).await? else {
        return Ok(false);
    };
    terms.check(Some(&row))?;
    let instance_kind = instances::TYPE.to_lowercase();
    let prefix = format!("{}/", row.key);
    let protected = session.resources(&instance_kind, &prefix, None, 20).await?;
    if !protected.rows.is_empty() {
        let names: Vec<String> = protected.rows.into_iter().map(|row| row.id).collect();
        return Err(resources::in_use(&row.id, &names));
    }
    resources::refuse_in_use(&mut *session, &row).await?;
    match deleted::last_purge_time(&mut *session, &row.key).await? {
        Some(until) => put_aside(app, &mut *session, row, until, terms).await?,
        None => remove(&mut *session, &row).await?,
    }
    session.commit().await?;
    Ok(true)
}

/// Removes a deleted vault in which no deleted instance is left; tells whether it did.
pub async fn purge(app: &App, key: &str) -> Result<bool> {
    let mut session = app.store.begin().await?;
    let Some(row) = session.deleted_resource(key).await? else {
        return Ok(false);
    };
    if deleted::last_purge_time(&mut *session, key)
        .await?
        .is_some()
    {
        return Ok(false);
    }
    remove(&mut *session, &row).await?;
    session.commit().await?;
    tracing::info!(
        vault.id = row.id,
        "nothing is left in a deleted vault; it is removed"
    );
    Ok(true)
}

async fn remove(session: &mut dyn Session, row: &ResourceRow) -> Result<()> {
    let prefix = format!("{}/", row.key);
    let below = session.descendants(&prefix, MAX_DESCENDANTS).await?;
    for below in below.iter().rev() {
        session.delete_resource(&below.key).await?;
    }
    session.delete_resource(&row.key).await?;
    Ok(())
}

async fn put_aside(
    app: &App,
    session: &mut dyn Session,
    mut row: ResourceRow,
    until: Timestamp,
    terms: &Terms,
) -> Result<()> {
    let now = app.now();
    row.body["properties"]["deletionInfo"] = json!({
        "deletionTime": now, "scheduledPurgeTime": until, "deleteActivityId": app.new_id(),
    });
    row.etag = app.new_etag();
    row.updated_at = now;
    row.updated_by = Some(terms.by.clone());
    session.put_resource(&row).await?;
    let prefix = format!("{}/", row.key);
    for below in session.descendants(&prefix, MAX_DESCENDANTS).await? {
        if below.deleted_at.is_none() {
            session.set_resource_deleted(&below.key, Some(now)).await?;
        }
    }
    session.set_resource_deleted(&row.key, Some(now)).await?;
    tracing::info!(
        vault.id = row.id, until = %until, by = terms.by.name,
        "a vault with deleted instances was deleted; it can be brought back"
    );
    Ok(())
}
