//! What a cluster has of recovery points' snapshots.
//!
//! Contract: one look finds all that is an extension's, or one recovery point's: what is labelled, what is
//! known by the name that we gave it, and the members of groups, on which the controllers put neither.

use std::collections::BTreeMap;

use strongroom_core::volumes::name;
use strongroom_kubernetes::ClusterError;
use strongroom_kubernetes::snapshots::group::{self, GroupApi};
use strongroom_kubernetes::snapshots::{
    self, ContentState, GroupContentState, GroupState, SnapshotState,
};
use uuid::Uuid;

use super::remove::Only;
use crate::environment::Environment;

/// What was seen.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    /// How the cluster serves group snapshots, if it does.
    pub(super) api: Option<GroupApi>,
    /// VolumeSnapshots, members of groups among them.
    pub(super) snapshots: Vec<SnapshotState>,
    /// Their contents.
    pub(super) contents: Vec<ContentState>,
    /// VolumeGroupSnapshots.
    pub(super) groups: Vec<GroupState>,
    /// Their contents.
    pub(super) group_contents: Vec<GroupContentState>,
}

impl Seen {
    /// Looks at what is this extension's, or one recovery point's. Nothing when the cluster serves none.
    pub(super) async fn look(
        environment: &Environment,
        recovery_point: Option<Uuid>,
    ) -> Result<Self, ClusterError> {
        let (cluster, extension) = (&environment.cluster, environment.namespace.as_str());
        let is_wanted = |point: Option<Uuid>| {
            point.is_some_and(|point| recovery_point.is_none_or(|wanted| wanted == point))
        };
        let mut seen = Self {
            api: GroupApi::of(cluster).await?,
            ..Self::default()
        };
        if let Some(api) = &seen.api {
            let wanted = |one: &GroupContentState| is_wanted(point_of_group(extension, one));
            let groups = group::list_groups(cluster, api, extension, recovery_point).await;
            seen.groups = or_none(groups)?;
            let contents = group::list_group_contents(cluster, api, wanted).await;
            seen.group_contents = or_none(contents)?;
            let of_group = |one: &SnapshotState| {
                let of = one.group.as_ref();
                is_wanted(of.and_then(|(name, _)| name::recovery_point(extension, name)))
            };
            seen.snapshots = or_none(group::list_members(cluster, None, of_group).await)?;
        }
        let single = snapshots::list_snapshots(cluster, extension, recovery_point).await;
        seen.snapshots.extend(or_none(single)?);
        let handles: BTreeMap<(&str, &str), Option<Uuid>> = seen
            .group_contents
            .iter()
            .filter_map(|one| {
                let point = point_of_group(extension, one);
                Some(((one.driver.as_str(), one.handle.as_deref()?), point))
            })
            .collect();
        let wanted = |content: &ContentState| {
            // What a restore makes of a member names no volume: it is none of the recovery point's.
            let by_group = || {
                if content.volume_handle.is_empty() {
                    return None;
                }
                let key = (content.driver.as_str(), content.group.as_deref()?);
                handles.get(&key).copied().flatten()
            };
            is_wanted(point_of(extension, content).or_else(by_group))
        };
        let contents = snapshots::list_contents(cluster, wanted).await;
        seen.contents = or_none(contents)?;
        Ok(seen)
    }

    /// What is chosen of it.
    pub(super) fn chosen(&self, only: Option<&Only>) -> Self {
        let Some(only) = only else {
            return self.clone();
        };
        let mut chosen = self.clone();
        let is_group = |name: &str| only.groups.contains(name);
        chosen.groups.retain(|group| is_group(&group.name));
        let of_group = |content: &GroupContentState| is_group(&content.made_for.1);
        chosen.group_contents.retain(of_group);
        chosen.snapshots.retain(|snapshot| match &snapshot.group {
            Some((group, _)) => is_group(group),
            None => only.snapshots.contains(&snapshot.name),
        });
        chosen.contents.retain(|content| match &content.group {
            Some(_) => self.group_of(content).is_some_and(is_group),
            None => only.snapshots.contains(&content.made_for.1),
        });
        chosen
    }

    /// Whether nothing is there.
    pub(super) fn is_empty(&self) -> bool {
        self.snapshots.is_empty()
            && self.contents.is_empty()
            && self.groups.is_empty()
            && self.group_contents.is_empty()
    }

    /// The VolumeGroupSnapshot of this name.
    pub(super) fn group(&self, name: &str) -> Option<&GroupState> {
        self.groups.iter().find(|group| group.name == name)
    }

    /// The contents of a group's members.
    pub(super) fn members_of<'a>(
        &'a self,
        group: &'a GroupContentState,
    ) -> impl Iterator<Item = &'a ContentState> {
        let is_member =
            move |content: &&ContentState| content.group.is_some() && is_member_of(content, group);
        self.contents.iter().filter(is_member)
    }

    /// Whether a member's content has outlived its group: neither that nor its content is there.
    pub(super) fn is_orphan(&self, member: &ContentState) -> bool {
        let mut contents = self.group_contents.iter();
        let has_content = contents.any(|group| is_member_of(member, group));
        !has_content && self.group(&member.group_name).is_none()
    }

    /// The recovery point of a content.
    pub(super) fn point_of(&self, extension: &str, content: &ContentState) -> Option<Uuid> {
        let by_group = || name::recovery_point(extension, self.group_of(content)?);
        point_of(extension, content).or_else(by_group)
    }

    /// The name of the group that a content is a member of.
    fn group_of<'a>(&'a self, member: &'a ContentState) -> Option<&'a str> {
        let noted = Some(member.group_name.as_str()).filter(|name| !name.is_empty());
        let mut contents = self.group_contents.iter();
        let by_handle = contents.find(|group| is_member_of(member, group));
        noted.or_else(|| by_handle.map(|group| group.made_for.1.as_str()))
    }
}

fn is_member_of(member: &ContentState, group: &GroupContentState) -> bool {
    let by_handle = || group.handle.is_some() && member.group == group.handle;
    member.driver == group.driver && (member.group_name == group.made_for.1 || by_handle())
}

/// The recovery point of this extension that a content belongs to. One that is not marked yet is known by
/// the VolumeSnapshot that it was made for.
fn point_of(extension: &str, content: &ContentState) -> Option<Uuid> {
    let marked = content.extension.as_deref() == Some(extension);
    let by_label = content.recovery_point.filter(|_| marked);
    by_label.or_else(|| name::recovery_point(extension, &content.made_for.1))
}

/// The same of a group's content.
pub(super) fn point_of_group(extension: &str, content: &GroupContentState) -> Option<Uuid> {
    let marked = content.extension.as_deref() == Some(extension);
    let by_label = content.recovery_point.filter(|_| marked);
    by_label.or_else(|| name::recovery_point(extension, &content.made_for.1))
}

fn or_none<T>(listed: Result<Vec<T>, ClusterError>) -> Result<Vec<T>, ClusterError> {
    match listed {
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        listed => listed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group_content(name: &str, handle: Option<&str>) -> GroupContentState {
        GroupContentState {
            driver: "d".into(),
            handle: handle.map(str::to_owned),
            made_for: ("shop".into(), name.into()),
            ..GroupContentState::default()
        }
    }

    fn content(name: &str, group: Option<&str>) -> ContentState {
        ContentState {
            driver: "d".into(),
            group: group.map(str::to_owned),
            made_for: ("shop".into(), name.into()),
            ..ContentState::default()
        }
    }

    fn seen() -> Seen {
        Seen {
            contents: vec![content("single", None), content("member", Some("h"))],
            group_contents: vec![group_content("g", Some("h"))],
            ..Seen::default()
        }
    }

    fn names(seen: &Seen) -> Vec<&str> {
        let names = seen.contents.iter().map(|one| one.made_for.1.as_str());
        names.collect()
    }

    #[test]
    fn members_are_chosen_with_their_group_and_never_by_themselves() {
        let only = |snapshots: &[&str], groups: &[&str]| Only {
            snapshots: snapshots.iter().map(|name| (*name).to_owned()).collect(),
            groups: groups.iter().map(|name| (*name).to_owned()).collect(),
        };
        let seen = seen();
        assert_eq!(names(&seen.chosen(None)), ["single", "member"]);
        let member = seen.chosen(Some(&only(&["member"], &[])));
        assert!(member.is_empty(), "it goes with its group only");
        let group = seen.chosen(Some(&only(&[], &["g"])));
        assert_eq!(names(&group), ["member"]);
        assert_eq!(group.group_contents.len(), 1);
        assert_eq!(
            names(&seen.chosen(Some(&only(&["single"], &["other"])))),
            ["single"]
        );
    }

    #[test]
    fn a_member_is_an_orphan_when_neither_its_group_nor_that_ones_content_is_there() {
        let mut seen = seen();
        let mut member = content("member", Some("h"));
        assert!(!seen.is_orphan(&member));
        seen.group_contents.clear();
        assert!(seen.is_orphan(&member));
        member.group_name = "g".into();
        seen.groups.push(GroupState {
            name: "g".into(),
            ..GroupState::default()
        });
        assert!(!seen.is_orphan(&member), "its group is still there");
        let other = GroupContentState {
            driver: "another".into(),
            ..group_content("x", Some("h"))
        };
        assert!(!is_member_of(&member, &other), "handles are a driver's own");
    }
}
