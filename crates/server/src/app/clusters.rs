//! Registered clusters: `Microsoft.Kubernetes/connectedClusters` and
//! `Microsoft.ContainerService/managedClusters`, which differ in their name only.
//!
//! Contract: a cluster is stored only after it answered with the given kubeconfig and granted what
//! protecting it takes; the kubeconfig is sealed and never given back. The network is asked before
//! the transaction opens.

use strongroom_api::cluster::{ClusterProperties, ClusterResource};
use strongroom_core::error::{Code, Problem};
use strongroom_core::name::NameKind;
use zeroize::Zeroizing;

use super::error::refuse;
use super::resources::{self, Terms, Written};
use super::{App, ResourceId, Result, jobs, resource_groups};
use crate::cluster_link::{self, ClusterAccess};
use crate::store::{ResourceRow, Session};

/// Published type of a cluster registered through Azure Arc.
pub const CONNECTED: &str = "Microsoft.Kubernetes/connectedClusters";
/// Published type of an AKS cluster.
pub const MANAGED: &str = "Microsoft.ContainerService/managedClusters";

/// Both types.
pub const TYPES: [&str; 2] = [CONNECTED, MANAGED];

/// The type of the cluster, or of the clusters, that an address names.
#[must_use]
pub fn type_of(id: &ResourceId) -> &'static str {
    let is_managed = id
        .key()
        .split('/')
        .any(|segment| segment == "managedclusters");
    if is_managed { MANAGED } else { CONNECTED }
}

/// Purpose of the secret that holds the kubeconfig.
pub const KUBECONFIG: &str = "kubeconfig";

/// Missing rights that a refusal lists; the first ones tell the story.
const NAMED_RIGHTS: usize = 30;

/// Registers a cluster, or registers it anew with another kubeconfig.
pub async fn put(
    app: &App,
    type_name: &'static str,
    id: &ResourceId,
    mut cluster: ClusterResource,
    terms: &Terms,
) -> Result<Written<ClusterProperties>> {
    resources::check_name(NameKind::Cluster, id)?;
    resource_groups::within(&mut *app.store.read().await?, id).await?;
    let given = cluster.properties.take_secrets();
    let probed = match &given {
        Some(kubeconfig) => Some(probe(app, id, kubeconfig.expose()).await?),
        None => None,
    };

    let mut session = app.store.begin().await?;
    let id = resource_groups::within(&mut *session, id).await?;
    let row = session.resource(&id.key()).await?;
    terms.check(row.as_ref())?;
    let old: Option<ClusterResource> = row
        .as_ref()
        .map(|row| resources::document(row, type_name))
        .transpose()?;
    cluster.location = Some(match &old {
        Some(old) => resources::same_location(&id, old, cluster.location.as_deref())?,
        None => resources::location(cluster.location.as_deref())?,
    });
    if let (Some(probed), Some(old)) = (&probed, &old) {
        refuse_other_cluster(&id, old, &probed.uid)?;
    }
    let known = match (probed, old) {
        (Some(probed), _) => ClusterProperties {
            cluster_uid: Some(probed.uid).filter(|uid| !uid.is_empty()),
            api_server: Some(probed.server),
            kubernetes_version: Some(probed.version),
            connectivity_status: Some("Connected".to_owned()),
            last_connectivity_time: Some(app.now()),
            ..ClusterProperties::default()
        },
        (None, Some(old)) => old.properties,
        (None, None) => {
            return Err(Problem::new(
                Code::UserErrorInvalidKubeconfig,
                "A cluster is registered with properties.kubeconfig: the YAML of a kubeconfig that \
                 holds its credentials itself.",
            )
            .at("properties.kubeconfig")
            .into());
        }
    };
    complete(&mut cluster.properties, known);
    let written = resources::write(
        app,
        &mut *session,
        &id,
        type_name,
        &cluster,
        row.as_ref(),
        &terms.by,
    )
    .await?;
    if let Some(kubeconfig) = &given {
        let plaintext = kubeconfig.expose().as_bytes();
        app.put_secret(&mut *session, &id.key(), KUBECONFIG, plaintext)
            .await?;
    }
    session.commit().await?;
    Ok(written)
}

/// Read-only values come from what is known, whatever the request says.
fn complete(properties: &mut ClusterProperties, known: ClusterProperties) {
    properties.has_kubeconfig = Some(true);
    properties.cluster_uid = known.cluster_uid;
    properties.api_server = known.api_server;
    properties.kubernetes_version = known.kubernetes_version;
    properties.connectivity_status = known.connectivity_status;
    properties.connectivity_message = known.connectivity_message;
    properties.last_connectivity_time = known.last_connectivity_time;
    properties.total_node_count = known.total_node_count;
    properties.provisioning_state = Some("Succeeded".to_owned());
}

/// Another kubeconfig is another way into the same cluster. One into another cluster would let the
/// instances of the first be backed up from, and restored into, the second without a word.
fn refuse_other_cluster(id: &ResourceId, old: &ClusterResource, uid: &str) -> Result<()> {
    match old.properties.cluster_uid.as_deref() {
        Some(known) if !uid.is_empty() && known != uid => Err(Problem::new(
            Code::UserErrorKubeconfigOfAnotherCluster,
            format!(
                "The kubeconfig leads to another cluster than the one that is registered as '{}': the \
                 uid of its namespace kube-system is {uid}, not {known}.",
                id.name()
            ),
        )
        .at("properties.kubeconfig")
        .into()),
        _ => Ok(()),
    }
}

/// What a cluster said of itself while it was registered.
struct Probed {
    uid: String,
    server: String,
    version: String,
}

/// Asks a cluster whether it answers, and whether the credential may do what protecting it takes.
async fn probe(app: &App, id: &ResourceId, kubeconfig: &str) -> Result<Probed> {
    let target = "properties.kubeconfig";
    let server = cluster_link::address_of(kubeconfig).map_err(|error| error.problem.at(target))?;
    let access = ClusterAccess {
        key: id.key(),
        kubeconfig: Zeroizing::new(kubeconfig.to_owned()),
    };
    let version = app
        .clusters
        .version(&access)
        .await
        .map_err(|error| error.problem.at(target))?;
    let missing = app
        .clusters
        .missing_rights(&access)
        .await
        .map_err(|error| error.problem.at(target))?;
    if !missing.is_empty() {
        return Err(missing_rights(&missing).at(target).into());
    }
    let uid = app
        .clusters
        .identity(&access)
        .await
        .map_err(|error| error.problem.at(target))?;
    Ok(Probed {
        uid,
        server,
        version,
    })
}

/// The problem of rights that a credential lacks: each with the rule that grants it.
pub(super) fn missing_rights(rules: &[String]) -> Problem {
    let code = Code::UserErrorClusterPermissionMissing;
    let details = rules
        .iter()
        .take(NAMED_RIGHTS)
        .map(|rule| Problem::new(code, format!("It takes {rule}.")))
        .collect();
    let first = rules.first().map_or("", String::as_str);
    let message = format!(
        "The credential of the kubeconfig lacks {} rights that protecting the cluster takes, among \
         them {first}.",
        rules.len()
    );
    Problem::new(code, message).with_details(details)
}

/// One cluster.
pub async fn get(app: &App, type_name: &str, id: &ResourceId) -> Result<ClusterResource> {
    resources::document(
        &resources::existing(&mut *app.store.read().await?, id).await?,
        type_name,
    )
}

/// The clusters of a type in a group or a subscription.
pub async fn list(
    app: &App,
    type_name: &str,
    scope: &ResourceId,
    after: Option<&str>,
    limit: usize,
) -> Result<(Vec<ClusterResource>, Option<String>)> {
    resource_groups::list_within(app, type_name, scope, after, limit).await
}

/// Forgets a cluster that nothing uses and from which everything of ours was removed; tells whether
/// it was there.
pub async fn delete(app: &App, id: &ResourceId, terms: &Terms) -> Result<bool> {
    let mut session = app.store.begin().await?;
    let Some(row) = session.resource(&id.key()).await? else {
        return Ok(false);
    };
    terms.check(Some(&row))?;
    resources::refuse_in_use(&mut *session, &row).await?;
    // The extension and the bindings live in the cluster: forgetting it would leave them there.
    let below = session.descendants(&format!("{}/", row.key), 20).await?;
    if !below.is_empty() {
        let names: Vec<String> = below.into_iter().map(|row| row.id).collect();
        return Err(resources::in_use(&row.id, &names));
    }
    if let Some(job) = jobs::open_in_cluster(&mut *session, &row.key)
        .await?
        .first()
    {
        return Err(resources::in_use(&row.id, &[format!("job {}", job.id)]));
    }
    session.delete_resource(&row.key).await?;
    session.commit().await?;
    Ok(true)
}

/// The row of the cluster with this id, of either type.
pub async fn require(session: &mut dyn Session, id: &ResourceId) -> Result<ResourceRow> {
    let row = resources::existing(session, id).await?;
    let is_cluster = TYPES.iter().any(|known| row.kind == known.to_lowercase());
    if is_cluster {
        Ok(row)
    } else {
        refuse(Code::InvalidResourceType, format!("'{id}' is no cluster."))
    }
}
