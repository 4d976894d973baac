//! Which recovery points go: never the latest, never by a wrong clock alone.

use jiff::{SignedDuration, ToSpan as _};

use super::super::expiry::judge;
use super::*;
use crate::limits::{CLOCK_DISTRUST_MAX, CLOCK_LEAP_MIN};

#[test]
fn every_point_that_stays_says_why() {
    let now = at("2026-03-09T00:00:00Z");
    let over = Some(at("2026-03-08T00:00:00Z"));
    let asked = |expires, circumstances| match judge(expires, now, &circumstances) {
        Verdict::Keep(why) => why.to_string(),
        Verdict::Expire { since } => format!("expired at {since}"),
    };
    let told = [
        asked(None, Circumstances::default()),
        asked(Some(at("2026-03-09T00:00:01Z")), Circumstances::default()),
        asked(
            over,
            Circumstances {
                always: Some(Keep::Newest),
                ..Circumstances::default()
            },
        ),
        asked(
            over,
            Circumstances {
                always: Some(Keep::MadeLast),
                ..Circumstances::default()
            },
        ),
        asked(
            over,
            Circumstances {
                always: Some(Keep::NewestSound),
                ..Circumstances::default()
            },
        ),
        asked(
            over,
            Circumstances {
                in_use_by: Some("j1".into()),
                ..Circumstances::default()
            },
        ),
        asked(
            over,
            Circumstances {
                suspended: Some("ProtectionStopped".into()),
                ..Circumstances::default()
            },
        ),
        asked(
            over,
            Circumstances {
                untrusted_for: Some(SignedDuration::from_secs(90)),
                ..Circumstances::default()
            },
        ),
        asked(over, Circumstances::default()),
        asked(Some(now), Circumstances::default()),
    ];
    insta::assert_snapshot!(told.join("\n"), @r"
    it has no expiry time
    its time ends at 2026-03-09T00:00:01Z
    it is the newest recovery point of its instance
    it is the last recovery point that was made
    it is the newest recovery point that is not known to be damaged
    job j1 needs it
    the instance's protection state is ProtectionStopped
    the clock leapt and is not trusted for 90 more seconds
    expired at 2026-03-08T00:00:00Z
    expired at 2026-03-09T00:00:00Z
    ");
}

#[test]
fn in_an_immutable_vault_a_point_waits_until_the_server_ran_for_its_time() {
    let now = at("2026-03-09T00:00:00Z");
    let circumstances = Circumstances {
        owed: Some(SignedDuration::from_hours(2)),
        ..Circumstances::default()
    };
    let Verdict::Keep(why) = judge(Some(now), now, &circumstances) else {
        panic!("it goes although it is owed two hours");
    };
    assert_eq!(
        why.to_string(),
        "its vault is immutable, and the server has yet to run for 7200 seconds of its time"
    );
}

#[test]
fn behind_a_damaged_newest_point_the_newest_sound_one_stays_too() {
    let latest = Latest::of([(5, true), (4, true), (3, false), (2, false)], Some(5));
    let kept: Vec<Option<Keep>> = [5, 4, 3, 2].map(|id| latest.keeps(id)).into();
    assert_eq!(
        kept,
        [Some(Keep::Newest), None, Some(Keep::NewestSound), None]
    );
    // A cluster whose clock was a month ahead once: what is made after it is the latest all the same.
    let latest = Latest::of([(1, false), (7, false)], Some(7));
    assert_eq!(latest.keeps(7), Some(Keep::MadeLast));
}

#[test]
fn a_policy_that_keeps_longer_now_prolongs_and_one_that_keeps_shorter_takes_nothing_back() {
    let policy = spec().validate().unwrap();
    let created = at("2026-03-01T00:00:00Z");
    let promised = |text: &str| Some(at(text));
    let expiry = |tag: &str, was| policy.expiry(tag, created, was);
    let week = promised("2026-03-08T00:00:00Z");
    assert_eq!(expiry("default", promised("2026-03-02T00:00:00Z")), week);
    let year = promised("2027-03-01T00:00:00Z");
    assert_eq!(expiry("Default", year), year);
    assert_eq!(expiry("Gone", year), year);
    assert_eq!(expiry("Default", None), None);
}

#[test]
fn the_only_copy_stays_as_long_as_any_store_is_to_keep_it() {
    let mut tiers = spec();
    tiers.retention[0].lifecycles.push(LifecycleSpec {
        source_data_store: "VaultStore".into(),
        delete_after: "P30D".into(),
        ..LifecycleSpec::default()
    });
    let policy = tiers.validate().unwrap();
    let rule = policy.retention_of("Default").unwrap();
    let created = at("2026-03-01T00:00:00Z");
    assert_eq!(rule.kept_until(created), Some(created + 720.hours()));
}

#[test]
fn after_a_leap_of_the_clock_nothing_goes_for_a_while_and_then_it_is_believed() {
    let clock = RetentionClock::new(at("2026-03-01T00:00:00Z"));
    let minute = SignedDuration::from_secs(60);
    let (clock, leap) = clock.look(at("2026-03-01T00:01:30Z"), minute);
    assert_eq!((clock.untrusted_for(), leap), (None, None));
    let mut now = at("2036-03-01T00:00:00Z");
    let (mut clock, leap) = clock.look(now, minute);
    assert!(leap.is_some_and(|leap| leap.by > SignedDuration::from_hours(80_000)));
    let mut looks = 0;
    while clock.untrusted_for().is_some() {
        now += minute;
        (clock, _) = clock.look(now, minute);
        looks += 1;
    }
    assert_eq!(minute * looks, CLOCK_DISTRUST_MAX);
    // A clock that is put back ends no time.
    let (clock, leap) = clock.look(at("2026-03-01T07:00:00Z"), minute);
    assert_eq!((clock.untrusted_for(), leap), (None, None));
}

#[test]
fn a_downtime_holds_retention_no_longer_than_it_took() {
    let clock = RetentionClock::new(at("2026-03-01T00:00:00Z"));
    let restarted = clock.look(at("2026-03-01T00:20:00Z"), SignedDuration::ZERO);
    assert_eq!(restarted.0.untrusted_for(), None);
    let (down, _) = clock.look(at("2026-03-01T02:00:00Z"), SignedDuration::ZERO);
    assert_eq!(down.untrusted_for(), Some(SignedDuration::from_hours(2)));
}

/// A point: its own time, how long it is kept, whether it is known to be damaged.
fn any_points() -> impl Strategy<Value = Vec<(i64, i64, bool)>> {
    prop::collection::vec((0i64..1_000_000, 1i64..500_000, any::<bool>()), 1..40)
}

proptest! {
    #[test]
    fn whatever_the_clock_shows_the_latest_stays_and_nothing_goes_before_its_time(
        points in any_points(), looks in prop::collection::vec(0i64..4_000_000_000, 1..20),
    ) {
        let second = |second: i64| Timestamp::from_second(second).unwrap();
        let mut left: Vec<(usize, i64, i64, bool)> = points
            .iter()
            .enumerate()
            .map(|(made, (created, kept, is_damaged))| (made, *created, created + kept, *is_damaged))
            .collect();
        for now in looks {
            let mut newest_first = left.clone();
            newest_first.sort_by_key(|(made, created, _, _)| std::cmp::Reverse((*created, *made)));
            let last_made = left.iter().map(|point| point.0).max();
            let latest = Latest::of(newest_first.iter().map(|point| (point.0, point.3)), last_made);
            let before = left.clone();
            left.retain(|(made, _, expires, _)| {
                let circumstances = Circumstances { always: latest.keeps(*made), ..Circumstances::default() };
                judge(Some(second(*expires)), second(now), &circumstances) != Verdict::Expire { since: second(*expires) }
            });
            let is_left = |made: usize| left.iter().any(|point| point.0 == made);
            prop_assert!(is_left(newest_first[0].0));
            prop_assert!(is_left(last_made.unwrap()));
            if let Some(sound) = newest_first.iter().find(|point| !point.3) {
                prop_assert!(is_left(sound.0));
            }
            for (made, _, expires, _) in before {
                prop_assert!(is_left(made) || expires <= now);
            }
        }
    }

    #[test]
    fn a_leap_is_never_believed_at_once(
        seen in 0i64..2_000_000_000, ran in 0i64..100_000, leap in 0i64..2_000_000_000, untrusted in 0i64..20_000,
    ) {
        let seen_at = Timestamp::from_second(seen).unwrap();
        let clock = RetentionClock { seen: seen_at, untrusted_seconds: untrusted, ran_seconds: 5 };
        let now = Timestamp::from_second(seen + ran + leap).unwrap();
        let (next, found) = clock.look(now, SignedDuration::from_secs(ran));
        prop_assert_eq!(next.seen, now);
        prop_assert_eq!(found.is_some(), leap > CLOCK_LEAP_MIN.as_secs());
        prop_assert!(found.is_none() || next.untrusted_for().is_some());
        prop_assert!(next.untrusted_seconds >= untrusted - ran);
        prop_assert_eq!(next.ran_seconds, 5 + ran, "whatever the clock shows");
    }
}
