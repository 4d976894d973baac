//! Watches: changes after a resource version, one JSON line each, until the client leaves.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use futures::stream;
use serde_json::json;

use super::Shared;
use super::request::Target;
use super::verbs::matches;

/// Opens a watch from `resourceVersion` on (0 or absent: everything that exists first).
pub(crate) fn open(
    shared: &Arc<Shared>,
    target: &Target,
    query: &BTreeMap<String, String>,
) -> Response {
    let from: u64 = query
        .get("resourceVersion")
        .and_then(|version| version.parse().ok())
        .unwrap_or(0);
    let changes = shared.changes();
    let start = (
        Arc::clone(shared),
        target.clone(),
        query.clone(),
        from,
        changes,
    );
    let lines = stream::unfold(
        start,
        |(shared, target, query, from, mut changes)| async move {
            loop {
                changes.mark_unchanged();
                let (lines, revision) = lines_after(&shared, &target, &query, from);
                if !lines.is_empty() {
                    let next = (shared, target, query, revision, changes);
                    return Some((Ok::<_, std::io::Error>(Bytes::from(lines)), next));
                }
                changes.changed().await.ok()?;
            }
        },
    );
    (
        [("content-type", "application/json")],
        Body::from_stream(lines),
    )
        .into_response()
}

fn lines_after(
    shared: &Shared,
    target: &Target,
    query: &BTreeMap<String, String>,
    from: u64,
) -> (String, u64) {
    let state = shared.state();
    let mut lines = String::new();
    let mut last = from;
    for change in state.changes_after(&target.kind.id(), from) {
        last = change.revision;
        let inside = target
            .namespace
            .as_deref()
            .is_none_or(|namespace| change.object["metadata"]["namespace"] == namespace);
        if inside && matches(&change.object, query) {
            let line = json!({"type": change.event, "object": *change.object});
            lines.push_str(&line.to_string());
            lines.push('\n');
        }
    }
    (lines, last)
}
