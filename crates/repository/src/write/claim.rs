//! A writer's claim: an object that says that a point is being written, and against which packs of
//! its parent. While it is there and young, prune leaves those packs and the point's own alone.
//!
//! The order matters: the claim is written first and the parent is looked at again after it. Whoever
//! removes the parent removes its manifest first and lists claims later, so that either the writer
//! sees that the parent is gone, or the prune sees the claim.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::crypto::Role;
use crate::error::{Error, Result};
use crate::limits::MARK_MAX;
use crate::manifest::{self, PackRef};
use crate::objects::{Objects, from_json, to_json};
use crate::read::Point;
use crate::write::WriterOptions;

/// The plaintext of a claim.
#[derive(Serialize, Deserialize)]
pub(crate) struct Claim {
    pub(crate) point: Uuid,
    pub(crate) attempt: u32,
    pub(crate) parent: Option<Uuid>,
    pub(crate) packs: Vec<PackRef>,
}

impl Claim {
    /// Reads a claim that was found by listing.
    pub(crate) async fn read(objects: &Arc<Objects>, path: &str) -> Result<Self> {
        from_json(
            path,
            &objects.read_document(Role::Writer, path, MARK_MAX).await?,
        )
    }
}

/// Opens the parent, writes the claim, and returns its path with the parent if that is still there.
pub(super) async fn stake(
    objects: &Arc<Objects>,
    point: Uuid,
    options: &WriterOptions,
) -> Result<(String, Option<Point>)> {
    let parent = open_parent(objects, point, options.parent).await?;
    let claim = Claim {
        point,
        attempt: options.attempt,
        parent: parent.as_ref().map(Point::id),
        packs: parent
            .as_ref()
            .map(|parent| parent.manifest().packs.clone())
            .unwrap_or_default(),
    };
    // A name of its own for each writer: claims never collide and are never changed.
    let unique = u64::from_be_bytes(objects.random.draw());
    let path = format!("points/{point}/writers/{}-{unique:016x}", options.attempt);
    let bytes = objects.seal_document(Role::Writer, &path, &to_json(&claim)?)?;
    if !objects.create(&path, vec![bytes]).await? {
        return Err(Error::Exists { what: path });
    }
    let Some(parent) = parent else {
        return Ok((path, None));
    };
    match objects.head(&manifest::path(parent.id())).await {
        Ok(_) => Ok((path, Some(parent))),
        Err(error) if error.is_not_found() => Ok((path, None)),
        Err(error) => Err(error),
    }
}

async fn open_parent(
    objects: &Arc<Objects>,
    point: Uuid,
    parent: Option<Uuid>,
) -> Result<Option<Point>> {
    let Some(parent) = parent.filter(|parent| *parent != point) else {
        return Ok(None);
    };
    match Point::open(Arc::clone(objects), parent).await {
        Ok(parent) => Ok(Some(parent)),
        Err(error) if error.is_not_found() => Ok(None),
        // A damaged parent must not stand in the way of a new, whole point.
        Err(error @ (Error::Corrupt { .. } | Error::TooLarge { .. })) => {
            tracing::warn!(parent = %parent, error = %error, "parent is not usable, writing all");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Fails with [`Error::Abandoned`] when the claim is gone.
pub(super) async fn check(objects: &Objects, point: Uuid, claim: &str) -> Result<()> {
    match objects.head(claim).await {
        Ok(_) => Ok(()),
        Err(error) if error.is_not_found() => Err(Error::Abandoned { point }),
        Err(error) => Err(error),
    }
}
