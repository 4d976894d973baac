//! `GET …/recoveryPoints/{point}`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use strongroom_api::recovery_point::RecoveryPointResource;

use crate::app::{App, Result, recovery_points};
use crate::http::request::Target;

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
) -> Result<Json<RecoveryPointResource>> {
    Ok(Json(recovery_points::get(&app, &id).await?))
}

#[cfg(test)]
mod tests {
    use crate::testing::Harness;

    #[tokio::test]
    async fn a_recovery_point_is_seen_below_its_own_instance_only() {
        let harness = Harness::new().await;
        let instance = harness.instance().await;
        let point = harness.recovery_point(&instance, 1).await;
        let path = format!("{instance}/recoveryPoints/{point}");
        let read = harness.get(&path).await;
        assert_eq!(read.status, 200, "{}", read.text);
        assert_eq!(read.json()["id"], path.as_str());
        assert_eq!(
            read.json()["properties"]["objectType"],
            "AzureBackupDiscreteRecoveryPoint"
        );
        for unknown in ["00000000-0000-0000-0000-000000000009", "nonsense"] {
            let path = format!("{instance}/recoveryPoints/{unknown}");
            assert_eq!(
                harness.get(&path).await.refusal(),
                (404, "ResourceNotFound".to_owned())
            );
        }
        let elsewhere = format!("{instance}x/recoveryPoints/{point}");
        assert_eq!(harness.get(&elsewhere).await.status, 404);
        assert_eq!(harness.anonymous("GET", &path).await.status, 401);
    }
}
