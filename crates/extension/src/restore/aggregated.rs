//! Types that another server than the API server answers for: an aggregated API, which may come with
//! the restore itself or be down when it starts.
//!
//! Its APIService is restored last, because it calls a Service that must be running, and its objects can
//! be made only then. So they are put off to the end ([`settle`](super::settle)), where the API is asked
//! again until it answers.

use serde_json::Value;
use strongroom_core::{Code, ResourceType};
use strongroom_kubernetes::apply as requests;
use strongroom_kubernetes::discovery;

use super::apply::Applier;
use super::feed;
use crate::job::JobFailure;

/// Whether objects of a type can be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Way {
    /// They can.
    Open,
    /// They may later, for this reason not now.
    Later(String),
    /// They cannot, for this reason.
    Closed(Code, String),
}

/// What an APIService of the cluster says of a type.
enum Behind {
    /// There is none, or it is the API server's own.
    Nothing,
    /// It serves the type.
    Served,
    /// It answers, and does not serve the type.
    NotServed,
    /// It does not answer.
    Silent(String),
}

impl Applier<'_> {
    /// Whether objects of a type can be made: as far as is known when they are met, or (`last`) at the
    /// end, when all that the restore makes is there.
    pub(super) async fn way(&self, resource: &ResourceType, last: bool) -> Result<Way, JobFailure> {
        if self.target.check(resource).is_err() && resource.is_custom() {
            self.target.look_for_definition(resource).await?;
        }
        let Err(why) = self.target.check(resource) else {
            return Ok(Way::Open);
        };
        let closed = Way::Closed(why.code, why.reason);
        let name = format!("{}.{}", resource.version, resource.group);
        Ok(match self.behind(resource, &name).await? {
            Behind::Served => {
                self.target.found(resource);
                Way::Open
            }
            Behind::NotServed => closed,
            Behind::Silent(cause) => Way::Later(format!(
                "the aggregated API {name} does not answer: {cause}"
            )),
            Behind::Nothing if !last && self.is_restored(&name).await? => Way::Later(format!(
                "the aggregated API {name} is restored after what its server needs"
            )),
            Behind::Nothing => closed,
        })
    }

    /// Asks what is behind an APIService.
    async fn behind(&self, resource: &ResourceType, name: &str) -> Result<Behind, JobFailure> {
        let kind = api_services();
        let cluster = &self.calls.cluster;
        let asked = || requests::get(cluster, &kind, None, name);
        match self.calls.send(asked).await.outcome {
            Ok(Some(live)) if is_aggregated(&live) => {}
            Ok(_) => return Ok(Behind::Nothing),
            Err(error) if self.is_gone(&error).await => return Err(error.into()),
            Err(error) => return Ok(Behind::Silent(error.to_string())),
        }
        let (group, version) = (&resource.group, &resource.version);
        match discovery::discover_version(cluster, group, version).await {
            Ok(Ok(types)) => {
                let mut kinds = types.iter().map(|one| &one.resource);
                let served = kinds.any(|one| one.kind == resource.kind);
                Ok(if served {
                    Behind::Served
                } else {
                    Behind::NotServed
                })
            }
            Ok(Err(cause)) => Ok(Behind::Silent(cause)),
            Err(error) if self.is_gone(&error).await => Err(error.into()),
            Err(error) => Ok(Behind::Silent(error.to_string())),
        }
    }

    /// Whether this restore makes the APIService.
    async fn is_restored(&self, name: &str) -> Result<bool, JobFailure> {
        let kind = api_services();
        let opened = self.opened;
        let Some(run) = opened.sequence.run_of(&kind.group, &kind.kind) else {
            return Ok(false);
        };
        if !opened.selector.decide_type(&run.resource).included {
            return Ok(false);
        }
        let Some(entry) = self.point.find(&run.group, name).await? else {
            return Ok(false);
        };
        if !feed::takes(self, run, &entry).await? {
            return Ok(false);
        }
        match self.point.read(&entry).await {
            Ok(body) => {
                let stored: Value = serde_json::from_slice(&body).unwrap_or_default();
                Ok(is_aggregated(&stored))
            }
            Err(error) if error.is_corrupt() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

fn api_services() -> ResourceType {
    let group = "apiregistration.k8s.io";
    ResourceType::new(group, "v1", "APIService", "apiservices", false)
}

/// Whether another server answers for an APIService: the API server's own name no Service.
/// Source: <https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/api-service-v1/>
fn is_aggregated(api_service: &Value) -> bool {
    api_service["spec"]["service"].is_object()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_api_service_of_the_api_server_itself_is_no_aggregated_api() {
        let own = json!({"spec": {"group": "apps", "version": "v1"}});
        assert!(!is_aggregated(&own));
        let other = json!({"spec": {"group": "example.com", "version": "v1",
            "service": {"namespace": "shop", "name": "api"}}});
        assert!(is_aggregated(&other));
    }
}
