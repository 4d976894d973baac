//! Describes repositories in their stores, so that a catalogue that was lost can be rebuilt from them.
//!
//! Contract: a look goes through all instances, those that are deleted and can be brought back included, and
//! writes those descriptions that are not of what the catalogue holds (see [`crate::app::descriptions`]). It
//! remembers nothing but that nothing has changed, and may be killed anywhere; where nothing changed no store
//! is asked. A store that does not answer keeps no other from its turn.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt as _;

use super::limits::{DESCRIBE_EVERY, DESCRIBE_PATIENCE};
use crate::app::descriptions::{self, Known, Outdated};
use crate::app::error::chain;
use crate::app::instances::{self, stored};
use crate::app::{App, Result};
use crate::store::{ResourceRow, Rows};

/// Deleted instances read at a time.
const PAGE: usize = 1000;

/// What a look came to.
#[derive(Debug, Default)]
pub(super) struct Looked {
    /// Descriptions that were written.
    pub(super) written: usize,
    /// Those that could not be.
    left: usize,
}

/// Looks now and then, for ever. As long as nothing has changed since a look that left nothing, there is
/// nothing to look at.
pub(super) async fn describe_now_and_then(app: Arc<App>) {
    let mut done: Option<String> = None;
    loop {
        match AssertUnwindSafe(describe_since(&app, &mut done))
            .catch_unwind()
            .await
        {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(error = %chain(&error), "repositories could not be described");
            }
            Err(_) => tracing::error!("a panic while repositories were described, see above"),
        }
        tokio::time::sleep(DESCRIBE_EVERY).await;
    }
}

/// Looks if something has changed since `done`, which is the mark of the last look that left nothing.
async fn describe_since(app: &App, done: &mut Option<String>) -> Result<()> {
    // Taken first: what is written meanwhile is for the next look.
    let mark = app.store.read().await?.resources_mark().await?;
    if done.as_ref() != Some(&mark) {
        *done = None;
        if describe(app).await?.left == 0 {
            *done = Some(mark);
        }
    }
    Ok(())
}

/// One look.
pub(super) async fn describe(app: &App) -> Result<Looked> {
    let mut looked = Looked::default();
    let mut away = BTreeSet::new();
    for deleted in [false, true] {
        let mut after: Option<String> = None;
        loop {
            let (page, outdated, unread) = page(app, deleted, after.as_deref()).await?;
            looked.left += unread;
            for one in outdated {
                if write(app, one, &mut away).await {
                    looked.written += 1;
                } else {
                    looked.left += 1;
                }
            }
            after = page.rows.last().map(|row| row.key.clone());
            if !page.more {
                break;
            }
        }
    }
    Ok(looked)
}

/// A page of instances, their descriptions that are outdated, and how many could not be told.
async fn page(
    app: &App,
    deleted: bool,
    after: Option<&str>,
) -> Result<(Rows<ResourceRow>, Vec<Outdated>, usize)> {
    let mut session = app.store.read().await?;
    let page = if deleted {
        let kind = instances::TYPE.to_lowercase();
        session.deleted_resources(&kind, "/", after, PAGE).await?
    } else {
        stored::all(&mut *session, after).await?
    };
    let mut known = Known::default();
    let (mut found, mut unread) = (Vec::new(), 0);
    for instance in &page.rows {
        match descriptions::outdated(app, &mut *session, &mut known, &instance.key).await {
            Ok(outdated) => found.extend(outdated),
            Err(error) => {
                unread += 1;
                told(&instance.key, &chain(&error));
            }
        }
    }
    Ok((page, found, unread))
}

async fn write(app: &App, one: Outdated, away: &mut BTreeSet<String>) -> bool {
    let container = one.container_id().to_owned();
    if away.contains(&container) {
        return false;
    }
    let writing = descriptions::write(app, one);
    let why = match tokio::time::timeout(DESCRIBE_PATIENCE, writing).await {
        Ok(Ok(())) => return true,
        Ok(Err(error)) => chain(&error),
        Err(_) => "the store does not answer in time".to_owned(),
    };
    told(&container, &why);
    away.insert(container);
    false
}

fn told(of: &str, why: &str) {
    tracing::warn!(
        resource.key = of,
        error = why,
        "a repository was not described"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::protection::Protected;

    async fn written(it: &Protected) -> usize {
        describe(&it.harness.app).await.unwrap().written
    }

    fn files(it: &Protected) -> Vec<std::path::PathBuf> {
        let folder = it.harness.app.blobs.path().join("acct01/backups/instances");
        let of_all = std::fs::read_dir(folder).into_iter().flatten();
        let mut found: Vec<_> = of_all
            .map(|one| one.unwrap().path().join("description"))
            .filter_map(|folder| std::fs::read_dir(folder).ok())
            .flatten()
            .map(|file| file.unwrap().path())
            .collect();
        found.sort();
        found
    }

    #[tokio::test]
    async fn a_repository_is_described_once_until_something_of_it_changes() {
        let it = Protected::new().await;
        assert_eq!(written(&it).await, 0, "nothing is stored yet");
        it.recovery_point().await;
        assert_eq!(written(&it).await, 1);
        let first = files(&it);
        assert_eq!(first.len(), 1);
        assert_eq!(written(&it).await, 0);
        it.recovery_point().await;
        assert_eq!(written(&it).await, 0, "a backup changes nothing of it");
        it.immutability("Unlocked").await;
        assert_eq!(written(&it).await, 1, "its vault has changed");
        let second = files(&it);
        assert_eq!(second.len(), 1);
        assert_ne!(first, second);
    }

    #[tokio::test]
    async fn nothing_of_it_stands_there_in_the_clear() {
        let it = Protected::new().await;
        it.recovery_point().await;
        describe(&it.harness.app).await.unwrap();
        let bytes = std::fs::read(files(&it).remove(0)).unwrap();
        let name = b"prod-instance";
        assert!(!bytes.windows(name.len()).any(|window| window == name));
    }

    #[tokio::test]
    async fn the_description_of_a_deleted_instance_says_so() {
        let it = Protected::new().await;
        it.recovery_point().await;
        describe(&it.harness.app).await.unwrap();
        assert!(it.harness.delete(&it.instance).await.status < 300);
        assert_eq!(written(&it).await, 1, "it can be brought back");
    }

    #[tokio::test]
    async fn a_store_that_is_away_is_described_when_it_is_back() {
        let it = Protected::new().await;
        it.recovery_point().await;
        let blobs = it.harness.app.blobs.path();
        let (there, gone) = (blobs.join("acct01"), blobs.join("gone"));
        std::fs::rename(&there, &gone).unwrap();
        std::fs::write(&there, b"no folder").unwrap();
        assert_eq!(written(&it).await, 0);
        std::fs::remove_file(&there).unwrap();
        std::fs::rename(&gone, &there).unwrap();
        assert_eq!(written(&it).await, 1);
    }

    #[tokio::test]
    async fn nothing_is_looked_at_as_long_as_nothing_has_changed() {
        let it = Protected::new().await;
        it.recovery_point().await;
        let mut done = None;
        let app = &it.harness.app;
        // Writing a description notes that, which is a change.
        for _ in 0..2 {
            describe_since(app, &mut done).await.unwrap();
        }
        let mark = done.clone().unwrap();
        it.recovery_point().await;
        describe_since(app, &mut done).await.unwrap();
        assert_eq!(done.as_ref(), Some(&mark), "a backup changes nothing of it");
        it.harness.clock.advance(std::time::Duration::from_secs(1));
        it.immutability("Unlocked").await;
        assert_eq!(files(&it).len(), 1);
        let before = files(&it);
        describe_since(app, &mut done).await.unwrap();
        assert_ne!(files(&it), before);
        assert_ne!(done.as_ref(), Some(&mark));
        // What a store did not take is looked at again.
        let blobs = app.blobs.path();
        let (there, gone) = (blobs.join("acct01"), blobs.join("gone"));
        std::fs::rename(&there, &gone).unwrap();
        std::fs::write(&there, b"no folder").unwrap();
        it.harness.clock.advance(std::time::Duration::from_secs(1));
        it.immutability("Disabled").await;
        describe_since(app, &mut done).await.unwrap();
        assert_eq!(done, None);
    }

    #[tokio::test]
    async fn that_an_instance_is_deleted_is_a_change() {
        let it = Protected::new().await;
        it.recovery_point().await;
        let app = &it.harness.app;
        let mut done = None;
        for _ in 0..2 {
            describe_since(app, &mut done).await.unwrap();
        }
        let (mark, before) = (done.clone().unwrap(), files(&it));
        it.harness.clock.advance(std::time::Duration::from_secs(1));
        assert!(it.harness.delete(&it.instance).await.status < 300);
        describe_since(app, &mut done).await.unwrap();
        assert_ne!(files(&it), before);
        assert_ne!(done, Some(mark));
    }
}
