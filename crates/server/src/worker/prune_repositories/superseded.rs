//! Reports that nobody reads any more: those of attempts whose process died, once a later attempt has
//! ended the job. They hold the names of objects and would stay as long as the job is known.

use std::collections::BTreeSet;

use strongroom_repository::Repository;

use crate::app::error::chain;
use crate::app::jobs::{Outcome, Progress};
use crate::app::{App, Error, Result, repositories};
use crate::store::JobRow;

/// Removes from a repository the reports that ended jobs do not show; returns how many. What belongs to
/// a job that is not known, or not ended, is left.
pub(super) async fn remove(app: &App, repository: &Repository) -> Result<u64> {
    let told = |error: strongroom_repository::Error| Error::from(repositories::problem_of(&error));
    let mut removed = 0;
    for (id, attempts) in repository.reports().await.map_err(told)? {
        if attempts.len() < 2 {
            continue;
        }
        let mut session = app.store.read().await?;
        let job = session.job(id).await?;
        drop(session);
        let Some(job) = job.filter(|job| job.ended_at.is_some()) else {
            continue;
        };
        for attempt in superseded(&job, &attempts)? {
            match repository.delete_report_of(id, attempt).await {
                Ok(()) => removed += 1,
                Err(error) => {
                    let error = told(error);
                    tracing::warn!(job.id = %id, job.attempt = attempt, error = %chain(&error),
                        "the report of a dead attempt stays for now");
                }
            }
        }
    }
    Ok(removed)
}

/// The attempts of an ended job whose reports are not the one that is shown.
fn superseded(job: &JobRow, attempts: &BTreeSet<u32>) -> Result<Vec<u32>> {
    let named = Outcome::of(job)?.and_then(|outcome| outcome.report_attempt);
    let shown = match named {
        Some(attempt) => Some(attempt),
        // As the report's own endpoint looks for it: the last attempt that has written a line.
        None => {
            let last = Progress::of(job)?.attempt;
            attempts.range(..=last).next_back().copied()
        }
    };
    // Where the one that is shown is not there, nothing is known to be replaced.
    let Some(shown) = shown.filter(|shown| attempts.contains(shown)) else {
        return Ok(Vec::new());
    };
    let others = attempts.iter().copied();
    Ok(others.filter(|attempt| *attempt != shown).collect())
}

#[cfg(test)]
mod tests {
    use strongroom_core::report::Outcome as Of;

    use super::*;
    use crate::testing::protection::{Protected, adhoc};

    #[tokio::test]
    async fn reports_of_dead_attempts_go_once_the_job_has_ended_and_the_one_that_counts_stays() {
        let it = Protected::new().await;
        it.recovery_point().await;
        let job = it.only_job().await;
        // The next one brings the key of the repository within reach.
        it.post("backup", adhoc()).await;
        it.look_until_created().await;
        let repository = it.repository().await;
        let present = async || repository.reports().await.unwrap()[&job.id].clone();
        it.report_of_attempt(job.id, 2, [Of::BackedUp]).await;
        it.report_of_attempt(job.id, 1_002, [Of::BackedUp]).await;
        assert_eq!(present().await, BTreeSet::from([1, 2, 1_002]));
        assert_eq!(remove(&it.harness.app, &repository).await.unwrap(), 2);
        assert_eq!(present().await, BTreeSet::from([1]));
        assert_eq!(remove(&it.harness.app, &repository).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_job_that_runs_or_shows_none_of_the_reports_keeps_them_all() {
        let it = Protected::new().await;
        it.recovery_point().await;
        let mut job = it.only_job().await;
        let attempts = BTreeSet::from([2, 3]);
        assert!(superseded(&job, &attempts).unwrap().is_empty());
        job.result = serde_json::Value::Null;
        job.progress = serde_json::json!({"attempt": 3});
        assert_eq!(superseded(&job, &attempts).unwrap(), [2]);
        job.progress = serde_json::json!({"attempt": 1});
        assert!(superseded(&job, &attempts).unwrap().is_empty());
    }
}
