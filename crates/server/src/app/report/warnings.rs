//! What a job's document tells of its findings: the first of them, read from the report when the job
//! ends.
//!
//! Contract: whatever is the matter with the report, the job ends, and ends in time. Trouble with
//! reading is one more warning.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt as _;
use strongroom_core::report::{ObjectOutcome, Outcome as ObjectEnd};

use super::{open, parse};
use crate::app::error::chain;
use crate::app::jobs::{Outcome, Progress, Request, Warning};
use crate::app::{App, Result};
use crate::store::JobRow;
use crate::worker::limits::{WARNING_CHARS, WARNINGS_LISTED};

/// The warnings of a job that is about to end. Reads for at most `patience`, and nothing at all when
/// the job has no findings.
///
/// # Errors
/// Only when the job's own row cannot be read.
pub async fn of_report(app: &App, job: &JobRow, patience: Duration) -> Result<Vec<Warning>> {
    let Some(counted) = Counted::of(job)? else {
        return Ok(Vec::new());
    };
    let mut found = Found::default();
    let trouble = trouble_of(patience, read(app, job, &counted, &mut found)).await;
    if let Some(why) = &trouble {
        tracing::warn!(job.id = %job.id, error = why, "the findings of an ended job are not told in full");
    }
    let vault = Request::of(job)?.about().vault_id.clone();
    let vault = vault.rsplit('/').next().unwrap_or_default();
    let command = format!("strongroom job report {} --vault {vault} --failed", job.id);
    Ok(conclude(found, &counted, trouble, &command))
}

/// What kept the work from coming to a good end within `patience`: an error, too little time, a panic.
async fn trouble_of(patience: Duration, work: impl Future<Output = Result<()>>) -> Option<String> {
    let caught = AssertUnwindSafe(work).catch_unwind();
    match tokio::time::timeout(patience, caught).await {
        Ok(Ok(Ok(()))) => None,
        Ok(Ok(Err(error))) => Some(chain(&error)),
        Ok(Err(_)) => Some("the server failed while it read it, see its log".to_owned()),
        Err(_) => Some(format!("it took longer than {} s", patience.as_secs())),
    }
}

async fn read(app: &App, job: &JobRow, counted: &Counted, found: &mut Found) -> Result<()> {
    let session = app.store.read().await?;
    let Some(report) = open(app, session, job).await? else {
        return Ok(());
    };
    let mut at = 0;
    loop {
        let page = report.lines(at).await?;
        for line in &page.lines {
            at += 1;
            found.take(&parse(line, at)?);
            if found.is_enough(counted) {
                return Ok(());
            }
        }
        if page.next.is_none() || page.lines.is_empty() {
            return Ok(());
        }
    }
}

/// What the extension counted while it wrote the report.
#[derive(Debug, Default)]
struct Counted {
    /// Lines that carry a code.
    coded: u64,
    /// Objects that failed; most carry a code as well.
    failed: u64,
}

impl Counted {
    /// None for a job without findings.
    fn of(job: &JobRow) -> Result<Option<Self>> {
        let failed = ObjectEnd::Failed.as_str();
        let (counted, is_sure) = match Outcome::of(job)? {
            Some(outcome) => {
                let failed = outcome.counts.get(failed).copied().unwrap_or_default();
                let coded = outcome.findings;
                (Self { coded, failed }, outcome.with_warnings)
            }
            None => {
                let progress = Progress::of(job)?;
                let failed = progress.counts.get(failed).copied().unwrap_or_default();
                let coded = progress.findings;
                (Self { coded, failed }, false)
            }
        };
        Ok((is_sure || counted.at_least() > 0).then_some(counted))
    }

    fn at_least(&self) -> u64 {
        self.coded.max(self.failed)
    }
}

/// What was found in the report so far.
#[derive(Debug, Default)]
struct Found {
    listed: Vec<Warning>,
    coded: u64,
    failed: u64,
    /// Findings beyond those that are listed.
    unlisted: u64,
}

impl Found {
    fn take(&mut self, line: &ObjectOutcome) {
        let failed = line.outcome == ObjectEnd::Failed;
        if !failed && line.code.is_none() {
            return;
        }
        self.coded += u64::from(line.code.is_some());
        self.failed += u64::from(failed);
        if self.listed.len() >= WARNINGS_LISTED {
            self.unlisted += 1;
            return;
        }
        self.listed.push(Warning {
            resource: Some(line.object.to_string()),
            code: line.code.clone(),
            message: line.reason.chars().take(WARNING_CHARS).collect(),
        });
    }

    /// Whether reading on would tell nothing new.
    fn is_enough(&self, counted: &Counted) -> bool {
        let has_all = self.coded >= counted.coded && self.failed >= counted.failed;
        self.unlisted > 0 || (has_all && counted.at_least() > 0)
    }
}

/// The warnings of the document.
fn conclude(
    found: Found,
    counted: &Counted,
    trouble: Option<String>,
    command: &str,
) -> Vec<Warning> {
    let missing = (counted.coded.saturating_sub(found.coded))
        .max(counted.failed.saturating_sub(found.failed));
    // The finding that did not fit was taken from what is missing.
    let more = found.unlisted + missing;
    let message = match trouble {
        Some(why) => Some(format!(
            "The job's report could not be read to its end: {}. `{command}` reads it again.",
            why.trim_end_matches('.')
        )),
        None if found.unlisted > 0 => Some(format!(
            "{more} more findings are in the job's report: `{command}` lists what failed, without \
             --failed it lists every object."
        )),
        None if missing > 0 => Some(format!(
            "{missing} more findings were counted that the job's report does not hold: it was cut \
             off when the job ended."
        )),
        None => None,
    };
    let about_report = message.map(|message| Warning {
        message,
        ..Warning::default()
    });
    found.listed.into_iter().chain(about_report).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use strongroom_core::error::Code;
    use strongroom_core::object::{ObjectRef, ResourceType};
    use strongroom_kubernetes::crd::JobState;

    use super::*;
    use crate::testing::protection::{Protected, adhoc};

    fn line(number: usize, outcome: ObjectEnd) -> ObjectOutcome {
        let maps = ResourceType::new("", "v1", "ConfigMap", "configmaps", true);
        let object = ObjectRef::new(&maps, Some("shop"), &format!("a-{number}"));
        ObjectOutcome::new(object, outcome, "ä".repeat(WARNING_CHARS + 1))
    }

    fn failures(lines: usize) -> Found {
        let mut found = Found::default();
        for number in 0..lines {
            found.take(&line(number, ObjectEnd::Created));
            found.take(&line(number, ObjectEnd::Failed).with_code(Code::ObjectTooLarge));
        }
        found
    }

    fn counted(findings: u64) -> Counted {
        Counted {
            coded: findings,
            failed: findings,
        }
    }

    #[test]
    fn findings_are_listed_until_there_are_too_many_and_then_counted() {
        let all = conclude(failures(20), &counted(20), None, "look");
        assert_eq!(all.len(), WARNINGS_LISTED);
        assert_eq!(all[0].resource.as_deref(), Some("ConfigMap shop/a-0"));
        assert_eq!(all[0].code.as_deref(), Some("ObjectTooLarge"));
        assert_eq!(all[0].message.chars().count(), WARNING_CHARS);
        let found = failures(21);
        assert!(found.is_enough(&counted(500)));
        let listed = conclude(found, &counted(500), None, "look");
        assert_eq!(listed.len(), WARNINGS_LISTED + 1);
        let last = &listed[WARNINGS_LISTED];
        assert!(last.message.starts_with("480 more"), "{}", last.message);
        assert!(last.message.contains("`look`"), "{}", last.message);
    }

    #[test]
    fn reading_goes_on_until_every_finding_that_was_counted_is_found() {
        let mut found = Found::default();
        let counted = Counted {
            coded: 2,
            failed: 1,
        };
        found.take(&line(0, ObjectEnd::Failed));
        found.take(&line(1, ObjectEnd::Skipped).with_code(Code::ObjectTooLarge));
        assert!(!found.is_enough(&counted));
        found.take(&line(2, ObjectEnd::Skipped).with_code(Code::UserErrorNamespaceNotFound));
        assert!(found.is_enough(&counted));
        assert!(!Found::default().is_enough(&Counted::default()));
    }

    #[test]
    fn a_report_that_was_cut_off_or_could_not_be_read_is_one_warning() {
        let cut = conclude(Found::default(), &counted(3), None, "look");
        assert_eq!(cut.len(), 1);
        assert!(cut[0].message.contains("cut off"), "{}", cut[0].message);
        let trouble = Some("the store is away.".to_owned());
        let unread = conclude(failures(1), &counted(3), trouble, "look");
        assert_eq!(unread.len(), 2);
        assert!(unread[1].message.contains("the store is away. `look`"));
    }

    #[tokio::test]
    async fn reading_ends_whatever_happens() {
        let soon = Duration::ZERO;
        let endless = trouble_of(soon, std::future::pending()).await.unwrap();
        assert_eq!(endless, "it took longer than 0 s");
        let panics = async { panic!("at a line") };
        let said = trouble_of(soon, panics).await.unwrap();
        assert!(said.contains("failed while it read"), "{said}");
        assert_eq!(trouble_of(soon, async { Ok(()) }).await, None);
    }

    async fn sealed() -> Protected {
        let it = Protected::new().await;
        it.post("backup", adhoc()).await;
        it.look_until_created().await;
        let digest = it.seal().await;
        it.claim(JobState::CompletedWithWarnings, Some(digest));
        it
    }

    async fn shown(it: &Protected) -> serde_json::Value {
        let job = it.only_job().await.id;
        let path = format!("{}/backupJobs/{job}", it.vault);
        it.harness.get(&path).await.json()["properties"]["extendedInfo"]["warningDetails"].clone()
    }

    #[tokio::test]
    async fn a_job_that_ended_with_warnings_says_what_they_are_and_what_to_do() {
        let it = sealed().await;
        it.look_until_idle().await;
        let warnings = shown(&it).await;
        assert_eq!(warnings.as_array().unwrap().len(), 1, "{warnings}");
        assert_eq!(warnings[0]["resourceName"], "ConfigMap shop/object-1");
        let warning = &warnings[0]["warning"];
        assert_eq!(warning["code"], "ObjectTooLarge");
        assert_eq!(warning["message"], "because");
        let action = warning["recommendedAction"][0].as_str().unwrap();
        assert_eq!(action, Code::ObjectTooLarge.page().what_to_do);
    }

    #[tokio::test]
    async fn a_failed_job_with_findings_says_what_they_are() {
        let it = sealed().await;
        it.harness.clusters.update_status(|status| {
            status.state = JobState::Failed;
            status.findings = 1;
        });
        it.look_until_idle().await;
        assert_eq!(it.only_job().await.status, "Failed");
        let warnings = shown(&it).await;
        assert_eq!(warnings[0]["resourceName"], "ConfigMap shop/object-1");
    }

    #[tokio::test]
    async fn a_job_without_findings_has_no_warnings() {
        let it = sealed().await;
        it.harness
            .clusters
            .update_status(|status| status.state = JobState::Completed);
        it.look_until_idle().await;
        assert_eq!(it.only_job().await.status, "Completed");
        assert!(shown(&it).await.is_null());
    }

    #[tokio::test]
    async fn a_damaged_report_costs_the_details_and_not_the_job() {
        let it = sealed().await;
        let folder = it
            .harness
            .app
            .blobs
            .path()
            .join("acct01/backups")
            .join(format!(
                "{}/reports/{}/1",
                it.harness.clusters.secrets().prefix,
                it.only_job().await.id
            ));
        for segment in std::fs::read_dir(folder).unwrap() {
            std::fs::write(segment.unwrap().path(), b"damaged").unwrap();
        }
        it.look_until_idle().await;
        assert_eq!(it.only_job().await.status, "CompletedWithWarnings");
        let warnings = shown(&it).await;
        assert_eq!(warnings.as_array().unwrap().len(), 1, "{warnings}");
        let message = warnings[0]["warning"]["message"].as_str().unwrap();
        assert!(message.contains("could not be read"), "{message}");
    }

    #[tokio::test]
    async fn a_store_that_does_not_answer_is_not_waited_for() {
        let it = sealed().await;
        it.look_until_idle().await;
        let job = it.only_job().await;
        let warnings = of_report(&it.harness.app, &job, Duration::ZERO)
            .await
            .unwrap();
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].message.contains("took longer than 0 s"));
    }
}
