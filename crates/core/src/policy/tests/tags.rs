//! Tags over time zones: whatever the clocks do, a local period has one first backup, and it has one tag.

use std::collections::BTreeMap;

use super::*;

/// Among them: one whose clocks went back at 00:01, so that a date came twice; a day that was left out; a
/// change by half an hour; changes that follow the moon.
const ZONES: [&str; 9] = [
    "UTC",
    "Europe/Berlin",
    "America/St_Johns",
    "America/Havana",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Kiritimati",
    "Africa/Casablanca",
    "Asia/Kathmandu",
];
/// From the highest priority to the lowest.
const TAGS: [(&str, &str); 4] = [
    ("Yearly", "FirstOfYear"),
    ("Monthly", "FirstOfMonth"),
    ("Weekly", "FirstOfWeek"),
    ("Daily", "FirstOfDay"),
];

fn policy(zone: &str) -> BackupPolicy {
    let mut spec = spec();
    zone.clone_into(&mut spec.time_zone);
    for (priority, (name, criterion)) in (10..).zip(TAGS) {
        spec.tagging.push(tag(name, priority, criterion));
        spec.retention.push(keep(name, "P30D"));
    }
    spec.validate().unwrap()
}

/// The local year, month, week and day of a time, counted from the zone's offset alone.
fn periods(time: Timestamp, zone: &TimeZone) -> [i64; 4] {
    let local = time.as_second() + i64::from(zone.to_offset(time).seconds());
    let day = local.div_euclid(24 * 60 * 60);
    let date = jiff::civil::date(1970, 1, 1) + jiff::Span::new().days(day);
    let (year, month) = (i64::from(date.year()), i64::from(date.month()));
    // The first day of 1970 was a Thursday.
    [year, year * 12 + month, (day + 3).div_euclid(7), day]
}

/// Times of successful backups: close ones, and gaps.
fn backups() -> impl Strategy<Value = Vec<Timestamp>> {
    let gap = prop_oneof![4 => 60i64..7_200, 3 => 7_200i64..100_000, 1 => 100_000i64..3_000_000];
    let gaps = prop::collection::vec(gap, 1..60);
    (0i64..2_200_000_000, gaps).prop_map(|(mut second, gaps)| {
        let next = |gap| {
            second += gap;
            Timestamp::from_second(second).unwrap()
        };
        gaps.into_iter().map(next).collect()
    })
}

proptest! {
    #[test]
    fn each_local_period_has_one_first_backup_with_the_tag_of_highest_priority(
        times in backups(), zone_name in prop::sample::select(ZONES.to_vec())
    ) {
        let policy = policy(zone_name);
        // The first backup of each period, told by what the period is and which.
        let mut firsts = BTreeMap::new();
        for (index, time) in times.iter().enumerate() {
            for period in periods(*time, &policy.time_zone).into_iter().enumerate() {
                firsts.entry(period).or_insert(index);
            }
        }
        for (index, time) in times.iter().enumerate() {
            let mut periods = periods(*time, &policy.time_zone).into_iter().enumerate();
            let highest = periods.find(|period| firsts[period] == index);
            let wanted = highest.map_or("Default", |(kind, _)| TAGS[kind].0);
            // What came later says nothing, and neither does the order in which they are told.
            let mut others = times.clone();
            others.reverse();
            prop_assert_eq!(policy.tag_for(*time, &times[..index]), wanted, "{}", time);
            prop_assert_eq!(policy.tag_for(*time, &others), wanted, "{}", time);
        }
    }
}

#[test]
fn a_date_that_the_clocks_tell_twice_is_one_day() {
    // At 00:01 of 29 October 2006 the clocks of Newfoundland went back to 23:01 of the 28th.
    let policy = policy("America/St_Johns");
    let mut earlier = vec![at("2006-10-23T12:00:00Z"), at("2006-10-28T12:00:00Z")];
    let mut tags = Vec::new();
    for time in [
        "2006-10-29T02:30:30Z",
        "2006-10-29T02:45:00Z",
        "2006-10-29T03:30:30Z",
    ] {
        let local = at(time).to_zoned(zone("America/St_Johns"));
        let tag = policy.tag_for(at(time), &earlier);
        tags.push(format!("{} {tag}", local.strftime("%d %H:%M")));
        earlier.push(at(time));
    }
    assert_eq!(
        tags,
        ["29 00:00 Daily", "28 23:15 Default", "29 00:00 Default"]
    );
}
