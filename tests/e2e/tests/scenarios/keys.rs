//! What may lie in a store.

use std::collections::{BTreeMap, BTreeSet};

/// The keys of a repository that are no part of a recovery point or of a job's one report, and the
/// recovery points that lack their manifest.
pub(super) fn odd_keys(
    keys: &[String],
    points: &BTreeSet<String>,
    jobs: &BTreeSet<String>,
) -> Vec<String> {
    let mut reported: BTreeMap<&str, &str> = BTreeMap::new();
    let mut missing: BTreeSet<&str> = points.iter().map(String::as_str).collect();
    let mut odd = Vec::new();
    for key in keys {
        let parts: Vec<&str> = key.split('/').collect();
        let fits = match parts[..] {
            ["format"] | ["description", _] => true,
            ["points", point, "manifest"] => missing.remove(point),
            ["packs", point, _] => points.contains(point),
            ["reports", job, attempt, _] => {
                *reported.entry(job).or_insert(attempt) == attempt && jobs.contains(job)
            }
            _ => false,
        };
        if !fits {
            odd.push(key.clone());
        }
    }
    odd.extend(
        missing
            .iter()
            .map(|point| format!("no manifest of {point}")),
    );
    odd
}

#[test]
fn a_key_that_belongs_to_no_recovery_point_and_no_report_is_odd() {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let (points, jobs) = (names(&["p"]), names(&["j"]));
    let odd = |keys: &[&str]| {
        let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        odd_keys(&keys, &points, &jobs)
    };
    let whole = [
        "description/00000001",
        "format",
        "packs/p/1-0",
        "points/p/manifest",
        "reports/j/2/0-0",
    ];
    assert_eq!(odd(&whole), Vec::<String>::new());
    assert_eq!(odd(&["format"]), ["no manifest of p"]);
    for more in [
        "packs/q/1-0",
        "points/q/manifest",
        "points/p/writers/1-00",
        "prune/00",
        "reports/j/1/0-0",
        "reports/k/1/0-0",
    ] {
        assert_eq!(odd(&[&whole[..], &[more]].concat()), [more]);
    }
}
