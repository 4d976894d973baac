//! Removes the recovery points whose time is over, and then what was deleted and is not brought back.
//!
//! Contract: `app::retention::looks` finds the instances of which something may be over: those that have
//! changed, themselves or their policy or their points, and those of which it is known. `app::retention`
//! decides, in the transaction that marks a point; from then on the point is being removed, and a process
//! that dies anywhere is followed by one that goes on: its volume snapshots, then its manifest, whereby it
//! stops to exist, then the row. Its packs go with the next prune. Each step done twice is no harm. A point
//! whose store or cluster is out of reach stays marked and is tried again; it does not keep others from
//! their turn.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt as _;
use jiff::SignedDuration;
use strongroom_core::policy::{Keep, Verdict};
use tokio::time::Instant;
use uuid::Uuid;

use super::forget_snapshots::{Forgotten, forget_snapshots};
use super::limits::{EDITS_TOGETHER, EXPIRE_EVERY, EXPIRE_PATIENCE};
use super::purge_soft_deleted::purge_soft_deleted;
use crate::app::error::chain;
use crate::app::jobs::Location;
use crate::app::retention::looks::{self, Look};
use crate::app::{App, Error, Result, audit, repositories, retention};
use crate::store::RecoveryPointRow;

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
    /// Those at which it looked whose time is over and that stay for another reason.
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
        // At least so much has passed; what the look took is little beside what counts as a leap.
        ran = until_next(&app).await;
    }
}

/// Waits for the next look; tells for how long. An edit of a policy is worth one at once, after a moment in
/// which others may follow.
async fn until_next(app: &App) -> SignedDuration {
    let began = Instant::now();
    if tokio::time::timeout(EXPIRE_EVERY, app.policy_changed.notified())
        .await
        .is_ok()
    {
        tokio::time::sleep(EDITS_TOGETHER).await;
    }
    SignedDuration::try_from(began.elapsed()).unwrap_or_default()
}

/// One look, after at least `ran` since the last one of this process.
pub(super) async fn expire(app: &App, ran: SignedDuration) -> Result<Looked> {
    let untrusted_for = retention::look_at_clock(app, ran).await?;
    let mut looked = Looked::default();
    let mut after: Option<String> = None;
    loop {
        let mut due = looks::due(app, after.as_deref(), untrusted_for).await?;
        for look in &mut due.looks {
            decide(app, look, untrusted_for, &mut looked).await;
        }
        if !due.looks.is_empty() {
            looks::note(app, &due.looks).await?;
        }
        after = due.next;
        if after.is_none() {
            break;
        }
    }
    remove_marked(app, &mut looked).await?;
    purge_soft_deleted(app, untrusted_for).await?;
    Ok(looked)
}

/// Decides over what is over of one instance.
async fn decide(
    app: &App,
    look: &mut Look,
    untrusted_for: Option<SignedDuration>,
    looked: &mut Looked,
) {
    let instance = look.instance_key().to_owned();
    looked.kept += look.kept.len();
    for (point, why) in &look.kept {
        told_kept(*point, &instance, why);
    }
    for (point, ended) in std::mem::take(&mut look.over) {
        let scope = format!("{instance}/recoveryPoints/{point}");
        let deciding = retention::decide(app, point, untrusted_for);
        let verdict = match audit::by_server(app, EXPIRE, &scope, deciding).await {
            Ok(Some(verdict)) => verdict,
            Ok(None) => continue,
            Err(error) => {
                told_failed(point, &instance, &chain(&error));
                look.decided(ended, None);
                continue;
            }
        };
        look.decided(ended, Some(&verdict));
        match verdict {
            Verdict::Expire { since } => {
                app.crash.reach("point_marked");
                told_expired(point, &instance, since);
            }
            Verdict::Keep(why) => {
                looked.kept += 1;
                told_kept(point, &instance, &why);
            }
        }
    }
}

fn told_expired(point: Uuid, instance: &str, since: jiff::Timestamp) {
    tracing::info!(
        recovery_point.id = %point, instance.key = instance, expired = %since,
        "the time of a recovery point is over; it is removed"
    );
}

fn told_failed(point: Uuid, instance: &str, why: &str) {
    tracing::warn!(
        recovery_point.id = %point, instance.key = instance, error = why,
        "an expired recovery point cannot be removed now"
    );
}

fn told_kept(point: Uuid, instance: &str, why: &Keep) {
    tracing::debug!(
        recovery_point.id = %point, instance.key = instance,
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
                    told_failed(point.id, &point.instance_key, &chain(&error));
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
            told_failed(point.id, &point.instance_key, &why);
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
