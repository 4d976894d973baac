//! `GET …/backupJobs`: newest first; `$filter` with `operation`, `status`, `backupInstanceId`,
//! `startTime` and `endTime`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use strongroom_api::job::JobResource;
use strongroom_api::list::Page;

use crate::app::{App, Result, backup_jobs};
use crate::http::filter::{self, Bound, TimeRange};
use crate::http::pagination::{PageRequest, parameter, time_position};
use crate::http::request::Target;
use crate::store::JobFilter;

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(collection): Target,
    page: PageRequest,
    RawQuery(query): RawQuery,
) -> Result<Json<Page<JobResource>>> {
    let filter = filter_of(&query.unwrap_or_default())?;
    let vault = collection.without(1);
    let (found, next) =
        backup_jobs::list(&app, &vault, filter, page.after_time()?, page.limit).await?;
    Ok(Json(page.page(found, next.map(time_position))))
}

fn filter_of(query: &str) -> Result<JobFilter> {
    let mut wanted = JobFilter::default();
    let mut range = TimeRange::default();
    let filter = parameter(query, "$filter").unwrap_or_default();
    for comparison in filter::parse(&filter)? {
        match comparison.field.as_str() {
            "operation" => wanted.operation = Some(comparison.equal()?),
            "status" => wanted.status = Some(comparison.equal()?),
            "backupinstanceid" => wanted.instance_key = Some(comparison.equal()?.to_lowercase()),
            "startdate" | "starttime" => range.narrow(&comparison, Bound::From)?,
            "enddate" | "endtime" => range.narrow(&comparison, Bound::Until)?,
            // All jobs here are of this type.
            "datasourcetype" => {}
            other => {
                return Err(filter::refused(&format!(
                    "'{other}' is unknown; use operation, status, backupInstanceId, startTime, endTime"
                )));
            }
        }
    }
    (wanted.from, wanted.until) = (range.from, range.until);
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, VERSION};

    async fn count(harness: &Harness, filter: &str) -> usize {
        let path = format!(
            "{}/backupJobs?{VERSION}&$filter={filter}",
            harness.vault().await
        );
        let answer = harness.get(&path).await;
        assert_eq!(answer.status, 200, "{filter}: {}", answer.text);
        answer.json()["value"].as_array().unwrap().len()
    }

    #[tokio::test]
    async fn jobs_are_listed_newest_first_and_filtered() {
        let harness = Harness::new().await;
        let instance = harness.instance().await;
        let first = harness.job(&instance, "Failed").await;
        harness.clock.advance(std::time::Duration::from_secs(3600));
        let second = harness.job(&instance, "Completed").await;
        let path = format!("{}/backupJobs?{VERSION}&$top=1", harness.vault().await);
        let page = harness.get(&path).await.json();
        assert_eq!(page["value"][0]["name"], second.to_string());
        let next = page["nextLink"]
            .as_str()
            .unwrap()
            .strip_prefix("https://localhost:8443")
            .unwrap();
        assert_eq!(
            harness.get(next).await.json()["value"][0]["name"],
            first.to_string()
        );
        assert_eq!(count(&harness, "status%20eq%20'failed'").await, 1);
        assert_eq!(count(&harness, "operation%20eq%20'Restore'").await, 0);
        assert_eq!(
            count(&harness, "startTime%20ge%20'2026-01-02T03:30:00Z'").await,
            1
        );
        assert_eq!(
            count(&harness, "startTime%20le%20'2026-01-02T03:30:00Z'").await,
            1,
            "the first"
        );
        let of_instance = format!("backupInstanceId%20eq%20'{instance}'");
        assert_eq!(count(&harness, &of_instance).await, 2);
    }

    #[tokio::test]
    async fn a_malformed_filter_or_token_is_named_and_a_token_is_needed() {
        let harness = Harness::new().await;
        let path = format!("{}/backupJobs", harness.vault().await);
        for query in [
            "$filter=colour%20eq%20'red'",
            "$filter=status",
            "$filter=status%20gt%20'Failed'",
            "$skipToken=eA",
        ] {
            let refusal = harness
                .get(&format!("{path}?{VERSION}&{query}"))
                .await
                .refusal();
            assert_eq!(
                refusal,
                (400, "InvalidQueryParameterValue".to_owned()),
                "{query}"
            );
        }
        assert_eq!(harness.anonymous("GET", &path).await.status, 401);
    }
}
