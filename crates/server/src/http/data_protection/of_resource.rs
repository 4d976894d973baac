//! `GET {resource}/providers/Microsoft.DataProtection/backupInstances`: the instances of all vaults that
//! protect a resource.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use strongroom_api::instance::BackupInstanceResource;
use strongroom_api::list::Page;

use crate::app::{App, Result, instances};
use crate::http::request::Target;
use crate::http::route::Route;

const READ: &str = "Microsoft.DataProtection/backupInstances/read";
/// Of each instance, in whatever vault it lies.
const ITEM: &str = "Microsoft.DataProtection/backupVaults/backupInstances/read";

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/{provider}/{type}/{resource}/providers/Microsoft.DataProtection/backupInstances")
            .list(READ, handle)
            .of_items(ITEM),
    ]
}

async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
) -> Result<Json<Page<BackupInstanceResource>>> {
    let value = instances::of_cluster(&app, &id.without(3)).await?;
    Ok(Json(Page {
        value,
        next_link: None,
    }))
}

#[cfg(test)]
mod tests {
    use crate::testing::SUBSCRIPTION;
    use crate::testing::protection::Protected;

    #[tokio::test]
    async fn a_cluster_tells_the_instances_that_protect_it() {
        let it = Protected::new().await;
        let path = format!(
            "{}/providers/Microsoft.DataProtection/backupInstances",
            it.cluster
        );
        // Clients put a whole id behind a slash.
        for path in [path.clone(), format!("/{path}")] {
            let listed = it.harness.get(&path).await.json();
            assert_eq!(listed["value"][0]["id"], it.instance, "{path}: {listed}");
        }
        let other = path.replace("/prod/", "/other/");
        assert_eq!(
            it.harness.get(&other).await.json()["value"],
            serde_json::json!([])
        );
        let absent = path.replace(SUBSCRIPTION, "/subscriptions/not-there");
        assert_eq!(
            it.harness.get(&absent).await.refusal(),
            (404, "SubscriptionNotFound".to_owned())
        );
        assert_eq!(it.harness.anonymous("GET", &path).await.status, 401);
    }
}
