//! The folder of the embedded storage accounts, and whether it is the one that the catalogue speaks of.
//!
//! Contract: the folder holds an id, and the catalogue remembers that of the folder in which its embedded
//! accounts lie. A server that was given another folder (one that does not share the disk of the others, a
//! disk that is not mounted) touches no embedded container: in an empty folder each recovery point would look
//! as if it were gone.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use strongroom_core::error::{Code, Problem};
use uuid::Uuid;

use super::{Error, Result};
use crate::data_dir::write_public;
use crate::environment::Entropy;
use crate::store::Store;

/// The setting that holds the id of the catalogue's folder.
const FOLDER: &str = "embedded-folder";

/// The file of a folder that holds its id. No account can have this name.
const FILE: &str = ".folder-id";

/// The folder that this server was given.
#[derive(Debug)]
pub struct EmbeddedFolder {
    path: PathBuf,
    /// What the catalogue's folder holds, when that is another one.
    other: Option<Uuid>,
}

impl EmbeddedFolder {
    /// Takes a folder, which is made if need be. The first one that a catalogue meets is its own.
    pub async fn open(path: PathBuf, store: &Store, entropy: &dyn Entropy) -> Result<Self> {
        fs::create_dir_all(&path).map_err(unusable)?;
        let found = id_in(&path).map_err(unusable)?;
        let mut session = store.begin().await?;
        let known = session.setting(FOLDER).await?;
        let known = known.as_deref().and_then(|id| Uuid::parse_str(id).ok());
        let other = match (known, found) {
            (Some(known), found) => (found != Some(known)).then_some(known),
            (None, found) => {
                let id = found.unwrap_or_else(|| entropy.id());
                // The file first: a folder that has an id and is nobody's is taken as it is.
                write_public(&path.join(FILE), id.to_string().as_bytes())
                    .map_err(io::Error::other)
                    .map_err(unusable)?;
                session.put_setting(FOLDER, &id.to_string()).await?;
                session.commit().await?;
                None
            }
        };
        if let Some(other) = other {
            tracing::info!(
                folder = %path.display(), catalogue.folder = %other,
                "the embedded storage accounts of this catalogue lie in another folder; this server \
                 does without them"
            );
        }
        Ok(Self { path, other })
    }

    /// The folder, whosever it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder, when it is the one in which the catalogue's embedded accounts lie.
    ///
    /// # Errors
    /// When it is not.
    pub fn of_catalogue(&self) -> Result<&Path> {
        match self.other {
            None => Ok(&self.path),
            Some(other) => Err(Problem::new(
                Code::UserErrorBackupStorageLocationNotReady,
                format!(
                    "The embedded storage accounts lie in the folder whose file {FILE} holds {other}, \
                     and this server was given another one. Put it back or mount it, name it with \
                     server.blobs_dir, and start the server again."
                ),
            )
            .into()),
        }
    }
}

fn id_in(folder: &Path) -> io::Result<Option<Uuid>> {
    match fs::read_to_string(folder.join(FILE)) {
        Ok(text) => Uuid::parse_str(text.trim())
            .map(Some)
            .map_err(io::Error::other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn unusable(error: io::Error) -> Error {
    Error::unexpected("use the folder of the embedded storage accounts")(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{CountingEntropy, Harness};

    async fn opened(path: &Path, store: &Store) -> EmbeddedFolder {
        EmbeddedFolder::open(path.to_owned(), store, &CountingEntropy::default())
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn a_catalogue_knows_its_folder_again_wherever_it_lies() {
        let harness = Harness::new().await;
        let store = &harness.app.store;
        let own = harness.app.blobs.path();
        opened(own, store).await.of_catalogue().unwrap();
        let moved = harness.dir.path().join("moved");
        fs::rename(own, &moved).unwrap();
        opened(&moved, store).await.of_catalogue().unwrap();

        let empty = harness.dir.path().join("empty");
        let refused = opened(&empty, store).await.of_catalogue().unwrap_err();
        let known = fs::read_to_string(moved.join(FILE)).unwrap();
        assert!(refused.to_string().contains(&known), "{refused}");
        assert!(!empty.join(FILE).exists(), "it may be another catalogue's");
        // What the message says, for who gives up what was in it.
        fs::write(empty.join(FILE), known).unwrap();
        opened(&empty, store).await.of_catalogue().unwrap();
    }

    #[tokio::test]
    async fn a_server_without_the_folder_makes_no_container_and_reads_none() {
        let harness = Harness::new().await;
        harness.vault_path().await;
        let group = format!("{}/resourceGroups/rg", crate::testing::SUBSCRIPTION);
        let account = format!("{group}/providers/Microsoft.Storage/storageAccounts/acct01");
        let put = serde_json::json!({"location": "westeurope", "properties": {}});
        let made = harness.put(&account, put).await;
        assert!(made.status < 300, "{}", made.text);
        let folder = opened(&harness.dir.path().join("other"), &harness.app.store).await;
        let peer = harness.peer_with(2, folder).await;
        let id = format!("{account}/blobServices/default/containers/backups");
        let id = crate::app::ResourceId::published(id);
        let terms = crate::app::resources::Terms::of_server(&peer);
        let document = strongroom_api::storage::BlobContainerResource::of(
            strongroom_api::storage::BlobContainer {
                bucket: None,
                public_access: None,
            },
        );
        let refused = crate::app::storage_accounts::put_container(&peer, &id, document, &terms);
        let refused = refused.await.unwrap_err();
        assert_eq!(refused.code(), Code::UserErrorBackupStorageLocationNotReady);
        let nothing = fs::read_dir(harness.dir.path().join("other")).unwrap();
        assert_eq!(nothing.count(), 0);
    }
}
