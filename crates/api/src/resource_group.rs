//! `/subscriptions/{id}/resourcegroups`.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::arm::Resource;

/// `ResourceGroup`; clients may leave `properties` out of a PUT.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceGroup {
    /// Read-only.
    pub id: Option<String>,
    /// Read-only.
    pub name: Option<String>,
    /// Read-only: `Microsoft.Resources/resourceGroups`.
    #[serde(rename = "type")]
    pub resource_type: Option<String>,
    /// The region; fixed once set.
    pub location: Option<String>,
    /// The caller's own labels.
    pub tags: Option<std::collections::BTreeMap<String, String>>,
    /// Read-only.
    pub properties: Option<ResourceGroupProperties>,
}

/// `ResourceGroupProperties`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceGroupProperties {
    /// Read-only.
    pub provisioning_state: Option<String>,
}

/// Any resource in a list of a group's resources: no properties.
pub type GenericResource = Resource<Option<serde_json::Value>>;
