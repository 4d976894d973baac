//! Resource ids: any case in, published case out, and the same key for the same resource.

use super::*;
use proptest::prelude::*;

const VAULT: &str =
    "/subscriptions/s1/resourceGroups/rg1/providers/Microsoft.DataProtection/backupVaults/v1";

#[test]
fn an_id_in_any_case_is_written_in_the_published_case_and_keeps_the_case_of_names() {
    let id = ArmId::parse("/SUBSCRIPTIONS/S1/resourcegroups/Rg1/PROVIDERS/microsoft.dataprotection/BACKUPVAULTS/V1/backupinstances/Web/").unwrap();
    assert_eq!(
        id.to_string(),
        "/subscriptions/S1/resourceGroups/Rg1/providers/Microsoft.DataProtection/backupVaults/V1/backupInstances/Web"
    );
    assert_eq!(
        id.resource_type(),
        "Microsoft.DataProtection/backupVaults/backupInstances"
    );
    assert_eq!((id.name(), id.name_of("backupvaults")), ("Web", Some("V1")));
    assert_eq!(
        id.parent(),
        Some(ArmId::parse(&VAULT.to_uppercase()).unwrap())
    );
}

#[test]
fn an_extension_resource_has_two_providers_and_its_parent_is_the_resource() {
    let cluster = ArmId::of_resource_group("s1", "rg1").provider(
        "Microsoft.Kubernetes",
        "connectedClusters",
        "c1",
    );
    let extension = cluster.provider("Microsoft.KubernetesConfiguration", "extensions", "backup");
    assert_eq!(
        extension.resource_type(),
        "Microsoft.KubernetesConfiguration/extensions"
    );
    assert_eq!(extension.parent(), Some(cluster.clone()));
    assert_eq!(extension.name_of("connectedClusters"), Some("c1"));
    assert_eq!(ArmId::parse(&extension.to_string()).unwrap(), extension);
}

#[test]
fn the_parents_of_a_resource_end_at_the_subscription() {
    let mut at = ArmId::parse(VAULT).unwrap().child("backupInstances", "web");
    let mut types = vec![at.resource_type()];
    while let Some(parent) = at.parent() {
        types.push(parent.resource_type());
        at = parent;
    }
    insta::assert_snapshot!(types.join("\n"), @r"
    Microsoft.DataProtection/backupVaults/backupInstances
    Microsoft.DataProtection/backupVaults
    Microsoft.Resources/resourceGroups
    Microsoft.Resources/subscriptions
    ");
}

#[test]
fn what_is_no_id_is_refused_with_the_reason() {
    let long = format!("/subscriptions/{}", "s".repeat(RESOURCE_ID_BYTES));
    for bad in [
        "",
        "/",
        "subscriptions/s1",
        "/subscriptions",
        "/subscriptions/",
        "/subscriptions/s1/x/y",
        "/subscriptions/s1/resourceGroups",
        "/subscriptions/s1//resourceGroups/rg",
        "/subscriptions/s1/resourceGroups/../providers/a/b/c",
        "/subscriptions/s1/providers/Microsoft.Storage",
        "/subscriptions/s1/providers/a/b",
        "/subscriptions/s1/providers/a/b/c d",
        "/subscriptions/s1/providers/a/b/c%2f..",
        &long,
    ] {
        assert!(ArmId::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn ids_are_json_strings() {
    let id: ArmId = serde_json::from_str(&format!("\"{}\"", VAULT.to_lowercase())).unwrap();
    assert_eq!(serde_json::to_string(&id).unwrap(), format!("\"{VAULT}\""));
}

proptest! {
    #[test]
    fn parsing_never_panics(text in "\\PC{0,80}") {
        let _ = ArmId::parse(&text);
    }

    #[test]
    fn an_id_reads_back_and_case_makes_no_difference(
        group in "[a-zA-Z0-9_-]{1,20}", vault in "[a-zA-Z0-9-]{2,20}", instance in "[a-zA-Z0-9-]{1,20}"
    ) {
        prop_assume!(!vault.eq_ignore_ascii_case("providers") && !instance.eq_ignore_ascii_case("providers"));
        let id = ArmId::of_resource_group("s1", &group)
            .provider("Microsoft.DataProtection", "backupVaults", &vault)
            .child("backupInstances", &instance);
        let text = id.to_string();
        prop_assert_eq!(&ArmId::parse(&text).unwrap().to_string(), &text);
        prop_assert_eq!(ArmId::parse(&text.to_uppercase()).unwrap(), id.clone());
        prop_assert_eq!(id.key(), text.to_lowercase());
    }
}
