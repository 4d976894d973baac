//! Which claims are snapshotted together, at one instant, and which one by one.
//!
//! Contract: [`together`] is a pure function of the claims of one namespace and one driver, all other claims
//! of that namespace, and the cluster's VolumeGroupSnapshotClasses. The API names the members of a group by
//! a selector over the labels that claims have. Nothing is written on users' claims for that, so a group is
//! possible where the labels that they have in common select them and no other claim.
//!
//! Of a selector the snapshot controller reads `matchLabels` alone and passes over `matchExpressions`, with
//! which it would take every claim of the namespace. So equality is all that there is to choose by.
//! Source: `getClaimsFromVolumeGroupSnapshot` in external-snapshotter v8.6,
//! `pkg/common-controller/groupsnapshot_controller_helper.go`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::class::{Choice, SnapshotClass, of_cluster};
use super::given::GivenClass;

/// The kind of the classes of group snapshots.
const CLASS_KIND: &str = "VolumeGroupSnapshotClass";

/// Claims that are named where a selector takes too many.
const NAMED: usize = 3;

/// A claim of a namespace, as a selector sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labelled {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

impl Labelled {
    /// The facts of a claim.
    #[must_use]
    pub fn of(claim: &Value) -> Self {
        let metadata = &claim["metadata"];
        let labels = metadata["labels"].as_object().into_iter().flatten();
        Self {
            name: metadata["name"].as_str().unwrap_or_default().to_owned(),
            labels: labels
                .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
                .collect(),
        }
    }
}

/// How the claims of one namespace and one driver are snapshotted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Together {
    /// At one instant.
    Group {
        /// The VolumeGroupSnapshotClass.
        class: String,
        /// Why this one.
        reason: &'static str,
        /// The labels that select these claims and no other.
        labels: BTreeMap<String, String>,
    },
    /// One by one, although the driver has group snapshots.
    Singly {
        /// Why.
        reason: String,
    },
    /// One by one, as ever: there is one claim, or the driver has no group snapshots.
    NoGroups,
}

/// How `chosen` claims of a namespace, all on volumes of `driver`, are snapshotted. `all` are the claims of
/// that namespace, the chosen ones among them; `classes` are the cluster's VolumeGroupSnapshotClasses, and
/// `given` is what the snapshot resource group says of drivers.
#[must_use]
pub fn together(
    driver: &str,
    chosen: &BTreeSet<&str>,
    all: &[Labelled],
    classes: &[SnapshotClass],
    given: &[GivenClass],
) -> Together {
    let singly = |reason: String| Together::Singly { reason };
    if chosen.len() < 2 || !classes.iter().any(|class| class.driver == driver) {
        return Together::NoGroups;
    }
    let (class, reason) = match choose(driver, classes, given) {
        Choice::Class { name, reason } => (name, reason),
        Choice::None { reason } => return singly(reason),
    };
    let labels = in_common(chosen, all);
    let selected = |claim: &&Labelled| {
        let has = |(key, value): (&String, &String)| claim.labels.get(key) == Some(value);
        labels.iter().all(has)
    };
    let others: Vec<&str> = all
        .iter()
        .filter(selected)
        .map(|claim| claim.name.as_str())
        .filter(|name| !chosen.contains(name))
        .collect();
    if others.is_empty() {
        return Together::Group {
            class,
            reason,
            labels,
        };
    }
    let which = match labels.is_empty() {
        true => "they have no label in common, and a group of all claims would take".to_owned(),
        false => format!(
            "the labels that they have in common ({}) are also those of",
            written(&labels)
        ),
    };
    singly(format!(
        "no labels select these claims alone: {which} {}, whose data are not backed up with them",
        named(&others)
    ))
}

/// The class for a driver's group snapshots. What the resource group says is where snapshots go and what they
/// cost. A class of the cluster that it does not name says something else of it, unless that was labelled for
/// backups and the resource group has but the default.
fn choose(driver: &str, classes: &[SnapshotClass], given: &[GivenClass]) -> Choice {
    let labelled = |class: &SnapshotClass| class.driver == driver && class.ours;
    let given = given.iter().find(|given| given.driver == driver);
    let Some(given) = given.filter(|given| !(given.by_default && classes.iter().any(labelled)))
    else {
        return of_cluster(CLASS_KIND, driver, classes);
    };
    let Some(name) = &given.group_class else {
        return Choice::None {
            reason: format!(
                "the snapshot resource group says how snapshots of {driver} are taken, and it names no {CLASS_KIND}"
            ),
        };
    };
    let is_named = |class: &&SnapshotClass| class.driver == driver && class.name == *name;
    match classes.iter().find(is_named) {
        Some(class) => Choice::Class {
            name: class.name.clone(),
            reason: "the snapshot resource group says so",
        },
        None => Choice::None {
            reason: format!(
                "the snapshot resource group names the {CLASS_KIND} {name}, and the cluster has none of driver {driver}"
            ),
        },
    }
}

/// The labels that all chosen claims have, with the same values.
fn in_common(chosen: &BTreeSet<&str>, all: &[Labelled]) -> BTreeMap<String, String> {
    let mut chosen = all
        .iter()
        .filter(|claim| chosen.contains(claim.name.as_str()));
    let mut common = chosen
        .next()
        .map(|claim| claim.labels.clone())
        .unwrap_or_default();
    for claim in chosen {
        common.retain(|key, value| claim.labels.get(key) == Some(value));
    }
    common
}

fn written(labels: &BTreeMap<String, String>) -> String {
    let pairs: Vec<String> = labels
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    pairs.join(",")
}

/// The first few names, and how many more there are.
fn named(names: &[&str]) -> String {
    let first = names
        .iter()
        .take(NAMED)
        .copied()
        .collect::<Vec<_>>()
        .join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const DRIVER: &str = "disk.example.com";

    fn claim(name: &str, labels: &[(&str, &str)]) -> Labelled {
        let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        Labelled {
            name: name.to_owned(),
            labels: labels.iter().map(own).collect(),
        }
    }

    fn class(name: &str) -> SnapshotClass {
        SnapshotClass {
            name: name.to_owned(),
            driver: DRIVER.to_owned(),
            ..SnapshotClass::default()
        }
    }

    fn decided(chosen: &[&str], all: &[Labelled]) -> Together {
        let chosen = chosen.iter().copied().collect();
        together(DRIVER, &chosen, all, &[class("groups")], &[])
    }

    fn labels(together: Together) -> String {
        match together {
            Together::Group { labels, .. } => written(&labels),
            other => panic!("{other:?}"),
        }
    }

    fn reason(together: Together) -> String {
        match together {
            Together::Singly { reason } => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn claims_are_selected_by_all_labels_that_they_have_in_common() {
        let all = [
            claim("data-0", &[("app", "db"), ("tier", "a")]),
            claim("data-1", &[("app", "db"), ("tier", "b")]),
            claim("other", &[("app", "web")]),
        ];
        assert_eq!(labels(decided(&["data-0", "data-1"], &all)), "app=db");
    }

    #[test]
    fn all_claims_of_a_namespace_need_no_label() {
        let all = [claim("a", &[]), claim("b", &[("app", "db")])];
        assert_eq!(labels(decided(&["a", "b"], &all)), "");
    }

    #[test]
    fn a_claim_that_would_be_taken_with_them_keeps_them_single() {
        let all = [
            claim("data-0", &[("app", "db")]),
            claim("data-1", &[("app", "db")]),
            claim("scratch", &[("app", "db")]),
        ];
        let told = reason(decided(&["data-0", "data-1"], &all));
        assert_eq!(
            told,
            "no labels select these claims alone: the labels that they have in common (app=db) are also those of scratch, whose data are not backed up with them"
        );
        let mut all: Vec<Labelled> = (0..5).map(|n| claim(&format!("x{n}"), &[])).collect();
        all.push(claim("a", &[]));
        all.push(claim("b", &[]));
        let told = reason(decided(&["a", "b"], &all));
        assert!(told.contains("have no label in common"), "{told}");
        assert!(told.contains("x0, x1, x2 and 2 more"), "{told}");
    }

    #[test]
    fn one_claim_and_a_driver_without_a_class_have_no_groups() {
        let all = [claim("a", &[]), claim("b", &[])];
        assert_eq!(decided(&["a"], &all), Together::NoGroups);
        let chosen = BTreeSet::from(["a", "b"]);
        assert_eq!(
            together("other", &chosen, &all, &[class("groups")], &[]),
            Together::NoGroups
        );
    }

    #[test]
    fn the_class_is_chosen_as_that_of_single_snapshots_is() {
        let all = [claim("a", &[]), claim("b", &[])];
        let chosen = BTreeSet::from(["a", "b"]);
        let with = |classes: &[SnapshotClass]| together(DRIVER, &chosen, &all, classes, &[]);
        let several = [class("one"), class("two")];
        let told = reason(with(&several));
        assert!(
            told.contains("several VolumeGroupSnapshotClasses (one, two)"),
            "{told}"
        );
        let default = SnapshotClass {
            default: true,
            ..class("two")
        };
        let ours = SnapshotClass {
            ours: true,
            ..class("three")
        };
        for (classes, expected) in [
            (vec![class("one")], "one"),
            (vec![class("one"), default.clone()], "two"),
            (vec![class("one"), default, ours], "three"),
        ] {
            let decided = with(&classes);
            assert!(
                matches!(&decided, Together::Group { class, .. } if class == expected),
                "{decided:?}"
            );
        }
    }

    #[test]
    fn a_group_does_not_go_elsewhere_than_the_snapshot_resource_group_says() {
        let all = [claim("a", &[]), claim("b", &[])];
        let chosen = BTreeSet::from(["a", "b"]);
        let said = |by_default: bool| GivenClass {
            driver: DRIVER.to_owned(),
            by_default,
            ..GivenClass::default()
        };
        let ours = SnapshotClass {
            ours: true,
            ..class("groups")
        };
        for (class, by_default, is_group) in [
            (class("groups"), false, false),
            (class("groups"), true, false),
            (ours.clone(), false, false),
            (ours, true, true),
        ] {
            let decided = together(
                DRIVER,
                &chosen,
                &all,
                std::slice::from_ref(&class),
                &[said(by_default)],
            );
            assert_eq!(
                matches!(decided, Together::Group { .. }),
                is_group,
                "{class:?} {by_default}"
            );
        }
        let naming = |name: &str| GivenClass {
            group_class: Some(name.to_owned()),
            ..said(false)
        };
        let classes = [class("groups"), class("others")];
        let with = |name: &str| together(DRIVER, &chosen, &all, &classes, &[naming(name)]);
        assert!(
            matches!(with("others"), Together::Group { class, reason, .. }
            if class == "others" && reason == "the snapshot resource group says so")
        );
        let told = reason(with("gone"));
        assert!(
            told.contains("names the VolumeGroupSnapshotClass gone"),
            "{told}"
        );
    }

    #[test]
    fn the_labels_of_a_claim_are_read_as_far_as_they_are_labels() {
        let read = Labelled::of(&json!({"metadata": {"name": "a", "labels": {"x": "1", "y": 2}}}));
        assert_eq!(read, claim("a", &[("x", "1")]));
        assert_eq!(Labelled::of(&json!({})), Labelled::default());
    }

    proptest! {
        /// Whatever labels there are: a group has just the chosen claims.
        #[test]
        fn a_selector_takes_the_chosen_and_no_other(
            drawn in proptest::collection::vec(
                (any::<bool>(), proptest::collection::btree_map("[ab]", "[xy]", 0..3)), 0..6)
        ) {
            let all: Vec<Labelled> = drawn.iter().enumerate().map(|(n, (_, labels))| Labelled {
                name: format!("c{n}"), labels: labels.clone() }).collect();
            let chosen: BTreeSet<&str> = all.iter().zip(&drawn)
                .filter(|(_, (chosen, _))| *chosen).map(|(claim, _)| claim.name.as_str()).collect();
            if let Together::Group { labels, .. } =
                together(DRIVER, &chosen, &all, &[class("groups")], &[])
            {
                let taken: BTreeSet<&str> = all.iter()
                    .filter(|claim| labels.iter().all(|(key, value)| claim.labels.get(key) == Some(value)))
                    .map(|claim| claim.name.as_str()).collect();
                prop_assert_eq!(taken, chosen);
            }
        }
    }
}
