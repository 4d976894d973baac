//! Schedules: what the policy's schedule asks of an instance, and the start of what is due.
//!
//! Contract: `core::policy::turn` decides. A scheduled backup and the note that its moment was seen to
//! are one transaction, and the decision is made in it: whoever asks however often, and wherever a
//! process dies, no moment is seen to twice and none is lost. While another job of the instance runs, its
//! moment stays due.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use jiff::Timestamp;
use strongroom_api::instance::{
    BackupInstance, BackupInstanceResource, ScheduleState, ScheduleStatus,
};
use strongroom_core::error::Problem;
use strongroom_core::policy::{self as core_policy, BackupPolicy, Turn};
use strongroom_core::protection::State;
use uuid::Uuid;

use super::jobs::{self, BACKUP};
use super::{App, Error, ResourceId, Result, instances, resources, retention};
use crate::metrics::JobLabels;
use crate::store::{JobRow, ResourceRow, ScheduleRow, Session};

/// What the schedule of an instance asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// Nothing, because of the instance's protection state.
    Suspended(State),
    /// Nothing, because its policy is gone or not valid.
    NoPolicy,
    /// That moments count from now on: it is new, another one, or the clock was put back.
    Anew,
    /// What `core::policy::turn` says.
    Turn(Turn),
}

/// What became of what was due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Started {
    /// Nothing is due any more.
    Nothing,
    /// Moments count from now on.
    Anew,
    /// Another job of the instance runs: the moment stays due.
    Postponed(Uuid),
    /// The backup is accepted.
    Job(Uuid),
    /// It could not be started; a failed job says why.
    Refused(Uuid),
}

/// What the schedule of an instance asks for at `now`.
pub async fn asked(
    session: &mut dyn Session,
    instance: &ResourceRow,
    now: Timestamp,
) -> Result<(Asked, Option<ScheduleRow>)> {
    let document: BackupInstance = resources::document(instance, instances::TYPE)?.properties;
    let row = session.schedule(&instance.key).await?;
    let policy = retention::policy(session, &document.policy_info.policy_id).await?;
    Ok((asked_by(&document, policy.as_ref(), row.as_ref(), now), row))
}

/// The same of a page of instances in the order of their keys: one question for all of their schedules, and
/// one for each of their policies. One that cannot be read does not keep others from being asked for.
pub async fn asked_of_page(
    session: &mut dyn Session,
    page: &[ResourceRow],
    now: Timestamp,
) -> Result<Vec<Result<Asked>>> {
    let (Some(first), Some(last)) = (page.first(), page.last()) else {
        return Ok(Vec::new());
    };
    let rows = session.schedules(&first.key, &last.key).await?;
    let rows: HashMap<&str, &ScheduleRow> = rows
        .iter()
        .map(|row| (row.instance_key.as_str(), row))
        .collect();
    let mut policies = Policies::default();
    let mut found = Vec::with_capacity(page.len());
    for row in page {
        let schedule = rows.get(row.key.as_str()).copied();
        found.push(match resources::document(row, instances::TYPE) {
            Ok(BackupInstanceResource { properties, .. }) => {
                let policy = policies.find(session, &properties.policy_info.policy_id);
                let policy = policy.await;
                policy.map(|policy| asked_by(&properties, policy, schedule, now))
            }
            Err(error) => Err(error),
        });
    }
    Ok(found)
}

/// Policies of one moment, by the lower-cased ids that name them.
#[derive(Default)]
struct Policies(HashMap<String, Option<BackupPolicy>>);

impl Policies {
    async fn find(&mut self, session: &mut dyn Session, id: &str) -> Result<Option<&BackupPolicy>> {
        let policy = match self.0.entry(id.to_lowercase()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                let policy = retention::policy(session, unknown.key()).await?;
                unknown.insert(policy)
            }
        };
        Ok(policy.as_ref())
    }
}

fn asked_by(
    instance: &BackupInstance,
    policy: Option<&BackupPolicy>,
    row: Option<&ScheduleRow>,
    now: Timestamp,
) -> Asked {
    let state = instances::state_of(instance);
    if !state.follows_schedule() {
        return Asked::Suspended(state);
    }
    let Some(policy) = policy else {
        return Asked::NoPolicy;
    };
    let Some(row) = row.filter(|row| row.schedule == policy.schedule_text()) else {
        // Nobody needs a note of a schedule that there is not.
        return if policy.intervals.is_empty() {
            Asked::Turn(Turn::OnDemandOnly)
        } else {
            Asked::Anew
        };
    };
    match policy.turn(state_of(row), now) {
        Turn::ClockPutBack { .. } => Asked::Anew,
        turn => Asked::Turn(turn),
    }
}

fn state_of(row: &ScheduleRow) -> core_policy::ScheduleState {
    let state = core_policy::ScheduleState::new(row.since);
    row.handled.map_or(state, |handled| state.after(handled))
}

/// Does what the schedule of an instance asks for.
pub async fn follow(app: &App, instance: &ResourceRow) -> Result<Started> {
    let mut session = app.store.begin().await?;
    let Some(instance) = session.resource(&instance.key).await? else {
        return Ok(Started::Nothing);
    };
    let (asked, row) = asked(&mut *session, &instance, app.now()).await?;
    match (asked, row) {
        (Asked::Anew, row) => anew(app, session, &instance, row).await,
        (Asked::Turn(Turn::Due { moment, .. }), Some(row)) => {
            start(app, session, &instance, row, moment).await
        }
        _ => Ok(Started::Nothing),
    }
}

async fn anew(
    app: &App,
    mut session: Box<dyn Session>,
    instance: &ResourceRow,
    row: Option<ScheduleRow>,
) -> Result<Started> {
    let policy = policy_of(&mut *session, instance).await?;
    let new = ScheduleRow {
        instance_key: instance.key.clone(),
        schedule: policy.map_or_else(String::new, |policy| policy.schedule_text()),
        since: app.now(),
        handled: None,
        job_id: row.as_ref().and_then(|row| row.job_id),
        last_success: row.and_then(|row| row.last_success),
    };
    session.put_schedule(&new).await?;
    session.commit().await?;
    Ok(Started::Anew)
}

async fn policy_of(
    session: &mut dyn Session,
    instance: &ResourceRow,
) -> Result<Option<BackupPolicy>> {
    let document: BackupInstance = resources::document(instance, instances::TYPE)?.properties;
    retention::policy(session, &document.policy_info.policy_id).await
}

async fn start(
    app: &App,
    mut session: Box<dyn Session>,
    instance: &ResourceRow,
    row: ScheduleRow,
    moment: Timestamp,
) -> Result<Started> {
    let open = jobs::open_of_instance(&mut *session, &instance.key).await?;
    if let Some(other) = open.first() {
        return Ok(Started::Postponed(other.id));
    }
    let policy = policy_of(&mut *session, instance).await?;
    let rule = policy.map_or_else(String::new, |policy| policy.backup_rule_name);
    let id = ResourceId::published(instance.id.clone());
    let inserted = async {
        let request = jobs::scheduled_backup(app, &mut *session, &id, rule, moment).await?;
        jobs::insert(app, &mut *session, BACKUP, &request).await
    };
    match inserted.await {
        Ok(job) => {
            note(&mut *session, row, moment, &job).await?;
            session.commit().await?;
            app.crash.reach("scheduled_backup_recorded");
            app.jobs_changed.notify_one();
            Ok(Started::Job(job.id))
        }
        Err(Error::Problem(problem)) => {
            // What it wrote before it was refused goes with its session.
            drop(session);
            refused(app, instance, row, moment, &problem).await
        }
        Err(error) => Err(error),
    }
}

/// Writes a failed job for a moment whose backup cannot be started; the next moment is the next try.
async fn refused(
    app: &App,
    instance: &ResourceRow,
    row: ScheduleRow,
    moment: Timestamp,
    problem: &Problem,
) -> Result<Started> {
    let mut session = app.store.begin().await?;
    if session.schedule(&row.instance_key).await?.as_ref() != Some(&row) {
        return Ok(Started::Nothing);
    }
    let id = ResourceId::published(instance.id.clone());
    let about = jobs::about(&mut *session, &id, false).await?.about;
    let job = jobs::not_started(app, about, moment, problem)?;
    session.insert_job(&job).await?;
    note(&mut *session, row, moment, &job).await?;
    session.commit().await?;
    let labels = JobLabels {
        operation: job.operation.clone(),
        status: job.status.clone(),
    };
    app.metrics.jobs.get_or_create(&labels).inc();
    tracing::warn!(
        job.id = %job.id, instance.id = instance.id, moment = %moment,
        error.code = problem.code.as_str(), error = problem.message,
        "a scheduled backup could not be started"
    );
    Ok(Started::Refused(job.id))
}

async fn note(
    session: &mut dyn Session,
    row: ScheduleRow,
    moment: Timestamp,
    job: &JobRow,
) -> Result<()> {
    let followed = ScheduleRow {
        handled: Some(moment),
        job_id: Some(job.id),
        ..row
    };
    Ok(session.put_schedule(&followed).await?)
}

/// Puts into an instance's document what its schedule does.
pub async fn tell(
    session: &mut dyn Session,
    resource: &mut BackupInstanceResource,
    now: Timestamp,
) -> Result<()> {
    tell_all(session, std::slice::from_mut(resource), now).await
}

/// The same for a page of instances in the order of their keys: one question for all of their schedules,
/// and one for each of their policies.
pub async fn tell_all(
    session: &mut dyn Session,
    page: &mut [BackupInstanceResource],
    now: Timestamp,
) -> Result<()> {
    let key = |resource: &BackupInstanceResource| {
        ResourceId::published(resource.id.clone().unwrap_or_default()).key()
    };
    let (Some(first), Some(last)) = (page.first(), page.last()) else {
        return Ok(());
    };
    let rows = session.schedules(&key(first), &key(last)).await?;
    let rows: HashMap<&str, &ScheduleRow> = rows
        .iter()
        .map(|row| (row.instance_key.as_str(), row))
        .collect();
    let mut policies = Policies::default();
    for resource in page {
        let row = rows.get(key(resource).as_str()).copied();
        let instance = &mut resource.properties;
        let policy = policies
            .find(session, &instance.policy_info.policy_id)
            .await?;
        let asked = asked_by(instance, policy, row, now);
        instance.schedule_status = Some(status(&asked, policy, row, now));
    }
    Ok(())
}

fn status(
    asked: &Asked,
    policy: Option<&BackupPolicy>,
    row: Option<&ScheduleRow>,
    now: Timestamp,
) -> ScheduleStatus {
    let (state, next, message) = match asked {
        Asked::Suspended(state) => {
            let message = format!("The protection state is {state:?}.");
            (ScheduleState::Suspended, None, Some(message))
        }
        Asked::NoPolicy => {
            let message = "The policy is not valid; write it anew to learn why.".to_owned();
            (ScheduleState::Suspended, None, Some(message))
        }
        Asked::Anew => {
            let next = policy.and_then(|policy| policy.next_due(now));
            (ScheduleState::Waiting, next, None)
        }
        Asked::Turn(Turn::OnDemandOnly) => (ScheduleState::OnDemandOnly, None, None),
        Asked::Turn(Turn::Ended | Turn::ClockPutBack { .. }) => (ScheduleState::Ended, None, None),
        Asked::Turn(Turn::Waiting { next }) => (ScheduleState::Waiting, Some(*next), None),
        Asked::Turn(Turn::Due {
            moment,
            missed_since,
        }) => {
            let told = |first| format!("One backup stands for all moments since {first}.");
            (ScheduleState::Due, Some(*moment), missed_since.map(told))
        }
    };
    ScheduleStatus {
        state,
        next_backup_time: next,
        last_scheduled_time: row.and_then(|row| row.handled),
        last_job_id: row.and_then(|row| row.job_id).map(|id| id.to_string()),
        message,
    }
}
