//! A probe: whether a backup could use its store from inside the cluster, and by which classes the volumes of
//! its claims would be snapshotted.
//!
//! Contract: a preview of the claims alone, whose secrets lead into the folder [`FOLDER`] of the container; the
//! extension writes one object there, reads and lists it. It is an operation like every preview, so that what a
//! killed server left is cleared by its next start; the object is removed by the server, because a job's
//! credential for the embedded store cannot.

use object_store::ObjectStoreExt as _;
use object_store::path::Path;
use strongroom_api::instance::BackupInstance;
use strongroom_core::error::{Code, Problem};
use strongroom_core::selection::Selection;
use strongroom_kubernetes::EXTENSION_NAMESPACE;
use strongroom_kubernetes::crd::{PreviewFinding, STORAGE_LOCATION};
use strongroom_kubernetes::jobs::preview_name;
use strongroom_kubernetes::sealed::{self, JobSecrets};
use uuid::Uuid;

use super::{Asked, counted};
use crate::app::error::chain;
use crate::app::jobs::{Location, selection_of};
use crate::app::operations::{self, End, OperationKind};
use crate::app::{App, Error, ResourceId, Result, repositories, resources, snapshot_groups};
use crate::cluster_link::VaultAccess;
use crate::data_plane::{JobScope, Key, Scope};
use crate::store::OperationRow;
use crate::worker::entropy::Random;

/// Folder of a container in which objects are written, and removed again, to see whether that is allowed.
/// No repository has this name.
pub const FOLDER: &str = "strongroom-probe";

/// The type to which a probe narrows a configuration that takes all types.
const CLAIMS: &str = "persistentvolumeclaims";

/// Findings about volumes that nobody wants to learn of from a backup's report.
const OF_VOLUMES: [Code; 2] = [
    Code::VolumeSnapshotClassMissing,
    Code::VolumeDataNotProtected,
];

/// What a probe found.
#[derive(Debug, Default, PartialEq)]
pub struct Probed {
    /// Why the store cannot be used from inside the cluster.
    pub storage: Vec<Problem>,
    /// Volumes whose data a backup would not have, by reason.
    pub volumes: Vec<Problem>,
}

/// Tries it.
pub async fn probe(
    app: &App,
    vault: &ResourceId,
    instance: &BackupInstance,
    container: &ResourceId,
) -> Result<Probed> {
    let mut session = app.store.begin().await?;
    let asked = Asked {
        vault: vault.to_string(),
        cluster: instance.data_source_info.resource_id.clone(),
        selection: claims_of(selection_of(instance)?),
        snapshot_classes: snapshot_groups::given(&mut *session, instance).await?,
        container: Some(container.to_string()),
    };
    let request = serde_json::to_value(&asked).map_err(Error::unexpected("serialise a probe"))?;
    let found = resources::existing(&mut *session, vault).await?;
    let location = found.body["location"].as_str().unwrap_or_default();
    let kind = OperationKind::Preview;
    let operation =
        operations::start_of_request(app, &mut *session, kind, vault, location, request).await?;
    session.commit().await?;
    let counted = counted(app, &operation).await;
    // Nobody follows it: what was found is told by whoever asked.
    operations::written("the end of a probe", || async {
        let mut session = app.store.begin().await?;
        let end = End::Succeeded {
            result: serde_json::Value::Null,
        };
        operations::finish(app, &mut *session, operation.clone(), end).await?;
        Ok(session.commit().await?)
    })
    .await;
    let status = counted?.map_err(Error::from)?;
    Ok(sorted(status.preview.unwrap_or_default().findings))
}

/// The configuration without what has no volumes.
fn claims_of(mut selection: Selection) -> Selection {
    if selection.included_resource_types.is_empty() {
        selection.included_resource_types = vec![CLAIMS.to_owned()];
    }
    selection.include_cluster_scope_resources = false;
    selection
}

/// What of the findings is about the store, and what about volumes: one for each reason, with how many claims
/// it is about.
fn sorted(findings: Vec<PreviewFinding>) -> Probed {
    let mut probed = Probed::default();
    let mut by_reason: Vec<(Code, PreviewFinding, usize)> = Vec::new();
    for finding in findings {
        let code = Code::parse(&finding.code).unwrap_or(Code::InternalServerError);
        if finding.object == STORAGE_LOCATION {
            let message = format!("From inside the cluster: {}.", finding.message);
            probed.storage.push(Problem::new(code, message));
        } else if OF_VOLUMES.contains(&code) {
            let known = by_reason
                .iter_mut()
                .find(|(other, one, _)| *other == code && one.message == finding.message);
            match known {
                Some((_, _, claims)) => *claims += 1,
                None => by_reason.push((code, finding, 1)),
            }
        }
    }
    probed.volumes = by_reason
        .into_iter()
        .map(|(code, finding, claims)| {
            let others = match claims {
                1 => String::new(),
                claims => format!(" and {} more", claims - 1),
            };
            let message = format!("{}{others}: {}.", finding.object, finding.message);
            Problem::new(code, message).at("snapshotVolumes")
        })
        .collect();
    probed
}

/// The secrets of a probe, sealed to the extension. The inner error is the cluster's.
pub(super) async fn sealed(
    app: &App,
    access: &VaultAccess,
    container: &str,
    id: Uuid,
) -> Result<std::result::Result<String, Problem>> {
    let extension = match app.clusters.extension(access).await {
        Ok(extension) => extension.unwrap_or_default(),
        Err(error) => return Ok(Err(error.problem)),
    };
    let location = location(container);
    let mut session = app.store.read().await?;
    let store = repositories::for_job(app, &mut *session, &location, id).await?;
    let secrets = JobSecrets {
        store: serde_json::to_value(&store)
            .map_err(Error::unexpected("write a store's description"))?,
        prefix: location.prefix,
        // There is no repository to open.
        repository_key: String::new(),
    };
    let info = sealed::info(EXTENSION_NAMESPACE, &preview_name(id));
    let mut random = Random(&*app.entropy);
    let sealed = sealed::seal_secrets(&extension.public_key, &info, &secrets, &mut random);
    Ok(sealed.map_err(|error| {
        Problem::new(
            Code::UserErrorKubernetesBackupExtensionHasErrors,
            format!("The probe's secrets could not be sealed: {error}."),
        )
    }))
}

/// Removes what a probe left in its container. What cannot be removed is a few bytes in a folder of its own.
pub(super) async fn clear(app: &App, container: &str, id: Uuid) {
    let removed = async {
        let location = location(container);
        let mut session = app.store.read().await?;
        let config = repositories::for_server(app, &mut *session, &location).await?;
        let store = config
            .connect()
            .map_err(Error::unexpected("open a store"))?;
        match store.delete(&Path::from(format!("{FOLDER}/{id}"))).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(Error::unexpected("remove a probe's object")(error)),
        }
    };
    if let Err(error) = removed.await {
        tracing::warn!(probe.id = %id, error = %chain(&error), "a probe's object stays in its container");
    }
}

fn location(container: &str) -> Location {
    Location {
        container_id: container.to_owned(),
        prefix: FOLDER.to_owned(),
    }
}

/// What the credential of a probe opens in the embedded store; nothing when the operation is none.
pub fn scope_of(operation: &OperationRow) -> Result<Option<JobScope>> {
    if !super::is_preview(operation) {
        return Ok(None);
    }
    // What was asked for is not kept for longer.
    if operation.status.is_final() {
        return Ok(Some(JobScope::Ended));
    }
    let Some(container) = operation.request["container"].as_str() else {
        return Ok(None);
    };
    let container = ResourceId::published(container.to_owned());
    let folder = || Key::parse(FOLDER).map_err(Error::unexpected("name the folder of a probe"));
    Ok(Some(JobScope::Open(Scope {
        bucket: repositories::embedded_bucket(&container)?,
        prefix: folder()?,
        create_below: folder()?,
    })))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::app::repositories::StoredScopes;
    use crate::data_plane::JobScopes as _;
    use crate::store::OperationStatus;
    use crate::testing::Harness;

    fn finding(code: &str, object: &str, message: &str) -> PreviewFinding {
        PreviewFinding {
            code: code.to_owned(),
            object: object.to_owned(),
            message: message.to_owned(),
        }
    }

    #[test]
    fn what_is_about_the_store_is_told_apart_and_claims_are_told_by_their_reason() {
        let missing = "VolumeSnapshotClassMissing";
        let none = "the driver d has no VolumeSnapshotClass";
        let probed = sorted(vec![
            finding(
                "UserErrorBackupStorageLocationNotReady",
                STORAGE_LOCATION,
                "no answer",
            ),
            finding(missing, "PersistentVolumeClaim shop/a", none),
            finding(
                "SelectionTakesNothing",
                "the configuration",
                "nothing would be taken",
            ),
            finding(missing, "PersistentVolumeClaim shop/b", none),
        ]);
        let told = |problems: &[Problem]| -> Vec<String> {
            problems
                .iter()
                .map(|problem| format!("{}: {problem}", problem.code))
                .collect()
        };
        assert_eq!(
            told(&probed.storage),
            ["UserErrorBackupStorageLocationNotReady: From inside the cluster: no answer."]
        );
        assert_eq!(
            told(&probed.volumes),
            [
                "VolumeSnapshotClassMissing: PersistentVolumeClaim shop/a and 1 more: the driver d has no VolumeSnapshotClass."
            ]
        );
    }

    fn operation(status: OperationStatus, request: Value) -> OperationRow {
        OperationRow {
            id: Uuid::from_u128(1).to_string(),
            kind: OperationKind::Preview.as_str().to_owned(),
            scope_key: String::new(),
            resource_id: String::new(),
            location: String::new(),
            status,
            request,
            holder: None,
            job_id: None,
            result: Value::Null,
            error: Value::Null,
            created_at: jiff::Timestamp::UNIX_EPOCH,
            ended_at: None,
        }
    }

    #[test]
    fn the_credential_of_a_probe_opens_the_folder_of_probes_while_it_runs_and_nothing_else() {
        let group = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage";
        let container =
            format!("{group}/storageAccounts/acct01/blobServices/default/containers/backups");
        let request = json!({ "container": container });
        let open = operation(OperationStatus::InProgress, request.clone());
        let Some(JobScope::Open(scope)) = scope_of(&open).unwrap() else {
            panic!("it is open")
        };
        assert_eq!(scope.bucket.to_string(), "acct01.backups");
        assert_eq!(
            (scope.prefix.as_str(), scope.create_below.as_str()),
            (FOLDER, FOLDER)
        );
        let ended = operation(OperationStatus::Succeeded, request);
        assert_eq!(scope_of(&ended).unwrap(), Some(JobScope::Ended));
        let counting = operation(OperationStatus::InProgress, json!({}));
        assert_eq!(scope_of(&counting).unwrap(), None);
    }

    #[tokio::test]
    async fn the_data_plane_finds_the_operation_of_a_probe_by_its_credential() {
        let harness = Harness::new().await;
        let app = std::sync::Arc::clone(&harness.app);
        let vault = ResourceId::published("/subscriptions/s/vault");
        let group = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage";
        let container =
            format!("{group}/storageAccounts/acct01/blobServices/default/containers/backups");
        let request = json!({ "container": container });
        let mut session = app.store.begin().await.unwrap();
        let kind = OperationKind::Preview;
        let started =
            operations::start_of_request(&app, &mut *session, kind, &vault, "westeurope", request);
        let operation = started.await.unwrap();
        session.commit().await.unwrap();
        let id: Uuid = operation.id.parse().unwrap();
        let scopes = StoredScopes(std::sync::Arc::clone(&app));
        assert!(matches!(scopes.scope(id).await.unwrap(), JobScope::Open(_)));
        let mut session = app.store.begin().await.unwrap();
        let end = End::Succeeded {
            result: Value::Null,
        };
        let finishing = operations::finish(&app, &mut *session, operation, end);
        finishing.await.unwrap();
        session.commit().await.unwrap();
        assert_eq!(scopes.scope(id).await.unwrap(), JobScope::Ended);
        let other = scopes.scope(Uuid::from_u128(7_777)).await.unwrap();
        assert_eq!(other, JobScope::Unknown);
    }

    #[test]
    fn a_configuration_of_its_own_types_stays_as_it_is() {
        let own = Selection {
            included_resource_types: vec!["configmaps".to_owned()],
            ..Selection::default()
        };
        assert_eq!(claims_of(own).included_resource_types, ["configmaps"]);
        let all = claims_of(Selection::default());
        assert_eq!(all.included_resource_types, [CLAIMS]);
    }
}
