//! Aggregated discovery: two requests for everything (`apidiscovery.k8s.io/v2`, stable since
//! Kubernetes 1.30, <https://kubernetes.io/docs/concepts/overview/kubernetes-api/#aggregated-discovery>).

use http::{HeaderValue, Method};
use kube::client::{APIGroupDiscoveryList, APIResourceDiscovery};
use serde::Deserialize as _;
use strongroom_core::object::ResourceType;

use super::{GroupVersion, ServedType};
use crate::cluster::{Cluster, ClusterError};

/// Version 2 or the same content as 2beta1; plain JSON last, so that an old server answers with its
/// legacy document (which we recognise) instead of 406.
const ACCEPT: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
     application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

/// Every group and version, or none when this server knows only the legacy form.
pub(super) async fn ask(cluster: &Cluster) -> Result<Option<Vec<GroupVersion>>, ClusterError> {
    let mut all = Vec::new();
    for path in ["/api", "/apis"] {
        let doing = format!("ask {path} which types the cluster serves");
        let mut request = crate::cluster::with_body(Method::GET, path, None, Vec::new(), &doing)?;
        request
            .headers_mut()
            .insert(http::header::ACCEPT, HeaderValue::from_static(ACCEPT));
        let reply = cluster.call(request, &doing).await?;
        let document: serde_json::Value = reply.json(&doing)?;
        if document["kind"] != "APIGroupDiscoveryList" {
            return Ok(None);
        }
        let Ok(list) = APIGroupDiscoveryList::deserialize(document) else {
            return Ok(None);
        };
        all.extend(groups(list));
    }
    Ok(Some(all))
}

fn groups(list: APIGroupDiscoveryList) -> Vec<GroupVersion> {
    let mut all = Vec::new();
    for group in list.items {
        let name = group
            .metadata
            .and_then(|metadata| metadata.name)
            .unwrap_or_default();
        for version in group.versions {
            let number = version.version.unwrap_or_default();
            let stale = version.freshness.as_deref() == Some("Stale");
            let outcome = if stale {
                Err("the server behind this API does not answer".to_owned())
            } else {
                let types = version.resources.into_iter();
                Ok(types
                    .filter_map(|one| served(&name, &number, one))
                    .collect())
            };
            all.push(GroupVersion {
                group: name.clone(),
                version: number,
                outcome,
            });
        }
    }
    all
}

/// None for what is no type of stored objects: without a kind, as of some aggregated servers.
fn served(group: &str, version: &str, one: APIResourceDiscovery) -> Option<ServedType> {
    let plural = one.resource?;
    // `responseKind` may name another group (scale, eviction); the URL's group is what counts.
    let kind = one
        .response_kind
        .and_then(|kind| kind.kind)
        .filter(|kind| !kind.is_empty())?;
    let namespaced = one.scope.as_deref() == Some("Namespaced");
    let subresources = one
        .subresources
        .into_iter()
        .filter_map(|sub| sub.subresource)
        .collect();
    Some(ServedType {
        resource: ResourceType::new(group, version, &kind, &plural, namespaced),
        verbs: one.verbs,
        subresources,
    })
}
