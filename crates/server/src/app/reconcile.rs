//! Brings the recovery points of an instance to what its repositories hold: after a catalogue was restored
//! from an older copy, or rebuilt from the stores.
//!
//! Contract: a recovery point exists exactly when its manifest does. One that is in a repository and not in the
//! catalogue is taken over, with the tag and the time that the policy gives it now; one that is in the
//! catalogue and whose manifest is not there is forgotten. A repository that cannot be read, or that is not
//! where it should be, changes nothing: it may be a store that is away or was put back empty. What a job is
//! still to say a word of, and what is being removed, is left to those. Each point is one transaction, and
//! doing it again is no harm.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use strongroom_api::instance::BackupInstance;
use strongroom_core::policy::BackupPolicy;
use strongroom_core::selection::Selection;
use strongroom_repository::{Point, Repository};
use uuid::Uuid;

use super::instances::stored::repositories_of;
use super::jobs::{self, About, Location, Outcome, Request};
use super::{
    App, Error, ResourceId, Result, audit, immutability, instances, repositories, resources,
    retention,
};
use crate::store::{JobRow, ResourceRow, Session, TimeCursor};

/// Recovery points that are read at a time.
const PAGE: usize = 1000;

/// What the audit log calls that a recovery point was taken over.
const ADOPT: &str =
    "Microsoft.DataProtection/backupVaults/backupInstances/recoveryPoints/adopt/action";
/// What it calls that one was forgotten whose manifest is not there.
const FORGET: &str =
    "Microsoft.DataProtection/backupVaults/backupInstances/recoveryPoints/forget/action";

/// What was done for an instance.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Reconciled {
    /// Points that were taken over.
    pub adopted: usize,
    /// Points that were forgotten.
    pub forgotten: usize,
}

/// Does it for every repository of an instance.
pub async fn reconcile(app: &App, instance: &ResourceRow) -> Result<Reconciled> {
    let mut session = app.store.read().await?;
    let locations = repositories_of(&mut *session, instance).await?;
    drop(session);
    let mut done = Reconciled::default();
    for location in locations {
        let here = reconcile_one(app, instance, &location).await?;
        done.adopted += here.adopted;
        done.forgotten += here.forgotten;
    }
    Ok(done)
}

async fn reconcile_one(
    app: &App,
    instance: &ResourceRow,
    location: &Location,
) -> Result<Reconciled> {
    let mut session = app.store.read().await?;
    let identity = repositories::identity_at(app, &mut *session, &instance.key, location).await?;
    let Some(identity) = identity else {
        return Ok(Reconciled::default());
    };
    let config = match repositories::for_server(app, &mut *session, location).await {
        Ok(config) => config,
        Err(error) if retention::is_container_gone(&error) => return Ok(Reconciled::default()),
        Err(error) => return Err(error),
    };
    let known = known(&mut *session, instance, location).await?;
    let at_work = at_work(&mut *session, instance).await?;
    drop(session);
    let told = |error: strongroom_repository::Error| Error::from(repositories::problem_of(&error));
    let opened = async {
        let entropy = strongroom_repository::SystemEntropy;
        let (store, prefix) = (config.connect()?, config.prefix()?);
        Repository::open(store, prefix, &identity.key, &entropy).await
    };
    let repository = match opened.await {
        // Nothing was ever written, and nothing is known to have been.
        Err(error) if error.is_not_found() && known.is_empty() => {
            return Ok(Reconciled::default());
        }
        opened => opened.map_err(told)?,
    };
    let held: BTreeSet<Uuid> = repository
        .points()
        .await
        .map_err(told)?
        .into_iter()
        .collect();
    let mut done = Reconciled::default();
    for (point, is_going) in &known {
        if *is_going || held.contains(point) || at_work.contains(point) {
            continue;
        }
        // A list may be behind; the point itself is not.
        match repository.point(*point).await {
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(told(error)),
            Ok(_) => continue,
        }
        let scope = scope_of(instance, *point);
        let forgotten = audit::by_server(app, FORGET, &scope, retention::forget(app, *point));
        done.forgotten += usize::from(forgotten.await?);
    }
    let mut new: BTreeMap<(Timestamp, Uuid), Uuid> = BTreeMap::new();
    for id in held {
        if known.contains_key(&id) || at_work.contains(&id) {
            continue;
        }
        let point = repository.point(id).await.map_err(told)?;
        new.insert((point.created(), id), id);
    }
    // The oldest first: which one is the first of its day follows from those before it.
    for id in new.into_values() {
        let point = repository.point(id).await.map_err(told)?;
        let scope = scope_of(instance, id);
        let adopted = audit::by_server(app, ADOPT, &scope, adopt(app, instance, location, &point));
        done.adopted += usize::from(adopted.await?);
    }
    Ok(done)
}

fn scope_of(instance: &ResourceRow, point: Uuid) -> String {
    format!("{}/recoveryPoints/{point}", instance.id)
}

/// The points of a repository that the catalogue knows, each with whether it is being removed.
async fn known(
    session: &mut dyn Session,
    instance: &ResourceRow,
    location: &Location,
) -> Result<BTreeMap<Uuid, bool>> {
    let mut known = BTreeMap::new();
    let mut after = None;
    loop {
        let page = session
            .recovery_points(&instance.key, (None, None), after, PAGE)
            .await?;
        for row in &page.rows {
            if retention::location_of(row)? == *location {
                known.insert(row.id, row.expiring_since.is_some());
            }
        }
        let Some(last) = page.rows.last().filter(|_| page.more) else {
            return Ok(known);
        };
        after = Some(TimeCursor {
            created_at: last.created_at,
            id: last.id,
        });
    }
}

/// The points of jobs that have not said their last word of them.
async fn at_work(session: &mut dyn Session, instance: &ResourceRow) -> Result<BTreeSet<Uuid>> {
    let mut open = session.open_jobs_of_instance(&instance.key).await?;
    open.extend(session.waiting_jobs_of_instance(&instance.key).await?);
    let mut points = BTreeSet::new();
    for job in open {
        if let Request::Backup {
            recovery_point_id, ..
        } = Request::of(&job)?
        {
            points.insert(recovery_point_id);
        }
    }
    Ok(points)
}

/// Takes a point over that the catalogue does not know; tells whether it was new.
async fn adopt(
    app: &App,
    instance: &ResourceRow,
    location: &Location,
    point: &Point,
) -> Result<bool> {
    let mut session = app.store.begin().await?;
    if session.recovery_point(point.id()).await?.is_some() {
        return Ok(false);
    }
    let document: BackupInstance = resources::document(instance, instances::TYPE)?.properties;
    let policy_id = document.policy_info.policy_id.clone();
    let policy = retention::policy(&mut *session, &policy_id).await?;
    let tag = tag_of(&mut *session, instance, policy.as_ref(), point.created()).await?;
    let rule = policy.as_ref().and_then(|policy| policy.retention_of(&tag));
    let expires_at = rule.and_then(|rule| rule.kept_until(point.created()));
    let request = request_of(instance, &document, location, point, (tag, expires_at));
    let job = job_of(instance, point, &request)?;
    let outcome = outcome_of(point);
    let Some(mut row) = jobs::of_backup(&job, &request, &outcome, point)? else {
        return Ok(false);
    };
    immutability::note_service(&mut *session, &mut row, point.created()).await?;
    session.insert_recovery_point(&row).await?;
    repositories::hold_container(&mut *session, &row).await?;
    if let Some(mut schedule) = session.schedule(&instance.key).await?
        && schedule
            .last_success
            .is_none_or(|last| last < row.created_at)
    {
        schedule.last_success = Some(row.created_at);
        session.put_schedule(&schedule).await?;
    }
    session.commit().await?;
    Ok(true)
}

/// The tag that the policy gives a backup of that time. A manifest does not tell which one was asked for.
async fn tag_of(
    session: &mut dyn Session,
    instance: &ResourceRow,
    policy: Option<&BackupPolicy>,
    created: Timestamp,
) -> Result<String> {
    let Some(policy) = policy else {
        return Ok(String::new());
    };
    let before = session
        .recovery_points(&instance.key, (None, Some(created)), None, 1)
        .await?;
    let earlier: Vec<Timestamp> = before.rows.iter().map(|row| row.created_at).collect();
    Ok(policy.tag_of(created, created, &earlier).to_owned())
}

fn request_of(
    instance: &ResourceRow,
    document: &BackupInstance,
    location: &Location,
    point: &Point,
    (retention_tag, expires_at): (String, Option<Timestamp>),
) -> Request {
    let vault = ResourceId::published(instance.id.clone()).without(2);
    let cluster = &document.data_source_info.resource_id;
    let name = document.friendly_name.clone();
    Request::Backup {
        about: About {
            instance_id: instance.id.clone(),
            instance_name: name.unwrap_or_else(|| instance.name.clone()),
            vault_id: vault.to_string(),
            datasource_id: cluster.clone(),
            cluster_id: cluster.clone(),
            policy_id: Some(document.policy_info.policy_id.clone()),
            location: String::new(),
            is_user_triggered: false,
        },
        recovery_point_id: point.id(),
        selection: Selection::default(),
        snapshot_classes: Vec::new(),
        parent_recovery_point_id: point.parent(),
        repository: location.clone(),
        rule_name: String::new(),
        retention_tag,
        expires_at,
        scheduled_for: None,
    }
}

/// The job that made a point, as far as its manifest tells of it; it is not written anywhere.
fn job_of(instance: &ResourceRow, point: &Point, request: &Request) -> Result<JobRow> {
    let id = point.header()["jobId"].as_str();
    let id = id.and_then(|id| id.parse().ok()).unwrap_or(point.id());
    let about = request.about();
    Ok(JobRow {
        id,
        vault_key: about.vault_id.to_lowercase(),
        instance_key: instance.key.clone(),
        cluster_key: about.cluster_id.to_lowercase(),
        operation: jobs::BACKUP.to_owned(),
        status: jobs::COMPLETED.to_owned(),
        step: jobs::Step::Done.as_str().to_owned(),
        progress: serde_json::Value::Null,
        resource_name: None,
        request: request.to_column()?,
        result: serde_json::Value::Null,
        error: serde_json::Value::Null,
        created_at: point.created(),
        started_at: None,
        ended_at: Some(point.created()),
        next_poll_at: None,
        generation: 0,
    })
}

/// What came of the job that made a point, as far as its manifest tells of it.
pub(crate) fn outcome_of(point: &Point) -> Outcome {
    let counts = &point.header()["counts"];
    let findings = counts["findings"].as_u64().unwrap_or(0);
    Outcome {
        with_warnings: findings > 0,
        manifest_digest: Some(point.digest().to_owned()),
        findings,
        bytes: counts["bytes"].as_u64().unwrap_or(0),
        ..Outcome::default()
    }
}
