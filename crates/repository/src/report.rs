//! Reports of jobs: an append-only list of JSON lines in sealed segments, one list an attempt.
//!
//! A segment's name tells its number and its first line, so that a page is found without reading
//! what is before it; both are bound by the seal, as every object's path is. The last segment says
//! that it is the last, so that a report cut by a crash (or by the store) is told from a whole one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::compression::{self, Encoder, REPORT_LEVEL};
use crate::crypto::Role;
use crate::error::{Error, Result};
use crate::limits::{REPORT_LINE_MAX, REPORT_PAGE_MAX, REPORT_SEGMENT_MAX, REPORT_SEGMENT_TARGET};
use crate::objects::{Found, Objects, to_json};
use crate::repository::Repository;

/// What a finished report holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ReportSummary {
    /// Lines.
    pub lines: u64,
    /// Bytes of the lines.
    pub bytes: u64,
}

/// A page of a report.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ReportPage {
    /// The lines, each one JSON value as it was appended.
    pub lines: Vec<Vec<u8>>,
    /// Number of the line after the page's last, if there are more.
    pub next: Option<u64>,
    /// Lines in the whole report as far as it was written.
    pub total: u64,
    /// True when the writer finished the report; false when it is at work or was cut off.
    pub complete: bool,
}

/// First line of a segment's plaintext; the report's lines follow, one a line.
#[derive(Serialize, Deserialize)]
struct SegmentHead {
    lines: u64,
    last: bool,
}

fn folder(job: Uuid, attempt: u32) -> String {
    format!("reports/{job}/{attempt}")
}

/// The job and the attempt of a segment.
fn whose(path: &str) -> Option<(Uuid, u32)> {
    let (job, rest) = path.strip_prefix("reports/")?.split_once('/')?;
    let (attempt, _) = rest.split_once('/')?;
    Some((job.parse().ok()?, attempt.parse().ok()?))
}

/// What a segment is sealed with: kept from one to the next, since a report is a segment for every few
/// thousand objects, and each would ask the system for some MiB anew.
struct Sealing {
    encoder: Encoder,
    plaintext: Vec<u8>,
}

impl Sealing {
    fn seal(&mut self, objects: &Objects, path: &str) -> Result<Bytes> {
        let payload = self.encoder.pack(&self.plaintext, REPORT_LEVEL)?;
        objects.seal_payload(Role::Report, path, &payload)
    }
}

/// Appends to the report of one attempt of a job. Holds one segment in memory, and one that is on its
/// way to the store.
///
/// A segment that could not be sent is told by the next call that waits for it: `append` of the line
/// that fills the next segment, `flush` or `finish`. After such an error the writer takes no more.
pub struct ReportWriter {
    objects: Arc<Objects>,
    folder: String,
    number: u64,
    first_line: u64,
    lines: u64,
    buffer: Vec<u8>,
    /// What packs segments, and room for the plaintext of one; none while one is on its way.
    sealing: Option<Sealing>,
    on_its_way: Option<JoinHandle<(Option<Sealing>, Result<()>)>>,
    /// A segment could not be sent.
    lost: bool,
    summary: ReportSummary,
}

impl ReportWriter {
    /// Appends one line: a JSON value without a line break.
    pub async fn append(&mut self, line: &[u8]) -> Result<()> {
        if line.contains(&b'\n') || serde_json::from_slice::<&RawValue>(line).is_err() {
            return Err(Error::Internal {
                doing: "appending to a report",
                why: "the line is not one JSON value on one line".into(),
            });
        }
        let from = self.buffer.len();
        self.buffer.extend_from_slice(line);
        self.end_line(from).await
    }

    /// Appends one line, written straight to where it is kept: nothing is copied or read again.
    pub async fn append_value(&mut self, line: &impl Serialize) -> Result<()> {
        let from = self.buffer.len();
        if let Err(error) = serde_json::to_writer(&mut self.buffer, line) {
            self.buffer.truncate(from);
            return Err(Error::Internal {
                doing: "appending to a report",
                why: error.to_string(),
            });
        }
        self.end_line(from).await
    }

    /// Counts the line that was written from here on, and sends the segment that is full.
    async fn end_line(&mut self, from: usize) -> Result<()> {
        let length = self.buffer.len() - from;
        if length > REPORT_LINE_MAX {
            self.buffer.truncate(from);
            return Err(Error::TooLarge {
                what: "a line of a report".into(),
                size: length as u64,
                limit: REPORT_LINE_MAX as u64,
            });
        }
        self.buffer.push(b'\n');
        self.lines += 1;
        self.summary.lines += 1;
        self.summary.bytes += length as u64;
        if self.buffer.len() >= REPORT_SEGMENT_TARGET {
            self.send(false).await?;
        }
        Ok(())
    }

    /// Makes the lines appended so far durable, as a segment of their own. Each costs one object of
    /// the store, so this is for the moments at which a writer must not lose them.
    pub async fn flush(&mut self) -> Result<()> {
        if !self.buffer.is_empty() {
            self.send(false).await?;
        }
        self.wait().await
    }

    /// Sends what is left and marks the report as whole. Must be called; a report without it reads
    /// as incomplete.
    pub async fn finish(mut self) -> Result<ReportSummary> {
        self.send(true).await?;
        self.wait().await?;
        Ok(self.summary)
    }

    /// Starts to send the open segment once the one before has arrived: a report never has a gap.
    async fn send(&mut self, last: bool) -> Result<()> {
        self.wait().await?;
        let mut sealing = match self.sealing.take() {
            Some(sealing) => sealing,
            None => Sealing {
                encoder: Encoder::new()?,
                plaintext: Vec::new(),
            },
        };
        let head = SegmentHead {
            lines: self.lines,
            last,
        };
        sealing.plaintext.clear();
        sealing.plaintext.extend_from_slice(&to_json(&head)?);
        sealing.plaintext.push(b'\n');
        sealing.plaintext.extend_from_slice(&self.buffer);
        let path = format!("{}/{:08}-{:012}", self.folder, self.number, self.first_line);
        self.number += 1;
        self.first_line += self.lines;
        self.lines = 0;
        self.buffer.clear();
        let objects = Arc::clone(&self.objects);
        self.on_its_way = Some(tokio::spawn(send_segment(objects, path, sealing)));
        Ok(())
    }

    async fn wait(&mut self) -> Result<()> {
        if self.lost {
            return Err(Error::Internal {
                doing: "appending to a report",
                why: "an earlier segment could not be sent".into(),
            });
        }
        let Some(task) = &mut self.on_its_way else {
            return Ok(());
        };
        let (sealing, sent) = task.await.unwrap_or_else(|e| (None, Err(stopped(&e))));
        self.sealing = sealing;
        self.on_its_way = None;
        self.lost = sent.is_err();
        sent
    }
}

impl Drop for ReportWriter {
    /// A writer that is dropped stops sending.
    fn drop(&mut self) {
        if let Some(task) = &self.on_its_way {
            task.abort();
        }
    }
}

/// Seals a segment beside the writer, and sends it. What it was sealed with comes back.
async fn send_segment(
    objects: Arc<Objects>,
    path: String,
    mut sealing: Sealing,
) -> (Option<Sealing>, Result<()>) {
    let (sealer, at) = (Arc::clone(&objects), path.clone());
    let seal = move || {
        let sealed = sealing.seal(&sealer, &at);
        (sealing, sealed)
    };
    let (sealing, sealed) = match compression::beside(REPORT_SEGMENT_TARGET, seal).await {
        Ok(done) => done,
        Err(error) => return (None, Err(stopped(&error))),
    };
    let sent = async {
        match objects.create(&path, vec![sealed?]).await? {
            true => Ok(()),
            false => Err(Error::Exists { what: path }),
        }
    };
    (Some(sealing), sent.await)
}

fn stopped(error: &tokio::task::JoinError) -> Error {
    Error::Internal {
        doing: "sending a segment of a report",
        why: error.to_string(),
    }
}

/// A segment as its name tells it.
struct Segment {
    path: String,
    first_line: u64,
}

impl Repository {
    /// Starts the report of one attempt of a job. Attempts do not share a report: the second writer
    /// of the same attempt fails with [`Error::Exists`] at its first segment.
    pub fn report_writer(&self, job: Uuid, attempt: u32) -> ReportWriter {
        ReportWriter {
            objects: Arc::clone(&self.objects),
            folder: folder(job, attempt),
            number: 0,
            first_line: 0,
            lines: 0,
            buffer: Vec::new(),
            sealing: None,
            on_its_way: None,
            lost: false,
            summary: ReportSummary::default(),
        }
    }

    /// Reads lines of a report from line `skip` on: at most `take`, at most
    /// [`REPORT_PAGE_MAX`]. Reads only the segments that hold them, and the last.
    pub async fn read_report(
        &self,
        job: Uuid,
        attempt: u32,
        skip: u64,
        take: u64,
    ) -> Result<ReportPage> {
        let folder = folder(job, attempt);
        let segments = self.segments(&folder).await?;
        let Some(last) = segments.last() else {
            return Err(Error::NotFound {
                what: format!("the report of attempt {attempt} of job {job}"),
            });
        };
        let (head, _) = self.read_segment(last).await?;
        let total = last.first_line + head.lines;
        let end = skip.saturating_add(take.min(REPORT_PAGE_MAX)).min(total);
        let mut lines = Vec::new();
        for (at, segment) in segments.iter().enumerate() {
            let next_first = segments.get(at + 1).map_or(total, |next| next.first_line);
            if segment.first_line >= end || next_first <= skip {
                continue;
            }
            let (head, text) = self.read_segment(segment).await?;
            let next = segments.get(at + 1);
            if next.is_some() && (head.last || segment.first_line + head.lines != next_first) {
                return Err(Error::corrupt(
                    &segment.path,
                    "its lines do not lead to the next",
                ));
            }
            let from =
                usize::try_from(skip.saturating_sub(segment.first_line)).unwrap_or(usize::MAX);
            let want = usize::try_from(end - skip).unwrap_or(usize::MAX) - lines.len();
            lines.extend(
                text.split(|byte| *byte == b'\n')
                    .filter(|line| !line.is_empty())
                    .skip(from)
                    .take(want)
                    .map(<[u8]>::to_vec),
            );
        }
        let next = Some(end).filter(|end| *end < total && *end > skip);
        Ok(ReportPage {
            lines,
            next,
            total,
            complete: head.last,
        })
    }

    /// The jobs that have reports here, each with its attempts that have one, finished or not.
    pub async fn reports(&self) -> Result<BTreeMap<Uuid, BTreeSet<u32>>> {
        let gather = |all: &mut BTreeMap<Uuid, BTreeSet<u32>>, found: Found| {
            if let Some((job, attempt)) = whose(&found.path) {
                all.entry(job).or_default().insert(attempt);
            }
        };
        self.objects.gather("reports", gather).await
    }

    /// Removes the report of one attempt of a job. Doing it again is no error.
    pub async fn delete_report_of(&self, job: Uuid, attempt: u32) -> Result<()> {
        for segment in self.objects.list(&folder(job, attempt)).await? {
            self.objects.delete(&segment.path).await?;
        }
        Ok(())
    }

    /// Removes the reports of all attempts of a job. Doing it again is no error.
    pub async fn delete_report(&self, job: Uuid) -> Result<()> {
        for segment in self.objects.list(&format!("reports/{job}")).await? {
            self.objects.delete(&segment.path).await?;
        }
        Ok(())
    }

    async fn segments(&self, folder: &str) -> Result<Vec<Segment>> {
        let mut segments = Vec::new();
        for (expected, found) in (0_u64..).zip(self.objects.list(folder).await?) {
            let numbers = found
                .path
                .strip_prefix(folder)
                .and_then(|name| name.strip_prefix('/'))
                .and_then(|name| name.split_once('-'))
                .and_then(|(number, first)| {
                    Some((number.parse::<u64>().ok()?, first.parse::<u64>().ok()?))
                });
            match numbers {
                Some((number, first_line)) if number == expected => {
                    segments.push(Segment {
                        path: found.path,
                        first_line,
                    });
                }
                _ => {
                    let why = format!("segment {expected} of the report is missing");
                    return Err(Error::corrupt(folder, why));
                }
            }
        }
        Ok(segments)
    }

    async fn read_segment(&self, segment: &Segment) -> Result<(SegmentHead, Vec<u8>)> {
        let path = &segment.path;
        let plaintext = self
            .objects
            .read_document(Role::Report, path, REPORT_SEGMENT_MAX)
            .await?;
        let cut = plaintext.iter().position(|byte| *byte == b'\n');
        let (head, text) = cut
            .and_then(|cut| plaintext.split_at_checked(cut + 1))
            .ok_or_else(|| Error::corrupt(path, "it has no head"))?;
        let head: SegmentHead = crate::objects::from_json(path, head)?;
        let lines = text.iter().filter(|byte| **byte == b'\n').count() as u64;
        if lines == head.lines {
            Ok((head, text.to_vec()))
        } else {
            Err(Error::corrupt(
                path,
                "it has another number of lines than it says",
            ))
        }
    }
}

#[cfg(test)]
mod tests;
