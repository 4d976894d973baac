//! `GET …/backupPolicies`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use strongroom_api::list::Page;
use strongroom_api::policy::BackupPolicyResource;

use crate::app::{App, Result, policies};
use crate::http::pagination::PageRequest;
use crate::http::request::Target;

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(collection): Target,
    page: PageRequest,
) -> Result<Json<Page<BackupPolicyResource>>> {
    let (found, next) = policies::list(
        &app,
        &collection.without(1),
        page.after.as_deref(),
        page.limit,
    )
    .await?;
    Ok(Json(page.page(found, next)))
}

#[cfg(test)]
mod tests {
    use crate::app::policies::example;
    use crate::testing::Harness;

    #[tokio::test]
    async fn a_vault_lists_its_own_policies() {
        let harness = Harness::new().await;
        let policies = format!("{}/backupPolicies", harness.vault().await);
        for name in ["one", "two"] {
            harness.put(&format!("{policies}/{name}"), example()).await;
        }
        let listed = harness.get(&policies).await.json();
        let names: Vec<_> = listed["value"]
            .as_array()
            .unwrap()
            .iter()
            .map(|p| p["name"].clone())
            .collect();
        assert_eq!(names, ["one", "two"]);
        let elsewhere = policies.replace("vault/", "other/");
        assert_eq!(harness.get(&elsewhere).await.refusal().0, 404);
        assert_eq!(harness.anonymous("GET", &policies).await.status, 401);
    }
}
