//! The published case of provider namespaces and resource types.
//!
//! Contract: a word that is not in the table keeps the case in which it came. Source: the ids in the
//! published examples of each provider's REST API, <https://learn.microsoft.com/rest/api/azure/>.

const WORDS: &[&str] = &[
    "Microsoft.Authorization",
    "Microsoft.ContainerService",
    "Microsoft.DataProtection",
    "Microsoft.Kubernetes",
    "Microsoft.KubernetesConfiguration",
    "Microsoft.Resources",
    "Microsoft.Storage",
    "backupInstances",
    "backupJobs",
    "backupPolicies",
    "backupResourceGuardProxies",
    "backupVaults",
    "blobServices",
    "connectedClusters",
    "containers",
    "deletedBackupInstances",
    "extensions",
    "locations",
    "managedClusters",
    "operationResults",
    "operationStatus",
    "recoveryPoints",
    "resourceGuards",
    "restorableTimeRanges",
    "roleAssignments",
    "roleDefinitions",
    "storageAccounts",
    "trustedAccessRoleBindings",
    "trustedAccessRoles",
];

/// The word in its published case.
pub(super) fn case_of(word: &str) -> String {
    WORDS
        .iter()
        .find(|known| known.eq_ignore_ascii_case(word))
        .map_or(word, |known| *known)
        .to_owned()
}
