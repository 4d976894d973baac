//! Missing roles: every right that a backup of an instance needs in its cluster, and giving those that are
//! missing in one go.
//!
//! Contract: what is there is left as it is, so that it can be asked for again and again, and a dry run
//! changes nothing. One that cannot be given does not keep the others from being given; it says why. What the
//! credential of the cluster itself lacks nobody but the cluster's owner can give; it is named with its rule.
//! There are no managed identities here: the vault acts in a cluster through its Trusted Access, the
//! extension by its own account there, and on the storage with the credentials of the storage account.

use strongroom_api::instance::BackupInstance;
use strongroom_api::missing_roles::{AssignedRole, AssignedRoles, RoleState};
use strongroom_api::trusted_access::{
    BACKUP_OPERATOR, TrustedAccessRoleBinding, TrustedAccessRoleBindingResource,
};
use strongroom_kubernetes::access::trusted_access::account_name;
use strongroom_kubernetes::install::CLUSTER_NAME;

use super::instances::told;
use super::resources::{self, Terms};
use super::{App, ResourceId, Result, clusters, repositories, trusted_access, vaults};
use crate::cluster_link::{ClusterAccess, ExtensionHealth, LinkError, VaultAccess};
use crate::store::Session;

/// What the answer calls itself.
const OBJECT_TYPE: &str = "AssignedRoles";

/// What is looked at.
struct Subject {
    /// Id of the vault.
    vault: String,
    /// Id of the cluster.
    cluster: String,
    access: ClusterAccess,
    /// Id of the extension, when one is registered.
    extension: Option<String>,
    /// Whether the vault is bound to the cluster.
    is_bound: bool,
    /// The name that a binding would get.
    binding: String,
}

/// Says of every right that a backup of the instance needs whether it is there, and unless it is a
/// `dry_run` gives those that are not.
pub async fn assign(
    app: &App,
    vault: &ResourceId,
    instance: &BackupInstance,
    dry_run: bool,
    terms: &Terms,
) -> Result<AssignedRoles> {
    let subject = subject(&mut *app.store.read().await?, app, vault, instance).await?;
    // A cluster that does not answer is the one thing to mend.
    app.clusters.version(&subject.access).await?;
    let missing = app.clusters.missing_rights(&subject.access).await?;
    let not_assignable = (!missing.is_empty())
        .then(|| told(&clusters::missing_rights(&missing).at(subject.cluster.as_str())));
    let assigning = Assigning {
        app,
        subject: &subject,
        dry_run,
    };
    let mut roles = vec![
        assigning.binding(terms).await?,
        assigning.vault_in_cluster().await?,
    ];
    roles.extend(assigning.extension_in_cluster().await?);
    Ok(AssignedRoles {
        object_type: OBJECT_TYPE.to_owned(),
        dry_run,
        roles,
        not_assignable: not_assignable.into_iter().collect(),
    })
}

async fn subject(
    session: &mut dyn Session,
    app: &App,
    vault: &ResourceId,
    instance: &BackupInstance,
) -> Result<Subject> {
    let vault = vaults::require(session, vault).await?;
    let cluster = ResourceId::published(instance.data_source_info.resource_id.clone());
    let cluster = resources::existing(session, &cluster).await?;
    let access = trusted_access::cluster_access(app, session, &cluster).await?;
    let extension = repositories::extension_of_cluster(session, &cluster.key).await?;
    let bound = trusted_access::vaults_of(session, &cluster.key).await?;
    let is_bound = bound.iter().any(|id| id.eq_ignore_ascii_case(&vault.id));
    // As the command line names it, unless a vault of the same name has that already.
    let by_name = binding_id(&cluster.id, &vault.name);
    let binding = match session.resource(&by_name.key()).await? {
        Some(_) => account_name(&vault.id),
        None => vault.name.clone(),
    };
    Ok(Subject {
        vault: vault.id,
        cluster: cluster.id,
        access,
        extension: extension.map(|(row, _)| row.id),
        is_bound,
        binding,
    })
}

fn binding_id(cluster: &str, name: &str) -> ResourceId {
    ResourceId::published(cluster.to_owned()).child("trustedAccessRoleBindings", name)
}

struct Assigning<'a> {
    app: &'a App,
    subject: &'a Subject,
    dry_run: bool,
}

impl Assigning<'_> {
    /// The role binding of the vault, which is also what lets it ask for more.
    async fn binding(&self, terms: &Terms) -> Result<AssignedRole> {
        let role = self.role(BACKUP_OPERATOR, &self.subject.vault);
        if self.subject.is_bound {
            return Ok(present(role));
        }
        let why = "The vault has no trusted access role binding on the cluster.";
        if self.dry_run {
            return Ok(missing(role, why));
        }
        let id = binding_id(&self.subject.cluster, &self.subject.binding);
        let document = TrustedAccessRoleBindingResource::of(TrustedAccessRoleBinding {
            provisioning_state: None,
            source_resource_id: self.subject.vault.clone(),
            roles: vec![BACKUP_OPERATOR.to_owned()],
        });
        // What the caller says of versions is not about a binding that it does not know.
        let terms = Terms {
            if_match: None,
            if_none_match: None,
            ..terms.clone()
        };
        match trusted_access::put(self.app, &id, document, &terms).await {
            Ok(_) => Ok(given(role, why)),
            Err(error) => match error.problem() {
                Some(problem) => Ok(failed(role, &problem.message)),
                None => Err(error),
            },
        }
    }

    /// Account, role and binding of the vault in the cluster.
    async fn vault_in_cluster(&self) -> Result<AssignedRole> {
        let access = VaultAccess {
            cluster: self.subject.access.clone(),
            vault_id: self.subject.vault.clone(),
        };
        let name = format!("Role {}", account_name(&access.vault_id));
        let role = self.role(&name, &self.subject.vault);
        if self.app.clusters.is_granted(&access).await? {
            return Ok(present(role));
        }
        let why = "The vault's account, role or role binding in the cluster is not all there.";
        if self.dry_run {
            return Ok(missing(role, why));
        }
        Ok(match self.app.clusters.grant(&access).await {
            Ok(true) => given(role, why),
            Ok(false) => missing(role, "It is given when the backup extension is installed."),
            Err(error) => failed(role, &error.problem.message),
        })
    }

    /// The roles of the extension in the cluster; none when it is not installed.
    async fn extension_in_cluster(&self) -> Result<Option<AssignedRole>> {
        let clusters = &self.app.clusters;
        let access = &self.subject.access;
        let Some(extension) = &self.subject.extension else {
            return Ok(None);
        };
        if clusters.health(access).await? == ExtensionHealth::Absent {
            return Ok(None);
        }
        let role = self.role(&format!("ClusterRole {CLUSTER_NAME}"), extension);
        let lacking = clusters.missing_extension_rights(access).await?;
        if lacking.is_empty() {
            return Ok(Some(present(role)));
        }
        let why = format!("{}.", lacking.join("; "));
        if self.dry_run {
            return Ok(Some(missing(role, &why)));
        }
        let granted: std::result::Result<(), LinkError> = clusters.grant_extension(access).await;
        Ok(Some(match granted {
            Ok(()) => given(role, &why),
            Err(error) => failed(role, &error.problem.message),
        }))
    }

    fn role(&self, role: &str, principal: &str) -> AssignedRole {
        AssignedRole {
            role: role.to_owned(),
            principal: principal.to_owned(),
            scope: self.subject.cluster.clone(),
            ..AssignedRole::default()
        }
    }
}

fn present(role: AssignedRole) -> AssignedRole {
    AssignedRole {
        state: RoleState::Present,
        ..role
    }
}

fn in_state(role: AssignedRole, state: RoleState, detail: &str) -> AssignedRole {
    AssignedRole {
        state,
        detail: Some(detail.to_owned()),
        ..role
    }
}

fn missing(role: AssignedRole, why: &str) -> AssignedRole {
    in_state(role, RoleState::Missing, why)
}

fn given(role: AssignedRole, why: &str) -> AssignedRole {
    in_state(role, RoleState::Assigned, why)
}

fn failed(role: AssignedRole, why: &str) -> AssignedRole {
    in_state(role, RoleState::Failed, why)
}
