//! Proves that ledgers and cluster agree, and removes what nobody needs.
//!
//! Contract: what certainly has no recovery point is removed; what may have one stays until it was looked up
//! in its store ([`settle_doubts`]) or is forgotten. A content that is marked as a recovery point's without
//! a ledger (the extension was removed and installed again) gets a ledger, in doubt, rather than being
//! removed. The cluster is looked at before the ledgers are, so that what a running job makes meanwhile
//! is never taken for nobody's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use strongroom_core::volumes::name;
use strongroom_kubernetes::crd::JobState;
use strongroom_kubernetes::jobs;
use strongroom_kubernetes::snapshots::{self, ContentState, GroupContentState, Owner};
use strongroom_repository::Repository;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::classes;
use super::ledger::{self, Entry, Fate, GroupEntry, Ledger, State, fate};
use super::remove;
use super::seen::{Seen, point_of_group};
use crate::environment::Environment;
use crate::job::JobFailure;
use crate::limits::{RECONCILE_AGAIN, RECONCILE_EVERY};

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

/// Reconciles when the process starts, whenever a job has ended, soon again while something is left, and now
/// and then.
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
                let pause = if again {
                    RECONCILE_AGAIN
                } else {
                    RECONCILE_EVERY
                };
                tokio::time::sleep(pause).await;
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
    let made = snapshots::list_made(&environment.cluster, &environment.namespace).await?;
    let seen = Seen::look(environment, None).await?;
    let ledgers = Ledger::all(environment).await?;
    let mut done = Reconciled::default();
    let named: BTreeSet<Uuid> = ledgers.iter().map(|ledger| ledger.recovery_point).collect();
    // All are judged before anything is removed, which takes its time.
    let mut judged = Vec::with_capacity(ledgers.len());
    for ledger in ledgers {
        judged.extend(judge(environment, ledger).await?);
    }
    let missing = missing(environment, &judged, &seen).await?;
    let under_way = judged.iter().any(|(fate, _)| *fate == Fate::Running);
    for (fate, ledger) in judged {
        match fate {
            Fate::Running | Fate::Doubt => {}
            Fate::Confirm => confirm(environment, ledger, &mut done).await?,
            Fate::Keep => keep(environment, ledger, &mut done).await?,
            Fate::Remove => give_up(environment, ledger.recovery_point, &mut done).await?,
        }
    }
    for (point, unnamed) in unnamed(&environment.namespace, &seen, &named) {
        match rebuilt(point, &unnamed) {
            // It has got one since.
            _ if Ledger::read(environment, point).await?.is_some() => {}
            Some(ledger) => ledger.write(environment).await?,
            None => give_up(environment, point, &mut done).await?,
        }
    }
    if !under_way {
        classes::remove_unused(environment, &made).await;
    }
    done.missing = missing.len();
    environment.missing_snapshots.set(missing);
    Ok(done)
}

/// What a ledger's snapshots are worth, with the ledger as it is now; none when that is gone. The job is asked
/// first and the ledger read again then: a job writes its last word before it ends, so an ended job with an
/// older ledger would be one whose recovery point exists and is taken for one that never will.
async fn judge(
    environment: &Environment,
    seen: Ledger,
) -> Result<Option<(Fate, Ledger)>, JobFailure> {
    // This is the last word.
    if seen.state == State::Kept {
        return Ok(Some((Fate::Keep, seen)));
    }
    let job = job_state(environment, seen.job).await?;
    let ledger = Ledger::read(environment, seen.recovery_point).await?;
    Ok(ledger.map(|ledger| (fate(ledger.state, job), ledger)))
}

/// What no ledger names of a recovery point.
#[derive(Debug, Default)]
struct Unnamed<'a> {
    contents: Vec<&'a ContentState>,
    groups: Vec<&'a GroupContentState>,
}

/// What is there of recovery points that are not among those that are `named`.
fn unnamed<'a>(
    extension: &str,
    seen: &'a Seen,
    named: &BTreeSet<Uuid>,
) -> BTreeMap<Uuid, Unnamed<'a>> {
    let mut unnamed: BTreeMap<Uuid, Unnamed<'a>> = BTreeMap::new();
    let is_unnamed = |point: &Uuid| !named.contains(point);
    for snapshot in &seen.snapshots {
        let of_group = || name::recovery_point(extension, &snapshot.group.as_ref()?.0);
        let point = snapshot.recovery_point.or_else(of_group);
        point
            .filter(is_unnamed)
            .map(|point| unnamed.entry(point).or_default());
    }
    for content in &seen.contents {
        let point = seen.point_of(extension, content).filter(is_unnamed);
        if let Some(point) = point {
            unnamed.entry(point).or_default().contents.push(content);
        }
    }
    for group in &seen.groups {
        let point = group.recovery_point.filter(is_unnamed);
        point.map(|point| unnamed.entry(point).or_default());
    }
    for content in &seen.group_contents {
        let point = point_of_group(extension, content).filter(is_unnamed);
        if let Some(point) = point {
            unnamed.entry(point).or_default().groups.push(content);
        }
    }
    unnamed
}

/// What of kept recovery points the cluster does not have. `seen` was looked at before the ledgers were; what it
/// lacks may have been made in between.
async fn missing(
    environment: &Environment,
    judged: &[(Fate, Ledger)],
    seen: &Seen,
) -> Result<Vec<String>, JobFailure> {
    let kept = || {
        let kept = judged
            .iter()
            .filter(|(fate, _)| matches!(fate, Fate::Keep | Fate::Confirm));
        kept.map(|(_, ledger)| ledger)
    };
    if kept().all(|ledger| missing_of(ledger, seen).is_empty()) {
        return Ok(Vec::new());
    }
    let seen = Seen::look(environment, None).await?;
    let missing = kept().flat_map(|ledger| {
        let point = ledger.recovery_point;
        missing_of(ledger, &seen)
            .into_iter()
            .map(move |(what, content)| {
                tracing::warn!(
                    recovery_point.id = %point, what, content,
                    "a volume snapshot was removed behind our back"
                );
                format!("{what} in {point}")
            })
    });
    Ok(missing.collect())
}

/// What a ledger names and the cluster does not have, each with the name of its content: claims, and the
/// groups of namespaces, whose snapshots nobody could remove.
fn missing_of(ledger: &Ledger, seen: &Seen) -> Vec<(String, String)> {
    let mut missing = Vec::new();
    for entry in ledger.entries.iter().filter(|entry| !entry.dropped) {
        let mut contents = seen.contents.iter();
        if !contents.any(|content| content.name == entry.content) {
            let claim = format!("{}/{}", entry.namespace, entry.claim);
            missing.push((claim, entry.content.clone()));
        }
    }
    for group in ledger.groups.iter().filter(|group| !group.dropped) {
        let mut contents = seen.group_contents.iter();
        if !contents.any(|content| content.name == group.content) {
            let what = format!("the group of {}", group.namespace);
            missing.push((what, group.content.clone()));
        }
    }
    missing
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
        for seen in Ledger::all(environment).await? {
            let ours = seen.backup_instance == owner.backup_instance && seen.job != owner.job;
            if !ours || seen.state != State::Sealing {
                continue;
            }
            let Some((Fate::Doubt, mut ledger)) = judge(environment, seen).await? else {
                continue;
            };
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
    done: &mut Reconciled,
) -> Result<(), JobFailure> {
    ledger.state = State::Kept;
    ledger.write(environment).await?;
    keep(environment, ledger, done).await
}

/// Removes what a kept recovery point does not need.
async fn keep(
    environment: &Environment,
    ledger: Ledger,
    done: &mut Reconciled,
) -> Result<(), JobFailure> {
    let (dropped, kept) = (ledger.dropped(), ledger.kept());
    let point = ledger.recovery_point;
    let wait = environment.snapshot_waits.gone;
    remove::snapshots_of_kept(environment, point, &kept, wait).await?;
    if dropped.is_empty() {
        return Ok(());
    }
    let removed = remove::remove(environment, point, Some(&dropped)).await?;
    tell(&removed, done);
    let is_left = |name: &str| removed.left.iter().any(|one| one.snapshot == name);
    // That took its time: a recovery point that was forgotten meanwhile has none any more.
    let Some(mut ledger) = Ledger::read(environment, point).await? else {
        return Ok(());
    };
    ledger.forget_dropped(is_left);
    if ledger.is_empty() {
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
fn rebuilt(point: Uuid, unnamed: &Unnamed<'_>) -> Option<Ledger> {
    let marked = unnamed
        .contents
        .iter()
        .filter(|content| content.recovery_point == Some(point));
    let is_marked = |group: &&&GroupContentState| group.recovery_point == Some(point);
    let marked_groups = unnamed.groups.iter().find(is_marked);
    let by_content = marked
        .clone()
        .next()
        .map(|one| (one.job, &one.backup_instance));
    let by_group = marked_groups.map(|one| (one.job, &one.backup_instance));
    let (job, backup_instance) = by_content.or(by_group)?;
    let groups = unnamed.groups.iter().map(|group| GroupEntry {
        namespace: group.made_for.0.clone(),
        name: group.made_for.1.clone(),
        content: group.name.clone(),
        dropped: false,
    });
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
        job: job.unwrap_or_default(),
        backup_instance: backup_instance.clone(),
        state: State::Sealing,
        entries: entries.collect(),
        groups: groups.collect(),
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
        let group = GroupContentState {
            name: "g".into(),
            made_for: ("shop".into(), "group".into()),
            ..GroupContentState::default()
        };
        let with_group = Unnamed {
            contents: vec![&marked],
            groups: vec![&group],
        };
        let ledger = rebuilt(point, &with_group).unwrap();
        assert_eq!(ledger.groups[0].content, "g");
        assert_eq!(ledger.state, State::Sealing);
        assert_eq!(ledger.entries[0].claim, "data");
        assert_eq!(ledger.backup_instance, "/a");
        let unmarked = ContentState::default();
        for contents in [vec![&unmarked], Vec::new()] {
            let groups = vec![&group];
            assert_eq!(rebuilt(point, &Unnamed { contents, groups }), None);
        }
    }
}
