//! The group snapshots of a recovery point, beside the single ones.
//!
//! Contract: a group is looked after in the same rounds as single snapshots. Its members count as cut when it
//! is cut, and are finished each by itself. One that fails before it is cut is given up at once, and its
//! claims are snapshotted one by one: saved data is worth more than a shared instant. What it had begun goes
//! with the ledger's word that it is dropped.

use std::collections::BTreeMap;

use futures::{FutureExt as _, StreamExt as _, stream};
use strongroom_kubernetes::ClusterError;
use strongroom_kubernetes::snapshots::group::{self, GroupRequest};
use strongroom_kubernetes::snapshots::{GroupContentState, GroupState, SnapshotState};
use tokio::time::Instant;

use super::Taking;
use crate::crash::Moment;
use crate::job::{JobFailure, is_unreachable};
use crate::limits::{SNAPSHOT_CALLS_AT_ONCE, SNAPSHOT_KEEP_AGAIN};
use crate::volumes::remove;

/// The place at which tests kill a backup with groups: `before` one is asked for, `during` it, and `after` it
/// is cut.
const PLACE: &str = "group";

impl Taking<'_> {
    /// Asks for the groups that were not asked for yet.
    pub(super) async fn ask_for_groups(&mut self) -> Result<(), JobFailure> {
        let Some(api) = &self.api else { return Ok(()) };
        let (cluster, owner) = (&self.attempt.environment.cluster, self.owner);
        let mut asking = Vec::new();
        for (at, wish) in self.groups.iter().enumerate() {
            if !wish.asked && wish.failed.is_none() {
                let call = async move {
                    let request = GroupRequest {
                        namespace: &wish.namespace,
                        name: &wish.name,
                        class: &wish.class,
                        labels: &wish.labels,
                    };
                    (
                        at,
                        group::request_group(cluster, api, owner, &request).await,
                    )
                };
                asking.push(call.boxed());
            }
        }
        if asking.is_empty() {
            return Ok(());
        }
        self.reach_group(Moment::Before).await;
        let asking = stream::iter(asking).buffer_unordered(SNAPSHOT_CALLS_AT_ONCE);
        let asked: Vec<_> = asking.collect().await;
        for (at, outcome) in asked {
            let Some(wish) = self.groups.get_mut(at) else {
                continue;
            };
            match outcome {
                Ok(()) => wish.asked = true,
                Err(error) if is_unreachable(&error) => return Err(error.into()),
                Err(error) => wish.fail(error.to_string()),
            }
        }
        self.reach_group(Moment::During).await;
        Ok(())
    }

    /// Looks at the groups; the VolumeSnapshots of their members that are not kept yet.
    pub(super) async fn look_at_groups(
        &mut self,
        began: Instant,
    ) -> Result<Vec<SnapshotState>, JobFailure> {
        let Some(api) = &self.api else {
            return Ok(Vec::new());
        };
        let environment = &self.attempt.environment;
        let (cluster, owner) = (&environment.cluster, self.owner);
        if self
            .groups
            .iter()
            .any(|wish| wish.asked && wish.is_wanted())
        {
            let point = owner.recovery_point;
            let marked = |one: &GroupContentState| one.recovery_point == Some(point);
            let (groups, contents) = tokio::try_join!(
                group::list_groups(cluster, api, &owner.extension, Some(point)),
                group::list_group_contents(cluster, api, marked),
            )?;
            // What the cluster says from now on may be of the thawed state.
            self.heed_the_gate();
            let groups: BTreeMap<&str, &GroupState> =
                groups.iter().map(|one| (one.name.as_str(), one)).collect();
            let contents: BTreeMap<&str, &GroupContentState> = contents
                .iter()
                .map(|one| (one.made_for.1.as_str(), one))
                .collect();
            let now = Instant::now();
            let most = self.gate.freezes().then(|| environment.freeze_budget / 2);
            let wanted = self.groups.iter_mut();
            for wish in wanted.filter(|wish| wish.asked && wish.is_wanted()) {
                let name = wish.name.as_str();
                let (group, content) = (groups.get(name).copied(), contents.get(name).copied());
                wish.see(group, content, now);
                wish.judge(now, began, &environment.snapshot_waits, most);
            }
        }
        self.tell_members().await;
        self.give_groups_up().await?;
        self.members().await
    }

    /// Makes the groups' contents stand by themselves as soon as there are any.
    pub(super) async fn keep_groups(&mut self) -> Result<(), JobFailure> {
        let Some(api) = &self.api else { return Ok(()) };
        let (cluster, owner) = (&self.attempt.environment.cluster, self.owner);
        let now = Instant::now();
        let mut keeping = Vec::new();
        for (at, wish) in self.groups.iter().enumerate() {
            let is_due = wish.keep_after.is_none_or(|after| now >= after);
            let content = wish.content.as_deref();
            if let Some(content) = content.filter(|_| !wish.kept && wish.failed.is_none() && is_due)
            {
                let call =
                    async move { (at, group::keep_group(cluster, api, owner, content).await) };
                keeping.push(call.boxed());
            }
        }
        let keeping = stream::iter(keeping).buffer_unordered(SNAPSHOT_CALLS_AT_ONCE);
        let kept: Vec<_> = keeping.collect().await;
        for (at, outcome) in kept {
            let Some(wish) = self.groups.get_mut(at) else {
                continue;
            };
            match outcome {
                Ok(content) => wish.learn(&content),
                // It is not there yet; the next look says how the group stands.
                Err(error) if error.is_not_found() => {
                    wish.keep_after = Some(now + SNAPSHOT_KEEP_AGAIN);
                }
                Err(error) if is_unreachable(&error) => return Err(error.into()),
                Err(error) => wish.fail(error.to_string()),
            }
        }
        self.heed_the_gate();
        self.tell_members().await;
        self.give_groups_up().await
    }

    /// Takes over the groups that an attempt before this one asked for. One of whose claims that attempt had
    /// taken a single snapshot was given up by it, and is by this one.
    pub(super) async fn adopt_groups(&mut self) -> Result<(), ClusterError> {
        let Some(api) = &self.api else { return Ok(()) };
        let (cluster, owner) = (&self.attempt.environment.cluster, self.owner);
        let point = owner.recovery_point;
        let marked = |one: &GroupContentState| one.recovery_point == Some(point);
        let contents = group::list_group_contents(cluster, api, marked).await?;
        for wish in &mut self.groups {
            let mut of_group = contents.iter();
            if let Some(content) = of_group.find(|one| one.made_for.1 == wish.name) {
                wish.asked = true;
                wish.learn(content);
            }
        }
        Ok(())
    }

    /// The group that a claim is taken with was given up before: it is taken by itself.
    pub(super) fn leave_groups_of(&mut self, singles: &[usize]) {
        for at in singles {
            let group = self.wishes.get(*at).and_then(|wish| wish.group);
            if let Some(group) = group.and_then(|group| self.groups.get_mut(group)) {
                group.fail("an earlier attempt at this backup gave it up");
            }
        }
        self.leave_failed_groups();
    }

    /// Members are cut when their group is.
    async fn tell_members(&mut self) {
        let mut news = false;
        for wish in self.wishes.iter_mut().filter(|wish| wish.failed.is_none()) {
            let group = wish.group.and_then(|group| self.groups.get(group));
            if let Some(group) = group.filter(|group| group.failed.is_none()) {
                news |= wish.cut.is_none() && group.cut.is_some();
                wish.cut = wish.cut.or(group.cut);
            }
        }
        if news {
            self.reach_group(Moment::After).await;
        }
    }

    /// Begins to remove the groups that failed, so that a driver is not asked for them any more, and lets
    /// their claims be taken by themselves.
    async fn give_groups_up(&mut self) -> Result<(), JobFailure> {
        for name in self.leave_failed_groups() {
            let (environment, point) = (&self.attempt.environment, self.owner.recovery_point);
            match remove::begin_group(environment, point, &name).await {
                Err(error) if is_unreachable(&error) => return Err(error.into()),
                // It is removed with the rest of what is dropped.
                Err(error) => tracing::warn!(group = name, %error, "not removed yet"),
                Ok(()) => {}
            }
        }
        Ok(())
    }

    /// Lets the claims of groups that failed be taken by themselves; the names of these groups.
    pub(super) fn leave_failed_groups(&mut self) -> Vec<String> {
        let mut left = Vec::new();
        for (at, group) in self.groups.iter().enumerate() {
            let members = self.wishes.iter_mut();
            let members: Vec<_> = members.filter(|wish| wish.group == Some(at)).collect();
            let Some(reason) = group.failed.as_ref().filter(|_| !members.is_empty()) else {
                continue;
            };
            tracing::warn!(
                job.id = %self.attempt.job, namespace = group.namespace, driver = group.driver,
                reason, "a group snapshot was given up; its volumes are snapshotted one by one"
            );
            for wish in members {
                wish.leave_group();
            }
            left.push(group.name.clone());
        }
        left
    }

    /// The VolumeSnapshots of members of cut groups, while some are not kept yet.
    async fn members(&self) -> Result<Vec<SnapshotState>, JobFailure> {
        let cluster = &self.attempt.environment.cluster;
        let mut all = Vec::new();
        for (at, group) in self.groups.iter().enumerate() {
            let mut members = self.wishes.iter().filter(|wish| wish.group == Some(at));
            let is_awaited = members.any(|wish| !wish.kept && wish.failed.is_none());
            let uid = group.uid.as_deref().unwrap_or_default();
            if group.cut.is_none() || !is_awaited {
                continue;
            }
            let of_group = |snapshot: &SnapshotState| {
                let owner = snapshot.group.as_ref();
                owner.is_some_and(|(_, owner)| owner == uid)
            };
            let namespace = Some(group.namespace.as_str());
            all.extend(group::list_members(cluster, namespace, of_group).await?);
        }
        Ok(all)
    }

    /// A place where a test may kill the process.
    async fn reach_group(&self, moment: Moment) {
        let crash = &self.attempt.environment.crash;
        crash.reach(PLACE, moment, self.attempt.number).await;
    }
}
