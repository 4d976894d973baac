//! `POST …/locations/{location}/checkFeatureSupport`: which datasources can be protected.

use axum::Json;
use strongroom_api::support::{
    FeatureValidationRequest, FeatureValidationResponse, SupportedFeature,
};
use strongroom_core::error::{Code, Problem};

use crate::app::{Result, clusters};
use crate::http::request::JsonBody;

/// The one type of feature that is published.
const DATA_SOURCE_TYPE: &str = "DataSourceType";

pub(super) async fn handle(
    JsonBody(FeatureValidationRequest::FeatureValidationRequest(request)): JsonBody<
        FeatureValidationRequest,
    >,
) -> Result<Json<FeatureValidationResponse>> {
    let kind = request.feature_type.unwrap_or_default();
    if !kind.eq_ignore_ascii_case(DATA_SOURCE_TYPE) {
        let message = format!("featureType is '{kind}', but must be '{DATA_SOURCE_TYPE}'.");
        let problem = Problem::new(Code::InvalidRequestContent, message);
        return Err(problem.at("featureType").into());
    }
    let ours = [clusters::MANAGED, clusters::CONNECTED];
    let feature = |name: &str| {
        let is_ours = ours.iter().any(|ours| ours.eq_ignore_ascii_case(name));
        SupportedFeature {
            feature_name: Some(name.to_owned()),
            support_status: Some(
                if is_ours {
                    "GenerallyAvailable"
                } else {
                    "NotSupported"
                }
                .to_owned(),
            ),
            exposure_controlled_features: Some(Vec::new()),
        }
    };
    let features = match request.feature_name.as_deref() {
        None | Some("") => ours.iter().map(|name| feature(name)).collect(),
        Some(name) => vec![feature(name)],
    };
    Ok(Json(FeatureValidationResponse::of(
        DATA_SOURCE_TYPE,
        features,
    )))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::testing::{Harness, SUBSCRIPTION};

    #[tokio::test]
    async fn clusters_are_supported_and_nothing_else() {
        let harness = Harness::new().await;
        let path = format!(
            "{SUBSCRIPTION}/providers/Microsoft.DataProtection/locations/westeurope/checkFeatureSupport"
        );
        for (name, status) in [
            (
                "Microsoft.ContainerService/managedClusters",
                "GenerallyAvailable",
            ),
            ("Microsoft.Compute/disks", "NotSupported"),
        ] {
            let body = json!({
                "objectType": "FeatureValidationRequest", "featureType": "DataSourceType", "featureName": name,
            });
            let answer = harness.call("POST", &path, Some(body)).await.json();
            assert_eq!(
                answer["objectType"], "FeatureValidationResponse",
                "{answer}"
            );
            assert_eq!(answer["features"][0]["supportStatus"], status);
        }
        let body = json!({"objectType": "FeatureValidationRequest", "featureType": "Invalid"});
        let refused = harness.call("POST", &path, Some(body)).await.refusal();
        assert_eq!(refused, (400, "InvalidRequestContent".to_owned()));
        assert_eq!(harness.anonymous("POST", &path).await.status, 401);
    }
}
