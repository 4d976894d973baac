//! Work that nobody waits for at the other end of a request: scheduled backups are started, jobs are
//! driven, installations are followed, leftovers are removed, recovery points expire, repositories are
//! pruned.
//!
//! Contract: a worker takes no input but the store and what it observes, does the same at every
//! look, and may be killed anywhere. [`run`] is one endless task; [`drive_due_jobs`] is one look. Where several
//! servers share the catalogue, one of them works at a time, see `worker/lease.rs`; its tasks are begun through
//! [`inherited`], so that they write in its term only.

mod age_out;
pub mod crash;
mod describe_repositories;
mod drive_jobs;
pub(crate) mod entropy;
mod expire_recovery_points;
mod forget_snapshots;
pub mod forward_audit;
mod lease;
pub mod limits;
mod prune_repositories;
mod purge_repositories;
mod purge_soft_deleted;
mod reconcile_points;
mod remove_leftovers;
mod start_due_backups;
mod take_up_operations;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinSet;
use uuid::Uuid;

use self::limits::{
    DUE_JOBS_PER_LOOK, FIRST_RETRY, JOBS_AT_ONCE, LONGEST_SLEEP, LONGEST_SLEEP_SHARED,
    ORPHANS_EVERY, PLACES_PER_CLUSTER,
};
use self::take_up_operations::take_up_operations;
use crate::app::error::chain;
use crate::app::jobs::Step;
use crate::app::{App, Result};
use crate::config::audit::ReceiverSettings;
use crate::data_plane::DataPlane;
use crate::store::JobRow;
use crate::store::lease::inherited;

/// What a server works with besides its application.
#[derive(Clone)]
pub struct Duties {
    /// The embedded storage accounts.
    pub data_plane: DataPlane,
    /// Who gets the audit log.
    pub audit_receiver: Option<ReceiverSettings>,
}

/// Works until `stop` says so (or its sender is gone); where several servers share the catalogue, whenever it
/// is this one's turn.
pub async fn run(app: Arc<App>, duties: Duties, stop: watch::Receiver<bool>) {
    if app.store.is_shared() {
        return lease::work_in_turn(app, duties, stop).await;
    }
    if let Err(error) = take_up_operations(&app, |_| true).await {
        tracing::error!(error = %chain(&error), "operations that were left open could not be taken up");
    }
    work(app, duties, stop).await;
}

/// Works until `stop` says so. Acts that are under way are finished or, if the process ends before or this is
/// dropped, taken up again at the next start.
async fn work(app: Arc<App>, duties: Duties, mut stop: watch::Receiver<bool>) {
    let _told = Told::working(&app);
    let mut rounds = begin_rounds(&app, duties);
    let longest_sleep = match app.store.is_shared() {
        true => LONGEST_SLEEP_SHARED,
        false => LONGEST_SLEEP,
    };
    let mut acting: JoinSet<Uuid> = JoinSet::new();
    let mut in_hand = InHand::default();
    while !*stop.borrow() {
        let sleep = match take_up(&app, &mut acting, &mut in_hand).await {
            Ok(next) => next.min(longest_sleep),
            Err(error) => {
                tracing::error!(error = %chain(&error), "the store could not be asked for due jobs");
                FIRST_RETRY
            }
        };
        tokio::select! {
            _ = stop.changed() => break,
            () = app.jobs_changed.notified() => {}
            () = tokio::time::sleep(sleep) => {}
            Some(done) = acting.join_next() => {
                // An act does not panic (see `act`), and is aborted only at the end.
                if let Ok(id) = done {
                    in_hand.0.remove(&id);
                }
            }
        }
    }
    rounds.shutdown().await;
    acting.shutdown().await;
}

/// Tells in the metrics that this server works, as long as it does.
struct Told(Arc<App>);

impl Told {
    fn working(app: &Arc<App>) -> Self {
        app.metrics.working.set(1);
        Self(Arc::clone(app))
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        self.0.metrics.working.set(0);
    }
}

/// Begins what is done now and then, for ever.
fn begin_rounds(app: &Arc<App>, duties: Duties) -> JoinSet<()> {
    let mut rounds = JoinSet::new();
    let own = || Arc::clone(app);
    rounds.spawn(inherited(age_out::age_out_now_and_then(own())));
    rounds.spawn(inherited(prune_repositories::prune_now_and_then(own())));
    rounds.spawn(inherited(
        start_due_backups::start_due_backups_now_and_then(own()),
    ));
    rounds.spawn(inherited(
        expire_recovery_points::expire_now_and_then(own()),
    ));
    rounds.spawn(inherited(describe_repositories::describe_now_and_then(
        own(),
    )));
    rounds.spawn(inherited(reconcile_points::reconcile_until_done(own())));
    rounds.spawn(inherited(remove_leftovers_now_and_then(
        own(),
        duties.data_plane,
    )));
    if let Some(settings) = duties.audit_receiver {
        rounds.spawn(inherited(forward_audit::forward_for_ever(own(), settings)));
    }
    rounds
}

/// Jobs that are acted on at this moment, each with the cluster whose place it takes; none for one that
/// asks no cluster.
#[derive(Debug, Default)]
struct InHand(HashMap<Uuid, Option<String>>);

impl InHand {
    fn is_full(&self) -> bool {
        self.0.len() >= JOBS_AT_ONCE
    }

    /// Takes a place for a job; `false` when its cluster has all of its places.
    fn take(&mut self, row: &JobRow) -> bool {
        // A purge asks the store alone, for hours, and has a limit of its own.
        let cluster = (Step::of(row) != Step::Purge).then(|| row.cluster_key.clone());
        let is_free = cluster
            .as_ref()
            .is_none_or(|cluster| self.places_of(cluster) < PLACES_PER_CLUSTER);
        if is_free {
            self.0.insert(row.id, cluster);
        }
        is_free
    }

    fn places_of(&self, cluster: &str) -> usize {
        let of = |taken: &&Option<String>| taken.as_deref() == Some(cluster);
        self.0.values().filter(of).count()
    }

    fn crowded(&self) -> Vec<String> {
        let mut clusters: Vec<String> = self.0.values().flatten().cloned().collect();
        clusters.sort_unstable();
        clusters.dedup();
        clusters.retain(|cluster| self.places_of(cluster) >= PLACES_PER_CLUSTER);
        clusters
    }

    fn ids(&self) -> Vec<Uuid> {
        self.0.keys().copied().collect()
    }
}

/// Begins to act on due jobs that are not in hand, and returns how long nothing more is due.
async fn take_up(
    app: &Arc<App>,
    acting: &mut JoinSet<Uuid>,
    in_hand: &mut InHand,
) -> Result<Duration> {
    let now = app.now();
    loop {
        if in_hand.is_full() {
            // Whatever is done first wakes the worker.
            return Ok(LONGEST_SLEEP);
        }
        let mut session = app.store.read().await?;
        let due = session
            .due_jobs(now, &in_hand.crowded(), &in_hand.ids(), DUE_JOBS_PER_LOOK)
            .await?;
        let next = session.next_poll().await?;
        drop(session);
        let mut taken = 0;
        for row in due {
            if in_hand.is_full() {
                break;
            }
            if in_hand.take(&row) {
                taken += 1;
                let app = Arc::clone(app);
                acting.spawn(inherited(async move {
                    let id = row.id;
                    act(&app, row).await;
                    id
                }));
            }
        }
        // Jobs of a cluster that has all of its places now may have hidden those of others.
        if taken == 0 {
            return Ok(until(next, now, !in_hand.0.is_empty()));
        }
    }
}

/// How long to sleep when the next job is due at `next`. Whatever is in hand wakes the worker when
/// it is done, so a job that is due now because it is in hand need not keep it awake.
fn until(next: Option<Timestamp>, now: Timestamp, is_acting: bool) -> Duration {
    let Some(next) = next else {
        return LONGEST_SLEEP;
    };
    let wait = Duration::try_from(next.duration_since(now)).unwrap_or_default();
    if wait.is_zero() && is_acting {
        LONGEST_SLEEP
    } else {
        wait.min(LONGEST_SLEEP)
    }
}

/// Acts on one job. Trouble of the server's own, a panic included, is logged, and the job is due
/// again a little later.
async fn act(app: &Arc<App>, row: JobRow) {
    let id = row.id;
    let moved = AssertUnwindSafe(drive_jobs::drive(app, row.clone()))
        .catch_unwind()
        .await;
    let why = match moved {
        Ok(Ok(())) => return,
        Ok(Err(error)) => chain(&error),
        Err(_) => "a panic, see above".to_owned(),
    };
    tracing::error!(job.id = %id, job.step = row.step, error = why, "a job could not be moved on");
    let later = JobRow {
        next_poll_at: Some(app.now() + limits::LONGEST_RETRY),
        ..row
    };
    if let Err(error) = crate::app::jobs::advance(app, later).await {
        tracing::error!(job.id = %id, error = %chain(&error), "a job could not be put off");
        // The store takes no writes (its disk is full, say), so the job is due still: the wait that
        // could not be written is waited here, or its cluster would be asked again without a pause.
        tokio::time::sleep(limits::LONGEST_RETRY).await;
    }
}

/// One look at the jobs: acts on every one that is due, one after the other.
///
/// # Errors
/// When the store cannot be read, or a job could not be moved on for reasons of the server's own.
pub async fn drive_due_jobs(app: &Arc<App>) -> Result<usize> {
    let due = app
        .store
        .read()
        .await?
        .due_jobs(app.now(), &[], &[], DUE_JOBS_PER_LOOK)
        .await?;
    let count = due.len();
    for row in due {
        drive_jobs::drive(app, row).await?;
    }
    Ok(count)
}

/// For tests: goes on with all operations that are open, as a server does that starts again.
#[cfg(test)]
pub(crate) async fn take_up_for_test(app: &Arc<App>) {
    take_up_operations(app, |_| true).await.unwrap();
}

/// For tests: one look at what is over, of a process that ran so long since its last one.
#[cfg(test)]
pub(crate) async fn expire_for_test(app: &App, ran: Duration) {
    let ran = jiff::SignedDuration::try_from(ran).unwrap();
    expire_recovery_points::expire(app, ran).await.unwrap();
}

/// For tests: one look at what is to be described.
#[cfg(test)]
pub(crate) async fn describe_for_test(app: &App) {
    describe_repositories::describe(app).await.unwrap();
}

/// For tests: one look at recovery points that are to be compared with the stores; tells whether none is left.
#[cfg(test)]
pub(crate) async fn reconcile_for_test(app: &App) -> bool {
    let mut compared = std::collections::BTreeSet::new();
    reconcile_points::look(app, &mut compared).await.unwrap()
}

async fn remove_leftovers_now_and_then(app: Arc<App>, data_plane: DataPlane) {
    loop {
        if let Err(error) = remove_leftovers::remove_leftovers(&app).await {
            tracing::warn!(error = %chain(&error), "clusters could not be searched for leftovers");
        }
        let now = std::time::SystemTime::from(app.now());
        match data_plane.remove_abandoned_uploads(now).await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "removed abandoned uploads"),
            Err(error) => tracing::warn!(error = %error, "abandoned uploads could not be removed"),
        }
        tokio::time::sleep(ORPHANS_EVERY).await;
    }
}
