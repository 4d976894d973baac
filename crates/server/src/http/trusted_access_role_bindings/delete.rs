//! `DELETE …/trustedAccessRoleBindings/{binding}`: takes a vault's access back. 200, or 204 when
//! there was none; 409 while a job of the vault runs in the cluster.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use crate::app::{App, Result, trusted_access};
use crate::http::request::{Target, deleted};

pub(super) async fn handle(State(app): State<Arc<App>>, Target(id): Target) -> Result<StatusCode> {
    Ok(deleted(trusted_access::delete(&app, &id).await?))
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
        assert_eq!(it.harness.delete(&it.binding).await.status, 200);
        assert_eq!(it.harness.delete(&it.binding).await.status, 204);
        assert_eq!(
            it.harness.anonymous("DELETE", &it.binding).await.status,
            401
        );
    }
}
