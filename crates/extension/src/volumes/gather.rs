//! Gathers the claims that are snapshotted together: which groups are wanted, and where none is possible.

use std::collections::{BTreeMap, BTreeSet};

use strongroom_core::volumes::GivenClass;
use strongroom_core::volumes::group::{Together, together};
use strongroom_core::volumes::name;
use strongroom_kubernetes::snapshots::Owner;
use strongroom_kubernetes::snapshots::group::{self, GroupApi};
use strongroom_kubernetes::{Cluster, ClusterError};

use super::Weighed;
use super::group_wish::GroupWish;
use super::wish::Wish;
use crate::job::{Attempt, JobFailure, is_unreachable};

/// The groups that are wanted.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// How the cluster serves group snapshots; none when there are no groups.
    pub(super) api: Option<GroupApi>,
    /// The groups.
    pub(super) groups: Vec<GroupWish>,
    /// Claims of drivers with group snapshots that are snapshotted one by one all the same.
    pub(super) singly: Vec<Singly>,
}

/// Claims that are snapshotted one by one although their driver has group snapshots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Singly {
    pub(super) namespace: String,
    pub(super) driver: String,
    /// Why.
    pub(super) reason: String,
}

/// Claims of one namespace on volumes of one driver, by their places among the wishes.
type Candidates = BTreeMap<(String, String), Vec<usize>>;

/// Gathers groups among the wishes, each of whose members then knows its own. A cluster that says nothing of
/// its group snapshots has none.
pub(super) async fn gather(
    attempt: &Attempt,
    owner: &Owner,
    weighed: &[Weighed],
    given: &[GivenClass],
    wishes: &mut [Wish],
) -> Result<Gathered, JobFailure> {
    let candidates = candidates(weighed, wishes);
    if candidates.is_empty() {
        return Ok(Gathered::default());
    }
    let cluster = &attempt.environment.cluster;
    match gather_among(cluster, owner, &candidates, given, wishes).await {
        Ok(gathered) => Ok(gathered),
        Err(error) if is_unreachable(&error) => Err(error.into()),
        Err(error) => {
            tracing::warn!(job.id = %attempt.job, %error, "volumes are snapshotted one by one");
            for wish in wishes.iter_mut() {
                wish.group = None;
            }
            Ok(Gathered::default())
        }
    }
}

async fn gather_among(
    cluster: &Cluster,
    owner: &Owner,
    candidates: &Candidates,
    given: &[GivenClass],
    wishes: &mut [Wish],
) -> Result<Gathered, ClusterError> {
    let mut gathered = Gathered::default();
    let Some(api) = GroupApi::of(cluster).await? else {
        return Ok(gathered);
    };
    let classes = group::list_group_classes(cluster, &api).await?;
    for ((namespace, driver), members) in candidates {
        if !classes.iter().any(|class| class.driver == *driver) {
            continue;
        }
        let all = group::list_labelled(cluster, namespace).await?;
        let chosen: Vec<&Wish> = members.iter().filter_map(|at| wishes.get(*at)).collect();
        let names: BTreeSet<&str> = chosen.iter().map(|wish| wish.claim.as_str()).collect();
        match together(driver, &names, &all, &classes, given) {
            Together::NoGroups => {}
            Together::Singly { reason } => gathered.singly.push(Singly {
                namespace: namespace.clone(),
                driver: driver.clone(),
                reason,
            }),
            Together::Group {
                class,
                reason,
                labels,
            } => {
                let volumes = chosen.iter().map(|wish| wish.volume_handle.clone());
                gathered.groups.push(GroupWish {
                    namespace: namespace.clone(),
                    driver: driver.clone(),
                    name: name::group(&owner.extension, owner.recovery_point, namespace, driver),
                    class,
                    why: reason,
                    labels,
                    volumes: volumes.collect(),
                    ..GroupWish::default()
                });
                for at in members {
                    if let Some(wish) = wishes.get_mut(*at) {
                        wish.group = Some(gathered.groups.len() - 1);
                    }
                }
            }
        }
    }
    gathered.api = Some(api).filter(|_| !gathered.groups.is_empty());
    Ok(gathered)
}

/// The claims that could be snapshotted together.
fn candidates(weighed: &[Weighed], wishes: &[Wish]) -> Candidates {
    let mut all = Candidates::new();
    for (at, wish) in wishes.iter().enumerate() {
        let volume = weighed.get(wish.index).and_then(|one| one.volume.as_ref());
        if let Some(driver) = volume.and_then(|volume| volume.driver.clone()) {
            let key = (wish.namespace.clone(), driver);
            all.entry(key).or_default().push(at);
        }
    }
    all.retain(|_, members| members.len() > 1);
    all
}
