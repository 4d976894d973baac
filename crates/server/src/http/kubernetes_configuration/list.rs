//! `GET …/extensions` of a cluster.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use strongroom_api::extension::ExtensionResource;
use strongroom_api::list::Page;

use crate::app::{App, Result, extension};
use crate::http::pagination::PageRequest;
use crate::http::request::Target;

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(collection): Target,
    page: PageRequest,
) -> Result<Json<Page<ExtensionResource>>> {
    // The address ends in …/providers/Microsoft.KubernetesConfiguration/extensions.
    let cluster = collection.without(3);
    let (found, next) = extension::list(&app, &cluster, page.after.as_deref(), page.limit).await?;
    Ok(Json(page.page(found, next)))
}

#[cfg(test)]
mod tests {
    use crate::testing::protection::Protected;

    #[tokio::test]
    async fn a_cluster_lists_its_extension() {
        let it = Protected::new().await;
        let (collection, name) = it.extension.rsplit_once('/').unwrap();
        let listed = it.harness.get(collection).await.json();
        assert_eq!(listed["value"][0]["name"], name);
        assert_eq!(it.harness.anonymous("GET", collection).await.status, 401);
    }
}
