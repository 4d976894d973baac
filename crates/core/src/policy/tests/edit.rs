//! An edit prolongs, ends what an edit prolonged, and takes back no promise.

use super::*;

fn policy(retention: &[(&str, &str)]) -> BackupPolicy {
    let mut spec = spec();
    spec.retention = retention
        .iter()
        .map(|(name, duration)| RetentionSpec {
            is_default: *name == DEFAULT_TAG,
            ..keep(name, duration)
        })
        .collect();
    spec.validate().unwrap()
}

#[test]
fn every_effect_says_what_it_is_and_until_when() {
    let created = at("2026-03-01T00:00:00Z");
    let promised = Some(at("2026-03-08T00:00:00Z"));
    let week = policy(&[("Default", "P7D")]);
    let month = policy(&[("Default", "P30D")]);
    let day = policy(&[("Default", "P1D")]);
    let with_years = policy(&[("Default", "P7D"), ("Yearly", "P1Y")]);
    let told = |old: &BackupPolicy, new: &BackupPolicy, tag, promised: Option<Timestamp>| {
        let edited = edited((old, new), tag, created, promised);
        let time = |time: Option<Timestamp>| time.map_or("never".to_owned(), |t| t.to_string());
        format!(
            "{} -> {}: {}",
            time(edited.before),
            time(edited.after),
            edited.effect
        )
    };
    let table = [
        told(&week, &month, "Default", promised),
        told(&month, &week, "Default", promised),
        told(&month, &day, "Default", promised),
        told(&week, &week, "default", promised),
        told(&week, &day, "Default", promised),
        told(
            &with_years,
            &week,
            "Yearly",
            Some(at("2027-03-01T00:00:00Z")),
        ),
        told(&week, &day, "Default", None),
    ];
    insta::assert_snapshot!(table.join("\n"), @r"
    2026-03-08T00:00:00Z -> 2026-03-31T00:00:00Z: its tag is kept for longer
    2026-03-31T00:00:00Z -> 2026-03-08T00:00:00Z: its tag is not kept for as long any more; it stays at least as long as it was promised when it was made
    2026-03-31T00:00:00Z -> 2026-03-08T00:00:00Z: its tag is not kept for as long any more; it stays at least as long as it was promised when it was made
    2026-03-08T00:00:00Z -> 2026-03-08T00:00:00Z: its tag is kept as long as before
    2026-03-08T00:00:00Z -> 2026-03-08T00:00:00Z: its tag is kept for less, but what it was promised when it was made holds
    2027-03-01T00:00:00Z -> 2027-03-01T00:00:00Z: its tag has no retention rule any more, but what it was promised when it was made holds
    never -> never: it has no expiry time
    ");
}

proptest! {
    #[test]
    fn no_edit_ends_the_time_of_a_point_before_it_was_promised(
        old in 1..400_i32, new in 1..400_i32, promised_days in 1..400_i64, tag in "Default|Gone",
    ) {
        let created = at("2026-03-01T00:00:00Z");
        let promised = created + jiff::SignedDuration::from_hours(24 * promised_days);
        let (old, new) = (format!("P{old}D"), format!("P{new}D"));
        let (old, new) = (policy(&[("Default", &old)]), policy(&[("Default", &new)]));
        let edited = edited((&old, &new), &tag, created, Some(promised));
        prop_assert!(edited.after >= Some(promised));
        let order = edited.after.cmp(&edited.before);
        let effect = match edited.effect {
            Effect::Prolonged => std::cmp::Ordering::Greater,
            Effect::Shortened => std::cmp::Ordering::Less,
            _ => std::cmp::Ordering::Equal,
        };
        prop_assert_eq!(order, effect);
    }
}
