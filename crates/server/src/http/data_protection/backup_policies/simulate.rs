//! `POST …/backupPolicies/{policy}/simulate`, ours: what the policy would make and keep in a span of time.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use strongroom_api::policy_preview::{PolicySimulation, SimulatePolicyRequest};

use crate::app::{App, Result, policy_preview};
use crate::http::request::{JsonBody, Target};

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
    JsonBody(request): JsonBody<SimulatePolicyRequest>,
) -> Result<Json<PolicySimulation>> {
    let policy = id.without(1);
    let simulation = policy_preview::simulate(&app, &policy, &request).await?;
    Ok(Json(simulation))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::app::policies::example;
    use crate::testing::Harness;

    const SPAN: (&str, &str) = ("2026-03-01T09:00:00Z", "2026-03-10T09:00:00Z");

    #[tokio::test]
    async fn a_stored_policy_and_one_that_is_sent_say_what_they_would_make() {
        let harness = Harness::new().await;
        let policy = format!("{}/backupPolicies/daily", harness.vault().await);
        let simulate = format!("{policy}/simulate");
        let span = json!({"from": SPAN.0, "to": SPAN.1});
        let none = harness.call("POST", &simulate, Some(span.clone())).await;
        assert_eq!(none.refusal(), (404, "ResourceNotFound".to_owned()));
        let sent = json!({"from": SPAN.0, "to": SPAN.1, "policy": example()["properties"]});
        let sent = harness.call("POST", &simulate, Some(sent)).await;
        assert_eq!(sent.status, 200, "{}", sent.text);
        harness.put(&policy, example()).await;
        let told = harness.call("POST", &simulate, Some(span)).await.json();
        assert_eq!(told, sent.json());
        // Every four hours for nine days, each for a week.
        assert_eq!(
            (&told["made"], &told["thereAtEnd"], &told["madeByTag"]),
            (&json!(54), &json!(42), &json!({"Default": 54}))
        );
        let first = &told["recoveryPoints"][0];
        assert_eq!(first["time"], "2026-03-01T12:00:00Z");
        assert_eq!(first["removedAt"], "2026-03-08T12:00:00Z");
        let why = told["recoveryPoints"][53]["keptBecause"].as_str().unwrap();
        assert!(why.contains("its time ends at"), "{why}");
        assert_eq!(harness.anonymous("POST", &simulate).await.status, 401);
    }

    #[tokio::test]
    async fn a_span_that_is_none_or_too_long_and_a_policy_that_is_wrong_are_refused() {
        let harness = Harness::new().await;
        let policy = format!("{}/backupPolicies/daily", harness.vault().await);
        harness.put(&policy, example()).await;
        let simulate = format!("{policy}/simulate");
        let mut wrong = example()["properties"].clone();
        wrong["policyRules"].as_array_mut().unwrap().remove(1);
        let cases = [
            (json!({"from": SPAN.1, "to": SPAN.0}), "before it begins"),
            (
                json!({"from": SPAN.0, "to": "2126-03-01T00:00:00Z"}),
                "too long",
            ),
            (
                json!({"from": SPAN.0, "to": SPAN.1, "policy": wrong}),
                "Default",
            ),
            (json!({"from": SPAN.0}), "to"),
            (json!({"from": "soon", "to": SPAN.1}), "from"),
        ];
        for (body, why) in cases {
            let answer = harness.call("POST", &simulate, Some(body)).await;
            assert_eq!(answer.status, 400, "{}", answer.text);
            assert!(answer.text.contains(why), "{why}: {}", answer.text);
        }
    }
}
