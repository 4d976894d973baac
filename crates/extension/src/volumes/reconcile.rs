//! Proves that ledgers and cluster agree, and removes what nobody needs.
//!
//! Contract: what certainly has no recovery point is removed; what may have one stays until it was looked up
//! in its store ([`settle_doubts`]) or is forgotten. A content that is marked as a recovery point's without
//! a ledger (the extension was removed and installed again) gets a ledger, in doubt, rather than being
//! removed. The cluster is looked at before the ledgers are, so that what a running job makes meanwhile
//! is never taken for nobody's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use strongroom_kubernetes::crd::JobState;
use strongroom_kubernetes::jobs;
use strongroom_kubernetes::snapshots::{ContentState, Owner};
use strongroom_repository::Repository;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::ledger::{self, Entry, Fate, Ledger, State, fate};
use super::remove::{self, point_of};
use crate::environment::Environment;
use crate::job::JobFailure;
use crate::limits::RECONCILE_AGAIN;

/// What a reconciliation came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// Snapshots that were removed.
    pub removed: u32,
    /// Snapshots that are to go and have not gone yet.
    pub left: usize,
    /// Snapshots that a ledger names and the cluster does not have.
    pub missing: usize,
}

/// Reconciles when the process starts, whenever a job has ended, and again while something is left.
#[derive(Debug)]
pub struct Reconciler {
    environment: Arc<Environment>,
    shutdown: CancellationToken,
}

impl Reconciler {
    /// A reconciler of what this extension made.
    pub fn new(environment: Arc<Environment>, shutdown: CancellationToken) -> Self {
        Self {
            environment,
            shutdown,
        }
    }

    /// Runs until the process shuts down.
    pub async fn run(self) {
        loop {
            let done = tokio::select! {
                () = self.shutdown.cancelled() => return,
                done = reconcile(&self.environment) => done,
            };
            let again = match done {
                Ok(done) => {
                    if done != Reconciled::default() {
                        tracing::info!(?done, "volume snapshots reconciled with their ledgers");
                    }
                    done.left > 0
                }
                Err(error) => {
                    tracing::warn!(%error, "volume snapshots could not be reconciled");
                    true
                }
            };
            let later = async {
                if again {
                    tokio::time::sleep(RECONCILE_AGAIN).await;
                } else {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                () = self.shutdown.cancelled() => return,
                () = self.environment.job_ended.notified() => {}
                () = later => {}
            }
        }
    }
}

/// Compares ledgers and cluster once.
///
/// # Errors
/// When the API server does not answer, or a ledger is not understood.
pub async fn reconcile(environment: &Environment) -> Result<Reconciled, JobFailure> {
    let (snapshots, contents) = remove::look(environment, None).await?;
    let ledgers = Ledger::all(environment).await?;
    let mut done = Reconciled::default();
    let named: BTreeSet<Uuid> = ledgers.iter().map(|ledger| ledger.recovery_point).collect();
    for ledger in ledgers {
        let job = job_state(environment, ledger.job).await?;
        match fate(ledger.state, job) {
            Fate::Running | Fate::Doubt => {}
            Fate::Confirm => confirm(environment, ledger, &contents, &mut done).await?,
            Fate::Keep => keep(environment, ledger, &contents, &mut done).await?,
            Fate::Remove => give_up(environment, ledger.recovery_point, &mut done).await?,
        }
    }
    let mut unnamed: BTreeMap<Uuid, Vec<&ContentState>> = BTreeMap::new();
    for snapshot in &snapshots {
        let point = snapshot
            .recovery_point
            .filter(|point| !named.contains(point));
        point.map(|point| unnamed.entry(point).or_default());
    }
    for content in &contents {
        let point = point_of(&environment.namespace, content);
        if let Some(point) = point.filter(|point| !named.contains(point)) {
            unnamed.entry(point).or_default().push(content);
        }
    }
    for (point, contents) in unnamed {
        match rebuilt(point, &contents) {
            Some(ledger) => ledger.write(environment).await?,
            None => give_up(environment, point, &mut done).await?,
        }
    }
    Ok(done)
}

/// Looks up, in the repository of a backup instance, whether the recovery points exist that may: those
/// whose jobs ended between the last word of their ledger and the seal. Trouble with it is no trouble of
/// the backup that has the repository open.
pub(super) async fn settle_doubts(
    environment: &Environment,
    repository: &Repository,
    owner: &Owner,
) {
    let settled = async {
        for mut ledger in Ledger::all(environment).await? {
            let ours = ledger.backup_instance == owner.backup_instance && ledger.job != owner.job;
            if !ours || ledger.state != State::Sealing {
                continue;
            }
            if fate(ledger.state, job_state(environment, ledger.job).await?) != Fate::Doubt {
                continue;
            }
            match repository.point(ledger.recovery_point).await {
                Ok(_) => ledger.state = State::Kept,
                Err(error) if error.is_not_found() => ledger.state = State::Taking,
                Err(error) => return Err(error.into()),
            }
            ledger.write(environment).await?;
        }
        Ok::<_, JobFailure>(())
    };
    if let Err(error) = settled.await {
        tracing::warn!(%error, "whether some volume snapshots still have a recovery point is not known yet");
    }
}

/// The state of a job's custom resource; none when it is gone.
async fn job_state(environment: &Environment, job: Uuid) -> Result<Option<JobState>, JobFailure> {
    let found = jobs::get_backup(&environment.cluster, &environment.namespace, job).await?;
    Ok(found.map(|backup| backup.status.unwrap_or_default().state))
}

async fn confirm(
    environment: &Environment,
    mut ledger: Ledger,
    contents: &[ContentState],
    done: &mut Reconciled,
) -> Result<(), JobFailure> {
    ledger.state = State::Kept;
    ledger.write(environment).await?;
    keep(environment, ledger, contents, done).await
}

/// Removes what a kept recovery point does not need, and looks whether the rest is there.
async fn keep(
    environment: &Environment,
    mut ledger: Ledger,
    contents: &[ContentState],
    done: &mut Reconciled,
) -> Result<(), JobFailure> {
    let (dropped, kept): (Vec<Entry>, Vec<Entry>) = ledger
        .entries
        .iter()
        .cloned()
        .partition(|entry| entry.dropped);
    let point = ledger.recovery_point;
    for entry in &kept {
        if !contents.iter().any(|content| content.name == entry.content) {
            done.missing += 1;
            tracing::warn!(
                recovery_point.id = %point, claim = %format!("{}/{}", entry.namespace, entry.claim),
                content = %entry.content, "a volume snapshot was removed behind our back"
            );
        }
    }
    let names = kept.iter().map(|entry| entry.snapshot.clone()).collect();
    let wait = environment.snapshot_waits.gone;
    remove::snapshots_of_kept(environment, point, &names, wait).await?;
    if dropped.is_empty() {
        return Ok(());
    }
    let names = dropped.into_iter().map(|entry| entry.snapshot).collect();
    let removed = remove::remove(environment, point, Some(&names)).await?;
    tell(&removed, done);
    let is_left = |entry: &Entry| {
        removed
            .left
            .iter()
            .any(|one| one.snapshot == entry.snapshot)
    };
    ledger
        .entries
        .retain(|entry| !entry.dropped || is_left(entry));
    if ledger.entries.is_empty() {
        ledger::delete(environment, point).await?;
        return Ok(());
    }
    Ok(ledger.write(environment).await?)
}

/// Removes all that a recovery point has that will never exist.
async fn give_up(
    environment: &Environment,
    point: Uuid,
    done: &mut Reconciled,
) -> Result<(), JobFailure> {
    let removed = remove::remove(environment, point, None).await?;
    tell(&removed, done);
    if removed.left.is_empty() {
        ledger::delete(environment, point).await?;
    }
    Ok(())
}

fn tell(removed: &remove::Removed, done: &mut Reconciled) {
    done.left += removed.left.len();
    let gone = usize::try_from(removed.found).unwrap_or_default();
    let gone = gone.saturating_sub(removed.left.len());
    done.removed += u32::try_from(gone).unwrap_or(u32::MAX);
}

/// A ledger for contents that are marked as a recovery point's and have none; none when not one is marked,
/// because then no recovery point names them.
fn rebuilt(point: Uuid, contents: &[&ContentState]) -> Option<Ledger> {
    let marked = contents
        .iter()
        .filter(|content| content.recovery_point == Some(point));
    let first = marked.clone().next()?;
    let entries = marked.map(|content| {
        let (namespace, claim) = content.claim.split_once('/').unwrap_or_default();
        Entry {
            namespace: namespace.to_owned(),
            claim: claim.to_owned(),
            snapshot: content.made_for.1.clone(),
            content: content.name.clone(),
            ..Entry::default()
        }
    });
    Some(Ledger {
        recovery_point: point,
        job: first.job.unwrap_or_default(),
        backup_instance: first.backup_instance.clone(),
        state: State::Sealing,
        entries: entries.collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marked_contents_without_a_ledger_get_one_in_doubt_and_unmarked_ones_none() {
        let point = Uuid::from_u128(1);
        let marked = ContentState {
            name: "c".into(),
            claim: "shop/data".into(),
            recovery_point: Some(point),
            backup_instance: "/a".into(),
            ..ContentState::default()
        };
        let ledger = rebuilt(point, &[&marked]).unwrap();
        assert_eq!(ledger.state, State::Sealing);
        assert_eq!(ledger.entries[0].claim, "data");
        assert_eq!(ledger.backup_instance, "/a");
        assert_eq!(rebuilt(point, &[&ContentState::default()]), None);
        assert_eq!(rebuilt(point, &[]), None);
    }
}
