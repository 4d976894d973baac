//! `POST …/backupInstances/{instance}/rehydrate`: refused; Kubernetes has no archive tier.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::State;
use strongroom_core::error::{Code, Problem};

use crate::app::{App, Result, instances};
use crate::http::request::Target;

pub(super) async fn handle(State(app): State<Arc<App>>, Target(id): Target) -> Result<Infallible> {
    instances::get(&app, &id.without(1)).await?;
    Err(Problem::new(
        Code::UserErrorNotSupportedForDatasource,
        "There is no archive tier for Kubernetes, and so no recovery point to rehydrate from it.",
    )
    .into())
}

#[cfg(test)]
mod tests {
    use crate::testing::Harness;

    #[tokio::test]
    async fn what_is_not_for_clusters_is_refused_with_the_reason() {
        let harness = Harness::new().await;
        let instance = harness.instance().await;
        let path = format!("{instance}/rehydrate");
        let refused = harness.call("POST", &path, None).await.refusal();
        assert_eq!(
            refused,
            (400, "UserErrorNotSupportedForDatasource".to_owned())
        );
        assert_eq!(harness.anonymous("POST", &path).await.status, 401);
    }
}
