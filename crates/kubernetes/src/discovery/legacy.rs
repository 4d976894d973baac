//! Legacy discovery: one request per group and version, for servers before Kubernetes 1.26 and those
//! with aggregated discovery switched off.

use futures::{StreamExt as _, stream};
use serde::Deserialize;
use strongroom_core::object::ResourceType;

use super::{GroupVersion, ServedType};
use crate::cluster::{Cluster, ClusterError, Failure, segment};

/// Group versions that are asked at once. A cluster has some 30 of them; more in flight would only
/// queue in the API server.
const AT_ONCE: usize = 8;

#[derive(Deserialize)]
struct CoreVersions {
    versions: Vec<String>,
}

#[derive(Deserialize)]
struct Groups {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    name: String,
    versions: Vec<GroupVersionName>,
    preferred_version: Option<GroupVersionName>,
}

#[derive(Deserialize, Clone, PartialEq, Eq)]
struct GroupVersionName {
    version: String,
}

#[derive(Deserialize)]
struct Resources {
    #[serde(default)]
    resources: Vec<Resource>,
}

#[derive(Deserialize)]
struct Resource {
    name: String,
    namespaced: bool,
    kind: String,
    #[serde(default)]
    verbs: Vec<String>,
}

/// Every group and version.
pub(super) async fn ask(cluster: &Cluster) -> Result<Vec<GroupVersion>, ClusterError> {
    let doing = "ask which API groups the cluster serves";
    let core: CoreVersions = cluster.get_json("/api", doing).await?;
    let groups: Groups = cluster.get_json("/apis", doing).await?;
    let mut names: Vec<(String, String)> = core
        .versions
        .into_iter()
        .map(|version| (String::new(), version))
        .collect();
    for group in groups.groups {
        let preferred = group.preferred_version;
        let others = group
            .versions
            .into_iter()
            .filter(|one| Some(one) != preferred.as_ref());
        let ordered: Vec<_> = preferred.clone().into_iter().chain(others).collect();
        names.extend(
            ordered
                .into_iter()
                .map(|one| (group.name.clone(), one.version)),
        );
    }
    let asked = stream::iter(names).map(|(group, version)| one(cluster.clone(), group, version));
    let answers: Vec<Result<GroupVersion, ClusterError>> = asked.buffered(AT_ONCE).collect().await;
    answers.into_iter().collect()
}

/// One group and version. That nobody answers for it is its outcome; that the API server itself is
/// lost is an error of the whole.
pub(super) async fn one(
    cluster: Cluster,
    group: String,
    version: String,
) -> Result<GroupVersion, ClusterError> {
    let path = if group.is_empty() {
        format!("/api/{}", segment(&version))
    } else {
        format!("/apis/{}/{}", segment(&group), segment(&version))
    };
    let doing = format!("ask {path} which types it serves");
    // A broken aggregated API answers 503 for as long as it is broken; waiting for each of them
    // would hold up the job, so there is one attempt.
    let cluster = if group.contains('.') {
        cluster.with_retries(crate::cluster::Retries::NONE)
    } else {
        cluster
    };
    let outcome = match cluster.get_json::<Resources>(&path, &doing).await {
        Ok(answer) => Ok(types(&group, &version, answer.resources)),
        Err(error) => match error.failure {
            Failure::ServerError { .. } | Failure::NotFound { .. } | Failure::Malformed { .. } => {
                Err(error.failure.to_string())
            }
            _ => return Err(error),
        },
    };
    Ok(GroupVersion {
        group,
        version,
        outcome,
    })
}

fn types(group: &str, version: &str, resources: Vec<Resource>) -> Vec<ServedType> {
    let subresources_of = |plural: &str| {
        let prefix = format!("{plural}/");
        let names = resources
            .iter()
            .filter_map(|one| one.name.strip_prefix(&prefix));
        names.map(str::to_owned).collect::<Vec<_>>()
    };
    let whole = resources.iter().filter(|one| !one.name.contains('/'));
    whole
        .map(|one| ServedType {
            resource: ResourceType::new(group, version, &one.kind, &one.name, one.namespaced),
            verbs: one.verbs.clone(),
            subresources: subresources_of(&one.name),
        })
        .collect()
}
