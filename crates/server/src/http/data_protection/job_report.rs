//! `GET …/backupJobs/{job}/report`: what became of each object, page by page; ours.
//! `$filter=failed` leaves out what went well.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use strongroom_api::list::Page;
use strongroom_core::report::ObjectOutcome;

use crate::app::{App, Error, Result, report};
use crate::http::pagination::{PageRequest, invalid, parameter};
use crate::http::request::Target;
use crate::http::route::Route;

const READ: &str = "Microsoft.DataProtection/backupVaults/backupJobs/read";

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults/{vault}/backupJobs/{job}/report")
            .get(READ, handle),
    ]
}

async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
    uri: Uri,
    page: PageRequest,
) -> Result<Json<Page<ObjectOutcome>>> {
    let job = id.without(1);
    let skip = match &page.after {
        None => 0,
        Some(text) => text
            .parse()
            .map_err(|_| invalid("$skipToken", text, "a token from a nextLink of this list"))?,
    };
    let failed_only = failed_only(&uri)?;
    let found = report::page(
        &app,
        &job.without(2),
        job.name(),
        skip,
        page.limit,
        failed_only,
    )
    .await?;
    Ok(Json(page.page(
        found.outcomes,
        found.next.map(|line| line.to_string()),
    )))
}

fn failed_only(uri: &Uri) -> std::result::Result<bool, Error> {
    match parameter(uri.query().unwrap_or_default(), "$filter").as_deref() {
        None | Some("") => Ok(false),
        Some("failed" | "outcome eq 'Failed'") => Ok(true),
        Some(other) => Err(invalid("$filter", other, "'failed'")),
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::protection::Protected;

    #[tokio::test]
    async fn the_report_is_read_in_pages_and_filtered() {
        let it = Protected::new().await;
        it.recovery_point().await;
        let job = it.only_job().await.id;
        let path = |query: &str| {
            format!(
                "{}/backupJobs/{job}/report?api-version=2026-06-01{query}",
                it.vault
            )
        };
        let first = it.harness.get(&path("&$top=2")).await;
        assert_eq!(first.status, 200, "{}", first.text);
        let first = first.json();
        assert_eq!(first["value"].as_array().unwrap().len(), 2);
        let rest = it.follow(first["nextLink"].as_str().unwrap()).await.json();
        assert_eq!(rest["value"].as_array().unwrap().len(), 1);
        assert!(rest["nextLink"].is_null());
        let failed = it.harness.get(&path("&$filter=failed")).await.json();
        let failed = failed["value"].as_array().unwrap();
        assert_eq!(failed.len(), 1);
        assert_eq!(failed[0]["outcome"], "Failed");
    }

    #[tokio::test]
    async fn a_report_that_is_not_there_or_not_asked_for_properly_is_refused() {
        let it = Protected::new().await;
        let missing = format!("{}/backupJobs/none/report", it.vault);
        assert_eq!(
            it.harness.get(&missing).await.refusal(),
            (404, "ResourceNotFound".to_owned())
        );
        let odd = format!("{missing}?api-version=2026-06-01&$filter=odd");
        assert_eq!(it.harness.get(&odd).await.refusal().0, 400);
        assert_eq!(it.harness.anonymous("GET", &missing).await.status, 401);
    }
}
