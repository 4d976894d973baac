//! Sealing: the manifest is the last write, and with it the recovery point exists.

use crate::crypto::{Content, Role};
use crate::error::{Error, Result};
use crate::id::PackId;
use crate::limits::{HEADER_MAX, MANIFEST_MAX};
use crate::manifest::{self, Manifest, PackRef};
use crate::objects::{FORMAT_VERSION, to_json};
use crate::write::{PointWriter, Sealed, check_size, claim};

impl PointWriter {
    /// Sends what the open pack holds, once all runs are finished, and waits until the store has
    /// everything. Sealing does this as well; who has other work meanwhile calls it beside that.
    pub async fn settle(&mut self) -> Result<()> {
        self.ready()?;
        if self.run.is_some() || !self.aside.is_empty() {
            return Err(self.misuse("the point was settled while a run was open"));
        }
        self.packs.send().await?;
        self.packs.wait().await
    }

    /// Sends what is left and creates the manifest, whereby the recovery point exists. Sealing the
    /// same entries and headers again is no error and gives the digest of the point that exists;
    /// other content is [`Error::Exists`]. `created` is the caller's time of the point and is not
    /// compared.
    pub async fn seal(
        &mut self,
        header: serde_json::Value,
        created: jiff::Timestamp,
    ) -> Result<Sealed> {
        self.ready()?;
        if self.run.is_some() || !self.aside.is_empty() {
            return Err(self.misuse("the point was sealed while a run was open"));
        }
        check_size("the header of a point", to_json(&header)?.len(), HEADER_MAX)?;
        self.packs.send().await?;
        self.packs.wait().await?;
        let manifest = Manifest {
            format: FORMAT_VERSION,
            point: self.point,
            parent: self.stats.parent,
            created,
            header,
            runs: self.runs.clone(),
            packs: self.pack_refs()?,
        };
        let plaintext = to_json(&manifest)?;
        check_size("a manifest", plaintext.len(), MANIFEST_MAX)?;
        let path = manifest::path(self.point);
        let bytes = self
            .objects
            .seal_document(Role::Manifest, &path, &plaintext)?;
        let length = bytes.len() as u64;
        let claimed = claim::check(&self.objects, self.point, &self.claim).await;
        if claimed.is_ok() && self.objects.create(&path, vec![bytes]).await? {
            self.packs.count_sent(length);
            let digest = self
                .objects
                .keys
                .content_id(Content::Manifest, &plaintext)
                .to_string();
            return Ok(Sealed {
                digest,
                stats: self.stats(),
            });
        }
        // The point exists already, or the claim is gone (which it may be when the point exists).
        match Manifest::read(&self.objects, self.point).await {
            Ok((existing, digest)) if existing.same_content(&manifest) => Ok(Sealed {
                digest: digest.to_string(),
                stats: self.stats(),
            }),
            Ok(_) => Err(Error::Exists {
                what: format!("recovery point {}", self.point),
            }),
            Err(error) => Err(claimed.err().unwrap_or(error)),
        }
    }

    fn pack_refs(&self) -> Result<Vec<PackRef>> {
        let size = |pack: &PackId| {
            self.packs
                .size(*pack)
                .map(|size| PackRef { pack: *pack, size })
                .ok_or_else(|| {
                    Error::corrupt(
                        format!("pack {pack}"),
                        "the parent refers to it but does not name it",
                    )
                })
        };
        self.needed.iter().map(size).collect()
    }
}
