//! The part of a removal that concerns group snapshots and their members.

use futures::FutureExt as _;
use strongroom_kubernetes::snapshots::group::{self, GroupApi};
use strongroom_kubernetes::snapshots::{GroupContentState, SnapshotState};
use strongroom_kubernetes::{Cluster, ClusterError};
use uuid::Uuid;

use super::{Only, all};
use crate::environment::Environment;
use crate::volumes::seen::Seen;

/// Makes the next step of removing all groups that were seen.
pub(super) async fn remove(
    environment: &Environment,
    recovery_point: Uuid,
    seen: &Seen,
) -> Result<(), ClusterError> {
    let Some(api) = &seen.api else { return Ok(()) };
    let (cluster, extension) = (&environment.cluster, environment.namespace.as_str());
    remove_groups(cluster, api, seen, |_| true).await?;
    // From here on the controllers make no more members of these.
    let is_alone = |content: &&GroupContentState| seen.group(&content.made_for.1).is_none();
    let alone: Vec<&GroupContentState> = seen.group_contents.iter().filter(is_alone).collect();
    let mut marking = Vec::new();
    for content in &alone {
        for member in seen
            .members_of(content)
            .filter(|one| one.group_name.is_empty())
        {
            let name = content.made_for.1.as_str();
            let mark = group::mark_member(cluster, extension, recovery_point, name, member);
            marking.push(mark.boxed());
        }
    }
    all(marking).await?;
    // Said again each time: the sidecar may have put annotations of its own in the place of ours.
    let removing = alone.into_iter();
    let removing = removing.map(|one| group::remove_group_content(cluster, api, one).boxed());
    all(removing.collect()).await?;
    let mut removing = Vec::new();
    for content in &seen.contents {
        if content.group.is_some() && !content.terminating && seen.is_orphan(content) {
            removing.push(group::remove_member_content(cluster, content).boxed());
        }
    }
    all(removing).await?;
    remove_members(cluster, seen.snapshots.iter(), seen).await
}

/// Removes the VolumeSnapshots of members whose groups are gone.
pub(super) async fn remove_members(
    cluster: &Cluster,
    snapshots: impl Iterator<Item = &SnapshotState>,
    seen: &Seen,
) -> Result<(), ClusterError> {
    let mut removing = Vec::new();
    for snapshot in snapshots {
        let Some((of, _)) = &snapshot.group else {
            continue;
        };
        if seen.group(of).is_none() {
            removing.push(group::remove_member(cluster, snapshot).boxed());
        }
    }
    all(removing).await
}

/// Removes the VolumeGroupSnapshots of kept groups that stand by themselves with all their members; how many
/// of these are there.
pub(super) async fn remove_standing(
    environment: &Environment,
    kept: &Only,
    seen: &Seen,
) -> Result<usize, ClusterError> {
    let Some(api) = &seen.api else { return Ok(0) };
    let stands = |name: &str| {
        let mut contents = seen.group_contents.iter();
        let content = contents.find(|content| content.made_for.1 == name);
        kept.groups.contains(name)
            && content.is_some_and(|content| {
                content.retained && seen.members_of(content).all(|member| member.retained)
            })
    };
    remove_groups(&environment.cluster, api, seen, stands).await
}

/// Begins to remove a group, without waiting for its end.
pub(in crate::volumes) async fn begin_group(
    environment: &Environment,
    recovery_point: Uuid,
    name: &str,
) -> Result<(), ClusterError> {
    let seen = Seen::look(environment, Some(recovery_point)).await?;
    let only = Only {
        groups: [name.to_owned()].into(),
        ..Only::default()
    };
    remove(environment, recovery_point, &seen.chosen(Some(&only))).await
}

async fn remove_groups(
    cluster: &Cluster,
    api: &GroupApi,
    seen: &Seen,
    chosen: impl Fn(&str) -> bool,
) -> Result<usize, ClusterError> {
    let chosen = seen.groups.iter().filter(|group| chosen(&group.name));
    let (mut removing, mut there) = (Vec::new(), 0);
    for group in chosen {
        there += 1;
        if !group.terminating {
            removing.push(group::remove_group(cluster, api, group).boxed());
        }
    }
    all(removing).await?;
    Ok(there)
}
