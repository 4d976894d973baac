//! `DELETE …/trustedAccessRoleBindings/{binding}[?forceDelete=true]`: takes a vault's access back. 204,
//! also when there was none, as published (Terraform's client takes no 200); 409 while a job of the vault
//! runs in the cluster, and while instances of the vault protect it, unless it is forced.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, Uri};

use crate::app::resources::Terms;
use crate::app::{App, Result, trusted_access};
use crate::http::request::{Target, is_forced};

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
    terms: Terms,
    uri: Uri,
) -> Result<StatusCode> {
    let force = is_forced(&uri);
    trusted_access::delete(&app, &id, &terms, force).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use crate::testing::protection::{Protected, adhoc};

    #[tokio::test]
    async fn access_is_taken_back_once_no_job_needs_it() {
        let it = Protected::new().await;
        it.post("backup", adhoc()).await;
        let refused = it.harness.delete(&it.binding).await;
        assert_eq!(refused.refusal(), (409, "ResourceInUse".to_owned()));
        it.extension_backs_up().await;
        let refused = it.harness.delete(&it.binding).await;
        assert_eq!(refused.refusal(), (409, "ResourceInUse".to_owned()));
        assert!(refused.text.contains(&it.instance), "{}", refused.text);
        it.forget_instance().await;
        assert_eq!(it.harness.delete(&it.binding).await.status, 204);
        assert_eq!(it.harness.get(&it.binding).await.status, 404);
        assert_eq!(it.harness.delete(&it.binding).await.status, 204);
        assert_eq!(
            it.harness.anonymous("DELETE", &it.binding).await.status,
            401
        );
    }

    #[tokio::test]
    async fn access_can_be_forced_away_from_instances_that_need_it() {
        let it = Protected::new().await;
        let forced = format!("{}?api-version=2025-02-01&forceDelete=true", it.binding);
        assert_eq!(it.harness.delete(&forced).await.status, 204);
        assert_eq!(it.harness.get(&it.binding).await.status, 404);
    }
}
