//! The list of codes, each with its class and its page.
//!
//! Contract: alphabetical; one line for each code, one file `codes/<Code>.md` for each line.

use super::Class;

macro_rules! catalogue {
    ($($code:ident: $class:ident,)+) => {
        /// A code of the catalogue. The variants are documented by their pages: see [`Code::page`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $(#[doc = include_str!(concat!("codes/", stringify!($code), ".md"))] $code,)+
        }

        impl Code {
            /// Every code, alphabetically.
            pub const ALL: &'static [Self] = &[$(Self::$code,)+];

            /// The code as it appears on every surface.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$code => stringify!($code),)+ }
            }

            /// What the reader must do.
            #[must_use]
            pub const fn class(self) -> Class {
                match self { $(Self::$code => Class::$class,)+ }
            }

            /// The Markdown of the code's page.
            #[must_use]
            pub const fn source(self) -> &'static str {
                match self { $(Self::$code => include_str!(concat!("codes/", stringify!($code), ".md")),)+ }
            }

            /// The code of this name, in any case; codes of foreign surfaces give `None`.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|code| code.as_str().eq_ignore_ascii_case(text))
            }
        }
    };
}

catalogue! {
    AdmissionRefused: Denied,
    AdmissionWebhookUnavailable: NotReady,
    ApiGroupUnavailable: NotReady,
    AuditLogBroken: Corrupt,
    AuthenticationFailed: Denied,
    AuthorizationFailed: Denied,
    BackupHookFailed: Conflict,
    BackupHookMatchesNothing: NotFound,
    BackupHookThawFailed: Conflict,
    BackupStorageLocationFull: NotReady,
    CatalogueRestored: Conflict,
    ClusterAssignedValueTaken: Conflict,
    ClusterLostDuringJob: NotReady,
    Conflict: Conflict,
    ExpiredAuthenticationToken: Denied,
    FinishedJobStatusRefused: NotReady,
    FreezeBudgetExceeded: NotReady,
    InternalServerError: Internal,
    InvalidApiVersionParameter: Invalid,
    InvalidAuthenticationToken: Denied,
    InvalidContentType: Invalid,
    InvalidQueryParameterValue: Invalid,
    InvalidRequestContent: Invalid,
    InvalidResourceId: Invalid,
    InvalidResourceLocation: Invalid,
    InvalidResourceName: Invalid,
    InvalidResourceType: Invalid,
    JobDeadlineExceeded: NotReady,
    JobSecretsUnreadable: Conflict,
    KubernetesBackupCustomResourcesTrackingTimeOutError: NotReady,
    KubernetesBackupGenericWarning: NotReady,
    KubernetesBackupListExtensionsError: Denied,
    LinkedAuthorizationFailed: Denied,
    MethodNotAllowed: Invalid,
    MissingApiVersionParameter: Invalid,
    NamespaceTerminating: Conflict,
    NotFound: NotFound,
    ObjectChangedByAdmission: Conflict,
    ObjectExistsAndDiffers: Conflict,
    ObjectInvalidInTarget: Invalid,
    ObjectTerminating: Conflict,
    ObjectTooLarge: Invalid,
    OperationCancelled: Conflict,
    OperationNotFound: NotFound,
    OwnerNotRestored: NotFound,
    PreconditionFailed: Conflict,
    PropertyChangeNotAllowed: Conflict,
    QuotaExceeded: Conflict,
    RecoveryPointCorrupt: Corrupt,
    RecoveryPointSmeared: Busy,
    ReferencedClassMissing: NotFound,
    RepositoryBelongsToAnother: Conflict,
    RepositoryFormatNotSupported: Invalid,
    RequestEntityTooLarge: Invalid,
    ResourceGroupNotFound: NotFound,
    ResourceInUse: Conflict,
    ResourceModifierNotSupported: Invalid,
    ResourceNotFound: NotFound,
    ResourceTypeFilterMatchesNothing: NotFound,
    ResourceTypeNotServed: NotFound,
    ResourceTypeRemovedDuringBackup: Conflict,
    RestoreHookFailed: Conflict,
    RestoreHookMatchesNothing: NotFound,
    RoleAssignmentExists: Conflict,
    RoleAssignmentLimitExceeded: Conflict,
    RoleAssignmentUpdateNotPermitted: Conflict,
    RoleDefinitionDoesNotExist: Invalid,
    SelectionTakesNothing: NotFound,
    ServiceUnavailable: Busy,
    StorageClassOfAnotherDriver: Conflict,
    SubscriptionNotFound: NotFound,
    TooManyNeededObjects: NotReady,
    TooManyRequests: Busy,
    UnfinishedRunStartsOver: Conflict,
    UnknownObjectType: Invalid,
    UserErrorBackupFailedBackupStorageLocationReadOnly: Denied,
    UserErrorBackupHookNotFound: NotFound,
    UserErrorBackupInstanceAlreadyExists: Conflict,
    UserErrorBackupPluginPodRestartedDuringBackup: NotReady,
    UserErrorBackupPluginPodRestartedDuringRestore: NotReady,
    UserErrorBackupStorageLocationNotReady: NotReady,
    UserErrorClusterAuthenticationFailed: Denied,
    UserErrorClusterCertificateNotTrusted: Denied,
    UserErrorClusterPermissionMissing: Denied,
    UserErrorClusterUnreachable: NotReady,
    UserErrorCrossRegionRestoreNotEnabled: Conflict,
    UserErrorDefaultRetentionRuleMissing: Invalid,
    UserErrorDeleteBackupFailedBackupStorageLocationReadOnly: Denied,
    UserErrorExtensionMSIMissingPermissionsOnBackupStorageLocation: Denied,
    UserErrorInvalidBackupHook: Invalid,
    UserErrorInvalidBackupPolicy: Invalid,
    UserErrorInvalidKubeconfig: Invalid,
    UserErrorInvalidLabelSelector: Invalid,
    UserErrorInvalidNamespaceFilter: Invalid,
    UserErrorInvalidNamespaceMapping: Invalid,
    UserErrorInvalidResourceTypeFilter: Invalid,
    UserErrorInvalidRestoreHook: Invalid,
    UserErrorInvalidRestoreTarget: Invalid,
    UserErrorInvalidRetentionDuration: Invalid,
    UserErrorInvalidScheduleInterval: Invalid,
    UserErrorInvalidStorageAccount: Invalid,
    UserErrorJobAlreadyInProgress: Conflict,
    UserErrorJobCannotBeCancelled: Conflict,
    UserErrorKubeconfigOfAnotherCluster: Conflict,
    UserErrorKubernetesBackupExtensionHasErrors: NotReady,
    UserErrorKubernetesBackupExtensionNotFoundError: NotReady,
    UserErrorKubernetesBackupExtensionUnhealthy: NotReady,
    UserErrorNamespaceNotFound: NotFound,
    UserErrorNoDefaultBackupStorageLocationFound: NotFound,
    UserErrorNotSupportedForDatasource: Invalid,
    UserErrorOperationDeniedOnImmutableItem: Conflict,
    UserErrorPVCHasNoVolume: NotReady,
    UserErrorPVCNotBoundToVolume: NotReady,
    UserErrorPVNotFound: NotFound,
    UserErrorProtectionNotConfigured: Conflict,
    UserErrorRecoveryPointNotFound: NotFound,
    UserErrorRestoreHookNotFound: NotFound,
    UserErrorRestorePlanChanged: Conflict,
    UserErrorRetentionTagNotInPolicy: Invalid,
    UserErrorSoftDeletedResourceExists: Conflict,
    UserErrorSourceandTargetClusterCRDVersionMismatch: NotFound,
    UserErrorStorageClassMissingForPVC: NotFound,
    UserErrorTrustedAccessMissing: Denied,
    UserErrorUnsupportedVaultImmutabilityStateChange: Conflict,
    VolumeDataNotProtected: NotReady,
    VolumeDriverMissing: NotFound,
    VolumeGroupSnapshotFailed: NotReady,
    VolumeNotProvisioned: NotReady,
    VolumeSizeRaised: Conflict,
    VolumeSnapshotClassMissing: NotReady,
    VolumeSnapshotFailed: NotReady,
    VolumeSnapshotNotReady: NotReady,
    VolumeSnapshotNotRemoved: NotReady,
    VolumeSnapshotNotUsable: NotFound,
}
