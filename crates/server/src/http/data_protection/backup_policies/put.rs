//! `PUT …/backupPolicies/{policy}`: 200, on create too; clients take a 201 as an error.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use strongroom_api::policy::BackupPolicyResource;

use crate::app::resources::Terms;
use crate::app::{App, Result, policies};
use crate::http::request::{JsonBody, Target};

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
    terms: Terms,
    JsonBody(document): JsonBody<BackupPolicyResource>,
) -> Result<(StatusCode, Json<BackupPolicyResource>)> {
    let done = policies::put(&app, &id, document, &terms).await?;
    Ok((StatusCode::OK, Json(done.resource)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::app::policies::example;
    use crate::testing::Harness;

    #[tokio::test]
    async fn a_policy_is_written_with_200_and_reads_back_as_sent() {
        let harness = Harness::new().await;
        let policy = format!("{}/backupPolicies/Every4h", harness.vault().await);
        let made = harness.put(&policy, example()).await;
        assert_eq!(made.status, 200, "{}", made.text);
        assert_eq!(made.json()["id"], policy.as_str());
        assert_eq!(made.json()["properties"]["objectType"], "BackupPolicy");
        assert_eq!(made.json()["properties"], example()["properties"]);
        assert_eq!(harness.put(&policy, example()).await.json(), made.json());
    }

    fn changed(pointer: &str, value: Value) -> Value {
        let mut policy = example();
        *policy.pointer_mut(pointer).unwrap() = value;
        policy
    }

    #[tokio::test]
    async fn a_policy_that_cannot_be_followed_is_refused_with_each_fault() {
        let harness = Harness::new().await;
        let path = format!("{}/backupPolicies/bad", harness.vault().await);
        let intervals = "/properties/policyRules/0/trigger/schedule/repeatingTimeIntervals";
        let mut no_default = example();
        no_default["properties"]["policyRules"]
            .as_array_mut()
            .unwrap()
            .remove(1);
        let mut no_backup = example();
        no_backup["properties"]["policyRules"]
            .as_array_mut()
            .unwrap()
            .remove(0);
        let cases = [
            (no_default, "UserErrorDefaultRetentionRuleMissing"),
            (no_backup, "UserErrorInvalidBackupPolicy"),
            (
                changed(intervals, json!(["every day"])),
                "UserErrorInvalidScheduleInterval",
            ),
            (
                changed(intervals, json!(["R/2024-01-01T00:00:00+00:00/PT1M"])),
                "UserErrorInvalidScheduleInterval",
            ),
            (
                changed(intervals, json!([])),
                "UserErrorInvalidScheduleInterval",
            ),
            (
                changed(
                    "/properties/policyRules/1/lifecycles/0/deleteAfter/duration",
                    json!("7 days"),
                ),
                "UserErrorInvalidRetentionDuration",
            ),
            (
                changed(
                    "/properties/datasourceTypes",
                    json!(["Microsoft.Compute/disks"]),
                ),
                "UserErrorInvalidBackupPolicy",
            ),
            (
                changed("/properties/objectType", json!("BackupPlan")),
                "UnknownObjectType",
            ),
            (
                changed(
                    "/properties/policyRules/0/trigger/objectType",
                    json!("Trigger"),
                ),
                "UnknownObjectType",
            ),
            (
                json!({"properties": {"objectType": "BackupPolicy"}}),
                "InvalidRequestContent",
            ),
        ];
        for (body, code) in cases {
            let answer = harness.put(&path, body.clone()).await;
            assert_eq!(answer.refusal(), (400, code.to_owned()), "{body}");
        }
        assert_eq!(harness.get(&path).await.status, 404, "nothing was made");
    }

    #[tokio::test]
    async fn an_unknown_object_type_is_answered_with_those_that_are_accepted() {
        let harness = Harness::new().await;
        let path = format!("{}/backupPolicies/bad", harness.vault().await);
        let body = changed(
            "/properties/policyRules/0/trigger/objectType",
            json!("Trigger"),
        );
        let answer = harness.put(&path, body).await;
        assert!(
            answer.text.contains("ScheduleBasedTriggerContext"),
            "{}",
            answer.text
        );
        assert!(
            answer.text.contains("AdhocBasedTriggerContext"),
            "{}",
            answer.text
        );
    }

    #[tokio::test]
    async fn a_policy_needs_its_vault_a_valid_name_and_a_token() {
        let harness = Harness::new().await;
        let vault = harness.vault().await;
        let elsewhere = format!("{vault}x/backupPolicies/p12");
        assert_eq!(
            harness.put(&elsewhere, example()).await.refusal().1,
            "ResourceNotFound"
        );
        let bad = format!("{vault}/backupPolicies/a_b");
        assert_eq!(
            harness.put(&bad, example()).await.refusal().1,
            "InvalidResourceName"
        );
        assert_eq!(harness.anonymous("PUT", &bad).await.status, 401);
    }

    #[tokio::test]
    async fn a_policy_by_the_calendar_is_kept_as_it_was_sent_and_one_that_never_fits_is_refused() {
        let harness = Harness::new().await;
        let vault = harness.vault().await;
        let path = format!("{vault}/backupPolicies/calendar");
        let with = |criteria: serde_json::Value| {
            let mut policy = crate::app::policies::example();
            let rules = policy["properties"]["policyRules"].as_array_mut().unwrap();
            let mut kept = rules
                .iter()
                .find(|rule| rule["objectType"] == "AzureRetentionRule")
                .unwrap()
                .clone();
            kept["name"] = "Sundays".into();
            kept["isDefault"] = false.into();
            rules.push(kept);
            let backup = rules
                .iter_mut()
                .find(|rule| rule["objectType"] == "AzureBackupRule")
                .unwrap();
            let tags = backup["trigger"]["taggingCriteria"].as_array_mut().unwrap();
            tags.push(serde_json::json!({
                "isDefault": false, "taggingPriority": 20, "tagInfo": {"tagName": "Sundays"},
                "criteria": [criteria],
            }));
            policy
        };
        let sundays = serde_json::json!({
            "objectType": "ScheduleBasedBackupCriteria",
            "daysOfTheWeek": ["Sunday"], "weeksOfTheMonth": ["First", "Last"],
        });
        let made = harness.put(&path, with(sundays.clone())).await;
        assert_eq!(made.status, 200, "{}", made.text);
        let read = harness.get(&path).await.text;
        assert!(read.contains("weeksOfTheMonth"), "{read}");
        let mut never = sundays;
        never["daysOfMonth"] = serde_json::json!([{"date": 10}]);
        let refused = harness.put(&path, with(never)).await;
        assert_eq!(
            refused.refusal(),
            (400, "UserErrorInvalidBackupPolicy".to_owned())
        );
        assert!(refused.text.contains("no day is all"), "{}", refused.text);
    }
}
