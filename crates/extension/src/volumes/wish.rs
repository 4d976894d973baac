//! One snapshot that is wanted: what is known of it, and when it is given up. Pure.

use jiff::Timestamp;
use strongroom_core::Code;
use strongroom_kubernetes::snapshots::{ContentState, SnapshotState, content_name};
use tokio::time::Instant;

use super::Waits;
use crate::limits::SNAPSHOT_KEEP_AGAIN;
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
    /// The name of its VolumeSnapshot when it is taken by itself.
    pub(super) name: String,
    /// The group that it is to be taken with, by its place; none when it is taken by itself.
    pub(super) group: Option<usize>,
    /// The name of the VolumeSnapshot that the controllers made of it as a member of a group.
    pub(super) member: Option<String>,
    /// The class by which it is taken.
    pub(super) class: String,
    /// Whether it was asked for, by this attempt or one before.
    pub(super) asked: bool,
    /// When it was, by the API server's clock in whole seconds.
    pub(super) asked_at: Option<Timestamp>,
    /// Its content, once there is one.
    pub(super) content: Option<String>,
    /// Whether its driver was asked for it, or is about to be: from then on the sidecar leaves what we write
    /// on the content.
    pub(super) at_work: bool,
    /// Whether the content stands by itself.
    pub(super) kept: bool,
    /// When that is asked for at the latest, when nothing says that the driver is at work.
    pub(super) keep_after: Option<Instant>,
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

    /// The name of its VolumeSnapshot.
    pub(super) fn snapshot(&self) -> &str {
        self.member.as_deref().unwrap_or(&self.name)
    }

    /// Is taken by itself from now on: its group was given up. What was begun for the group goes with that.
    pub(super) fn leave_group(&mut self) {
        let failed = self.failed.take();
        *self = Self {
            index: self.index,
            namespace: std::mem::take(&mut self.namespace),
            claim: std::mem::take(&mut self.claim),
            uid: std::mem::take(&mut self.uid),
            volume_handle: std::mem::take(&mut self.volume_handle),
            name: std::mem::take(&mut self.name),
            class: std::mem::take(&mut self.class),
            failed,
            ..Self::default()
        };
    }

    /// Whether it is cut, or never will be.
    pub(super) fn is_cut_or_lost(&self) -> bool {
        self.failed.is_some() || self.cut.is_some()
    }

    /// Whether there is nothing more to wait for.
    pub(super) fn is_over(&self) -> bool {
        self.failed.is_some() || (self.ready && self.cut.is_some() && self.kept)
    }

    /// Takes in what an attempt before this one made.
    pub(super) fn adopt(&mut self, content: &ContentState) {
        self.asked = true;
        if self.group.is_some() {
            self.member = Some(content.made_for.1.clone());
        }
        self.kept = content.retained;
        self.content = Some(content.name.clone());
    }

    /// Takes in news of its content, which may not be marked yet.
    pub(super) fn hear(&mut self, content: &ContentState) {
        self.content = Some(content.name.clone());
        self.learn(content);
    }

    /// Whether its content is to be made to stand by itself now.
    pub(super) fn is_to_keep(&self, now: Instant) -> bool {
        let is_due = self.at_work || self.keep_after.is_some_and(|after| now >= after);
        is_due && self.content.is_some() && !self.kept && self.failed.is_none()
    }

    /// Takes in that its content was not there.
    pub(super) fn keep_again(&mut self, now: Instant) {
        self.at_work = false;
        self.keep_after = Some(now + SNAPSHOT_KEEP_AGAIN);
    }

    /// Takes in how far its content is.
    pub(super) fn learn(&mut self, content: &ContentState) {
        self.at_work |= content.at_work;
        self.cut = self.cut.or(content.cut);
        self.ready |= content.ready;
    }

    /// Takes in what its VolumeSnapshot and its content say, the latter once it is marked. Whether that is
    /// trouble not heard before.
    pub(super) fn see(
        &mut self,
        snapshot: Option<&SnapshotState>,
        content: Option<&ContentState>,
        now: Instant,
    ) -> bool {
        if snapshot.is_none() && content.is_none() {
            if self.asked {
                let reason = "the snapshot was removed before the driver had finished it";
                self.fail(Code::VolumeSnapshotFailed, reason);
            }
            return false;
        }
        if let Some(snapshot) = snapshot {
            self.asked_at = snapshot.asked;
            // A member is made when its group is cut.
            self.at_work |= snapshot.group.is_some() || snapshot.cut.is_some();
            if snapshot.group.is_some() {
                self.member = Some(snapshot.name.clone());
            }
            self.keep_after.get_or_insert(now + SNAPSHOT_KEEP_AGAIN);
            // The content of a member has a name that nobody has published.
            let predicted = || {
                snapshot
                    .group
                    .is_none()
                    .then(|| content_name(&snapshot.uid))
            };
            self.content = snapshot.content.clone().or_else(predicted);
            self.cut = self.cut.or(snapshot.cut);
            self.ready |= snapshot.ready;
        }
        if let Some(content) = content {
            self.learn(content);
        }
        let words = content.and_then(|content| content.error.as_ref());
        let words = words.or_else(|| snapshot.and_then(|snapshot| snapshot.error.as_ref()));
        let Some(words) = words.filter(|_| !self.ready) else {
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
        group: Duration::from_secs(20),
        group_trouble: Duration::from_secs(5),
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
        assert!(wish.see(Some(&troubled), None, began));
        assert!(!wish.see(Some(&troubled), None, began));
        wish.see(Some(&SnapshotState::default()), None, began);
        wish.judge("d", began + Duration::from_secs(50), began, &WAITS);
        assert_eq!(code(&wish), "");
        wish.see(Some(&troubled), None, began + Duration::from_secs(50));
        wish.judge("d", began + Duration::from_secs(61), began, &WAITS);
        assert_eq!(code(&wish), "VolumeSnapshotFailed");
    }

    #[tokio::test]
    async fn a_content_is_kept_once_its_driver_is_at_work_or_nothing_says_so_for_a_while() {
        let began = Instant::now();
        let snapshot = SnapshotState {
            uid: "u".to_owned(),
            ..SnapshotState::default()
        };
        let mut wish = asked();
        wish.see(Some(&snapshot), None, began);
        assert_eq!(wish.content.as_deref(), Some("snapcontent-u"));
        assert!(!wish.is_to_keep(began));
        let mut silent = wish.clone();
        silent.see(Some(&snapshot), None, began + SNAPSHOT_KEEP_AGAIN);
        assert!(silent.is_to_keep(began + SNAPSHOT_KEEP_AGAIN));
        silent.keep_again(began + SNAPSHOT_KEEP_AGAIN);
        assert!(!silent.is_to_keep(began + SNAPSHOT_KEEP_AGAIN));
        let mut content = ContentState {
            name: "snapcontent-u".to_owned(),
            ..ContentState::default()
        };
        wish.hear(&content);
        assert!(!wish.is_to_keep(began), "the sidecar has yet to begin");
        content.at_work = true;
        wish.hear(&content);
        assert!(wish.is_to_keep(began));
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
        wish.see(None, None, Instant::now());
        assert_eq!(code(&wish), "VolumeSnapshotFailed");
        let content = ContentState {
            cut: Some(Timestamp::UNIX_EPOCH),
            retained: true,
            ready: true,
            ..ContentState::default()
        };
        let mut kept = Wish::default();
        kept.adopt(&content);
        kept.see(None, Some(&content), Instant::now());
        assert_eq!(code(&kept), "");
        assert!(kept.is_over());
    }

    #[tokio::test]
    async fn what_the_content_says_counts_before_the_snapshot_says_it() {
        let mut wish = asked();
        let snapshot = SnapshotState {
            uid: "u".to_owned(),
            ..SnapshotState::default()
        };
        wish.see(Some(&snapshot), None, Instant::now());
        assert_eq!(wish.content.as_deref(), Some("snapcontent-u"));
        let content = ContentState {
            cut: Some(Timestamp::UNIX_EPOCH),
            ..ContentState::default()
        };
        wish.see(Some(&snapshot), Some(&content), Instant::now());
        assert!(wish.is_cut_or_lost());
        assert!(!wish.is_over());
    }
}
