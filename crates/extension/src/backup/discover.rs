//! Asks the cluster what it is and what it serves, anew for every job.

use strongroom_kubernetes::discovery::{self, Discovery};

use crate::job::{Attempt, JobFailure};
use crate::point::ClusterFacts;

/// What was found.
pub(super) struct Found {
    pub(super) discovery: Discovery,
    pub(super) cluster: ClusterFacts,
}

pub(super) async fn discover(attempt: &Attempt) -> Result<Found, JobFailure> {
    let cluster = &attempt.environment.cluster;
    let version = cluster.version().await?;
    let discovery = discovery::discover(cluster).await?;
    let mut facts = ClusterFacts {
        version: version.git_version,
        platform: version.platform,
        ..ClusterFacts::default()
    };
    for served in &discovery.served {
        let versions = facts.served.entry(served.resource.resource()).or_default();
        versions.push(served.resource.version.clone());
    }
    Ok(Found {
        discovery,
        cluster: facts,
    })
}
