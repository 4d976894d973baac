//! Removes snapshots of recovery points: VolumeSnapshots, contents and the driver's own.
//!
//! Contract: level-based. What is there is looked at until it is gone or the wait is over; what is left then
//! is told, and the next one begins where this one ended. Nothing there is success, and so is a cluster
//! that serves no snapshots.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _, stream};
use strongroom_core::volumes::name;
use strongroom_kubernetes::snapshots::{self, ContentState, SnapshotState};
use strongroom_kubernetes::{Cluster, ClusterError};
use tokio::time::Instant;
use uuid::Uuid;

use crate::environment::Environment;
use crate::limits::{SNAPSHOT_CALLS_AT_ONCE, SNAPSHOT_FIRST_LOOK, SNAPSHOT_SLOW_LOOK};

/// What could not be removed in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Left {
    /// The name of its VolumeSnapshot, whether or not that is there.
    pub(super) snapshot: String,
    /// What is there, in words.
    pub(super) what: String,
}

/// What a removal came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Removed {
    /// Snapshots that were there.
    pub(super) found: u32,
    /// Those of them that still are.
    pub(super) left: Vec<Left>,
}

/// Removes the snapshots of a recovery point, or those of these names alone.
pub(super) async fn remove(
    environment: &Environment,
    recovery_point: Uuid,
    only: Option<&BTreeSet<String>>,
) -> Result<Removed, ClusterError> {
    let cluster = &environment.cluster;
    let chosen = |name: &str| only.is_none_or(|only| only.contains(name));
    let began = Instant::now();
    let mut pause = SNAPSHOT_FIRST_LOOK;
    let mut found = BTreeSet::new();
    loop {
        let (snapshots, contents) = look(environment, Some(recovery_point)).await?;
        let snapshots: Vec<SnapshotState> = snapshots
            .into_iter()
            .filter(|one| chosen(&one.name))
            .collect();
        let contents: Vec<ContentState> = contents
            .into_iter()
            .filter(|one| chosen(&one.made_for.1))
            .collect();
        found.extend(snapshots.iter().map(|one| one.name.clone()));
        found.extend(contents.iter().map(|one| one.made_for.1.clone()));
        let over = began.elapsed() >= environment.snapshot_waits.gone;
        if over || (snapshots.is_empty() && contents.is_empty()) {
            return Ok(Removed {
                found: u32::try_from(found.len()).unwrap_or(u32::MAX),
                left: left(&snapshots, &contents),
            });
        }
        remove_contents(cluster, &contents).await?;
        remove_snapshots(environment, &snapshots).await?;
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(SNAPSHOT_SLOW_LOOK);
    }
}

/// Removes the VolumeSnapshots of these names, whose contents stand by themselves. Those that have not gone
/// when the wait is over are left to the next reconciliation.
pub(super) async fn snapshots_of_kept(
    environment: &Environment,
    recovery_point: Uuid,
    names: &BTreeSet<String>,
    wait: Duration,
) -> Result<(), ClusterError> {
    let began = Instant::now();
    let mut pause = SNAPSHOT_FIRST_LOOK;
    loop {
        let (snapshots, contents) = look(environment, Some(recovery_point)).await?;
        let stands = |snapshot: &SnapshotState| {
            let content = contents.iter().find(|one| one.made_for.1 == snapshot.name);
            content.is_some_and(|content| content.retained)
        };
        let of_kept: Vec<SnapshotState> = snapshots
            .into_iter()
            .filter(|one| names.contains(&one.name) && stands(one))
            .collect();
        remove_snapshots(environment, &of_kept).await?;
        if of_kept.is_empty() || began.elapsed() >= wait {
            return Ok(());
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(SNAPSHOT_SLOW_LOOK);
    }
}

/// The VolumeSnapshots and contents of this extension's recovery points, or of one of them. Nothing when
/// the cluster serves none.
pub(super) async fn look(
    environment: &Environment,
    recovery_point: Option<Uuid>,
) -> Result<(Vec<SnapshotState>, Vec<ContentState>), ClusterError> {
    let (cluster, extension) = (&environment.cluster, environment.namespace.as_str());
    let wanted = |content: &ContentState| {
        let point = point_of(extension, content);
        point.is_some_and(|point| recovery_point.is_none_or(|wanted| wanted == point))
    };
    let snapshots = snapshots::list_snapshots(cluster, extension, recovery_point).await;
    let contents = snapshots::list_contents(cluster, wanted).await;
    Ok((or_none(snapshots)?, or_none(contents)?))
}

/// The recovery point of this extension that a content belongs to. One that is not marked yet is known by
/// the VolumeSnapshot that it was made for.
pub(super) fn point_of(extension: &str, content: &ContentState) -> Option<Uuid> {
    let marked = content.extension.as_deref() == Some(extension);
    let by_label = content.recovery_point.filter(|_| marked);
    by_label.or_else(|| name::recovery_point(extension, &content.made_for.1))
}

async fn remove_contents(cluster: &Cluster, contents: &[ContentState]) -> Result<(), ClusterError> {
    let mut removing = Vec::new();
    for content in contents {
        if !content.terminating || content.retained {
            removing.push(snapshots::remove_content(cluster, content).boxed());
        }
    }
    let mut removing = stream::iter(removing).buffer_unordered(SNAPSHOT_CALLS_AT_ONCE);
    while let Some(outcome) = removing.next().await {
        match outcome {
            // It was changed in between: the next look sees how.
            Err(error) if is_conflict(&error) => {}
            outcome => outcome?,
        }
    }
    Ok(())
}

async fn remove_snapshots(
    environment: &Environment,
    snapshots: &[SnapshotState],
) -> Result<(), ClusterError> {
    let cluster = &environment.cluster;
    let mut removing = Vec::new();
    for snapshot in snapshots {
        if !snapshot.terminating {
            removing.push(snapshots::remove_snapshot(cluster, snapshot).boxed());
        }
    }
    let mut removing = stream::iter(removing).buffer_unordered(SNAPSHOT_CALLS_AT_ONCE);
    while let Some(outcome) = removing.next().await {
        outcome?;
    }
    Ok(())
}

fn left(snapshots: &[SnapshotState], contents: &[ContentState]) -> Vec<Left> {
    let contents_left = contents.iter().map(|content| Left {
        snapshot: content.made_for.1.clone(),
        what: match &content.error {
            Some(words) => format!("{} ({words})", content.name),
            None => content.name.clone(),
        },
    });
    let snapshots_left = snapshots.iter().map(|snapshot| Left {
        snapshot: snapshot.name.clone(),
        what: format!("{}/{}", snapshot.namespace, snapshot.name),
    });
    contents_left.chain(snapshots_left).collect()
}

fn or_none<T>(listed: Result<Vec<T>, ClusterError>) -> Result<Vec<T>, ClusterError> {
    match listed {
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        listed => listed,
    }
}

fn is_conflict(error: &ClusterError) -> bool {
    matches!(
        error.failure,
        strongroom_kubernetes::Failure::Conflict { .. }
    )
}
