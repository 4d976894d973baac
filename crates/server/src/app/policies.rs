//! Backup policies: stored as sent, once `core::policy` found no fault in them.

use strongroom_api::policy::{
    AbsoluteMarker, AzureBackupRule, AzureRetentionRule, BackupCriteria, BackupPolicy,
    BackupPolicyResource, DeleteOption, PolicyProperties, PolicyRule, TaggingCriteria, Trigger,
};
use strongroom_api::vault::DataStoreType;
use strongroom_core::error::{Code, Problem};
use strongroom_core::name::NameKind;
use strongroom_core::policy::{
    self as core_policy, LifecycleSpec, PolicySpec, RetentionSpec, TaggingSpec,
};

use super::resources::{self, Preconditions, Written};
use super::{App, ResourceId, Result, vaults};

/// Published type of a policy.
pub const TYPE: &str = "Microsoft.DataProtection/backupVaults/backupPolicies";

/// Published types of a cluster; a policy is for one of them.
const DATASOURCE_TYPES: [&str; 2] = [
    "Microsoft.ContainerService/managedClusters",
    "Microsoft.Kubernetes/connectedClusters",
];

/// Writes a policy.
pub async fn put(
    app: &App,
    id: &ResourceId,
    policy: BackupPolicyResource,
    preconditions: &Preconditions,
) -> Result<Written<PolicyProperties>> {
    resources::check_name(NameKind::BackupPolicy, id)?;
    let PolicyProperties::BackupPolicy(document) = &policy.properties;
    meaning(document)?;
    let mut session = app.store.begin().await?;
    let vault = vaults::require(&mut *session, &id.without(2)).await?;
    let id = ResourceId::published(vault.id).child("backupPolicies", id.name());
    let row = session.resource(&id.key()).await?;
    preconditions.check(row.as_ref())?;
    // A proxy resource: it has neither location nor tags.
    let policy = BackupPolicyResource::of(policy.properties);
    let written = resources::write(app, &mut *session, &id, TYPE, &policy, row.as_ref()).await?;
    session.commit().await?;
    Ok(written)
}

/// One policy.
pub async fn get(app: &App, id: &ResourceId) -> Result<BackupPolicyResource> {
    resources::document(
        &resources::existing(&mut *app.store.read().await?, id).await?,
        TYPE,
    )
}

/// The policies of a vault, in the order of their names.
pub async fn list(
    app: &App,
    vault: &ResourceId,
    after: Option<&str>,
    limit: usize,
) -> Result<(Vec<BackupPolicyResource>, Option<String>)> {
    vaults::require(&mut *app.store.read().await?, vault).await?;
    resources::list(app, TYPE, vault, after, limit).await
}

/// Deletes a policy that no instance uses; tells whether it was there.
pub async fn delete(app: &App, id: &ResourceId, preconditions: &Preconditions) -> Result<bool> {
    let mut session = app.store.begin().await?;
    let Some(row) = session.resource(&id.key()).await? else {
        return Ok(false);
    };
    preconditions.check(Some(&row))?;
    resources::refuse_in_use(&mut *session, &row).await?;
    session.delete_resource(&row.key).await?;
    session.commit().await?;
    Ok(true)
}

/// What a policy document means, or all that is wrong with it.
pub fn meaning(document: &BackupPolicy) -> std::result::Result<core_policy::BackupPolicy, Problem> {
    let mut faults = Vec::new();
    for given in &document.datasource_types {
        if !DATASOURCE_TYPES
            .iter()
            .any(|known| known.eq_ignore_ascii_case(given))
        {
            faults.push(fault(
                "properties.datasourceTypes",
                format!(
                    "'{given}' is not a cluster type: {}",
                    DATASOURCE_TYPES.join(" or ")
                ),
            ));
        }
    }
    if document.datasource_types.is_empty() {
        faults.push(fault(
            "properties.datasourceTypes",
            "it names no datasource type",
        ));
    }
    let spec = spec(document, &mut faults);
    match (spec.validate(), faults.is_empty()) {
        (Ok(meaning), true) => return Ok(meaning),
        (Ok(_), false) => {}
        (Err(more), _) => faults.extend(more),
    }
    Err(one(faults))
}

/// One problem out of several: the first gives the code, all are details.
fn one(faults: Vec<Problem>) -> Problem {
    let code = faults
        .first()
        .map_or(Code::UserErrorInvalidBackupPolicy, |fault| fault.code);
    let target = faults.first().and_then(|fault| fault.target.clone());
    let told: Vec<&str> = faults.iter().map(|fault| fault.message.as_str()).collect();
    let problem = Problem::new(
        code,
        format!("The backup policy is not valid: {}.", told.join("; ")),
    );
    let problem = Problem { target, ..problem };
    problem.with_details(faults)
}

fn fault(target: &str, message: impl Into<String>) -> Problem {
    Problem::new(Code::UserErrorInvalidBackupPolicy, message).at(target)
}

fn spec(document: &BackupPolicy, faults: &mut Vec<Problem>) -> PolicySpec {
    let mut spec = PolicySpec::default();
    let mut backup_rules = 0;
    for rule in &document.policy_rules {
        match rule {
            PolicyRule::AzureBackupRule(rule) => {
                backup_rules += 1;
                backup_rule(rule, &mut spec, faults);
            }
            PolicyRule::AzureRetentionRule(rule) => spec.retention.push(retention_rule(rule)),
        }
    }
    if backup_rules != 1 {
        faults.push(fault(
            "properties.policyRules",
            format!("it has {backup_rules} backup rules, but must have exactly one"),
        ));
    }
    spec
}

fn backup_rule(rule: &AzureBackupRule, spec: &mut PolicySpec, faults: &mut Vec<Problem>) {
    spec.backup_rule_name.clone_from(&rule.name);
    if rule.data_store.data_store_type != DataStoreType::OperationalStore {
        faults.push(fault(
            "properties.policyRules.dataStore",
            "a Kubernetes backup goes to the OperationalStore first",
        ));
    }
    match &rule.trigger {
        Trigger::ScheduleBasedTriggerContext(trigger) => {
            spec.repeating_time_intervals
                .clone_from(&trigger.schedule.repeating_time_intervals);
            spec.time_zone = trigger.schedule.time_zone.clone().unwrap_or_default();
            for criterion in &trigger.tagging_criteria {
                spec.tagging.push(tagging(criterion, faults));
            }
            if spec.repeating_time_intervals.is_empty() {
                faults.push(
                    Problem::new(
                        Code::UserErrorInvalidScheduleInterval,
                        "the schedule has no interval",
                    )
                    .at("properties.policyRules.trigger.schedule.repeatingTimeIntervals"),
                );
            }
        }
        // On demand only: no schedule, and the tag comes with each backup.
        Trigger::AdhocBasedTriggerContext(_) => {}
    }
}

fn tagging(criterion: &TaggingCriteria, faults: &mut Vec<Problem>) -> TaggingSpec {
    let mut absolute_criteria = Vec::new();
    for BackupCriteria::ScheduleBasedBackupCriteria(own) in criterion.criteria.iter().flatten() {
        let calendar = own.days_of_month.is_some()
            || own.days_of_the_week.is_some()
            || own.months_of_year.is_some()
            || own.schedule_times.is_some()
            || own.weeks_of_the_month.is_some();
        if calendar {
            faults.push(fault(
                "properties.policyRules.trigger.taggingCriteria",
                format!(
                    "tag {} has calendar criteria; this version knows absoluteCriteria only",
                    criterion.tag_info.tag_name
                ),
            ));
        }
        let named = own.absolute_criteria.iter().flatten();
        absolute_criteria.extend(named.map(|marker| absolute(*marker).to_owned()));
    }
    TaggingSpec {
        tag: criterion.tag_info.tag_name.clone(),
        is_default: criterion.is_default,
        priority: criterion.tagging_priority,
        absolute_criteria,
    }
}

fn absolute(marker: AbsoluteMarker) -> &'static str {
    match marker {
        AbsoluteMarker::AllBackup => "AllBackup",
        AbsoluteMarker::FirstOfDay => "FirstOfDay",
        AbsoluteMarker::FirstOfWeek => "FirstOfWeek",
        AbsoluteMarker::FirstOfMonth => "FirstOfMonth",
        AbsoluteMarker::FirstOfYear => "FirstOfYear",
    }
}

fn retention_rule(rule: &AzureRetentionRule) -> RetentionSpec {
    RetentionSpec {
        name: rule.name.clone(),
        is_default: rule.is_default.unwrap_or(false),
        lifecycles: rule
            .lifecycles
            .iter()
            .map(|lifecycle| {
                let DeleteOption::AbsoluteDeleteOption(option) = &lifecycle.delete_after;
                LifecycleSpec {
                    source_data_store: match lifecycle.source_data_store.data_store_type {
                        DataStoreType::OperationalStore => "OperationalStore",
                        DataStoreType::VaultStore => "VaultStore",
                        DataStoreType::ArchiveStore => "ArchiveStore",
                    }
                    .to_owned(),
                    delete_after: option.duration.clone(),
                }
            })
            .collect(),
    }
}

/// The published default policy, for tests.
#[cfg(test)]
pub(crate) fn example() -> serde_json::Value {
    use strongroom_api::policy_template::{INTERVAL, RETENTION, START, kubernetes};
    let policy = PolicyProperties::BackupPolicy(kubernetes(START, INTERVAL, RETENTION));
    serde_json::json!({"properties": policy})
}
