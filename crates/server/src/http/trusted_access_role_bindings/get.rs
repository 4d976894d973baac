//! `GET …/trustedAccessRoleBindings/{binding}`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use strongroom_api::trusted_access::TrustedAccessRoleBindingResource;

use crate::app::{App, Result, trusted_access};
use crate::http::request::Target;

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
) -> Result<Json<TrustedAccessRoleBindingResource>> {
    Ok(Json(trusted_access::get(&app, &id).await?))
}

#[cfg(test)]
mod tests {
    use crate::testing::protection::Protected;

    #[tokio::test]
    async fn a_binding_reads_back_and_needs_a_token() {
        let it = Protected::new().await;
        let read = it.harness.get(&it.binding).await;
        assert_eq!(read.status, 200, "{}", read.text);
        assert_eq!(
            read.json()["properties"]["sourceResourceId"],
            it.vault.as_str()
        );
        assert_eq!(it.harness.anonymous("GET", &it.binding).await.status, 401);
    }
}
