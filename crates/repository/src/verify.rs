//! Verification of a recovery point: every byte that it needs is read, authenticated and compared
//! with the ids that the manifest commits to.

use futures::StreamExt;
use uuid::Uuid;

use crate::crypto::Content;
use crate::error::{Error, Result};
use crate::id::ContentId;
use crate::leaf::commit_entry;
use crate::limits::VERIFY_PROBLEMS_MAX;
use crate::manifest::RunInfo;
use crate::pack;
use crate::read::Point;
use crate::repository::Repository;

/// One thing that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The object or part of one.
    pub what: String,
    /// What does not hold.
    pub why: String,
}

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Packs read.
    pub packs: u64,
    /// Sections opened in them.
    pub sections: u64,
    /// Entries whose body was compared.
    pub entries: u64,
    /// Bytes of those bodies.
    pub bytes: u64,
    /// Number of damages.
    pub damages: u64,
    /// The first of them, at most [`VERIFY_PROBLEMS_MAX`].
    pub listed: Vec<Damage>,
}

impl VerifyReport {
    /// True when nothing is damaged.
    pub fn is_whole(&self) -> bool {
        self.damages == 0
    }

    /// Notes damage; other errors (the store is unreachable) end the verification.
    fn note(&mut self, error: Error) -> Result<()> {
        let (what, why) = match error {
            Error::Corrupt { what, why } => (what, why),
            Error::TooLarge { ref what, .. } => (what.clone(), error.to_string()),
            Error::UnsupportedVersion { ref what, .. } => (what.clone(), error.to_string()),
            other => return Err(other),
        };
        self.damages += 1;
        if self.listed.len() < VERIFY_PROBLEMS_MAX {
            self.listed.push(Damage { what, why });
        }
        Ok(())
    }
}

impl Repository {
    /// Verifies a recovery point. Damage is listed in the report, the damage of the manifest itself
    /// too; an error is returned only when the point does not exist or the store does not answer.
    /// Holds one pack and one frame in memory.
    pub async fn verify(&self, id: Uuid) -> Result<VerifyReport> {
        self.verify_watched(id, &mut |_| ()).await
    }

    /// As [`Self::verify`]; `watch` is told how far it is after each pack and each entry, so it must
    /// be quick. Dropping the future stops the verification, which changes nothing in the store.
    pub async fn verify_watched(
        &self,
        id: Uuid,
        watch: &mut (dyn FnMut(&VerifyReport) + Send),
    ) -> Result<VerifyReport> {
        let mut report = VerifyReport::default();
        let point = match self.point(id).await {
            Ok(point) => point,
            Err(error) if error.is_not_found() => return Err(error),
            Err(error) => return report.note(error).map(|()| report),
        };
        for needed in &point.manifest().packs {
            match pack::verify(&self.objects, needed.pack, needed.size).await {
                Ok(sections) => {
                    report.packs += 1;
                    report.sections += sections;
                }
                Err(error) => report.note(error)?,
            }
            watch(&report);
        }
        for run in point.runs() {
            verify_run(&point, run, &mut report, watch).await?;
        }
        Ok(report)
    }
}

async fn verify_run(
    point: &Point,
    run: &RunInfo,
    report: &mut VerifyReport,
    watch: &mut (dyn FnMut(&VerifyReport) + Send),
) -> Result<()> {
    let mut entries = point.entries(&run.group);
    let mut hasher = point.objects().keys.hasher(Content::Run);
    let (mut count, mut bytes, mut commitment) = (0, 0, Vec::new());
    while let Some(entry) = entries.next().await {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => return report.note(error),
        };
        count += 1;
        bytes += entry.size;
        commitment.clear();
        commit_entry(
            &mut commitment,
            &entry.name,
            &entry.meta,
            entry.size,
            entry.id,
        );
        hasher.update(&commitment);
        match point.read(&entry).await {
            Ok(body) => {
                report.entries += 1;
                report.bytes += body.len() as u64;
            }
            Err(error) => report.note(error)?,
        }
        watch(report);
    }
    let content = ContentId(*hasher.finalize().as_bytes());
    if (count, bytes, content) != (run.entries, run.bytes, run.content) {
        let what = format!("run \"{}\" of recovery point {}", run.group, point.id());
        report.note(Error::corrupt(
            what,
            "its entries are not those that were sealed",
        ))?;
    }
    Ok(())
}
