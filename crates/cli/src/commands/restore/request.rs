//! What `validate` and `start` share: the arguments that describe a restore.

use std::collections::BTreeMap;

use strongroom_api::client::id;
use strongroom_api::instance::{Datasource, NamespacedNameResource};
use strongroom_api::restore::{
    ConflictPolicy, ItemLevelRestoreTargetInfo, KubernetesClusterRestoreCriteria,
    KubernetesPvRestoreCriteria, PersistentVolumeRestoreMode, RecoveryPointBasedRestoreRequest,
    RestoreCriteria, RestoreRequest, RestoreTarget, SourceDataStoreType,
};

use crate::commands::instance::{datasource, namespaced};
use crate::commands::recovery_point;
use crate::commands::selection::SelectionArgs;
use crate::error::CliError;
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub(super) struct RequestArgs {
    /// Instance: name or id
    pub(super) instance: String,
    /// Vault: name or id
    #[arg(long, env = "STRONGROOM_VAULT", hide_env_values = true)]
    pub(super) vault: String,
    /// Recovery point: id, or latest
    #[arg(long, value_name = "ID")]
    recovery_point: String,
    /// Cluster to restore to: name or id [default: the one that was backed up]
    #[arg(long, value_name = "CLUSTER")]
    target_cluster: Option<String>,
    /// What to do with what exists already
    #[arg(long, value_enum, default_value_t)]
    conflict_policy: Conflict,
    /// Restore namespace OLD as NEW; may be repeated
    #[arg(long = "namespace-mapping", value_name = "OLD=NEW", value_delimiter = ',', value_parser = super::super::key_value)]
    namespace_mappings: Vec<(String, String)>,
    #[command(flatten)]
    restored: RestoredArgs,
}

/// What is restored.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "What is restored")]
struct RestoredArgs {
    #[command(flatten)]
    selection: SelectionArgs,
    /// Volumes with or without their data [default: with-data]
    #[arg(long, value_enum, value_name = "MODE")]
    volumes: Option<Volumes>,
    /// Data of this claim only, as NAMESPACE/CLAIM or CLAIM, with its new storage class after `=`; may be repeated
    #[arg(long = "volume", value_name = "CLAIM[=CLASS]", value_parser = claim)]
    claims: Vec<KubernetesPvRestoreCriteria>,
    /// Volumes of storage class OLD become NEW; may be repeated
    #[arg(long = "storage-class-mapping", value_name = "OLD=NEW", value_delimiter = ',', value_parser = super::super::key_value)]
    class_mappings: Vec<(String, String)>,
    /// Size of a volume, as NAMESPACE/CLAIM=20Gi; may be repeated
    #[arg(long = "volume-size", value_name = "CLAIM=SIZE", value_delimiter = ',', value_parser = super::super::key_value)]
    volume_sizes: Vec<(String, String)>,
    /// RestoreHook to run, as NAMESPACE/NAME; may be repeated
    #[arg(long = "restore-hook", value_name = "NAMESPACE/NAME", value_parser = namespaced)]
    restore_hooks: Option<Vec<NamespacedNameResource>>,
    /// ConfigMap with resource modifier rules, as NAMESPACE/NAME
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = namespaced)]
    resource_modifier: Option<NamespacedNameResource>,
}

#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
enum Conflict {
    /// Leave it as it is
    #[default]
    Skip,
    /// Change it to what was backed up
    Patch,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Volumes {
    /// Volumes and what was on them
    WithData,
    /// Claims alone
    WithoutData,
}

impl RequestArgs {
    /// The restore as it is sent.
    pub(super) async fn request(self, session: &Session<'_>) -> Result<RestoreRequest, CliError> {
        let client = session.client()?;
        let vault_id = session.vault_id(&self.vault)?;
        let instance_id = session.vault_child(&self.vault, "backupInstances", &self.instance)?;
        let instance = client
            .instances(&vault_id)
            .get(id::name(&instance_id))
            .await?;
        let source = instance.properties.data_source_info;
        let target = match &self.target_cluster {
            None => source.clone(),
            Some(cluster) => Datasource {
                datasource_type: source.datasource_type.clone(),
                ..datasource(session, cluster).await?
            },
        };
        let recovery_point_id =
            recovery_point::named(session, &instance_id, &self.recovery_point).await?;
        let restore_location = target
            .resource_location
            .clone()
            .or(source.resource_location);
        let mut restore_criteria: Vec<RestoreCriteria> = Vec::new();
        let claims = self.restored.claims.clone();
        let criteria = self
            .restored
            .criteria(self.conflict_policy, self.namespace_mappings);
        restore_criteria.push(RestoreCriteria::KubernetesClusterRestoreCriteria(criteria));
        let claims = claims.into_iter();
        restore_criteria.extend(claims.map(RestoreCriteria::KubernetesPVRestoreCriteria));
        let set = Datasource {
            object_type: Some("DatasourceSet".to_owned()),
            ..target.clone()
        };
        Ok(RestoreRequest::AzureBackupRecoveryPointBasedRestoreRequest(
            RecoveryPointBasedRestoreRequest {
                recovery_point_id,
                restore_target_info: RestoreTarget::ItemLevelRestoreTargetInfo(
                    ItemLevelRestoreTargetInfo {
                        restore_criteria,
                        datasource_info: target,
                        datasource_set_info: Some(set),
                        datasource_auth_credentials: None,
                        recovery_option: "FailIfExists".to_owned(),
                        restore_location,
                    },
                ),
                source_data_store_type: SourceDataStoreType::OperationalStore,
                source_resource_id: Some(source.resource_id),
                resource_guard_operation_requests: None,
                identity_details: None,
                plan_digest: None,
            },
        ))
    }
}

impl RestoredArgs {
    fn criteria(
        self,
        conflict: Conflict,
        mappings: Vec<(String, String)>,
    ) -> KubernetesClusterRestoreCriteria {
        KubernetesClusterRestoreCriteria {
            persistent_volume_restore_mode: self.volumes.map(|mode| match mode {
                Volumes::WithData => PersistentVolumeRestoreMode::RestoreWithVolumeData,
                Volumes::WithoutData => PersistentVolumeRestoreMode::RestoreWithoutVolumeData,
            }),
            conflict_policy: Some(match conflict {
                Conflict::Skip => ConflictPolicy::Skip,
                Conflict::Patch => ConflictPolicy::Patch,
            }),
            namespace_mappings: named(mappings),
            storage_class_mappings: named(self.class_mappings),
            volume_sizes: named(self.volume_sizes),
            restore_hook_references: self.restore_hooks,
            resource_modifier_reference: self.resource_modifier,
            ..self.selection.restore()
        }
    }
}

/// Pairs as a map; none when there are none.
fn named(pairs: Vec<(String, String)>) -> Option<BTreeMap<String, String>> {
    (!pairs.is_empty()).then(|| pairs.into_iter().collect())
}

/// `[NAMESPACE/]CLAIM[=CLASS]`.
fn claim(text: &str) -> Result<KubernetesPvRestoreCriteria, String> {
    let (claim, class) = match text.split_once('=') {
        Some((claim, class)) => (claim, Some(class)),
        None => (text, None),
    };
    let (namespace, name) = match claim.split_once('/') {
        Some((namespace, name)) => (Some(namespace), name),
        None => (None, claim),
    };
    let parts = [Some(name), namespace, class];
    if parts
        .into_iter()
        .flatten()
        .any(|part| part.is_empty() || part.contains('/'))
    {
        return Err("expected [NAMESPACE/]CLAIM[=CLASS]".to_owned());
    }
    Ok(KubernetesPvRestoreCriteria {
        name: Some(name.to_owned()),
        storage_class_name: class.map(str::to_owned),
        namespace: namespace.map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_named_with_or_without_its_namespace_and_class() {
        let read = |text: &str| {
            let read = claim(text).ok()?;
            Some((read.namespace, read.name?, read.storage_class_name))
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(read("data"), Some((None, "data".to_owned(), None)));
        let all = Some((some("shop"), "data".to_owned(), some("fast")));
        assert_eq!(read("shop/data=fast"), all);
        for bad in ["", "/data", "shop/", "shop/data=", "a/b/c"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
