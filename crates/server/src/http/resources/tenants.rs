//! `GET /tenants`: the one tenant that this server is.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::app::App;
use crate::http::route::{Reach, Route};

const READ: &str = "Microsoft.Resources/tenants/read";

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new("/tenants")
            .reaching(Reach::Anyone)
            .get(READ, handle),
    ]
}

async fn handle(State(app): State<Arc<App>>) -> Json<Value> {
    let id = app.tenant_id;
    Json(json!({"value": [{
        "id": format!("/tenants/{id}"),
        "tenantId": id,
        "displayName": "Strongroom",
        "tenantCategory": "Home",
    }]}))
}

#[cfg(test)]
mod tests {
    use crate::testing::Harness;

    #[tokio::test]
    async fn there_is_one_tenant_and_its_id_is_that_of_identities() {
        let harness = Harness::new().await;
        let listed = harness.get("/tenants").await.json();
        assert_eq!(
            listed["value"][0]["tenantId"],
            harness.app.tenant_id.to_string()
        );
        assert_eq!(harness.anonymous("GET", "/tenants").await.status, 401);
    }
}
