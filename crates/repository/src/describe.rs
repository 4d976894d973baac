//! Descriptions: what a repository is, beside it, for whoever has lost all that knew of it.
//!
//! Contract: a description is sealed with a key of its own, because who reads it does not have the repository's
//! key yet: it is what the description tells. Objects are never changed, so each is a new one with the next
//! number, and the ones before it are removed after it was written. Whoever is cut off in between leaves two,
//! of which the one with the highest number counts.

use std::sync::Arc;

use object_store::ObjectStore;
use object_store::path::Path;

use crate::crypto::{Keys, RepositoryKey, Role};
use crate::entropy::{Entropy, RandomStream};
use crate::error::{Error, Result};
use crate::limits::DESCRIPTION_MAX;
use crate::objects::Objects;

/// The folder of descriptions below the prefix of a repository.
const FOLDER: &str = "description";

/// The descriptions of one repository.
pub struct Descriptions {
    objects: Objects,
}

impl std::fmt::Debug for Descriptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Descriptions").finish_non_exhaustive()
    }
}

impl Descriptions {
    /// Those below the prefix of a repository. `key` is the descriptions' and of this prefix only: a
    /// description that was moved to another repository must not open there.
    pub fn new(
        store: Arc<dyn ObjectStore>,
        prefix: Path,
        key: &RepositoryKey,
        entropy: &dyn Entropy,
    ) -> Result<Self> {
        let random = RandomStream::new(entropy)?;
        Ok(Self {
            objects: Objects::new(store, prefix, Keys::derive(key), random),
        })
    }

    /// The one that counts, if there is any.
    pub async fn latest(&self) -> Result<Option<Vec<u8>>> {
        match self.numbers().await?.last() {
            Some(number) => self.read(*number).await.map(Some),
            None => Ok(None),
        }
    }

    /// Describes the repository anew, unless it is described so already; tells whether it did.
    pub async fn put(&self, plaintext: &[u8]) -> Result<bool> {
        let before = self.numbers().await?;
        let last = before.last().copied();
        if let Some(last) = last {
            match self.read(last).await {
                Ok(held) if held == plaintext => {
                    // Older ones are left by who was cut off.
                    self.remove(before.iter().filter(|number| **number != last))
                        .await?;
                    return Ok(false);
                }
                // One that does not open is of no use to anybody.
                Ok(_) | Err(Error::Corrupt { .. } | Error::TooLarge { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let number = last.map_or(1, |last| last + 1);
        let path = path(number);
        let bytes = self
            .objects
            .seal_document(Role::Description, &path, plaintext)?;
        if !self.objects.create(&path, vec![bytes]).await? {
            return Err(Error::Exists { what: path });
        }
        self.remove(before.iter()).await?;
        Ok(true)
    }

    /// Removes all of them.
    pub async fn clear(&self) -> Result<()> {
        let all = self.numbers().await?;
        self.remove(all.iter()).await
    }

    async fn remove(&self, numbers: impl Iterator<Item = &u32>) -> Result<()> {
        for number in numbers {
            self.objects.delete(&path(*number)).await?;
        }
        Ok(())
    }

    async fn read(&self, number: u32) -> Result<Vec<u8>> {
        self.objects
            .read_document(Role::Description, &path(number), DESCRIPTION_MAX)
            .await
    }

    /// The numbers of those that are there, in order.
    async fn numbers(&self) -> Result<Vec<u32>> {
        let listed = self.objects.list(FOLDER).await?;
        let numbers = listed.iter().filter_map(|found| {
            let name = found.path.strip_prefix(FOLDER)?.strip_prefix('/')?;
            name.parse()
                .ok()
                .filter(|number| path(*number) == found.path)
        });
        Ok(numbers.collect())
    }
}

fn path(number: u32) -> String {
    format!("{FOLDER}/{number:08}")
}
