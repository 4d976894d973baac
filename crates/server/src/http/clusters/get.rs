//! `GET …/connectedClusters/{cluster}` and `…/managedClusters/{cluster}`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use strongroom_api::cluster::ClusterResource;

use crate::app::{App, Result, clusters};
use crate::http::request::Target;

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
) -> Result<Json<ClusterResource>> {
    Ok(Json(
        clusters::get(&app, clusters::type_of(&id), &id).await?,
    ))
}

#[cfg(test)]
mod tests {
    use crate::app::clusters;
    use crate::testing::Harness;

    #[tokio::test]
    async fn an_unknown_cluster_is_404_and_reading_needs_a_token() {
        for type_name in clusters::TYPES {
            let harness = Harness::new().await;
            let path = harness.cluster_path(type_name).await;
            assert_eq!(
                harness.get(&path).await.refusal(),
                (404, "ResourceNotFound".to_owned())
            );
            assert_eq!(harness.anonymous("GET", &path).await.status, 401);
        }
    }
}
