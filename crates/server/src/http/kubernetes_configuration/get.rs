//! `GET …/extensions/{extension}`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use strongroom_api::extension::ExtensionResource;

use crate::app::{App, Result, extension};
use crate::http::request::Target;

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
) -> Result<Json<ExtensionResource>> {
    Ok(Json(extension::get(&app, &id).await?))
}

#[cfg(test)]
mod tests {
    use crate::cluster_link::ExtensionHealth;
    use crate::testing::protection::Protected;

    #[tokio::test]
    async fn an_extension_reads_back_and_needs_a_token() {
        let it = Protected::new().await;
        let read = it.harness.get(&it.extension).await;
        assert_eq!(read.status, 200, "{}", read.text);
        assert_eq!(read.json()["properties"]["provisioningState"], "Succeeded");
        assert_eq!(read.json()["properties"]["currentVersion"], "0.1.0");
        assert_eq!(it.harness.anonymous("GET", &it.extension).await.status, 401);
        let missing = format!("{}x", it.extension);
        assert_eq!(it.harness.get(&missing).await.refusal().0, 404);
    }

    #[tokio::test]
    async fn what_the_extension_says_of_missing_snapshots_is_told_while_it_answers() {
        let it = Protected::new().await;
        it.harness.clusters.set_health(ExtensionHealth::Ready {
            version: "0.1.0".to_owned(),
            warning: Some("2 are missing".to_owned()),
        });
        let told = it.harness.get(&it.extension).await.json();
        let status = &told["properties"]["statuses"][0];
        assert_eq!(status["level"], "Warning", "{told}");
        assert_eq!(status["message"], "2 are missing");
        it.harness.clusters.set_unreachable(true);
        let told = it.harness.get(&it.extension).await.json();
        assert!(told["properties"]["statuses"].is_null(), "{told}");
    }
}
