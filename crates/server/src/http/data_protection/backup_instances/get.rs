//! `GET …/backupInstances/{instance}`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use strongroom_api::instance::BackupInstanceResource;

use crate::app::{App, Result, instances};
use crate::http::request::Target;

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
) -> Result<Json<BackupInstanceResource>> {
    Ok(Json(instances::get(&app, &id).await?))
}

#[cfg(test)]
mod tests {
    use crate::testing::Harness;

    #[tokio::test]
    async fn an_instance_reads_back_and_an_unknown_one_is_404() {
        let harness = Harness::new().await;
        let instance = harness.instance().await;
        let read = harness.get(&instance).await.json();
        assert_eq!(read["id"], instance.as_str());
        assert_eq!(read["properties"]["objectType"], "BackupInstance");
        assert_eq!(
            harness.get(&format!("{instance}x")).await.refusal().1,
            "ResourceNotFound"
        );
        assert_eq!(harness.anonymous("GET", &instance).await.status, 401);
    }
}
