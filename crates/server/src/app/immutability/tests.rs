//! What an immutable vault refuses through the public contract, to the administrator as to anybody.

use serde_json::{Value, json};

use crate::app::policies::example;
use crate::testing::protection::Protected;

const DENIED: &str = "UserErrorOperationDeniedOnImmutableItem";

fn kept_for(duration: &str) -> Value {
    let mut policy = example();
    let rule = "/properties/policyRules/1/lifecycles/0/deleteAfter/duration";
    *policy.pointer_mut(rule).unwrap() = json!(duration);
    policy
}

#[tokio::test]
async fn the_setting_is_locked_for_good_and_can_be_taken_back_until_then() {
    let it = Protected::new().await;
    for state in ["Unlocked", "Disabled", "Unlocked", "Locked", "Locked"] {
        assert_eq!(it.immutability(state).await.status, 200, "{state}");
    }
    for state in ["Unlocked", "Disabled"] {
        let refused = it.immutability(state).await.refusal();
        let code = "UserErrorUnsupportedVaultImmutabilityStateChange".to_owned();
        assert_eq!(refused, (409, code), "{state}");
    }
    // A PUT that says nothing of it changes nothing of it.
    let answer = it
        .harness
        .put(&it.vault, crate::app::vaults::example())
        .await;
    let settings = &answer.json()["properties"]["securitySettings"]["immutabilitySettings"];
    assert_eq!(settings["state"], "Locked");
}

#[tokio::test]
async fn protection_is_stopped_but_its_data_is_not_deleted() {
    for (state, soft_delete) in [("Unlocked", "On"), ("Unlocked", "Off"), ("Locked", "Off")] {
        let it = Protected::new().await;
        it.soft_delete(soft_delete).await;
        let point = it.recovery_point().await;
        it.immutability(state).await;
        let refused = it.harness.delete(&it.instance).await;
        assert_eq!(refused.refusal(), (409, DENIED.to_owned()), "{state}");
        assert!(refused.text.contains(&point), "{}", refused.text);
        assert_eq!(it.post_without_body("stopProtection").await.status, 202);
        assert_eq!(it.harness.delete(&it.instance).await.refusal().1, DENIED);
        let vault = it.harness.delete(&it.vault).await;
        assert_eq!(vault.refusal().1, "ResourceInUse");
        assert_eq!(it.recovery_points().await, 1);
        if state == "Unlocked" {
            it.immutability("Disabled").await;
            assert_eq!(it.harness.delete(&it.instance).await.status, 200);
        }
    }
}

#[tokio::test]
async fn what_has_no_recovery_point_goes() {
    let it = Protected::new().await;
    it.immutability("Locked").await;
    assert_eq!(it.harness.delete(&it.instance).await.status, 200);
    assert_eq!(it.harness.delete(&it.vault).await.status, 200);
}

#[tokio::test]
async fn no_edit_and_no_other_policy_makes_retention_shorter() {
    let it = Protected::new().await;
    let shorter = format!("{}/backupPolicies/shorter", it.vault);
    let longer = format!("{}/backupPolicies/longer", it.vault);
    it.immutability("Unlocked").await;
    it.harness.put(&shorter, kept_for("P6D")).await;
    it.harness.put(&longer, kept_for("P8D")).await;

    let edit = it.harness.put(&it.policy, kept_for("P6D")).await;
    assert_eq!(edit.refusal(), (409, DENIED.to_owned()));
    assert!(edit.text.contains("P7D"), "{}", edit.text);
    let preview = format!("{}/previewEdit", it.policy);
    let preview = it
        .harness
        .call("POST", &preview, Some(kept_for("P6D")))
        .await;
    assert_eq!(preview.refusal().1, DENIED);
    assert_eq!(
        it.harness.put(&it.policy, kept_for("P7D")).await.status,
        200
    );

    let with = |policy: &str| {
        let mut instance = it.instance_document();
        instance["policyInfo"]["policyId"] = json!(policy);
        instance
    };
    let other = json!({"properties": with(&shorter)});
    let other = it.harness.put(&it.instance, other).await;
    assert_eq!(other.refusal(), (409, DENIED.to_owned()));
    let validated = it
        .post(
            "validateForModifyBackup",
            json!({"backupInstance": with(&shorter)}),
        )
        .await;
    assert_eq!(validated.refusal().1, DENIED);
    let other = json!({"properties": with(&longer)});
    let other = it.harness.put(&it.instance, other).await;
    assert!(other.status < 300, "{}", other.text);
    let back = json!({"properties": with(&it.policy)});
    assert_eq!(
        it.harness.put(&it.instance, back).await.refusal().1,
        DENIED,
        "the way back is one to less"
    );
    it.immutability("Disabled").await;
    assert_eq!(
        it.harness.put(&it.policy, kept_for("P1D")).await.status,
        200
    );
}
