//! One snapshot that is wanted: what is known of it, and when it is given up. Pure.

use jiff::Timestamp;
use strongroom_core::Code;
use strongroom_kubernetes::snapshots::SnapshotState;
use tokio::time::Instant;

use super::Waits;
use crate::point::volumes::Without;

/// A snapshot that is wanted of a claim.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Wish {
    /// The claim's place among those that were weighed.
    pub(super) index: usize,
    pub(super) namespace: String,
    pub(super) claim: String,
    pub(super) uid: String,
    /// The name under which the driver knows the claim's volume.
    pub(super) volume_handle: String,
    /// The VolumeSnapshot's name.
    pub(super) name: String,
    /// The class by which it is taken.
    pub(super) class: String,
    /// Whether it was asked for, by this attempt or one before.
    pub(super) asked: bool,
    /// When it was, by the API server's clock in whole seconds.
    pub(super) asked_at: Option<Timestamp>,
    /// Its content, once there is one.
    pub(super) content: Option<String>,
    /// Whether the content stands by itself.
    pub(super) kept: bool,
    /// The instant whose state it holds.
    pub(super) cut: Option<Timestamp>,
    /// Whether volumes can be made from it.
    pub(super) ready: bool,
    /// The trouble that it has, and since when.
    pub(super) trouble: Option<(Instant, String)>,
    /// Why it is given up.
    pub(super) failed: Option<Without>,
}

impl Wish {
    /// Gives it up.
    pub(super) fn fail(&mut self, code: Code, reason: impl Into<String>) {
        self.failed.get_or_insert_with(|| Without {
            code: code.as_str().to_owned(),
            reason: reason.into(),
        });
    }

    /// Whether it is cut, or never will be.
    pub(super) fn is_cut_or_lost(&self) -> bool {
        self.failed.is_some() || self.cut.is_some()
    }

    /// Whether there is nothing more to wait for.
    pub(super) fn is_over(&self) -> bool {
        self.failed.is_some() || (self.ready && self.cut.is_some() && self.kept)
    }

    /// Takes in what its VolumeSnapshot says. Whether that is trouble not heard before.
    pub(super) fn see(&mut self, found: Option<&SnapshotState>, now: Instant) -> bool {
        let Some(found) = found else {
            if self.asked && !self.kept {
                let reason =
                    "the VolumeSnapshot was removed before the driver had made the snapshot";
                self.fail(Code::VolumeSnapshotFailed, reason);
            }
            return false;
        };
        self.asked_at = found.asked;
        if found.content.is_some() {
            self.content.clone_from(&found.content);
        }
        self.cut = self.cut.or(found.cut);
        self.ready = found.ready;
        let Some(words) = found.error.as_ref().filter(|_| !found.ready) else {
            self.trouble = None;
            return false;
        };
        let (since, before) = self.trouble.take().unwrap_or((now, String::new()));
        let new = before != *words;
        self.trouble = Some((since, words.clone()));
        new
    }

    /// Gives it up when it takes too long. `began` is when it was asked for at the latest.
    pub(super) fn judge(&mut self, driver: &str, now: Instant, began: Instant, waits: &Waits) {
        if self.is_over() {
            return;
        }
        let waited = now.saturating_duration_since(began);
        let trouble = self.trouble.clone();
        if self.cut.is_none() {
            let lasting = trouble
                .as_ref()
                .filter(|(since, _)| now.saturating_duration_since(*since) >= waits.trouble);
            if let Some((_, words)) = lasting {
                self.fail(Code::VolumeSnapshotFailed, words.clone());
            } else if waited >= waits.cut {
                let reason = format!(
                    "the driver {driver} had not made the snapshot after {} s{}",
                    waited.as_secs(),
                    told(trouble)
                );
                self.fail(Code::VolumeSnapshotNotReady, reason);
            }
        } else if waited >= waits.cut + waits.ready {
            let reason = format!(
                "the driver {driver} had not finished the snapshot after {} s{}",
                waited.as_secs(),
                told(trouble)
            );
            self.fail(Code::VolumeSnapshotNotReady, reason);
        }
    }
}

fn told(trouble: Option<(Instant, String)>) -> String {
    trouble.map_or_else(String::new, |(_, words)| format!(" ({words})"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const WAITS: Waits = Waits {
        cut: Duration::from_secs(100),
        ready: Duration::from_secs(1000),
        trouble: Duration::from_secs(10),
        gone: Duration::from_secs(1),
    };

    fn asked() -> Wish {
        Wish {
            asked: true,
            ..Wish::default()
        }
    }

    fn code(wish: &Wish) -> &str {
        wish.failed
            .as_ref()
            .map_or("", |failed| failed.code.as_str())
    }

    #[tokio::test]
    async fn trouble_that_passes_is_forgotten_and_trouble_that_lasts_ends_the_wish() {
        let began = Instant::now();
        let troubled = SnapshotState {
            error: Some("busy".to_owned()),
            ..SnapshotState::default()
        };
        let mut wish = asked();
        assert!(wish.see(Some(&troubled), began));
        assert!(!wish.see(Some(&troubled), began));
        wish.see(Some(&SnapshotState::default()), began);
        wish.judge("d", began + Duration::from_secs(50), began, &WAITS);
        assert_eq!(code(&wish), "");
        wish.see(Some(&troubled), began + Duration::from_secs(50));
        wish.judge("d", began + Duration::from_secs(61), began, &WAITS);
        assert_eq!(code(&wish), "VolumeSnapshotFailed");
    }

    #[tokio::test]
    async fn a_driver_that_never_cuts_and_one_that_never_finishes_are_told_apart_by_their_time() {
        let began = Instant::now();
        let mut wish = asked();
        wish.judge("d", began + Duration::from_secs(99), began, &WAITS);
        assert_eq!(code(&wish), "");
        let mut slow = wish.clone();
        wish.judge("d", began + Duration::from_secs(100), began, &WAITS);
        assert_eq!(code(&wish), "VolumeSnapshotNotReady");
        slow.cut = Some(Timestamp::UNIX_EPOCH);
        slow.judge("d", began + Duration::from_secs(1_099), began, &WAITS);
        assert_eq!(code(&slow), "");
        slow.judge("d", began + Duration::from_secs(1_100), began, &WAITS);
        assert_eq!(code(&slow), "VolumeSnapshotNotReady");
    }

    #[tokio::test]
    async fn a_snapshot_that_was_removed_under_our_hands_is_lost_unless_its_content_stands_by_itself()
     {
        let mut wish = asked();
        wish.see(None, Instant::now());
        assert_eq!(code(&wish), "VolumeSnapshotFailed");
        let mut kept = Wish {
            kept: true,
            ..asked()
        };
        kept.see(None, Instant::now());
        assert_eq!(code(&kept), "");
    }
}
