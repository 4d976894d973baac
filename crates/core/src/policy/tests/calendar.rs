//! Tags by the calendar, and copies, as a policy has them.

use super::*;

#[test]
fn a_tag_by_the_calendar_is_asked_for_the_moment_and_not_for_when_the_backup_came_to_be() {
    let mut spec = PolicySpec::default_template(at("2026-01-01T23:00:00Z"));
    spec.retention.push(keep("Sundays", "P90D"));
    spec.tagging.push(TaggingSpec {
        absolute_criteria: Vec::new(),
        calendar: vec![CalendarSpec {
            absolute_criteria: vec!["FirstOfDay".into()],
            days_of_the_week: vec!["Sunday".into()],
            ..CalendarSpec::default()
        }],
        ..tag("Sundays", 10, "AllBackup")
    });
    let policy = spec.validate().unwrap();
    // Asked for on Sunday at 23:00, and there on Monday.
    let (moment, made) = (at("2026-01-04T23:00:00Z"), at("2026-01-05T00:10:00Z"));
    assert_eq!(policy.tag_of(moment, made, &[]), "Sundays");
    assert_eq!(policy.tag_of(made, made, &[]), "Default");
    // Of the day's backups the first one alone.
    let (second, earlier) = (at("2026-01-04T07:00:00Z"), at("2026-01-04T03:00:00Z"));
    assert_eq!(policy.tag_of(second, second, &[earlier]), "Default");
}

#[test]
fn a_tag_by_the_calendar_behind_one_of_all_backups_would_never_be_given() {
    let mut spec = PolicySpec::default_template(at("2026-01-01T23:00:00Z"));
    spec.retention
        .extend([keep("All", "P1D"), keep("Sundays", "P90D")]);
    spec.tagging.push(tag("All", 5, "AllBackup"));
    spec.tagging.push(TaggingSpec {
        absolute_criteria: Vec::new(),
        calendar: vec![CalendarSpec {
            days_of_the_week: vec!["Sunday".into()],
            ..CalendarSpec::default()
        }],
        ..tag("Sundays", 10, "AllBackup")
    });
    let told = spec.validate().unwrap_err()[0].message.clone();
    assert!(told.contains("would never be given"), "{told}");
}

#[test]
fn a_copy_needs_a_time_for_which_it_is_kept() {
    let mut spec = PolicySpec::default_template(at("2026-01-01T23:00:00Z"));
    let copy = CopySpec {
        target_data_store: "VaultStore".into(),
        option: "ImmediateCopyOption".into(),
        duration: None,
    };
    spec.retention[0].lifecycles[0].copies = vec![copy.clone()];
    let told = spec.validate().unwrap_err()[0].message.clone();
    assert!(told.contains("no lifecycle says how long"), "{told}");
    spec.retention[0].lifecycles.push(LifecycleSpec {
        source_data_store: "VaultStore".into(),
        delete_after: "P30D".into(),
        ..LifecycleSpec::default()
    });
    let policy = spec.validate().unwrap();
    assert_eq!(
        policy.retention[0].lifecycles[0].copies[0].after,
        CopyAfter::Immediately
    );
    spec.retention[0].lifecycles[0].copies.push(copy);
    let told = spec.validate().unwrap_err()[0].message.clone();
    assert!(told.contains("copied to VaultStore twice"), "{told}");
}
