//! `DELETE …/containers/{container}`: 200, or 204 when there was none; 409 while it is in use.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use crate::app::resources::Terms;
use crate::app::{App, Result, storage_accounts};
use crate::http::request::{Target, deleted};

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
    terms: Terms,
) -> Result<StatusCode> {
    Ok(deleted(
        storage_accounts::delete_container(&app, &id, &terms).await?,
    ))
}

#[cfg(test)]
mod tests {
    use crate::app::jobs::{self, About, Location};
    use crate::testing::Harness;

    #[tokio::test]
    async fn a_container_stays_until_the_data_of_deleted_instances_is_gone_from_it() {
        let harness = Harness::new().await;
        let container = harness.container().await;
        let about = About {
            instance_id: "/subscriptions/s/i".to_owned(),
            instance_name: "i".to_owned(),
            vault_id: "/subscriptions/s/v".to_owned(),
            datasource_id: "/subscriptions/s/c".to_owned(),
            cluster_id: "/subscriptions/s/c".to_owned(),
            policy_id: None,
            location: "westeurope".to_owned(),
            is_user_triggered: true,
        };
        let location = Location {
            container_id: container.clone(),
            prefix: "instances/1".to_owned(),
        };
        let mut session = harness.app.store.begin().await.unwrap();
        let purge = jobs::schedule_purge(
            &harness.app,
            &mut *session,
            about,
            vec![location],
            Vec::new(),
        )
        .await;
        session.commit().await.unwrap();
        let refused = harness.delete(&container).await;
        assert_eq!(refused.refusal(), (409, "ResourceInUse".to_owned()));
        let (purge, outcome) = (purge.unwrap().unwrap(), jobs::Outcome::default());
        jobs::complete(&harness.app, purge, &outcome, None)
            .await
            .unwrap();
        assert_eq!(harness.delete(&container).await.status, 200);
    }

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
