//! `GET …/resourceGroups/{group}`; `HEAD` says with 204 that it is there, as published.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};

use crate::app::{App, Result, resource_groups};
use crate::http::request::Target;

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
    method: Method,
) -> Result<Response> {
    let group = resource_groups::get(&app, &id).await?;
    Ok(match method {
        Method::HEAD => StatusCode::NO_CONTENT.into_response(),
        _ => Json(group).into_response(),
    })
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, SUBSCRIPTION};

    #[tokio::test]
    async fn a_group_reads_back_and_an_unknown_one_is_404() {
        let harness = Harness::new().await;
        harness.vault_path().await;
        assert_eq!(
            harness
                .get(&format!("{SUBSCRIPTION}/resourceGroups/RG"))
                .await
                .status,
            200
        );
        let group = format!("{SUBSCRIPTION}/resourceGroups/rg");
        let there = harness.call("HEAD", &group, None).await;
        assert_eq!((there.status, there.text.as_str()), (204, ""));
        let unknown = format!("{SUBSCRIPTION}/resourceGroups/none");
        assert_eq!(
            harness.get(&unknown).await.refusal().1,
            "ResourceGroupNotFound"
        );
        assert_eq!(harness.call("HEAD", &unknown, None).await.status, 404);
        assert_eq!(harness.anonymous("GET", &unknown).await.status, 401);
    }
}
