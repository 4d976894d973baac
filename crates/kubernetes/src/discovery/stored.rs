//! In which version a type is to be read so that nothing is lost that was persisted.
//!
//! A custom type can be served in several versions, and a field that only one of them has is dropped
//! when an object is read in another. What is persisted is persisted in the storage version, so its
//! objects are complete there. Built-in types convert without loss between the versions that are served
//! side by side (`k8s.io/kubernetes/pkg/apis`: round-trip tests of every group), so the preferred
//! one serves as well as any.
//! Source: <https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definition-versioning/>

use futures::{StreamExt as _, stream};
use serde::Deserialize;
use strongroom_core::object::ResourceType;

use super::Discovery;
use crate::cluster::{Cluster, ClusterError, Failure, path_of};
use crate::limits::DEFINITIONS_AT_ONCE;

/// Of a CustomResourceDefinition only this is kept: the schemas of one can be a MiB.
#[derive(Deserialize)]
struct Definition {
    spec: Spec,
}

#[derive(Deserialize)]
struct Spec {
    #[serde(default)]
    versions: Vec<Version>,
}

#[derive(Deserialize)]
struct Version {
    name: String,
    #[serde(default)]
    storage: bool,
}

/// In which versions the types of a cluster are to be read.
#[derive(Debug, Default)]
pub struct Stored {
    /// The listable types, in their order.
    pub types: Vec<ResourceType>,
    /// Those of them whose definition could not be read, with the reason: they are in their preferred
    /// version, which may lack a field that is stored.
    pub guessed: Vec<(ResourceType, ClusterError)>,
}

impl Discovery {
    /// The listable types, each in its storage version when that is served, else in the preferred one.
    /// Only definitions of types with several served versions are asked for: where there is one, there
    /// is no choice. A type without a definition (of an aggregated API) stays as it is.
    ///
    /// # Errors
    /// When the API server cannot be reached, or does not accept us.
    pub async fn stored_types(&self, cluster: &Cluster) -> Result<Stored, ClusterError> {
        let asked = stream::iter(self.types.clone()).map(|preferred| async move {
            let stored = self.stored(cluster, preferred.clone()).await;
            (preferred, stored)
        });
        let answers: Vec<_> = asked.buffered(DEFINITIONS_AT_ONCE).collect().await;
        let mut stored = Stored::default();
        for (preferred, answer) in answers {
            match answer {
                Ok(version) => stored.types.push(version),
                Err(error)
                    if matches!(
                        error.failure,
                        Failure::Unreachable { .. } | Failure::Unauthorized { .. }
                    ) =>
                {
                    return Err(error);
                }
                Err(error) => {
                    stored.types.push(preferred.clone());
                    stored.guessed.push((preferred, error));
                }
            }
        }
        Ok(stored)
    }

    async fn stored(
        &self,
        cluster: &Cluster,
        preferred: ResourceType,
    ) -> Result<ResourceType, ClusterError> {
        if !preferred.is_custom() || self.versions(&preferred.group, &preferred.kind).len() < 2 {
            return Ok(preferred);
        }
        let definitions = ResourceType::new(
            "apiextensions.k8s.io",
            "v1",
            "CustomResourceDefinition",
            "customresourcedefinitions",
            false,
        );
        let path = path_of(&definitions, None, Some(&preferred.resource()));
        let doing = format!("ask in which version {} are stored", preferred.resource());
        let definition: Definition = match cluster.get_json(&path, &doing).await {
            Ok(definition) => definition,
            Err(error) if error.is_not_found() => return Ok(preferred),
            Err(error) => return Err(error),
        };
        let storage = definition.spec.versions.iter().find(|one| one.storage);
        let stored = storage
            .and_then(|one| self.served_as(&preferred.group, &one.name, &preferred.kind))
            .filter(|served| served.is_listable());
        Ok(stored.map_or(preferred, |served| served.resource.clone()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{GroupVersion, ServedType, assemble};
    use super::*;
    use crate::testing::{Answer, cluster};

    fn group_version(group: &str, version: &str, plurals: &[&str]) -> GroupVersion {
        let types = plurals.iter().map(|plural| ServedType {
            resource: ResourceType::new(group, version, &plural.to_uppercase(), plural, true),
            verbs: ["list", "get"].map(str::to_owned).into(),
            subresources: Vec::new(),
        });
        GroupVersion {
            group: group.to_owned(),
            version: version.to_owned(),
            outcome: Ok(types.collect()),
        }
    }

    fn definition(versions: &[(&str, bool)]) -> Answer {
        let version = |(name, storage): &(&str, bool)| json!({"name": name, "storage": storage});
        let versions: Vec<_> = versions.iter().map(version).collect();
        Answer::ok(&json!({"metadata": {"name": "x"}, "spec": {"versions": versions}}))
    }

    #[tokio::test]
    async fn a_custom_type_is_read_in_its_storage_version_when_that_is_served() {
        let found = assemble(vec![
            group_version("apps", "v1", &["deployments"]),
            group_version("apps", "v1beta1", &["deployments"]),
            group_version("example.com", "v2", &["as", "bs", "cs", "ds"]),
            group_version("example.com", "v1", &["as", "bs", "cs"]),
        ]);
        let (cluster, log) = cluster(|asked| match asked.path.rsplit('/').next() {
            Some("as.example.com") => definition(&[("v1", true), ("v2", false)]),
            Some("bs.example.com") => definition(&[("v0", true), ("v1", false), ("v2", false)]),
            _ => Answer::failed(404, "NotFound", "no such definition"),
        });
        let stored = found.stored_types(&cluster).await.unwrap();
        assert!(stored.guessed.is_empty(), "{stored:?}");
        let types = stored.types;
        let texts: Vec<String> = types.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                "deployments.apps/v1",
                "as.example.com/v1",
                "bs.example.com/v2",
                "cs.example.com/v2",
                "ds.example.com/v2",
            ]
        );
        assert_eq!(
            log.all().len(),
            3,
            "only where there is a choice: {:?}",
            log.lines()
        );
    }

    #[tokio::test]
    async fn a_definition_that_cannot_be_read_leaves_its_type_in_the_preferred_version_and_is_told()
    {
        let found = assemble(vec![
            group_version("example.com", "v2", &["as"]),
            group_version("example.com", "v1", &["as"]),
        ]);
        let (broken, _) = cluster(|_| Answer::failed(500, "InternalError", "injected"));
        let stored = found.stored_types(&broken).await.unwrap();
        assert_eq!(stored.types, found.types);
        let (of, error) = &stored.guessed[0];
        assert_eq!(of.to_string(), "as.example.com/v2");
        assert!(error.to_string().contains("injected"), "{error}");
        let (closed, _) = cluster(|_| Answer::failed(401, "Unauthorized", "who are you?"));
        assert!(found.stored_types(&closed).await.is_err());
    }
}
