//! `POST …/backupInstances/{instance}/findRestorableTimeRanges`: a cluster is restored to the times of its
//! recovery points, so each is a range that ends where it begins. Newest first.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use strongroom_api::arm::Resource;
use strongroom_api::support::{
    FindRestorableTimeRangesRequest, RestorableTimeRange, RestorableTimeRanges,
};
use strongroom_core::error::{Code, Problem};

use crate::app::{App, Result, recovery_points};
use crate::http::request::{JsonBody, Target};

/// Ranges in an answer, which has no pages; the newest are what a restore is chosen from.
const MOST_RANGES: usize = 1000;

const TYPE: &str = "Microsoft.DataProtection/backupVaults/backupInstances/findRestorableTimeRanges";

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
    JsonBody(request): JsonBody<FindRestorableTimeRangesRequest>,
) -> Result<Json<Resource<RestorableTimeRanges>>> {
    let instance = id.without(1);
    let from = time(request.start_time.as_deref(), "startTime")?;
    let until = time(request.end_time.as_deref(), "endTime")?;
    let times = recovery_points::times(&app, &instance, (from, until), MOST_RANGES).await?;
    let ranges = times.into_iter().map(RestorableTimeRange::at).collect();
    Ok(Json(Resource {
        id: Some(id.to_string()),
        name: Some("default".to_owned()),
        resource_type: Some(TYPE.to_owned()),
        ..Resource::of(RestorableTimeRanges::of(ranges))
    }))
}

fn time(text: Option<&str>, field: &str) -> Result<Option<Timestamp>> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    match text.parse() {
        Ok(time) => Ok(Some(time)),
        Err(_) => Err(Problem::new(
            Code::InvalidRequestContent,
            format!("{field} is '{text}', which is no time, for example 2026-01-31T00:00:00Z."),
        )
        .at(field)
        .into()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::testing::Harness;

    #[tokio::test]
    async fn each_recovery_point_is_a_range_of_its_own_time() {
        let harness = Harness::new().await;
        let instance = harness.instance().await;
        for hour in 0..3 {
            harness.recovery_point(&instance, hour).await;
        }
        let path = format!("{instance}/findRestorableTimeRanges");
        let body = json!({
            "sourceDataStoreType": "OperationalStore", "startTime": "2026-01-02T04:00:00.0000000Z",
        });
        let found = harness.call("POST", &path, Some(body)).await.json();
        let ranges = found["properties"]["restorableTimeRanges"]
            .as_array()
            .unwrap();
        assert_eq!(ranges.len(), 2, "{found}");
        assert_eq!(ranges[0]["startTime"], ranges[0]["endTime"]);
        assert!(ranges[0]["startTime"].as_str() > ranges[1]["startTime"].as_str());
        let odd = json!({"sourceDataStoreType": "OperationalStore", "endTime": "soon"});
        let refused = harness.call("POST", &path, Some(odd)).await.refusal();
        assert_eq!(refused, (400, "InvalidRequestContent".to_owned()));
        assert_eq!(harness.anonymous("POST", &path).await.status, 401);
    }
}
