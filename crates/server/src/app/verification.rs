//! Verification of a recovery point: every byte of it is read from the store, authenticated and compared
//! with what its manifest commits to.
//!
//! Contract: a verification is an operation in the store before it is accepted; a server that is killed
//! begins it anew at its next start, because nothing of it is worth keeping. Its verdict is written on
//! the recovery point in the transaction that ends the operation. A point that is deleted meanwhile
//! cancels it. Memory is bounded by the repository's own limits, whatever the size of the point.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use strongroom_api::recovery_point::{Verification, VerificationProblem, VerificationState};
use strongroom_core::error::{Code, Problem};
use strongroom_repository::VerifyReport;
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::error::chain;
use super::jobs::Location;
use super::limits::{POINT_LOOK_EVERY, PROBLEMS_LISTED, PROBLEMS_ON_POINT, VERIFICATIONS_AT_ONCE};
use super::operations::{self, End, OperationKind, written};
use super::{App, Error, ResourceId, Result, recovery_points, repositories, resources};
use crate::store::{OperationRow, RecoveryPointRow, Session};

/// Open operations among which the one of a point is looked for.
const MOST_OPEN: usize = 1000;

/// How far verifications are, and their turns. In memory only: a restarted server begins them anew.
#[derive(Debug)]
pub struct Verifications {
    turns: Semaphore,
    percent: Mutex<HashMap<String, f64>>,
}

impl Default for Verifications {
    fn default() -> Self {
        Self {
            turns: Semaphore::new(VERIFICATIONS_AT_ONCE),
            percent: Mutex::default(),
        }
    }
}

impl Verifications {
    /// How much of an operation is done, 0 to 100; none when it is no verification at work.
    #[must_use]
    pub fn percent(&self, operation: &str) -> Option<f64> {
        let percent = self.percent.lock().unwrap_or_else(PoisonError::into_inner);
        percent.get(operation).copied()
    }

    fn note(&self, operation: &str, percent: f64) {
        let mut known = self.percent.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(operation.to_owned(), percent);
    }

    fn forget(&self, operation: &str) {
        let mut known = self.percent.lock().unwrap_or_else(PoisonError::into_inner);
        known.remove(operation);
    }
}

/// Accepts the verification of a recovery point, and says whether it is new: one that is under way is
/// the answer to whoever asks again. Follow a new one with [`settle`].
pub async fn start(app: &App, id: &ResourceId) -> Result<(OperationRow, bool)> {
    let mut session = app.store.begin().await?;
    let (instance, point) = recovery_points::existing(&mut *session, id).await?;
    let id = ResourceId::published(instance.id).child("recoveryPoints", &point.id.to_string());
    let open = session.open_operations(MOST_OPEN).await?;
    let same = |operation: &OperationRow| {
        operation.kind == OperationKind::Verify.as_str()
            && operation.resource_id.eq_ignore_ascii_case(id.as_str())
    };
    if let Some(operation) = open.into_iter().find(same) {
        return Ok((operation, false));
    }
    let vault = resources::existing(&mut *session, &id.without(4)).await?;
    let location = vault.body["location"].as_str().unwrap_or_default();
    let kind = OperationKind::Verify;
    let operation = operations::start(app, &mut *session, kind, &id, location, None).await?;
    session.commit().await?;
    Ok((operation, true))
}

/// Verifies, and ends the operation with the verdict.
pub async fn settle(app: Arc<App>, operation: OperationRow) {
    let id = ResourceId::published(operation.resource_id.clone());
    let end = tokio::select! {
        end = carry_out(&app, &id, &operation.id) => end,
        () = deleted(&app, &id) => End::Canceled,
    };
    app.verifications.forget(&operation.id);
    written("the end of a verification", || {
        record(&app, &id, &operation, &end)
    })
    .await;
}

async fn carry_out(app: &App, id: &ResourceId, operation: &str) -> End {
    // The semaphore is never closed.
    let _turn = app.verifications.turns.acquire().await;
    app.verifications.note(operation, 0.0);
    let verified = verify(app, id, |percent| {
        app.verifications.note(operation, percent)
    });
    let found = match verified.await {
        Ok(found) => found,
        Err(Error::Problem(problem)) => return End::Failed(*problem),
        Err(error) => {
            tracing::error!(error = %chain(&error), point.id = %id, "a verification failed inside the server");
            let message = "The server failed to verify the recovery point; its log says why.";
            return End::Failed(Problem::new(Code::InternalServerError, message));
        }
    };
    match serde_json::to_value(&found) {
        Ok(result) => End::Succeeded { result },
        Err(error) => End::Failed(Problem::new(
            Code::InternalServerError,
            format!("The verdict cannot be written: {error}."),
        )),
    }
}

/// Reads all of a recovery point; what is not as it was written is in the verdict, and only what keeps
/// the verification from coming to one is an error.
async fn verify(
    app: &App,
    id: &ResourceId,
    mut tell: impl FnMut(f64) + Send,
) -> Result<Verification> {
    let mut session = app.store.read().await?;
    let (instance, row) = recovery_points::existing(&mut *session, id).await?;
    let location: Location = serde_json::from_value(row.body["repository"].clone())
        .map_err(Error::unexpected("read where a recovery point is"))?;
    let key = &instance.key;
    let identity = repositories::identity_at(app, &mut *session, key, &location).await?;
    let Some(identity) = identity else {
        return Err(resources::not_found(id));
    };
    let config = repositories::for_server(app, &mut *session, &location).await?;
    drop(session);
    let sealed = row.body["properties"]["manifestDigest"].as_str();
    let read = async {
        let repository = repositories::open(&config, &identity.key).await?;
        // A store that gives an older manifest gives one that is whole by itself.
        let point = match sealed {
            Some(digest) => repository.point_with_digest(row.id, digest).await?,
            None => repository.point(row.id).await?,
        };
        let total: u64 = point.runs().iter().map(|run| run.bytes).sum();
        let packs = point.pack_count();
        drop(point);
        let mut watch = |seen: &VerifyReport| tell(percent(seen, packs, total));
        repository.verify_watched(row.id, &mut watch).await
    };
    let report = match read.await {
        Ok(report) => report,
        Err(error) if repositories::is_of_the_point(&error) => {
            let problem = if error.is_not_found() {
                // The server knows the point, so that it is not there is damage, and no wrong name.
                Problem::new(
                    Code::RecoveryPointCorrupt,
                    "Its manifest is not in the store: it was removed, or the store is as it was \
                     before.",
                )
            } else {
                repositories::problem_of(&error)
            };
            return Ok(verdict(
                app,
                &row,
                &VerifyReport::default(),
                vec![told(&problem, id)],
            ));
        }
        Err(error) => return Err(repositories::problem_of(&error).into()),
    };
    let problems = report.listed.iter().take(PROBLEMS_LISTED);
    let problems = problems
        .map(|damage| {
            let code = Code::RecoveryPointCorrupt;
            VerificationProblem {
                code: code.as_str().to_owned(),
                object: damage.what.clone(),
                message: damage.why.clone(),
                recommended_action: Some(vec![
                    Problem::new(code, "").recommended_action().to_owned(),
                ]),
            }
        })
        .collect();
    Ok(verdict(app, &row, &report, problems))
}

fn told(problem: &Problem, id: &ResourceId) -> VerificationProblem {
    VerificationProblem {
        code: problem.code.as_str().to_owned(),
        object: format!("recovery point {}", id.name()),
        message: problem.message.clone(),
        recommended_action: Some(vec![problem.recommended_action().to_owned()]),
    }
}

fn verdict(
    app: &App,
    row: &RecoveryPointRow,
    report: &VerifyReport,
    problems: Vec<VerificationProblem>,
) -> Verification {
    let count = report.damages.max(problems.len() as u64);
    Verification {
        recovery_point_id: row.id.to_string(),
        state: if count == 0 {
            VerificationState::Whole
        } else {
            VerificationState::Damaged
        },
        verified_time: app.now(),
        entries: report.entries,
        bytes: report.bytes,
        packs: report.packs,
        problem_count: count,
        problems: (!problems.is_empty()).then_some(problems),
    }
}

/// Packs are read first, then the content of every entry: each is counted as half of the work.
fn percent(seen: &VerifyReport, packs: u64, bytes: u64) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a percentage for people needs no more than 52 bits"
    )]
    let part = |done: u64, all: u64| {
        if all == 0 {
            1.0
        } else {
            (done as f64 / all as f64).min(1.0)
        }
    };
    (part(seen.packs, packs) + part(seen.bytes, bytes)) * 50.0
}

/// Returns when the recovery point is not in the store any more.
async fn deleted(app: &App, id: &ResourceId) {
    loop {
        tokio::time::sleep(POINT_LOOK_EVERY).await;
        let found = async {
            let mut session = app.store.read().await?;
            recovery_points::existing(&mut *session, id).await
        };
        match found.await {
            Err(error) if error.code() == Code::ResourceNotFound => return,
            // A store that does not answer says nothing of the point.
            Ok(_) | Err(_) => {}
        }
    }
}

/// Ends the operation and writes the verdict on the recovery point, together.
async fn record(app: &App, id: &ResourceId, operation: &OperationRow, end: &End) -> Result<()> {
    let mut session = app.store.begin().await?;
    let mut end = end.clone();
    match recovery_points::existing(&mut *session, id).await {
        Ok((_, point)) => {
            if let End::Succeeded { result } = &end {
                mark(&mut *session, point, result).await?;
            }
        }
        // What is deleted is neither whole nor damaged.
        Err(error) if error.code() == Code::ResourceNotFound => end = End::Canceled,
        Err(error) => return Err(error),
    }
    operations::finish(app, &mut *session, operation.clone(), end).await?;
    Ok(session.commit().await?)
}

async fn mark(
    session: &mut dyn Session,
    mut point: RecoveryPointRow,
    result: &serde_json::Value,
) -> Result<()> {
    let mut found: Verification = serde_json::from_value(result.clone())
        .map_err(Error::unexpected("read the verdict of a verification"))?;
    if let Some(problems) = &mut found.problems {
        problems.truncate(PROBLEMS_ON_POINT);
    }
    point.body["properties"]["verification"] = serde_json::to_value(&found)
        .map_err(Error::unexpected("write the verdict of a verification"))?;
    session
        .put_recovery_point_body(point.id, &point.body)
        .await?;
    Ok(())
}

/// The verdict on a recovery point, if there is one.
#[must_use]
pub fn of_point(point: &RecoveryPointRow) -> Option<Verification> {
    serde_json::from_value(point.body["properties"]["verification"].clone()).ok()
}

/// The recovery point against which the next backup finds what is unchanged: the newest one, unless
/// damage is known in the repository that it may share. What was made before damage was found may rest
/// on the same packs, and so would the next one; a point without a parent rests on none.
#[must_use]
pub fn sound_parent(newest_first: &[RecoveryPointRow]) -> Option<Uuid> {
    let found = newest_first.iter().filter_map(of_point);
    let damaged = found.filter(|verdict| verdict.state == VerificationState::Damaged);
    let last_damage = damaged.map(|verdict| verdict.verified_time).max();
    let newest = newest_first.first()?;
    let is_sound = last_damage.is_none_or(|damage| newest.created_at > damage);
    is_sound.then_some(newest.id)
}

#[cfg(test)]
mod tests;
