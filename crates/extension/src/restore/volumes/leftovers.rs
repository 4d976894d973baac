//! Removes what restores made for claims, once it is of no more use: the volume is there, or the claim is
//! gone. A class may make volumes only when a pod comes, which may be long after the job is over, so nobody
//! is asked to remember: each content says what it was made for.
//!
//! Level-based, and can be done again at any time. What a job that runs has just made for a claim that is
//! not there yet is left.

use std::sync::Arc;

use futures::{StreamExt as _, pin_mut};
use serde_json::{Value, json};
use strongroom_core::ResourceType;
use strongroom_kubernetes::apply as requests;
use strongroom_kubernetes::collect::Collector;
use strongroom_kubernetes::crd::JobStatus;
use strongroom_kubernetes::snapshots::provision::{self, Source};
use strongroom_kubernetes::{Cluster, ClusterError, jobs};

use super::came::Standing;
use crate::environment::Environment;
use crate::limits::LEFTOVERS_INTERVAL;

/// What is to be done with what was made for a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Use {
    /// It is needed, or may be.
    Needed,
    /// The claim has this volume: it is finished, and this is removed.
    Served(String),
    /// Nobody needs it any more.
    None,
}

/// Decides. Pure.
fn use_of(source: &Source, claim: Option<&Value>, job_runs: bool) -> Use {
    let takes_it = |claim: &&Value| {
        claim
            .pointer("/spec/dataSource/name")
            .and_then(Value::as_str)
            == Some(&source.name)
    };
    match claim.filter(takes_it).map(Standing::of) {
        Some(Standing::Bound(volume)) => Use::Served(volume),
        Some(Standing::Pending { .. }) => Use::Needed,
        Some(Standing::Lost) => Use::None,
        None if job_runs => Use::Needed,
        None => Use::None,
    }
}

/// Looks after what restores leave until the process ends.
pub(crate) async fn tidy_up(environment: Arc<Environment>) {
    loop {
        if let Err(error) = pass(&environment).await {
            tracing::debug!(%error, "what restores made for claims was not looked at");
        }
        tokio::time::sleep(LEFTOVERS_INTERVAL).await;
    }
}

/// Looks at everything once.
async fn pass(environment: &Environment) -> Result<(), ClusterError> {
    let kind = provision::contents();
    let selector = provision::selector(&environment.namespace);
    let collector = Collector::with_defaults(environment.cluster.clone());
    let pages = collector.pages(&kind, None, None, Some(&selector));
    pin_mut!(pages);
    while let Some(page) = pages.next().await {
        let page = match page {
            Ok(page) => page,
            // A cluster without snapshots.
            Err(error) if error.is_not_found() => return Ok(()),
            Err(error) => return Err(error),
        };
        for item in page.items {
            let content: Value = item.raw.json().unwrap_or_default();
            let Some(source) = Source::of(&content) else {
                continue;
            };
            if let Err(error) = look_at(environment, &source).await {
                tracing::warn!(
                    content.name = %source.name, claim = %source.claim, %error,
                    "what a restore made for a claim was not removed; it is tried again"
                );
            }
        }
    }
    Ok(())
}

async fn look_at(environment: &Environment, source: &Source) -> Result<(), ClusterError> {
    let cluster = &environment.cluster;
    // The job first: a claim that it makes in between is seen then.
    let runs = job_runs(environment, &source.restore).await?;
    let claims = claims();
    let claim = requests::get(cluster, &claims, Some(&source.namespace), &source.claim).await?;
    match (use_of(source, claim.as_ref(), runs), &claim) {
        (Use::Needed, _) => Ok(()),
        (Use::Served(volume), Some(claim)) => finish(cluster, source, claim, &volume).await,
        (Use::Served(_) | Use::None, _) => provision::remove(cluster, source).await,
    }
}

async fn job_runs(environment: &Environment, restore: &str) -> Result<bool, ClusterError> {
    let namespace = Some(environment.namespace.as_str());
    let found = requests::get(&environment.cluster, &jobs::restores(), namespace, restore).await?;
    Ok(found.is_some_and(|mut found| {
        let status: JobStatus = serde_json::from_value(found["status"].take()).unwrap_or_default();
        !status.state.is_final()
    }))
}

/// Gives the new volume of a claim the reclaim policy of the old one, then removes what it was made from.
pub(super) async fn finish(
    cluster: &Cluster,
    source: &Source,
    claim: &Value,
    volume: &str,
) -> Result<(), ClusterError> {
    let policy = source.reclaim_policy.as_str();
    if !policy.is_empty() {
        let kind = ResourceType::new("", "v1", "PersistentVolume", "persistentvolumes", false);
        let live = requests::get(cluster, &kind, None, volume).await?;
        let ours = live.filter(|live| {
            live.pointer("/spec/claimRef/uid") == claim.pointer("/metadata/uid")
                && live["spec"]["persistentVolumeReclaimPolicy"] != policy
        });
        if ours.is_some() {
            let patch = json!({"spec": {"persistentVolumeReclaimPolicy": policy}});
            requests::patch_merge(cluster, &kind, None, volume, &patch).await?;
        }
    }
    provision::remove(cluster, source).await
}

fn claims() -> ResourceType {
    let (kind, plural) = ("PersistentVolumeClaim", "persistentvolumeclaims");
    ResourceType::new("", "v1", kind, plural, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source() -> Source {
        Source {
            name: "strongroom-restore-1".to_owned(),
            ..Source::default()
        }
    }

    fn claim(source: &str, phase: &str) -> Value {
        json!({"spec": {"dataSource": {"name": source}, "volumeName": "pv"},
            "status": {"phase": phase}})
    }

    fn decided(claim: Option<&Value>, job_runs: bool) -> Use {
        use_of(&source(), claim, job_runs)
    }

    #[test]
    fn what_a_claim_waits_for_stays_however_long_the_job_is_over() {
        let waiting = claim("strongroom-restore-1", "Pending");
        assert_eq!(decided(Some(&waiting), false), Use::Needed);
        assert_eq!(decided(Some(&waiting), true), Use::Needed);
    }

    #[test]
    fn what_has_served_its_claim_goes_even_while_the_job_runs() {
        let bound = claim("strongroom-restore-1", "Bound");
        assert_eq!(decided(Some(&bound), true), Use::Served("pv".to_owned()));
        assert_eq!(decided(Some(&bound), false), Use::Served("pv".to_owned()));
    }

    #[test]
    fn what_no_claim_takes_stays_for_as_long_as_the_job_may_make_one() {
        let another = claim("golden", "Bound");
        for claim in [None, Some(&another)] {
            assert_eq!(decided(claim, true), Use::Needed);
            assert_eq!(decided(claim, false), Use::None);
        }
    }
}
