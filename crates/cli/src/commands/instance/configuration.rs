//! What `create` and `validate` share: the arguments that describe an instance.

use strongroom_api::client::id;
use strongroom_api::instance::{
    AzureOperationalStoreParameters, BackupDatasourceParameters, BackupInstance,
    DataStoreParameters, Datasource, KubernetesClusterBackupDatasourceParameters,
    NamespacedNameResource, PolicyInfo, PolicyParameters,
};
use strongroom_api::policy::KUBERNETES_DATASOURCE_TYPE;
use strongroom_api::vault::DataStoreType;

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
    selection: SelectionArgs,
}

/// What is backed up.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "What is backed up")]
struct SelectionArgs {
    /// Namespaces, separated by commas [default: all that exist now and later]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    include_namespaces: Option<Vec<String>>,
    /// Namespaces to leave out
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    exclude_namespaces: Option<Vec<String>>,
    /// Resource types, for example deployments.apps [default: all]
    #[arg(long, value_name = "TYPES", value_delimiter = ',')]
    include_resource_types: Option<Vec<String>>,
    /// Resource types to leave out
    #[arg(long, value_name = "TYPES", value_delimiter = ',')]
    exclude_resource_types: Option<Vec<String>>,
    /// Only what has these labels, as for kubectl -l; may be repeated, then all must fit
    #[arg(long = "label-selector", value_name = "SELECTOR")]
    label_selectors: Option<Vec<String>>,
    /// Back up cluster-scoped resources
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
    include_cluster_scope: bool,
    /// Back up Secrets
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
    include_secrets: bool,
    /// Snapshot volumes
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
    snapshot_volumes: bool,
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
        let cluster = session.cluster(&self.cluster).await?;
        let cluster_id = id_of(&cluster)?;
        let datasource = Datasource {
            datasource_type: Some(KUBERNETES_DATASOURCE_TYPE.to_owned()),
            object_type: Some("Datasource".to_owned()),
            resource_location: cluster.location.clone(),
            resource_name: cluster.name.clone(),
            resource_type: id::resource_type(&cluster_id),
            resource_uri: Some(cluster_id.clone()),
            resource_id: cluster_id,
            resource_properties: None,
        };
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
                policy_parameters: Some(parameters(snapshots, self.selection)),
            },
            object_type: "BackupInstance".to_owned(),
            ..BackupInstance::default()
        })
    }
}

fn parameters(snapshot_group_id: String, selection: SelectionArgs) -> PolicyParameters {
    let store = AzureOperationalStoreParameters {
        data_store_type: DataStoreType::OperationalStore,
        resource_group_id: Some(snapshot_group_id),
    };
    let kubernetes = KubernetesClusterBackupDatasourceParameters {
        snapshot_volumes: selection.snapshot_volumes,
        included_volume_types: None,
        include_cluster_scope_resources: selection.include_cluster_scope,
        included_namespaces: selection.include_namespaces,
        excluded_namespaces: selection.exclude_namespaces,
        included_resource_types: selection.include_resource_types,
        excluded_resource_types: selection.exclude_resource_types,
        label_selectors: selection.label_selectors,
        backup_hook_references: selection.backup_hooks,
        include_secrets: Some(selection.include_secrets),
    };
    PolicyParameters {
        data_store_parameters_list: Some(vec![
            DataStoreParameters::AzureOperationalStoreParameters(store),
        ]),
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
