//! `PUT …/extensions/{extension}`: installs the extension; 201 when new, else 200, and an operation
//! that ends when the extension works.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use strongroom_api::extension::ExtensionResource;

use crate::app::resources::Terms;
use crate::app::{App, Result, extension, repositories};
use crate::http::long_running::Polling;
use crate::http::permit::Authority;
use crate::http::request::{JsonBody, Target, written};

/// Jobs of the extension get the credentials of its storage account, so that whoever chooses the account
/// must be one who may have them.
const LIST_KEYS: &str = "Microsoft.Storage/storageAccounts/listKeys/action";

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
    terms: Terms,
    authority: Authority,
    polling: Polling,
    JsonBody(document): JsonBody<ExtensionResource>,
) -> Result<Response> {
    // The address is {cluster}/providers/Microsoft.KubernetesConfiguration/extensions/{name}.
    let account = repositories::account_of_extension(&id.without(4), &document.properties);
    if let Some(account) = account {
        authority.require_linked(LIST_KEYS, account.as_str())?;
    }
    let (resource, operation) = extension::put(&app, &id, document, &terms).await?;
    let answer = polling.written(written(resource.created), &operation, resource.resource);
    tokio::spawn(extension::settle(app, operation));
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::cluster_link::ExtensionHealth;
    use crate::testing::protection::Protected;

    #[tokio::test]
    async fn an_extension_that_does_not_start_says_why() {
        let it = Protected::new().await;
        let why = "image localhost/none cannot be pulled".to_owned();
        it.harness.clusters.set_health(ExtensionHealth::Broken(why));
        let answer = it.harness.put(&it.extension, it.extension_document()).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let ended = it.ended(answer.header("azure-asyncoperation")).await;
        assert_eq!(
            ended["error"]["code"],
            "UserErrorKubernetesBackupExtensionHasErrors"
        );
        let read = it.harness.get(&it.extension).await.json();
        assert_eq!(read["properties"]["provisioningState"], "Failed");
        assert!(
            read["properties"]["errorInfo"]["message"]
                .as_str()
                .unwrap()
                .contains("pulled")
        );
    }

    #[tokio::test]
    async fn what_cannot_work_is_refused_before_the_cluster_is_asked() {
        let it = Protected::new().await;
        let mut other_type = it.extension_document();
        other_type["properties"]["extensionType"] = "microsoft.flux".into();
        let mut no_container = it.extension_document();
        no_container["properties"]["configurationSettings"]["blobContainer"] = "none".into();
        let mut no_settings = it.extension_document();
        no_settings["properties"]["configurationSettings"] = json!({});
        for (document, code) in [
            (other_type, "InvalidRequestContent"),
            (no_container, "UserErrorNoDefaultBackupStorageLocationFound"),
            (no_settings, "UserErrorNoDefaultBackupStorageLocationFound"),
        ] {
            let refused = it.harness.put(&it.extension, document).await;
            assert_eq!(refused.refusal().1, code, "{}", refused.text);
        }
        let second = format!("{}-2", it.extension);
        let refused = it.harness.put(&second, it.extension_document()).await;
        assert_eq!(refused.refusal(), (409, "Conflict".to_owned()));
        assert_eq!(it.harness.anonymous("PUT", &it.extension).await.status, 401);
    }
}
