//! A simulation makes what the schedule asks for, and keeps what its tags say and the newest.

use super::*;

fn told(simulation: &Simulation) -> String {
    let points = simulation.points.iter().map(|point| {
        let end = match &point.end {
            Verdict::Keep(why) => format!("stays: {why}"),
            Verdict::Expire { since } => format!("goes {since}"),
        };
        format!("{} {} {end}", point.made, point.tag)
    });
    points.collect::<Vec<_>>().join("\n")
}

#[test]
fn points_get_their_tags_and_go_when_their_time_is_over() {
    let mut spec = spec();
    spec.repeating_time_intervals = vec!["R/2026-01-01T06:00:00Z/PT12H".into()];
    spec.tagging.insert(0, tag("Daily", 25, "FirstOfDay"));
    spec.retention.push(keep("Daily", "P3D"));
    spec.retention[0].lifecycles[0].delete_after = "P1D".into();
    let policy = spec.validate().unwrap();
    let (from, to) = (at("2026-03-01T00:00:00Z"), at("2026-03-05T00:00:00Z"));
    let simulation = simulate(&policy, from, to, 100).unwrap();
    insta::assert_snapshot!(told(&simulation), @r"
    2026-03-01T06:00:00Z Daily goes 2026-03-04T06:00:00Z
    2026-03-01T18:00:00Z Default goes 2026-03-02T18:00:00Z
    2026-03-02T06:00:00Z Daily stays: its time ends at 2026-03-05T06:00:00Z
    2026-03-02T18:00:00Z Default goes 2026-03-03T18:00:00Z
    2026-03-03T06:00:00Z Daily stays: its time ends at 2026-03-06T06:00:00Z
    2026-03-03T18:00:00Z Default goes 2026-03-04T18:00:00Z
    2026-03-04T06:00:00Z Daily stays: its time ends at 2026-03-07T06:00:00Z
    2026-03-04T18:00:00Z Default stays: its time ends at 2026-03-05T18:00:00Z
    ");
    assert_eq!(simulation.most_at_once, 5);
}

#[test]
fn the_newest_stays_until_there_is_a_newer_one() {
    let mut spec = spec();
    spec.repeating_time_intervals = vec!["R/2026-01-01T06:00:00Z/P1W".into()];
    spec.retention[0].lifecycles[0].delete_after = "P1D".into();
    let policy = spec.validate().unwrap();
    let (from, to) = (at("2026-03-01T00:00:00Z"), at("2026-03-14T00:00:00Z"));
    let simulation = simulate(&policy, from, to, 100).unwrap();
    insta::assert_snapshot!(told(&simulation), @r"
    2026-03-05T06:00:00Z Default goes 2026-03-12T06:00:00Z
    2026-03-12T06:00:00Z Default stays: it is the newest recovery point of its instance
    ");
    assert_eq!(simulation.most_at_once, 2);
}

#[test]
fn a_span_with_too_many_points_is_told_with_how_far_it_came() {
    let policy = spec().validate().unwrap();
    let (from, to) = (at("2026-03-01T09:00:00Z"), at("2027-03-01T09:00:00Z"));
    let refused = simulate(&policy, from, to, 2).unwrap_err();
    assert_eq!(refused.reached, at("2026-03-01T17:00:00Z"));
    let nothing = simulate(&policy, to, from, 2).unwrap();
    assert_eq!(nothing, Simulation::default());
}
