//! The collections of the contract, each with the same five verbs.

use reqwest::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::id::{ClusterKind, Group};
use super::operation::{LongRunning, Outcome};
use super::{Client, ClientError, Pages};
use crate::authorization::{RoleAssignmentResource, RoleDefinitionResource};
use crate::cluster::ClusterResource;
use crate::extension::ExtensionResource;
use crate::guard::{ResourceGuardProxyResource, ResourceGuardResource};
use crate::instance::{BackupInstanceResource, DeletedBackupInstanceResource};
use crate::job::JobResource;
use crate::policy::BackupPolicyResource;
use crate::recovery_point::RecoveryPointResource;
use crate::resource_group::ResourceGroup;
use crate::service_principal::{self, ServicePrincipalResource};
use crate::storage::{BlobContainerResource, StorageAccountResource};
use crate::subscription::Subscription;
use crate::trusted_access::TrustedAccessRoleBindingResource;
use crate::vault::{BackupVaultResource, DeletedBackupVaultResource};

/// Resources of one type under one parent.
#[derive(Clone, Debug)]
pub struct Collection<T> {
    client: Client,
    path: String,
    marker: std::marker::PhantomData<fn() -> T>,
}

impl<T: Serialize + DeserializeOwned + Sync> Collection<T> {
    fn new(client: &Client, path: String) -> Self {
        Self {
            client: client.clone(),
            path,
            marker: std::marker::PhantomData,
        }
    }

    /// The id of the resource called `name`.
    #[must_use]
    pub fn id(&self, name: &str) -> String {
        format!("{}/{name}", self.path)
    }

    /// As [`Collection::id`], for sending: a name with a slash would be another resource.
    fn path_of(&self, name: &str) -> Result<String, ClientError> {
        if name.contains('/') {
            return Err(ClientError::settings(format!(
                "'{name}' is not the name of a resource"
            )));
        }
        Ok(self.id(name))
    }

    /// Reads one.
    ///
    /// # Errors
    /// [`ClientError`]; one that is not there is an [`super::ApiError`] with status 404.
    pub async fn get(&self, name: &str) -> Result<T, ClientError> {
        self.client
            .get_json(self.client.url(&self.path_of(name)?, &[])?)
            .await
    }

    /// Lists all, page by page.
    ///
    /// # Errors
    /// [`ClientError::Settings`] when the parent's id is none.
    pub fn list(&self) -> Result<Pages<T>, ClientError> {
        self.list_where(&[])
    }

    /// Lists with query parameters, for example `$filter`.
    ///
    /// # Errors
    /// As [`Collection::list`].
    pub fn list_where(&self, query: &[(&str, &str)]) -> Result<Pages<T>, ClientError> {
        Ok(Pages::new(
            self.client.clone(),
            self.client.url(&self.path, query)?,
        ))
    }

    /// Creates or replaces. Wait for the answer to see the resource as the server keeps it.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn put(&self, name: &str, body: &T) -> Result<LongRunning<T>, ClientError> {
        let path = self.path_of(name)?;
        let answer = self
            .client
            .call(Method::PUT, &path, &[], Some(body))
            .await?;
        LongRunning::started(&self.client, answer, Outcome::Resource(path))
    }

    /// Deletes.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn delete(&self, name: &str) -> Result<LongRunning<()>, ClientError> {
        let answer = self
            .client
            .call(Method::DELETE, &self.path_of(name)?, &[], None::<&()>)
            .await?;
        LongRunning::started(&self.client, answer, Outcome::Nothing)
    }
}

impl Client {
    /// `/subscriptions`.
    #[must_use]
    pub fn subscriptions(&self) -> Collection<Subscription> {
        Collection::new(self, "/subscriptions".to_owned())
    }

    /// The resource groups of a subscription.
    #[must_use]
    pub fn resource_groups(&self, subscription: &str) -> Collection<ResourceGroup> {
        Collection::new(
            self,
            format!("/subscriptions/{subscription}/resourcegroups"),
        )
    }

    /// The role assignments at a scope; the root is `/`.
    #[must_use]
    pub fn role_assignments(&self, scope: &str) -> Collection<RoleAssignmentResource> {
        let scope = scope.trim_end_matches('/');
        let path = format!("{scope}/providers/Microsoft.Authorization/roleAssignments");
        Collection::new(self, path)
    }

    /// Ours: the service principals.
    #[must_use]
    pub fn service_principals(&self) -> Collection<ServicePrincipalResource> {
        Collection::new(self, service_principal::COLLECTION.to_owned())
    }

    /// The role definitions (read-only).
    #[must_use]
    pub fn role_definitions(&self) -> Collection<RoleDefinitionResource> {
        let path = "/providers/Microsoft.Authorization/roleDefinitions";
        Collection::new(self, path.to_owned())
    }

    /// The vaults of a resource group.
    #[must_use]
    pub fn vaults(&self, group: &Group) -> Collection<BackupVaultResource> {
        Collection::new(
            self,
            format!(
                "{}/providers/Microsoft.DataProtection/backupVaults",
                group.id()
            ),
        )
    }

    /// The resource guards of a resource group.
    #[must_use]
    pub fn resource_guards(&self, group: &Group) -> Collection<ResourceGuardResource> {
        Collection::new(
            self,
            format!(
                "{}/providers/Microsoft.DataProtection/resourceGuards",
                group.id()
            ),
        )
    }

    /// The link of a vault to its resource guard: one or none.
    #[must_use]
    pub fn resource_guard_proxies(&self, vault_id: &str) -> Collection<ResourceGuardProxyResource> {
        Collection::new(self, format!("{vault_id}/backupResourceGuardProxies"))
    }

    /// The policies of a vault.
    #[must_use]
    pub fn policies(&self, vault_id: &str) -> Collection<BackupPolicyResource> {
        Collection::new(self, format!("{vault_id}/backupPolicies"))
    }

    /// The instances of a vault.
    #[must_use]
    pub fn instances(&self, vault_id: &str) -> Collection<BackupInstanceResource> {
        Collection::new(self, format!("{vault_id}/backupInstances"))
    }

    /// The deleted instances of a vault that can be brought back (read-only).
    #[must_use]
    pub fn deleted_instances(&self, vault_id: &str) -> Collection<DeletedBackupInstanceResource> {
        Collection::new(self, format!("{vault_id}/deletedBackupInstances"))
    }

    /// The deleted vaults of a location that can be brought back (read-only).
    #[must_use]
    pub fn deleted_vaults(
        &self,
        subscription: &str,
        location: &str,
    ) -> Collection<DeletedBackupVaultResource> {
        let path = format!(
            "/subscriptions/{subscription}/providers/Microsoft.DataProtection/locations/{location}/deletedVaults"
        );
        Collection::new(self, path)
    }

    /// The jobs of a vault (read-only).
    #[must_use]
    pub fn jobs(&self, vault_id: &str) -> Collection<JobResource> {
        Collection::new(self, format!("{vault_id}/backupJobs"))
    }

    /// The recovery points of an instance.
    #[must_use]
    pub fn recovery_points(&self, instance_id: &str) -> Collection<RecoveryPointResource> {
        Collection::new(self, format!("{instance_id}/recoveryPoints"))
    }

    /// The clusters of a resource group.
    #[must_use]
    pub fn clusters(&self, group: &Group, kind: ClusterKind) -> Collection<ClusterResource> {
        let path = format!(
            "{}/providers/{}/{}",
            group.id(),
            kind.provider(),
            kind.collection()
        );
        Collection::new(self, path)
    }

    /// The Trusted Access bindings of a cluster.
    #[must_use]
    pub fn trusted_access(&self, cluster_id: &str) -> Collection<TrustedAccessRoleBindingResource> {
        Collection::new(self, format!("{cluster_id}/trustedAccessRoleBindings"))
    }

    /// The extensions of a cluster.
    #[must_use]
    pub fn extensions(&self, cluster_id: &str) -> Collection<ExtensionResource> {
        let path = format!("{cluster_id}/providers/Microsoft.KubernetesConfiguration/extensions");
        Collection::new(self, path)
    }

    /// The storage accounts of a resource group.
    #[must_use]
    pub fn storage_accounts(&self, group: &Group) -> Collection<StorageAccountResource> {
        Collection::new(
            self,
            format!("{}/providers/Microsoft.Storage/storageAccounts", group.id()),
        )
    }

    /// The blob containers of a storage account.
    #[must_use]
    pub fn blob_containers(&self, account_id: &str) -> Collection<BlobContainerResource> {
        Collection::new(
            self,
            format!("{account_id}/blobServices/default/containers"),
        )
    }
}
