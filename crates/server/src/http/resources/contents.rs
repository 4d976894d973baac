//! `GET /subscriptions/{subscription}/resources` and `…/resourceGroups/{group}/resources`: what lies there, of
//! whatever type, without its properties. Terraform asks before it deletes a group.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use strongroom_api::list::Page;
use strongroom_api::resource_group::GenericResource;

use crate::app::{App, Result, resource_groups};
use crate::http::pagination::PageRequest;
use crate::http::request::Target;
use crate::http::route::Route;

const OF_SUBSCRIPTION: &str = "Microsoft.Resources/subscriptions/resources/read";
const OF_GROUP: &str = "Microsoft.Resources/subscriptions/resourceGroups/resources/read";

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new("/subscriptions/{subscription}/resources").get(OF_SUBSCRIPTION, handle),
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/resources")
            .get(OF_GROUP, handle),
    ]
}

async fn handle(
    State(app): State<Arc<App>>,
    Target(collection): Target,
    page: PageRequest,
) -> Result<Json<Page<GenericResource>>> {
    let scope = collection.without(1);
    let found = resource_groups::contents(&app, &scope, page.after.as_deref(), page.limit);
    let (found, next) = found.await?;
    Ok(Json(page.page(found, next)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::testing::{Harness, SUBSCRIPTION, VERSION};

    #[tokio::test]
    async fn whatever_lies_in_a_group_is_listed_page_by_page_without_properties() {
        let harness = Harness::new().await;
        harness.instance().await;
        harness.container().await;
        let group = format!("{SUBSCRIPTION}/resourceGroups/rg");
        let all = harness.get(&format!("{group}/resources")).await.json();
        let all = all["value"].as_array().unwrap().clone();
        let types: BTreeSet<&str> = all
            .iter()
            .map(|one| one["type"].as_str().unwrap())
            .collect();
        assert!(
            types.contains("Microsoft.DataProtection/backupVaults"),
            "{types:?}"
        );
        assert!(
            types.contains("Microsoft.Storage/storageAccounts"),
            "{types:?}"
        );
        assert!(all.iter().all(|one| one["location"].is_string()));
        assert!(all.iter().all(|one| one.get("properties").is_none()));

        let mut paged = Vec::new();
        let mut next = Some(format!("{SUBSCRIPTION}/resources?{VERSION}&$top=1"));
        while let Some(address) = next {
            let page = harness.get(&address).await.json();
            paged.extend(page["value"].as_array().unwrap().clone());
            let link = page["nextLink"].as_str();
            next = link.map(|link| link.split_once("8443").unwrap().1.to_owned());
        }
        assert_eq!(paged, all);
        let none = format!("{SUBSCRIPTION}/resourceGroups/none/resources");
        assert_eq!(
            harness.get(&none).await.refusal().1,
            "ResourceGroupNotFound"
        );
        assert_eq!(harness.anonymous("GET", &none).await.status, 401);
    }
}
