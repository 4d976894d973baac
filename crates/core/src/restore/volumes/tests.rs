//! What becomes of claims on their way into a cluster.

use serde_json::{Value, json};

use super::*;

fn claims() -> ResourceType {
    ResourceType::new(
        "",
        "v1",
        "PersistentVolumeClaim",
        "persistentvolumeclaims",
        true,
    )
}

fn claim(size: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": "shop",
            "annotations": {"volume.kubernetes.io/storage-provisioner": "disk.example.com"}},
        "spec": {"storageClassName": "slow", "resources": {"requests": {"storage": size}}}})
}

fn mapped(choices: &VolumeChoices) -> Value {
    let mut object = claim("1Gi");
    let facts = ClaimFacts::of(&claims(), &object);
    map_classes(&claims(), &mut object, facts.as_ref(), choices);
    object["spec"].clone()
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let pairs = pairs.iter();
    pairs
        .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
        .collect()
}

fn chosen(namespace: Option<&str>, name: &str, class: Option<&str>) -> VolumeChoices {
    VolumeChoices {
        claims: Some(vec![ClaimChoice {
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
            storage_class: class.map(str::to_owned),
        }]),
        ..VolumeChoices::default()
    }
}

#[test]
fn data_come_back_unless_the_restore_or_the_choice_of_claims_says_otherwise() {
    let all = VolumeChoices::default();
    assert_eq!(all.of(true, "shop", "data"), DataChoice::With);
    assert!(matches!(
        all.of(false, "shop", "data"),
        DataChoice::Without(_)
    ));
    let one = chosen(Some("shop"), "data", None);
    assert_eq!(one.of(true, "shop", "data"), DataChoice::With);
    assert!(matches!(
        one.of(true, "crm", "data"),
        DataChoice::Without(_)
    ));
    assert!(matches!(
        one.of(false, "shop", "data"),
        DataChoice::Without(_)
    ));
    let anywhere = chosen(None, "data", None);
    assert_eq!(anywhere.of(true, "crm", "data"), DataChoice::With);
}

#[test]
fn a_claim_takes_its_data_from_the_snapshot_and_from_nothing_else() {
    let mut object = claim("2Gi");
    object["spec"]["volumeName"] = json!("pvc-old");
    object["spec"]["dataSourceRef"] = json!({"kind": "PersistentVolumeClaim", "name": "golden"});
    object["spec"]["dataSource"] = json!({"kind": "PersistentVolumeClaim", "name": "golden"});
    assert_eq!(
        take_from_snapshot(&mut object, "strongroom-restore-1", 1 << 30),
        None
    );
    let expected = json!({"storageClassName": "slow",
        "resources": {"requests": {"storage": "2Gi"}},
        "dataSource": {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot",
            "name": "strongroom-restore-1"}});
    assert_eq!(object["spec"], expected);
}

#[test]
fn a_claim_that_asks_for_less_than_the_snapshot_needs_is_raised_to_it() {
    for (asked, needed, now) in [
        ("1Gi", 2 << 30, Some("2Gi")),
        ("2Gi", 2 << 30, None),
        ("1500M", 2 << 30, Some("2Gi")),
        ("1Gi", 0, None),
        ("1Gi", (1 << 30) + 1, Some("1073741825")),
    ] {
        let mut object = claim(asked);
        let raised = take_from_snapshot(&mut object, "s", needed);
        let expected = now.map(|to| Raised {
            from: asked.to_owned(),
            to: to.to_owned(),
        });
        assert_eq!(raised, expected, "{asked} for {needed} bytes");
        let size = &object["spec"]["resources"]["requests"]["storage"];
        assert_eq!(size, now.unwrap_or(asked));
    }
}

#[test]
fn a_class_is_chosen_by_the_claim_then_by_its_class_then_by_its_provisioner() {
    let mut choices = VolumeChoices {
        class_of_provisioner: map(&[("disk.example.com", "by-driver"), ("", "by-default")]),
        ..VolumeChoices::default()
    };
    assert_eq!(mapped(&choices)["storageClassName"], "by-driver");
    choices.class_of_provisioner = map(&[("other.example.com", "never"), ("", "by-default")]);
    assert_eq!(mapped(&choices)["storageClassName"], "by-default");
    choices.class_mappings = map(&[("slow", "by-class")]);
    assert_eq!(mapped(&choices)["storageClassName"], "by-class");
    choices.claims = chosen(Some("shop"), "data", Some("by-claim")).claims;
    assert_eq!(mapped(&choices)["storageClassName"], "by-claim");
    assert_eq!(
        mapped(&VolumeChoices::default())["storageClassName"],
        "slow"
    );
}

#[test]
fn a_class_in_its_old_place_is_mapped_in_both() {
    let mut object = claim("1Gi");
    object["metadata"]["annotations"]["volume.beta.kubernetes.io/storage-class"] = json!("older");
    let facts = ClaimFacts::of(&claims(), &object);
    let choices = VolumeChoices {
        class_mappings: map(&[("older", "new")]),
        ..VolumeChoices::default()
    };
    let changed = map_classes(&claims(), &mut object, facts.as_ref(), &choices);
    assert_eq!(changed, [OLD_CLASS, CLASS]);
    let annotations = &object["metadata"]["annotations"];
    assert_eq!(
        annotations["volume.beta.kubernetes.io/storage-class"],
        "new"
    );
}

#[test]
fn the_descriptions_of_claims_in_a_stateful_set_follow_the_mapping_of_classes() {
    let sets = ResourceType::new("apps", "v1", "StatefulSet", "statefulsets", true);
    let template = |class: &str| json!({"spec": {"storageClassName": class}});
    let mut set = json!({"spec": {"volumeClaimTemplates": [template("slow"), template("fast")]}});
    let choices = VolumeChoices {
        class_mappings: map(&[("slow", "new")]),
        class_of_provisioner: map(&[("", "never")]),
        ..VolumeChoices::default()
    };
    let changed = map_classes(&sets, &mut set, None, &choices);
    assert_eq!(
        changed,
        ["/spec/volumeClaimTemplates/0/spec/storageClassName"]
    );
    assert_eq!(
        set["spec"]["volumeClaimTemplates"],
        json!([template("new"), template("fast")])
    );
}

#[test]
fn a_size_that_is_asked_for_is_put_into_the_claim() {
    let choices = VolumeChoices {
        sizes: map(&[("shop/data", "20Gi"), ("crm/data", "30Gi")]),
        ..VolumeChoices::default()
    };
    assert_eq!(mapped(&choices)["resources"]["requests"]["storage"], "20Gi");
}

#[test]
fn the_source_of_an_earlier_restore_is_forgotten_and_a_users_own_is_kept() {
    let source =
        |name: &str| json!({"apiGroup": SNAPSHOT_GROUP, "kind": "VolumeSnapshot", "name": name});
    let mut ours = claim("1Gi");
    ours["spec"]["dataSource"] = source("strongroom-restore-7");
    ours["spec"]["dataSourceRef"] = source("strongroom-restore-7");
    assert!(forget_old_source(&claims(), &mut ours));
    assert_eq!(ours, claim("1Gi"));
    let mut own = claim("1Gi");
    own["spec"]["dataSource"] = source("golden");
    assert!(!forget_old_source(&claims(), &mut own));
    assert_eq!(own["spec"]["dataSource"], source("golden"));
}

#[test]
fn choices_that_cannot_be_meant_are_named() {
    let choices = VolumeChoices {
        claims: chosen(None, "", Some("Not_A_Class")).claims,
        class_mappings: map(&[("slow", "-x")]),
        class_of_provisioner: map(&[("p", "")]),
        sizes: map(&[("shop/data", "many"), ("data", "1Gi")]),
    };
    let problems = choices.problems();
    assert_eq!(problems.len(), 6, "{problems:#?}");
    assert!(
        problems
            .iter()
            .all(|one| one.code == Code::InvalidRequestContent)
    );
    assert!(
        chosen(Some("shop"), "data", Some("fast"))
            .problems()
            .is_empty()
    );
}
