//! `GET …/backupJobs/operations/{operation}`: 200 with links to the exported jobs, which need no token and
//! end.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use strongroom_api::job::ExportJobsResult;

use crate::app::operations::OperationKind;
use crate::app::{App, Result, export_jobs, operations, resources};
use crate::http::long_running::Polling;
use crate::http::request::{BaseUrl, Target};
use crate::store::OperationStatus;

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
    BaseUrl(base): BaseUrl,
    polling: Polling,
) -> Result<Response> {
    let address = id.without(3).child("operationResults", id.name());
    let operation = operations::get(&app, &address).await?;
    if operation.kind != OperationKind::ExportJobs.as_str() {
        return Err(resources::not_found(&id));
    }
    if operation.status != OperationStatus::Succeeded {
        return Ok(polling.results(&operation));
    }
    let file = |name: &str| Some(format!("{base}/exports/{}/{name}", operation.id));
    let signature = export_jobs::link(&app, &operation);
    Ok(Json(ExportJobsResult {
        blob_url: file("jobs.json"),
        blob_sas_key: Some(signature.clone()),
        excel_file_blob_url: file("jobs.csv"),
        excel_file_blob_sas_key: Some(signature),
    })
    .into_response())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::body::Body;
    use axum::http::Request;

    use crate::testing::{Answer, Harness};

    /// A GET of a link as a browser makes it, without a token.
    async fn open(harness: &Harness, url: &str) -> Answer {
        let path = url.strip_prefix("https://localhost:8443").unwrap();
        harness
            .send(Request::get(path).body(Body::empty()).unwrap())
            .await
    }

    #[tokio::test]
    async fn exported_jobs_are_read_without_a_token_until_the_link_ends() {
        let harness = Harness::new().await;
        let instance = harness.instance().await;
        for status in ["Failed", "Completed"] {
            harness.job(&instance, status).await;
        }
        let vault = harness.vault().await;
        let export = format!("{vault}/exportBackupJobs");
        assert_eq!(harness.anonymous("POST", &export).await.status, 401);
        let accepted = harness.call("POST", &export, None).await;
        assert_eq!(accepted.status, 202, "{}", accepted.text);
        harness.clock.advance(Duration::from_secs(1));
        let later = harness.job(&instance, "Completed").await.to_string();
        let location = accepted.header("location");
        assert!(location.contains("/backupJobs/operations/"), "{location}");
        let result = location.strip_prefix("https://localhost:8443").unwrap();
        let result = harness.get(result).await.json();
        let link = |kind: &str| {
            let part = |name: &str| result[format!("{kind}{name}")].as_str().unwrap();
            format!("{}{}", part("Url"), part("SasKey"))
        };
        let (json, csv) = (link("blob"), link("excelFileBlob"));
        let jobs = open(&harness, &json).await;
        assert_eq!(jobs.header("content-type"), "application/json");
        assert_eq!(jobs.json().as_array().unwrap().len(), 2, "{}", jobs.text);
        assert!(!jobs.text.contains(&later));
        let rows = open(&harness, &csv).await;
        assert!(rows.header("content-type").starts_with("text/csv"));
        assert_eq!(rows.text.lines().count(), 3, "{}", rows.text);
        let forged = json.replace("&sig=", "&sig=00");
        for refused in [
            &json.replace("se=", "se=9"),
            &forged,
            &json.replace("jobs.json", "x"),
        ] {
            let answer = open(&harness, refused).await;
            assert!(
                [403, 404].contains(&answer.status),
                "{refused}: {}",
                answer.text
            );
        }
        harness
            .clock
            .advance(crate::app::limits::EXPORT_LINK_LIFETIME);
        assert_eq!(open(&harness, &json).await.refusal().0, 403);
    }
}
