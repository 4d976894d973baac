//! Every limit of a setting, at it and beyond it. Sources stand beside the constants that decide.

use serde_json::{Value, json};
use strongroom_core::tags::{TAG_NAME_CHARS, TAG_VALUE_CHARS, TAGS_MAX};

use crate::app::limits::{DESCRIPTION_CHARS, DISPLAY_NAME_CHARS};
use crate::app::{policies, vaults};
use crate::testing::Harness;

/// Writes `body` with another value at `pointer`, and says the status.
async fn status(harness: &Harness, path: &str, body: &Value, pointer: &str, value: Value) -> u16 {
    let mut body = body.clone();
    put_at(&mut body, pointer, value);
    harness.put(path, body).await.status
}

/// Puts a value where a pointer leads, making what is not there on the way.
fn put_at(body: &mut Value, pointer: &str, value: Value) {
    let mut at = body;
    for word in pointer.split('/').skip(1) {
        at = match word.parse::<usize>() {
            Ok(n) => &mut at[n],
            Err(_) => &mut at[word],
        };
    }
    *at = value;
}

#[tokio::test]
async fn settings_of_a_vault() {
    let harness = Harness::new().await;
    let first = harness.vault_path().await;
    let days = "/properties/securitySettings/softDeleteSettings/retentionDurationInDays";
    let soft = "/properties/securitySettings/softDeleteSettings/state";
    let immutable = "/properties/securitySettings/immutabilitySettings/state";
    let alerts = "/properties/monitoringSettings/azureMonitorAlertSettings/alertsForAllJobFailures";
    let abroad = "/properties/featureSettings/crossSubscriptionRestoreSettings/state";
    let region = "/properties/featureSettings/crossRegionRestoreSettings/state";
    let redundancy = "/properties/storageSettings/0/type";
    let store = "/properties/storageSettings/0/datastoreType";
    let table = [
        (days, json!(14), true),
        (days, json!(14.0), true),
        (days, json!(180), true),
        (days, json!(13), false),
        (days, json!(13.999), false),
        (days, json!(181), false),
        (days, json!(14.5), false),
        (days, json!(0), false),
        (days, json!(-14), false),
        (days, json!(1e300), false),
        (days, json!("14"), false),
        (soft, json!("On"), true),
        (soft, json!("Off"), true),
        (soft, json!("AlwaysOn"), true),
        (soft, json!("on"), false),
        (soft, json!("Maybe"), false),
        (immutable, json!("Disabled"), true),
        (immutable, json!("Unlocked"), true),
        (immutable, json!("Open"), false),
        (alerts, json!("Enabled"), true),
        (alerts, json!("Disabled"), true),
        (alerts, json!("Sometimes"), false),
        (abroad, json!("Enabled"), true),
        (abroad, json!("Disabled"), true),
        (abroad, json!("PermanentlyDisabled"), true),
        (abroad, json!("Perhaps"), false),
        (region, json!("Disabled"), true),
        (region, json!("Enabled"), false),
        (region, json!("Perhaps"), false),
        (redundancy, json!("GeoRedundant"), true),
        (redundancy, json!("LocallyRedundant"), true),
        (redundancy, json!("ZoneRedundant"), true),
        (redundancy, json!("Redundant"), false),
        (redundancy, Value::Null, false),
        (store, json!("OperationalStore"), true),
        (store, json!("VaultStore"), true),
        (store, json!("ArchiveStore"), false),
        (store, json!("Store"), false),
        ("/location", json!("westeurope"), true),
        ("/location", json!(""), false),
        ("/location", json!("x".repeat(65)), false),
        ("/location", json!("a/b"), false),
        ("/location", Value::Null, false),
    ];
    for (n, (pointer, value, fits)) in table.into_iter().enumerate() {
        let path = format!("{first}-{n}");
        let found = status(&harness, &path, &vaults::example(), pointer, value.clone()).await;
        assert_eq!(found, if fits { 201 } else { 400 }, "{pointer} {value}");
    }
}

#[tokio::test]
async fn a_restore_abroad_that_is_off_for_good_stays_off() {
    let harness = Harness::new().await;
    let path = harness.vault_path().await;
    let abroad = "/properties/featureSettings/crossSubscriptionRestoreSettings/state";
    let example = vaults::example();
    for (state, wanted) in [
        ("Enabled", 201),
        ("Disabled", 200),
        ("PermanentlyDisabled", 200),
        ("PermanentlyDisabled", 200),
        ("Enabled", 409),
        ("Disabled", 409),
    ] {
        let found = status(&harness, &path, &example, abroad, json!(state)).await;
        assert_eq!(found, wanted, "{state}");
    }
    // What a PUT does not say stays.
    assert_eq!(harness.put(&path, example).await.status, 200);
    let read = harness.get(&path).await.json();
    assert_eq!(*read.pointer(abroad).unwrap(), "PermanentlyDisabled");
}

#[tokio::test]
async fn tags_of_everything_that_has_them() {
    let harness = Harness::new().await;
    let vault = harness.vault_path().await;
    let group = vault.split("/providers/").next().unwrap().to_owned();
    let located = || json!({"location": "westeurope", "properties": {}});
    let guard = format!("{group}/providers/Microsoft.DataProtection/resourceGuards/guard");
    let account = format!("{group}/providers/Microsoft.Storage/storageAccounts/acct01");
    let many = |count: usize| {
        let tags = (0..count).map(|n| (format!("t{n}"), json!("")));
        Value::Object(tags.collect())
    };
    for (path, body) in [
        (&group, located()),
        (&vault, vaults::example()),
        (&guard, located()),
        (&account, located()),
    ] {
        for (tags, fits) in [
            (json!({}), true),
            (many(TAGS_MAX), true),
            (many(TAGS_MAX + 1), false),
            (
                json!({"n".repeat(TAG_NAME_CHARS): "v".repeat(TAG_VALUE_CHARS)}),
                true,
            ),
            (json!({"n".repeat(TAG_NAME_CHARS + 1): ""}), false),
            (json!({"n": "v".repeat(TAG_VALUE_CHARS + 1)}), false),
            (json!({"": "v"}), false),
            (json!({"a/b": "v"}), false),
            (json!({"a<b": "v"}), false),
            (json!({"n": 1}), false),
            (json!({"n": null}), false),
            (json!(["n"]), false),
        ] {
            let found = status(&harness, path, &body, "/tags", tags.clone()).await;
            let is_accepted = found < 300;
            assert!(is_accepted == fits && found < 500, "{path} {tags}: {found}");
        }
    }
    let patch = json!({"tags": many(TAGS_MAX + 1)});
    for path in [&vault, &guard] {
        let answer = harness.call("PATCH", path, Some(patch.clone())).await;
        assert_eq!(
            answer.refusal(),
            (400, "InvalidRequestContent".to_owned()),
            "{path}"
        );
    }
}

#[tokio::test]
async fn durations_and_intervals_of_a_policy() {
    let harness = Harness::new().await;
    let path = format!("{}/backupPolicies/limits", harness.vault().await);
    let kept = "/properties/policyRules/1/lifecycles/0/deleteAfter/duration";
    let every = "/properties/policyRules/0/trigger/schedule/repeatingTimeIntervals";
    let zone = "/properties/policyRules/0/trigger/schedule/timeZone";
    let at = |interval: &str| json!([format!("R/2024-01-01T00:00:00+00:00/{interval}")]);
    let table = [
        (kept, json!("P1D"), true),
        (kept, json!("P3653D"), true),
        (kept, json!("P10Y"), true),
        (kept, json!("P2W"), true),
        (kept, json!("P3654D"), false),
        (kept, json!("P11Y"), false),
        (kept, json!("P0D"), false),
        (kept, json!("-P1D"), false),
        (kept, json!("P1DT1H"), false),
        (kept, json!("PT24H"), false),
        (kept, json!("P1.5D"), false),
        (kept, json!("p7d"), false),
        (kept, json!("P"), false),
        (kept, json!(""), false),
        (kept, json!("7"), false),
        (kept, json!(7), false),
        (kept, json!("P99999999999999999999D"), false),
        (every, at("PT5M"), true),
        (every, at("PT4H"), true),
        (every, at("P1D"), true),
        (every, at("P1W"), true),
        (every, at("PT4M59S"), false),
        (every, at("PT0S"), false),
        (every, at("-PT4H"), false),
        (every, at("PT99999999999999999999H"), false),
        (every, at("4h"), false),
        (every, json!([]), false),
        (every, json!(["R/2024-13-01T00:00:00+00:00/PT4H"]), false),
        // Without an offset: a time in the schedule's own zone.
        (every, json!(["R/2024-01-01T00:00:00/PT4H"]), true),
        (every, json!(["2024-01-01T00:00:00+00:00/PT4H"]), false),
        (every, json!(["R/PT4H"]), false),
        (every, json!(["R".repeat(100_000)]), false),
        (zone, json!("UTC"), true),
        (zone, json!("Europe/Berlin"), true),
        (zone, json!("Europe/Nowhere"), false),
        (zone, json!("../../etc/passwd"), false),
        (zone, json!("x".repeat(100_000)), false),
    ];
    for (pointer, value, fits) in table {
        let found = status(
            &harness,
            &path,
            &policies::example(),
            pointer,
            value.clone(),
        )
        .await;
        let shown: String = value.to_string().chars().take(80).collect();
        assert_eq!(found, if fits { 200 } else { 400 }, "{pointer} {shown}");
    }
}

#[tokio::test]
async fn texts_of_roles_and_principals() {
    let harness = Harness::new().await;
    let principal = |n: u128| {
        let id = uuid::Uuid::from_u128(n);
        format!("/providers/Strongroom.Administration/servicePrincipals/{id}")
    };
    let named = |name: String| json!({"properties": {"displayName": name}});
    for (n, (name, fits)) in [
        ("n".to_owned(), true),
        ("ä".repeat(DISPLAY_NAME_CHARS), true),
        ("ä".repeat(DISPLAY_NAME_CHARS + 1), false),
        (String::new(), false),
        ("  ".to_owned(), false),
        ("a\0b".to_owned(), false),
    ]
    .into_iter()
    .enumerate()
    {
        let found = harness
            .put(&principal(n as u128), named(name.clone()))
            .await;
        assert_eq!(found.status, if fits { 201 } else { 400 }, "{name:.20}");
    }
    let described = json!({"properties": {
        "roleDefinitionId": "acdd72a7-3385-48ef-bd42-f606fba81ae7",
        "principalId": uuid::Uuid::from_u128(1), "principalType": "User",
    }});
    for (n, (pointer, value, fits)) in [
        (
            "/properties/description",
            json!("ä".repeat(DESCRIPTION_CHARS)),
            true,
        ),
        (
            "/properties/description",
            json!("ä".repeat(DESCRIPTION_CHARS + 1)),
            false,
        ),
        ("/properties/principalType", json!("Device"), false),
        ("/properties/principalId", json!("x"), false),
        ("/properties/principalId", json!(""), false),
        ("/properties/roleDefinitionId", json!("x"), false),
        (
            "/properties/roleDefinitionId",
            json!("/x/acdd72a7-3385-48ef-bd42-f606fba81ae7"),
            false,
        ),
        ("/properties/condition", json!("true"), false),
    ]
    .into_iter()
    .enumerate()
    {
        let id = uuid::Uuid::from_u128(100 + n as u128);
        let path = format!("/providers/Microsoft.Authorization/roleAssignments/{id}");
        let found = status(&harness, &path, &described, pointer, value).await;
        assert_eq!(found, if fits { 201 } else { 400 }, "{pointer} {n}");
    }
}
