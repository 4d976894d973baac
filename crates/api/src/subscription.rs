//! `/subscriptions`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

/// `Subscription`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Subscription {
    /// `/subscriptions/{id}`.
    pub id: Option<String>,
    /// The id alone.
    pub subscription_id: Option<String>,
    /// What people call it.
    pub display_name: Option<String>,
    /// `Enabled`.
    pub state: Option<String>,
    /// The tenant.
    pub tenant_id: Option<String>,
}
