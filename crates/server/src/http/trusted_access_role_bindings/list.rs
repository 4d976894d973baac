//! `GET …/trustedAccessRoleBindings` of a cluster.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use strongroom_api::list::Page;
use strongroom_api::trusted_access::TrustedAccessRoleBindingResource;

use crate::app::{App, Result, trusted_access};
use crate::http::pagination::PageRequest;
use crate::http::request::Target;

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(collection): Target,
    page: PageRequest,
) -> Result<Json<Page<TrustedAccessRoleBindingResource>>> {
    let cluster = collection.without(1);
    let (found, next) =
        trusted_access::list(&app, &cluster, page.after.as_deref(), page.limit).await?;
    Ok(Json(page.page(found, next)))
}

#[cfg(test)]
mod tests {
    use crate::testing::protection::Protected;

    #[tokio::test]
    async fn a_cluster_lists_the_vaults_that_reach_it() {
        let it = Protected::new().await;
        let (collection, name) = it.binding.rsplit_once('/').unwrap();
        let listed = it.harness.get(collection).await.json();
        assert_eq!(listed["value"][0]["name"], name);
        assert_eq!(it.harness.anonymous("GET", collection).await.status, 401);
    }
}
