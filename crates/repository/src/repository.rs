//! Opening a repository, listing and removing its recovery points.

use std::str::FromStr;
use std::sync::Arc;

use bytes::BytesMut;
use object_store::ObjectStore;
use object_store::path::Path;
use uuid::Uuid;

use crate::compression::{CATALOGUE_LEVEL, Encoder};
use crate::crypto::{Keys, Kind, RepositoryKey, Role};
use crate::entropy::{Entropy, RandomStream};
use crate::error::{Error, Result};
use crate::limits::FORMAT_MAX;
use crate::manifest;
use crate::objects::{
    FORMAT_VERSION, Found, Objects, PREAMBLE, after_preamble, from_json, open_section, preamble,
    to_json,
};
use crate::read::Point;
use crate::write::{PointWriter, Sizes, WriterOptions};

const FORMAT_PATH: &str = "format";

/// A repository. Cheap to clone; clones share the connection.
#[derive(Clone)]
pub struct Repository {
    pub(crate) objects: Arc<Objects>,
}

impl std::fmt::Debug for Repository {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Repository").finish_non_exhaustive()
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Format {
    format: u8,
}

impl Repository {
    /// Opens the repository below `prefix`, or makes one where there is nothing yet.
    ///
    /// Fails with [`Error::WrongKey`] when the key is not the repository's, and with
    /// [`Error::Corrupt`] when recovery points are there but the format object is not: a repository
    /// is never made anew over an old one.
    pub async fn open_or_create(
        store: Arc<dyn ObjectStore>,
        prefix: Path,
        key: &RepositoryKey,
        entropy: &dyn Entropy,
    ) -> Result<Self> {
        let this = Self::at(store, prefix, key, entropy)?;
        match this.check_format().await {
            Err(error) if error.is_not_found() => {}
            other => return other.map(|()| this),
        }
        if !this.points().await?.is_empty() {
            return Err(Error::corrupt(
                FORMAT_PATH,
                "it is gone, but recovery points are there",
            ));
        }
        this.create_format().await?;
        this.check_format().await.map(|()| this)
    }

    /// Opens the repository below `prefix`, which must be there: nothing is made where there is none.
    pub async fn open(
        store: Arc<dyn ObjectStore>,
        prefix: Path,
        key: &RepositoryKey,
        entropy: &dyn Entropy,
    ) -> Result<Self> {
        let this = Self::at(store, prefix, key, entropy)?;
        this.check_format().await.map(|()| this)
    }

    fn at(
        store: Arc<dyn ObjectStore>,
        prefix: Path,
        key: &RepositoryKey,
        entropy: &dyn Entropy,
    ) -> Result<Self> {
        let random = RandomStream::new(entropy)?;
        let objects = Objects::new(store, prefix, Keys::derive(key), random);
        Ok(Self {
            objects: Arc::new(objects),
        })
    }

    async fn create_format(&self) -> Result<()> {
        let keys = &self.objects.keys;
        let plaintext = to_json(&Format {
            format: FORMAT_VERSION,
        })?;
        let mut encoder = Encoder::new()?;
        let payload = encoder.pack(&plaintext, CATALOGUE_LEVEL)?;
        let mut bytes = BytesMut::from(&preamble(Role::Format)[..]);
        bytes.extend_from_slice(&keys.check_value());
        let key = keys.object_key(Role::Format, FORMAT_PATH)?;
        key.seal_onto(&mut bytes, Kind::Document, &payload, &self.objects.random)?;
        // Another process may have been first: whatever stands there now is checked next.
        self.objects
            .create(FORMAT_PATH, vec![bytes.freeze()])
            .await
            .map(|_| ())
    }

    async fn check_format(&self) -> Result<()> {
        let bytes = self
            .objects
            .read_whole(FORMAT_PATH, FORMAT_MAX as u64)
            .await?;
        let rest = after_preamble(Role::Format, FORMAT_PATH, &bytes)?;
        let (check, sealed) = rest
            .split_first_chunk::<32>()
            .ok_or_else(|| Error::corrupt(FORMAT_PATH, "it is cut short"))?;
        if *check != self.objects.keys.check_value() {
            return Err(Error::WrongKey);
        }
        let key = self.objects.keys.object_key(Role::Format, FORMAT_PATH)?;
        let offset = (PREAMBLE + check.len()) as u64;
        let plaintext = open_section(&key, Kind::Document, offset, sealed, FORMAT_MAX)
            .map_err(|why| Error::corrupt(FORMAT_PATH, why))?;
        let format: Format = from_json(FORMAT_PATH, &plaintext)?;
        if format.format == FORMAT_VERSION {
            Ok(())
        } else {
            Err(Error::corrupt(FORMAT_PATH, "it tells two versions"))
        }
    }

    /// Starts or resumes the writing of a recovery point. A point that is sealed already is no
    /// error here; callers that resume look with [`Repository::point`] first.
    pub async fn begin(&self, point: Uuid, options: WriterOptions) -> Result<PointWriter> {
        PointWriter::begin(Arc::clone(&self.objects), point, options, Sizes::default()).await
    }

    /// The sealed recovery points, in order of their ids.
    pub async fn points(&self) -> Result<Vec<Uuid>> {
        let gather = |points: &mut Vec<Uuid>, found: Found| {
            points.extend(point_of_manifest(&found.path));
        };
        let mut points = self.objects.gather("points", gather).await?;
        points.sort();
        Ok(points)
    }

    /// Opens a recovery point.
    pub async fn point(&self, id: Uuid) -> Result<Point> {
        Point::open(Arc::clone(&self.objects), id).await
    }

    /// Opens a recovery point whose digest is known from its sealing. A manifest that was replaced
    /// by another authentic one, for example an older one of the same id, is damage.
    pub async fn point_with_digest(&self, id: Uuid, digest: &str) -> Result<Point> {
        let point = self.point(id).await?;
        if point.digest() == digest {
            Ok(point)
        } else {
            let why = format!("its digest is {}, expected was {digest}", point.digest());
            Err(Error::corrupt(manifest::path(id), why))
        }
    }

    /// Removes a recovery point: first its manifest, whereby it stops to exist, then the claims of
    /// its writers. Also ends the protection of a point that was never sealed. Its packs go with a
    /// later prune, as far as no other point needs them. Doing it again is no error.
    pub async fn delete_point(&self, id: Uuid) -> Result<()> {
        self.objects.delete(&manifest::path(id)).await?;
        for writer in self.objects.list(&format!("points/{id}/writers")).await? {
            self.objects.delete(&writer.path).await?;
        }
        Ok(())
    }
}

/// The point of which this is the manifest, if it is one.
pub(crate) fn point_of_manifest(path: &str) -> Option<Uuid> {
    let id = path.strip_prefix("points/")?.strip_suffix("/manifest")?;
    Uuid::from_str(id)
        .ok()
        .filter(|point| manifest::path(*point) == path)
}
