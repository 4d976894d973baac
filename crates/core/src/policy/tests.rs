//! Policies: what is valid, when backups are due, which tag they get.

mod agreement;
mod calendar;
mod edit;
mod expiry;
mod simulate;
mod tags;
mod turn;

use super::*;
use proptest::prelude::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn zone(name: &str) -> TimeZone {
    jiff::tz::TimeZoneDatabase::bundled().get(name).unwrap()
}

fn due(interval: &str, after: &str, zone_name: &str) -> Option<String> {
    let interval = RepeatingInterval::parse(interval).unwrap();
    interval
        .next_due(at(after), &zone(zone_name))
        .map(|t| t.to_string())
}

fn spec() -> PolicySpec {
    PolicySpec::default_template(at("2023-01-04T09:00:00Z"))
}

fn faults(spec: &PolicySpec) -> Vec<String> {
    let problems = spec.validate().expect_err("must be invalid");
    problems
        .iter()
        .map(|p| format!("{}: {}", p.code, p.message))
        .collect()
}

fn tag(name: &str, priority: i64, criterion: &str) -> TaggingSpec {
    TaggingSpec {
        tag: name.into(),
        is_default: false,
        priority,
        absolute_criteria: vec![criterion.into()],
        ..TaggingSpec::default()
    }
}

fn keep(name: &str, duration: &str) -> RetentionSpec {
    let lifecycle = LifecycleSpec {
        source_data_store: "OperationalStore".into(),
        delete_after: duration.into(),
        ..LifecycleSpec::default()
    };
    RetentionSpec {
        name: name.into(),
        is_default: false,
        lifecycles: vec![lifecycle],
    }
}

#[test]
fn the_published_template_is_valid_and_due_every_four_hours() {
    insta::assert_snapshot!(serde_json::to_string(&spec()).unwrap(), @r#"{"backupRuleName":"BackupHourly","repeatingTimeIntervals":["R/2023-01-04T09:00:00+00:00/PT4H"],"timeZone":"UTC","tagging":[{"tag":"Default","isDefault":true,"priority":99,"absoluteCriteria":[]}],"retention":[{"name":"Default","isDefault":true,"lifecycles":[{"sourceDataStore":"OperationalStore","deleteAfter":"P7D"}]}]}"#);
    let policy = spec().validate().unwrap();
    assert_eq!(
        policy.next_due(at("2026-03-01T08:59:59Z")),
        Some(at("2026-03-01T09:00:00Z"))
    );
    assert_eq!(
        policy.next_due(at("2026-03-01T09:00:00Z")),
        Some(at("2026-03-01T13:00:00Z"))
    );
    let expiry = policy
        .retention_of("Default")
        .unwrap()
        .expiry(DataStore::OperationalStore, at("2026-03-01T09:00:00Z"));
    assert_eq!(expiry, Some(at("2026-03-08T09:00:00Z")));
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table, one case a row")]
fn a_backup_is_due_when_its_interval_says() {
    let r = "R/2023-01-04T09:00:00+00:00/PT4H";
    let table = [
        (
            "before the start",
            r,
            "2022-01-01T00:00:00Z",
            "UTC",
            Some("2023-01-04T09:00:00Z"),
        ),
        (
            "long after it",
            r,
            "2026-11-22T14:00:00Z",
            "UTC",
            Some("2026-11-22T17:00:00Z"),
        ),
        (
            "five minutes",
            "R/2026-01-01T00:00:00Z/PT5M",
            "2026-01-01T00:12:00Z",
            "UTC",
            Some("2026-01-01T00:15:00Z"),
        ),
        (
            "weekly",
            "R/2026-01-05T06:00:00Z/P1W",
            "2026-01-07T00:00:00Z",
            "UTC",
            Some("2026-01-12T06:00:00Z"),
        ),
        (
            "monthly at its last day",
            "R/2026-01-31T06:00:00Z/P1M",
            "2026-02-01T00:00:00Z",
            "UTC",
            Some("2026-02-28T06:00:00Z"),
        ),
        (
            "and March again on the 31st",
            "R/2026-01-31T06:00:00Z/P1M",
            "2026-03-01T00:00:00Z",
            "UTC",
            Some("2026-03-31T06:00:00Z"),
        ),
        (
            "the last repetition",
            "R2/2026-01-01T00:00:00Z/PT1H",
            "2026-01-01T01:00:00Z",
            "UTC",
            Some("2026-01-01T02:00:00Z"),
        ),
        (
            "none after it",
            "R2/2026-01-01T00:00:00Z/PT1H",
            "2026-01-01T02:00:00Z",
            "UTC",
            None,
        ),
        (
            "daily at 9 in winter",
            "R/2026-01-01T09:00:00/P1D",
            "2026-03-28T12:00:00Z",
            "Europe/Berlin",
            Some("2026-03-29T07:00:00Z"),
        ),
        (
            "and at 9 in summer",
            "R/2026-01-01T09:00:00/P1D",
            "2026-03-27T12:00:00Z",
            "Europe/Berlin",
            Some("2026-03-28T08:00:00Z"),
        ),
        (
            "an hour that does not exist moves on",
            "R/2026-01-01T02:30:00/P1D",
            "2026-03-29T00:00:00Z",
            "Europe/Berlin",
            Some("2026-03-29T01:30:00Z"),
        ),
        (
            "clock hours stay exact over the change",
            "R/2026-03-29T00:00:00Z/PT4H",
            "2026-03-29T00:00:00Z",
            "Europe/Berlin",
            Some("2026-03-29T04:00:00Z"),
        ),
    ];
    for (what, interval, after, zone_name, expected) in table {
        assert_eq!(
            due(interval, after, zone_name).as_deref(),
            expected,
            "{what}"
        );
    }
}

#[test]
fn a_text_that_is_no_interval_is_refused_with_the_reason() {
    let bad = [
        "",
        "PT4H",
        "R/PT4H",
        "R/2023-01-04T09:00:00Z",
        "R/yesterday/PT4H",
        "R/2023-01-04/PT4H",
        "X/2023-01-04T09:00:00Z/PT4H",
        "R-1/2023-01-04T09:00:00Z/PT4H",
        "Rx/2023-01-04T09:00:00Z/PT4H",
        "R/2023-01-04T09:00:00Z/4H",
        "R/2023-01-04T09:00:00Z/PT4M59S",
        "R/2023-01-04T09:00:00Z/PT0S",
        "R/2023-01-04T09:00:00Z/-PT4H",
        "R/2023-01-04T09:00:00Z/P1DT4H",
        "R/2023-01-04T09:00:00Z/P1M1D",
        "R/2023-01-04T09:00:00Z/PT4H/x",
    ];
    let lines: Vec<String> = bad
        .iter()
        .map(|t| RepeatingInterval::parse(t).expect_err(t).to_string())
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn a_text_that_is_no_retention_duration_is_refused_with_the_reason() {
    let bad = [
        "",
        "7 days",
        "P",
        "P0D",
        "-P7D",
        "PT24H",
        "P11Y",
        "P4000D",
        "P999999999999D",
        "p7d",
    ];
    let lines: Vec<String> = bad
        .iter()
        .map(|t| t.parse::<RetentionDuration>().expect_err(t).to_string())
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
    for good in ["P1D", "P7D", "P4W", "P12M", "P1Y", "P10Y"] {
        assert_eq!(good.parse::<RetentionDuration>().unwrap().to_string(), good);
    }
}

#[test]
fn a_policy_without_its_default_rule_is_refused_with_its_own_code() {
    let mut no_default = spec();
    no_default.retention.clear();
    assert!(faults(&no_default)[0].starts_with("UserErrorDefaultRetentionRuleMissing"));
    let mut not_marked = spec();
    not_marked.retention[0].is_default = false;
    assert!(faults(&not_marked)[0].starts_with("UserErrorDefaultRetentionRuleMissing"));
}

#[test]
fn every_fault_of_a_policy_is_named_at_once() {
    let mut bad = spec();
    bad.repeating_time_intervals.push("R/yesterday/PT4H".into());
    bad.time_zone = "Middle Earth".into();
    bad.tagging.push(tag("Weekly", 99, "FirstOfWeek"));
    bad.tagging.push(tag("Daily", 25, "FirstOfMoon"));
    bad.tagging.push(tag("Daily", 26, "FirstOfDay"));
    bad.retention.push(keep("Daily", "7 days"));
    bad.retention.push(RetentionSpec {
        name: "daily".into(),
        is_default: true,
        lifecycles: vec![],
    });
    bad.retention.push(keep("Cold", "P1D"));
    bad.retention[3].lifecycles[0].source_data_store = "ArchiveStore".into();
    insta::assert_snapshot!(faults(&bad).join("\n"));
}

#[test]
fn an_on_demand_policy_needs_no_schedule() {
    let mut manual = spec();
    manual.repeating_time_intervals.clear();
    manual.tagging.clear();
    let policy = manual.validate().unwrap();
    assert_eq!(policy.next_due(at("2026-01-01T00:00:00Z")), None);
    assert_eq!(policy.on_demand_tag(None).unwrap(), "Default");
}

#[test]
fn the_first_backup_of_a_period_gets_the_tag_of_highest_priority() {
    let mut tagged = spec();
    for (name, priority, criterion) in [
        ("Yearly", 10, "FirstOfYear"),
        ("Daily", 25, "FirstOfDay"),
        ("Monthly", 15, "FirstOfMonth"),
        ("Weekly", 20, "FirstOfWeek"),
    ] {
        tagged.tagging.push(tag(name, priority, criterion));
        tagged.retention.push(keep(name, "P30D"));
    }
    let policy = tagged.validate().unwrap();
    let mut earlier = Vec::new();
    let mut tags = Vec::new();
    for time in [
        "2026-01-01T00:00:00Z",
        "2026-01-01T04:00:00Z",
        "2026-01-02T00:00:00Z",
        "2026-01-05T00:00:00Z",
        "2026-02-01T00:00:00Z",
        "2027-01-01T00:00:00Z",
    ] {
        tags.push(format!("{time} {}", policy.tag_for(at(time), &earlier)));
        earlier.push(at(time));
    }
    insta::assert_snapshot!(tags.join("\n"), @r"
    2026-01-01T00:00:00Z Yearly
    2026-01-01T04:00:00Z Default
    2026-01-02T00:00:00Z Daily
    2026-01-05T00:00:00Z Weekly
    2026-02-01T00:00:00Z Monthly
    2027-01-01T00:00:00Z Yearly
    ");
    assert_eq!(policy.on_demand_tag(Some("weekly")).unwrap(), "Weekly");
    assert_eq!(
        policy.on_demand_tag(Some("Hourly")).unwrap_err().code,
        Code::UserErrorRetentionTagNotInPolicy
    );
}

#[test]
fn retention_by_months_follows_the_calendar() {
    let month: RetentionDuration = "P1M".parse().unwrap();
    assert_eq!(
        month.expiry(at("2026-01-31T10:00:00Z")),
        at("2026-02-28T10:00:00Z")
    );
}

#[test]
fn a_tag_that_no_backup_would_ever_get_is_refused() {
    let with = |tags: &[(&str, i64, &str)]| {
        let mut policy = spec();
        for (name, priority, criterion) in tags {
            policy.tagging.push(tag(name, *priority, criterion));
            policy.retention.push(keep(name, "P30D"));
        }
        policy
    };
    for (tags, told) in [
        (
            vec![("Weekly", 20, "FirstOfWeek"), ("Daily", 10, "FirstOfDay")],
            "tag Weekly (priority 20) would never be given: Daily (priority 10, FirstOfDay)",
        ),
        (
            vec![
                ("Yearly", 20, "FirstOfYear"),
                ("Monthly", 10, "FirstOfMonth"),
            ],
            "tag Yearly (priority 20) would never be given: Monthly",
        ),
        (
            vec![("All", 1, "AllBackup"), ("Daily", 25, "FirstOfDay")],
            "tag Daily (priority 25) would never be given: All",
        ),
        (
            vec![("One", 1, "FirstOfWeek"), ("Other", 2, "FirstOfWeek")],
            "tag Other (priority 2) would never be given: One",
        ),
    ] {
        let found = faults(&with(&tags));
        assert!(found.len() == 1 && found[0].contains(told), "{found:?}");
    }
    // A month need not begin with a week: behind it there is something left for it.
    let week_first = [
        ("Weekly", 10, "FirstOfWeek"),
        ("Monthly", 15, "FirstOfMonth"),
    ];
    assert!(with(&week_first).validate().is_ok());
}

const ZONES: [&str; 6] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "America/Caracas",
];

fn any_interval() -> impl Strategy<Value = RepeatingInterval> {
    let period = prop_oneof![
        (5i64..2_000).prop_map(|m| format!("PT{m}M")),
        (1i64..60).prop_map(|d| format!("P{d}D")),
        (1i64..24).prop_map(|m| format!("P{m}M")),
    ];
    (0i64..2_000_000_000, period, any::<bool>()).prop_map(|(second, period, local)| {
        let start = Timestamp::from_second(second)
            .unwrap()
            .strftime("%Y-%m-%dT%H:%M:%S")
            .to_string();
        RepeatingInterval::parse(&format!(
            "R/{start}{}/{period}",
            if local { "" } else { "Z" }
        ))
        .unwrap()
    })
}

proptest! {
    #[test]
    fn the_next_due_time_is_after_now_and_nothing_is_due_in_between(
        interval in any_interval(), now in 0i64..4_000_000_000, zone_name in prop::sample::select(vec!["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"]), part in 0.0f64..1.0
    ) {
        let (zone, now) = (zone(zone_name), Timestamp::from_second(now).unwrap());
        let due = interval.next_due(now, &zone).unwrap();
        prop_assert!(due > now);
        let between = now.as_second() + ((due.as_second() - now.as_second() - 1) as f64 * part) as i64;
        prop_assert_eq!(interval.next_due(Timestamp::from_second(between).unwrap(), &zone), Some(due));
        prop_assert!(interval.next_due(due, &zone).unwrap() > due);
    }

    #[test]
    fn the_latest_due_time_is_the_one_before_the_next(
        interval in any_interval(), now in 0i64..4_000_000_000, zone_name in prop::sample::select(ZONES.to_vec())
    ) {
        let (zone, now) = (zone(zone_name), Timestamp::from_second(now).unwrap());
        match interval.latest_due(now, &zone) {
            Some(latest) => {
                prop_assert!(latest <= now);
                prop_assert_eq!(interval.latest_due(latest, &zone), Some(latest));
                prop_assert_eq!(interval.next_due(latest, &zone), interval.next_due(now, &zone));
            }
            None => {
                let first = interval.next_due(now, &zone).unwrap();
                prop_assert_eq!(interval.latest_due(first, &zone), Some(first));
            }
        }
    }

    #[test]
    fn parsing_never_panics(text in "\\PC{0,40}|R[0-9]{0,3}/[0-9T:Z+-]{0,25}/P[0-9TDHMSYW]{0,9}") {
        let _ = RepeatingInterval::parse(&text);
        let _ = text.parse::<RetentionDuration>();
    }
}
