//! The arguments that choose objects: the same for a backup, its preview and a restore.

use strongroom_api::instance::KubernetesClusterBackupDatasourceParameters;
use strongroom_api::restore::KubernetesClusterRestoreCriteria;

/// Which objects. What is not given is not changed, so that an existing choice can be narrowed.
#[derive(Debug, Default, clap::Args)]
pub(super) struct SelectionArgs {
    /// Namespaces, separated by commas [default: all; for a backup future ones too]
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
    /// All cluster-scoped resources, or only those that the others need [default: true]
    #[arg(long, value_name = "BOOL")]
    include_cluster_scope: Option<bool>,
    /// Secrets [default: true]
    #[arg(long, value_name = "BOOL")]
    include_secrets: Option<bool>,
}

impl SelectionArgs {
    /// Changes a backup configuration to what was given.
    pub(super) fn change_backup(self, of: &mut KubernetesClusterBackupDatasourceParameters) {
        change(&mut of.included_namespaces, self.include_namespaces);
        change(&mut of.excluded_namespaces, self.exclude_namespaces);
        change(&mut of.included_resource_types, self.include_resource_types);
        change(&mut of.excluded_resource_types, self.exclude_resource_types);
        change(&mut of.label_selectors, self.label_selectors);
        if let Some(given) = self.include_cluster_scope {
            of.include_cluster_scope_resources = given;
        }
        change(&mut of.include_secrets, self.include_secrets);
    }

    /// The criteria of a restore of what was given.
    pub(super) fn restore(self) -> KubernetesClusterRestoreCriteria {
        KubernetesClusterRestoreCriteria {
            include_cluster_scope_resources: self.include_cluster_scope.unwrap_or(true),
            included_namespaces: self.include_namespaces,
            excluded_namespaces: self.exclude_namespaces,
            included_resource_types: self.include_resource_types,
            excluded_resource_types: self.exclude_resource_types,
            label_selectors: self.label_selectors,
            include_secrets: Some(self.include_secrets.unwrap_or(true)),
            ..KubernetesClusterRestoreCriteria::default()
        }
    }
}

fn change<T>(value: &mut Option<T>, given: Option<T>) {
    if given.is_some() {
        *value = given;
    }
}
