//! What becomes of claims of every sort, and by which class.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

use super::class::CLASS_LABEL;
use super::*;

fn claim() -> ClaimFacts {
    ClaimFacts::of(&json!({
        "metadata": {"namespace": "shop", "name": "data", "uid": "u-1"},
        "spec": {"volumeName": "pv-1", "storageClassName": "fast", "accessModes": ["ReadWriteOnce"]},
        "status": {"phase": "Bound"},
    }))
}

fn volume() -> VolumeFacts {
    VolumeFacts::of(&json!({"spec": {
        "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"],
        "csi": {"driver": "disk.example.com", "volumeHandle": "h", "fsType": "ext4"},
    }}))
}

fn class(name: &str) -> SnapshotClass {
    SnapshotClass {
        name: name.to_owned(),
        driver: "disk.example.com".to_owned(),
        ..SnapshotClass::default()
    }
}

fn offer(classes: Vec<SnapshotClass>) -> Offer {
    Offer {
        served: true,
        classes,
        ..Offer::default()
    }
}

fn code(verdict: &Verdict) -> Option<Code> {
    match verdict {
        Verdict::Without { code, .. } => *code,
        Verdict::Snapshot { .. } => panic!("a snapshot is taken"),
    }
}

#[test]
fn a_bound_claim_of_a_driver_with_a_class_is_snapshotted() {
    let verdict = decide(&claim(), Some(&volume()), &offer(vec![class("one")]));
    assert!(matches!(verdict, Verdict::Snapshot { class, .. } if class == "one"));
}

#[test]
fn block_volumes_and_volumes_of_many_writers_are_snapshotted_like_others() {
    let shared = ClaimFacts {
        volume_mode: "Block".into(),
        access_modes: vec!["ReadWriteMany".into()],
        ..claim()
    };
    let verdict = decide(&shared, Some(&volume()), &offer(vec![class("one")]));
    assert!(matches!(verdict, Verdict::Snapshot { .. }));
}

#[test]
fn a_claim_without_data_says_which_way_it_has_none() {
    let offer = offer(vec![class("one")]);
    let of = |phase, volume: Option<&VolumeFacts>| {
        let claim = ClaimFacts { phase, ..claim() };
        code(&decide(&claim, volume, &offer))
    };
    assert_eq!(
        of(Phase::Pending, None),
        Some(Code::UserErrorPVCNotBoundToVolume)
    );
    assert_eq!(of(Phase::Lost, None), Some(Code::UserErrorPVCHasNoVolume));
    assert_eq!(of(Phase::Bound, None), Some(Code::UserErrorPVNotFound));
    let leaving = ClaimFacts {
        terminating: true,
        ..claim()
    };
    let verdict = decide(&leaving, Some(&volume()), &offer);
    assert_eq!(code(&verdict), Some(Code::VolumeDataNotProtected));
}

#[test]
fn a_volume_without_csi_is_recorded_and_named_by_what_it_is() {
    let volume = VolumeFacts::of(&json!({"spec": {
        "capacity": {"storage": "1Gi"}, "hostPath": {"path": "/srv"}, "storageClassName": "",
    }}));
    let verdict = decide(&claim(), Some(&volume), &offer(vec![class("one")]));
    assert_eq!(code(&verdict), Some(Code::VolumeDataNotProtected));
    assert!(matches!(verdict, Verdict::Without { reason, .. } if reason.contains("hostPath")));
}

#[test]
fn without_snapshots_in_the_cluster_nothing_fails_and_every_claim_says_so() {
    let none = Offer::default();
    let verdict = decide(&claim(), Some(&volume()), &none);
    assert_eq!(code(&verdict), Some(Code::VolumeDataNotProtected));
}

#[test]
fn the_class_is_the_labelled_one_then_the_default_then_the_only_one() {
    let labelled = SnapshotClass {
        ours: true,
        ..class("c")
    };
    let default = SnapshotClass {
        default: true,
        ..class("b")
    };
    let of = |classes: &[SnapshotClass]| match choose("disk.example.com", classes, &[], "ns") {
        Choice::Class { name, .. } => name,
        Choice::None { reason } => reason,
    };
    assert_eq!(of(&[class("a"), default.clone(), labelled.clone()]), "c");
    assert_eq!(of(&[class("a"), default]), "b");
    assert_eq!(of(&[class("a")]), "a");
    assert!(of(&[class("a"), class("b")]).contains("a, b"));
    assert!(
        of(&[
            labelled.clone(),
            SnapshotClass {
                name: "d".into(),
                ..labelled
            }
        ])
        .contains("c, d")
    );
    let foreign = SnapshotClass {
        driver: "other".into(),
        ..class("a")
    };
    assert!(of(&[foreign]).contains("no VolumeSnapshotClass"));
}

#[test]
fn what_the_snapshot_resource_group_says_goes_before_the_clusters_classes_and_its_default_behind_a_label()
 {
    let labelled = SnapshotClass {
        ours: true,
        ..class("labelled")
    };
    let says = GivenClass {
        driver: "disk.example.com".into(),
        parameters: BTreeMap::from([("incremental".into(), "true".into())]),
        ..GivenClass::default()
    };
    let default = GivenClass {
        by_default: true,
        ..says.clone()
    };
    let made = says.class("ns");
    let of = |classes: &[SnapshotClass], given: &GivenClass| {
        let given = std::slice::from_ref(given);
        match choose("disk.example.com", classes, given, "ns") {
            Choice::Class { name, .. } => name,
            Choice::None { reason } => reason,
        }
    };
    let of_cluster = [class("only"), labelled.clone()];
    assert_eq!(of(&of_cluster, &says), made.name);
    assert_eq!(of(&of_cluster, &default), "labelled");
    assert_eq!(of(&[class("only")], &default), made.name);
    assert_eq!(of(&[], &default), made.name);
    let elsewhere = GivenClass {
        driver: "other.example.com".into(),
        ..says
    };
    assert_eq!(of(&of_cluster, &elsewhere), "labelled");
    // One that was made for another backup is none of the cluster's own.
    assert_eq!(of(&[class("only"), made.clone()], &elsewhere), "only");
    assert!(of(&[made], &elsewhere).contains("no VolumeSnapshotClass"));
}

#[test]
fn a_class_is_read_with_its_label_its_default_and_its_parameters() {
    let read = SnapshotClass::of(&json!({
        "metadata": {"name": "one", "labels": {CLASS_LABEL: "true"},
            "annotations": {"snapshot.storage.kubernetes.io/is-default-class": "true"}},
        "driver": "disk.example.com", "deletionPolicy": "Delete",
        "parameters": {"incremental": "true"},
    }));
    assert!(read.ours && read.default);
    assert_eq!(
        read.parameters,
        BTreeMap::from([("incremental".into(), "true".into())])
    );
}

#[test]
fn the_configured_volume_types_are_honoured() {
    let classes = vec![SnapshotClass {
        driver: "disk.csi.azure.com".into(),
        ..class("one")
    }];
    let disk = VolumeFacts {
        driver: Some("disk.csi.azure.com".into()),
        ..volume()
    };
    let of = |types: &[&str], volume: &VolumeFacts| {
        let types = types.iter().map(|name| (*name).to_owned()).collect();
        let offer = Offer {
            types,
            ..offer(classes.clone())
        };
        decide(&claim(), Some(volume), &offer)
    };
    assert!(matches!(
        of(&["AzureDisk"], &disk),
        Verdict::Snapshot { .. }
    ));
    assert!(matches!(
        of(&["disk.csi.azure.com"], &disk),
        Verdict::Snapshot { .. }
    ));
    // Left out by choice: no warning.
    assert_eq!(code(&of(&["AzureFileShareSMB"], &disk)), None);
    // A driver that the published types cannot name is not left out quietly.
    assert_eq!(
        code(&of(&["AzureDisk"], &volume())),
        Some(Code::VolumeDataNotProtected)
    );
}

#[test]
fn quantities_are_bytes() {
    for (text, bytes) in [
        ("1Gi", 1 << 30),
        ("1.5Gi", 3 << 29),
        ("10G", 10_000_000_000),
        ("512", 512),
        ("0.5", 1),
    ] {
        assert_eq!(bytes_of(text), Some(bytes), "{text}");
    }
    for text in ["", "Gi", "-1Gi", "1e3", "99999999999Ei"] {
        assert_eq!(bytes_of(text), None, "{text}");
    }
}

#[test]
fn another_extensions_snapshot_is_ours_by_kind_but_not_this_ones() {
    let point = Uuid::from_u128(7);
    let theirs = name::snapshot("other", point, "u");
    assert_eq!(
        name::recovery_point("dataprotection-microsoft", &theirs),
        None
    );
    assert!(name::is_ours(&theirs));
    assert!(!name::is_ours("strongroom-nightly"));
}

proptest! {
    #[test]
    fn a_name_tells_its_recovery_point_and_is_a_legal_one(
        point in any::<u128>(), uid in "[a-zA-Z0-9-]{1,80}",
    ) {
        let point = Uuid::from_u128(point);
        let name = name::snapshot("ns", point, &uid);
        prop_assert!(name.len() <= 253);
        prop_assert!(name.bytes().all(|b| b == b'-' || b.is_ascii_lowercase() || b.is_ascii_digit()));
        prop_assert_eq!(name::recovery_point("ns", &name), Some(point));
        prop_assert!(name::is_ours(&name));
    }

    #[test]
    fn a_groups_name_tells_its_recovery_point_and_whose_it_is(point in any::<u128>()) {
        let point = Uuid::from_u128(point);
        let name = name::group("ns", point, "shop", "disk.example.com");
        prop_assert_eq!(name::recovery_point("ns", &name), Some(point));
        prop_assert!(name::is_ours(&name));
        for other in [
            name::group("ns", point, "shop", "file.example.com"),
            name::group("ns", point, "crm", "disk.example.com"),
            name::group("other", point, "shop", "disk.example.com"),
        ] {
            prop_assert_ne!(&name, &other);
        }
    }

    #[test]
    fn any_text_is_read_as_a_quantity_or_not_without_failing(text in ".{0,30}") {
        let _ = bytes_of(&text);
    }
}
