//! `/exports/{operation}/jobs.json` and `jobs.csv`: the jobs that were exported.
//!
//! Open, because a link carries its own proof (`se`, `sig`) and what reads it has no token. The list is
//! sent as it is read, with bounded memory.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use futures::Stream;
use serde_json::json;
use strongroom_api::job::{Job, JobResource};
use strongroom_core::error::{Code, Problem};

use super::pagination::parameter;
use super::route::{Access, Route};
use crate::app::export_jobs::{self, Export};
use crate::app::{App, Error, Result};

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::process("/exports/{operation}/{file}", Access::Open)
            .get("Strongroom/exports/read", handle)
            .documented(|it| {
                let text = json!({ "type": "string" });
                it.query("se", "When the link ends.", &text);
                it.query("sig", "What opens it.", &text);
                it.json::<Vec<JobResource>>(200);
                it.text(200, "text/csv");
            }),
    ]
}

/// How the list is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Csv,
}

async fn handle(
    State(app): State<Arc<App>>,
    Path((operation, file)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Response> {
    let format = match file.as_str() {
        "jobs.json" => Format::Json,
        "jobs.csv" => Format::Csv,
        _ => return Err(Problem::new(Code::NotFound, "There is no such export.").into()),
    };
    let query = query.unwrap_or_default();
    let given = |name| parameter(&query, name).unwrap_or_default();
    let export = export_jobs::of_link(&app, &operation, &given("se"), &given("sig")).await?;
    let mut answer = Body::from_stream(written(app, export, format)).into_response();
    let (kind, name) = match format {
        Format::Json => ("application/json", "attachment; filename=\"jobs.json\""),
        Format::Csv => (
            "text/csv; charset=utf-8",
            "attachment; filename=\"jobs.csv\"",
        ),
    };
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static(name));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(answer)
}

fn written(
    app: Arc<App>,
    export: Export,
    format: Format,
) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
    // What was sent so far, in pages; none once the end was sent.
    let state = Some((export, 0_usize));
    futures::stream::try_unfold(state, move |state| {
        let app = Arc::clone(&app);
        async move {
            let Some((mut export, pages)) = state else {
                return Ok(None);
            };
            let page = export.next(&app).await?;
            let text = match (format, &page) {
                (Format::Json, page) => json(page.as_deref(), pages)?,
                (Format::Csv, page) => csv(page.as_deref().unwrap_or_default(), pages),
            };
            let next = page.map(|_| (export, pages + 1));
            Ok::<_, Error>(Some((Bytes::from(text), next)))
        }
    })
}

/// A part of a JSON array; none is its end.
fn json(page: Option<&[JobResource]>, pages: usize) -> Result<String> {
    let Some(page) = page else {
        return Ok(if pages == 0 { "[]" } else { "]" }.to_owned());
    };
    let mut text = String::new();
    for (n, job) in page.iter().enumerate() {
        let job = serde_json::to_string(job).map_err(Error::unexpected("serialise a job"))?;
        text.push(if pages == 0 && n == 0 { '[' } else { ',' });
        text.push('\n');
        text.push_str(&job);
    }
    if pages == 0 && page.is_empty() {
        text.push('[');
    }
    Ok(text)
}

/// A column: its name, and its cell for the job with this id.
type Column = (&'static str, fn(&str, &Job) -> String);

const COLUMNS: [Column; 11] = [
    ("jobId", |id, _| id.to_owned()),
    ("operation", |_, job| job.operation.clone()),
    ("status", |_, job| job.status.clone()),
    ("backupInstance", |_, job| {
        job.backup_instance_friendly_name.clone()
    }),
    ("dataSource", |_, job| job.data_source_id.clone()),
    ("policy", |_, job| {
        job.policy_name.clone().unwrap_or_default()
    }),
    ("userTriggered", |_, job| job.is_user_triggered.to_string()),
    ("startTime", |_, job| job.start_time.to_string()),
    ("endTime", |_, job| {
        job.end_time
            .map_or_else(String::new, |time| time.to_string())
    }),
    ("duration", |_, job| {
        job.duration.clone().unwrap_or_default()
    }),
    ("error", |_, job| {
        let errors = job.error_details.as_deref().unwrap_or_default();
        let code = errors.first().and_then(|error| error.code.clone());
        code.unwrap_or_default()
    }),
];

fn csv(page: &[JobResource], pages: usize) -> String {
    let mut text = String::new();
    if pages == 0 {
        let names = COLUMNS.map(|(name, _)| name.to_owned());
        text.push_str(&row(&names));
    }
    for job in page {
        let id = job.name.as_deref().unwrap_or_default();
        let cells = COLUMNS.map(|(_, cell)| cell(id, &job.properties));
        text.push_str(&row(&cells));
    }
    text
}

fn row(cells: &[String]) -> String {
    let cells: Vec<String> = cells.iter().map(|text| cell(text)).collect();
    format!("{}\r\n", cells.join(","))
}

/// A cell by RFC 4180. One that a spreadsheet would take for a formula is made text: names are users' words.
fn cell(text: &str) -> String {
    let text = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{text}")
    } else {
        text.to_owned()
    };
    if text.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_where_they_must_be_and_are_never_formulas() {
        for (text, wanted) in [
            ("shop", "shop"),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("=cmd()", "'=cmd()"),
            ("a\nb", "\"a\nb\""),
        ] {
            assert_eq!(cell(text), wanted);
        }
    }

    #[test]
    fn a_list_in_parts_is_one_json_array() {
        for parts in [vec![], vec![0], vec![2, 0, 1]] {
            let mut text = String::new();
            let pages: Vec<Vec<JobResource>> =
                parts.iter().map(|count| vec![job(); *count]).collect();
            for (n, page) in pages.iter().enumerate() {
                text += &json(Some(page), n).unwrap();
            }
            text += &json(None, pages.len()).unwrap();
            let read: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
            assert_eq!(read.len(), parts.iter().sum::<usize>(), "{text}");
        }
    }

    fn job() -> JobResource {
        serde_json::from_str(include_str!("../../../api/src/tests/payloads/job.json")).unwrap()
    }
}
