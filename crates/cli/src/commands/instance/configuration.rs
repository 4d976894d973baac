//! What `create`, `validate` and `preview` share: the arguments that describe an instance.

use strongroom_api::client::id;
use strongroom_api::instance::{
    AzureOperationalStoreParameters, BackupDatasourceParameters, BackupInstance,
    DataStoreParameters, Datasource, KubernetesClusterBackupDatasourceParameters,
    NamespacedNameResource, PolicyInfo, PolicyParameters,
};
use strongroom_api::policy::KUBERNETES_DATASOURCE_TYPE;
use strongroom_api::vault::DataStoreType;

use crate::commands::selection::SelectionArgs;
use crate::error::CliError;
use crate::session::{Session, id_of};

#[derive(Debug, clap::Args)]
pub(super) struct ConfigurationArgs {
    /// Vault: name or id
    #[arg(long, env = "STRONGROOM_VAULT", hide_env_values = true)]
    pub(super) vault: String,
    /// Cluster to protect: name or id
    #[arg(long)]
    cluster: String,
    /// Policy of the vault: name or id
    #[arg(long)]
    policy: String,
    /// What people call it [default: the instance's name]
    #[arg(long, value_name = "TEXT")]
    friendly_name: Option<String>,
    /// Resource group for volume snapshots [default: the current one]
    #[arg(long, value_name = "NAME")]
    snapshot_resource_group: Option<String>,
    #[command(flatten)]
    backed_up: BackedUpArgs,
}

/// What is backed up.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "What is backed up")]
pub(super) struct BackedUpArgs {
    #[command(flatten)]
    selection: SelectionArgs,
    /// Snapshot volumes [default: true]
    #[arg(long, value_name = "BOOL")]
    snapshot_volumes: Option<bool>,
    /// BackupHook to run, as NAMESPACE/NAME; may be repeated
    #[arg(long = "backup-hook", value_name = "NAMESPACE/NAME", value_parser = namespaced)]
    backup_hooks: Option<Vec<NamespacedNameResource>>,
}

impl ConfigurationArgs {
    /// The instance as it is sent.
    pub(super) async fn instance(
        self,
        session: &Session<'_>,
        name: &str,
    ) -> Result<BackupInstance, CliError> {
        let datasource = datasource(session, &self.cluster).await?;
        let set = Datasource {
            object_type: Some("DatasourceSet".to_owned()),
            ..datasource.clone()
        };
        let snapshots = match self.snapshot_resource_group {
            Some(group) if group.starts_with('/') => group,
            Some(group) => format!(
                "/subscriptions/{}/resourceGroups/{group}",
                session.settings.subscription()?
            ),
            None => session.group()?.id(),
        };
        Ok(BackupInstance {
            friendly_name: Some(self.friendly_name.unwrap_or_else(|| name.to_owned())),
            data_source_info: datasource,
            data_source_set_info: Some(set),
            policy_info: PolicyInfo {
                policy_id: session.vault_child(&self.vault, "backupPolicies", &self.policy)?,
                policy_version: None,
                policy_parameters: Some(parameters(
                    Some(snapshots),
                    self.backed_up,
                    KubernetesClusterBackupDatasourceParameters::default(),
                )),
            },
            object_type: "BackupInstance".to_owned(),
            ..BackupInstance::default()
        })
    }
}

/// A cluster as what is protected.
pub(in crate::commands) async fn datasource(
    session: &Session<'_>,
    cluster: &str,
) -> Result<Datasource, CliError> {
    let cluster = session.cluster(cluster).await?;
    let cluster_id = id_of(&cluster)?;
    Ok(Datasource {
        datasource_type: Some(KUBERNETES_DATASOURCE_TYPE.to_owned()),
        object_type: Some("Datasource".to_owned()),
        resource_location: cluster.location.clone(),
        resource_name: cluster.name.clone(),
        resource_type: id::resource_type(&cluster_id),
        resource_uri: Some(cluster_id.clone()),
        resource_id: cluster_id,
        resource_properties: None,
    })
}

/// A configuration, changed to what was given, with the resource group for snapshots.
pub(super) fn parameters(
    snapshot_group_id: Option<String>,
    given: BackedUpArgs,
    mut kubernetes: KubernetesClusterBackupDatasourceParameters,
) -> PolicyParameters {
    let store = snapshot_group_id.map(|id| {
        vec![DataStoreParameters::AzureOperationalStoreParameters(
            AzureOperationalStoreParameters {
                data_store_type: DataStoreType::OperationalStore,
                resource_group_id: Some(id),
            },
        )]
    });
    given.selection.change_backup(&mut kubernetes);
    if let Some(wanted) = given.snapshot_volumes {
        kubernetes.snapshot_volumes = wanted;
    }
    if given.backup_hooks.is_some() {
        kubernetes.backup_hook_references = given.backup_hooks;
    }
    PolicyParameters {
        data_store_parameters_list: store,
        backup_datasource_parameters_list: Some(vec![
            BackupDatasourceParameters::KubernetesClusterBackupDatasourceParameters(kubernetes),
        ]),
    }
}

/// Reads `NAMESPACE/NAME`.
pub(in crate::commands) fn namespaced(text: &str) -> Result<NamespacedNameResource, String> {
    match text.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() => {
            Ok(NamespacedNameResource {
                name: Some(name.to_owned()),
                namespace: Some(namespace.to_owned()),
            })
        }
        _ => Err("expected NAMESPACE/NAME".to_owned()),
    }
}
