//! *Ours*: provider `Strongroom.Administration`, about the server itself.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::secret::Secret;

/// Address of the action that replaces the administrator's token.
pub const ROTATE_ADMIN_TOKEN: &str = "/providers/Strongroom.Administration/tokens/admin/rotate";

/// Answer of `POST …/tokens/admin/rotate`: the only time that the token is told.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RotatedToken {
    /// The new token; the one that was used is refused from here on.
    pub token: Secret,
    /// Accepted since.
    pub issued_on: Timestamp,
    /// Accepted until; absent = until it is replaced.
    pub expires_on: Option<Timestamp>,
}
