//! Reading the report of a job: what became of each object.
//!
//! The report is in the instance's repository, sealed; the server reads it page by page and keeps
//! nothing of it.

pub mod warnings;

use strongroom_core::error::{Code, Problem};
use strongroom_core::report::{ObjectOutcome, Outcome as ObjectEnd};
use strongroom_repository::{ReportPage, Repository};
use uuid::Uuid;

use super::error::refuse;
use super::jobs::{Outcome, Progress, Request};
use super::{App, Error, ResourceId, Result, repositories};
use crate::store::{JobRow, Session};

/// Lines of a report that one request looks through for those that its filter wants. A request that
/// found too few of them goes on from there with its `nextLink`.
const MOST_LINES_LOOKED_AT: u64 = 20_000;

/// Lines read from the repository at a time.
const LINES_AT_A_TIME: u64 = 1000;

/// A page of outcomes.
#[derive(Debug)]
pub struct OutcomePage {
    /// The outcomes.
    pub outcomes: Vec<ObjectOutcome>,
    /// Line after the last one that was looked at, when there are more.
    pub next: Option<u64>,
}

/// Outcomes of the job `job_id` of a vault from line `skip` on, at most `limit`; only failures when
/// `failed_only`.
pub async fn page(
    app: &App,
    vault: &ResourceId,
    job_id: &str,
    skip: u64,
    limit: usize,
    failed_only: bool,
) -> Result<OutcomePage> {
    let mut session = app.store.read().await?;
    let job = match job_id.parse::<Uuid>() {
        Ok(id) => session
            .job(id)
            .await?
            .filter(|job| job.vault_key == vault.key()),
        Err(_) => None,
    };
    let Some(job) = job else {
        return refuse(
            Code::ResourceNotFound,
            format!("The vault has no job '{job_id}'."),
        );
    };
    match open(app, session, &job).await? {
        Some(report) => report.outcomes(skip, limit, failed_only).await,
        None => Ok(OutcomePage {
            outcomes: Vec::new(),
            next: None,
        }),
    }
}

/// The report of a job, of the attempt that counts; none while there can be none. Ends the session:
/// the repository is asked without it.
async fn open(app: &App, mut session: Box<dyn Session>, job: &JobRow) -> Result<Option<Report>> {
    let request = Request::of(job)?;
    let attempt = match Outcome::of(job)?.and_then(|outcome| outcome.report_attempt) {
        Some(attempt) => attempt,
        None => Progress::of(job)?.attempt,
    };
    let (Some(location), true) = (request.repository(), attempt > 0) else {
        return Ok(None);
    };
    let key = &job.instance_key;
    let identity = repositories::identity_at(app, &mut *session, key, location).await?;
    let Some(identity) = identity else {
        return refuse(
            Code::ResourceNotFound,
            "The backup instance of the job was deleted, and the job's report with it.",
        );
    };
    let config = repositories::for_server(app, &mut *session, location).await?;
    drop(session);
    let told = |error: strongroom_repository::Error| Error::from(repositories::problem_of(&error));
    let repository = repositories::open(&config, &identity.key)
        .await
        .map_err(told)?;
    Ok(Some(Report {
        repository,
        job: job.id,
        attempt,
    }))
}

/// The report of one attempt of a job.
struct Report {
    repository: Repository,
    job: Uuid,
    attempt: u32,
}

impl Report {
    async fn outcomes(&self, skip: u64, limit: usize, failed_only: bool) -> Result<OutcomePage> {
        let mut outcomes = Vec::new();
        let mut at = skip;
        let end = skip.saturating_add(MOST_LINES_LOOKED_AT);
        loop {
            let page = self.lines(at).await?;
            for line in &page.lines {
                at += 1;
                let outcome = parse(line, at)?;
                if failed_only && outcome.outcome != ObjectEnd::Failed {
                    continue;
                }
                outcomes.push(outcome);
                if outcomes.len() >= limit {
                    let next = (at < page.total).then_some(at);
                    return Ok(OutcomePage { outcomes, next });
                }
            }
            let more = page.next.is_some() && !page.lines.is_empty();
            if !more || at >= end {
                let next = more.then_some(at);
                return Ok(OutcomePage { outcomes, next });
            }
        }
    }

    async fn lines(&self, at: u64) -> Result<ReportPage> {
        let read = self
            .repository
            .read_report(self.job, self.attempt, at, LINES_AT_A_TIME)
            .await;
        match read {
            Ok(page) => Ok(page),
            // Nothing was written yet, or nothing ever was.
            Err(error) if error.is_not_found() => Ok(ReportPage::default()),
            Err(error) => Err(repositories::problem_of(&error).into()),
        }
    }
}

/// Reads the line with this number.
fn parse(line: &[u8], number: u64) -> Result<ObjectOutcome> {
    serde_json::from_slice(line).map_err(|error| {
        let message = format!("Line {number} of the report: {error}.");
        Problem::new(Code::RecoveryPointCorrupt, message).into()
    })
}
