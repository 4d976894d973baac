//! `DELETE …/connectedClusters/{cluster}` and `…/managedClusters/{cluster}`: 200, or 204 when there was none; 409 while it is in use.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use crate::app::resources::Terms;
use crate::app::{App, Result, clusters};
use crate::http::request::{Target, deleted};

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
    terms: Terms,
) -> Result<StatusCode> {
    Ok(deleted(clusters::delete(&app, &id, &terms).await?))
}

#[cfg(test)]
mod tests {
    use crate::app::clusters;
    use crate::testing::Harness;

    #[tokio::test]
    async fn a_cluster_goes_once_nothing_protects_it() {
        for type_name in clusters::TYPES {
            let harness = Harness::new().await;
            let cluster = harness.cluster(type_name).await;
            let instance = harness.instance_of(&cluster).await;
            let refused = harness.delete(&cluster).await;
            assert_eq!(refused.refusal(), (409, "ResourceInUse".to_owned()));
            assert!(refused.text.contains(&instance), "{}", refused.text);
            harness.delete(&instance).await;
            assert_eq!(harness.anonymous("DELETE", &cluster).await.status, 401);
            assert_eq!(harness.delete(&cluster).await.status, 200);
            assert_eq!(harness.delete(&cluster).await.status, 204);
        }
    }
}
