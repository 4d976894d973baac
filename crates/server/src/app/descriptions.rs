//! The description that lies beside each repository: what a catalogue that was lost is rebuilt from.
//!
//! Contract: a description holds the documents of the backup instance and of all that it needs or lies in
//! (vault, policy, cluster, storage account and container, groups, the vault's resource guard), and the key of
//! the repository. It holds none of the secrets of those: no kubeconfig, no credential of a storage account.
//! It is sealed under a key that follows from the master key and the place of the repository. Whether it is to
//! be written anew follows from the versions of what it holds, which the catalogue notes.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use strongroom_repository::{Descriptions, RepositoryKey, StoreConfig};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::guards::PROXY_TYPE;
use super::jobs::Location;
use super::{App, Error, ResourceId, Result, repositories, vaults};
use crate::secrets::MasterKey;
use crate::store::{Actor, RepositoryRow, ResourceRow, Session, UseRow};

/// The version of these shapes; fields are only ever added.
pub const FORMAT: u32 = 1;

/// What the key of a description is derived for, with the prefix of the repository behind it.
const KEY: &str = "repository description v1";

/// Most resources in a description. An instance needs about ten; more are a mistake, and are left out.
const MOST_RESOURCES: usize = 100;

/// What a repository is.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Description {
    /// [`FORMAT`] when it was written.
    pub format: u32,
    /// The tenant of the server.
    pub tenant_id: Uuid,
    /// Where the repository is.
    pub repository: Location,
    /// Its key, in base64.
    pub key: Zeroizing<String>,
    /// Key of the backup instance.
    pub instance_key: String,
    /// The instance and what it needs or lies in, in the order of their keys.
    pub resources: Vec<Described>,
    /// Which of them needs which other.
    pub uses: Vec<DescribedUse>,
}

/// A resource, as the catalogue holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Described {
    /// Lower-cased id.
    pub key: String,
    /// Lower-cased type.
    pub kind: String,
    /// Published id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its document.
    pub body: Value,
    /// Its version.
    pub etag: String,
    /// When it was first written.
    pub created_at: Timestamp,
    /// When it was last written.
    pub updated_at: Timestamp,
    /// Who made it.
    pub created_by: Option<Actor>,
    /// Who wrote it last.
    pub updated_by: Option<Actor>,
    /// Since when it is deleted, though it can be brought back.
    #[serde(default)]
    pub deleted_at: Option<Timestamp>,
}

/// An edge between two resources of a description.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DescribedUse {
    /// Who needs.
    pub user_key: String,
    /// What for.
    pub role: String,
    /// What is needed.
    pub target_key: String,
}

impl From<ResourceRow> for Described {
    fn from(row: ResourceRow) -> Self {
        Self {
            key: row.key,
            kind: row.kind,
            id: row.id,
            name: row.name,
            body: row.body,
            etag: row.etag,
            created_at: row.created_at,
            updated_at: row.updated_at,
            created_by: row.created_by,
            updated_by: row.updated_by,
            deleted_at: row.deleted_at,
        }
    }
}

impl From<Described> for ResourceRow {
    fn from(described: Described) -> Self {
        Self {
            key: described.key,
            kind: described.kind,
            id: described.id,
            name: described.name,
            body: described.body,
            etag: described.etag,
            created_at: described.created_at,
            updated_at: described.updated_at,
            created_by: described.created_by,
            updated_by: described.updated_by,
            deleted_at: described.deleted_at,
        }
    }
}

/// Resources of one moment, each read once however many instances need it.
#[derive(Default)]
pub struct Known(HashMap<String, Option<Node>>);

#[derive(Clone)]
struct Node {
    row: ResourceRow,
    uses: Vec<UseRow>,
}

impl Known {
    async fn find(&mut self, session: &mut dyn Session, key: &str) -> Result<Option<&Node>> {
        if !self.0.contains_key(key) {
            let mut row = session.resource(key).await?;
            if row.is_none() {
                row = session.deleted_resource(key).await?;
            }
            let node = match row {
                Some(row) => Some(Node {
                    uses: needs_of(session, &row).await?,
                    row,
                }),
                None => None,
            };
            self.0.insert(key.to_owned(), node);
        }
        Ok(self.0.get(key).and_then(Option::as_ref))
    }
}

/// What a resource needs; a vault its link to a resource guard as well, which lies below it.
async fn needs_of(session: &mut dyn Session, row: &ResourceRow) -> Result<Vec<UseRow>> {
    let mut uses = session.used_by(&row.key).await?;
    if row.kind == vaults::TYPE.to_lowercase() {
        let kind = PROXY_TYPE.to_lowercase();
        let prefix = format!("{}/", row.key);
        let links = session.resources(&kind, &prefix, None, 1).await?;
        uses.extend(links.rows.into_iter().map(|link| UseRow {
            user_key: row.key.clone(),
            role: LINK.to_owned(),
            target_key: link.key,
        }));
    }
    Ok(uses)
}

/// Stands for what lies below a vault; no edge of the catalogue.
const LINK: &str = "(link)";

/// The instance and all that it needs or lies in.
#[derive(Debug)]
pub struct Closure {
    resources: BTreeMap<String, ResourceRow>,
    uses: BTreeSet<DescribedUse>,
}

impl Closure {
    /// Of an instance, at the moment of a session. `also`: the container of a repository, which only recovery
    /// points in it lead to.
    pub async fn of(
        session: &mut dyn Session,
        known: &mut Known,
        instance_key: &str,
        also: &str,
    ) -> Result<Self> {
        let mut closure = Self {
            resources: BTreeMap::new(),
            uses: BTreeSet::new(),
        };
        let mut next = VecDeque::from([instance_key.to_owned(), also.to_owned()]);
        while let Some(key) = next.pop_front() {
            if closure.resources.contains_key(&key) || closure.resources.len() >= MOST_RESOURCES {
                continue;
            }
            let Some(node) = known.find(session, &key).await? else {
                continue;
            };
            for edge in &node.uses {
                next.push_back(edge.target_key.clone());
                if edge.role != LINK {
                    closure.uses.insert(DescribedUse {
                        user_key: edge.user_key.clone(),
                        role: edge.role.clone(),
                        target_key: edge.target_key.clone(),
                    });
                }
            }
            next.extend(above(&key));
            closure.resources.insert(key, node.row.clone());
        }
        Ok(closure)
    }

    /// Names the versions of everything in it.
    #[must_use]
    pub fn as_of(&self) -> String {
        let mut hash = Context::new(&SHA256);
        hash.update(&FORMAT.to_be_bytes());
        for (key, row) in &self.resources {
            let deleted = row.deleted_at.map(|at| at.to_string());
            hash.update(format!("{key}\n{}\n{deleted:?}\n", row.etag).as_bytes());
        }
        for edge in &self.uses {
            let DescribedUse {
                user_key,
                role,
                target_key,
            } = edge;
            hash.update(format!("{user_key}\n{role}\n{target_key}\n").as_bytes());
        }
        BASE64.encode(hash.finish())
    }
}

/// The keys of what a resource may lie in: each id without two of its segments, and so on.
fn above(key: &str) -> Vec<String> {
    let mut above = Vec::new();
    let mut id = ResourceId::published(key);
    while id.as_str().matches('/').count() > 2 {
        id = id.without(2);
        above.push(id.key());
    }
    above
}

/// The key of the description of the repository at a prefix.
#[must_use]
pub fn key_of(keys: &MasterKey, prefix: &str) -> RepositoryKey {
    RepositoryKey::new(*keys.derive(&format!("{KEY}\n{prefix}")))
}

/// The key of the repository that a description tells.
#[must_use]
pub fn repository_key(description: &Description) -> Option<RepositoryKey> {
    let bytes = BASE64
        .decode(description.key.as_bytes())
        .map(Zeroizing::new);
    let bytes: [u8; 32] = bytes.ok()?.as_slice().try_into().ok()?;
    Some(RepositoryKey::new(bytes))
}

/// The descriptions of a repository.
pub fn at(keys: &MasterKey, config: &StoreConfig) -> strongroom_repository::Result<Descriptions> {
    let key = key_of(keys, &config.prefix);
    let entropy = strongroom_repository::SystemEntropy;
    Descriptions::new(config.connect()?, config.prefix()?, &key, &entropy)
}

/// A repository whose description is not of what the catalogue holds.
#[derive(Debug)]
pub struct Outdated {
    row: RepositoryRow,
    closure: Closure,
    config: StoreConfig,
    key: RepositoryKey,
}

impl Outdated {
    /// Where it is.
    #[must_use]
    pub fn container_id(&self) -> &str {
        &self.row.container_id
    }
}

/// The repositories of an instance whose descriptions are to be written anew.
pub async fn outdated(
    app: &App,
    session: &mut dyn Session,
    known: &mut Known,
    instance_key: &str,
) -> Result<Vec<Outdated>> {
    let mut found = Vec::new();
    for row in session.repositories(instance_key).await? {
        let container = ResourceId::published(row.container_id.clone()).key();
        let closure = Closure::of(session, known, instance_key, &container).await?;
        let noted = session.repository_described(&row).await?;
        if noted.as_deref() == Some(&closure.as_of()) {
            continue;
        }
        let location = Location {
            container_id: row.container_id.clone(),
            prefix: row.prefix.clone(),
        };
        // What a deleted instance of the same name left is not this one's to describe.
        let identity = repositories::identity_at(app, session, instance_key, &location).await?;
        let Some(identity) = identity else { continue };
        // A container that was deleted took its repositories along.
        if !closure.resources.contains_key(&container) {
            continue;
        }
        found.push(Outdated {
            config: repositories::for_server(app, session, &location).await?,
            key: identity.key,
            closure,
            row,
        });
    }
    Ok(found)
}

/// Writes a description, and notes of what it is. Doing it again is no harm.
pub async fn write(app: &App, outdated: Outdated) -> Result<()> {
    let Outdated {
        row,
        closure,
        config,
        key,
    } = outdated;
    let as_of = closure.as_of();
    let resources = closure.resources.into_values().map(Described::from);
    let description = Description {
        format: FORMAT,
        tenant_id: app.tenant_id,
        repository: Location {
            container_id: row.container_id.clone(),
            prefix: row.prefix.clone(),
        },
        key: Zeroizing::new(BASE64.encode(key.as_bytes())),
        instance_key: row.instance_key.clone(),
        resources: resources.collect(),
        uses: closure.uses.into_iter().collect(),
    };
    let plaintext = serde_json::to_vec(&description).map(Zeroizing::new);
    let plaintext = plaintext.map_err(Error::unexpected("write a description"))?;
    let told = |error: strongroom_repository::Error| Error::from(repositories::problem_of(&error));
    let descriptions = at(&app.keys, &config).map_err(told)?;
    descriptions.put(&plaintext).await.map_err(told)?;
    let mut session = app.store.begin().await?;
    if session.repository_described(&row).await?.is_none() {
        // The instance was deleted meanwhile, and what it left may have been removed before this was written.
        drop(session);
        return descriptions.clear().await.map_err(told);
    }
    session.set_repository_described(&row, &as_of).await?;
    Ok(session.commit().await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_lies_in_its_parents_its_group_and_its_subscription() {
        let account =
            "/subscriptions/s/resourcegroups/g/providers/microsoft.storage/storageaccounts/a";
        let container = format!("{account}/blobservices/default/containers/c");
        let above = above(&container);
        for key in [
            account,
            "/subscriptions/s/resourcegroups/g",
            "/subscriptions/s",
        ] {
            assert!(above.iter().any(|found| found == key), "{key}: {above:?}");
        }
    }
}
