//! *Ours*: service principals, the identities of programs. In Azure they belong to the directory, which
//! has an API of its own; here the server is the directory too.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::arm::Resource;
use crate::secret::Secret;

/// Address of the collection.
pub const COLLECTION: &str = "/providers/Strongroom.Administration/servicePrincipals";

/// A service principal; its name is the client id (`appId`), a GUID.
pub type ServicePrincipalResource = Resource<ServicePrincipal>;

/// What is known of it.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServicePrincipal {
    /// What people call it.
    pub display_name: String,
    /// Read-only: the client id.
    pub app_id: Option<String>,
    /// Read-only: what roles are assigned to.
    pub object_id: Option<String>,
    /// Read-only: the tenant to sign in to.
    pub tenant_id: Option<String>,
    /// Read-only: its secrets, without the secrets themselves.
    pub password_credentials: Option<Vec<PasswordCredential>>,
}

/// A client secret, as it can be shown; names as in Microsoft Graph's `passwordCredential`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PasswordCredential {
    /// Which.
    pub key_id: String,
    /// Its first characters.
    pub hint: String,
    /// Good since.
    pub start_date_time: Timestamp,
    /// Good until.
    pub end_date_time: Timestamp,
}

/// Body of `POST …/servicePrincipals/{id}/resetSecret`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ResetSecretRequest {
    /// Good until; without it for half a year.
    pub end_date_time: Option<Timestamp>,
    /// Whether the other secrets stay good.
    pub keep_others: bool,
}

/// Its answer: the only time that the secret is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewSecret {
    /// Which.
    pub key_id: String,
    /// The secret.
    pub secret_text: Secret,
    /// The client id.
    pub app_id: String,
    /// The tenant to sign in to.
    pub tenant_id: String,
    /// Good until.
    pub end_date_time: Timestamp,
}
