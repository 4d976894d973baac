//! Forgets what is too old: ended operations, and ended jobs with their reports.
//!
//! Contract: what is old follows from the store alone. A job goes only after its report, so that no
//! report is left that nobody knows of; a job whose store is away waits for a later round. A job that
//! still has something to remove in a cluster is not forgotten, however old.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt as _;
use strongroom_core::error::Code;

use super::limits::{
    AGE_OUT_AT_ONCE, AGE_OUT_EVERY, AGE_OUT_PATIENCE, JOB_RETENTION, OPERATION_RETENTION,
};
use crate::app::error::chain;
use crate::app::jobs::Request;
use crate::app::{App, Error, Result, audit, repositories};
use crate::store::JobRow;

/// What one round forgot.
#[derive(Debug, Default, PartialEq, Eq)]
struct Aged {
    operations: u64,
    jobs: u64,
    audit_entries: u64,
}

/// Forgets what is too old now and then, for ever.
pub(super) async fn age_out_now_and_then(app: Arc<App>) {
    loop {
        tokio::time::sleep(AGE_OUT_EVERY).await;
        match AssertUnwindSafe(age_out(&app)).catch_unwind().await {
            Ok(Ok(aged)) if aged == Aged::default() => {}
            Ok(Ok(aged)) => tracing::info!(
                operations = aged.operations,
                jobs = aged.jobs,
                audit_entries = aged.audit_entries,
                "what was too old is forgotten"
            ),
            Ok(Err(error)) => {
                tracing::warn!(error = %chain(&error), "what is too old could not be forgotten");
            }
            Err(_) => tracing::error!("a panic while old jobs were forgotten, see above"),
        }
    }
}

/// One round.
async fn age_out(app: &App) -> Result<Aged> {
    let mut aged = Aged {
        audit_entries: audit::age_out(app).await?,
        ..Aged::default()
    };
    let operations_before = app.now() - OPERATION_RETENTION;
    loop {
        let mut session = app.store.begin().await?;
        let gone = session
            .delete_ended_operations(operations_before, AGE_OUT_AT_ONCE)
            .await?;
        session.commit().await?;
        aged.operations += gone;
        if gone < AGE_OUT_AT_ONCE as u64 {
            break;
        }
    }
    let jobs_before = app.now() - JOB_RETENTION;
    let mut after = None;
    loop {
        let mut session = app.store.read().await?;
        let old = session
            .ended_jobs(jobs_before, after, AGE_OUT_AT_ONCE)
            .await?;
        drop(session);
        let Some(last) = old.last() else {
            return Ok(aged);
        };
        after = last.ended_at.map(|ended| (ended, last.id));
        for job in old {
            if forget(app, &job).await? {
                aged.jobs += 1;
            }
        }
    }
}

/// Forgets one job; `false` when its report cannot be removed now.
async fn forget(app: &App, job: &JobRow) -> Result<bool> {
    let removed = match tokio::time::timeout(AGE_OUT_PATIENCE, forget_report(app, job)).await {
        Ok(removed) => removed.map_err(|error| chain(&error)),
        Err(_) => Err("the store does not answer in time".to_owned()),
    };
    if let Err(why) = removed {
        tracing::debug!(job.id = %job.id, error = why, "an old job stays for now");
        return Ok(false);
    }
    let mut session = app.store.begin().await?;
    let was_there = session.delete_job(job.id).await?;
    session.commit().await?;
    Ok(was_there)
}

async fn forget_report(app: &App, job: &JobRow) -> Result<()> {
    let request = Request::of(job)?;
    let Some(location) = request.repository() else {
        return Ok(());
    };
    let mut session = app.store.read().await?;
    let key = &job.instance_key;
    // What a deleted instance left goes with its purge.
    let Some(identity) = repositories::identity_at(app, &mut *session, key, location).await? else {
        return Ok(());
    };
    let config = match repositories::for_server(app, &mut *session, location).await {
        Ok(config) => config,
        // The container was deleted, and all that was in it.
        Err(error) if error.code() == Code::UserErrorNoDefaultBackupStorageLocationFound => {
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    drop(session);
    let removed = async {
        let repository = repositories::open(&config, &identity.key).await?;
        repository.delete_report(job.id).await
    };
    removed
        .await
        .map_err(|error| Error::from(repositories::problem_of(&error)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::testing::protection::{Protected, adhoc};
    use crate::worker::limits::UNAVAILABLE_LIMIT;

    #[tokio::test]
    async fn an_old_job_goes_with_its_report_and_its_recovery_point_stays() {
        let it = Protected::new().await;
        let point = it.recovery_point().await;
        let job = it.only_job().await;
        let report = format!("{}/backupJobs/{}/report", it.vault, job.id);
        assert_eq!(age_out(&it.harness.app).await.unwrap(), Aged::default());
        let folder = it.report_folder(job.id).await;
        assert!(folder.exists(), "{}", folder.display());

        it.harness.clock.advance(OPERATION_RETENTION);
        it.harness.clock.advance(Duration::from_secs(60));
        let aged = age_out(&it.harness.app).await.unwrap();
        assert!(aged.operations > 0 && aged.jobs == 0, "{aged:?}");
        assert_eq!(it.harness.get(&report).await.status, 200);

        it.harness.clock.advance(JOB_RETENTION);
        let aged = age_out(&it.harness.app).await.unwrap();
        assert_eq!(aged.jobs, 1);
        assert_eq!(it.harness.get(&report).await.status, 404);
        let left = std::fs::read_dir(&folder).map_or(0, Iterator::count);
        assert_eq!(left, 0);
        let read = format!("{}/recoveryPoints/{point}", it.instance);
        assert_eq!(it.harness.get(&read).await.status, 200);
    }

    #[tokio::test]
    async fn a_job_that_runs_or_waits_for_its_cluster_is_never_too_old() {
        let it = Protected::new().await;
        it.post("backup", adhoc()).await;
        it.look_until_created().await;
        it.harness.clock.advance(JOB_RETENTION * 2);
        assert_eq!(age_out(&it.harness.app).await.unwrap().jobs, 0);
        it.harness.clusters.set_unreachable(true);
        it.look().await;
        it.harness.clock.advance(UNAVAILABLE_LIMIT);
        it.look().await;
        assert!(it.only_job().await.ended_at.is_some());
        it.harness.clock.advance(JOB_RETENTION * 2);
        assert_eq!(age_out(&it.harness.app).await.unwrap().jobs, 0);
    }
}
