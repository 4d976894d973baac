//! Removing packs that nothing needs, in two phases, without ever stopping a writer.
//!
//! Phase one writes a mark: the list of packs that no manifest and no living claim needs. Phase two,
//! in a later call, removes those of them that are still unneeded, once the mark and the pack are
//! both older than the minimum age. All ages are differences of the store's own times (the time of
//! the mark just written is "now"), so that no clock of ours matters. The order of the lists
//! protects those at work: manifests first, then claims (see `write/claim.rs`), then packs.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::crypto::Role;
use crate::error::{Error, Result};
use crate::id::PackId;
use crate::limits::{IN_FLIGHT_MAX_AGE, MARK_MAX};
use crate::manifest::Manifest;
use crate::objects::{Found, from_json, to_json};
use crate::repository::Repository;
use crate::write::Claim;

/// What a prune did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PruneReport {
    /// Packs that something needs.
    pub kept: u64,
    /// Packs that nothing needs, left until their marks are old enough.
    pub marked: u64,
    /// Packs removed.
    pub removed: u64,
    /// Their bytes.
    pub removed_bytes: u64,
    /// Points being written, whose packs are protected.
    pub in_flight: u64,
}

/// The state of a repository that a prune left with nothing more to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    points: [u8; 32],
    packs: [u8; 32],
}

/// The plaintext of a mark.
#[derive(Serialize, Deserialize)]
struct Mark {
    packs: Vec<PackId>,
}

/// What must stay. 24 bytes a needed pack: the memory of a prune.
#[derive(Default)]
struct Needed {
    packs: BTreeSet<PackId>,
    points: BTreeSet<Uuid>,
}

impl Needed {
    fn has(&self, pack: PackId) -> bool {
        self.packs.contains(&pack) || self.points.contains(&pack.point)
    }
}

impl Repository {
    /// Marks the packs that nothing needs and removes those that were marked at least `min_age`
    /// ago. Choose it longer than the longest pause of a writer between two calls to the store; with
    /// zero, one call marks and removes.
    ///
    /// Refuses to remove anything when a manifest or a claim does not open: what it needs is unknown
    /// ([`Error::Corrupt`] names it).
    pub async fn prune(&self, min_age: Duration) -> Result<PruneReport> {
        let (report, _) = self.prune_since(min_age, None).await?;
        Ok(report)
    }

    /// As [`Self::prune`], but reads nothing when the repository is as an earlier call left it with
    /// nothing more to do: two listings then. What that was is given back for the next call; none
    /// when something is left to do.
    pub async fn prune_since(
        &self,
        min_age: Duration,
        settled: Option<Settled>,
    ) -> Result<(PruneReport, Option<Settled>)> {
        if let Some(settled) = settled {
            let (now, kept) = self.contents().await?;
            if now == settled {
                let report = PruneReport {
                    kept,
                    ..PruneReport::default()
                };
                return Ok((report, Some(settled)));
            }
        }
        let before = self.contents().await?.0;
        let report = self.prune_now(min_age).await?;
        let after = self.contents().await?.0;
        // What came or went meanwhile was perhaps not looked at.
        let at_rest = report.marked == 0 && report.removed == 0 && report.in_flight == 0;
        Ok((
            report,
            Some(after).filter(|after| at_rest && *after == before),
        ))
    }

    /// What is in the folders of points and packs, in 32 bytes, and the number of packs.
    async fn contents(&self) -> Result<(Settled, u64)> {
        let gather = |(sum, count): &mut ([u8; 32], u64), found: Found| {
            let facts = format!("{} {} {}", found.path, found.size, found.written_ms);
            let hash = blake3::hash(facts.as_bytes());
            // In whatever order they are listed: each path is there once.
            for (to, from) in sum.iter_mut().zip(hash.as_bytes()) {
                *to ^= from;
            }
            *count += 1;
        };
        let (points, _) = self.objects.gather("points", gather).await?;
        let (packs, count) = self.objects.gather("packs", gather).await?;
        Ok((Settled { points, packs }, count))
    }

    async fn prune_now(&self, min_age: Duration) -> Result<PruneReport> {
        let mut report = PruneReport::default();
        let now = self.store_time().await?;
        let sealed = self.points().await?;
        let mut needed = Needed::default();
        for point in &sealed {
            let (manifest, _) = Manifest::read(&self.objects, *point).await?;
            needed
                .packs
                .extend(manifest.packs.iter().map(|pack| pack.pack));
        }
        self.heed_claims(&sealed, now, min_age, &mut needed).await?;
        let at_work = needed
            .points
            .iter()
            .filter(|point| sealed.binary_search(point).is_err());
        report.in_flight = at_work.count() as u64;

        let gather = |(kept, candidates): &mut (u64, BTreeMap<PackId, Found>), found: Found| {
            let pack = found
                .path
                .strip_prefix("packs/")
                .and_then(|path| path.parse().ok());
            match pack {
                Some(pack) if !needed.has(pack) => drop(candidates.insert(pack, found)),
                _ => *kept += 1,
            }
        };
        let (kept, candidates) = self.objects.gather("packs", gather).await?;
        report.kept = kept;
        let (now, ripe) = self.mark(&candidates, min_age).await?;
        for (pack, found) in candidates {
            if ripe.contains(&pack) && age(now, found.written_ms) >= min_age {
                self.objects.delete(&found.path).await?;
                report.removed += 1;
                report.removed_bytes += found.size;
            } else {
                report.marked += 1;
            }
        }
        Ok(report)
    }

    /// The store's own time, in milliseconds since 1970: that of an object just written.
    async fn store_time(&self) -> Result<i64> {
        let path = self.new_mark_path();
        self.write_mark(&path, Mark { packs: Vec::new() }).await?;
        let now = self.objects.head(&path).await?.written_ms;
        self.objects.delete(&path).await?;
        Ok(now)
    }

    /// Adds what writers at work need, and removes the claims of those that are done or dead.
    async fn heed_claims(
        &self,
        sealed: &[Uuid],
        now: i64,
        min_age: Duration,
        needed: &mut Needed,
    ) -> Result<()> {
        for found in self.objects.list("points").await? {
            let Some(point) = point_of_claim(&found.path) else {
                continue;
            };
            let age = age(now, found.written_ms);
            let is_sealed = sealed.binary_search(&point).is_ok();
            let limit = if is_sealed {
                min_age
            } else {
                IN_FLIGHT_MAX_AGE.max(min_age)
            };
            if age >= limit {
                self.objects.delete(&found.path).await?;
                continue;
            }
            match Claim::read(&self.objects, &found.path).await {
                Ok(claim) => {
                    needed
                        .packs
                        .extend(claim.packs.iter().map(|pack| pack.pack));
                    needed.points.insert(point);
                }
                // Removed since the list was made, by delete_point.
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Writes the mark of this call and returns the store's time with the packs of all marks that
    /// are old enough. Marks that are wholly dealt with go.
    async fn mark(
        &self,
        candidates: &BTreeMap<PackId, Found>,
        min_age: Duration,
    ) -> Result<(i64, BTreeSet<PackId>)> {
        let mut ripe = BTreeSet::new();
        let before = self.objects.list("prune").await?;
        let path = self.new_mark_path();
        self.write_mark(
            &path,
            Mark {
                packs: candidates.keys().copied().collect(),
            },
        )
        .await?;
        let written = self.objects.head(&path).await?;
        let now = written.written_ms;
        for found in before.into_iter().chain([written]) {
            if age(now, found.written_ms) < min_age {
                continue;
            }
            let mark = match self
                .objects
                .read_document(Role::Mark, &found.path, MARK_MAX)
                .await
            {
                Ok(plaintext) => from_json::<Mark>(&found.path, &plaintext)?,
                Err(error) if error.is_not_found() => continue,
                // One that does not open names no pack. It was written by half, or spoilt since: what
                // it named is marked anew.
                Err(error) if error.is_corrupt() => Mark { packs: Vec::new() },
                Err(error) => return Err(error),
            };
            ripe.extend(
                mark.packs
                    .into_iter()
                    .filter(|pack| candidates.contains_key(pack)),
            );
            // What it names is removed now, or needed again and marked anew when it is not. If this
            // call is cut short the packs wait for the marks of later calls.
            self.objects.delete(&found.path).await?;
        }
        if candidates.is_empty() {
            self.objects.delete(&path).await?;
        }
        Ok((now, ripe))
    }

    fn new_mark_path(&self) -> String {
        format!(
            "prune/{:032x}",
            u128::from_be_bytes(self.objects.random.draw())
        )
    }

    async fn write_mark(&self, path: &str, mark: Mark) -> Result<()> {
        let bytes = self
            .objects
            .seal_document(Role::Mark, path, &to_json(&mark)?)?;
        match self.objects.create(path, vec![bytes]).await? {
            true => Ok(()),
            false => Err(Error::Exists { what: path.into() }),
        }
    }
}

fn age(now_ms: i64, then_ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(now_ms.saturating_sub(then_ms)).unwrap_or(0))
}

fn point_of_claim(path: &str) -> Option<Uuid> {
    let (point, _) = path.strip_prefix("points/")?.split_once("/writers/")?;
    Uuid::from_str(point).ok()
}
