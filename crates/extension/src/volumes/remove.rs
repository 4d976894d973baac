//! Removes snapshots of recovery points: VolumeSnapshots, contents and the driver's own, single ones and
//! groups.
//!
//! Contract: level-based. What is there is looked at until it is gone or the wait is over; what is left then
//! is told, and the next one begins where this one ended. Nothing there is success, and so is a cluster
//! that serves no snapshots. A group goes as a whole, in an order that leaves nothing behind wherever it is
//! cut off: its VolumeGroupSnapshot first, from which the controllers would make members; then its content
//! with the driver's snapshots; then the contents of its members, which are marked before that.

mod groups;

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, stream};
use strongroom_kubernetes::snapshots::{self, ContentState, SnapshotState};
use strongroom_kubernetes::{Cluster, ClusterError};
use tokio::time::Instant;
use uuid::Uuid;

pub(super) use self::groups::begin_group;
use super::seen::Seen;
use crate::environment::Environment;
use crate::limits::{SNAPSHOT_CALLS_AT_ONCE, SNAPSHOT_FIRST_LOOK, SNAPSHOT_SLOW_LOOK};

/// Some of a recovery point's snapshots, by their names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Only {
    /// VolumeSnapshots, whether or not they are there.
    pub(super) snapshots: BTreeSet<String>,
    /// VolumeGroupSnapshots, with all their members.
    pub(super) groups: BTreeSet<String>,
}

impl Only {
    /// Whether it is none.
    pub(super) fn is_empty(&self) -> bool {
        self.snapshots.is_empty() && self.groups.is_empty()
    }
}

/// What could not be removed in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Left {
    /// The name of its VolumeSnapshot or VolumeGroupSnapshot, whether or not that is there.
    pub(super) snapshot: String,
    /// What is there, in words.
    pub(super) what: String,
}

/// What a removal came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Removed {
    /// Snapshots that were there.
    pub(super) found: u32,
    /// Those of them that still are, and groups.
    pub(super) left: Vec<Left>,
}

/// Removes the snapshots of a recovery point, or some of them alone.
pub(super) async fn remove(
    environment: &Environment,
    recovery_point: Uuid,
    only: Option<&Only>,
) -> Result<Removed, ClusterError> {
    let began = Instant::now();
    let mut pause = SNAPSHOT_FIRST_LOOK;
    let mut found = BTreeSet::new();
    loop {
        let seen = Seen::look(environment, Some(recovery_point)).await?;
        let chosen = seen.chosen(only);
        found.extend(chosen.snapshots.iter().map(|one| one.name.clone()));
        found.extend(chosen.contents.iter().map(|one| one.made_for.1.clone()));
        let over = began.elapsed() >= environment.snapshot_waits.gone;
        if over || chosen.is_empty() {
            return Ok(Removed {
                found: u32::try_from(found.len()).unwrap_or(u32::MAX),
                left: left(&chosen),
            });
        }
        groups::remove(environment, recovery_point, &chosen).await?;
        let cluster = &environment.cluster;
        let single = |content: &&ContentState| content.group.is_none();
        let contents = chosen.contents.iter().filter(single);
        remove_contents(cluster, contents, pause >= SNAPSHOT_SLOW_LOOK).await?;
        let snapshots = chosen.snapshots.iter();
        remove_snapshots(cluster, snapshots.filter(|one| one.group.is_none())).await?;
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(SNAPSHOT_SLOW_LOOK);
    }
}

/// Removes the VolumeSnapshots and VolumeGroupSnapshots of what is kept, whose contents stand by themselves.
/// Those that have not gone when the wait is over are left to the next reconciliation.
pub(super) async fn snapshots_of_kept(
    environment: &Environment,
    recovery_point: Uuid,
    kept: &Only,
    wait: Duration,
) -> Result<(), ClusterError> {
    let began = Instant::now();
    let mut pause = SNAPSHOT_FIRST_LOOK;
    loop {
        let seen = Seen::look(environment, Some(recovery_point)).await?;
        let stands = |snapshot: &&SnapshotState| {
            let mut contents = seen.contents.iter();
            let content = contents.find(|one| one.made_for.1 == snapshot.name);
            content.is_some_and(|content| content.retained)
        };
        let is_kept = |snapshot: &&SnapshotState| kept.snapshots.contains(&snapshot.name);
        let of_kept = seen.snapshots.iter().filter(is_kept).filter(stands);
        let of_kept: Vec<&SnapshotState> = of_kept.collect();
        let (of_groups, single): (Vec<_>, Vec<_>) =
            of_kept.iter().partition(|one| one.group.is_some());
        remove_snapshots(&environment.cluster, single.into_iter().copied()).await?;
        let groups = groups::remove_standing(environment, kept, &seen).await?;
        let of_groups = of_groups.into_iter().copied();
        groups::remove_members(&environment.cluster, of_groups, &seen).await?;
        if (of_kept.is_empty() && groups == 0) || began.elapsed() >= wait {
            return Ok(());
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(SNAPSHOT_SLOW_LOOK);
    }
}

/// `nudge`: those that have been on their way out for a while are looked at again by their driver's sidecar.
async fn remove_contents(
    cluster: &Cluster,
    contents: impl Iterator<Item = &ContentState>,
    nudge: bool,
) -> Result<(), ClusterError> {
    let mut removing = Vec::new();
    for content in contents {
        if !content.terminating || content.retained {
            removing.push(snapshots::remove_content(cluster, content).boxed());
        } else if nudge {
            removing.push(snapshots::nudge(cluster, content).boxed());
        }
    }
    all(removing).await
}

async fn remove_snapshots(
    cluster: &Cluster,
    snapshots: impl Iterator<Item = &SnapshotState>,
) -> Result<(), ClusterError> {
    let mut removing = Vec::new();
    for snapshot in snapshots.filter(|snapshot| !snapshot.terminating) {
        let call = async move {
            let removed = snapshots::remove_snapshot(cluster, snapshot).await;
            removed.map(drop)
        };
        removing.push(call.boxed());
    }
    all(removing).await
}

/// Makes all calls; one that was too late is made again after the next look.
async fn all(calls: Vec<BoxFuture<'_, Result<(), ClusterError>>>) -> Result<(), ClusterError> {
    let mut calls = stream::iter(calls).buffer_unordered(SNAPSHOT_CALLS_AT_ONCE);
    while let Some(outcome) = calls.next().await {
        match outcome {
            // It was changed in between: the next look sees how.
            Err(error) if is_conflict(&error) => {}
            outcome => outcome?,
        }
    }
    Ok(())
}

fn left(seen: &Seen) -> Vec<Left> {
    let with = |name: &str, error: &Option<String>| match error {
        Some(words) => format!("{name} ({words})"),
        None => name.to_owned(),
    };
    let contents = seen.contents.iter().map(|content| Left {
        snapshot: content.made_for.1.clone(),
        what: with(&content.name, &content.error),
    });
    let snapshots = seen.snapshots.iter().map(|snapshot| Left {
        snapshot: snapshot.name.clone(),
        what: format!("{}/{}", snapshot.namespace, snapshot.name),
    });
    let group_contents = seen.group_contents.iter().map(|content| Left {
        snapshot: content.made_for.1.clone(),
        what: with(&content.name, &content.error),
    });
    let groups = seen.groups.iter().map(|group| Left {
        snapshot: group.name.clone(),
        what: format!("{}/{}", group.namespace, group.name),
    });
    let all = contents
        .chain(snapshots)
        .chain(group_contents)
        .chain(groups);
    all.collect()
}

fn is_conflict(error: &ClusterError) -> bool {
    matches!(
        error.failure,
        strongroom_kubernetes::Failure::Conflict { .. }
    )
}
