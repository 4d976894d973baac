//! `POST …/backupPolicies/{policy}/previewEdit`, ours: what writing the policy so would do to the recovery
//! points that are there.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use strongroom_api::policy_preview::{PolicyEditPreview, PreviewPolicyEditRequest};

use crate::app::{App, Result, policy_preview};
use crate::http::request::{JsonBody, Target};

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
    JsonBody(request): JsonBody<PreviewPolicyEditRequest>,
) -> Result<Json<PolicyEditPreview>> {
    let policy = id.without(1);
    let preview = policy_preview::preview_edit(&app, &policy, &request).await?;
    Ok(Json(preview))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use crate::app::policies::example;
    use crate::testing::protection::Protected;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn kept_for(duration: &str) -> Value {
        let mut policy = example();
        let rule = "/properties/policyRules/1/lifecycles/0/deleteAfter/duration";
        *policy.pointer_mut(rule).unwrap() = json!(duration);
        policy
    }

    async fn preview(it: &Protected, policy: &Value) -> Value {
        let path = format!("{}/previewEdit", it.policy);
        let answer = it.harness.call("POST", &path, Some(policy.clone())).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }

    fn sums(told: &Value) -> [u64; 5] {
        [
            "recoveryPoints",
            "wouldExpire",
            "prolonged",
            "shortened",
            "unchanged",
        ]
        .map(|name| told[name].as_u64().unwrap())
    }

    #[tokio::test]
    async fn an_edit_says_what_it_prolongs_and_ends_and_that_promises_hold() {
        let it = Protected::new().await;
        let old = it.recovery_point().await;
        it.harness.clock.advance(DAY);
        let new = it.recovery_point().await;
        let longer = preview(&it, &kept_for("P30D")).await;
        assert_eq!(sums(&longer), [2, 0, 2, 0, 0], "{longer:#}");
        assert_eq!(longer["instances"], 1);
        assert_eq!(longer["scheduleChanges"], false);
        let shorter = preview(&it, &kept_for("P1D")).await;
        assert_eq!(sums(&shorter), [2, 0, 0, 0, 2], "{shorter:#}");

        // What an edit prolonged goes by another one, when what was promised is over.
        it.harness.put(&it.policy, kept_for("P30D")).await;
        it.harness.clock.advance(DAY * 10);
        let back = preview(&it, &kept_for("P7D")).await;
        assert_eq!(sums(&back), [2, 1, 0, 1, 0], "{back:#}");
        let (first, second) = (&back["changes"][0], &back["changes"][1]);
        assert_eq!(first["recoveryPointId"], old.as_str());
        assert_eq!(first["effect"], "Expires");
        assert_eq!(second["recoveryPointId"], new.as_str());
        assert_eq!(second["effect"], "Shortened");
        let why = second["reason"].as_str().unwrap();
        assert!(why.contains("newest"), "{why}");
        let listed = it
            .harness
            .get(&format!("{}/recoveryPoints", it.instance))
            .await;
        assert_eq!(listed.json()["value"].as_array().unwrap().len(), 2);
    }

    #[tokio::test]
    async fn a_policy_that_is_not_there_or_wrong_has_no_preview() {
        let it = Protected::new().await;
        let path = format!("{}/previewEdit", it.policy);
        let wrong = it
            .harness
            .call("POST", &path, Some(kept_for("7 days")))
            .await;
        let code = "UserErrorInvalidRetentionDuration".to_owned();
        assert_eq!(wrong.refusal(), (400, code));
        let none = format!("{}x/previewEdit", it.policy);
        let none = it.harness.call("POST", &none, Some(example())).await;
        assert_eq!(none.refusal(), (404, "ResourceNotFound".to_owned()));
        let mut moved = example();
        moved["properties"]["policyRules"][0]["trigger"]["schedule"]["repeatingTimeIntervals"] =
            json!(["R/2024-01-01T00:00:00+00:00/PT6H"]);
        assert_eq!(preview(&it, &moved).await["scheduleChanges"], true);
        assert_eq!(it.harness.anonymous("POST", &path).await.status, 401);
    }
}
