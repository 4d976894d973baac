//! What the cluster that is restored into serves: what it says that it serves, and the types whose
//! definitions this restore has made or found, which discovery shows only seconds later.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use strongroom_core::{Code, ResourceType};
use strongroom_kubernetes::Cluster;
use strongroom_kubernetes::apply as requests;
use strongroom_kubernetes::discovery::{self, Discovery};
use tokio::time::Instant;

use crate::job::{Attempt, JobFailure};
use crate::limits::NEW_TYPE_REST;

/// The cluster and what it serves.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) cluster: Cluster,
    discovery: Discovery,
    /// Types by their definitions. As many as the recovery point has definitions, which do not grow
    /// with its objects.
    defined: Mutex<Vec<Defined>>,
}

/// A type that is known by its definition.
#[derive(Debug)]
struct Defined {
    resource: ResourceType,
    /// When this restore found its new definition established.
    established: Option<Instant>,
}

impl Defined {
    fn rest(&self, now: Instant) -> Duration {
        self.established
            .map(|time| now.saturating_duration_since(time))
            .map_or(Duration::ZERO, |passed| {
                NEW_TYPE_REST.saturating_sub(passed)
            })
    }
}

/// Why objects of a type cannot be restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NotServed {
    pub(super) code: Code,
    pub(super) reason: String,
}

impl Target {
    /// Asks the cluster.
    pub(super) async fn discover(attempt: &Attempt) -> Result<Self, JobFailure> {
        let cluster = attempt.environment.cluster.clone();
        let discovery = discovery::discover(&cluster).await?;
        Ok(Self {
            cluster,
            discovery,
            defined: Mutex::default(),
        })
    }

    /// Notes the types of a CustomResourceDefinition that is served, or would be; `established` when
    /// it was just made.
    pub(super) fn define(&self, definition: &Value, established: Option<Instant>) {
        let types = types_of(definition);
        let mut defined = self.defined.lock().unwrap_or_else(PoisonError::into_inner);
        for resource in types {
            if !defined.iter().any(|one| one.resource == resource) {
                defined.push(Defined {
                    resource,
                    established,
                });
            }
        }
    }

    /// Notes a type that an aggregated API serves, which discovery did not show.
    pub(super) fn found(&self, resource: &ResourceType) {
        let mut defined = self.defined.lock().unwrap_or_else(PoisonError::into_inner);
        if !defined.iter().any(|one| one.resource == *resource) {
            defined.push(Defined {
                resource: resource.clone(),
                established: None,
            });
        }
    }

    /// How long an API server would still let a create of this type wait, because its definition is
    /// new ([`NEW_TYPE_REST`]).
    pub(super) fn rest(&self, resource: &ResourceType, now: Instant) -> Duration {
        let defined = self.defined.lock().unwrap_or_else(PoisonError::into_inner);
        let found = defined.iter().find(|one| one.resource == *resource);
        found.map_or(Duration::ZERO, |one| one.rest(now))
    }

    /// Looks for the definition of a type that discovery does not show (yet).
    pub(super) async fn look_for_definition(
        &self,
        resource: &ResourceType,
    ) -> Result<(), JobFailure> {
        let name = resource.resource();
        let found = requests::get(&self.cluster, &definitions(), None, &name).await;
        // Whatever else is wrong is said of each object.
        if let Ok(Some(definition)) = found
            && is_established(&definition)
        {
            self.define(&definition, None);
        }
        Ok(())
    }

    /// Whether the cluster serves the type now, whatever has been defined meanwhile.
    pub(super) fn is_served(&self, resource: &ResourceType) -> bool {
        let ResourceType {
            group,
            version,
            kind,
            ..
        } = resource;
        self.discovery.served_as(group, version, kind).is_some()
    }

    fn is_defined(&self, resource: &ResourceType) -> bool {
        let defined = self.defined.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |one: &ResourceType| {
            one.is(&resource.group, &resource.kind) && one.version == resource.version
        };
        defined.iter().any(|one| same(&one.resource))
    }

    /// Whether objects of a stored type can be created here as they are stored.
    pub(super) fn check(&self, resource: &ResourceType) -> Result<(), NotServed> {
        let ResourceType {
            group,
            version,
            kind,
            ..
        } = resource;
        if self.is_defined(resource) {
            return Ok(());
        }
        let Some(served) = self.discovery.served_as(group, version, kind) else {
            let versions = self.discovery.versions(group, kind);
            let (code, reason) = if versions.is_empty() {
                let reason = format!("the cluster does not serve {}", resource.resource());
                (Code::ResourceTypeNotServed, reason)
            } else {
                let reason = format!(
                    "the cluster serves {} as {}, the recovery point holds {version}",
                    resource.resource(),
                    versions.join(", ")
                );
                (
                    Code::UserErrorSourceandTargetClusterCRDVersionMismatch,
                    reason,
                )
            };
            return Err(NotServed { code, reason });
        };
        if served.can("create") {
            return Ok(());
        }
        let reason = format!("objects of {resource} cannot be created, only read");
        Err(NotServed {
            code: Code::ResourceTypeNotServed,
            reason,
        })
    }

    /// The type that an owner reference means.
    pub(super) fn resolve(&self, api_version: &str, kind: &str) -> Option<ResourceType> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let served = self
            .discovery
            .served_as(group, version, kind)
            .or_else(|| self.discovery.preferred(group, kind));
        if let Some(served) = served {
            return Some(served.resource.clone());
        }
        let defined = self.defined.lock().unwrap_or_else(PoisonError::into_inner);
        let types = || defined.iter().map(|one| &one.resource);
        let mut same = types().filter(|one| one.is(group, kind));
        let exact = types().find(|one| one.is(group, kind) && one.version == version);
        exact.or_else(|| same.next()).cloned()
    }
}

/// The type of definitions.
pub(super) fn definitions() -> ResourceType {
    let group = "apiextensions.k8s.io";
    ResourceType::new(
        group,
        "v1",
        "CustomResourceDefinition",
        "customresourcedefinitions",
        false,
    )
}

/// Whether an object is a definition whose types are served.
pub(super) fn is_established(definition: &Value) -> bool {
    let conditions = definition["status"]["conditions"].as_array();
    conditions
        .into_iter()
        .flatten()
        .any(|one| one["type"] == "Established" && one["status"] == "True")
}

/// The types that a definition serves, one for each version.
fn types_of(definition: &Value) -> Vec<ResourceType> {
    let spec = &definition["spec"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let names = &spec["names"];
    let versions = spec["versions"].as_array();
    versions
        .into_iter()
        .flatten()
        .filter(|version| version["served"] != false)
        .map(|version| {
            ResourceType::new(
                &text(&spec["group"]),
                &text(&version["name"]),
                &text(&names["kind"]),
                &text(&names["plural"]),
                spec["scope"] == "Namespaced",
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_definition_serves_the_versions_that_it_says_it_serves() {
        let definition = json!({"spec": {"group": "example.com", "scope": "Namespaced",
            "names": {"kind": "Widget", "plural": "widgets"},
            "versions": [{"name": "v2", "served": true}, {"name": "v1", "served": false}]}});
        let expected = ResourceType::new("example.com", "v2", "Widget", "widgets", true);
        assert_eq!(types_of(&definition), [expected]);
    }

    #[test]
    fn objects_of_a_new_type_are_sent_when_the_api_server_no_longer_lets_them_wait() {
        let first = Instant::now();
        let at = |second| first + Duration::from_secs(second);
        let widgets = |established| Defined {
            resource: ResourceType::new("example.com", "v1", "Widget", "widgets", true),
            established,
        };
        assert_eq!(widgets(None).rest(at(10)), Duration::ZERO);
        assert_eq!(widgets(Some(at(10))).rest(at(11)), NEW_TYPE_REST / 2);
        assert_eq!(widgets(Some(at(10))).rest(at(30)), Duration::ZERO);
    }
}
