//! Reading the report of a job: what became of each object.
//!
//! The report is in the instance's repository, sealed; the server reads it page by page and keeps
//! nothing of it. It lives as long as its job: neither the end of its recovery point nor the failure of
//! the job takes it away, the deletion of the instance or of the aged job does.

pub mod warnings;

use bytes::Bytes;
use futures::Stream;
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

/// Where a reader of a report is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The attempt whose report it is.
    pub attempt: u32,
    /// Number of the next line, from 0.
    pub line: u64,
}

/// Which lines are wanted; all that fit every part that is given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only this outcome.
    pub outcome: Option<ObjectEnd>,
    /// Only objects of this kind, without regard to case.
    pub kind: Option<String>,
    /// Only objects in this namespace.
    pub namespace: Option<String>,
}

impl Filter {
    fn is_open(&self) -> bool {
        *self == Self::default()
    }

    fn fits(&self, line: &ObjectOutcome) -> bool {
        let object = &line.object;
        self.outcome.is_none_or(|wanted| wanted == line.outcome)
            && self
                .kind
                .as_ref()
                .is_none_or(|wanted| wanted.eq_ignore_ascii_case(&object.kind))
            && self
                .namespace
                .as_ref()
                .is_none_or(|wanted| object.namespace.as_ref() == Some(wanted))
    }
}

/// A page of outcomes.
#[derive(Debug, Default)]
pub struct OutcomePage {
    /// The outcomes.
    pub outcomes: Vec<ObjectOutcome>,
    /// Where to go on, when more may follow.
    pub next: Option<Cursor>,
}

/// Outcomes of the job with this id that fit, at most `limit`, from a position on.
pub async fn page(
    app: &App,
    job: &ResourceId,
    from: Option<Cursor>,
    limit: usize,
    filter: &Filter,
) -> Result<OutcomePage> {
    match of_job(app, job, from).await? {
        Some(report) => report.outcomes(limit, filter).await,
        None => Ok(OutcomePage::default()),
    }
}

/// All outcomes that fit, as JSON lines, in pieces of a bounded size. What is wrong at the beginning is
/// an error; what goes wrong later ends the stream with one, so that a cut report is not taken for a
/// whole one.
pub async fn stream(
    app: &App,
    job: &ResourceId,
    from: Option<Cursor>,
    filter: Filter,
) -> Result<impl Stream<Item = Result<Bytes>> + Send + 'static> {
    let report = of_job(app, job, from).await?;
    let first = match &report {
        Some(report) => Some(report.piece(report.at.line, &filter).await?),
        None => None,
    };
    let state = report.zip(first);
    Ok(futures::stream::try_unfold(state, move |state| {
        let filter = filter.clone();
        async move {
            let Some((report, (text, next))) = state else {
                return Ok(None);
            };
            let following = match next {
                Some(line) => {
                    let piece = report.piece(line, &filter).await?;
                    Some((report, piece))
                }
                None => None,
            };
            Ok(Some((Bytes::from(text), following)))
        }
    }))
}

/// The report of a job; none while there is none. A `from` of a former page names its attempt.
async fn of_job(app: &App, id: &ResourceId, from: Option<Cursor>) -> Result<Option<Report>> {
    let vault = id.without(2);
    let mut session = app.store.read().await?;
    let job = match id.name().parse::<Uuid>() {
        Ok(id) => session
            .job(id)
            .await?
            .filter(|job| job.vault_key == vault.key()),
        Err(_) => None,
    };
    let Some(job) = job else {
        return refuse(
            Code::ResourceNotFound,
            format!("The vault has no job '{}'.", id.name()),
        );
    };
    let report = open(app, session, &job).await?;
    Ok(report.map(|report| Report {
        at: from.unwrap_or(report.at),
        ..report
    }))
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
    let mut report = Report {
        repository,
        job: job.id,
        at: Cursor { attempt, line: 0 },
    };
    // An attempt that was cut off before it wrote a line leaves what the one before it told.
    while report.at.attempt > 1 && report.is_empty().await? {
        report.at.attempt -= 1;
    }
    Ok(Some(report))
}

/// The report of one attempt of a job, from a line on.
struct Report {
    repository: Repository,
    job: Uuid,
    at: Cursor,
}

impl Report {
    async fn outcomes(&self, limit: usize, filter: &Filter) -> Result<OutcomePage> {
        let mut outcomes = Vec::new();
        let mut at = self.at.line;
        let end = at.saturating_add(MOST_LINES_LOOKED_AT);
        let go_on = |line| Cursor { line, ..self.at };
        loop {
            let page = self.lines(at).await?;
            for line in &page.lines {
                at += 1;
                let outcome = parse(line, at)?;
                if !filter.fits(&outcome) {
                    continue;
                }
                outcomes.push(outcome);
                if outcomes.len() >= limit {
                    let next = (at < page.total).then(|| go_on(at));
                    return Ok(OutcomePage { outcomes, next });
                }
            }
            let more = page.next.is_some() && !page.lines.is_empty();
            if !more || at >= end {
                let next = more.then(|| go_on(at));
                return Ok(OutcomePage { outcomes, next });
            }
        }
    }

    /// JSON lines from a line on, and the line at which to go on, if there is one.
    async fn piece(&self, from: u64, filter: &Filter) -> Result<(Vec<u8>, Option<u64>)> {
        let page = self.lines(from).await?;
        let mut text = Vec::new();
        for (number, line) in (from + 1..).zip(&page.lines) {
            if filter.is_open() || filter.fits(&parse(line, number)?) {
                text.extend_from_slice(line);
                text.push(b'\n');
            }
        }
        Ok((text, page.next.filter(|next| *next > from)))
    }

    async fn is_empty(&self) -> Result<bool> {
        Ok(self.lines(0).await?.total == 0)
    }

    async fn lines(&self, at: u64) -> Result<ReportPage> {
        let read = self
            .repository
            .read_report(self.job, self.at.attempt, at, LINES_AT_A_TIME)
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
