//! The built-in roles: published ids, names, descriptions and actions.
//!
//! Sources: <https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/privileged>,
//! <https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/general> and
//! <https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/storage> (Backup …, Storage …) and
//! <https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/compute> (Disk …, Data Operator …).
//! Actions of providers that are not served here (`Microsoft.RecoveryServices`, `Microsoft.Support`, …) are
//! left out, because nothing could ask for them; so are actions on data (`dataActions`), because the data plane
//! knows credentials of jobs and no people. The roles of disks and of blobs are there all the same, with what is
//! left of them: configurations for AKS backup assign them to the identities of vault, cluster and extension
//! (<https://learn.microsoft.com/azure/backup/azure-kubernetes-service-cluster-backup-concept#required-roles-and-permissions>,
//! <https://registry.terraform.io/providers/hashicorp/azurerm/latest/docs/resources/data_protection_backup_instance_kubernetes_cluster>).
//! What is added or left out beyond that has its reason
//! beside it, and stands in a permission of its own.

use uuid::{Uuid, uuid};

use super::{Permission, RoleDefinition};

/// Everything, rights included.
pub const OWNER: Uuid = uuid!("8e3af657-a8ff-443c-a75c-2fe8c4bcb635");
/// Everything but rights.
pub const CONTRIBUTOR: Uuid = uuid!("b24988ac-6180-42a0-ab88-20f7382dd24c");
/// Reads everything.
pub const READER: Uuid = uuid!("acdd72a7-3385-48ef-bd42-f606fba81ae7");
/// Rights alone.
pub const USER_ACCESS_ADMINISTRATOR: Uuid = uuid!("18d7d88d-d35e-4fb5-a5c3-7773c20a72d9");
/// Manages backups.
pub const BACKUP_CONTRIBUTOR: Uuid = uuid!("5e467623-bb1f-42f4-a55d-6e525e11384b");
/// Backs up and restores.
pub const BACKUP_OPERATOR: Uuid = uuid!("00c29273-979b-4161-815c-10b084fb9324");
/// Looks at backups.
pub const BACKUP_READER: Uuid = uuid!("a795c7a0-d4a2-40c1-ae25-d81f01202912");

/// Makes resource guards and links vaults to them.
pub const BACKUP_MUA_ADMIN: Uuid = uuid!("c2a970b4-16a7-4a51-8c84-8a8ea6ee0bb8");
/// Approves critical operations.
pub const BACKUP_MUA_OPERATOR: Uuid = uuid!("f54b6d04-23c6-443e-b462-9c16ab7b4a52");

/// Manages storage accounts.
pub const STORAGE_ACCOUNT_CONTRIBUTOR: Uuid = uuid!("17d1049b-9a84-46fb-8f53-869881c3d3ab");
/// Reads and writes what is in blob containers.
pub const STORAGE_BLOB_DATA_CONTRIBUTOR: Uuid = uuid!("ba92f5b4-2d11-453d-a403-e96b0029c9fe");
/// Manages disk snapshots.
pub const DISK_SNAPSHOT_CONTRIBUTOR: Uuid = uuid!("7efff54f-a5b4-42b5-a1c5-5411624893ce");
/// Reads and writes what is on disks.
pub const DATA_OPERATOR_FOR_MANAGED_DISKS: Uuid = uuid!("959f8984-c045-4866-89c7-12bf9737be2e");

const fn of(actions: &'static [&'static str]) -> Permission {
    Permission {
        actions,
        not_actions: &[],
    }
}

/// All of them.
pub const DEFINITIONS: &[RoleDefinition] = &[
    RoleDefinition {
        id: OWNER,
        name: "Owner",
        description: "Grants full access to manage all resources, including the ability to assign roles in Azure RBAC.",
        permissions: &[of(&["*"])],
    },
    RoleDefinition {
        id: CONTRIBUTOR,
        name: "Contributor",
        description: "Grants full access to manage all resources, but does not allow you to assign roles in Azure RBAC, manage assignments in Azure Blueprints, or share image galleries.",
        permissions: &[Permission {
            actions: &["*"],
            not_actions: &[
                "Microsoft.Authorization/*/Delete",
                "Microsoft.Authorization/*/Write",
                "Microsoft.Authorization/elevateAccess/Action",
                // Ours: who may give a service principal a new secret has every right that it has, and in
                // Azure that is no matter of this role but of the directory.
                "Strongroom.Administration/*/write",
                "Strongroom.Administration/*/delete",
                "Strongroom.Administration/*/action",
            ],
        }],
    },
    RoleDefinition {
        id: READER,
        name: "Reader",
        description: "View all resources, but does not allow you to make any changes.",
        permissions: &[of(&["*/read"])],
    },
    RoleDefinition {
        id: USER_ACCESS_ADMINISTRATOR,
        name: "User Access Administrator",
        description: "Lets you manage user access to Azure resources.",
        permissions: &[of(&["*/read", "Microsoft.Authorization/*"])],
    },
    RoleDefinition {
        id: BACKUP_CONTRIBUTOR,
        name: "Backup Contributor",
        description: "Lets you manage backups, but can't delete vaults and give access to others",
        permissions: &[of(CONTRIBUTOR_PUBLISHED), of(CONTRIBUTOR_ADDED)],
    },
    RoleDefinition {
        id: BACKUP_OPERATOR,
        name: "Backup Operator",
        description: "Lets you manage backup services, except removal of backup, vault creation and giving access to others",
        permissions: &[of(OPERATOR_PUBLISHED), of(OPERATOR_ADDED)],
    },
    RoleDefinition {
        id: BACKUP_READER,
        name: "Backup Reader",
        description: "Can view backup services, but can't make changes",
        permissions: &[of(READER_PUBLISHED), of(READER_ADDED)],
    },
    RoleDefinition {
        id: BACKUP_MUA_ADMIN,
        name: "Backup MUA Admin",
        description: "Backup MultiUser-Authorization. Can create/delete ResourceGuard",
        permissions: &[of(MUA_ADMIN_PUBLISHED), of(MUA_ADMIN_ADDED)],
    },
    RoleDefinition {
        id: BACKUP_MUA_OPERATOR,
        name: "Backup MUA Operator",
        description: "Backup MultiUser-Authorization. Allows user to perform critical operation protected by resourceguard",
        permissions: &[of(&[
            "Microsoft.Authorization/*/read",
            "Microsoft.DataProtection/*/action",
            "Microsoft.DataProtection/*/read",
        ])],
    },
    RoleDefinition {
        id: STORAGE_ACCOUNT_CONTRIBUTOR,
        name: "Storage Account Contributor",
        description: "Lets you manage storage accounts, including accessing storage account keys which provide full access to storage account data.",
        permissions: &[of(&[
            "Microsoft.Authorization/*/read",
            "Microsoft.Resources/deployments/*",
            "Microsoft.Resources/subscriptions/resourceGroups/read",
            "Microsoft.Storage/storageAccounts/*",
        ])],
    },
    RoleDefinition {
        id: STORAGE_BLOB_DATA_CONTRIBUTOR,
        name: "Storage Blob Data Contributor",
        description: "Allows for read, write and delete access to Azure Storage blob containers and data",
        permissions: &[of(&[
            "Microsoft.Storage/storageAccounts/blobServices/containers/delete",
            "Microsoft.Storage/storageAccounts/blobServices/containers/read",
            "Microsoft.Storage/storageAccounts/blobServices/containers/write",
            "Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action",
        ])],
    },
    RoleDefinition {
        id: DISK_SNAPSHOT_CONTRIBUTOR,
        name: "Disk Snapshot Contributor",
        description: "Provides permission to backup vault to manage disk snapshots.",
        permissions: &[of(&[
            "Microsoft.Authorization/*/read",
            "Microsoft.Resources/subscriptions/resourceGroups/read",
            "Microsoft.Storage/storageAccounts/listkeys/action",
            "Microsoft.Storage/storageAccounts/write",
            "Microsoft.Storage/storageAccounts/read",
            "Microsoft.Storage/storageAccounts/delete",
        ])],
    },
    RoleDefinition {
        id: DATA_OPERATOR_FOR_MANAGED_DISKS,
        name: "Data Operator for Managed Disks",
        description: "Provides permissions to upload data to empty managed disks, read, or export data of managed disks (not attached to running VMs) and snapshots using SAS URIs and Azure AD authentication.",
        // All of its actions are on data.
        permissions: &[],
    },
];

const MUA_ADMIN_PUBLISHED: &[&str] = &[
    "Microsoft.Authorization/*/read",
    "Microsoft.DataProtection/*/read",
    "Microsoft.DataProtection/*/resourceGuards/write",
    "Microsoft.DataProtection/backupVaults/backupResourceGuardProxies/read",
    "Microsoft.DataProtection/backupVaults/backupResourceGuardProxies/write",
    "Microsoft.DataProtection/backupVaults/backupResourceGuardProxies/delete",
    "Microsoft.DataProtection/backupVaults/backupResourceGuardProxies/unlockDelete/action",
];

/// Published actions of a guard have the names `Microsoft.DataProtection/subscriptions/resourceGroups/resourceGuards/…`,
/// which the pattern above is for; ours are `Microsoft.DataProtection/resourceGuards/…`, as those of all other
/// types. The role's own words say "delete" too.
const MUA_ADMIN_ADDED: &[&str] = &[
    "Microsoft.DataProtection/resourceGuards/write",
    "Microsoft.DataProtection/resourceGuards/delete",
];

const CONTRIBUTOR_PUBLISHED: &[&str] = &[
    "Microsoft.Authorization/*/read",
    "Microsoft.Resources/deployments/*",
    "Microsoft.Resources/subscriptions/resourceGroups/read",
    "Microsoft.Storage/storageAccounts/read",
    "Microsoft.DataProtection/locations/getBackupStatus/action",
    "Microsoft.DataProtection/backupVaults/backupInstances/write",
    "Microsoft.DataProtection/backupVaults/backupInstances/delete",
    "Microsoft.DataProtection/backupVaults/backupInstances/read",
    "Microsoft.DataProtection/backupVaults/deletedBackupInstances/read",
    "Microsoft.DataProtection/backupVaults/deletedBackupInstances/undelete/action",
    "Microsoft.DataProtection/backupVaults/backupInstances/backup/action",
    "Microsoft.DataProtection/backupVaults/backupInstances/validateRestore/action",
    "Microsoft.DataProtection/backupVaults/backupInstances/restore/action",
    "Microsoft.DataProtection/subscriptions/resourceGroups/providers/locations/crossRegionRestore/action",
    "Microsoft.DataProtection/subscriptions/resourceGroups/providers/locations/validateCrossRegionRestore/action",
    "Microsoft.DataProtection/subscriptions/resourceGroups/providers/locations/fetchCrossRegionRestoreJobs/action",
    "Microsoft.DataProtection/subscriptions/resourceGroups/providers/locations/fetchCrossRegionRestoreJob/action",
    "Microsoft.DataProtection/subscriptions/resourceGroups/providers/locations/fetchSecondaryRecoveryPoints/action",
    "Microsoft.DataProtection/backupVaults/backupPolicies/write",
    "Microsoft.DataProtection/backupVaults/backupPolicies/delete",
    "Microsoft.DataProtection/backupVaults/backupPolicies/read",
    "Microsoft.DataProtection/backupVaults/backupInstances/recoveryPoints/read",
    "Microsoft.DataProtection/backupVaults/backupInstances/findRestorableTimeRanges/action",
    "Microsoft.DataProtection/backupVaults/write",
    "Microsoft.DataProtection/backupVaults/read",
    "Microsoft.DataProtection/backupVaults/operationResults/read",
    "Microsoft.DataProtection/backupVaults/operationStatus/read",
    "Microsoft.DataProtection/locations/checkNameAvailability/action",
    "Microsoft.DataProtection/locations/checkFeatureSupport/action",
    "Microsoft.DataProtection/locations/operationStatus/read",
    "Microsoft.DataProtection/locations/operationResults/read",
    "Microsoft.DataProtection/backupVaults/validateForBackup/action",
    "Microsoft.DataProtection/operations/read",
];

/// The published list has no word for what came to the contract after it (stop, suspend and resume of
/// protection, jobs of `Microsoft.DataProtection`) nor for what is ours (previews, verification, missing roles). All of it
/// is managing backups, which is what the role is for.
const CONTRIBUTOR_ADDED: &[&str] = &[
    "Microsoft.DataProtection/backupInstances/read",
    "Microsoft.DataProtection/backupVaults/backupJobs/*",
    "Microsoft.DataProtection/backupVaults/exportBackupJobs/action",
    "Microsoft.DataProtection/backupVaults/previewBackup/action",
    "Microsoft.DataProtection/backupVaults/assignMissingRoles/action",
    "Microsoft.DataProtection/backupVaults/backupInstances/assignMissingRoles/action",
    "Microsoft.DataProtection/backupVaults/backupInstances/recoveryPoints/verify/action",
    "Microsoft.DataProtection/backupVaults/backupInstances/rehydrate/action",
    "Microsoft.DataProtection/backupVaults/backupInstances/resumeBackups/action",
    "Microsoft.DataProtection/backupVaults/backupInstances/resumeProtection/action",
    "Microsoft.DataProtection/backupVaults/backupInstances/stopProtection/action",
    "Microsoft.DataProtection/backupVaults/backupInstances/suspendBackups/action",
    "Microsoft.DataProtection/backupVaults/backupInstances/sync/action",
    "Microsoft.DataProtection/backupVaults/backupInstances/validateForBackup/action",
    "Microsoft.DataProtection/backupVaults/backupInstances/validateForModifyBackup/action",
];

const OPERATOR_PUBLISHED: &[&str] = &[
    "Microsoft.Authorization/*/read",
    "Microsoft.Resources/deployments/*",
    "Microsoft.Resources/subscriptions/resourceGroups/read",
    "Microsoft.Storage/storageAccounts/read",
    "Microsoft.DataProtection/backupVaults/backupInstances/read",
    "Microsoft.DataProtection/backupVaults/deletedBackupInstances/read",
    "Microsoft.DataProtection/backupVaults/backupPolicies/read",
    "Microsoft.DataProtection/backupVaults/backupInstances/recoveryPoints/read",
    "Microsoft.DataProtection/backupVaults/backupInstances/findRestorableTimeRanges/action",
    "Microsoft.DataProtection/backupVaults/read",
    "Microsoft.DataProtection/backupVaults/operationResults/read",
    "Microsoft.DataProtection/backupVaults/operationStatus/read",
    "Microsoft.DataProtection/locations/operationStatus/read",
    "Microsoft.DataProtection/locations/operationResults/read",
    "Microsoft.DataProtection/operations/read",
    "Microsoft.DataProtection/backupVaults/validateForBackup/action",
    "Microsoft.DataProtection/backupVaults/backupInstances/backup/action",
    "Microsoft.DataProtection/backupVaults/backupInstances/validateRestore/action",
    "Microsoft.DataProtection/backupVaults/backupInstances/restore/action",
    "Microsoft.DataProtection/subscriptions/resourceGroups/providers/locations/crossRegionRestore/action",
    "Microsoft.DataProtection/subscriptions/resourceGroups/providers/locations/validateCrossRegionRestore/action",
    "Microsoft.DataProtection/subscriptions/resourceGroups/providers/locations/fetchCrossRegionRestoreJobs/action",
    "Microsoft.DataProtection/subscriptions/resourceGroups/providers/locations/fetchCrossRegionRestoreJob/action",
    "Microsoft.DataProtection/subscriptions/resourceGroups/providers/locations/fetchSecondaryRecoveryPoints/action",
    "Microsoft.DataProtection/locations/checkFeatureSupport/action",
];

/// As of the contributor, as far as it changes neither what is protected nor how: an operator sees and
/// cancels the jobs that an operator starts, and may not stop protection.
const OPERATOR_ADDED: &[&str] = &[
    "Microsoft.DataProtection/backupInstances/read",
    "Microsoft.DataProtection/backupVaults/backupJobs/*",
    "Microsoft.DataProtection/backupVaults/exportBackupJobs/action",
    "Microsoft.DataProtection/backupVaults/previewBackup/action",
    "Microsoft.DataProtection/backupVaults/backupInstances/recoveryPoints/verify/action",
    "Microsoft.DataProtection/backupVaults/backupInstances/rehydrate/action",
    "Microsoft.DataProtection/backupVaults/backupInstances/validateForBackup/action",
];

/// The published list has `backupInstances/write`, `backup/action` and `restore/action` too, against the
/// role's own words ("can't make changes"). Whoever is given a reader's role counts on those words, and a
/// restore can overwrite what runs: the three are left out.
const READER_PUBLISHED: &[&str] = &[
    "Microsoft.Authorization/*/read",
    "Microsoft.DataProtection/locations/getBackupStatus/action",
    "Microsoft.DataProtection/backupVaults/backupInstances/read",
    "Microsoft.DataProtection/backupVaults/deletedBackupInstances/read",
    "Microsoft.DataProtection/backupVaults/backupInstances/validateRestore/action",
    "Microsoft.DataProtection/backupVaults/backupPolicies/read",
    "Microsoft.DataProtection/backupVaults/backupInstances/recoveryPoints/read",
    "Microsoft.DataProtection/backupVaults/backupInstances/findRestorableTimeRanges/action",
    "Microsoft.DataProtection/backupVaults/read",
    "Microsoft.DataProtection/backupVaults/operationResults/read",
    "Microsoft.DataProtection/backupVaults/operationStatus/read",
    "Microsoft.DataProtection/locations/operationStatus/read",
    "Microsoft.DataProtection/locations/operationResults/read",
    "Microsoft.DataProtection/backupVaults/validateForBackup/action",
    "Microsoft.DataProtection/operations/read",
    "Microsoft.DataProtection/subscriptions/resourceGroups/providers/locations/fetchCrossRegionRestoreJobs/action",
    "Microsoft.DataProtection/subscriptions/resourceGroups/providers/locations/fetchCrossRegionRestoreJob/action",
    "Microsoft.DataProtection/subscriptions/resourceGroups/providers/locations/fetchSecondaryRecoveryPoints/action",
    "Microsoft.DataProtection/locations/checkFeatureSupport/action",
];

/// As of the contributor, as far as it only reads.
const READER_ADDED: &[&str] = &[
    "Microsoft.DataProtection/backupInstances/read",
    "Microsoft.DataProtection/backupVaults/backupJobs/read",
    "Microsoft.DataProtection/backupVaults/backupJobs/operations/read",
    "Microsoft.DataProtection/backupVaults/exportBackupJobs/action",
    "Microsoft.DataProtection/backupVaults/backupInstances/validateForBackup/action",
];
