//! `PUT …/trustedAccessRoleBindings/{binding}`: grants a vault its access; 201 when new, else 200.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use strongroom_api::trusted_access::TrustedAccessRoleBindingResource;

use crate::app::resources::Terms;
use crate::app::{App, Result, trusted_access};
use crate::http::request::{JsonBody, Target, written};

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
    terms: Terms,
    JsonBody(binding): JsonBody<TrustedAccessRoleBindingResource>,
) -> Result<(StatusCode, Json<TrustedAccessRoleBindingResource>)> {
    let binding = trusted_access::put(&app, &id, binding, &terms).await?;
    Ok((written(binding.created), Json(binding.resource)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::testing::protection::Protected;

    #[tokio::test]
    async fn a_repeated_put_grants_again_and_another_vault_or_role_is_refused() {
        let it = Protected::new().await;
        let again = it.harness.put(&it.binding, it.binding_document()).await;
        assert_eq!(again.status, 200, "{}", again.text);
        let mut role = it.binding_document();
        role["properties"]["roles"] = json!(["cluster-admin"]);
        assert_eq!(it.harness.put(&it.binding, role).await.refusal().0, 400);
        let mut vault = it.binding_document();
        vault["properties"]["sourceResourceId"] = format!("{}x", it.vault).into();
        assert_eq!(it.harness.put(&it.binding, vault).await.refusal().0, 404);
        assert_eq!(it.harness.anonymous("PUT", &it.binding).await.status, 401);
    }

    #[tokio::test]
    async fn a_binding_that_the_cluster_did_not_grant_does_not_stay() {
        let it = Protected::new().await;
        it.harness.clusters.set_unreachable(true);
        let other = format!("{}-2", it.binding);
        let refused = it.harness.put(&other, it.binding_document()).await;
        assert_eq!(refused.refusal().1, "UserErrorClusterUnreachable");
        assert_eq!(it.harness.get(&other).await.status, 404);
    }
}
