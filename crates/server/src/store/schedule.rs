//! The row of an instance's schedule: what was seen to, so that no moment is seen to twice.

use jiff::Timestamp;
use uuid::Uuid;

/// How far the schedule of an instance has been followed, as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleRow {
    /// Key of the backup instance.
    pub instance_key: String,
    /// The schedule in words, as the policy had it: with another one, moments count anew.
    pub schedule: String,
    /// From when on moments count.
    pub since: Timestamp,
    /// The last moment that was seen to.
    pub handled: Option<Timestamp>,
    /// The job that was made for it.
    pub job_id: Option<Uuid>,
    /// The time of the last recovery point that the schedule made: whether the next one is the first of
    /// its day, week, month or year follows from this, also when that one is long gone.
    pub last_success: Option<Timestamp>,
}
