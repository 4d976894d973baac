//! Retention: which tag and which time a recovery point gets, and whether it may go.
//!
//! Contract: tag and time are settled in the transaction that makes the point exist. Whether it goes is
//! decided by `core::policy::expiry` in the transaction that marks it, over what the store holds at that
//! moment: a restore that is accepted before keeps the point, one that comes later is refused. At what it is
//! worth to look is found by [`looks`].

pub mod looks;

use jiff::SignedDuration;
use strongroom_api::instance::BackupInstance;
use strongroom_api::policy::PolicyProperties;
use strongroom_api::recovery_point::VerificationState;
use strongroom_core::error::Code;
use strongroom_core::policy::{
    BackupPolicy, Circumstances, Latest, RetentionClock, Verdict, expiry,
};
use uuid::Uuid;

use super::jobs::{self, Location, Request};
use super::{
    App, Error, ResourceId, Result, immutability, instances, policies, resources, trusted_access,
    verification,
};
use crate::cluster_link::VaultAccess;
use crate::store::{JobRow, RecoveryPointRow, Session, TimeCursor};

/// The setting that holds what retention knows of the clock.
pub(crate) const CLOCK: &str = "retention-clock";

/// Recovery points that are read at a time.
const PAGE: usize = 100;

/// Gives a new recovery point its tag and its time: those that the policy has for it now.
///
/// A clock that was behind when the point was made, the cluster's or the server's, must not end its time
/// early: it counts from the later of the two.
pub async fn settle(
    session: &mut dyn Session,
    job: &JobRow,
    request: &Request,
    point: &mut RecoveryPointRow,
) -> Result<()> {
    let Request::Backup {
        about,
        retention_tag,
        scheduled_for,
        ..
    } = request
    else {
        return Ok(());
    };
    let counted_from = point.created_at.max(job.created_at);
    immutability::note_service(session, point, counted_from).await?;
    let policy = match &about.policy_id {
        Some(id) => policy(session, id).await?,
        None => None,
    };
    let Some(policy) = policy else {
        // What was promised when the job was accepted holds.
        return Ok(());
    };
    let tag = match scheduled_for {
        Some(moment) => first_of(session, &policy, *moment, point).await?,
        None => retention_tag.clone(),
    };
    let rule = policy.retention_of(&tag);
    point.expires_at = rule.and_then(|rule| rule.kept_until(counted_from));
    let properties = &mut point.body["properties"];
    properties["retentionTagName"] = tag.into();
    tell_expiry(properties, point.expires_at);
    Ok(())
}

/// The tag of a scheduled backup, and a note that it was one.
async fn first_of(
    session: &mut dyn Session,
    policy: &BackupPolicy,
    moment: jiff::Timestamp,
    point: &RecoveryPointRow,
) -> Result<String> {
    let schedule = session.schedule(&point.instance_key).await?;
    let earlier = schedule.as_ref().and_then(|row| row.last_success);
    let tag = policy.tag_of(moment, point.created_at, earlier.as_slice());
    if let Some(mut row) = schedule {
        // Not the later of the two: after a clock that was ahead each backup would be a first one.
        row.last_success = Some(point.created_at);
        session.put_schedule(&row).await?;
    }
    Ok(tag.to_owned())
}

/// Writes an expiry time where the published model has it.
fn tell_expiry(properties: &mut serde_json::Value, expires: Option<jiff::Timestamp>) {
    let Some(expires) = expires.map(|time| time.to_string()) else {
        return;
    };
    let stores = &mut properties["recoveryPointDataStoresDetails"];
    for store in stores.as_array_mut().into_iter().flatten() {
        store["expiryTime"] = expires.clone().into();
    }
    properties["expiryTime"] = expires.into();
}

/// A policy as it is now; none when it is gone, or not valid by the rules of this version.
pub async fn policy(session: &mut dyn Session, id: &str) -> Result<Option<BackupPolicy>> {
    let id = ResourceId::published(id.to_owned());
    let Some(row) = session.resource(&id.key()).await? else {
        return Ok(None);
    };
    let resource = resources::document::<PolicyProperties>(&row, policies::TYPE)?;
    let PolicyProperties::BackupPolicy(document) = resource.properties;
    Ok(policies::meaning(&document).ok())
}

/// A recovery point's document with the time that the policy gives it today, and with its state while it
/// is being removed.
pub fn told(point: &RecoveryPointRow, policy: Option<&BackupPolicy>) -> serde_json::Value {
    let mut properties = point.body["properties"].clone();
    tell_expiry(&mut properties, time_of_point(point, policy));
    if point.expiring_since.is_some() {
        let stores = &mut properties["recoveryPointDataStoresDetails"];
        for store in stores.as_array_mut().into_iter().flatten() {
            store["state"] = "DELETING".into();
            store["visible"] = false.into();
        }
    }
    properties
}

/// The retention tag of a point; empty when it has none.
#[must_use]
pub fn tag_of(point: &RecoveryPointRow) -> &str {
    point.tag()
}

/// When a point may go.
pub(super) fn time_of_point(
    point: &RecoveryPointRow,
    policy: Option<&BackupPolicy>,
) -> Option<jiff::Timestamp> {
    time_of(tag_of(point), point.created_at, point.expires_at, policy)
}

/// The same of the few facts that it follows from.
fn time_of(
    tag: &str,
    created_at: jiff::Timestamp,
    promised: Option<jiff::Timestamp>,
    policy: Option<&BackupPolicy>,
) -> Option<jiff::Timestamp> {
    match policy {
        Some(policy) => policy.expiry(tag, created_at, promised),
        None => promised,
    }
}

/// One page of the recovery points that are being removed.
pub async fn being_removed(app: &App, after: Option<Uuid>) -> Result<Vec<RecoveryPointRow>> {
    let mut session = app.store.read().await?;
    Ok(session.expiring_recovery_points(after, PAGE).await?)
}

/// Decides over a point whose promised time is over, and marks it when it goes: from then on it is being
/// removed, whatever comes. `None` when it is gone or marked already.
pub async fn decide(
    app: &App,
    point: Uuid,
    untrusted_for: Option<SignedDuration>,
) -> Result<Option<Verdict>> {
    let mut session = app.store.begin().await?;
    let found = session.recovery_point(point).await?;
    let Some(row) = found.filter(|row| row.expiring_since.is_none()) else {
        return Ok(None);
    };
    let Some(instance) = session.resource(&row.instance_key).await? else {
        return Ok(None);
    };
    let instance: BackupInstance = resources::document(&instance, instances::TYPE)?.properties;
    let policy = policy(&mut *session, &instance.policy_info.policy_id).await?;
    let expires = time_of_point(&row, policy.as_ref());
    let circumstances = Circumstances {
        always: latest(&mut *session, &row.instance_key)
            .await?
            .keeps(row.id),
        in_use_by: user_of(app, &mut *session, &row).await?,
        suspended: suspended(&instance),
        untrusted_for,
        owed: immutability::owed(&mut *session, &row, expires).await?,
    };
    let now = app.now();
    let verdict = expiry::judge(expires, now, &circumstances);
    if matches!(verdict, Verdict::Expire { .. }) {
        session.mark_recovery_point_expiring(point, now).await?;
        session.commit().await?;
    }
    Ok(Some(verdict))
}

/// The points of an instance that stay, whatever their time.
pub async fn latest(session: &mut dyn Session, instance_key: &str) -> Result<Latest<Uuid>> {
    let last_made = session.last_made_recovery_point(instance_key).await?;
    let mut latest = Latest::of([], last_made);
    let mut after = None;
    loop {
        let page = session
            .recovery_points(instance_key, (None, None), after, PAGE)
            .await?;
        let staying = page.rows.iter().filter(|row| row.expiring_since.is_none());
        for row in staying {
            let verdict = verification::of_point(row).map(|found| found.state);
            latest.note(row.id, verdict == Some(VerificationState::Damaged));
        }
        let last = page.rows.last().filter(|_| page.more);
        let Some(last) = last.filter(|_| latest.newest_sound.is_none()) else {
            return Ok(latest);
        };
        after = Some(TimeCursor {
            created_at: last.created_at,
            id: last.id,
        });
    }
}

/// The job that needs a point, if there is one. A restore whose cluster is out of reach may still be at
/// work there although its job has ended; it gives up at its deadline.
async fn user_of(
    app: &App,
    session: &mut dyn Session,
    point: &RecoveryPointRow,
) -> Result<Option<String>> {
    let key = &point.instance_key;
    let open = session.open_jobs_of_instance(key).await?;
    let deadline = SignedDuration::try_from(app.job_limits.deadline).unwrap_or(SignedDuration::MAX);
    let mut waiting = session.waiting_jobs_of_instance(key).await?;
    waiting.retain(|job| {
        let ran = jobs::began(job).map_or(SignedDuration::ZERO, |began| {
            app.now().duration_since(began)
        });
        job.operation == jobs::RESTORE && ran <= deadline
    });
    for job in open.iter().chain(&waiting) {
        if Request::of(job)?.needed_point() == Some(point.id) {
            return Ok(Some(job.id.to_string()));
        }
    }
    Ok(None)
}

/// The protection state in which retention does not go on: a stopped protection keeps what it has for
/// ever, and of a deleted instance that can be brought back nothing may be missing.
#[must_use]
pub fn suspended(instance: &BackupInstance) -> Option<String> {
    let state = instances::state_of(instance);
    (!state.follows_retention()).then(|| format!("{state:?}"))
}

/// Where a point is.
pub fn location_of(point: &RecoveryPointRow) -> Result<Location> {
    serde_json::from_value(point.body["repository"].clone())
        .map_err(Error::unexpected("read where a recovery point is"))
}

/// Volume snapshots that a point has.
#[must_use]
pub fn volumes_of(point: &RecoveryPointRow) -> u64 {
    point.body["properties"]["volumes"].as_u64().unwrap_or(0)
}

/// The recovery points of an instance that have volume snapshots.
pub async fn with_volumes(session: &mut dyn Session, instance_key: &str) -> Result<Vec<Uuid>> {
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = session
            .recovery_points(instance_key, (None, None), after, PAGE)
            .await?;
        let having = page.rows.iter().filter(|row| volumes_of(row) > 0);
        found.extend(having.map(|row| row.id));
        let Some(last) = page.rows.last().filter(|_| page.more) else {
            return Ok(found);
        };
        after = Some(TimeCursor {
            created_at: last.created_at,
            id: last.id,
        });
    }
}

/// The way to the cluster in which the volume snapshots of a point are, and the id of its instance.
pub async fn way_to_snapshots(
    app: &App,
    point: &RecoveryPointRow,
) -> Result<(VaultAccess, String)> {
    let mut session = app.store.read().await?;
    let instance = ResourceId::published(point.instance_key.clone());
    let instance = resources::existing_or_deleted(&mut *session, &instance).await?;
    let document: BackupInstance = resources::document(&instance, instances::TYPE)?.properties;
    let vault = ResourceId::published(instance.id.clone()).without(2);
    let cluster = &document.data_source_info.resource_id;
    let access = trusted_access::of_job(app, &mut *session, cluster, vault.as_str()).await?;
    Ok((access, instance.id))
}

/// Forgets a point whose manifest is gone; tells whether it was there.
pub async fn forget(app: &App, point: Uuid) -> Result<bool> {
    let mut session = app.store.begin().await?;
    let was_there = session.delete_recovery_point(point).await?;
    session.commit().await?;
    Ok(was_there)
}

/// Looks at the clock: for how long it is not to be trusted, after at least `ran` has passed since the
/// last look of this process.
pub async fn look_at_clock(app: &App, ran: SignedDuration) -> Result<Option<SignedDuration>> {
    let mut session = app.store.begin().await?;
    let now = app.now();
    let known = session.setting(CLOCK).await?;
    // One that cannot be read was written by nobody; begin anew.
    let known = known.and_then(|text| serde_json::from_str::<RetentionClock>(&text).ok());
    let (clock, leap) = known
        .unwrap_or_else(|| RetentionClock::new(now))
        .look(now, ran);
    let text =
        serde_json::to_string(&clock).map_err(Error::unexpected("write what the clock showed"))?;
    session.put_setting(CLOCK, &text).await?;
    session.commit().await?;
    if let Some(leap) = leap {
        tracing::warn!(
            leap_s = leap.by.as_secs(),
            untrusted_s = clock.untrusted_seconds,
            "the clock is far ahead of the last look of retention; nothing expires for a while"
        );
    }
    Ok(clock.untrusted_for())
}

/// Whether an error says that the container of a repository is gone, and all that was in it.
#[must_use]
pub fn is_container_gone(error: &Error) -> bool {
    error.code() == Code::UserErrorNoDefaultBackupStorageLocationFound
}
