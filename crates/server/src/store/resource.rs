//! The row of a resource and of what it needs: the published document plus what the server must
//! know to find it again.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use strongroom_core::audit::Caller;
use uuid::Uuid;

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
    /// Who made it; none when that was not noted yet.
    pub created_by: Option<Actor>,
    /// Who wrote it last.
    pub updated_by: Option<Actor>,
    /// Since when it is deleted, though it can be brought back.
    pub deleted_at: Option<Timestamp>,
}

/// Who does something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Actor {
    /// Its id in its tenant.
    pub object_id: Uuid,
    /// The tenant that knows it.
    pub tenant_id: Uuid,
    /// What it is.
    pub kind: ActorKind,
    /// What people call it.
    pub name: String,
}

impl Actor {
    /// As the audit log names it.
    #[must_use]
    pub fn to_caller(&self) -> Caller {
        Caller {
            object_id: self.object_id,
            kind: self.kind.as_str().to_owned(),
            name: self.name.clone(),
        }
    }
}

/// What an [`Actor`] is; the names are the published ones of `createdByType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ActorKind {
    /// A person.
    User,
    /// A program.
    Application,
    /// Whoever holds a key.
    Key,
}

impl ActorKind {
    /// The published name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Application => "Application",
            Self::Key => "Key",
        }
    }
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
