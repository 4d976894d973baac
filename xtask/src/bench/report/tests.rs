//! Figures are told as they are, whichever way their bars point.

use super::*;

#[test]
fn only_what_stands_between_the_marks_is_replaced() {
    let text = |own: &str| {
        let other = "<!-- begin: b -->\nother\n<!-- end: b -->";
        format!("# A\n{other}\n<!-- begin: a -->\n{own}\n<!-- end: a -->\n## B\n")
    };
    assert_eq!(replaced(&text("old"), "a", "new\n\n"), Some(text("new")));
    assert_eq!(replaced("# A", "a", "new"), None);
}

#[test]
fn a_missed_bar_is_said_and_one_that_was_not_measured_is_neither() {
    let mut figures = Figures::of(10_000);
    figures.set("backup_over_raw_list", 1.3);
    figures.set("equal_restore_writes", 0.0);
    let text = markdown(&RESOURCES, &[figures], "About.");
    assert!(text.contains("| ≤ 1.25 | 1.30 **missed** |"), "{text}");
    assert!(
        text.contains("`[equal_restore_writes]` | ≤ 0 | 0 |"),
        "{text}"
    );
    assert!(
        text.contains("`[calls_per_object]` | ≤ 1.2 | – |"),
        "{text}"
    );
}

#[test]
fn memory_growth_is_told_of_the_largest_against_the_smallest() {
    let mut all = [Figures::of(100), Figures::of(10)];
    all[0].peak(66.0);
    all[1].peak(60.0);
    compare_sizes(&mut all);
    assert!((all[1].get("extension_peak_rss_growth") - 0.1).abs() < 1e-9);
    assert!(all[0].get("extension_peak_rss_growth").is_nan());
}

#[test]
fn the_worse_of_two_columns_is_told_whichever_way_the_bar_points() {
    let mut all = [Figures::of(1), Figures::of(2)];
    for (figures, (most, least)) in all.iter_mut().zip([(1.3, 3.0), (1.1, 2.5)]) {
        figures.set("backup_over_raw_list", most);
        figures.set("equal_restore_rate_over_fresh", least);
    }
    let worst = Figures::worst(&RESOURCES, &all);
    assert_eq!(worst.get("backup_over_raw_list"), 1.3);
    assert_eq!(worst.get("equal_restore_rate_over_fresh"), 2.5);
    assert!(worst.get("calls_per_object").is_nan());
}

#[test]
fn numbers_are_grouped_by_thousands() {
    assert_eq!(
        [grouped(7), grouped(10_000), grouped(1_234_567)],
        ["7", "10,000", "1,234,567"]
    );
}
