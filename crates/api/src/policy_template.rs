//! The default policy for Kubernetes, as the published template has it.

use crate::policy::{
    AbsoluteDeleteOption, AzureBackupParams, AzureBackupRule, AzureRetentionRule, BackupParameters,
    BackupPolicy, BackupSchedule, DataStoreInfo, DeleteOption, KUBERNETES_DATASOURCE_TYPE,
    PolicyRule, RetentionTag, ScheduleBasedTriggerContext, SourceLifeCycle, TaggingCriteria,
    Trigger,
};
use crate::vault::DataStoreType;

/// Name of the backup rule in the published template.
pub const BACKUP_RULE_NAME: &str = "BackupHourly";
/// Name of the tag that every policy has.
pub const DEFAULT_TAG: &str = "Default";
/// Priority of the default tag in the published template: after every other.
pub const DEFAULT_TAG_PRIORITY: i64 = 99;
/// Interval of the published template.
pub const INTERVAL: &str = "PT4H";
/// Retention of the published template.
pub const RETENTION: &str = "P7D";
/// Start of the repeating interval when the caller has no wish: any fixed past instant will do,
/// because only the phase of the interval comes from it.
pub const START: &str = "2024-01-01T00:00:00+00:00";

/// A policy that backs up every `interval` (ISO 8601, for example [`INTERVAL`]) from `start` on and
/// keeps each recovery point for `retention` (for example [`RETENTION`]) in the operational tier.
#[must_use]
pub fn kubernetes(start: &str, interval: &str, retention: &str) -> BackupPolicy {
    let store = || DataStoreInfo::of(DataStoreType::OperationalStore);
    BackupPolicy {
        datasource_types: vec![KUBERNETES_DATASOURCE_TYPE.to_owned()],
        policy_rules: vec![
            PolicyRule::AzureBackupRule(AzureBackupRule {
                name: BACKUP_RULE_NAME.to_owned(),
                backup_parameters: Some(BackupParameters::AzureBackupParams(AzureBackupParams {
                    backup_type: "Incremental".to_owned(),
                })),
                data_store: store(),
                trigger: Trigger::ScheduleBasedTriggerContext(ScheduleBasedTriggerContext {
                    schedule: BackupSchedule {
                        repeating_time_intervals: vec![format!("R/{start}/{interval}")],
                        time_zone: None,
                    },
                    tagging_criteria: vec![TaggingCriteria {
                        is_default: true,
                        tagging_priority: DEFAULT_TAG_PRIORITY,
                        tag_info: RetentionTag {
                            tag_name: DEFAULT_TAG.to_owned(),
                            ..RetentionTag::default()
                        },
                        criteria: None,
                    }],
                }),
            }),
            PolicyRule::AzureRetentionRule(AzureRetentionRule {
                name: DEFAULT_TAG.to_owned(),
                is_default: Some(true),
                lifecycles: vec![SourceLifeCycle {
                    delete_after: DeleteOption::AbsoluteDeleteOption(AbsoluteDeleteOption {
                        duration: retention.to_owned(),
                    }),
                    source_data_store: store(),
                    target_data_store_copy_settings: Vec::new(),
                }],
            }),
        ],
    }
}
