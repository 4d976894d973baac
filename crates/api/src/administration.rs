//! *Ours*: provider `Strongroom.Administration`, about the server itself.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::secret::Secret;

/// Address of the action that replaces the administrator's token.
pub const ROTATE_ADMIN_TOKEN: &str = "/providers/Strongroom.Administration/tokens/admin/rotate";

/// Address of what the server knows of whoever asks.
pub const ME: &str = "/providers/Strongroom.Administration/me";

/// Address of the object ids of people and groups of the identity provider.
pub const OBJECT_IDS: &str = "/providers/Strongroom.Administration/objectIds";

/// Address of how people sign in (RFC 9728), which needs no token.
pub const PROTECTED_RESOURCE: &str = "/.well-known/oauth-protected-resource";

/// Answer of `GET …/me`: who asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Me {
    /// What roles are assigned to.
    pub object_id: String,
    /// What people call it.
    pub name: String,
    /// `User`, `Application`, or `Key` for the administrator's token.
    pub kind: String,
    /// The tenant.
    pub tenant_id: String,
    /// Whether it is the administrator, who may do everything.
    pub is_administrator: bool,
    /// The groups that the identity provider says.
    pub groups: Vec<NamedObjectId>,
}

/// Something of the identity provider, as roles are assigned to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NamedObjectId {
    /// What the provider calls it.
    pub name: String,
    /// What roles are assigned to.
    pub object_id: String,
}

/// Body of `POST …/objectIds`: one of the two.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WhoseObjectId {
    /// A person, by what the provider's tokens say for good (`sub`).
    pub user: Option<String>,
    /// A group, by the name that tokens have for it.
    pub group: Option<String>,
}

/// Metadata of a protected resource (RFC 9728), with what a client needs to sign somebody in.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProtectedResource {
    /// This server.
    pub resource: String,
    /// Issuers whose tokens it takes.
    pub authorization_servers: Vec<String>,
    /// How tokens are presented.
    pub bearer_methods_supported: Vec<String>,
    /// How people sign in; absent when they do not.
    pub strongroom_sign_in: Option<SignInWith>,
}

/// How people sign in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SignInWith {
    /// The identity provider.
    pub issuer: String,
    /// The public client to ask as.
    pub client_id: String,
    /// For whom a token must be.
    pub audience: String,
    /// What to ask for.
    pub scope: String,
}

/// Answer of `POST …/tokens/admin/rotate`: the only time that the token is told.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RotatedToken {
    /// The new token; the one that was used is refused from here on.
    pub token: Secret,
    /// Accepted since.
    pub issued_on: Timestamp,
    /// Accepted until; absent = until it is replaced.
    pub expires_on: Option<Timestamp>,
}
