//! What every Azure Resource Manager resource has around its own properties.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::identity::Identity;

/// A resource: the envelope of ARM around the properties `P` of the provider.
///
/// `id`, `name`, `type` and `systemData` are set by the server and ignored in requests.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "{P}Resource")]
pub struct Resource<P> {
    /// The full resource id, in the published case.
    pub id: Option<String>,
    /// The last segment of the id.
    pub name: Option<String>,
    /// For example `Microsoft.DataProtection/backupVaults`.
    #[serde(rename = "type")]
    pub resource_type: Option<String>,
    /// The region; only tracked resources have one.
    pub location: Option<String>,
    /// The caller's own labels; only tracked resources have them.
    pub tags: Option<BTreeMap<String, String>>,
    /// Changes with each write. The published name has this capital letter.
    #[serde(rename = "eTag")]
    pub e_tag: Option<String>,
    /// The variant of a resource type, for example `StorageV2` of a storage account.
    pub kind: Option<String>,
    /// The size or redundancy class, for example `{"name":"Standard_LRS"}`.
    pub sku: Option<serde_json::Value>,
    /// The managed identity of a vault, cluster or extension.
    pub identity: Option<Identity>,
    /// Who wrote it and when.
    pub system_data: Option<SystemData>,
    /// What the provider says of it.
    pub properties: P,
}

impl<P> Resource<P> {
    /// A request body: the properties alone.
    pub fn of(properties: P) -> Self {
        Self {
            id: None,
            name: None,
            resource_type: None,
            location: None,
            tags: None,
            e_tag: None,
            kind: None,
            sku: None,
            identity: None,
            system_data: None,
            properties,
        }
    }

    /// The same envelope around other properties.
    pub fn map<Q>(self, change: impl FnOnce(P) -> Q) -> Resource<Q> {
        Resource {
            id: self.id,
            name: self.name,
            resource_type: self.resource_type,
            location: self.location,
            tags: self.tags,
            e_tag: self.e_tag,
            kind: self.kind,
            sku: self.sku,
            identity: self.identity,
            system_data: self.system_data,
            properties: change(self.properties),
        }
    }
}

/// Who created and who last changed a resource.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SystemData {
    /// The identity that created the resource.
    pub created_by: Option<String>,
    /// `User`, `Application`, `ManagedIdentity` or `Key`.
    pub created_by_type: Option<String>,
    /// When it was created.
    pub created_at: Option<Timestamp>,
    /// The identity that last changed it.
    pub last_modified_by: Option<String>,
    /// `User`, `Application`, `ManagedIdentity` or `Key`.
    pub last_modified_by_type: Option<String>,
    /// When it was last changed.
    pub last_modified_at: Option<Timestamp>,
}
