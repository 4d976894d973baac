//! Repositories of backup instances: where each is, its key, and how the server and a job reach it.
//!
//! An instance has one identity (a prefix and a key, made once and sealed in the store), used in
//! whichever container the cluster's extension is set to. A recovery point remembers its container,
//! so setting another one later does not lose what is in the first.

use async_trait::async_trait;
use strongroom_api::extension::{
    EXTENSION_TYPE, Extension, SETTING_BLOB_CONTAINER, SETTING_STORAGE_ACCOUNT,
    SETTING_STORAGE_ACCOUNT_RESOURCE_GROUP, SETTING_STORAGE_ACCOUNT_SUBSCRIPTION_ID,
};
use strongroom_core::error::{Code, Problem};
use strongroom_repository::{Backend, Repository, RepositoryKey, S3Config, StoreConfig};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::error::refuse;
use super::jobs::{Location, Request};
use super::storage_accounts::{self, Reader};
use super::{App, Error, ResourceId, Result, preview, resources};
use crate::data_plane::{Bucket, CredentialIssuer, JobScope, JobScopes, Key, Scope};
use crate::store::{JobRow, RecoveryPointRow, ResourceRow, Session, UseRow};

/// Purpose of the secret that holds an instance's repository identity: 16 bytes id, 32 bytes key.
const IDENTITY_PURPOSE: &str = "repository";

/// What the data plane's credentials derive from.
const DATA_PLANE_KEY: &str = "data plane credentials v1";

/// Region that requests to the embedded store are signed for. It is not checked, but S3 clients
/// need one.
const EMBEDDED_REGION: &str = "strongroom";

/// The identity of an instance's repository.
pub struct Identity {
    /// The path below which everything of it is.
    pub prefix: String,
    /// Its key.
    pub key: RepositoryKey,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity")
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

/// The identity of an instance's repository; none when it never made a backup.
pub async fn identity(
    app: &App,
    session: &mut dyn Session,
    instance_key: &str,
) -> Result<Option<Identity>> {
    let Some(bytes) = app.secret(session, instance_key, IDENTITY_PURPOSE).await? else {
        return Ok(None);
    };
    let (id, key) = bytes.split_at_checked(16).unwrap_or_default();
    let (Ok(id), Ok(key)) = (Uuid::from_slice(id), <[u8; 32]>::try_from(key)) else {
        return refuse(
            Code::InternalServerError,
            "The stored identity of the repository is damaged.",
        );
    };
    Ok(Some(Identity {
        prefix: prefix(id),
        key: RepositoryKey::new(key),
    }))
}

/// The same, if it is the one whose repository is at `location`: what a deleted instance left does not
/// open with the key of a later one of the same name, and must not be begun anew with it.
pub async fn identity_at(
    app: &App,
    session: &mut dyn Session,
    instance_key: &str,
    location: &Location,
) -> Result<Option<Identity>> {
    let identity = identity(app, session, instance_key).await?;
    Ok(identity.filter(|identity| identity.prefix == location.prefix))
}

/// The identity of an instance's repository, made now if there is none.
pub async fn identity_or_new(
    app: &App,
    session: &mut dyn Session,
    instance_key: &str,
) -> Result<Identity> {
    if let Some(identity) = identity(app, session, instance_key).await? {
        return Ok(identity);
    }
    let id = app.new_id();
    let mut key = Zeroizing::new([0; 32]);
    app.entropy.fill(key.as_mut_slice());
    let mut bytes = Zeroizing::new(id.as_bytes().to_vec());
    bytes.extend_from_slice(key.as_slice());
    app.put_secret(session, instance_key, IDENTITY_PURPOSE, &bytes)
        .await?;
    Ok(Identity {
        prefix: prefix(id),
        key: RepositoryKey::new(*key),
    })
}

/// The secret that holds the identity of a repository at this prefix with this key, and its purpose; none
/// where no repository of ours is.
#[must_use]
pub fn identity_secret(at: &str, key: &[u8; 32]) -> Option<(&'static str, Zeroizing<Vec<u8>>)> {
    let id = at.strip_prefix("instances/")?.parse::<Uuid>().ok()?;
    let mut bytes = Zeroizing::new(id.as_bytes().to_vec());
    bytes.extend_from_slice(key);
    (prefix(id) == at).then_some((IDENTITY_PURPOSE, bytes))
}

/// The folder of a container below which all repositories are.
pub const REPOSITORIES: &str = "instances";

fn prefix(id: Uuid) -> String {
    format!("instances/{id}")
}

/// The extension resource of a cluster, if one is installed or being installed.
pub async fn extension_of_cluster(
    session: &mut dyn Session,
    cluster_key: &str,
) -> Result<Option<(ResourceRow, Extension)>> {
    let kind = super::extension::TYPE.to_lowercase();
    let found = session
        .resources(&kind, &format!("{cluster_key}/"), None, MOST_EXTENSIONS)
        .await?;
    for row in found.rows {
        let document = resources::document::<Extension>(&row, super::extension::TYPE)?;
        let is_ours = document
            .properties
            .extension_type
            .as_deref()
            .is_some_and(|kind| kind.eq_ignore_ascii_case(EXTENSION_TYPE));
        if is_ours {
            return Ok(Some((row, document.properties)));
        }
    }
    Ok(None)
}

/// Extensions of a cluster that are looked through. There is one of ours; the contract has others
/// only in name.
const MOST_EXTENSIONS: usize = 20;

/// The blob container that an extension's settings name.
pub fn container_of_extension(
    cluster_id: &ResourceId,
    extension: &Extension,
) -> Result<ResourceId> {
    let settings = extension.configuration_settings.clone().unwrap_or_default();
    let setting = |name: &str| {
        settings
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    };
    let (Some(account), Some(container)) = (
        setting(SETTING_STORAGE_ACCOUNT),
        setting(SETTING_BLOB_CONTAINER),
    ) else {
        return Err(Problem::new(
            Code::UserErrorNoDefaultBackupStorageLocationFound,
            format!(
                "The extension's settings must name a storage location: {SETTING_STORAGE_ACCOUNT} \
                 and {SETTING_BLOB_CONTAINER}."
            ),
        )
        .at("properties.configurationSettings")
        .into());
    };
    let subscription = setting(SETTING_STORAGE_ACCOUNT_SUBSCRIPTION_ID)
        .or_else(|| cluster_id.after("subscriptions"))
        .unwrap_or_default();
    let group = setting(SETTING_STORAGE_ACCOUNT_RESOURCE_GROUP)
        .or_else(|| cluster_id.after("resourceGroups"))
        .unwrap_or_default();
    Ok(ResourceId::published(format!(
        "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Storage/\
         storageAccounts/{account}/blobServices/default/containers/{container}"
    )))
}

/// The storage account that an extension would write to; none when its settings name none.
#[must_use]
pub fn account_of_extension(cluster_id: &ResourceId, extension: &Extension) -> Option<ResourceId> {
    let container = container_of_extension(cluster_id, extension).ok()?;
    // …/storageAccounts/{account}/blobServices/default/containers/{container}
    Some(container.without(4))
}

/// How the server itself reaches a repository.
pub async fn for_server(
    app: &App,
    session: &mut dyn Session,
    location: &Location,
) -> Result<StoreConfig> {
    let container = ResourceId::published(location.container_id.clone());
    let container = existing_container(session, &container).await?;
    let access = storage_accounts::access(app, session, &container, Reader::Server);
    let backend = match access.await? {
        Some(backend) => backend,
        None => Backend::Local {
            path: embedded_bucket(&container)?.folder(app.blobs.of_catalogue()?),
        },
    };
    Ok(StoreConfig {
        backend,
        prefix: location.prefix.clone(),
    })
}

/// How a job in a cluster reaches a repository: an embedded one with the job's own credential
/// through this server's data plane, any other with the account's.
pub async fn for_job(
    app: &App,
    session: &mut dyn Session,
    location: &Location,
    job: Uuid,
) -> Result<StoreConfig> {
    let container = ResourceId::published(location.container_id.clone());
    let container = existing_container(session, &container).await?;
    let access = storage_accounts::access(app, session, &container, Reader::Extension);
    let backend = match access.await? {
        Some(backend) => backend,
        None => {
            let credential = issuer(app).credential(job);
            Backend::S3(S3Config {
                endpoint: app.advertise_url.as_str().trim_end_matches('/').to_owned(),
                region: EMBEDDED_REGION.to_owned(),
                bucket: embedded_bucket(&container)?.to_string(),
                access_key_id: credential.access_key_id,
                secret_access_key: credential.secret_access_key.into(),
                session_token: None,
                ca_certificate: Some(app.ca_certificate_pem.clone()).filter(|pem| !pem.is_empty()),
                path_style: true,
                unsigned_payload: true,
            })
        }
    };
    Ok(StoreConfig {
        backend,
        prefix: location.prefix.clone(),
    })
}

/// Opens a repository as the server reaches it.
pub async fn open(
    config: &StoreConfig,
    key: &RepositoryKey,
) -> strongroom_repository::Result<Repository> {
    let store = config.connect()?;
    Repository::open_or_create(
        store,
        config.prefix()?,
        key,
        &strongroom_repository::SystemEntropy,
    )
    .await
}

/// Whether an error says something of the recovery point itself, so that asking again is no use: it is
/// not there, or not what was written. Any other is about the way to it.
#[must_use]
pub fn is_of_the_point(error: &strongroom_repository::Error) -> bool {
    use strongroom_repository::Error as Repo;
    matches!(
        error,
        Repo::NotFound { .. }
            | Repo::Corrupt { .. }
            | Repo::Exists { .. }
            | Repo::TooLarge { .. }
            | Repo::WrongKey
            | Repo::UnsupportedVersion { .. }
    )
}

/// The meaning of a repository's error for whoever asked for it.
#[must_use]
pub fn problem_of(error: &strongroom_repository::Error) -> Problem {
    use strongroom_repository::Error as Repo;
    let code = match error {
        Repo::Unreachable { .. } | Repo::InvalidConfig { .. } => {
            Code::UserErrorBackupStorageLocationNotReady
        }
        Repo::Denied { .. } => Code::UserErrorExtensionMSIMissingPermissionsOnBackupStorageLocation,
        Repo::ReadOnly { .. } => Code::UserErrorBackupFailedBackupStorageLocationReadOnly,
        Repo::Full { .. } => Code::BackupStorageLocationFull,
        Repo::NotFound { .. } => Code::UserErrorRecoveryPointNotFound,
        Repo::Corrupt { .. } | Repo::Exists { .. } => Code::RecoveryPointCorrupt,
        Repo::WrongKey => Code::RepositoryBelongsToAnother,
        Repo::UnsupportedVersion { .. } => Code::RepositoryFormatNotSupported,
        _ => Code::InternalServerError,
    };
    let message = super::error::chain(error);
    Problem::new(code, format!("{message}."))
}

/// A container that exists, in its published spelling.
pub async fn existing_container(session: &mut dyn Session, id: &ResourceId) -> Result<ResourceId> {
    match session.resource(&id.key()).await? {
        Some(row) => Ok(ResourceId::published(row.id)),
        None => Err(Problem::new(
            Code::UserErrorNoDefaultBackupStorageLocationFound,
            format!("The blob container '{id}' does not exist."),
        )
        .at(id.as_str())
        .into()),
    }
}

/// Says that an instance has a recovery point in a container, which cannot be forgotten before it.
pub async fn hold_container(session: &mut dyn Session, point: &RecoveryPointRow) -> Result<()> {
    let location: Location = serde_json::from_value(point.body["repository"].clone())
        .map_err(Error::unexpected("read where a recovery point is"))?;
    let target_key = ResourceId::published(location.container_id).key();
    let edge = UseRow {
        user_key: point.instance_key.clone(),
        // One for each container: an instance may have recovery points in several.
        role: format!("recovery points in {target_key}"),
        target_key,
    };
    Ok(session.put_use(&edge).await?)
}

/// The bucket of an embedded container.
pub fn embedded_bucket(container: &ResourceId) -> Result<Bucket> {
    let account = container
        .after("storageAccounts")
        .unwrap_or_default()
        .to_lowercase();
    Bucket::new(&account, &container.name().to_lowercase()).map_err(Error::unexpected(
        "name the bucket of an embedded container",
    ))
}

/// Makes and checks the data plane's credentials of this server.
#[must_use]
pub fn issuer(app: &App) -> CredentialIssuer {
    CredentialIssuer::new(&app.keys.derive(DATA_PLANE_KEY))
}

/// Finds what a job's credential opens.
pub struct StoredScopes(pub std::sync::Arc<App>);

#[async_trait]
impl JobScopes for StoredScopes {
    async fn scope(&self, job: Uuid) -> std::result::Result<JobScope, String> {
        let found = async {
            let mut session = self.0.store.read().await?;
            match session.job(job).await? {
                Some(row) => scope_of(&row),
                None => match session.operation(&job.to_string()).await? {
                    Some(operation) => {
                        Ok(preview::scope_of(&operation)?.unwrap_or(JobScope::Unknown))
                    }
                    None => Ok(JobScope::Unknown),
                },
            }
        };
        found.await.map_err(|error: Error| error.to_string())
    }
}

fn scope_of(row: &JobRow) -> Result<JobScope> {
    let request = Request::of(row)?;
    let (None, Some(location)) = (row.ended_at, request.repository()) else {
        return Ok(JobScope::Ended);
    };
    let key = |text: String| Key::parse(&text).map_err(Error::unexpected("name a job's scope"));
    let bucket = embedded_bucket(&ResourceId::published(location.container_id.clone()))?;
    let create_below = match request {
        Request::Backup { .. } => location.prefix.clone(),
        _ => format!("{}/reports/{}", location.prefix, row.id),
    };
    Ok(JobScope::Open(Scope {
        bucket,
        prefix: key(location.prefix.clone())?,
        create_below: key(create_below)?,
    }))
}
