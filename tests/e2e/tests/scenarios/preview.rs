//! A preview counts what the backup then takes, and leaves no trace.

use std::collections::BTreeMap;

use serde_json::Value;
use strongroom_e2e::sample::SHOP;
use strongroom_e2e::stage::{CLUSTER, INSTANCE, VAULT};

use super::stage_of_tests::TestStage;

/// Objects by `Kind.group`.
type Counts = BTreeMap<String, u64>;

fn kind(of: &Value) -> String {
    match of["group"].as_str().unwrap_or_default() {
        "" => of["kind"].as_str().unwrap().to_owned(),
        group => format!("{}.{group}", of["kind"].as_str().unwrap()),
    }
}

fn previewed(preview: &Value) -> Counts {
    let types = preview["types"].as_array().unwrap().iter();
    types
        .map(|one| (kind(one), one["taken"].as_u64().unwrap()))
        .filter(|(_, taken)| *taken > 0)
        .collect()
}

fn reported(stage: &TestStage, job: &Value) -> Counts {
    let id = job["name"].as_str().unwrap();
    let words = [
        "job",
        "report",
        id,
        "--vault",
        VAULT,
        "--outcome",
        "BackedUp",
    ];
    let mut counts = Counts::new();
    for line in stage.cli.json(&words).unwrap().as_array().unwrap() {
        *counts.entry(kind(&line["object"])).or_default() += 1;
    }
    counts
}

#[test]
fn a_preview_counts_what_the_backup_takes_and_leaves_no_trace() {
    let stage = TestStage::protected(&SHOP);
    let of_instance = ["instance", "preview", "--vault", VAULT, "--name", INSTANCE];
    let preview = stage.cli.json(&of_instance).unwrap();
    assert_eq!(stage.leftover_jobs().unwrap(), Vec::<String>::new());
    let jobs = stage.cli.json(&["job", "list", "--vault", VAULT]).unwrap();
    assert_eq!(jobs.as_array().map(Vec::len), Some(0), "{jobs:#}");

    let backup = stage.back_up().unwrap();
    assert_eq!(previewed(&preview), reported(&stage, &backup));
    let nothing = stage
        .cli
        .json(&[
            "instance",
            "preview",
            "--vault",
            VAULT,
            "--cluster",
            CLUSTER,
            "--include-namespaces",
            "nowhere",
            "--include-cluster-scope",
            "false",
        ])
        .unwrap();
    let codes: Vec<&str> = nothing["warnings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|warning| warning["code"].as_str().unwrap())
        .collect();
    assert_eq!(
        codes,
        ["UserErrorNamespaceNotFound", "SelectionTakesNothing"]
    );
    assert_eq!(nothing["taken"], 0);
    let (_, told) = stage
        .cli
        .fails(&[
            "instance",
            "preview",
            "--vault",
            VAULT,
            "--cluster",
            CLUSTER,
            "--label-selector",
            "a in (b",
        ])
        .unwrap();
    assert!(told.contains("UserErrorInvalidLabelSelector"), "{told}");
}
