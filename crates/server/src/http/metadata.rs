//! `GET /metadata/endpoints`: what a client asks first, before it has a token, to learn where the parts of
//! a cloud are. Here all of them are this server.
//!
//! Three published shapes, by `api-version`: 2015 (`az cloud register --endpoint-resource-manager`), a list
//! of clouds from 2018 on (`ARM_CLOUD_METADATA_URL`), one cloud from 2022 on (Terraform's `metadata_host`).

use axum::Json;
use axum::extract::RawQuery;
use serde_json::{Value, json};
use strongroom_core::error::{Code, Problem};

use super::pagination::parameter;
use super::request::BaseUrl;
use super::route::{Access, Route};
use crate::app::Result;

/// Name of the cloud that this server is.
const NAME: &str = "Strongroom";

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::process("/metadata/endpoints", Access::Open)
            .get("Strongroom/metadata/endpoints/read", handle)
            .documented(|it| {
                let text = json!({ "type": "string", "minLength": 1 });
                it.query("api-version", "Decides the form of the answer.", &text);
            }),
    ]
}

async fn handle(BaseUrl(base): BaseUrl, RawQuery(query): RawQuery) -> Result<Json<Value>> {
    let version = parameter(&query.unwrap_or_default(), "api-version").unwrap_or_default();
    if version.is_empty() {
        return Err(Problem::new(
            Code::MissingApiVersionParameter,
            "The api-version query parameter (?api-version=) is required for all requests.",
        )
        .into());
    }
    Ok(Json(endpoints(&base, &version)))
}

fn endpoints(base: &str, version: &str) -> Value {
    let host = base.trim_start_matches("https://");
    if version < "2018" {
        return json!({
            "galleryEndpoint": base,
            "graphEndpoint": base,
            "portalEndpoint": base,
            "authentication": {"loginEndpoint": base, "audiences": [base]},
        });
    }
    let cloud = json!({
        "name": NAME,
        "portal": base,
        "gallery": base,
        "graph": base,
        "graphAudience": base,
        "microsoftGraphResourceId": base,
        "resourceManager": base,
        "authentication": {
            "loginEndpoint": base,
            "audiences": [base],
            "tenant": "common",
            "identityProvider": "AAD",
        },
        "suffixes": {"storage": host, "acrLoginServer": "", "keyVaultDns": "", "sqlServerHostname": ""},
    });
    if version < "2022" {
        json!([cloud])
    } else {
        cloud
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use serde_json::json;

    use crate::testing::{Answer, Harness};

    #[tokio::test]
    async fn a_client_without_a_token_learns_where_everything_is() {
        let harness = Harness::new().await;
        let ask = async |query: &str| -> Answer {
            let path = format!("/Metadata/endpoints{query}");
            let request = Request::get(path).header("host", "vault.example.org:8443");
            harness.send(request.body(Body::empty()).unwrap()).await
        };
        let base = json!("https://vault.example.org:8443");
        let old = ask("?api-version=2015-01-01").await.json();
        assert_eq!(old["authentication"]["audiences"][0], base);
        assert_eq!(old["galleryEndpoint"], base);
        let list = ask("?api-version=2019-05-01").await.json();
        assert_eq!(list[0]["resourceManager"], base);
        assert_eq!(list[0]["name"], "Strongroom");
        let one = ask("?api-version=2022-09-01").await.json();
        assert_eq!(one["resourceManager"], base);
        assert_eq!(one["authentication"]["loginEndpoint"], base);
        assert_eq!(
            ask("").await.refusal(),
            (400, "MissingApiVersionParameter".to_owned())
        );
    }
}
