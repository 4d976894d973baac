//! Storage accounts and their blob containers: where recovery points go.
//!
//! Contract: an account's credentials are sealed and never given back. A container is accepted only
//! after it was seen to work: the embedded one's folder is made, any other took, kept and gave back
//! an object. The network is asked before the transaction opens.

mod backend;
mod probe;

use strongroom_api::secret::Secret;
use strongroom_api::storage::{
    Backend, BlobContainer, BlobContainerResource, PrimaryEndpoints, StorageAccount,
    StorageAccountResource,
};
use strongroom_core::error::{Code, Problem};
use strongroom_core::name::NameKind;
use strongroom_repository::{Backend as StoreBackend, StoreConfig};

use super::repositories::embedded_bucket;
use super::resources::{self, Terms, Written};
use super::{App, Error, ResourceId, Result, jobs, resource_groups};
use crate::data_plane;
use crate::store::{ResourceRow, Session};

/// Published type of a storage account.
pub const TYPE: &str = "Microsoft.Storage/storageAccounts";
/// Published type of a blob container.
pub const CONTAINER_TYPE: &str = "Microsoft.Storage/storageAccounts/blobServices/containers";

/// Accounts that are looked through for a name that is taken.
const MOST_ACCOUNTS: usize = 10_000;

/// Writes a storage account.
pub async fn put(
    app: &App,
    id: &ResourceId,
    mut account: StorageAccountResource,
    terms: &Terms,
) -> Result<Written<StorageAccount>> {
    resources::check_name(NameKind::StorageAccount, id)?;
    let given = account.properties.take_secrets();
    let backend = account.properties.backend.clone().unwrap_or_default();
    let mut session = app.store.begin().await?;
    let id = resource_groups::within(&mut *session, id).await?;
    let row = session.resource(&id.key()).await?;
    terms.check(row.as_ref())?;
    let old: Option<StorageAccountResource> = row
        .as_ref()
        .map(|row| resources::document(row, TYPE))
        .transpose()?;
    account.location = Some(match &old {
        Some(old) => resources::same_location(&id, old, account.location.as_deref())?,
        None => resources::location(account.location.as_deref())?,
    });
    match old.and_then(|old| old.properties.backend) {
        None => refuse_taken_name(&mut *session, &id).await?,
        Some(old) => backend::refuse_other_kind(&old, &backend)?,
    }
    backend::check(&backend)?;
    let credentials = backend::credentials(&backend, given)?;
    if !matches!(backend, Backend::Embedded) && credentials.is_empty() {
        let (key, token) = stored_credentials(app, &mut *session, &id.key(), &backend).await?;
        if key.is_none() && token.is_none() {
            let target = backend::credential_property(&backend);
            return Err(invalid(target, "it is needed at the first write").into());
        }
    }
    account.properties.provisioning_state = Some("Succeeded".to_owned());
    account.properties.primary_endpoints = Some(PrimaryEndpoints {
        blob: Some(match backend::address(&backend, id.name()) {
            None => app.advertise_url.to_string(),
            Some(address) => address,
        }),
    });
    account.properties.backend = Some(backend);
    let written = resources::write(
        app,
        &mut *session,
        &id,
        TYPE,
        &account,
        row.as_ref(),
        &terms.by,
    )
    .await?;
    for (purpose, secret) in credentials {
        let plaintext = secret.expose().as_bytes();
        app.put_secret(&mut *session, &id.key(), purpose, plaintext)
            .await?;
    }
    session.commit().await?;
    Ok(written)
}

fn invalid(target: &str, message: impl Into<String>) -> Problem {
    let message = message.into();
    Problem::new(
        Code::UserErrorInvalidStorageAccount,
        format!("{target}: {message}."),
    )
    .at(target)
}

/// Account names are global, as in Azure: embedded accounts are folders side by side.
async fn refuse_taken_name(session: &mut dyn Session, id: &ResourceId) -> Result<()> {
    let all = session
        .resources(&TYPE.to_lowercase(), "/subscriptions/", None, MOST_ACCOUNTS)
        .await?;
    let taken = all
        .rows
        .iter()
        .find(|row| row.name.eq_ignore_ascii_case(id.name()));
    match taken {
        Some(other) => Err(Problem::new(
            Code::Conflict,
            format!(
                "The storage account name '{}' is taken by '{}': names are unique in a server.",
                id.name(),
                other.id
            ),
        )
        .at("name")
        .into()),
        None => Ok(()),
    }
}

/// One account.
pub async fn get(app: &App, id: &ResourceId) -> Result<StorageAccountResource> {
    resources::document(
        &resources::existing(&mut *app.store.read().await?, id).await?,
        TYPE,
    )
}

/// The accounts of a group or a subscription.
pub async fn list(
    app: &App,
    scope: &ResourceId,
    after: Option<&str>,
    limit: usize,
) -> Result<(Vec<StorageAccountResource>, Option<String>)> {
    resource_groups::list_within(app, TYPE, scope, after, limit).await
}

/// Deletes an account without containers; tells whether it was there.
pub async fn delete(app: &App, id: &ResourceId, terms: &Terms) -> Result<bool> {
    let mut session = app.store.begin().await?;
    let Some(row) = session.resource(&id.key()).await? else {
        return Ok(false);
    };
    terms.check(Some(&row))?;
    let below = session.descendants(&format!("{}/", row.key), 20).await?;
    if !below.is_empty() {
        let names: Vec<String> = below.into_iter().map(|row| row.id).collect();
        return Err(resources::in_use(&row.id, &names));
    }
    resources::refuse_in_use(&mut *session, &row).await?;
    session.delete_resource(&row.key).await?;
    session.commit().await?;
    Ok(true)
}

/// Makes a container, once it was seen to work.
pub async fn put_container(
    app: &App,
    id: &ResourceId,
    container: BlobContainerResource,
    terms: &Terms,
) -> Result<Written<BlobContainer>> {
    resources::check_name(NameKind::BlobContainer, id)?;
    let public = container
        .properties
        .public_access
        .as_deref()
        .unwrap_or("None");
    if public != "None" {
        return Err(invalid(
            "properties.publicAccess",
            format!("'{public}' is not accepted: recovery points are never public"),
        )
        .into());
    }
    let mut session = app.store.read().await?;
    let account = resources::existing(&mut *session, &account_of(id)).await?;
    let id = ResourceId::published(account.id)
        .child("blobServices", "default")
        .child("containers", id.name());
    let bucket = container
        .properties
        .bucket
        .clone()
        .unwrap_or_else(|| id.name().to_owned());
    let access = account_access(app, &mut *session, &id, &bucket, Reader::Server).await?;
    drop(session);
    match access {
        Some(backend) => {
            probe::probe(&StoreConfig {
                backend,
                prefix: String::new(),
            })
            .await?
        }
        None => make_folder(app, &id).await?,
    }

    let mut session = app.store.begin().await?;
    // The account may have gone while the bucket was probed.
    resources::existing(&mut *session, &account_of(&id)).await?;
    let row = session.resource(&id.key()).await?;
    terms.check(row.as_ref())?;
    if let Some(row) = &row {
        refuse_other_bucket(row, &bucket)?;
    }
    let document = BlobContainerResource::of(BlobContainer {
        bucket: container.properties.bucket,
        public_access: Some("None".to_owned()),
    });
    let written = resources::write(
        app,
        &mut *session,
        &id,
        CONTAINER_TYPE,
        &document,
        row.as_ref(),
        &terms.by,
    )
    .await?;
    session.commit().await?;
    Ok(written)
}

/// Recovery points are found by their container: in another bucket they would be lost to sight.
fn refuse_other_bucket(row: &ResourceRow, bucket: &str) -> Result<()> {
    if bucket_of(row)? == bucket {
        return Ok(());
    }
    Err(Problem::new(
        Code::PropertyChangeNotAllowed,
        "The bucket of a container is fixed: recovery points would be left behind. Make another \
         container.",
    )
    .at("properties.bucket")
    .into())
}

pub(crate) fn bucket_of(row: &ResourceRow) -> Result<String> {
    let document: BlobContainerResource = resources::document(row, CONTAINER_TYPE)?;
    Ok(document
        .properties
        .bucket
        .unwrap_or_else(|| row.name.clone()))
}

/// The account of a container: `…/storageAccounts/{a}/blobServices/default/containers/{c}`.
fn account_of(container: &ResourceId) -> ResourceId {
    container.without(4)
}

async fn make_folder(app: &App, id: &ResourceId) -> Result<()> {
    let (blobs, bucket) = (app.blobs.of_catalogue()?.to_owned(), embedded_bucket(id)?);
    // Durably: objects are safe from a power cut only in a folder that is.
    let made = tokio::task::spawn_blocking(move || data_plane::create_container(&blobs, &bucket));
    let made = made.await.map_err(std::io::Error::other);
    made.and_then(|made| made).map_err(|error| {
        Problem::new(
            Code::UserErrorBackupStorageLocationNotReady,
            format!("The folder of the container could not be made: {error}."),
        )
        .into()
    })
}

/// One container.
pub async fn get_container(app: &App, id: &ResourceId) -> Result<BlobContainerResource> {
    let row = resources::existing(&mut *app.store.read().await?, id).await?;
    resources::document(&row, CONTAINER_TYPE)
}

/// The containers of an account, in the order of their names.
pub async fn list_containers(
    app: &App,
    account: &ResourceId,
    after: Option<&str>,
    limit: usize,
) -> Result<(Vec<BlobContainerResource>, Option<String>)> {
    resources::existing(&mut *app.store.read().await?, account).await?;
    resources::list(app, CONTAINER_TYPE, account, after, limit).await
}

/// Forgets a container that nothing uses and that holds no recovery points; tells whether it was
/// there. What lies in an S3 bucket stays; an embedded container's folder goes when it is empty.
pub async fn delete_container(app: &App, id: &ResourceId, terms: &Terms) -> Result<bool> {
    let mut session = app.store.begin().await?;
    let Some(row) = session.resource(&id.key()).await? else {
        return Ok(false);
    };
    terms.check(Some(&row))?;
    resources::refuse_in_use(&mut *session, &row).await?;
    if jobs::is_being_purged(app, &mut *session, &row.key).await? {
        let user = "the removal of a deleted instance's data".to_owned();
        return Err(resources::in_use(&row.id, &[user]));
    }
    let published = ResourceId::published(row.id.clone());
    let embedded = access(app, &mut *session, &published, Reader::Server)
        .await?
        .is_none();
    let folder = match embedded {
        true => Some(embedded_bucket(&published)?.folder(app.blobs.of_catalogue()?)),
        false => None,
    };
    if folder.as_deref().is_some_and(holds_objects) {
        return Err(resources::in_use(
            &row.id,
            &["the recovery points in it".to_owned()],
        ));
    }
    session.delete_resource(&row.key).await?;
    session.commit().await?;
    if let Some(folder) = folder {
        // Empty folders only; what is left after a crash here is an empty folder.
        let _ = std::fs::remove_dir(&folder);
    }
    Ok(true)
}

fn holds_objects(folder: &std::path::Path) -> bool {
    std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some())
}

/// Who asks a service: its address can differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// This server.
    Server,
    /// The extension, from inside a cluster.
    Extension,
}

/// How a container is reached with its account's credentials; none for an embedded one.
pub async fn access(
    app: &App,
    session: &mut dyn Session,
    container: &ResourceId,
    reader: Reader,
) -> Result<Option<StoreBackend>> {
    let row = resources::existing(session, container).await?;
    let bucket = bucket_of(&row)?;
    account_access(
        app,
        session,
        &ResourceId::published(row.id),
        &bucket,
        reader,
    )
    .await
}

/// How a bucket is reached with a backend and credentials that are no account's yet; none for an embedded one.
pub fn given_access(
    backend: &Backend,
    (key, token): &GivenCredentials,
    bucket: &str,
) -> Option<StoreBackend> {
    let expose = |secret: &Option<Secret>| secret.as_ref().map(|secret| secret.expose().to_owned());
    let secrets = (expose(key), expose(token));
    backend::reached(backend.clone(), "", bucket, Reader::Server, secrets)
}

/// The key, and the token beside or instead of it, as they were given.
pub type GivenCredentials = (Option<Secret>, Option<Secret>);

/// What is to be sealed of credentials that were given, by purpose; checks what else was given.
pub fn given_secrets(
    backend: &Backend,
    given: GivenCredentials,
) -> std::result::Result<Vec<(&'static str, Secret)>, Problem> {
    backend::check(backend)?;
    backend::credentials(backend, given)
}

/// The account of a container: `…/storageAccounts/{a}/blobServices/default/containers/{c}`.
#[must_use]
pub fn account_of_container(container: &ResourceId) -> ResourceId {
    account_of(container)
}

async fn account_access(
    app: &App,
    session: &mut dyn Session,
    container: &ResourceId,
    bucket: &str,
    reader: Reader,
) -> Result<Option<StoreBackend>> {
    let row = resources::existing(session, &account_of(container)).await?;
    let account: StorageAccountResource = resources::document(&row, TYPE)?;
    let Some(backend) = account.properties.backend else {
        return Ok(None);
    };
    let credentials = stored_credentials(app, session, &row.key, &backend).await?;
    Ok(backend::reached(
        backend,
        &row.name,
        bucket,
        reader,
        credentials,
    ))
}

/// The key, and the token beside or instead of it, that an account was given.
async fn stored_credentials(
    app: &App,
    session: &mut dyn Session,
    key: &str,
    backend: &Backend,
) -> Result<(Option<String>, Option<String>)> {
    let (key_purpose, token_purpose) = backend::purposes(backend);
    Ok((
        text(app, session, key, key_purpose).await?,
        text(app, session, key, token_purpose).await?,
    ))
}

async fn text(
    app: &App,
    session: &mut dyn Session,
    key: &str,
    purpose: &str,
) -> Result<Option<String>> {
    match app.secret(session, key, purpose).await? {
        Some(bytes) => String::from_utf8(bytes.to_vec())
            .map(|text| Some(text).filter(|text| !text.is_empty()))
            .map_err(Error::unexpected("read a storage credential")),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::Harness;

    #[tokio::test]
    async fn a_new_key_without_a_session_token_takes_the_old_ones_away() {
        let harness = Harness::new().await;
        let account = harness.account_path().await;
        let write = async |credential: serde_json::Value| {
            let mut backend =
                json!({"kind": "S3", "endpoint": "https://s3.example.org", "accessKeyId": "A"});
            let members = credential.as_object().unwrap().clone();
            backend.as_object_mut().unwrap().extend(members);
            let body = json!({"location": "westeurope", "properties": {"backend": backend}});
            let answer = harness.put(&account, body).await;
            assert!(answer.status < 300, "{}", answer.text);
            let container = format!("{account}/blobServices/default/containers/points");
            let container = ResourceId::published(container);
            let mut session = harness.app.store.read().await.unwrap();
            let found =
                account_access(&harness.app, &mut *session, &container, "b", Reader::Server);
            let Some(StoreBackend::S3(found)) = found.await.unwrap() else {
                panic!("another backend")
            };
            (
                found.secret_access_key.expose().to_owned(),
                found.session_token.map(|token| token.expose().to_owned()),
            )
        };
        let first = write(json!({"secretAccessKey": "one", "sessionToken": "t"})).await;
        assert_eq!(first, ("one".to_owned(), Some("t".to_owned())));
        assert_eq!(write(json!({})).await, first, "nothing new was given");
        let second = write(json!({"secretAccessKey": "two"})).await;
        assert_eq!(second, ("two".to_owned(), None));
    }
}
