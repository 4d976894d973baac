//! `GET …/resourceGroups/{group}`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use strongroom_api::resource_group::ResourceGroup;

use crate::app::{App, Result, resource_groups};
use crate::http::request::Target;

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
) -> Result<Json<ResourceGroup>> {
    Ok(Json(resource_groups::get(&app, &id).await?))
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
        let unknown = format!("{SUBSCRIPTION}/resourceGroups/none");
        assert_eq!(
            harness.get(&unknown).await.refusal().1,
            "ResourceGroupNotFound"
        );
        assert_eq!(harness.anonymous("GET", &unknown).await.status, 401);
    }
}
