//! What is left when nothing is at work, held against the recovery points that there are.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use super::{PAUSE, Place, SHOP_VOLUMES};
use crate::bench::outside::NAMESPACE;
use crate::bench::volumes::application::SHOP;
use crate::bench::volumes::driver::Driver;
use crate::failure::{Doing, Failure, Result};
use crate::talk;

/// The label with the recovery point of a content.
const POINT_LABEL: &str = "clusterbackup.dataprotection.microsoft.com/recovery-point";
/// The annotation with the claim of a content.
const CLAIM_ANNOTATION: &str = "clusterbackup.dataprotection.microsoft.com/claim";

/// What is left.
#[derive(Debug, Default)]
pub(super) struct Left {
    /// What no recovery point accounts for.
    pub(super) orphans: Vec<String>,
    /// What a recovery point should have and has not.
    pub(super) missing: Vec<String>,
    /// Custom resources of jobs.
    pub(super) resources: Vec<String>,
}

impl Left {
    fn is_nothing(&self) -> bool {
        self.orphans.is_empty() && self.missing.is_empty() && self.resources.is_empty()
    }
}

/// What is left after a while in which things may go.
pub(super) fn settled(place: &Place, patience: Duration) -> Result<Left> {
    let mut last = Left::default();
    talk::poll(patience, PAUSE * 4, || {
        last = look(place)?;
        Ok::<_, Failure>(last.is_nothing().then_some(()))
    })?;
    Ok(last)
}

fn look(place: &Place) -> Result<Left> {
    let points: BTreeSet<String> = place.points()?.into_iter().collect();
    let contents = list(place, &["get", "volumesnapshotcontents"])?;
    let mut left = Left::default();
    let mut accounted = BTreeSet::new();
    let mut of_shop: BTreeMap<&str, usize> = BTreeMap::new();
    for content in &contents {
        let metadata = &content["metadata"];
        let name = metadata["name"].as_str().unwrap_or_default();
        let point = metadata["labels"][POINT_LABEL].as_str().unwrap_or_default();
        if points.contains(point) {
            let handle = content["status"]["snapshotHandle"].as_str();
            accounted.extend(handle.map(str::to_owned));
            let claim = metadata["annotations"][CLAIM_ANNOTATION].as_str();
            if claim.is_some_and(|claim| claim.starts_with(&format!("{SHOP}/"))) {
                *of_shop.entry(point).or_default() += 1;
            }
        } else {
            left.orphans
                .push(format!("content {name} of point {point:?}"));
        }
    }
    for point in place.points_of(SHOP)? {
        let count = of_shop.get(point.as_str()).copied().unwrap_or_default();
        if count != SHOP_VOLUMES {
            left.missing
                .push(format!("point {point} has {count} snapshots"));
        }
    }
    for snapshot in list(place, &["get", "volumesnapshots", "--all-namespaces"])? {
        left.orphans
            .push(format!("VolumeSnapshot {}", snapshot["metadata"]["name"]));
    }
    for snapshot in Driver::of(&place.cluster)
        .snapshots()?
        .difference(&accounted)
    {
        left.orphans.push(format!("the driver's {snapshot}"));
    }
    for ledger in place.records("recovery-point-")? {
        let point = ledger.trim_start_matches("recovery-point-");
        if !points.contains(point) {
            left.orphans.push(format!("ledger {ledger}"));
        }
    }
    for kind in ["backups", "restores"] {
        let kind = format!("{kind}.clusterbackup.dataprotection.microsoft.com");
        let found = list(place, &["-n", NAMESPACE, "get", &kind])?;
        let names = found.iter().map(|one| one["metadata"]["name"].to_string());
        left.resources.extend(names);
    }
    Ok(left)
}

fn list(place: &Place, words: &[&str]) -> Result<Vec<Value>> {
    let listed = place.stage.kubectl.json(words);
    let listed = listed.doing(|| format!("kubectl {}", words.join(" ")))?;
    Ok(listed["items"].as_array().cloned().unwrap_or_default())
}
