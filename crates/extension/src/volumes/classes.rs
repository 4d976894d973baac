//! Makes the VolumeSnapshotClasses that the snapshot resource group wants, and removes them when nobody needs
//! them any more.
//!
//! Contract: a class is there before the first snapshot is asked for. One that cannot be made costs the data
//! of its driver's claims and not the job. It goes when no content names it and no backup is under way; a
//! backup that begins meanwhile writes itself on it, which the removal notices.

use std::collections::BTreeSet;

use strongroom_core::volumes::SnapshotClass;
use strongroom_kubernetes::ClusterError;
use strongroom_kubernetes::snapshots::{self, MadeClass, Owner};

use super::take::refuse;
use super::wish::Wish;
use crate::environment::Environment;
use crate::job::{Attempt, JobFailure, is_unreachable};

/// Makes those of the classes that are ours to make and that a snapshot is wanted by.
pub(super) async fn make(
    attempt: &Attempt,
    owner: &Owner,
    classes: &[SnapshotClass],
    wishes: &mut [Wish],
) -> Result<(), JobFailure> {
    for class in classes {
        let is_wanted = wishes.iter().any(|wish| wish.class == class.name);
        if !class.made || !is_wanted {
            continue;
        }
        let made = snapshots::make_class(&attempt.environment.cluster, owner, class).await;
        let Err(error) = made else { continue };
        if is_unreachable(&error) {
            return Err(error.into());
        }
        for wish in wishes.iter_mut() {
            if wish.class == class.name {
                refuse(wish, &error);
            }
        }
    }
    Ok(())
}

/// Removes the classes of `made` that no content names. Nothing may be under way that would use one, apart
/// from what begins while this runs. A class that stays does no harm, so trouble with it is only told.
pub(super) async fn remove_unused(environment: &Environment, made: &[MadeClass]) {
    if made.is_empty() {
        return;
    }
    let cluster = &environment.cluster;
    let removing = async {
        let contents = snapshots::list_contents(cluster, |_| true).await?;
        let used: BTreeSet<&str> = contents.iter().map(|one| one.class.as_str()).collect();
        for class in made {
            let is_used = used.contains(class.name.as_str());
            if !is_used && snapshots::remove_class(cluster, class).await? {
                let name = class.name.as_str();
                tracing::info!(
                    class = name,
                    "a snapshot class that nothing uses was removed"
                );
            }
        }
        Ok::<_, ClusterError>(())
    };
    if let Err(error) = removing.await {
        tracing::warn!(%error, "snapshot classes that nothing uses could not be removed");
    }
}
