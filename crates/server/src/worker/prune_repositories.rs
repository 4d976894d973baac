//! Prunes repositories: removes packs that no recovery point needs, as a failed, lost or cancelled
//! backup leaves them, and reports of attempts that others have replaced.
//!
//! Contract: what is to be done follows from the store and the repositories alone, so that a round
//! may be cut short anywhere and the next one does what is left. One repository at a time, and none
//! while a backup of its instance is under way. What a backup that begins meanwhile writes is
//! protected by its claim and by the minimum age.

mod superseded;

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use strongroom_core::error::Code;
use strongroom_repository::{PruneReport, Settled};

use super::limits::{PRUNE_AFTER_START, PRUNE_PATIENCE, PRUNES_REMEMBERED};
use super::purge_repositories::settle_failed;
use crate::app::error::chain;
use crate::app::instances::stored;
use crate::app::jobs::{Location, Request};
use crate::app::{App, Error, Result, repositories};
use crate::metrics::PruneLabels;
use crate::store::ResourceRow;

/// What became of one repository in a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Pruned,
    Postponed,
    Failed,
}

impl Turn {
    fn as_str(self) -> &'static str {
        match self {
            Self::Pruned => "Pruned",
            Self::Postponed => "Postponed",
            Self::Failed => "Failed",
        }
    }
}

/// The repositories that the round before left with nothing to do, as they were then: while they stay
/// so they are listed only. Otherwise each round would read every manifest that there is.
type AtRest = BTreeMap<Location, Settled>;

/// Prunes every repository now and then, for ever.
pub(super) async fn prune_now_and_then(app: Arc<App>) {
    let limits = &app.job_limits;
    let mut pause = PRUNE_AFTER_START.min(limits.prune_every);
    let mut at_rest = AtRest::new();
    loop {
        tokio::time::sleep(pause).await;
        pause = limits.prune_every;
        match AssertUnwindSafe(prune_all(&app, limits.prune_min_age, &mut at_rest))
            .catch_unwind()
            .await
        {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(error = %chain(&error), "repositories could not be pruned");
            }
            Err(_) => tracing::error!("a panic while repositories were pruned, see above"),
        }
    }
}

/// For tests: one round that waits for nothing to be old.
#[cfg(test)]
pub(super) async fn prune_for_test(app: &App) {
    let mut at_rest = AtRest::new();
    prune_all(app, Duration::ZERO, &mut at_rest).await.unwrap();
}

/// One round over the repositories of all instances.
async fn prune_all(app: &App, min_age: Duration, at_rest: &mut AtRest) -> Result<()> {
    let mut after: Option<String> = None;
    loop {
        let mut session = app.store.read().await?;
        let page = stored::all(&mut *session, after.as_deref()).await?;
        drop(session);
        for instance in &page.rows {
            prune_instance(app, instance, min_age, at_rest).await?;
        }
        after = page.rows.last().map(|row| row.key.clone());
        if !page.more {
            return Ok(());
        }
    }
}

async fn prune_instance(
    app: &App,
    instance: &ResourceRow,
    min_age: Duration,
    at_rest: &mut AtRest,
) -> Result<()> {
    let mut session = app.store.read().await?;
    let locations = stored::repositories_of(&mut *session, instance).await?;
    drop(session);
    for location in locations {
        let work = prune_one(app, instance, &location, min_age, at_rest);
        let turn = match tokio::time::timeout(PRUNE_PATIENCE, work).await {
            Ok(Ok(turn)) => turn,
            Ok(Err(error)) => failed(instance, &location, &chain(&error)),
            Err(_) => failed(instance, &location, "it takes too long"),
        };
        let labels = PruneLabels {
            result: turn.as_str().to_owned(),
        };
        app.metrics.prune.repositories.get_or_create(&labels).inc();
    }
    Ok(())
}

fn failed(instance: &ResourceRow, location: &Location, why: &str) -> Turn {
    tracing::warn!(
        instance.key = instance.key,
        container.id = location.container_id,
        error = why,
        "a repository was not pruned"
    );
    Turn::Failed
}

async fn prune_one(
    app: &App,
    instance: &ResourceRow,
    location: &Location,
    min_age: Duration,
    at_rest: &mut AtRest,
) -> Result<Turn> {
    let mut session = app.store.read().await?;
    if stored::is_being_backed_up(&mut *session, &instance.key).await? {
        return Ok(Turn::Postponed);
    }
    let lost = stored::lost_backups(&mut *session, instance).await?;
    // What a deleted instance of the same name left is its own purge's to remove.
    let identity = repositories::identity_at(app, &mut *session, &instance.key, location).await?;
    let Some(identity) = identity else {
        return Ok(Turn::Pruned);
    };
    let config = match repositories::for_server(app, &mut *session, location).await {
        Ok(config) => config,
        // The container was deleted, and all that was in it.
        Err(error) if error.code() == Code::UserErrorNoDefaultBackupStorageLocationFound => {
            return Ok(Turn::Pruned);
        }
        Err(error) => return Err(error),
    };
    drop(session);
    // Normally the end of a job does this once its custom resource is gone. Where the cluster does
    // not come back the claim of its writer would keep the packs.
    for job in &lost {
        let request = Request::of(job)?;
        if request.repository() == Some(location) {
            settle_failed(app, job, &request).await?;
        }
    }
    let settled = at_rest.remove(location);
    let pruned = async {
        let repository = repositories::open(&config, &identity.key).await?;
        let pruned = repository.prune_since(min_age, settled).await?;
        Ok((repository, pruned))
    };
    let (repository, (report, settled)) = pruned
        .await
        .map_err(|error| Error::from(repositories::problem_of(&error)))?;
    superseded::remove(app, &repository).await?;
    if let Some(settled) = settled
        && at_rest.len() < PRUNES_REMEMBERED
    {
        at_rest.insert(location.clone(), settled);
    }
    told(app, instance, &report);
    Ok(Turn::Pruned)
}

fn told(app: &App, instance: &ResourceRow, report: &PruneReport) {
    app.metrics.prune.packs.inc_by(report.removed);
    app.metrics.prune.bytes.inc_by(report.removed_bytes);
    if report.removed + report.marked > 0 {
        tracing::info!(
            instance.key = instance.key,
            kept = report.kept,
            marked = report.marked,
            removed = report.removed,
            removed_bytes = report.removed_bytes,
            "a repository was pruned"
        );
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use strongroom_kubernetes::crd::JobState;
    use strongroom_repository::Repository;

    use super::*;
    use crate::app::jobs;
    use crate::testing::protection::{Protected, adhoc};
    use crate::worker::limits::UNAVAILABLE_LIMIT;

    /// A recovery point, and a backup after it that has written packs and a manifest.
    async fn with_a_backup_at_work() -> (Protected, Repository, String) {
        let it = Protected::new().await;
        let point = it.recovery_point().await;
        it.post("backup", adhoc()).await;
        it.look_until_created().await;
        it.seal().await;
        let repository = it.repository().await;
        (it, repository, point)
    }

    fn packs(it: &Protected) -> usize {
        let instances = it.harness.app.blobs.path().join("acct01/backups/instances");
        let mut folders: Vec<PathBuf> = std::fs::read_dir(instances)
            .unwrap()
            .map(|entry| entry.unwrap().path().join("packs"))
            .collect();
        let mut found = 0;
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten() {
                match entry.unwrap().path() {
                    path if path.is_dir() => folders.push(path),
                    _ => found += 1,
                }
            }
        }
        found
    }

    async fn prune(it: &Protected) {
        prune_all(&it.harness.app, Duration::ZERO, &mut AtRest::new())
            .await
            .unwrap();
    }

    fn turns(it: &Protected, turn: Turn) -> u64 {
        let labels = PruneLabels {
            result: turn.as_str().to_owned(),
        };
        let turns = &it.harness.app.metrics.prune.repositories;
        turns.get_or_create(&labels).get()
    }

    fn fail_it(it: &Protected) {
        it.harness
            .clusters
            .update_status(|status| status.state = JobState::Failed);
    }

    #[tokio::test]
    async fn packs_of_a_failed_backup_go_and_those_of_a_recovery_point_stay() {
        let (it, repository, point) = with_a_backup_at_work().await;
        fail_it(&it);
        it.look_until_idle().await;
        assert_eq!(packs(&it), 2);
        prune(&it).await;
        assert_eq!((packs(&it), turns(&it, Turn::Pruned)), (1, 1));
        let checked = repository.verify(point.parse().unwrap()).await.unwrap();
        assert!(checked.is_whole(), "{checked:?}");
        let counted = it.harness.app.metrics.encode();
        assert!(
            counted.contains("strongroom_prune_packs_total 1"),
            "{counted}"
        );
        // Once more changes nothing.
        prune(&it).await;
        assert_eq!((packs(&it), turns(&it, Turn::Pruned)), (1, 2));
        assert_eq!(repository.points().await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn nothing_is_pruned_while_a_backup_of_the_instance_is_under_way() {
        let (it, repository, _) = with_a_backup_at_work().await;
        for point in repository.points().await.unwrap() {
            repository.delete_point(point).await.unwrap();
        }
        prune(&it).await;
        assert_eq!((packs(&it), turns(&it, Turn::Postponed)), (2, 1));
    }

    #[tokio::test]
    async fn what_is_young_is_only_marked() {
        let (it, _, _) = with_a_backup_at_work().await;
        fail_it(&it);
        it.look_until_idle().await;
        prune_all(
            &it.harness.app,
            crate::worker::limits::PRUNE_MIN_AGE,
            &mut AtRest::new(),
        )
        .await
        .unwrap();
        assert_eq!((packs(&it), turns(&it, Turn::Pruned)), (2, 1));
    }

    #[tokio::test]
    async fn a_cluster_that_does_not_come_back_does_not_keep_what_its_backup_wrote() {
        let (it, repository, _) = with_a_backup_at_work().await;
        let lost = it.open_job().await.id;
        it.harness.clusters.begin_work();
        it.look().await;
        it.harness.clusters.set_unreachable(true);
        it.look().await;
        it.harness.clock.advance(UNAVAILABLE_LIMIT);
        it.look().await;
        assert_eq!(it.job(lost).await.status, jobs::FAILED);
        assert_eq!(repository.points().await.unwrap().len(), 2);
        prune(&it).await;
        assert_eq!(packs(&it), 1);
        assert_eq!(repository.points().await.unwrap().len(), 1);
        // The custom resource is removed when the cluster answers again, as ever.
        it.harness.clusters.set_unreachable(false);
        it.harness.clock.advance(Duration::from_secs(60));
        it.look_until_idle().await;
        assert!(it.harness.clusters.resources().is_empty());
    }

    #[tokio::test]
    async fn a_repository_that_cannot_be_read_loses_nothing() {
        let (it, repository, point) = with_a_backup_at_work().await;
        let prefix = it.harness.clusters.secrets().prefix.clone();
        fail_it(&it);
        it.look_until_idle().await;
        let manifest = format!("acct01/backups/{prefix}/points/{point}/manifest");
        std::fs::write(it.harness.app.blobs.path().join(manifest), b"damaged").unwrap();
        prune(&it).await;
        assert_eq!((packs(&it), turns(&it, Turn::Failed)), (2, 1));
        drop(repository);
    }

    #[tokio::test]
    async fn an_instance_without_a_backup_has_nothing_to_prune() {
        let it = Protected::new().await;
        prune(&it).await;
        assert_eq!(turns(&it, Turn::Pruned) + turns(&it, Turn::Failed), 0);
    }

    #[tokio::test]
    async fn only_a_job_that_did_its_work_is_a_success() {
        let (it, _, _) = with_a_backup_at_work().await;
        let mut job = it.open_job().await;
        for (status, success) in [
            ("InProgress", false),
            ("Failed", false),
            ("Cancelled", false),
            ("Completed", true),
            ("CompletedWithWarnings", true),
        ] {
            status.clone_into(&mut job.status);
            assert_eq!(jobs::is_success(&job), success, "{status}");
        }
    }
}
