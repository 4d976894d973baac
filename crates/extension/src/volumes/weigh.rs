//! Looks at the volumes of claims and at the classes of their drivers, and decides what becomes of each.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;

use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use serde_json::Value;
use strongroom_core::ResourceType;
use strongroom_core::volumes::{Offer, Phase, SnapshotClass, Verdict, VolumeFacts, decide};
use strongroom_kubernetes::collect::Collector;
use strongroom_kubernetes::crd::BackupSpec;
use strongroom_kubernetes::snapshots::list_classes;
use strongroom_kubernetes::{Cluster, ClusterError, apply};

use super::{Claims, Held};
use crate::job::{Attempt, JobFailure};
use crate::limits::VOLUMES_LOOKED_UP_AT_ONCE;
use crate::point::volumes::VolumeRecord;

/// A claim and what becomes of its data.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Weighed {
    pub(crate) held: Held,
    /// Its volume, when there is one.
    pub(crate) volume: Option<VolumeFacts>,
    pub(crate) verdict: Verdict,
}

impl Weighed {
    /// Its record, as far as claim and volume say it.
    pub(super) fn record(&self) -> VolumeRecord {
        let claim = &self.held.facts;
        let volume = self.volume.clone().unwrap_or_default();
        VolumeRecord {
            namespace: claim.namespace.clone(),
            claim: claim.name.clone(),
            uid: claim.uid.clone(),
            volume: claim.volume.clone(),
            driver: volume.driver.unwrap_or_default(),
            storage_class: claim.storage_class.clone(),
            volume_mode: claim.volume_mode.clone(),
            access_modes: claim.access_modes.clone(),
            fs_type: volume.fs_type,
            capacity: volume.capacity,
            snapshot: None,
            without: None,
        }
    }
}

/// What becomes of each claim, in the order of their names, and the classes that there are or are to be made.
pub(crate) async fn weigh(
    attempt: &Attempt,
    spec: &BackupSpec,
    served: bool,
    claims: Claims,
) -> Result<(Vec<Weighed>, Vec<SnapshotClass>), JobFailure> {
    let cluster = &attempt.environment.cluster;
    let claims = claims.sorted();
    let listing = async {
        if served && !claims.is_empty() {
            list_classes(cluster).await
        } else {
            Ok(Vec::new())
        }
    };
    let (classes, mut known) = tokio::try_join!(listing, first_page(cluster, &claims))?;
    let offer = Offer {
        served,
        classes,
        given: spec.snapshot_classes.clone(),
        extension: attempt.environment.namespace.clone(),
        types: spec.selection.included_volume_types.clone(),
    };
    let mut looks = Vec::new();
    for held in claims {
        let volume = known.remove(&held.facts.volume);
        looks.push(look_at(cluster, held, volume, &offer).boxed());
    }
    let looks = stream::iter(looks).buffered(VOLUMES_LOOKED_UP_AT_ONCE);
    let weighed = looks.try_collect().await?;
    let mut classes = offer.classes;
    // Those that are there already among them are made once more: the job writes itself on them.
    classes.retain(|class| !class.made);
    let given = offer.given.iter();
    classes.extend(given.map(|class| class.class(&offer.extension)));
    Ok((weighed, classes))
}

/// The volumes of claims that are among the first of the cluster: where many claims are backed up, one list
/// mostly takes the place of a look at each. None for a few claims.
async fn first_page(
    cluster: &Cluster,
    claims: &[Held],
) -> Result<BTreeMap<String, VolumeFacts>, ClusterError> {
    let mut known = BTreeMap::new();
    if claims.len() <= VOLUMES_LOOKED_UP_AT_ONCE {
        return Ok(known);
    }
    let wanted = claims.iter().map(|held| held.facts.volume.as_str());
    let wanted: BTreeSet<&str> = wanted.collect();
    let (kind, collector) = (volumes(), Collector::with_defaults(cluster.clone()));
    let mut pages = pin!(collector.pages(&kind, None, None, None));
    for item in pages
        .try_next()
        .await?
        .into_iter()
        .flat_map(|page| page.items)
    {
        // One that cannot be read is looked at by itself, which says why.
        let Some(volume) = item.raw.json::<Value>().ok() else {
            continue;
        };
        let name = volume["metadata"]["name"].as_str().unwrap_or_default();
        if wanted.contains(name) {
            known.insert(name.to_owned(), VolumeFacts::of(&volume));
        }
    }
    Ok(known)
}

async fn look_at(
    cluster: &Cluster,
    held: Held,
    known: Option<VolumeFacts>,
    offer: &Offer,
) -> Result<Weighed, JobFailure> {
    let volume = match (held.facts.phase, held.facts.volume.as_str()) {
        (Phase::Bound, name) if !name.is_empty() => match known {
            Some(known) => Some(known),
            None => {
                let found = apply::get(cluster, &volumes(), None, name).await?;
                found.as_ref().map(VolumeFacts::of)
            }
        },
        _ => None,
    };
    let verdict = decide(&held.facts, volume.as_ref(), offer);
    Ok(Weighed {
        held,
        volume,
        verdict,
    })
}

fn volumes() -> ResourceType {
    ResourceType::new("", "v1", "PersistentVolume", "persistentvolumes", false)
}
