//! Backup policies: stored as sent, once `core::policy` found no fault in them.

use strongroom_api::policy::{
    AbsoluteMarker, AzureBackupRule, AzureRetentionRule, BackupCriteria, BackupPolicy,
    BackupPolicyResource, CopyOption, DataStoreInfo, Day, DeleteOption, PolicyProperties,
    PolicyRule, TaggingCriteria, TargetCopySetting, Trigger,
};
use strongroom_api::vault::DataStoreType;
use strongroom_core::error::{Code, Problem};
use strongroom_core::guard::CriticalOperation;
use strongroom_core::immutability::shortened;
use strongroom_core::name::NameKind;
use strongroom_core::policy::{
    self as core_policy, CalendarSpec, CopySpec, DaySpec, LifecycleSpec, PolicySpec, RetentionSpec,
    TaggingSpec,
};

use super::resources::{self, Terms, Written};
use super::{App, ResourceId, Result, guards, immutability, vaults};

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
    terms: &Terms,
) -> Result<Written<PolicyProperties>> {
    resources::check_name(NameKind::BackupPolicy, id)?;
    let PolicyProperties::BackupPolicy(document) = &policy.properties;
    let wanted = meaning(document)?;
    let mut session = app.store.begin().await?;
    let vault = vaults::require(&mut *session, &id.without(2)).await?;
    let settings = vaults::document(&vault)?.properties;
    let id = ResourceId::published(vault.id).child("backupPolicies", id.name());
    let row = session.resource(&id.key()).await?;
    terms.check(row.as_ref())?;
    if let Some(row) = &row {
        let old: BackupPolicyResource = resources::document(row, TYPE)?;
        let PolicyProperties::BackupPolicy(old) = &old.properties;
        // What one that this version cannot follow has promised stands in its recovery points.
        if let Ok(old) = meaning(old) {
            immutability::refuse_edit(&settings, &old, &wanted)?;
            if !shortened(&old, &wanted).is_empty() {
                let vault = id.without(2);
                let operation = CriticalOperation::ReducePolicy;
                guards::require(app, &mut *session, &vault, operation, &row.id, terms).await?;
            }
        }
    }
    // A proxy resource: it has neither location nor tags.
    let policy = BackupPolicyResource::of(policy.properties);
    let written = resources::write(
        app,
        &mut *session,
        &id,
        TYPE,
        &policy,
        row.as_ref(),
        &terms.by,
    )
    .await?;
    let is_followed = row.is_some() && !session.users_of(&id.key(), 1).await?.is_empty();
    session.commit().await?;
    if is_followed {
        app.policy_changed.notify_one();
    }
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
pub async fn delete(app: &App, id: &ResourceId, terms: &Terms) -> Result<bool> {
    let mut session = app.store.begin().await?;
    let Some(row) = session.resource(&id.key()).await? else {
        return Ok(false);
    };
    terms.check(Some(&row))?;
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
                spec.tagging.push(tagging(criterion));
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

fn tagging(criterion: &TaggingCriteria) -> TaggingSpec {
    let mut spec = TaggingSpec {
        tag: criterion.tag_info.tag_name.clone(),
        is_default: criterion.is_default,
        priority: criterion.tagging_priority,
        ..TaggingSpec::default()
    };
    for BackupCriteria::ScheduleBasedBackupCriteria(own) in criterion.criteria.iter().flatten() {
        let named = own.absolute_criteria.iter().flatten();
        let absolute_criteria = named.map(|marker| absolute(*marker).to_owned()).collect();
        let calendar = CalendarSpec {
            absolute_criteria,
            days_of_the_week: own.days_of_the_week.clone().unwrap_or_default(),
            weeks_of_the_month: own.weeks_of_the_month.clone().unwrap_or_default(),
            months_of_year: own.months_of_year.clone().unwrap_or_default(),
            days_of_month: own.days_of_month.iter().flatten().map(day).collect(),
            schedule_times: own.schedule_times.clone().unwrap_or_default(),
        };
        let of_periods_alone = CalendarSpec {
            absolute_criteria: calendar.absolute_criteria.clone(),
            ..CalendarSpec::default()
        };
        if calendar == of_periods_alone {
            spec.absolute_criteria.extend(calendar.absolute_criteria);
        } else {
            spec.calendar.push(calendar);
        }
    }
    spec
}

fn day(day: &Day) -> DaySpec {
    DaySpec {
        date: day.date,
        is_last: day.is_last.unwrap_or(false),
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

fn store_name(store: &DataStoreInfo) -> &'static str {
    match store.data_store_type {
        DataStoreType::OperationalStore => "OperationalStore",
        DataStoreType::VaultStore => "VaultStore",
        DataStoreType::ArchiveStore => "ArchiveStore",
    }
}

fn copy(setting: &TargetCopySetting) -> CopySpec {
    let (option, duration) = match &setting.copy_after {
        CopyOption::ImmediateCopyOption(_) => ("ImmediateCopyOption", None),
        CopyOption::CopyOnExpiryOption(_) => ("CopyOnExpiryOption", None),
        CopyOption::CustomCopyOption(own) => ("CustomCopyOption", own.duration.clone()),
    };
    CopySpec {
        target_data_store: store_name(&setting.data_store).to_owned(),
        option: option.to_owned(),
        duration,
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
                let copies = lifecycle.target_data_store_copy_settings.iter();
                LifecycleSpec {
                    source_data_store: store_name(&lifecycle.source_data_store).to_owned(),
                    delete_after: option.duration.clone(),
                    copies: copies.map(copy).collect(),
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
