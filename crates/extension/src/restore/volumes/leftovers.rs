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
    let claims = super::claims();
    let claim = requests::get(cluster, &claims, Some(&source.namespace), &source.claim).await?;
    match (use_of(source, claim.as_ref(), runs), &claim) {
        (Use::Needed, _) => Ok(()),
        (Use::Served(volume), Some(claim)) => {
            finish(cluster, source, claim, &volume).await.map(drop)
        }
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
/// Whether it was made from that: one that was there before may have been reserved for a claim of this
/// name, and is left as it is.
pub(super) async fn finish(
    cluster: &Cluster,
    source: &Source,
    claim: &Value,
    volume: &str,
) -> Result<bool, ClusterError> {
    let kind = ResourceType::new("", "v1", "PersistentVolume", "persistentvolumes", false);
    let live = requests::get(cluster, &kind, None, volume).await?;
    let made = live.as_ref().is_none_or(|live| is_made_for(claim, live));
    let (policy, field) = (
        source.reclaim_policy.as_str(),
        "persistentVolumeReclaimPolicy",
    );
    let differs = live.is_some_and(|live| live["spec"][field] != policy);
    if made && differs && !policy.is_empty() {
        let patch = json!({"spec": {field: policy}});
        requests::patch_merge(cluster, &kind, None, volume, &patch).await?;
    }
    provision::remove(cluster, source).await?;
    Ok(made)
}

/// Whether a volume was made for this very claim, and not before it.
fn is_made_for(claim: &Value, volume: &Value) -> bool {
    // RFC 3339 times of one API server compare as texts.
    let made = |object: &Value| {
        object["metadata"]["creationTimestamp"]
            .as_str()
            .map(str::to_owned)
    };
    volume.pointer("/spec/claimRef/uid") == claim.pointer("/metadata/uid")
        && made(volume) >= made(claim)
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
    fn a_volume_that_was_there_before_its_claim_was_not_made_for_it() {
        let at = |second: u8, uid: &str| {
            let time = format!("2026-11-22T21:00:{second:02}Z");
            json!({"metadata": {"creationTimestamp": time, "uid": uid},
                "spec": {"claimRef": {"uid": "claim"}}})
        };
        let claim = at(7, "claim");
        assert!(is_made_for(&claim, &at(7, "volume")));
        assert!(is_made_for(&claim, &at(9, "volume")));
        assert!(!is_made_for(&claim, &at(6, "volume")));
        assert!(!is_made_for(&at(7, "another"), &at(9, "volume")));
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
