//! Takes the snapshots of one recovery point, in parallel, and makes them stand by themselves.
//!
//! Contract: everything is named in the ledger before it is asked for. Any attempt may begin in the middle:
//! what is asked for twice is there once, and what is found is looked at like what was just made. All
//! snapshots are asked for before anything else is waited for, up to [`SNAPSHOTS_AT_ONCE`] at a time.

mod groups;
mod keep;
mod settled;

use std::collections::BTreeMap;
use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _, stream};
use strongroom_core::volumes::{GivenClass, SnapshotClass, Verdict, name};
use strongroom_core::{Code, ResourceType};
use strongroom_kubernetes::snapshots::group::GroupApi;
use strongroom_kubernetes::snapshots::{self, Claim, ContentState, News, Owner, SnapshotState};
use strongroom_kubernetes::{ClusterError, apply};
use tokio::time::Instant;

use super::Weighed;
use super::classes;
use super::gather::{Gathered, Singly, gather};
use super::group_wish::GroupWish;
use super::ledger::{Entry, GroupEntry, Ledger};
use super::remove;
use super::wish::Wish;
use crate::crash::Moment;
use crate::hooks::Gate;
use crate::job::{Attempt, JobFailure, Step, is_unreachable, object_code};
use crate::limits::{
    SNAPSHOT_CALLS_AT_ONCE, SNAPSHOT_CUT_LOOK, SNAPSHOT_FIRST_LOOK, SNAPSHOT_LOOK,
    SNAPSHOT_SLOW_LOOK, SNAPSHOTS_AT_ONCE,
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
    /// The groups that were wanted, those that were given up among them.
    pub(super) groups: Vec<GroupWish>,
    /// Where groups were not possible.
    pub(super) singly: Vec<Singly>,
}

/// Takes a snapshot of each claim that is to have one.
pub(super) async fn take(
    attempt: &Attempt,
    owner: &Owner,
    weighed: &[Weighed],
    (offered, given): (&[SnapshotClass], &[GivenClass]),
    gate: &Gate,
) -> Result<Taken, JobFailure> {
    let environment = &attempt.environment;
    let mut wishes = wishes(owner, weighed);
    let Gathered {
        api,
        groups,
        singly,
    } = gather(attempt, owner, weighed, given, &mut wishes).await?;
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
        api,
        groups,
        gate,
        resumed: false,
        all_cut: false,
        window: None,
    };
    if taking.wishes.is_empty() && before.is_none() {
        return Ok(Taken {
            outcomes: taking.outcomes(&BTreeMap::new()),
            window: None,
            ledger: None,
            groups: Vec::new(),
            singly,
        });
    }
    let ledger = taking.enter(before.unwrap_or_else(|| Ledger::new(owner)));
    ledger.write(environment).await?;
    classes::make(attempt, owner, offered, &mut taking.wishes).await?;
    if gate.freezes() && attempt.number > 1 {
        taking.begin_anew().await?;
    }
    if attempt.number > 1 {
        taking.adopt().await?;
    }
    let mut news = taking.begin_news().await;
    gate.enter().await;
    taking.run(&mut news).await?;
    gate.all_cut();
    let records = taking.records(offered).await?;
    let ledger = taking.settle(ledger, &records).await?;
    Ok(Taken {
        outcomes: taking.outcomes(&records),
        window: taking.window,
        ledger,
        groups: taking.groups,
        singly,
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
    /// How the cluster serves group snapshots; none when none is wanted.
    api: Option<GroupApi>,
    groups: Vec<GroupWish>,
    gate: &'a Gate,
    /// Whether an attempt before this one had asked for some.
    resumed: bool,
    /// Whether each was cut, or given up, so that the application may be thawed.
    all_cut: bool,
    window: Option<Duration>,
}

impl Taking<'_> {
    /// Names in the ledger all that may be asked for: single snapshots of the members of groups as well, which
    /// are taken when their group fails.
    fn enter(&self, mut ledger: Ledger) -> Ledger {
        for entry in &mut ledger.entries {
            entry.dropped = true;
        }
        for group in &mut ledger.groups {
            group.dropped = true;
        }
        for wish in &self.wishes {
            ledger.name(Entry {
                namespace: wish.namespace.clone(),
                claim: wish.claim.clone(),
                uid: wish.uid.clone(),
                snapshot: wish.name.clone(),
                ..Entry::default()
            });
        }
        for group in &self.groups {
            ledger.name_group(GroupEntry {
                namespace: group.namespace.clone(),
                name: group.name.clone(),
                ..GroupEntry::default()
            });
        }
        ledger
    }

    /// Removes what an earlier attempt asked for: the application was thawed since, so nobody knows whether
    /// it was frozen when those snapshots were cut. What does not go in time is given up.
    async fn begin_anew(&mut self) -> Result<(), JobFailure> {
        let point = self.owner.recovery_point;
        let removed = remove::remove(&self.attempt.environment, point, None).await?;
        for left in removed.left {
            let reason = format!(
                "what an earlier attempt took is not gone yet: {}",
                left.what
            );
            let mut groups = self.groups.iter_mut();
            if let Some(group) = groups.find(|group| group.name == left.snapshot) {
                group.fail(reason);
                continue;
            }
            let mut wishes = self.wishes.iter_mut();
            if let Some(wish) = wishes.find(|wish| wish.name == left.snapshot) {
                wish.fail(Code::VolumeSnapshotFailed, reason);
            }
        }
        self.leave_failed_groups();
        Ok(())
    }

    /// Waits until each snapshot is ready or given up.
    async fn run(&mut self, news: &mut Option<News>) -> Result<(), JobFailure> {
        let began = Instant::now();
        let (mut look_at, mut pause) = (began, SNAPSHOT_FIRST_LOOK);
        while !self.wishes.iter().all(Wish::is_over) {
            self.heed_the_gate();
            self.ask_for_groups().await?;
            self.ask().await?;
            self.attempt.reach(Step::Snapshot, Moment::During).await;
            let looks = Instant::now() >= look_at;
            if looks {
                self.look(began).await?;
            }
            self.keep_groups().await?;
            self.keep().await?;
            if self.note_cuts(began) {
                (look_at, pause) = (Instant::now() + SNAPSHOT_CUT_LOOK, SNAPSHOT_CUT_LOOK * 2);
            } else if looks {
                look_at = Instant::now() + pause;
                pause = (pause * 2).min(self.longest_pause(news.as_ref()));
            }
            if !self.wishes.iter().all(Wish::is_over) {
                self.wait(news, look_at).await;
            }
        }
        self.note_cuts(began);
        Ok(())
    }

    /// Lets the application be thawed once all are cut. Whether that was not so before.
    fn note_cuts(&mut self, began: Instant) -> bool {
        let new = !self.all_cut && self.wishes.iter().all(Wish::is_cut_or_lost);
        if new {
            self.all_cut = true;
            self.gate.all_cut();
            self.window = self.measured(began.elapsed());
        }
        new
    }

    /// The longest pause between two looks.
    fn longest_pause(&self, news: Option<&News>) -> Duration {
        // Of groups there are no news.
        let told = news.is_some_and(News::come) && self.groups.is_empty();
        let all_cut = self.wishes.iter().all(Wish::is_cut_or_lost);
        match (all_cut, self.gate.freezes() && !told) {
            (true, _) => SNAPSHOT_SLOW_LOOK,
            (false, true) => SNAPSHOT_FIRST_LOOK,
            (false, false) => SNAPSHOT_LOOK,
        }
    }

    /// Gives up what is not cut once the application is about to be thawed.
    fn heed_the_gate(&mut self) {
        let Some(over) = self.gate.over() else { return };
        for wish in self.wishes.iter_mut().filter(|wish| wish.cut.is_none()) {
            wish.fail(over.code, over.message.clone());
        }
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
            let is_due = !wish.asked && wish.failed.is_none() && wish.group.is_none();
            if is_due && asking.len() < room {
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
                Err(error) if is_unreachable(&error) => return Err(error.into()),
                Err(error) => refuse(wish, &error),
            }
        }
        Ok(())
    }

    /// Looks at all of them, with two lists, and with groups some more.
    async fn look(&mut self, began: Instant) -> Result<(), JobFailure> {
        let members = self.look_at_groups(began).await?;
        self.meet(&members);
        self.miss();
        let environment = &self.attempt.environment;
        let (cluster, owner) = (&environment.cluster, self.owner);
        let point = owner.recovery_point;
        let (snapshots, contents) = tokio::try_join!(
            snapshots::list_snapshots(cluster, &owner.extension, Some(point)),
            snapshots::list_marked(cluster, &owner.extension, point),
        )?;
        // What the cluster says from now on may be of the thawed state.
        self.heed_the_gate();
        let snapshots: BTreeMap<&str, &SnapshotState> = snapshots
            .iter()
            .chain(&members)
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
            .filter(|wish| (wish.asked || wish.cut.is_some()) && !wish.is_over())
        {
            let snapshot = snapshots.get(wish.snapshot()).copied();
            let content = contents.get(wish.snapshot()).copied();
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

    /// Makes the acquaintance of the VolumeSnapshots of groups' members.
    fn meet(&mut self, members: &[SnapshotState]) {
        for member in members {
            let mut wishes = self.wishes.iter_mut();
            let wish = wishes.find(|wish| {
                wish.group.is_some()
                    && wish.namespace == member.namespace
                    && wish.claim == member.claim
            });
            if let Some(wish) = wish {
                wish.asked = true;
                wish.member = Some(member.name.clone());
            }
        }
    }

    /// Gives up groups whose members do not come. Where hooks froze the application, it is thawed by now, and
    /// a snapshot that would be taken in their place would be of another state.
    fn miss(&mut self) {
        let now = Instant::now();
        let waits = &self.attempt.environment.snapshot_waits;
        for (at, group) in self.groups.iter_mut().enumerate() {
            let is_missed = |wish: &&mut Wish| {
                wish.group == Some(at) && wish.member.is_none() && wish.failed.is_none()
            };
            let mut missed = self.wishes.iter_mut().filter(is_missed).peekable();
            if group.cut.is_none() || missed.peek().is_none() {
                continue;
            }
            match group.lacks_members(now, waits) {
                Some(reason) if self.gate.freezes() => {
                    missed.for_each(|wish| {
                        wish.fail(Code::VolumeSnapshotNotReady, reason.clone());
                    });
                }
                Some(reason) => group.fail(reason),
                None => {}
            }
        }
    }

    /// Takes over what an attempt before this one made: its VolumeSnapshots may be gone already.
    async fn adopt(&mut self) -> Result<(), JobFailure> {
        self.adopt_groups().await?;
        let (cluster, owner) = (&self.attempt.environment.cluster, self.owner);
        let contents =
            snapshots::list_marked(cluster, &owner.extension, owner.recovery_point).await?;
        let standing = contents.iter().filter(|content| !content.terminating);
        let found: Vec<(usize, &ContentState)> = standing
            .filter_map(|content| {
                let of_claim = |wish: &Wish| match &content.group {
                    None => wish.name == content.made_for.1,
                    Some(_) => wish.group.is_some() && wish.uid == content.claim_uid,
                };
                Some((self.wishes.iter().position(of_claim)?, content))
            })
            .collect();
        let singles = found.iter().filter(|(_, content)| content.group.is_none());
        let singles: Vec<usize> = singles.map(|(at, _)| *at).collect();
        self.leave_groups_of(&singles);
        for (at, content) in found {
            let wish = self.wishes.get_mut(at);
            let is_same_way = |wish: &&mut Wish| wish.group.is_some() == content.group.is_some();
            if let Some(wish) = wish.filter(is_same_way) {
                wish.adopt(content);
                self.resumed = true;
            }
        }
        Ok(())
    }
}

fn claim_of(wish: &Wish) -> Claim<'_> {
    Claim {
        namespace: &wish.namespace,
        name: &wish.claim,
        uid: &wish.uid,
    }
}

/// Gives a snapshot up that the API server refuses.
pub(super) fn refuse(wish: &mut Wish, error: &ClusterError) {
    let code = match object_code(&error.failure) {
        Code::KubernetesBackupGenericWarning => Code::VolumeSnapshotFailed,
        code => code,
    };
    wish.fail(code, error.to_string());
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
