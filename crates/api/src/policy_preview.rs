//! Ours: what a policy would make and keep, and what an edit of one does to what is there.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;
use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::policy::PolicyProperties;

/// The body of `POST {policy}/simulate`.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SimulatePolicyRequest {
    /// From when on the schedule counts.
    pub from: Timestamp,
    /// Up to when.
    pub to: Timestamp,
    /// The policy to simulate in place of the one that is stored, which need not exist then.
    #[serde(default)]
    pub policy: Option<PolicyProperties>,
}

/// The answer of `POST {policy}/simulate`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PolicySimulation {
    /// Recovery points that are made in the span.
    pub made: u64,
    /// Those of them that are there at its end.
    pub there_at_end: u64,
    /// How many are there at the same time, at most.
    pub most_at_once: u64,
    /// How many of each tag are made.
    pub made_by_tag: BTreeMap<String, u64>,
    /// Each of them, the oldest first.
    pub recovery_points: Vec<SimulatedRecoveryPoint>,
}

/// A recovery point that a policy would make.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SimulatedRecoveryPoint {
    /// When it is made.
    pub time: Timestamp,
    /// Its tag.
    pub tag: String,
    /// When its time is over; absent when it is kept for ever.
    pub expiry_time: Option<Timestamp>,
    /// When it goes, if it does within the span.
    pub removed_at: Option<Timestamp>,
    /// Why it is there at the end of the span, if it is.
    pub kept_because: Option<String>,
}

/// The body of `POST {policy}/previewEdit`: the policy as it would be written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PreviewPolicyEditRequest {
    /// Its properties.
    pub properties: PolicyProperties,
}

/// The answer of `POST {policy}/previewEdit`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PolicyEditPreview {
    /// Whether the schedule changes, so that moments count anew for each instance.
    pub schedule_changes: bool,
    /// Backup instances that follow the policy.
    pub instances: u64,
    /// Their recovery points.
    pub recovery_points: u64,
    /// Those whose time would be over at once, and that nothing else keeps: they go.
    pub would_expire: u64,
    /// Those that would be kept for longer.
    pub prolonged: u64,
    /// Those that would go sooner, without being over yet.
    pub shortened: u64,
    /// Those for which nothing changes.
    pub unchanged: u64,
    /// Those for which something changes, those that go first.
    pub changes: Vec<RecoveryPointChange>,
    /// Changes that are not named because there are too many; the sums are whole.
    pub left_off: Option<u64>,
    /// Whether there are more recovery points than are looked at: the sums are of those alone.
    pub truncated: Option<bool>,
}

/// What an edit does to a recovery point.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RecoveryPointChange {
    /// Id of its backup instance.
    pub backup_instance_id: String,
    /// Its id.
    pub recovery_point_id: String,
    /// When it was made.
    pub time: Timestamp,
    /// Its tag.
    pub tag: String,
    /// When its time is over as the policy is; absent: never.
    pub expiry_time: Option<Timestamp>,
    /// When it would be.
    pub expiry_time_after: Option<Timestamp>,
    /// `Expires`, `Prolonged` or `Shortened`.
    pub effect: String,
    /// Why, and what keeps it if its time is over and it stays.
    pub reason: String,
}
