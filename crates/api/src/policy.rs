//! `Microsoft.DataProtection/backupVaults/backupPolicies`: schedule and retention.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::arm::Resource;
use crate::decode::null_as_default;
use crate::object_type::by_object_type;
use crate::vault::DataStoreType;

/// The only datasource type that this product protects by an AKS policy.
pub const KUBERNETES_DATASOURCE_TYPE: &str = "Microsoft.ContainerService/managedClusters";

/// `BaseBackupPolicyResource`.
pub type BackupPolicyResource = Resource<PolicyProperties>;

by_object_type! {
    /// `BaseBackupPolicy`.
    #[schemars(rename = "BaseBackupPolicy")]
    pub enum PolicyProperties {
        /// The only kind there is.
        BackupPolicy(BackupPolicy),
    }
}

/// `BackupPolicy`: rules that say when to back up and how long to keep.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackupPolicy {
    /// What it may protect, for example [`KUBERNETES_DATASOURCE_TYPE`].
    pub datasource_types: Vec<String>,
    /// Backup rules and retention rules, in any order.
    pub policy_rules: Vec<PolicyRule>,
}

by_object_type! {
    /// `BasePolicyRule`.
    #[schemars(rename = "BasePolicyRule")]
    pub enum PolicyRule {
        /// When to back up.
        AzureBackupRule(AzureBackupRule),
        /// How long to keep what carries the rule's tag.
        AzureRetentionRule(AzureRetentionRule),
    }
}

impl PolicyRule {
    /// The rule's name; of a retention rule this is the tag's name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::AzureBackupRule(rule) => &rule.name,
            Self::AzureRetentionRule(rule) => &rule.name,
        }
    }
}

/// `AzureBackupRule`.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AzureBackupRule {
    /// For example `BackupHourly`.
    pub name: String,
    /// How.
    pub backup_parameters: Option<BackupParameters>,
    /// Where to.
    pub data_store: DataStoreInfo,
    /// When.
    pub trigger: Trigger,
}

by_object_type! {
    /// `BackupParameters`.
    pub enum BackupParameters {
        /// The only kind there is.
        AzureBackupParams(AzureBackupParams),
    }
}

/// `AzureBackupParams`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AzureBackupParams {
    /// `Incremental` for Kubernetes.
    pub backup_type: String,
}

/// `DataStoreInfoBase`: names a tier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "DataStoreInfoBase")]
pub struct DataStoreInfo {
    /// Which tier.
    pub data_store_type: DataStoreType,
    /// `DataStoreInfoBase`; kept as sent.
    pub object_type: String,
}

impl DataStoreInfo {
    /// Names the tier in the published way.
    #[must_use]
    pub fn of(data_store_type: DataStoreType) -> Self {
        Self {
            data_store_type,
            object_type: "DataStoreInfoBase".to_owned(),
        }
    }
}

by_object_type! {
    /// `TriggerContext`.
    #[schemars(rename = "TriggerContext")]
    pub enum Trigger {
        /// By the clock.
        ScheduleBasedTriggerContext(ScheduleBasedTriggerContext),
        /// By hand only.
        AdhocBasedTriggerContext(AdhocBasedTriggerContext),
    }
}

/// `ScheduleBasedTriggerContext`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleBasedTriggerContext {
    /// When.
    pub schedule: BackupSchedule,
    /// Which tag a recovery point gets.
    pub tagging_criteria: Vec<TaggingCriteria>,
}

/// `AdhocBasedTriggerContext`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdhocBasedTriggerContext {
    /// Which tag a recovery point gets.
    pub tagging_criteria: AdhocBasedTaggingCriteria,
}

/// `AdhocBasedTaggingCriteria`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdhocBasedTaggingCriteria {
    /// The tag.
    pub tag_info: Option<RetentionTag>,
}

/// `BackupSchedule`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackupSchedule {
    /// ISO 8601 repeating intervals: `R/2023-01-04T09:00:00+00:00/PT4H`.
    pub repeating_time_intervals: Vec<String>,
    /// A Windows or IANA time zone name; absent: UTC.
    pub time_zone: Option<String>,
}

/// `TaggingCriteria`: which recovery points get which tag.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaggingCriteria {
    /// True of exactly one: it takes what no other takes.
    pub is_default: bool,
    /// The smallest number wins; the Default tag has 99.
    pub tagging_priority: i64,
    /// The tag.
    pub tag_info: RetentionTag,
    /// Any of these makes a recovery point fit; absent for the default tag.
    pub criteria: Option<Vec<BackupCriteria>>,
}

/// `RetentionTag`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RetentionTag {
    /// Read-only.
    #[serde(rename = "eTag")]
    pub e_tag: Option<String>,
    /// Read-only: `Default_`.
    pub id: Option<String>,
    /// The name of a retention rule.
    pub tag_name: String,
}

by_object_type! {
    /// `BackupCriteria`.
    pub enum BackupCriteria {
        /// The only kind there is.
        ScheduleBasedBackupCriteria(ScheduleBasedBackupCriteria),
    }
}

/// `ScheduleBasedBackupCriteria`: all given parts must fit.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleBasedBackupCriteria {
    /// First successful backup of a period: `AllBackup`, `FirstOfDay`, `FirstOfWeek`, ….
    pub absolute_criteria: Option<Vec<AbsoluteMarker>>,
    /// Days of the month.
    pub days_of_month: Option<Vec<Day>>,
    /// `Monday` … `Sunday`.
    pub days_of_the_week: Option<Vec<String>>,
    /// `January` … `December`.
    pub months_of_year: Option<Vec<String>>,
    /// Times of the schedule.
    pub schedule_times: Option<Vec<Timestamp>>,
    /// `First` … `Fourth`, `Last`.
    pub weeks_of_the_month: Option<Vec<String>>,
}

/// `AbsoluteMarker`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AbsoluteMarker {
    /// Every backup.
    AllBackup,
    /// The day's first successful one.
    FirstOfDay,
    /// The week's first successful one.
    FirstOfWeek,
    /// The month's first successful one.
    FirstOfMonth,
    /// The year's first successful one.
    FirstOfYear,
}

/// `Day`: of a month.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Day {
    /// 1 to 28.
    pub date: Option<i64>,
    /// The month's last day.
    pub is_last: Option<bool>,
}

/// `AzureRetentionRule`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AzureRetentionRule {
    /// The tag's name; `Default` for the rule that cannot be deleted.
    pub name: String,
    /// True of exactly one rule.
    pub is_default: Option<bool>,
    /// How long in each tier.
    pub lifecycles: Vec<SourceLifeCycle>,
}

/// `SourceLifeCycle`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SourceLifeCycle {
    /// How long it is kept there.
    pub delete_after: DeleteOption,
    /// In which tier.
    pub source_data_store: DataStoreInfo,
    /// To which tiers it is copied, and when.
    #[serde(default, deserialize_with = "null_as_default")]
    pub target_data_store_copy_settings: Vec<TargetCopySetting>,
}

by_object_type! {
    /// `DeleteOption`.
    pub enum DeleteOption {
        /// After a fixed time.
        AbsoluteDeleteOption(AbsoluteDeleteOption),
    }
}

/// `AbsoluteDeleteOption`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AbsoluteDeleteOption {
    /// ISO 8601, for example `P7D`.
    pub duration: String,
}

/// `TargetCopySetting`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetCopySetting {
    /// When.
    pub copy_after: CopyOption,
    /// Where to.
    pub data_store: DataStoreInfo,
}

by_object_type! {
    /// `CopyOption`.
    pub enum CopyOption {
        /// As soon as the recovery point exists.
        ImmediateCopyOption(Empty),
        /// When it expires in its first tier.
        CopyOnExpiryOption(Empty),
        /// After a given time.
        CustomCopyOption(CustomCopyOption),
    }
}

/// A type whose name says it all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Empty {}

/// `CustomCopyOption`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CustomCopyOption {
    /// ISO 8601.
    pub duration: Option<String>,
}
