//! Takes the snapshots of one recovery point, in parallel, and makes them stand by themselves.
//!
//! Contract: everything is named in the ledger before it is asked for. Any attempt may begin in the middle:
//! what is asked for twice is there once, and what is found is looked at like what was just made. All
//! snapshots are asked for before anything else is waited for, up to [`SNAPSHOTS_AT_ONCE`] at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _, stream};
use strongroom_core::volumes::{SnapshotClass, Verdict, name};
use strongroom_core::{Code, ResourceType};
use strongroom_kubernetes::snapshots::{self, Claim, ContentState, Owner, SnapshotState};
use strongroom_kubernetes::{ClusterError, apply};
use tokio::time::Instant;

use super::Weighed;
use super::ledger::{self, Entry, Ledger};
use super::remove;
use super::wish::Wish;
use crate::crash::Moment;
use crate::hooks::Gate;
use crate::job::{Attempt, JobFailure, Step, is_unreachable, object_code};
use crate::limits::{
    SNAPSHOT_CALLS_AT_ONCE, SNAPSHOT_FIRST_LOOK, SNAPSHOT_LOOK, SNAPSHOT_SLOW_LOOK,
    SNAPSHOTS_AT_ONCE,
};
use crate::point::volumes::{SnapshotRecord, Without};

/// What was taken.
pub(super) struct Taken {
    /// For each claim that was weighed.
    pub(super) outcomes: Vec<Result<SnapshotRecord, Without>>,
    /// From the first request to the last cut.
    pub(super) window: Option<Duration>,
    /// The ledger, when it names anything.
    pub(super) ledger: Option<Ledger>,
}

/// Takes a snapshot of each claim that is to have one.
pub(super) async fn take(
    attempt: &Attempt,
    owner: &Owner,
    weighed: &[Weighed],
    classes: &[SnapshotClass],
    gate: &Gate,
) -> Result<Taken, JobFailure> {
    let environment = &attempt.environment;
    let wishes = wishes(owner, weighed);
    // Only an attempt before this one can have left a ledger.
    let before = if attempt.number > 1 {
        Ledger::read(environment, owner.recovery_point).await?
    } else {
        None
    };
    let mut taking = Taking {
        attempt,
        owner,
        weighed,
        wishes,
        gate,
        resumed: false,
        window: None,
    };
    if taking.wishes.is_empty() && before.is_none() {
        return Ok(Taken {
            outcomes: taking.outcomes(&BTreeMap::new()),
            window: None,
            ledger: None,
        });
    }
    let mut ledger = before.unwrap_or_else(|| Ledger::new(owner));
    for entry in &mut ledger.entries {
        entry.dropped = true;
    }
    for wish in &taking.wishes {
        ledger.name(Entry {
            namespace: wish.namespace.clone(),
            claim: wish.claim.clone(),
            uid: wish.uid.clone(),
            snapshot: wish.name.clone(),
            ..Entry::default()
        });
    }
    ledger.write(environment).await?;
    if gate.freezes() && attempt.number > 1 {
        taking.begin_anew().await?;
    }
    if attempt.number > 1 {
        taking.adopt().await?;
    }
    gate.enter().await;
    taking.run().await?;
    gate.all_cut();
    let records = taking.records(classes).await?;
    let ledger = taking.settle(ledger, &records).await?;
    Ok(Taken {
        outcomes: taking.outcomes(&records),
        window: taking.window,
        ledger,
    })
}

/// The snapshots that are wanted.
fn wishes(owner: &Owner, weighed: &[Weighed]) -> Vec<Wish> {
    let wanted = weighed.iter().enumerate();
    wanted
        .filter_map(|(index, one)| {
            let Verdict::Snapshot { class, .. } = &one.verdict else {
                return None;
            };
            let claim = &one.held.facts;
            Some(Wish {
                index,
                namespace: claim.namespace.clone(),
                claim: claim.name.clone(),
                uid: claim.uid.clone(),
                volume_handle: one.volume.as_ref()?.handle.clone(),
                name: name::snapshot(&owner.extension, owner.recovery_point, &claim.uid),
                class: class.clone(),
                ..Wish::default()
            })
        })
        .collect()
}

struct Taking<'a> {
    attempt: &'a Attempt,
    owner: &'a Owner,
    weighed: &'a [Weighed],
    wishes: Vec<Wish>,
    gate: &'a Gate,
    /// Whether an attempt before this one had asked for some.
    resumed: bool,
    window: Option<Duration>,
}

impl Taking<'_> {
    /// Removes what an earlier attempt asked for: the application was thawed since, so nobody knows whether
    /// it was frozen when those snapshots were cut. What does not go in time is given up.
    async fn begin_anew(&mut self) -> Result<(), JobFailure> {
        let point = self.owner.recovery_point;
        let removed = remove::remove(&self.attempt.environment, point, None).await?;
        for left in removed.left {
            let wish = self
                .wishes
                .iter_mut()
                .find(|wish| wish.name == left.snapshot);
            if let Some(wish) = wish {
                let reason = format!(
                    "what an earlier attempt took is not gone yet: {}",
                    left.what
                );
                wish.fail(Code::VolumeSnapshotFailed, reason);
            }
        }
        Ok(())
    }

    /// Waits until each snapshot is ready or given up.
    async fn run(&mut self) -> Result<(), JobFailure> {
        let began = Instant::now();
        let mut pause = SNAPSHOT_FIRST_LOOK;
        while !self.wishes.iter().all(Wish::is_over) {
            self.ask().await?;
            self.attempt.reach(Step::Snapshot, Moment::During).await;
            self.look(began).await?;
            self.keep().await?;
            let all_cut = self.wishes.iter().all(Wish::is_cut_or_lost);
            if all_cut {
                self.gate.all_cut();
            }
            if all_cut && self.window.is_none() {
                self.window = self.measured(began.elapsed());
            }
            if !self.wishes.iter().all(Wish::is_over) {
                tokio::time::sleep(pause).await;
                let longest = if all_cut {
                    SNAPSHOT_SLOW_LOOK
                } else {
                    SNAPSHOT_LOOK
                };
                pause = (pause * 2).min(longest);
            }
        }
        Ok(())
    }

    /// The window; none when nothing was cut. What an attempt before this one asked for is measured by the
    /// times that cluster and driver give.
    fn measured(&self, elapsed: Duration) -> Option<Duration> {
        let last = self.wishes.iter().filter_map(|wish| wish.cut).max()?;
        if !self.resumed {
            return Some(elapsed);
        }
        let first = self.wishes.iter().filter_map(|wish| wish.asked_at).min()?;
        Some(last.duration_since(first).try_into().unwrap_or_default())
    }

    /// Asks for those that were not asked for yet, as many as may be under way.
    async fn ask(&mut self) -> Result<(), JobFailure> {
        let under_way = self
            .wishes
            .iter()
            .filter(|wish| wish.asked && !wish.is_cut_or_lost());
        let room = SNAPSHOTS_AT_ONCE.saturating_sub(under_way.count());
        let (cluster, owner) = (&self.attempt.environment.cluster, self.owner);
        let mut asking = Vec::new();
        for (at, wish) in self.wishes.iter().enumerate() {
            if !wish.asked && wish.failed.is_none() && asking.len() < room {
                let call = async move {
                    let claim = claim_of(wish);
                    (
                        at,
                        snapshots::request(cluster, owner, &wish.name, &claim, &wish.class).await,
                    )
                };
                asking.push(call.boxed());
            }
        }
        let asking = stream::iter(asking).buffer_unordered(SNAPSHOT_CALLS_AT_ONCE);
        let asked: Vec<_> = asking.collect().await;
        for (at, outcome) in asked {
            let Some(wish) = self.wishes.get_mut(at) else {
                continue;
            };
            match outcome {
                Ok(new) => {
                    wish.asked = true;
                    self.resumed |= !new;
                }
                Err(error) => refuse(wish, error)?,
            }
        }
        Ok(())
    }

    /// Looks at all of them, with two lists.
    async fn look(&mut self, began: Instant) -> Result<(), JobFailure> {
        let environment = &self.attempt.environment;
        let (cluster, owner) = (&environment.cluster, self.owner);
        let point = owner.recovery_point;
        let (snapshots, contents) = tokio::try_join!(
            snapshots::list_snapshots(cluster, &owner.extension, Some(point)),
            snapshots::list_marked(cluster, &owner.extension, point),
        )?;
        let snapshots: BTreeMap<&str, &SnapshotState> = snapshots
            .iter()
            .map(|one| (one.name.as_str(), one))
            .collect();
        let contents: BTreeMap<&str, &ContentState> = contents
            .iter()
            .map(|one| (one.made_for.1.as_str(), one))
            .collect();
        let now = Instant::now();
        for wish in self
            .wishes
            .iter_mut()
            .filter(|wish| wish.asked && !wish.is_over())
        {
            let snapshot = snapshots.get(wish.name.as_str()).copied();
            let content = contents.get(wish.name.as_str()).copied();
            if wish.see(snapshot, content, now) && !claim_is_there(self.attempt, wish).await? {
                let reason = "the claim was deleted while the backup ran";
                wish.fail(Code::VolumeSnapshotFailed, reason);
            }
            let volume = self
                .weighed
                .get(wish.index)
                .and_then(|one| one.volume.as_ref());
            let driver = volume
                .and_then(|volume| volume.driver.as_deref())
                .unwrap_or_default();
            wish.judge(driver, now, began, &environment.snapshot_waits);
        }
        Ok(())
    }

    /// Takes over what an attempt before this one made: its VolumeSnapshots may be gone already.
    async fn adopt(&mut self) -> Result<(), JobFailure> {
        let (cluster, owner) = (&self.attempt.environment.cluster, self.owner);
        let contents =
            snapshots::list_marked(cluster, &owner.extension, owner.recovery_point).await?;
        for content in contents.iter().filter(|content| !content.terminating) {
            let wish = self
                .wishes
                .iter_mut()
                .find(|wish| wish.name == content.made_for.1);
            if let Some(wish) = wish {
                wish.adopt(content);
                self.resumed = true;
            }
        }
        Ok(())
    }

    /// Makes contents stand by themselves as soon as there are any: from then on a snapshot survives the
    /// deletion of its claim's namespace.
    async fn keep(&mut self) -> Result<(), JobFailure> {
        let (cluster, owner) = (&self.attempt.environment.cluster, self.owner);
        let mut keeping = Vec::new();
        for (at, wish) in self.wishes.iter().enumerate() {
            let Some(content) = wish.content.as_deref() else {
                continue;
            };
            if !wish.kept && wish.failed.is_none() {
                let call = async move {
                    (
                        at,
                        snapshots::keep(cluster, owner, &claim_of(wish), content).await,
                    )
                };
                keeping.push(call.boxed());
            }
        }
        let keeping = stream::iter(keeping).buffer_unordered(SNAPSHOT_CALLS_AT_ONCE);
        let kept: Vec<_> = keeping.collect().await;
        for (at, outcome) in kept {
            let Some(wish) = self.wishes.get_mut(at) else {
                continue;
            };
            match outcome {
                Ok(content) if content.volume_handle == wish.volume_handle => wish.kept = true,
                Ok(_) => {
                    let reason = "the claim was replaced by another one while the backup ran";
                    wish.fail(Code::VolumeSnapshotFailed, reason);
                }
                // It is not there yet, or went with its VolumeSnapshot; the next look says so.
                Err(error) if error.is_not_found() => {}
                Err(error) => refuse(wish, error)?,
            }
        }
        Ok(())
    }

    /// The records of those that are ready, by the names of their VolumeSnapshots.
    async fn records(
        &mut self,
        classes: &[SnapshotClass],
    ) -> Result<BTreeMap<String, SnapshotRecord>, JobFailure> {
        let cluster = &self.attempt.environment.cluster;
        let mut records = BTreeMap::new();
        for wish in self.wishes.iter_mut().filter(|wish| wish.failed.is_none()) {
            let name = wish.content.clone().unwrap_or_default();
            let content = snapshots::content(cluster, &name).await?;
            let Some((content, handle)) = content.and_then(|one| Some((one.clone(), one.handle?)))
            else {
                let reason =
                    format!("the content {name} is gone or names no snapshot of the driver");
                wish.fail(Code::VolumeSnapshotFailed, reason);
                continue;
            };
            let class = classes.iter().find(|class| class.name == wish.class);
            let record = SnapshotRecord {
                handle,
                content: content.name,
                restore_size: content.restore_size,
                created: content.cut.or(wish.cut),
                class: wish.class.clone(),
                class_parameters: class
                    .map(|class| class.parameters.clone())
                    .unwrap_or_default(),
                secrets: content.secrets,
            };
            records.insert(wish.name.clone(), record);
        }
        Ok(records)
    }

    /// Removes what is no part of the recovery point and the VolumeSnapshots of what is, and brings the
    /// ledger to what is left. None when nothing is.
    async fn settle(
        &self,
        mut ledger: Ledger,
        records: &BTreeMap<String, SnapshotRecord>,
    ) -> Result<Option<Ledger>, JobFailure> {
        let environment = &self.attempt.environment;
        for entry in &mut ledger.entries {
            let record = records.get(&entry.snapshot);
            entry.dropped = record.is_none();
            if let Some(record) = record {
                entry.content.clone_from(&record.content);
            }
        }
        ledger.write(environment).await?;
        let point = ledger.recovery_point;
        // The controller takes its time to let them go; whether they have is looked at after the job.
        let names = records.keys().cloned().collect();
        remove::snapshots_of_kept(environment, point, &names, Duration::ZERO).await?;
        let dropped: BTreeSet<String> = ledger
            .entries
            .iter()
            .filter(|entry| entry.dropped)
            .map(|entry| entry.snapshot.clone())
            .collect();
        if !dropped.is_empty() {
            let left = remove::remove(environment, point, Some(&dropped))
                .await?
                .left;
            let is_left = |entry: &Entry| left.iter().any(|one| one.snapshot == entry.snapshot);
            ledger
                .entries
                .retain(|entry| !entry.dropped || is_left(entry));
            ledger.write(environment).await?;
        }
        if ledger.entries.is_empty() {
            ledger::delete(environment, point).await?;
            return Ok(None);
        }
        Ok(Some(ledger))
    }

    /// What became of each claim.
    fn outcomes(
        &self,
        records: &BTreeMap<String, SnapshotRecord>,
    ) -> Vec<Result<SnapshotRecord, Without>> {
        let wishes: BTreeMap<usize, &Wish> =
            self.wishes.iter().map(|wish| (wish.index, wish)).collect();
        let all = self.weighed.iter().enumerate();
        all.map(|(index, one)| match (&one.verdict, wishes.get(&index)) {
            (Verdict::Without { code, reason }, _) => Err(Without {
                code: code
                    .map(|code| code.as_str().to_owned())
                    .unwrap_or_default(),
                reason: reason.clone(),
            }),
            (Verdict::Snapshot { .. }, Some(wish)) => match records.get(&wish.name) {
                Some(record) => Ok(record.clone()),
                None => Err(wish.failed.clone().unwrap_or_default()),
            },
            (Verdict::Snapshot { .. }, None) => Err(Without::default()),
        })
        .collect()
    }
}

fn claim_of(wish: &Wish) -> Claim<'_> {
    Claim {
        namespace: &wish.namespace,
        name: &wish.claim,
        uid: &wish.uid,
    }
}

/// Gives a snapshot up that the API server refuses; an API server that does not answer is the attempt's
/// trouble.
fn refuse(wish: &mut Wish, error: ClusterError) -> Result<(), JobFailure> {
    if is_unreachable(&error) {
        return Err(error.into());
    }
    let code = match object_code(&error.failure) {
        Code::KubernetesBackupGenericWarning => Code::VolumeSnapshotFailed,
        code => code,
    };
    wish.fail(code, error.to_string());
    Ok(())
}

/// Whether the claim is still the one that was collected.
async fn claim_is_there(attempt: &Attempt, wish: &Wish) -> Result<bool, JobFailure> {
    let kind = ResourceType::new(
        "",
        "v1",
        "PersistentVolumeClaim",
        "persistentvolumeclaims",
        true,
    );
    let cluster = &attempt.environment.cluster;
    let found = apply::get(cluster, &kind, Some(&wish.namespace), &wish.claim).await?;
    Ok(found.is_some_and(|claim| claim["metadata"]["uid"] == wish.uid.as_str()))
}
