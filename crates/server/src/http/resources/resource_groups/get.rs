//! `GET …/resourceGroups/{group}`; `HEAD` says with 204 that it is there, as published.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use strongroom_api::resource_group::ResourceGroup;

use crate::app::{App, Result, resource_groups};
use crate::http::openapi::contract::{Described, Output};
use crate::http::request::Target;

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
    method: Method,
) -> Result<Found> {
    let group = resource_groups::get(&app, &id).await?;
    Ok(match method {
        Method::HEAD => Found::There,
        _ => Found::Document(Json(group)),
    })
}

/// A group that is there.
pub(super) enum Found {
    /// For who asks what it is.
    Document(Json<ResourceGroup>),
    /// For who asks whether it is there.
    There,
}

impl IntoResponse for Found {
    fn into_response(self) -> Response {
        match self {
            Self::Document(document) => document.into_response(),
            Self::There => StatusCode::NO_CONTENT.into_response(),
        }
    }
}

impl Output for Found {
    fn describe(it: &mut Described<'_>) {
        Json::<ResourceGroup>::describe(it);
        it.empty(204);
    }
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
