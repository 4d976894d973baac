//! `GET …/connectedClusters` and `…/managedClusters` of a resource group and of a subscription.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use strongroom_api::cluster::ClusterResource;
use strongroom_api::list::Page;

use crate::app::{App, Result, clusters};
use crate::http::pagination::PageRequest;
use crate::http::request::{Target, scope_of};

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(collection): Target,
    page: PageRequest,
) -> Result<Json<Page<ClusterResource>>> {
    let (found, next) = clusters::list(
        &app,
        clusters::type_of(&collection),
        &scope_of(&collection),
        page.after.as_deref(),
        page.limit,
    )
    .await?;
    Ok(Json(page.page(found, next)))
}

#[cfg(test)]
mod tests {
    use crate::app::clusters;
    use crate::testing::{Harness, SUBSCRIPTION};

    #[tokio::test]
    async fn clusters_are_listed_by_group_and_by_subscription() {
        for type_name in clusters::TYPES {
            let harness = Harness::new().await;
            let cluster = harness.cluster(type_name).await;
            for scope in [
                format!("{SUBSCRIPTION}/resourceGroups/rg"),
                SUBSCRIPTION.to_owned(),
            ] {
                let path = format!("{scope}/providers/{type_name}");
                assert_eq!(
                    harness.get(&path).await.json()["value"][0]["id"],
                    cluster.as_str()
                );
                assert_eq!(harness.anonymous("GET", &path).await.status, 401);
            }
        }
    }
}
