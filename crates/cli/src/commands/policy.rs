//! `strongroom policy`.

use strongroom_api::policy::{
    BackupPolicy, BackupPolicyResource, DeleteOption, PolicyProperties, PolicyRule, Trigger,
};

use crate::output::{self, Columns};

super::verbs! {
    /// Create a policy, or change one
    Create(create),
    /// Show a policy
    Show(show),
    /// List the policies of a vault
    List(list),
    /// What a policy would make and keep in a span of time
    Simulate(simulate),
    /// What an edit of a policy would do to the recovery points that are there
    Preview(preview),
    /// Delete a policy that no instance uses
    Delete(delete),
}

const COLUMNS: Columns<BackupPolicyResource> = &[
    ("NAME", |policy| output::or_nothing(policy.name.as_deref())),
    ("SCHEDULE", |policy| {
        output::or_nothing(Some(&schedule(own(policy)).join(",")))
    }),
    ("RETENTION", |policy| {
        output::or_nothing(Some(&retention(own(policy)).join(",")))
    }),
];

fn own(policy: &BackupPolicyResource) -> &BackupPolicy {
    let PolicyProperties::BackupPolicy(own) = &policy.properties;
    own
}

fn schedule(policy: &BackupPolicy) -> Vec<String> {
    let rules = policy.policy_rules.iter().filter_map(|rule| match rule {
        PolicyRule::AzureBackupRule(rule) => Some(&rule.trigger),
        PolicyRule::AzureRetentionRule(_) => None,
    });
    rules
        .flat_map(|trigger| match trigger {
            Trigger::ScheduleBasedTriggerContext(by_clock) => {
                by_clock.schedule.repeating_time_intervals.clone()
            }
            Trigger::AdhocBasedTriggerContext(_) => vec!["by hand".to_owned()],
        })
        .collect()
}

fn retention(policy: &BackupPolicy) -> Vec<String> {
    let rules = policy.policy_rules.iter().filter_map(|rule| match rule {
        PolicyRule::AzureRetentionRule(rule) => Some(rule),
        PolicyRule::AzureBackupRule(_) => None,
    });
    rules
        .flat_map(|rule| {
            rule.lifecycles.iter().map(|cycle| {
                let DeleteOption::AbsoluteDeleteOption(after) = &cycle.delete_after;
                format!("{}={}", rule.name, after.duration)
            })
        })
        .collect()
}
