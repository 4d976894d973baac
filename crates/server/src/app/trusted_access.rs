//! Trusted Access: which vault may reach which cluster.
//!
//! A binding is a resource below the cluster. Writing it grants the vault its rights in the cluster;
//! when the extension, in whose namespace they live, is not installed yet, they are granted as soon
//! as it is. Without a binding the server does not even ask for a token.

use strongroom_api::trusted_access::{
    BACKUP_OPERATOR, TrustedAccessRoleBinding, TrustedAccessRoleBindingResource,
};
use strongroom_core::error::{Code, Problem};
use strongroom_core::name::NameKind;
use zeroize::Zeroizing;

use super::error::refuse;
use super::resources::{self, Terms, Written};
use super::{App, Error, ResourceId, Result, clusters, instances, jobs, vaults};
use crate::cluster_link::{ClusterAccess, LinkError, VaultAccess};
use crate::store::{ResourceRow, Session};

/// Published types of a binding, one for each type of cluster.
pub const TYPES: [&str; 2] = [
    "Microsoft.ContainerService/managedClusters/trustedAccessRoleBindings",
    "Microsoft.Kubernetes/connectedClusters/trustedAccessRoleBindings",
];

/// Bindings of a cluster that are looked through: one for each vault that protects it.
const MOST_BINDINGS: usize = 1000;

/// The type of the binding `id`.
#[must_use]
pub fn type_of(id: &ResourceId) -> &'static str {
    let [managed, connected] = TYPES;
    if id.after("connectedClusters").is_some() {
        connected
    } else {
        managed
    }
}

/// Writes a binding and grants what it says.
pub async fn put(
    app: &App,
    id: &ResourceId,
    binding: TrustedAccessRoleBindingResource,
    terms: &Terms,
) -> Result<Written<TrustedAccessRoleBinding>> {
    resources::check_name(NameKind::TrustedAccessRoleBinding, id)?;
    check(&binding.properties)?;
    let (access, written) = {
        let mut session = app.store.begin().await?;
        let cluster = resources::existing(&mut *session, &id.without(2)).await?;
        let id =
            ResourceId::published(cluster.id.clone()).child("trustedAccessRoleBindings", id.name());
        let row = session.resource(&id.key()).await?;
        terms.check(row.as_ref())?;
        let vault = ResourceId::published(binding.properties.source_resource_id.clone());
        let vault = vaults::require(&mut *session, &vault).await?;
        let mut document = binding;
        document.properties.source_resource_id.clone_from(&vault.id);
        refuse_other_vault(row.as_ref(), &vault.id, type_of(&id))?;
        document.properties.provisioning_state = Some("Succeeded".to_owned());
        let access = VaultAccess {
            cluster: cluster_access(app, &mut *session, &cluster).await?,
            vault_id: vault.id,
        };
        // The row comes first: what is granted is always to be found in the store.
        let written = resources::write(
            app,
            &mut *session,
            &id,
            type_of(&id),
            &document,
            row.as_ref(),
            &terms.by,
        )
        .await?;
        session.commit().await?;
        (access, written)
    };
    match app.clusters.grant(&access).await {
        Ok(_granted_now_or_with_the_extension) => Ok(written),
        Err(error) => {
            if written.created {
                let mut session = app.store.begin().await?;
                session.delete_resource(&id.key()).await?;
                session.commit().await?;
            }
            Err(error.into())
        }
    }
}

fn check(binding: &TrustedAccessRoleBinding) -> Result<()> {
    let is_known = |role: &String| role.eq_ignore_ascii_case(BACKUP_OPERATOR);
    if binding.roles.is_empty() || !binding.roles.iter().all(is_known) {
        return Err(Problem::new(
            Code::InvalidRequestContent,
            format!("The only role there is for a backup vault is '{BACKUP_OPERATOR}'."),
        )
        .at("properties.roles")
        .into());
    }
    Ok(())
}

fn refuse_other_vault(row: Option<&ResourceRow>, vault_id: &str, type_name: &str) -> Result<()> {
    let Some(row) = row else { return Ok(()) };
    let old = resources::document::<TrustedAccessRoleBinding>(row, type_name)?.properties;
    if old.source_resource_id.eq_ignore_ascii_case(vault_id) {
        return Ok(());
    }
    Err(Problem::new(
        Code::PropertyChangeNotAllowed,
        "A binding stays with its vault; delete it and make another one.",
    )
    .at("properties.sourceResourceId")
    .into())
}

/// One binding.
pub async fn get(app: &App, id: &ResourceId) -> Result<TrustedAccessRoleBindingResource> {
    let row = resources::existing(&mut *app.store.read().await?, id).await?;
    resources::document(&row, type_of(id))
}

/// The bindings of a cluster.
pub async fn list(
    app: &App,
    cluster: &ResourceId,
    after: Option<&str>,
    limit: usize,
) -> Result<(Vec<TrustedAccessRoleBindingResource>, Option<String>)> {
    resources::existing(&mut *app.store.read().await?, cluster).await?;
    resources::list(app, type_of(cluster), cluster, after, limit).await
}

/// Takes a vault's access back and deletes the binding; tells whether it was there. Refused while a job
/// of the vault runs in the cluster, and, unless `force`, while instances of the vault protect it: every
/// backup of theirs would fail from then on.
pub async fn delete(app: &App, id: &ResourceId, terms: &Terms, force: bool) -> Result<bool> {
    let mut session = app.store.read().await?;
    let Some(row) = session.resource(&id.key()).await? else {
        return Ok(false);
    };
    terms.check(Some(&row))?;
    let cluster = resources::existing(&mut *session, &id.without(2)).await?;
    let binding = resources::document::<TrustedAccessRoleBinding>(&row, type_of(id))?.properties;
    let vault_key = binding.source_resource_id.to_lowercase();
    let open = jobs::open_in_cluster(&mut *session, &cluster.key).await?;
    if let Some(job) = open.iter().find(|job| job.vault_key == vault_key) {
        return refuse(
            Code::ResourceInUse,
            format!(
                "The {} job {} of the vault runs in this cluster.",
                job.operation, job.id
            ),
        );
    }
    if !force {
        let protecting = instances::of_vault_on(&mut *session, &vault_key, &cluster.key).await?;
        if !protecting.is_empty() {
            return Err(resources::in_use(&row.id, &protecting));
        }
    }
    let access = VaultAccess {
        cluster: cluster_access(app, &mut *session, &cluster).await?,
        vault_id: binding.source_resource_id,
    };
    drop(session);
    app.clusters.revoke(&access).await?;
    let mut session = app.store.begin().await?;
    session.delete_resource(&row.key).await?;
    session.commit().await?;
    Ok(true)
}

/// The vaults that are bound to a cluster.
pub async fn vaults_of(session: &mut dyn Session, cluster_key: &str) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for type_name in TYPES {
        let prefix = format!("{cluster_key}/");
        let page = session
            .resources(&type_name.to_lowercase(), &prefix, None, MOST_BINDINGS)
            .await?;
        for row in &page.rows {
            let binding = resources::document::<TrustedAccessRoleBinding>(row, type_name)?;
            found.push(binding.properties.source_resource_id);
        }
    }
    Ok(found)
}

/// Refuses unless the vault is bound to the cluster.
pub async fn require(session: &mut dyn Session, cluster_key: &str, vault_id: &str) -> Result<()> {
    let vaults = vaults_of(session, cluster_key).await?;
    if vaults
        .iter()
        .any(|bound| bound.eq_ignore_ascii_case(vault_id))
    {
        return Ok(());
    }
    let vault = ResourceId::published(vault_id);
    refuse(
        Code::UserErrorTrustedAccessMissing,
        format!(
            "The vault '{}' has no trusted access role binding on the cluster.",
            vault.name()
        ),
    )
}

/// How a vault's job reaches its cluster.
pub async fn of_job(
    app: &App,
    session: &mut dyn Session,
    cluster_id: &str,
    vault_id: &str,
) -> Result<VaultAccess> {
    let cluster = resources::existing(session, &ResourceId::published(cluster_id)).await?;
    require(session, &cluster.key, vault_id).await?;
    let cluster = cluster_access(app, session, &cluster).await?;
    Ok(VaultAccess {
        cluster,
        vault_id: vault_id.to_owned(),
    })
}

/// Every vault's way into every cluster that it is bound to.
pub async fn all(app: &App) -> Result<Vec<VaultAccess>> {
    let mut session = app.store.read().await?;
    let mut found = Vec::new();
    for type_name in TYPES {
        let mut after = None;
        loop {
            let kind = type_name.to_lowercase();
            let page = session
                .resources(&kind, "/", after.as_deref(), MOST_BINDINGS)
                .await?;
            for row in &page.rows {
                let binding = resources::document::<TrustedAccessRoleBinding>(row, type_name)?;
                let cluster = ResourceId::published(row.id.clone()).without(2);
                if let Some(cluster) = session.resource(&cluster.key()).await? {
                    found.push(VaultAccess {
                        cluster: cluster_access(app, &mut *session, &cluster).await?,
                        vault_id: binding.properties.source_resource_id,
                    });
                }
            }
            after = page
                .rows
                .last()
                .filter(|_| page.more)
                .map(|row| row.key.clone());
            if after.is_none() {
                break;
            }
        }
    }
    Ok(found)
}

/// A cluster with the kubeconfig that it was registered with.
pub async fn cluster_access(
    app: &App,
    session: &mut dyn Session,
    cluster: &ResourceRow,
) -> Result<ClusterAccess> {
    let Some(bytes) = app
        .secret(session, &cluster.key, clusters::KUBECONFIG)
        .await?
    else {
        return Err(Problem::new(
            Code::UserErrorInvalidKubeconfig,
            format!(
                "The cluster '{}' was registered without a kubeconfig.",
                cluster.name
            ),
        )
        .at(&cluster.id)
        .into());
    };
    let text = std::str::from_utf8(&bytes).map_err(Error::unexpected("read a kubeconfig"))?;
    Ok(ClusterAccess {
        key: cluster.key.clone(),
        kubeconfig: Zeroizing::new(text.to_owned()),
    })
}

impl From<LinkError> for Error {
    fn from(error: LinkError) -> Self {
        error.problem.into()
    }
}
