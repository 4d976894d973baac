//! One group snapshot that is wanted: what is known of it, and when it is given up for single ones. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use strongroom_kubernetes::snapshots::group::group_content_name;
use strongroom_kubernetes::snapshots::{GroupContentState, GroupState};
use tokio::time::Instant;

use super::Waits;

/// A group snapshot that is wanted of claims of one namespace, on volumes of one driver.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct GroupWish {
    pub(super) namespace: String,
    pub(super) driver: String,
    /// The VolumeGroupSnapshot's name.
    pub(super) name: String,
    /// The VolumeGroupSnapshotClass by which it is taken.
    pub(super) class: String,
    /// Why by this one.
    pub(super) why: &'static str,
    /// The labels that select its claims.
    pub(super) labels: BTreeMap<String, String>,
    /// The names under which the driver knows the volumes that are to be in it.
    pub(super) volumes: BTreeSet<String>,
    /// Whether it was asked for, by this attempt or one before.
    pub(super) asked: bool,
    /// The VolumeGroupSnapshot's uid, once it is known.
    pub(super) uid: Option<String>,
    /// Its content's name, once it is known.
    pub(super) content: Option<String>,
    /// Whether the content stands by itself.
    pub(super) kept: bool,
    /// The content is not there yet, although its name is known: before this it is not asked for again.
    pub(super) keep_after: Option<Instant>,
    /// The name under which the driver knows it, once it is cut.
    pub(super) handle: String,
    /// The instant whose state all its members hold.
    pub(super) cut: Option<Timestamp>,
    /// Since when it is cut and some of its members are not to be seen.
    pub(super) lacks_members: Option<Instant>,
    /// The trouble that it has, and since when.
    pub(super) trouble: Option<(Instant, String)>,
    /// Why it is given up.
    pub(super) failed: Option<String>,
}

impl GroupWish {
    /// Gives it up.
    pub(super) fn fail(&mut self, reason: impl Into<String>) {
        self.failed.get_or_insert_with(|| reason.into());
    }

    /// Whether something is still to be seen of it.
    pub(super) fn is_wanted(&self) -> bool {
        self.failed.is_none() && !(self.cut.is_some() && self.kept)
    }

    /// Takes in what its VolumeGroupSnapshot and its content say, the latter once it is marked.
    pub(super) fn see(
        &mut self,
        group: Option<&GroupState>,
        content: Option<&GroupContentState>,
        now: Instant,
    ) {
        if let Some(group) = group {
            if group.content.is_some() {
                self.keep_after = None;
            }
            let predicted = || group_content_name(&group.uid);
            self.content = Some(group.content.clone().unwrap_or_else(predicted));
            self.uid = Some(group.uid.clone());
        }
        if let Some(content) = content {
            self.learn(content);
        }
        if self.cut.is_some() {
            return;
        }
        let is_going = group.is_some_and(|group| group.terminating);
        if group.is_none() && content.is_none() || is_going {
            self.fail("it was removed before the driver had cut it");
            return;
        }
        let words = content.and_then(|content| content.error.clone());
        let words = words.or_else(|| group.and_then(|group| group.error.clone()));
        self.trouble = words.map(|words| match self.trouble.take() {
            Some((since, _)) => (since, words),
            None => (now, words),
        });
    }

    /// Takes in how far its content is.
    pub(super) fn learn(&mut self, content: &GroupContentState) {
        self.content = Some(content.name.clone());
        self.uid = Some(content.made_for_uid.clone());
        // The sidecar may have put annotations of its own in the place of all that were there.
        self.kept = content.retained && content.recovery_point.is_some() && content.job.is_some();
        if content.terminating {
            self.fail("it is being removed");
            return;
        }
        let taken: BTreeSet<String> = content.volumes.iter().cloned().collect();
        if taken != self.volumes {
            self.fail(format!(
                "its labels selected {} volumes and not the {} of these claims: they were changed while the backup ran",
                taken.len(),
                self.volumes.len()
            ));
            return;
        }
        if let Some(handle) = &content.handle {
            self.handle.clone_from(handle);
            self.cut = self.cut.or(content.cut);
        }
    }

    /// Why its members will not come any more, when it is cut and some are still not to be seen: they come
    /// with the snapshot controller's next look.
    pub(super) fn lacks_members(&mut self, now: Instant, waits: &Waits) -> Option<String> {
        let since = *self.lacks_members.get_or_insert(now);
        let waited = now.saturating_duration_since(since);
        (waited >= waits.group).then(|| {
            format!(
                "it was cut, and the snapshot controller had not made its members after {} s",
                waited.as_secs()
            )
        })
    }

    /// Gives it up when it takes too long. `began` is when it was asked for at the latest, `most` how long it
    /// may take because of what is frozen for it.
    pub(super) fn judge(
        &mut self,
        now: Instant,
        began: Instant,
        waits: &Waits,
        most: Option<Duration>,
    ) {
        if self.cut.is_some() || self.failed.is_some() {
            return;
        }
        let lasting = self.trouble.clone();
        let lasting = lasting
            .filter(|(since, _)| now.saturating_duration_since(*since) >= waits.group_trouble);
        if let Some((_, words)) = lasting {
            self.fail(words);
            return;
        }
        let waited = now.saturating_duration_since(began);
        if waited >= most.unwrap_or(waits.group).min(waits.group) {
            let words = self
                .trouble
                .as_ref()
                .map(|(_, words)| format!(" ({words})"));
            self.fail(format!(
                "the driver {} had not cut it after {} s{}",
                self.driver,
                waited.as_secs(),
                words.unwrap_or_default()
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAITS: Waits = Waits {
        cut: Duration::from_secs(100),
        ready: Duration::from_secs(1000),
        trouble: Duration::from_secs(10),
        gone: Duration::from_secs(1),
        group: Duration::from_secs(20),
        group_trouble: Duration::from_secs(5),
    };

    fn asked() -> GroupWish {
        GroupWish {
            asked: true,
            volumes: ["a".to_owned(), "b".to_owned()].into(),
            ..GroupWish::default()
        }
    }

    fn content() -> GroupContentState {
        GroupContentState {
            name: "groupsnapcontent-u".into(),
            made_for_uid: "u".into(),
            volumes: vec!["b".into(), "a".into()],
            ..GroupContentState::default()
        }
    }

    #[tokio::test]
    async fn a_group_is_cut_when_the_driver_has_given_it_a_name() {
        let now = Instant::now();
        let mut wish = asked();
        let group = GroupState {
            uid: "u".into(),
            ..GroupState::default()
        };
        wish.see(Some(&group), None, now);
        assert_eq!(wish.content.as_deref(), Some("groupsnapcontent-u"));
        assert!(wish.is_wanted());
        let cut = GroupContentState {
            handle: Some("g".into()),
            cut: Some(Timestamp::UNIX_EPOCH),
            retained: true,
            recovery_point: Some(uuid::Uuid::nil()),
            job: Some(uuid::Uuid::nil()),
            ..content()
        };
        wish.see(None, Some(&cut), now);
        assert_eq!((wish.cut, wish.kept), (cut.cut, true));
        assert!(!wish.is_wanted());
        wish.see(None, None, now);
        assert_eq!(wish.failed, None, "what is cut stands");
    }

    #[tokio::test]
    async fn a_group_of_other_volumes_than_the_claims_is_given_up() {
        let mut wish = asked();
        let other = GroupContentState {
            volumes: vec!["a".into(), "b".into(), "c".into()],
            handle: Some("g".into()),
            cut: Some(Timestamp::UNIX_EPOCH),
            ..content()
        };
        wish.see(None, Some(&other), Instant::now());
        assert_eq!(wish.cut, None);
        let reason = wish.failed.unwrap();
        assert!(
            reason.contains("selected 3 volumes and not the 2"),
            "{reason}"
        );
    }

    #[tokio::test]
    async fn trouble_that_lasts_and_a_driver_that_hangs_leave_time_for_single_snapshots() {
        let began = Instant::now();
        let at = |seconds: u64| began + Duration::from_secs(seconds);
        let busy = GroupContentState {
            error: Some("busy".into()),
            ..content()
        };
        let mut wish = asked();
        wish.see(None, Some(&busy), began);
        wish.judge(at(4), began, &WAITS, None);
        assert_eq!(wish.failed, None);
        let mut passing = wish.clone();
        wish.judge(at(5), began, &WAITS, None);
        assert_eq!(wish.failed.as_deref(), Some("busy"));
        passing.see(None, Some(&content()), at(4));
        passing.judge(at(19), began, &WAITS, None);
        assert_eq!(passing.failed, None);
        let mut frozen = passing.clone();
        frozen.judge(at(8), began, &WAITS, Some(Duration::from_secs(8)));
        assert!(frozen.failed.unwrap().contains("after 8 s"));
        passing.judge(at(20), began, &WAITS, Some(Duration::from_secs(60)));
        assert!(
            passing
                .failed
                .unwrap()
                .contains("had not cut it after 20 s")
        );
    }

    #[tokio::test]
    async fn members_that_do_not_come_are_not_waited_for_without_end() {
        let began = Instant::now();
        let mut wish = asked();
        assert_eq!(wish.lacks_members(began, &WAITS), None);
        let later = began + Duration::from_secs(19);
        assert_eq!(wish.lacks_members(later, &WAITS), None);
        let reason = wish.lacks_members(began + Duration::from_secs(20), &WAITS);
        assert!(reason.unwrap().contains("after 20 s"));
    }

    #[tokio::test]
    async fn a_group_that_was_removed_under_our_hands_is_given_up() {
        let mut wish = asked();
        wish.see(None, None, Instant::now());
        assert!(wish.failed.is_some());
        let mut wish = asked();
        let going = GroupState {
            terminating: true,
            ..GroupState::default()
        };
        wish.see(Some(&going), None, Instant::now());
        assert!(wish.failed.is_some());
    }
}
