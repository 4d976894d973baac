//! `GET …/recoveryPoints`: newest first; `$filter` with `startDate` and `endDate`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use jiff::Timestamp;
use strongroom_api::list::Page;
use strongroom_api::recovery_point::RecoveryPointResource;

use crate::app::{App, Result, recovery_points};
use crate::http::filter::{self, Bound, TimeRange};
use crate::http::pagination::{PageRequest, parameter, time_position};
use crate::http::request::Target;

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(collection): Target,
    page: PageRequest,
    RawQuery(query): RawQuery,
) -> Result<Json<Page<RecoveryPointResource>>> {
    let bounds = bounds(&query.unwrap_or_default())?;
    let instance = collection.without(1);
    let (found, next) =
        recovery_points::list(&app, &instance, bounds, page.after_time()?, page.limit).await?;
    Ok(Json(page.page(found, next.map(time_position))))
}

fn bounds(query: &str) -> Result<(Option<Timestamp>, Option<Timestamp>)> {
    let mut range = TimeRange::default();
    let filter = parameter(query, "$filter").unwrap_or_default();
    for comparison in filter::parse(&filter)? {
        match comparison.field.as_str() {
            "startdate" | "starttime" => range.narrow(&comparison, Bound::From)?,
            "enddate" | "endtime" => range.narrow(&comparison, Bound::Until)?,
            // There is one store and every point is visible: these choose among nothing.
            "restorepointdatastoreid" | "isvisible" | "extendedinfo" => {}
            other => {
                return Err(filter::refused(&format!(
                    "'{other}' is unknown; use startDate and endDate"
                )));
            }
        }
    }
    Ok((range.from, range.until))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, VERSION};

    #[tokio::test]
    async fn recovery_points_are_listed_newest_first_in_pages() {
        let harness = Harness::new().await;
        let instance = harness.instance().await;
        let mut made = Vec::new();
        for hour in 0..3 {
            made.push(harness.recovery_point(&instance, hour).await.to_string());
        }
        let first = harness
            .get(&format!("{instance}/recoveryPoints?{VERSION}&$top=2"))
            .await
            .json();
        let next = first["nextLink"]
            .as_str()
            .unwrap()
            .strip_prefix("https://localhost:8443")
            .unwrap();
        let second = harness.get(next).await.json();
        let names: Vec<&str> = first["value"]
            .as_array()
            .unwrap()
            .iter()
            .chain(second["value"].as_array().unwrap())
            .map(|point| point["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, [&made[2], &made[1], &made[0]]);
        assert!(second.get("nextLink").is_none());
    }

    #[tokio::test]
    async fn the_filter_of_az_bounds_the_time() {
        let harness = Harness::new().await;
        let instance = harness.instance().await;
        for hour in 0..3 {
            harness.recovery_point(&instance, hour).await;
        }
        // The harness's clock starts at 2026-01-02T03:04:05Z.
        let filter = "startDate%20eq%20'2026-01-02T04:00:00.0000000Z'%20and%20endDate%20eq%20'2026-01-02T04:30:00.0000000Z'";
        let path = format!("{instance}/recoveryPoints?{VERSION}&$filter={filter}");
        let found = harness.get(&path).await.json();
        assert_eq!(found["value"].as_array().unwrap().len(), 1, "{found}");
        for bad in [
            "startDate%20eq%20'then'",
            "colour%20eq%20'red'",
            "startDate",
        ] {
            let path = format!("{instance}/recoveryPoints?{VERSION}&$filter={bad}");
            let refusal = harness.get(&path).await.refusal();
            assert_eq!(
                refusal,
                (400, "InvalidQueryParameterValue".to_owned()),
                "{bad}"
            );
        }
    }

    #[tokio::test]
    async fn listing_needs_a_token_and_an_instance() {
        let harness = Harness::new().await;
        let instance = harness.instance().await;
        assert_eq!(
            harness
                .anonymous("GET", &format!("{instance}/recoveryPoints"))
                .await
                .status,
            401
        );
        assert_eq!(
            harness
                .get(&format!("{instance}x/recoveryPoints"))
                .await
                .status,
            404
        );
    }
}
