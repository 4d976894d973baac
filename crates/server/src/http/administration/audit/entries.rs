//! `GET …/auditEntries[?after={sequence}][&$top=n]`: entries in their order, page by page, from the one after
//! a number.

use std::sync::Arc;

use axum::extract::State;
use axum::http::Uri;
use strongroom_api::audit::AuditEntry;
use strongroom_api::list::Page;
use strongroom_core::audit::Entry;

use crate::app::{App, Result, audit};
use crate::http::openapi::contract::JsonAs;
use crate::http::pagination::{PageRequest, invalid, parameter};

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    uri: Uri,
    page: PageRequest,
) -> Result<JsonAs<Page<AuditEntry>, Page<Entry>>> {
    let given = parameter(uri.query().unwrap_or_default(), "after");
    let (name, from) = match &page.after {
        Some(position) => ("$skipToken", position.clone()),
        None => ("after", given.unwrap_or_else(|| "0".to_owned())),
    };
    let after = from
        .parse()
        .map_err(|_| invalid(name, &from, "the number of an entry"))?;
    let found = audit::after(&app, after, page.limit).await?;
    let last = found.rows.last().filter(|_| found.more);
    let next = last.map(|entry| entry.sequence.to_string());
    Ok(JsonAs::of(page.page(found.rows, next)))
}
