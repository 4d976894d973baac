//! `GET …/locations/{location}/deletedVaults`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use strongroom_api::list::Page;
use strongroom_api::vault::DeletedBackupVaultResource;

use crate::app::vaults::deleted;
use crate::app::{App, Result};
use crate::http::pagination::PageRequest;
use crate::http::request::Target;

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(collection): Target,
    page: PageRequest,
) -> Result<Json<Page<DeletedBackupVaultResource>>> {
    let location = collection.without(1);
    let (found, next) = deleted::list(&app, &location, page.after.as_deref(), page.limit).await?;
    Ok(Json(page.page(found, next)))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, SUBSCRIPTION};

    #[tokio::test]
    async fn a_location_that_cannot_be_one_and_a_subscription_that_is_not_there_are_refused() {
        let harness = Harness::new().await;
        harness.vault_path().await;
        let of = async |subscription: &str, location: &str| {
            let collection = "providers/Microsoft.DataProtection/locations";
            let path = format!("{subscription}/{collection}/{location}/deletedVaults");
            harness.get(&path).await
        };
        assert_eq!(of(SUBSCRIPTION, "westeurope").await.status, 200);
        assert_eq!(
            of(SUBSCRIPTION, &"0".repeat(65)).await.refusal(),
            (400, "InvalidResourceLocation".to_owned())
        );
        assert_eq!(
            of("/subscriptions/not-there", "westeurope").await.refusal(),
            (404, "SubscriptionNotFound".to_owned())
        );
    }
}
