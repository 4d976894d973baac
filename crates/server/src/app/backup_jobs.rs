//! Jobs as clients see them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use strongroom_api::error::{UserFacingError, UserFacingWarningDetail};
use strongroom_api::job::{
    Job, JobExtendedInfo, JobResource, JobSubTask, RestoreJobRecoveryPointDetails,
};
use strongroom_core::error::Code;
use uuid::Uuid;

use super::instances::told;
use super::jobs::{self, Outcome, Progress, Request, Step, Warning};
use super::{App, ResourceId, Result, resources, vaults};
use crate::store::{JobFilter, JobRow, TimeCursor};

/// Published type of a job.
pub const TYPE: &str = "Microsoft.DataProtection/backupVaults/backupJobs";

/// Published type of a cluster datasource, of whichever registration.
const DATASOURCE_TYPE: &str = "Microsoft.ContainerService/managedClusters";

/// One job of a vault.
pub async fn get(app: &App, id: &ResourceId) -> Result<JobResource> {
    let mut session = app.store.read().await?;
    let vault = vaults::require(&mut *session, &id.without(2)).await?;
    let found = match id.name().parse::<Uuid>() {
        Ok(job) => session.job(job).await?,
        Err(_) => None,
    };
    match found.filter(|job| job.vault_key == vault.key) {
        Some(job) => document(&vault.id, &job, app.now()),
        None => Err(resources::not_found(id)),
    }
}

/// The jobs of a vault that fit, newest first.
pub async fn list(
    app: &App,
    vault: &ResourceId,
    filter: JobFilter,
    after: Option<TimeCursor>,
    limit: usize,
) -> Result<(Vec<JobResource>, Option<TimeCursor>)> {
    let mut session = app.store.read().await?;
    let vault = vaults::require(&mut *session, vault).await?;
    let filter = JobFilter {
        vault_key: vault.key,
        ..filter
    };
    let page = session.jobs(&filter, after, limit).await?;
    let last = page.rows.last().filter(|_| page.more);
    let next = last.map(|row| TimeCursor {
        created_at: row.created_at,
        id: row.id,
    });
    let now = app.now();
    let documents = page
        .rows
        .iter()
        .map(|row| document(&vault.id, row, now))
        .collect::<Result<Vec<_>>>()?;
    Ok((documents, next))
}

fn document(vault_id: &str, row: &JobRow, now: Timestamp) -> Result<JobResource> {
    let name = row.id.to_string();
    Ok(JobResource {
        id: Some(format!("{vault_id}/backupJobs/{name}")),
        name: Some(name),
        resource_type: Some(TYPE.to_owned()),
        ..JobResource::of(properties(row, now)?)
    })
}

fn properties(row: &JobRow, now: Timestamp) -> Result<Job> {
    let request = Request::of(row)?;
    let about = request.about();
    let vault = ResourceId::published(about.vault_id.clone());
    let cluster = ResourceId::published(about.datasource_id.clone());
    let policy = about.policy_id.clone().map(ResourceId::published);
    let part = |id: &ResourceId, name: &str| id.after(name).unwrap_or_default().to_owned();
    Ok(Job {
        activity_id: row.id.to_string(),
        backup_instance_friendly_name: about.instance_name.clone(),
        backup_instance_id: Some(about.instance_id.clone()),
        data_source_id: about.datasource_id.clone(),
        data_source_location: about.location.clone(),
        data_source_name: cluster.name().to_owned(),
        data_source_set_name: Some(cluster.name().to_owned()),
        data_source_type: DATASOURCE_TYPE.to_owned(),
        duration: Some(duration(
            row.ended_at.unwrap_or(now).duration_since(row.created_at),
        )),
        end_time: row.ended_at,
        error_details: errors(row),
        extended_info: Some(extended(row, &request)?),
        is_user_triggered: about.is_user_triggered,
        operation: row.operation.clone(),
        operation_category: category(&request).to_owned(),
        policy_id: about.policy_id.clone(),
        policy_name: policy.map(|policy| policy.name().to_owned()),
        progress_enabled: true,
        progress_url: None,
        rehydration_priority: None,
        restore_type: restore_type(&request).map(str::to_owned),
        source_resource_group: part(&cluster, "resourceGroups"),
        source_subscription_id: part(&cluster, "subscriptions"),
        start_time: row.created_at,
        status: row.status.clone(),
        subscription_id: part(&vault, "subscriptions"),
        supported_actions: actions(row),
        vault_name: vault.name().to_owned(),
        etag: Some(row.generation.to_string()),
        source_data_store_name: None,
        destination_data_store_name: None,
    })
}

/// What can be done with a job, by its published name.
fn actions(row: &JobRow) -> Vec<String> {
    match jobs::wish(row) {
        jobs::Wish::Ask => vec!["Cancel".to_owned()],
        jobs::Wish::Done | jobs::Wish::Refuse(_) => Vec::new(),
    }
}

fn errors(row: &JobRow) -> Option<Vec<UserFacingError>> {
    let problem = jobs::failure(row)?;
    Some(vec![told(&problem)])
}

fn category(request: &Request) -> &'static str {
    match request {
        Request::Backup { .. } | Request::NotStarted { .. } => "Backup",
        Request::Restore { .. } => "Restore",
        Request::Purge { .. } => "DeleteBackupInstance",
    }
}

fn restore_type(request: &Request) -> Option<&'static str> {
    match request {
        Request::Restore { about, .. }
            if about.cluster_id.eq_ignore_ascii_case(&about.datasource_id) =>
        {
            Some("OriginalLocation")
        }
        Request::Restore { .. } => Some("AlternateLocation"),
        _ => None,
    }
}

/// A duration in the published form `HH:MM:SS.fffffff`.
fn duration(span: jiff::SignedDuration) -> String {
    let seconds = span.as_secs().max(0);
    let ticks = span.subsec_nanos().max(0) / 100;
    format!(
        "{:02}:{:02}:{:02}.{ticks:07}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

fn extended(row: &JobRow, request: &Request) -> Result<JobExtendedInfo> {
    let progress = Progress::of(row)?;
    let outcome = Outcome::of(row)?;
    let point = |id: &Uuid, time: Option<Timestamp>| RestoreJobRecoveryPointDetails {
        recovery_point_id: Some(id.to_string()),
        recovery_point_time: time,
    };
    let bytes = outcome
        .as_ref()
        .map_or(progress.new_bytes, |outcome| outcome.new_bytes);
    let (source, target, destination) = match request {
        Request::Restore {
            recovery_point_id,
            recovery_point_time,
            about,
            ..
        } => (
            Some(point(recovery_point_id, Some(*recovery_point_time))),
            None,
            Some(about.cluster_id.clone()),
        ),
        // It exists once the job ended well.
        Request::Backup {
            recovery_point_id, ..
        } if outcome.is_some() => {
            let time = outcome.as_ref().and_then(|outcome| outcome.completed);
            (None, Some(point(recovery_point_id, time)), None)
        }
        Request::Backup { .. } | Request::NotStarted { .. } | Request::Purge { .. } => {
            (None, None, None)
        }
    };
    Ok(JobExtendedInfo {
        additional_details: Some(details(row, request, &progress, outcome.as_ref())),
        // The published model has a number with a point here; a byte more or less past 2^53 is not
        // what anybody looks for.
        #[expect(clippy::cast_precision_loss, reason = "see above")]
        data_transferred_in_bytes: Some(bytes as f64),
        recovery_destination: destination,
        source_recover_point: source,
        target_recover_point: target,
        sub_tasks: Some(sub_tasks(row, &progress)),
        warning_details: warnings(&progress.warnings),
        ..JobExtendedInfo::default()
    })
}

/// The listed findings, each with what the catalogue says to do about it.
fn warnings(listed: &[Warning]) -> Option<Vec<UserFacingWarningDetail>> {
    let told = |warning: &Warning| {
        let code = warning.code.as_deref().and_then(Code::parse);
        UserFacingWarningDetail {
            resource_name: warning.resource.clone(),
            warning: UserFacingError {
                code: warning.code.clone(),
                message: Some(warning.message.clone()),
                recommended_action: code.map(|code| vec![code.page().what_to_do.to_owned()]),
                ..UserFacingError::default()
            },
        }
    };
    (!listed.is_empty()).then(|| listed.iter().map(told).collect())
}

/// Facts by name: counts per outcome and what else the job tells.
fn details(
    row: &JobRow,
    request: &Request,
    progress: &Progress,
    outcome: Option<&Outcome>,
) -> BTreeMap<String, String> {
    // A queued job says so: its published status has no word for it.
    let is_queued = row.ended_at.is_none() && Step::of(row) == Step::Admit;
    let queued_since = is_queued.then_some(row.created_at);
    let counts = outcome.map_or(&progress.counts, |outcome| &outcome.counts);
    let mut details: BTreeMap<String, String> = counts
        .iter()
        .map(|(name, count)| (name.clone(), count.to_string()))
        .collect();
    let mut tell = |name: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            details.insert(name.to_owned(), value);
        }
    };
    tell(
        "attempt",
        (progress.attempt > 0).then(|| progress.attempt.to_string()),
    );
    tell(
        "totalItems",
        progress.total_items.map(|count| count.to_string()),
    );
    tell(
        "bytes",
        Some(
            outcome
                .map_or(progress.bytes, |outcome| outcome.bytes)
                .to_string(),
        ),
    );
    tell(
        "newBytes",
        Some(
            outcome
                .map_or(progress.new_bytes, |outcome| outcome.new_bytes)
                .to_string(),
        ),
    );
    tell(
        "findings",
        Some(
            outcome
                .map_or(progress.findings, |outcome| outcome.findings)
                .to_string(),
        ),
    );
    for (name, millis) in times(progress) {
        tell(name, millis.map(|millis| millis.to_string()));
    }
    tell(
        "waitingFor",
        Some(progress.waiting_for.clone()).filter(|_| outcome.is_none()),
    );
    tell("queuedSince", queued_since.map(|since| since.to_string()));
    tell("cancelledBy", progress.cancelled_by.clone());
    if let Request::Backup {
        scheduled_for: Some(moment),
        ..
    }
    | Request::NotStarted {
        scheduled_for: moment,
        ..
    } = request
    {
        tell("scheduledFor", Some(moment.to_string()));
    }
    if let Some(outcome) = outcome {
        tell("manifestDigest", outcome.manifest_digest.clone());
        tell("planDigest", outcome.plan_digest.clone());
        tell("consistency", outcome.cut.clone());
    }
    details
}

/// How long what stood still for volume snapshots did so, in milliseconds.
fn times(progress: &Progress) -> [(&'static str, Option<u64>); 2] {
    [
        ("snapshotWindowMillis", progress.snapshot_window_millis),
        ("frozenMillis", progress.frozen_millis),
    ]
}

/// The steps that were seen, in order; the last one is where the job stands.
fn sub_tasks(row: &JobRow, progress: &Progress) -> Vec<JobSubTask> {
    let last = progress.steps.len().saturating_sub(1);
    let steps = progress.steps.iter().enumerate();
    steps
        .map(|(index, step)| {
            let status = match (index < last, row.status.as_str()) {
                (true, _) | (false, jobs::COMPLETED | jobs::COMPLETED_WITH_WARNINGS) => "Completed",
                (false, jobs::FAILED | jobs::CANCELLED) => "Failed",
                (false, _) => "InProgress",
            };
            JobSubTask {
                additional_details: Some(
                    [("since".to_owned(), step.since.to_string())]
                        .into_iter()
                        .collect(),
                ),
                task_id: i64::try_from(index).unwrap_or(i64::MAX - 1) + 1,
                task_name: step.name.clone(),
                task_progress: percent(progress).filter(|_| status == "InProgress"),
                task_status: status.to_owned(),
            }
        })
        .collect()
}

/// How much of the objects is done, in per cent, when their number is known.
fn percent(progress: &Progress) -> Option<String> {
    let total = progress.total_items.filter(|total| *total > 0)?;
    let done: u64 = progress.counts.values().sum();
    Some((done.min(total) * 100 / total).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_the_published_form() {
        let span = jiff::SignedDuration::new(3 * 3600 + 25 * 60 + 7, 120_000_000);
        assert_eq!(duration(span), "03:25:07.1200000");
        assert_eq!(duration(jiff::SignedDuration::ZERO), "00:00:00.0000000");
    }

    #[test]
    fn progress_is_a_share_of_what_is_known() {
        let mut progress = Progress {
            total_items: Some(8),
            ..Progress::default()
        };
        progress.counts = [("Created".to_owned(), 3), ("Failed".to_owned(), 1)].into();
        assert_eq!(percent(&progress).as_deref(), Some("50"));
        progress.total_items = Some(2);
        assert_eq!(percent(&progress).as_deref(), Some("100"));
        progress.total_items = None;
        assert_eq!(percent(&progress), None);
    }
}
