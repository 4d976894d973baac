//! Rebuilds a catalogue from the stores alone: by the master key and the descriptions that lie beside the
//! repositories (see [`crate::app::descriptions`]).
//!
//! Contract: the catalogue must be empty, and is written in one transaction. What every description says of a
//! shared document is merged, the newest counts ([`merge`]). Nothing in a store is changed. Recovery points are
//! taken over by the server, which compares them with the stores at its next start, as after a restore. What no
//! store holds is named: it has to be made again.

pub mod merge;
mod stores;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use self::merge::{Found, Merged, Repository, merge};
use self::stores::Store;
use crate::app::storage_accounts::{GivenCredentials, account_of_container, given_secrets};
use crate::app::{ResourceId, clusters, repositories};
use crate::catalogue_copy::command::{existing_master_key, store_of};
use crate::catalogue_copy::settle::{hold_retention, note};
use crate::catalogue_copy::{CopyError, require_empty};
use crate::config::ServerOptions;
use crate::data_dir::DataDir;
use crate::environment::{Clock as _, Entropy, SystemClock, SystemEntropy};
use crate::run::{RunError, TENANT_ID, load};
use crate::secrets::MasterKey;
use crate::store::{RepositoryRow, ResourceRow, Session, UseRow};

/// What the audit log calls it.
const ACTION: &str = "Strongroom.Administration/catalogue/rebuild/action";

/// What no store holds, whatever was protected.
pub const NOT_THERE: &[&str] = &[
    "kubeconfigs: register each cluster again, under its name",
    "the extensions' settings and Trusted Access: install the extension and grant the vault again",
    "role assignments, service principals and their secrets",
    "jobs, operations, and the audit log from before",
    "instances that never made a backup, and policies that no instance follows",
];

/// Why a catalogue was not rebuilt. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// The file of an account is not what it should be.
    #[error("{path}: {detail}")]
    Account {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// A store cannot be read.
    #[error("the bucket or folder '{place}' cannot be searched")]
    Store {
        /// Which.
        place: String,
        /// Why not.
        #[source]
        source: Box<strongroom_repository::Error>,
    },
    /// Nothing to rebuild from.
    #[error(
        "no description of a repository was found that this master key opens; name the storage accounts by \
         --account, and check that keys/master.key is the one of the server that was lost"
    )]
    NothingFound,
}

/// What was rebuilt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// Published ids of the vaults.
    pub vaults: Vec<String>,
    /// Of the policies.
    pub policies: Vec<String>,
    /// Of the backup instances.
    pub instances: Vec<String>,
    /// Recovery points in their repositories, which the server takes over at its next start.
    pub points: usize,
    /// What was passed over or has to be given again, in words.
    pub findings: Vec<String>,
}

/// Rebuilds the catalogue of a configuration from its embedded stores and those of the accounts that these
/// files describe. `dry_run`: tells what would be rebuilt.
pub async fn rebuild_catalogue(
    options: &ServerOptions,
    accounts: &[PathBuf],
    dry_run: bool,
) -> Result<Rebuilt, RunError> {
    let config = load(options)?;
    let dir = DataDir::open(&config.data_dir)?;
    let keys = existing_master_key(&dir)?;
    let blobs = config.blobs_dir.clone().unwrap_or_else(|| dir.blobs());
    let places = stores::places(&blobs, accounts)?;
    let (found, findings) = stores::search(&keys, &places).await?;
    if found.is_empty() {
        return Err(RebuildError::NothingFound.into());
    }
    let mut merged = merge(found);
    merged.findings.splice(0..0, findings);
    let store = store_of(&config, &dir).await?;
    let rebuilt = async {
        let mut session = store.begin().await?;
        let rebuilt = write(&mut *session, &keys, &SystemEntropy, merged, &places).await?;
        if !dry_run {
            session.commit().await?;
        }
        Ok::<_, RunError>(rebuilt)
    };
    let rebuilt = rebuilt.await;
    store.close().await;
    rebuilt
}

/// Writes what was merged into a session, which the caller commits.
async fn write(
    session: &mut dyn Session,
    keys: &MasterKey,
    entropy: &dyn Entropy,
    merged: Merged,
    places: &[Store],
) -> Result<Rebuilt, RunError> {
    require_empty(session).await?;
    let mut rebuilt = Rebuilt {
        findings: merged.findings,
        ..Rebuilt::default()
    };
    let tenant_id = merged.tenant_id.unwrap_or_else(|| entropy.id());
    session
        .put_setting(TENANT_ID, &tenant_id.to_string())
        .await?;
    for described in merged.resources.into_values() {
        let mut row = ResourceRow::from(described);
        rebuilt.note(&row);
        adapt(
            &mut row,
            places,
            &merged.repositories,
            &mut rebuilt.findings,
        );
        let deleted = row.deleted_at;
        session.put_resource(&row).await?;
        if deleted.is_some() {
            session.set_resource_deleted(&row.key, deleted).await?;
        }
    }
    for edge in merged.uses {
        let edge = UseRow {
            user_key: edge.user_key,
            role: edge.role,
            target_key: edge.target_key,
        };
        session.put_use(&edge).await?;
    }
    for repository in &merged.repositories {
        rebuilt.points += repository.points;
        write_repository(session, keys, entropy, repository).await?;
    }
    write_credentials(session, keys, entropy, &merged.repositories, places).await?;
    let now = SystemClock.now();
    hold_retention(session, now).await?;
    note(session, ACTION, now, None).await?;
    Ok(rebuilt)
}

impl Rebuilt {
    fn note(&mut self, row: &ResourceRow) {
        use crate::app::{instances, policies, vaults};
        let list = [
            (vaults::TYPE, &mut self.vaults),
            (policies::TYPE, &mut self.policies),
            (instances::TYPE, &mut self.instances),
        ];
        for (kind, list) in list {
            if row.kind == kind.to_lowercase() {
                list.push(row.id.clone());
            }
        }
    }
}

/// Changes a document where the server that was lost was another one than this: the way to a cluster is gone,
/// and a storage account is reached as it was given now.
fn adapt(
    row: &mut ResourceRow,
    places: &[Store],
    repositories: &[Repository],
    findings: &mut Vec<String>,
) {
    if clusters::TYPES
        .iter()
        .any(|kind| row.kind == kind.to_lowercase())
    {
        let properties = &mut row.body["properties"];
        properties["hasKubeconfig"] = false.into();
        properties["connectivityStatus"] = "Offline".into();
        findings.push(format!("register the cluster '{}' again", row.id));
    }
    if row.kind != crate::app::storage_accounts::TYPE.to_lowercase() {
        return;
    }
    let given = repositories
        .iter()
        .filter(|repository| account_key(repository) == row.key)
        .find_map(|repository| places.get(repository.place)?.given.as_ref());
    let backend = &mut row.body["properties"]["backend"];
    let is_embedded = backend.is_null() || backend["kind"] == "Embedded";
    match given.and_then(|(backend, _)| serde_json::to_value(backend).ok()) {
        Some(now) => *backend = now,
        None if is_embedded => {}
        None => findings.push(format!(
            "the storage account '{}' was not given by --account: write it again with its credential",
            row.id
        )),
    }
}

fn account_key(repository: &Repository) -> String {
    let container = ResourceId::published(repository.location.container_id.clone());
    account_of_container(&container).key()
}

async fn write_repository(
    session: &mut dyn Session,
    keys: &MasterKey,
    entropy: &dyn Entropy,
    repository: &Repository,
) -> Result<(), RunError> {
    let prefix = &repository.location.prefix;
    let key = repository.key.as_ref();
    let secret = key.and_then(|key| repositories::identity_secret(prefix, key.as_bytes()));
    let Some((purpose, secret)) = secret else {
        return Err(CopyError::Malformed {
            what: "description of a repository",
            detail: prefix.clone(),
        }
        .into());
    };
    let instance_key = &repository.instance_key;
    let sealed = keys.seal(instance_key, purpose, &secret, entropy)?;
    session.put_secret(instance_key, purpose, &sealed).await?;
    let row = RepositoryRow {
        instance_key: instance_key.clone(),
        container_id: repository.location.container_id.clone(),
        prefix: prefix.clone(),
    };
    Ok(session.put_repository(&row).await?)
}

/// Seals the credentials that were given for the accounts in which something was found.
async fn write_credentials(
    session: &mut dyn Session,
    keys: &MasterKey,
    entropy: &dyn Entropy,
    repositories: &[Repository],
    places: &[Store],
) -> Result<(), RunError> {
    for repository in repositories {
        let given = places
            .get(repository.place)
            .and_then(|place| place.given.as_ref());
        let Some((backend, credentials)) = given else {
            continue;
        };
        let account = account_key(repository);
        let credentials: GivenCredentials = credentials.clone();
        for (purpose, secret) in
            given_secrets(backend, credentials).map_err(crate::app::Error::from)?
        {
            let sealed = keys.seal(&account, purpose, secret.expose().as_bytes(), entropy)?;
            session.put_secret(&account, purpose, &sealed).await?;
        }
    }
    Ok(())
}

/// What a search gives, by the place in which it was found.
pub type Searched = (Vec<Found>, Vec<String>);
