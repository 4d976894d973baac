//! Tries again what failed when an instance was configured.

use strongroom_api::instance::{BackupInstanceResource, SyncType};
use strongroom_core::protection::Action;

use super::{TYPE, configure, protection, set_state, state_of};
use crate::app::resources::{self, Terms};
use crate::app::{App, ResourceId, Result, vaults};
use crate::store::OperationRow;

/// What a sync came to.
#[derive(Debug)]
pub enum Synced {
    /// There was nothing to do; its operation has ended.
    Nothing(OperationRow),
    /// It is configured again. Follow with [`configure`](super::configure()).
    Begun(OperationRow),
}

/// Begins to configure an instance again, if that failed or if it is asked for in any case.
pub async fn sync(app: &App, id: &ResourceId, kind: SyncType, terms: &Terms) -> Result<Synced> {
    let mut session = app.store.begin().await?;
    let row = resources::existing(&mut *session, id).await?;
    terms.check(Some(&row))?;
    let mut instance: BackupInstanceResource = resources::document(&row, TYPE)?;
    let has_failed = instance.properties.provisioning_state.as_deref() == Some("Failed");
    let is_forced = kind == SyncType::ForceResync || has_failed;
    let action = if is_forced {
        Action::ForceSync
    } else {
        Action::Sync
    };
    let before = state_of(&instance.properties);
    let after = before.after(action)?;
    let id = ResourceId::published(row.id.clone());
    if after == before && !is_forced {
        let operation = protection::ended(app, &mut *session, &id).await?;
        session.commit().await?;
        return Ok(Synced::Nothing(operation));
    }
    set_state(&mut instance.properties, after, None);
    instance.properties.provisioning_state = Some("Updating".to_owned());
    let vault = vaults::require(&mut *session, &id.without(2)).await?;
    let location = vaults::document(&vault)?.location.unwrap_or_default();
    let by = &terms.by;
    let written =
        resources::write_anew(app, &mut *session, &id, TYPE, &instance, Some(&row), by).await?;
    let operation = configure::begin(app, &mut *session, &id, &location, &written).await?;
    session.commit().await?;
    Ok(Synced::Begun(operation))
}
