//! Validation for backup: finds every missing permission and component before anything runs.
//!
//! It really asks: the cluster whether it answers, the extension whether it works, has its rights and is new
//! enough, the vault's access whether it is all there, and the store whether it takes a write, first from
//! here and then from the extension, which also says of which claims there would be no snapshot. What can be asked
//! independently is asked, so that a user mends everything in one go. What was asked for is in the
//! store before the request is accepted, so that a client that polls through a restart gets the
//! answer.

use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{ObjectStoreExt as _, PutMode, PutOptions};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use strongroom_api::extension::Extension;
use strongroom_api::instance::BackupInstance;
use strongroom_core::capability;
use strongroom_core::error::{Code, Problem};
use strongroom_core::hooks::HookKind;
use strongroom_core::selection::HookReference;

use super::error::chain;
use super::jobs::{Location, selection_of};
use super::operations::{self, End, OperationKind};
use super::preview::FOLDER;
use super::{
    App, Error, ResourceId, Result, clusters, policies, preview, repositories, resources,
    snapshot_groups, trusted_access,
};
use crate::cluster_link::{ClusterAccess, ExtensionHealth, VaultAccess};
use crate::store::{OperationRow, ResourceRow, Session};

/// What a validation found.
#[derive(Debug, Default, PartialEq)]
pub struct Findings {
    /// What must be mended before a backup can run.
    pub problems: Vec<Problem>,
    /// What is worth a look.
    pub warnings: Vec<Problem>,
}

impl Findings {
    /// The one problem that all of them make, if there are any.
    #[must_use]
    pub fn problem(mut self) -> Option<Problem> {
        if self.problems.len() < 2 {
            return self.problems.pop();
        }
        let first = self.problems.first()?;
        let message = format!(
            "{} ({} more in details.)",
            first.message,
            self.problems.len() - 1
        );
        let mut whole = Problem::new(first.code, message);
        whole.target.clone_from(&first.target);
        Some(whole.with_details(self.problems))
    }

    fn note(&mut self, error: Error) -> Result<()> {
        match error {
            Error::Problem(problem) => {
                if !self.problems.contains(&problem) {
                    self.problems.push(*problem);
                }
                Ok(())
            }
            other => Err(other),
        }
    }
}

/// What an open validation is to look at. Persisted: fields are only ever added.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Validation {
    /// Id of the vault.
    vault: String,
    /// The instance, which need not exist.
    instance: BackupInstance,
}

/// Accepts a validation of an instance, existing or not, in a vault. Follow with [`settle`]; a
/// server that is killed before goes on with [`resume`].
pub async fn start(
    app: &App,
    vault: &ResourceId,
    target: &ResourceId,
    instance: BackupInstance,
) -> Result<OperationRow> {
    let request = Validation {
        vault: vault.to_string(),
        instance,
    };
    let request =
        serde_json::to_value(&request).map_err(Error::unexpected("serialise a validation"))?;
    let mut session = app.store.begin().await?;
    let vault = resources::existing(&mut *session, vault).await?;
    let location = vault.body["location"].as_str().unwrap_or_default();
    let kind = OperationKind::Validate;
    let operation =
        operations::start_of_request(app, &mut *session, kind, target, location, request).await?;
    session.commit().await?;
    Ok(operation)
}

/// Validates, and ends the operation with what was found.
pub async fn settle(app: Arc<App>, operation: OperationRow) {
    let end = match serde_json::from_value(operation.request.clone()) {
        Ok(asked) => carry_out(&app, asked).await,
        // It was accepted by a server that did not write down what was asked for.
        Err(_) => End::Failed(Problem::new(
            Code::ServiceUnavailable,
            "The server was replaced during the validation; ask again.",
        )),
    };
    operations::written("the end of a validation", || async {
        let mut session = app.store.begin().await?;
        operations::finish(&app, &mut *session, operation.clone(), end.clone()).await?;
        Ok(session.commit().await?)
    })
    .await;
}

async fn carry_out(app: &App, asked: Validation) -> End {
    let vault = ResourceId::published(asked.vault);
    match validate(app, &vault, &asked.instance).await {
        Ok(findings) => {
            let warnings = findings.warnings.clone();
            findings.problem().map_or(
                End::Succeeded {
                    result: result_of(&warnings),
                },
                End::Failed,
            )
        }
        Err(error) => {
            tracing::error!(error = %chain(&error), "a validation failed inside the server");
            End::Failed(Problem::new(
                Code::InternalServerError,
                "The server failed; its log says how.",
            ))
        }
    }
}

/// The body of a successful validation: the published shape, and our warnings.
fn result_of(warnings: &[Problem]) -> Value {
    let warnings: Vec<Value> = warnings
        .iter()
        .map(|warning| {
            json!({
                "code": warning.code.as_str(), "message": warning.message, "target": warning.target,
                "recommendedAction": [warning.recommended_action()],
            })
        })
        .collect();
    json!({ "objectType": "OperationJobExtendedInfo", "warnings": warnings })
}

/// Looks at everything that a backup of this instance needs.
pub async fn validate(
    app: &App,
    vault: &ResourceId,
    instance: &BackupInstance,
) -> Result<Findings> {
    let mut findings = Findings::default();
    let cluster_id = ResourceId::published(instance.data_source_info.resource_id.clone());
    let (mut namespaces, mut hooks) = (Vec::new(), Vec::new());
    match selection_of(instance) {
        Ok(selection) => {
            namespaces = selection.included_namespaces.unwrap_or_default();
            hooks = selection.backup_hook_references;
        }
        Err(error) => findings.note(error)?,
    }
    let (cluster, extension) = {
        let mut session = app.store.read().await?;
        if let Err(error) = check_policy(&mut *session, vault, instance).await {
            findings.note(error)?;
        }
        if let Err(error) = snapshot_groups::require(&mut *session, instance).await {
            findings.note(error)?;
        }
        let Some(cluster) = session.resource(&cluster_id.key()).await? else {
            findings.note(resources::not_found(&cluster_id))?;
            return Ok(findings);
        };
        let extension = repositories::extension_of_cluster(&mut *session, &cluster.key).await?;
        if let Err(error) =
            trusted_access::require(&mut *session, &cluster.key, vault.as_str()).await
        {
            findings.note(error)?;
        }
        (cluster, extension.map(|(_, extension)| extension))
    };
    let access = {
        let mut session = app.store.read().await?;
        trusted_access::cluster_access(app, &mut *session, &cluster).await
    };
    match access {
        Ok(access) => {
            check_cluster(app, vault, &access, &namespaces, &mut findings).await?;
            check_hooks(app, &access, &hooks, &mut findings).await?;
        }
        Err(error) => findings.note(error)?,
    }
    let container = check_storage(app, &cluster, extension, &mut findings).await?;
    // What is amiss so far is why the extension could not try it, or would fail in the same way.
    if let Some(container) = container.filter(|_| findings.problems.is_empty()) {
        match preview::probe(app, vault, instance, &container).await {
            Ok(probed) => {
                findings.problems.extend(probed.storage);
                findings.warnings.extend(probed.volumes);
            }
            Err(error) => findings.note(error)?,
        }
    }
    Ok(findings)
}

async fn check_policy(
    session: &mut dyn Session,
    vault: &ResourceId,
    instance: &BackupInstance,
) -> Result<()> {
    let id = ResourceId::published(instance.policy_info.policy_id.clone());
    let policy = resources::existing(session, &id).await?;
    let is_in_vault = policy.key.starts_with(&format!("{}/", vault.key()))
        && policy.kind == policies::TYPE.to_lowercase();
    if is_in_vault {
        return Ok(());
    }
    Err(Problem::new(
        Code::UserErrorInvalidBackupPolicy,
        format!(
            "'{id}' is not a backup policy of the vault '{}'.",
            vault.name()
        ),
    )
    .at("properties.policyInfo.policyId")
    .into())
}

async fn check_cluster(
    app: &App,
    vault: &ResourceId,
    access: &ClusterAccess,
    namespaces: &[String],
    findings: &mut Findings,
) -> Result<()> {
    if let Err(error) = app.clusters.version(access).await {
        // Nothing else can be asked.
        return findings.note(error.into());
    }
    match app.clusters.missing_rights(access).await {
        Ok(missing) if missing.is_empty() => {}
        // A backup needs few of them; it is told before an installation or a binding fails.
        Ok(missing) => findings.warnings.push(clusters::missing_rights(&missing)),
        Err(error) => findings.note(error.into())?,
    }
    let health = app.clusters.health(access).await;
    let is_ready = matches!(health, Ok(ExtensionHealth::Ready { .. }));
    if !matches!(health, Ok(ExtensionHealth::Absent)) {
        check_extension_rights(app, access, findings).await?;
    }
    match health {
        Ok(ExtensionHealth::Ready { .. }) => {}
        Ok(ExtensionHealth::Absent) => findings.problems.push(Problem::new(
            Code::UserErrorKubernetesBackupExtensionNotFoundError,
            "The backup extension is not installed in the cluster.",
        )),
        Ok(ExtensionHealth::Starting(why)) => findings.problems.push(Problem::new(
            Code::UserErrorKubernetesBackupExtensionUnhealthy,
            why,
        )),
        Ok(ExtensionHealth::Broken(why)) => findings.problems.push(Problem::new(
            Code::UserErrorKubernetesBackupExtensionHasErrors,
            why,
        )),
        Err(error) => findings.note(error.into())?,
    }
    let of_vault = VaultAccess {
        cluster: access.clone(),
        vault_id: vault.as_str().to_owned(),
    };
    let is_bound = !findings
        .problems
        .iter()
        .any(|p| p.code == Code::UserErrorTrustedAccessMissing);
    if is_bound {
        match app.clusters.is_granted(&of_vault).await {
            Ok(true) if is_ready => check_version(app, &of_vault, findings).await?,
            Ok(true) => {}
            Ok(false) => findings.problems.push(Problem::new(
                Code::UserErrorTrustedAccessMissing,
                "The vault is bound to the cluster, but its account, role or role binding there is not \
                 all there; assign missing roles.",
            )),
            Err(error) => findings.note(error.into())?,
        }
    }
    check_namespaces(app, access, namespaces, findings).await
}

async fn check_namespaces(
    app: &App,
    access: &ClusterAccess,
    namespaces: &[String],
    findings: &mut Findings,
) -> Result<()> {
    match app.clusters.missing_namespaces(access, namespaces).await {
        Ok(missing) => findings.warnings.extend(missing.into_iter().map(|name| {
            Problem::new(
                Code::UserErrorNamespaceNotFound,
                format!("The namespace '{name}' does not exist now; it is backed up once it does."),
            )
            .at("includedNamespaces")
        })),
        Err(error) => findings.note(error.into())?,
    }
    Ok(())
}

async fn check_extension_rights(
    app: &App,
    access: &ClusterAccess,
    findings: &mut Findings,
) -> Result<()> {
    match app.clusters.missing_extension_rights(access).await {
        Ok(lacking) if lacking.is_empty() => {}
        Ok(lacking) => findings.problems.push(Problem::new(
            Code::UserErrorClusterPermissionMissing,
            format!(
                "The backup extension lacks rights in the cluster: {}. Assign missing roles.",
                lacking.join("; ")
            ),
        )),
        Err(error) => findings.note(error.into())?,
    }
    Ok(())
}

/// Whether the extension can do what this server would ask of it.
async fn check_version(app: &App, vault: &VaultAccess, findings: &mut Findings) -> Result<()> {
    let told = match app.clusters.extension(vault).await {
        Ok(told) => told.unwrap_or_default(),
        Err(error) => return findings.note(error.into()),
    };
    let missing = capability::missing(&told.capabilities);
    if !missing.is_empty() {
        findings.problems.push(Problem::new(
            Code::UserErrorKubernetesBackupExtensionHasErrors,
            format!(
                "The backup extension {} is older than this server needs: it lacks {}. Install it \
                 again.",
                told.version,
                missing.join(", ")
            ),
        ));
    }
    Ok(())
}

/// A backup whose hooks are not there fails, so they must be before it begins.
async fn check_hooks(
    app: &App,
    access: &ClusterAccess,
    hooks: &[HookReference],
    findings: &mut Findings,
) -> Result<()> {
    let is_absent =
        |problem: &Problem| problem.code == Code::UserErrorKubernetesBackupExtensionNotFoundError;
    // Without the extension the cluster knows no such kind; that is said already.
    if hooks.is_empty() || findings.problems.iter().any(is_absent) {
        return Ok(());
    }
    let kind = HookKind::Backup;
    match app.clusters.hook_problems(access, kind, hooks).await {
        Ok(problems) => {
            findings.problems.extend(problems);
            Ok(())
        }
        Err(error) => findings.note(error.into()),
    }
}

/// The container of the extension, once the server has written into it.
async fn check_storage(
    app: &App,
    cluster: &ResourceRow,
    extension: Option<Extension>,
    findings: &mut Findings,
) -> Result<Option<ResourceId>> {
    let Some(extension) = extension else {
        // Without the extension there is no storage location to look at; that is said already.
        let said = findings
            .problems
            .iter()
            .any(|p| p.code == Code::UserErrorKubernetesBackupExtensionNotFoundError);
        if !said {
            findings.problems.push(Problem::new(
                Code::UserErrorKubernetesBackupExtensionNotFoundError,
                "No backup extension is registered on the cluster.",
            ));
        }
        return Ok(None);
    };
    let cluster_id = ResourceId::published(cluster.id.clone());
    let probed = match repositories::container_of_extension(&cluster_id, &extension) {
        Ok(container) => probe(app, &container).await.map(|()| container),
        Err(error) => Err(error),
    };
    match probed {
        Ok(container) => Ok(Some(container)),
        Err(error) => findings.note(error).map(|()| None),
    }
}

/// Writes an object into a container and removes it again.
pub async fn probe(app: &App, container: &ResourceId) -> Result<()> {
    let location = Location {
        container_id: container.as_str().to_owned(),
        prefix: FOLDER.to_owned(),
    };
    let config = repositories::for_server(app, &mut *app.store.read().await?, &location).await?;
    let told = |error: &strongroom_repository::Error| Error::from(repositories::problem_of(error));
    let store = config.connect().map_err(|e| told(&e))?;
    let place = Path::from(format!("{FOLDER}/{}", app.new_id()));
    let options = PutOptions::from(PutMode::Create);
    let written = store
        .put_opts(&place, Bytes::from_static(b"probe").into(), options)
        .await;
    let classified = |error| {
        let doing = || "writing a probe into the storage location".to_owned();
        told(&strongroom_repository::classify(
            error,
            doing,
            place.as_ref(),
        ))
    };
    written.map_err(classified)?;
    store.delete(&place).await.map_err(classified)
}
