//! The backup extension of a cluster: installed, followed until it is ready, and removed.
//! A PUT writes the resource and an operation and is answered; [`settle`] then brings the cluster to what the
//! resource says, and can be begun again by whoever finds the operation open. Removing is refused while backup instances
//! protect the cluster (every backup of theirs would fail), unless `forceDelete` says that it is beyond help.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use strongroom_api::extension::{
    EXTENSION_TYPE, Extension, ExtensionResource, ExtensionScope, ExtensionScopeCluster,
    ExtensionStatus, SETTING_FREEZE_BUDGET_SECONDS, SETTING_IMAGE,
};
use strongroom_core::error::{Code, Problem};
use strongroom_core::limits::FREEZE_BUDGET_MAX;
use strongroom_core::name::NameKind;
use strongroom_kubernetes::EXTENSION_NAMESPACE;

use super::error::refuse;
use super::limits::EXTENSION_PATIENCE;
use super::operations::{self, End, OperationKind};
use super::resources::{self, Terms, Written};
use super::{App, ResourceId, Result, instances, jobs, repositories, trusted_access};
use crate::cluster_link::{
    ClusterAccess, ExtensionHealth, Installation, LinkError, Remedy, VaultAccess,
};
use crate::store::{OperationRow, ResourceRow, Session};
use crate::worker::limits::{INSTALL_EVERY, INSTALL_LIMIT};

/// Published type of an extension.
pub const TYPE: &str = "Microsoft.KubernetesConfiguration/extensions";

/// Operations that are looked through for one on the same extension.
const MOST_OPEN_OPERATIONS: usize = 1000;

/// Users of a cluster that are looked through for protection.
const MOST_USERS: usize = 1000;

const SUCCEEDED: &str = "Succeeded";
const FAILED: &str = "Failed";
const CREATING: &str = "Creating";
const UPDATING: &str = "Updating";
const DELETING: &str = "Deleting";

/// Writes an extension and begins to install it.
pub async fn put(
    app: &App,
    id: &ResourceId,
    mut extension: ExtensionResource,
    terms: &Terms,
) -> Result<(Written<Extension>, OperationRow)> {
    resources::check_name(NameKind::Extension, id)?;
    let mut session = app.store.begin().await?;
    let cluster = resources::existing(&mut *session, &cluster_of(id)).await?;
    let id = ResourceId::published(format!("{}/providers/{TYPE}/{}", cluster.id, id.name()));
    let row = session.resource(&id.key()).await?;
    terms.check(row.as_ref())?;
    refuse_while_at_work(&mut *session, &id).await?;
    let properties = &mut extension.properties;
    check(properties)?;
    let container = repositories::container_of_extension(
        &ResourceId::published(cluster.id.clone()),
        properties,
    )?;
    repositories::existing_container(&mut *session, &container).await?;
    let other = repositories::extension_of_cluster(&mut *session, &cluster.key).await?;
    if let Some((other, _)) = other.filter(|(other, _)| other.key != id.key()) {
        return Err(Problem::new(
            Code::Conflict,
            format!(
                "The cluster has the backup extension already, as '{}'.",
                other.name
            ),
        )
        .at(other.id)
        .into());
    }
    let state = if row.is_some() { UPDATING } else { CREATING };
    properties.provisioning_state = Some(state.to_owned());
    properties.error_info = None;
    properties.statuses = None;
    // Nothing that is secret is asked for, so nothing is kept.
    properties.configuration_protected_settings = None;
    properties.scope = Some(ExtensionScope {
        cluster: Some(ExtensionScopeCluster {
            release_namespace: Some(EXTENSION_NAMESPACE.to_owned()),
        }),
    });
    let written = resources::write(
        app,
        &mut *session,
        &id,
        TYPE,
        &extension,
        row.as_ref(),
        &terms.by,
    )
    .await?;
    let location = location_of(&cluster);
    let kind = OperationKind::Extension;
    let operation = operations::start(app, &mut *session, kind, &id, &location, None).await?;
    session.commit().await?;
    Ok((written, operation))
}

/// Begins to remove an extension. `None` when there is none.
pub async fn delete(
    app: &App,
    id: &ResourceId,
    terms: &Terms,
    force: bool,
) -> Result<Option<OperationRow>> {
    let mut session = app.store.begin().await?;
    let Some(row) = session.resource(&id.key()).await? else {
        return Ok(None);
    };
    terms.check(Some(&row))?;
    let cluster = resources::existing(&mut *session, &cluster_of(id)).await?;
    if !force {
        refuse_while_at_work(&mut *session, id).await?;
        refuse_while_protecting(&mut *session, &row, &cluster).await?;
    }
    let mut extension = resources::document::<Extension>(&row, TYPE)?;
    extension.properties.provisioning_state = Some(DELETING.to_owned());
    let id = ResourceId::published(row.id.clone());
    resources::write(
        app,
        &mut *session,
        &id,
        TYPE,
        &extension,
        Some(&row),
        &terms.by,
    )
    .await?;
    let location = location_of(&cluster);
    let kind = OperationKind::Extension;
    let mut operation = operations::start(app, &mut *session, kind, &id, &location, None).await?;
    if force {
        // A cluster beyond help is not asked: what is left in it is its owner's.
        session.delete_resource(&row.key).await?;
        operation = succeed(app, &mut *session, operation).await?;
    }
    session.commit().await?;
    Ok(Some(operation))
}

/// One extension. One that is installed is asked whether there is something to look at; when its cluster
/// does not answer soon, what was seen last is told.
pub async fn get(app: &App, id: &ResourceId) -> Result<ExtensionResource> {
    let row = resources::existing(&mut *app.store.read().await?, id).await?;
    let mut extension: ExtensionResource = resources::document(&row, TYPE)?;
    if extension.properties.provisioning_state.as_deref() == Some(SUCCEEDED)
        && let Ok(Some((access, _))) = desired(app, id).await
        && let Ok(Ok(ExtensionHealth::Ready {
            warning: Some(warning),
            ..
        })) = tokio::time::timeout(EXTENSION_PATIENCE, app.clusters.health(&access)).await
    {
        extension.properties.statuses = Some(vec![ExtensionStatus {
            code: Some(Code::VolumeSnapshotNotUsable.as_str().to_owned()),
            display_status: Some("Volume snapshots are missing".to_owned()),
            level: Some("Warning".to_owned()),
            message: Some(warning),
            time: Some(app.now()),
        }]);
    }
    Ok(extension)
}

/// The extensions of a cluster.
pub async fn list(
    app: &App,
    cluster: &ResourceId,
    after: Option<&str>,
    limit: usize,
) -> Result<(Vec<ExtensionResource>, Option<String>)> {
    resources::existing(&mut *app.store.read().await?, cluster).await?;
    resources::list(app, TYPE, cluster, after, limit).await
}

/// Brings the cluster to what the resource of an open operation says, and ends the operation.
pub async fn settle(app: Arc<App>, operation: OperationRow) {
    let id = ResourceId::published(operation.resource_id.clone());
    let outcome = match desired(&app, &id).await {
        Ok(None) => Ok(None),
        Ok(Some((access, extension))) => {
            if extension.provisioning_state.as_deref() == Some(DELETING) {
                uninstall(&app, &access).await.map(|()| None)
            } else {
                install(&app, &access, &extension).await.map(Some)
            }
        }
        Err(error) => Err(error),
    };
    let outcome = outcome.map_err(|error| {
        error.problem().cloned().unwrap_or_else(|| {
            tracing::error!(resource.id = %id, error = %error, "an installation failed");
            Problem::new(
                Code::InternalServerError,
                "The server failed; its log says how.",
            )
        })
    });
    operations::written("the end of an installation", || {
        record(&app, &id, operation.clone(), outcome.clone())
    })
    .await;
}

async fn desired(app: &App, id: &ResourceId) -> Result<Option<(ClusterAccess, Extension)>> {
    let mut session = app.store.read().await?;
    let Some(row) = session.resource(&id.key()).await? else {
        return Ok(None);
    };
    let cluster = resources::existing(&mut *session, &cluster_of(id)).await?;
    let access = trusted_access::cluster_access(app, &mut *session, &cluster).await?;
    Ok(Some((
        access,
        resources::document::<Extension>(&row, TYPE)?.properties,
    )))
}

/// Installs the extension and waits until it works; returns its version.
async fn install(app: &App, access: &ClusterAccess, extension: &Extension) -> Result<String> {
    let mut settings: BTreeMap<String, String> =
        extension.configuration_settings.clone().unwrap_or_default();
    let image = settings
        .remove(SETTING_IMAGE)
        .filter(|image| !image.is_empty());
    let freeze_budget = settings.remove(SETTING_FREEZE_BUDGET_SECONDS);
    let installation = Installation {
        image: image.unwrap_or_else(|| app.extension_image.clone()),
        freeze_budget_seconds: freeze_budget.and_then(|told| told.parse().ok()),
        settings,
    };
    let began = app.now();
    let mut installed = false;
    loop {
        let seen = match look(app, access, &installation, &mut installed).await {
            Ok(ExtensionHealth::Ready { version, .. }) => return Ok(version),
            Ok(ExtensionHealth::Starting(why)) => {
                Problem::new(Code::UserErrorKubernetesBackupExtensionUnhealthy, why)
            }
            Ok(ExtensionHealth::Broken(why)) => {
                return refuse(Code::UserErrorKubernetesBackupExtensionHasErrors, why);
            }
            Ok(ExtensionHealth::Absent) => Problem::new(
                Code::UserErrorKubernetesBackupExtensionNotFoundError,
                "The extension was removed while it was being installed.",
            ),
            Err(error) if error.remedy == Remedy::Wait && installed => error.problem,
            Err(error) => return Err(error.into()),
        };
        let waited = std::time::Duration::try_from(app.now().duration_since(began));
        if waited.unwrap_or_default() > INSTALL_LIMIT {
            return Err(seen.into());
        }
        tokio::time::sleep(INSTALL_EVERY).await;
    }
}

/// One look at an installation; writes its objects and the vaults' access first if that has not
/// been done.
async fn look(
    app: &App,
    access: &ClusterAccess,
    installation: &Installation,
    installed: &mut bool,
) -> std::result::Result<ExtensionHealth, LinkError> {
    if !*installed {
        app.clusters.install(access, installation).await?;
        grant_all(app, access).await?;
        *installed = true;
    }
    app.clusters.health(access).await
}

/// Grants every vault that is bound to the cluster its access: bindings may be older than the
/// namespace that their rights live in.
async fn grant_all(app: &App, access: &ClusterAccess) -> std::result::Result<(), LinkError> {
    let vaults = async {
        let mut session = app.store.read().await?;
        trusted_access::vaults_of(&mut *session, &access.key).await
    };
    let vaults = vaults.await.map_err(|error| {
        LinkError::lasting(
            error.code(),
            format!("The bindings of the cluster: {error}."),
        )
    })?;
    for vault_id in vaults {
        app.clusters
            .grant(&VaultAccess {
                cluster: access.clone(),
                vault_id,
            })
            .await?;
    }
    Ok(())
}

async fn uninstall(app: &App, access: &ClusterAccess) -> Result<()> {
    Ok(app.clusters.uninstall(access).await?)
}

/// Writes down how it ended: `Some(version)` installed, `None` removed.
async fn record(
    app: &App,
    id: &ResourceId,
    operation: OperationRow,
    outcome: std::result::Result<Option<String>, Problem>,
) -> Result<()> {
    let mut session = app.store.begin().await?;
    let row = session.resource(&id.key()).await?;
    match (outcome, row) {
        (Ok(None), row) => {
            if let Some(row) = row {
                session.delete_resource(&row.key).await?;
            }
            succeed(app, &mut *session, operation).await?;
        }
        (Ok(Some(version)), row) => {
            if let Some(row) = row {
                write_state(app, &mut *session, &row, SUCCEEDED, Some(version), None).await?;
            }
            succeed(app, &mut *session, operation).await?;
        }
        (Err(problem), row) => {
            if let Some(row) = row {
                write_state(app, &mut *session, &row, FAILED, None, Some(&problem)).await?;
            }
            operations::finish(app, &mut *session, operation, End::Failed(problem)).await?;
        }
    }
    session.commit().await?;
    Ok(())
}

async fn succeed(
    app: &App,
    session: &mut dyn Session,
    operation: OperationRow,
) -> Result<OperationRow> {
    operations::finish(
        app,
        session,
        operation,
        End::Succeeded {
            result: Value::Null,
        },
    )
    .await
}

async fn write_state(
    app: &App,
    session: &mut dyn Session,
    row: &ResourceRow,
    state: &str,
    version: Option<String>,
    problem: Option<&Problem>,
) -> Result<()> {
    let mut extension = resources::document::<Extension>(row, TYPE)?;
    let properties = &mut extension.properties;
    properties.provisioning_state = Some(state.to_owned());
    if version.is_some() {
        properties.current_version = version;
    }
    properties.error_info = problem.map(|problem| strongroom_api::error::ErrorBody {
        code: problem.code.as_str().to_owned(),
        message: problem.message.clone(),
        ..strongroom_api::error::ErrorBody::default()
    });
    properties.statuses = problem.map(|problem| {
        vec![ExtensionStatus {
            code: Some(problem.code.as_str().to_owned()),
            display_status: Some("Failed".to_owned()),
            level: Some("Error".to_owned()),
            message: Some(problem.message.clone()),
            time: Some(app.now()),
        }]
    });
    let id = ResourceId::published(row.id.clone());
    let by = resources::writer(app, row);
    resources::write(app, session, &id, TYPE, &extension, Some(row), &by).await?;
    Ok(())
}

fn check(extension: &Extension) -> Result<()> {
    let kind = extension.extension_type.as_deref().unwrap_or_default();
    if !kind.eq_ignore_ascii_case(EXTENSION_TYPE) {
        return Err(Problem::new(
            Code::InvalidRequestContent,
            format!("The only extension type there is here is '{EXTENSION_TYPE}', not '{kind}'."),
        )
        .at("properties.extensionType")
        .into());
    }
    let namespace = extension
        .scope
        .as_ref()
        .and_then(|scope| scope.cluster.as_ref())
        .and_then(|cluster| cluster.release_namespace.as_deref());
    if namespace.is_some_and(|namespace| namespace != EXTENSION_NAMESPACE) {
        return Err(Problem::new(
            Code::InvalidRequestContent,
            format!("The extension is always installed in the namespace '{EXTENSION_NAMESPACE}'."),
        )
        .at("properties.scope.cluster.releaseNamespace")
        .into());
    }
    let settings = extension.configuration_settings.as_ref();
    let budget = settings.and_then(|settings| settings.get(SETTING_FREEZE_BUDGET_SECONDS));
    let most = FREEZE_BUDGET_MAX.as_secs();
    if let Some(told) =
        budget.filter(|told| !told.parse().is_ok_and(|told| (1..=most).contains(&told)))
    {
        return Err(Problem::new(
            Code::InvalidRequestContent,
            format!("A freeze budget is a whole number of seconds from 1 to {most}, not '{told}'."),
        )
        .at(format!(
            "properties.configurationSettings.{SETTING_FREEZE_BUDGET_SECONDS}"
        ))
        .into());
    }
    Ok(())
}

async fn refuse_while_at_work(session: &mut dyn Session, id: &ResourceId) -> Result<()> {
    let open = session.open_operations(MOST_OPEN_OPERATIONS).await?;
    let same = |operation: &&OperationRow| operation.resource_id.to_lowercase() == id.key();
    match open.iter().find(same) {
        None => Ok(()),
        Some(operation) => refuse(
            Code::Conflict,
            format!(
                "The operation {} on this extension has not ended.",
                operation.id
            ),
        ),
    }
}

async fn refuse_while_protecting(
    session: &mut dyn Session,
    row: &ResourceRow,
    cluster: &ResourceRow,
) -> Result<()> {
    if let Some(job) = jobs::open_in_cluster(session, &cluster.key).await?.first() {
        return refuse(
            Code::ResourceInUse,
            format!("The {} job {} runs in the cluster.", job.operation, job.id),
        );
    }
    let kind = instances::TYPE.to_lowercase();
    let mut protecting = Vec::new();
    for user in session.users_of(&cluster.key, MOST_USERS).await? {
        match session.resource(&user.user_key).await? {
            Some(user) if user.kind == kind => protecting.push(user.id),
            _ => {}
        }
    }
    if protecting.is_empty() {
        Ok(())
    } else {
        Err(resources::in_use(&row.id, &protecting))
    }
}

/// The cluster of an extension's id: `{cluster}/providers/{provider}/extensions/{name}`.
fn cluster_of(id: &ResourceId) -> ResourceId {
    id.without(4)
}

/// Where the operation's polling address is.
fn location_of(cluster: &ResourceRow) -> String {
    cluster.body["location"]
        .as_str()
        .filter(|text| !text.is_empty())
        .unwrap_or("global")
        .to_owned()
}
