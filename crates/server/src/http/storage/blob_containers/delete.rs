//! `DELETE …/containers/{container}`: 200, or 204 when there was none; 409 while it is in use.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use crate::app::resources::Preconditions;
use crate::app::{App, Result, storage_accounts};
use crate::http::request::{Target, deleted};

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
    preconditions: Preconditions,
) -> Result<StatusCode> {
    Ok(deleted(
        storage_accounts::delete_container(&app, &id, &preconditions).await?,
    ))
}

#[cfg(test)]
mod tests {
    use crate::testing::Harness;

    #[tokio::test]
    async fn a_container_with_recovery_points_stays() {
        let harness = Harness::new().await;
        let container = harness.container().await;
        let folder = harness.dir.path().join("blobs/backups/points");
        std::fs::write(folder.join("pack"), b"data").unwrap();
        assert_eq!(
            harness.delete(&container).await.refusal(),
            (409, "ResourceInUse".to_owned())
        );
        std::fs::remove_file(folder.join("pack")).unwrap();
        assert_eq!(harness.anonymous("DELETE", &container).await.status, 401);
        assert_eq!(harness.delete(&container).await.status, 200);
        assert!(!folder.exists());
        assert_eq!(harness.delete(&container).await.status, 204);
    }
}
