//! `{clusterId}/providers/Microsoft.KubernetesConfiguration/extensions/{name}`: installs and
//! removes the backup extension in a cluster.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::arm::Resource;
use crate::error::ErrorBody;

/// The only extension type that is installed.
pub const EXTENSION_TYPE: &str = "microsoft.dataprotection.kubernetes";
/// The name that the published guides give it.
pub const EXTENSION_NAME: &str = "azure-aks-backup";

/// Published configuration setting: the blob container.
pub const SETTING_BLOB_CONTAINER: &str = "blobContainer";
/// Published configuration setting: the storage account's name.
pub const SETTING_STORAGE_ACCOUNT: &str = "storageAccount";
/// Published configuration setting: the storage account's resource group.
pub const SETTING_STORAGE_ACCOUNT_RESOURCE_GROUP: &str = "storageAccountResourceGroup";
/// Published configuration setting: the storage account's subscription.
pub const SETTING_STORAGE_ACCOUNT_SUBSCRIPTION_ID: &str = "storageAccountSubscriptionId";
/// Our configuration setting: how long an application may stand frozen, in seconds.
pub const SETTING_FREEZE_BUDGET_SECONDS: &str = "freezeBudgetSeconds";
/// Our configuration setting: another image than the server's default.
pub const SETTING_IMAGE: &str = "image";

/// `Extension`.
pub type ExtensionResource = Resource<Extension>;

/// `ExtensionProperties`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Extension {
    /// [`EXTENSION_TYPE`], in any case.
    pub extension_type: Option<String>,
    /// Kept as sent.
    pub auto_upgrade_minor_version: Option<bool>,
    /// Kept as sent.
    pub release_train: Option<String>,
    /// Kept as sent.
    pub version: Option<String>,
    /// `{"cluster":{"releaseNamespace":"dataprotection-microsoft"}}`.
    pub scope: Option<ExtensionScope>,
    /// Settings by name: the `SETTING_…` constants.
    pub configuration_settings: Option<BTreeMap<String, String>>,
    /// Write-only; not used, never answered.
    pub configuration_protected_settings: Option<BTreeMap<String, String>>,
    /// Read-only: what runs.
    pub current_version: Option<String>,
    /// Read-only: `Creating`, `Succeeded`, `Failed`, `Deleting`.
    pub provisioning_state: Option<String>,
    /// Read-only: what it says of itself.
    pub statuses: Option<Vec<ExtensionStatus>>,
    /// Read-only: why it does not run.
    pub error_info: Option<ErrorBody>,
}

/// `Scope`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExtensionScope {
    /// For the whole cluster.
    pub cluster: Option<ExtensionScopeCluster>,
}

/// `ScopeCluster`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExtensionScopeCluster {
    /// The namespace it runs in.
    pub release_namespace: Option<String>,
}

/// `ExtensionStatus`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExtensionStatus {
    /// A code.
    pub code: Option<String>,
    /// A few words.
    pub display_status: Option<String>,
    /// `Error`, `Warning` or `Information`.
    pub level: Option<String>,
    /// A sentence.
    pub message: Option<String>,
    /// When it was so.
    pub time: Option<Timestamp>,
}
