//! Backup instances: one protected cluster each.
//!
//! Contract: a PUT writes the instance with all that it refers to, in one transaction, and an
//! operation that brings it to its protected state; a restarted server takes open operations up
//! again. An instance that failed to configure says why and is configured anew by another PUT.

mod configure;
mod delete;
pub mod deleted;
mod protection;
mod state;
pub mod stored;
mod sync;
mod undelete;

use strongroom_api::instance::{BackupInstance, BackupInstanceResource, Datasource};
use strongroom_core::error::{Code, Problem};
use strongroom_core::guard::CriticalOperation;
use strongroom_core::name::NameKind;
use strongroom_core::protection::{Action, State};

pub use self::configure::{configure, told};
pub use self::delete::{delete, purge};
pub use self::protection::change;
use self::state::set_state;
pub use self::state::state_of;
pub use self::sync::{Synced, sync};
pub use self::undelete::undelete;

use super::resources::{self, Terms, Written};
use super::{
    App, Error, ResourceId, Result, clusters, guards, immutability, jobs, policies,
    resource_groups, schedules, snapshot_groups, vaults,
};
use crate::store::{OperationRow, ResourceRow, Session, UseRow};

/// Published type of a backup instance.
pub const TYPE: &str = "Microsoft.DataProtection/backupVaults/backupInstances";

/// As what an instance uses its cluster, its policy, and its snapshot resource group.
const CLUSTER_ROLE: &str = "cluster";
/// See [`CLUSTER_ROLE`].
const POLICY_ROLE: &str = "policy";
/// See [`CLUSTER_ROLE`].
const SNAPSHOT_GROUP_ROLE: &str = "snapshotGroup";

/// Instances of a cluster in a vault that are looked at for the same policy.
const MOST_USERS: usize = 1000;

/// What a PUT accepted.
#[derive(Debug)]
pub struct Accepted {
    /// The instance as it is now.
    pub written: Written<BackupInstance>,
    /// The operation that configures it.
    pub operation: OperationRow,
}

/// Writes an instance and begins to configure its protection. Follow with [`configure`].
pub async fn put(
    app: &App,
    id: &ResourceId,
    instance: BackupInstanceResource,
    terms: &Terms,
) -> Result<Accepted> {
    resources::check_name(NameKind::BackupInstance, id)?;
    let mut instance = BackupInstanceResource {
        tags: instance.tags,
        ..BackupInstanceResource::of(instance.properties)
    };
    check_form(&instance.properties)?;
    // Told at each answer, and kept nowhere else.
    instance.properties.schedule_status = None;
    instance.properties.deletion_info = None;
    let mut session = app.store.begin().await?;
    let vault = vaults::require(&mut *session, &id.without(2)).await?;
    let settings = vaults::document(&vault)?;
    let location = settings.location.unwrap_or_default();
    let id = ResourceId::published(vault.id.clone()).child("backupInstances", id.name());
    let row = session.resource(&id.key()).await?;
    terms.check(row.as_ref())?;
    let old: Option<BackupInstanceResource> = row
        .as_ref()
        .map(|row| resources::document(row, TYPE))
        .transpose()?;
    let cluster = cluster_of(&mut *session, &instance.properties).await?;
    let policy = policy_of(&mut *session, &vault, &instance.properties).await?;
    let group = snapshot_groups::require(&mut *session, &instance.properties).await?;
    if let Some(old) = &old {
        refuse_other_datasource(&old.properties, &cluster)?;
        let settings = &settings.properties;
        immutability::refuse_other_policy(&mut *session, settings, &old.properties, &policy)
            .await?;
        if immutability::is_shortened_by(&mut *session, &old.properties, &policy).await? {
            let vault = id.without(2);
            let operation = CriticalOperation::ReduceProtection;
            guards::require(app, &mut *session, &vault, operation, id.as_str(), terms).await?;
        }
    }
    refuse_same_policy(&mut *session, &id, &vault, &cluster, &policy).await?;
    settle_references(&mut instance.properties, &cluster, &policy);
    let before = old
        .as_ref()
        .map_or(State::NotProtected, |old| state_of(&old.properties));
    let state = before.after(Action::Configure)?;
    set_state(&mut instance.properties, state, None);
    instance.properties.provisioning_state = Some(
        if old.is_some() {
            "Updating"
        } else {
            "Provisioning"
        }
        .to_owned(),
    );

    let written = resources::write_anew(
        app,
        &mut *session,
        &id,
        TYPE,
        &instance,
        row.as_ref(),
        &terms.by,
    )
    .await?;
    put_uses(&mut *session, &id, &cluster, &policy, group.as_ref()).await?;
    let operation = configure::begin(app, &mut *session, &id, &location, &written).await?;
    session.commit().await?;
    Ok(Accepted { written, operation })
}

/// Says what an instance needs: none of it can be deleted while it protects something.
async fn put_uses(
    session: &mut dyn Session,
    id: &ResourceId,
    cluster: &ResourceRow,
    policy: &ResourceRow,
    group: Option<&ResourceRow>,
) -> Result<()> {
    let targets = [
        (CLUSTER_ROLE, Some(cluster)),
        (POLICY_ROLE, Some(policy)),
        (SNAPSHOT_GROUP_ROLE, group),
    ];
    for (role, target) in targets {
        let Some(target) = target else {
            session.delete_use(&id.key(), role).await?;
            continue;
        };
        let edge = UseRow {
            user_key: id.key(),
            role: role.to_owned(),
            target_key: target.key.clone(),
        };
        session.put_use(&edge).await?;
    }
    Ok(())
}

/// What can be said without looking anything up.
fn check_form(instance: &BackupInstance) -> Result<()> {
    check_object_type(instance)?;
    jobs::selection_of(instance)?;
    Ok(())
}

/// Refuses what calls itself something else than an instance.
pub fn check_object_type(instance: &BackupInstance) -> Result<()> {
    if instance.object_type != "BackupInstance" {
        return Err(Problem::new(
            Code::UnknownObjectType,
            format!(
                "objectType '{}' is not accepted here; accepted: 'BackupInstance'",
                instance.object_type
            ),
        )
        .at("properties.objectType")
        .into());
    }
    Ok(())
}

async fn cluster_of(session: &mut dyn Session, instance: &BackupInstance) -> Result<ResourceRow> {
    let target = "properties.dataSourceInfo.resourceID";
    let id = parsed(&instance.data_source_info.resource_id, target)?;
    clusters::require(session, &id)
        .await
        .map_err(|error| at(error, target))
}

async fn policy_of(
    session: &mut dyn Session,
    vault: &ResourceRow,
    instance: &BackupInstance,
) -> Result<ResourceRow> {
    let target = "properties.policyInfo.policyId";
    let id = parsed(&instance.policy_info.policy_id, target)?;
    let row = resources::existing(session, &id)
        .await
        .map_err(|error| at(error, target))?;
    let is_of_vault = row.kind == policies::TYPE.to_lowercase()
        && row.key.starts_with(&format!("{}/", vault.key));
    if is_of_vault {
        return Ok(row);
    }
    Err(Problem::new(
        Code::UserErrorInvalidBackupPolicy,
        format!(
            "'{id}' is not a backup policy of the vault '{}'.",
            vault.name
        ),
    )
    .at(target)
    .into())
}

/// A resource id out of a document.
fn parsed(text: &str, target: &str) -> Result<ResourceId> {
    match strongroom_core::id::ArmId::parse(text) {
        Ok(id) => Ok(ResourceId::published(id.to_string())),
        Err(invalid) => Err(Problem::new(Code::InvalidResourceId, format!("{invalid}."))
            .at(target)
            .into()),
    }
}

/// The same failure with the field that led to it.
fn at(error: Error, target: &str) -> Error {
    match error {
        Error::Problem(problem) => problem.at(target).into(),
        other => other,
    }
}

fn refuse_other_datasource(old: &BackupInstance, cluster: &ResourceRow) -> Result<()> {
    if old.data_source_info.resource_id.to_lowercase() == cluster.key {
        return Ok(());
    }
    Err(other_datasource().into())
}

fn other_datasource() -> Problem {
    Problem::new(
        Code::PropertyChangeNotAllowed,
        "The datasource of a backup instance is fixed; make another instance.",
    )
    .at("properties.dataSourceInfo.resourceID")
}

/// A cluster may have several instances in a vault, but not two that would do the same.
async fn refuse_same_policy(
    session: &mut dyn Session,
    id: &ResourceId,
    vault: &ResourceRow,
    cluster: &ResourceRow,
    policy: &ResourceRow,
) -> Result<()> {
    let prefix = format!("{}/", vault.key);
    for user in session.users_of(&cluster.key, MOST_USERS).await? {
        if user.role != CLUSTER_ROLE
            || user.user_key == id.key()
            || !user.user_key.starts_with(&prefix)
        {
            continue;
        }
        let uses = session.used_by(&user.user_key).await?;
        if uses
            .iter()
            .any(|edge| edge.role == POLICY_ROLE && edge.target_key == policy.key)
        {
            let other = session
                .resource(&user.user_key)
                .await?
                .map_or(user.user_key, |row| row.id);
            return Err(Problem::new(
                Code::UserErrorBackupInstanceAlreadyExists,
                format!(
                    "The cluster is protected in this vault with the policy '{}' already, by \
                     '{other}'. Another instance needs another policy or another vault.",
                    policy.name
                ),
            )
            .at(other)
            .into());
        }
    }
    Ok(())
}

/// Refuses a change of an instance that no write could make.
pub async fn check_change(app: &App, id: &ResourceId, wanted: &BackupInstance) -> Result<()> {
    check_form(wanted)?;
    let mut session = app.store.read().await?;
    let row = resources::existing(&mut *session, id).await?;
    let old: BackupInstance = resources::document(&row, TYPE)?.properties;
    let (before, after) = (&old.data_source_info, &wanted.data_source_info);
    if !before.resource_id.eq_ignore_ascii_case(&after.resource_id) {
        return Err(other_datasource().into());
    }
    let vault = vaults::require(&mut *session, &id.without(2)).await?;
    let settings = vaults::document(&vault)?.properties;
    let policy = ResourceId::published(wanted.policy_info.policy_id.clone());
    // Of one that does not exist the validation tells.
    match session.resource(&policy.key()).await? {
        Some(policy) => {
            immutability::refuse_other_policy(&mut *session, &settings, &old, &policy).await
        }
        None => Ok(()),
    }
}

/// The instances of all vaults that protect a cluster, in the order of their ids. Its subscription has to be
/// there; of a resource that is not, nobody protects anything.
pub async fn of_cluster(app: &App, cluster: &ResourceId) -> Result<Vec<BackupInstanceResource>> {
    resource_groups::require_subscription(app, &cluster.subscription()).await?;
    let mut session = app.store.read().await?;
    let mut found = Vec::new();
    for user in session.users_of(&cluster.key(), MOST_USERS).await? {
        if user.role != CLUSTER_ROLE {
            continue;
        }
        if let Some(row) = session.resource(&user.user_key).await? {
            let mut instance = resources::document(&row, TYPE)?;
            schedules::tell(&mut *session, &mut instance, app.now()).await?;
            found.push(instance);
        }
    }
    Ok(found)
}

/// Ids of the instances of a vault that protect a cluster.
pub async fn of_vault_on(
    session: &mut dyn Session,
    vault_key: &str,
    cluster_key: &str,
) -> Result<Vec<String>> {
    let prefix = format!("{vault_key}/");
    let mut found = Vec::new();
    for user in session.users_of(cluster_key, MOST_USERS).await? {
        if user.role != CLUSTER_ROLE || !user.user_key.starts_with(&prefix) {
            continue;
        }
        if let Some(row) = session.resource(&user.user_key).await? {
            found.push(row.id);
        }
    }
    Ok(found)
}

/// Puts the published spelling of what the instance refers to into it.
fn settle_references(instance: &mut BackupInstance, cluster: &ResourceRow, policy: &ResourceRow) {
    let published = if cluster.kind == clusters::CONNECTED.to_lowercase() {
        clusters::CONNECTED
    } else {
        clusters::MANAGED
    };
    let location = cluster.body["location"].as_str().map(str::to_owned);
    let fill = |source: &mut Datasource, object_type: &str| {
        source.resource_id.clone_from(&cluster.id);
        source
            .object_type
            .get_or_insert_with(|| object_type.to_owned());
        source
            .resource_name
            .get_or_insert_with(|| cluster.name.clone());
        source
            .resource_type
            .get_or_insert_with(|| published.to_owned());
        source
            .datasource_type
            .get_or_insert_with(|| clusters::MANAGED.to_owned());
        source.resource_location = source.resource_location.take().or_else(|| location.clone());
    };
    fill(&mut instance.data_source_info, "Datasource");
    if let Some(set) = &mut instance.data_source_set_info {
        fill(set, "DatasourceSet");
    }
    instance.policy_info.policy_id.clone_from(&policy.id);
    instance.policy_info.policy_version = Some(policy.etag.trim_matches('"').to_owned());
}

/// One instance, with what its schedule does.
pub async fn get(app: &App, id: &ResourceId) -> Result<BackupInstanceResource> {
    let mut session = app.store.read().await?;
    let row = resources::existing(&mut *session, id).await?;
    let mut found = resources::document(&row, TYPE)?;
    schedules::tell(&mut *session, &mut found, app.now()).await?;
    Ok(found)
}

/// The instances of a vault, in the order of their names.
pub async fn list(
    app: &App,
    vault: &ResourceId,
    after: Option<&str>,
    limit: usize,
) -> Result<(Vec<BackupInstanceResource>, Option<String>)> {
    vaults::require(&mut *app.store.read().await?, vault).await?;
    let (mut found, next) = resources::list(app, TYPE, vault, after, limit).await?;
    let mut session = app.store.read().await?;
    schedules::tell_all(&mut *session, &mut found, app.now()).await?;
    Ok((found, next))
}
