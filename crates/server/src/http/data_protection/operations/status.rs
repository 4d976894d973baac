//! `GET …/operationStatus/{operation}`: always 200 with a `status`, as long as the operation is known.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use crate::app::{App, Result, operations};
use crate::http::long_running::Polling;
use crate::http::request::Target;

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
    polling: Polling,
) -> Result<Response> {
    let operation = operations::get(&app, &id).await?;
    let percent = app.verifications.percent(&operation.id);
    Ok(polling.status(&operation, percent))
}

#[cfg(test)]
mod tests {
    use crate::app::operations::tests::{finished, started};
    use crate::testing::{Harness, SUBSCRIPTION};

    fn address(id: &str) -> String {
        format!(
            "{SUBSCRIPTION}/providers/Microsoft.DataProtection/locations/westeurope/operationStatus/{id}"
        )
    }

    #[tokio::test]
    async fn a_poll_tells_the_state_and_when_to_come_back() {
        let harness = Harness::new().await;
        let id = started(&harness.app).await;
        let answer = harness.get(&address(&id)).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.json()["status"], "Inprogress");
        assert!(answer.json()["startTime"].is_string());
        assert_eq!(answer.header("retry-after"), "1");
        finished(&harness.app, &id, None).await;
        let answer = harness.get(&address(&id)).await;
        assert_eq!(answer.json()["status"], "Succeeded");
        assert_eq!(answer.json()["properties"]["jobId"], "job-1");
        assert!(answer.json()["endTime"].is_string());
    }

    #[tokio::test]
    async fn a_failed_operation_tells_why() {
        let harness = Harness::new().await;
        let id = started(&harness.app).await;
        finished(&harness.app, &id, Some("the cluster is away")).await;
        let answer = harness.get(&address(&id)).await.json();
        assert_eq!(answer["status"], "Failed");
        assert_eq!(answer["error"]["code"], "UserErrorClusterUnreachable");
        assert_eq!(answer["error"]["message"], "the cluster is away");
        assert!(answer["id"].as_str().unwrap().ends_with(&id));
    }

    #[tokio::test]
    async fn an_operation_is_seen_in_its_own_subscription_only_and_with_a_token() {
        let harness = Harness::new().await;
        let id = started(&harness.app).await;
        let elsewhere = address(&id).replace("11111111", "99999999");
        assert_eq!(
            harness.get(&elsewhere).await.refusal(),
            (404, "OperationNotFound".to_owned())
        );
        assert_eq!(harness.get(&address("none")).await.status, 404);
        assert_eq!(harness.anonymous("GET", &address(&id)).await.status, 401);
    }
}
