//! What retention knows of an instance since it looked at it last.

use jiff::Timestamp;
use uuid::Uuid;

/// A look of retention at an instance: what it went by, and when the next one is due. As long as nothing
/// of what it went by has changed, nothing is to be decided before that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetentionRow {
    /// Key of the backup instance.
    pub instance_key: String,
    /// Version of the instance.
    pub instance_etag: String,
    /// Key of its policy.
    pub policy_key: String,
    /// Version of the policy; none when it is gone.
    pub policy_etag: Option<String>,
    /// How often its recovery points had changed, see [`Session::recovery_point_changes`].
    ///
    /// [`Session::recovery_point_changes`]: super::Session::recovery_point_changes
    pub changes: i64,
    /// When something is to be decided next; none: not before something changes.
    pub due_at: Option<Timestamp>,
}

/// What the time of a recovery point follows from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PointTime {
    /// The recovery point.
    pub id: Uuid,
    /// The time it stands for.
    pub created_at: Timestamp,
    /// When retention lets it go, as it was promised when it was made.
    pub expires_at: Option<Timestamp>,
    /// Its retention tag; empty when it has none.
    pub tag: String,
}
