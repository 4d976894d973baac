//! `GET …/operationResults/{operation}`: 202 while it goes on, then its result.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use crate::app::{App, Result, operations};
use crate::http::long_running::Polling;
use crate::http::openapi::contract::{Described, accepted};
use crate::http::request::Target;

/// What it answers: nothing yet, what the operation made, or that it made nothing.
pub(super) fn answers(it: &mut Described<'_>) {
    accepted(it);
    it.json::<serde_json::Value>(200);
    it.empty(204);
}

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
    polling: Polling,
) -> Result<Response> {
    Ok(polling.results(&operations::get(&app, &id).await?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::app::operations::tests::{finished, started};
    use crate::testing::{Harness, SUBSCRIPTION};

    fn address(id: &str) -> String {
        format!(
            "{SUBSCRIPTION}/providers/Microsoft.DataProtection/locations/westeurope/operationResults/{id}"
        )
    }

    #[tokio::test]
    async fn the_final_get_names_the_job() {
        let harness = Harness::new().await;
        let id = started(&harness.app).await;
        let answer = harness.get(&address(&id)).await;
        assert_eq!((answer.status, answer.text.as_str()), (202, ""));
        let location = answer.header("location");
        assert!(
            location.starts_with("https://localhost:8443/subscriptions/"),
            "{location}"
        );
        assert!(location.contains("api-version=2026-06-01"), "{location}");
        finished(&harness.app, &id, None).await;
        let answer = harness.get(&address(&id)).await;
        let expected = json!({"objectType": "OperationJobExtendedInfo", "jobId": "job-1"});
        assert_eq!((answer.status, answer.json()), (200, expected));
    }

    #[tokio::test]
    async fn a_failed_operation_ends_in_its_error() {
        let harness = Harness::new().await;
        let id = started(&harness.app).await;
        finished(&harness.app, &id, Some("away")).await;
        let refusal = harness.get(&address(&id)).await.refusal();
        assert_eq!(refusal, (400, "UserErrorClusterUnreachable".to_owned()));
        assert_eq!(harness.anonymous("GET", &address(&id)).await.status, 401);
    }
}
