//! Asks the cluster what it is, what it serves, and which namespaces keep themselves out, anew for
//! every job.

use std::collections::BTreeSet;
use std::pin::pin;

use futures::StreamExt as _;
use futures::future::try_join_all;
use strongroom_core::ResourceType;
use strongroom_core::limits::OPTED_OUT_NAMESPACES_MAX;
use strongroom_core::selection::EXCLUDE_LABELS;
use strongroom_kubernetes::collect::Collector;
use strongroom_kubernetes::discovery::{self, Discovery};
use strongroom_kubernetes::{ClusterError, snapshots};

use crate::job::{Attempt, JobFailure};
use crate::point::ClusterFacts;

/// What was found.
pub(super) struct Found {
    pub(super) discovery: Discovery,
    pub(super) cluster: ClusterFacts,
    /// Custom types that are read in their preferred version, because nobody could say in which they
    /// are stored.
    pub(super) guessed: Vec<(ResourceType, ClusterError)>,
    /// Namespaces whose own label keeps them out of backups.
    pub(super) opted_out: BTreeSet<String>,
}

impl Found {
    /// Whether the cluster has volume snapshots in the version that we speak.
    pub(super) fn serves_snapshots(&self) -> bool {
        let kinds = [
            snapshots::snapshots(),
            snapshots::contents(),
            snapshots::classes(),
        ];
        kinds.iter().all(|kind| {
            let mut served = self.discovery.served.iter();
            served.any(|one| one.resource == *kind)
        })
    }
}

pub(super) async fn discover(attempt: &Attempt) -> Result<Found, JobFailure> {
    let cluster = &attempt.environment.cluster;
    let types = async {
        let mut discovery = discovery::discover(cluster).await?;
        let stored = discovery.stored_types(cluster).await?;
        discovery.types = stored.types;
        Ok((discovery, stored.guessed))
    };
    let version = async { Ok(cluster.version().await?) };
    let (version, (discovery, guessed), opted_out) =
        tokio::try_join!(version, types, opted_out(attempt))?;
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
        guessed,
        opted_out,
    })
}

/// The namespaces that carry a label that keeps them out. Beyond a number that no cluster has they keep
/// only themselves out, not what is in them.
async fn opted_out(attempt: &Attempt) -> Result<BTreeSet<String>, JobFailure> {
    let namespaces = ResourceType::new("", "v1", "Namespace", "namespaces", false);
    let collector = Collector::with_defaults(attempt.environment.cluster.clone());
    let labelled = |label: &'static str| {
        let (collector, namespaces) = (&collector, &namespaces);
        async move {
            let mut names = BTreeSet::new();
            let selector = format!("{label}=true");
            let mut pages = pin!(collector.pages(namespaces, None, None, Some(&selector)));
            while let Some(page) = pages.next().await {
                names.extend(page?.items.into_iter().map(|item| item.facts.object.name));
                if names.len() >= OPTED_OUT_NAMESPACES_MAX {
                    break;
                }
            }
            Ok::<_, JobFailure>(names)
        }
    };
    let names = try_join_all(EXCLUDE_LABELS.iter().map(|label| labelled(label))).await?;
    Ok(names
        .into_iter()
        .flatten()
        .take(OPTED_OUT_NAMESPACES_MAX)
        .collect())
}
