//! Brings recovery points to what the stores hold, after a catalogue was restored from an older copy or
//! rebuilt.
//!
//! Contract: whether there is anything to do stands in the catalogue (see
//! [`PENDING`](crate::catalogue_copy::PENDING)); it is done once every instance was compared with its
//! repositories. A process that dies begins anew, which is no harm. An instance whose store does not answer is
//! tried again until it does, and keeps no other from its turn.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::limits::{RECONCILE_EVERY, RECONCILE_PATIENCE};
use crate::app::error::chain;
use crate::app::instances::{self, stored};
use crate::app::reconcile::reconcile;
use crate::app::{App, Error, Result};
use crate::catalogue_copy::{PENDING, Pending};
use crate::store::ResourceRow;

/// Deleted instances read at a time.
const PAGE: usize = 1000;

/// Works until it is done, or for ever.
pub(super) async fn reconcile_until_done(app: Arc<App>) {
    let mut compared = BTreeSet::new();
    loop {
        match look(&app, &mut compared).await {
            Ok(true) => return,
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(error = %chain(&error), "recovery points could not be compared with the stores");
            }
        }
        tokio::time::sleep(RECONCILE_EVERY).await;
    }
}

/// One look over the instances that are not in `compared`; tells whether nothing is left to do.
pub(super) async fn look(app: &App, compared: &mut BTreeSet<String>) -> Result<bool> {
    let noted = app.store.read().await?.setting(PENDING).await?;
    let pending = noted.and_then(|text| serde_json::from_str::<Pending>(&text).ok());
    let Some(mut pending) = pending.filter(|pending| pending.done.is_none()) else {
        return Ok(true);
    };
    let mut all = true;
    for deleted in [false, true] {
        let mut after: Option<String> = None;
        loop {
            let mut session = app.store.read().await?;
            let page = if deleted {
                let kind = instances::TYPE.to_lowercase();
                let after = after.as_deref();
                session.deleted_resources(&kind, "/", after, PAGE).await?
            } else {
                stored::all(&mut *session, after.as_deref()).await?
            };
            drop(session);
            for instance in &page.rows {
                if compared.contains(&instance.key) {
                    continue;
                }
                if compare(app, instance).await {
                    compared.insert(instance.key.clone());
                } else {
                    all = false;
                }
            }
            after = page.rows.last().map(|row| row.key.clone());
            if !page.more {
                break;
            }
        }
    }
    if all {
        pending.done = Some(app.now());
        let text = serde_json::to_string(&pending);
        let text = text.map_err(Error::unexpected("note that points were compared"))?;
        let mut session = app.store.begin().await?;
        session.put_setting(PENDING, &text).await?;
        session.commit().await?;
        tracing::info!("the recovery points of all instances are those that the stores hold");
    }
    Ok(all)
}

async fn compare(app: &App, instance: &ResourceRow) -> bool {
    let why = match tokio::time::timeout(RECONCILE_PATIENCE, reconcile(app, instance)).await {
        Ok(Ok(done)) => {
            tracing::info!(
                instance.id = instance.id,
                adopted = done.adopted,
                forgotten = done.forgotten,
                "the recovery points of an instance were compared with its repositories"
            );
            return true;
        }
        Ok(Err(error)) => chain(&error),
        Err(_) => "the store does not answer in time".to_owned(),
    };
    tracing::warn!(
        instance.id = instance.id,
        error = why,
        "the recovery points of an instance were not compared with its repositories"
    );
    false
}

#[cfg(test)]
mod tests;
