//! Which moment is due, through downtimes, changes of daylight saving time and wrong clocks.

use jiff::{SignedDuration, ToSpan as _};

use super::*;

fn by(interval: &str, zone_name: &str) -> BackupPolicy {
    let mut policy = spec();
    policy.repeating_time_intervals = vec![interval.to_owned()];
    policy.time_zone = zone_name.to_owned();
    policy.validate().unwrap()
}

fn four_hourly() -> BackupPolicy {
    by("R/2026-01-01T01:00:00Z/PT4H", "UTC")
}

fn state(since: &str, handled: Option<&str>) -> ScheduleState {
    let since = ScheduleState::new(at(since));
    handled.map_or(since, |handled| since.after(at(handled)))
}

fn due(moment: &str) -> Turn {
    Turn::Due {
        moment: at(moment),
        missed_since: None,
    }
}

fn waiting(next: &str) -> Turn {
    Turn::Waiting { next: at(next) }
}

#[test]
fn a_new_schedule_waits_for_its_first_moment_and_each_moment_is_due_once() {
    let policy = four_hourly();
    let new = state("2026-03-01T10:00:00Z", None);
    let asked = |state, now: &str| policy.turn(state, at(now));
    assert_eq!(
        asked(new, "2026-03-01T10:00:00Z"),
        waiting("2026-03-01T13:00:00Z")
    );
    assert_eq!(
        asked(new, "2026-03-01T13:00:00Z"),
        due("2026-03-01T13:00:00Z")
    );
    assert_eq!(
        asked(new, "2026-03-01T13:00:09Z"),
        due("2026-03-01T13:00:00Z")
    );
    let after = new.after(at("2026-03-01T13:00:00Z"));
    assert_eq!(
        asked(after, "2026-03-01T13:00:09Z"),
        waiting("2026-03-01T17:00:00Z")
    );
}

#[test]
fn after_a_downtime_one_backup_stands_for_all_that_were_missed() {
    let policy = four_hourly();
    let down = state("2026-01-01T00:00:00Z", Some("2026-03-01T13:00:00Z"));
    let back = at("2026-03-09T12:30:00Z");
    assert_eq!(
        policy.turn(down, back),
        Turn::Due {
            moment: at("2026-03-09T09:00:00Z"),
            missed_since: Some(at("2026-03-01T17:00:00Z")),
        }
    );
    let caught_up = down.after(at("2026-03-09T09:00:00Z"));
    assert_eq!(
        policy.turn(caught_up, back),
        waiting("2026-03-09T13:00:00Z")
    );
}

#[test]
fn a_policy_on_demand_and_one_that_has_ended_ask_for_nothing() {
    let mut manual = spec();
    manual.repeating_time_intervals.clear();
    manual.tagging.clear();
    let now = at("2026-03-01T10:00:00Z");
    let ever = state("2020-01-01T00:00:00Z", None);
    assert_eq!(
        manual.validate().unwrap().turn(ever, now),
        Turn::OnDemandOnly
    );
    let twice = by("R1/2026-01-01T01:00:00Z/PT4H", "UTC");
    assert_eq!(
        twice.turn(ever, now),
        Turn::Due {
            moment: at("2026-01-01T05:00:00Z"),
            missed_since: Some(at("2026-01-01T01:00:00Z")),
        }
    );
    let done = ever.after(at("2026-01-01T05:00:00Z"));
    assert_eq!(twice.turn(done, now), Turn::Ended);
}

#[test]
fn a_clock_that_is_corrected_makes_no_moment_due_twice_and_one_that_was_years_ahead_loses_none() {
    let policy = four_hourly();
    let handled = state("2026-01-01T00:00:00Z", Some("2026-03-01T13:00:00Z"));
    // Two minutes back: the moment lies ahead again, and is seen to.
    let corrected = at("2026-03-01T12:58:00Z");
    assert_eq!(
        policy.turn(handled, corrected),
        waiting("2026-03-01T17:00:00Z")
    );
    // Ten years back: what was seen to would keep the instance unprotected until then.
    let ahead = state("2026-01-01T00:00:00Z", Some("2036-03-01T13:00:00Z"));
    let mended = at("2026-03-01T12:58:00Z");
    let put_back = Turn::ClockPutBack {
        from: at("2036-03-01T13:00:00Z"),
    };
    assert_eq!(policy.turn(ahead, mended), put_back);
    let anew = ScheduleState::new(mended);
    assert_eq!(policy.turn(anew, mended), waiting("2026-03-01T13:00:00Z"));
}

#[test]
fn a_backup_at_two_in_the_morning_comes_once_in_each_night_of_a_change() {
    let policy = by("R/2026-01-01T02:30:00/P1D", "Europe/Berlin");
    // 29 March has no 02:30 in Berlin, 25 October has it twice.
    for (after, moments) in [
        (
            "2026-03-28T01:00:00Z",
            [
                "2026-03-28T01:30:00Z",
                "2026-03-29T01:30:00Z",
                "2026-03-30T00:30:00Z",
            ],
        ),
        (
            "2026-10-23T23:00:00Z",
            [
                "2026-10-24T00:30:00Z",
                "2026-10-25T00:30:00Z",
                "2026-10-26T01:30:00Z",
            ],
        ),
    ] {
        let mut state = ScheduleState::new(at(after));
        for moment in moments {
            assert_eq!(policy.turn(state, at(moment) - 1.second()), waiting(moment));
            assert_eq!(policy.turn(state, at(moment)), due(moment));
            state = state.after(at(moment));
        }
    }
}

#[test]
fn the_first_of_a_day_is_the_first_of_the_day_of_the_time_zone() {
    let mut daily = spec();
    daily.time_zone = "America/New_York".into();
    daily.tagging.push(tag("Daily", 25, "FirstOfDay"));
    daily.retention.push(keep("Daily", "P30D"));
    let policy = daily.validate().unwrap();
    // 23:00 and 03:00 in UTC are one evening in New York.
    let evening = at("2026-06-01T23:00:00Z");
    assert_eq!(
        policy.tag_for(at("2026-06-02T03:00:00Z"), &[evening]),
        "Default"
    );
    assert_eq!(
        policy.tag_for(at("2026-06-02T04:00:00Z"), &[evening]),
        "Daily"
    );
}

proptest! {
    #[test]
    fn whoever_looks_whenever_starts_each_moment_at_most_once_and_leaves_none_behind(
        interval in any_interval(),
        begin in 1_000_000_000i64..2_000_000_000,
        zone_name in prop::sample::select(ZONES.to_vec()),
        pauses in prop::collection::vec(prop_oneof![1i64..600, 600i64..200_000, 200_000i64..20_000_000], 1..30),
    ) {
        let mut policy = spec().validate().unwrap();
        policy.intervals = vec![interval];
        policy.time_zone = zone(zone_name);
        let mut now = Timestamp::from_second(begin).unwrap();
        let mut state = ScheduleState::new(now);
        let mut last: Option<Timestamp> = None;
        for pause in pauses {
            let before = now;
            now += SignedDuration::from_secs(pause);
            let passed = policy.next_due(before).is_some_and(|next| next <= now);
            match policy.turn(state, now) {
                Turn::Due { moment, missed_since } => {
                    prop_assert!(passed, "{moment} is due, but none came since {before}");
                    prop_assert!(moment > before && moment <= now);
                    prop_assert!(last.is_none_or(|last| moment > last));
                    prop_assert!(policy.next_due(moment).is_none_or(|next| next > now));
                    if let Some(first) = missed_since {
                        prop_assert!(first > before && first < moment);
                    }
                    state = state.after(moment);
                    last = Some(moment);
                }
                Turn::Waiting { next } => {
                    prop_assert!(!passed && next > now);
                }
                other => prop_assert!(false, "{other:?}"),
            }
            // Asked again, nothing more is due.
            let is_due_again = matches!(policy.turn(state, now), Turn::Due { .. });
            prop_assert!(!is_due_again);
        }
    }

    #[test]
    fn wherever_the_clock_is_put_an_instance_is_backed_up_again_within_an_interval(
        minutes in 5i64..3_000, handled in 1_000_000_000i64..3_000_000_000, now in 1_000_000_000i64..3_000_000_000,
    ) {
        let policy = by(&format!("R/2001-01-01T00:00:00Z/PT{minutes}M"), "UTC");
        let now = Timestamp::from_second(now).unwrap();
        let mut state = ScheduleState::new(Timestamp::from_second(handled).unwrap());
        if matches!(policy.turn(state, now), Turn::ClockPutBack { .. }) {
            state = ScheduleState::new(now);
        }
        // Five minutes more: so far may a corrected clock lie behind what was seen to.
        let then = now + SignedDuration::from_secs(minutes * 60 + 300);
        let is_due = matches!(policy.turn(state, then), Turn::Due { .. });
        prop_assert!(is_due);
    }
}
