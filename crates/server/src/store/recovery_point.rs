//! The row of a recovery point.

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

/// A recovery point, as stored. It exists exactly when its manifest was sealed and its job's final
/// transaction was committed.
#[derive(Debug, Clone, PartialEq)]
pub struct RecoveryPointRow {
    /// Identity; also the published recovery point id.
    pub id: Uuid,
    /// Key of the backup instance.
    pub instance_key: String,
    /// Key of the vault.
    pub vault_key: String,
    /// The job that made it.
    pub job_id: Uuid,
    /// The time it stands for.
    pub created_at: Timestamp,
    /// When retention lets it go, as it was promised when the point was made; none = never.
    pub expires_at: Option<Timestamp>,
    /// The published `properties` document and the facts of the repository (digest, counts).
    pub body: Value,
    /// Since when it is being removed, because its time was over. It is no restore's any more.
    pub expiring_since: Option<Timestamp>,
}

impl RecoveryPointRow {
    /// The retention tag; empty when it has none.
    #[must_use]
    pub fn tag(&self) -> &str {
        tag_of(&self.body)
    }
}

/// The retention tag that stands in the body of a recovery point.
pub(super) fn tag_of(body: &Value) -> &str {
    let tag = &body["properties"]["retentionTagName"];
    tag.as_str().unwrap_or_default()
}

/// A repository that an instance writes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryRow {
    /// Key of the backup instance.
    pub instance_key: String,
    /// Published id of the blob container.
    pub container_id: String,
    /// Path below which everything of the repository is.
    pub prefix: String,
}

/// Where a newest-first list goes on: strictly after this row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeCursor {
    /// Creation time of the last row that was given out.
    pub created_at: Timestamp,
    /// Its id, which breaks ties.
    pub id: Uuid,
}
