//! Where descriptions are looked for: the folders of embedded accounts, and buckets that were given.
//!
//! Contract: a store is only listed and read. A repository whose description is missing, does not open, or is
//! of another place is told and passed over; a store that cannot be read at all ends the search, because what
//! is in it would be missing without a word.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use object_store::ObjectStore;
use serde::Deserialize;
use strongroom_api::storage::{Backend, StorageAccount};
use strongroom_repository::{
    Backend as StoreBackend, Error as RepositoryError, Repository, RepositoryKey, StoreConfig,
    SystemEntropy,
};

use super::merge::Found;
use super::{RebuildError, Searched};
use crate::app::ResourceId;
use crate::app::descriptions::{self, Description, FORMAT};
use crate::app::repositories::{REPOSITORIES, embedded_bucket};
use crate::app::storage_accounts::{GivenCredentials, bucket_of, given_access, given_secrets};
use crate::secrets::MasterKey;
use crate::store::ResourceRow;

/// A place to search.
#[derive(Debug)]
pub(super) struct Store {
    /// What people call it.
    name: String,
    /// The bucket, or `account/container` of an embedded one.
    bucket: String,
    backend: StoreBackend,
    /// The account that was given for it; none for an embedded one.
    pub(super) given: Option<(Backend, GivenCredentials)>,
}

/// The file that describes an account which holds repositories: its backend as in the body of a storage
/// account, with its secrets, and which buckets or containers to search.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct AccountFile {
    backend: Backend,
    buckets: Vec<String>,
}

/// Every place to search: all embedded containers, and the buckets that these files name.
pub(super) fn places(blobs: &Path, accounts: &[PathBuf]) -> Result<Vec<Store>, RebuildError> {
    let mut places = Vec::new();
    for account in folders(blobs) {
        for container in folders(&account) {
            let name = |path: &Path| {
                path.file_name()
                    .map(|name| name.to_string_lossy().into_owned())
            };
            let bucket = format!(
                "{}/{}",
                name(&account).unwrap_or_default(),
                name(&container).unwrap_or_default()
            );
            places.push(Store {
                name: container.display().to_string(),
                bucket,
                backend: StoreBackend::Local { path: container },
                given: None,
            });
        }
    }
    for path in accounts {
        places.extend(of_file(path)?);
    }
    Ok(places)
}

/// The folders in a folder, in the order of their names; none where there is none.
fn folders(of: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(of).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    found.retain(|path| path.is_dir());
    found.sort();
    found
}

fn of_file(path: &Path) -> Result<Vec<Store>, RebuildError> {
    let wrong = |detail: String| RebuildError::Account {
        path: path.to_owned(),
        detail,
    };
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    // The words of the parser could quote a secret: only where it stumbled is told.
    let file: AccountFile = serde_json::from_str(&text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        wrong(format!(
            "it is not {{\"backend\": {{\"kind\": …}}, \"buckets\": […]}} (line {line}, column {column})"
        ))
    })?;
    let mut account = StorageAccount {
        backend: Some(file.backend),
        ..StorageAccount::default()
    };
    let credentials = account.take_secrets();
    let backend = account.backend.unwrap_or_default();
    given_secrets(&backend, credentials.clone()).map_err(|problem| wrong(problem.message))?;
    let of_bucket = |bucket: String| {
        let reached = given_access(&backend, &credentials, &bucket);
        let reached = reached.ok_or_else(|| {
            wrong("embedded accounts are found by themselves, in the data directory".to_owned())
        })?;
        Ok(Store {
            name: bucket.clone(),
            bucket,
            backend: reached,
            given: Some((backend.clone(), credentials.clone())),
        })
    };
    file.buckets.into_iter().map(of_bucket).collect()
}

/// Searches all places.
pub(super) async fn search(keys: &MasterKey, places: &[Store]) -> Result<Searched, RebuildError> {
    let (mut found, mut findings) = Searched::default();
    for (n, place) in places.iter().enumerate() {
        let failed = |source| RebuildError::Store {
            place: place.name.clone(),
            source: Box::new(source),
        };
        for prefix in prefixes(place).await.map_err(failed)? {
            match read(keys, place, &prefix).await.map_err(failed)? {
                Ok((description, points)) => found.push(Found {
                    place: n,
                    points,
                    description,
                }),
                Err(why) => findings.push(format!("'{prefix}' in '{}' {why}", place.name)),
            }
        }
    }
    Ok((found, findings))
}

fn config(place: &Store, prefix: &str) -> StoreConfig {
    StoreConfig {
        backend: place.backend.clone(),
        prefix: prefix.to_owned(),
    }
}

/// The prefixes of the repositories in a place, in order.
async fn prefixes(place: &Store) -> Result<Vec<String>, RepositoryError> {
    let store: Arc<dyn ObjectStore> = config(place, "").connect()?;
    let folder = object_store::path::Path::from(REPOSITORIES);
    let listed = store.list_with_delimiter(Some(&folder)).await;
    let listed = listed.map_err(|error| {
        strongroom_repository::classify(error, || "listing repositories".to_owned(), REPOSITORIES)
    });
    match listed {
        Ok(listed) => {
            let mut prefixes: Vec<String> = listed
                .common_prefixes
                .iter()
                .map(ToString::to_string)
                .collect();
            prefixes.sort();
            Ok(prefixes)
        }
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// The description of a repository and the number of its recovery points, or why it is passed over.
async fn read(
    keys: &MasterKey,
    place: &Store,
    prefix: &str,
) -> Result<Result<(Description, usize), String>, RepositoryError> {
    let config = config(place, prefix);
    let bytes = match descriptions::at(keys, &config)?.latest().await {
        Ok(Some(bytes)) => zeroize::Zeroizing::new(bytes),
        Ok(None) => return Ok(Err("has no description".to_owned())),
        Err(error @ RepositoryError::Corrupt { .. }) => {
            return Ok(Err(format!("does not open with this master key: {error}")));
        }
        Err(error) => return Err(error),
    };
    let description: Description = match serde_json::from_slice(&bytes) {
        Ok(description) => description,
        Err(error) => return Ok(Err(format!("cannot be read: {error}"))),
    };
    if description.format > FORMAT {
        let format = description.format;
        return Ok(Err(format!(
            "is described in format {format}, by a newer version"
        )));
    }
    if let Some(why) = elsewhere(&description, place, prefix) {
        return Ok(Err(why));
    }
    let key = descriptions::repository_key(&description);
    let Some(key) = key else {
        return Ok(Err("has a description without its key".to_owned()));
    };
    match points(&config, &key).await {
        Ok(points) => Ok(Ok((description, points))),
        // Its data were removed with a deleted instance, or nothing was ever written.
        Err(error) if error.is_not_found() => Ok(Err("holds no repository any more".to_owned())),
        Err(error @ RepositoryError::WrongKey) => Ok(Err(error.to_string())),
        Err(error) => Err(error),
    }
}

async fn points(config: &StoreConfig, key: &RepositoryKey) -> Result<usize, RepositoryError> {
    let (store, prefix) = (config.connect()?, config.prefix()?);
    let repository = Repository::open(store, prefix, key, &SystemEntropy).await?;
    Ok(repository.points().await?.len())
}

/// Why a description is not of the place in which it was found, if it is not: a copy of a store beside it.
fn elsewhere(description: &Description, place: &Store, prefix: &str) -> Option<String> {
    let id = ResourceId::published(description.repository.container_id.clone());
    let mut resources = description.resources.iter();
    let container = resources.find(|resource| resource.key == id.key())?;
    let bucket = match &place.given {
        None => embedded_bucket(&id)
            .map(|bucket| bucket.folder(Path::new("")).display().to_string())
            .ok(),
        Some(_) => bucket_of(&ResourceRow::from(container.clone())).ok(),
    };
    let is_here = description.repository.prefix == prefix && bucket.as_ref() == Some(&place.bucket);
    (!is_here).then(|| format!("is described as one in '{id}', from which it was copied"))
}
