//! `POST …/recoveryPoints/{point}/verify`: reads all of a recovery point and says what is not as it was
//! written; ours. 202 with the addresses of the operation; its result is the verdict, damage included.
//! Asking again while one is under way leads to the same operation.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use crate::app::{App, Result, verification};
use crate::http::long_running::Polling;
use crate::http::request::Target;

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
    polling: Polling,
) -> Result<Response> {
    let (operation, is_new) = verification::start(&app, &id.without(1)).await?;
    let answer = polling.accepted(&operation);
    if is_new {
        tokio::spawn(verification::settle(app, operation));
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use crate::testing::protection::Protected;

    #[tokio::test]
    async fn verifying_needs_a_token_and_a_recovery_point() {
        let it = Protected::new().await;
        let point = it.recovery_point().await;
        let path = format!("{}/recoveryPoints/{point}/verify", it.instance);
        assert_eq!(it.harness.anonymous("POST", &path).await.status, 401);
        let unknown = path.replace(&point, "00000000-0000-0000-0000-00000000000a");
        let refused = it.harness.call("POST", &unknown, None).await;
        assert_eq!(refused.refusal(), (404, "ResourceNotFound".to_owned()));
        let answer = it.harness.call("POST", &path, None).await;
        assert_eq!((answer.status, answer.text.as_str()), (202, ""));
        assert!(!answer.header("azure-asyncoperation").is_empty());
        assert!(!answer.header("retry-after").is_empty());
        let again = it.harness.call("POST", &path, None).await;
        assert_eq!(
            again.header("azure-asyncoperation"),
            answer.header("azure-asyncoperation")
        );
        let ended = it.ended(answer.header("azure-asyncoperation")).await;
        assert_eq!(ended["status"], "Succeeded", "{ended}");
        let result = it.follow(answer.header("location")).await.json();
        assert_eq!(result["state"], "Whole", "{result}");
        assert_eq!(result["entries"], 1);
    }
}
