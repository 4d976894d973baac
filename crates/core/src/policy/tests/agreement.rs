//! What a simulation foresees is what the server's workers would do: 10,000 random policies are followed by
//! the functions that decide for the workers, with a clock that stops wherever there is something to do.
//! The workers themselves, over a real store, are compared in `strongroom-server` (`app::policy_preview`).

use std::cell::Cell;

use proptest::test_runner::{Config, RngAlgorithm, TestRunner};

use super::super::expiry::judge;
use super::*;

/// How many policies are followed.
const POLICIES: u32 = 10_000;
/// Recovery points of each, at most: enough for a new day, month or year of most schedules, and few enough
/// that all of them together take a second.
const POINTS: usize = 6;

const ALL_ZONES: [&str; 7] = [
    "UTC",
    "Europe/Berlin",
    "America/St_Johns",
    "America/Havana",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Asia/Kathmandu",
];

/// A recovery point that the workers made.
#[derive(Debug)]
struct Made {
    at: Timestamp,
    tag: String,
    promised: Option<Timestamp>,
    gone: Option<Timestamp>,
}

/// What the server knows of an instance, and what its workers do with it.
struct Workers<'a> {
    policy: &'a BackupPolicy,
    schedule: ScheduleState,
    last_success: Option<Timestamp>,
    points: Vec<Made>,
    most_at_once: usize,
}

impl<'a> Workers<'a> {
    fn new(policy: &'a BackupPolicy, since: Timestamp) -> Self {
        Self {
            policy,
            schedule: ScheduleState::new(since),
            last_success: None,
            points: Vec::new(),
            most_at_once: 0,
        }
    }

    /// Lets both workers look at `now`, and says when there is something to do for them next.
    fn look(&mut self, now: Timestamp) -> Option<Timestamp> {
        let turn = self.start_due_backup(now);
        self.expire(now);
        let next = match turn {
            Turn::Waiting { next } => Some(next),
            Turn::Ended | Turn::OnDemandOnly => None,
            other => panic!("{other:?} at {now}"),
        };
        let times = self.there().filter_map(|point| point.promised);
        next.into_iter()
            .chain(times.filter(|time| *time > now))
            .min()
    }

    /// As `start_due_backups`, and as a new recovery point gets its tag and time; it is made at once.
    fn start_due_backup(&mut self, now: Timestamp) -> Turn {
        let turn = self.policy.turn(self.schedule, now);
        let Turn::Due { moment, .. } = turn else {
            return turn;
        };
        let earlier = self.last_success;
        let tag = self.policy.tag_of(moment, now, earlier.as_slice());
        let rule = self.policy.retention_of(tag);
        self.points.push(Made {
            at: now,
            tag: tag.to_owned(),
            promised: rule.and_then(|rule| rule.kept_until(now)),
            gone: None,
        });
        self.last_success = Some(now);
        self.schedule = self.schedule.after(moment);
        self.most_at_once = self.most_at_once.max(self.there().count());
        self.policy.turn(self.schedule, now)
    }

    /// As `expire_recovery_points`.
    fn expire(&mut self, now: Timestamp) {
        for index in 0..self.points.len() {
            let point = &self.points[index];
            if point.gone.is_some() || point.promised.is_none_or(|time| time > now) {
                continue;
            }
            if let Verdict::Expire { .. } = self.verdict(index, now) {
                self.points[index].gone = Some(now);
            }
        }
    }

    fn verdict(&self, index: usize, now: Timestamp) -> Verdict {
        let point = &self.points[index];
        let staying = self.points.iter().enumerate().rev();
        let staying = staying.filter(|(_, point)| point.gone.is_none());
        let newest_first = staying.map(|(index, _)| (index, false));
        let last_made = self.points.len().checked_sub(1);
        let circumstances = Circumstances {
            always: Latest::of(newest_first, last_made).keeps(index),
            ..Circumstances::default()
        };
        let expires = self.policy.expiry(&point.tag, point.at, point.promised);
        judge(expires, now, &circumstances)
    }

    fn there(&self) -> impl Iterator<Item = &Made> {
        self.points.iter().filter(|point| point.gone.is_none())
    }

    /// What became of everything at `to`, in the words of a simulation.
    fn told(&self, to: Timestamp) -> Simulation {
        let points = self.points.iter().enumerate();
        let foreseen = points.map(|(index, point)| Foreseen {
            made: point.at,
            tag: point.tag.clone(),
            expires: point.promised,
            end: point.gone.map_or_else(
                || self.verdict(index, to),
                |since| Verdict::Expire { since },
            ),
        });
        Simulation {
            points: foreseen.collect(),
            most_at_once: self.most_at_once,
        }
    }
}

fn followed(policy: &BackupPolicy, from: Timestamp, to: Timestamp) -> Simulation {
    let mut workers = Workers::new(policy, from);
    let mut now = Some(from);
    while let Some(time) = now.filter(|time| *time <= to) {
        now = workers.look(time);
    }
    workers.told(to)
}

/// Schedules from every five minutes to every few months, some of them with an end.
fn schedule() -> impl Strategy<Value = String> {
    let period = prop_oneof![
        (5..180_u32).prop_map(|minutes| format!("PT{minutes}M")),
        (1..48_u32).prop_map(|hours| format!("PT{hours}H")),
        (1..20_u32).prop_map(|days| format!("P{days}D")),
        (1..4_u32).prop_map(|weeks| format!("P{weeks}W")),
        (1..15_u32).prop_map(|months| format!("P{months}M")),
    ];
    let times = prop_oneof![6 => Just(String::new()), 1 => (0..6_u32).prop_map(|n| n.to_string())];
    let start = prop::sample::select(vec![
        "2024-02-29T01:30:00+00:00",
        "2025-10-26T02:30:00",
        "2025-12-31T23:59:59-05:00",
        "2026-01-31T00:00:00",
    ]);
    (times, start, period).prop_map(|(times, start, period)| format!("R{times}/{start}/{period}"))
}

fn kept() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => (1..40_u32).prop_map(|days| format!("P{days}D")),
        2 => (1..9_u32).prop_map(|weeks| format!("P{weeks}W")),
        2 => (1..14_u32).prop_map(|months| format!("P{months}M")),
        1 => (1..10_u32).prop_map(|years| format!("P{years}Y")),
    ]
}

/// One of the usual tags, in the order of their priorities, or one by the calendar between any of them.
fn criteria() -> impl Strategy<Value = Vec<(usize, TaggingSpec)>> {
    let absolute = ["FirstOfYear", "FirstOfMonth", "FirstOfWeek", "FirstOfDay"];
    let absolute = prop::sample::subsequence(absolute.to_vec(), 0..=4).prop_map(|chosen| {
        let spec = |(place, criterion): (usize, &str)| (place * 2, tag(criterion, 0, criterion));
        chosen.into_iter().enumerate().map(spec).collect::<Vec<_>>()
    });
    let by_calendar = prop_oneof![
        prop::sample::select(vec!["Monday", "Sunday"]).prop_map(|day| CalendarSpec {
            days_of_the_week: vec![day.to_owned()],
            ..CalendarSpec::default()
        }),
        (1..=28_i64, any::<bool>()).prop_map(|(date, is_last)| CalendarSpec {
            days_of_month: vec![DaySpec {
                date: (!is_last).then_some(date),
                is_last,
            }],
            ..CalendarSpec::default()
        }),
        prop::sample::select(vec!["First", "Last"]).prop_map(|week| CalendarSpec {
            weeks_of_the_month: vec![week.to_owned()],
            absolute_criteria: vec!["FirstOfDay".to_owned()],
            ..CalendarSpec::default()
        }),
        prop::sample::select(vec!["January", "March"]).prop_map(|month| CalendarSpec {
            months_of_year: vec![month.to_owned()],
            ..CalendarSpec::default()
        }),
    ];
    let by_calendar = prop::option::of((0..5_usize, by_calendar));
    (absolute, by_calendar).prop_map(|(mut chosen, by_calendar)| {
        chosen.extend(by_calendar.map(|(place, calendar)| {
            let spec = TaggingSpec {
                tag: "ByCalendar".to_owned(),
                calendar: vec![calendar],
                ..TaggingSpec::default()
            };
            (place * 2 + 1, spec)
        }));
        chosen
    })
}

/// A valid policy with any of that.
fn any_policy() -> impl Strategy<Value = BackupPolicy> {
    let schedules = prop::collection::vec(schedule(), 1..=2);
    let zone = prop::sample::select(ALL_ZONES.to_vec());
    let kept = prop::collection::vec((kept(), prop::option::of(kept())), 6);
    (schedules, zone, criteria(), kept).prop_filter_map(
        "it contradicts itself",
        |(schedules, zone, criteria, kept)| {
            let mut spec = spec();
            spec.repeating_time_intervals = schedules;
            zone.clone_into(&mut spec.time_zone);
            for (place, mut tag) in criteria {
                tag.priority = i64::try_from(place).unwrap();
                spec.retention.push(keep(&tag.tag, "P1D"));
                spec.tagging.push(tag);
            }
            for (rule, (beside, in_vault)) in spec.retention.iter_mut().zip(&kept) {
                beside.clone_into(&mut rule.lifecycles[0].delete_after);
                let in_vault = in_vault.iter().map(|duration| LifecycleSpec {
                    source_data_store: "VaultStore".to_owned(),
                    delete_after: duration.clone(),
                    ..LifecycleSpec::default()
                });
                rule.lifecycles.extend(in_vault);
            }
            spec.validate().ok()
        },
    )
}

/// The end of a span that begins at `from`, with few enough points, and with some time behind the last.
fn end(policy: &BackupPolicy, from: Timestamp, points: usize, behind: i64) -> Timestamp {
    let next = |time: &Timestamp| policy.next_due(*time);
    let last = std::iter::successors(policy.next_due(from), next)
        .take(points)
        .last();
    let end = last.unwrap_or(from) + jiff::SignedDuration::from_secs(behind);
    // Not as long that there are more points than that.
    last.and_then(|last| policy.next_due(last))
        .map_or(end, |next| {
            end.min(next - jiff::SignedDuration::from_secs(1))
        })
}

/// Follows so many policies; says how many recovery points they made, and how many went.
fn follow(policies: u32) -> (usize, usize) {
    let spans = (
        1_760_000_000_i64..1_790_000_000,
        1..=POINTS,
        0..60_000_000_i64,
    );
    let config = Config {
        cases: policies,
        max_local_rejects: policies,
        failure_persistence: None,
        // The default generator takes a third of the time in an unoptimised build.
        rng_algorithm: RngAlgorithm::XorShift,
        ..Config::default()
    };
    let (made, went) = (Cell::new(0), Cell::new(0));
    let agreed = TestRunner::new(config).run(&(any_policy(), spans), |(policy, span)| {
        let (from, points, behind) = span;
        let from = Timestamp::from_second(from).unwrap();
        let to = end(&policy, from, points, behind);
        let foreseen = simulate(&policy, from, to, POINTS).unwrap();
        let followed = followed(&policy, from, to);
        prop_assert_eq!(&foreseen, &followed, "from {} to {}", from, to);
        let gone = |point: &&Foreseen| matches!(point.end, Verdict::Expire { .. });
        made.set(made.get() + foreseen.points.len());
        went.set(went.get() + foreseen.points.iter().filter(gone).count());
        Ok(())
    });
    agreed.unwrap();
    (made.get(), went.get())
}

#[test]
fn what_is_foreseen_is_what_the_workers_decide() {
    // On two threads, because whoever runs the suite waits for this test.
    let halves = std::thread::scope(|scope| {
        let follow = || scope.spawn(|| follow(POLICIES / 2));
        [follow(), follow()].map(|half| half.join().unwrap())
    });
    let made: usize = halves.iter().map(|(made, _)| made).sum();
    let went: usize = halves.iter().map(|(_, went)| went).sum();
    // Both happened often enough for an agreement to mean something.
    let often = usize::try_from(POLICIES).unwrap();
    assert!(made > 2 * often && went > often / 10, "{made} {went}");
}
