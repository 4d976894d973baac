//! The row of a resource and of what it needs: the published document plus what the server must
//! know to find it again.

use jiff::Timestamp;
use serde_json::Value;

/// A resource of the public contract, as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct ResourceRow {
    /// Lower-cased resource id: the identity.
    pub key: String,
    /// Lower-cased resource type, for example `microsoft.dataprotection/backupvaults`.
    pub kind: String,
    /// Resource id in its published spelling.
    pub id: String,
    /// Name as first given.
    pub name: String,
    /// The document without `id`, `name`, `type` and `eTag`: location, tags, properties, ….
    pub body: Value,
    /// Changes at every write.
    pub etag: String,
    /// When it was first written.
    pub created_at: Timestamp,
    /// When it was last written.
    pub updated_at: Timestamp,
}

/// One edge of "this resource needs that one".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UseRow {
    /// Key of the resource that needs another one.
    pub user_key: String,
    /// What for, for example `policy` or `cluster`; one target per role.
    pub role: String,
    /// Key of the resource that is needed.
    pub target_key: String,
}
