//! `GET …/backupVaults` of a resource group and of a subscription.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use strongroom_api::list::Page;
use strongroom_api::vault::BackupVaultResource;

use crate::app::{App, ResourceId, Result, vaults};
use crate::http::pagination::PageRequest;
use crate::http::request::Target;

pub(super) async fn of_group(
    State(app): State<Arc<App>>,
    Target(collection): Target,
    page: PageRequest,
) -> Result<Json<Page<BackupVaultResource>>> {
    // The address ends in …/providers/Microsoft.DataProtection/backupVaults.
    list(&app, &collection.without(3), &page).await
}

pub(super) async fn of_subscription(
    State(app): State<Arc<App>>,
    Target(collection): Target,
    page: PageRequest,
) -> Result<Json<Page<BackupVaultResource>>> {
    list(&app, &collection.subscription(), &page).await
}

async fn list(
    app: &App,
    scope: &ResourceId,
    page: &PageRequest,
) -> Result<Json<Page<BackupVaultResource>>> {
    let (found, next) = vaults::list(app, scope, page.after.as_deref(), page.limit).await?;
    Ok(Json(page.page(found, next)))
}

#[cfg(test)]
mod tests {
    use crate::app::vaults::example;
    use crate::testing::{Harness, SUBSCRIPTION, VERSION};

    async fn names(harness: &Harness, mut address: String) -> Vec<Vec<String>> {
        let mut pages = Vec::new();
        loop {
            let answer = harness.get(&address).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            let page = answer.json();
            let names = page["value"].as_array().unwrap().iter();
            pages.push(
                names
                    .map(|item| item["name"].as_str().unwrap().to_owned())
                    .collect(),
            );
            match page["nextLink"].as_str() {
                Some(next) => {
                    address = next
                        .strip_prefix("https://localhost:8443")
                        .unwrap()
                        .to_owned();
                }
                None => return pages,
            }
        }
    }

    #[tokio::test]
    async fn pages_follow_absolute_links_and_survive_writes_in_between() {
        let harness = Harness::new().await;
        let vault = harness.vault_path().await;
        let collection = vault.rsplit_once('/').unwrap().0.to_owned();
        for name in ["v1", "v3", "v5"] {
            harness
                .put(&format!("{collection}/{name}"), example())
                .await;
        }
        let first = harness
            .get(&format!("{collection}?{VERSION}&$top=2"))
            .await
            .json();
        assert_eq!(first["value"].as_array().unwrap().len(), 2);
        let next = first["nextLink"].as_str().unwrap();
        assert!(
            next.starts_with(&format!("https://localhost:8443{collection}?")),
            "{next}"
        );
        // One before and one after the position of the next page.
        for name in ["v2", "v4"] {
            harness
                .put(&format!("{collection}/{name}"), example())
                .await;
        }
        let rest = names(
            &harness,
            next.strip_prefix("https://localhost:8443")
                .unwrap()
                .to_owned(),
        );
        assert_eq!(rest.await.concat(), ["v4", "v5"]);
        let pages = names(&harness, format!("{collection}?{VERSION}&$top=2")).await;
        assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1]);
    }

    #[tokio::test]
    async fn a_subscription_lists_the_vaults_of_all_its_groups() {
        let harness = Harness::new().await;
        let vault = harness.vault_path().await;
        harness.put(&vault, example()).await;
        let address =
            format!("{SUBSCRIPTION}/providers/Microsoft.DataProtection/backupVaults?{VERSION}");
        assert_eq!(names(&harness, address).await.concat().len(), 1);
    }

    #[tokio::test]
    async fn a_malformed_page_request_is_named() {
        let harness = Harness::new().await;
        let vault = harness.vault_path().await;
        let collection = vault.rsplit_once('/').unwrap().0;
        for query in ["$top=0", "$top=x", "$skipToken=%25%25"] {
            let answer = harness
                .get(&format!("{collection}?{VERSION}&{query}"))
                .await;
            assert_eq!(
                answer.refusal(),
                (400, "InvalidQueryParameterValue".to_owned()),
                "{query}"
            );
        }
        // A token of another list cannot lead out of this one.
        let answer = harness
            .get(&format!("{collection}?{VERSION}&$skipToken=Lw"))
            .await;
        assert_eq!(answer.status, 200);
    }

    #[tokio::test]
    async fn listing_vaults_needs_a_token() {
        let harness = Harness::new().await;
        let vault = harness.vault_path().await;
        let collection = vault.rsplit_once('/').unwrap().0;
        assert_eq!(harness.anonymous("GET", collection).await.status, 401);
    }
}
