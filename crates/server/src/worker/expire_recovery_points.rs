//! Removes the recovery points whose time is over, and then what was deleted and is not brought back.
//!
//! Contract: `app::retention` decides, in the transaction that marks a point; from then on the point is
//! being removed, and a process that dies anywhere is followed by one that goes on: its volume snapshots,
//! then its manifest, whereby it stops to exist, then the row. Its packs go with the next prune. Each step
//! done twice is no harm. A point whose store or cluster is out of reach stays marked and is tried again;
//! it does not keep others from their turn.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt as _;
use jiff::SignedDuration;
use strongroom_core::policy::{Keep, Verdict};

use super::forget_snapshots::{Forgotten, forget_snapshots};
use super::limits::{EXPIRE_EVERY, EXPIRE_PATIENCE};
use super::purge_soft_deleted::purge_soft_deleted;
use crate::app::error::chain;
use crate::app::jobs::Location;
use crate::app::{App, Error, Result, audit, repositories, retention};
use crate::store::{ExpiryCursor, RecoveryPointRow};

/// What the audit log calls the end of a recovery point's time.
const EXPIRE: &str =
    "Microsoft.DataProtection/backupVaults/backupInstances/recoveryPoints/expire/action";

/// What one look did.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Looked {
    /// Points that were removed.
    pub(super) removed: usize,
    /// Those that are being removed still.
    pub(super) pending: usize,
    /// Those whose time is over and that stay for another reason.
    pub(super) kept: usize,
}

/// Looks now and then, for ever.
pub(super) async fn expire_now_and_then(app: Arc<App>) {
    let mut ran = SignedDuration::ZERO;
    loop {
        match AssertUnwindSafe(expire(&app, ran)).catch_unwind().await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                tracing::warn!(error = %chain(&error), "expired recovery points could not be removed");
            }
            Err(_) => tracing::error!("a panic while recovery points were expired, see above"),
        }
        tokio::time::sleep(EXPIRE_EVERY).await;
        // At least so much has passed; what the look took is little beside what counts as a leap.
        ran = SignedDuration::try_from(EXPIRE_EVERY).unwrap_or_default();
    }
}

/// One look, after at least `ran` since the last one of this process.
pub(super) async fn expire(app: &App, ran: SignedDuration) -> Result<Looked> {
    let untrusted_for = retention::look_at_clock(app, ran).await?;
    let mut looked = Looked::default();
    let mut after: Option<ExpiryCursor> = None;
    loop {
        let page = retention::over(app, after).await?;
        let Some(last) = page.last() else { break };
        after = last.expires_at.map(|expires_at| ExpiryCursor {
            expires_at,
            id: last.id,
        });
        for point in &page {
            let scope = format!("{}/recoveryPoints/{}", point.instance_key, point.id);
            let deciding = retention::decide(app, point.id, untrusted_for);
            let verdict = match audit::by_server(app, EXPIRE, &scope, deciding).await {
                Ok(verdict) => verdict,
                Err(error) => {
                    told_failed(point, &chain(&error));
                    continue;
                }
            };
            match verdict {
                Some(Verdict::Expire { since }) => {
                    app.crash.reach("point_marked");
                    told_expired(point, since);
                }
                Some(Verdict::Keep(why)) => {
                    looked.kept += 1;
                    told_kept(point, &why);
                }
                None => {}
            }
        }
    }
    remove_marked(app, &mut looked).await?;
    purge_soft_deleted(app, untrusted_for).await?;
    Ok(looked)
}

fn told_expired(point: &RecoveryPointRow, since: jiff::Timestamp) {
    tracing::info!(
        recovery_point.id = %point.id, instance.key = point.instance_key,
        tag = point.body["properties"]["retentionTagName"].as_str().unwrap_or_default(),
        created = %point.created_at, expired = %since,
        "the time of a recovery point is over; it is removed"
    );
}

fn told_failed(point: &RecoveryPointRow, why: &str) {
    tracing::warn!(
        recovery_point.id = %point.id, instance.key = point.instance_key, error = why,
        "an expired recovery point cannot be removed now"
    );
}

fn told_kept(point: &RecoveryPointRow, why: &Keep) {
    tracing::debug!(
        recovery_point.id = %point.id, instance.key = point.instance_key,
        "a recovery point whose time is over stays: {why}"
    );
}

/// Goes on with every point that is being removed.
async fn remove_marked(app: &App, looked: &mut Looked) -> Result<()> {
    // A store or cluster that does not answer is not asked again for each of its points.
    let mut away: BTreeSet<Location> = BTreeSet::new();
    let mut after = None;
    loop {
        let page = retention::being_removed(app, after).await?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        after = Some(last.id);
        for point in &page {
            let location = match retention::location_of(point) {
                Ok(location) => location,
                Err(error) => {
                    told_failed(point, &chain(&error));
                    looked.pending += 1;
                    continue;
                }
            };
            if away.contains(&location) {
                looked.pending += 1;
                continue;
            }
            let work = remove(app, point, &location);
            let why = match tokio::time::timeout(EXPIRE_PATIENCE, work).await {
                Ok(Ok(Forgotten::All)) => {
                    looked.removed += 1;
                    continue;
                }
                Ok(Ok(Forgotten::NotYet)) => {
                    looked.pending += 1;
                    continue;
                }
                Ok(Err(error)) => chain(&error),
                Err(_) => "the store or the cluster does not answer in time".to_owned(),
            };
            told_failed(point, &why);
            looked.pending += 1;
            away.insert(location);
        }
    }
}

/// Removes one point that is marked, as far as it goes now.
async fn remove(app: &App, point: &RecoveryPointRow, location: &Location) -> Result<Forgotten> {
    if retention::volumes_of(point) > 0 {
        let (access, instance) = retention::way_to_snapshots(app, point).await?;
        if forget_snapshots(app, &access, &instance, point.id).await? == Forgotten::NotYet {
            return Ok(Forgotten::NotYet);
        }
        app.crash.reach("snapshots_forgotten");
    }
    let mut session = app.store.read().await?;
    let key = &point.instance_key;
    let identity = repositories::identity_at(app, &mut *session, key, location).await?;
    let config = match repositories::for_server(app, &mut *session, location).await {
        Ok(config) => Some(config),
        Err(error) if retention::is_container_gone(&error) => None,
        Err(error) => return Err(error),
    };
    drop(session);
    // Without its key nobody can read it, without its container it is gone.
    if let (Some(identity), Some(config)) = (identity, config) {
        let removed = async {
            let repository = repositories::open(&config, &identity.key).await?;
            repository.delete_point(point.id).await
        };
        removed
            .await
            .map_err(|error| Error::from(repositories::problem_of(&error)))?;
    }
    app.crash.reach("point_removed");
    retention::forget(app, point.id).await?;
    app.crash.reach("point_forgotten");
    app.metrics.expired_points.inc();
    Ok(Forgotten::All)
}

#[cfg(test)]
mod tests;
