//! Whether a type counts its states as the reference type does, so that one number means one moment.
//!
//! All types of a usual cluster lie in one etcd, whose revision is the resource version of every list.
//! Three kinds of types need not: those that `--etcd-servers-overrides` puts into an etcd of their own
//! (built-in types only: "this applies only to resources compiled into this server binary",
//! `k8s.io/apiserver/pkg/server/options/etcd.go`), those of aggregated APIs, and whatever an API server
//! that is no Kubernetes does. Asked for "the state at R", they would show a moment that has nothing to
//! do with R, or none. So the newest state of each type is looked at first: it cannot be older than R,
//! which was the newest state of the reference type when the collecting began, and not newer than the
//! newest state of the reference type now, unless the two count differently.

use std::pin::pin;
use std::sync::{Mutex, PoisonError};

use futures::StreamExt as _;
use strongroom_core::ResourceType;
use strongroom_kubernetes::collect::Collector;
use strongroom_kubernetes::{Cluster, ClusterError, Failure};

/// How the newest state of a type relates to the one at which a backup reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relation {
    /// It is that very state.
    Same,
    /// It is a later state of the same count.
    Later,
    /// The type has a count of its own.
    Apart,
}

/// What is known of the count of the reference type.
#[derive(Debug)]
pub(super) struct Revisions {
    cluster: Cluster,
    /// The state at which everything is to be read.
    at: String,
    /// The newest state of the reference type that was seen; none when it is no number.
    newest: Mutex<Option<u128>>,
}

impl Revisions {
    /// Starts at the newest state of the cluster.
    pub(super) async fn start(cluster: &Cluster) -> Result<Self, ClusterError> {
        let at = newest(cluster, &reference(), None).await?;
        Ok(Self {
            cluster: cluster.clone(),
            newest: Mutex::new(number(&at)),
            at,
        })
    }

    /// The state at which everything is to be read.
    pub(super) fn at(&self) -> &str {
        &self.at
    }

    /// Whether a later state than that was seen: then the newest page of a type is most likely not
    /// the one that is wanted.
    pub(super) fn has_moved(&self) -> bool {
        self.newest() > number(&self.at)
    }

    /// Relates the newest state of a type, which was read since [`Revisions::start`].
    pub(super) async fn relate(&self, state: &str) -> Result<Relation, ClusterError> {
        if let Some(relation) = relate(state, &self.at, self.newest()) {
            return Ok(relation);
        }
        let now = number(&newest(&self.cluster, &reference(), None).await?);
        {
            let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
            *newest = (*newest).max(now);
        }
        Ok(relate(state, &self.at, self.newest()).unwrap_or(Relation::Apart))
    }

    fn newest(&self) -> Option<u128> {
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Namespaces: every cluster has them, they are few, and they change seldom.
pub(super) fn reference() -> ResourceType {
    ResourceType::new("", "v1", "Namespace", "namespaces", false)
}

/// The newest state of a type, in one namespace or all, by the smallest list there is.
pub(super) async fn newest(
    cluster: &Cluster,
    resource: &ResourceType,
    namespace: Option<&str>,
) -> Result<String, ClusterError> {
    let collector = Collector::new(cluster.clone(), 1);
    let mut pages = pin!(collector.pages(resource, namespace, None, None));
    match pages.next().await {
        Some(page) => Ok(page?.resource_version),
        None => Err(ClusterError::new(
            format!("look at the newest state of {resource}"),
            Failure::Malformed {
                cause: "the API server listed no page".to_owned(),
            },
        )),
    }
}

/// Resource versions compare as numbers (KEP-5504); what is none counts in its own way.
fn number(state: &str) -> Option<u128> {
    state.parse().ok()
}

/// The relation, given the newest state of the reference type that is known; none when that has to be
/// looked at anew.
fn relate(state: &str, at: &str, newest: Option<u128>) -> Option<Relation> {
    if state == at {
        return Some(Relation::Same);
    }
    let (Some(state), Some(at), Some(newest)) = (number(state), number(at), newest) else {
        return Some(Relation::Apart);
    };
    match state {
        _ if state < at => Some(Relation::Apart),
        _ if state <= newest => Some(Relation::Later),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_shares_the_count_when_its_newest_state_lies_between_two_looks_at_the_reference() {
        let related = |state: &str| relate(state, "100", Some(120));
        assert_eq!(related("100"), Some(Relation::Same));
        assert_eq!(related("101"), Some(Relation::Later));
        assert_eq!(related("120"), Some(Relation::Later));
        assert_eq!(
            related("99"),
            Some(Relation::Apart),
            "older than what was before it"
        );
        assert_eq!(
            related("121"),
            None,
            "the reference has to be looked at again"
        );
    }

    #[test]
    fn what_is_no_number_counts_in_its_own_way() {
        assert_eq!(relate("", "100", Some(100)), Some(Relation::Apart));
        assert_eq!(relate("a7", "100", Some(100)), Some(Relation::Apart));
        assert_eq!(relate("7", "x", None), Some(Relation::Apart));
        assert_eq!(relate("x", "x", None), Some(Relation::Same));
    }
}
