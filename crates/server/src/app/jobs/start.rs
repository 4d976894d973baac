//! Starting a job: everything that can be known to be missing is said at once, and what is accepted
//! is in the store, whole, before anybody is answered.

use jiff::Timestamp;
use strongroom_api::instance::{BackupInstance, TriggerBackupRequest};
use strongroom_api::policy::{PolicyProperties, PolicyRule};
use strongroom_api::restore::{RecoveryPointBasedRestoreRequest, RestoreTarget};
use strongroom_core::error::{Code, Problem};
use strongroom_core::hooks::HookKind;
use strongroom_core::protection::Action;
use strongroom_core::selection::{HookReference, Selection};
use strongroom_kubernetes::crd::RestoreMode;
use uuid::Uuid;

use super::criteria::criteria_of;
use super::{About, BACKUP, Location, RESTORE, Request, Step, VALIDATE_RESTORE, new_row};
use crate::app::error::refuse;
use crate::app::operations::{self, End, OperationKind};
use crate::app::{
    App, Error, ResourceId, Result, instances, repositories, resources, snapshot_groups,
    trusted_access, verification,
};
use crate::store::{JobRow, OperationRow, RecoveryPointRow, RepositoryRow, Session};

/// Retention tag when none is asked for: the rule that every policy has.
const DEFAULT_TAG: &str = "Default";

/// Newest recovery points among which damage is looked for: a month of them, tried hourly. What is older
/// shares next to nothing with the next one that the newer ones do not.
const RECENT_POINTS: usize = 720;

/// A job that was accepted.
#[derive(Debug)]
pub struct Started {
    /// The job.
    pub job: JobRow,
    /// The operation under which the client follows it.
    pub operation: OperationRow,
}

/// An instance that may be worked on.
pub(in crate::app) struct Instance {
    /// What its jobs say of it.
    pub(in crate::app) about: About,
    document: BackupInstance,
    key: String,
}

/// Starts a backup of an instance that a user asks for.
pub async fn start_backup(
    app: &App,
    id: &ResourceId,
    request: &TriggerBackupRequest,
    is_user_triggered: bool,
) -> Result<Started> {
    let mut session = app.store.begin().await?;
    let instance = protected_instance(&mut *session, id, is_user_triggered).await?;
    let options = &request.backup_rule_options;
    let tag = options.trigger_option.retention_tag_override.as_deref();
    let kept = retention(app, &mut *session, &instance.about, &options.rule_name, tag).await?;
    let rule_name = options.rule_name.clone();
    let request = backup_of(app, &mut *session, instance, rule_name, kept, None).await?;
    accept(app, session, id, BACKUP, &request).await
}

/// The backup of an instance for a moment of its schedule. Its tag is settled when it succeeds, because
/// only then it is known to be the first of its day.
pub(in crate::app) async fn scheduled_backup(
    app: &App,
    session: &mut dyn Session,
    id: &ResourceId,
    rule_name: String,
    moment: Timestamp,
) -> Result<Request> {
    let instance = protected_instance(session, id, false).await?;
    let kept = retention(app, session, &instance.about, &rule_name, None).await?;
    backup_of(app, session, instance, rule_name, kept, Some(moment)).await
}

async fn backup_of(
    app: &App,
    session: &mut dyn Session,
    instance: Instance,
    rule_name: String,
    (retention_tag, expires_at): (String, Option<Timestamp>),
    scheduled_for: Option<Timestamp>,
) -> Result<Request> {
    let selection = selection_of(&instance.document)?;
    let snapshot_classes = snapshot_groups::given(session, &instance.document).await?;
    let container = working_container(session, &instance.about).await?;
    let identity = repositories::identity_or_new(app, session, &instance.key).await?;
    let repository = Location {
        container_id: container.as_str().to_owned(),
        prefix: identity.prefix.clone(),
    };
    let parent_recovery_point_id = parent(session, &instance.key, &repository).await?;
    Ok(Request::Backup {
        about: instance.about,
        recovery_point_id: app.new_id(),
        selection,
        snapshot_classes,
        parent_recovery_point_id,
        repository,
        rule_name,
        retention_tag,
        expires_at,
        scheduled_for,
    })
}

/// Starts a restore, or (`mode` Validate) the computation of what it would do.
pub async fn start_restore(
    app: &App,
    id: &ResourceId,
    request: &RecoveryPointBasedRestoreRequest,
    mode: RestoreMode,
) -> Result<Started> {
    let criteria = criteria_of(&request.restore_target_info)?;
    criteria
        .compile()
        .map_err(|problems| one_problem(problems, "The restore criteria are not valid."))?;
    check_hooks(app, &request.restore_target_info, &criteria.hooks).await?;
    let mut session = app.store.begin().await?;
    let mut about = about(&mut *session, id, true).await?.about;
    let point = point_of(&mut *session, id, &request.recovery_point_id).await?;
    about.cluster_id = target_cluster(&mut *session, &request.restore_target_info).await?;
    working_extension(&mut *session, &about).await?;
    let repository: Location = serde_json::from_value(point.body["repository"].clone())
        .map_err(Error::unexpected("read where a recovery point is"))?;
    let request = Request::Restore {
        about,
        recovery_point_id: point.id,
        recovery_point_time: point.created_at,
        mode,
        criteria,
        plan_digest: request.plan_digest.clone(),
        repository,
    };
    let operation = match mode {
        RestoreMode::Validate => VALIDATE_RESTORE,
        RestoreMode::Apply => RESTORE,
    };
    accept(app, session, id, operation, &request).await
}

/// A restore whose hooks are not there fails, so they must be before it begins. Of a cluster that does not
/// answer now nothing is known: the job waits for it, and the extension reads them again.
async fn check_hooks(app: &App, target: &RestoreTarget, hooks: &[HookReference]) -> Result<()> {
    if hooks.is_empty() {
        return Ok(());
    }
    let access = {
        let mut session = app.store.read().await?;
        let id = ResourceId::published(target_cluster(&mut *session, target).await?);
        let cluster = resources::existing(&mut *session, &id).await?;
        trusted_access::cluster_access(app, &mut *session, &cluster).await?
    };
    let kind = HookKind::Restore;
    match app.clusters.hook_problems(&access, kind, hooks).await {
        Ok(problems) if problems.is_empty() => Ok(()),
        Ok(problems) => Err(one_problem(problems, "Hooks of the restore cannot be run.").into()),
        Err(error) => {
            tracing::info!(%error, "hooks of a restore could not be looked at beforehand");
            Ok(())
        }
    }
}

/// Writes the job and its operation, unless another job of the instance is at work.
async fn accept(
    app: &App,
    mut session: Box<dyn Session>,
    instance: &ResourceId,
    operation: &str,
    request: &Request,
) -> Result<Started> {
    let job = insert(app, &mut *session, operation, request).await?;
    let id = Some(job.id.to_string());
    let location = &request.about().location;
    // Clients learn the job's id from the operation and then follow the job, so the operation of a
    // backup or restore ends here; that of a validation ends with what it found.
    let operation = if operation == VALIDATE_RESTORE {
        operations::start(
            app,
            &mut *session,
            OperationKind::Validate,
            instance,
            location,
            id,
        )
        .await?
    } else {
        let kind = OperationKind::StartJob;
        let started = operations::start(app, &mut *session, kind, instance, location, id).await?;
        let end = End::Succeeded {
            result: serde_json::Value::Null,
        };
        operations::finish(app, &mut *session, started, end).await?
    };
    session.commit().await?;
    app.crash.reach("job_recorded");
    app.jobs_changed.notify_one();
    Ok(Started { job, operation })
}

/// Writes a job, unless another one of the instance is at work.
pub(in crate::app) async fn insert(
    app: &App,
    session: &mut dyn Session,
    operation: &str,
    request: &Request,
) -> Result<JobRow> {
    let job = new_row(app, operation, Step::Admit, request)?;
    if let Some(other) = super::open_of_instance(session, &job.instance_key)
        .await?
        .first()
    {
        return Err(Problem::new(
            Code::UserErrorJobAlreadyInProgress,
            format!(
                "The {} job {} of this backup instance has not ended; it is at step {}.",
                other.operation, other.id, other.step
            ),
        )
        .at(other.id.to_string())
        .into());
    }
    session.insert_job(&job).await?;
    if let Some(repository) = request.repository() {
        // Jobs are forgotten after a while; where they wrote to is not.
        let row = RepositoryRow {
            instance_key: job.instance_key.clone(),
            container_id: repository.container_id.clone(),
            prefix: repository.prefix.clone(),
        };
        session.put_repository(&row).await?;
    }
    Ok(job)
}

/// An instance and what its jobs say of it.
pub(in crate::app) async fn about(
    session: &mut dyn Session,
    id: &ResourceId,
    is_user_triggered: bool,
) -> Result<Instance> {
    let row = resources::existing(session, id).await?;
    let document: BackupInstance = resources::document(&row, instances::TYPE)?.properties;
    let vault = ResourceId::published(row.id.clone()).without(2);
    let vault_row = resources::existing(session, &vault).await?;
    let location = vault_row.body["location"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let about = About {
        instance_id: row.id.clone(),
        instance_name: document
            .friendly_name
            .clone()
            .unwrap_or_else(|| row.name.clone()),
        vault_id: vault_row.id,
        datasource_id: document.data_source_info.resource_id.clone(),
        cluster_id: document.data_source_info.resource_id.clone(),
        policy_id: Some(document.policy_info.policy_id.clone()).filter(|id| !id.is_empty()),
        location,
        is_user_triggered,
    };
    Ok(Instance {
        about,
        document,
        key: row.key,
    })
}

/// The same, of an instance that is protected.
async fn protected_instance(
    session: &mut dyn Session,
    id: &ResourceId,
    is_user_triggered: bool,
) -> Result<Instance> {
    let instance = about(session, id, is_user_triggered).await?;
    instances::state_of(&instance.document).after(Action::BackUp)?;
    Ok(instance)
}

/// Which objects an instance's backup takes.
pub(in crate::app) fn selection_of(instance: &BackupInstance) -> Result<Selection> {
    let parameters = instance.policy_info.policy_parameters.as_ref();
    let Some(configuration) = parameters.and_then(|parameters| parameters.kubernetes()) else {
        return Ok(Selection::default());
    };
    // The configuration's names in the contract are the selection's own.
    let value = serde_json::to_value(configuration)
        .map_err(Error::unexpected("read a backup configuration"))?;
    let selection: Selection =
        serde_json::from_value(value).map_err(Error::unexpected("read a backup configuration"))?;
    selection.compile().map_err(Problem::from)?;
    Ok(selection)
}

/// One problem that has all the others as details.
fn one_problem(mut problems: Vec<Problem>, message: &str) -> Problem {
    if problems.len() == 1 {
        return problems.remove(0);
    }
    let code = problems
        .first()
        .map_or(Code::InvalidRequestContent, |problem| problem.code);
    Problem::new(code, message).with_details(problems)
}

/// The retention tag of a backup, and when the policy lets its recovery point go.
async fn retention(
    app: &App,
    session: &mut dyn Session,
    about: &About,
    rule_name: &str,
    wanted: Option<&str>,
) -> Result<(String, Option<Timestamp>)> {
    let tag = wanted.filter(|tag| !tag.is_empty()).unwrap_or(DEFAULT_TAG);
    let Some(policy_id) = &about.policy_id else {
        return Ok((tag.to_owned(), None));
    };
    let row = resources::existing(session, &ResourceId::published(policy_id.clone())).await?;
    let resource = resources::document::<PolicyProperties>(&row, crate::app::policies::TYPE)?;
    let PolicyProperties::BackupPolicy(policy) = resource.properties;
    if !policy
        .policy_rules
        .iter()
        .any(|rule| rule.name() == rule_name)
    {
        let names: Vec<&str> = policy.policy_rules.iter().map(PolicyRule::name).collect();
        return Err(Problem::new(
            Code::InvalidRequestContent,
            format!(
                "The policy '{}' has no rule '{rule_name}'; it has: {}.",
                row.name,
                names.join(", ")
            ),
        )
        .at("backupRuleOptions.ruleName")
        .into());
    }
    let meaning = crate::app::policies::meaning(&policy)?;
    let rule = meaning.retention.iter();
    let mut rule = rule.filter(|rule| rule.name.eq_ignore_ascii_case(tag));
    let Some(rule) = rule.next() else {
        return Err(Problem::new(
            Code::UserErrorRetentionTagNotInPolicy,
            format!("The policy '{}' has no retention rule '{tag}'.", row.name),
        )
        .at("backupRuleOptions.triggerOption.retentionTagOverride")
        .into());
    };
    Ok((rule.name.clone(), rule.kept_until(app.now())))
}

/// The container to which the extension of the job's cluster writes, if vault and extension are set
/// up for it.
async fn working_container(session: &mut dyn Session, about: &About) -> Result<ResourceId> {
    let cluster = ResourceId::published(about.cluster_id.clone());
    let extension = working_extension(session, about).await?;
    let container = repositories::container_of_extension(&cluster, &extension)?;
    repositories::existing_container(session, &container).await
}

/// The extension of the job's cluster, if it is installed and the vault has Trusted Access.
async fn working_extension(
    session: &mut dyn Session,
    about: &About,
) -> Result<strongroom_api::extension::Extension> {
    let cluster_key = about.cluster_id.to_lowercase();
    let Some((_, extension)) = repositories::extension_of_cluster(session, &cluster_key).await?
    else {
        return refuse(
            Code::UserErrorKubernetesBackupExtensionNotFoundError,
            format!(
                "The backup extension is not installed in the cluster '{}'.",
                about.cluster_id
            ),
        );
    };
    trusted_access::require(session, &cluster_key, &about.vault_id).await?;
    Ok(extension)
}

async fn target_cluster(session: &mut dyn Session, target: &RestoreTarget) -> Result<String> {
    let id = ResourceId::published(target.datasource().resource_id.clone());
    match session.resource(&id.key()).await? {
        Some(row) => Ok(row.id),
        None => Err(Problem::new(
            Code::UserErrorInvalidRestoreTarget,
            format!("The target cluster '{id}' is not registered."),
        )
        .at("restoreTargetInfo.datasourceInfo.resourceID")
        .into()),
    }
}

async fn point_of(
    session: &mut dyn Session,
    instance: &ResourceId,
    id: &str,
) -> Result<RecoveryPointRow> {
    let found = match id.parse::<Uuid>() {
        Ok(id) => session.recovery_point(id).await?,
        Err(_) => None,
    };
    match found.filter(|point| point.instance_key == instance.key()) {
        Some(point) if point.expiring_since.is_some() => Err(Problem::new(
            Code::UserErrorRecoveryPointNotFound,
            format!("The time of the recovery point '{id}' is over; it is being removed."),
        )
        .at("recoveryPointId")
        .into()),
        Some(point) => Ok(point),
        None => Err(Problem::new(
            Code::UserErrorRecoveryPointNotFound,
            format!("The backup instance has no recovery point '{id}'."),
        )
        .at("recoveryPointId")
        .into()),
    }
}

/// The newest recovery point of an instance, if it is in this repository and no damage is known there
/// that the next one would share.
async fn parent(
    session: &mut dyn Session,
    instance_key: &str,
    repository: &Location,
) -> Result<Option<Uuid>> {
    let recent = session
        .recovery_points(instance_key, (None, None), None, RECENT_POINTS)
        .await?
        .rows;
    let is_here = |point: &RecoveryPointRow| {
        serde_json::from_value::<Location>(point.body["repository"].clone())
            .is_ok_and(|l| l == *repository)
    };
    if !recent.first().is_some_and(is_here) {
        return Ok(None);
    }
    Ok(verification::sound_parent(&recent))
}
