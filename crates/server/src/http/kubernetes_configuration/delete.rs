//! `DELETE …/extensions/{extension}[?forceDelete=true]`: removes the extension from its cluster. 202
//! while it goes on, 204 when there was none, 409 while instances protect the cluster.

use std::sync::Arc;

use axum::extract::State;
use axum::http::Uri;
use axum::response::{IntoResponse as _, Response};

use crate::app::resources::Terms;
use crate::app::{App, Result, extension};
use crate::http::long_running::Polling;
use crate::http::request::{Target, deleted, is_forced};

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
    terms: Terms,
    polling: Polling,
    uri: Uri,
) -> Result<Response> {
    let force = is_forced(&uri);
    let Some(operation) = extension::delete(&app, &id, &terms, force).await? else {
        return Ok(deleted(false).into_response());
    };
    if operation.status.is_final() {
        return Ok(deleted(true).into_response());
    }
    let answer = polling.accepted(&operation);
    tokio::spawn(extension::settle(app, operation));
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use crate::testing::protection::Protected;

    #[tokio::test]
    async fn an_extension_that_protects_stays_unless_it_is_forced_away() {
        let it = Protected::new().await;
        let refused = it.harness.delete(&it.extension).await;
        assert_eq!(refused.refusal(), (409, "ResourceInUse".to_owned()));
        assert!(refused.text.contains(&it.instance), "{}", refused.text);
        let forced = format!("{}?api-version=2023-05-01&forceDelete=true", it.extension);
        it.harness.clusters.set_unreachable(true);
        assert_eq!(it.harness.delete(&forced).await.status, 200);
        assert_eq!(it.harness.get(&it.extension).await.status, 404);
        assert_eq!(it.harness.delete(&it.extension).await.status, 204);
    }

    #[tokio::test]
    async fn an_extension_that_nothing_needs_is_removed_from_its_cluster() {
        let it = Protected::new().await;
        it.forget_instance().await;
        let answer = it.harness.delete(&it.extension).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        let ended = it.ended(answer.header("azure-asyncoperation")).await;
        assert_eq!(ended["status"], "Succeeded", "{ended}");
        assert_eq!(it.harness.get(&it.extension).await.status, 404);
        assert_eq!(
            it.harness.anonymous("DELETE", &it.extension).await.status,
            401
        );
    }
}
