//! `GET …/backupJobs/{job}/report`: what became of each object; ours.
//!
//! `Accept: application/json` (or nothing) gives pages; `Accept: application/x-ndjson` gives all of it
//! in one answer, one JSON document a line, streamed with bounded memory. `$filter` joins comparisons
//! of `outcome`, `kind` and `namespace` by `and`. A page may be short, even empty, and still have a
//! `nextLink`: a request looks through a bounded number of lines for those that the filter wants.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;
use strongroom_api::list::Page;
use strongroom_core::report::Outcome;

use crate::app::report::{Cursor, Filter};
use crate::app::{App, Error, ResourceId, Result, report};
use crate::http::filter::{self, refused};
use crate::http::pagination::{PageRequest, invalid, parameter};
use crate::http::request::Target;
use crate::http::route::Route;

const READ: &str = "Microsoft.DataProtection/backupVaults/backupJobs/read";

/// Media type of JSON lines.
const NDJSON: &str = "application/x-ndjson";

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults/{vault}/backupJobs/{job}/report")
            .get(READ, handle)
            .documented(|it| {
                it.filter("comparisons of outcome, kind and namespace, joined by and");
                it.json::<Page<Value>>(200);
                it.text(200, NDJSON);
            }),
    ]
}

async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
    uri: Uri,
    headers: HeaderMap,
    page: PageRequest,
) -> Result<Response> {
    let job = id.without(1);
    let filter = filter_of(&uri)?;
    let from = match &page.after {
        None => None,
        Some(text) => Some(cursor(text)?),
    };
    if wants_lines(&headers) {
        return lines(&app, &job, filter, from).await;
    }
    let found = report::page(&app, &job, from, page.limit, &filter).await?;
    Ok(Json(page.page(found.outcomes, found.next.map(position))).into_response())
}

/// The whole report, or what is left of it from a position on.
async fn lines(
    app: &App,
    job: &ResourceId,
    filter: Filter,
    from: Option<Cursor>,
) -> Result<Response> {
    let stream = report::stream(app, job, from, filter).await?;
    let mut response = Body::from_stream(stream).into_response();
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(NDJSON));
    Ok(response)
}

fn wants_lines(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|kind| {
            let kind = kind.split(';').next().unwrap_or_default().trim();
            kind.eq_ignore_ascii_case(NDJSON)
        })
}

/// A position as a token has it: the attempt whose report it is in, and the line. A job that is taken
/// over by another attempt begins another report, and a line number of the one means nothing in the
/// other.
fn position(cursor: Cursor) -> String {
    format!("{}/{}", cursor.attempt, cursor.line)
}

fn cursor(text: &str) -> std::result::Result<Cursor, Error> {
    let parsed = text.split_once('/').and_then(|(attempt, line)| {
        Some(Cursor {
            attempt: attempt.parse().ok()?,
            line: line.parse().ok()?,
        })
    });
    parsed.ok_or_else(|| invalid("$skipToken", text, "a token from a nextLink of this list"))
}

fn filter_of(uri: &Uri) -> std::result::Result<Filter, Error> {
    let given = parameter(uri.query().unwrap_or_default(), "$filter").unwrap_or_default();
    let mut wanted = Filter::default();
    // What this route took before it knew comparisons.
    if given.trim() == "failed" {
        wanted.outcome = Some(Outcome::Failed);
        return Ok(wanted);
    }
    for comparison in filter::parse(&given)? {
        let field = comparison.field.clone();
        let value = comparison.equal()?.trim().to_owned();
        match field.as_str() {
            "outcome" => wanted.outcome = Some(outcome(&value)?),
            "kind" => wanted.kind = Some(value),
            "namespace" => wanted.namespace = Some(value),
            other => {
                return Err(refused(&format!(
                    "a report is not filtered by '{other}'; by outcome, kind and namespace it is"
                )));
            }
        }
    }
    Ok(wanted)
}

fn outcome(text: &str) -> std::result::Result<Outcome, Error> {
    let known = Outcome::ALL
        .into_iter()
        .find(|known| known.as_str().eq_ignore_ascii_case(text));
    known.ok_or_else(|| {
        let all: Vec<&str> = Outcome::ALL.iter().map(|known| known.as_str()).collect();
        refused(&format!(
            "'{text}' is no outcome; there are {}",
            all.join(", ")
        ))
    })
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use serde_json::Value;
    use strongroom_core::report::Outcome;

    use super::*;
    use crate::testing::Answer;
    use crate::testing::protection::{Protected, adhoc};

    async fn ndjson(it: &Protected, path: &str) -> Answer {
        let request = it.harness.request("GET", path);
        let request = request.header(header::ACCEPT, NDJSON).body(Body::empty());
        it.harness.send(request.unwrap()).await
    }

    async fn reported() -> (Protected, String) {
        let it = Protected::new().await;
        it.recovery_point().await;
        let job = it.only_job().await.id;
        let path = format!(
            "{}/backupJobs/{job}/report?api-version=2026-06-01",
            it.vault
        );
        (it, path)
    }

    fn names(page: &Value) -> Vec<&str> {
        let items = page["value"].as_array().unwrap();
        items
            .iter()
            .map(|item| item["object"]["name"].as_str().unwrap())
            .collect()
    }

    #[tokio::test]
    async fn the_report_is_read_in_pages_and_filtered() {
        let (it, path) = reported().await;
        let first = it.harness.get(&format!("{path}&$top=2")).await;
        assert_eq!(first.status, 200, "{}", first.text);
        let first = first.json();
        assert_eq!(names(&first), ["object-0", "object-1"]);
        let rest = it.follow(first["nextLink"].as_str().unwrap()).await.json();
        assert_eq!(names(&rest), ["object-2"]);
        assert!(rest["nextLink"].is_null());
        for (filter, expected) in [
            ("failed", vec!["object-1"]),
            ("outcome eq 'Failed'", vec!["object-1"]),
            ("outcome eq 'skipped'", vec!["object-2"]),
            ("outcome eq 'Created'", vec![]),
            (
                "kind eq 'configmap' and namespace eq 'shop'",
                vec!["object-0", "object-1", "object-2"],
            ),
            ("namespace eq 'other'", vec![]),
            ("kind eq 'Secret'", vec![]),
        ] {
            let filter = filter.replace(' ', "%20");
            let found = it.harness.get(&format!("{path}&$filter={filter}")).await;
            assert_eq!(names(&found.json()), expected, "{filter}");
        }
    }

    #[tokio::test]
    async fn an_outcome_that_there_is_not_is_refused_with_those_that_there_are() {
        let (it, path) = reported().await;
        for filter in ["outcome%20eq%20'Bogus'", "colour%20eq%20'red'", "odd"] {
            let refused = it.harness.get(&format!("{path}&$filter={filter}")).await;
            assert_eq!(
                refused.refusal(),
                (400, "InvalidQueryParameterValue".to_owned()),
                "{filter}"
            );
        }
        let bogus = format!("{path}&$filter=outcome%20eq%20'Bogus'");
        let text = it.harness.get(&bogus).await.text;
        for known in Outcome::ALL {
            assert!(text.contains(known.as_str()), "{text}");
        }
    }

    #[tokio::test]
    async fn the_whole_report_comes_as_json_lines() {
        let (it, path) = reported().await;
        let answer = ndjson(&it, &path).await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (200, NDJSON)
        );
        let lines: Vec<Value> = answer
            .text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), 3);
        assert!(answer.text.ends_with('\n'));
        assert_eq!(lines[1]["code"], "ObjectTooLarge");
        let failed = ndjson(&it, &format!("{path}&$filter=outcome%20eq%20'Failed'")).await;
        assert_eq!(failed.text.lines().count(), 1);
    }

    #[tokio::test]
    async fn a_long_report_is_streamed_and_paged_whole() {
        let it = Protected::new().await;
        it.post("backup", adhoc()).await;
        it.look_until_created().await;
        let job = it.open_job().await.id;
        it.harness.clusters.begin_work();
        it.look().await;
        let many = 25_000;
        it.report_of(
            job,
            (0..many).map(|n| {
                if n % 10_000 == 9_999 {
                    Outcome::Failed
                } else {
                    Outcome::BackedUp
                }
            }),
        )
        .await;
        let path = format!(
            "{}/backupJobs/{job}/report?api-version=2026-06-01",
            it.vault
        );
        assert_eq!(ndjson(&it, &path).await.text.lines().count(), many);
        let mut next = Some(format!("{path}&$filter=outcome%20eq%20'Failed'"));
        let (mut found, mut pages) = (Vec::new(), 0);
        while let Some(link) = next {
            let link = link.replace("https://localhost:8443", "");
            let page = it.harness.get(&link).await.json();
            found.extend(names(&page).into_iter().map(str::to_owned));
            next = page["nextLink"].as_str().map(str::to_owned);
            pages += 1;
        }
        assert_eq!(found, ["object-9999", "object-19999"]);
        assert_eq!(
            pages, 2,
            "one request looks through a bounded number of lines"
        );
    }

    #[tokio::test]
    async fn a_failed_job_and_one_whose_recovery_point_is_gone_have_their_reports() {
        let (it, path) = reported().await;
        let mut session = it.harness.app.store.begin().await.unwrap();
        let key = it.instance.to_lowercase();
        let points = session.recovery_points(&key, (None, None), None, 10).await;
        for point in points.unwrap().rows {
            session.delete_recovery_point(point.id).await.unwrap();
        }
        session.commit().await.unwrap();
        assert_eq!(names(&it.harness.get(&path).await.json()).len(), 3);

        it.post("backup", adhoc()).await;
        it.look_until_created().await;
        let job = it.open_job().await.id;
        it.harness.clusters.begin_work();
        it.report_of(job, [Outcome::BackedUp, Outcome::Failed])
            .await;
        it.claim(strongroom_kubernetes::crd::JobState::Failed, None);
        it.look_until_idle().await;
        assert_eq!(it.job(job).await.status, "Failed");
        let path = format!("{}/backupJobs/{job}/report", it.vault);
        assert_eq!(
            names(&it.harness.get(&path).await.json()),
            ["object-0", "object-1"]
        );
    }

    #[tokio::test]
    async fn a_token_stays_in_the_report_that_it_was_made_for() {
        let it = Protected::new().await;
        it.post("backup", adhoc()).await;
        it.look_until_created().await;
        let job = it.open_job().await.id;
        it.harness.clusters.begin_work();
        it.look().await;
        it.report_of(job, [Outcome::BackedUp; 3]).await;
        let path = format!(
            "{}/backupJobs/{job}/report?api-version=2026-06-01",
            it.vault
        );
        let first = it.harness.get(&format!("{path}&$top=1")).await.json();

        it.harness
            .clusters
            .update_status(|status| status.attempt = 2);
        it.look().await;
        // Until the second attempt has told something, the first one's report is the job's.
        assert_eq!(names(&it.harness.get(&path).await.json()).len(), 3);
        it.report_of_attempt(job, 2, [Outcome::Failed]).await;
        assert_eq!(
            names(&it.harness.get(&path).await.json()),
            ["object-0"],
            "a new list is of the new report"
        );
        let rest = it.follow(first["nextLink"].as_str().unwrap()).await.json();
        assert_eq!(
            names(&rest),
            ["object-1"],
            "of the report that the list began with"
        );
        let odd = it.harness.get(&format!("{path}&$skipToken=MTI")).await;
        assert_eq!(odd.refusal().1, "InvalidQueryParameterValue");
    }

    #[tokio::test]
    async fn a_report_that_is_not_there_or_not_asked_for_properly_is_refused() {
        let it = Protected::new().await;
        let missing = format!("{}/backupJobs/none/report", it.vault);
        assert_eq!(
            it.harness.get(&missing).await.refusal(),
            (404, "ResourceNotFound".to_owned())
        );
        assert_eq!(ndjson(&it, &missing).await.refusal().0, 404);
        assert_eq!(it.harness.anonymous("GET", &missing).await.status, 401);
    }
}
