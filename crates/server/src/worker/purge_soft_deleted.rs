//! Removes for good what was deleted and is not brought back in time.
//!
//! Contract: a look goes through all deleted instances and vaults, and `app` decides over each in the
//! transaction that removes it: whoever undeletes it first keeps it. While the clock is not to be trusted
//! nothing is removed, because a clock that was put ahead would end every time at once. One that cannot
//! be removed does not keep others from their turn.

use jiff::SignedDuration;

use crate::app::error::chain;
use crate::app::{App, Result, audit, instances, vaults};
use crate::store::ResourceRow;

/// Deleted resources read at a time.
const PAGE: usize = 100;

/// One look; tells how many instances and vaults were removed.
pub(super) async fn purge_soft_deleted(
    app: &App,
    untrusted_for: Option<SignedDuration>,
) -> Result<usize> {
    if untrusted_for.is_some() {
        return Ok(0);
    }
    let mut removed = 0;
    for kind in [instances::TYPE, vaults::TYPE] {
        let mut after: Option<String> = None;
        loop {
            let mut session = app.store.read().await?;
            let page = session
                .deleted_resources(&kind.to_lowercase(), "/", after.as_deref(), PAGE)
                .await?;
            drop(session);
            after = page.rows.last().map(|row| row.key.clone());
            for row in &page.rows {
                removed += usize::from(purge(app, kind, row).await);
            }
            if !page.more {
                break;
            }
        }
    }
    Ok(removed)
}

async fn purge(app: &App, kind: &str, row: &ResourceRow) -> bool {
    let action = format!("{kind}/purge/action");
    let purging = async {
        if kind == instances::TYPE {
            instances::purge(app, &row.key).await
        } else {
            vaults::purge(app, &row.key).await
        }
    };
    let purged = audit::by_server(app, &action, &row.id, purging).await;
    purged.unwrap_or_else(|error| {
        tracing::warn!(
            resource.id = row.id, error = %chain(&error),
            "a deleted resource whose time is over cannot be removed now"
        );
        false
    })
}
