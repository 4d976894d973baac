//! `/subscriptions/{id}/resourcegroups`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

/// `ResourceGroup`; clients may leave `properties` out of a PUT.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    pub tags: Option<BTreeMap<String, String>>,
    /// What the group is.
    pub properties: Option<ResourceGroupProperties>,
}

/// `ResourceGroupProperties`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceGroupProperties {
    /// Read-only.
    pub provisioning_state: Option<String>,
    /// Ours: with which parameters the snapshots of backup instances are taken whose snapshot resource group
    /// this is. Absent in a PUT means unchanged, so that a client that does not know it does not lose it.
    pub snapshot_classes: Option<Vec<SnapshotClass>>,
}

/// Ours: the parameters of a CSI driver's snapshots.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotClass {
    /// The driver, as in `disk.csi.azure.com`.
    pub driver: String,
    /// The parameters, as the driver understands them.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// The cluster's VolumeGroupSnapshotClass by which several volumes are snapshotted at one instant.
    pub group_class: Option<String>,
}

/// `ResourceGroupPatchable`: what it leaves out stays.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceGroupPatch {
    /// The caller's own labels, all of them.
    pub tags: Option<BTreeMap<String, String>>,
    /// What the group is.
    pub properties: Option<ResourceGroupProperties>,
}

/// Any resource in a list of a group's resources: no properties.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GenericResource {
    /// Its id.
    pub id: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// Its type.
    #[serde(rename = "type")]
    pub resource_type: Option<String>,
    /// Its region.
    pub location: Option<String>,
    /// The caller's own labels.
    pub tags: Option<BTreeMap<String, String>>,
}
